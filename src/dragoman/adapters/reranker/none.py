"""Leaves the order of the search as it is."""

from __future__ import annotations

from collections.abc import Sequence

from pydantic import BaseModel, ConfigDict

from dragoman.ports.reranker import RerankCandidate


class Settings(BaseModel):
    """The re-ranker `none` has no settings."""

    model_config = ConfigDict(extra="forbid", frozen=True)


class Adapter:
    """The re-ranker `none`: it is never asked, and would answer with the similarity that the search found."""

    def __init__(self, settings: Settings) -> None:
        self._settings = settings

    @property
    def depth(self) -> int:
        return 0

    @property
    def model(self) -> str | None:
        return None

    async def rerank(self, question: str, language: str, candidates: Sequence[RerankCandidate]) -> list[float]:  # noqa: ARG002 - of the port
        return [candidate.similarity for candidate in candidates]

    async def close(self) -> None:
        """Nothing is held."""
