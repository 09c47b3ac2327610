/**
 * Answers that are being written, by conversation. They live outside of React: who looks at another conversation
 * meanwhile finds the answer grown when coming back. A reload finds them by what `sessionStorage` remembers.
 */

import { useSyncExternalStore } from "react";

import { api, ApiError, data, OfflineError } from "@/lib/api";
import { streamed, type StreamedEvent } from "@/lib/sse";

import { answerEvent, type AnswerEvent } from "./events";
import { forget, recall, remember, type Asked } from "./memory";
import { GapError, isOver, NOTHING, received, withoutLoss, type Received } from "./reducer";

export type { Asked } from "./memory";
export type Phase = "open" | "reconnecting" | "stopping" | "over";

export interface Answering {
  asked: Asked;
  phase: Phase;
  received: Received;
  /** Why it came to nothing, where the stream itself did not say so. */
  error: unknown;
}

/** Told by those who keep what the server stores: the question is stored; the answer is at its end. */
export interface Listener {
  onBegun: (sessionId: string) => void;
  /** Resolves when what is stored is shown, so that the one takes the other's place without a flicker. */
  onOver: (answering: Answering) => Promise<void>;
}

const MOST_ATTEMPTS = 8;
const FIRST_PAUSE_MS = 400;
const HIDDEN_MS = 200; // a hidden page has no animation frames

const answering = new Map<string, Answering>();
const readers = new Set<() => void>();

function show(sessionId: string, next: Answering | null): void {
  if (next === null) {
    answering.delete(sessionId);
  } else {
    answering.set(sessionId, next);
  }
  readers.forEach((tell) => tell());
}

export function useAnswering(sessionId: string): Answering | null {
  return useSyncExternalStore(subscribe, () => answering.get(sessionId) ?? null);
}

function subscribe(tell: () => void): () => void {
  readers.add(tell);
  return () => readers.delete(tell);
}

export function ask(asked: Asked, listener: Listener): void {
  const root = `/api/chatbot/sessions/${asked.sessionId}/messages`;
  const url = asked.again === null ? `${root}/stream/` : `${root}/${asked.again}/regenerate/stream/`;
  const wish = { resumable: true, ...(asked.language ? { language: asked.language } : {}) };
  const body = asked.again === null ? { ...wish, message: asked.question, replaces: asked.replaces } : wish;
  const first = () =>
    streamed(url, {
      method: "POST",
      headers: { "Content-Type": "application/json" },
      body: JSON.stringify(body),
    });
  void new Run(asked, NOTHING, listener).follow(first);
}

/** Go on with an answer that this window was following before it was loaded again. */
export function resume(sessionId: string, listener: Listener): void {
  const remembered = recall(sessionId);
  if (remembered === null || answering.has(sessionId)) {
    return;
  }
  const { messageId, ...asked } = remembered;
  const run = new Run(asked, { ...NOTHING, messageId }, listener);
  void run.follow(() => run.rest());
}

export function stop(sessionId: string): void {
  const now = answering.get(sessionId);
  if (now === undefined || now.phase === "over") {
    return;
  }
  show(sessionId, { ...now, phase: "stopping" });
  if (now.received.messageId !== null) {
    cancel(sessionId, now.received.messageId);
  }
}

export function dismiss(sessionId: string): void {
  show(sessionId, null);
}

function cancel(sessionId: string, messageId: string): void {
  const path = { session_id: sessionId, message_id: messageId };
  data(
    api.POST("/api/chatbot/sessions/{session_id}/messages/{message_id}/cancel/", { params: { path } }),
  ).catch((error: unknown) => {
    const now = answering.get(sessionId);
    if (now !== undefined) {
      show(sessionId, { ...now, phase: "open", error });
    }
  });
}

class Run {
  private waiting: (readonly [string | null, AnswerEvent])[] = [];
  private scheduled = false;
  private gap = false;

