/** The sources of an answer: a row each, which opens the quoted words with their page and headings. */

import { fill, type Texts } from "../language";
import type { Source } from "../types";
import { make } from "./dom";
import { icon } from "./icons";

export class SourceList {
  readonly element: HTMLElement;
  private readonly rows = new Map<number, SourceRow>();

  constructor(sources: readonly Source[], texts: Texts) {
    const list = make("ol", { class: "source-list" });
    for (const source of sources) {
      const row = new SourceRow(source, texts);
      this.rows.set(source.number, row);
      list.append(row.element);
    }
    this.element = make("section", { class: "sources", "aria-label": texts.sources }, list);
  }

  /** Show the source of a marker, and go there. */
  open(number: number): void {
    this.rows.get(number)?.show();
  }
}

class SourceRow {
  readonly element: HTMLLIElement;
  private readonly button: HTMLButtonElement;
  private readonly excerpt: HTMLElement;

  constructor(source: Source, texts: Texts) {
    const title = source.title || source.file_name;
    this.excerpt = excerptOf(source, texts);
    this.excerpt.hidden = true;
    this.button = make(
      "button",
      {
        type: "button",
        class: "source",
        "aria-expanded": "false",
        "aria-label": fill(texts.source, { number: source.number, title }),
      },
      make("span", { class: "number" }, String(source.number)),
      make("span", { class: "title" }, make("bdi", {}, title)),
      icon("open"),
    );
    this.button.addEventListener("click", () => this.toggle(this.excerpt.hidden));
    this.element = make("li", {}, this.button, this.excerpt);
  }

  show(): void {
    this.toggle(true);
    this.button.focus();
    this.element.scrollIntoView({ block: "nearest" });
  }

  private toggle(isOpen: boolean): void {
    this.excerpt.hidden = !isOpen;
    this.button.setAttribute("aria-expanded", String(isOpen));
  }
}

function excerptOf(source: Source, texts: Texts): HTMLElement {
  const excerpt = make("div", { class: "excerpt" });
  if (source.deleted) {
    excerpt.append(make("p", { class: "note" }, texts.removed));
    return excerpt;
  }
  const places = source.heading_path.map((heading) => make("bdi", {}, heading));
  if (source.page !== null) places.unshift(make("bdi", {}, fill(texts.page, { page: source.page })));
  if (places.length > 0) excerpt.append(make("p", { class: "places" }, ...places));
  excerpt.append(
    make(
      "blockquote",
      { dir: "auto", lang: source.language === "und" ? false : source.language },
      source.excerpt,
    ),
  );
  return excerpt;
}
