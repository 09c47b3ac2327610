import { describe, expect, it } from "vitest";

import { answerEvent, positionOf, type AnswerEvent } from "./events";
import { GapError, isOver, NOTHING, received, withoutLoss, type Received } from "./reducer";

const ID = "01a203c5-b767-721c-811b-a857aba63c73";
type Told = readonly [string | null, AnswerEvent];

const token = (id: string | null, content: string): Told => [id, { type: "token", content }];
const after = (told: readonly Told[], from: Received = NOTHING) =>
  told.reduce((state, [id, event]) => received(state, id, event), from);

describe("an answer that is received", () => {
  it("puts words together and knows its id and stage", () => {
    const state = after([
      ["0.1.0", { type: "status", stage: "searching", message_id: ID }],
      token("6.1.0", "Hello "),
      token("11.1.0", "world"),
    ]);
    expect([state.text, state.messageId, state.stage, state.lastId]).toEqual([
      "Hello world",
      ID,
      "writing",
      "11.1.0",
    ]);
  });

  it("does not double words that come again from the beginning", () => {
    const state = after([token("6.0.0", "Hello "), token("11.0.0", "world"), token("11.0.0", "Hello world")]);
    expect(state.text).toBe("Hello world");
  });

  it("takes the rest of a piece that it has in part, where letters have many bytes", () => {
    expect(after([token("6.0.0", "日本"), token("9.0.0", "日本語")]).text).toBe("日本語");
    expect(after([token("4.0.0", "Grö"), token("8.0.0", "röße!")]).text).toBe("Größe!");
  });

  it("says when words are missing", () => {
    expect(() => after([token("3.0.0", "abc"), token("9.0.0", "xyz")])).toThrow(GapError);
  });

  it("keeps a source once", () => {
    const source = { type: "source", number: 1, title: "A" } as unknown as AnswerEvent;
    expect(
      after([
        ["0.0.1", source],
        ["0.0.1", source],
      ]).sources,
    ).toHaveLength(1);
  });

  it("is over with its facts or its error", () => {
    expect(isOver(after([token("1.0.0", "a")]))).toBe(false);
    expect(isOver(after([["1.0.0.end", { type: "error", code: "x", detail: "y" }]]))).toBe(true);
  });
});

it("reads positions, and knows what is none", () => {
  expect(positionOf("165.4.2.end")).toEqual({ text: 165, statuses: 4, sources: 2 });
  expect([positionOf(null), positionOf(""), positionOf("a.b.c")]).toEqual([null, null, null]);
});

it("leaves events of unknown kinds alone", () => {
  expect(answerEvent({ type: "weather" })).toBeNull();
  expect(answerEvent("status")).toBeNull();
});

it("keeps the words that are shown while they come again, also where the answer ends before they did", () => {
  const shown = { ...NOTHING, messageId: "m", text: "It lasts 42" };
  const anew = { ...NOTHING, messageId: "m" };
  expect(withoutLoss(shown, anew).text).toBe("It lasts 42");
  expect(withoutLoss(shown, { ...anew, text: "It lasts" }).text).toBe("It lasts 42");
  expect(withoutLoss(shown, { ...anew, text: "It lasts 42 months" }).text).toBe("It lasts 42 months");
  expect(withoutLoss(shown, { ...anew, messageId: "other" }).text).toBe("");
});
