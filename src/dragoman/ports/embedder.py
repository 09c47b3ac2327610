"""Turns text into vectors."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from dragoman.kit.errors import DragomanError, UnavailableError

Vectors = NDArray[np.float32]


class EmbedderUnavailableError(UnavailableError):
    """The embedding model does not answer. `dragoman doctor` says which one is set and why."""

    code = "embedder.unavailable"
    is_outage = True


class EmbedderRejectedError(DragomanError):
    """The embedding model refused the request. Check its name, key and settings."""

    code, status = "embedder.rejected", 502


@dataclass(frozen=True, slots=True, kw_only=True)
class Calibration:
    """Logistic curve from a ranking score to `similarity_score`; models place their cosines differently.

    Attributes:
        midpoint: The score that means 0.5 when it does not stand out from the background.
        slope: Weight of the score, greater than 0.
        contrast: Weight of how far the score stands out from the question's background, at least 0. The cosines of
            one model lie higher in some languages and subjects than in others; the contrast does not.
        typical_background: What an unrelated chunk scores on average, for knowledge too small to tell.
    """

    midpoint: float
    slope: float
    contrast: float = 0.0
    typical_background: float = 0.0


@dataclass(frozen=True, slots=True, kw_only=True)
class ConfidenceModel:
    """Weights of the logistic regression that says how likely an answer is one: see `generation.evidence.Signals`.

    Attributes:
        languages: added for a question in this language where the passage is in another: models place the texts of some
            languages farther from the rest.
    """

    semantic: float
    contrast: float
    coverage: float
    same_language: float
    missing_codes: float
    bias: float
    languages: Mapping[str, float] = field(default_factory=dict)

    @classmethod
    def from_calibration(cls, calibration: Calibration) -> ConfidenceModel:
        """For a model whose answers were never measured: its similarity, helped by the words found."""
        return cls(
            semantic=calibration.slope,
            contrast=calibration.contrast,
            coverage=4.0,
            same_language=-2.0,
            missing_codes=-1.0,
            bias=-calibration.slope * calibration.midpoint,
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class EmbedderProfile:
    """What is known about an embedding model. Another model or other dimensions are another embedding version.

    Attributes:
        model: the model's name and revision, e.g. `multilingual-e5-small-q4`.
        dimensions: length of each vector.
        max_tokens: the longest text that the model reads whole, in its own tokens; longer text is cut by it.
        calibration: what its cosines mean as `similarity_score`.
        confidence: what they mean for the confidence of an answer.
    """

    model: str
    dimensions: int
    max_tokens: int
    calibration: Calibration
    confidence: ConfidenceModel

    @classmethod
    def from_json(cls, values: Mapping[str, Any]) -> EmbedderProfile:
        """The profile from what `dataclasses.asdict` made of it."""
        nested = {
            "calibration": Calibration(**values["calibration"]),
            "confidence": ConfidenceModel(**values["confidence"]),
        }
        return cls(**{**values, **nested})


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
