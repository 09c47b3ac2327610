import { render } from "@testing-library/react";
import type { ReactNode } from "react";
import { expect, it } from "vitest";

import { Markdown } from "@/components/Markdown";

import { inUnits, remarkMarks, type Marks } from "./marks";

function shown(text: string, marks: Marks): HTMLElement {
  const { container } = render(
    <Markdown
      remarkPlugins={[[remarkMarks, marks]]}
      components={{
        sup: ({ children }: { children?: ReactNode }) => <button>{children}</button>,
      }}
    >
      {text}
    </Markdown>,
  );
  return container;
}

const buttons = (container: HTMLElement) =>
  [...container.querySelectorAll("button")].map((button) => button.textContent);

it("makes buttons of the citations that are known", () => {
  const container = shown("It is so [1]. And so [2, 3][1] but not so [9].", {
    citations: new Set([1, 2, 3]),
  });
  expect(buttons(container)).toEqual(["1", "2", "3", "1"]);
  expect(container.textContent).toContain("not so [9].");
});

it("finds them in tables, lists and strong words, not in code and links", () => {
  const text =
    "- **strong [1]**\n\n| a |\n| --- |\n| b [1] |\n\n`x[1]` and [text [1]](https://example.org)\n\n```\ny[1]\n```";
  expect(buttons(shown(text, { citations: new Set([1]) }))).toEqual(["1", "1"]);
});

it("takes any number while an answer is being written", () => {
  expect(buttons(shown("so [7]", { citations: "all" }))).toEqual(["7"]);
});

it("makes no elements of HTML", () => {
  const container = shown("<img src=x onerror=alert(1)> <script>alert(1)</script> [1]", {
    citations: new Set([1]),
  });
  expect(container.querySelector("img, script")).toBeNull();
});

it("marks a span across emphasis and keeps citations in it", () => {
  const text = "One. Two **bold** words [1]. Three.";
  const container = shown(text, { citations: new Set([1]), spans: [{ start: 5, end: 28 }] });
  const marked = [...container.querySelectorAll("mark")].map((mark) => mark.textContent).join("|");
  expect(marked).toBe("Two |bold| words1.");
});

it("counts characters beyond the basic plane once", () => {
  const text = "👍👍 word";
  const { start, end } = inUnits(text, { start: 3, end: 7 });
  expect(text.slice(start, end)).toBe("word");
});
