import { useCallback } from "react";

import { useSession } from "@/lib/session";

import type { Document } from "./types";

/** Who may change a document: managers the shared ones, everybody the private ones, which only their owner sees. */
export function useMayChange(): (document: Pick<Document, "visibility">) => boolean {
  const { can } = useSession();
  return useCallback(
    ({ visibility }) => can("documents:manage") || (visibility === "private" && can("documents:contribute")),
    [can],
  );
}
