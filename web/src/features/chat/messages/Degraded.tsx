import { Info } from "lucide-react";
import { useTranslation } from "react-i18next";

import { rungsOf } from "@/lib/rungs";

import type { Facts } from "../stream/events";
import styles from "./Messages.module.css";

/** Says in words how an answer came about in another way than planned. */
export function Degraded({ facts }: { facts: Facts }) {
  const { t } = useTranslation("chat");
  const rungs = rungsOf(facts.degraded.filter((one) => one !== "interrupted")); // that is said elsewhere
  if (rungs.length === 0) {
    return null;
  }
  return (
    <div className={styles["degraded"]}>
      <Info aria-hidden="true" />
      <ul>
        {rungs.map(({ key, what, count }) => (
          <li key={`${key} ${what}`}>{t(`common:degraded.${key}`, { what, count })}</li>
        ))}
      </ul>
    </div>
  );
}
