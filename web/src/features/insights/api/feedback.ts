import { keepPreviousData, useMutation, useQuery, useQueryClient } from "@tanstack/react-query";

import { api, data, type Schemas } from "@/lib/api";

import type { View } from "../view";

export type FeedbackItem = Schemas["FeedbackItem"];
export type Reason = Schemas["Reason"];
export type ReportSummary = Schemas["ReportSummary"];
export type ReportOut = Schemas["ReportOut"];

export interface Wanted {
  rating: string;
  reason: string;
  correction: string;
  text: string;
  by: string;
  offset: number;
}

export const PAGE = 20;

export function feedbackQuery(view: View, wanted: Wanted) {
  return {
    chatbot_id: view.chatbotId,
    from: view.range.from,
    to: view.range.to,
    language: view.language || null,
    rating: (wanted.rating || null) as Schemas["Rating"] | null,
    reason: (wanted.reason || null) as Reason | null,
    correction: (wanted.correction || null) as Schemas["CorrectionState"] | null,
    has_text: wanted.text === "" ? null : wanted.text === "with",
    is_review: wanted.by === "" ? null : wanted.by === "reviewers",
  };
}

export function useFeedback(view: View, wanted: Wanted) {
  return useQuery({
    queryKey: ["insights", "feedback", view.chatbotId, view.range.from, view.range.to, view.language, wanted],
    queryFn: () =>
      data(
        api.GET("/api/chatbot/feedback/", {
          params: { query: { ...feedbackQuery(view, wanted), limit: PAGE, offset: wanted.offset } },
        }),
      ),
    placeholderData: keepPreviousData,
    refetchInterval: view.refresh,
  });
}

export function useFeedbackSums(view: View) {
  const { chatbotId, range, refresh } = view;
  return useQuery({
    queryKey: ["insights", "feedback-sums", chatbotId, range.from, range.to],
    queryFn: () =>
      data(
        api.GET("/api/chatbot/analytics/feedback/", {
          params: { query: { chatbot_id: chatbotId, from: range.from, to: range.to, limit: 20 } },
        }),
      ),
    placeholderData: keepPreviousData,
    refetchInterval: refresh,
  });
}

export function useDecide(feedbackId: string) {
  const cache = useQueryClient();
  const onSuccess = () => cache.invalidateQueries({ queryKey: ["insights"] });
  const path = { feedback_id: feedbackId };
  const accept = useMutation({
    mutationFn: (body: Schemas["AcceptIn"]) =>
      data(api.POST("/api/chatbot/feedback/{feedback_id}/accept-correction/", { params: { path }, body })),
    onSuccess,
  });
  const reject = useMutation({
    mutationFn: (note: string) =>
      data(
        api.POST("/api/chatbot/feedback/{feedback_id}/reject-correction/", {
          params: { path },
          body: { note },
        }),
      ),
    onSuccess,
  });
  return { accept, reject };
}

/** A report that is being written is looked at every so often. */
const WRITING_EVERY_MS = 2_000;

export function useReports(chatbotId: string, enabled: boolean) {
  return useQuery({
    queryKey: ["insights", "reports", chatbotId],
    queryFn: () =>
      data(
        api.GET("/api/chatbot/reports/", {
          params: { query: { chatbot_id: chatbotId, limit: 20, offset: 0 } },
        }),
      ),
    refetchInterval: (query) =>
      query.state.data?.reports.some((report) => report.state === "queued") ? WRITING_EVERY_MS : false,
    enabled,
  });
}

export function useMakeReport(view: View) {
  const cache = useQueryClient();
  return useMutation({
    mutationFn: () =>
      data(
        api.POST("/api/chatbot/reports/improvement/", {
          body: { chatbot_id: view.chatbotId, first_day: view.range.from, last_day: view.range.to },
        }),
      ),
    onSuccess: () => cache.invalidateQueries({ queryKey: ["insights", "reports"] }),
  });
}

export function useReportOf(reportId: string) {
  return useQuery({
    queryKey: ["insights", "report", reportId],
    queryFn: () =>
      data(
        api.GET("/api/chatbot/reports/{report_id}/", {
          params: { path: { report_id: reportId }, query: { format: "json" } },
        }),
      ) as Promise<ReportOut>,
  });
}
