import { describe, expect, it } from "vitest";

import { embedTag, lookOf } from "./look";

describe("the look of the widget", () => {
  it("stands even where the settings say nothing, or nonsense", () => {
    expect(lookOf(undefined)).toMatchObject({ accent: "#1f5fbf", position: "end", theme: "auto", title: "" });
    expect(lookOf({ accent: "red", theme: "x" })).toMatchObject({ accent: "#1f5fbf", theme: "auto" });
  });

  it("is put into a page by one tag", () => {
    expect(embedTag("https://chat.example", "dgw_x")).toBe(
      '<script src="https://chat.example/widget.js" data-key="dgw_x" async></script>',
    );
  });
});
