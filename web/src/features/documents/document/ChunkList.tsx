import { useTranslation } from "react-i18next";

import { Badge } from "@/components/Notes";
import { useFormats } from "@/lib/format";

import type { Chunk } from "../types";
import styles from "./document.module.css";

const KINDS = ["text", "table", "list", "code", "faq", "conversation"] as const;

interface Props {
  chunks: readonly Chunk[];
  chosen: string | undefined;
  onChoose: (chunk: Chunk) => void;
}

/** The pieces that searches find, in the order of reading. */
export function ChunkList({ chunks, chosen, onChoose }: Props) {
  const { t } = useTranslation("documents");
  const formats = useFormats();
  return (
    <ol className={styles["chunks"]}>
      {chunks.map((chunk) => (
        <li key={chunk.id}>
          <button
            type="button"
            className={styles["chunk"]}
            aria-pressed={chunk.id === chosen}
            onClick={() => onChoose(chunk)}
          >
            <span className={styles["chunkHead"]}>
              <strong>{t("chunk.number", { number: formats.number(chunk.index + 1) })}</strong>
              {chunk.page !== null && <Badge>{t("chunk.page", { page: formats.number(chunk.page) })}</Badge>}
              <Badge>{formats.languageName(chunk.language)}</Badge>
              <Badge>{t("chunk.tokens", { count: chunk.tokens })}</Badge>
              {chunk.kind !== "text" && (
                <Badge tone="accent">
                  {KINDS.some((kind) => kind === chunk.kind) ? t(`chunk.kind.${chunk.kind}`) : chunk.kind}
                </Badge>
              )}
            </span>
            {chunk.headings.length > 0 && (
              <span className={styles["headings"]} dir="auto">
                {chunk.headings.join(" › ")}
              </span>
            )}
            <span className={styles["excerpt"]} dir="auto">
              {chunk.text}
            </span>
          </button>
        </li>
      ))}
    </ol>
  );
}
