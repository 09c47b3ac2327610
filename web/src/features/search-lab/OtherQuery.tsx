import { GitCompare } from "lucide-react";
import { useState } from "react";
import { useTranslation } from "react-i18next";

import { Button } from "@/components/Button";
import { classes } from "@/components/classes";
import { TextField } from "@/components/Field";
import { ErrorNote, Note } from "@/components/Notes";
import { Card } from "@/components/Page";
import { useFormats } from "@/lib/format";

import { useSearch, type Found, type Hit, type Mode, type Tried } from "./api";
import { cutAt } from "./compare";
import type { CutWish } from "./Controls";
import { RerankerSelect, useRerankerName } from "./Rerankers";
import styles from "./search-lab.module.css";

interface Props {
  tried: Tried;
  /** The one in use, also where that is the chatbot's own. */
  reranker: string;
  other: string;
  otherReranker: string | null;
  mode: Mode;
  cut: CutWish;
  found: Found | undefined;
  onOther: (changes: { other?: string; otherReranker?: string }) => void;
}

/** The same search with another query or re-ranker beside it: what both find, and what only one does. */
export function OtherQuery({ tried, reranker, other, otherReranker, mode, cut, found, onOther }: Props) {
  const { t } = useTranslation("search-lab");
  const [draft, setDraft] = useState(other);
  const nameOf = useRerankerName();
  const compares = other !== "" || otherReranker !== null;
  const second = useSearch(
    compares ? { ...tried, query: other || tried.query, reranker: otherReranker ?? tried.reranker } : null,
    mode,
  );
  const titleOf = (query: string, ranker: string) =>
    otherReranker === null ? query : `${query} · ${nameOf(ranker)}`;
  const hits = cutAt(found?.results ?? [], cut.threshold, cut.max).kept;
  const others = cutAt((compares && second.data?.results) || [], cut.threshold, cut.max).kept;
  const rankIn = (list: readonly Hit[]) => (hit: Hit) =>
    list.findIndex((each) => each.chunk_id === hit.chunk_id) + 1 || null;
  return (
    <Card title={t("other.title")}>
      <p className={styles["soft"]}>{t("other.hint")}</p>
      <form
        className={styles["compareRow"]}
        onSubmit={(event) => {
          event.preventDefault();
          onOther({ other: draft.trim() });
        }}
      >
        <TextField
          label={t("other.query")}
          type="search"
          value={draft}
          onChange={(event) => {
            setDraft(event.target.value);
            if (event.target.value === "") {
              onOther({ other: "" });
            }
          }}
        />
        <RerankerSelect
          chatbotId={tried.chatbotId}
          label={t("other.reranker")}
          value={otherReranker ?? ""}
          same={t("other.same")}
          onChoose={(name) => onOther({ otherReranker: name })}
        />
        <Button type="submit" icon={<GitCompare />} busy={second.isFetching}>
          {t("other.compare")}
        </Button>
      </form>
      {second.error && <ErrorNote error={second.error} onRetry={() => void second.refetch()} />}
      {compares && second.data && second.data.degraded.length > 0 && (
        <Note tone="warn">
          <p>{t("degraded", { what: second.data.degraded.join(", ") })}</p>
        </Note>
      )}
      {compares && second.data && (
        <div className={styles["columns"]} role="region" aria-label={t("other.title")} tabIndex={0}>
          <Ranked title={titleOf(tried.query, reranker)} hits={hits} rankOther={rankIn(others)} />
          <Ranked
            title={titleOf(other || tried.query, otherReranker ?? reranker)}
            hits={others}
            rankOther={rankIn(hits)}
          />
        </div>
      )}
    </Card>
  );
}

function Ranked({
  title,
  hits,
  rankOther,
}: {
  title: string;
  hits: readonly Hit[];
  rankOther: (hit: Hit) => number | null;
}) {
  const { t } = useTranslation("search-lab");
  const formats = useFormats();
  return (
    <section className={styles["column"]} aria-label={title}>
      <h3 dir="auto">{title}</h3>
      {hits.length === 0 && <p className={styles["soft"]}>{t("passages.none")}</p>}
      <ol>
        {hits.map((hit, at) => {
          const there = rankOther(hit);
          return (
            <li key={hit.chunk_id} className={classes(styles["entry"], there === null && styles["alone"])}>
              <span className={styles["rank"]}>{formats.number(at + 1)}</span>
              <span className={styles["what"]}>
                <span dir="auto">{hit.title}</span>
                <small>
                  {there === null ? t("other.only") : t("other.there", { rank: formats.number(there) })}
                </small>
              </span>
              <span className={styles["score"]}>
                {formats.number(hit.similarity_score, { maximumFractionDigits: 3 })}
              </span>
            </li>
          );
        })}
      </ol>
    </section>
  );
}
