import { useTranslation } from "react-i18next";

import { Table } from "@/components/Table";
import { useFormats } from "@/lib/format";

import styles from "../admin.module.css";
import type { AuditEvent } from "./api";

export function EventTable({
  events,
  onShow,
}: {
  events: readonly AuditEvent[];
  onShow: (event: AuditEvent) => void;
}) {
  const { t } = useTranslation("admin");
  const { dateTime } = useFormats();
  return (
    <Table
      caption={t("audit.title")}
      rows={events}
      rowKey={(event) => event.id}
      columns={[
        { key: "at", title: t("audit.when"), cell: (event) => dateTime(event.created_at) },
        {
          key: "who",
          title: t("audit.who"),
          cell: (event) => <bdi>{event.actor_name || event.actor}</bdi>,
        },
        {
          key: "what",
          title: t("audit.what"),
          cell: (event) => (
            <button type="button" className={styles["plain"]} onClick={() => onShow(event)}>
              <code dir="ltr">{event.action}</code>
            </button>
          ),
        },
        {
          key: "subject",
          title: t("audit.subject"),
          minor: true,
          cell: (event) => (
            <span className={styles["small"]} dir="ltr">
              {event.subject_type} {event.subject_id?.slice(-8)}
            </span>
          ),
        },
        {
          key: "address",
          title: t("audit.address"),
          minor: true,
          cell: (event) => <span dir="ltr">{event.address}</span>,
        },
      ]}
    />
  );
}
