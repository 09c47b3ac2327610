/** Documents: what is asked of the server. All queries begin with `documents`, so that a live event renews them. */

import { keepPreviousData, queryOptions, useMutation, useQueryClient } from "@tanstack/react-query";

import { api, data, request, type Schemas } from "@/lib/api";

import { queryOf, type Filters } from "./list/filters";

const at = (document_id: string) => ({ params: { path: { document_id } } });

export const listQuery = (chatbotId: string, filters: Filters) =>
  queryOptions({
    queryKey: ["documents", "list", chatbotId, filters],
    queryFn: () =>
      data(
        api.GET("/api/chatbot/documents/", {
          params: { query: { chatbot_id: chatbotId, ...queryOf(filters) } },
        }),
      ),
    placeholderData: keepPreviousData,
  });

/** Counts by state of the whole chatbot. */
export const countsQuery = (chatbotId: string) =>
  queryOptions({
    queryKey: ["documents", "counts", chatbotId],
    queryFn: () =>
      data(
        api.GET("/api/training-data/{chatbot_id}", {
          params: { path: { chatbot_id: chatbotId }, query: { limit: 1 } },
        }),
      ),
  });

export const waitingQuery = (chatbotId: string) =>
  queryOptions({
    queryKey: ["documents", "waiting", chatbotId],
    queryFn: () =>
      data(
        api.GET("/api/chatbot/documents/", {
          params: { query: { chatbot_id: chatbotId, approval: "pending", sort: "oldest", limit: 100 } },
        }),
      ),
  });

export const documentQuery = (id: string) =>
  queryOptions({
    queryKey: ["documents", id],
    queryFn: () => data(api.GET("/api/chatbot/documents/{document_id}/", at(id))),
  });

export const statusQuery = (id: string) =>
  queryOptions({
    queryKey: ["documents", id, "status"],
    queryFn: () => data(api.GET("/api/chatbot/documents/{document_id}/status/", at(id))),
  });

export const versionsQuery = (id: string) =>
  queryOptions({
    queryKey: ["documents", id, "versions"],
    queryFn: () => data(api.GET("/api/chatbot/documents/{document_id}/versions/", at(id))),
  });

export const qualityQuery = (id: string) =>
  queryOptions({
    queryKey: ["documents", id, "quality"],
    queryFn: () => data(api.GET("/api/chatbot/documents/{document_id}/quality/", at(id))),
  });

export const CHUNKS_ON_A_PAGE = 50;

export const chunksQuery = (id: string, offset: number) =>
  queryOptions({
    queryKey: ["documents", id, "chunks", offset],
    queryFn: () =>
      data(
        api.GET("/api/chatbot/documents/{document_id}/chunks/", {
          params: { path: { document_id: id }, query: { limit: CHUNKS_ON_A_PAGE, offset } },
        }),
      ),
    placeholderData: keepPreviousData,
  });

export const pageQuery = (id: string, page: number) =>
  queryOptions({
    queryKey: ["documents", id, "page", page],
    queryFn: () =>
      data(
        api.GET("/api/chatbot/documents/{document_id}/pages/{page_number}/", {
          params: { path: { document_id: id, page_number: page } },
        }),
      ),
    placeholderData: keepPreviousData,
  });

const QUOTED_CHARACTERS = 4000; // what the API takes

/** Where words stand on the picture of a page, a rectangle for each line; null where there is nothing to look for. */
export const placesQuery = (id: string, page: number, passage: { text: string; at: number } | null) =>
  queryOptions({
    queryKey: ["documents", id, "places", page, passage?.at ?? null, passage?.text.length ?? 0],
    queryFn: async () => {
      if (passage === null) {
        return null;
      }
      const query = { text: Array.from(passage.text).slice(0, QUOTED_CHARACTERS).join(""), at: passage.at };
      const path = { document_id: id, page_number: page };
      const found = await data(
        api.GET("/api/chatbot/documents/{document_id}/pages/{page_number}/places/", {
          params: { path, query },
        }),
      );
      return found.places;
    },
    retry: false,
  });

export const HISTORY_ON_A_PAGE = 50;

export const historyQuery = (id: string, offset: number) =>
  queryOptions({
    queryKey: ["documents", id, "history", offset],
    queryFn: () =>
      data(
        api.GET("/api/chatbot/documents/{document_id}/history/", {
          params: { path: { document_id: id }, query: { limit: HISTORY_ON_A_PAGE, offset } },
        }),
      ),
  });

/** Names of people, for those who may see them. */
export const usersQuery = queryOptions({
  queryKey: ["users", "names"],
  queryFn: () => data(api.GET("/api/users/", { params: { query: { limit: 200 } } })),
  staleTime: 300_000,
});

export const deeds = {
  retry: (id: string) => data(api.POST("/api/chatbot/documents/{document_id}/retry/", at(id))),
  cancel: (id: string) => data(api.POST("/api/chatbot/documents/{document_id}/cancel/", at(id))),
  approve: (id: string) => data(api.POST("/api/chatbot/documents/{document_id}/approve/", at(id))),
  remove: (id: string) => data(api.DELETE("/api/chatbot/documents/{document_id}/", at(id))),
  reject: (id: string, reason: string) =>
    data(api.POST("/api/chatbot/documents/{document_id}/reject/", { ...at(id), body: { reason } })),
  reprocess: (id: string, embedAll = false) =>
    data(
      api.POST("/api/chatbot/documents/{document_id}/reprocess/", {
        ...at(id),
        body: { embed_all: embedAll },
      }),
    ),
  change: (id: string, change: Schemas["DocumentChange"]) =>
    data(api.PATCH("/api/chatbot/documents/{document_id}/", { ...at(id), body: change })),
  restore: (id: string, version: number) =>
    data(
      api.POST("/api/chatbot/documents/{document_id}/versions/{version}/restore/", {
        params: { path: { document_id: id, version } },
      }),
    ),
};

/** A deed after which everything about documents is read anew. */
export function useDeed<Given>(deed: (given: Given) => Promise<unknown>) {
  const cache = useQueryClient();
  return useMutation({
    mutationFn: deed,
    onSettled: () => cache.invalidateQueries({ queryKey: ["documents"] }),
  });
}

/** Saves the original file under its name. Through `fetch`, so that a refusal is an error and no page of JSON. */
export async function download(id: string, fileName: string, version?: number): Promise<void> {
  const query = version === undefined ? "" : `?version=${version}`;
  const answer = await request(`/api/chatbot/documents/${encodeURIComponent(id)}/content/${query}`);
  const url = URL.createObjectURL(await answer.blob());
  const link = document.createElement("a");
  link.href = url;
  link.download = fileName;
  link.click();
  window.setTimeout(() => URL.revokeObjectURL(url), 60_000);
}
