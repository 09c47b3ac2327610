/** What is being uploaded: the rows of the panel, and how they change. */

import type { ContentType, Visibility } from "../types";

export interface Options {
  visibility: Visibility;
  contentType: ContentType;
  category: string;
  tags: string;
}

export interface Item {
  key: string;
  name: string;
  size: number;
  /** `accepted`: it is on the server and is being read. `duplicate`: the same content is there already. */
  phase: "waiting" | "sending" | "accepted" | "duplicate" | "refused" | "stopped";
  /** Share of the file that is sent, 0 to 1. */
  sent: number;
  documentId: string | null;
  error: unknown;
  /** When it is sent again by itself, or may be, in milliseconds of the clock. */
  until: number | null;
}

export type Change = Partial<Omit<Item, "key" | "name" | "size">>;

export function changed(items: readonly Item[], changes: ReadonlyMap<string, Change>): readonly Item[] {
  return items.map((item) => {
    const change = changes.get(item.key);
    return change === undefined ? item : { ...item, ...change };
  });
}

export interface Totals {
  files: number;
  sent: number;
  accepted: number;
  duplicates: number;
  refused: number;
  stopped: number;
  /** Share of all bytes, 0 to 1. */
  share: number;
  busy: boolean;
}

export function totalsOf(items: readonly Item[]): Totals {
  const count = (phase: Item["phase"]) => items.filter((item) => item.phase === phase).length;
  const ended = (item: Item) => item.phase !== "waiting" && item.phase !== "sending";
  // A file weighs something even when it is empty, so that the bar moves.
  const weight = (item: Item) => item.size + 1024;
  const all = items.reduce((sum, item) => sum + weight(item), 0);
  const done = items.reduce((sum, item) => sum + weight(item) * (ended(item) ? 1 : item.sent), 0);
  return {
    files: items.length,
    sent: items.filter(ended).length,
    accepted: count("accepted"),
    duplicates: count("duplicate"),
    refused: count("refused"),
    stopped: count("stopped"),
    share: all === 0 ? 0 : done / all,
    busy: items.some((item) => !ended(item)),
  };
}

export function formOf(options: Options, chatbotId: string, importId: string | null): FormData {
  const form = new FormData();
  form.set("chatbot_id", chatbotId);
  form.set("visibility", options.visibility);
  form.set("content_type", options.contentType);
  form.set("category", options.category.trim());
  form.set("tags", options.tags);
  if (importId !== null) {
    form.set("import_id", importId);
  }
  return form;
}
