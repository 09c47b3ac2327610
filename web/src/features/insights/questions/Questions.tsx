import { useTranslation } from "react-i18next";

import { ErrorNote } from "@/components/Notes";
import { Spinner } from "@/components/Spinner";
import { useSession } from "@/lib/session";

import { useSearchAnalytics, useService } from "../api/analytics";
import styles from "../insights.module.css";
import type { View } from "../view";
import { Reports } from "./Reports";
import { OpenedDocuments, Queries, SearchFigures } from "./Searches";
import { Unanswered } from "./Unanswered";

/** What is asked, what is not answered, and what is searched in vain. */
export function Questions({ view }: { view: View }) {
  const { t } = useTranslation("insights");
  const { can } = useSession();
  const { service, error, refetch } = useService(view);
  const searches = useSearchAnalytics(view, can("documents:manage"));
  const found = searches.data;
  const failed = error ?? searches.error;
  return (
    <div className={styles["stack"]}>
      {failed && (
        <ErrorNote
          error={failed}
          onRetry={() => {
            refetch();
            void searches.refetch();
          }}
        />
      )}
      {service === undefined ? (
        !failed && <Spinner label={t("loading")} />
      ) : (
        <Unanswered report={service.report} />
      )}
      {found && (
        <>
          <SearchFigures totals={found.totals} />
          <div className={styles["two"]}>
            <Queries title={t("queries.popular")} file="popular-queries" rows={found.popular_queries} />
            <Queries
              title={t("queries.failing")}
              lead={t("queries.failingLead")}
              file="failing-queries"
              rows={found.failing_queries}
            />
          </div>
          <OpenedDocuments rows={found.opened_documents} />
        </>
      )}
      {can("feedback:read") && <Reports view={view} />}
    </div>
  );
}
