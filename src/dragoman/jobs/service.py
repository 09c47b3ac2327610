"""Runs durable jobs: enqueue in the transaction of the change, run once at a time, try again, reap after a crash.

The row is the truth. A message that carries the job's id may be lost, late or doubled: `execute` claims the row with
a lease, so that a second message finds nothing to do, and `reap` sends again what nobody runs.
"""

from __future__ import annotations

import asyncio
import json
import random
from collections.abc import Mapping
from contextlib import suppress
from datetime import timedelta
from typing import Any
from uuid import UUID

import structlog
from prometheus_client import Counter, Histogram
from sqlalchemy.ext.asyncio import AsyncConnection

from dragoman.jobs import repository
from dragoman.jobs.entities import Job, JobKind, JobSender, JobState, Priority
from dragoman.jobs.errors import BrokerUnavailableError
from dragoman.kit.cache import Cache
from dragoman.kit.clock import Stopwatch, new_id, now
from dragoman.kit.database import Database
from dragoman.kit.errors import DragomanError
from dragoman.kit.telemetry import span

_log = structlog.get_logger(__name__)

HEARTBEAT_S = 4.0
LEASE_S = 15.0  # three heartbeats and some: a worker that is killed gives its jobs back after this long
RESEND_AFTER_S = 45.0
_REAP_BATCH = 200
_BACKOFF_S = (2.0, 10.0, 60.0, 300.0)
EVENT_STREAM = "dragoman:events"
_EVENT_STREAM_LENGTH = 10_000

JOBS_FINISHED = Counter("dragoman_jobs_finished_total", "Attempts at jobs by kind and outcome.", ["kind", "outcome"])
JOB_SECONDS = Histogram(
    "dragoman_job_seconds",
    "Duration of attempts at jobs.",
    ["kind"],
    buckets=(0.1, 0.5, 1, 2, 5, 10, 30, 60, 300, 1800),
)


async def enqueue(
    connection: AsyncConnection,
    *,
    tenant_id: UUID,
    kind: str,
    payload: dict[str, Any],
    priority: Priority = Priority.NORMAL,
    max_attempts: int = 5,
) -> Job:
    """Write the job in the transaction of the change that needs it. Call `announce` after the commit."""
    moment = now()
    job = Job(
        id=new_id(),
        tenant_id=tenant_id,
        kind=kind,
        payload=payload,
        state=JobState.QUEUED,
        priority=int(priority),
        progress=0.0,
        step="",
        attempts=0,
        max_attempts=max_attempts,
        error_code=None,
        error_message=None,
        run_after=moment,
        created_at=moment,
        started_at=None,
        finished_at=None,
    )
    await repository.insert_job(connection, job)
    return job


async def announce(database: Database, sender: JobSender, job: Job) -> None:
    """Tell the workers, after the commit. When the broker is down the job stays queued and the reaper announces it."""
    try:
        await sender.send(tenant_id=job.tenant_id, job_id=job.id, priority=job.priority)
    except BrokerUnavailableError as error:
        _log.warning("jobs.announce_failed", job_id=str(job.id), reason=str(error))
        return
    async with database.system_transaction() as connection:
        await repository.mark_sent(connection, tenant_id=job.tenant_id, job_id=job.id)


async def emit(connection: AsyncConnection, *, tenant_id: UUID, topic: str, payload: dict[str, Any]) -> None:
    """Write an event in the transaction of the change it tells of; the scheduler publishes it."""
    await repository.insert_event(connection, tenant_id=tenant_id, event_id=new_id(), topic=topic, payload=payload)


async def execute(database: Database, kinds: Mapping[str, JobKind], *, tenant_id: UUID, job_id: UUID) -> None:
    """Run one attempt at a job, unless somebody else does or it is finished."""
    lease = new_id()
    async with database.system_transaction() as connection:
        job = await repository.claim_job(
            connection,
            tenant_id=tenant_id,
            job_id=job_id,
            lease=lease,
            stale_before=now() - timedelta(seconds=LEASE_S),
        )
    if job is None:
        return
    watch = Stopwatch()
    with structlog.contextvars.bound_contextvars(job_id=str(job.id), job_kind=job.kind):
        with span("job", kind=job.kind, attempt=job.attempts):
            outcome = await _attempt(database, kinds, job, lease)
        JOB_SECONDS.labels(job.kind).observe(watch.elapsed_ms / 1000)
        JOBS_FINISHED.labels(job.kind, outcome).inc()
        _log.info("jobs.attempt_ended", outcome=outcome, attempt=job.attempts, duration_ms=round(watch.elapsed_ms))


async def _attempt(database: Database, kinds: Mapping[str, JobKind], job: Job, lease: UUID) -> str:
    kind = kinds.get(job.kind)
    if kind is None:
        return await _give_up(database, None, job, lease, "jobs.unknown_kind", f"No worker here knows {job.kind!r}.")
    if job.attempts > job.max_attempts:
        reason = "The worker stopped in the middle of this job each time it was tried. The document may be too heavy."
        return await _give_up(database, kind, job, lease, "jobs.crashed", reason)
    progress = _LeasedProgress(database, job, lease)
    work = asyncio.ensure_future(kind.body(job, progress))
    beating = asyncio.create_task(_keep_beating(database, job, lease, work))
    try:
        await work
    except asyncio.CancelledError:
        if work.cancelled() and not _is_being_cancelled():
            return "lost"
        raise
    except Exception as error:  # noqa: BLE001 - whatever a body raises is recorded on the job's row
        return await _handle_failure(database, kind, job, lease, error)
    finally:
        beating.cancel()
        with suppress(asyncio.CancelledError):
            await beating
    async with database.system_transaction() as connection:
        await repository.succeed(connection, tenant_id=job.tenant_id, job_id=job.id, lease=lease)
    return "succeeded"


