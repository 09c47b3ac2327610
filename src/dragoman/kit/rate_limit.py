"""How often somebody may do something: a sliding window in Valkey, one script for each question.

Exact over all processes while Valkey answers: the moments of the last window are kept, not a counter that begins anew each
minute and lets twice as many through at its edge. While Valkey is away each process counts for itself, so that the limit
holds for what one process sees.
"""

from __future__ import annotations

import math
import time
from collections import deque
from dataclasses import dataclass
from typing import Final

from prometheus_client import Counter
from redis.exceptions import RedisError

from dragoman.kit.cache import Cache
from dragoman.kit.clock import new_id

_MOST_KEYS: Final = 10_000  # counted in a process while Valkey is away
_SCRIPT: Final = """
local now = redis.call('TIME')
local at = now[1] * 1000 + math.floor(now[2] / 1000)
local window = tonumber(ARGV[1])
local limit = tonumber(ARGV[2])
redis.call('ZREMRANGEBYSCORE', KEYS[1], 0, at - window)
local used = redis.call('ZCARD', KEYS[1])
if used < limit then
    redis.call('ZADD', KEYS[1], at, ARGV[3])
    redis.call('PEXPIRE', KEYS[1], window)
    return {1, limit - used - 1, 0}
end
local oldest = redis.call('ZRANGE', KEYS[1], 0, 0, 'WITHSCORES')
return {0, 0, oldest[2] + window - at}
"""

REFUSED = Counter("dragoman_rate_limited_total", "What was refused because it came too often.", ["what"])


@dataclass(frozen=True, slots=True, kw_only=True)
class Allowance:
    """What is left. `wait_s` is 0 where this one may pass, else the time until the next one may."""

    limit: int
    remaining: int
    wait_s: float

    @property
    def is_granted(self) -> bool:
        return self.wait_s == 0


class RateLimit:
    """Counts by key."""

    def __init__(self, cache: Cache, what: str) -> None:
        """`what` is limited, e.g. `messages`: a part of the keys, and the label of the metric."""
        self._cache, self._what = cache, what
        self._script = cache.client.register_script(_SCRIPT)
        self._own: dict[str, deque[float]] = {}

    async def take(self, key: str, *, limit: int, per_s: float) -> Allowance:
        """Count one more under the key, if less than `limit` came within the last `per_s` seconds."""
        if self._cache.is_resting:
            return self._counted(self._take_alone(key, limit, per_s))
        try:
            granted, remaining, wait_ms = await self._script(
                keys=[f"dragoman:rate:{self._what}:{key}"], args=[math.ceil(per_s * 1000), limit, str(new_id())]
            )
        except (RedisError, OSError) as error:
            self._cache.rest(error)
            return self._counted(self._take_alone(key, limit, per_s))
        wait_s = 0.0 if granted else max(0.001, float(wait_ms) / 1000)
        return self._counted(Allowance(limit=limit, remaining=int(remaining), wait_s=wait_s))

    def _counted(self, allowance: Allowance) -> Allowance:
        if not allowance.is_granted:
            REFUSED.labels(self._what).inc()
        return allowance

    def _take_alone(self, key: str, limit: int, per_s: float) -> Allowance:
        at = time.monotonic()
        if key not in self._own and len(self._own) >= _MOST_KEYS:
            self._own.pop(next(iter(self._own)))
        moments = self._own.setdefault(key, deque())
        while moments and moments[0] <= at - per_s:
            moments.popleft()
        if len(moments) >= limit:
            return Allowance(limit=limit, remaining=0, wait_s=max(0.001, moments[0] + per_s - at))
        moments.append(at)
        return Allowance(limit=limit, remaining=limit - len(moments), wait_s=0.0)
