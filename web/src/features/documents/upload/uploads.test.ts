import { describe, expect, it } from "vitest";

import { changed, formOf, totalsOf, type Item } from "./uploads";

const item = (key: string, change: Partial<Item> = {}): Item => ({
  key,
  name: `${key}.md`,
  size: 1000,
  phase: "waiting",
  sent: 0,
  documentId: null,
  error: null,
  until: null,
  ...change,
});

describe("totals of an upload", () => {
  it("count what became of each", () => {
    const totals = totalsOf([
      item("a", { phase: "accepted" }),
      item("b", { phase: "duplicate" }),
      item("c", { phase: "refused" }),
      item("d", { phase: "sending", sent: 0.5 }),
    ]);
    expect(totals).toMatchObject({ files: 4, sent: 3, accepted: 1, duplicates: 1, refused: 1, busy: true });
    expect(totals.share).toBeCloseTo(3.5 / 4);
  });

  it("are over when nothing waits", () => {
    expect(totalsOf([item("a", { phase: "stopped" })])).toMatchObject({ busy: false, share: 1 });
    expect(totalsOf([])).toMatchObject({ busy: false, share: 0 });
  });
});

it("changes the rows that are named, and no other", () => {
  const before = [item("a"), item("b")];
  const after = changed(before, new Map([["b", { phase: "sending" as const, sent: 0.2 }]]));
  expect(after[0]).toBe(before[0]);
  expect(after[1]).toMatchObject({ phase: "sending", sent: 0.2 });
});

it("sends the labels with the file", () => {
  const options = { visibility: "private", contentType: "faq", category: " c ", tags: "a, b" } as const;
  const form = formOf(options, "bot", "import");
  expect(Object.fromEntries(form)).toEqual({
    chatbot_id: "bot",
    visibility: "private",
    content_type: "faq",
    category: "c",
    tags: "a, b",
    import_id: "import",
  });
});
