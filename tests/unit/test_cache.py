"""The caches of a process and of Valkey: bounds, layers, one computation for all who ask, and what Valkey may know."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from uuid import UUID, uuid4

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from prometheus_client import REGISTRY

from dragoman.inference.question_cache import QuestionCache, normalised
from dragoman.kit.cache import Cache, LayeredCache, ProcessCache, SingleFlight, cache_key
from dragoman.kit.errors import UnavailableError
from dragoman.ports.embedder import Vectors

NOWHERE = "redis://127.0.0.1:1/0"
TENANT = UUID("019a0000-0000-7000-8000-000000000001")


@pytest.fixture
async def shared(cache_url: str) -> AsyncIterator[Cache]:
    cache = Cache(cache_url)
    yield cache
    await cache.close()


@pytest.fixture
def area() -> str:
    """An area of this test's own: all share one Valkey."""
    return f"test_{uuid4().hex}"


def layered(shared: Cache, area: str, *, max_bytes: int = 100_000, expires_after_s: int = 60) -> LayeredCache:
    return LayeredCache(shared, area, max_bytes=max_bytes, expires_after_s=expires_after_s)


class Maker:
    """Makes `value`, when it is let; counts how often."""

    def __init__(self, value: bytes = b"made", *, error: Exception | None = None, may_be_kept: bool = True) -> None:
        self.value, self.error, self.may_be_kept, self.calls = value, error, may_be_kept, 0
        self.may_end = asyncio.Event()

    async def __call__(self) -> tuple[bytes, bool]:
        self.calls += 1
        await self.may_end.wait()
        if self.error is not None:
            raise self.error
        return self.value, self.may_be_kept


async def soon() -> None:
    for _ in range(5):
        await asyncio.sleep(0)


def reads(area: str, layer: str, result: str) -> float:
    labels = {"area": area, "layer": layer, "result": result}
    return REGISTRY.get_sample_value("dragoman_cache_reads_total", labels) or 0.0


# --- the process's memory --------------------------------------------------------------------------------------------


def test_when_memory_is_full_what_was_not_read_for_longest_goes_first(area: str) -> None:
    cache = ProcessCache(area, max_bytes=3 * 1400, expires_after_s=60)
    for name in (b"a", b"b", b"c"):
        cache.put(name, bytes(1000))
    assert cache.find(b"a") is not None
    cache.put(b"d", bytes(1000))
    assert cache.find(b"b") is None
    assert [cache.find(name) is not None for name in (b"a", b"c", b"d")] == [True, True, True]


@given(st.lists(st.tuples(st.integers(0, 9), st.integers(0, 3000)), max_size=60))
def test_memory_never_holds_more_than_its_bound(puts: list[tuple[int, int]]) -> None:
    cache = ProcessCache("test_bound", max_bytes=5000, expires_after_s=60)
    for number, length in puts:
        cache.put(bytes([number]), bytes(length))
        assert sum(len(value) for _, value, _ in cache._entries.values()) <= 5000
    assert cache._bytes == sum(len(key) + len(value) + 350 for key, (_, value, _) in cache._entries.items())


def test_a_value_larger_than_the_memory_is_not_kept_and_drives_nothing_out(area: str) -> None:
    cache = ProcessCache(area, max_bytes=2000, expires_after_s=60)
    cache.put(b"small", b"x")
    cache.put(b"large", bytes(4000))
    assert cache.find(b"large") is None
    assert cache.find(b"small") == b"x"


def test_a_value_expires(area: str, monkeypatch: pytest.MonkeyPatch) -> None:
    clock = 100.0
    monkeypatch.setattr("dragoman.kit.cache.time.monotonic", lambda: clock)
    cache = ProcessCache(area, max_bytes=2000, expires_after_s=60)
    cache.put(b"a", b"x")
    clock += 59
    assert cache.find(b"a") == b"x"
    clock += 2
    assert cache.find(b"a") is None


# --- one computation for all -----------------------------------------------------------------------------------------


async def test_two_hundred_who_ask_at_once_cause_one_computation(shared: Cache, area: str) -> None:
    cache, make = layered(shared, area), Maker()
    asking = [asyncio.create_task(cache.get(b"k" * 32, make)) for _ in range(200)]
    await soon()
    make.may_end.set()
    assert {value for value, _ in await asyncio.gather(*asking)} == {b"made"}
    assert make.calls == 1
    assert await cache.get(b"k" * 32, make) == (b"made", True)
    assert make.calls == 1


