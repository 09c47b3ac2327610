/** What the server says in English of settings, findings and alerts, in the language of the interface.
 *
 * The translations stand in `locales/said` under the English texts; `{1}`, `{2}` in them is what the server fills in.
 */

import { useQuery } from "@tanstack/react-query";
import { useCallback } from "react";
import { useTranslation } from "react-i18next";

export type Translations = Readonly<Record<string, string>>;

const FILES = import.meta.glob<{ default: Translations }>("../locales/said/*.json");
const PLACE = /\{\d+\}/;

export interface Said {
  text: string;
  /** That of the text: English where there is no translation, as for an adapter of somebody else. */
  language: string;
}

/** A function that gives the translation of a text; the text itself until the translations have come. */
export function useSaid(): (text: string) => Said {
  const language = useTranslation().i18n.language;
  const { data } = useQuery({
    queryKey: ["said", language],
    queryFn: async () => (await FILES[`../locales/said/${language}.json`]?.())?.default ?? {},
    staleTime: Infinity,
  });
  return useCallback(
    (text) => {
      const translated = data && translationOf(text, data);
      return translated === undefined ? { text, language: "en" } : { text: translated, language };
    },
    [data, language],
  );
}

export function translationOf(text: string, translations: Translations): string | undefined {
  return translations[text] ?? filledIn(text, translations);
}

function filledIn(text: string, translations: Translations): string | undefined {
  for (const [english, translation] of Object.entries(translations)) {
    const parts = PLACE.test(english) ? english.split(/\{\d+\}/) : [];
    if (parts.length === 0 || !text.startsWith(parts[0] ?? "") || !text.endsWith(parts.at(-1) ?? "")) {
      continue;
    }
    const found = new RegExp(`^${parts.map(escaped).join("([^]*?)")}$`).exec(text);
    if (found !== null) {
      return translation.replace(/\{(\d+)\}/g, (_, number: string) => {
        const value = found[Number(number)] ?? "";
        return translations[value] ?? value;
      });
    }
  }
  return undefined;
}

function escaped(text: string): string {
  return text.replace(/[.*+?^${}()|[\]\\]/g, "\\$&");
}
