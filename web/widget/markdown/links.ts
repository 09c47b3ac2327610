/** Which addresses a text may lead to. */

const ALLOWED = new Set(["http:", "https:", "mailto:"]);

/** The address as the browser understands it, or null where it is relative or anything but web or mail. */
export function safeAddress(written: string): string | null {
  try {
    const url = new URL(written.trim());
    return ALLOWED.has(url.protocol) ? url.href : null;
  } catch {
    return null; // no absolute address
  }
}

/** A bare address as it stands in a sentence: without the full stop after it, and without a bracket that it did not open. */
export function bareAddress(found: string): string {
  let address = found;
  for (;;) {
    const last = address.at(-1) ?? "";
    const isStray = last === ")" && count(address, ")") > count(address, "(");
    if (!isStray && !".,;:!?*_~".includes(last)) return address;
    if (last === "") return address;
    address = address.slice(0, -1);
  }
}

function count(text: string, letter: string): number {
  return text.split(letter).length - 1;
}

interface Link {
  label: string;
  address: string;
  end: number;
}

const LONGEST_LABEL = 400;
const TARGET =
  /\(\s{0,9}(?:<([^<>\n]{0,2000})>|((?:[^\s()\\]|\\.|\([^\s()]{0,500}\)){0,2000}))(?:\s[^\n]{0,300}?)?\s{0,9}\)/y;

/** `[label](address "title")` that begins here, or null. */
export function readLink(text: string, at: number): Link | null {
  let depth = 0;
  for (let end = at; end < text.length && end - at <= LONGEST_LABEL; end += 1) {
    const letter = text[end];
    if (letter === "\\") end += 1;
    else if (letter === "[") depth += 1;
    else if (letter === "]" && --depth === 0) {
      TARGET.lastIndex = end + 1;
      const target = TARGET.exec(text);
      if (!target) return null;
      return { label: text.slice(at + 1, end), address: target[1] ?? target[2] ?? "", end: TARGET.lastIndex };
    }
  }
  return null;
}
