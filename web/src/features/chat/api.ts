/** Conversations, messages and what belongs to them, as the server has them. */

import {
  queryOptions,
  useInfiniteQuery,
  useMutation,
  useQueryClient,
  type QueryClient,
} from "@tanstack/react-query";

import { api, ApiError, data, request, type Schemas } from "@/lib/api";

export type Session = Schemas["SessionOut"];
export type Message = Schemas["StoredMessageOut"];
export type Feedback = Schemas["FeedbackIn"];
export type Given = Schemas["GivenFeedbackOut"];

const SESSIONS_AT_ONCE = 30;
const MESSAGES_AT_ONCE = 200;

export const keys = {
  sessions: ["chat", "sessions"] as const,
  session: (id: string) => ["chat", "session", id] as const,
  messages: (id: string) => ["chat", "messages", id] as const,
};

export function useSessions(chatbotId: string | null, search: string, archived: boolean) {
  return useInfiniteQuery({
    queryKey: [...keys.sessions, chatbotId, search, archived],
    queryFn: ({ pageParam }) =>
      data(
        api.GET("/api/chatbot/sessions/", {
          params: {
            query: {
              limit: SESSIONS_AT_ONCE,
              offset: pageParam,
              search,
              archived,
              ...(chatbotId === null ? {} : { chatbot_id: chatbotId }),
            },
          },
        }),
      ),
    initialPageParam: 0,
    getNextPageParam: (last) => {
      const next = last.offset + last.sessions.length;
      return last.sessions.length > 0 && next < last.total ? next : undefined;
    },
  });
}

export const sessionQuery = (sessionId: string) =>
  queryOptions({
    queryKey: keys.session(sessionId),
    queryFn: () =>
      data(api.GET("/api/chatbot/sessions/{session_id}/", { params: { path: { session_id: sessionId } } })),
  });

/** All messages of the branch that the conversation is on. */
export const messagesQuery = (sessionId: string) =>
  queryOptions({
    queryKey: keys.messages(sessionId),
    queryFn: async () => {
      const found: Message[] = [];
      for (;;) {
        const page = await data(
          api.GET("/api/chatbot/sessions/{session_id}/messages/", {
            params: {
              path: { session_id: sessionId },
              query: { limit: MESSAGES_AT_ONCE, offset: found.length },
            },
          }),
        );
        found.push(...page.messages);
        if (page.messages.length === 0 || found.length >= page.total) {
          return found;
        }
      }
    },
    staleTime: 60_000,
  });

export function useOpenSession() {
  const cache = useQueryClient();
  return useMutation({
    mutationFn: (body: {
      chatbot_id?: string;
      document_ids?: string[];
      settings?: Record<string, unknown>;
    }) => data(api.POST("/api/chatbot/sessions/", { body: { title: "", settings: {}, ...body } })),
    onSuccess: (session) => {
      cache.setQueryData(keys.session(session.id), session);
      cache.setQueryData(keys.messages(session.id), []);
    },
  });
}

export function useChangeSession(sessionId: string) {
  const cache = useQueryClient();
  return useMutation({
    mutationFn: (body: Schemas["SessionPatch"]) =>
      data(
        api.PATCH("/api/chatbot/sessions/{session_id}/", {
          params: { path: { session_id: sessionId } },
          body,
        }),
      ),
    onSuccess: async (session) => {
      cache.setQueryData(keys.session(sessionId), session);
      await cache.invalidateQueries({ queryKey: keys.sessions });
    },
  });
}

export function useDeleteSession(sessionId: string) {
  const cache = useQueryClient();
  return useMutation({
    mutationFn: () =>
      data(
        api.DELETE("/api/chatbot/sessions/{session_id}/", { params: { path: { session_id: sessionId } } }),
      ),
    onSuccess: () => cache.invalidateQueries({ queryKey: keys.sessions }),
  });
}

export function useSelectBranch(sessionId: string) {
  const cache = useQueryClient();
  return useMutation({
    mutationFn: (messageId: string) =>
      data(
        api.POST("/api/chatbot/sessions/{session_id}/messages/{message_id}/select/", {
          params: { path: { session_id: sessionId, message_id: messageId } },
        }),
      ),
    onSuccess: () => cache.invalidateQueries({ queryKey: keys.messages(sessionId) }),
  });
}

/** Null takes back what was said. */
export function useGiveFeedback(sessionId: string, messageId: string) {
  const cache = useQueryClient();
  const params = { path: { message_id: messageId } };
  return useMutation({
    mutationFn: async (given: Feedback | null): Promise<Given | null> => {
      if (given === null) {
        await data(api.DELETE("/api/chatbot/messages/{message_id}/feedback/", { params }));
        return null;
      }
      return data(api.POST("/api/chatbot/messages/{message_id}/feedback/", { params, body: given }));
    },
    onSuccess: (feedback) => {
      cache.setQueryData<Message[]>(keys.messages(sessionId), (messages) =>
        messages?.map((message) => (message.id === messageId ? { ...message, feedback } : message)),
      );
    },
  });
}

export async function downloadSession(session: Session, format: "markdown" | "json"): Promise<void> {
  const response = await request(`/api/chatbot/sessions/${session.id}/export/?format=${format}`);
  const named = /filename="([^"]+)"/.exec(response.headers.get("Content-Disposition") ?? "");
  const address = URL.createObjectURL(await response.blob());
  const link = document.createElement("a");
  link.href = address;
  link.download = named?.[1] ?? `conversation.${format === "json" ? "json" : "md"}`;
  link.click();
  window.setTimeout(() => URL.revokeObjectURL(address), 10_000); // the browser has begun to save it by then
}

export const suggestionsQuery = (chatbotId: string, language: string) =>
  queryOptions({
    queryKey: ["chat", "suggestions", chatbotId, language],
    queryFn: async () => {
      try {
        const query = new URLSearchParams({ language, limit: "4" });
        const answer = await request(`/api/chatbots/${chatbotId}/suggestions/?${query.toString()}`);
        return ((await answer.json()) as { suggestions: { text: string; language: string }[] }).suggestions;
      } catch (error) {
        if (error instanceof ApiError) {
          return []; // nothing to suggest is no reason to complain
        }
        throw error;
      }
    },
    staleTime: 300_000,
  });

export const documentsQuery = (chatbotId: string, search: string) =>
  queryOptions({
    queryKey: ["chat", "documents", chatbotId, search],
    queryFn: () =>
      data(
        api.GET("/api/chatbot/documents/", {
          params: {
            query: {
              chatbot_id: chatbotId,
              state: "ready",
              limit: 50,
              offset: 0,
              ...(search ? { search } : {}),
            },
          },
        }),
      ),
  });

export const documentQuery = (documentId: string) =>
  queryOptions({
    queryKey: ["chat", "document", documentId],
    queryFn: () =>
      data(
        api.GET("/api/chatbot/documents/{document_id}/", { params: { path: { document_id: documentId } } }),
      ),
    staleTime: 60_000,
  });

/** After an answer: what the server has stored of it, and the conversation's new place in the list. */
export async function refreshConversation(cache: QueryClient, sessionId: string): Promise<void> {
  await Promise.all([
    cache.invalidateQueries({ queryKey: keys.messages(sessionId) }),
    cache.invalidateQueries({ queryKey: keys.session(sessionId) }),
    cache.invalidateQueries({ queryKey: keys.sessions }),
  ]);
}
