import { useTranslation } from "react-i18next";

import { useFormats } from "@/lib/format";

import type { Facts } from "../stream/events";
import styles from "./Messages.module.css";

const STAGES = ["load", "understand", "retrieve", "generate", "store"];

/** Model, certainty, cost and time of an answer, for those who want to know. */
export function HowMade({ facts, language }: { facts: Facts; language: string | null }) {
  const { t } = useTranslation("chat");
  const formats = useFormats();
  const { usage, timings } = facts;
  const total = timings["total"] ?? 0;
  const named = Object.keys(timings).filter((stage) => stage !== "total" && !STAGES.includes(stage));
  const stages = [...STAGES, ...named].filter((stage) => timings[stage] !== undefined);
  const lines: [string, string][] = [
    [t("made.model"), facts.model === "extractive" ? t("made.quotation") : facts.model || t("made.noModel")],
    ...(language === null ? [] : [[t("made.language"), formats.languageName(language)] as [string, string]]),
    ...(facts.confidence === null
      ? []
      : [[t("made.confidence"), formats.percent(facts.confidence)] as [string, string]]),
    ...(facts.quality === null || facts.quality === undefined
      ? []
      : [[t("made.quality"), formats.percent(facts.quality)] as [string, string]]),
    [t("made.calls"), formats.number(usage.llm_calls)],
    [
      t("made.tokens"),
      t("made.tokensOf", {
        input: formats.number(usage.input_tokens),
        output: formats.number(usage.output_tokens),
      }),
    ],
    [t("made.cost"), formats.money(usage.cost_usd)],
    ...(usage.cached ? [[t("made.cached"), t(`made.cachedAs.${usage.cached}`)] as [string, string]] : []),
  ];
  return (
    <section className={styles["made"]} aria-label={t("made.title")}>
      <h2>{t("made.title")}</h2>
      <dl>
        {lines.map(([name, value]) => (
          <div key={name}>
            <dt>{name}</dt>
            <dd dir="auto">{value}</dd>
          </div>
        ))}
      </dl>
      <h3>{t("made.timings", { total: formats.milliseconds(total) })}</h3>
      <ul className={styles["bars"]}>
        {stages.map((stage) => (
          <li key={stage}>
            <span>{STAGES.includes(stage) ? t(`made.stages.${stage}`) : stage}</span>
            <span className={styles["track"]} aria-hidden="true">
              <span
                className={styles["bar"]}
                style={{
                  inlineSize: `${(100 * Math.min(1, (timings[stage] ?? 0) / (total || 1))).toFixed(1)}%`,
                }}
              />
            </span>
            <span className={styles["figure"]}>{formats.milliseconds(timings[stage] ?? 0)}</span>
          </li>
        ))}
      </ul>
    </section>
  );
}
