import { afterEach, beforeEach, describe, expect, it, vi } from "vitest";

import { Api } from "./api";
import { Conversation } from "./conversation";
import { Store } from "./storage";

const KEY = "dgw_test";
const SOON = (): string => new Date(Date.now() + 1_800_000).toISOString();

interface Asked {
  method: string;
  path: string;
  body: unknown;
  headers: Record<string, string>;
}

type Reply = (asked: Asked) => Response | Promise<Response>;

/** Answers requests by their method and the end of their path; each reply once, the last of them for ever. */
class Server {
  readonly asked: Asked[] = [];
  private readonly replies = new Map<string, Reply[]>();

  on(wanted: string, ...replies: Reply[]): this {
    this.replies.set(wanted, replies);
    return this;
  }

  readonly fetch = async (url: string, init: RequestInit): Promise<Response> => {
    const body: unknown = typeof init.body === "string" ? JSON.parse(init.body) : null;
    const asked = {
      method: init.method ?? "",
      path: new URL(url).pathname,
      body,
      headers: init.headers as Record<string, string>,
    };
    this.asked.push(asked);
    for (const [wanted, replies] of this.replies) {
      const [method, end] = wanted.split(" ");
      if (asked.method !== method || !asked.path.endsWith(end ?? "")) continue;
      const reply = replies.length > 1 ? replies.shift() : replies[0];
      if (reply) return reply(asked);
    }
    throw new Error(`nobody answers ${asked.method} ${asked.path}`);
  };

  to(end: string): Asked[] {
    return this.asked.filter(({ method, path }) => `${method} ${path}`.endsWith(end));
  }
}

const json = (body: unknown, status = 200, headers = {}): Response =>
  new Response(JSON.stringify(body), { status, headers });
const problem = (status: number, code: string, headers = {}): Response =>
  json({ code, detail: `It is ${code}.` }, status, headers);
const admit =
  (token: string): Reply =>
  () =>
    json({ token, expires_at: SOON(), chatbot_id: "c1" });

const events = {
  named: { type: "status", stage: "searching", message_id: "m1" },
  half: { type: "token", content: "Forty " },
  rest: { type: "token", content: "two [1]." },
  source: {
    type: "source",
    number: 1,
    title: "Returns",
    excerpt: "42 days",
    file_name: "r.md",
    page: 3,
    heading_path: [],
  },
  end: { type: "complete", message_id: "m1", answered: true, state: "complete", language: "en" },
};

/** A stream of these events; broken after them where they do not end. */
function stream(...told: { type: string }[]): Response {
  const text = told
    .map((event, number) => `id: e${number}-${event.type}\ndata: ${JSON.stringify(event)}\n\n`)
    .join("");
  const isWhole = told.at(-1)?.type === "complete" || told.at(-1)?.type === "error";
  const body = new ReadableStream<Uint8Array>({
    start(controller) {
      controller.enqueue(new TextEncoder().encode(text));
      if (isWhole) controller.close();
    },
    pull(controller) {
      if (!isWhole) controller.error(new TypeError("network error"));
    },
  });
  return new Response(body, { status: 200 });
}

function usual(): Server {
  return new Server()
    .on("POST /api/widget/tokens/", admit("t1"))
    .on("POST /sessions/", () => json({ id: "s1" }))
    .on("POST /messages/stream/", () =>
      stream(events.named, events.half, events.rest, events.source, events.end),
    )
    .on("GET /messages/", () => json({ messages: [], total: 0 }));
}

function begin(server: Server): Conversation {
  vi.stubGlobal("fetch", server.fetch);
  const store = new Store(KEY);
  return new Conversation(new Api("https://bot.example", KEY, store), store, "de", () => undefined);
}

const remembered = (): Record<string, unknown> =>
  JSON.parse(localStorage.getItem(`dragoman:${KEY}`) ?? "{}") as Record<string, unknown>;
const last = (conversation: Conversation) => conversation.turns.at(-1)?.answer;

beforeEach(() => localStorage.clear());
afterEach(() => {
  vi.unstubAllGlobals();
  vi.useRealTimers();
});

