"""What may be lost: small values under a key with an expiry, in this process's memory and in Valkey (or Redis).

Nothing here is needed for a right answer. When Valkey does not answer, reads find nothing and writes do nothing;
both are counted in `dragoman_cache_errors_total`, and `/readyz` shows it.
"""

from __future__ import annotations

import asyncio
import hashlib
import os
import time
from collections import OrderedDict
from collections.abc import Awaitable, Callable, Hashable, Sequence, Sized
from dataclasses import dataclass
from typing import Any, Final, Generic, TypeVar

import redis.asyncio as redis
import structlog
from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from prometheus_client import Counter, Gauge
from redis.exceptions import RedisError

_log = structlog.get_logger(__name__)
CACHE_ERRORS = Counter("dragoman_cache_errors_total", "Cache operations that failed because Valkey did not answer.")
CACHE_READS = Counter(
    "dragoman_cache_reads_total", "Cache reads, by layer: `process`, then `valkey`.", ["area", "layer", "result"]
)
CACHE_JOINED = Counter(
    "dragoman_cache_joined_total", "Reads that got a value which was being made for another reader.", ["area"]
)
CACHE_BYTES = Gauge(
    "dragoman_cache_process_bytes",
    "Bytes that a cache keeps in memory, of all API processes on this port.",
    ["area"],
    multiprocess_mode="livesum",
)

_REST_S: Final = 2.0  # after a failure Valkey is not asked for so long: a dead one would cost each request its time-out
_MOST_CONNECTIONS: Final = 64  # of a process
_ANSWERS_WITHIN_S = 1.0  # else Valkey counts as away
_ENTRY_BYTES: Final = 350  # of Python objects around each value: measured 330 for a key of 32 bytes
_NONCE_BYTES: Final = 12

T = TypeVar("T")
K = TypeVar("K", bound=Hashable)
V = TypeVar("V")


class Cache:
    """Byte values under string keys in Valkey. Every method is safe to call while it is down."""

    def __init__(self, url: str) -> None:
        # One that waits: the usual pool refuses the 101st command at once, which would read as if Valkey were away.
        pool = redis.BlockingConnectionPool.from_url(
            url,
            max_connections=_MOST_CONNECTIONS,
            timeout=2 * _ANSWERS_WITHIN_S,
            socket_connect_timeout=_ANSWERS_WITHIN_S,
            socket_timeout=_ANSWERS_WITHIN_S,
        )
        self._client: redis.Redis = redis.Redis.from_pool(pool)
        self._rests_until = 0.0

    @property
    def client(self) -> redis.Redis:
        """The raw client, for streams and pub/sub. Its calls raise `RedisError` when Valkey is down."""
        return self._client

    async def find(self, area: str, key: str) -> bytes | None:
        """The value, or None when it is absent, expired or Valkey does not answer."""
        if self.is_resting:
            return None
        try:
            value = await self._client.get(f"dragoman:{area}:{key}")
        except (RedisError, OSError) as error:
            self.rest(error)
            return None
        CACHE_READS.labels(area, "valkey", "miss" if value is None else "hit").inc()
        return value.encode() if isinstance(value, str) else value

    async def put(self, area: str, key: str, value: bytes, *, expires_after_s: int = 3600) -> None:
        if self.is_resting:
            return
        try:
            await self._client.set(f"dragoman:{area}:{key}", value, ex=expires_after_s)
        except (RedisError, OSError) as error:
            self.rest(error)

    async def is_reachable(self) -> bool:
        try:
            return bool(await self._client.ping())
        except (RedisError, OSError):
            return False

    async def close(self) -> None:
        await self._client.aclose()

    @property
    def is_resting(self) -> bool:
        """Valkey has just failed: who can do without it does, until a moment has passed."""
        return time.monotonic() < self._rests_until

    def rest(self, error: Exception) -> None:
        """Note that Valkey has failed."""
        CACHE_ERRORS.inc()
        self._rests_until = time.monotonic() + _REST_S
        _log.warning("cache.unavailable", reason=str(error))


def _length_of(key: Sized, value: Sized) -> int:
    return len(key) + len(value)


