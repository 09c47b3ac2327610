/** What the parts of a search say of the same passages, side by side. */

import type { Considered, Found, Hit } from "./api";

export type Stage = "dense" | "keyword" | "fusion" | "reranked" | "result";

export interface Place {
  chunkId: string;
  rank: number;
  score: number | null;
}

export interface Column {
  stage: Stage;
  places: readonly Place[];
}

export interface Named {
  title: string;
  hit: Hit | null;
}

/** What is known of each passage, by the id of its chunk: of duplicates and merged ones their titles only. */
export function passagesOf(searches: readonly (Found | undefined)[]): ReadonlyMap<string, Named> {
  const named = new Map<string, Named>();
  const hits = searches.flatMap((search) => search?.results ?? []);
  for (const hit of hits) {
    const others = [...hit.parts, ...hit.duplicates];
    for (const other of others) {
      if (!named.has(other.chunk_id)) {
        named.set(other.chunk_id, { title: "title" in other ? other.title : hit.title, hit: null });
      }
    }
  }
  hits.toReversed().forEach((hit) => named.set(hit.chunk_id, { title: hit.title, hit }));
  return named;
}

/** The ranking of each part of the search, first to last. What a part does not do has no column. */
export function columnsOf(
  considered: readonly Considered[],
  passages: ReadonlyMap<string, Named>,
  result: readonly Hit[],
): readonly Column[] {
  const signal = (chunkId: string, name: string) => passages.get(chunkId)?.hit?.signals?.[name] ?? null;
  const ranked = (rankOf: (each: Considered) => number | null, scoreOf: (chunkId: string) => number | null) =>
    considered
      .flatMap((each) => {
        const rank = rankOf(each);
        return rank === null ? [] : [{ chunkId: each.chunk_id, rank, score: scoreOf(each.chunk_id) }];
      })
      .sort((a, b) => a.rank - b.rank);
  // The vectors rank by the mean of the passage and its best sentence.
  const nearness = (chunkId: string) => {
    const seen = [signal(chunkId, "dense"), signal(chunkId, "sentence")].filter((score) => score !== null);
    return seen.length === 0 ? null : seen.reduce((sum, score) => sum + score, 0) / seen.length;
  };
  const reranked = considered.filter((each) => each.reranked !== null);
  const columns: Column[] = [
    { stage: "dense", places: ranked((each) => each.dense_rank, nearness) },
    {
      stage: "keyword",
      places: ranked(
        (each) => each.keyword_rank,
        (chunkId) => signal(chunkId, "keyword"),
      ),
    },
    { stage: "fusion", places: byScore(considered, (each) => each.score) },
    ...(reranked.length > 0
      ? [{ stage: "reranked" as const, places: byScore(reranked, (each) => each.reranked ?? 0) }]
      : []),
    {
      stage: "result",
      places: result.map((hit, at) => ({ chunkId: hit.chunk_id, rank: at + 1, score: hit.similarity_score })),
    },
  ];
  return columns;
}

function byScore(considered: readonly Considered[], scoreOf: (each: Considered) => number): Place[] {
  return [...considered]
    .sort((a, b) => scoreOf(b) - scoreOf(a))
    .map((each, at) => ({ chunkId: each.chunk_id, rank: at + 1, score: scoreOf(each) }));
}

export interface Step {
  stage: Stage;
  /** Null: this part does not know the passage. */
  rank: number | null;
  /** Places gained since the part before that ranks it; null where there is none. The arms stand side by side: the better one counts. */
  gained: number | null;
}

/** The way of a passage through the columns. */
export function wayOf(chunkId: string, columns: readonly Column[]): readonly Step[] {
  let before: number | null = null;
  let arms: number | null = null;
  return columns.map(({ stage, places }) => {
    const rank = places.find((place) => place.chunkId === chunkId)?.rank ?? null;
    if (stage === "dense" || stage === "keyword") {
      arms = rank === null ? arms : Math.min(arms ?? rank, rank);
      before = arms;
      return { stage, rank, gained: null };
    }
    const gained = rank === null || before === null ? null : before - rank;
    before = rank ?? before;
    return { stage, rank, gained };
  });
}

export interface Cut {
  /** What is shown. */
  kept: readonly Hit[];
  /** What would be among the results, were there no threshold. */
  fallen: readonly Hit[];
}

export function cutAt(hits: readonly Hit[], threshold: number, max: number): Cut {
  return {
    kept: hits.filter((hit) => hit.similarity_score >= threshold).slice(0, max),
    fallen: hits.slice(0, max).filter((hit) => hit.similarity_score < threshold),
  };
}
