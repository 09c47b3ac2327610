import { useQuery } from "@tanstack/react-query";
import { ArrowLeft } from "lucide-react";
import { useState } from "react";
import { useTranslation } from "react-i18next";
import { Link, useParams } from "react-router";

import { ErrorNote } from "@/components/Notes";
import { Card, Page } from "@/components/Page";
import { Spinner } from "@/components/Spinner";
import { Pages } from "@/components/Table";
import { useFormats } from "@/lib/format";

import { Fact } from "../document/Overview";
import shared from "../documents.module.css";
import { useActorName } from "../people";
import { importQuery, ON_A_PAGE } from "./api";
import { ImportDeeds, ImportProgress } from "./ImportControls";
import { ImportState } from "./ImportsPage";
import { JobTable } from "./JobTable";

const JOB_STATES = ["queued", "paused", "running", "succeeded", "failed", "cancelled"] as const;

export function ImportPage() {
  const { t } = useTranslation("documents");
  const formats = useFormats();
  const nameOf = useActorName();
  const { id = "" } = useParams();
  const [offset, setOffset] = useState(0);
  const { data, error, refetch } = useQuery(importQuery(id, offset));
  const back = (
    <Link to="/documents/imports" className={shared["back"]}>
      <ArrowLeft aria-hidden />
      {t("parts.imports")}
    </Link>
  );
  if (data === undefined) {
    return (
      <Page title={t("imports.one")}>
        {back}
        {error ? <ErrorNote error={error} onRetry={() => void refetch()} /> : <Spinner />}
      </Page>
    );
  }
  const reasons = Object.entries(data.reasons).toSorted(([, one], [, other]) => other - one);
  return (
    <Page title={data.name} actions={<ImportDeeds bulk={data} />}>
      {back}
      {error && <ErrorNote error={error} />}
      <Card>
        <div className={shared["row"]} role="status">
          <ImportState state={data.state} />
        </div>
        <ImportProgress bulk={data} />
        <dl className={shared["facts"]}>
          {JOB_STATES.filter((state) => (data.counts[state] ?? 0) > 0).map((state) => (
            <Fact key={state} name={t(`jobs.state.${state}`)}>
              {formats.number(data.counts[state] ?? 0)}
            </Fact>
          ))}
          <Fact name={t("imports.started")}>
            {formats.dateTime(data.created_at)} · <bdi>{nameOf(data.requested_by)}</bdi>
          </Fact>
          {data.finished_at && <Fact name={t("imports.ended")}>{formats.dateTime(data.finished_at)}</Fact>}
        </dl>
      </Card>
      {reasons.length > 0 && (
        <Card title={t("imports.reasons")}>
          <dl className={shared["facts"]}>
            {reasons.map(([reason, count]) => (
              <Fact key={reason} name={reason}>
                {formats.number(count)}
              </Fact>
            ))}
          </dl>
        </Card>
      )}
      {data.failures.total > 0 && (
        <Card title={t("imports.failures", { count: data.failures.total })}>
          <JobTable jobs={data.failures.jobs} />
          <Pages total={data.failures.total} limit={ON_A_PAGE} offset={offset} onOffset={setOffset} />
        </Card>
      )}
    </Page>
  );
}