  constructor(
    private readonly asked: Asked,
    private state: Received,
    private readonly listener: Listener,
  ) {
    show(asked.sessionId, { asked, phase: "open", received: state, error: null });
  }

  async follow(first: () => AsyncGenerator<StreamedEvent>): Promise<void> {
    let open = first;
    for (let attempt = 0; attempt < MOST_ATTEMPTS; attempt += 1) {
      try {
        for await (const { id, data: told } of open()) {
          attempt = 0;
          this.take(id, told);
        }
        this.flush();
        this.raiseGap();
      } catch (error) {
        if (error instanceof GapError) {
          this.state = { ...NOTHING, messageId: this.state.messageId };
        } else if (!isPassing(error) || this.state.messageId === null) {
          await this.end(error);
          return;
        }
      }
      if (isOver(this.state)) {
        await this.end(null);
        return;
      }
      if (this.state.messageId === null) {
        break;
      }
      this.tell("reconnecting");
      await new Promise((wake) => window.setTimeout(wake, FIRST_PAUSE_MS * 2 ** attempt));
      open = () => this.rest();
    }
    await this.end(new OfflineError("the stream broke off"));
  }

  rest(): AsyncGenerator<StreamedEvent> {
    const { messageId, lastId } = this.state;
    return streamed(`/api/chatbot/sessions/${this.asked.sessionId}/messages/${messageId ?? ""}/stream/`, {
      headers: lastId === null ? {} : { "Last-Event-ID": lastId },
    });
  }

  /** Events are shown together once a frame: a fast model would have the page draw more often than anybody sees. */
  private take(id: string | null, told: unknown): void {
    const event = answerEvent(told);
    if (event === null) {
      return;
    }
    this.waiting.push([id, event]);
    if (event.type === "status" && this.state.messageId === null) {
      this.flush();
      this.begun();
    } else if (!this.scheduled) {
      this.scheduled = true;
      const soon = () => {
        this.scheduled = false;
        try {
          this.flush();
        } catch {
          this.gap = true; // thrown again where the stream is read
        }
      };
      if (document.hidden) {
        window.setTimeout(soon, HIDDEN_MS);
      } else {
        window.requestAnimationFrame(soon);
      }
    }
    this.raiseGap();
  }

  private raiseGap(): void {
    if (this.gap) {
      this.gap = false;
      throw new GapError();
    }
  }

  private begun(): void {
    const { messageId } = this.state;
    if (messageId === null) {
      return;
    }
    remember({ ...this.asked, messageId });
    this.listener.onBegun(this.asked.sessionId);
    if (answering.get(this.asked.sessionId)?.phase === "stopping") {
      cancel(this.asked.sessionId, messageId);
    }
  }

  private flush(): void {
    const events = this.waiting.splice(0);
    if (events.length > 0) {
      this.state = events.reduce((state, [id, event]) => received(state, id, event), this.state);
      this.tell("open");
    }
  }

  private tell(phase: Phase, error: unknown = null): void {
    const { sessionId } = this.asked;
    const before = answering.get(sessionId);
    const kept = before?.phase === "stopping" && phase !== "over" ? "stopping" : phase;
    show(sessionId, {
      asked: this.asked,
      phase: kept,
      received: withoutLoss(before?.received, this.state),
      error: error ?? before?.error ?? null,
    });
  }

  private async end(error: unknown): Promise<void> {
    forget(this.asked.sessionId);
    this.tell("over", error);
    const now = answering.get(this.asked.sessionId);
    if (now === undefined) {
      return;
    }
    await this.listener.onOver(now);
    if (answering.get(this.asked.sessionId) === now && now.received.facts !== null) {
      dismiss(this.asked.sessionId); // what is stored stands in its place
    }
  }
}

/** Whether trying again may help: the way was broken, not the answer. */
function isPassing(error: unknown): boolean {
  return !(error instanceof ApiError) || error.status === 429 || error.status >= 500;
}
