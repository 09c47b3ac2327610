import { useCallback, useMemo } from "react";
import { useSearchParams } from "@/lib/address";

/** What is looked at beside the conversation: a source of an answer, or a document that comes near. It stands in the URL. */
export type Looked =
  { kind: "source"; answer: string; number: number } | { kind: "document"; document: string };

interface Citation {
  looked: Looked | null;
  look: (at: Looked) => void;
  close: () => void;
}

const NAMES = ["answer", "source", "document"];

export function useCitation(): Citation {
  const [query, setQuery] = useSearchParams();
  const answer = query.get("answer");
  const number = Number(query.get("source"));
  const document = query.get("document");
  const looked = useMemo<Looked | null>(() => {
    if (document !== null) {
      return { kind: "document", document };
    }
    return answer !== null && number > 0 ? { kind: "source", answer, number } : null;
  }, [answer, number, document]);
  const change = useCallback(
    (values: Record<string, string>) =>
      setQuery(
        (before) => {
          const next = new URLSearchParams(before);
          NAMES.forEach((name) => next.delete(name));
          Object.entries(values).forEach(([name, value]) => next.set(name, value));
          return next;
        },
        { replace: true },
      ),
    [setQuery],
  );
  const look = useCallback(
    (at: Looked) =>
      change(
        at.kind === "document" ? { document: at.document } : { answer: at.answer, source: String(at.number) },
      ),
    [change],
  );
  const close = useCallback(() => change({}), [change]);
  return { looked, look, close };
}
