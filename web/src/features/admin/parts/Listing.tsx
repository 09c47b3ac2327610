import type { UseQueryResult } from "@tanstack/react-query";
import type { ReactNode } from "react";
import { useTranslation } from "react-i18next";

import { ErrorNote } from "@/components/Notes";
import { Spinner } from "@/components/Spinner";
import { Pages, Table, type Column } from "@/components/Table";

export const PAGE = 50;

interface Props<Answer, Row> {
  query: UseQueryResult<Answer>;
  rowsOf: (answer: Answer) => readonly Row[];
  rowKey: (row: Row) => string;
  caption: string;
  columns: readonly Column<Row>[];
  /** What is shown instead of an empty table. */
  empty: ReactNode;
  offset?: number;
  onOffset?: (offset: number) => void;
}

/** A list of the server in all its states: being read, failed, empty, in pages. */
export function Listing<Answer extends object, Row>(props: Props<Answer, Row>) {
  const { t } = useTranslation();
  const { query, offset = 0, onOffset } = props;
  if (query.error) {
    return <ErrorNote error={query.error} onRetry={() => void query.refetch()} />;
  }
  if (query.data === undefined) {
    return <Spinner label={t("loading")} />;
  }
  const rows = props.rowsOf(query.data);
  return rows.length === 0 && offset === 0 ? (
    <>{props.empty}</>
  ) : (
    <>
      <Table caption={props.caption} columns={props.columns} rows={rows} rowKey={props.rowKey} />
      {onOffset && (
        <Pages total={totalOf(query.data) ?? rows.length} limit={PAGE} offset={offset} onOffset={onOffset} />
      )}
    </>
  );
}

function totalOf(answer: object): number | undefined {
  return "total" in answer && typeof answer.total === "number" ? answer.total : undefined;
}
