import { useQuery } from "@tanstack/react-query";
import { MessageSquare, RotateCcw } from "lucide-react";
import { useTranslation } from "react-i18next";
import { Link } from "react-router";

import { Button } from "@/components/Button";
import { Badge, ErrorNote, Progress } from "@/components/Notes";
import { Spinner } from "@/components/Spinner";
import { useToasts } from "@/components/Toasts";
import { useFormats } from "@/lib/format";
import { useSession } from "@/lib/session";

import { deeds, statusQuery, useDeed } from "./api";
import styles from "./documents.module.css";
import { shownState } from "./live/fold";
import { useLive } from "./live/LiveProvider";
import { isOneOf, STEPS, type Document, type DocumentState } from "./types";

const TONES: Readonly<Record<DocumentState, "neutral" | "good" | "warn" | "bad" | "accent">> = {
  queued: "neutral",
  processing: "accent",
  pending: "warn",
  ready: "good",
  failed: "bad",
  cancelled: "neutral",
  rejected: "bad",
  deleted: "neutral",
};

export function StateBadge({ state }: { state: DocumentState }) {
  const { t } = useTranslation("documents");
  return <Badge tone={TONES[state]}>{t(`state.${state}`)}</Badge>;
}

/** Its state as the list and the stream have it, with what is under way or what to do. */
export function StateCell({ document }: { document: Document }) {
  const { t } = useTranslation("documents");
  const { rows } = useLive();
  const { state, working } = shownState(document, rows);
  return (
    <div className={styles["stateCell"]}>
      <StateBadge state={state} />
      {working && (
        <Working step={working.step} progress={working.progress} isNewVersion={state === "ready"} />
      )}
      {state === "failed" && (
        <FailureReason
          id={document.id}
          told={document.state === "failed" ? (document.error ?? undefined) : undefined}
          isPrivate={document.visibility === "private"}
        />
      )}
      {state === "rejected" && document.approval_reason && (
        <p className={styles["small"]} dir="auto">
          {document.approval_reason}
        </p>
      )}
      {state === "ready" && document.approval === "pending" && !working && (
        <p className={styles["small"]}>{t("newVersionWaits")}</p>
      )}
    </div>
  );
}

export function Working({
  step,
  progress,
  isNewVersion = false,
}: {
  step: string;
  progress: number;
  isNewVersion?: boolean;
}) {
  const { t } = useTranslation("documents");
  const formats = useFormats();
  const text = t(isOneOf(STEPS, step) ? `step.${step}` : "step.waiting");
  return (
    <div className={styles["working"]}>
      <span className={styles["small"]}>
        {isNewVersion ? t("newVersion", { step: text }) : text}
        {progress > 0 && ` · ${formats.percent(progress)}`}
      </span>
      <Progress label={text} value={progress} />
    </div>
  );
}

interface FailureProps {
  id: string;
  /** The reason, where it is known; else it is asked for. */
  told?: string | undefined;
  isPrivate?: boolean;
}

/** Why it failed and what to do, in the server's words, and the way to try again. */
export function FailureReason({ id, told, isPrivate = false }: FailureProps) {
  const { t } = useTranslation("documents");
  const { can } = useSession();
  const { data: status, error } = useQuery({ ...statusQuery(id), enabled: told === undefined });
  const mayRetry = can("documents:manage") || (isPrivate && can("documents:contribute"));
  if (error && told === undefined) {
    return <ErrorNote error={error} />;
  }
  if (status === undefined && told === undefined) {
    return <Spinner />;
  }
  return (
    <div className={styles["failure"]}>
      <p dir="auto">{told ?? status?.error ?? t("noReason")}</p>
      {mayRetry && <Retry id={id} />}
    </div>
  );
}

export function Retry({ id }: { id: string }) {
  const { t } = useTranslation("documents");
  const tell = useToasts();
  const retry = useDeed(deeds.retry);
  return (
    <Button
      size="small"
      icon={<RotateCcw aria-hidden />}
      busy={retry.isPending}
      onClick={() => retry.mutate(id, { onError: tell.failed })}
    >
      {t("deed.retry")}
    </Button>
  );
}

export function AskAbout({ id }: { id: string }) {
  const { t } = useTranslation("documents");
  const { can } = useSession();
  return can("ask") ? (
    <Link to={`/chat?about=${id}`} className={styles["ask"]}>
      <MessageSquare aria-hidden />
      {t("askAbout")}
    </Link>
  ) : null;
}
