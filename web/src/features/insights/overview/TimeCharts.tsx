import { useTranslation } from "react-i18next";

import { useFormats } from "@/lib/format";

import type { Range } from "../data/range";
import { readable, type Bar } from "../data/totals";
import { TimeChart } from "../parts/TimeChart";

interface Props {
  bars: readonly Bar[];
  range: Range;
}

export function Answers({ bars, range }: Props) {
  const { t } = useTranslation("insights");
  const formats = useFormats();
  return (
    <TimeChart
      title={t("chart.questions")}
      file="questions"
      look="bars"
      rows={readable(bars)}
      range={range}
      format={formats.compact}
      measures={[
        { key: "answered", label: t("chart.answered"), tone: 1, of: (bar) => bar.answered },
        { key: "refused", label: t("chart.refused"), tone: 2, of: (bar) => bar.refused },
        { key: "interrupted", label: t("chart.interrupted"), tone: 3, of: (bar) => bar.interrupted },
      ]}
    />
  );
}

export function Ratings({ bars, range }: Props) {
  const { t } = useTranslation("insights");
  const formats = useFormats();
  return (
    <TimeChart
      title={t("chart.ratings")}
      file="ratings"
      look="bars"
      rows={readable(bars)}
      range={range}
      format={formats.compact}
      measures={[
        { key: "up", label: t("chart.up"), tone: 1, of: (bar) => bar.ratings_up },
        { key: "down", label: t("chart.down"), tone: 2, of: (bar) => bar.ratings_down },
      ]}
    />
  );
}

export function Latencies({ bars, range }: Props) {
  const { t } = useTranslation("insights");
  const formats = useFormats();
  return (
    <TimeChart
      title={t("chart.latency")}
      file="latency"
      look="lines"
      rows={bars}
      range={range}
      format={formats.milliseconds}
      measures={[
        { key: "p50", label: "p50", tone: 1, of: (bar) => bar.latency_ms?.p50 ?? null },
        { key: "p95", label: "p95", tone: 3, of: (bar) => bar.latency_ms?.p95 ?? null },
        { key: "p99", label: "p99", tone: 2, of: (bar) => bar.latency_ms?.p99 ?? null },
      ]}
    />
  );
}

export function Costs({ bars, range }: Props) {
  const { t } = useTranslation("insights");
  const formats = useFormats();
  return (
    <TimeChart
      title={t("chart.cost")}
      file="cost"
      look="bars"
      rows={readable(bars)}
      range={range}
      format={formats.money}
      measures={[
        { key: "answers", label: t("chart.costAnswers"), tone: 1, of: (bar) => bar.answer_cost_usd },
        {
          key: "others",
          label: t("chart.costOthers"),
          tone: 3,
          of: (bar) => Math.max(0, bar.cost_usd - bar.answer_cost_usd),
        },
      ]}
    />
  );
}

export function Tokens({ bars, range }: Props) {
  const { t } = useTranslation("insights");
  const formats = useFormats();
  return (
    <TimeChart
      title={t("chart.tokens")}
      file="tokens"
      look="bars"
      rows={readable(bars)}
      range={range}
      format={formats.compact}
      measures={[
        { key: "input", label: t("chart.input"), tone: 3, of: (bar) => bar.input_tokens },
        { key: "output", label: t("chart.output"), tone: 4, of: (bar) => bar.output_tokens },
      ]}
    />
  );
}

export function Remembered({ bars, range }: Props) {
  const { t } = useTranslation("insights");
  const formats = useFormats();
  return (
    <TimeChart
      title={t("chart.remembered")}
      file="cache"
      look="bars"
      rows={readable(bars)}
      range={range}
      format={formats.compact}
      measures={[
        { key: "exact", label: t("chart.exact"), tone: 1, of: (bar) => bar.cached_exact },
        { key: "similar", label: t("chart.similar"), tone: 5, of: (bar) => bar.cached_similar },
      ]}
    />
  );
}
