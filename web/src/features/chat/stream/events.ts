/** The events of a streamed answer (docs/reference/events.md), and where in the answer each of them stands. */

import type { Schemas } from "@/lib/api";

export type Source = Schemas["SourceOut"];
/** How an answer was made. */
export type Facts = Schemas["AnswerFacts"];
export type Ended = Omit<Complete, "type">;

export const STAGES = ["understanding", "searching", "reading", "writing"] as const;
export type Stage = (typeof STAGES)[number];

export interface Complete extends Facts {
  type: "complete";
  message_id: string;
  session_id: string;
  state: string;
  tokens: number;
  language: string;
}

export type AnswerEvent =
  | { type: "status"; stage: string; message_id: string }
  | { type: "token"; content: string }
  | ({ type: "source" } & Source)
  | Complete
  | { type: "error"; code: string; detail: string };

/** How much of an answer is had: bytes of its text, and how many statuses and sources. */
export interface Position {
  text: number;
  statuses: number;
  sources: number;
}

export const BEGINNING: Position = { text: 0, statuses: 0, sources: 0 };
const KINDS = new Set(["status", "token", "source", "complete", "error"]);

/** Null: an event of a kind that this page does not know, which it can do without. */
export function answerEvent(data: unknown): AnswerEvent | null {
  if (typeof data === "object" && data !== null && "type" in data && KINDS.has(String(data.type))) {
    return data as AnswerEvent;
  }
  return null;
}

/** The position that an event's `id` names, such as `165.4.2.end`. */
export function positionOf(id: string | null): Position | null {
  const [text, statuses, sources] = (id ?? "").split(".").map(Number);
  const parts = [text, statuses, sources].map((part) => part ?? NaN);
  return parts.every(Number.isInteger)
    ? { text: text ?? 0, statuses: statuses ?? 0, sources: sources ?? 0 }
    : null;
}
