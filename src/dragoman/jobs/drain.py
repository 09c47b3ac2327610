"""A worker's slots: each runs one job (or batch) after the other until none waits, then listens for a wake-up.

Beside the general slots stand express slots, which run only jobs of people who wait (USER): an upload never stands
behind long bulk jobs. Without a broker nothing is lost: an idle slot looks for jobs every second by itself.
"""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from contextlib import suppress

import structlog

from dragoman.jobs import service
from dragoman.jobs.entities import JobKind, Priority
from dragoman.jobs.live import SignalBoard
from dragoman.kit.database import Database
from dragoman.kit.errors import DragomanError

_log = structlog.get_logger(__name__)

POLL_S = 1.0
_HOLD_S = 2.0  # how long a busy worker keeps a message, so that an idle one gets the next


class Drain:
    """The slots of one worker process. `wake` and `stop` must be called on the event loop that `run` runs on."""

    def __init__(
        self,
        database: Database,
        kinds: Mapping[str, JobKind],
        *,
        slots: int,
        express_slots: int,
        board: SignalBoard | None = None,
    ) -> None:
        self._database, self._kinds, self._board = database, kinds, board
        self._limits = [Priority.BULK] * slots + [Priority.USER] * express_slots
        self._idle: dict[int, asyncio.Event] = {}
        self._became_idle = asyncio.Event()
        self._is_stopping = asyncio.Event()

    async def run(self) -> None:
        """Run jobs until `stop`; those that run then are brought to their end."""
        async with asyncio.TaskGroup() as slots:
            for number, limit in enumerate(self._limits):
                slots.create_task(self._work(number, limit), name=f"slot-{number}")

    async def wake(self, priority: int) -> None:
        """A job of this priority waits somewhere: let the idle slots look. While all are busy, wait for one a moment."""
        with suppress(TimeoutError):
            async with asyncio.timeout(_HOLD_S):
                while not self._ring(priority) and not self._is_stopping.is_set():
                    self._became_idle.clear()
                    await self._became_idle.wait()

    def stop(self) -> None:
        self._is_stopping.set()
        self._became_idle.set()
        for bell in self._idle.values():
            bell.set()

    def _ring(self, priority: int) -> bool:
        bells = [bell for number, bell in self._idle.items() if priority <= self._limits[number]]
        for bell in bells:
            bell.set()
        return bool(bells)

    async def _work(self, number: int, limit: Priority) -> None:
        while not self._is_stopping.is_set():
            if not await self._run_next(limit):
                await self._wait(number)

    async def _run_next(self, limit: Priority) -> int:
        try:
            return await service.execute_next(self._database, self._kinds, max_priority=limit, board=self._board)
        except DragomanError as error:
            _log.warning("worker.slot_failed", reason=str(error))
        except Exception:  # noqa: BLE001 - the job is left to the reaper; the slot must live on
            _log.exception("worker.slot_failed")
        return 0

    async def _wait(self, number: int) -> None:
        bell = self._idle[number] = asyncio.Event()
        self._became_idle.set()
        if not self._is_stopping.is_set():
            with suppress(TimeoutError):
                await asyncio.wait_for(bell.wait(), POLL_S)
        del self._idle[number]
