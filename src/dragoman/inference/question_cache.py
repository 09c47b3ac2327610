"""Remembers the vectors of questions, so that a question asked again needs no model.

Kept per tenant: the vector of a text is nobody's secret, but how fast it comes would tell that another tenant asked the
same. Vectors are rounded to half precision at once, as PostgreSQL keeps those of passages: a search gives the same
scores whether its vector comes from the model, this process or Valkey.
"""

from __future__ import annotations

import unicodedata
from collections.abc import Awaitable, Callable
from uuid import UUID

import numpy as np

from dragoman.kit.cache import Cache, LayeredCache, cache_key
from dragoman.ports.embedder import Vectors

_AREA = "question_vectors"
_HALF = np.dtype("<f2")


class QuestionCache:
    """Vectors of questions by tenant, embedding version and text, in this process and in Valkey."""

    def __init__(self, shared: Cache, *, max_mib: int = 32, expires_after_s: int = 3600) -> None:
        """32 MiB hold about 28,000 questions of 384 dimensions."""
        self._cache = LayeredCache(shared, _AREA, max_bytes=max_mib * 1024 * 1024, expires_after_s=expires_after_s)

    async def get(
        self, tenant_id: UUID, version: str, text: str, embed: Callable[[str], Awaitable[Vectors]]
    ) -> Vectors:
        """The vector of a question, shape `(dimensions,)`; `embed` makes it of the text as `normalised` returns it.

        However many ask for the same one at once, `embed` is called once. What it raises is not remembered.
        """
        asked = normalised(text)

        async def compute() -> tuple[bytes, bool]:
            return (await embed(asked)).astype(_HALF).tobytes(), True

        value, _ = await self._cache.get(cache_key(tenant_id.bytes, version, asked), compute)
        return np.frombuffer(value, dtype=_HALF).astype(np.float32)


def normalised(text: str) -> str:
    """The text in one spelling: Unicode's composed form, single spaces, none at the ends.

    Case stays: models tell it apart.
    """
    return " ".join(unicodedata.normalize("NFC", text).split())
