import { lazy, Suspense } from "react";

import { Spinner } from "@/components/Spinner";

import styles from "../insights.module.css";

const Drawn = lazy(() => import("./DrawnChart"));

export interface Series {
  key: string;
  label: string;
  /** Its colour among those of charts, 1 to 5. */
  tone: 1 | 2 | 3 | 4 | 5;
  /** What the whole of it comes to, beside its name. */
  sum?: string;
}

export interface ChartProps {
  title: string;
  look: "bars" | "lines";
  series: readonly Series[];
  points: readonly ({ at: string } & Record<string, number | string | null>)[];
  format: (value: number) => string;
}

/** A chart over time. The library that draws is loaded with the first one. */
export function Chart(props: ChartProps) {
  return (
    <figure className={styles["chart"]}>
      <figcaption>
        <ul className={styles["legend"]}>
          {props.series.map((series) => (
            <li key={series.key}>
              <span
                aria-hidden="true"
                data-tone={series.tone}
                data-look={props.look}
                className={styles["swatch"]}
              />
              {series.label}
              {series.sum !== undefined && <strong>{series.sum}</strong>}
            </li>
          ))}
        </ul>
      </figcaption>
      <div className={styles["plot"]}>
        <Suspense fallback={<Spinner />}>
          <Drawn {...props} />
        </Suspense>
      </div>
    </figure>
  );
}
