import { useQuery } from "@tanstack/react-query";

import { api, ApiError, data, request, type Schemas } from "@/lib/api";

/** How many chatbots and users a tenant has. */
export function useTenantSize(enabled: boolean) {
  return useQuery({
    queryKey: ["tenant-size"],
    queryFn: async () => {
      const query = { params: { query: { limit: 1 } } };
      const [chatbots, users] = await Promise.all([
        data(api.GET("/api/chatbots/", query)),
        data(api.GET("/api/users/", query)),
      ]);
      return { chatbots: chatbots.total, users: users.total };
    },
    enabled,
    staleTime: Infinity,
  });
}

/** How many documents a chatbot knows. */
export function useDocumentCount(chatbotId: string) {
  return useQuery({
    queryKey: ["document-count", chatbotId],
    queryFn: async () =>
      (
        await data(
          api.GET("/api/chatbot/documents/", { params: { query: { chatbot_id: chatbotId, limit: 1 } } }),
        )
      ).total,
  });
}

/** The language models that the installation is set up with; none where it does not say. */
export function useModels() {
  return useQuery({
    queryKey: ["first-start", "models"],
    queryFn: async (): Promise<readonly string[]> => {
      try {
        const { ports } = (await (await request("/api/adapters/")).json()) as {
          ports: { name: string; adapters: { name: string; is_used: boolean }[] }[];
        };
        const adapters = ports.find((port) => port.name === "llm")?.adapters ?? [];
        return adapters.filter((each) => each.is_used).map((each) => each.name);
      } catch (error) {
        if (error instanceof ApiError && error.status === 404) {
          return [];
        }
        throw error;
      }
    },
    staleTime: Infinity,
  });
}

export const changeChatbot = ({ id, ...body }: { id: string } & Schemas["ChatbotPatch"]) =>
  data(api.PATCH("/api/chatbots/{chatbot_id}/", { params: { path: { chatbot_id: id } }, body }));

export const invite = (body: Schemas["InvitationIn"]) => data(api.POST("/api/users/invitations/", { body }));
