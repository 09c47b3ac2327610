import { GitCompare } from "lucide-react";
import { useState } from "react";
import { useTranslation } from "react-i18next";

import { Button } from "@/components/Button";
import { classes } from "@/components/classes";
import { TextField } from "@/components/Field";
import { ErrorNote } from "@/components/Notes";
import { Card } from "@/components/Page";
import { useFormats } from "@/lib/format";

import { useSearch, type Found, type Hit, type Mode, type Tried } from "./api";
import { cutAt } from "./compare";
import type { CutWish } from "./Controls";
import styles from "./search-lab.module.css";

interface Props {
  tried: Tried;
  other: string;
  mode: Mode;
  cut: CutWish;
  found: Found | undefined;
  onOther: (other: string) => void;
}

/** The same search with another query beside it: what both find, and what only one does. */
export function OtherQuery({ tried, other, mode, cut, found, onOther }: Props) {
  const { t } = useTranslation("search-lab");
  const [draft, setDraft] = useState(other);
  const second = useSearch(other === "" ? null : { ...tried, query: other }, mode);
  const hits = cutAt(found?.results ?? [], cut.threshold, cut.max).kept;
  const others = cutAt((other !== "" && second.data?.results) || [], cut.threshold, cut.max).kept;
  const rankIn = (list: readonly Hit[]) => (hit: Hit) =>
    list.findIndex((each) => each.chunk_id === hit.chunk_id) + 1 || null;
  return (
    <Card title={t("other.title")}>
      <form
        className={styles["queryRow"]}
        onSubmit={(event) => {
          event.preventDefault();
          onOther(draft.trim());
        }}
      >
        <TextField
          label={t("other.query")}
          type="search"
          value={draft}
          onChange={(event) => {
            setDraft(event.target.value);
            if (event.target.value === "") {
              onOther("");
            }
          }}
        />
        <Button type="submit" icon={<GitCompare />} busy={second.isFetching}>
          {t("other.compare")}
        </Button>
      </form>
      {second.error && <ErrorNote error={second.error} onRetry={() => void second.refetch()} />}
      {other !== "" && second.data && (
        <div className={styles["columns"]} role="region" aria-label={t("other.title")} tabIndex={0}>
          <Ranked title={tried.query} hits={hits} rankOther={rankIn(others)} />
          <Ranked title={other} hits={others} rankOther={rankIn(hits)} />
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
