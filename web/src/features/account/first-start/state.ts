/** Whether somebody runs a tenant for the first time, and has not been led through the set-up in this browser. */

import type { Me } from "@/lib/session";

const STORED = "dragoman.set-up";

export function isSetUp(tenantId: string): boolean {
  return (localStorage.getItem(STORED) ?? "").split(" ").includes(tenantId);
}

export function rememberSetUp(tenantId: string): void {
  if (!isSetUp(tenantId)) {
    localStorage.setItem(STORED, `${localStorage.getItem(STORED) ?? ""} ${tenantId}`.trim());
  }
}

/** Only a person who owns the tenant is asked; a key that stands for nobody has no first start. */
export function mayBeNew(me: Me): boolean {
  return me.role === "owner" && me.user_id !== null && !isSetUp(me.tenant_id);
}

export function isNew(tenant: { chatbots: number; users: number }): boolean {
  return tenant.chatbots <= 1 && tenant.users <= 1;
}
