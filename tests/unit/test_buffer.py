"""The buffer between requests and their bookkeeping: nothing is lost while the database is away, nothing grows for ever."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from typing import Any

import pytest
from sqlalchemy.exc import IntegrityError

from dragoman.kit import buffer
from dragoman.kit.buffer import RECORDS_LOST, Buffer
from dragoman.kit.database import DatabaseUnavailableError


class _Store:
    """Takes batches, or fails as it is told."""

    def __init__(self) -> None:
        self.batches: list[list[str]] = []
        self.failing: Exception | None = None

    async def write(self, records: Sequence[str]) -> None:
        await asyncio.sleep(0)
        if self.failing is not None:
            raise self.failing
        self.batches.append(list(records))

    def buffer(self, **options: Any) -> Buffer[str]:
        return Buffer("test", group_of=lambda record: record[0], write=self.write, **options)


@pytest.fixture
def store() -> _Store:
    return _Store()


def _lost() -> float:
    return float(RECORDS_LOST.labels("test")._value.get())


async def test_records_are_written_by_group_in_their_order(store: _Store) -> None:
    held = store.buffer()
    for record in ("a1", "b1", "a2", "b2", "a3"):
        held.add(record)
    await held.flush()
    assert store.batches == [["a1", "a2", "a3"], ["b1", "b2"]]
    await held.flush()
    assert len(store.batches) == 2


async def test_records_wait_in_their_order_while_the_database_is_away(store: _Store) -> None:
    held = store.buffer()
    held.add("a1")
    held.add("a2")
    store.failing = DatabaseUnavailableError()
    await held.flush()
    held.add("a3")
    store.failing = None
    await held.flush()
    assert store.batches == [["a1", "a2", "a3"]]


async def test_records_that_the_database_refuses_are_dropped_and_counted(store: _Store) -> None:
    held, before = store.buffer(), _lost()
    held.add("a1")
    store.failing = IntegrityError("insert", {}, Exception("no such chatbot"))
    await held.flush()
    store.failing = None
    held.add("a2")
    await held.flush()
    assert store.batches == [["a2"]]
    assert _lost() == before + 1


async def test_a_full_buffer_drops_what_comes_and_counts_it(store: _Store) -> None:
    held, before = store.buffer(capacity=2), _lost()
    for record in ("a1", "a2", "a3"):
        held.add(record)
    await held.flush()
    assert store.batches == [["a1", "a2"]]
    assert _lost() == before + 1


async def test_what_is_there_is_written_within_the_interval_and_on_closing(
    store: _Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(buffer, "FLUSH_INTERVAL_S", 0.01)
    held = store.buffer()
    held.start()
    held.add("a1")
    async with asyncio.timeout(5):
        while not store.batches:
            await asyncio.sleep(0.01)
    held.add("a2")
    await held.close()
    assert store.batches == [["a1"], ["a2"]]


async def test_two_flushes_at_once_write_each_record_once_and_end_when_all_is_written(store: _Store) -> None:
    held = store.buffer()
    for number in range(5):
        held.add(f"a{number}")
    await asyncio.gather(held.flush(), held.flush())
    assert sum(map(len, store.batches)) == 5


async def test_closing_in_the_middle_of_a_write_loses_nothing(store: _Store, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(buffer, "FLUSH_INTERVAL_S", 0.0)
    begun, may_end = asyncio.Event(), asyncio.Event()

    async def write(records: Sequence[str]) -> None:
        begun.set()
        await may_end.wait()
        await store.write(records)

    held = Buffer("test", group_of=lambda record: record[0], write=write)
    held.add("a1")
    held.start()
    await begun.wait()
    closing = asyncio.create_task(held.close())
    await asyncio.sleep(0)
    may_end.set()
    await closing
    assert store.batches == [["a1"]]
