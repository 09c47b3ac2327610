import type { ReactNode } from "react";

import styles from "../insights.module.css";

export interface ShareBar {
  key: string;
  name: ReactNode;
  value: number;
  shown: string;
  detail?: string;
}

/** Amounts against the greatest of them, each with its name and figure beside the bar. */
export function ShareBars({ bars, tone = 1 }: { bars: readonly ShareBar[]; tone?: 1 | 2 | 3 | 4 | 5 }) {
  const most = Math.max(...bars.map((bar) => bar.value), 1e-9);
  return (
    <ul className={styles["shares"]}>
      {bars.map((bar) => (
        <li key={bar.key}>
          <span className={styles["shareName"]} dir="auto">
            {bar.name}
          </span>
          <span className={styles["shareValue"]}>
            {bar.shown}
            {bar.detail && <small>{bar.detail}</small>}
          </span>
          <span className={styles["track"]} aria-hidden="true">
            <span data-tone={tone} style={{ inlineSize: `${(100 * bar.value) / most}%` }} />
          </span>
        </li>
      ))}
    </ul>
  );
}
