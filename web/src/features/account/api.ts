import { useQuery } from "@tanstack/react-query";

import { api, data, type Schemas } from "@/lib/api";

export const SIGN_INS = ["sign-ins"] as const;

export function useSignIns() {
  return useQuery({
    queryKey: SIGN_INS,
    queryFn: () => data(api.GET("/api/auth/sign-ins/", { params: { query: { limit: 200 } } })),
  });
}

export const endSignIn = (id: string) =>
  data(api.DELETE("/api/auth/sign-ins/{sign_in_id}/", { params: { path: { sign_in_id: id } } }));

export const changePassword = (body: Schemas["PasswordChange"]) =>
  data(api.POST("/api/auth/password/", { body }));

export const changeName = (name: string) =>
  data(api.PATCH("/api/auth/me/", { body: { display_name: name } }));
