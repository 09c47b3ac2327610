import { describe, expect, it } from "vitest";

import { EventParser, readEvents, SilenceError } from "./sse";

function inPieces(text: string, size: number): { id: string; data: string }[] {
  const parser = new EventParser();
  const pieces = text.match(new RegExp(`[^]{1,${size}}`, "g")) ?? [];
  return pieces.flatMap((piece) => parser.push(piece));
}

describe("server-sent events", () => {
  const stream =
    'id: 1\ndata: {"a":1}\n\n: heartbeat\n\nid:2\ndata:first\ndata: second: half\n\nevent: x\ndata\n\n';
  const wanted = [
    { id: "1", data: '{"a":1}' },
    { id: "2", data: "first\nsecond: half" },
    { id: "2", data: "" },
  ];

  it.each(["\n", "\r\n", "\r"])("end their lines in %j, however they are cut", (end) => {
    const text = `${stream.replaceAll("\n", end)}: more${end}`;
    for (const size of [1, 2, 3, 7, 1000]) expect(inPieces(text, size)).toEqual(wanted);
  });

  it("come only when they are whole", () => {
    expect(inPieces("data: x\n", 100)).toEqual([]);
  });
});

function bodyOf(...pieces: Uint8Array[]): ReadableStream<Uint8Array> {
  return new ReadableStream({
    start(controller) {
      for (const piece of pieces) controller.enqueue(piece);
      controller.close();
    },
  });
}

describe("reading a response", () => {
  it("puts letters together that were cut in two", async () => {
    const bytes = new TextEncoder().encode("data: Größe 中\n\n");
    const events = [];
    for await (const event of readEvents(bodyOf(bytes.slice(0, 9), bytes.slice(9)), 1000))
      events.push(event.data);
    expect(events).toEqual(["Größe 中"]);
  });

  it("gives up when nobody is there any more", async () => {
    const silent = new ReadableStream<Uint8Array>({ start: () => undefined });
    await expect(readEvents(silent, 20).next()).rejects.toBeInstanceOf(SilenceError);
  });
});
