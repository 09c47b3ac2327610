import { useTranslation } from "react-i18next";

import { useFormats } from "@/lib/format";

import type { Range } from "../data/range";
import { Chart, type Series } from "./Chart";
import { DataCard } from "./DataCard";
import { bucketLabel } from "./labels";

export interface Measure<Row> {
  key: string;
  label: string;
  tone: Series["tone"];
  /** Null: nothing is known of this bucket. */
  of: (row: Row) => number | null;
}

interface Props<Row> {
  title: string;
  file: string;
  look: "bars" | "lines";
  rows: readonly Row[];
  range: Range;
  measures: readonly Measure<Row>[];
  format: (value: number) => string;
}

/** Measures over time, as a chart, a table and a file. */
export function TimeChart<Row extends { starts_at: string }>({
  title,
  file,
  look,
  rows,
  range,
  measures,
  format,
}: Props<Row>) {
  const { t } = useTranslation("insights");
  const formats = useFormats();
  const label = bucketLabel(formats, range.by);
  const told = rows.some((row) => measures.some((measure) => (measure.of(row) ?? 0) !== 0));
  const sum = (measure: Measure<Row>) => format(rows.reduce((all, row) => all + (measure.of(row) ?? 0), 0));
  return (
    <DataCard
      title={title}
      file={`${file}-${range.from}-${range.to}`}
      rows={told ? rows : []}
      rowKey={(row) => row.starts_at}
      columns={[
        {
          key: "at",
          title: t(range.by === "hour" ? "chart.hour" : "chart.day"),
          value: (row) => (range.by === "hour" ? row.starts_at : row.starts_at.slice(0, 10)),
          shown: (row) => label(row.starts_at),
        },
        ...measures.map((measure) => ({
          key: measure.key,
          title: measure.label,
          numeric: true,
          value: measure.of,
          shown: (row: Row) => {
            const value = measure.of(row);
            return value === null ? "–" : format(value);
          },
        })),
      ]}
    >
      <Chart
        title={title}
        look={look}
        format={format}
        series={measures.map((measure) => ({
          key: measure.key,
          label: measure.label,
          tone: measure.tone,
          ...(look === "bars" ? { sum: sum(measure) } : {}),
        }))}
        points={rows.map((row) => ({
          at: label(row.starts_at),
          ...Object.fromEntries(measures.map((measure) => [measure.key, measure.of(row)])),
        }))}
      />
    </DataCard>
  );
}
