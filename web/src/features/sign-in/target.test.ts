import { describe, expect, it } from "vitest";

import { safeTarget } from "./target";

describe("where a sign-in leads to", () => {
  it.each([
    ["/documents?state=failed", "/documents?state=failed"],
    [null, "/"],
    ["", "/"],
    ["https://evil.example", "/"],
    ["//evil.example/chat", "/"],
    ["/\\evil.example", "/"],
    ["javascript:alert(1)", "/"],
    ["/sign-in?next=/chat", "/"],
  ])("leads from %j to %j", (wanted, target) => {
    expect(safeTarget(wanted)).toBe(target);
  });
});
