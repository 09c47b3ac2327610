import type { Source } from "../stream/events";
import type { Span } from "../text/marks";
import type { PageText } from "./api";

/** Where the quoted words stand in the text of a page, in characters; null: not on this page, or not in this version. */
export function spanOf(page: PageText, source: Source): Span | null {
  const text = Array.from(page.text);
  const quoted = Array.from(source.excerpt);
  if (quoted.length === 0) {
    return null;
  }
  const start = source.document_start === null ? -1 : source.document_start - page.start;
  if (start >= 0 && text.slice(start, start + quoted.length).join("") === source.excerpt) {
    return { start, end: start + quoted.length };
  }
  const found = page.text.indexOf(source.excerpt);
  if (found < 0) {
    // A quote may go on to the next page: what stands here is marked.
    const begins =
      start >= 0 && start < text.length && source.excerpt.startsWith(text.slice(start).join("").trimEnd());
    return begins ? { start, end: text.length } : null;
  }
  const at = Array.from(page.text.slice(0, found)).length;
  return { start: at, end: at + quoted.length };
}
