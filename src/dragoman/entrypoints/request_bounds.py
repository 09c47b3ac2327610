"""How large a request may be, how slowly it may come, and how long its answer may take to begin."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Final

from fastapi import HTTPException
from starlette.types import Message, Receive, Scope

from dragoman.entrypoints.settings import Settings
from dragoman.kit.errors import DragomanError

_MAX_UPLOAD_BYTES: Final = 520 * 1024 * 1024  # above the largest document that a chatbot may accept
_SLOW_AFTER_S: Final = 60.0
_SLOWEST_BYTES_PER_S: Final = 1024  # of a body on average, once it takes longer than that


class RequestTimedOutError(DragomanError):
    """The answer took too long and was given up. Try again, ask for less, or use a streamed answer."""

    code, status, retryable = "operations.timed_out", 504, True


@dataclass(frozen=True, slots=True, kw_only=True)
class RequestBounds:
    """Attributes: bytes of a body that is no upload; seconds to wait for its next piece, and for the answer's beginning."""

    max_bytes: int
    stall_s: float
    timeout_s: float

    @classmethod
    def of(cls, settings: Settings) -> RequestBounds:
        return cls(
            max_bytes=int(settings.max_json_mib * 1024 * 1024),
            stall_s=settings.body_stall_s,
            timeout_s=settings.request_timeout_s,
        )

    def begin(self, scope: Scope, receive: Receive) -> BoundedRequest:
        return BoundedRequest(self, scope, receive)


class BoundedRequest:
    """One request, while it comes and until its answer begins."""

    def __init__(self, bounds: RequestBounds, scope: Scope, receive: Receive) -> None:
        self._bounds, self._scope, self._receive = bounds, scope, receive
        self._received, self._is_whole = 0, False
        self._most = 0
        self._began = 0.0
        self._limit: asyncio.Timeout | None = None
        self.has_begun = False

    @asynccontextmanager
    async def in_time(self) -> AsyncIterator[None]:
        """The block ends, or its answer begins, before the time is up. Raises RequestTimedOutError."""
        loop = asyncio.get_running_loop()
        self._began = loop.time()
        limit = self._limit = asyncio.timeout(self._bounds.timeout_s)
        try:
            async with limit:
                yield
        except TimeoutError as error:
            if not limit.expired():
                raise
            raise RequestTimedOutError(
                f"The answer had not begun after {self._bounds.timeout_s:.0f} s, and was given up. Try again, ask for "
                "less, or use a streamed answer."
            ) from error

    def answer_has_begun(self) -> None:
        """From now on it may take its time: a stream, or a large file."""
        self.has_begun = True
        if self._limit is not None and not self._limit.expired():
            self._limit.reschedule(None)

    async def receive(self) -> Message:
        """The next piece of the body.

        Raises:
            HTTPException: 413 too large, 408 too slow. FastAPI makes a 400 of any other error while it reads a body.
        """
        if self._is_whole:
            return await self._receive()
        if self._most == 0:
            self._look_at_head()
        try:
            async with asyncio.timeout(self._bounds.stall_s) as stall:
                message = await self._receive()
        except TimeoutError as error:
            if stall.expired():
                raise HTTPException(408) from error
            raise
        self._received += len(message.get("body", b""))
        if self._received > self._most:
            raise HTTPException(413)
        self._is_whole = not message.get("more_body", False)
        self._keep_time()
        return message

    def _look_at_head(self) -> None:
        self._most = self._bounds.max_bytes
        length = 0
        for name, value in self._scope["headers"]:
            if name == b"content-type" and value.lower().startswith(b"multipart/form-data"):
                self._most = _MAX_UPLOAD_BYTES
            elif name == b"content-length" and value.isdigit():
                length = int(value)
        if length > self._most:
            raise HTTPException(413)

    def _keep_time(self) -> None:
        """The time of the answer begins when the request is whole."""
        moment = asyncio.get_running_loop().time()
        took_s = moment - self._began
        if took_s > _SLOW_AFTER_S and self._received < took_s * _SLOWEST_BYTES_PER_S and not self._is_whole:
            raise HTTPException(408)
        if self._limit is not None and not self.has_begun:
            self._limit.reschedule(moment + self._bounds.timeout_s)
