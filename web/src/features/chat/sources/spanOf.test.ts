import { expect, it } from "vitest";

import type { Source } from "../stream/events";
import type { PageText } from "./api";
import { spanOf } from "./spanOf";

const page = (text: string, start = 100): PageText => ({
  page: 2,
  text,
  start,
  ocr: false,
  confidence: null,
});
const source = (excerpt: string, document_start: number | null) => ({ excerpt, document_start }) as Source;

it("counts from the beginning of the document, in characters", () => {
  expect(spanOf(page("👍 a quote. a quote."), source("a quote.", 111))).toEqual({ start: 11, end: 19 });
});

it("looks for the words where the place is not known or another", () => {
  expect(spanOf(page("👍 a quote."), source("a quote.", null))).toEqual({ start: 2, end: 10 });
  expect(spanOf(page("before a quote."), source("a quote.", 100))).toEqual({ start: 7, end: 15 });
});

it("marks what of a quote stands on this page", () => {
  expect(spanOf(page("it begins here\n"), source("begins here and ends there", 103))).toEqual({
    start: 3,
    end: 15,
  });
});

it("says when the words are not there", () => {
  expect(spanOf(page("other words"), source("a quote.", 100))).toBeNull();
  expect(spanOf(page("other words"), source("", 100))).toBeNull();
});
