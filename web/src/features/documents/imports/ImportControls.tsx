import { useQuery } from "@tanstack/react-query";
import { Ban, Pause, Play, RotateCcw } from "lucide-react";
import { useState } from "react";
import { useTranslation } from "react-i18next";

import { Button } from "@/components/Button";
import { Confirm } from "@/components/Dialog";
import { ErrorNote, Progress } from "@/components/Notes";
import { useToasts } from "@/components/Toasts";
import { useFormats } from "@/lib/format";

import shared from "../documents.module.css";
import type { BulkImport } from "../types";
import { importDeeds, importQuery, useImportDeed } from "./api";

/** How far an import is, and what can be done with it. */
export function ImportControls({ id }: { id: string }) {
  const { data, error } = useQuery(importQuery(id));
  if (error) {
    return <ErrorNote error={error} />;
  }
  return data === undefined ? null : (
    <div className={shared["stack"]}>
      <ImportProgress bulk={data} />
      <ImportDeeds bulk={data} />
    </div>
  );
}

export function ImportProgress({ bulk }: { bulk: BulkImport }) {
  const { t } = useTranslation("documents");
  const formats = useFormats();
  const ended =
    (bulk.counts["succeeded"] ?? 0) + (bulk.counts["failed"] ?? 0) + (bulk.counts["cancelled"] ?? 0);
  return (
    <div className={shared["working"]}>
      <span className={shared["small"]}>
        {t("imports.read", {
          done: formats.number(ended),
          total: formats.number(Math.max(bulk.total, bulk.expected_documents ?? 0)),
        })}
        {bulk.state === "running" &&
          bulk.documents_per_minute > 0 &&
          ` · ${t("imports.rate", { count: bulk.documents_per_minute })}`}
        {bulk.state === "running" &&
          bulk.seconds_left !== null &&
          ` · ${t("imports.left", { count: Math.max(1, Math.round(bulk.seconds_left / 60)) })}`}
      </span>
      <Progress label={t("imports.progress")} value={bulk.progress} />
    </div>
  );
}

export function ImportDeeds({ bulk }: { bulk: BulkImport }) {
  const { t } = useTranslation("documents");
  const tell = useToasts();
  const [cancelling, setCancelling] = useState(false);
  const pause = useImportDeed(importDeeds.pause);
  const resume = useImportDeed(importDeeds.resume);
  const cancel = useImportDeed(importDeeds.cancel);
  const retry = useImportDeed(importDeeds.retryFailed);
  const isOpen = bulk.state === "running" || bulk.state === "paused";
  const onError = { onError: tell.failed };
  return (
    <div className={shared["row"]}>
      {bulk.state === "running" && (
        <Button
          size="small"
          icon={<Pause aria-hidden />}
          busy={pause.isPending}
          onClick={() => pause.mutate(bulk.id, onError)}
        >
          {t("imports.pause")}
        </Button>
      )}
      {bulk.state === "paused" && (
        <Button
          size="small"
          icon={<Play aria-hidden />}
          busy={resume.isPending}
          onClick={() => resume.mutate(bulk.id, onError)}
        >
          {t("imports.resume")}
        </Button>
      )}
      {(bulk.counts["failed"] ?? 0) > 0 && (
        <Button
          size="small"
          icon={<RotateCcw aria-hidden />}
          busy={retry.isPending}
          onClick={() =>
            retry.mutate(bulk.id, {
              onSuccess: ({ retried }) => tell.done(t("imports.retried", { count: retried })),
              onError: tell.failed,
            })
          }
        >
          {t("imports.retryFailed")}
        </Button>
      )}
      {isOpen && (
        <Button size="small" look="danger" icon={<Ban aria-hidden />} onClick={() => setCancelling(true)}>
          {t("imports.cancel")}
        </Button>
      )}
      {cancelling && (
        <Confirm
          title={t("imports.cancelTitle")}
          deed={t("imports.cancel")}
          busy={cancel.isPending}
          onClose={() => setCancelling(false)}
          onConfirm={() => cancel.mutate(bulk.id, { ...onError, onSettled: () => setCancelling(false) })}
        >
          <p>{t("imports.cancelMeans")}</p>
        </Confirm>
      )}
    </div>
  );
}
