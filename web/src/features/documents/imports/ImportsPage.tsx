import { useQuery } from "@tanstack/react-query";
import { PackageOpen } from "lucide-react";
import { useState } from "react";
import { useTranslation } from "react-i18next";
import { Link, useSearchParams } from "react-router";

import { Badge, Empty, ErrorNote } from "@/components/Notes";
import { Spinner } from "@/components/Spinner";
import { Pages, Table, type Column } from "@/components/Table";
import { Tabs } from "@/components/Tabs";
import { useFormats } from "@/lib/format";
import { useChatbot } from "@/lib/session";

import { AreaPage } from "../AreaPage";
import shared from "../documents.module.css";
import type { BulkImport } from "../types";
import { importsQuery, ON_A_PAGE } from "./api";
import { ImportDeeds, ImportProgress } from "./ImportControls";
import { Jobs } from "./Jobs";

const TONES = { running: "accent", paused: "warn", cancelled: "neutral", finished: "good" } as const;

export function ImportState({ state }: { state: BulkImport["state"] }) {
  const { t } = useTranslation("documents");
  return <Badge tone={TONES[state]}>{t(`imports.state.${state}`)}</Badge>;
}

export function ImportsPage() {
  const { t } = useTranslation("documents");
  const { chatbot } = useChatbot();
  const [query, setQuery] = useSearchParams();
  const tab = query.get("tab") === "jobs" ? "jobs" : "imports";
  return (
    <AreaPage title={t("parts.imports")} lead={t("imports.lead")}>
      {chatbot && (
        <Tabs
          label={t("parts.imports")}
          current={tab}
          onChange={(next) => setQuery(next === "jobs" ? { tab: "jobs", state: "failed" } : {})}
          tabs={[
            { key: "imports", title: t("imports.tab") },
            { key: "jobs", title: t("jobs.tab") },
          ]}
        >
          {tab === "imports" ? <Imports chatbotId={chatbot.id} /> : <Jobs chatbotId={chatbot.id} />}
        </Tabs>
      )}
    </AreaPage>
  );
}

function Imports({ chatbotId }: { chatbotId: string }) {
  const { t } = useTranslation("documents");
  const [offset, setOffset] = useState(0);
  const { data, error, refetch } = useQuery(importsQuery(chatbotId, offset));
  const columns = useColumns();
  if (error) {
    return <ErrorNote error={error} onRetry={() => void refetch()} />;
  }
  if (data === undefined) {
    return <Spinner />;
  }
  return data.total === 0 ? (
    <Empty
      icon={<PackageOpen />}
      title={t("imports.none")}
      action={<Link to="/documents">{t("imports.toDocuments")}</Link>}
    >
      {t("imports.noneHint")}
    </Empty>
  ) : (
    <div className={shared["stack"]}>
      <Table caption={t("imports.tab")} columns={columns} rows={data.imports} rowKey={({ id }) => id} />
      <Pages total={data.total} limit={ON_A_PAGE} offset={offset} onOffset={setOffset} />
    </div>
  );
}

function useColumns(): readonly Column<BulkImport>[] {
  const { t } = useTranslation("documents");
  const formats = useFormats();
  return [
    {
      key: "name",
      title: t("imports.name"),
      cell: (row) => (
        <div className={shared["titleCell"]}>
          <Link to={`/documents/imports/${row.id}`} dir="auto">
            {row.name}
          </Link>
        </div>
      ),
    },
    { key: "state", title: t("column.state"), cell: (row) => <ImportState state={row.state} /> },
    { key: "progress", title: t("imports.progress"), cell: (row) => <ImportProgress bulk={row} /> },
    {
      key: "failed",
      title: t("state.failed"),
      numeric: true,
      cell: (row) => formats.number(row.counts["failed"] ?? 0),
    },
    {
      key: "started",
      title: t("imports.started"),
      minor: true,
      cell: (row) => (
        <time dateTime={row.created_at} title={formats.dateTime(row.created_at)}>
          {formats.relative(row.created_at)}
        </time>
      ),
    },
    { key: "deeds", title: t("column.deeds"), minor: true, cell: (row) => <ImportDeeds bulk={row} /> },
  ];
}
