import { ChartColumn, Download, Table2 } from "lucide-react";
import { useState, type ReactNode } from "react";
import { useTranslation } from "react-i18next";

import { Button } from "@/components/Button";
import { Card } from "@/components/Page";
import { Table } from "@/components/Table";

import { downloadCsv, toCsv, type Cell } from "../data/csv";
import styles from "../insights.module.css";

export interface Datum<Row> {
  key: string;
  title: string;
  /** As it stands in a CSV file. */
  value: (row: Row) => Cell;
  /** As people read it; as the value where it is not given. */
  shown?: (row: Row) => ReactNode;
  numeric?: boolean;
  minor?: boolean;
}

interface Props<Row> {
  title: string;
  lead?: ReactNode;
  /** Of the file, without its ending. */
  file: string;
  columns: readonly Datum<Row>[];
  rows: readonly Row[];
  rowKey: (row: Row) => string;
  /** What is said where there is nothing. */
  empty?: string;
  /** A picture of the rows. Without one the table is what is shown. */
  children?: ReactNode;
}

/** Rows as a picture and as a table, whichever one reads better; and as a CSV file. */
export function DataCard<Row>({ title, lead, file, columns, rows, rowKey, empty, children }: Props<Row>) {
  const { t } = useTranslation("insights");
  const [asTable, setAsTable] = useState(false);
  const hasPicture = children !== undefined;
  const download = () =>
    downloadCsv(
      file,
      toCsv(
        columns.map((column) => column.title),
        rows.map((row) => columns.map((column) => column.value(row))),
      ),
    );
  return (
    <Card
      title={title}
      actions={
        rows.length > 0 && (
          <>
            {hasPicture && (
              <Button
                size="small"
                look="quiet"
                icon={asTable ? <ChartColumn /> : <Table2 />}
                aria-label={t(asTable ? "card.chartOf" : "card.tableOf", { title })}
                onClick={() => setAsTable(!asTable)}
              >
                {t(asTable ? "card.chart" : "card.table")}
              </Button>
            )}
            <Button
              size="small"
              look="quiet"
              icon={<Download />}
              aria-label={t("card.csvOf", { title })}
              onClick={download}
            >
              CSV
            </Button>
          </>
        )
      }
    >
      {lead && <p className={styles["soft"]}>{lead}</p>}
      {rows.length === 0 ? (
        <p className={styles["nothing"]}>{empty ?? t("card.nothing")}</p>
      ) : hasPicture && !asTable ? (
        children
      ) : (
        <div className={styles["table"]}>
          <Table
            caption={title}
            columns={columns.map((column) => ({
              key: column.key,
              title: column.title,
              numeric: column.numeric ?? false,
              minor: column.minor ?? false,
              cell: column.shown ?? ((row: Row) => <span dir="auto">{column.value(row)}</span>),
            }))}
            rows={rows}
            rowKey={rowKey}
          />
        </div>
      )}
    </Card>
  );
}
