import { useTranslation } from "react-i18next";

import { useFormats } from "@/lib/format";

import type { Service } from "../api/analytics";
import { deltaOf, share, type Total } from "../data/totals";
import { Figure, Figures } from "../parts/Figure";
import { rate } from "../parts/labels";

const tokens = (total: Total) => total.input_tokens + total.output_tokens;
const degraded = (total: Total) => share(total.degraded, total.questions);

/** The figures of the period, each against the period before. */
export function Headline({ service: { total, before } }: { service: Service }) {
  const { t } = useTranslation("insights");
  const formats = useFormats();
  const total95 = total.latency_ms["total"]?.p95 ?? null;
  const ratings = total.ratings_up + total.ratings_down;
  return (
    <Figures>
      <Figure
        name={t("figure.questions")}
        value={formats.number(total.questions)}
        detail={t("figure.answeredOf", {
          answered: formats.number(total.answered),
          refused: formats.number(total.refused),
        })}
        delta={deltaOf(total.questions, before.questions, "share")}
      />
      <Figure
        name={t("figure.answerRate")}
        value={rate(formats, total.answer_rate)}
        delta={deltaOf(total.answer_rate, before.answer_rate, "points")}
        good="up"
      />
      <Figure
        name={t("figure.satisfaction")}
        value={rate(formats, total.satisfaction)}
        detail={t("figure.ratings", { count: ratings })}
        delta={deltaOf(total.satisfaction, before.satisfaction, "points")}
        good="up"
      />
      <Figure
        name={t("figure.latency")}
        value={total95 === null ? "–" : formats.milliseconds(total95)}
        detail={
          total95 === null
            ? undefined
            : t("figure.median", { time: formats.milliseconds(total.latency_ms["total"]?.p50 ?? 0) })
        }
        delta={deltaOf(total95, before.latency_ms["total"]?.p95 ?? null, "share")}
        good="down"
      />
      <Figure
        name={t("figure.cost")}
        value={formats.money(total.cost_usd)}
        detail={total.saved_usd > 0 ? t("figure.saved", { sum: formats.money(total.saved_usd) }) : undefined}
        delta={deltaOf(total.cost_usd, before.cost_usd, "share")}
        good="down"
      />
      <Figure
        name={t("figure.tokens")}
        value={formats.compact(tokens(total))}
        delta={deltaOf(tokens(total), tokens(before), "share")}
      />
      <Figure
        name={t("figure.remembered")}
        value={rate(formats, total.cache_hit_rate)}
        delta={deltaOf(total.cache_hit_rate, before.cache_hit_rate, "points")}
        good="up"
      />
      <Figure
        name={t("figure.degraded")}
        value={rate(formats, degraded(total))}
        delta={deltaOf(degraded(total), degraded(before), "points")}
        good="down"
      />
    </Figures>
  );
}