class ProcessCache(Generic[K, V]):
    """Values in this process's memory. When `max_bytes` are full, what was not read for longest goes first."""

    def __init__(
        self, area: str, *, max_bytes: int, expires_after_s: float, size_of: Callable[[Any, Any], int] = _length_of
    ) -> None:
        """`size_of` tells the bytes of key and value, without those of an entry; of `bytes` it is their length."""
        self._max_bytes, self._expires_after_s, self._size_of = max_bytes, expires_after_s, size_of
        self._entries: OrderedDict[K, tuple[float, V, int]] = OrderedDict()
        self._bytes = 0
        self._hits = CACHE_READS.labels(area, "process", "hit")
        self._misses = CACHE_READS.labels(area, "process", "miss")
        self._gauge = CACHE_BYTES.labels(area)

    def find(self, key: K) -> V | None:
        """The value, or None when it is absent or expired."""
        entry = self._entries.get(key)
        if entry is None or entry[0] < time.monotonic():
            self._misses.inc()
            return None
        self._entries.move_to_end(key)
        self._hits.inc()
        return entry[1]

    def find_all(self, keys: Sequence[K]) -> list[V | None]:
        """As `find`, for each of the keys."""
        moment = time.monotonic()
        found: list[V | None] = []
        for key in keys:
            entry = self._entries.get(key)
            if entry is None or entry[0] < moment:
                found.append(None)
            else:
                self._entries.move_to_end(key)
                found.append(entry[1])
        misses = found.count(None)
        self._misses.inc(misses)
        self._hits.inc(len(found) - misses)
        return found

    def put(self, key: K, value: V) -> None:
        self._drop(key)
        size = self._size_of(key, value) + _ENTRY_BYTES
        if size > self._max_bytes:
            return
        self._entries[key] = (time.monotonic() + self._expires_after_s, value, size)
        self._bytes += size
        while self._bytes > self._max_bytes:
            self._drop(next(iter(self._entries)))
        self._gauge.set(self._bytes)

    def _drop(self, key: K) -> None:
        entry = self._entries.pop(key, None)
        if entry is not None:
            self._bytes -= entry[2]


@dataclass(slots=True)
class _Flight(Generic[T]):
    task: asyncio.Task[T]
    waiting: int = 0


class SingleFlight(Generic[T]):
    """Makes a value once for all who ask for it at the same time.

    The work runs in a task of its own: one caller who leaves does not take it from the others, and when the last one
    leaves it is cancelled. An error goes to all who wait, and is not remembered.
    """

    def __init__(self) -> None:
        self._flights: dict[bytes, _Flight[T]] = {}

    def is_running(self, key: bytes) -> bool:
        return key in self._flights

    async def run(self, key: bytes, work: Callable[[], Awaitable[T]]) -> T:
        flight = self._flights.get(key)
        if flight is None:
            flight = self._flights[key] = _Flight(asyncio.ensure_future(_awaited(work)))
            flight.task.add_done_callback(lambda _, flight=flight: self._land(key, flight))  # type: ignore[misc]
        flight.waiting += 1
        try:
            return await asyncio.shield(flight.task)
        finally:
            flight.waiting -= 1
            if flight.waiting == 0 and not flight.task.done():
                self._land(key, flight)  # whoever comes now begins anew, and does not join what is being cancelled
                flight.task.cancel()

    def _land(self, key: bytes, flight: _Flight[T]) -> None:
        if self._flights.get(key) is flight:
            del self._flights[key]
        if flight.task.done() and not flight.task.cancelled():
            flight.task.exception()  # retrieved here too: all who waited may have left


async def _awaited(work: Callable[[], Awaitable[T]]) -> T:
    return await work()


