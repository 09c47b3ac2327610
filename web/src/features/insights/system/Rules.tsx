import { Bell, BellOff } from "lucide-react";
import { useState } from "react";
import { useTranslation } from "react-i18next";

import { Button } from "@/components/Button";
import { Dialog } from "@/components/Dialog";
import { Select, TextField } from "@/components/Field";
import { Badge, ErrorNote } from "@/components/Notes";
import { Card } from "@/components/Page";
import { Said } from "@/components/Said";
import { Table } from "@/components/Table";
import { useToasts } from "@/components/Toasts";
import { useFormats } from "@/lib/format";
import { useSession } from "@/lib/session";

import { useAlertDeeds, useAlertRules, type AlertRule } from "../api/system";
import styles from "../insights.module.css";
import { SEVERITY_TONES } from "./Alerts";
import { measured } from "./measured";

/** The rules by which alerts fire; each can be silenced for a while. */
export function Rules() {
  const { t } = useTranslation("insights");
  const formats = useFormats();
  const { can } = useSession();
  const tell = useToasts();
  const { data: listed, error, refetch } = useAlertRules();
  const { speak } = useAlertDeeds();
  const [silenced, setSilenced] = useState<AlertRule | null>(null);
  return (
    <Card title={t("rules.title")}>
      {error && <ErrorNote error={error} onRetry={() => void refetch()} />}
      <Table
        caption={t("rules.title")}
        rows={listed?.rules ?? []}
        rowKey={(rule) => rule.id}
        columns={[
          {
            key: "name",
            title: t("rules.rule"),
            cell: (rule) => (
              <>
                <strong dir="auto">{rule.name}</strong>
                {rule.summary && (
                  <small className={styles["under"]}>
                    <Said text={rule.summary} />
                  </small>
                )}
              </>
            ),
          },
          {
            key: "when",
            title: t("rules.when"),
            minor: true,
            cell: (rule) => (
              <span>
                <code>{rule.signal}</code>{" "}
                {t(`rules.${rule.fires === "below" ? "below" : "above"}`, {
                  threshold: measured(formats, rule.signal, rule.threshold),
                })}
              </span>
            ),
          },
          {
            key: "severity",
            title: t("rules.severity"),
            cell: (rule) => (
              <Badge tone={SEVERITY_TONES[rule.severity]}>{t(`severity.${rule.severity}`)}</Badge>
            ),
          },
          {
            key: "state",
            title: t("rules.state"),
            cell: (rule) =>
              !rule.is_enabled ? (
                <Badge>{t("rules.off")}</Badge>
              ) : rule.silence ? (
                <Badge>{t("rules.silent", { until: formats.dateTime(rule.silence.until) })}</Badge>
              ) : (
                <Badge tone="good">{t("rules.on")}</Badge>
              ),
          },
          ...(can("alerts:manage")
            ? [
                {
                  key: "deed",
                  title: t("rules.deed"),
                  cell: (rule: AlertRule) =>
                    rule.silence ? (
                      <Button
                        size="small"
                        icon={<Bell />}
                        aria-label={t("rules.speakOf", { rule: rule.name })}
                        onClick={() => speak.mutate(rule.id, { onError: tell.failed })}
                      >
                        {t("rules.speak")}
                      </Button>
                    ) : (
                      <Button
                        size="small"
                        icon={<BellOff />}
                        aria-label={t("rules.silenceOf", { rule: rule.name })}
                        onClick={() => setSilenced(rule)}
                      >
                        {t("rules.silence")}
                      </Button>
                    ),
                },
              ]
            : []),
        ]}
      />
      {silenced !== null && <SilenceDialog rule={silenced} onClose={() => setSilenced(null)} />}
    </Card>
  );
}

const MINUTES = [30, 60, 240, 1440, 10_080];

function SilenceDialog({ rule, onClose }: { rule: AlertRule; onClose: () => void }) {
  const { t } = useTranslation("insights");
  const { t: common } = useTranslation();
  const { silence } = useAlertDeeds();
  const [minutes, setMinutes] = useState(60);
  const [comment, setComment] = useState("");
  return (
    <Dialog
      title={t("silence.title", { rule: rule.name })}
      onClose={onClose}
      actions={
        <>
          <Button onClick={onClose}>{common("cancel")}</Button>
          <Button
            look="primary"
            busy={silence.isPending}
            onClick={() =>
              silence.mutate({ ruleId: rule.id, minutes, comment: comment.trim() }, { onSuccess: onClose })
            }
          >
            {t("rules.silence")}
          </Button>
        </>
      }
    >
      <div className={styles["stack"]}>
        <p>{t("silence.lead")}</p>
        <Select
          label={t("silence.for")}
          value={String(minutes)}
          options={MINUTES.map((each) => ({ value: String(each), label: t(`silence.m${each}`) }))}
          onChange={(event) => setMinutes(Number(event.target.value))}
        />
        <TextField
          label={t("silence.why")}
          value={comment}
          onChange={(event) => setComment(event.target.value)}
        />
        {silence.error && <ErrorNote error={silence.error} />}
      </div>
    </Dialog>
  );
}