describe("asking", () => {
  it("opens a conversation once, as the same visitor, and tells the whole answer with its sources", async () => {
    const server = usual();
    const conversation = begin(server);
    await conversation.ask("How long?");
    await conversation.ask("And then?");
    expect(last(conversation)).toMatchObject({
      text: "Forty two [1].",
      state: "complete",
      answered: true,
      id: "m1",
    });
    expect(last(conversation)?.sources[0]).toMatchObject({ number: 1, page: 3 });
    expect(server.to("POST /api/widget/tokens/")).toHaveLength(1);
    expect(server.to("POST /api/chatbot/sessions/")).toHaveLength(1);
    expect(server.to("/messages/stream/")[1]?.body).toEqual({
      message: "And then?",
      language: "de",
      resumable: true,
    });
    expect(remembered()).toMatchObject({ token: "t1", session: "s1", pending: null });
  });

  it("goes on after a lost connection from the event that came last", async () => {
    vi.useFakeTimers();
    const server = usual()
      .on("POST /messages/stream/", () => stream(events.named, events.half))
      .on(
        "GET /m1/stream/",
        () => Promise.reject(new TypeError("Failed to fetch")),
        () => stream(events.rest, events.end),
      );
    const conversation = begin(server);
    const asked = conversation.ask("How long?");
    await vi.advanceTimersByTimeAsync(5000);
    await asked;
    expect(last(conversation)).toMatchObject({ text: "Forty two [1].", state: "complete" });
    expect(server.to("/m1/stream/").map(({ headers }) => headers["Last-Event-ID"])).toEqual([
      "e1-token",
      "e1-token",
    ]);
  });

  it("says when to come again where there were too many questions, and asks again then", async () => {
    const server = usual().on(
      "POST /messages/stream/",
      () => problem(429, "limits.too_many_messages", { "Retry-After": "17" }),
      () => stream(events.named, events.half, events.end),
    );
    const conversation = begin(server);
    await conversation.ask("How long?");
    expect(last(conversation)).toMatchObject({
      state: "failed",
      trouble: { kind: "too_often", retryAfterS: 17 },
    });
    await conversation.retry();
    expect(conversation.turns).toHaveLength(1);
    expect(last(conversation)).toMatchObject({ state: "complete", text: "Forty " });
  });

  it.each([
    ["tenancy.origin_not_allowed", 403, "unavailable"],
    ["tenancy.unknown_widget_key", 401, "unavailable"],
    ["inference.unavailable", 503, "failed"],
  ])("tells %s apart", async (code, status, kind) => {
    const conversation = begin(usual().on("POST /api/widget/tokens/", () => problem(status, code)));
    await conversation.ask("How long?");
    expect(last(conversation)?.trouble).toMatchObject({ kind, code });
  });

  it("begins a new conversation where the old one was deleted", async () => {
    localStorage.setItem(
      `dragoman:${KEY}`,
      JSON.stringify({
        token: "t0",
        expiresAt: Date.now() + 1e6,
        session: "old",
        pending: null,
        unanswered: [],
      }),
    );
    const server = usual().on(
      "POST /messages/stream/",
      () => problem(404, "chat.session_not_found"),
      () => stream(events.named, events.half, events.end),
    );
    const conversation = begin(server);
    await conversation.ask("How long?");
    expect(last(conversation)?.state).toBe("complete");
    expect(remembered()["session"]).toBe("s1");
  });
});

describe("tokens", () => {
  const held = (expiresAt: number): void =>
    localStorage.setItem(
      `dragoman:${KEY}`,
      JSON.stringify({ token: "t0", expiresAt, session: "s1", pending: null, unanswered: [] }),
    );

  it("are renewed before they end, for the same visitor", async () => {
    held(Date.now() + 30_000);
    const server = usual();
    await begin(server).ask("How long?");
    expect(server.to("/tokens/")[0]?.body).toEqual({ key: KEY, token: "t0" });
    expect(server.to("/messages/stream/")[0]?.headers["Authorization"]).toBe("Bearer t1");
  });

  it("are renewed where the server says that they ended, whatever this clock says", async () => {
    held(Date.now() + 1e9);
    const answer = stream(events.named, events.half, events.end);
    const server = usual().on(
      "POST /messages/stream/",
      () => problem(401, "tenancy.expired_visitor_token"),
      () => answer,
    );
    const conversation = begin(server);
    await conversation.ask("How long?");
    expect(last(conversation)?.state).toBe("complete");
  });

  it("of a visitor whom nothing proves any more are replaced, and the conversation with them", async () => {
    held(0);
    const server = usual()
      .on("POST /api/widget/tokens/", ({ body }) =>
        (body as { token: string | null }).token
          ? problem(401, "tenancy.invalid_visitor_token")
          : json({ token: "t2", expires_at: SOON(), chatbot_id: "c1" }),
      )
      .on("GET /messages/", () => problem(404, "chat.session_not_found"));
    const conversation = begin(server);
    await conversation.restore();
    expect(conversation.turns).toEqual([]);
    expect(remembered()).toMatchObject({ token: "t2", session: null });
  });
});

