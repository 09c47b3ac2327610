import { useQuery } from "@tanstack/react-query";
import { useState } from "react";
import { useTranslation } from "react-i18next";
import { Link } from "react-router";

import { Button } from "@/components/Button";
import { Confirm } from "@/components/Dialog";
import { Select } from "@/components/Field";
import { Badge, ErrorNote, Note } from "@/components/Notes";
import { Spinner } from "@/components/Spinner";
import { Pages, Table, type Column } from "@/components/Table";
import { useToasts } from "@/components/Toasts";
import type { Schemas } from "@/lib/api";
import { useFormats } from "@/lib/format";

import shared from "../documents.module.css";
import { isOneOf } from "../types";
import { connectorDeeds, ON_A_PAGE, reportQuery, useConnectorDeed } from "./api";
import { Counts, OUTCOMES, SyncState } from "./SyncState";

type Entry = Schemas["SyncReport"]["items"][number];
const LISTED = OUTCOMES.filter((outcome) => outcome !== "unchanged");
const TONES = {
  new: "good",
  changed: "accent",
  vanished: "warn",
  kept: "neutral",
  failed: "bad",
  skipped: "neutral",
  unchanged: "neutral",
} as const;

interface Props {
  connectorId: string;
  syncId: string;
}

/** What a sync did, item by item, and why something failed or was left out. */
export function SyncReport({ connectorId, syncId }: Props) {
  const { t } = useTranslation("documents");
  const formats = useFormats();
  const [outcome, setOutcome] = useState<(typeof LISTED)[number] | null>(null);
  const [offset, setOffset] = useState(0);
  const { data, error, refetch } = useQuery(reportQuery(connectorId, syncId, outcome, offset));
  const columns = useColumns();
  if (error) {
    return <ErrorNote error={error} onRetry={() => void refetch()} />;
  }
  if (data === undefined) {
    return <Spinner />;
  }
  return (
    <div className={shared["stack"]}>
      <div className={shared["row"]} role="status">
        <SyncState sync={data} />
        {data.duration_s !== null && (
          <span className={shared["small"]}>{formats.milliseconds(data.duration_s * 1000)}</span>
        )}
      </div>
      <Counts counts={data.counts} />
      {data.notes.map((note, at) => (
        <Note key={at} tone="warn">
          <p dir="auto">{note}</p>
        </Note>
      ))}
      {data.notes.length > 0 && (data.counts["kept"] ?? 0) > 0 && <MassDeletion connectorId={connectorId} />}
      <Select
        label={t("sync.show")}
        value={outcome ?? ""}
        onChange={({ target }) => {
          setOutcome(isOneOf(LISTED, target.value) ? target.value : null);
          setOffset(0);
        }}
        options={[
          { value: "", label: t("sync.all") },
          ...LISTED.map((value) => ({ value, label: t(`sync.outcome.${value}`) })),
        ]}
      />
      {data.total === 0 ? (
        <p className={shared["small"]}>{t("sync.nothing")}</p>
      ) : (
        <Table
          caption={t("sync.report")}
          columns={columns}
          rows={data.items}
          rowKey={({ key, outcome: what }) => `${key} ${what}`}
        />
      )}
      <Pages total={data.total} limit={ON_A_PAGE} offset={offset} onOffset={setOffset} />
    </div>
  );
}

function useColumns(): readonly Column<Entry>[] {
  const { t } = useTranslation("documents");
  return [
    {
      key: "item",
      title: t("sync.item"),
      cell: (row) => (
        <div className={shared["titleCell"]}>
          {row.document_id === null ? (
            <bdi>{row.key}</bdi>
          ) : (
            <Link to={`/documents/${row.document_id}`}>
              <bdi>{row.key}</bdi>
            </Link>
          )}
        </div>
      ),
    },
    {
      key: "outcome",
      title: t("sync.happened"),
      cell: (row) => <Badge tone={TONES[row.outcome]}>{t(`sync.outcome.${row.outcome}`)}</Badge>,
    },
    { key: "reason", title: t("jobs.reason"), cell: (row) => <span dir="auto">{row.reason}</span> },
  ];
}

/** The sync deleted nothing because too much was gone; a person may mean it. */
function MassDeletion({ connectorId }: { connectorId: string }) {
  const { t } = useTranslation("documents");
  const tell = useToasts();
  const [asking, setAsking] = useState(false);
  const sync = useConnectorDeed(() => connectorDeeds.sync(connectorId, true));
  return (
    <div>
      <Button look="danger" size="small" onClick={() => setAsking(true)}>
        {t("sync.massDeletion")}
      </Button>
      {asking && (
        <Confirm
          title={t("sync.massDeletion")}
          deed={t("sync.massDeletion")}
          busy={sync.isPending}
          onClose={() => setAsking(false)}
          onConfirm={() =>
            sync.mutate(undefined, {
              onSuccess: () => tell.done(t("sources.syncing")),
              onError: tell.failed,
              onSettled: () => setAsking(false),
            })
          }
        >
          <p>{t("sync.massDeletionMeans")}</p>
        </Confirm>
      )}
    </div>
  );
}
