/** Shows texts of the interface; those of a feature are loaded with it. */

import i18next, { type BackendModule } from "i18next";
import { initReactI18next } from "react-i18next";

import { directionOf, preferredLanguage, rememberLanguage, type Language } from "./languages";
import { loadTexts } from "./texts";

const fromFiles: BackendModule = {
  type: "backend",
  init: () => undefined,
  read: (language: string, namespace: string, done: (error: Error | null, texts: object | null) => void) => {
    loadTexts(language, namespace).then(
      (texts) => done(null, texts),
      (error: unknown) => done(error instanceof Error ? error : new Error(String(error)), null),
    );
  },
};

export async function startTexts(
  namespaces: readonly string[],
  language: Language = preferredLanguage(),
): Promise<void> {
  i18next.on("languageChanged", showLanguage);
  await i18next
    .use(fromFiles)
    .use(initReactI18next)
    .init({
      lng: language,
      fallbackLng: false, // every language says everything: `testing/texts.test.ts`
      ns: namespaces,
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
