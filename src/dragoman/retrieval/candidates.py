"""The union of what the arms brought, scored and in order: fusion first, then what the re-ranker says."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from operator import add
from uuid import UUID

from dragoman.kit.text.terms import is_code
from dragoman.retrieval.arms import Arms
from dragoman.retrieval.entities import Candidate, Mode, Query
from dragoman.retrieval.fusion import (
    FOREIGN_LANGUAGE_BONUS,
    KEYWORD_CALIBRATION,
    Features,
    background,
    calibrate,
    fuse,
    semantic_score,
)


@dataclass(slots=True, kw_only=True)
class Scored:
    """A candidate on its way through the steps of a search."""

    chunk_id: UUID
    features: Features
    language: str
    score: float
    similarity: float
    dense_rank: int | None
    keyword_rank: int | None
    reranked: float | None = None
    removed: str | None = None
    because_of: UUID | None = None

    @property
    def signals(self) -> Mapping[str, float | None]:
        return {
            "dense": self.features.dense,
            "sentence": self.features.sentence,
            "keyword": self.features.keyword,
            "matched_weight": self.features.matched_weight,
            "dense_rank": self.dense_rank,
            "keyword_rank": self.keyword_rank,
            "fused": self.similarity,
            "reranked": self.reranked,
        }

    def as_candidate(self, similarity_score: float) -> Candidate:
        return Candidate(
            chunk_id=self.chunk_id,
            score=self.score,
            similarity_score=similarity_score,
            dense_rank=self.dense_rank,
            keyword_rank=self.keyword_rank,
            reranked=self.reranked,
            removed=self.removed,
            because_of=self.because_of,
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class Pool:
    """The candidates in rank order. `unrelated`: the semantic score of an unrelated chunk, 0 where keywords alone count."""

    ranked: Sequence[Scored]
    unrelated: float


def rank_by_fusion(arms: Arms, query: Query, mode: Mode) -> Pool:
    """The union of the arms, best first; ties by chunk id."""
    calibration = KEYWORD_CALIBRATION if mode == "keyword" else query.embedding_version.calibration
    chunk_ids = list(arms.chunk_ids)
    foreign = [_is_foreign(arms.languages.get(chunk_id, "und"), query) for chunk_id in chunk_ids]
    asks_for_code = any(is_code(form) for term in arms.terms for form in term.alternatives)
    features = [
        arms.features(chunk_id, is_foreign=is_foreign and not asks_for_code)
        for chunk_id, is_foreign in zip(chunk_ids, foreign, strict=True)
    ]
    scores = fuse(features, mode, calibration)
    bonuses = [FOREIGN_LANGUAGE_BONUS if is_foreign and mode != "keyword" else 0.0 for is_foreign in foreign]
    fused = list(map(add, scores, bonuses))
    order = sorted(range(len(chunk_ids)), key=lambda place: (-fused[place], chunk_ids[place].int))
    semantics = [semantic_score(seen) for seen in features]
    unrelated = uplifted = None
    if mode != "keyword":
        unrelated = background([semantics[place] for place in order], calibration.typical_background)
        uplifted = background([semantics[place] + bonuses[place] for place in order], calibration.typical_background)
    dense_ranks = _ranks([None if seen.dense is None else near for seen, near in zip(features, semantics, strict=True)])
    keyword_ranks = _ranks([seen.keyword or None for seen in features])
    ranked = [
        Scored(
            chunk_id=chunk_ids[place],
            features=features[place],
            language=arms.languages.get(chunk_ids[place], "und"),
            score=fused[place],
            similarity=calibrate(fused[place], calibration, uplifted),
            dense_rank=dense_ranks.get(place),
            keyword_rank=keyword_ranks.get(place),
        )
        for place in order
    ]
    return Pool(ranked=ranked, unrelated=unrelated or 0.0)


def _is_foreign(language: str, query: Query) -> bool:
    """Whether a chunk is known to be in another language than the question."""
    return "und" not in (language, query.language) and language != query.language


def _ranks(scores: Sequence[float | None]) -> dict[int, int]:
    """Ranks from 1, by place; None has none."""
    known = [(score, place) for place, score in enumerate(scores) if score is not None]
    known.sort(reverse=True)
    return {place: rank for rank, (_, place) in enumerate(known, start=1)}
