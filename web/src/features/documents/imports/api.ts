/** Bulk imports and jobs: what is asked of the server. */

import { keepPreviousData, queryOptions, useMutation, useQueryClient } from "@tanstack/react-query";

import { api, data, type Schemas } from "@/lib/api";

export const ON_A_PAGE = 50;
/** What moves is asked for again so often. */
export const MOVING_MS = 2_000;

const at = (import_id: string) => ({ params: { path: { import_id } } });

export const importsQuery = (chatbotId: string, offset: number) =>
  queryOptions({
    queryKey: ["imports", "list", chatbotId, offset],
    queryFn: () =>
      data(
        api.GET("/api/chatbot/imports/", {
          params: { query: { chatbot_id: chatbotId, limit: ON_A_PAGE, offset } },
        }),
      ),
    placeholderData: keepPreviousData,
    refetchInterval: ({ state }) =>
      state.data?.imports.some((each) => each.state === "running") ? 2 * MOVING_MS : false,
  });

export const importQuery = (id: string, offset = 0) =>
  queryOptions({
    queryKey: ["imports", id, offset],
    queryFn: () =>
      data(
        api.GET("/api/chatbot/imports/{import_id}/", {
          params: { path: { import_id: id }, query: { limit: ON_A_PAGE, offset } },
        }),
      ),
    placeholderData: keepPreviousData,
    refetchInterval: ({ state }) => (state.data?.state === "running" ? MOVING_MS : false),
  });

export interface JobFilter {
  state: Schemas["JobState"] | null;
  kind: string;
  reason: string;
  offset: number;
}

export const jobsQuery = (chatbotId: string, { state, kind, reason, offset }: JobFilter) =>
  queryOptions({
    queryKey: ["imports", "jobs", chatbotId, state, kind, reason, offset],
    queryFn: () =>
      data(
        api.GET("/api/jobs/", {
          params: {
            query: {
              chatbot_id: chatbotId,
              state,
              kind: kind || null,
              reason: reason || null,
              limit: ON_A_PAGE,
              offset,
            },
          },
        }),
      ),
    placeholderData: keepPreviousData,
  });

export const importDeeds = {
  pause: (id: string) => data(api.POST("/api/chatbot/imports/{import_id}/pause/", at(id))),
  resume: (id: string) => data(api.POST("/api/chatbot/imports/{import_id}/resume/", at(id))),
  cancel: (id: string) => data(api.POST("/api/chatbot/imports/{import_id}/cancel/", at(id))),
  retryFailed: (id: string) => data(api.POST("/api/chatbot/imports/{import_id}/retry-failed/", at(id))),
  retryJob: (job_id: string) => data(api.POST("/api/jobs/{job_id}/retry/", { params: { path: { job_id } } })),
  cancelJob: (job_id: string) =>
    data(api.POST("/api/jobs/{job_id}/cancel/", { params: { path: { job_id } } })),
};

export function useImportDeed<Answer>(deed: (id: string) => Promise<Answer>) {
  const cache = useQueryClient();
  return useMutation({
    mutationFn: deed,
    onSettled: () =>
      Promise.all([
        cache.invalidateQueries({ queryKey: ["imports"] }),
        cache.invalidateQueries({ queryKey: ["documents"] }),
      ]),
  });
}
