import { useQuery } from "@tanstack/react-query";
import { FolderSync, Plus } from "lucide-react";
import { useState } from "react";
import { useTranslation } from "react-i18next";
import { Link, useSearchParams } from "react-router";

import { Button } from "@/components/Button";
import { Badge, Empty, ErrorNote } from "@/components/Notes";
import { Spinner } from "@/components/Spinner";
import { Pages, Table, type Column } from "@/components/Table";
import { useFormats } from "@/lib/format";
import { useChatbot } from "@/lib/session";

import { AreaPage } from "../AreaPage";
import shared from "../documents.module.css";
import type { Connector } from "../types";
import { connectorsQuery, ON_A_PAGE } from "./api";
import { ConnectorDialog } from "./ConnectorDialog";
import { intervalName } from "./intervals";
import { SourceDeeds } from "./SourceDeeds";
import { Counts, SyncState } from "./SyncState";

export function SourcesPage() {
  const { t } = useTranslation("documents");
  const { chatbot } = useChatbot();
  const [query, setQuery] = useSearchParams();
  const [adding, setAdding] = useState(false);
  const offset = Math.max(0, Math.trunc(Number(query.get("offset")) || 0));
  const { data, error, refetch } = useQuery({
    ...connectorsQuery(chatbot?.id ?? "", offset),
    enabled: chatbot !== null,
  });
  const columns = useColumns();
  const add = (
    <Button look="primary" icon={<Plus aria-hidden />} onClick={() => setAdding(true)}>
      {t("sources.add")}
    </Button>
  );
  return (
    <AreaPage title={t("parts.sources")} lead={t("sources.lead")} actions={data?.total !== 0 && add}>
      {error && <ErrorNote error={error} onRetry={() => void refetch()} />}
      {data === undefined && !error && <Spinner />}
      {data?.total === 0 && (
        <Empty icon={<FolderSync />} title={t("sources.none")} action={add}>
          {t("sources.noneHint")}
        </Empty>
      )}
      {data !== undefined && data.total > 0 && (
        <>
          <Table
            caption={t("parts.sources")}
            columns={columns}
            rows={data.connectors}
            rowKey={({ id }) => id}
          />
          <Pages
            total={data.total}
            limit={ON_A_PAGE}
            offset={offset}
            onOffset={(next) => setQuery(next === 0 ? {} : { offset: String(next) })}
          />
        </>
      )}
      {adding && <ConnectorDialog connector={null} onClose={() => setAdding(false)} />}
    </AreaPage>
  );
}

function useColumns(): readonly Column<Connector>[] {
  const { t } = useTranslation("documents");
  const formats = useFormats();
  return [
    {
      key: "name",
      title: t("imports.name"),
      cell: (row) => (
        <div className={shared["titleCell"]}>
          <Link to={`/documents/sources/${row.id}`} dir="auto">
            {row.name}
          </Link>
          <bdi className={shared["small"]}>{row.origin}</bdi>
        </div>
      ),
    },
    {
      key: "kind",
      title: t("sources.kind"),
      minor: true,
      cell: (row) => t(`sources.kindName.${row.kind}`, { defaultValue: row.kind }),
    },
    {
      key: "state",
      title: t("column.state"),
      cell: (row) => (
        <div className={shared["stateCell"]}>
          {row.is_paused && <Badge tone="warn">{t("sources.paused")}</Badge>}
          {row.last_sync && <SyncState sync={row.last_sync} />}
        </div>
      ),
    },
    {
      key: "last",
      title: t("sources.lastSync"),
      cell: (row) =>
        row.last_sync && (
          <>
            {formats.relative(row.last_sync.finished_at ?? row.last_sync.created_at)}
            <Counts counts={row.last_sync.counts} />
          </>
        ),
    },
    {
      key: "next",
      title: t("sources.nextSync"),
      minor: true,
      cell: (row) => (
        <>
          {row.next_sync_at && !row.is_paused ? formats.relative(row.next_sync_at) : "–"}
          <br />
          <span className={shared["small"]}>
            {intervalName(t, row.interval_s)}
            {row.is_watched && ` · ${t("sources.watched")}`}
          </span>
        </>
      ),
    },
    { key: "deeds", title: t("column.deeds"), cell: (row) => <SourceDeeds connector={row} small /> },
  ];
}