describe("coming back", () => {
  const left = (pending: unknown): void =>
    localStorage.setItem(
      `dragoman:${KEY}`,
      JSON.stringify({
        token: "t0",
        expiresAt: Date.now() + 1e6,
        session: "s1",
        pending,
        unanswered: ["m0"],
      }),
    );
  const stored = [
    { id: "q0", role: "user", state: "complete", content: "Before?", sources: [], feedback: null },
    {
      id: "m0",
      role: "assistant",
      state: "complete",
      content: "I don't know.",
      sources: [],
      feedback: { rating: "down", reason: null },
    },
  ];

  it("finds the conversation, what was not known, and the rating", async () => {
    left(null);
    const conversation = begin(usual().on("GET /messages/", () => json({ messages: stored, total: 2 })));
    await conversation.restore();
    expect(conversation.turns).toHaveLength(1);
    expect(last(conversation)).toMatchObject({
      text: "I don't know.",
      answered: false,
      rating: "down",
      state: "complete",
    });
  });

  it("follows an answer that is still being written from its beginning", async () => {
    left({ question: "How long?", answer: "m1" });
    const server = usual()
      .on("GET /messages/", () => json({ messages: stored, total: 2 }))
      .on("GET /m1/stream/", () => stream(events.half, events.rest, events.source, events.end));
    const conversation = begin(server);
    await conversation.restore();
    await vi.waitFor(() => expect(last(conversation)?.state).toBe("complete"));
    expect(conversation.turns.map(({ question }) => question)).toEqual(["Before?", "How long?"]);
    expect(last(conversation)?.text).toBe("Forty two [1].");
    expect(remembered()["pending"]).toBeNull();
  });

  it("does not ask again what was answered meanwhile", async () => {
    left({ question: "Before?", answer: null });
    const server = usual().on("GET /messages/", () => json({ messages: stored, total: 2 }));
    await begin(server).restore();
    expect(server.to("/messages/stream/")).toHaveLength(0);
  });

  it("takes what others wrote in its place for nothing", async () => {
    for (const written of [
      "{",
      "null",
      "7",
      '{"token":{}}',
      '{"token":"x","expiresAt":"soon","session":null,"pending":{},"unanswered":1}',
    ]) {
      localStorage.setItem(`dragoman:${KEY}`, written);
      const conversation = begin(usual());
      await conversation.restore();
      await conversation.ask("How long?");
      expect(last(conversation)?.state).toBe("complete");
    }
  });
});

describe("stopping", () => {
  it("cancels the answer by its name, and keeps what was said", async () => {
    let close = (): void => undefined;
    const open = new ReadableStream<Uint8Array>({
      start(controller) {
        const send = (event: object): void =>
          controller.enqueue(new TextEncoder().encode(`id: 1\ndata: ${JSON.stringify(event)}\n\n`));
        send(events.named);
        send(events.half);
        close = () => {
          send({ ...events.end, state: "interrupted" });
          controller.close();
        };
      },
    });
    const server = usual()
      .on("POST /messages/stream/", () => new Response(open))
      .on("POST /m1/cancel/", () => {
        close();
        return json({ message_id: "m1", state: "interrupted" });
      });
    const conversation = begin(server);
    const asked = conversation.ask("How long?");
    await vi.waitFor(() => expect(last(conversation)?.text).toBe("Forty "));
    await conversation.stop();
    await asked;
    expect(last(conversation)).toMatchObject({ state: "interrupted", text: "Forty " });
  });

  it("forgets the conversation when a new one begins", async () => {
    const conversation = begin(usual());
    await conversation.ask("How long?");
    conversation.clear();
    expect([conversation.turns, remembered()["session"], remembered()["token"]]).toEqual([[], null, "t1"]);
  });
});
