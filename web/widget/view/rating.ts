/** Thumbs of an answer, and what is wrong with it. */

import type { Texts } from "../language";
import type { Rating } from "../types";
import { iconButton, make, textButton } from "./dom";
import { icon } from "./icons";

const LONGEST_COMMENT = "2000";

type Rate = (rating: Rating, reason: string | null, comment: string) => Promise<void>;

export class RatingView {
  readonly element: HTMLElement;
  private readonly up: HTMLButtonElement;
  private readonly down: HTMLButtonElement;
  private form: HTMLElement | null = null;

  constructor(
    given: Rating | null,
    private readonly texts: Texts,
    private readonly rate: Rate,
    private readonly announce: (text: string) => void,
  ) {
    this.up = iconButton(texts.helpful, icon("up"), "thumb", () => void this.give("up"));
    this.down = iconButton(texts.notHelpful, icon("down"), "thumb", () => void this.give("down"));
    this.element = make("div", { class: "rating" }, make("div", { class: "thumbs" }, this.up, this.down));
    this.press(given);
  }

  private async give(rating: Rating): Promise<void> {
    this.press(rating);
    this.show(rating === "down" ? this.reasonForm() : null);
    if (await this.sent(rating, null, "")) {
      if (rating === "up") this.thank();
    } else this.press(null);
  }

  private async sent(rating: Rating, reason: string | null, comment: string): Promise<boolean> {
    try {
      await this.rate(rating, reason, comment);
      return true;
    } catch {
      this.show(make("p", { class: "note" }, this.texts.notRated));
      this.announce(this.texts.notRated);
      return false;
    }
  }

  private reasonForm(): HTMLElement {
    const { texts } = this;
    let reason: string | null = null;
    const chips = Object.entries(texts.reasons).map(([name, words]) => {
      const chip = textButton(words, "chip", () => {
        reason = reason === name ? null : name;
        for (const each of chips) each.setAttribute("aria-pressed", String(each === chip && reason !== null));
      });
      chip.setAttribute("aria-pressed", "false");
      return chip;
    });
    const comment = make("textarea", {
      rows: "2",
      maxlength: LONGEST_COMMENT,
      dir: "auto",
      "aria-label": texts.comment,
    });
    comment.placeholder = texts.comment;
    const send = textButton(
      texts.sendRating,
      "primary",
      () => void this.explain(reason, comment.value.trim()),
    );
    const skip = textButton(texts.skip, "plain", () => {
      this.show(null);
      this.down.focus();
    });
    return make(
      "div",
      { class: "reasons", role: "group", "aria-label": texts.whatIsWrong },
      make("p", {}, texts.whatIsWrong),
      make("div", { class: "chips" }, ...chips),
      comment,
      make("div", { class: "deeds" }, send, skip),
    );
  }

  private async explain(reason: string | null, comment: string): Promise<void> {
    this.down.focus(); // the form goes, and the focus must not go with it
    if (await this.sent("down", reason, comment)) this.thank();
  }

  private thank(): void {
    this.show(make("p", { class: "note" }, this.texts.thanks));
    this.announce(this.texts.thanks);
  }

  private press(rating: Rating | null): void {
    this.up.setAttribute("aria-pressed", String(rating === "up"));
    this.down.setAttribute("aria-pressed", String(rating === "down"));
  }

  private show(form: HTMLElement | null): void {
    this.form?.remove();
    this.form = form;
    if (!form) return;
    this.element.append(form);
    form.scrollIntoView({ block: "nearest" });
  }
}
