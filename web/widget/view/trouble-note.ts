/** What went wrong with an answer, what to do, and the button for it. */

import { fill, inSeconds, type Language, type Texts } from "../language";
import type { Trouble } from "../trouble";
import { make, textButton } from "./dom";
import { icon } from "./icons";

export function wordsOf(trouble: Trouble, texts: Texts, language: Language): string {
  switch (trouble.kind) {
    case "offline":
      return texts.offline;
    case "too_often":
      return fill(texts.tooOften, { when: inSeconds(trouble.retryAfterS, language) });
    case "unavailable":
      return texts.unavailable;
    default:
      return texts.failed;
  }
}

export function troubleNote(
  trouble: Trouble,
  texts: Texts,
  language: Language,
  onRetry: () => void,
): HTMLElement {
  const note = make(
    "div",
    { class: "trouble" },
    icon("trouble"),
    make("p", {}, wordsOf(trouble, texts, language)),
  );
  if (trouble.kind === "unavailable") return note;
  const retry = textButton(texts.retry, "plain", onRetry);
  if (trouble.retryAfterS > 0) {
    retry.disabled = true;
    setTimeout(() => (retry.disabled = false), trouble.retryAfterS * 1000);
  }
  note.append(retry);
  return note;
}
