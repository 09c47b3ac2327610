"""A sliding window: as many as the limit in any window, whoever counts."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator

import pytest

from dragoman.kit.cache import Cache
from dragoman.kit.clock import new_id
from dragoman.kit.rate_limit import RateLimit


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
