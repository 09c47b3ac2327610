import { useQuery } from "@tanstack/react-query";

import { api, ApiError, data, type Schemas } from "@/lib/api";

export const SIGN_ON = ["single-sign-on"] as const;

/** The identity provider; null where people sign in with passwords only. */
export function useSignOn() {
  return useQuery({
    queryKey: SIGN_ON,
    queryFn: async () => {
      try {
        return await data(api.GET("/api/single-sign-on/"));
      } catch (error) {
        if (error instanceof ApiError && error.status === 404) {
          return null;
        }
        throw error;
      }
    },
  });
}

export const setSignOn = (body: Schemas["SingleSignOnIn"]) => data(api.PUT("/api/single-sign-on/", { body }));

export const removeSignOn = () => data(api.DELETE("/api/single-sign-on/"));
