"""HTTP: how answers are streamed."""

from __future__ import annotations

from collections.abc import AsyncGenerator, Awaitable, Callable, MutableMapping
from contextlib import aclosing
from typing import Annotated, Any

from fastapi import Depends, Request
from fastapi.responses import StreamingResponse

from dragoman.chat.running import RunningAnswers

SSE_HEADERS = {"Cache-Control": "no-cache", "X-Accel-Buffering": "no"}
STREAM_RESPONSES: dict[int | str, dict[str, Any]] = {
    200: {"content": {"text/event-stream": {}}, "description": "Server-sent events, one JSON object each."}
}


async def _running_answers(request: Request) -> RunningAnswers:
    running: RunningAnswers = request.app.state.running_answers
    return running


RunningAnswersDep = Annotated[RunningAnswers, Depends(_running_answers)]


class ClosingStream(StreamingResponse):
    """Closes its events whatever happens, so that an answer nobody hears ends at once.

    Starlette leaves that to the garbage collector when the client is gone while a piece is being sent.
    """

    def __init__(self, events: AsyncGenerator[bytes, None]) -> None:
        super().__init__(events, media_type="text/event-stream", headers=SSE_HEADERS)
        self._events = events

    async def stream_response(self, send: Callable[[MutableMapping[str, Any]], Awaitable[None]]) -> None:
        async with aclosing(self._events):
            await super().stream_response(send)
