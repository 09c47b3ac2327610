import { createContext, use } from "react";
import { useTranslation } from "react-i18next";

import { useFormats } from "@/lib/format";

import { useConversation } from "../messages/context";
import type { Source } from "../stream/events";
import styles from "./Text.module.css";

interface OfAnswer {
  answerId: string;
  sources: readonly Source[];
}

export const SourcesContext = createContext<OfAnswer>({ answerId: "", sources: [] });

/** The number of a source within a text; it opens the source. While the answer is written it is a number only. */
export function CitationMark({ number: cited }: { number: number }) {
  const { t } = useTranslation("chat");
  const { number } = useFormats();
  const { answerId, sources } = use(SourcesContext);
  const { looked, look } = useConversation();
  const source = sources.find((one) => one.number === cited);
  if (source === undefined || source.deleted) {
    return (
      <span className={styles["citation"]} title={source?.deleted ? t("source.deleted") : undefined}>
        {number(cited)}
      </span>
    );
  }
  const isLooked = looked?.kind === "source" && looked.answer === answerId && looked.number === cited;
  return (
    <button
      type="button"
      className={styles["citation"]}
      aria-label={t("source.open", { number: number(cited), title: source.title || source.file_name })}
      title={source.title || source.file_name}
      aria-expanded={isLooked}
      onClick={() => look({ kind: "source", answer: answerId, number: cited })}
    >
      {number(cited)}
    </button>
  );
}
