/** Texts of the interface: `common` for what all pages share, and a namespace for each feature, loaded with it. */

import i18next, { type BackendModule } from "i18next";
import { initReactI18next } from "react-i18next";

import { directionOf, preferredLanguage, rememberLanguage, type Language } from "./languages";

type Texts = Record<string, unknown>;
type Loader = () => Promise<{ default: Texts }>;

const FILES = {
  ...import.meta.glob<{ default: Texts }>("../locales/*.json"),
  ...import.meta.glob<{ default: Texts }>("../features/*/locales/*.json"),
} as Record<string, Loader | undefined>;

const fromFiles: BackendModule = {
  type: "backend",
  init: () => undefined,
  read: (language: string, namespace: string, done: (error: Error | null, texts: Texts | null) => void) => {
    const path =
      namespace === "common"
        ? `../locales/${language}.json`
        : `../features/${namespace}/locales/${language}.json`;
    const load = FILES[path];
    if (load === undefined) {
      done(new Error(`There are no texts in ${path}.`), null);
      return;
    }
    load().then(
      (file) => done(null, file.default),
      (error: unknown) => done(error instanceof Error ? error : new Error(String(error)), null),
    );
  },
};

export async function startTexts(language: Language = preferredLanguage()): Promise<void> {
  i18next.on("languageChanged", showLanguage);
  await i18next
    .use(fromFiles)
    .use(initReactI18next)
    .init({
      lng: language,
      fallbackLng: "en",
      ns: ["common"],
      defaultNS: "common",
      interpolation: { escapeValue: false }, // React escapes
    });
}

export async function changeLanguage(language: Language): Promise<void> {
  rememberLanguage(language);
  await i18next.changeLanguage(language);
}

function showLanguage(language: string): void {
  document.documentElement.lang = language;
  document.documentElement.dir = directionOf(language);
}
