import { useQuery } from "@tanstack/react-query";
import { ListChecks } from "lucide-react";
import { useTranslation } from "react-i18next";
import { useSearchParams } from "@/lib/address";

import { Select } from "@/components/Field";
import { Empty, ErrorNote } from "@/components/Notes";
import { Spinner } from "@/components/Spinner";
import { Pages } from "@/components/Table";

import shared from "../documents.module.css";
import { isOneOf } from "../types";
import { jobsQuery, MOVING_MS, ON_A_PAGE } from "./api";
import { JobTable } from "./JobTable";

const STATES = ["queued", "paused", "running", "succeeded", "failed", "cancelled"] as const;

/** The jobs of the chatbot. Dead ones come first to mind: their reasons, and the way to run them again. */
export function Jobs({ chatbotId }: { chatbotId: string }) {
  const { t } = useTranslation("documents");
  const [query, setQuery] = useSearchParams();
  const wanted = query.get("state");
  const state = isOneOf(STATES, wanted) ? wanted : null;
  const offset = Math.max(0, Math.trunc(Number(query.get("offset")) || 0));
  const reason = query.get("reason") ?? "";
  const { data, error, refetch } = useQuery({
    ...jobsQuery(chatbotId, { state, kind: "", reason, offset }),
    refetchInterval:
      state === "failed" || state === "cancelled" || state === "succeeded" ? false : 2 * MOVING_MS,
  });
  const change = (name: string, value: string) =>
    setQuery((now) => {
      const next = new URLSearchParams(now);
      next.delete("offset");
      if (value === "") {
        next.delete(name);
      } else {
        next.set(name, value);
      }
      return next;
    });
  const reasons = [...new Set([reason, ...(data?.jobs ?? []).map((job) => job.error_code ?? "")])].filter(
    Boolean,
  );
  return (
    <div className={shared["stack"]}>
      <div className={shared["columns"]}>
        <Select
          label={t("column.state")}
          value={state ?? ""}
          onChange={({ target }) => change("state", target.value)}
          options={[
            { value: "", label: t("filter.any") },
            ...STATES.map((value) => ({ value, label: t(`jobs.state.${value}`) })),
          ]}
        />
        <Select
          label={t("jobs.reason")}
          value={reason}
          onChange={({ target }) => change("reason", target.value)}
          options={[
            { value: "", label: t("filter.any") },
            ...reasons.map((value) => ({ value, label: value })),
          ]}
        />
      </div>
      {error && <ErrorNote error={error} onRetry={() => void refetch()} />}
      {data === undefined && !error && <Spinner />}
      {data?.total === 0 && (
        <Empty icon={<ListChecks />} title={t(state === "failed" ? "jobs.noneDead" : "jobs.none")} />
      )}
      {data !== undefined && data.total > 0 && <JobTable jobs={data.jobs} />}
      <Pages
        total={data?.total ?? 0}
        limit={ON_A_PAGE}
        offset={offset}
        onOffset={(next) => change("offset", next === 0 ? "" : String(next))}
      />
    </div>
  );
}
