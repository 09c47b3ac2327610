"""The union of what the arms brought, scored and in order: fusion first, then what the re-ranker says."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from operator import add
from uuid import UUID

from dragoman.kit.text.terms import is_code
from dragoman.ports.embedder import Calibration
from dragoman.ports.keyword_index import KeywordHit, KeywordTerm
from dragoman.ports.vector_index import DenseHit
from dragoman.retrieval.arms import Arms
from dragoman.retrieval.entities import Mode, Query
from dragoman.retrieval.fusion import (
    FOREIGN_LANGUAGE_BONUS,
    KEYWORD_CALIBRATION,
    Features,
    background,
    calibrate,
    fuse,
    semantic_score,
    share_of_codes,
)


@dataclass(slots=True, kw_only=True)
class Scored:
    """A candidate that is looked at more closely: judged again, or shown."""

    chunk_id: UUID
    features: Features
    language: str
    score: float
    similarity: float


@dataclass(frozen=True, kw_only=True)
class Pool:
    """The candidates in rank order, a column for each thing that is known of them.

    Most of a search's hundred candidates are never looked at one by one, and a column costs less than a hundred objects.

    Attributes:
        features: of the fusion, as are
        scores: which ranked them.
        calibration, uplifted: by which a score becomes a similarity (`calibrate`).
        unrelated: the semantic score of an unrelated chunk, 0 where keywords alone count.
        reranked: what the re-ranker said, by place.
    """

    chunk_ids: Sequence[UUID]
    features: Sequence[Features]
    languages: Sequence[str]
    scores: Sequence[float]
    calibration: Calibration
    uplifted: float | None
    unrelated: float
    reranked: dict[int, float] = field(default_factory=dict)

    def scored(self, place: int) -> Scored:
        return Scored(
            chunk_id=self.chunk_ids[place],
            features=self.features[place],
            language=self.languages[place],
            score=self.scores[place],
            similarity=self.similarity(place),
        )

    def similarity(self, place: int) -> float:
        """From 0 to 1, before anything is judged again."""
        return calibrate(self.scores[place], self.calibration, self.uplifted)

    def signals(self, place: int) -> Mapping[str, float | None]:
        features = self.features[place]
        return {
            "dense": features.dense,
            "sentence": features.sentence,
            "keyword": features.keyword,
            "matched_weight": features.matched_weight,
            "dense_rank": self.dense_ranks.get(place),
            "keyword_rank": self.keyword_ranks.get(place),
            "fused": self.similarity(place),
            "reranked": self.reranked.get(place),
        }

    @cached_property
    def dense_ranks(self) -> Mapping[int, int]:
        """By place, from 1; a candidate of which the vectors say nothing has none."""
        return _ranks([None if seen.dense is None else semantic_score(seen) for seen in self.features])

    @cached_property
    def keyword_ranks(self) -> Mapping[int, int]:
        return _ranks([seen.keyword or None for seen in self.features])


def rank_by_fusion(arms: Arms, query: Query, mode: Mode) -> Pool:
    """The union of the arms, best first; ties by chunk id."""
    calibration = KEYWORD_CALIBRATION if mode == "keyword" else query.embedding_version.calibration
    is_foreign = [_is_foreign(language, query) for language in arms.languages]
    terms = _Terms.of(arms.terms)
    features = [
        _features(dense, keyword, terms.evidence(keyword) if foreign else 1.0)
        for dense, keyword, foreign in zip(arms.dense, arms.keyword, is_foreign, strict=True)
    ]
    if mode == "hybrid" and not query.must_hold and not any(seen.keyword and seen.evidence for seen in features):
        features = features[: arms.near]  # what words found that say nothing: as if nobody had asked for them
    bonuses = [FOREIGN_LANGUAGE_BONUS if foreign and mode != "keyword" else 0.0 for foreign in is_foreign]
    fused = list(map(add, fuse(features, mode, calibration), bonuses))
    order = [place for _, _, place in sorted((-score, arms.chunk_ids[at].int, at) for at, score in enumerate(fused))]
    unrelated, uplifted = _backgrounds(features, bonuses, order, mode, calibration)
    return Pool(
        chunk_ids=[arms.chunk_ids[place] for place in order],
        features=[features[place] for place in order],
        languages=[arms.languages[place] for place in order],
        scores=[fused[place] for place in order],
        calibration=calibration,
        uplifted=uplifted,
        unrelated=unrelated or 0.0,
    )


def _backgrounds(
    features: Sequence[Features], bonuses: Sequence[float], order: Sequence[int], mode: Mode, calibration: Calibration
) -> tuple[float | None, float | None]:
    """What an unrelated chunk scores, without and with the bonus of other languages; None where keywords alone count."""
    if mode == "keyword":
        return None, None
    semantics = [semantic_score(features[place]) for place in order]
    uplifted = [semantic + bonuses[place] for semantic, place in zip(semantics, order, strict=True)]
    return background(semantics, calibration.typical_background), background(uplifted, calibration.typical_background)


@dataclass(frozen=True, slots=True, kw_only=True)
class _Terms:
    """IDF mass of the question's terms: of all of them, and of the codes among them."""

    total: float
    codes: float

    @classmethod
    def of(cls, terms: Sequence[KeywordTerm]) -> _Terms:
        codes = [term for term in terms if any(map(is_code, term.alternatives))]
        return cls(total=sum(term.weight for term in terms), codes=sum(term.weight for term in codes))

    def evidence(self, keyword: KeywordHit | None) -> float:
        """Of a match in another language than the question's."""
        return share_of_codes(self.codes, keyword.matched_weight * self.total) if keyword else 0.0


def _features(dense: DenseHit | None, keyword: KeywordHit | None, evidence: float) -> Features:
    return Features(
        dense.cosine if dense else None,
        dense.best_sentence_cosine if dense else None,
        keyword.score if keyword else 0.0,
        keyword.matched_weight if keyword else 0.0,
        evidence,
    )


def _is_foreign(language: str, query: Query) -> bool:
    """Whether a chunk is known to be in another language than the question."""
    return language != query.language and "und" not in (language, query.language)


def _ranks(scores: Sequence[float | None]) -> dict[int, int]:
    """Ranks from 1, by place; None has none."""
    known = sorted((-score, place) for place, score in enumerate(scores) if score is not None)
    return {place: rank for rank, (_, place) in enumerate(known, start=1)}
