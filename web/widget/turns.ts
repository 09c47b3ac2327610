/** Questions with their answers, as they are shown and as the API lists them. */

import type { Trouble } from "./trouble";
import type { Rating, Source, StoredMessage } from "./types";

export interface Answer {
  id: string | null;
  text: string;
  /** ISO 639-1, `und` where it cannot be told. */
  language: string;
  stage: string;
  state: "writing" | "complete" | "interrupted" | "failed";
  isReconnecting: boolean;
  /** False: the documents do not answer the question. */
  answered: boolean;
  sources: Source[];
  rating: Rating | null;
  trouble: Trouble | null;
}

export interface Turn {
  question: string;
  answer: Answer;
}

export function newAnswer(state: Answer["state"]): Answer {
  const empty = {
    id: null,
    text: "",
    language: "und",
    stage: "",
    isReconnecting: false,
    answered: true,
    rating: null,
    trouble: null,
  };
  return { ...empty, state, sources: [] };
}

/** Whether what was being written when the page was left is among what is stored. */
export function isAmong(
  stored: readonly StoredMessage[],
  pending: { question: string; answer: string | null },
): boolean {
  if (pending.answer !== null) return stored.some((message) => message.id === pending.answer);
  return stored.findLast((message) => message.role === "user")?.content === pending.question;
}

export function turnsOf(messages: readonly StoredMessage[], unanswered: readonly string[]): Turn[] {
  const turns: Turn[] = [];
  for (const message of messages) {
    if (message.role === "user") turns.push({ question: message.content, answer: newAnswer("interrupted") });
    const turn = turns.at(-1);
    if (message.role === "user" || !turn) continue;
    turn.answer = {
      ...newAnswer(message.state === "interrupted" ? "interrupted" : "complete"),
      id: message.id,
      text: message.content,
      language: message.language ?? "und",
      sources: message.sources,
      answered: !unanswered.includes(message.id),
      rating: message.feedback?.rating === "up" ? "up" : message.feedback?.rating === "down" ? "down" : null,
    };
  }
  return turns;
}
