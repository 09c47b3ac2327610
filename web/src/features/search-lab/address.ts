import { useSearchParams } from "@/lib/address";

import type { Mode } from "./api";

export interface Address {
  query: string;
  /** A second query to compare with; empty for none. */
  other: string;
  filter: string;
  /** Null: as the chatbot has it. */
  mode: Mode | null;
  reranker: string | null;
  /** Of the second search that is compared with; null: the same as the first has. */
  otherReranker: string | null;
  threshold: number | null;
  max: number;
}

const MODES: readonly string[] = ["hybrid", "dense", "keyword"] satisfies Mode[];
export const MOST = 50;

export function readAddress(params: URLSearchParams): Address {
  const mode = params.get("mode");
  return {
    query: params.get("q") ?? "",
    other: params.get("other") ?? "",
    filter: params.get("filter") ?? "",
    mode: mode !== null && MODES.includes(mode) ? (mode as Mode) : null,
    reranker: params.get("reranker") || null,
    otherReranker: params.get("otherReranker") || null,
    threshold: numberIn(params.get("threshold"), 0, 1),
    max: Math.round(numberIn(params.get("max"), 1, MOST) ?? 10),
  };
}

function numberIn(text: string | null, least: number, most: number): number | null {
  const value = text === null || text.trim() === "" ? NaN : Number(text);
  return Number.isFinite(value) ? Math.min(most, Math.max(least, value)) : null;
}

type Named = "q" | "other" | "filter" | "mode" | "threshold" | "max" | "reranker" | "otherReranker";

/** What is tried stands in the address of the page: a link to it shows the same. */
export function useAddress() {
  const [params, setParams] = useSearchParams();
  const change = (changes: Partial<Record<Named, string>>) =>
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
      { replace: !("q" in changes) },
    );
  return { address: readAddress(params), change };
}
