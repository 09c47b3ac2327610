/** What stands within a line of Markdown, put into DOM nodes. Text becomes text and nothing else: no HTML is ever read. */

import { bareAddress, readLink, safeAddress } from "./links";

export interface Inline {
  document: Document;
  /** The node for the marker of a citation; null where there is no such source. */
  cite: (number: number) => Node | null;
}

const DEEPEST = 6; // so that no text can exhaust the stack
const SPECIAL = /[\\`*_~[!<&\n]|https?:\/\//gi;
const CITATION = /\[(\d{1,3}(?:[,;] ?\d{1,3}){0,7})\](?!\()/y;
const ADDRESS = /https?:\/\/[^\s<>[\]`|"']{1,2000}/iy;
const ANGLED = /<((?:https?:\/\/|mailto:)[^\s<>]{1,2000})>/iy;
const ENTITY = /&(amp|lt|gt|quot|nbsp|#39);/y;
const ENTITIES: Record<string, string> = {
  amp: "&",
  lt: "<",
  gt: ">",
  quot: '"',
  nbsp: "\u00a0",
  "#39": "'",
};
const EMPHASIS: Record<string, string> = { "*": "em", _: "em", "**": "strong", __: "strong", "~~": "del" };

export function appendInline(parent: Node, text: string, context: Inline, depth = 0): void {
  new Scanner(parent, text, context, depth).run();
}

class Scanner {
  private at = 0;
  private plain = "";

  constructor(
    private readonly parent: Node,
    private readonly text: string,
    private readonly context: Inline,
    private readonly depth: number,
  ) {}

  run(): void {
    const { text } = this;
    while (this.at < text.length) {
      SPECIAL.lastIndex = this.at;
      const next = SPECIAL.exec(text)?.index ?? text.length;
      this.plain += text.slice(this.at, next);
      this.at = next;
      if (next < text.length && !this.takeSpecial()) {
        this.plain += text[this.at] ?? "";
        this.at += 1;
      }
    }
    this.flush();
  }

  private takeSpecial(): boolean {
    switch (this.text[this.at]) {
      case "\\":
        return this.takeEscape();
      case "`":
        return this.takeCode();
      case "[":
        return this.takeCitation() || this.takeLink(this.at);
      case "!":
        return this.takeImage();
      case "<":
        return this.takeAddress(ANGLED);
      case "&":
        return this.takeEntity();
      case "\n":
        return this.takeLineEnd();
      case "h":
      case "H":
        return !/\w/.test(this.text[this.at - 1] ?? " ") && this.takeAddress(ADDRESS);
      default:
        return this.takeEmphasis();
    }
  }

  private takeEscape(): boolean {
    const next = this.text[this.at + 1] ?? "";
    if (next === "\n") this.add(this.context.document.createElement("br"));
    else if (/[!-/:-@[-`{-~]/.test(next)) this.plain += next;
    else return false;
    this.at += 2;
    return true;
  }

  private takeCode(): boolean {
    const ticks = /`+/y;
    ticks.lastIndex = this.at;
    const fence = ticks.exec(this.text)?.[0] ?? "`";
    const start = this.at + fence.length;
    let end = this.text.indexOf(fence, start);
    while (end > 0 && (this.text[end + fence.length] === "`" || this.text[end - 1] === "`")) {
      end = this.text.indexOf(fence, end + 1);
    }
    if (end < 0) {
      this.plain += fence;
      this.at = start;
      return true;
    }
    const code = this.context.document.createElement("code");
    code.textContent = this.text
      .slice(start, end)
      .replace(/\n/g, " ")
      .replace(/^ (.*) $/, "$1");
    this.add(code);
    this.at = end + fence.length;
    return true;
  }

  private takeCitation(): boolean {
    const found = match(CITATION, this.text, this.at);
    const marks = found?.[1]?.split(/[,;] ?/).map((each) => this.context.cite(Number(each))) ?? [];
    if (!found || marks.length === 0 || marks.some((mark) => mark === null)) return false;
    for (const mark of marks) if (mark) this.add(mark);
    this.at += found[0].length;
    return true;
  }

  private takeLink(at: number): boolean {
    const link = readLink(this.text, at);
    if (!link || this.depth >= DEEPEST) return false;
    const address = safeAddress(link.address.replace(/\\(.)/g, "$1"));
    const holder = address === null ? this.context.document.createElement("span") : this.link(address);
    appendInline(holder, link.label, { ...this.context, cite: () => null }, this.depth + 1);
    for (const inner of holder.querySelectorAll("a")) inner.replaceWith(...inner.childNodes); // no link within a link
    this.add(holder);
    this.at = link.end;
    return true;
  }

  /** A picture would be fetched, and tell its server who reads: its description stands in its place. */
  private takeImage(): boolean {
    const image = this.text[this.at + 1] === "[" ? readLink(this.text, this.at + 1) : null;
    if (!image) return false;
    this.plain += image.label;
    this.at = image.end;
    return true;
  }

  private takeAddress(pattern: RegExp): boolean {
    const found = match(pattern, this.text, this.at);
    if (!found) return false;
    const shown = found[1] ?? bareAddress(found[0]);
    const address = safeAddress(shown);
    if (address === null) return false;
    const link = this.link(address);
    link.textContent = shown;
    this.add(link);
    this.at += found[1] === undefined ? shown.length : found[0].length;
    return true;
  }

  private takeEntity(): boolean {
    const found = match(ENTITY, this.text, this.at);
    if (!found) return false;
    this.plain += ENTITIES[found[1] ?? ""] ?? "";
    this.at += found[0].length;
    return true;
  }

  private takeLineEnd(): boolean {
    if (this.plain.endsWith("  ")) this.add(this.context.document.createElement("br"));
    else this.plain += "\n";
    this.at += 1;
    return true;
  }

  private takeEmphasis(): boolean {
    const letter = this.text[this.at] ?? "";
    const mark = this.text[this.at + 1] === letter ? letter + letter : letter;
    const tag = EMPHASIS[mark];
    const end = tag === undefined || this.depth >= DEEPEST ? -1 : findClose(this.text, this.at, mark);
    if (tag === undefined || end < 0) {
      this.plain += mark;
      this.at += mark.length;
      return true;
    }
    const holder = this.context.document.createElement(tag);
    appendInline(holder, this.text.slice(this.at + mark.length, end), this.context, this.depth + 1);
    this.add(holder);
    this.at = end + mark.length;
    return true;
  }

  private link(address: string): HTMLAnchorElement {
    const link = this.context.document.createElement("a");
    link.href = address;
    link.target = "_blank";
    link.rel = "noopener noreferrer nofollow ugc";
    return link;
  }

  private add(node: Node): void {
    this.flush();
    this.parent.appendChild(node);
  }

  private flush(): void {
    if (this.plain) this.parent.appendChild(this.context.document.createTextNode(this.plain));
    this.plain = "";
  }
}

/** Where emphasis that is opened here is closed, or -1. Underscores within words are none. */
function findClose(text: string, at: number, mark: string): number {
  const letter = mark[0] ?? "";
  const start = at + mark.length;
  const isWord = (index: number): boolean => letter === "_" && /[\p{L}\p{N}]/u.test(text[index] ?? " ");
  if (/^\s?$/.test(text[start] ?? "") || isWord(at - 1)) return -1;
  for (let end = text.indexOf(mark, start + 1); end > 0; end = text.indexOf(mark, end)) {
    let after = end;
    while (text[after] === letter) after += 1;
    const close = after - mark.length;
    const fits = mark.length === 2 || (after - end) % 2 === 1;
    if (fits && !/\s/.test(text[end - 1] ?? " ") && text[end - 1] !== "\\" && !isWord(after)) return close;
    end = after;
  }
  return -1;
}

function match(pattern: RegExp, text: string, at: number): RegExpExecArray | null {
  pattern.lastIndex = at;
  return pattern.exec(text);
}
