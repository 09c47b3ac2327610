import { useEffect, useState } from "react";

import { ApiError } from "@/lib/api";

/** Seconds until what was refused may be tried again, counted down; 0 where nothing says so. */
export function useWait(refused: unknown): number {
  const waitS = refused instanceof ApiError ? Math.ceil(refused.retryAfterS ?? 0) : 0;
  const [state, setState] = useState({ refused, left: waitS });
  if (state.refused !== refused) {
    setState({ refused, left: waitS });
  }
  const isWaiting = state.left > 0;
  useEffect(() => {
    if (!isWaiting) {
      return;
    }
    const timer = window.setInterval(
      () => setState((now) => ({ ...now, left: Math.max(0, now.left - 1) })),
      1000,
    );
    return () => window.clearInterval(timer);
  }, [isWaiting]);
  return state.left;
}
