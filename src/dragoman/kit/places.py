"""How many of something may go on at the same time, over all processes: places that are held, and that end with their holder.

A place is a member of a sorted set in Valkey, whose score says until when it is held. The process that holds it says every
`_RENEW_S` that it still does; of a process that dies all places are free after `HELD_S`. While Valkey is away each process
counts its own.
"""

from __future__ import annotations

import asyncio
from collections import defaultdict
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from typing import Final

from redis.exceptions import RedisError

from dragoman.kit.cache import Cache
from dragoman.kit.clock import new_id
from dragoman.kit.rate_limit import ALONE, REFUSED, Limit

HELD_S: Final = 30.0
_RENEW_S: Final = 10.0
_CLOCK: Final = """
local now = redis.call('TIME')
local at = now[1] * 1000 + math.floor(now[2] / 1000)
local until_ = at + tonumber(ARGV[2])
"""
_TAKE: Final = (
    _CLOCK
    + """
for place, key in ipairs(KEYS) do
    redis.call('ZREMRANGEBYSCORE', key, 0, at)
    if redis.call('ZCARD', key) >= tonumber(ARGV[2 + place]) then return place end
end
for _, key in ipairs(KEYS) do
    redis.call('ZADD', key, until_, ARGV[1])
    redis.call('PEXPIRE', key, ARGV[2])
end
return 0
"""
)
_RENEW: Final = (
    _CLOCK
    + """
for _, key in ipairs(KEYS) do
    redis.call('ZADD', key, until_, ARGV[1])
    redis.call('PEXPIRE', key, ARGV[2])
end
"""
)


@dataclass(frozen=True, slots=True, eq=False)
class Place:
    """A place that is held under each of its limits, until it is given back."""

    limits: tuple[Limit, ...]
    id: str = field(default_factory=lambda: new_id().hex)

    @property
    def keys(self) -> list[str]:
        return [f"dragoman:places:{limit.what}:{limit.key}" for limit in self.limits]


class Places:
    """Takes places and holds them. Of a `Limit`, `most` may be held at once; `per_s` has no meaning."""

    def __init__(self, cache: Cache) -> None:
        self._cache = cache
        self._take = cache.client.register_script(_TAKE)
        self._renew = cache.client.register_script(_RENEW)
        self._held: dict[str, set[Place]] = defaultdict(set)
        self._renewing: asyncio.Task[None] | None = None

    async def take(self, limits: Sequence[Limit]) -> Place | Limit:
        """A place under all the limits, to be given back; or the first limit that has none left."""
        place = Place(tuple(limits))
        full = await self._find_full(place)
        if full is not None:
            REFUSED.labels(full.what).inc()
            return full
        for key in place.keys:
            self._held[key].add(place)
        if self._renewing is None:
            self._renewing = asyncio.create_task(self._keep_held(), name="hold-places")
        return place

    async def give_back(self, place: Place) -> None:
        for key in place.keys:
            self._held[key].discard(place)
            if not self._held[key]:
                del self._held[key]
        if self._cache.is_resting:
            return
        with suppress(RedisError, OSError):  # it ends by itself after HELD_S
            async with self._cache.client.pipeline(transaction=False) as pipeline:
                for key in place.keys:
                    pipeline.zrem(key, place.id)
                await pipeline.execute()

    async def close(self) -> None:
        if self._renewing is not None:
            self._renewing.cancel()
            await asyncio.gather(self._renewing, return_exceptions=True)

    async def _find_full(self, place: Place) -> Limit | None:
        if not self._cache.is_resting:
            try:
                arguments: list[str | int] = [place.id, int(HELD_S * 1000), *(limit.most for limit in place.limits)]
                number = int(await self._take(keys=place.keys, args=arguments))
            except (RedisError, OSError) as error:
                self._cache.rest(error)
            else:
                return place.limits[number - 1] if number else None
        for limit, key in zip(place.limits, place.keys, strict=True):
            ALONE.labels(limit.what).inc()
            if len(self._held.get(key, ())) >= limit.most:
                return limit
        return None

    async def _keep_held(self) -> None:
        while True:
            await asyncio.sleep(_RENEW_S)
            places = {place for held in self._held.values() for place in held}
            if not places or self._cache.is_resting:
                continue
            try:
                for place in places:
                    if place not in self._held.get(place.keys[0], ()):
                        continue  # given back meanwhile
                    await self._renew(keys=place.keys, args=[place.id, int(HELD_S * 1000)])
            except (RedisError, OSError) as error:
                self._cache.rest(error)
