/** Server-sent events out of the bytes of a response (HTML standard, section 9.2). */

export interface ServerEvent {
  /** How much of the stream was had with this event; sent back as `Last-Event-ID`. */
  id: string;
  data: string;
}

export class EventParser {
  private rest = "";
  private lastId = "";
  private data: string[] = [];

  /** The events that are whole with this piece of text. */
  push(piece: string): ServerEvent[] {
    const text = this.rest + piece;
    // A carriage return at the end may be half of a line end: its line waits for the next piece.
    const lines = text.split(/\r\n|\n|\r(?!$)/);
    this.rest = lines.pop() ?? "";
    const events: ServerEvent[] = [];
    for (const line of lines) this.take(line, events);
    return events;
  }

  private take(line: string, events: ServerEvent[]): void {
    if (line === "") {
      if (this.data.length > 0) events.push({ id: this.lastId, data: this.data.join("\n") });
      this.data = [];
      return;
    }
    const [, field, value] = /^([^:]*):? ?(.*)$/s.exec(line) ?? [];
    if (field === "data") this.data.push(value ?? "");
    else if (field === "id" && value !== undefined && !value.includes("\0")) this.lastId = value;
  }
}

export class SilenceError extends Error {}

/** The events of a response until it ends. Rejects with SilenceError when nothing at all, not even a comment, comes. */
export async function* readEvents(
  body: ReadableStream<Uint8Array>,
  silenceMs: number,
): AsyncGenerator<ServerEvent, void, undefined> {
  const reader = body.getReader();
  const decoder = new TextDecoder();
  const parser = new EventParser();
  try {
    for (;;) {
      const { done, value } = await withinMs(reader.read(), silenceMs);
      if (done) return;
      yield* parser.push(decoder.decode(value, { stream: true }));
    }
  } finally {
    reader.cancel().catch(() => undefined); // it may be broken already
  }
}

async function withinMs<T>(wanted: Promise<T>, limitMs: number): Promise<T> {
  let timer: ReturnType<typeof setTimeout> | undefined;
  const silence = new Promise<never>((_, reject) => {
    timer = setTimeout(() => reject(new SilenceError()), limitMs);
  });
  try {
    return await Promise.race([wanted, silence]);
  } finally {
    clearTimeout(timer);
  }
}
