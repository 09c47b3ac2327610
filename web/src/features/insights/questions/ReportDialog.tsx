import { Download } from "lucide-react";
import { useTranslation } from "react-i18next";
import { Link } from "react-router";

import { Dialog } from "@/components/Dialog";
import { Badge, ErrorNote } from "@/components/Notes";
import { Spinner } from "@/components/Spinner";
import type { Schemas } from "@/lib/api";
import { useFormats } from "@/lib/format";

import { useReportOf, type ReportOut } from "../api/feedback";
import styles from "../insights.module.css";

export function ReportDialog({ reportId, onClose }: { reportId: string; onClose: () => void }) {
  const { t } = useTranslation("insights");
  const { data: report, error } = useReportOf(reportId);
  return (
    <Dialog title={t("report.title")} look="wide" onClose={onClose}>
      {error && <ErrorNote error={error} />}
      {report ? <Contents report={report} /> : !error && <Spinner label={t("loading")} />}
    </Dialog>
  );
}

function Contents({ report }: { report: ReportOut }) {
  const { t } = useTranslation("insights");
  const formats = useFormats();
  const topics = report.topics ?? [];
  const misleading = report.misleading ?? [];
  return (
    <div className={styles["stack"]}>
      <p>
        {t("report.sum", {
          asked: formats.number(report.asked ?? 0),
          unanswered: formats.number(report.unanswered ?? 0),
          up: formats.number(report.up ?? 0),
          down: formats.number(report.down ?? 0),
        })}
      </p>
      <a
        href={`/api/chatbot/reports/${report.id}/?format=markdown`}
        download={`report-${report.last_day}.md`}
      >
        <Download aria-hidden="true" className={styles["inlineIcon"]} /> {t("report.download")}
      </a>
      {topics.length === 0 && <p>{t("report.nothing")}</p>}
      <ol className={styles["topics"]}>
        {topics.map((topic, at) => (
          <Topic key={at} topic={topic} />
        ))}
      </ol>
      {misleading.length > 0 && (
        <section>
          <h3>{t("report.misleading")}</h3>
          <p className={styles["soft"]}>{t("report.misleadingLead")}</p>
          <DocumentList documents={misleading} />
        </section>
      )}
    </div>
  );
}

const TONES = { missing: "warn", bad: "bad", fine: "good" } as const;

function Topic({ topic }: { topic: Schemas["TopicOut"] }) {
  const { t } = useTranslation("insights");
  const kind = topic.kind === "missing" || topic.kind === "bad" ? topic.kind : "fine";
  return (
    <li className={styles["topic"]}>
      <h3 dir="auto">{topic.label ?? t("queries.noText")}</h3>
      <p className={styles["chips"]}>
        <Badge tone={TONES[kind]}>{t(`report.${kind}`)}</Badge>
        <span>{t("report.asked", { count: topic.asked })}</span>
        <span>{t("report.unanswered", { count: topic.unanswered })}</span>
        <span>{t("report.ratings", { up: topic.up, down: topic.down })}</span>
      </p>
      {topic.suggestion !== "" && (
        <p dir="auto">
          <strong>{t("report.todo")}</strong> {topic.suggestion}
        </p>
      )}
      {topic.examples.length > 1 && (
        <ul className={styles["examples"]}>
          {topic.examples.map((example) => (
            <li key={example} dir="auto">
              {example}
            </li>
          ))}
        </ul>
      )}
      {topic.documents.length > 0 && <DocumentList documents={topic.documents} />}
    </li>
  );
}

function DocumentList({ documents }: { documents: readonly Schemas["ReportDocumentOut"][] }) {
  const { t } = useTranslation("insights");
  const formats = useFormats();
  return (
    <ul className={styles["examples"]}>
      {documents.map((document) => (
        <li key={document.document_id}>
          {document.title === null ? (
            t("report.deleted")
          ) : (
            <Link dir="auto" to={`/documents/${document.document_id}`}>
              {document.title}
            </Link>
          )}
          {document.down > 0 && ` · ${t("report.ratedDown", { count: document.down })}`}
          {document.pages.length > 0 &&
            ` · ${t("report.pages", { pages: formats.list(document.pages.map((page) => formats.number(page))) })}`}
        </li>
      ))}
    </ul>
  );
}
