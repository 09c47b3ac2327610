"""Work on a text that needs to know now and then how many tokens some parts of it have, which the embedder counts.

Such work is a generator that waits for nothing itself. Whoever runs it has the tokens counted: for one document, in a
thread of its own where that is long, or for many small ones at once, with one thread and one call for all of them.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Generator, Sequence
from itertools import islice
from typing import Generic, ParamSpec, TypeVar

from dragoman.kit.threads import run_by_length

P = ParamSpec("P")
T = TypeVar("T")

CountTokens = Callable[[Sequence[str]], Awaitable[list[int]]]
Counting = Generator[list[str], Sequence[int], T]
"""Yields texts, up to 512 at a time, is sent the tokens of each, and returns its result. Blocking in between."""


async def count_alone(work: Counting[T], count_tokens: CountTokens, *, length: int) -> T:
    """The result of one work on a text of so many characters. Raises what the work raises."""
    run = _Run(work)
    await run_by_length(length, run.begin)
    while run.waiting:
        await run_by_length(length, run.go_on, await count_tokens(run.waiting))
    if isinstance(run.outcome, Exception):
        raise run.outcome
    return run.outcome


async def count_together(
    works: Sequence[Counting[T]], count_tokens: CountTokens, *, in_thread: bool = True
) -> list[T | Exception]:
    """The results of works on small texts, or what each of them raised. Raises what `count_tokens` raises.

    `in_thread`: off in a process that has nothing else to do.
    """
    runs = [_Run(work) for work in works]

    def begin() -> None:
        for run in runs:
            run.begin()

    def go_on(waiting: Sequence[_Run[T]], counts: Sequence[int]) -> None:
        left = iter(counts)
        for run in waiting:
            run.go_on(list(islice(left, len(run.waiting))))

    await _call(in_thread, begin)
    while waiting := [run for run in runs if run.waiting]:
        counts = await count_tokens([text for run in waiting for text in run.waiting])
        await _call(in_thread, go_on, waiting, counts)
    return [run.outcome for run in runs]


async def _call(in_thread: bool, step: Callable[P, None], *args: P.args, **kwargs: P.kwargs) -> None:
    if in_thread:
        await asyncio.to_thread(step, *args, **kwargs)
    else:
        step(*args, **kwargs)


class _Run(Generic[T]):
    """A work on its way. `waiting`: the texts to count; none once it has an `outcome`."""

    outcome: T | Exception

    def __init__(self, work: Counting[T]) -> None:
        self._work = work
        self.waiting: list[str] = []

    def begin(self) -> None:
        self._advance(lambda: next(self._work))

    def go_on(self, counts: Sequence[int]) -> None:
        self._advance(lambda: self._work.send(counts))

    def _advance(self, step: Callable[[], list[str]]) -> None:
        self.waiting = []
        try:
            self.waiting = step()
        except StopIteration as ended:
            self.outcome = ended.value
        except Exception as error:  # noqa: BLE001 - the outcome of this one, and none of its fellows'
            self.outcome = error
