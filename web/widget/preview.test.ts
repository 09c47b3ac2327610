import { expect, it } from "vitest";

import { Preview, saidBy, type Said } from "./preview";
import { readEvents } from "./sse";

const SAID: Said = {
  settings: {
    chatbot_name: "Help",
    title: "",
    greeting: "",
    accent: "#aa0055",
    position: "end",
    theme: "auto",
    launcher_text: "",
    suggestions: [],
  },
  language: "en",
  answer: "Nothing was sent.",
};

it("hears nobody where no page of the same origin stands around it", () => {
  const parent = window.parent;
  expect(
    saidBy(new MessageEvent("message", { data: SAID, origin: location.origin, source: window })),
  ).toBeNull();
  Object.defineProperty(window, "parent", { value: { other: "window" }, configurable: true });
  const from = (origin: string, source: unknown, data: unknown = SAID) =>
    saidBy({ origin, source, data } as MessageEvent<unknown>);
  expect(from(location.origin, window.parent)).toBe(SAID);
  expect(from("https://evil.example", window.parent)).toBeNull();
  expect(from(location.origin, window)).toBeNull();
  expect(from(location.origin, window.parent, { settings: null, language: "en", answer: "x" })).toBeNull();
  Object.defineProperty(window, "parent", { value: parent, configurable: true });
});

it("answers by itself", async () => {
  const response = await new Preview(SAID).ask();
  const events: string[] = [];
  if (response.body) {
    for await (const { data } of readEvents(response.body, 1000)) events.push(data);
  }
  expect(events.map((data) => (JSON.parse(data) as { type: string }).type)).toEqual([
    "status",
    "token",
    "complete",
  ]);
  expect(events[1]).toContain("Nothing was sent.");
});
