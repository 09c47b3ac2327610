"""Texts with their vectors on shelves, to find those near a vector: in this process's memory, shared through Valkey.

A shelf is named by a key (`kit.cache.cache_key`) of all that its texts depend on. In Valkey it is a stream, so that a
process asks for what is new only; its name is a hash of the key, and each entry is sealed with a key made of it, as in
`LayeredCache`. What is here may be lost: without Valkey each process has the texts that it has put there itself.
"""

from __future__ import annotations

import time
from collections import OrderedDict
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray
from redis.exceptions import RedisError

from dragoman.kit.cache import CACHE_BYTES, Cache, cache_key, opened, sealed

_HALF: Final = np.dtype("<f2")
_FRESH_S: Final = 1.0  # Valkey is asked again after so long: a text of another process may be found so much later
_TEXT_BYTES: Final = 300  # of Python objects around each text

Floats = NDArray[np.float32]


@dataclass(frozen=True, slots=True, kw_only=True)
class NearText:
    """A text of a shelf, with the cosine of its vector and the one asked for."""

    shelf: bytes
    text: str
    cosine: float


@dataclass(slots=True)
class _Shelf:
    """The texts in the order they came; `rows[:len(texts)]` are their vectors, of length 1."""

    rows: Floats
    texts: list[str] = field(default_factory=list)
    known: set[str] = field(default_factory=set)
    last_id: str = "0-0"
    asked_at: float = float("-inf")


