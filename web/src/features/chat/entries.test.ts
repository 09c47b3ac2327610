import { expect, it } from "vitest";

import type { Message } from "./api";
import { entriesOf } from "./entries";
import type { Answering, Asked } from "./stream/answering";
import { NOTHING } from "./stream/reducer";

const message = (id: string, role: string, content = id) => ({ id, role, content }) as Message;
const writing = (asked: Partial<Asked>, messageId: string | null = "new"): Answering => ({
  asked: { sessionId: "s", question: "Why?", replaces: null, again: null, language: null, ...asked },
  phase: "open",
  received: { ...NOTHING, messageId },
  error: null,
});
const kinds = (messages: Message[], answering: Answering | null) =>
  entriesOf(messages, answering).map(({ kind, key }) => `${kind} ${key}`);

const TALK = [
  message("q1", "user"),
  message("a1", "assistant"),
  message("q2", "user"),
  message("a2", "assistant"),
];

it("shows a new question with its answer below what was said", () => {
  expect(kinds(TALK, writing({})).slice(3)).toEqual(["answer a2", "asked asked", "writing new"]);
});

it("does not show the question twice once it is stored, as after a reload", () => {
  const stored = [...TALK, message("q3", "user", "Why?")];
  expect(kinds(stored, writing({})).slice(4)).toEqual(["question q3", "writing new"]);
});

it("puts an edited question in the place of the earlier one", () => {
  expect(kinds(TALK, writing({ replaces: "q2" }))).toEqual([
    "question q1",
    "answer a1",
    "asked asked",
    "writing new",
  ]);
});

it("writes an answer again below its own question", () => {
  expect(kinds(TALK, writing({ again: "a2" })).slice(2)).toEqual(["question q2", "writing new"]);
});

it("shows what is stored as soon as it is, and no answer twice", () => {
  expect(kinds([...TALK, message("q3", "user"), message("new", "assistant")], writing({})).slice(4)).toEqual([
    "question q3",
    "answer new",
  ]);
});

it("says of a question without an answer that it has none", () => {
  expect(kinds(TALK.slice(0, 3), null).at(-1)).toBe("unanswered q2-unanswered");
});
