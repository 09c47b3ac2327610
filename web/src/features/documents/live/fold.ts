/** What `/api/chatbot/documents/events/` tells, folded into what is known of each document that is in work. */

import type { Schemas } from "@/lib/api";

import type { Document, DocumentState } from "../types";

type LiveEvent =
  | { type: "snapshot"; documents: readonly InWork[]; is_complete: boolean }
  | ({ type: "progress"; document_id: string } & Position)
  | {
      type: "document";
      document_id: string;
      event: string;
      state: DocumentState | null;
      error_code: string | null;
      error: string | null;
    }
  | { type: "error"; code: string; detail: string };

interface Position {
  state: Schemas["JobState"];
  step: string;
  progress: number;
  error_code: string | null;
  error: string | null;
}
type InWork = Position & { document_id: string; title: string; file_name: string };

export interface Live {
  /** `over`: nothing of it is in work any more. */
  phase: "queued" | "paused" | "running" | "over";
  step: string;
  /** 0 to 1. */
  progress: number;
  /** How it ended, as `document` events call it: ready, failed, replaced… */
  outcome: string | null;
  error: string | null;
}
export type LiveRows = ReadonlyMap<string, Live>;

const MOST_KEPT = 2_000;
const ENDINGS = new Set([
  "ready",
  "failed",
  "deleted",
  "replaced",
  "cancelled",
  "pending",
  "rejected",
  "approved",
]);

export function isLiveEvent(value: unknown): value is LiveEvent {
  return typeof value === "object" && value !== null && "type" in value && typeof value.type === "string";
}

export function fold(rows: LiveRows, event: LiveEvent): LiveRows {
  switch (event.type) {
    case "snapshot":
      return snapshot(rows, event.documents, event.is_complete);
    case "progress":
      return event.state === "failed" || event.state === "cancelled" || event.state === "succeeded"
        ? rows // the `document` event that follows says what came of it
        : kept(rows, event.document_id, positionOf(event));
    case "document":
      if (event.event === "visibility_changed") {
        return rows; // it says nothing of how far the reading is
      }
      return ENDINGS.has(event.event)
        ? kept(rows, event.document_id, {
            phase: "over",
            step: "done",
            progress: 1,
            outcome: event.event,
            error: event.error,
          })
        : rows.has(event.document_id) && rows.get(event.document_id)?.phase !== "over"
          ? rows
          : kept(rows, event.document_id, { ...QUEUED });
    case "error":
      return rows;
  }
}

const QUEUED: Live = { phase: "queued", step: "waiting", progress: 0, outcome: null, error: null };

/** What is in work now. A document that was in work before and is no more has ended while nobody listened. */
function snapshot(rows: LiveRows, documents: readonly InWork[], isComplete: boolean): LiveRows {
  const next = new Map(isComplete ? [...rows].filter(([, live]) => live.phase === "over") : rows);
  documents.forEach((each) => next.set(each.document_id, positionOf(each)));
  return next;
}

function kept(rows: LiveRows, id: string, live: Live): LiveRows {
  const next = new Map(rows);
  next.delete(id); // so that it stands last: the oldest are forgotten
  next.set(id, live);
  for (const [oldest] of next) {
    if (next.size <= MOST_KEPT) {
      break;
    }
    next.delete(oldest);
  }
  return next;
}

function positionOf({ state, step, progress, error }: Position): Live {
  const phase = state === "queued" || state === "paused" ? state : "running";
  return { phase, step, progress, outcome: null, error };
}

export interface Shown {
  state: DocumentState;
  /** Something of it is read now: a first version, or a new one while the old one serves. */
  working: Live | null;
}

/** How a document stands by what was listed and what came since. */
export function shownState(document: Pick<Document, "id" | "state">, rows: LiveRows): Shown {
  const live = rows.get(document.id);
  if (live === undefined) {
    return { state: document.state, working: null };
  }
  if (live.phase === "over") {
    const ended = live.outcome;
    const state =
      document.state !== "queued" && document.state !== "processing"
        ? document.state // listed after its end: the list knows more
        : ended === "failed" || ended === "cancelled" || ended === "pending" || ended === "rejected"
          ? ended
          : ended === "ready" || ended === "replaced" || ended === "approved"
            ? "ready"
            : document.state;
    return { state, working: null };
  }
  const serving = document.state === "ready";
  return { state: serving ? "ready" : live.phase === "running" ? "processing" : "queued", working: live };
}
