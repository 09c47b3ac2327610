import { Info } from "lucide-react";
import { useTranslation } from "react-i18next";

import type { Facts } from "../stream/events";
import styles from "./Messages.module.css";

const KNOWN: ReadonlySet<string> = new Set([
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
]);

interface Rung {
  key: string;
  what: string;
  count: number;
}

/** What was skipped or replaced, each once; `interrupted` is said elsewhere. */
export function rungsOf(degraded: readonly string[]): Rung[] {
  const rungs = degraded
    .filter((one) => one !== "interrupted")
    .map((one) => {
      const [word = "", value = ""] = one.split(":");
      const model = /^(.*)_(failed|interrupted)$/.exec(word);
      if (KNOWN.has(word)) {
        return { key: word, what: value, count: Number(value) || 1 };
      }
      if (/^output_.*_removed$/.test(word)) {
        return { key: "output_removed", what: "", count: 1 };
      }
      return model
        ? { key: `model_${model[2] ?? "failed"}`, what: model[1] ?? word, count: 1 }
        : { key: "other", what: word, count: 1 };
    });
  return rungs.filter(
    (rung, at) => rungs.findIndex((other) => other.key === rung.key && other.what === rung.what) === at,
  );
}

/** Says in words how an answer came about in another way than planned. */
export function Degraded({ facts }: { facts: Facts }) {
  const { t } = useTranslation("chat");
  const rungs = rungsOf(facts.degraded);
  if (rungs.length === 0) {
    return null;
  }
  return (
    <div className={styles["degraded"]}>
      <Info aria-hidden="true" />
      <ul>
        {rungs.map(({ key, what, count }) => (
          <li key={`${key} ${what}`}>{t(`degraded.${key}`, { what, count })}</li>
        ))}
      </ul>
    </div>
  );
}
