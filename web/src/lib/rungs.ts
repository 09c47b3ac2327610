/** What an answer missed, as the API tells it in `degraded`, and the words for it. */

import { useTranslation } from "react-i18next";

export const KNOWN: ReadonlySet<string> = new Set([
  "keyword_only",
  "reranker_skipped",
  "rewrite_failed",
  "multi_query_failed",
  "translation_failed",
  "prompt_missing",
  "prompt_leak",
  "uncited",
  "sentences_removed",
  "grounding_by_words",
  "judge_unavailable",
  "citations_dropped",
  "extractive",
  "injection_quoted",
  "injection_refused",
  "interrupted",
]);

/** `key` names the words, `common:degraded.…`; they take `what` and `count`. */
export interface Rung {
  key: string;
  what: string;
  count: number;
}

export function rungOf(told: string): Rung {
  const [word = "", value = ""] = told.split(":");
  if (KNOWN.has(word)) {
    return { key: word, what: value, count: Number(value) || 1 };
  }
  if (/^output_.*_removed$/.test(word)) {
    return { key: "output_removed", what: "", count: 1 };
  }
  const model = /^(.*)_(failed|interrupted)$/.exec(word);
  return model
    ? { key: `model_${model[2] ?? "failed"}`, what: model[1] ?? word, count: 1 }
    : { key: "other", what: word, count: 1 };
}

/** What was skipped or replaced, each once. */
export function rungsOf(degraded: readonly string[]): Rung[] {
  const rungs = degraded.map(rungOf);
  return rungs.filter(
    (rung, at) => rungs.findIndex((other) => other.key === rung.key && other.what === rung.what) === at,
  );
}

/** The words for what an answer missed. */
export function useRungs(): (told: string) => string {
  const { t } = useTranslation("common");
  return (told) => {
    const { key, what, count } = rungOf(told);
    return t(`degraded.${key}`, { what, count });
  };
}
