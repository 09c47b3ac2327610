import { describe, expect, it } from "vitest";

import { fold, isLiveEvent, shownState, type LiveRows } from "./fold";

const NOTHING: LiveRows = new Map();
const position = {
  state: "running" as const,
  step: "embedding",
  progress: 0.5,
  error_code: null,
  error: null,
};
const inWork = (document_id: string) => ({ document_id, title: "T", file_name: "t.md", ...position });
const progress = (document_id: string, change: object = {}) =>
  ({ type: "progress", document_id, ...position, ...change }) as const;
const told = (document_id: string, event: string, error: string | null = null) =>
  ({ type: "document", document_id, event, state: null, error_code: null, error }) as const;

describe("folding of live events", () => {
  it("begins with what is in work", () => {
    const rows = fold(NOTHING, { type: "snapshot", documents: [inWork("a")], is_complete: true });
    expect(rows.get("a")).toMatchObject({ phase: "running", step: "embedding", progress: 0.5 });
  });

  it("forgets in a new snapshot what ended unheard, and keeps what was heard to end", () => {
    let rows = fold(NOTHING, progress("a"));
    rows = fold(rows, told("b", "ready"));
    rows = fold(rows, { type: "snapshot", documents: [inWork("c")], is_complete: true });
    expect([...rows.keys()]).toEqual(["b", "c"]);
  });

  it("keeps all where the snapshot is not complete", () => {
    const rows = fold(fold(NOTHING, progress("a")), { type: "snapshot", documents: [], is_complete: false });
    expect(rows.has("a")).toBe(true);
  });

  it("goes through the steps and ends with its reason", () => {
    let rows = fold(NOTHING, told("a", "registered"));
    expect(rows.get("a")?.phase).toBe("queued");
    rows = fold(rows, progress("a", { step: "chunking", progress: 0.2 }));
    expect(rows.get("a")).toMatchObject({ phase: "running", step: "chunking" });
    rows = fold(rows, progress("a", { state: "failed", error: "damaged" }));
    expect(rows.get("a")?.phase).toBe("running");
    rows = fold(rows, told("a", "failed", "The file is damaged."));
    expect(rows.get("a")).toMatchObject({ phase: "over", outcome: "failed", error: "The file is damaged." });
  });

  it("does not go back when an upload is told after its first progress", () => {
    const rows = fold(fold(NOTHING, progress("a")), told("a", "registered"));
    expect(rows.get("a")?.phase).toBe("running");
  });

  it("starts over when an ended document is read again", () => {
    const rows = fold(
      fold(NOTHING, told("a", "failed")),
      progress("a", { state: "queued", step: "waiting" }),
    );
    expect(rows.get("a")).toMatchObject({ phase: "queued", outcome: null });
  });

  it("takes a document for no more in work because others see it now", () => {
    const event = { event: "visibility_changed", state: "ready", error_code: null, error: null } as const;
    const rows: LiveRows = new Map();
    expect(fold(rows, { type: "document", document_id: "a", ...event })).toBe(rows);
  });

  it("takes only what looks like an event", () => {
    expect(isLiveEvent({ type: "progress" })).toBe(true);
    expect(isLiveEvent("progress")).toBe(false);
  });
});

describe("the state that is shown", () => {
  it("is the listed one where nothing is heard", () => {
    expect(shownState({ id: "a", state: "failed" }, NOTHING)).toEqual({ state: "failed", working: null });
  });

  it("stays ready while a new version is read", () => {
    const shown = shownState({ id: "a", state: "ready" }, fold(NOTHING, progress("a")));
    expect(shown.state).toBe("ready");
    expect(shown.working?.step).toBe("embedding");
  });

  it("becomes ready before the list is read again", () => {
    const rows = fold(NOTHING, told("a", "ready"));
    expect(shownState({ id: "a", state: "processing" }, rows).state).toBe("ready");
  });

  it("is the list's where the list is newer", () => {
    const rows = fold(NOTHING, told("a", "pending"));
    expect(shownState({ id: "a", state: "ready" }, rows)).toEqual({ state: "ready", working: null });
  });
});
