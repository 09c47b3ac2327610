"""How often somebody may do something: sliding windows in Valkey, all that bind one act in one script.

Exact over all processes while Valkey answers: the moments of the last window are kept, not a counter that begins anew each
minute and lets twice as many through at its edge. While Valkey is away each process counts for itself, so that the limit
holds for what one process sees; `dragoman_rate_limits_alone_total` tells how often.

    take          one round trip to Valkey (150 µs of processor time), exact
    take_leased   for what comes often: a process takes as many at once as it gave out in the last second

A lease never lets more than the limit through, but for what was taken less than a second before a window ended (at most
2 % of the limit for each process), and it is not used where less than half of the limit is left: there each one is asked
for. What a process has taken and not given out counts as used.
"""

from __future__ import annotations

import asyncio
import math
import time
from collections import OrderedDict, deque
from collections.abc import Sequence
from contextvars import ContextVar
from dataclasses import dataclass, field
from typing import Final

from prometheus_client import Counter
from redis.exceptions import RedisError

from dragoman.kit.cache import Cache
from dragoman.kit.clock import new_id

_MOST_KEYS: Final = 10_000  # counted in a process while Valkey is away, and leases held
_LEASE_S: Final = 1.0
_LEASE_SHARE: Final = 50  # of a limit, one 50th is leased at most
_SCRIPT: Final = """
local now = redis.call('TIME')
local at = now[1] * 1000 + math.floor(now[2] / 1000)
local id, cost = ARGV[1], tonumber(ARGV[2])
local fits, found = 1, {}
for place, key in ipairs(KEYS) do
    local window, most = tonumber(ARGV[1 + 2 * place]), tonumber(ARGV[2 + 2 * place])
    redis.call('ZREMRANGEBYSCORE', key, 0, at - window)
    local used = redis.call('ZCARD', key)
    local wait = 0
    if used + cost > most then
        fits = 0
        local next = redis.call('ZRANGE', key, used + cost - most - 1, used + cost - most - 1, 'WITHSCORES')
        wait = next[2] and math.max(1, next[2] + window - at) or window
    end
    local oldest = redis.call('ZRANGE', key, 0, 0, 'WITHSCORES')
    local reset = oldest[2] and oldest[2] + window - at or window
    found[#found + 1] = most - used
    found[#found + 1] = wait
    found[#found + 1] = reset
end
if fits == 1 then
    for place, key in ipairs(KEYS) do
        local members = {}
        for number = 1, cost do
            members[#members + 1] = at
            members[#members + 1] = id .. number
        end
        redis.call('ZADD', key, unpack(members))
        redis.call('PEXPIRE', key, ARGV[1 + 2 * place])
    end
end
table.insert(found, 1, fits)
return found
"""
_MOST_AT_ONCE: Final = 1000  # members that one script adds: Lua's stack holds some thousand values

