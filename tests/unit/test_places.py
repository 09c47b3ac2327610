"""Places that are held at the same time: over all processes, and not longer than their holder lives."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator

import pytest

from dragoman.kit import places as places_module
from dragoman.kit.cache import Cache
from dragoman.kit.clock import new_id
from dragoman.kit.places import Place, Places
from dragoman.kit.rate_limit import Limit


def _limit(key: str, most: int) -> Limit:
    return Limit(what="streams", key=key, most=most, per_s=0)


@pytest.fixture
async def caches(cache_url: str) -> AsyncIterator[list[Cache]]:
    made = [Cache(cache_url) for _ in range(2)]
    yield made
    for cache in made:
        await cache.close()


async def test_all_processes_hold_the_same_places(caches: list[Cache]) -> None:
    one, other = (Places(cache) for cache in caches)
    limit = _limit(new_id().hex, 2)
    first, second = await one.take([limit]), await other.take([limit])
    assert isinstance(first, Place)
    assert isinstance(second, Place)
    assert await one.take([limit]) is limit
    await one.give_back(first)
    assert isinstance(await other.take([limit]), Place)
    await one.close()
    await other.close()


async def test_the_first_full_limit_is_told_and_nothing_is_held(caches: list[Cache]) -> None:
    places = Places(caches[0])
    own, tenant = _limit(new_id().hex, 5), _limit(new_id().hex, 1)
    held = await places.take([own, tenant])
    assert isinstance(held, Place)
    assert await places.take([own, tenant]) is tenant
    assert await caches[0].client.zcard(held.keys[0]) == 1
    await places.close()


async def test_places_of_a_process_that_died_are_free_after_a_while(
    caches: list[Cache], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(places_module, "HELD_S", 0.05)
    died, other = (Places(cache) for cache in caches)
    limit = _limit(new_id().hex, 1)
    await died.take([limit])
    await died.close()  # nothing is given back, and nobody says any more that it is held
    for _ in range(100):
        if isinstance(await other.take([limit]), Place):
            break
        await asyncio.sleep(0.01)
    else:
        pytest.fail("the place is still held")
    await other.close()


async def test_a_living_process_keeps_its_places(caches: list[Cache], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(places_module, "HELD_S", 2.0)
    monkeypatch.setattr(places_module, "_RENEW_S", 0.01)
    places = Places(caches[0])
    limit = _limit(new_id().hex, 1)
    held = await places.take([limit])
    assert isinstance(held, Place)
    ends = await caches[0].client.zscore(held.keys[0], held.id)
    for _ in range(200):
        renewed = await caches[0].client.zscore(held.keys[0], held.id)
        if renewed > ends:
            break
    assert renewed > ends
    await places.close()


async def test_without_valkey_each_process_counts_its_own() -> None:
    cache = Cache("redis://127.0.0.1:1/0")
    places, limit = Places(cache), _limit(new_id().hex, 1)
    held = await places.take([limit])
    assert isinstance(held, Place)
    assert await places.take([limit]) is limit
    await places.give_back(held)
    assert isinstance(await places.take([limit]), Place)
    await places.close()
    await cache.close()
