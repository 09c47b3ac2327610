"""A sliding window: as many as the limit in any window, whoever counts."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from dataclasses import replace
from typing import Any

import pytest

from dragoman.kit.cache import Cache
from dragoman.kit.clock import new_id
from dragoman.kit.rate_limit import ALONE, Allowance, Limit, RateLimit, RateLimits, headers_of, openai_headers


@pytest.fixture(params=["valkey", "alone"])
async def rate(request: pytest.FixtureRequest, cache_url: str) -> AsyncIterator[RateLimit]:
    cache = Cache(cache_url if request.param == "valkey" else "redis://127.0.0.1:1/0")
    yield RateLimit(cache, f"test-{new_id()}")
    await cache.close()


async def test_so_many_pass_and_the_next_is_told_when(rate: RateLimit) -> None:
    allowed = [await rate.take("ann", limit=3, per_s=60) for _ in range(3)]
    assert [one.remaining for one in allowed] == [2, 1, 0]
    refused = await rate.take("ann", limit=3, per_s=60)
    assert not refused.is_granted
    assert 50 < refused.wait_s <= 60


async def test_keys_count_apart(rate: RateLimit) -> None:
    assert (await rate.take("ann", limit=1, per_s=60)).is_granted
    assert (await rate.take("bob", limit=1, per_s=60)).is_granted
    assert not (await rate.take("ann", limit=1, per_s=60)).is_granted


async def test_a_place_becomes_free_when_the_oldest_has_left_the_window(rate: RateLimit) -> None:
    await rate.take("ann", limit=1, per_s=0.2)
    refused = await rate.take("ann", limit=1, per_s=0.2)
    assert not refused.is_granted
    await asyncio.sleep(refused.wait_s + 0.05)
    assert (await rate.take("ann", limit=1, per_s=0.2)).is_granted


async def test_of_many_at_once_no_more_pass_than_may(rate: RateLimit) -> None:
    found = await asyncio.gather(*(rate.take("ann", limit=7, per_s=60) for _ in range(50)))
    assert sum(one.is_granted for one in found) == 7


async def test_what_is_refused_does_not_count(rate: RateLimit) -> None:
    for _ in range(5):
        await rate.take("ann", limit=1, per_s=60)
    assert (await rate.take("ann", limit=2, per_s=60)).is_granted


async def test_all_processes_count_together(cache_url: str) -> None:
    what = f"test-{new_id()}"
    caches = [Cache(cache_url) for _ in range(2)]
    found = [await RateLimit(cache, what).take("ann", limit=1, per_s=60) for cache in caches]
    assert [one.is_granted for one in found] == [True, False]
    for cache in caches:
        await cache.close()


# ---- several limits at once


def _limit(what: str, most: int, per_s: float = 60.0, key: str = "ann") -> Limit:
    return Limit(what=what, key=key, most=most, per_s=per_s)


@pytest.fixture(params=["valkey", "alone"])
async def limits(request: pytest.FixtureRequest, cache_url: str) -> AsyncIterator[RateLimits]:
    cache = Cache(cache_url if request.param == "valkey" else "redis://127.0.0.1:1/0")
    yield RateLimits(cache)
    await cache.close()


async def test_what_one_limit_refuses_is_counted_under_none(limits: RateLimits) -> None:
    own, shared = _limit(f"own-{new_id()}", 5), _limit(f"shared-{new_id()}", 2)
    for _ in range(2):
        assert all(one.is_granted for one in await limits.take(own, shared))
    refused_own, refused_shared = await limits.take(own, shared)
    assert (refused_own.is_granted, refused_own.remaining) == (True, 3)
    assert (refused_shared.is_granted, refused_shared.remaining) == (False, 0)
    (after,) = await limits.take(own)
    assert after.remaining == 2, "the refused one took nothing from `own`"


async def test_several_are_counted_at_once_or_not_at_all(limits: RateLimits) -> None:
    limit = _limit(f"test-{new_id()}", 10)
    assert (await limits.take(limit, cost=8))[0].remaining == 2
    refused = (await limits.take(limit, cost=3))[0]
    assert (refused.is_granted, refused.remaining) == (False, 2)
    assert (await limits.take(limit, cost=2))[0].remaining == 0
    assert (await limits.take(limit, cost=11))[0].wait_s > 0, "more than the limit never passes"


async def test_the_wait_is_until_so_many_have_left_the_window(limits: RateLimits) -> None:
    limit = _limit(f"test-{new_id()}", 2, per_s=0.4)
    await limits.take(limit)
    await asyncio.sleep(0.2)
    await limits.take(limit)
    one, both = (await limits.take(limit))[0].wait_s, (await limits.take(limit, cost=2))[0].wait_s
    assert 0 < one < both <= 0.4


async def test_of_many_leased_at_once_exactly_the_limit_passes(limits: RateLimits) -> None:
    limit = _limit(f"test-{new_id()}", 200)
    found = [await limits.take_leased(limit) for _ in range(40)]
    found += await asyncio.gather(*(limits.take_leased(limit) for _ in range(400)))
    assert sum(one[0].is_granted for one in found) == 200


async def test_a_process_that_is_asked_often_asks_valkey_seldom(
    cache_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    cache = Cache(cache_url)
    limits = RateLimits(cache)
    limit = _limit(f"test-{new_id()}", 1_000_000)
    seconds = iter(range(1000, 2000))
    second = next(seconds)
    monkeypatch.setattr("dragoman.kit.rate_limit.time.monotonic", lambda: second + 0.5)
    asked = 0
    script = limits._script

    async def counted(*args: Any, **kwargs: Any) -> Any:
        nonlocal asked
        asked += 1
        return await script(*args, **kwargs)

    monkeypatch.setattr(limits, "_script", counted)
    for _ in range(100):
        assert (await limits.take_leased(limit))[0].is_granted
    second, asked_at_first = next(seconds), asked
    for _ in range(100):
        assert (await limits.take_leased(limit))[0].is_granted
    assert (asked_at_first, asked - asked_at_first) == (100, 1)
    await cache.close()


async def test_what_is_counted_alone_is_told_in_the_metrics() -> None:
    cache = Cache("redis://127.0.0.1:1/0")
    what = f"test-{new_id()}"
    await RateLimits(cache).take(_limit(what, 3))
    assert ALONE.labels(what)._value.get() == 1
    await cache.close()


async def test_clients_are_told_all_limits_and_the_nearest_of_them() -> None:
    told = [
        Allowance(what="messages", limit=30, remaining=3, wait_s=0.0, per_s=60.0, reset_s=41.2),
        Allowance(what="messages-tenant", limit=100, remaining=90, wait_s=0.0, per_s=60.0, reset_s=59.0),
    ]
    assert dict(headers_of(told)) == {
        b"ratelimit-policy": b'"messages";q=30;w=60, "messages-tenant";q=100;w=60',
        b"ratelimit": b'"messages";r=3;t=42, "messages-tenant";r=90;t=59',
        b"ratelimit-limit": b"30",
        b"ratelimit-remaining": b"3",
        b"ratelimit-reset": b"42",
    }
    assert dict(openai_headers(told[1:]))[b"x-ratelimit-reset-requests"] == b"59s"
    refused = replace(told[1], remaining=90, wait_s=75.0)
    assert dict(openai_headers([told[0], refused]))[b"x-ratelimit-reset-requests"] == b"1m15s"
