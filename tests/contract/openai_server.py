"""A small real HTTP server that speaks enough of OpenAI's API to test its clients against."""

from __future__ import annotations

import hashlib
import json
import ssl
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import numpy as np

WORDS = ("one ", "two ", "three ", "four ", "five ", "six")


@dataclass(kw_only=True)
class OpenAIServer:
    """What it was asked, and how it is to answer.

    `status` other than 200 answers every request with that error; `silent_s` waits before the first word, `broken`
    closes the connection after two words, `garbage` sends a web page instead of a stream, `usage` sends token counts, `left_early` counts streams the client closed.
    """

    url: str = ""
    status: int = 200
    headers: dict[str, str] = field(default_factory=dict)
    silent_s: float = 0.0
    delay_s: float = 0.02
    broken: bool = False
    garbage: bool = False
    usage: bool = True
    dimensions: int = 64
    words: tuple[str, ...] = WORDS
    requests: list[dict[str, Any]] = field(default_factory=list)
    left_early: int = 0


@contextmanager
def run_openai_server(*, tls: ssl.SSLContext | None = None) -> Iterator[OpenAIServer]:
    state = OpenAIServer()
    http = ThreadingHTTPServer(("127.0.0.1", 0), type("Handler", (_Handler,), {"state": state}))
    http.daemon_threads = True
    if tls is not None:
        http.socket = tls.wrap_socket(http.socket, server_side=True, do_handshake_on_connect=False)
    state.url = f"{'http' if tls is None else 'https'}://127.0.0.1:{http.server_port}/v1"
    thread = threading.Thread(target=http.serve_forever, kwargs={"poll_interval": 0.02})
    thread.start()
    try:
        yield state
    finally:
        http.shutdown()
        thread.join()
        http.server_close()


class _Handler(BaseHTTPRequestHandler):
    state: OpenAIServer

    def log_message(self, format: str, *args: Any) -> None:
        """Silent."""

    def do_POST(self) -> None:
        body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        self.state.requests.append(body)
        try:
            if self.state.status != 200:
                self._send(self.state.status, {"error": {"message": "told to fail"}}, self.state.headers)
            elif self.path.endswith("/embeddings"):
                self._send(200, self._embed(body), {})
            elif self.state.garbage:
                self._send_page()
            else:
                self._stream(body)
        except OSError:
            self.state.left_early += 1

    def _send(self, status: int, body: dict[str, Any], headers: dict[str, str]) -> None:
        data = json.dumps(body).encode()
        self.send_response(status)
        for name, value in {"Content-Type": "application/json", "Content-Length": str(len(data)), **headers}.items():
            self.send_header(name, value)
        self.end_headers()
        self.wfile.write(data)

    def _send_page(self) -> None:
        page = b"<html><body>Welcome to nginx!</body></html>"
        self.send_response(200)
        self.send_header("Content-Type", "text/html")
        self.send_header("Content-Length", str(len(page)))
        self.end_headers()
        self.wfile.write(page)

    def _embed(self, body: dict[str, Any]) -> dict[str, Any]:
        time.sleep(self.state.silent_s)
        data = []
        for index, text in enumerate(body["input"]):
            if not text:
                raise OSError("an empty text is refused")
            vector = np.zeros(self.state.dimensions)
            for word in text.lower().split() or [" "]:
                digest = hashlib.sha256(word.encode()).digest()
                vector[digest[0] % len(vector)] += 2.0
                vector[digest[1] % len(vector)] += 1.0
            data.append({"object": "embedding", "index": index, "embedding": vector.tolist()})
        # Out of order on purpose: `index` is what counts.
        return {
            "object": "list",
            "model": body["model"],
            "data": data[::-1],
            "usage": {"prompt_tokens": 1, "total_tokens": 1},
        }

    def _stream(self, body: dict[str, Any]) -> None:
        self.send_response(200)
        self.send_header("Content-Type", "text/event-stream")
        self.end_headers()
        time.sleep(self.state.silent_s)
        words = _cut("".join(self.state.words), body)
        limit = int(body.get("max_tokens") or body["max_completion_tokens"])
        self._event(body, {"role": "assistant", "content": ""})
        for count, word in enumerate(words[:limit]):
            if self.state.broken and count == 2:
                return
            self._event(body, {"content": word})
            time.sleep(self.state.delay_s)
        self._event(body, {}, finish="length" if len(words) > limit else "stop")
        if self.state.usage and body.get("stream_options", {}).get("include_usage"):
            usage = {"prompt_tokens": 11, "completion_tokens": len(words[:limit]), "total_tokens": 17}
            self._write({**_chunk(body), "choices": [], "usage": usage})
        self.wfile.write(b"data: [DONE]\n\n")

    def _event(self, body: dict[str, Any], delta: dict[str, Any], finish: str | None = None) -> None:
        self._write({**_chunk(body), "choices": [{"index": 0, "delta": delta, "finish_reason": finish}]})

    def _write(self, event: dict[str, Any]) -> None:
        self.wfile.write(f"data: {json.dumps(event)}\n\n".encode())
        self.wfile.flush()


def _chunk(body: dict[str, Any]) -> dict[str, Any]:
    return {"id": "c1", "object": "chat.completion.chunk", "created": 1, "model": body["model"]}


def _cut(text: str, body: dict[str, Any]) -> list[str]:
    for stop in body.get("stop") or ():
        text = text.split(stop, maxsplit=1)[0]
    return [f"{word} " for word in text.split()]
