/** What a conversation shows: the messages that are stored, and the answer that is being written in its place. */

import type { Message } from "./api";
import type { Answering } from "./stream/answering";

export type Entry =
  | { kind: "question"; key: string; message: Message }
  /** Asked just now; the server has not told its id yet. */
  | { kind: "asked"; key: string; text: string }
  | { kind: "answer"; key: string; message: Message }
  | { kind: "writing"; key: string; answering: Answering }
  /** A question that nobody has answered: the process was lost, or the answer was stopped before its first word. */
  | { kind: "unanswered"; key: string; message: Message };

export function entriesOf(messages: readonly Message[], answering: Answering | null): Entry[] {
  const stored = answering !== null && messages.some((one) => one.id === answering.received.messageId);
  if (answering === null || stored) {
    const entries = messages.map(entryOf);
    const last = messages.at(-1);
    return last?.role === "user"
      ? [...entries, { kind: "unanswered", key: `${last.id}-unanswered`, message: last }]
      : entries;
  }
  const { asked, received } = answering;
  const cut = messages.findIndex((one) => one.id === (asked.again ?? asked.replaces));
  const before = cut < 0 ? messages : messages.slice(0, cut);
  const last = before.at(-1);
  const isShown = last?.role === "user" && (asked.again !== null || last.content === asked.question);
  return [
    ...before.map(entryOf),
    ...(isShown ? [] : [{ kind: "asked", key: "asked", text: asked.question } as const]),
    { kind: "writing", key: received.messageId ?? "writing", answering },
  ];
}

function entryOf(message: Message): Entry {
  return message.role === "user"
    ? { kind: "question", key: message.id, message }
    : { kind: "answer", key: message.id, message };
}
