import { useMemo, useState } from "react";
import { useTranslation } from "react-i18next";
import { Link } from "react-router";

import { Button } from "@/components/Button";
import { classes } from "@/components/classes";
import { Badge } from "@/components/Notes";
import { useFormats } from "@/lib/format";

import type { Hit } from "./api";
import { markedPieces } from "./marks";
import styles from "./search-lab.module.css";

interface Props {
  hit: Hit;
  forms: readonly string[];
  isFallen: boolean;
  isMarked: boolean;
  onMark: (chunkId: string | null) => void;
}

const SIGNALS = ["dense", "sentence", "keyword", "matched_weight", "fused", "reranked", "score"];
/** More than about five lines are folded. */
const LONG = 420;
const HEADING_MARKS = /^#{1,6}\s+/gm;

export function Passage({ hit, forms, isFallen, isMarked, onMark }: Props) {
  const { t } = useTranslation("search-lab");
  const formats = useFormats();
  const [isOpen, setOpen] = useState(false);
  const pieces = useMemo(
    () => markedPieces(hit.content.replace(HEADING_MARKS, ""), forms),
    [hit.content, forms],
  );
  const isLong = hit.content.length > LONG;
  const score = formats.number(hit.similarity_score, { minimumFractionDigits: 3, maximumFractionDigits: 3 });
  return (
    <li
      id={`passage-${hit.chunk_id}`}
      className={classes(styles["passage"], isFallen && styles["fallen"], isMarked && styles["marked"])}
      onPointerEnter={() => onMark(hit.chunk_id)}
    >
      <header className={styles["passageHead"]}>
        <h3 dir="auto">
          <Link to={`/documents/${hit.document_id}`} onFocus={() => onMark(hit.chunk_id)}>
            {hit.title}
          </Link>
        </h3>
        <Badge tone={isFallen ? "warn" : "accent"}>{t("passages.score", { score })}</Badge>
      </header>
      <p className={styles["soft"]} dir="auto">
        {[
          t("passages.rank", { rank: formats.number(hit.rank) }),
          hit.page === null ? "" : t("passages.page", { page: formats.number(hit.page) }),
          hit.heading_path.join(" › "),
          formats.languageName(hit.language),
        ]
          .filter(Boolean)
          .join(" · ")}
      </p>
      <p
        className={classes(styles["text"], isLong && !isOpen && styles["folded"])}
        dir="auto"
        lang={hit.language}
      >
        {pieces.map((piece, at) =>
          piece.isHit ? <mark key={at}>{piece.text}</mark> : <span key={at}>{piece.text}</span>,
        )}
      </p>
      <div className={styles["passageFoot"]}>
        {isLong && (
          <Button size="small" look="quiet" aria-expanded={isOpen} onClick={() => setOpen(!isOpen)}>
            {t(isOpen ? "passages.less" : "passages.more")}
          </Button>
        )}
        <dl className={styles["signals"]}>
          {SIGNALS.map((name) => {
            const value = hit.signals?.[name] ?? null;
            return (
              value !== null && (
                <div key={name}>
                  <dt>{t(`signal.${name}`)}</dt>
                  <dd>{formats.number(value, { maximumFractionDigits: 3 })}</dd>
                </div>
              )
            );
          })}
        </dl>
      </div>
      {hit.duplicates.length > 0 && (
        <p className={styles["soft"]}>
          {t("passages.duplicates", { titles: formats.list(hit.duplicates.map((each) => each.title)) })}
        </p>
      )}
    </li>
  );
}
