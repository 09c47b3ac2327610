import { useTranslation } from "react-i18next";

import { Badge } from "@/components/Notes";
import { useFormats } from "@/lib/format";

import type { Found } from "./api";
import styles from "./search-lab.module.css";

const STAGES = ["load", "understand", "retrieve"];
/** Of these the stage `retrieve` consists. */
const STEPS = ["embed", "arms", "rerank", "texts", "page"];

/** How long each stage took, as bars. */
export function Timings({ found }: { found: Found }) {
  const { t } = useTranslation("search-lab");
  const formats = useFormats();
  const times = found.timings_ms;
  const total = times["total"] ?? found.search_time_ms;
  const known = [...STAGES.flatMap((stage) => (stage === "retrieve" ? [stage, ...STEPS] : [stage]))];
  const others = Object.keys(times).filter((name) => name !== "total" && !known.includes(name));
  const names = [...known, ...others].filter((name) => times[name] !== undefined);
  return (
    <>
      <p className={styles["figure"]}>
        <strong>{formats.milliseconds(total)}</strong>{" "}
        {found.cached && <Badge tone="accent">{t("timings.cached")}</Badge>}
      </p>
      <ul className={styles["bars"]}>
        {names.map((name) => (
          <li key={name} data-step={STEPS.includes(name) || undefined}>
            <span>{t(`timings.${name}`, { defaultValue: name })}</span>
            <span className={styles["track"]} aria-hidden="true">
              <span
                style={{
                  inlineSize: `${Math.min(100, (100 * (times[name] ?? 0)) / Math.max(total, 0.01))}%`,
                }}
              />
            </span>
            <span className={styles["digits"]}>{formats.milliseconds(times[name] ?? 0)}</span>
          </li>
        ))}
      </ul>
    </>
  );
}
