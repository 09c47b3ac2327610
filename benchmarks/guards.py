"""What the guards before a search cost: authentication, limits, metrics and logs, audit, safe headers and bounds of time.

The application is called in this process, by ASGI and without a socket, beside the PostgreSQL, Valkey and embedder of a
running instance. The search itself is remembered, so that little else is measured. In each round every variant answers the
same requests in turns, one of them with all guards and each other one with one of them switched off; a guard costs the
difference. Processor time of this process (all its threads), not wall time: what else the machine does matters little.
"""

from __future__ import annotations

import asyncio
import contextlib
import gc
import json
import statistics
import tempfile
import time
from collections.abc import AsyncIterator, Callable, Iterator
from pathlib import Path
from typing import Any
from unittest import mock

from benchmarks.figures import Show
from benchmarks.instance import Instance, running
from dragoman.client import Dragoman
from dragoman.entrypoints.api import create_app
from dragoman.entrypoints.settings import Settings
from dragoman.kit.telemetry import configure_logging
from dragoman.tenancy import access

_ROUNDS, _A_ROUND, _TO_WARM_UP = 12, 100, 200
_TARGET_MS = 0.3
_ADDRESS = "198.51.100.77"  # not this machine's: its requests are counted too
_MOST = 1_000_000


def guards(show: Show) -> None:
    with (
        tempfile.TemporaryDirectory(prefix="dragoman-bench-") as folder,
        running(Path(folder) / "home") as instance,
        Path("/dev/null").open("w") as nowhere,
        contextlib.redirect_stderr(nowhere),
    ):
        configure_logging(level="INFO", style="json")  # as in production, to a file that keeps nothing
        asyncio.run(_measure(instance, show))


async def _measure(instance: Instance, show: Show) -> None:
    async with Dragoman(instance.url, instance.api_key) as client:
        secret = (await client.keys.create("guards", role="member")).api_key
    app = create_app(settings_beside(instance))
    async with app.router.lifespan_context(app):
        ask = _requests(app, secret)
        caller = await access.authenticate(app.state.database, secret)
        spent = await _rounds(ask, _variants(app, caller))
    whole = spent.pop("all")
    show("a remembered search with all guards, processor ms", _told(whole))
    for name, without in spent.items():
        added = [one - other for one, other in zip(whole, without, strict=True)]
        show(f"{name}, added processor ms", _told(added))
    added = [one - other for one, other in zip(whole, spent["all guards"], strict=True)]
    verdict = "met" if statistics.median(added) <= _TARGET_MS else "missed"
    show(f"all guards, at most {_TARGET_MS} ms", verdict)


def settings_beside(instance: Instance) -> Settings:
    """For an application in this process beside the servers of an instance; its limits are never reached."""
    return Settings(
        home=instance.home,
        database_url=instance.variable("DRAGOMAN_DATABASE_URL"),
        cache_url=instance.variable("DRAGOMAN_CACHE_URL"),
        embedder_socket=Path(instance.variable("DRAGOMAN_EMBEDDER_SOCKET")),
        limit_searches_per_minute=_MOST,
        limit_searches_per_minute_tenant=_MOST,
        limit_requests_per_minute_address=_MOST,
    )


def _requests(app: Any, secret: str) -> Callable[[int], Any]:
    """Asks so many times, one after the other, and gives the processor seconds that it took."""
    body = json.dumps({"query": "How long may goods be returned?", "max_results": 5}).encode()
    headers = [
        (b"host", b"dragoman.test"),
        (b"user-agent", b"benchmarks/guards"),
        (b"accept", b"application/json"),
        (b"x-api-key", secret.encode()),
        (b"content-type", b"application/json"),
        (b"content-length", b"%d" % len(body)),
    ]

    async def receive() -> dict[str, Any]:
        return {"type": "http.request", "body": body, "more_body": False}

    async def ask(count: int) -> float:
        gc.collect()
        started = time.process_time()
        for _ in range(count):
            status = 0

            async def send(message: dict[str, Any]) -> None:
                nonlocal status
                status = message.get("status", status)

            await app(
                {
                    "type": "http",
                    "asgi": {"version": "3.0", "spec_version": "2.3"},
                    "http_version": "1.1",
                    "scheme": "http",
                    "method": "POST",
                    "path": "/api/search",
                    "raw_path": b"/api/search",
                    "root_path": "",
                    "query_string": b"",
                    "headers": headers,
                    "client": (_ADDRESS, 4711),
                    "server": ("dragoman.test", 80),
                },
                receive,
                send,
            )
            assert status == 200, status
        return (time.process_time() - started) / count * 1000

    return ask


async def _rounds(ask: Callable[[int], Any], variants: dict[str, Callable[[], Any]]) -> dict[str, list[float]]:
    await ask(_TO_WARM_UP)
    spent: dict[str, list[float]] = {name: [] for name in variants}
    for _ in range(_ROUNDS):
        for name, switched_off in variants.items():
            async with _entered(switched_off()):
                spent[name].append(await ask(_A_ROUND))
    return spent


@contextlib.asynccontextmanager
async def _entered(context: contextlib.AbstractContextManager[Any]) -> AsyncIterator[None]:
    with context:
        yield


def _variants(app: Any, caller: Any) -> dict[str, Callable[[], Any]]:
    """What is switched off, by its name; `all`: nothing."""
    limiter = app.state.limiter

    async def known(*_: Any, **__: Any) -> Any:
        return caller

    async def nothing(*_: Any, **__: Any) -> None:
        return None

    def no_limits() -> contextlib.ExitStack:
        stack = contextlib.ExitStack()
        stack.enter_context(mock.patch.object(limiter, "take_request", nothing))
        stack.enter_context(mock.patch.object(limiter, "take_searches", nothing))
        return stack

    off: dict[str, Callable[[], Any]] = {
        "authentication": lambda: mock.patch("dragoman.tenancy.access.authenticate", known),
        "limits (two scripts' worth, leased)": no_limits,
        "metrics and log": lambda: mock.patch("dragoman.entrypoints.api._count_and_log"),
        "audit": lambda: mock.patch("dragoman.tenancy.audit.record_many", nothing),
        "safe headers": lambda: mock.patch.object(app, "middleware_stack", app.middleware_stack._app),
        "bounds of size and time": lambda: mock.patch(
            "dragoman.entrypoints.request_bounds.BoundedRequest.in_time", contextlib.nullcontext
        ),
    }

    @contextlib.contextmanager
    def none_at_all() -> Iterator[None]:
        with contextlib.ExitStack() as stack:
            for switched_off in off.values():
                stack.enter_context(switched_off())
            yield

    @contextlib.contextmanager
    def asked_each_time() -> Iterator[None]:
        with mock.patch("dragoman.kit.rate_limit._LEASE_SHARE", 10 * _MOST):
            yield

    return {
        "all": contextlib.nullcontext,
        **off,
        "all guards": none_at_all,
        "leases (negative: what they save)": asked_each_time,
    }


def _told(values: list[float]) -> str:
    low, _, high = statistics.quantiles(values, n=4)
    return f"{statistics.median(values):.3f} (middle half of {len(values)} rounds: {low:.3f} to {high:.3f})"
