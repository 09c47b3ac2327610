import { useTranslation } from "react-i18next";

import { ErrorNote } from "@/components/Notes";
import { Card } from "@/components/Page";
import type { Schemas } from "@/lib/api";
import { useFormats } from "@/lib/format";

import { useDatabase } from "../api/system";
import { DataCard } from "../parts/DataCard";
import { Figure, Figures } from "../parts/Figure";
import { rate } from "../parts/labels";

/** What is kept; for the operator the server too. */
export function Database({ refresh }: { refresh: number | false }) {
  const { t } = useTranslation("insights");
  const formats = useFormats();
  const { data: database, error, refetch } = useDatabase(refresh);
  if (error) {
    return <ErrorNote error={error} onRetry={() => void refetch()} />;
  }
  if (database === undefined) {
    return null;
  }
  const { holdings, server } = database;
  return (
    <>
      <Card title={t("database.title")}>
        <Figures>
          <Figure name={t("database.documents")} value={formats.number(holdings.documents)} />
          <Figure name={t("database.chunks")} value={formats.number(holdings.chunks)} />
          <Figure name={t("database.sessions")} value={formats.number(holdings.sessions)} />
          <Figure name={t("database.originals")} value={formats.bytes(holdings.original_bytes)} />
          <Figure name={t("database.roundTrip")} value={formats.milliseconds(database.round_trip_ms)} />
          {server && (
            <>
              <Figure name={t("database.size")} value={formats.bytes(server.size_bytes)} />
              <Figure name={t("database.hits")} value={rate(formats, server.cache_hit_ratio, 1)} />
              <Figure
                name={t("database.connections")}
                value={formats.number(server.connections.reduce((sum, each) => sum + each.connections, 0))}
                detail={t("database.connectionsOf", { most: formats.number(server.max_connections) })}
              />
            </>
          )}
        </Figures>
      </Card>
      {server && <Tables tables={server.tables} />}
    </>
  );
}

function Tables({ tables }: { tables: readonly Schemas["TableOut"][] }) {
  const { t } = useTranslation("insights");
  const formats = useFormats();
  return (
    <DataCard
      title={t("tables.title")}
      file="database-tables"
      rows={tables}
      rowKey={(row) => row.name}
      columns={[
        { key: "name", title: t("tables.table"), value: (row) => row.name },
        {
          key: "size",
          title: t("database.size"),
          numeric: true,
          value: (row) => row.total_bytes,
          shown: (row) => formats.bytes(row.total_bytes),
        },
        {
          key: "rows",
          title: t("tables.rows"),
          numeric: true,
          value: (row) => row.live_rows,
          shown: (row) => formats.number(row.live_rows),
        },
        {
          key: "dead",
          title: t("tables.dead"),
          numeric: true,
          minor: true,
          value: (row) => row.dead_rows,
          shown: (row) => formats.number(row.dead_rows),
        },
        {
          key: "vacuumed",
          title: t("tables.vacuumed"),
          minor: true,
          value: (row) => row.vacuumed_at,
          shown: (row) => (row.vacuumed_at === null ? "–" : formats.relative(row.vacuumed_at)),
        },
      ]}
    />
  );
}
