/** Calls of the API as a visitor: with a token that is renewed before it ends, and never with a cookie. */

import type { Store } from "./storage";
import { asTrouble, troubleOf } from "./trouble";
import type { Rating, Settings, StoredMessage } from "./types";

const RENEWED_BEFORE_MS = 60_000;
const OF_OLD_TOKENS = new Set(["tenancy.expired_visitor_token", "tenancy.invalid_visitor_token"]);
const MESSAGES = 200;
const SUGGESTIONS = 4;

interface Wish {
  body?: unknown;
  headers?: Record<string, string>;
  signal?: AbortSignal;
}

interface Admission {
  token: string;
  expires_at: string;
  chatbot_id: string;
}

/** What the widget asks of the server. */
export type Server = Pick<Api, keyof Api>;

export class Api {
  private admission: Promise<Admission> | null = null;
  private chatbot = "";

  constructor(
    private readonly base: string,
    private readonly key: string,
    private readonly store: Store,
  ) {}

  async settings(): Promise<Settings> {
    const response = await this.fetch("GET", `/api/widget/settings/?key=${encodeURIComponent(this.key)}`, {});
    if (!response.ok) throw await troubleOf(response);
    return (await response.json()) as Settings;
  }

  /** Questions that the knowledge answers; none where the server offers none. */
  async suggestions(language: string): Promise<string[]> {
    await this.token();
    if (!this.chatbot) await this.renew();
    const path = `/api/chatbots/${this.chatbot}/suggestions/?language=${language}&limit=${SUGGESTIONS}`;
    const found = (await this.json("GET", path)) as { suggestions: { text: string }[] };
    return found.suggestions.map((suggestion) => suggestion.text);
  }

  async createSession(language: string): Promise<string> {
    const made = (await this.json("POST", "/api/chatbot/sessions/", {
      body: { settings: { language } },
    })) as { id: string };
    return made.id;
  }

  async messages(session: string): Promise<StoredMessage[]> {
    const path = `/api/chatbot/sessions/${session}/messages/`;
    const first = (await this.json("GET", `${path}?limit=${MESSAGES}`)) as {
      messages: StoredMessage[];
      total: number;
    };
    if (first.total <= MESSAGES) return first.messages;
    const rest = await this.json("GET", `${path}?limit=${MESSAGES}&offset=${first.total - MESSAGES}`);
    return (rest as typeof first).messages; // the latest are enough to go on with
  }

  ask(session: string, message: string, language: string, signal: AbortSignal): Promise<Response> {
    const body = { message, language, resumable: true };
    return this.request("POST", `/api/chatbot/sessions/${session}/messages/stream/`, { body, signal });
  }

  follow(session: string, answer: string, lastEventId: string, signal: AbortSignal): Promise<Response> {
    const headers: Record<string, string> = lastEventId ? { "Last-Event-ID": lastEventId } : {};
    return this.request("GET", `/api/chatbot/sessions/${session}/messages/${answer}/stream/`, {
      headers,
      signal,
    });
  }

  async cancel(session: string, answer: string): Promise<void> {
    await this.request("POST", `/api/chatbot/sessions/${session}/messages/${answer}/cancel/`, {});
  }

  async rate(answer: string, rating: Rating, reason: string | null, comment: string): Promise<void> {
    await this.request("POST", `/api/chatbot/messages/${answer}/feedback/`, {
      body: { rating, reason, comment },
    });
  }

  private async json(method: string, path: string, wish: Wish = {}): Promise<unknown> {
    return (await this.request(method, path, wish)).json();
  }

  private async request(method: string, path: string, wish: Wish, mayRenew = true): Promise<Response> {
    const headers = { ...wish.headers, Authorization: `Bearer ${await this.token()}` };
    const response = await this.fetch(method, path, { ...wish, headers });
    if (response.ok) return response;
    const trouble = await troubleOf(response);
    if (mayRenew && OF_OLD_TOKENS.has(trouble.code)) {
      await this.renew();
      return this.request(method, path, wish, false);
    }
    throw trouble;
  }

  private async token(): Promise<string> {
    const held = this.store.get("token");
    return held && Date.now() < this.store.get("expiresAt") - RENEWED_BEFORE_MS
      ? held
      : (await this.renew()).token;
  }

  /** Requests that need a new token at the same time get the same one. */
  private renew(): Promise<Admission> {
    this.admission ??= this.admit(this.store.get("token")).finally(() => (this.admission = null));
    return this.admission;
  }

  private async admit(earlier: string | null): Promise<Admission> {
    const response = await this.fetch("POST", "/api/widget/tokens/", {
      body: { key: this.key, token: earlier },
    });
    if (response.ok) {
      const admitted = (await response.json()) as Admission;
      this.chatbot = admitted.chatbot_id;
      this.store.set({ token: admitted.token, expiresAt: Date.parse(admitted.expires_at) });
      return admitted;
    }
    const trouble = await troubleOf(response);
    if (earlier === null || !OF_OLD_TOKENS.has(trouble.code)) throw trouble;
    this.store.set({ session: null, unanswered: [] }); // those were of somebody whom nothing proves any more
    return this.admit(null);
  }

  private async fetch(method: string, path: string, { body, headers, signal }: Wish): Promise<Response> {
    try {
      return await fetch(this.base + path, {
        method,
        headers: body === undefined ? headers : { "Content-Type": "application/json", ...headers },
        body: body === undefined ? undefined : JSON.stringify(body),
        signal,
        credentials: "omit",
        referrerPolicy: "no-referrer",
        cache: "no-store",
      });
    } catch (error) {
      if (signal?.aborted) throw error;
      throw asTrouble(error);
    }
  }
}