REFUSED = Counter("dragoman_rate_limited_total", "What was refused because it came too often.", ["what"])
ALONE = Counter(
    "dragoman_rate_limits_alone_total", "What a process counted by itself because Valkey did not answer.", ["what"]
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Limit:
    """At most so many in any window.

    Attributes:
        what: is limited, e.g. `messages`: a part of the keys, the label of the metrics, the name in the headers.
        key: whose they are; those of each key are counted apart.
        most: from 1 on.
        per_s: the window, in seconds.
    """

    what: str
    key: str
    most: int
    per_s: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Allowance:
    """What is left. `wait_s` is 0 where this one may pass, else the time until it may; `reset_s` until more is left."""

    limit: int
    remaining: int
    wait_s: float
    what: str = ""
    per_s: float = 0.0
    reset_s: float = 0.0

    @property
    def is_granted(self) -> bool:
        return self.wait_s == 0


class RateLimits:
    """Counts by what and key."""

    def __init__(self, cache: Cache) -> None:
        self._cache = cache
        self._script = cache.client.register_script(_SCRIPT)
        self._alone = _Alone()
        self._leases: OrderedDict[tuple[Limit, ...], _Lease] = OrderedDict()

    async def take(self, *limits: Limit, cost: int = 1, is_told: bool = True) -> tuple[Allowance, ...]:
        """Count `cost` more under each limit where all of them have room for it, else under none.

        Returns:
            What is left of each, in their order; told to the client too (`told`), unless that would tell of others.
        """
        found = await self._taken(limits, cost)
        for limit, allowance in zip(limits, found, strict=True):
            if not allowance.is_granted:
                REFUSED.labels(limit.what).inc()
        if is_told:
            tell(found)
        return found

    async def take_leased(self, *limits: Limit) -> tuple[Allowance, ...]:
        """As `take` of one, from what this process has taken at once where it is asked often."""
        lease = self._leases.get(limits)
        if lease is None:
            lease = self._leases[limits] = _Lease()
            if len(self._leases) > _MOST_KEYS:
                self._leases.popitem(last=False)
        moment = time.monotonic()
        size = lease.next_size(moment, limits)
        if lease.left == 0 and size <= 1:
            return lease.note(await self.take(*limits), moment)
        async with lease.taking:
            if lease.is_empty(time.monotonic()):
                found = await self._taken(limits, size)
                if not all(each.is_granted for each in found):
                    return lease.note(await self.take(*limits), moment)
                lease.begin(found, size, time.monotonic())
            given = lease.give()
        tell(given)
        return given

    async def _taken(self, limits: Sequence[Limit], cost: int) -> tuple[Allowance, ...]:
        if self._cache.is_resting or cost > _MOST_AT_ONCE:
            return self._taken_alone(limits, cost)
        arguments: list[str | int] = [new_id().hex, cost]
        for limit in limits:
            arguments += (math.ceil(limit.per_s * 1000), limit.most)
        try:
            fits, *numbers = await self._script(
                keys=[f"dragoman:rate:{x.what}:{x.key}" for x in limits], args=arguments
            )
        except (RedisError, OSError) as error:
            self._cache.rest(error)
            return self._taken_alone(limits, cost)
        return tuple(
            _allowance(limit, bool(fits), cost, *map(float, numbers[3 * place : 3 * place + 3]))
            for place, limit in enumerate(limits)
        )

    def _taken_alone(self, limits: Sequence[Limit], cost: int) -> tuple[Allowance, ...]:
        for limit in limits:
            ALONE.labels(limit.what).inc()
        return self._alone.take(limits, cost)


class RateLimit:
    """One kind of limit, by key. `is_told`: clients may know what is left."""

    def __init__(self, cache: Cache, what: str, *, is_told: bool = True) -> None:
        self._limits, self._what, self._is_told = RateLimits(cache), what, is_told

    async def take(self, key: str, *, limit: int, per_s: float) -> Allowance:
        """Count one more under the key, if less than `limit` came within the last `per_s` seconds."""
        wanted = Limit(what=self._what, key=key, most=limit, per_s=per_s)
        (allowance,) = await self._limits.take(wanted, is_told=self._is_told)
        return allowance


def _allowance(
    limit: Limit, fits: bool, cost: int, left: float, wait_ms: float, reset_ms: float
) -> Allowance:  # of the script's numbers
    return Allowance(
        limit=limit.most,
        remaining=max(0, int(left) - (cost if fits else 0)),
        wait_s=max(0.001, wait_ms / 1000) if wait_ms else 0.0,
        what=limit.what,
        per_s=limit.per_s,
        reset_s=reset_ms / 1000,
    )


@dataclass(slots=True)
class _Lease:
    """What a process has taken beforehand, and how much it gave out in this second and the one before."""

    left: int = 0
    ends: float = 0.0
    told: tuple[Allowance, ...] = ()
    taking: asyncio.Lock = field(default_factory=asyncio.Lock)
    second: int = 0
    asked: int = 0
    asked_before: int = 0

    def next_size(self, moment: float, limits: Sequence[Limit]) -> int:
        """How much to take at once; 1 where it comes seldom, or where less than half of a limit is left."""
        if int(moment) != self.second:
            self.asked_before = self.asked if int(moment) == self.second + 1 else 0
            self.second, self.asked = int(moment), 0
        self.asked += 1
        if self.is_empty(moment):
            self.left = 0
        if any(2 * each.remaining < each.limit for each in self.told):
            return 1
        share = min(limit.most // _LEASE_SHARE for limit in limits)
        return max(1, min(self.asked_before, share, _MOST_AT_ONCE))

    def is_empty(self, moment: float) -> bool:
        return self.left == 0 or moment > self.ends

    def begin(self, found: tuple[Allowance, ...], size: int, moment: float) -> None:
        self.left, self.told, self.ends = size, found, moment + _LEASE_S

    def give(self) -> tuple[Allowance, ...]:
        self.left -= 1
        return self.told

    def note(self, found: tuple[Allowance, ...], moment: float) -> tuple[Allowance, ...]:
        self.told, self.ends = found, moment
        return found


class _Alone:
    """The counts of a process without Valkey."""

    def __init__(self) -> None:
        self._moments: OrderedDict[tuple[str, str], deque[float]] = OrderedDict()

    def take(self, limits: Sequence[Limit], cost: int) -> tuple[Allowance, ...]:
        at = time.monotonic()
        windows = [self._window(limit, at) for limit in limits]
        fits = all(len(window) + cost <= limit.most for limit, window in zip(limits, windows, strict=True))
        found = tuple(
            _allowance_alone(limit, window, cost, at, fits) for limit, window in zip(limits, windows, strict=True)
        )
        if fits:
            for window in windows:
                window.extend([at] * cost)
        return found

    def _window(self, limit: Limit, at: float) -> deque[float]:
        moments = self._moments.setdefault((limit.what, limit.key), deque())
        if len(self._moments) > _MOST_KEYS:
            self._moments.popitem(last=False)
        while moments and moments[0] <= at - limit.per_s:
            moments.popleft()
        return moments


def _allowance_alone(limit: Limit, window: deque[float], cost: int, at: float, fits: bool) -> Allowance:
    used = len(window)
    over = used + cost - limit.most
    wait_s = 0.0
    if over > 0:
        wait_s = max(0.001, window[over - 1] + limit.per_s - at) if over <= used else limit.per_s
    return Allowance(
        limit=limit.most,
        remaining=max(0, limit.most - used - (cost if fits else 0)),
        wait_s=wait_s,
        what=limit.what,
        per_s=limit.per_s,
        reset_s=window[0] + limit.per_s - at if window else limit.per_s,
    )


# ---- what the client is told

_told: ContextVar[list[Allowance] | None] = ContextVar("rate_limits_told", default=None)


def begin_telling() -> list[Allowance]:
    """A list for the request that is now served, to which all that is taken meanwhile is added."""
    told: list[Allowance] = []
    _told.set(told)
    return told


def tell(found: Sequence[Allowance]) -> None:
    """Have the client told what is left. Without effect where no request is served."""
    told = _told.get()
    if told is not None:
        told.extend(found)


def headers_of(told: Sequence[Allowance]) -> list[tuple[bytes, bytes]]:
    """The limits that bound a request, as its answer tells them.

    `RateLimit-Policy` and `RateLimit` are those of draft-ietf-httpapi-ratelimit-headers-10 (September 2025);
    `RateLimit-Limit`, `-Remaining` and `-Reset` (seconds) those of its versions up to 06, which most clients read, of
    the limit that is nearest.
    """
    newest = {each.what: each for each in told}
    nearest = nearest_of(told)
    policies = ", ".join(f'"{x.what}";q={x.limit};w={math.ceil(x.per_s)}' for x in newest.values())
    states = ", ".join(f'"{x.what}";r={x.remaining};t={_seconds(x)}' for x in newest.values())
    return [
        (b"ratelimit-policy", policies.encode()),
        (b"ratelimit", states.encode()),
        (b"ratelimit-limit", b"%d" % nearest.limit),
        (b"ratelimit-remaining", b"%d" % nearest.remaining),
        (b"ratelimit-reset", b"%d" % _seconds(nearest)),
    ]


def nearest_of(told: Sequence[Allowance]) -> Allowance:
    """The limit that refuses, or of which the smallest part is left."""
    return min(told, key=lambda each: (each.is_granted, each.remaining / each.limit))


def _seconds(allowance: Allowance) -> int:
    return math.ceil(allowance.wait_s or allowance.reset_s)


def openai_headers(told: Sequence[Allowance]) -> list[tuple[bytes, bytes]]:
    """The same as OpenAI's clients read it: https://platform.openai.com/docs/guides/rate-limits#rate-limits-in-headers."""
    nearest = nearest_of(told)
    minutes, seconds = divmod(_seconds(nearest), 60)
    return [
        (b"x-ratelimit-limit-requests", b"%d" % nearest.limit),
        (b"x-ratelimit-remaining-requests", b"%d" % nearest.remaining),
        (b"x-ratelimit-reset-requests", b"%dm%ds" % (minutes, seconds) if minutes else b"%ds" % seconds),
    ]
