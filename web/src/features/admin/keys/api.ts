import { keepPreviousData, useQuery } from "@tanstack/react-query";

import { api, data, type Schemas } from "@/lib/api";

import { PAGE } from "../parts/Listing";

export type Key = Schemas["KeyOut"];
export type ServiceAccount = Schemas["ServiceAccountOut"];
export type Permission = Schemas["Permission"];
export const KEYS = ["keys"] as const;
export const ACCOUNTS = ["service-accounts"] as const;

export function useKeys(offset: number) {
  return useQuery({
    queryKey: [...KEYS, offset],
    queryFn: () => data(api.GET("/api/keys/", { params: { query: { limit: PAGE, offset } } })),
    placeholderData: keepPreviousData,
  });
}

export function useServiceAccounts() {
  return useQuery({
    queryKey: ACCOUNTS,
    queryFn: () => data(api.GET("/api/service-accounts/", { params: { query: { limit: 200 } } })),
  });
}

export const makeKey = (body: Schemas["KeyIn"]) => data(api.POST("/api/keys/", { body }));

export const rotateKey = ({ id, grace_hours }: { id: string; grace_hours: number }) =>
  data(api.POST("/api/keys/{key_id}/rotate/", { params: { path: { key_id: id } }, body: { grace_hours } }));

export const revokeKey = (id: string) =>
  data(api.DELETE("/api/keys/{key_id}/", { params: { path: { key_id: id } } }));

export const makeAccount = (body: Schemas["ServiceAccountIn"]) =>
  data(api.POST("/api/service-accounts/", { body }));

export const changeAccount = ({ id, ...body }: { id: string } & Schemas["ServiceAccountPatch"]) =>
  data(
    api.PATCH("/api/service-accounts/{service_account_id}/", {
      params: { path: { service_account_id: id } },
      body,
    }),
  );

export const removeAccount = (id: string) =>
  data(
    api.DELETE("/api/service-accounts/{service_account_id}/", {
      params: { path: { service_account_id: id } },
    }),
  );

/** Whether a key opens anything now. */
export function isLive(key: Key, now = Date.now()): boolean {
  return key.revoked_at === null && (key.expires_at === null || new Date(key.expires_at).getTime() > now);
}
