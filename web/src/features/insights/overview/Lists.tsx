import { useTranslation } from "react-i18next";
import { Link } from "react-router";

import { useFormats } from "@/lib/format";
import { useRungs } from "@/lib/rungs";

import type { Report } from "../api/analytics";
import { share } from "../data/totals";
import { DataCard } from "../parts/DataCard";
import { rate } from "../parts/labels";
import { ShareBars } from "../parts/ShareBars";

interface Props {
  report: Report;
}

export function Languages({ report }: Props) {
  const { t } = useTranslation("insights");
  const formats = useFormats();
  return (
    <DataCard
      title={t("languages.title")}
      file="languages"
      rows={report.languages}
      rowKey={(row) => row.language}
      columns={[
        {
          key: "language",
          title: t("languages.language"),
          value: (row) => row.language,
          shown: (row) => formats.languageName(row.language),
        },
        { key: "questions", title: t("figure.questions"), numeric: true, value: (row) => row.questions },
        { key: "answered", title: t("chart.answered"), numeric: true, value: (row) => row.answered },
        { key: "refused", title: t("chart.refused"), numeric: true, value: (row) => row.refused },
        {
          key: "satisfaction",
          title: t("figure.satisfaction"),
          numeric: true,
          value: (row) => row.satisfaction,
          shown: (row) => rate(formats, row.satisfaction),
        },
        {
          key: "p95",
          title: "p95",
          numeric: true,
          value: (row) => row.latency_ms?.p95,
          shown: (row) => (row.latency_ms ? formats.milliseconds(row.latency_ms.p95) : "–"),
        },
      ]}
    >
      <ShareBars
        bars={report.languages.map((row) => ({
          key: row.language,
          name: formats.languageName(row.language),
          value: row.questions,
          shown: formats.number(row.questions),
          detail: t("languages.detail", { share: rate(formats, share(row.answered, row.questions)) }),
        }))}
      />
    </DataCard>
  );
}

export function Rungs({ report }: Props) {
  const { t } = useTranslation("insights");
  const formats = useFormats();
  const said = useRungs();
  return (
    <DataCard
      title={t("rungs.title")}
      lead={t("rungs.lead")}
      file="degraded"
      rows={report.degraded_rungs}
      rowKey={(row) => row.rung}
      empty={t("rungs.none")}
      columns={[
        { key: "rung", title: t("rungs.rung"), value: (row) => row.rung, shown: (row) => said(row.rung) },
        { key: "answers", title: t("rungs.answers"), numeric: true, value: (row) => row.answers },
      ]}
    >
      <ShareBars
        tone={2}
        bars={report.degraded_rungs.map((row) => ({
          key: row.rung,
          name: said(row.rung),
          value: row.answers,
          shown: formats.number(row.answers),
        }))}
      />
    </DataCard>
  );
}

export function TopDocuments({ report }: Props) {
  const { t } = useTranslation("insights");
  const formats = useFormats();
  return (
    <DataCard
      title={t("documents.title")}
      file="cited-documents"
      rows={report.top_documents}
      rowKey={(row) => row.document_id}
      empty={t("documents.none")}
      columns={[
        { key: "title", title: t("documents.document"), value: (row) => row.title },
        { key: "answers", title: t("documents.answers"), numeric: true, value: (row) => row.answers },
        { key: "id", title: "ID", minor: true, value: (row) => row.document_id },
      ]}
    >
      <ShareBars
        bars={report.top_documents.slice(0, 8).map((row) => ({
          key: row.document_id,
          name: <Link to={`/documents/${row.document_id}`}>{row.title}</Link>,
          value: row.answers,
          shown: formats.number(row.answers),
        }))}
      />
    </DataCard>
  );
}
