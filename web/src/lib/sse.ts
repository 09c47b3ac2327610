/** Server-sent events over `fetch`: streams that are asked for by POST, and that go on after the event that came last. */

import { createParser, type EventSourceMessage } from "eventsource-parser";

import { request } from "./api";

export interface StreamedEvent {
  id: string | null;
  data: unknown;
}

/** The events of a stream, each with its `data` parsed as JSON. Ends with the stream; throws what `request` throws. */
export async function* streamed(url: string, init: RequestInit = {}): AsyncGenerator<StreamedEvent> {
  const headers = new Headers(init.headers);
  headers.set("Accept", "text/event-stream");
  const response = await request(url, { ...init, headers });
  if (response.body === null) {
    return;
  }
  const waiting: EventSourceMessage[] = [];
  const parser = createParser({ onEvent: (event) => waiting.push(event) });
  const reader = response.body.pipeThrough(new TextDecoderStream()).getReader();
  try {
    for (;;) {
      const { done, value } = await reader.read();
      if (done) {
        return;
      }
      parser.feed(value);
      for (const event of waiting.splice(0)) {
        yield { id: event.id ?? null, data: JSON.parse(event.data) as unknown };
      }
    }
  } finally {
    await reader.cancel().catch(() => undefined); // of a reader who left: there is nothing more to do
  }
}
