import { ArrowDown, ArrowUp } from "lucide-react";
import type { ReactNode } from "react";
import { useTranslation } from "react-i18next";

import { Button } from "./Button";
import { classes } from "./classes";
import styles from "./Table.module.css";

export interface Column<Row> {
  /** Of this column, for React and for sorting. */
  key: string;
  title: string;
  /** What a cell shows. */
  cell: (row: Row) => ReactNode;
  /** Numbers stand at the end of the line, with digits of one width. */
  numeric?: boolean;
  /** Sorting by this column is offered. */
  sortable?: boolean;
  /** Left out on narrow screens. */
  minor?: boolean;
}

interface Props<Row> {
  /** What the table lists, for screen readers. */
  caption: string;
  columns: readonly Column<Row>[];
  rows: readonly Row[];
  rowKey: (row: Row) => string;
  sort?: { key: string; descending: boolean };
  onSort?: (key: string) => void;
  /** The rows that are chosen, for deeds on many at once. */
  chosen?: ReadonlySet<string>;
  onChoose?: (keys: ReadonlySet<string>) => void;
  /** How a row is called where it is chosen. */
  nameOf?: (row: Row) => string;
}

export function Table<Row>({
  caption,
  columns,
  rows,
  rowKey,
  sort,
  onSort,
  chosen,
  onChoose,
  nameOf,
}: Props<Row>) {
  const { t } = useTranslation();
  const all = chosen !== undefined && rows.length > 0 && rows.every((row) => chosen.has(rowKey(row)));
  const toggle = (keys: readonly string[], on: boolean) => {
    const next = new Set(chosen);
    keys.forEach((key) => (on ? next.add(key) : next.delete(key)));
    onChoose?.(next);
  };
  return (
    <div className={styles["scroll"]} tabIndex={0} role="region" aria-label={caption}>
      <table className={styles["table"]}>
        <caption className={styles["caption"]}>{caption}</caption>
        <thead>
          <tr>
            {chosen && (
              <th className={styles["choose"]}>
                <input
                  type="checkbox"
                  aria-label={t("chooseAll")}
                  checked={all}
                  onChange={(event) => toggle(rows.map(rowKey), event.target.checked)}
                />
              </th>
            )}
            {columns.map((column) => (
              <th
                key={column.key}
                scope="col"
                className={classes(column.numeric && styles["numeric"], column.minor && styles["minor"])}
                aria-sort={
                  sort?.key === column.key ? (sort.descending ? "descending" : "ascending") : undefined
                }
              >
                {column.sortable && onSort ? (
                  <button type="button" className={styles["sort"]} onClick={() => onSort(column.key)}>
                    {column.title}
                    {sort?.key === column.key &&
                      (sort.descending ? <ArrowDown aria-hidden /> : <ArrowUp aria-hidden />)}
                  </button>
                ) : (
                  column.title
                )}
              </th>
            ))}
          </tr>
        </thead>
        <tbody>
          {rows.map((row) => (
            <tr key={rowKey(row)} data-chosen={chosen?.has(rowKey(row)) || undefined}>
              {chosen && (
                <td className={styles["choose"]}>
                  <input
                    type="checkbox"
                    aria-label={t("chooseRow", { name: nameOf?.(row) ?? rowKey(row) })}
                    checked={chosen.has(rowKey(row))}
                    onChange={(event) => toggle([rowKey(row)], event.target.checked)}
                  />
                </td>
              )}
              {columns.map((column) => (
                <td
                  key={column.key}
                  className={classes(column.numeric && styles["numeric"], column.minor && styles["minor"])}
                >
                  {column.cell(row)}
                </td>
              ))}
            </tr>
          ))}
        </tbody>
      </table>
    </div>
  );
}

interface PagesProps {
  total: number;
  limit: number;
  offset: number;
  onOffset: (offset: number) => void;
}

/** Leads through a list that comes in pages; shows nothing where one page is all. */
export function Pages({ total, limit, offset, onOffset }: PagesProps) {
  const { t } = useTranslation();
  if (total <= limit && offset === 0) {
    return null;
  }
  const last = Math.min(total, offset + limit);
  return (
    <nav className={styles["pages"]} aria-label={t("pages.label")}>
      <Button size="small" disabled={offset === 0} onClick={() => onOffset(Math.max(0, offset - limit))}>
        {t("pages.previous")}
      </Button>
      <span aria-live="polite">{t("pages.range", { first: offset + 1, last, total })}</span>
      <Button size="small" disabled={last >= total} onClick={() => onOffset(offset + limit)}>
        {t("pages.next")}
      </Button>
    </nav>
  );
}
