import { useTranslation } from "react-i18next";
import {
  Bar,
  BarChart,
  CartesianGrid,
  Line,
  LineChart,
  ResponsiveContainer,
  Tooltip,
  XAxis,
  YAxis,
  type TooltipContentProps,
} from "recharts";

import { directionOf } from "@/lib/languages";

import styles from "../insights.module.css";
import type { ChartProps, Series } from "./Chart";

const MARGIN = { top: 8, right: 8, bottom: 0, left: 8 };
const TICK = { fill: "var(--soft)", fontSize: 12 };

/** Drawn with recharts: arrow keys move along the points once the chart has the focus. */
export default function DrawnChart({ title, look, series, points, format }: ChartProps) {
  const { i18n } = useTranslation();
  const isRightToLeft = directionOf(i18n.language) === "rtl";
  const areCounts = series.every(({ key }) => points.every((point) => Number.isInteger(point[key] ?? 0)));
  const frame = [
    <CartesianGrid key="grid" vertical={false} stroke="var(--line)" />,
    <XAxis
      key="x"
      dataKey="at"
      reversed={isRightToLeft}
      tick={TICK}
      tickLine={false}
      axisLine={{ stroke: "var(--line)" }}
      minTickGap={24}
    />,
    <YAxis
      key="y"
      orientation={isRightToLeft ? "right" : "left"}
      tick={TICK}
      tickLine={false}
      axisLine={false}
      tickCount={4}
      allowDecimals={!areCounts}
      width="auto"
      tickFormatter={format}
    />,
    <Tooltip
      key="tip"
      isAnimationActive={false}
      cursor={look === "bars" ? { fill: "var(--hover)" } : { stroke: "var(--line-strong)" }}
      content={(shown: TooltipContentProps) => <Tip shown={shown} series={series} format={format} />}
    />,
  ];
  return (
    <ResponsiveContainer width="100%" height="100%">
      {look === "bars" ? (
        <BarChart data={[...points]} margin={MARGIN} barCategoryGap="20%" title={title}>
          {frame}
          {series.map((each) => (
            <Bar
              key={each.key}
              dataKey={each.key}
              name={each.label}
              stackId="all"
              fill={`var(--series-${each.tone})`}
              maxBarSize={36}
              isAnimationActive={false}
            />
          ))}
        </BarChart>
      ) : (
        <LineChart data={[...points]} margin={MARGIN} title={title}>
          {frame}
          {series.map((each) => (
            <Line
              key={each.key}
              dataKey={each.key}
              name={each.label}
              stroke={`var(--series-${each.tone})`}
              strokeWidth={2}
              dot={points.length <= 31 ? { r: 2.5 } : false}
              connectNulls
              isAnimationActive={false}
            />
          ))}
        </LineChart>
      )}
    </ResponsiveContainer>
  );
}

interface TipProps {
  shown: TooltipContentProps;
  series: readonly Series[];
  format: (value: number) => string;
}

function Tip({ shown, series, format }: TipProps) {
  const values = shown.payload.filter((each) => typeof each.value === "number");
  if (!shown.active || values.length === 0) {
    return null;
  }
  return (
    <div className={styles["tip"]}>
      <strong>{shown.label}</strong>
      {values.map((each) => (
        <span key={String(each.dataKey)}>
          <span
            aria-hidden="true"
            className={styles["swatch"]}
            data-tone={series.find((one) => one.key === each.dataKey)?.tone}
          />
          {each.name}
          <b>{format(Number(each.value))}</b>
        </span>
      ))}
    </div>
  );
}
