import { CircleAlert } from "lucide-react";
import type { ReactNode } from "react";
import { useTranslation } from "react-i18next";

import { ApiError, OfflineError } from "@/lib/api";

import { Button } from "./Button";
import { classes } from "./classes";
import styles from "./Notes.module.css";

/** A word about state, with a tone that its text says too. */
export function Badge({
  tone = "neutral",
  children,
}: {
  tone?: "neutral" | "good" | "warn" | "bad" | "accent";
  children: ReactNode;
}) {
  return <span className={classes(styles["badge"], styles[tone])}>{children}</span>;
}

/** What went wrong in words: the API's own, which say what to do. */
export function useErrorText(): (error: unknown) => string {
  const { t } = useTranslation();
  return (error) => {
    if (error instanceof OfflineError) {
      return t("error.offline");
    }
    if (error instanceof ApiError) {
      return error.retryAfterS === null
        ? error.message
        : `${error.message} ${t("error.retryAfter", { count: Math.ceil(error.retryAfterS) })}`;
    }
    return error instanceof Error ? error.message : t("error.unknown");
  };
}

/** An error in its place. `onRetry` where trying again may help. */
export function ErrorNote({ error, onRetry }: { error: unknown; onRetry?: () => void }) {
  const { t } = useTranslation();
  const text = useErrorText();
  return (
    <div className={classes(styles["note"], styles["bad"])} role="alert">
      <CircleAlert aria-hidden="true" />
      <p dir="auto">{text(error)}</p>
      {onRetry && (
        <Button size="small" onClick={onRetry}>
          {t("tryAgain")}
        </Button>
      )}
    </div>
  );
}

/** Something worth knowing that is no error. */
export function Note({
  tone = "accent",
  children,
}: {
  tone?: "accent" | "warn" | "good" | "bad";
  children: ReactNode;
}) {
  return <div className={classes(styles["note"], styles[tone])}>{children}</div>;
}

/** Nothing is here yet: says so, and what to do about it. */
export function Empty({
  icon,
  title,
  children,
  action,
}: {
  icon?: ReactNode;
  title: string;
  children?: ReactNode;
  action?: ReactNode;
}) {
  return (
    <div className={styles["empty"]}>
      {icon && <span aria-hidden="true">{icon}</span>}
      <h2>{title}</h2>
      {children && <div className={styles["soft"]}>{children}</div>}
      {action}
    </div>
  );
}

/** How far something is. `value` from 0 to 1; null where nobody knows. */
export function Progress({ label, value }: { label: string; value: number | null }) {
  return <progress className={styles["progress"]} aria-label={label} max={1} value={value ?? undefined} />;
}
