import { useTranslation } from "react-i18next";

import { useFormats } from "@/lib/format";

import type { Report } from "../api/analytics";
import { DataCard } from "../parts/DataCard";
import { ShareBars } from "../parts/ShareBars";
import styles from "../insights.module.css";

/** How the reading of documents went: each step with its time, and why some could not be read. */
export function Reading({ report }: { report: Report }) {
  const { t } = useTranslation("insights");
  const formats = useFormats();
  const { total } = report;
  const whole = (["wait", "run"] as const).flatMap((step) => {
    const times = total.latency_ms[step];
    return times === undefined
      ? []
      : [{ step, documents: total.documents_read + total.documents_failed, latency_ms: times }];
  });
  const steps = report.ingestion_steps.length === 0 ? [] : [...whole, ...report.ingestion_steps];
  const failures = report.errors.filter((error) => error.documents > 0);
  return (
    <DataCard
      title={t("reading.title")}
      lead={t("reading.sum", {
        read: formats.number(total.documents_read),
        failed: formats.number(total.documents_failed),
      })}
      file="ingestion-steps"
      rows={steps}
      rowKey={(row) => row.step}
      empty={t("reading.none")}
      columns={[
        {
          key: "step",
          title: t("reading.step"),
          value: (row) => row.step,
          shown: (row) => t(`step.${row.step}`),
        },
        { key: "documents", title: t("reading.documents"), numeric: true, value: (row) => row.documents },
        ...(["p50", "p95", "p99"] as const).map((quantile) => ({
          key: quantile,
          title: quantile,
          numeric: true,
          value: (row: (typeof steps)[number]) => row.latency_ms?.[quantile],
          shown: (row: (typeof steps)[number]) =>
            row.latency_ms ? formats.milliseconds(row.latency_ms[quantile]) : "–",
        })),
      ]}
    >
      <ShareBars
        tone={5}
        bars={steps.map((row) => ({
          key: row.step,
          name: t(`step.${row.step}`, { defaultValue: row.step }),
          value: row.latency_ms?.p95 ?? 0,
          shown: row.latency_ms ? formats.milliseconds(row.latency_ms.p95) : "–",
          detail: t("reading.detail", { count: row.documents }),
        }))}
      />
      {failures.length > 0 && (
        <ul className={styles["failures"]}>
          {failures.map((error) => (
            <li key={error.code}>
              <code>{error.code}</code> {t("reading.failed", { count: error.documents })}
            </li>
          ))}
        </ul>
      )}
    </DataCard>
  );
}
