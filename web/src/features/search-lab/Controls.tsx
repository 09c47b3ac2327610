import { useTranslation } from "react-i18next";

import { Field, Select } from "@/components/Field";
import { Card } from "@/components/Page";
import { useFormats } from "@/lib/format";
import { useSession, type Chatbot } from "@/lib/session";

import { MOST } from "./address";
import type { AnswerSettings, Hit, Mode } from "./api";
import { cutAt } from "./compare";
import { RerankerSelect, useRerankerName } from "./Rerankers";
import { SaveSettings } from "./SaveSettings";
import styles from "./search-lab.module.css";

export interface CutWish {
  threshold: number;
  max: number;
}

interface Props {
  chatbot: Chatbot;
  settings: AnswerSettings;
  mode: Mode;
  reranker: string;
  cut: CutWish;
  hits: readonly Hit[];
  onMode: (mode: Mode) => void;
  onReranker: (name: string) => void;
  onThreshold: (threshold: number) => void;
  onThresholdSet: () => void;
  onMax: (max: number) => void;
}

const COUNTS = [3, 5, 10, 20, 30, MOST];

/** What is tried, with the chatbot's own settings beside it. Nothing is searched again for threshold and number. */
export function Controls({
  chatbot,
  settings,
  mode,
  reranker,
  cut,
  hits,
  onMode,
  onReranker,
  onThreshold,
  onThresholdSet,
  onMax,
}: Props) {
  const { t } = useTranslation("search-lab");
  const formats = useFormats();
  const { can } = useSession();
  const nameOf = useRerankerName();
  const { kept, fallen } = cutAt(hits, cut.threshold, cut.max);
  const decimal = (value: number) =>
    formats.number(value, { minimumFractionDigits: 2, maximumFractionDigits: 2 });
  const counts = COUNTS.includes(cut.max) ? COUNTS : [...COUNTS, cut.max].sort((a, b) => a - b);
  return (
    <Card
      title={t("try.title")}
      actions={
        can("chatbots:manage") && (
          <SaveSettings
            chatbot={chatbot}
            settings={settings}
            mode={mode}
            reranker={reranker}
            threshold={cut.threshold}
          />
        )
      }
    >
      <div className={styles["controls"]}>
        <Select
          label={t("try.mode")}
          value={mode}
          options={(["hybrid", "dense", "keyword"] as const).map((each) => ({
            value: each,
            label: t(`mode.${each}`),
          }))}
          hint={t("try.own", { value: t(`mode.${settings.search_mode}`) })}
          onChange={(event) => onMode(event.target.value as Mode)}
        />
        <RerankerSelect
          chatbotId={chatbot.id}
          label={t("try.reranker")}
          hint={t("try.own", { value: nameOf(settings.reranker) })}
          value={reranker}
          onChoose={onReranker}
        />
        <Select
          label={t("try.max")}
          value={String(cut.max)}
          options={counts.map((count) => ({ value: String(count), label: formats.number(count) }))}
          onChange={(event) => onMax(Number(event.target.value))}
        />
        <Field
          label={t("try.threshold", { value: decimal(cut.threshold) })}
          hint={t("try.own", { value: decimal(settings.similarity_threshold) })}
        >
          {(wired) => (
            <input
              {...wired}
              type="range"
              min={0}
              max={1}
              step={0.01}
              value={cut.threshold}
              aria-valuetext={decimal(cut.threshold)}
              className={styles["slider"]}
              onChange={(event) => onThreshold(event.target.valueAsNumber)}
              onPointerUp={onThresholdSet}
              onKeyUp={onThresholdSet}
              onBlur={onThresholdSet}
            />
          )}
        </Field>
      </div>
      {hits.length > 0 && (
        <p role="status" className={styles["effect"]}>
          {t("try.kept", { count: kept.length })}{" "}
          {fallen.length > 0 && t("try.fallen", { count: fallen.length })}
        </p>
      )}
    </Card>
  );
}
