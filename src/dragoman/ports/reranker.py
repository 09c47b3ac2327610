"""Judges again, and better, how well the best candidates of a search answer the question."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

from dragoman.kit.errors import UnavailableError


class RerankerUnavailableError(UnavailableError):
    """The re-ranker does not answer; the search goes on without it. Check its settings and its server."""

    code = "reranker.unavailable"


@dataclass(frozen=True, slots=True, kw_only=True)
class RerankCandidate:
    """A candidate with what the arms of the search know of it.

    Attributes:
        text: with title and headings above it, as it was embedded.
        language: of the chunk; ISO 639-1 or `und`.
        score: of the fusion; greater is better, comparable within one search.
        dense, keyword: cosine of question and chunk; BM25. None where that arm was not searched.
        sentence_cosines: cosine of the question with each sentence of the chunk, in text order; empty where none are stored.
    """

    text: str
    title: str
    heading_path: tuple[str, ...]
    language: str
    score: float
    dense: float | None = None
    keyword: float | None = None
    matched_weight: float = 0.0
    sentence_cosines: tuple[float, ...] = ()


class Reranker(Protocol):
    """An adapter of the port `reranker`."""

    @property
    def depth(self) -> int:
        """How many candidates it wants to see; 0: it leaves the order as it is and is not asked."""
        ...

    async def rerank(self, question: str, language: str, candidates: Sequence[RerankCandidate]) -> list[float]:
        """The probability (0 to 1) that each candidate helps to answer, in the order given: calibrated, so that 0.5 means
        the same for every adapter and `similarity_threshold` too.

        Raises:
            RerankerUnavailableError.
        """
        ...

    async def close(self) -> None: ...
