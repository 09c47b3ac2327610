"""What the doubles of servers with a JSON API have in common: a real HTTP server in a thread, and faults on demand."""

from __future__ import annotations

import json
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import cached_property
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import parse_qsl, urlsplit


class RefusalError(Exception):
    """The request is answered with this status and body."""

    def __init__(self, status: int, body: Any) -> None:
        super().__init__(status)
        self.status, self.body = status, body


@dataclass(frozen=True, kw_only=True)
class Request:
    method: str
    path: str
    query: Mapping[str, str]
    headers: Mapping[str, str]
    raw: bytes

    @cached_property
    def body(self) -> Any:
        return json.loads(self.raw) if self.raw else None


@dataclass(kw_only=True)
class Faults:
    """How a double is to misbehave.

    Attributes:
        status: answers the next `times` requests (all with None) with this status and `headers`.
        hang_s: waits so long before each answer.
        text: answers with this instead of JSON.
    """

    status: int = 200
    times: int | None = None
    headers: dict[str, str] = field(default_factory=dict)
    hang_s: float = 0.0
    text: str | None = None

    def next_status(self) -> int:
        if self.status == 200 or self.times == 0:
            return 200
        if self.times is not None:
            self.times -= 1
        return self.status


class JsonDouble:
    """A server: subclasses supply `answer`, which is called by one thread at a time."""

    def __init__(self) -> None:
        self.url = ""
        self.faults = Faults()
        self.requests: list[Request] = []

    def answer(self, request: Request) -> Any:
        """The body of the answer. Raises RefusalError."""
        raise NotImplementedError

    @contextmanager
    def running(self) -> Iterator[None]:
        http = _Server(("127.0.0.1", 0), _handler(self.answer, self))
        http.daemon_threads = True
        self.url = f"http://127.0.0.1:{http.server_port}"
        thread = threading.Thread(target=http.serve_forever, kwargs={"poll_interval": 0.02})
        thread.start()
        try:
            yield
        finally:
            http.shutdown()
            thread.join()
            http.server_close()


class _Server(ThreadingHTTPServer):
    request_queue_size = 64

    def handle_error(self, request: Any, client_address: Any) -> None:
        """Silent: clients that do not wait for an answer are part of the tests."""


def _handler(answer: Callable[[Request], Any], double: JsonDouble) -> type[BaseHTTPRequestHandler]:
    turn = threading.Lock()

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def log_message(self, format: str, *args: Any) -> None:
            """Silent."""

        def _serve(self) -> None:
            parts = urlsplit(self.path)
            request = Request(
                method=self.command,
                path=parts.path,
                query=dict(parse_qsl(parts.query, keep_blank_values=True)),
                headers={name.lower(): value for name, value in self.headers.items()},
                raw=self.rfile.read(int(self.headers.get("Content-Length") or 0)),
            )
            time.sleep(double.faults.hang_s)
            with turn:
                double.requests.append(request)
                status = double.faults.next_status()
                if status != 200:
                    self._send(status, json.dumps({"message": "told to fail"}), double.faults.headers)
                elif double.faults.text is not None:
                    self._send(200, double.faults.text, {})
                else:
                    try:
                        self._send(200, json.dumps(answer(request)), {})
                    except RefusalError as refusal:
                        self._send(refusal.status, json.dumps(refusal.body), {})

        def _send(self, status: int, text: str, headers: Mapping[str, str]) -> None:
            data = text.encode()
            self.send_response(status)
            for name, value in {
                "Content-Type": "application/json",
                "Content-Length": str(len(data)),
                **headers,
            }.items():
                self.send_header(name, value)
            self.end_headers()
            if self.command != "HEAD":
                self.wfile.write(data)

        do_GET = do_POST = do_PUT = do_DELETE = do_HEAD = _serve  # noqa: N815 - the names that http.server calls

    return Handler
