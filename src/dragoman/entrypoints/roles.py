"""The long-running roles, as one function each; every one ends on SIGTERM."""

from __future__ import annotations

import asyncio
import gc
import signal
from collections.abc import Sequence
from pathlib import Path

from dragoman.entrypoints.settings import Settings
from dragoman.kit import event_loop
from dragoman.kit.errors import InvalidSettingError

# Python's own 700 has a role look for cycles in the middle of each batch of rows, a few times for each document.
_COLLECT_AFTER = (20_000, 20, 20)

ROLES = ("api", "worker", "scheduler", "embedder")


class MissingSocketError(InvalidSettingError):
    """The embedder role needs a path for its socket. Set DRAGOMAN_EMBEDDER_SOCKET, here and for the api and worker."""

    code = "settings.missing_socket"


def run_role(role: str, settings: Settings, *, only: Sequence[str] = ()) -> None:
    """Run one role until it is told to stop. A role imports what it needs and nothing of the others.

    Raises:
        InvalidSettingError and its kinds, DatabaseUnavailableError.
    """
    gc.set_threshold(*_COLLECT_AFTER)
    match role:
        case "api":
            _run_api(settings, only)
        case "worker":
            from dragoman.entrypoints.worker import run_worker  # noqa: PLC0415

            run_worker(settings)
        case "scheduler":
            from dragoman.entrypoints.scheduler import run_scheduler  # noqa: PLC0415

            event_loop.run(run_scheduler(settings))
        case "embedder":
            _run_embedder(settings)
        case _:
            raise InvalidSettingError(f"There is no role {role!r}. Roles: {', '.join(ROLES)}.")


def _run_api(settings: Settings, only: Sequence[str]) -> None:
    from dragoman.entrypoints.api import run  # noqa: PLC0415

    run(settings, only=only)


def _run_embedder(settings: Settings) -> None:
    from dragoman.entrypoints.scraping import serve_metrics  # noqa: PLC0415
    from dragoman.entrypoints.telemetry import start_tracing  # noqa: PLC0415
    from dragoman.kit.telemetry import configure_logging  # noqa: PLC0415

    configure_logging(level=settings.log_level, style=settings.log_style)
    if settings.embedder_socket is None:
        raise MissingSocketError
    start_tracing("embedder", settings)
    serve_metrics("embedder", settings)
    event_loop.run(_serve_embedder(settings, settings.embedder_socket))


async def _serve_embedder(settings: Settings, socket_path: Path) -> None:
    from dragoman.entrypoints.embedder import serve  # noqa: PLC0415
    from dragoman.entrypoints.wiring import create_embedder  # noqa: PLC0415

    stop = asyncio.Event()
    for number in (signal.SIGINT, signal.SIGTERM):
        asyncio.get_running_loop().add_signal_handler(number, stop.set)
    embedder = create_embedder(settings, in_process=True)
    try:
        await serve(embedder, socket_path, stop=stop)
    finally:
        await embedder.close()
