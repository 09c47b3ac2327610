"""Judges again, and better, how well the best candidates of a search answer the question.

An adapter is one of two kinds. A `Reranker` scores by itself. A `PromptedReranker` has a language model judge: it
writes the requests and reads the replies, and inference, where every model call passes, sends them.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Protocol, runtime_checkable

from dragoman.kit.errors import UnavailableError
from dragoman.ports.embedder import Vectors
from dragoman.ports.llm import TextRequest


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
        similarity: that score calibrated, 0 to 1.
        dense, keyword: cosine of question and chunk; BM25. None where that arm was not searched.
        matched_weight: share of the question's IDF mass that the chunk matches, 0 to 1.
        sentence_cosines: cosine of the question with each sentence of the chunk, in text order; empty where none are stored.
        vector: of the chunk; None where the chatbot's vectors cannot be reached.
    """

    text: str
    title: str
    heading_path: tuple[str, ...]
    language: str
    score: float
    similarity: float
    dense: float | None = None
    keyword: float | None = None
    matched_weight: float = 0.0
    sentence_cosines: tuple[float, ...] = ()
    vector: Vectors | None = field(default=None, compare=False)


class Reranker(Protocol):
    """An adapter of the port `reranker` that scores by itself. Methods may be called concurrently."""

    @property
    def depth(self) -> int:
        """How many candidates it wants to see, where the chatbot does not say; 0: it keeps the order and is not asked."""
        ...

    @property
    def model(self) -> str | None:
        """What its usage records name as the model; None where none is called, and no record is written."""
        ...

    async def rerank(self, question: str, language: str, candidates: Sequence[RerankCandidate]) -> list[float]:
        """The probability (0 to 1) that each candidate helps to answer, in the order given: calibrated, so that 0.5 means
        the same for every adapter and `similarity_threshold` too.

        Candidates come best first. No candidates give no probabilities.

        Raises:
            RerankerUnavailableError.
        """
        ...

    async def close(self) -> None: ...


@runtime_checkable
class PromptedReranker(Protocol):
    """An adapter of the port `reranker` that has a language model judge. It holds no connection and keeps no state."""

    @property
    def depth(self) -> int:
        """As of a `Reranker`."""
        ...

    @property
    def answerer(self) -> str | None:
        """The `llm` adapter to ask; None for the one the installation answers with."""
        ...

    def write_requests(self, question: str, candidates: Sequence[RerankCandidate]) -> list[TextRequest]:
        """What to ask the model. The requests do not depend on each other and may be sent at the same time."""
        ...

    def read_replies(self, replies: Sequence[str], candidates: Sequence[RerankCandidate]) -> list[float]:
        """The probabilities, as from `Reranker.rerank`, out of the replies in the order of the requests.

        Raises:
            RerankerUnavailableError: no reply can be read.
        """
        ...

    async def close(self) -> None: ...
