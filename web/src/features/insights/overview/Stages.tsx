import { useTranslation } from "react-i18next";

import type { Schemas } from "@/lib/api";
import { useFormats } from "@/lib/format";

import { DataCard } from "../parts/DataCard";
import { ShareBars } from "../parts/ShareBars";

type Latencies = Schemas["TotalOut"]["latency_ms"];

const STAGES = ["load", "understand", "retrieve", "generate", "total", "search"];

/** Where the time goes: each stage of an answer, and searches. */
export function Stages({ latencies, isTwoDays }: { latencies: Latencies; isTwoDays: boolean }) {
  const { t } = useTranslation("insights");
  const formats = useFormats();
  const rows = STAGES.flatMap((stage) => {
    const times = latencies[stage];
    return times === undefined ? [] : [{ stage, name: t(`stage.${stage}`), ...times }];
  });
  return (
    <DataCard
      title={t("stages.title")}
      lead={isTwoDays ? t("twoDays") : undefined}
      file="latency-stages"
      rows={rows}
      rowKey={(row) => row.stage}
      columns={[
        { key: "stage", title: t("stages.stage"), value: (row) => row.name },
        ...(["p50", "p95", "p99"] as const).map((quantile) => ({
          key: quantile,
          title: quantile,
          numeric: true,
          value: (row: (typeof rows)[number]) => row[quantile],
          shown: (row: (typeof rows)[number]) => formats.milliseconds(row[quantile]),
        })),
      ]}
    >
      <ShareBars
        tone={3}
        bars={rows.map((row) => ({
          key: row.stage,
          name: row.name,
          value: row.p95,
          shown: formats.milliseconds(row.p95),
          detail: t("stages.detail", {
            p50: formats.milliseconds(row.p50),
            p99: formats.milliseconds(row.p99),
          }),
        }))}
      />
    </DataCard>
  );
}
