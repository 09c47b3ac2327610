"""An embedding version: a model with all that is fixed about it."""

from __future__ import annotations

from dataclasses import dataclass

from dragoman.ports.embedder import Calibration, ConfidenceModel


@dataclass(frozen=True, slots=True, kw_only=True)
class EmbeddingVersion:
    """A row of the registry. `id` is also the partition of its vectors."""

    id: int
    name: str
    adapter: str
    model: str
    dimensions: int
    max_tokens: int
    calibration: Calibration
    confidence: ConfidenceModel
    state: str