async def test_the_first_who_asked_may_leave_and_the_others_get_the_value(shared: Cache, area: str) -> None:
    cache, make = layered(shared, area), Maker()
    first = asyncio.create_task(cache.get(b"k" * 32, make))
    await asyncio.sleep(0.05)
    others = [asyncio.create_task(cache.get(b"k" * 32, make)) for _ in range(3)]
    await soon()
    first.cancel()
    await soon()
    make.may_end.set()
    assert [value for value, _ in await asyncio.gather(*others)] == [b"made"] * 3
    assert first.cancelled()
    assert make.calls == 1


async def test_when_all_have_left_the_work_is_stopped_and_the_next_one_begins_anew() -> None:
    flights: SingleFlight[tuple[bytes, bool]] = SingleFlight()
    left, make = Maker(), Maker(b"second")
    asking = [asyncio.create_task(flights.run(b"k", left)) for _ in range(2)]
    await soon()
    for task in asking:
        task.cancel()
    await soon()
    make.may_end.set()
    assert await flights.run(b"k", make) == (b"second", True)
    await asyncio.gather(*asking, return_exceptions=True)
    assert all(task.cancelled() for task in asking)
    assert not flights.is_running(b"k")


async def test_an_error_goes_to_all_who_wait_and_is_not_remembered(shared: Cache, area: str) -> None:
    cache, failing = layered(shared, area), Maker(error=UnavailableError("away"))
    asking = [asyncio.create_task(cache.get(b"k" * 32, failing)) for _ in range(5)]
    await asyncio.sleep(0.05)
    failing.may_end.set()
    outcomes = await asyncio.gather(*asking, return_exceptions=True)
    assert [type(outcome) for outcome in outcomes] == [UnavailableError] * 5
    assert failing.calls == 1
    make = Maker()
    make.may_end.set()
    assert await cache.get(b"k" * 32, make) == (b"made", False)


# --- Valkey ----------------------------------------------------------------------------------------------------------


async def test_another_process_finds_the_value_in_valkey(shared: Cache, area: str) -> None:
    make, never = Maker(), Maker()
    make.may_end.set()
    assert await layered(shared, area).get(b"k" * 32, make) == (b"made", False)
    assert await layered(shared, area).get(b"k" * 32, never) == (b"made", True)
    assert never.calls == 0
    assert reads(area, "process", "miss") == 2
    assert (reads(area, "valkey", "miss"), reads(area, "valkey", "hit")) == (1, 1)


async def test_valkey_can_read_neither_key_nor_value_and_forgets_them_in_time(shared: Cache, area: str) -> None:
    make = Maker(b"the vault opens with quokka")
    make.may_end.set()
    await layered(shared, area).get(cache_key("quokka"), make)
    [name] = await shared.client.keys(f"dragoman:{area}:*")
    held = await shared.client.get(name)
    assert b"quokka" not in held
    assert cache_key("quokka").hex().encode() not in name
    assert 0 < await shared.client.ttl(name) <= 60


async def test_what_somebody_else_wrote_into_valkey_is_not_believed(shared: Cache, area: str) -> None:
    make = Maker()
    make.may_end.set()
    await layered(shared, area).get(b"k" * 32, make)
    [name] = await shared.client.keys(f"dragoman:{area}:*")
    for forged in (b"", b"short", bytes(100)):
        await shared.client.set(name, forged)
        assert await layered(shared, area).get(b"k" * 32, make) == (b"made", False)


async def test_a_value_that_may_not_be_kept_is_given_and_forgotten(shared: Cache, area: str) -> None:
    cache, make = layered(shared, area), Maker(may_be_kept=False)
    make.may_end.set()
    for _ in range(2):
        assert await cache.get(b"k" * 32, make) == (b"made", False)
    assert make.calls == 2


async def test_processes_with_other_settings_share_no_values(shared: Cache, area: str) -> None:
    make = Maker()
    make.may_end.set()
    for settings in ("k1=1.2", "k1=0.9"):
        cache = LayeredCache(shared, area, max_bytes=10_000, expires_after_s=60, made_with=settings)
        assert await cache.get(b"k" * 32, make) == (b"made", False)


