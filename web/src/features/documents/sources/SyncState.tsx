import { useTranslation } from "react-i18next";

import { Badge } from "@/components/Notes";
import { Spinner } from "@/components/Spinner";
import { useFormats } from "@/lib/format";

import shared from "../documents.module.css";
import type { Sync } from "../types";

const TONES = {
  queued: "neutral",
  running: "accent",
  succeeded: "good",
  failed: "bad",
  cancelled: "neutral",
} as const;

export const OUTCOMES = ["new", "changed", "vanished", "kept", "failed", "skipped", "unchanged"] as const;

export function SyncState({ sync }: { sync: Sync }) {
  const { t } = useTranslation("documents");
  return (
    <>
      <span className={shared["row"]}>
        <Badge tone={TONES[sync.state]}>{t(`sync.state.${sync.state}`)}</Badge>
        {sync.state === "running" && <Spinner />}
      </span>
      {sync.error && (
        <p className={shared["small"]} dir="auto">
          {sync.error}
        </p>
      )}
    </>
  );
}

/** "3 new, 1 failed": what happened to how many, without what did not happen. */
export function Counts({ counts }: { counts: Readonly<Record<string, number>> }) {
  const { t } = useTranslation("documents");
  const formats = useFormats();
  const shown = OUTCOMES.filter((outcome) => (counts[outcome] ?? 0) > 0);
  return (
    <p className={shared["small"]}>
      {shown
        .map((outcome) => `${t(`sync.outcome.${outcome}`)}: ${formats.number(counts[outcome] ?? 0)}`)
        .join(" · ")}
    </p>
  );
}
