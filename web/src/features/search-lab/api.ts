import { useMutation, useQuery, useQueryClient } from "@tanstack/react-query";

import { api, data, type Schemas } from "@/lib/api";
import type { Chatbot } from "@/lib/session";

export type Found = Schemas["SearchOut"];
export type Hit = Schemas["SearchHit"];
export type Considered = Schemas["Considered"];
export type Explanation = Schemas["Explanation"];
export type Mode = Schemas["SearchOut"]["mode"];
export type Said = Schemas["SaidIn"];

export interface Tried {
  chatbotId: string;
  query: string;
  filter: string;
  history: readonly Said[];
  /** Null: the one that the chatbot has. */
  reranker: string | null;
}

/** Everything that is considered is asked for, so that thresholds can be tried here without searching again. */
const ALL = 100;

export function useSearch(tried: Tried | null, mode: Mode) {
  return useQuery({
    queryKey: ["search-lab", tried, mode],
    queryFn: ({ signal }) => {
      if (tried === null) {
        throw new Error("A disabled query is not run");
      }
      return data(
        api.POST("/api/search", {
          signal,
          body: {
            query: tried.query,
            chatbot_id: tried.chatbotId,
            mode,
            max_results: ALL,
            offset: 0,
            similarity_threshold: 0,
            explain: true,
            filter: tried.filter === "" ? null : tried.filter,
            reranker: tried.reranker,
            history: tried.history.length === 0 ? null : [...tried.history],
          },
        }),
      );
    },
    enabled: tried !== null,
    placeholderData: (before, query) => {
      const [, asked] = (query?.queryKey ?? []) as [unknown, Tried | null];
      return asked?.chatbotId === tried?.chatbotId ? before : undefined;
    },
    staleTime: 30_000,
  });
}

export interface AnswerSettings {
  similarity_threshold: number;
  search_mode: Mode;
  reranker: string;
}

const MODES: readonly Mode[] = ["hybrid", "dense", "keyword"];

export function answerSettingsOf(chatbot: Chatbot): AnswerSettings {
  const { similarity_threshold, search_mode, reranker } = chatbot.settings;
  return {
    similarity_threshold: typeof similarity_threshold === "number" ? similarity_threshold : 0,
    search_mode: MODES.find((mode) => mode === search_mode) ?? "hybrid",
    reranker: typeof reranker === "string" ? reranker : "none",
  };
}

export function useSaveSettings(chatbotId: string) {
  const cache = useQueryClient();
  return useMutation({
    mutationFn: (settings: Partial<AnswerSettings>) =>
      data(
        api.PATCH("/api/chatbots/{chatbot_id}/", {
          params: { path: { chatbot_id: chatbotId } },
          body: { settings },
        }),
      ),
    onSuccess: async () => {
      await cache.invalidateQueries({ queryKey: ["chatbots"] });
      await cache.invalidateQueries({ queryKey: ["search-lab"] });
    },
  });
}

/** The re-rankers that this installation can ask. */
export function useRerankers(chatbotId: string) {
  return useQuery({
    queryKey: ["search-lab", "rerankers", chatbotId],
    queryFn: async () =>
      (await data(api.GET("/api/search/rerankers", { params: { query: { chatbot_id: chatbotId } } })))
        .rerankers,
    staleTime: 300_000,
  });
}
