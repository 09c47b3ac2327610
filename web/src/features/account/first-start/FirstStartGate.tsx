import type { ReactNode } from "react";
import { Navigate } from "react-router";

import { useSession } from "@/lib/session";

import { useTenantSize } from "./api";
import { isNew, mayBeNew } from "./state";

/** Leads the owner of a new tenant to the set-up, once; all others to where they wanted to go. */
export default function FirstStartGate({ children }: { children: ReactNode }) {
  const { me } = useSession();
  const isAsked = mayBeNew(me);
  const { data, isPending } = useTenantSize(isAsked);
  if (isAsked && isPending) {
    return null;
  }
  return isAsked && data && isNew(data) ? <Navigate to="/account/set-up" replace /> : <>{children}</>;
}
