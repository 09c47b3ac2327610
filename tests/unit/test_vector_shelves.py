"""Texts on shelves by their vectors: nearest first, bounded, shared through Valkey, unreadable without the shelf's key."""

from __future__ import annotations

from collections.abc import AsyncIterator
from typing import Any
from uuid import uuid4

import numpy as np
import pytest

from dragoman.kit.cache import Cache, cache_key
from dragoman.kit.vector_shelves import VectorShelves


@pytest.fixture
async def cache(cache_url: str) -> AsyncIterator[Cache]:
    shared = Cache(cache_url)
    yield shared
    await shared.close()


def shelves(cache: Cache, **values: Any) -> VectorShelves:
    return VectorShelves(cache, "test_shelves", **{"max_bytes": 1 << 20, "expires_after_s": 60, **values})


def key() -> bytes:
    return cache_key("shelf", uuid4().bytes)


def vector(*values: float) -> Any:
    return np.array([*values, 0.0, 0.0], dtype=np.float32)


async def texts(own: VectorShelves, *keys: bytes, at_least: float = 0.0, limit: int = 9) -> list[str]:
    return [near.text for near in await own.nearest(list(keys), vector(1, 0), at_least=at_least, limit=limit)]


async def test_the_nearest_come_first_and_what_is_too_far_not_at_all(cache: Cache) -> None:
    own, shelf = shelves(cache), key()
    await own.put(shelf, "far", vector(0, 1))
    await own.put(shelf, "near", vector(2, 1))
    await own.put(shelf, "same", vector(3, 0))
    assert await texts(own, shelf, at_least=0.5) == ["same", "near"]
    assert await texts(own, shelf, at_least=0.5, limit=1) == ["same"]
    assert await texts(own, key()) == []


async def test_another_process_reads_what_this_one_has_put_there(cache: Cache) -> None:
    shelf = key()
    await shelves(cache).put(shelf, "How?", vector(1, 0))
    other = shelves(cache)
    assert await texts(other, key(), shelf) == ["How?"]
    assert await texts(shelves(cache, made_with="another release"), shelf) == []


async def test_valkey_holds_no_text_that_can_be_read(cache: Cache) -> None:
    shelf = key()
    await shelves(cache).put(shelf, "the secret question", vector(1, 0))
    names = [name async for name in cache.client.scan_iter("dragoman:test_shelves:*")]
    held = [await cache.client.xrange(name) for name in names]
    assert held
    assert b"secret" not in repr(held).encode()
    assert shelf.hex() not in repr(names)
    assert all([0 < await cache.client.ttl(name) <= 60 for name in names])


async def test_a_text_is_there_once_and_can_be_taken_off(cache: Cache) -> None:
    own, shelf = shelves(cache), key()
    for _ in range(2):
        await own.put(shelf, "How?", vector(1, 0))
    await own.put(shelf, "Why?", vector(1, 1))
    near = await own.nearest([shelf], vector(1, 0), at_least=0.0, limit=9)
    assert [each.text for each in near] == ["How?", "Why?"]
    own.drop(near[0])
    own.drop(near[0])
    assert await texts(own, shelf) == ["Why?"]


async def test_a_shelf_keeps_its_newest_and_memory_is_bounded(cache: Cache) -> None:
    own, shelf = shelves(cache, max_texts=8, max_bytes=8_000), key()
    for number in range(20):
        await own.put(shelf, str(number), vector(1, number))
    kept = await texts(own, shelf, limit=99)
    assert len(kept) <= 8
    assert "19" in kept
    assert "0" not in kept
    for _ in range(20):
        another = key()
        for number in range(4):
            await own.put(another, str(number), vector(1, number))
    assert len(own._shelves) < 20
    assert await texts(own, another, limit=1) == ["0"]


async def test_without_valkey_a_process_has_what_it_has_put_there() -> None:
    away = Cache("redis://127.0.0.1:1/0")
    own, shelf = shelves(away), key()
    await own.put(shelf, "How?", vector(1, 0))
    assert await texts(own, shelf) == ["How?"]
    assert await texts(shelves(away), shelf) == []
    await away.close()


async def test_a_vector_of_another_length_is_not_taken(cache: Cache) -> None:
    own, shelf = shelves(cache), key()
    await own.put(shelf, "How?", vector(1, 0))
    await own.put(shelf, "Longer?", np.ones(9, dtype=np.float32))
    assert await texts(own, shelf) == ["How?"]
