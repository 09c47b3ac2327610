import { useTranslation } from "react-i18next";
import { Link } from "react-router";

import type { Schemas } from "@/lib/api";
import { useFormats } from "@/lib/format";
import { useSession } from "@/lib/session";

import { DataCard } from "../parts/DataCard";
import { Figure, Figures } from "../parts/Figure";
import { ShareBars } from "../parts/ShareBars";

export function SearchFigures({ totals }: { totals: Schemas["CountsOut"] }) {
  const { t } = useTranslation("insights");
  const formats = useFormats();
  const percent = (value: number) => (totals.searches === 0 ? "–" : formats.percent(value));
  return (
    <Figures>
      <Figure name={t("searches.searches")} value={formats.number(totals.searches)} />
      <Figure
        name={t("searches.zero")}
        value={percent(totals.zero_result_rate)}
        detail={t("searches.count", { count: totals.zero_results })}
      />
      <Figure
        name={t("searches.unsure")}
        value={percent(totals.low_confidence_rate)}
        detail={t("searches.count", { count: totals.low_confidence })}
      />
      <Figure
        name={t("searches.clicked")}
        value={percent(totals.click_through_rate)}
        detail={t("searches.count", { count: totals.clicked_searches })}
      />
    </Figures>
  );
}

interface QueriesProps {
  title: string;
  lead?: string;
  file: string;
  rows: readonly Schemas["QueryOut"][];
}

export function Queries({ title, lead, file, rows }: QueriesProps) {
  const { t } = useTranslation("insights");
  const formats = useFormats();
  const { can } = useSession();
  return (
    <DataCard
      title={title}
      lead={lead}
      file={file}
      rows={rows}
      rowKey={(row) => row.query_id}
      columns={[
        {
          key: "query",
          title: t("queries.query"),
          value: (row) => row.query,
          shown: (row) =>
            row.query === null ? (
              t("queries.noText")
            ) : can("explain") ? (
              <Link dir="auto" to={`/search?q=${encodeURIComponent(row.query)}`}>
                {row.query}
              </Link>
            ) : (
              <span dir="auto">{row.query}</span>
            ),
        },
        {
          key: "language",
          title: t("languages.language"),
          value: (row) => row.language,
          shown: (row) => formats.languageName(row.language),
          minor: true,
        },
        {
          key: "searches",
          title: t("queries.times"),
          numeric: true,
          value: (row) => row.searches,
          shown: (row) => formats.number(row.searches),
        },
        {
          key: "zero",
          title: t("queries.zero"),
          numeric: true,
          value: (row) => row.zero_results,
          shown: (row) => formats.number(row.zero_results),
        },
        {
          key: "unsure",
          title: t("queries.unsure"),
          numeric: true,
          value: (row) => row.low_confidence,
          shown: (row) => formats.number(row.low_confidence),
        },
      ]}
    />
  );
}

export function OpenedDocuments({ rows }: { rows: readonly Schemas["OpenedOut"][] }) {
  const { t } = useTranslation("insights");
  const formats = useFormats();
  return (
    <DataCard
      title={t("opened.title")}
      file="opened-documents"
      rows={rows}
      rowKey={(row) => row.document_id}
      empty={t("opened.none")}
      columns={[
        { key: "title", title: t("documents.document"), value: (row) => row.title },
        { key: "clicks", title: t("opened.clicks"), numeric: true, value: (row) => row.clicks },
      ]}
    >
      <ShareBars
        tone={4}
        bars={rows.map((row) => ({
          key: row.document_id,
          name: <Link to={`/documents/${row.document_id}`}>{row.title}</Link>,
          value: row.clicks,
          shown: formats.number(row.clicks),
        }))}
      />
    </DataCard>
  );
}
