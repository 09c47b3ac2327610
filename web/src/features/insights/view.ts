import { useMemo } from "react";
import { useSearchParams } from "@/lib/address";

import { readRange, type Range } from "./data/range";

/** What all tabs are about. It stands in the address of the page. */
export interface View {
  chatbotId: string;
  range: Range;
  /** Of the questions; empty for all. */
  language: string;
  /** How often figures are read again; false: when the page is opened. */
  refresh: number | false;
}

const LIVE_EVERY_MS = 5_000;

type Key = "range" | "from" | "to" | "language" | "live";

export function useView(chatbotId: string) {
  const [params, setParams] = useSearchParams();
  const view = useMemo<View>(
    () => ({
      chatbotId,
      range: readRange(params),
      language: params.get("language") ?? "",
      refresh: params.get("live") === "1" ? LIVE_EVERY_MS : false,
    }),
    [chatbotId, params],
  );
  const change = (changes: Partial<Record<Key, string>>) =>
    setParams(
      (before) => {
        const next = new URLSearchParams(before);
        for (const [key, value] of Object.entries(changes)) {
          if (value === "") {
            next.delete(key);
          } else {
            next.set(key, value);
          }
        }
        return next;
      },
      { replace: true },
    );
  return { view, change };
}
