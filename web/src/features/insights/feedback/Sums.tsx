import { useTranslation } from "react-i18next";

import { ErrorNote } from "@/components/Notes";
import { useFormats } from "@/lib/format";

import { useFeedbackSums } from "../api/feedback";
import styles from "../insights.module.css";
import { DataCard } from "../parts/DataCard";
import { Figure, Figures } from "../parts/Figure";
import { rate } from "../parts/labels";
import { ShareBars } from "../parts/ShareBars";
import type { View } from "../view";

export function Sums({ view }: { view: View }) {
  const { t } = useTranslation("insights");
  const formats = useFormats();
  const { data: sums, error, refetch } = useFeedbackSums(view);
  if (error) {
    return <ErrorNote error={error} onRetry={() => void refetch()} />;
  }
  if (sums === undefined) {
    return null;
  }
  const reasons = Object.entries(sums.by_reason)
    .map(([reason, count]) => ({ reason, count, name: t(`reason.${reason}`, { defaultValue: reason }) }))
    .sort((a, b) => b.count - a.count);
  return (
    <>
      <Figures>
        <Figure
          name={t("figure.satisfaction")}
          value={rate(formats, sums.satisfaction_rate)}
          detail={
            sums.satisfaction_low === null || sums.satisfaction_high === null
              ? undefined
              : t("feedback.interval", {
                  low: formats.percent(sums.satisfaction_low),
                  high: formats.percent(sums.satisfaction_high),
                })
          }
        />
        <Figure name={t("filter.up")} value={formats.number(sums.up)} />
        <Figure name={t("filter.down")} value={formats.number(sums.down)} />
        <Figure name={t("feedback.open")} value={formats.number(sums.corrections["open"] ?? 0)} />
      </Figures>
      {sums.total > 0 && (
        <div className={styles["two"]}>
          <DataCard
            title={t("feedback.reasons")}
            file="feedback-reasons"
            rows={reasons}
            rowKey={(row) => row.reason}
            columns={[
              { key: "reason", title: t("filter.reason"), value: (row) => row.name },
              { key: "count", title: t("feedback.count"), numeric: true, value: (row) => row.count },
            ]}
          >
            <ShareBars
              tone={2}
              bars={reasons.map((row) => ({
                key: row.reason,
                name: row.name,
                value: row.count,
                shown: formats.number(row.count),
              }))}
            />
          </DataCard>
          <DataCard
            title={t("feedback.documents")}
            file="feedback-documents"
            rows={sums.by_document}
            rowKey={(row) => row.key}
            columns={[
              {
                key: "title",
                title: t("documents.document"),
                value: (row) => row.title ?? t("report.deleted"),
              },
              { key: "up", title: t("filter.up"), numeric: true, value: (row) => row.up },
              { key: "down", title: t("filter.down"), numeric: true, value: (row) => row.down },
            ]}
          />
        </div>
      )}
    </>
  );
}
