/** Where the question is written. Enter sends it, Shift and Enter begin a line. */

import type { Texts } from "../language";
import { make, rename } from "./dom";
import { icon } from "./icons";

const LONGEST_QUESTION = "8000";
const TALLEST_PX = 140;

export class Composer {
  readonly element: HTMLFormElement;
  readonly field: HTMLTextAreaElement;
  private readonly button: HTMLButtonElement;
  private isWriting = false;

  constructor(
    private readonly texts: Texts,
    private readonly onAsk: (question: string) => void,
    private readonly onStop: () => void,
  ) {
    this.field = make("textarea", { rows: "1", maxlength: LONGEST_QUESTION, "aria-label": texts.label });
    this.field.placeholder = texts.placeholder;
    this.button = make("button", { type: "submit", class: "send" }, icon("send"));
    rename(this.button, texts.send);
    this.element = make("form", { class: "composer" }, this.field, this.button);
    this.element.addEventListener("submit", (event) => {
      event.preventDefault();
      if (this.isWriting) this.onStop();
      else this.send();
    });
    this.field.addEventListener("keydown", (event) => this.onKey(event));
    this.field.addEventListener("input", () => this.grow());
  }

  showWriting(isWriting: boolean): void {
    if (isWriting === this.isWriting) return;
    this.isWriting = isWriting;
    this.button.replaceChildren(icon(isWriting ? "stop" : "send"));
    rename(this.button, isWriting ? this.texts.stop : this.texts.send);
  }

  private onKey(event: KeyboardEvent): void {
    // While an input method composes a word, Enter chooses it (Japanese, Chinese).
    if (event.key !== "Enter" || event.shiftKey || event.isComposing) return;
    event.preventDefault();
    if (!this.isWriting) this.send();
  }

  private send(): void {
    const question = this.field.value.trim();
    if (question === "") return;
    this.field.value = "";
    this.grow();
    this.onAsk(question);
  }

  private grow(): void {
    this.field.dir = this.field.value === "" ? "" : "auto"; // the hint reads in the direction of the widget
    this.field.style.height = "auto";
    this.field.style.height = `${Math.min(this.field.scrollHeight, TALLEST_PX)}px`;
  }
}
