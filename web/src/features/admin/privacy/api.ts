import { keepPreviousData, useQuery } from "@tanstack/react-query";

import { api, data, type Schemas } from "@/lib/api";

import { PAGE } from "../parts/Listing";

export type PrivacyRequest = Schemas["PrivacyRequestOut"];
export const REQUESTS = ["privacy-requests"] as const;

/** The requests; looked at again and again while one of them is being done. */
export function useRequests(offset: number) {
  return useQuery({
    queryKey: [...REQUESTS, offset],
    queryFn: () => data(api.GET("/api/privacy/requests/", { params: { query: { limit: PAGE, offset } } })),
    placeholderData: keepPreviousData,
    refetchInterval: ({ state }) =>
      state.data?.requests.some((each) => each.state === "waiting" || each.state === "running")
        ? 1_500
        : false,
  });
}

export const makeRequest = (body: Schemas["PrivacyRequestIn"]) =>
  data(api.POST("/api/privacy/requests/", { body }));

export const removeArchive = (id: string) =>
  data(
    api.DELETE("/api/privacy/requests/{privacy_request_id}/archive/", {
      params: { path: { privacy_request_id: id } },
    }),
  );

export const archiveAddress = (id: string) => `/api/privacy/requests/${id}/archive/`;
