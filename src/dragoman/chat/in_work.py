"""Answers that this process is writing, by whose they are: an erasure stops them, and nothing of them is stored."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any
from uuid import UUID

from dragoman.chat.errors import AnswerStoppedError
from dragoman.kit.cache import cache_key

_ENDING_S = 5.0  # how long an answer that is stopped may take to end


@dataclass(slots=True, eq=False)
class AnswerInWork:
    """An answer from its begin to its end.

    Attributes:
        task: that writes it; a stream may begin in one and go on in another.
        storing: what stores it, once that has begun: it goes on although `task` is cancelled.
        is_erased: its asker is being erased: whatever was said is not stored.
    """

    tenant_id: UUID
    asker: str
    answer_id: UUID
    task: asyncio.Task[Any] | None
    storing: asyncio.Task[Any] | None = None
    is_erased: bool = False
    over: asyncio.Event = field(default_factory=asyncio.Event)

    def require_wanted(self) -> None:
        """Raises AnswerStoppedError: the asker is being erased, and the cancellation was lost on its way."""
        if self.is_erased:
            raise AnswerStoppedError

    def tell_why_cancelled(self) -> None:
        """Raises AnswerStoppedError where the erasure alone has cancelled the task, which goes on then."""
        if self.is_erased and (self.task is None or self.task.uncancel() == 0):
            raise AnswerStoppedError


_in_work: set[AnswerInWork] = set()


@contextmanager
def begun(*, tenant_id: UUID, asker: str, answer_id: UUID) -> Iterator[AnswerInWork]:
    """An answer that the present task writes, while the block runs."""
    work = AnswerInWork(tenant_id, asker, answer_id, asyncio.current_task())
    _in_work.add(work)
    try:
        yield work
    finally:
        _in_work.discard(work)
        work.over.set()


def asker_name(tenant_id: UUID, asker: str) -> str:
    """How processes name an asker to each other: a hash."""
    return cache_key("answer-asker", tenant_id.bytes, asker.encode()).hex()


def answers_of(name: str) -> frozenset[UUID]:
    """The ids of the answers that are being written here for this asker."""
    return frozenset(work.answer_id for work in _of(name))


async def erase(name: str) -> bool:
    """Stop the answers for this asker and wait until nothing of them is written any more; False: not within 5 s."""
    stopped = _of(name)
    for work in stopped:
        if work.task is not None and not work.is_erased:  # cancelled once: the order may come again
            work.task.cancel()
        work.is_erased = True
    ends = [asyncio.ensure_future(_ended(work)) for work in stopped]
    if not ends:
        return True
    _, waiting = await asyncio.wait(ends, timeout=_ENDING_S)
    for end in waiting:
        end.cancel()
    return not waiting


async def _ended(work: AnswerInWork) -> None:
    await work.over.wait()
    if work.storing is not None:
        await asyncio.wait([work.storing])


def _of(name: str) -> list[AnswerInWork]:
    return [work for work in _in_work if asker_name(work.tenant_id, work.asker) == name]
