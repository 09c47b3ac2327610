import { Sparkles } from "lucide-react";
import { useState } from "react";
import { useTranslation } from "react-i18next";

import { Button } from "@/components/Button";
import { Badge, ErrorNote } from "@/components/Notes";
import { Card } from "@/components/Page";
import { Spinner } from "@/components/Spinner";
import { useToasts } from "@/components/Toasts";
import { useFormats } from "@/lib/format";

import { useMakeReport, useReports, type ReportSummary } from "../api/feedback";
import styles from "../insights.module.css";
import type { View } from "../view";
import { ReportDialog } from "./ReportDialog";

/** The improvement reports: what to add and what to mend. */
export function Reports({ view }: { view: View }) {
  const { t } = useTranslation("insights");
  const tell = useToasts();
  const { data: listed, error, refetch } = useReports(view.chatbotId, true);
  const make = useMakeReport(view);
  const [opened, setOpened] = useState<string | null>(null);
  return (
    <Card
      title={t("reports.title")}
      actions={
        <Button
          size="small"
          icon={<Sparkles />}
          busy={make.isPending}
          onClick={() =>
            make.mutate(undefined, { onSuccess: () => tell.done(t("reports.begun")), onError: tell.failed })
          }
        >
          {t("reports.make")}
        </Button>
      }
    >
      <p className={styles["soft"]}>{t("reports.lead")}</p>
      {error && <ErrorNote error={error} onRetry={() => void refetch()} />}
      {listed?.reports.length === 0 && <p className={styles["nothing"]}>{t("reports.none")}</p>}
      <ul className={styles["list"]}>
        {listed?.reports.map((report) => (
          <ReportLine key={report.id} report={report} onOpen={() => setOpened(report.id)} />
        ))}
      </ul>
      {opened !== null && <ReportDialog reportId={opened} onClose={() => setOpened(null)} />}
    </Card>
  );
}

function ReportLine({ report, onOpen }: { report: ReportSummary; onOpen: () => void }) {
  const { t } = useTranslation("insights");
  const formats = useFormats();
  const day = (text: string) => formats.date(text, { dateStyle: "medium", timeZone: "UTC" });
  const days = t("reports.days", { first: day(report.first_day), last: day(report.last_day) });
  return (
    <li className={styles["line"]}>
      <div>
        <strong>{days}</strong>
        <span className={styles["soft"]}>
          {t(report.is_scheduled ? "reports.scheduled" : "reports.asked", {
            at: formats.dateTime(report.created_at),
          })}
        </span>
        {report.error && <span className={styles["bad"]}>{report.error}</span>}
      </div>
      {report.state === "ready" ? (
        <Button size="small" aria-label={t("reports.openOf", { days })} onClick={onOpen}>
          {t("reports.open")}
        </Button>
      ) : report.state === "failed" ? (
        <Badge tone="bad">{t("reports.failed")}</Badge>
      ) : (
        <Spinner label={t("reports.writing")} />
      )}
    </li>
  );
}
