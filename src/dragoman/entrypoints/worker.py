"""The `worker` role: runs jobs. Celery hears wake-ups in the main thread, one event loop in another runs the jobs."""

from __future__ import annotations

import asyncio
import signal
import threading
from contextlib import suppress

from dragoman.entrypoints.scraping import serve_metrics
from dragoman.entrypoints.settings import Settings
from dragoman.entrypoints.telemetry import start_tracing
from dragoman.entrypoints.wiring import broker_url, running_deps
from dragoman.insights.metrics.processes import reported
from dragoman.jobs.celery_app import create_celery, register_task
from dragoman.jobs.drain import Drain
from dragoman.jobs.live import SignalBoard
from dragoman.kit.cache import Cache
from dragoman.kit.event_loop import loop_factory
from dragoman.kit.telemetry import configure_logging


def run_worker(settings: Settings) -> None:
    """Work until SIGTERM or SIGINT; the jobs that run then are brought to their end, unless a second signal comes."""
    configure_logging(level=settings.log_level, style=settings.log_style)
    start_tracing("worker", settings)
    serve_metrics("worker", settings)
    loop = (loop_factory() or asyncio.new_event_loop)()
    thread = threading.Thread(target=loop.run_forever, name="jobs", daemon=True)
    thread.start()
    context = running_deps(settings)
    deps = asyncio.run_coroutine_threadsafe(context.__aenter__(), loop).result()
    board = SignalBoard(deps.cache)
    drain = Drain(
        deps.database,
        deps.job_kinds,
        slots=settings.worker_concurrency,
        express_slots=settings.worker_express_slots,
        board=board,
    )
    working = asyncio.run_coroutine_threadsafe(_work(drain, board, deps.cache), loop)
    app = create_celery(broker_url(settings))
    register_task(app, drain.wake, loop)
    worker = app.Worker(pool="solo", loglevel="WARNING", quiet=True, without_mingle=True, without_gossip=True)
    try:
        worker.start()
    finally:
        signal.signal(signal.SIGTERM, signal.SIG_DFL)
        signal.signal(signal.SIGINT, signal.SIG_DFL)
        loop.call_soon_threadsafe(drain.stop)
        working.result()
        asyncio.run_coroutine_threadsafe(context.__aexit__(None, None, None), loop).result(timeout=10)
        loop.call_soon_threadsafe(loop.stop)
        thread.join(timeout=5)


async def _work(drain: Drain, board: SignalBoard, cache: Cache) -> None:
    """Run jobs until the drain is stopped; tell those who watch how far they are, and that this process lives."""
    telling = asyncio.create_task(board.run())
    try:
        async with reported(cache, "worker"):
            await drain.run()
    finally:
        telling.cancel()
        with suppress(asyncio.CancelledError):
            await telling
