import { useQuery } from "@tanstack/react-query";

import { api, data } from "@/lib/api";

import { rememberTenant, wantedTenant } from "./tenant";

/** The identity providers to sign in with. `fromAddress` is the tenant that the page's address names. */
export function useOffered(fromAddress: string | null) {
  const tenant = wantedTenant(fromAddress);
  return useQuery({
    queryKey: ["sign-in", "providers", tenant],
    retry: false,
    queryFn: async () => {
      const { providers } = await data(
        api.GET("/api/auth/single-sign-on/", { params: { query: tenant === null ? {} : { tenant } } }),
      );
      if (tenant !== null) {
        rememberTenant(providers.length > 0 ? tenant : null);
      }
      return providers;
    },
  });
}
