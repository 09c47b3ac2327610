import { useQueryClient, type QueryClient } from "@tanstack/react-query";
import { useEffect, useMemo } from "react";

import { keys, refreshConversation } from "./api";
import { ask, resume, type Asked, type Listener } from "./stream/answering";

function listenerOf(cache: QueryClient): Listener {
  return {
    onBegun: () => void cache.invalidateQueries({ queryKey: keys.sessions }),
    onOver: ({ asked }) => refreshConversation(cache, asked.sessionId),
  };
}

/** Asks in any conversation; what comes of it is read by `useAnswering`. */
export function useAsk(): (asked: Asked) => void {
  const cache = useQueryClient();
  return useMemo(() => {
    const listener = listenerOf(cache);
    return (asked) => ask(asked, listener);
  }, [cache]);
}

/** Goes on with an answer that was being written when the page was loaded again. */
export function useResume(sessionId: string): void {
  const cache = useQueryClient();
  useEffect(() => resume(sessionId, listenerOf(cache)), [cache, sessionId]);
}
