"""Turns text into vectors."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from dragoman.kit.errors import DragomanError, UnavailableError

Vectors = NDArray[np.float32]


class EmbedderUnavailableError(UnavailableError):
    """The embedding model does not answer. `dragoman doctor` says which one is set and why."""

    code = "embedder.unavailable"


class EmbedderRejectedError(DragomanError):
    """The embedding model refused the request. Check its name, key and settings."""

    code, status = "embedder.rejected", 502


@dataclass(frozen=True, slots=True, kw_only=True)
class EmbedderProfile:
    """What is fixed about an embedding model. A change of any of these is a new embedding version.

    Attributes:
        model: the model's name and revision, e.g. `multilingual-e5-small-q4`.
        dimensions: length of each vector.
        max_tokens: the longest text that the model reads whole, in its own tokens; longer text is cut by it.
        similarity_midpoint: the cosine at which a question and a passage are as likely related as not.
        similarity_slope: steepness of the logistic curve through it; `similarity_score = 1 / (1 + exp(-slope * (cos - midpoint)))`.
    """

    model: str
    dimensions: int
    max_tokens: int
    similarity_midpoint: float
    similarity_slope: float


class Embedder(Protocol):
    """An embedding model.

    Vectors are float32 of shape `(len(texts), dimensions)`, L2-normalised, in the order of the texts; no texts give
    shape `(0, dimensions)`. The same text gives the same vector, alone or in a batch, within 1e-3. An empty text is
    allowed. Text longer than `max_tokens` is cut, never refused. Methods may be called concurrently.

    Raises:
        EmbedderUnavailableError: it does not answer (worth another try).
        EmbedderRejectedError: it refused (another try will not help).
    """

    @property
    def profile(self) -> EmbedderProfile: ...

    async def embed_queries(self, texts: Sequence[str]) -> Vectors:
        """Vectors for questions. Served before passages where both wait."""
        ...

    async def embed_passages(self, texts: Sequence[str]) -> Vectors:
        """Vectors for stored text."""
        ...

    async def count_tokens(self, texts: Sequence[str]) -> list[int]:
        """Length of each text in the model's tokens (estimated where its tokenizer is not at hand, never below the truth by more than a fifth)."""
        ...

    async def close(self) -> None: ...
