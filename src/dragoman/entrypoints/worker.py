"""The `worker` role: runs jobs. Celery's threads fetch messages, one event loop runs the bodies."""

from __future__ import annotations

import asyncio
import threading
from uuid import UUID

from dragoman.entrypoints.settings import Settings
from dragoman.entrypoints.telemetry import start_tracing
from dragoman.entrypoints.wiring import broker_url, job_kinds, running_deps
from dragoman.jobs import service as jobs
from dragoman.jobs.celery_app import create_celery, register_task
from dragoman.kit.telemetry import configure_logging


def run_worker(settings: Settings) -> None:
    """Work until SIGTERM (finishes the running jobs) or SIGINT."""
    configure_logging(level=settings.log_level, style=settings.log_style)
    start_tracing("worker", settings.otlp_endpoint)
    loop = asyncio.new_event_loop()
    thread = threading.Thread(target=loop.run_forever, name="jobs", daemon=True)
    thread.start()
    context = running_deps(settings)
    deps = asyncio.run_coroutine_threadsafe(context.__aenter__(), loop).result()
    kinds = job_kinds(deps)

    async def run(tenant_id: UUID, job_id: UUID) -> None:
        await jobs.execute(deps.database, kinds, tenant_id=tenant_id, job_id=job_id)

    app = create_celery(broker_url(settings))
    register_task(app, run, loop)
    worker = app.Worker(
        pool="threads",
        concurrency=settings.worker_concurrency,
        loglevel="WARNING",
        quiet=True,
        without_mingle=True,
        without_gossip=True,
    )
    try:
        worker.start()
    finally:
        asyncio.run_coroutine_threadsafe(context.__aexit__(None, None, None), loop).result(timeout=10)
        loop.call_soon_threadsafe(loop.stop)
        thread.join(timeout=5)
