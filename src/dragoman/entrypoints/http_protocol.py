"""Reads requests from connections, and gives up those whose head is too slow or too large (slow-loris).

uvicorn bounds neither: of a connection that sends one byte a minute it waits for the rest for ever.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Any, Final

from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol

MOST_HEADERS: Final = 100
MOST_HEAD_BYTES: Final = 32 * 1024  # as nginx: large_client_header_buffers 4 8k
_ANSWER: Final = b"HTTP/1.1 %s\r\ncontent-type: text/plain\r\ncontent-length: 0\r\nconnection: close\r\n\r\n"
_TIMEOUT: Final = _ANSWER % b"408 Request Timeout"
_TOO_LARGE: Final = _ANSWER % b"431 Request Header Fields Too Large"


class HeadTooLargeError(Exception):
    """Told to the parser, which then stops."""


class BoundedHttpProtocol(HttpToolsProtocol):
    """uvicorn's protocol, with bounds for the head of a request: its time, its size and the number of its headers."""

    header_timeout_s: float = 15.0
    _timer: asyncio.TimerHandle | None = None
    _waiting_bytes = 0
    _is_too_large = False

    def __init__(self, *args: Any, ended: Callable[[], None] | None = None, **options: Any) -> None:
        """`ended` is called when the connection is closed; the rest is uvicorn's."""
        super().__init__(*args, **options)
        self._ended = ended

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        super().connection_made(transport)
        self._expect_head()

    def connection_lost(self, exc: Exception | None) -> None:
        self._stop_waiting()
        super().connection_lost(exc)
        if self._ended is not None:
            self._ended()

    def data_received(self, data: bytes) -> None:
        super().data_received(data)
        if self._timer is not None:  # the head is not whole yet
            self._waiting_bytes += len(data)
            if self._waiting_bytes > MOST_HEAD_BYTES:
                self._end(_TOO_LARGE)

    def on_message_begin(self) -> None:
        super().on_message_begin()
        self._expect_head()

    def on_headers_complete(self) -> None:
        self._stop_waiting()
        headers = self.headers
        if len(headers) > MOST_HEADERS or len(self.url) + sum(map(_length, headers)) > MOST_HEAD_BYTES:
            self._is_too_large = True
            raise HeadTooLargeError
        super().on_headers_complete()

    def send_400_response(self, msg: str) -> None:
        if self._is_too_large:
            self._end(_TOO_LARGE)
        else:
            super().send_400_response(msg)

    def _expect_head(self) -> None:
        if self._timer is None:
            self._waiting_bytes = 0
            self._timer = self.loop.call_later(self.header_timeout_s, self._give_up)

    def _stop_waiting(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None

    def _give_up(self) -> None:
        self._timer = None
        self._end(_TIMEOUT)

    def _end(self, answer: bytes) -> None:
        self._stop_waiting()
        if not self.transport.is_closing():
            self.transport.write(answer)
            self.transport.close()


def _length(header: tuple[bytes, bytes]) -> int:
    return len(header[0]) + len(header[1])


def bounded_protocol(header_timeout_s: float) -> type[Any]:
    """The protocol with this bound."""
    return type("BoundedHttpProtocol", (BoundedHttpProtocol,), {"header_timeout_s": header_timeout_s})
