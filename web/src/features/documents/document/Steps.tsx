import { Check, Circle, CircleDot, CircleX, Minus } from "lucide-react";
import type { ReactNode } from "react";
import { useTranslation } from "react-i18next";

import { Progress } from "@/components/Notes";
import { useFormats } from "@/lib/format";

import { isOneOf, STEPS } from "../types";
import styles from "./document.module.css";

interface Props {
  steps: readonly { name: string; state: string }[];
  step: string;
  progress: number;
}

const ICONS: Readonly<Record<string, ReactNode>> = {
  done: <Check aria-hidden />,
  running: <CircleDot aria-hidden />,
  failed: <CircleX aria-hidden />,
  skipped: <Minus aria-hidden />,
  waiting: <Circle aria-hidden />,
};

/** The steps of the reading. What is heard live is ahead of what was asked for. */
export function Steps({ steps, step, progress }: Props) {
  const { t } = useTranslation("documents");
  const formats = useFormats();
  const now = steps.findIndex(({ name }) => name === step);
  const stateOf = (at: number, listed: string) =>
    now < 0 || listed === "failed" || listed === "skipped"
      ? listed
      : at < now
        ? "done"
        : at === now
          ? "running"
          : "waiting";
  return (
    <div className={styles["reading"]}>
      <ol className={styles["steps"]}>
        {steps.map(({ name, state }, at) => {
          const shown = stateOf(at, state);
          return (
            <li key={name} data-state={shown} aria-current={shown === "running" ? "step" : undefined}>
              {ICONS[shown] ?? ICONS["waiting"]}
              {isOneOf(STEPS, name) ? t(`step.${name}`) : name}
              <span className={styles["hidden"]}>{t(`stepState.${shown}`, { defaultValue: shown })}</span>
            </li>
          );
        })}
      </ol>
      {step !== "done" && step !== "approval" && (
        <div className={styles["bar"]}>
          <Progress label={t("readingProgress")} value={progress} />
          <span>{now < 0 ? t("step.waiting") : formats.percent(progress)}</span>
        </div>
      )}
    </div>
  );
}
