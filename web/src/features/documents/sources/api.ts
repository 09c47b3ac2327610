/** Connectors: what is asked of the server. */

import { keepPreviousData, queryOptions, useMutation, useQueryClient } from "@tanstack/react-query";

import { api, data, type Schemas } from "@/lib/api";

import type { Connector, Sync } from "../types";

export const ON_A_PAGE = 50;
const MOVING_MS = 2_000;

const isMoving = ({ state }: Pick<Sync, "state">) => state === "queued" || state === "running";

export const isSyncing = ({ last_sync }: Pick<Connector, "last_sync">) =>
  last_sync !== null && isMoving(last_sync);

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
    refetchInterval: ({ state }) => (state.data?.syncs.some(isMoving) ? MOVING_MS : false),
  });

export const reportQuery = (id: string, syncId: string, outcome: Schemas["Outcome"] | null, offset: number) =>
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
    refetchInterval: ({ state }) => (state.data && isMoving(state.data) ? MOVING_MS : false),
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

/** The kinds of connectors with the schema of their settings, for who may add one to this chatbot. */
export const kindsQuery = (chatbotId: string | undefined) =>
  queryOptions({
    queryKey: ["adapters", "connector", chatbotId],
    queryFn: async () => {
      const query = chatbotId === undefined ? {} : { chatbot_id: chatbotId };
      const { ports } = await data(api.GET("/api/adapters/", { params: { query } }));
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
