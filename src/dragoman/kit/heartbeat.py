"""Keeps the connection of a silent stream of server-sent events open."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator
from contextlib import suppress
from typing import Final, TypeVar

T = TypeVar("T")

HEARTBEAT: Final = b": heartbeat\n\n"
"""A comment: readers pass it over, and proxies see that the connection lives."""
HEARTBEAT_S = 15.0  # the shortest idle time-outs of usual proxies are 30 s and more


async def with_heartbeat(events: AsyncGenerator[T, None]) -> AsyncGenerator[T | None, None]:
    """The events, with None whenever `HEARTBEAT_S` have passed without one. The caller closes `events`."""
    pending: asyncio.Future[T] | None = None
    try:
        while True:
            pending = pending or asyncio.ensure_future(anext(events))
            done, _ = await asyncio.wait([pending], timeout=HEARTBEAT_S)
            if not done:
                yield None
                continue
            try:
                event = pending.result()
            except StopAsyncIteration:
                return
            finally:
                pending = None
            yield event
    finally:
        if pending is not None:
            pending.cancel()
            with suppress(asyncio.CancelledError, StopAsyncIteration):
                await pending
