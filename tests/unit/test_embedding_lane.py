"""The lane in which the texts of many calls become few computations."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Callable, Iterator, Sequence
from typing import Any

import numpy as np
import pytest
from tests.contract.conftest import wait_until

from dragoman.adapters.embedder._parts.lane import Lane
from dragoman.ports.embedder import Vectors


class _Engine:
    """Waits inside each computation until it is let go on; a text becomes its number."""

    def __init__(self) -> None:
        self.computations: list[list[str]] = []
        self.go_on = threading.Semaphore(0)

    def compute(self, texts: Sequence[str]) -> Iterator[tuple[Sequence[int], Vectors]]:
        self.computations.append(list(texts))
        assert self.go_on.acquire(timeout=10)
        if "broken" in texts:
            raise RuntimeError("broken")
        for place in reversed(range(len(texts))):
            yield [place], np.full((1, 2), float(texts[place]), dtype=np.float32)


@pytest.fixture
def engine() -> _Engine:
    return _Engine()


@pytest.fixture
def open_lane(engine: _Engine) -> Iterator[Callable[..., Lane]]:
    lanes: list[Lane] = []

    def build(**options: Any) -> Lane:
        options = {"threads": 1, "max_texts": 8, "max_characters": 100} | options
        lanes.append(Lane(engine.compute, name="test", **options))
        return lanes[-1]

    yield build
    for lane in lanes:
        lane.close()
    engine.go_on.release(1000)


async def _start(lane: Lane, *calls: Sequence[str]) -> list[asyncio.Task[Vectors]]:
    tasks = [asyncio.create_task(lane.embed(texts)) for texts in calls]
    await asyncio.sleep(0)
    return tasks


async def test_calls_that_wait_together_are_one_computation(engine: _Engine, open_lane: Callable[..., Lane]) -> None:
    lane = open_lane()
    first = await _start(lane, ["0"])
    await wait_until(lambda: len(engine.computations) == 1)
    others = await _start(lane, *([str(number)] for number in range(1, 6)))
    engine.go_on.release(2)
    assert [float((await task)[0, 0]) for task in first + others] == [0, 1, 2, 3, 4, 5]
    assert engine.computations == [["0"], ["1", "2", "3", "4", "5"]]


async def test_a_computation_has_no_more_texts_and_characters_than_set(
    engine: _Engine, open_lane: Callable[..., Lane]
) -> None:
    lane = open_lane(max_texts=3, max_characters=6)
    engine.go_on.release(10)
    texts = ["1", "2", "3", "4000", "500", "6000000000", "7"]
    vectors = await lane.embed(texts)
    assert vectors[:, 0].tolist() == [float(text) for text in texts]
    assert engine.computations == [["1", "2", "3"], ["4000"], ["500"], ["6000000000"], ["7"]]


async def test_what_waits_is_shared_among_the_free_threads(engine: _Engine, open_lane: Callable[..., Lane]) -> None:
    lane = open_lane(threads=2)
    [task] = await _start(lane, [str(number) for number in range(6)])
    await wait_until(lambda: len(engine.computations) == 2)
    engine.go_on.release(10)
    assert (await task)[:, 0].tolist() == [0, 1, 2, 3, 4, 5]
    assert sorted(map(len, engine.computations)) == [3, 3]


async def test_a_short_call_does_not_wait_for_a_long_one(engine: _Engine, open_lane: Callable[..., Lane]) -> None:
    lane = open_lane(max_texts=2)
    [long] = await _start(lane, [str(number) for number in range(20)])
    await wait_until(lambda: len(engine.computations) == 1)
    [short] = await _start(lane, ["99"])
    engine.go_on.release(3)
    assert float((await short)[0, 0]) == 99
    assert not long.done()
    engine.go_on.release(20)
    assert len(await long) == 20


async def test_of_a_cancelled_call_nothing_more_is_computed(engine: _Engine, open_lane: Callable[..., Lane]) -> None:
    lane = open_lane(max_texts=2)
    [long] = await _start(lane, [str(number) for number in range(20)])
    await wait_until(lambda: len(engine.computations) == 1)
    long.cancel()
    await asyncio.gather(long, return_exceptions=True)
    [other] = await _start(lane, ["99"])
    engine.go_on.release(10)
    assert float((await other)[0, 0]) == 99
    assert engine.computations == [["0", "1"], ["99"]]


async def test_an_error_reaches_the_calls_of_its_computation_only(
    engine: _Engine, open_lane: Callable[..., Lane]
) -> None:
    lane = open_lane(max_texts=1)
    tasks = await _start(lane, ["broken", "1", "2"], ["3"])
    engine.go_on.release(10)
    found = await asyncio.gather(*tasks, return_exceptions=True)
    assert isinstance(found[0], RuntimeError)
    assert isinstance(found[1], np.ndarray)
    assert engine.computations == [["broken"], ["3"]]


async def test_closing_cancels_what_waits(engine: _Engine, open_lane: Callable[..., Lane]) -> None:
    lane = open_lane()
    await _start(lane, ["1"])
    await wait_until(lambda: len(engine.computations) == 1)
    [waiting] = await _start(lane, ["2"])
    lane.close()
    with pytest.raises(asyncio.CancelledError):
        await waiting
