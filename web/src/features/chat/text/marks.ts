/**
 * A remark plugin for what answers and pages have beside Markdown: the numbers of citations, and places that are marked.
 * Both become elements (`sup`, `mark`) that carry which one they are; whatever else looks so stays the text it was.
 */

/** A part of the Markdown source, in UTF-16 units. */
export interface Span {
  start: number;
  end: number;
}

export interface Marks {
  /** The numbers that name a source; "all" while the sources are not known yet. */
  citations?: ReadonlySet<number> | "all";
  spans?: readonly Span[];
}

interface Node {
  type: string;
  value?: string;
  children?: Node[];
  position?: { start: { offset?: number }; end: { offset?: number } };
  data?: { hName: string; hProperties: Record<string, string> };
}

const CITED = /\s?\[(\d{1,3}(?:[,;] ?\d{1,3}){0,7})\]/g;
/** Their text is code or the words of a link: no place for buttons. */
const LEFT_ALONE = new Set(["link", "linkReference", "inlineCode", "code"]);

export function remarkMarks(marks: Marks) {
  return (tree: unknown) => mark(tree as Node, marks);
}

function mark(node: Node, marks: Marks): void {
  if (node.children === undefined) {
    return;
  }
  node.children = node.children.flatMap((child) => {
    if (child.type === "text") {
      return split(child, marks);
    }
    mark(child, LEFT_ALONE.has(child.type) ? { spans: marks.spans } : marks);
    return [child];
  });
}

function split(node: Node, marks: Marks): Node[] {
  const found = (marks.spans ?? []).flatMap((span, index) => {
    const inside = within(node, span);
    return inside === null ? [] : [{ ...inside, index }];
  });
  const value = node.value ?? "";
  const nodes: Node[] = [];
  let at = 0;
  for (const { start, end, index } of found.sort((one, other) => one.start - other.start)) {
    if (start < at) {
      continue; // spans that overlap are marked once
    }
    nodes.push(...cited(value.slice(at, start), marks));
    nodes.push({
      type: "marked",
      data: { hName: "mark", hProperties: { dataMark: String(index) } },
      children: cited(value.slice(start, end), marks),
    });
    at = end;
  }
  return [...nodes, ...cited(value.slice(at), marks)];
}

/** The part of a text that a span of the source covers; null: none. A text with escapes in it is marked as a whole. */
function within(node: Node, span: Span): Span | null {
  const from = node.position?.start.offset;
  const to = node.position?.end.offset;
  const length = node.value?.length ?? 0;
  if (from === undefined || to === undefined || span.end <= from || span.start >= to) {
    return null;
  }
  if (to - from !== length) {
    return { start: 0, end: length };
  }
  return { start: Math.max(0, span.start - from), end: Math.min(length, span.end - from) };
}

function cited(value: string, { citations }: Marks): Node[] {
  if (citations === undefined || value === "") {
    return value === "" ? [] : [{ type: "text", value }];
  }
  const nodes: Node[] = [];
  let at = 0;
  for (const match of value.matchAll(CITED)) {
    const numbers = (match[1] ?? "").split(/[,;] ?/).map(Number);
    if (citations !== "all" && !numbers.every((number) => citations.has(number))) {
      continue;
    }
    if (match.index > at) {
      nodes.push({ type: "text", value: value.slice(at, match.index) });
    }
    nodes.push(...numbers.map(marker));
    at = match.index + match[0].length;
  }
  if (at < value.length) {
    nodes.push({ type: "text", value: value.slice(at) });
  }
  return nodes;
}

function marker(number: number): Node {
  return {
    type: "citation",
    data: { hName: "sup", hProperties: { dataCitation: String(number) } },
    children: [{ type: "text", value: String(number) }],
  };
}

/** The API counts in characters (code points), JavaScript in UTF-16 units. */
export function inUnits(text: string, span: Span): Span {
  if (!/[\uD800-\uDBFF]/.test(text)) {
    return { start: span.start, end: span.end };
  }
  let point = 0;
  let unit = 0;
  let start = text.length;
  let end = text.length;
  for (const character of text) {
    if (point === span.start) {
      start = unit;
    }
    if (point === span.end) {
      end = unit;
      break;
    }
    point += 1;
    unit += character.length;
  }
  return { start, end };
}
