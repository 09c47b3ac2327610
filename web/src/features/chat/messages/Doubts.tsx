import { ChevronDown, TriangleAlert } from "lucide-react";
import { useId, useState } from "react";
import { useTranslation } from "react-i18next";

import { Button } from "@/components/Button";
import { classes } from "@/components/classes";

import type { Facts } from "../stream/events";
import styles from "./Messages.module.css";

/** A sentence of an answer that its sources do not say. */
export interface Doubt {
  start: number;
  end: number;
  reason: string;
  detail: string;
}

const REASONS: ReadonlySet<string> = new Set([
  "number",
  "unit",
  "name",
  "identifier",
  "opposite",
  "unsupported",
]);

export function doubtsOf(facts: Facts | null, text: string): Doubt[] {
  const sentences: unknown = facts?.grounding["sentences"];
  if (!Array.isArray(sentences) || facts?.answered === false) {
    return [];
  }
  const length = Array.from(text).length;
  return (sentences as Record<string, unknown>[]).flatMap((sentence) => {
    const { start, end, grounded, claims, reason, detail } = sentence;
    const holds = typeof start === "number" && typeof end === "number" && end <= length;
    if (!holds || grounded !== false || claims === false) {
      return [];
    }
    return [
      {
        start,
        end,
        reason: typeof reason === "string" && REASONS.has(reason) ? reason : "unsupported",
        detail: typeof detail === "string" ? detail : "",
      },
    ];
  });
}

/** The sentences that are underlined in the text, and why, for those who ask. */
export function Doubts({ doubts, text }: { doubts: readonly Doubt[]; text: string }) {
  const { t } = useTranslation("chat");
  const [open, setOpen] = useState(false);
  const id = useId();
  const characters = Array.from(text);
  return (
    <div className={styles["doubts"]}>
      <Button
        look="quiet"
        size="small"
        icon={<TriangleAlert />}
        aria-expanded={open}
        aria-controls={id}
        onClick={() => setOpen(!open)}
      >
        {t("doubts.title", { count: doubts.length })}
        <ChevronDown className={classes(styles["chevron"], open && styles["turned"])} aria-hidden="true" />
      </Button>
      <div id={id} hidden={!open}>
        <p>{t("doubts.lead")}</p>
        <ul>
          {doubts.map(({ start, end, reason, detail }) => (
            <li key={start}>
              <q dir="auto">{characters.slice(start, end).join("").trim()}</q>
              <span>{t(detail ? `doubts.with.${reason}` : `doubts.${reason}`, { detail })}</span>
            </li>
          ))}
        </ul>
      </div>
    </div>
  );
}
