import { BellRing, CircleCheck } from "lucide-react";
import { useTranslation } from "react-i18next";

import { Button } from "@/components/Button";
import { Badge, ErrorNote } from "@/components/Notes";
import { Card } from "@/components/Page";
import { Said } from "@/components/Said";
import { useToasts } from "@/components/Toasts";
import { useFormats } from "@/lib/format";
import { useSession } from "@/lib/session";

import { useAlertDeeds, useAlertHistory, useAlerts, type Alert } from "../api/system";
import styles from "../insights.module.css";
import { measured } from "./measured";

export const SEVERITY_TONES = { info: "neutral", warning: "warn", critical: "bad" } as const;

/** What is wrong now, and what was. */
export function Alerts({ refresh }: { refresh: number | false }) {
  const { t } = useTranslation("insights");
  const formats = useFormats();
  const { data: listed, error, refetch } = useAlerts(refresh);
  const { data: history } = useAlertHistory();
  return (
    <Card title={t("alerts.title")}>
      {error && <ErrorNote error={error} onRetry={() => void refetch()} />}
      <div role="status">
        {listed?.alerts.length === 0 && (
          <p className={styles["fine"]}>
            <CircleCheck aria-hidden="true" /> {t("alerts.none")}
          </p>
        )}
      </div>
      <ul className={styles["list"]}>
        {listed?.alerts.map((alert) => (
          <AlertLine key={alert.id} alert={alert} />
        ))}
      </ul>
      {history !== undefined && history.alerts.length > 0 && (
        <details>
          <summary>{t("alerts.history", { count: history.total })}</summary>
          <ul className={styles["list"]}>
            {history.alerts.map((alert) => (
              <li key={alert.id} className={styles["line"]}>
                <div>
                  <strong dir="auto">{alert.rule}</strong>
                  <span className={styles["soft"]}>
                    {formats.dateTime(alert.started_at)} –{" "}
                    {alert.resolved_at === null ? "" : formats.dateTime(alert.resolved_at)}
                  </span>
                </div>
                <Badge tone={SEVERITY_TONES[alert.severity]}>{t(`severity.${alert.severity}`)}</Badge>
              </li>
            ))}
          </ul>
        </details>
      )}
    </Card>
  );
}

function AlertLine({ alert }: { alert: Alert }) {
  const { t } = useTranslation("insights");
  const formats = useFormats();
  const { can } = useSession();
  const tell = useToasts();
  const { acknowledge } = useAlertDeeds();
  const number = (value: number) => measured(formats, alert.signal, value);
  return (
    <li className={styles["alert"]} data-severity={alert.severity}>
      <div className={styles["chips"]}>
        <BellRing aria-hidden="true" />
        <strong dir="auto">{alert.rule}</strong>
        <Badge tone={SEVERITY_TONES[alert.severity]}>{t(`severity.${alert.severity}`)}</Badge>
        {alert.state === "pending" && <Badge>{t("alerts.pending")}</Badge>}
        {alert.silence && (
          <Badge>{t("rules.silent", { until: formats.dateTime(alert.silence.until) })}</Badge>
        )}
      </div>
      <p>
        {t("alerts.value", { value: number(alert.value), threshold: number(alert.threshold) })} ·{" "}
        {t("alerts.since", { since: formats.relative(alert.started_at) })}
      </p>
      {alert.summary && (
        <p>
          <Said text={alert.summary} />
        </p>
      )}
      {alert.remedy && (
        <p className={styles["soft"]}>
          <Said text={alert.remedy} />
        </p>
      )}
      {alert.acknowledged_at !== null ? (
        <p className={styles["soft"]}>
          {t("alerts.acknowledged", {
            who: alert.acknowledged_by ?? "",
            at: formats.dateTime(alert.acknowledged_at),
          })}
        </p>
      ) : (
        can("alerts:manage") && (
          <Button
            size="small"
            busy={acknowledge.isPending}
            onClick={() => acknowledge.mutate(alert.id, { onError: tell.failed })}
          >
            {t("alerts.acknowledge")}
          </Button>
        )
      )}
    </li>
  );
}
