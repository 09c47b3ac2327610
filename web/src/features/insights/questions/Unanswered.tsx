import { useTranslation } from "react-i18next";
import { Link } from "react-router";

import { useFormats } from "@/lib/format";
import { useRungs } from "@/lib/rungs";
import { useSession } from "@/lib/session";

import type { Report } from "../api/analytics";
import { DataCard } from "../parts/DataCard";

/** The newest questions that got no answer. */
export function Unanswered({ report }: { report: Report }) {
  const { t } = useTranslation("insights");
  const formats = useFormats();
  const said = useRungs();
  const { can } = useSession();
  return (
    <DataCard
      title={t("unanswered.title")}
      lead={t("unanswered.lead")}
      file="unanswered"
      rows={report.unanswered}
      rowKey={(row) => row.message_id}
      empty={t(report.query_log === "off" ? "queries.notKept" : "unanswered.none")}
      columns={[
        {
          key: "question",
          title: t("unanswered.question"),
          value: (row) => row.question,
          shown: (row) =>
            row.question === null ? (
              t("queries.noText")
            ) : can("explain") ? (
              <Link dir="auto" to={`/search?q=${encodeURIComponent(row.question)}`}>
                {row.question}
              </Link>
            ) : (
              <span dir="auto">{row.question}</span>
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
          key: "asked",
          title: t("unanswered.asked"),
          value: (row) => row.asked_at,
          shown: (row) => formats.dateTime(row.asked_at),
        },
        {
          key: "degraded",
          title: t("unanswered.missed"),
          value: (row) => row.degraded.join(" "),
          shown: (row) => row.degraded.map(said).join(" "),
          minor: true,
        },
      ]}
    />
  );
}
