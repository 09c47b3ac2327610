import { describe, expect, it } from "vitest";

import type { Considered, Hit } from "./api";
import { columnsOf, cutAt, wayOf } from "./compare";
import { markedPieces } from "./marks";

function considered(chunkId: string, more: Partial<Considered>): Considered {
  return {
    chunk_id: chunkId,
    score: 0,
    similarity_score: 0,
    dense_rank: null,
    keyword_rank: null,
    reranked: null,
    shown: true,
    left_out: null,
    because_of: null,
    ...more,
  };
}

function hit(chunkId: string, similarity: number): Hit {
  return { chunk_id: chunkId, similarity_score: similarity } as Hit;
}

const ALL = [
  considered("a", { score: 0.9, dense_rank: 2, keyword_rank: 1, reranked: 0.2 }),
  considered("b", { score: 0.8, dense_rank: 1, reranked: 0.7 }),
  considered("c", { score: 0.1, keyword_rank: 2 }),
];

describe("columns", () => {
  it("rank by what each part says, and leave out what it does not know", () => {
    const columns = columnsOf(ALL, new Map(), [hit("b", 0.7), hit("a", 0.2)]);
    const ids = Object.fromEntries(
      columns.map(({ stage, places }) => [stage, places.map((place) => place.chunkId).join("")]),
    );
    expect(ids).toEqual({ dense: "ba", keyword: "ac", fusion: "abc", reranked: "ba", result: "ba" });
  });

  it("have none of a re-ranker that was not asked", () => {
    const columns = columnsOf(
      ALL.map((each) => ({ ...each, reranked: null })),
      new Map(),
      [],
    );
    expect(columns.map((column) => column.stage)).toEqual(["dense", "keyword", "fusion", "result"]);
  });

  it("tell how many places a passage gained or lost on its way", () => {
    const columns = columnsOf(ALL, new Map(), [hit("b", 0.7), hit("a", 0.2)]);
    expect(wayOf("a", columns)).toEqual([
      { stage: "dense", rank: 2, gained: null },
      { stage: "keyword", rank: 1, gained: null },
      { stage: "fusion", rank: 1, gained: 0 },
      { stage: "reranked", rank: 2, gained: -1 },
      { stage: "result", rank: 2, gained: 0 },
    ]);
    expect(wayOf("c", columns).at(-1)).toEqual({ stage: "result", rank: null, gained: null });
  });
});

describe("a threshold", () => {
  const hits = [hit("a", 0.9), hit("b", 0.5), hit("c", 0.4)];

  it("keeps what reaches it, and tells what falls out of the results", () => {
    const { kept, fallen } = cutAt(hits, 0.5, 10);
    expect(kept.map((each) => each.chunk_id)).toEqual(["a", "b"]);
    expect(fallen.map((each) => each.chunk_id)).toEqual(["c"]);
  });

  it("says nothing of what would not be shown anyway", () => {
    expect(cutAt(hits, 0.6, 2).fallen.map((each) => each.chunk_id)).toEqual(["b"]);
  });
});

describe("words that were looked for", () => {
  const hits = (text: string, forms: string[]) =>
    markedPieces(text, forms)
      .filter((piece) => piece.isHit)
      .map((piece) => piece.text);

  it("are found by their stems, without regard to accents and capitals", () => {
    expect(hits("Returns are possible; la Política too.", ["return", "politica"])).toEqual([
      "Returns",
      "Política",
    ]);
  });

  it("are whole words where the stem is short", () => {
    expect(hits("of often offset", ["of"])).toEqual(["of"]);
  });

  it("are found in scripts without spaces", () => {
    expect(hits("保証期間は二年です。", ["保証", "期間"])).toEqual(["保証期間"]);
  });

  it("lose nothing of the text", () => {
    const text = "## Returns\n\nWithin 45 days.";
    expect(
      markedPieces(text, ["within", "45"])
        .map((piece) => piece.text)
        .join(""),
    ).toBe(text);
  });
});
