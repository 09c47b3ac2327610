"""Collects records and writes them in batches, so that no request waits for its bookkeeping.

What a crash may lose: the records of the last second.
"""

from __future__ import annotations

import asyncio
from collections import defaultdict, deque
from collections.abc import Awaitable, Callable, Hashable, Sequence
from contextlib import suppress
from typing import Generic, TypeVar

import structlog
from prometheus_client import Counter
from sqlalchemy.exc import SQLAlchemyError

from dragoman.kit.errors import DragomanError

_log = structlog.get_logger(__name__)
Record = TypeVar("Record")
FLUSH_INTERVAL_S = 1.0
CAPACITY = 20_000

RECORDS_LOST = Counter("dragoman_buffered_records_lost_total", "Records that could not be written.", ["buffer"])


class Buffer(Generic[Record]):
    """A bounded buffer with a background task that writes what it holds every second, and all when it is closed."""

    def __init__(
        self,
        name: str,
        *,
        group_of: Callable[[Record], Hashable],
        write: Callable[[Sequence[Record]], Awaitable[None]],
        capacity: int = CAPACITY,
    ) -> None:
        """`write` gets records of one group at a time, in the order in which they came."""
        self._name = name
        self._group_of = group_of
        self._write = write
        self._capacity = capacity
        self._records: deque[Record] = deque()
        self._task: asyncio.Task[None] | None = None
        self._flushing = asyncio.Lock()

    def start(self) -> None:
        self._task = asyncio.create_task(self._flush_forever(), name=f"buffer-{self._name}")

    def add(self, record: Record) -> None:
        """Keep a record for the next flush; never blocks. A full buffer drops it and counts that."""
        if len(self._records) >= self._capacity:
            RECORDS_LOST.labels(self._name).inc()
            return
        self._records.append(record)

    async def flush(self) -> None:
        """Write what is there. Records stay in the buffer while the database is away."""
        async with self._flushing:
            groups: dict[Hashable, list[Record]] = defaultdict(list)
            while self._records:
                record = self._records.popleft()
                groups[self._group_of(record)].append(record)
            for records in groups.values():
                await self._write_group(records)

    async def close(self) -> None:
        if self._task is not None:
            async with self._flushing:  # never in the middle of a write: its records would be lost
                self._task.cancel()
            with suppress(asyncio.CancelledError):
                await self._task
        await self.flush()

    async def _write_group(self, records: list[Record]) -> None:
        try:
            await self._write(records)
        except DragomanError as error:
            _log.warning("buffer.flush_postponed", buffer=self._name, records=len(records), reason=str(error))
            self._records.extendleft(reversed(records))
        except SQLAlchemyError as error:
            RECORDS_LOST.labels(self._name).inc(len(records))
            _log.error("buffer.records_lost", buffer=self._name, records=len(records), reason=str(error))

    async def _flush_forever(self) -> None:
        while True:
            await asyncio.sleep(FLUSH_INTERVAL_S)
            await self.flush()
