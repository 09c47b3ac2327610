import { useQuery } from "@tanstack/react-query";
import { RotateCcw } from "lucide-react";
import { useTranslation } from "react-i18next";
import { Link } from "react-router";

import { IconButton } from "@/components/Button";
import { Badge, Progress, useErrorText } from "@/components/Notes";
import { useFormats } from "@/lib/format";

import { statusQuery } from "../api";
import { useLive } from "../live/LiveProvider";
import { AskAbout, FailureReason, Working } from "../State";
import type { Item } from "./uploads";
import { useUploads } from "./UploadProvider";
import styles from "./upload.module.css";

export function UploadRow({ item }: { item: Item }) {
  const { t } = useTranslation("documents");
  return (
    <li className={styles["item"]}>
      <div className={styles["itemName"]}>
        {item.documentId === null ? (
          <bdi className={styles["fileName"]}>{item.name}</bdi>
        ) : (
          <Link to={`/documents/${item.documentId}`} className={styles["fileName"]}>
            <bdi>{item.name}</bdi>
          </Link>
        )}
      </div>
      {item.phase === "sending" && (
        <Progress label={t("panel.sendingFile", { name: item.name })} value={item.sent} />
      )}
      {item.phase === "waiting" && <Waiting item={item} />}
      {item.phase === "stopped" && <Refused item={item} />}
      {item.phase === "refused" && <Refused item={item} />}
      {item.phase === "duplicate" && <p className={styles["soft"]}>{t("panel.duplicate")}</p>}
      {item.phase === "accepted" && item.documentId !== null && <Read id={item.documentId} />}
    </li>
  );
}

function Waiting({ item }: { item: Item }) {
  const { t } = useTranslation("documents");
  const formats = useFormats();
  return (
    <p className={styles["soft"]}>
      {item.until === null
        ? t("panel.waits")
        : t("panel.waitsUntil", { time: formats.date(item.until, { timeStyle: "medium" }) })}
    </p>
  );
}

function Refused({ item }: { item: Item }) {
  const { t } = useTranslation("documents");
  const formats = useFormats();
  const text = useErrorText();
  const { retry } = useUploads();
  return (
    <div className={styles["refused"]}>
      <p dir="auto">
        {item.phase === "stopped" ? t("panel.stopped") : text(item.error)}
        {item.until !== null && ` ${t("panel.againFrom", { time: formats.dateTime(item.until) })}`}
      </p>
      <IconButton
        size="small"
        label={t("panel.sendAgain", { name: item.name })}
        icon={<RotateCcw />}
        onClick={() => retry([item.key])}
      />
    </div>
  );
}

/** How far the reading is: as it is told live, else asked for every few seconds. */
function Read({ id }: { id: string }) {
  const { t } = useTranslation("documents");
  const { rows, connected } = useLive();
  const live = rows.get(id);
  const { data: status } = useQuery({
    ...statusQuery(id),
    enabled: live === undefined || !connected,
    refetchInterval: ({ state }) =>
      state.data === undefined || state.data.state === "queued" || state.data.state === "processing"
        ? 3_000
        : false,
  });
  const ended = live?.phase === "over" ? live.outcome : live === undefined ? status?.state : undefined;
  if (ended === "failed") {
    return <FailureReason id={id} />;
  }
  if (ended === "ready" || ended === "replaced" || ended === "approved") {
    return (
      <div className={styles["row"]}>
        <Badge tone="good">{t("state.ready")}</Badge>
        <AskAbout id={id} />
      </div>
    );
  }
  if (ended === "pending" || ended === "cancelled" || ended === "rejected") {
    return <Badge tone="warn">{t(`state.${ended}`)}</Badge>;
  }
  return (
    <Working
      step={live?.step ?? status?.step ?? "waiting"}
      progress={live?.progress ?? status?.progress ?? 0}
    />
  );
}
