import { useQuery } from "@tanstack/react-query";
import { Download, History as Back } from "lucide-react";
import { useState } from "react";
import { useTranslation } from "react-i18next";

import { Button, IconButton } from "@/components/Button";
import { Confirm } from "@/components/Dialog";
import { Badge, ErrorNote } from "@/components/Notes";
import { Spinner } from "@/components/Spinner";
import { Table, type Column } from "@/components/Table";
import { useToasts } from "@/components/Toasts";
import { useFormats } from "@/lib/format";

import { deeds, download, useDeed, versionsQuery } from "../api";
import shared from "../documents.module.css";
import { useActorName } from "../people";
import type { Document, Version } from "../types";
import { ReplaceDialog } from "./ReplaceDialog";

interface Props {
  document: Document;
  mayChange: boolean;
}

export function Versions({ document, mayChange }: Props) {
  const { t } = useTranslation("documents");
  const tell = useToasts();
  const { data, error, refetch } = useQuery(versionsQuery(document.id));
  const [restoring, setRestoring] = useState<Version | null>(null);
  const [replacing, setReplacing] = useState(false);
  const restore = useDeed((version: number) => deeds.restore(document.id, version));
  const columns = useColumns(document, mayChange, setRestoring);
  if (error) {
    return <ErrorNote error={error} onRetry={() => void refetch()} />;
  }
  return (
    <div className={shared["stack"]}>
      <div className={shared["row"]}>
        <p className={shared["small"]}>{t("version.lead")}</p>
        {mayChange && (
          <Button size="small" onClick={() => setReplacing(true)}>
            {t("deed.replace")}
          </Button>
        )}
      </div>
      {data === undefined ? (
        <Spinner />
      ) : (
        <Table
          caption={t("tab.versions")}
          columns={columns}
          rows={data.versions}
          rowKey={({ version }) => String(version)}
        />
      )}
      {replacing && <ReplaceDialog document={document} onClose={() => setReplacing(false)} />}
      {restoring && (
        <Confirm
          title={t("version.restoreTitle", { number: restoring.version })}
          deed={t("version.restore")}
          busy={restore.isPending}
          onClose={() => setRestoring(null)}
          onConfirm={() =>
            restore.mutate(restoring.version, {
              onSuccess: () => tell.done(t("version.restored")),
              onError: tell.failed,
              onSettled: () => setRestoring(null),
            })
          }
        >
          <p>{t("version.restoreMeans")}</p>
        </Confirm>
      )}
    </div>
  );
}

function useColumns(
  document: Document,
  mayChange: boolean,
  onRestore: (version: Version) => void,
): readonly Column<Version>[] {
  const { t } = useTranslation("documents");
  const formats = useFormats();
  const nameOf = useActorName();
  const tell = useToasts();
  return [
    {
      key: "version",
      title: t("facts.version"),
      cell: (row) => (
        <span className={shared["row"]}>
          <strong>{formats.number(row.version)}</strong>
          {row.is_live && <Badge tone="good">{t("version.live")}</Badge>}
        </span>
      ),
    },
    { key: "state", title: t("column.state"), cell: (row) => <State version={row} /> },
    {
      key: "file",
      title: t("facts.file"),
      minor: true,
      cell: (row) => (
        <>
          <bdi>{row.file_name}</bdi>
          <span className={shared["small"]}>
            {" "}
            {formats.bytes(row.size_bytes)}
            {row.made_from !== null && ` · ${t("version.madeFrom", { number: row.made_from })}`}
          </span>
        </>
      ),
    },
    {
      key: "chunks",
      title: t("facts.chunks"),
      numeric: true,
      minor: true,
      cell: (row) => formats.number(row.total_chunks),
    },
    {
      key: "quality",
      title: t("column.quality"),
      numeric: true,
      minor: true,
      cell: (row) => (row.quality_score === null ? "–" : formats.percent(row.quality_score)),
    },
    {
      key: "made",
      title: t("column.uploaded"),
      cell: (row) => (
        <>
          {formats.dateTime(row.created_at)}
          <br />
          <bdi className={shared["small"]}>{nameOf(row.uploaded_by)}</bdi>
        </>
      ),
    },
    {
      key: "deeds",
      title: t("column.deeds"),
      cell: (row) => (
        <span className={shared["rowDeeds"]}>
          <IconButton
            size="small"
            label={t("version.download", { number: row.version })}
            icon={<Download />}
            onClick={() => void download(document.id, row.file_name, row.version).catch(tell.failed)}
          />
          {mayChange && !row.is_live && (
            <IconButton
              size="small"
              label={t("version.restoreNamed", { number: row.version })}
              icon={<Back />}
              onClick={() => onRestore(row)}
            />
          )}
        </span>
      ),
    },
  ];
}

const TONES = { ready: "good", indexed: "warn", failed: "bad" } as const;

function State({ version }: { version: Version }) {
  const { t } = useTranslation("documents");
  const tone = TONES[version.state as keyof typeof TONES] as (typeof TONES)[keyof typeof TONES] | undefined;
  return (
    <div className={shared["stateCell"]}>
      <Badge tone={version.approval === "rejected" ? "bad" : (tone ?? "neutral")}>
        {t(version.approval === "rejected" ? "approval.rejected" : `versionState.${version.state}`)}
      </Badge>
      {version.error && (
        <p className={shared["small"]} dir="auto">
          {version.error}
        </p>
      )}
      {version.approval_reason && (
        <p className={shared["small"]} dir="auto">
          {version.approval_reason}
        </p>
      )}
    </div>
  );
}
