import { Download, Trash2 } from "lucide-react";
import { useState } from "react";
import { useTranslation } from "react-i18next";

import { Button, IconButton } from "@/components/Button";
import { Badge, Empty, ErrorNote } from "@/components/Notes";
import { useFormats } from "@/lib/format";

import styles from "../admin.module.css";
import { Listing } from "../parts/Listing";
import { useDeed } from "../parts/useDeed";
import { archiveAddress, removeArchive, REQUESTS, useRequests, type PrivacyRequest } from "./api";

const TONES = {
  waiting: "neutral",
  running: "accent",
  done: "good",
  failed: "bad",
  expired: "neutral",
} as const;

export function RequestTable() {
  const { t } = useTranslation("admin");
  const formats = useFormats();
  const [offset, setOffset] = useState(0);
  const remove = useDeed(removeArchive, { refresh: [REQUESTS], done: t("privacy.archiveRemoved") });
  return (
    <>
      {remove.error && <ErrorNote error={remove.error} />}
      <Listing
        query={useRequests(offset)}
        rowsOf={(answer) => answer.requests}
        rowKey={(each) => each.id}
        caption={t("privacy.title")}
        empty={<Empty title={t("privacy.none")}>{t("privacy.noneHint")}</Empty>}
        offset={offset}
        onOffset={setOffset}
        columns={[
          { key: "kind", title: t("privacy.what"), cell: (each) => t(`privacy.${each.kind}`) },
          {
            key: "who",
            title: t("privacy.who"),
            cell: (each) => (
              <span className={styles["name"]}>
                {t(`privacy.kinds.${each.subject_kind}`)}
                <small dir="ltr">{each.subject_id}</small>
              </span>
            ),
          },
          {
            key: "state",
            title: t("state"),
            cell: (each) => (
              <span className={styles["name"]}>
                <span>
                  <Badge tone={TONES[each.state]}>{t(`privacy.states.${each.state}`)}</Badge>
                </span>
                <small dir="auto">{each.error ?? found(each, formats.number, t("privacy.found"))}</small>
              </span>
            ),
          },
          {
            key: "at",
            title: t("privacy.asked"),
            minor: true,
            cell: (each) => (
              <span className={styles["name"]}>
                {formats.dateTime(each.created_at)}
                <small dir="auto">{each.requested_by}</small>
              </span>
            ),
          },
          {
            key: "archive",
            title: t("deeds"),
            cell: (each) =>
              each.size_bytes !== null && (
                <div className={styles["end"]}>
                  <Button
                    size="small"
                    icon={<Download />}
                    onClick={() => window.location.assign(archiveAddress(each.id))}
                  >
                    {t("privacy.download", { size: formats.bytes(each.size_bytes) })}
                  </Button>
                  <IconButton
                    size="small"
                    label={t("privacy.removeArchive")}
                    icon={<Trash2 />}
                    onClick={() => remove.mutate(each.id)}
                  />
                </div>
              ),
          },
        ]}
      />
    </>
  );
}

function found(request: PrivacyRequest, number: (value: number) => string, what: string): string {
  const total = Object.values(request.counts).reduce((sum, count) => sum + count, 0);
  return request.state === "done" ? `${what} ${number(total)}` : request.step;
}
