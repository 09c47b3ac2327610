import { Download } from "lucide-react";
import { useState } from "react";
import { useTranslation } from "react-i18next";
import { useSearchParams } from "react-router";

import { Button } from "@/components/Button";
import { Empty, ErrorNote } from "@/components/Notes";
import { Page } from "@/components/Page";
import { Spinner } from "@/components/Spinner";

import styles from "../admin.module.css";
import { useEvents, type AuditEvent } from "./api";
import { EventDialog } from "./EventDialog";
import { EventTable } from "./EventTable";
import { FilterBar } from "./FilterBar";
import { exportAddress, filtersOf } from "./filters";
import { Retention } from "./Retention";
import { Verify } from "./Verify";

export function AuditPage() {
  const { t } = useTranslation("admin");
  const [query] = useSearchParams();
  const filters = filtersOf(query);
  const events = useEvents(filters);
  const [shown, setShown] = useState<AuditEvent | null>(null);
  const rows = events.data?.pages.flatMap((page) => page.events) ?? [];
  return (
    <Page
      title={t("audit.title")}
      lead={t("audit.lead")}
      actions={(["csv", "jsonl"] as const).map((format) => (
        <Button
          key={format}
          icon={<Download />}
          onClick={() => window.location.assign(exportAddress(filters, format))}
        >
          {t(`audit.export.${format}`)}
        </Button>
      ))}
    >
      <FilterBar filters={filters} />
      {events.error && <ErrorNote error={events.error} onRetry={() => void events.refetch()} />}
      {events.isPending && <Spinner label={t("common:loading")} />}
      {events.data && rows.length === 0 && <Empty title={t("audit.nothing")} />}
      {rows.length > 0 && <EventTable events={rows} onShow={setShown} />}
      {events.hasNextPage && (
        <div className={styles["row"]}>
          <Button busy={events.isFetchingNextPage} onClick={() => void events.fetchNextPage()}>
            {t("audit.more")}
          </Button>
        </div>
      )}
      <Verify />
      <Retention />
      {shown && <EventDialog event={shown} onClose={() => setShown(null)} />}
    </Page>
  );
}
