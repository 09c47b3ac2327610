/** Connectors: what is asked of the server. */

import { keepPreviousData, queryOptions, useMutation, useQueryClient } from "@tanstack/react-query";

import { api, data, request, type Schemas } from "@/lib/api";

import type { Connector } from "../types";
import type { JsonSchema } from "./schema";

export const ON_A_PAGE = 50;
const MOVING_MS = 2_000;

export const isSyncing = (connector: Pick<Connector, "last_sync">) =>
  connector.last_sync?.state === "queued" || connector.last_sync?.state === "running";

export const connectorsQuery = (chatbotId: string, offset: number) =>
  queryOptions({
    queryKey: ["connectors", "list", chatbotId, offset],
    queryFn: () =>
      data(
        api.GET("/api/chatbot/connectors/", {
          params: { query: { chatbot_id: chatbotId, limit: ON_A_PAGE, offset } },
        }),
      ),
    placeholderData: keepPreviousData,
    refetchInterval: ({ state }) => (state.data?.connectors.some(isSyncing) ? MOVING_MS : false),
  });

export const connectorQuery = (id: string) =>
  queryOptions({
    queryKey: ["connectors", id],
    queryFn: () =>
      data(api.GET("/api/chatbot/connectors/{connector_id}/", { params: { path: { connector_id: id } } })),
    refetchInterval: ({ state }) => (state.data && isSyncing(state.data) ? MOVING_MS : false),
  });

export const syncsQuery = (id: string) =>
  queryOptions({
    queryKey: ["connectors", id, "syncs"],
    queryFn: () =>
      data(
        api.GET("/api/chatbot/connectors/{connector_id}/syncs/", {
          params: { path: { connector_id: id }, query: { limit: ON_A_PAGE } },
        }),
      ),
  });

export const reportQuery = (
  id: string,
  syncId: string,
  outcome: Schemas["Outcome"] | null,
  offset: number,
  isMoving: boolean,
) =>
  queryOptions({
    queryKey: ["connectors", id, "report", syncId, outcome, offset],
    queryFn: () =>
      data(
        api.GET("/api/chatbot/connectors/{connector_id}/syncs/{sync_id}/", {
          params: {
            path: { connector_id: id, sync_id: syncId },
            query: { outcome, limit: ON_A_PAGE, offset },
          },
        }),
      ),
    placeholderData: keepPreviousData,
    refetchInterval: isMoving ? MOVING_MS : false,
  });

export const itemsQuery = (id: string, state: Schemas["ItemState"] | null, offset: number) =>
  queryOptions({
    queryKey: ["connectors", id, "items", state, offset],
    queryFn: () =>
      data(
        api.GET("/api/chatbot/connectors/{connector_id}/items/", {
          params: { path: { connector_id: id }, query: { state, limit: ON_A_PAGE, offset } },
        }),
      ),
    placeholderData: keepPreviousData,
  });

export interface Kind {
  name: string;
  description: string;
  is_installed: boolean;
  extras: readonly string[];
  settings_schema: JsonSchema;
}

/** The kinds of connectors with the schema of their settings. An error for those who may not see adapters. */
export const kindsQuery = queryOptions({
  queryKey: ["adapters", "connector"],
  queryFn: async () => {
    const answer = await request("/api/adapters/");
    const { ports } = (await answer.json()) as {
      ports: readonly { name: string; adapters: readonly Kind[] }[];
    };
    return ports.find(({ name }) => name === "connector")?.adapters ?? [];
  },
  staleTime: Infinity,
});

const at = (connector_id: string) => ({ params: { path: { connector_id } } });

export const connectorDeeds = {
  create: (body: Schemas["ConnectorIn"]) => data(api.POST("/api/chatbot/connectors/", { body })),
  update: (id: string, body: Schemas["ConnectorPatch"]) =>
    data(api.PATCH("/api/chatbot/connectors/{connector_id}/", { ...at(id), body })),
  sync: (id: string, allowMassDeletion = false) =>
    data(
      api.POST("/api/chatbot/connectors/{connector_id}/sync/", {
        ...at(id),
        body: { allow_mass_deletion: allowMassDeletion },
      }),
    ),
  remove: (id: string, withDocuments: boolean) =>
    data(
      api.DELETE("/api/chatbot/connectors/{connector_id}/", {
        params: { path: { connector_id: id }, query: { documents: withDocuments ? "delete" : "keep" } },
      }),
    ),
};

export function useConnectorDeed<Given, Answer>(deed: (given: Given) => Promise<Answer>) {
  const cache = useQueryClient();
  return useMutation({
    mutationFn: deed,
    onSettled: () =>
      Promise.all([
        cache.invalidateQueries({ queryKey: ["connectors"] }),
        cache.invalidateQueries({ queryKey: ["documents"] }),
      ]),
  });
}