class VectorShelves:
    """Shelves of texts by key. A shelf keeps its newest `max_texts`; when `max_bytes` are full, the one unused longest goes."""

    def __init__(
        self,
        shared: Cache,
        area: str,
        *,
        max_bytes: int,
        expires_after_s: int,
        max_texts: int = 2000,
        made_with: str = "",
    ) -> None:
        """`expires_after_s`: a shelf in Valkey that nothing was put on for so long goes."""
        self._shared, self._area, self._expires_after_s = shared, area, expires_after_s
        self._max_bytes, self._max_texts, self._made_with = max_bytes, max_texts, made_with
        self._shelves: OrderedDict[bytes, _Shelf] = OrderedDict()
        self._gauge = CACHE_BYTES.labels(area)

    async def nearest(self, keys: Sequence[bytes], vector: Floats, *, at_least: float, limit: int) -> list[NearText]:
        """The texts of these shelves whose cosine is `at_least` that, the nearest first. `vector`: shape `(dimensions,)`."""
        unit = _unit(vector)
        await self._bring_up(list(keys), len(unit))
        found: list[NearText] = []
        for key in keys:
            shelf = self._shelves[key]
            count = len(shelf.texts)
            if not count:
                continue
            # In this thread: for so few rows those of the BLAS take 1.8 ms of CPU time to do 0.1 ms of work.
            cosines = np.einsum("ij,j->i", shelf.rows[:count], unit)
            best = np.flatnonzero(cosines >= at_least)
            best = best[np.argsort(-cosines[best])][:limit]
            found += [NearText(shelf=key, text=shelf.texts[row], cosine=float(cosines[row])) for row in best]
        return sorted(found, key=lambda near: -near.cosine)[:limit]

    async def put(self, key: bytes, text: str, vector: Floats) -> None:
        """Put a text on a shelf, unless it is there."""
        unit = _unit(vector)
        shelf = self._shelf(key, len(unit))
        if not self._add(shelf, text, unit):
            return
        self._make_room()
        if self._shared.is_resting:
            return
        name, secret = self._names(key)
        entry = sealed(secret, unit.astype(_HALF).tobytes() + text.encode("utf-8", "surrogatepass"))
        try:
            async with self._shared.client.pipeline(transaction=False) as pipe:
                pipe.xadd(name, {"e": entry}, maxlen=self._max_texts, approximate=False)
                pipe.expire(name, self._expires_after_s)
                await pipe.execute()
        except (RedisError, OSError) as error:
            self._shared.rest(error)

    def drop(self, near: NearText) -> None:
        """Take a text off this process's shelf: what stood for it has gone."""
        shelf = self._shelves.get(near.shelf)
        if shelf is None or near.text not in shelf.known:
            return
        at = shelf.texts.index(near.text)
        shelf.rows[at : len(shelf.texts) - 1] = shelf.rows[at + 1 : len(shelf.texts)]
        shelf.texts.pop(at)
        shelf.known.discard(near.text)

    # ---- this process

    def _shelf(self, key: bytes, dimensions: int) -> _Shelf:
        shelf = self._shelves.get(key)
        if shelf is None:
            shelf = self._shelves[key] = _Shelf(rows=np.zeros((8, dimensions), dtype=np.float32))
        self._shelves.move_to_end(key)
        return shelf

    def _add(self, shelf: _Shelf, text: str, unit: Floats) -> bool:
        """Whether it was added: it was not there, and its vector is as long as those of the shelf."""
        if text in shelf.known or len(unit) != shelf.rows.shape[1]:
            return False
        if len(shelf.texts) >= self._max_texts:
            gone = max(1, self._max_texts // 8)  # in one go, since rows are moved
            shelf.known.difference_update(shelf.texts[:gone])
            del shelf.texts[:gone]
            shelf.rows[: len(shelf.texts)] = shelf.rows[gone : gone + len(shelf.texts)].copy()
        if len(shelf.texts) == len(shelf.rows):
            grown = np.zeros((2 * len(shelf.rows), shelf.rows.shape[1]), dtype=np.float32)
            grown[: len(shelf.rows)] = shelf.rows
            shelf.rows = grown
        shelf.rows[len(shelf.texts)] = unit
        shelf.texts.append(text)
        shelf.known.add(text)
        return True

    def _make_room(self) -> None:
        sizes = {key: shelf.rows.nbytes + _TEXT_BYTES * len(shelf.texts) for key, shelf in self._shelves.items()}
        total = sum(sizes.values())
        while total > self._max_bytes and self._shelves:
            key, _ = self._shelves.popitem(last=False)
            total -= sizes[key]
        self._gauge.set(total)

    # ---- Valkey

    async def _bring_up(self, keys: Sequence[bytes], dimensions: int) -> None:
        """Read what other processes have put on these shelves, in one round trip."""
        shelves = {key: self._shelf(key, dimensions) for key in keys}
        moment = time.monotonic()
        stale = [key for key, shelf in shelves.items() if moment - shelf.asked_at >= _FRESH_S]
        if not stale or self._shared.is_resting:
            return
        try:
            async with self._shared.client.pipeline(transaction=False) as pipe:
                for key in stale:
                    pipe.xrange(self._names(key)[0], min=f"({shelves[key].last_id}", count=self._max_texts)
                answers: list[list[tuple[Any, dict[Any, Any]]]] = await pipe.execute()
        except (RedisError, OSError) as error:
            self._shared.rest(error)
            return
        for key, entries in zip(stale, answers, strict=True):
            shelves[key].asked_at = moment
            self._take(key, shelves[key], entries)
        if any(answers):
            self._make_room()
        for key in keys:  # room may have been made of one that is read now
            self._shelves.setdefault(key, shelves[key])

    def _take(self, key: bytes, shelf: _Shelf, entries: Sequence[tuple[Any, dict[Any, Any]]]) -> None:
        secret = self._names(key)[1]
        size = shelf.rows.shape[1] * _HALF.itemsize
        for entry_id, fields in entries:
            shelf.last_id = entry_id.decode() if isinstance(entry_id, bytes) else str(entry_id)
            entry = opened(secret, fields.get(b"e", b""))
            if entry is None or len(entry) < size:
                continue
            self._add(
                shelf, entry[size:].decode("utf-8", "surrogatepass"), _unit(np.frombuffer(entry[:size], dtype=_HALF))
            )

    def _names(self, key: bytes) -> tuple[str, bytes]:
        """The name of a shelf in Valkey, and what its entries are sealed with."""
        name = cache_key("name", self._made_with, key).hex()
        return f"dragoman:{self._area}:{name}", cache_key("seal", self._made_with, key)


def _unit(vector: NDArray[Any]) -> Floats:
    values = vector.astype(np.float32)
    length = float(np.linalg.norm(values))
    unit: Floats = values / length if length else values
    return unit
