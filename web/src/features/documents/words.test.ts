import { expect, it } from "vitest";

import { retagged, tagsOf, typeOf } from "./words";

it("reads tags between commas", () => {
  expect(tagsOf(" a, b ,, a,c c ")).toEqual(["a", "b", "c c"]);
  expect(tagsOf("")).toEqual([]);
});

it("adds and takes away tags", () => {
  expect(retagged(["a", "b"], ["c", "a"], ["b"])).toEqual(["a", "c"]);
});

it("calls a file by its ending, else by its type", () => {
  expect(typeOf("terms.v2.docx", "application/x")).toBe("DOCX");
  expect(typeOf("README", "text/plain")).toBe("PLAIN");
});