class LayeredCache:
    """Values by a key made of parts: in this process, then in Valkey, else computed once for all who ask.

    Valkey knows neither key nor value: the name of an entry is a hash of the parts, and the value is encrypted with
    a key made of the parts as well. Only who can name them all can read it, so that what the value quotes cannot be
    read from Valkey's memory or files by others, nor by anybody once a part of the key (a revision) has gone.
    """

    def __init__(self, shared: Cache, area: str, *, max_bytes: int, expires_after_s: int, made_with: str = "") -> None:
        """`max_bytes` bounds this process's memory; `expires_after_s` holds for both layers.

        `made_with` says by which settings values are computed: processes that differ in it share none.
        """
        self._shared, self._area, self._expires_after_s = shared, area, expires_after_s
        self._made_with = made_with.encode()
        self._process: ProcessCache[bytes, bytes] = ProcessCache(
            area, max_bytes=max_bytes, expires_after_s=expires_after_s
        )
        self._flights: SingleFlight[tuple[bytes, bool]] = SingleFlight()
        self._joined = CACHE_JOINED.labels(area)

    async def get(self, key: bytes, compute: Callable[[], Awaitable[tuple[bytes, bool]]]) -> tuple[bytes, bool]:
        """The value of this key (`cache_key`), and whether it was there already.

        `compute` returns the value and whether it may be kept. What it raises goes to all who wait for this value, and
        nothing is kept.
        """
        value = self._process.find(key)
        if value is not None:
            return value, True
        if self._flights.is_running(key):
            self._joined.inc()
        return await self._flights.run(key, lambda: self._found_or_computed(key, compute))

    async def find(self, key: bytes) -> bytes | None:
        """The value of this key (`cache_key`); None: nobody has put one there, or it has expired."""
        value = self._process.find(key)
        return value if value is not None else await self._find_shared(key)

    async def put(self, key: bytes, value: bytes) -> None:
        """Keep a value in both layers."""
        self._process.put(key, value)
        secret = cache_key("seal", self._made_with, key)
        await self._shared.put(
            self._area, self._name_of(key), sealed(secret, value), expires_after_s=self._expires_after_s
        )

    async def get_many(
        self, keys: Sequence[bytes], compute: Callable[[Sequence[int]], Awaitable[Sequence[bytes]]]
    ) -> list[bytes]:
        """The values of these keys. `compute` makes those that are nowhere, by their places in `keys`.

        What `compute` raises is raised, and nothing is kept. Callers who ask at the same time each compute.
        """
        values = list(await asyncio.gather(*map(self.find, keys)))
        missing = [at for at, value in enumerate(values) if value is None]
        if missing:
            for at, made in zip(missing, await compute(missing), strict=True):
                values[at] = made
                await self.put(keys[at], made)
        return [value for value in values if value is not None]

    async def _found_or_computed(
        self, key: bytes, compute: Callable[[], Awaitable[tuple[bytes, bool]]]
    ) -> tuple[bytes, bool]:
        if (value := await self._find_shared(key)) is not None:
            return value, True
        made, may_be_kept = await compute()
        if may_be_kept:
            await self.put(key, made)
        return made, False

    async def _find_shared(self, key: bytes) -> bytes | None:
        found = await self._shared.find(self._area, self._name_of(key))
        value = None if found is None else opened(cache_key("seal", self._made_with, key), found)
        if value is not None:
            self._process.put(key, value)
        return value

    def _name_of(self, key: bytes) -> str:
        return cache_key("name", self._made_with, key).hex()


def cache_key(*parts: str | bytes) -> bytes:
    """The key of a value that depends on these parts, 32 bytes. Parts are told apart whatever they hold."""
    digest = hashlib.sha256()
    for part in parts:
        data = part.encode("utf-8", "surrogatepass") if isinstance(part, str) else part
        digest.update(len(data).to_bytes(8, "big"))
        digest.update(data)
    return digest.digest()


def sealed(secret: bytes, value: bytes) -> bytes:
    """A value that only who holds the secret (a `cache_key`) can read."""
    nonce = os.urandom(_NONCE_BYTES)
    return nonce + AESGCM(secret).encrypt(nonce, value, None)


def opened(secret: bytes, sealed: bytes) -> bytes | None:
    """The value; None when somebody else wrote what stands there."""
    try:
        return AESGCM(secret).decrypt(sealed[:_NONCE_BYTES], sealed[_NONCE_BYTES:], None)
    except (InvalidTag, ValueError):
        return None