def _is_being_cancelled() -> bool:
    task = asyncio.current_task()
    return task is not None and task.cancelling() > 0


async def _handle_failure(database: Database, kind: JobKind, job: Job, lease: UUID, error: Exception) -> str:
    code, message = describe(error)
    retryable = error.retryable if isinstance(error, DragomanError) else True
    _log.warning("jobs.attempt_failed", code=code, reason=message, exc_info=not isinstance(error, DragomanError))
    if not retryable or job.attempts >= job.max_attempts:
        return await _give_up(database, kind, job, lease, code, message)
    delay_s = _BACKOFF_S[min(job.attempts, len(_BACKOFF_S)) - 1] * random.uniform(0.8, 1.2)
    async with database.system_transaction() as connection:
        await repository.retry_later(
            connection,
            tenant_id=job.tenant_id,
            job_id=job.id,
            lease=lease,
            run_after=now() + timedelta(seconds=delay_s),
            error_code=code,
            error_message=message,
        )
    return "retried"


async def _give_up(database: Database, kind: JobKind | None, job: Job, lease: UUID, code: str, message: str) -> str:
    if kind is not None and kind.on_failed is not None:
        await kind.on_failed(job, code, message)
    async with database.system_transaction() as connection:
        await repository.fail(
            connection, tenant_id=job.tenant_id, job_id=job.id, lease=lease, error_code=code, error_message=message
        )
    return "failed"


def describe(error: Exception) -> tuple[str, str]:
    """Code and message of an error as a user may read them; what was not foreseen shows its kind only."""
    if isinstance(error, DragomanError):
        return error.code, error.message
    return "internal", f"An unforeseen error of the kind {type(error).__name__}; the worker's log tells more."


class _LeasedProgress:
    """Writes progress to the job's row, at most four times a second unless the step changes."""

    def __init__(self, database: Database, job: Job, lease: UUID) -> None:
        self._database, self._job, self._lease = database, job, lease
        self._step, self._since = "", Stopwatch()

    async def __call__(self, step: str, fraction: float) -> None:
        if step == self._step and self._since.elapsed_ms < 250:
            return
        self._step, self._since = step, Stopwatch()
        async with self._database.system_transaction() as connection:
            await repository.beat(
                connection,
                tenant_id=self._job.tenant_id,
                job_id=self._job.id,
                lease=self._lease,
                progress=(step, min(max(fraction, 0.0), 1.0)),
            )


async def _keep_beating(database: Database, job: Job, lease: UUID, work: asyncio.Future[None]) -> None:
    """Renew the lease until cancelled; stop the work when somebody else took the job over."""
    while True:
        await asyncio.sleep(HEARTBEAT_S)
        try:
            async with database.system_transaction() as connection:
                ours = await repository.beat(connection, tenant_id=job.tenant_id, job_id=job.id, lease=lease)
        except DragomanError as error:
            _log.warning("jobs.heartbeat_failed", job_id=str(job.id), reason=str(error))
            continue
        if not ours:
            work.cancel()
            return


async def reap(database: Database, sender: JobSender) -> int:
    """Announce jobs that wait unannounced, whose message was lost, or whose worker died; the number announced.

    They count as sent only when all were: while the broker is down each round tries again.

    Raises:
        BrokerUnavailableError, DatabaseUnavailableError.
    """
    async with database.system_transaction() as connection:
        found = await repository.take_unsent(
            connection,
            stale_before=now() - timedelta(seconds=LEASE_S),
            resend_before=now() - timedelta(seconds=RESEND_AFTER_S),
            limit=_REAP_BATCH,
        )
        for job in found:
            await sender.send(tenant_id=job.tenant_id, job_id=job.id, priority=job.priority)
    return len(found)


async def publish_events(database: Database, cache: Cache, *, limit: int = 500) -> int:
    """Move outbox events to the stream `dragoman:events` in Valkey, at least once and in order; the number moved."""
    async with database.system_transaction() as connection:
        events = await repository.take_unpublished(connection, limit=limit)
        for event in events:
            fields = {
                "id": str(event.id),
                "tenant_id": str(event.tenant_id),
                "topic": event.topic,
                "payload": json.dumps(event.payload),
            }
            await cache.client.xadd(EVENT_STREAM, fields, maxlen=_EVENT_STREAM_LENGTH, approximate=True)  # type: ignore[arg-type]
        if events:
            await repository.mark_published(connection, [event.id for event in events])
    return len(events)


async def sweep(database: Database, *, keep: timedelta = timedelta(days=7)) -> int:
    """Delete finished jobs and published events older than `keep`; failed jobs stay to be looked at."""
    async with database.system_transaction() as connection:
        deleted = await repository.delete_finished(connection, before=now() - keep)
        return deleted + await repository.delete_published(connection, older_than=keep)
