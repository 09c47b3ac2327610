/** The widget in the administration: it shows a look that is being edited, and asks no server. */

import type { Server } from "./api";
import type { AnswerEvent, Settings } from "./types";

/** What the page around the preview says. */
export interface Said {
  settings: Settings;
  language: string;
  /** What stands for the answer to each question. */
  answer: string;
}

/** Only a page of the same origin is heard, and only the one that this frame stands in. */
export function saidBy(event: MessageEvent<unknown>): Said | null {
  const isHeard =
    event.origin === location.origin && window.parent !== window && event.source === window.parent;
  return isHeard && isSaid(event.data) ? event.data : null;
}

function isSaid(value: unknown): value is Said {
  if (typeof value !== "object" || value === null) return false;
  const { settings, language, answer } = value as Record<string, unknown>;
  return (
    typeof settings === "object" &&
    settings !== null &&
    typeof language === "string" &&
    typeof answer === "string"
  );
}

/** Stands in for the server. */
export class Preview implements Server {
  private asked = 0;

  constructor(public said: Said) {}

  settings(): Promise<Settings> {
    return Promise.resolve(this.said.settings);
  }

  suggestions(): Promise<string[]> {
    return Promise.resolve([]);
  }

  createSession(): Promise<string> {
    return Promise.resolve("preview");
  }

  messages(): Promise<[]> {
    return Promise.resolve([]);
  }

  ask(): Promise<Response> {
    this.asked += 1;
    const message_id = `preview-${this.asked}`;
    const { answer: content, language } = this.said;
    const events: AnswerEvent[] = [
      { type: "status", stage: "writing", message_id },
      { type: "token", content },
      { type: "complete", message_id, answered: true, state: "complete", language },
    ];
    return Promise.resolve(
      new Response(events.map((event) => `data: ${JSON.stringify(event)}\n\n`).join("")),
    );
  }

  follow(): Promise<Response> {
    return this.ask();
  }

  cancel(): Promise<void> {
    return Promise.resolve();
  }

  rate(): Promise<void> {
    return Promise.resolve();
  }
}
