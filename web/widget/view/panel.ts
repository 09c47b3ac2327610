/** The panel: its heading, the conversation, and the composer. */

import type { Conversation } from "../conversation";
import type { Language, Texts } from "../language";
import { renderMarkdown } from "../markdown/render";
import type { Trouble } from "../trouble";
import type { Turn } from "../turns";
import type { Settings } from "../types";
import { Composer } from "./composer";
import { iconButton, make, textButton } from "./dom";
import { icon } from "./icons";
import { troubleNote } from "./trouble-note";
import { TurnView } from "./turn";

export interface PanelDeeds {
  ask: (question: string) => void;
  clear: () => void;
  close: () => void;
  /** Try again to get what the panel needs before the first question. */
  reload: () => void;
}

const NEAR_END_PX = 90;

export class Panel {
  readonly element: HTMLElement;
  readonly composer: Composer;
  private readonly heading = make("h2", { id: "title" });
  private readonly list = make("ol", { class: "turns" });
  private readonly welcome = make("div", { class: "welcome" });
  private readonly notice = make("div", { class: "notice" });
  private readonly log: HTMLElement;
  private readonly live = make("p", { class: "hidden", role: "status" });
  private readonly anew: HTMLButtonElement;
  private views: TurnView[] = [];

  constructor(
    private readonly conversation: Conversation,
    private readonly texts: Texts,
    private readonly language: Language,
    private readonly deeds: PanelDeeds,
  ) {
    this.composer = new Composer(texts, deeds.ask, () => void conversation.stop());
    this.anew = iconButton(texts.newConversation, icon("anew"), "tool", () => this.clear());
    this.log = make(
      "div",
      { class: "log", tabindex: "0", role: "region", "aria-label": texts.conversation },
      this.welcome,
      this.list,
      this.notice,
    );
    this.element = make(
      "section",
      { class: "panel", role: "dialog", "aria-labelledby": "title", tabindex: "-1", hidden: true },
      make(
        "header",
        {},
        make("span", { class: "badge" }, icon("chat")),
        this.heading,
        this.anew,
        iconButton(texts.close, icon("close"), "tool", deeds.close),
      ),
      this.log,
      this.live,
      this.composer.element,
    );
    this.heading.textContent = texts.name; // until it is known whose
    this.showAll();
  }

  showSettings(settings: Settings): void {
    this.heading.replaceChildren(make("bdi", {}, settings.title || settings.chatbot_name));
    const greeting = make("div", { class: "greeting markdown" });
    greeting.append(renderMarkdown(settings.greeting || this.texts.greeting, { document, cite: () => null }));
    this.welcome.replaceChildren(greeting);
  }

  showSuggestions(questions: readonly string[]): void {
    this.welcome.querySelector(".suggestions")?.remove();
    if (questions.length === 0) return;
    const buttons = questions.map((question) => {
      const button = textButton("", "suggestion", () => this.deeds.ask(question));
      button.append(make("bdi", {}, question));
      return make("li", {}, button);
    });
    const hint = make("p", { class: "note" }, this.texts.suggestions);
    this.welcome.append(make("div", { class: "suggestions" }, hint, make("ul", {}, ...buttons)));
    this.showState();
  }

  showTrouble(trouble: Trouble | null): void {
    this.notice.replaceChildren();
    if (!trouble) return;
    this.notice.append(troubleNote(trouble, this.texts, this.language, this.deeds.reload));
    this.announce(this.notice.querySelector("p")?.textContent ?? "");
    if (trouble.kind === "unavailable") this.composer.element.hidden = true;
  }

  showLoading(isLoading: boolean): void {
    this.notice.replaceChildren(...(isLoading ? [make("p", { class: "note" }, this.texts.loading)] : []));
  }

  /** One turn changed; null: all of them may have. */
  show(turn: Turn | null): void {
    const isAtEnd = this.log.scrollHeight - this.log.scrollTop - this.log.clientHeight < NEAR_END_PX;
    const view = this.views.find((each) => each.turn === turn);
    if (view) view.update();
    else if (turn) this.add(turn);
    else this.showAll();
    this.showState();
    if (isAtEnd || !view) this.scrollToEnd();
  }

  /** Where writing begins; not on phones, where the keyboard would cover what the panel says. */
  focus(): void {
    (matchMedia("(pointer: coarse)").matches ? this.element : this.composer.field).focus();
  }

  scrollToEnd(): void {
    this.log.scrollTop = this.log.scrollHeight;
  }

  private showAll(): void {
    this.views = [];
    this.list.replaceChildren();
    for (const turn of this.conversation.turns) this.add(turn);
    this.showState();
  }

  private add(turn: Turn): void {
    const { conversation, texts, language } = this;
    const view = new TurnView(turn, {
      texts,
      language,
      rate: (...said) => conversation.rate(...said),
      retry: () => void conversation.retry(),
      announce: (text) => this.announce(text),
    });
    this.views.push(view);
    this.list.append(view.element);
  }

  private showState(): void {
    const isEmpty = this.conversation.turns.length === 0;
    this.list.hidden = isEmpty;
    this.anew.hidden = isEmpty;
    const suggestions = this.welcome.querySelector<HTMLElement>(".suggestions");
    if (suggestions) suggestions.hidden = !isEmpty;
    this.composer.showWriting(this.conversation.isWriting);
  }

  private clear(): void {
    this.deeds.clear();
    this.live.textContent = "";
    this.composer.field.focus(); // the button is gone with the conversation
  }

  private announce(text: string): void {
    this.live.textContent = text;
  }
}
