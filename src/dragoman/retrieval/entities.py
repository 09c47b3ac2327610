"""A search within one chatbot, and the passages it finds."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Literal
from uuid import UUID

from dragoman.embeddings.entities import EmbeddingVersion
from dragoman.knowledge.entities import ChunkInDocument
from dragoman.ports.embedder import Vectors
from dragoman.ports.keyword_index import KeywordTerm
from dragoman.ports.search_scope import SearchScope

Mode = Literal["hybrid", "dense", "keyword"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Query:
    """What to find.

    Attributes:
        language: of the question, ISO 639-1 or `und`.
        limit: passages wanted at most.
        threshold: passages with a lower `similarity_score` are left out.
    """

    text: str
    language: str
    scope: SearchScope
    embedding_version: EmbeddingVersion
    mode: Mode = "hybrid"
    limit: int = 10
    threshold: float = 0.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Passage:
    """A chunk found by a search.

    Attributes:
        similarity_score: calibrated to 0..1, the same meaning for every embedding version.
        score: what the ranking sorts by.
        semantic: the vectors' evidence alone; None when only keywords were searched.
        signals: the raw evidence (`dense`, `sentence`, `keyword`, `matched_weight`), for `explain` and the turn record.
    """

    rank: int
    similarity_score: float
    score: float
    semantic: float | None
    signals: Mapping[str, float | None]
    found: ChunkInDocument

    @property
    def chunk_id(self) -> UUID:
        return self.found.chunk.id


@dataclass(frozen=True, slots=True, kw_only=True)
class Candidate:
    """Any chunk that a search considered, cited or not; kept in the turn record."""

    chunk_id: UUID
    score: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Found:
    """What a search found, with what the next steps need of it.

    Attributes:
        question_vector: shape `(dimensions,)`; None when the embedder was away or keywords alone were asked for.
        terms: the question's terms with their weights in this knowledge.
        unrelated: what an unrelated chunk scores for this question: how far the best stand out tells whether they answer.
        candidates: all that were considered, in rank order.
        degraded: what was skipped or replaced, e.g. `keyword_only`.
    """

    passages: Sequence[Passage]
    question_vector: Vectors | None
    terms: Sequence[KeywordTerm] = ()
    unrelated: float = 0.0
    candidates: Sequence[Candidate] = ()
    degraded: tuple[str, ...] = ()
