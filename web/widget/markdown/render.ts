/** Markdown as DOM nodes. The text of an answer may be anybody's: it becomes text, and the few elements made here. */

import { type Block, parseBlocks } from "./blocks";
import { appendInline, type Inline } from "./inline";

/** Headings of an answer stand below the heading of the panel. */
const TOP_HEADING = 3;

const LETTER = /\p{L}/u;
const RIGHT_TO_LEFT = /[\p{Script=Arabic}\p{Script=Hebrew}\p{Script=Syriac}\p{Script=Thaana}\p{Script=Nko}]/u;

/** What stands within a line, and which way the whole text reads. */
interface Surroundings extends Inline {
  direction: "ltr" | "rtl";
}

export function renderMarkdown(text: string, inline: Inline): DocumentFragment {
  const context = { ...inline, direction: directionOf(text) };
  const fragment = context.document.createDocumentFragment();
  appendBlocks(fragment, parseBlocks(text), context);
  return fragment;
}

function appendBlocks(parent: Node, blocks: readonly Block[], context: Surroundings): void {
  for (const block of blocks) parent.appendChild(nodeOf(block, context));
}

function nodeOf(block: Block, context: Surroundings): Node {
  switch (block.kind) {
    case "paragraph":
      return withInline("p", block.text, context);
    case "heading":
      return withInline(`h${Math.min(block.level + TOP_HEADING - 1, 6)}`, block.text, context);
    case "code":
      return codeOf(block.text, context);
    case "quote":
      return quoteOf(block.blocks, context);
    case "list":
      return listOf(block.start, block.items, context);
    case "table":
      return tableOf(block.head, block.rows, context);
    case "rule":
      return context.document.createElement("hr");
  }
}

function withInline(tag: string, text: string, context: Surroundings): HTMLElement {
  const element = context.document.createElement(tag);
  element.dir = "auto";
  appendInline(element, text, context);
  return element;
}

function codeOf(text: string, context: Surroundings): HTMLElement {
  const frame = context.document.createElement("pre");
  frame.tabIndex = 0; // it scrolls, also by keyboard
  frame.dir = "ltr";
  const code = context.document.createElement("code");
  code.textContent = text;
  frame.appendChild(code);
  return frame;
}

function quoteOf(blocks: readonly Block[], context: Surroundings): HTMLElement {
  const quote = context.document.createElement("blockquote");
  appendBlocks(quote, blocks, context);
  return quote;
}

function listOf(start: number | null, items: readonly Block[][], context: Surroundings): HTMLElement {
  const list = context.document.createElement(start === null ? "ul" : "ol");
  if (start !== null && start !== 1) list.setAttribute("start", String(start));
  for (const blocks of items) {
    const item = context.document.createElement("li");
    item.dir = "auto";
    const [first, ...others] = blocks;
    if (first?.kind === "paragraph") appendInline(item, first.text, context);
    appendBlocks(item, first?.kind === "paragraph" ? others : blocks, context);
    list.appendChild(item);
  }
  return list;
}

function tableOf(head: readonly string[], rows: readonly string[][], context: Surroundings): HTMLElement {
  const { document } = context;
  const frame = document.createElement("div");
  frame.className = "table";
  frame.tabIndex = 0; // it scrolls, also by keyboard
  const table = document.createElement("table");
  table.dir = context.direction; // one side for a column, whatever the cells are written in
  table.append(document.createElement("thead"), document.createElement("tbody"));
  [head, ...rows].forEach((cells, number) => {
    const row = document.createElement("tr");
    row.append(...cells.map((cell) => cellOf(number === 0 ? "th" : "td", cell, context)));
    table.children[number === 0 ? 0 : 1]?.appendChild(row);
  });
  frame.appendChild(table);
  return frame;
}

/** A cell stands at the side of its table; the text in it reads its own way. */
function cellOf(tag: "th" | "td", text: string, context: Surroundings): HTMLElement {
  const cell = context.document.createElement(tag);
  const own = context.document.createElement("bdi");
  appendInline(own, text, context);
  cell.appendChild(own);
  return cell;
}

/** By its first letter, as `dir="auto"` finds it. */
function directionOf(text: string): "ltr" | "rtl" {
  return RIGHT_TO_LEFT.test(LETTER.exec(text)?.[0] ?? "") ? "rtl" : "ltr";
}