async def test_without_valkey_values_are_computed_and_kept_in_the_process(area: str) -> None:
    shared = Cache(NOWHERE)
    cache, make = layered(shared, area), Maker()
    make.may_end.set()
    assert await cache.get(b"k" * 32, make) == (b"made", False)
    assert await cache.get(b"k" * 32, make) == (b"made", True)
    await shared.close()


async def test_a_valkey_that_failed_is_left_alone_for_a_while(area: str, monkeypatch: pytest.MonkeyPatch) -> None:
    clock = 100.0
    monkeypatch.setattr("dragoman.kit.cache.time.monotonic", lambda: clock)
    shared = Cache(NOWHERE)
    failures = REGISTRY.get_sample_value("dragoman_cache_errors_total") or 0.0
    for _ in range(3):
        assert await shared.find(area, "key") is None
        await shared.put(area, "key", b"value")
    assert REGISTRY.get_sample_value("dragoman_cache_errors_total") == failures + 1
    clock += 3
    await shared.find(area, "key")
    assert REGISTRY.get_sample_value("dragoman_cache_errors_total") == failures + 2
    await shared.close()


# --- keys ------------------------------------------------------------------------------------------------------------


def test_keys_tell_parts_apart_whatever_they_hold() -> None:
    assert len({cache_key("ab", "c"), cache_key("a", "bc"), cache_key("abc"), cache_key("abc", "")}) == 4
    assert cache_key("\ud800") != cache_key("\ud801")


# --- questions -------------------------------------------------------------------------------------------------------


class Model:
    """Embeds each text as its own vector; counts the calls and keeps what it was given."""

    def __init__(self) -> None:
        self.texts: list[str] = []

    async def __call__(self, text: str) -> Vectors:
        self.texts.append(text)
        await asyncio.sleep(0.01)
        vector = np.random.default_rng(len(text)).normal(size=384).astype(np.float32)
        return vector / np.linalg.norm(vector)


async def test_a_question_asked_again_needs_no_model(shared: Cache) -> None:
    questions, model, version = QuestionCache(shared), Model(), uuid4().hex
    first = await questions.get(TENANT, version, "Wie  hoch ist der Rabatt?\n", model)
    again = await questions.get(TENANT, version, "Wie hoch ist der Rabatt?", model)
    elsewhere = await QuestionCache(shared).get(TENANT, version, " Wie hoch ist der Rabatt?", model)
    assert model.texts == ["Wie hoch ist der Rabatt?"]
    assert first.dtype == np.float32
    assert first.shape == (384,)
    assert np.array_equal(first, again)
    assert np.array_equal(first, elsewhere)
    exact = await Model()("Wie hoch ist der Rabatt?")
    assert float(first @ exact) == pytest.approx(1.0, abs=1e-4)


async def test_two_hundred_identical_questions_make_one_call_of_the_model(shared: Cache) -> None:
    questions, model, version = QuestionCache(shared), Model(), uuid4().hex
    vectors = await asyncio.gather(*(questions.get(TENANT, version, "What is new?", model) for _ in range(200)))
    assert model.texts == ["What is new?"]
    assert all(np.array_equal(vector, vectors[0]) for vector in vectors)


async def test_another_tenant_another_version_and_another_case_are_other_questions(shared: Cache) -> None:
    questions, model, version = QuestionCache(shared), Model(), uuid4().hex
    await questions.get(TENANT, version, "us prices", model)
    await questions.get(uuid4(), version, "us prices", model)
    await questions.get(TENANT, f"{version}-2", "us prices", model)
    await questions.get(TENANT, version, "US prices", model)
    assert len(model.texts) == 4


def test_composed_and_decomposed_letters_are_one_question() -> None:
    assert normalised("Ko\u0308ln  ") == normalised("K\u00f6ln")


def test_values_of_any_kind_are_bounded_by_the_size_that_is_told() -> None:
    cache: ProcessCache[tuple[str, int], list[str]] = ProcessCache(
        "test_any", max_bytes=3 * 1350, expires_after_s=60, size_of=lambda _, words: 1000 * len(words)
    )
    for number in range(5):
        cache.put(("chatbot", number), ["word"])
    assert [number for number in range(5) if cache.find(("chatbot", number))] == [2, 3, 4]
    cache.put(("chatbot", 5), ["word"] * 5)
    assert cache.find(("chatbot", 5)) is None
    assert cache.find(("chatbot", 4)) == ["word"]
