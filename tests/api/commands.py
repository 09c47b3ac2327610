"""Runs commands as an operator does, against an application of the tests that answers on a TCP port."""

from __future__ import annotations

import asyncio
import io
import json
import sys
import threading
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager
from dataclasses import dataclass
from typing import Any

from dragoman.entrypoints.cli import main

from .conftest import Service


@dataclass(frozen=True, slots=True, kw_only=True)
class Ran:
    """How a command ended and what it wrote."""

    code: int
    out: str
    err: str

    @property
    def json(self) -> Any:
        return json.loads(self.out)

    @property
    def error(self) -> Any:
        """What `--json` says of an error."""
        return json.loads(self.err)["error"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Commands:
    """`dragoman …` as the holder of this key."""

    url: str
    api_key: str

    async def __call__(self, *arguments: str, stdin: str = "") -> Ran:
        """Run a command that talks to the server."""
        return await at_database(*arguments, "--url", self.url, "--api-key", self.api_key, stdin=stdin)


async def at_database(*arguments: str, stdin: str = "") -> Ran:
    """Run a command that needs no server."""
    return await asyncio.to_thread(_run, list(arguments), stdin)


def _run(arguments: list[str], stdin: str) -> Ran:
    with _streams(stdin) as (out, err):
        code = main(arguments)
        sys.stdout.flush()  # a command that closed it would fail here
        return Ran(code=int(code), out=out.getvalue().decode(), err=err.getvalue().decode())


class _OfThread:
    """A standard stream that is another one in the thread of a command: the application beside it logs to stdout too."""

    def __init__(self, usual: Any) -> None:
        self._usual, self._held = usual, threading.local()

    def set(self, stream: Any) -> None:
        self._held.stream = stream

    def __getattr__(self, name: str) -> Any:
        return getattr(getattr(self._held, "stream", self._usual), name)


@contextmanager
def _streams(stdin: str) -> Iterator[tuple[io.BytesIO, io.BytesIO]]:
    """Standard streams of this command's own; commands run one after the other."""
    before = sys.stdin, sys.stdout, sys.stderr
    raw = io.BytesIO(), io.BytesIO()
    own = [io.StringIO(stdin), *(io.TextIOWrapper(each, encoding="utf-8", write_through=True) for each in raw)]
    proxies = [_OfThread(usual) for usual in before]
    for proxy, stream in zip(proxies, own, strict=True):
        proxy.set(stream)
    sys.stdin, sys.stdout, sys.stderr = proxies  # type: ignore[assignment]
    try:
        yield raw
    finally:
        sys.stdin, sys.stdout, sys.stderr = before


@asynccontextmanager
async def worker_beside(service: Service) -> AsyncIterator[None]:
    """Jobs run as they would beside a worker."""

    async def work() -> None:
        while True:
            await service.run_jobs()
            await asyncio.sleep(0.1)

    working = asyncio.create_task(work())
    try:
        yield
    finally:
        working.cancel()
        await asyncio.gather(working, return_exceptions=True)
