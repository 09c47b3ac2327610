"""Vectors from hashed words and character trigrams: for tests and demos, without a model.

Texts with words in common are near, others far; it knows nothing of meaning. The hashing trick: Weinberger et al. 2009.
"""

from __future__ import annotations

import asyncio
import re
import unicodedata
import zlib
from collections.abc import Iterator, Sequence

import numpy as np
from pydantic import BaseModel, ConfigDict, Field

from dragoman.ports.embedder import Calibration, ConfidenceModel, EmbedderProfile, Vectors

_WORD = re.compile(r"\w+")
_MAX_WORDS = 512
_CALIBRATION = Calibration(midpoint=0.3, slope=12.0)
_WORD_WEIGHT, _TRIGRAM_WEIGHT = 1.0, 0.35


class Settings(BaseModel):
    """Settings of the embedder `hashing`."""

    model_config = ConfigDict(extra="forbid")

    dimensions: int = Field(default=256, ge=16, le=4000, description="Length of each vector.")


class Adapter:
    """The embedder `hashing`: deterministic, on every machine."""

    def __init__(self, settings: Settings) -> None:
        self._profile = EmbedderProfile(
            model=f"hashing-{settings.dimensions}",
            dimensions=settings.dimensions,
            max_tokens=_MAX_WORDS,
            calibration=_CALIBRATION,
            confidence=ConfidenceModel.from_calibration(_CALIBRATION),
        )

    @property
    def profile(self) -> EmbedderProfile:
        return self._profile

    async def embed_queries(self, texts: Sequence[str]) -> Vectors:
        return await asyncio.to_thread(self._embed, texts)

    async def embed_passages(self, texts: Sequence[str]) -> Vectors:
        return await asyncio.to_thread(self._embed, texts)

    async def count_tokens(self, texts: Sequence[str]) -> list[int]:
        return [len(_WORD.findall(_fold(text))) for text in texts]

    async def close(self) -> None:
        """Nothing is held."""

    def _embed(self, texts: Sequence[str]) -> Vectors:
        vectors = np.zeros((len(texts), self._profile.dimensions), dtype=np.float32)
        for row, text in zip(vectors, texts, strict=True):
            for feature, weight in _list_features(text):
                digest = zlib.crc32(feature.encode("utf-8", "replace"))
                row[(digest >> 1) % len(row)] += weight if digest & 1 else -weight
            length = float(np.linalg.norm(row))
            if length > 0.0:
                row /= length
            else:
                row[0] = 1.0  # text without words still needs a vector of length 1
        return vectors


def _list_features(text: str) -> Iterator[tuple[str, float]]:
    for word in _WORD.findall(_fold(text))[:_MAX_WORDS]:
        yield word, _WORD_WEIGHT
        marked = f"<{word}>"
        for start in range(len(marked) - 2):
            yield marked[start : start + 3], _TRIGRAM_WEIGHT


def _fold(text: str) -> str:
    return unicodedata.normalize("NFKC", text).casefold()
