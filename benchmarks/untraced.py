"""What tracing costs while it is off: the calls that one turn makes of it, recorded and made again, beside the turn itself.

The application is called in this process, by ASGI and without a socket, beside the PostgreSQL, Valkey and embedder of a running
instance. In each round turns are asked and the recorded calls are made in turns. Processor time of this process.
"""

from __future__ import annotations

import asyncio
import contextlib
import statistics
import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any
from unittest import mock

import httpx

from benchmarks.figures import Show
from benchmarks.guards import settings_beside
from benchmarks.instance import Instance, running
from dragoman.entrypoints.api import create_app
from dragoman.kit import tracing
from dragoman.kit.telemetry import configure_logging

_ROUNDS, _TURNS, _AGAIN = 9, 10, 200
_NAMES = (
    *("is_traced", "is_within_trace", "span", "start", "start_nothing", "finish", "under", "shows_text", "traceparent"),
    *("outgoing_headers", "remote", "links_to", "new_trace", "ids"),
)
_Call = tuple[Callable[..., Any], tuple[Any, ...], dict[str, Any]]


def untraced(show: Show) -> None:
    with (
        tempfile.TemporaryDirectory(prefix="dragoman-bench-") as folder,
        running(Path(folder) / "home") as instance,
        Path("/dev/null").open("w") as nowhere,
        contextlib.redirect_stderr(nowhere),
    ):
        configure_logging(level="INFO", style="json")
        asyncio.run(_measure(instance, show))


async def _measure(instance: Instance, show: Show) -> None:
    app = create_app(settings_beside(instance))
    transport = httpx.ASGITransport(app=app)
    headers = {"X-API-Key": instance.api_key}
    async with (
        app.router.lifespan_context(app),
        httpx.AsyncClient(transport=transport, base_url="http://bench", headers=headers) as client,
    ):
        session = (await client.post("/api/chatbot/sessions/", json={})).json()["id"]

        async def ask() -> None:
            body = {"message": "How long may goods be returned?"}
            (await client.post(f"/api/chatbot/sessions/{session}/messages/", json=body)).raise_for_status()

        for _ in range(_TURNS):
            await ask()
        assert not tracing.is_traced()
        with _recorded() as calls:
            await ask()
        turns, alone = [], []
        for _ in range(_ROUNDS):
            began = time.process_time()
            for _ in range(_TURNS):
                await ask()
            turns.append((time.process_time() - began) / _TURNS * 1000)
            alone.append(_made_again(calls))
    turn, cost = statistics.median(turns), statistics.median(alone)
    show("a turn, processor ms of the API process", f"{turn:.2f} (quartiles {_quartiles(turns)})")
    show(
        "of which tracing that is off",
        f"{cost:.4f} ms for {len(calls)} calls: {cost / turn:.2%} (quartiles {_quartiles(alone)})",
    )


@contextlib.contextmanager
def _recorded() -> Iterator[list[_Call]]:
    """The calls of tracing from elsewhere, with what they were given; those that it makes of itself belong to them."""
    calls: list[_Call] = []
    inside = [False]

    def recording(original: Callable[..., Any]) -> Callable[..., Any]:
        def call(*args: Any, **named: Any) -> Any:
            if inside[0]:
                return original(*args, **named)
            calls.append((original, args, named))
            inside[0] = True
            try:
                return original(*args, **named)
            finally:
                inside[0] = False

        return call

    with contextlib.ExitStack() as patches:
        for name in _NAMES:
            patches.enter_context(mock.patch.object(tracing, name, recording(getattr(tracing, name))))
        yield calls


def _made_again(calls: list[_Call]) -> float:
    """Processor milliseconds of all these calls; blocks are entered and left."""
    began = time.process_time()
    for _ in range(_AGAIN):
        for function, args, named in calls:
            made = function(*args, **named)
            if function in (tracing.span, tracing.under):
                with made:
                    pass
    return (time.process_time() - began) / _AGAIN * 1000


def _quartiles(values: list[float]) -> str:
    low, _, high = statistics.quantiles(values, n=4)
    return f"{low:.4g} to {high:.4g}"
