import { describe, expect, it } from "vitest";

import { diffOf } from "./diff";

const shown = (before: string, after: string) => diffOf(before, after).map(({ sign, text }) => sign + text);

describe("the difference of two prompts", () => {
  it("keeps what is the same", () => {
    expect(shown("a\nb", "a\nb")).toEqual([" a", " b"]);
  });

  it("tells what went and what came, the old before the new", () => {
    expect(shown("a\nb\nc", "a\nx\nc\nd")).toEqual([" a", "-b", "+x", " c", "+d"]);
  });

  it("tells of an empty text", () => {
    expect(shown("", "a")).toEqual(["-", "+a"]);
  });
});
