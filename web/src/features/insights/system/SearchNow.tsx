import { useState } from "react";
import { useTranslation } from "react-i18next";

import { Select } from "@/components/Field";
import { ErrorNote } from "@/components/Notes";
import { Card } from "@/components/Page";
import { useFormats } from "@/lib/format";

import { useSearchMetrics } from "../api/system";
import { Figure, Figures } from "../parts/Figure";
import { rate } from "../parts/labels";

const MINUTES = [15, 60, 240, 1440];

/** Searches of the last minutes. */
export function SearchNow({ refresh }: { refresh: number | false }) {
  const { t } = useTranslation("insights");
  const formats = useFormats();
  const [minutes, setMinutes] = useState(60);
  const { data: search, error, refetch } = useSearchMetrics(minutes, refresh);
  const time = (value: number | undefined) => (value === undefined ? "–" : formats.milliseconds(value));
  return (
    <Card
      title={t("searchNow.title")}
      actions={
        <Select
          label={t("searchNow.minutes")}
          hideLabel
          value={String(minutes)}
          options={MINUTES.map((each) => ({
            value: String(each),
            label: t("searchNow.last", { count: each }),
          }))}
          onChange={(event) => setMinutes(Number(event.target.value))}
        />
      }
    >
      {error && <ErrorNote error={error} onRetry={() => void refetch()} />}
      {search && (
        <Figures>
          <Figure
            name={t("searches.searches")}
            value={formats.number(search.searches)}
            detail={t("searchNow.perMinute", {
              rate: formats.number(search.searches_per_minute, { maximumFractionDigits: 1 }),
            })}
          />
          <Figure
            name={t("searchNow.latency")}
            value={time(search.latency_ms?.p95)}
            detail={search.latency_ms ? t("figure.median", { time: time(search.latency_ms.p50) }) : undefined}
          />
          <Figure name={t("searches.zero")} value={rate(formats, search.zero_result_rate)} />
          <Figure name={t("figure.remembered")} value={rate(formats, search.cache_hit_rate)} />
          <Figure
            name={t("searchNow.retrieval")}
            value={time(search.retrieval_ms?.p95)}
            detail={t("searchNow.questions", { count: search.questions })}
          />
        </Figures>
      )}
    </Card>
  );
}
