/** Follows an answer to its end, over lost connections: each time from the event on that came last. */

import { readEvents } from "./sse";
import { asTrouble } from "./trouble";
import type { AnswerEvent } from "./types";

/** The server sends a comment after 15 s of silence; two that are missing mean that nobody is there. */
const SILENCE_MS = 40_000;
const PAUSES_MS = [500, 1000, 2000, 4000, 8000, 8000];

/**
 * @param open the first request.
 * @param reopen the answer after this event id; only asked once the answer has a name.
 * @param hasName whether it has.
 */
export async function* follow(
  open: () => Promise<Response>,
  reopen: (lastEventId: string) => Promise<Response>,
  hasName: () => boolean,
): AsyncGenerator<AnswerEvent | "reconnecting", void, undefined> {
  let last = "";
  let failures = 0;
  let next = open;
  for (;;) {
    try {
      const response = await next();
      if (response.body === null) throw new TypeError("empty answer");
      for await (const { id, data } of readEvents(response.body, SILENCE_MS)) {
        const event = JSON.parse(data) as AnswerEvent;
        last = id;
        failures = 0;
        yield event;
        if (event.type === "complete" || event.type === "error") return;
      }
    } catch (error) {
      const isLost = asTrouble(error).kind === "offline" || !(error instanceof Error && "kind" in error);
      if (!isLost || !hasName()) throw error;
    }
    // The stream ended before its end, or broke.
    const pause = PAUSES_MS[failures];
    if (!hasName() || pause === undefined) throw new TypeError("connection lost");
    failures += 1;
    yield "reconnecting";
    await online(pause);
    next = () => reopen(last);
  }
}

/** After a pause; at once when the browser says that the network is back. */
function online(pauseMs: number): Promise<void> {
  return new Promise((resolve) => {
    const done = (): void => {
      clearTimeout(timer);
      removeEventListener("online", done);
      resolve();
    };
    const timer = setTimeout(done, pauseMs);
    addEventListener("online", done);
  });
}
