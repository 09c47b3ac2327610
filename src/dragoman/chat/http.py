"""HTTP: how answers are streamed."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, AsyncIterator, Awaitable, Callable, MutableMapping
from contextlib import aclosing, asynccontextmanager
from typing import Annotated, Any

from fastapi import Depends, Request
from fastapi.responses import StreamingResponse
from starlette.types import Receive, Scope, Send

from dragoman.chat.running import RunningAnswers
from dragoman.kit.places import Place
from dragoman.tenancy.entities import Caller
from dragoman.tenancy.limits import Limiter

SSE_HEADERS = {"Cache-Control": "no-cache", "X-Accel-Buffering": "no"}
STREAM_RESPONSES: dict[int | str, dict[str, Any]] = {
    200: {"content": {"text/event-stream": {}}, "description": "Server-sent events, one JSON object each."}
}


async def _running_answers(request: Request) -> RunningAnswers:
    running: RunningAnswers = request.app.state.running_answers
    return running


RunningAnswersDep = Annotated[RunningAnswers, Depends(_running_answers)]


class StreamPlace:
    """One of the streams that an asker may have at the same time."""

    def __init__(self, limiter: Limiter, place: Place | None) -> None:
        self._limiter, self._place = limiter, place

    @classmethod
    @asynccontextmanager
    async def taken(cls, limiter: Limiter, caller: Caller, asker: str) -> AsyncIterator[StreamPlace]:
        """Take a place; it is given back where the block, which begins the stream, fails.

        Raises:
            TooManyStreamsError.
        """
        held = cls(limiter, await limiter.take_stream(caller, asker))
        try:
            yield held
        except BaseException:
            await asyncio.shield(held.give_back())
            raise

    async def give_back(self) -> None:
        await self._limiter.give_back(self._place)


class ClosingStream(StreamingResponse):
    """Closes its events whatever happens, so that an answer nobody hears ends at once.

    Starlette leaves that to the garbage collector when the client is gone while a piece is being sent.
    """

    def __init__(self, events: AsyncGenerator[bytes, None], held: StreamPlace | None = None) -> None:
        """`held` is given back when the stream is over."""
        super().__init__(events, media_type="text/event-stream", headers=SSE_HEADERS)
        self._events, self._held = events, held

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        try:
            await super().__call__(scope, receive, send)
        finally:
            if self._held is not None:
                await asyncio.shield(self._held.give_back())

    async def stream_response(self, send: Callable[[MutableMapping[str, Any]], Awaitable[None]]) -> None:
        async with aclosing(self._events):
            await super().stream_response(send)
