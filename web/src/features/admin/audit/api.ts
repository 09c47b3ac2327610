import { useInfiniteQuery, useQuery } from "@tanstack/react-query";

import { api, data, type Schemas } from "@/lib/api";

import type { Filters } from "./filters";
import { queryOf } from "./filters";

export type AuditEvent = Schemas["AuditEventOut"];
export const RETENTION = ["audit", "retention"] as const;

export function useEvents(filters: Filters) {
  return useInfiniteQuery({
    queryKey: ["audit", "events", filters],
    queryFn: ({ pageParam }) =>
      data(
        api.GET("/api/audit/", { params: { query: { ...queryOf(filters), limit: 25, cursor: pageParam } } }),
      ),
    initialPageParam: null as string | null,
    getNextPageParam: (last) => last.next_cursor,
  });
}

export const verifyChain = () => data(api.GET("/api/audit/verify/"));

export function useRetention() {
  return useQuery({ queryKey: RETENTION, queryFn: () => data(api.GET("/api/audit/retention/")) });
}

export const setRetention = (keepDays: number | null) =>
  data(api.PUT("/api/audit/retention/", { body: { keep_days: keepDays } }));
