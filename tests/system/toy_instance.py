"""`dragoman up` with real stores and toy roles: `python toy_instance.py HOME PORT`."""

from __future__ import annotations

import asyncio
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from dragoman.entrypoints.up import DemoInfo, ProgressCallback, UpContext, UpHooks, run_up

_SLEEPER = "import time\nwhile True: time.sleep(1)"
_EMBEDDER = """
import os, socket
server = socket.socket(socket.AF_UNIX)
server.bind(os.environ["DRAGOMAN_EMBEDDER_SOCKET"])
server.listen()
while True:
    server.accept()[0].close()
"""
_API = """
import os
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
class Ready(BaseHTTPRequestHandler):
    def do_GET(self):
        self.send_response(200)
        self.end_headers()
ThreadingHTTPServer(("127.0.0.1", int(os.environ["DRAGOMAN_PORT"])), Ready).serve_forever()
"""


@dataclass(frozen=True, slots=True, kw_only=True)
class ToySettings:
    home: Path
    port: int
    api_processes: int = 1
    worker_processes: int = 1
    metrics_port: int | None = None
    database_url: str | None = None
    cache_url: str | None = None
    broker_url: str | None = None


def command(role: str) -> Sequence[str]:
    return (sys.executable, "-c", {"api": _API, "embedder": _EMBEDDER}.get(role, _SLEEPER))


async def seed(context: UpContext, progress: ProgressCallback) -> DemoInfo:
    progress(1, 2, "one.md")
    await asyncio.sleep(0)
    progress(2, 2, "two.md")
    return DemoInfo(url=context.url, api_key="dgm_toy", chatbot_id="toy", question="What's the return period?")


def main(home: str, port: str) -> int:
    hooks = UpHooks(seed=seed, upgrade=lambda context: None, command=command)
    return run_up(ToySettings(home=Path(home), port=int(port)), hooks=hooks)


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))
