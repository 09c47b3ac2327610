/** Which language the widget speaks: the tag's, else the page's, else the visitor's. */

import ar from "./texts/ar";
import de from "./texts/de";
import en, { type Texts } from "./texts/en";
import es from "./texts/es";
import fr from "./texts/fr";
import ja from "./texts/ja";
import pt from "./texts/pt";
import zh from "./texts/zh";

const ALL = { en, de, es, fr, pt, ja, zh, ar } satisfies Record<string, Texts>;
export type Language = keyof typeof ALL;
export type { Texts };

export const LANGUAGES = Object.keys(ALL) as Language[];

/** The first that we speak of those wanted, the most wanted first: `pt-BR` is Portuguese. */
export function chooseLanguage(...wanted: readonly (string | null | undefined)[]): Language {
  for (const tag of wanted) {
    const primary = tag?.trim().toLowerCase().split(/[-_]/)[0];
    const found = LANGUAGES.find((language) => language === primary);
    if (found) return found;
  }
  return "en";
}

export function textsOf(language: Language): Texts {
  return ALL[language];
}

export function directionOf(language: Language): "ltr" | "rtl" {
  return language === "ar" ? "rtl" : "ltr";
}

/** A text with what stands in it: `fill("Page {page}", { page: 3 })`. */
export function fill(text: string, values: Record<string, string | number>): string {
  return text.replace(/\{(\w+)\}/g, (whole, name: string) => String(values[name] ?? whole));
}

/** "in 30 seconds", "in 2 minutes", in words of the language. */
export function inSeconds(seconds: number, language: Language): string {
  const words = new Intl.RelativeTimeFormat(language, { numeric: "always" });
  return seconds < 90
    ? words.format(Math.ceil(seconds), "second")
    : words.format(Math.ceil(seconds / 60), "minute");
}
