import { keepPreviousData, useQuery } from "@tanstack/react-query";

import { fieldsOf, type FormField, type JsonSchema } from "@/components/schema-form/schema";
import { api, data, request, type Schemas } from "@/lib/api";

import { PAGE } from "../parts/Listing";

export type ChatbotOut = Schemas["ChatbotOut"];
export type Member = Schemas["MemberOut"];
export type WidgetKey = Schemas["WidgetKeyOut"];
export type Template = Schemas["TemplateOut"];
export const CHATBOTS = ["chatbots"] as const;
export const membersOf = (id: string) => ["chatbot-members", id] as const;
export const widgetKeysOf = (id: string) => ["widget-keys", id] as const;
export const promptsOf = (id: string) => ["prompts", id] as const;
export const promptsAddress = (id: string) => `/admin/chatbots/${id}/prompts`;

const at = (id: string) => ({ path: { chatbot_id: id } });

export function useChatbots(offset: number) {
  return useQuery({
    queryKey: [...CHATBOTS, "page", offset],
    queryFn: () => data(api.GET("/api/chatbots/", { params: { query: { limit: PAGE, offset } } })),
    placeholderData: keepPreviousData,
  });
}

export function useOneChatbot(id: string) {
  return useQuery({
    queryKey: [...CHATBOTS, id],
    queryFn: () => data(api.GET("/api/chatbots/{chatbot_id}/", { params: at(id) })),
  });
}

export const makeChatbot = (body: Schemas["ChatbotIn"]) => data(api.POST("/api/chatbots/", { body }));

export const changeChatbot = ({ id, ...body }: { id: string } & Schemas["ChatbotPatch"]) =>
  data(api.PATCH("/api/chatbots/{chatbot_id}/", { params: at(id), body }));

export const removeChatbot = (id: string) =>
  data(api.DELETE("/api/chatbots/{chatbot_id}/", { params: at(id) }));

/** The settings that a chatbot of this server has, as the server itself describes them. */
export function useSettingFields() {
  return useQuery({
    queryKey: ["setting-fields"],
    queryFn: async (): Promise<readonly FormField[]> => {
      const document = (await (await request("/openapi.json")).json()) as object;
      const settings: JsonSchema = { $ref: "#/components/schemas/ChatbotSettings" };
      // The document tells of answers, where all settings stand: none has to be sent.
      return fieldsOf(settings, document).map((field) => ({ ...field, isRequired: false }));
    },
    staleTime: Infinity,
  });
}

export function useMembers(id: string) {
  return useQuery({
    queryKey: membersOf(id),
    queryFn: () =>
      data(api.GET("/api/chatbots/{chatbot_id}/members/", { params: { ...at(id), query: { limit: 200 } } })),
  });
}

export const setMember = ({ id, member, role }: { id: string; member: string; role: Schemas["Role"] }) =>
  data(
    api.PUT("/api/chatbots/{chatbot_id}/members/{member_id}/", {
      params: { path: { chatbot_id: id, member_id: member } },
      body: { role },
    }),
  );

export const removeMember = ({ id, member }: { id: string; member: string }) =>
  data(
    api.DELETE("/api/chatbots/{chatbot_id}/members/{member_id}/", {
      params: { path: { chatbot_id: id, member_id: member } },
    }),
  );

export function useWidgetKeys(id: string) {
  return useQuery({
    queryKey: widgetKeysOf(id),
    queryFn: () =>
      data(
        api.GET("/api/chatbots/{chatbot_id}/widget-keys/", { params: { ...at(id), query: { limit: 200 } } }),
      ),
  });
}

export const makeWidgetKey = ({ id, ...body }: { id: string } & Schemas["WidgetKeyIn"]) =>
  data(api.POST("/api/chatbots/{chatbot_id}/widget-keys/", { params: at(id), body }));

export const changeWidgetKey = ({
  id,
  key,
  ...body
}: { id: string; key: string } & Schemas["WidgetKeyPatch"]) =>
  data(
    api.PATCH("/api/chatbots/{chatbot_id}/widget-keys/{widget_key_id}/", {
      params: { path: { chatbot_id: id, widget_key_id: key } },
      body,
    }),
  );

export const revokeWidgetKey = ({ id, key }: { id: string; key: string }) =>
  data(
    api.DELETE("/api/chatbots/{chatbot_id}/widget-keys/{widget_key_id}/", {
      params: { path: { chatbot_id: id, widget_key_id: key } },
    }),
  );

export function usePrompts(id: string) {
  return useQuery({
    queryKey: promptsOf(id),
    queryFn: () =>
      data(api.GET("/api/chatbots/{chatbot_id}/prompts/", { params: { ...at(id), query: { limit: 200 } } })),
  });
}

export const writePrompt = ({ id, ...body }: { id: string } & Schemas["TemplateIn"]) =>
  data(api.POST("/api/chatbots/{chatbot_id}/prompts/", { params: at(id), body }));

export const answerByPrompt = ({ id, version }: { id: string; version: number }) =>
  data(api.PUT("/api/chatbots/{chatbot_id}/prompts/used/", { params: at(id), body: { version } }));

export const previewPrompt = ({ id, ...body }: { id: string } & Schemas["TemplatePreviewIn"]) =>
  data(api.POST("/api/chatbots/{chatbot_id}/prompts/preview/", { params: at(id), body }));

/** Asks a question in a conversation that is gone afterwards. */
export async function tryQuestion(id: string, message: string): Promise<Schemas["AnswerOut"]> {
  const session = await data(api.POST("/api/chatbot/sessions/", { body: { chatbot_id: id, title: "–" } }));
  const path = { session_id: session.id };
  try {
    return await data(
      api.POST("/api/chatbot/sessions/{session_id}/messages/", { params: { path }, body: { message } }),
    );
  } finally {
    await data(api.DELETE("/api/chatbot/sessions/{session_id}/", { params: { path } }));
  }
}
