import { ArrowDown, ArrowRight, ArrowUp } from "lucide-react";
import type { ReactNode } from "react";
import { useTranslation } from "react-i18next";

import { useFormats } from "@/lib/format";

import type { Delta } from "../data/totals";
import styles from "../insights.module.css";

interface Props {
  name: string;
  value: ReactNode;
  /** What stands behind the figure. */
  detail?: ReactNode;
  /** Against the period before. */
  delta?: Delta | null;
  /** Which way is good; without it a change is neither. */
  good?: "up" | "down";
}

/** One figure, large, and how it has changed. */
export function Figure({ name, value, detail, delta, good }: Props) {
  return (
    <div className={styles["figure"]}>
      <dt>{name}</dt>
      <dd>
        <strong>{value}</strong>
        {detail && <span className={styles["soft"]}>{detail}</span>}
        {delta && <Change delta={delta} good={good} />}
      </dd>
    </div>
  );
}

function Change({ delta, good }: { delta: Delta; good: Props["good"] }) {
  const { t } = useTranslation("insights");
  const formats = useFormats();
  const amount = Math.abs(delta.change);
  const isSame = amount < 0.005;
  const direction = isSame ? "same" : delta.change > 0 ? "up" : "down";
  const tone = isSame || good === undefined ? "even" : direction === good ? "better" : "worse";
  const Arrow = { same: ArrowRight, up: ArrowUp, down: ArrowDown }[direction];
  const text =
    delta.unit === "share"
      ? formats.percent(amount)
      : t("delta.points", { points: formats.number(amount * 100, { maximumFractionDigits: 1 }) });
  return (
    <span className={styles["delta"]} data-tone={tone}>
      <Arrow aria-hidden="true" />
      {t(`delta.${direction}`, { amount: text })}
    </span>
  );
}

export function Figures({ children }: { children: ReactNode }) {
  return <dl className={styles["figures"]}>{children}</dl>;
}
