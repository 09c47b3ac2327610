import { useTranslation } from "react-i18next";

import { ErrorNote } from "@/components/Notes";
import { Spinner } from "@/components/Spinner";
import type { Schemas } from "@/lib/api";
import { useFormats } from "@/lib/format";

import { useUsage, type UsageLine } from "../api/usage";
import { bucketsOf, type Range } from "../data/range";
import styles from "../insights.module.css";
import { DataCard } from "../parts/DataCard";
import { Figure, Figures } from "../parts/Figure";
import { ShareBars } from "../parts/ShareBars";
import { TimeChart } from "../parts/TimeChart";
import type { View } from "../view";
import { Budgets } from "./Budgets";

/** What model calls took and cost, and the budgets that bound them. */
export function UsageTab({ view }: { view: View }) {
  const { t } = useTranslation("insights");
  const formats = useFormats();
  const days = useUsage(view, "day");
  const lines = days.data?.lines ?? [];
  const sum = (of: (line: UsageLine) => number) => lines.reduce((all, line) => all + of(line), 0);
  return (
    <div className={styles["stack"]}>
      <Budgets refresh={view.refresh} />
      {days.error && <ErrorNote error={days.error} onRetry={() => void days.refetch()} />}
      {days.data === undefined && !days.error && <Spinner label={t("loading")} />}
      {days.data && (
        <>
          <Figures>
            <Figure name={t("figure.cost")} value={formats.money(sum((line) => line.cost_usd))} />
            <Figure
              name={t("usage.calls")}
              value={formats.number(sum((line) => line.calls))}
              detail={t("usage.failedCalls", { count: sum((line) => line.failed_calls) })}
            />
            <Figure name={t("chart.input")} value={formats.compact(sum((line) => line.input_tokens))} />
            <Figure name={t("chart.output")} value={formats.compact(sum((line) => line.output_tokens))} />
          </Figures>
          <TimeChart
            title={t("usage.byDay")}
            file="usage-by-day"
            look="bars"
            range={{ ...view.range, by: "day" }}
            rows={daily(lines, view.range)}
            format={formats.compact}
            measures={[
              { key: "calls", label: t("usage.calls"), tone: 1, of: (row) => row.calls - row.failed },
              { key: "failed", label: t("usage.failed"), tone: 2, of: (row) => row.failed },
            ]}
          />
        </>
      )}
      <div className={styles["two"]}>
        <Lines view={view} by="model" />
        <Lines view={view} by="operation" />
      </div>
    </div>
  );
}

function daily(lines: readonly UsageLine[], range: Range) {
  const known = new Map(lines.map((line) => [line.key, line]));
  return bucketsOf({ ...range, span: "own", by: "day" }).map((start) => {
    const starts_at = new Date(start).toISOString();
    const line = known.get(starts_at.slice(0, 10));
    return { starts_at, calls: line?.calls ?? 0, failed: line?.failed_calls ?? 0 };
  });
}

/** Usage by model or by purpose: by cost where anything was paid, else by calls. */
function Lines({ view, by }: { view: View; by: "model" | "operation" }) {
  const { t } = useTranslation("insights");
  const formats = useFormats();
  const { data: usage, error, refetch } = useUsage(view, by);
  if (error) {
    return <ErrorNote error={error} onRetry={() => void refetch()} />;
  }
  const rows: readonly Schemas["UsageLineOut"][] = usage?.lines ?? [];
  const nameOf = ({ key }: Schemas["UsageLineOut"]) =>
    key === null
      ? t("usage.none")
      : by === "operation"
        ? t(`usage.purposes.${key}`, { defaultValue: key })
        : key;
  const isPaid = rows.some((row) => row.cost_usd > 0);
  return (
    <DataCard
      title={t(`usage.${by}`)}
      file={`usage-by-${by}`}
      rows={rows}
      rowKey={(row) => row.key ?? ""}
      columns={[
        { key: "key", title: t(`usage.${by}Column`), value: (row) => row.key, shown: nameOf },
        { key: "calls", title: t("usage.calls"), numeric: true, value: (row) => row.calls },
        {
          key: "failed",
          title: t("usage.failed"),
          numeric: true,
          minor: true,
          value: (row) => row.failed_calls,
        },
        {
          key: "input",
          title: t("chart.input"),
          numeric: true,
          minor: true,
          value: (row) => row.input_tokens,
        },
        {
          key: "output",
          title: t("chart.output"),
          numeric: true,
          minor: true,
          value: (row) => row.output_tokens,
        },
        {
          key: "cost",
          title: t("usage.cost"),
          numeric: true,
          value: (row) => row.cost_usd,
          shown: (row) => formats.money(row.cost_usd),
        },
        {
          key: "latency",
          title: t("usage.latency"),
          numeric: true,
          value: (row) => row.average_latency_ms,
          shown: (row) => formats.milliseconds(row.average_latency_ms),
        },
      ]}
    >
      <ShareBars
        tone={by === "model" ? 1 : 3}
        bars={rows.map((row) => ({
          key: row.key ?? "",
          name: nameOf(row),
          value: isPaid ? row.cost_usd : row.calls,
          shown: formats.money(row.cost_usd),
          detail: t("usage.callCount", { count: row.calls }),
        }))}
      />
    </DataCard>
  );
}
