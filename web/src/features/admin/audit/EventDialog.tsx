import { useTranslation } from "react-i18next";

import { Dialog } from "@/components/Dialog";
import { Table } from "@/components/Table";
import { useFormats } from "@/lib/format";

import styles from "../admin.module.css";
import { Copyable } from "../parts/SecretDialog";
import type { AuditEvent } from "./api";
import { partsOf } from "./details";

/** All that is known of one event; of a change what was before and after. */
export function EventDialog({ event, onClose }: { event: AuditEvent; onClose: () => void }) {
  const { t } = useTranslation("admin");
  const { date } = useFormats();
  const { changes, rest } = partsOf(event.details);
  const facts: readonly (readonly [string, string])[] = [
    ["when", date(event.created_at, { dateStyle: "full", timeStyle: "long" })],
    ["who", [event.actor_name, event.actor].filter(Boolean).join(" · ")],
    ["subject", [event.subject_type, event.subject_id].filter(Boolean).join(" ")],
    ["address", event.address],
    ["agent", event.user_agent],
    ["request", event.request_id],
    ["place", event.sequence === null ? t("audit.waits") : String(event.sequence)],
    ["hash", event.hash ?? ""],
  ];
  return (
    <Dialog title={event.action} look="side" onClose={onClose}>
      <div className={styles["stack"]}>
        <dl className={styles["facts"]}>
          {facts
            .filter(([, value]) => value !== "")
            .map(([name, value]) => (
              <FactRow key={name} name={t(`audit.${name}`)} value={value} />
            ))}
        </dl>
        {changes.length > 0 && (
          <Table
            caption={t("audit.changes")}
            rows={changes}
            rowKey={(change) => change.name}
            columns={[
              {
                key: "name",
                title: t("audit.field"),
                cell: (change) => <code dir="ltr">{change.name}</code>,
              },
              { key: "before", title: t("audit.before"), cell: (change) => <bdi>{change.before}</bdi> },
              { key: "after", title: t("audit.after"), cell: (change) => <bdi>{change.after}</bdi> },
            ]}
          />
        )}
        {Object.keys(rest).length > 0 && <Copyable text={JSON.stringify(rest, null, 2)} />}
      </div>
    </Dialog>
  );
}

function FactRow({ name, value }: { name: string; value: string }) {
  return (
    <>
      <dt>{name}</dt>
      <dd dir="auto">{value}</dd>
    </>
  );
}
