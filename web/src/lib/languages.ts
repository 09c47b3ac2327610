/** The languages of the interface, each by its own name. */

export const LANGUAGES = {
  en: "English",
  de: "Deutsch",
  es: "Español",
  fr: "Français",
  pt: "Português",
  ja: "日本語",
  zh: "中文",
  ar: "العربية",
} as const;

export type Language = keyof typeof LANGUAGES;

const RIGHT_TO_LEFT: ReadonlySet<string> = new Set(["ar"]);
const STORED = "dragoman.language";

export function isLanguage(value: string): value is Language {
  return value in LANGUAGES;
}

export function directionOf(language: string): "ltr" | "rtl" {
  return RIGHT_TO_LEFT.has(language) ? "rtl" : "ltr";
}

/** What was chosen before, else the first language of the browser that we speak, else English. */
export function preferredLanguage(
  stored: string | null = localStorage.getItem(STORED),
  spoken: readonly string[] = navigator.languages,
): Language {
  const wanted = [stored ?? "", ...spoken].map((tag) => tag.toLowerCase().split("-")[0] ?? "");
  return wanted.find(isLanguage) ?? "en";
}

export function rememberLanguage(language: Language): void {
  localStorage.setItem(STORED, language);
}
