import { useQuery } from "@tanstack/react-query";
import { useState } from "react";
import { useTranslation } from "react-i18next";

import { Empty, ErrorNote } from "@/components/Notes";
import { Spinner } from "@/components/Spinner";
import { Pages } from "@/components/Table";
import { useFormats } from "@/lib/format";

import { HISTORY_ON_A_PAGE, historyQuery } from "../api";
import shared from "../documents.module.css";
import { useActorName } from "../people";
import styles from "./document.module.css";

const KNOWN = [
  "uploaded",
  "labelled",
  "read_again",
  "restored",
  "retried",
  "cancelled",
  "approved",
  "rejected",
  "downloaded",
  "deleted",
] as const;

/** Who uploaded, changed, decided on or downloaded it. */
export function History({ id }: { id: string }) {
  const { t } = useTranslation("documents");
  const formats = useFormats();
  const nameOf = useActorName();
  const [offset, setOffset] = useState(0);
  const { data, error, refetch } = useQuery(historyQuery(id, offset));
  const nameOfAction = (action: string) => {
    const known = KNOWN.find((each) => action === `document.${each}`);
    return known === undefined ? action : t(`history.${known}`);
  };
  if (error) {
    return <ErrorNote error={error} onRetry={() => void refetch()} />;
  }
  if (data === undefined) {
    return <Spinner />;
  }
  return (
    <div className={shared["stack"]}>
      {data.events.length === 0 && <Empty title={t("history.none")} />}
      <ol className={styles["history"]}>
        {data.events.map((event) => (
          <li key={event.id}>
            <time dateTime={event.created_at}>{formats.dateTime(event.created_at)}</time>
            <div>
              <strong>{nameOfAction(event.action)}</strong> · <bdi>{nameOf(event.actor)}</bdi>
              <Details details={event.details} />
            </div>
          </li>
        ))}
      </ol>
      <Pages total={data.total} limit={HISTORY_ON_A_PAGE} offset={offset} onOffset={setOffset} />
    </div>
  );
}

function Details({ details }: { details: Readonly<Record<string, unknown>> }) {
  const shown = Object.entries(details).filter(([, value]) => value !== null && value !== "");
  return shown.length === 0 ? null : (
    <p className={shared["small"]} dir="auto">
      {shown
        .map(([name, value]) => `${name}: ${typeof value === "string" ? value : JSON.stringify(value)}`)
        .join(" · ")}
    </p>
  );
}
