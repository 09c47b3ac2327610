/** The blocks of a Markdown text: as much of CommonMark and GitHub's tables as answers use. */

export type Block =
  | { kind: "paragraph"; text: string }
  | { kind: "heading"; level: number; text: string }
  | { kind: "code"; text: string }
  | { kind: "quote"; blocks: Block[] }
  | { kind: "list"; start: number | null; items: Block[][] }
  | { kind: "table"; head: string[]; rows: string[][] }
  | { kind: "rule" };

const DEEPEST = 6; // so that no text can exhaust the stack
const FENCE = /^ {0,3}(`{3,}|~{3,})([^`]*)$/;
const HEADING = /^ {0,3}(#{1,6})(?:[ \t]+|$)/;
const RULE = /^ {0,3}(?:(?:-[ \t]*){3,}|(?:\*[ \t]*){3,}|(?:_[ \t]*){3,})$/;
const QUOTE = /^ {0,3}> ?/;
const ITEM = /^( *)([-*+]|\d{1,9}[.)])(?:[ \t]+|$)/;

export function parseBlocks(text: string): Block[] {
  return blocksOf(text.replace(/\r\n?/g, "\n").replace(/\t/g, "    ").split("\n"), 0);
}

function blocksOf(lines: readonly string[], depth: number): Block[] {
  const blocks: Block[] = [];
  let at = 0;
  while (at < lines.length) {
    const line = lines[at] ?? "";
    if (line.trim() === "") {
      at += 1;
      continue;
    }
    const read =
      readFence(lines, at) ?? readLine(line, at) ?? readTable(lines, at) ?? readNested(lines, at, depth);
    const [block, next] = read ?? readParagraph(lines, at);
    blocks.push(block);
    at = next;
  }
  return blocks;
}

type Read = [Block, number];

function readFence(lines: readonly string[], at: number): Read | null {
  const fence = FENCE.exec(lines[at] ?? "")?.[1];
  if (fence === undefined) return null;
  let end = at + 1;
  while (end < lines.length && !closes(lines[end] ?? "", fence)) end += 1;
  return [{ kind: "code", text: lines.slice(at + 1, end).join("\n") }, end + 1];
}

function closes(line: string, fence: string): boolean {
  const shown = line.trim();
  return shown.length >= fence.length && shown.replaceAll(fence[0] ?? "", "") === "";
}

function readLine(line: string, at: number): Read | null {
  const level = HEADING.exec(line)?.[1]?.length;
  if (level !== undefined) {
    const text = line.trim().slice(level).trim().replace(/#+$/, "").trimEnd();
    return [{ kind: "heading", level, text }, at + 1];
  }
  return RULE.test(line) ? [{ kind: "rule" }, at + 1] : null;
}

function readTable(lines: readonly string[], at: number): Read | null {
  const head = cellsOf(lines[at] ?? "");
  const under = cellsOf(lines[at + 1] ?? "");
  const isTable = head && under?.length === head.length && under.every((cell) => /^:?-+:?$/.test(cell));
  if (!isTable) return null;
  const rows: string[][] = [];
  let end = at + 2;
  for (let row = cellsOf(lines[end] ?? ""); row; row = cellsOf(lines[end] ?? "")) {
    const cells = row;
    rows.push(head.map((_, column) => cells[column] ?? ""));
    end += 1;
  }
  return [{ kind: "table", head, rows }, end];
}

/** The cells of a line with `|`; null for other lines. */
function cellsOf(line: string): string[] | null {
  if (!line.includes("|")) return null;
  const inner = line
    .trim()
    .replace(/^\|/, "")
    .replace(/(?<!\\)\|$/, "");
  return inner.split(/(?<!\\)\|/).map((cell) => cell.trim().replaceAll("\\|", "|"));
}

function readNested(lines: readonly string[], at: number, depth: number): Read | null {
  if (depth >= DEEPEST) return null;
  return readQuote(lines, at, depth) ?? readList(lines, at, depth);
}

function readQuote(lines: readonly string[], at: number, depth: number): Read | null {
  let end = at;
  while (QUOTE.test(lines[end] ?? "")) end += 1;
  if (end === at) return null;
  const inner = lines.slice(at, end).map((line) => line.replace(QUOTE, ""));
  return [{ kind: "quote", blocks: blocksOf(inner, depth + 1) }, end];
}

function readList(lines: readonly string[], at: number, depth: number): Read | null {
  const first = ITEM.exec(lines[at] ?? "");
  if (!first) return null;
  const isOrdered = /\d/.test(first[2] ?? "");
  const items: Block[][] = [];
  let next = at;
  for (let item = first as RegExpExecArray | null; item; item = ITEM.exec(lines[next] ?? "")) {
    if (/\d/.test(item[2] ?? "") !== isOrdered || RULE.test(lines[next] ?? "")) break;
    const [inner, end] = linesOfItem(lines, next, item);
    items.push(blocksOf(inner, depth + 1));
    next = end;
    while (next < lines.length && lines[next]?.trim() === "" && ITEM.test(lines[next + 1] ?? "")) next += 1;
  }
  return [{ kind: "list", start: isOrdered ? parseInt(first[2] ?? "1", 10) : null, items }, next];
}

/** What belongs to an item: what is indented below it, and lines that go on with its paragraph. */
function linesOfItem(lines: readonly string[], at: number, item: RegExpExecArray): [string[], number] {
  const outer = item[1]?.length ?? 0;
  const inner = [(lines[at] ?? "").slice(item[0].length)];
  let end = at + 1;
  for (; end < lines.length; end += 1) {
    const line = lines[end] ?? "";
    if (line.trim() === "") {
      if (indentOf(lines[end + 1] ?? "") < outer + 2) break;
      inner.push("");
    } else if (indentOf(line) >= outer + 2) {
      inner.push(line.slice(Math.min(indentOf(line), item[0].length)));
    } else if (!beginsBlock(line)) {
      inner.push(line);
    } else {
      break;
    }
  }
  return [inner, end];
}

function indentOf(line: string): number {
  return line.length - line.trimStart().length;
}

function readParagraph(lines: readonly string[], at: number): Read {
  let end = at + 1;
  while (end < lines.length && lines[end]?.trim() !== "" && !beginsBlock(lines[end] ?? "")) {
    if (readTable(lines, end)) break;
    end += 1;
  }
  const text = lines.slice(at, end).map((line) => line.trimStart());
  return [{ kind: "paragraph", text: text.join("\n").trimEnd() }, end];
}

function beginsBlock(line: string): boolean {
  return [FENCE, HEADING, RULE, QUOTE, ITEM].some((begin) => begin.test(line));
}
