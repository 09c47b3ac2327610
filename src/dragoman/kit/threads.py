"""Blocking calls in a thread, for resources that must not be taken away while the call still uses them."""

from __future__ import annotations

import asyncio
import functools
from collections.abc import Callable, Sequence
from concurrent.futures import Executor
from typing import ParamSpec, TypeVar

P = ParamSpec("P")
S = TypeVar("S")
T = TypeVar("T")


SHORT_TEXT = 64 * 1024  # characters: what is done to a text in one go takes a few ms up to here


async def run_by_length(length: int, call: Callable[P, T], *args: P.args, **kwargs: P.kwargs) -> T:
    """Work on a text of this many characters: a short one right here, a long one in a thread.

    Handing work to a thread and back costs 0.3 ms, and documents of a bulk import take ten such steps each.
    """
    if length <= SHORT_TEXT:
        return call(*args, **kwargs)
    return await asyncio.to_thread(call, *args, **kwargs)


async def run_each(call: Callable[[S], T], items: Sequence[S]) -> list[T | Exception]:
    """A short call for each of many, in one thread for all: what it returned, or what it raised."""

    def outcome(item: S) -> T | Exception:
        try:
            return call(item)
        except Exception as error:  # noqa: BLE001 - the caller sees to it
            return error

    return await asyncio.to_thread(lambda: [outcome(item) for item in items])


async def run_to_end(executor: Executor | None, call: Callable[P, T], *args: P.args, **kwargs: P.kwargs) -> T:
    """Run `call` in a thread of `executor` (None: the loop's own) and return what it returns.

    A thread cannot be stopped. When the caller is cancelled it therefore gets its `CancelledError` only after the
    call has ended: what the call used may then be closed, and nothing it still does can undo the clearing up.
    """
    running = asyncio.get_running_loop().run_in_executor(executor, functools.partial(call, *args, **kwargs))
    try:
        return await asyncio.shield(running)
    except asyncio.CancelledError:
        await asyncio.wait({running})
        if not running.cancelled():
            running.exception()  # looked at, so that asyncio does not report it as forgotten
        raise
