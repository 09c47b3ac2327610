import { useTranslation } from "react-i18next";

import { Button } from "@/components/Button";
import { ErrorNote } from "@/components/Notes";
import { Card } from "@/components/Page";
import { Table } from "@/components/Table";
import { useFormats } from "@/lib/format";

import styles from "../admin.module.css";
import { useDeed } from "../parts/useDeed";
import { INVITATIONS, useInvitations, withdraw } from "./api";

/** Links that nobody has used yet. Nothing where there are none. */
export function Invitations() {
  const { t } = useTranslation("admin");
  const formats = useFormats();
  const { data, error } = useInvitations();
  const deed = useDeed(withdraw, { refresh: [INVITATIONS], done: t("users.withdrawn") });
  if (error) {
    return <ErrorNote error={error} />;
  }
  if (!data?.invitations.length) {
    return null;
  }
  return (
    <Card title={t("users.open")}>
      {deed.error && <ErrorNote error={deed.error} />}
      <Table
        caption={t("users.open")}
        rows={data.invitations}
        rowKey={(row) => row.id}
        columns={[
          { key: "email", title: t("users.email"), cell: (row) => <bdi>{row.email}</bdi> },
          { key: "role", title: t("role"), cell: (row) => (row.role ? t(`roles.${row.role}`) : "–") },
          {
            key: "until",
            title: t("users.goodUntil"),
            cell: (row) => formats.dateTime(row.expires_at),
            minor: true,
          },
          {
            key: "deeds",
            title: t("deeds"),
            cell: (row) => (
              <div className={styles["end"]}>
                <Button
                  size="small"
                  aria-label={t("users.withdrawOf", { email: row.email })}
                  onClick={() => deed.mutate(row.id)}
                >
                  {t("users.withdraw")}
                </Button>
              </div>
            ),
          },
        ]}
      />
    </Card>
  );
}
