"""The embedder `shaped`: vectors that mean nothing, but lie as those of the bundled model do; any number in no time.

They are points of a curved surface of 12 dimensions, with a little noise, around a common direction. Intrinsic dimension
(maximum likelihood over 20 neighbours, Levina and Bickel 2004) 15 to 16; the bundled model's on the evaluation packs is
9 to 11. Vectors of `hashing` have 41: no graph index reaches a recall of 0.98 on 100,000 of those.
"""

from __future__ import annotations

import asyncio
import zlib
from collections.abc import Sequence

import numpy as np
from pydantic import BaseModel, ConfigDict

from dragoman.ports.embedder import Calibration, ConfidenceModel, EmbedderProfile, Vectors

DIMENSIONS = 384
_SURFACE, _WAVES, _CURVATURE = 12, 256, 0.3
_COMMON, _OWN, _NOISE = 0.885, 0.465, 0.2  # lengths, as those of the bundled model's vectors
_CALIBRATION = Calibration(midpoint=0.88, slope=40.0)


class Settings(BaseModel):
    """Settings of the embedder `shaped`: none."""

    model_config = ConfigDict(extra="forbid", frozen=True)


class Adapter:
    """The embedder `shaped`. A text has the same vector always; two texts have nothing to do with each other."""

    def __init__(self, settings: Settings) -> None:
        del settings
        self._profile = EmbedderProfile(
            model=f"shaped-{DIMENSIONS}",
            dimensions=DIMENSIONS,
            max_tokens=512,
            calibration=_CALIBRATION,
            confidence=ConfidenceModel.from_calibration(_CALIBRATION),
        )

    @property
    def profile(self) -> EmbedderProfile:
        return self._profile

    async def embed_queries(self, texts: Sequence[str]) -> Vectors:
        return await asyncio.to_thread(vectors_of, texts)

    async def embed_passages(self, texts: Sequence[str]) -> Vectors:
        return await asyncio.to_thread(vectors_of, texts)

    async def count_tokens(self, texts: Sequence[str]) -> list[int]:
        return [len(text.split()) for text in texts]

    async def close(self) -> None:
        """Nothing is held."""


def vectors_of(texts: Sequence[str]) -> Vectors:
    """A vector for each text; shape `(n, DIMENSIONS)`."""
    drawn = [_drawn(np.random.default_rng(zlib.crc32(text.encode())), 1) for text in texts]
    return _shaped(np.concatenate(drawn)) if drawn else np.empty((0, DIMENSIONS), np.float32)


def many(count: int, *, seed: int) -> Vectors:
    """As many vectors at once; shape `(count, DIMENSIONS)`."""
    return _shaped(_drawn(np.random.default_rng(seed), count))


def _drawn(random: np.random.Generator, count: int) -> Vectors:
    """Places on the surface, and noise."""
    return random.standard_normal((count, _SURFACE + DIMENSIONS), dtype=np.float32)


def _shaped(drawn: Vectors) -> Vectors:
    waves = np.cos(drawn[:, :_SURFACE] @ _DIRECTIONS + _PHASES) @ _MIXED
    noise = drawn[:, _SURFACE:] / np.float32(np.sqrt(DIMENSIONS))
    own = np.sqrt(1 - _NOISE**2) * _unit(waves) + _NOISE * noise
    return _unit(_COMMON * _MIDDLE + _OWN * own)


def _unit(vectors: Vectors) -> Vectors:
    unit: Vectors = (vectors / np.linalg.norm(vectors, axis=-1, keepdims=True)).astype(np.float32)
    return unit


_world = np.random.default_rng(0)
_DIRECTIONS = _CURVATURE * _world.standard_normal((_SURFACE, _WAVES), dtype=np.float32)
_PHASES = _world.uniform(0, 2 * np.pi, _WAVES).astype(np.float32)
_MIXED = _world.standard_normal((_WAVES, DIMENSIONS), dtype=np.float32)
_MIDDLE = _unit(_world.standard_normal(DIMENSIONS, dtype=np.float32))
