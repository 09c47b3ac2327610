import { useQueryClient } from "@tanstack/react-query";
import { createContext, use, useEffect, useMemo, useState, type ReactNode } from "react";

import { ApiError } from "@/lib/api";
import { useChatbot } from "@/lib/session";
import { streamed } from "@/lib/sse";

import { fold, isLiveEvent, type LiveRows } from "./fold";

interface LiveState {
  rows: LiveRows;
  /** The stream is open: nothing needs to be asked for again and again. */
  connected: boolean;
}

const NOTHING: LiveState = { rows: new Map(), connected: false };
const LiveContext = createContext<LiveState>(NOTHING);
const WAITS_MS = [1_000, 2_000, 5_000, 10_000, 30_000];
/** Changes come in crowds; lists are read again once for each. */
const GATHER_MS = 400;

export function useLive(): LiveState {
  return use(LiveContext);
}

/** One stream of what happens to the chatbot's documents, for all pages of the area. It comes again when it breaks. */
export function LiveProvider({ children }: { children: ReactNode }) {
  const { chatbot } = useChatbot();
  const cache = useQueryClient();
  const [state, setState] = useState<LiveState>(NOTHING);
  const chatbotId = chatbot?.id;
  useEffect(() => {
    if (chatbotId === undefined) {
      return;
    }
    const stop = new AbortController();
    let gathering: number | undefined;
    const changed = () => {
      gathering ??= window.setTimeout(() => {
        gathering = undefined;
        void cache.invalidateQueries({ queryKey: ["documents"] });
      }, GATHER_MS);
    };
    void watch(chatbotId, stop.signal, {
      onConnected: (connected) => {
        if (!stop.signal.aborted) {
          setState((now) => (now.connected === connected ? now : { ...now, connected }));
        }
      },
      onEvent: (event) => {
        setState((now) => ({ ...now, rows: fold(now.rows, event) }));
        if (event.type === "document") {
          changed();
        }
      },
      onMissed: changed,
    });
    return () => {
      stop.abort();
      window.clearTimeout(gathering);
      setState(NOTHING);
      // From here on nobody hears of changes: what is kept is old for whoever comes back.
      void cache.invalidateQueries({ queryKey: ["documents"], refetchType: "none" });
    };
  }, [chatbotId, cache]);
  const value = useMemo(() => state, [state]);
  return <LiveContext value={value}>{children}</LiveContext>;
}

interface Handlers {
  onConnected: (connected: boolean) => void;
  onEvent: (event: Parameters<typeof fold>[1]) => void;
  /** The stream came again without the id of an event to go on after. */
  onMissed: () => void;
}

async function watch(chatbotId: string, signal: AbortSignal, handlers: Handlers): Promise<void> {
  let lastId: string | null = null;
  let failures = 0;
  for (let round = 0; !signal.aborted; round += 1) {
    try {
      const headers: Record<string, string> = lastId === null ? {} : { "Last-Event-ID": lastId };
      const url = `/api/chatbot/documents/events/?chatbot_id=${encodeURIComponent(chatbotId)}`;
      for await (const { id, data } of streamed(url, { headers, signal })) {
        if (round > 0 && lastId === null) {
          handlers.onMissed();
        }
        lastId = id ?? lastId;
        failures = 0;
        if (isLiveEvent(data)) {
          handlers.onConnected(data.type !== "error");
          handlers.onEvent(data);
        }
      }
    } catch (error) {
      if (error instanceof ApiError && error.status === 422) {
        lastId = null; // an id that is not kept any more
      } else if (error instanceof ApiError && error.status < 500 && error.status !== 429) {
        return; // refused; the pages ask from time to time instead
      }
      failures += 1;
    }
    handlers.onConnected(false);
    const wait = WAITS_MS[Math.min(failures, WAITS_MS.length - 1)] ?? 1_000;
    await new Promise((resolve) => window.setTimeout(resolve, wait));
  }
}
