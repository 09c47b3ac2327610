import { expect, it } from "vitest";

import { cut } from "./PageView";

it("cuts a page at characters, also beyond the basic plane", () => {
  expect(cut("a😀bc", 1, 3)).toEqual(["a", "😀b", "c"]);
});

it("shows what of a chunk stands on this page", () => {
  expect(cut("abc", -5, 2)).toEqual(["", "ab", "c"]);
  expect(cut("abc", 2, 99)).toEqual(["ab", "c", ""]);
  expect(cut("abc", 7, 9)).toEqual(["abc", "", ""]);
});
