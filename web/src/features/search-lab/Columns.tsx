import type { TFunction } from "i18next";
import { useTranslation } from "react-i18next";

import { Badge } from "@/components/Notes";
import { classes } from "@/components/classes";
import { useFormats } from "@/lib/format";

import type { Considered } from "./api";
import { wayOf, type Column, type Named, type Place, type Step } from "./compare";
import styles from "./search-lab.module.css";

interface Props {
  columns: readonly Column[];
  considered: readonly Considered[];
  passages: ReadonlyMap<string, Named>;
  hasReranker: boolean;
  marked: string | null;
  onMark: (chunkId: string | null) => void;
  /** How many places of each column are shown. */
  limit: number;
}

/** The ranking of each part of the search. What is pointed at or focused is marked in all of them. */
export function Columns({ columns, considered, passages, hasReranker, marked, onMark, limit }: Props) {
  const { t } = useTranslation("search-lab");
  const way = marked === null ? [] : wayOf(marked, columns);
  return (
    <>
      <p className={styles["soft"]}>{t("columns.lead")}</p>
      <div className={styles["columns"]} onPointerLeave={() => onMark(null)}>
        {columns.map((column, at) => (
          <section key={column.stage} className={styles["column"]} aria-label={t(`stage.${column.stage}`)}>
            <h3>
              {t(`stage.${column.stage}`)}
              <Badge>{column.places.length}</Badge>
            </h3>
            {column.places.length === 0 && <p className={styles["soft"]}>{t(`none.${column.stage}`)}</p>}
            <ol>
              {shownPlaces(column.places, limit, marked).map((place) => (
                <Entry
                  key={place.chunkId}
                  place={place}
                  title={passages.get(place.chunkId)?.title ?? t("untold")}
                  heading={passages.get(place.chunkId)?.hit?.heading_path.at(-1) ?? null}
                  leftOut={
                    column.stage === "fusion"
                      ? (considered.find((each) => each.chunk_id === place.chunkId)?.left_out ?? null)
                      : null
                  }
                  step={marked === place.chunkId ? way[at] : undefined}
                  isMarked={marked === place.chunkId}
                  onMark={onMark}
                />
              ))}
            </ol>
          </section>
        ))}
      </div>
      {!hasReranker && <p className={styles["soft"]}>{t("columns.noReranker")}</p>}
      <p className={styles["hidden"]} role="status">
        {marked !== null && way.map((step) => spoken(step, t)).join(", ")}
      </p>
    </>
  );
}

/** The first ones, and the marked one wherever it stands. */
function shownPlaces(places: readonly Place[], limit: number, marked: string | null): readonly Place[] {
  return places.filter((place, at) => at < limit || place.chunkId === marked);
}

function spoken(step: Step, t: TFunction<"search-lab">): string {
  const stage = t(`stage.${step.stage}`);
  return step.rank === null ? t("way.none", { stage }) : t("way.rank", { stage, rank: step.rank });
}

interface EntryProps {
  place: Place;
  title: string;
  heading: string | null;
  leftOut: string | null;
  step: Step | undefined;
  isMarked: boolean;
  onMark: (chunkId: string | null) => void;
}

function Entry({ place, title, heading, leftOut, step, isMarked, onMark }: EntryProps) {
  const { t } = useTranslation("search-lab");
  const formats = useFormats();
  return (
    <li>
      <button
        type="button"
        className={classes(styles["entry"], isMarked && styles["marked"])}
        onPointerEnter={() => onMark(place.chunkId)}
        onFocus={() => onMark(place.chunkId)}
        onClick={() =>
          document.getElementById(`passage-${place.chunkId}`)?.scrollIntoView({ block: "center" })
        }
      >
        <span className={styles["rank"]}>{formats.number(place.rank)}</span>
        <span className={styles["what"]}>
          <span dir="auto">{title}</span>
          {heading !== null && <small dir="auto">{heading}</small>}
          {leftOut !== null && leftOut !== "other_page" && (
            <Badge tone="warn">{t(`leftOut.${leftOut}`)}</Badge>
          )}
        </span>
        <span className={styles["score"]}>
          {place.score !== null && formats.number(place.score, { maximumFractionDigits: 3 })}
          {step?.gained != null && <Change gained={step.gained} />}
        </span>
      </button>
    </li>
  );
}

function Change({ gained }: { gained: number }) {
  const { t } = useTranslation("search-lab");
  const tone = gained > 0 ? "good" : gained < 0 ? "bad" : "neutral";
  return (
    <Badge tone={tone}>
      <span aria-hidden="true">{gained > 0 ? "▲" : gained < 0 ? "▼" : "="}</span>
      {gained === 0 ? t("way.same") : t(gained > 0 ? "way.up" : "way.down", { count: Math.abs(gained) })}
    </Badge>
  );
}
