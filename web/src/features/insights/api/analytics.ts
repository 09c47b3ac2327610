import { keepPreviousData, useQuery } from "@tanstack/react-query";

import { api, data, type Schemas } from "@/lib/api";

import { dayOf, type Range } from "../data/range";
import { filled, totalOf, type Bar, type Total } from "../data/totals";
import type { View } from "../view";

export type Report = Schemas["AnalyticsReportOut"];

function useReport(view: View, range: Pick<Range, "from" | "to" | "by">, enabled = true) {
  const { chatbotId, language, refresh } = view;
  return useQuery({
    queryKey: ["insights", "analytics", chatbotId, range.from, range.to, range.by, language],
    queryFn: () =>
      data<Report | string>(
        api.GET("/api/analytics/{chatbot_id}", {
          params: {
            path: { chatbot_id: chatbotId },
            query: { from: range.from, to: range.to, by: range.by, limit: 20, language: language || null },
          },
        }),
      ) as Promise<Report>, // a string only where `format=csv` is asked for
    placeholderData: keepPreviousData,
    refetchInterval: refresh,
    enabled,
  });
}

export interface Service {
  report: Report;
  total: Total;
  before: Total;
  bars: readonly Bar[];
}

const DAY_MS = 86_400_000;

/** How well a chatbot served. Of 24 hours, counts are those of 24 hours; lists and latencies tell of both days that they touch. */
export function useService(view: View) {
  const { range } = view;
  const isHours = range.span === "24h";
  const report = useReport(view, range);
  const before = { ...range, from: dayOf(Date.parse(range.from) - DAY_MS) };
  const hours = useReport(view, before, isHours);
  const error = report.error ?? (isHours ? hours.error : null);
  const refetch = () => void Promise.all([report.refetch(), ...(isHours ? [hours.refetch()] : [])]);
  return {
    service: serviceOf(range, report.data, hours.data),
    error,
    refetch,
    isUpdating: report.isFetching,
  };
}

function serviceOf(range: Range, report: Report | undefined, hours: Report | undefined): Service | undefined {
  if (report === undefined || (range.span === "24h" && hours === undefined)) {
    return undefined;
  }
  const bars = filled(report.bars, range);
  if (hours === undefined || range.span !== "24h") {
    return { report, total: report.total, before: report.before, bars };
  }
  const earlier = filled(hours.bars, range, Date.now() - DAY_MS);
  return {
    report,
    bars,
    total: { ...totalOf(bars), latency_ms: report.total.latency_ms },
    before: { ...totalOf(earlier), latency_ms: {} },
  };
}

/** The languages of all questions, to choose among them. */
export function useAskedLanguages(view: View): readonly string[] {
  const { data: report } = useReport({ ...view, language: "" }, view.range);
  return (report?.languages ?? []).map((each) => each.language);
}

export function useSearchAnalytics(view: View, enabled: boolean) {
  const { chatbotId, range, language, refresh } = view;
  return useQuery({
    queryKey: ["insights", "searches", chatbotId, range.from, range.to, language],
    queryFn: () =>
      data(
        api.GET("/api/search/analytics/{chatbot_id}", {
          params: {
            path: { chatbot_id: chatbotId },
            query: { from: range.from, to: range.to, limit: 50, language: language || null },
          },
        }),
      ),
    placeholderData: keepPreviousData,
    refetchInterval: refresh,
    enabled,
  });
}
