import { keepPreviousData, useQuery } from "@tanstack/react-query";

import { api, data, type Schemas } from "@/lib/api";

import { PAGE } from "../parts/Listing";

export type User = Schemas["UserOut"];
export type Invitation = Schemas["InvitationOut"];
export const USERS = ["users"] as const;
export const INVITATIONS = ["invitations"] as const;

export function useUsers(offset = 0, limit = PAGE, enabled = true) {
  return useQuery({
    queryKey: [...USERS, offset, limit],
    queryFn: () => data(api.GET("/api/users/", { params: { query: { limit, offset } } })),
    placeholderData: keepPreviousData,
    enabled,
  });
}

export function useInvitations() {
  return useQuery({
    queryKey: INVITATIONS,
    queryFn: () => data(api.GET("/api/users/invitations/", { params: { query: { limit: 200 } } })),
  });
}

export const invite = (body: Schemas["InvitationIn"]) => data(api.POST("/api/users/invitations/", { body }));

export const withdraw = (id: string) =>
  data(api.DELETE("/api/users/invitations/{invitation_id}/", { params: { path: { invitation_id: id } } }));

export const changeUser = ({ id, ...body }: { id: string } & Schemas["UserPatch"]) =>
  data(api.PATCH("/api/users/{user_id}/", { params: { path: { user_id: id } }, body }));

export const removeUser = (id: string) =>
  data(api.DELETE("/api/users/{user_id}/", { params: { path: { user_id: id } } }));
