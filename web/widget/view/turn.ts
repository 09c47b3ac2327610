/** A question and its answer. */

import { fill, type Language, type Texts } from "../language";
import { renderMarkdown } from "../markdown/render";
import type { Answer, Turn } from "../turns";
import { STAGES, type Rating, type Source } from "../types";
import { make } from "./dom";
import { icon } from "./icons";
import { RatingView } from "./rating";
import { SourceList } from "./sources";
import { troubleNote, wordsOf } from "./trouble-note";

export interface TurnContext {
  texts: Texts;
  language: Language;
  rate: (answer: Answer, rating: Rating, reason: string | null, comment: string) => Promise<void>;
  retry: () => void;
  announce: (text: string) => void;
}

export class TurnView {
  readonly element: HTMLElement;
  private readonly status = make("p", { class: "status" });
  private readonly body = make("div", { class: "markdown" });
  private readonly end = make("div", { class: "end" });
  private shown = "";
  private isOver = false;

  constructor(
    readonly turn: Turn,
    private readonly context: TurnContext,
  ) {
    const { texts } = context;
    this.element = make(
      "li",
      { class: "turn" },
      make("div", { class: "question" }, hidden(`${texts.you}: `), make("p", { dir: "auto" }, turn.question)),
      make("div", { class: "answer" }, hidden(`${texts.assistant}: `), this.status, this.body, this.end),
    );
    this.update(false);
  }

  /** @param isNews whether somebody waits for it, and is told when it is whole. */
  update(isNews = true): void {
    const { answer } = this.turn;
    this.showStatus(answer);
    if (answer.state === "writing") {
      this.showText(answer.text, null);
    } else if (!this.isOver) {
      this.isOver = true;
      this.finish(answer, isNews);
    }
  }

  private showStatus(answer: Answer): void {
    const { texts } = this.context;
    const isWaiting = answer.state === "writing" && (answer.text === "" || answer.isReconnecting);
    this.status.hidden = !isWaiting;
    const stage = STAGES.find((each) => each === answer.stage) ?? "understanding";
    this.status.textContent = answer.isReconnecting ? texts.reconnecting : texts.stages[stage];
  }

  private finish(answer: Answer, isNews: boolean): void {
    const { texts, language, retry, announce } = this.context;
    const sources = answer.sources.length > 0 ? new SourceList(answer.sources, texts) : null;
    this.shown = "";
    this.showText(
      answer.text,
      sources && { sources: answer.sources, open: (number) => sources.open(number) },
    );
    if (answer.language !== "und") this.body.lang = answer.language;
    if (!answer.answered) this.body.before(make("p", { class: "label" }, icon("unknown"), texts.unanswered));
    if (sources) this.end.append(sources.element);
    if (answer.state === "interrupted") this.end.append(make("p", { class: "note" }, texts.stopped));
    if (answer.trouble) this.end.append(troubleNote(answer.trouble, texts, language, retry));
    else if (answer.id !== null && answer.text !== "") this.end.append(this.rating(answer));
    if (!isNews) return;
    const words = answer.trouble ? wordsOf(answer.trouble, texts, language) : wordsIn(this.body);
    announce(answer.trouble || answer.text === "" ? words : fill(texts.ready, { text: words }));
  }

  private rating(answer: Answer): HTMLElement {
    const { texts, rate, announce } = this.context;
    const give = (...said: [Rating, string | null, string]): Promise<void> => rate(answer, ...said);
    return new RatingView(answer.rating, texts, give, announce).element;
  }

  private showText(
    text: string,
    cited: { sources: readonly Source[]; open: (number: number) => void } | null,
  ): void {
    if (text === this.shown && cited === null) return;
    this.shown = text;
    const cite = (number: number): Node | null => {
      const source = cited?.sources.find((each) => each.number === number);
      return cited && source ? this.marker(source, () => cited.open(number)) : null;
    };
    this.body.replaceChildren(renderMarkdown(text, { document, cite }));
  }

  private marker(source: Source, onClick: () => void): Node {
    const title = source.title || source.file_name;
    const label = fill(this.context.texts.source, { number: source.number, title });
    const marker = make(
      "button",
      { type: "button", class: "cite", "aria-label": label, title },
      String(source.number),
    );
    marker.addEventListener("click", onClick);
    return marker;
  }
}

/** What an answer says, without the markers of its sources. */
function wordsIn(body: HTMLElement): string {
  const copy = body.cloneNode(true) as HTMLElement;
  for (const marker of copy.querySelectorAll(".cite")) marker.remove();
  return copy.textContent;
}

function hidden(text: string): HTMLElement {
  return make("span", { class: "hidden" }, text);
}
