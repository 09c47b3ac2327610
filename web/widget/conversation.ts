/** One conversation: what was asked and answered, the answer that is being written, and what went wrong. Knows no page. */

import type { Server } from "./api";
import { follow } from "./follow";
import type { Store } from "./storage";
import { asTrouble, type Trouble } from "./trouble";
import { type Answer, isAmong, newAnswer, type Turn, turnsOf } from "./turns";
import type { AnswerEvent, Rating } from "./types";

export class Conversation {
  turns: Turn[] = [];
  private abort: AbortController | null = null;
  private isStopWanted = false;

  constructor(
    private readonly api: Server,
    private readonly store: Store,
    private readonly language: string,
    /** Called after each change, with the turn that changed; null: all of them. */
    private readonly onChange: (turn: Turn | null) => void,
  ) {}

  get isWriting(): boolean {
    return this.turns.at(-1)?.answer.state === "writing";
  }

  /** The conversation of the page before, with the answer that was being written when it was left. */
  async restore(): Promise<void> {
    const session = this.store.get("session");
    if (session === null) return;
    const stored = await this.api.messages(session).catch((error: unknown) => {
      if (asTrouble(error).kind !== "gone") throw error;
      this.forget();
      return null;
    });
    if (stored === null || this.store.get("session") !== session) return;
    this.turns = turnsOf(stored, this.store.get("unanswered"));
    const pending = this.store.get("pending");
    const isStored = pending !== null && isAmong(stored, pending);
    if (pending === null || isStored) this.store.set({ pending: null });
    this.onChange(null);
    if (pending !== null && !isStored) void this.goOn(session, pending);
  }

  async ask(question: string): Promise<void> {
    if (this.isWriting) return;
    const turn = this.begin(question);
    this.store.set({ pending: { question, answer: null } });
    await this.write(turn, "", async (signal) => {
      const session = this.store.get("session");
      if (session === null) return this.askInNewSession(question, signal);
      return this.api.ask(session, question, this.language, signal).catch((error: unknown) => {
        if (asTrouble(error).kind !== "gone") throw error;
        return this.askInNewSession(question, signal); // the conversation was deleted meanwhile
      });
    });
  }

  /** Ask the last question again, whose answer failed. */
  async retry(): Promise<void> {
    const failed = this.turns.at(-1);
    if (failed?.answer.state !== "failed") return;
    this.turns.pop();
    this.onChange(null);
    await this.ask(failed.question);
  }

  /** Stop the answer; what was said stays. Before its first event there is no name to stop it by: it is stopped then. */
  async stop(): Promise<void> {
    const turn = this.turns.at(-1);
    const session = this.store.get("session");
    if (turn?.answer.state !== "writing") return;
    this.isStopWanted = true;
    if (turn.answer.id === null || session === null) return;
    await this.api.cancel(session, turn.answer.id).catch(() => this.abandon(turn));
  }

  /** Begin anew. */
  clear(): void {
    if (this.isWriting) void this.stop();
    this.abort?.abort();
    this.forget();
    this.onChange(null);
  }

  async rate(answer: Answer, rating: Rating, reason: string | null, comment: string): Promise<void> {
    if (answer.id === null) return;
    await this.api.rate(answer.id, rating, reason, comment);
    answer.rating = rating;
  }

  private async goOn(session: string, pending: { question: string; answer: string | null }): Promise<void> {
    const { question, answer } = pending;
    if (answer === null) {
      await this.ask(question); // nothing of it had come: perhaps it was not even heard
      return;
    }
    const turn = this.begin(question);
    turn.answer.id = answer;
    await this.write(turn, answer, (signal) => this.api.follow(session, answer, "", signal));
  }

  private async askInNewSession(question: string, signal: AbortSignal): Promise<Response> {
    const session = await this.api.createSession(this.language);
    this.store.set({ session });
    return this.api.ask(session, question, this.language, signal);
  }

  private begin(question: string): Turn {
    const turn: Turn = { question, answer: newAnswer("writing") };
    this.isStopWanted = false;
    this.turns.push(turn);
    this.onChange(turn);
    return turn;
  }

  private async write(
    turn: Turn,
    answer: string,
    open: (signal: AbortSignal) => Promise<Response>,
  ): Promise<void> {
    const abort = new AbortController();
    this.abort = abort;
    const reopen = (lastEventId: string): Promise<Response> =>
      this.api.follow(this.store.get("session") ?? "", turn.answer.id ?? answer, lastEventId, abort.signal);
    try {
      for await (const news of follow(
        () => open(abort.signal),
        reopen,
        () => turn.answer.id !== null,
      )) {
        if (abort.signal.aborted) return;
        if (news === "reconnecting") turn.answer.isReconnecting = true;
        else this.take(turn, news);
        this.onChange(turn);
      }
    } catch (error) {
      if (abort.signal.aborted) return;
      this.fail(turn, asTrouble(error));
    }
  }

  private take({ question, answer }: Turn, event: AnswerEvent): void {
    answer.isReconnecting = false;
    if (event.type === "status") this.learnId(question, answer, event);
    else if (event.type === "token") answer.text += event.content;
    else if (event.type === "source") answer.sources.push(event);
    else if (event.type === "complete") {
      answer.id = event.message_id;
      answer.answered = event.answered;
      answer.language = event.language;
      answer.state = event.state === "interrupted" ? "interrupted" : "complete";
      if (!event.answered) this.store.addUnanswered(event.message_id);
      this.store.set({ pending: null });
    } else {
      throw asTrouble(event.detail);
    }
  }

  private learnId(question: string, answer: Answer, event: { stage: string; message_id: string }): void {
    answer.stage = event.stage;
    if (answer.id === event.message_id) return;
    answer.id = event.message_id;
    this.store.set({ pending: { question, answer: answer.id } });
    if (this.isStopWanted) void this.stop();
  }

  private fail(turn: Turn, trouble: Trouble): void {
    if (this.isStopWanted) {
      this.abandon(turn); // stopped before anything was said
      return;
    }
    turn.answer.state = "failed";
    turn.answer.trouble = trouble;
    this.store.set({ pending: null });
    this.onChange(turn);
  }

  private abandon(turn: Turn): void {
    this.abort?.abort();
    turn.answer.state = "interrupted";
    this.store.set({ pending: null });
    this.onChange(turn);
  }

  private forget(): void {
    this.turns = [];
    this.store.set({ session: null, pending: null, unanswered: [] });
  }
}
