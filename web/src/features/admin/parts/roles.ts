import type { Schemas } from "@/lib/api";

export type Role = Schemas["Role"];

/** From the most to the least. */
export const ROLES: readonly Role[] = ["owner", "admin", "editor", "agent", "member"];

/** The roles that somebody with this one may give: the own and those below. */
export function rolesUpTo(role: Role): readonly Role[] {
  return ROLES.slice(ROLES.indexOf(role));
}

export function isAbove(role: Role, other: Role): boolean {
  return ROLES.indexOf(role) < ROLES.indexOf(other);
}
