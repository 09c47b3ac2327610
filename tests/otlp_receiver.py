"""A small real collector: takes spans by OTLP over HTTP, as an exporter sends them."""

from __future__ import annotations

import gzip
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any


@dataclass(frozen=True, kw_only=True)
class ReceivedSpan:
    """A span of some process. Ids are hexadecimal; `parent_id` is empty for the first of a trace."""

    name: str
    kind: int
    role: str
    trace_id: str
    span_id: str
    parent_id: str
    links: tuple[str, ...]
    attributes: dict[str, Any]
    is_error: bool
    resource: dict[str, Any]


@dataclass
class Received:
    """All that came, and the address to send it to."""

    url: str
    spans: list[ReceivedSpan] = field(default_factory=list)
    raw: list[bytes] = field(default_factory=list)

    def wait_for(self, condition: Callable[[list[ReceivedSpan]], bool], *, timeout_s: float = 30.0) -> None:
        """Raises AssertionError: it did not become true in time."""
        deadline = time.monotonic() + timeout_s
        while not condition(list(self.spans)):
            assert time.monotonic() < deadline, sorted({f"{span.role}: {span.name}" for span in self.spans})
            time.sleep(0.1)

    def of_trace(self, trace_id: str) -> list[ReceivedSpan]:
        return [span for span in self.spans if span.trace_id == trace_id]


@contextmanager
def otlp_receiver() -> Iterator[Received]:
    received = Received(url="")
    http = ThreadingHTTPServer(("127.0.0.1", 0), _handler(received))
    http.daemon_threads = True
    received.url = f"http://127.0.0.1:{http.server_port}/v1/traces"
    thread = threading.Thread(target=http.serve_forever, kwargs={"poll_interval": 0.02})
    thread.start()
    try:
        yield received
    finally:
        http.shutdown()
        thread.join()
        http.server_close()


def _handler(received: Received) -> type[BaseHTTPRequestHandler]:
    class Handler(BaseHTTPRequestHandler):
        def log_message(self, format: str, *args: Any) -> None:
            """Silent."""

        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers["Content-Length"]))
            if self.headers.get("Content-Encoding") == "gzip":
                body = gzip.decompress(body)
            received.raw.append(body)
            received.spans.extend(_spans(body))
            self.send_response(200)
            self.send_header("Content-Type", "application/x-protobuf")
            self.send_header("Content-Length", "0")
            self.end_headers()

    return Handler


def _spans(body: bytes) -> Iterator[ReceivedSpan]:
    from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest

    for batch in ExportTraceServiceRequest.FromString(body).resource_spans:
        resource = _attributes(batch.resource.attributes)
        for scope in batch.scope_spans:
            for span in scope.spans:
                yield ReceivedSpan(
                    name=span.name,
                    kind=span.kind,
                    role=resource.get("dragoman.role", ""),
                    trace_id=span.trace_id.hex(),
                    span_id=span.span_id.hex(),
                    parent_id=span.parent_span_id.hex(),
                    links=tuple(link.trace_id.hex() for link in span.links),
                    attributes=_attributes(span.attributes),
                    is_error=span.status.code == 2,
                    resource=resource,
                )


def _attributes(pairs: Any) -> dict[str, Any]:
    return {pair.key: getattr(pair.value, str(pair.value.WhichOneof("value"))) for pair in pairs}
