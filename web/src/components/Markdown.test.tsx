import { render, waitFor } from "@testing-library/react";
import { expect, it } from "vitest";

import { Markdown } from "./Markdown";

const SCRIPT = "```python\nreturn 1\n```";

it("shows code at once, and in colours when what colours it has come", async () => {
  const { container } = render(<Markdown>{SCRIPT}</Markdown>);
  expect(container.querySelector("pre code")?.textContent).toBe("return 1\n");
  expect(container.querySelector(".hljs-keyword")).toBeNull();
  await waitFor(() => expect(container.querySelector(".hljs-keyword")?.textContent).toBe("return"));
});

it("colours the code of the next text at once", () => {
  const { container } = render(<Markdown>{SCRIPT}</Markdown>);
  expect(container.querySelector(".hljs-keyword")?.textContent).toBe("return");
});

it("colours code that comes while a text is being written", async () => {
  const { container, rerender } = render(<Markdown>So:</Markdown>);
  rerender(<Markdown>{`So:\n\n- one\n\n  ${SCRIPT.replaceAll("\n", "\n  ")}`}</Markdown>);
  await waitFor(() => expect(container.querySelector("li .hljs-keyword")?.textContent).toBe("return"));
});
