import { Ban, RotateCcw } from "lucide-react";
import { useTranslation } from "react-i18next";
import { Link } from "react-router";

import { IconButton } from "@/components/Button";
import { Badge } from "@/components/Notes";
import { Table, type Column } from "@/components/Table";
import { useToasts } from "@/components/Toasts";
import { useFormats } from "@/lib/format";

import shared from "../documents.module.css";
import { Working } from "../State";
import type { Job } from "../types";
import { importDeeds, useImportDeed } from "./api";

const TONES = {
  queued: "neutral",
  paused: "warn",
  running: "accent",
  succeeded: "good",
  failed: "bad",
  cancelled: "neutral",
} as const;

export function JobTable({ jobs }: { jobs: readonly Job[] }) {
  const { t } = useTranslation("documents");
  const formats = useFormats();
  const columns: readonly Column<Job>[] = [
    {
      key: "what",
      title: t("jobs.what"),
      cell: (job) => (
        <div className={shared["titleCell"]}>
          {job.document_id !== null && job.title !== null ? (
            <Link to={`/documents/${job.document_id}`} dir="auto">
              {job.title}
            </Link>
          ) : (
            <bdi>{job.file_name ?? "–"}</bdi>
          )}
          <span className={shared["small"]}>
            {t(`jobs.kind.${job.kind.replace(".", "_")}`, { defaultValue: job.kind })}
          </span>
        </div>
      ),
    },
    {
      key: "state",
      title: t("column.state"),
      cell: (job) => (
        <div className={shared["stateCell"]}>
          <Badge tone={TONES[job.state]}>{t(`jobs.state.${job.state}`)}</Badge>
          {job.state === "running" && <Working step={job.step} progress={job.progress} />}
          {job.error && (
            <p className={shared["small"]} dir="auto">
              {job.error}
            </p>
          )}
        </div>
      ),
    },
    {
      key: "attempts",
      title: t("jobs.attempts"),
      numeric: true,
      minor: true,
      cell: (job) => `${formats.number(job.attempts)} / ${formats.number(job.max_attempts)}`,
    },
    {
      key: "made",
      title: t("imports.started"),
      minor: true,
      cell: (job) => (
        <time dateTime={job.created_at} title={formats.dateTime(job.created_at)}>
          {formats.relative(job.created_at)}
        </time>
      ),
    },
    { key: "deeds", title: t("column.deeds"), cell: (job) => <JobDeeds job={job} /> },
  ];
  return <Table caption={t("jobs.tab")} columns={columns} rows={jobs} rowKey={({ id }) => id} />;
}

function JobDeeds({ job }: { job: Job }) {
  const { t } = useTranslation("documents");
  const tell = useToasts();
  const retry = useImportDeed(importDeeds.retryJob);
  const cancel = useImportDeed(importDeeds.cancelJob);
  const name = job.title ?? job.file_name ?? job.kind;
  if (job.state === "failed" || job.state === "cancelled") {
    return (
      <IconButton
        size="small"
        label={t("jobs.retryNamed", { name })}
        icon={<RotateCcw />}
        busy={retry.isPending}
        onClick={() => retry.mutate(job.id, { onError: tell.failed })}
      />
    );
  }
  return job.state === "succeeded" ? null : (
    <IconButton
      size="small"
      label={t("jobs.cancelNamed", { name })}
      icon={<Ban />}
      busy={cancel.isPending}
      onClick={() => cancel.mutate(job.id, { onError: tell.failed })}
    />
  );
}
