"""Runs durable jobs: enqueue in the transaction of the change, run by turns, try again, reap after a crash.

The row is the truth. A message only says that some job waits; it may be lost, late or doubled. A worker then takes
the job whose turn it is (`execute_next`), under a lease, and goes on until none waits.

Whose turn it is:

1. The most urgent: USER before NORMAL before BULK. A queue (what waits of one tenant and priority) that waits for its
   turn rises by one each `AGEING_S`, so that bulk is served at least every two minutes, however much else there is;
   served, it is as urgent as it was.
2. Among equals the tenant with the fewest running jobs, then the one served longest ago: 10,000 files of one tenant do
   not keep another waiting.
3. The oldest.
"""

from __future__ import annotations

import asyncio
import random
from collections.abc import Awaitable, Collection, Mapping, Sequence
from contextlib import AbstractContextManager, suppress
from datetime import timedelta
from typing import Any, TypeVar
from uuid import UUID

import structlog
from opentelemetry.trace import Span, Status, StatusCode
from prometheus_client import Counter, Histogram
from sqlalchemy.ext.asyncio import AsyncConnection

from dragoman.jobs import groups, repository
from dragoman.jobs.entities import Job, JobKind, JobSender, JobState, NewJob, Priority
from dragoman.jobs.errors import BrokerUnavailableError
from dragoman.jobs.live import SignalBoard, channel_of, event_as_json, event_messages
from dragoman.jobs.steps import StepTimes
from dragoman.kit import tracing
from dragoman.kit.cache import Cache
from dragoman.kit.clock import Stopwatch, new_id, now
from dragoman.kit.database import Database
from dragoman.kit.errors import DragomanError

_log = structlog.get_logger(__name__)
_Result = TypeVar("_Result")

HEARTBEAT_S = 4.0
CANCEL_CHECK_S = 0.6  # a cancelled job stops within this and the time of a query
LEASE_S = 15.0  # three heartbeats and some: a worker that is killed gives its jobs back after this long
AGEING_S = 20.0
PROGRESS_INTERVAL_S = 0.25
_REAP_BATCH = 2000
_OUTAGE_S = 10.0  # between two looks whether a part that was away is back
_BACKOFF_S = (2.0, 10.0, 60.0, 300.0)
EVENT_STREAM = "dragoman:events"
_EVENT_STREAM_LENGTH = 10_000
KEEP_FINISHED = timedelta(days=7)
KEEP_GROUPS = timedelta(days=30)

JOBS_FINISHED = Counter("dragoman_jobs_finished_total", "Attempts at jobs by kind and outcome.", ["kind", "outcome"])
JOB_SECONDS = Histogram(
    "dragoman_job_seconds",
    "Duration of attempts at jobs; of a batch, the share of each job.",
    ["kind"],
    buckets=(0.001, 0.01, 0.1, 0.5, 1, 2, 5, 10, 30, 60, 300, 1800),
)


# ---- before


async def enqueue(
    connection: AsyncConnection,
    *,
    tenant_id: UUID,
    kind: str,
    payload: dict[str, Any],
    priority: Priority = Priority.NORMAL,
    max_attempts: int = 5,
    group_id: UUID | None = None,
    subject_id: UUID | None = None,
) -> Job:
    """Write the job in the transaction of the change that needs it. Call `announce_many` after the commit.

    Raises:
        GroupNotFoundError, GroupCancelledError.
    """
    new = NewJob(
        kind=kind,
        payload=payload,
        priority=priority,
        max_attempts=max_attempts,
        group_id=group_id,
        subject_id=subject_id,
    )
    [job] = await enqueue_many(connection, [new], tenant_id=tenant_id)
    return job


async def enqueue_many(connection: AsyncConnection, new: Sequence[NewJob], *, tenant_id: UUID) -> list[Job]:
    """Write many jobs at once, in the order in which they shall run. Call `announce_many` after the commit.

    Raises:
        GroupNotFoundError, GroupCancelledError.
    """
    states: dict[UUID | None, JobState] = {None: JobState.QUEUED}
    for group_id in sorted({each.group_id for each in new if each.group_id is not None}):
        states[group_id] = await groups.state_of_new_jobs(connection, tenant_id=tenant_id, group_id=group_id)
    jobs = [_queued(each, tenant_id, states[each.group_id]) for each in new]
    if jobs:
        await repository.insert_jobs(connection, jobs)
    return jobs


def _queued(new: NewJob, tenant_id: UUID, state: JobState) -> Job:
    moment = now()
    return Job(
        id=new_id(),
        tenant_id=tenant_id,
        kind=new.kind,
        payload=new.payload,
        state=state,
        priority=int(new.priority),
        progress=0.0,
        step="",
        attempts=0,
        max_attempts=new.max_attempts,
        error_code=None,
        error_message=None,
        run_after=moment,
        created_at=moment,
        started_at=None,
        finished_at=None,
        group_id=new.group_id,
        subject_id=new.subject_id,
        traceparent=tracing.traceparent(),
    )


async def announce_many(sender: JobSender, jobs: Sequence[Job]) -> None:
    """Wake the workers, after the commit: one message for each priority, however many jobs there are."""
    await wake_workers(sender, {job.priority for job in jobs if job.state is JobState.QUEUED})


async def wake_workers(sender: JobSender, priorities: Collection[int]) -> None:
    """Say that jobs of these priorities wait. Without a broker the workers find them a little later by themselves."""
    for priority in sorted(priorities):
        try:
            await sender.send(priority=priority)
        except BrokerUnavailableError as error:
            _log.warning("jobs.announce_failed", priority=priority, reason=str(error))
            return


async def emit(connection: AsyncConnection, *, tenant_id: UUID, topic: str, payload: dict[str, Any]) -> None:
    """Write an event in the transaction of the change it tells of; the scheduler publishes it."""
    await emit_many(connection, tenant_id=tenant_id, topic=topic, payloads=[payload])


async def emit_many(
    connection: AsyncConnection, *, tenant_id: UUID, topic: str, payloads: Sequence[dict[str, Any]]
) -> None:
    """Write an event for each payload, in their order."""
    events = [(new_id(), topic, payload) for payload in payloads]
    await repository.insert_events(connection, events, tenant_id=tenant_id)


# ---- running


async def execute_next(
    database: Database,
    kinds: Mapping[str, JobKind],
    *,
    max_priority: int = Priority.BULK,
    board: SignalBoard | None = None,
) -> int:
    """Run one attempt at the job whose turn it is, with those like it that its kind runs at once; how many ran.

    `max_priority`: only jobs at least as urgent as this, as they were enqueued.
    """
    lease = new_id()
    async with database.system_transaction() as connection:
        claimed = await repository.claim_best(
            connection,
            lease=lease,
            max_priority=max_priority,
            ageing_s=AGEING_S,
            batch_sizes={kind.name: kind.batch_sizes for kind in kinds.values() if kind.batch_body is not None},
        )
    if claimed:
        await _run(kinds, _Attempt(database, claimed, lease, board))
    return len(claimed)


async def execute(
    database: Database,
    kinds: Mapping[str, JobKind],
    *,
    tenant_id: UUID,
    job_id: UUID,
    board: SignalBoard | None = None,
) -> None:
    """Run one attempt at this job, unless somebody else does or it is finished."""
    lease = new_id()
    async with database.system_transaction() as connection:
        job = await repository.claim_job(
            connection,
            tenant_id=tenant_id,
            job_id=job_id,
            lease=lease,
            stale_before=now() - timedelta(seconds=LEASE_S),
        )
    if job is not None:
        await _run(kinds, _Attempt(database, [job], lease, board))


async def _run(kinds: Mapping[str, JobKind], attempt: _Attempt) -> None:
    job, watch = attempt.jobs[0], Stopwatch()
    place = structlog.contextvars.bound_contextvars(job_id=str(job.id), job_kind=job.kind, tenant_id=str(job.tenant_id))
    with place, _span_of(attempt.jobs) as span:
        outcomes = await _attempt(kinds.get(job.kind), attempt)
        if {"failed", "retried"} & set(outcomes):
            span.set_status(Status(StatusCode.ERROR))
        for outcome in outcomes:
            JOB_SECONDS.labels(job.kind).observe(watch.elapsed_ms / 1000 / len(attempt.jobs))
            JOBS_FINISHED.labels(job.kind, outcome).inc()
        _log.info(
            "jobs.attempt_ended",
            outcome=outcomes[0] if len(set(outcomes)) == 1 else "mixed",
            attempt=job.attempts,
            jobs=len(attempt.jobs),
            duration_ms=round(watch.elapsed_ms),
        )


def _span_of(jobs: Sequence[Job]) -> AbstractContextManager[Span]:
    """A job that somebody waits for goes on with the trace that enqueued it. All others begin one, linked to theirs.

    The trace of a bulk import, a sync or a request tried again an hour later would not end.
    """
    job = jobs[0]
    is_waited_for = len(jobs) == 1 and job.group_id is None and job.attempts <= 1 and job.priority <= Priority.USER
    parent = tracing.remote({"traceparent": job.traceparent}) if is_waited_for and job.traceparent else None
    return tracing.span(
        f"job {job.kind}",
        kind=tracing.CONSUMER,
        parent=parent or tracing.new_trace(),
        links=[] if parent else tracing.links_to([each.traceparent for each in jobs]),
        dragoman__job__id=str(job.id),
        dragoman__job__kind=job.kind,
        dragoman__job__attempt=job.attempts,
        dragoman__job__count=len(jobs),
        dragoman__tenant_id=str(job.tenant_id),
    )


async def _attempt(kind: JobKind | None, attempt: _Attempt) -> list[str]:
    """Run the jobs; how each of them ended."""
    job = attempt.jobs[0]
    if kind is None:
        return [await attempt.give_up(None, job, "jobs.unknown_kind", f"No worker here knows {job.kind!r}.")]
    if job.attempts > job.max_attempts:
        reason = "The worker stopped in the middle of this job each time it was tried. The document may be too heavy."
        return [await attempt.give_up(kind, job, "jobs.crashed", reason)]
    if len(attempt.jobs) > 1 and kind.batch_body is not None:
        return await _attempt_batch(kind, kind.batch_body(attempt.jobs, attempt), attempt)
    try:
        await attempt.under_lease(kind.body(job, attempt))
    except _LeaseLost:
        return ["lost"]
    except Exception as error:  # noqa: BLE001 - whatever a body raises is recorded on the job's row
        return [await attempt.handle_failure(kind, job, error)]
    await attempt.succeed([job])
    return ["succeeded"]


async def _attempt_batch(kind: JobKind, body: Awaitable[Mapping[UUID, Exception]], attempt: _Attempt) -> list[str]:
    try:
        errors = await attempt.under_lease(body)
    except _LeaseLost:
        return ["lost"] * len(attempt.jobs)
    except Exception as error:  # noqa: BLE001 - nobody knows whose fault it is: each job runs again, alone
        code, message = describe(error)
        _log.warning("jobs.attempt_failed", code=code, reason=message, exc_info=not isinstance(error, DragomanError))
        await attempt.put_back(attempt.jobs, run_after_s=0.0, code=code, message=message)
        return ["retried"] * len(attempt.jobs)
    await attempt.succeed([job for job in attempt.jobs if job.id not in errors])
    outcomes = ["succeeded"] * (len(attempt.jobs) - len(errors))
    failed = [job for job in attempt.jobs if job.id in errors]
    return outcomes + [await attempt.handle_failure(kind, job, errors[job.id]) for job in failed]


class _LeaseLost(Exception):  # noqa: N818 - no error: somebody else runs the jobs, or they were cancelled
    """None of the jobs is ours any more."""


class _Attempt:
    """The jobs that this worker holds under one lease; told to their body as its `Progress`."""

    def __init__(self, database: Database, jobs: list[Job], lease: UUID, board: SignalBoard | None) -> None:
        self.jobs, self.lost = jobs, set[UUID]()
        self._database, self._board = database, board
        self._tenant_id, self._lease = jobs[0].tenant_id, lease
        self._unwritten, self._since = dict[UUID, tuple[str, float]](), Stopwatch()
        self._steps = StepTimes()
        self._tell(jobs, state=JobState.RUNNING, step="", progress=0.0)

    async def __call__(self, step: str, fraction: float, job_ids: Collection[UUID] | None = None) -> None:
        """Tell the progress, and write it if that was not done just now; else `_keep` does so shortly after."""
        fraction = min(max(fraction, 0.0), 1.0)
        wanted = None if job_ids is None else set(job_ids)
        told = self.jobs if wanted is None else [job for job in self.jobs if job.id in wanted]
        self._steps.tell([job.id for job in told], step)
        self._tell(told, state=JobState.RUNNING, step=step, progress=fraction)
        self._unwritten.update({job.id: (step, fraction) for job in told})
        if self._since.elapsed_ms >= PROGRESS_INTERVAL_S * 1000:
            await self._write_progress()

    async def _write_progress(self) -> None:
        self._since = Stopwatch()
        unwritten, self._unwritten = self._unwritten, {}
        for progress in dict.fromkeys(unwritten.values()):
            await self._beat([job for job in self.jobs if unwritten.get(job.id) == progress], progress)

    async def under_lease(self, body: Awaitable[_Result]) -> _Result:
        """The body's result, while the lease is kept alive.

        Raises:
            _LeaseLost: the body was stopped, because none of the jobs is ours any more.
        """
        work = asyncio.ensure_future(body)
        keeping = asyncio.create_task(self._keep(work))
        try:
            return await work
        except asyncio.CancelledError:
            if work.cancelled() and not _is_being_cancelled():
                raise _LeaseLost from None
            raise
        finally:
            keeping.cancel()
            with suppress(asyncio.CancelledError):
                await keeping

    async def _keep(self, work: asyncio.Future[Any]) -> None:
        """Renew the lease and write progress until cancelled; stop the work when no job of it is ours any more."""
        since = Stopwatch()
        while True:
            await asyncio.sleep(min(HEARTBEAT_S, CANCEL_CHECK_S))
            is_due = since.elapsed_ms >= HEARTBEAT_S * 1000
            try:
                await self._write_progress()
                await (self._beat(self.jobs) if is_due else self._look())
            except DragomanError as error:
                _log.warning("jobs.heartbeat_failed", reason=str(error))
                continue
            if is_due:
                since = Stopwatch()
            if len(self.lost) == len(self.jobs):
                work.cancel()
                return

    async def _beat(self, jobs: Sequence[Job], progress: tuple[str, float] | None = None) -> None:
        ids = [job.id for job in jobs if job.id not in self.lost]
        if ids:
            async with self._database.system_transaction() as connection:
                held = await repository.beat(
                    connection, tenant_id=self._tenant_id, job_ids=ids, lease=self._lease, progress=progress
                )
            self.lost.update(set(ids) - held)

    async def _look(self) -> None:
        ids = [job.id for job in self.jobs]
        async with self._database.system_transaction() as connection:
            held = await repository.list_held(connection, tenant_id=self._tenant_id, job_ids=ids, lease=self._lease)
        self.lost.update(set(ids) - held)

    async def succeed(self, jobs: Sequence[Job]) -> None:
        if not jobs:
            return
        ids = [job.id for job in jobs]
        step_ms = self._steps.finish(ids)
        async with self._database.system_transaction() as connection:
            await repository.succeed(
                connection, tenant_id=self._tenant_id, job_ids=ids, lease=self._lease, step_ms=step_ms
            )
        self._tell(jobs, state=JobState.SUCCEEDED, step="done", progress=1.0)

    async def handle_failure(self, kind: JobKind, job: Job, error: Exception) -> str:
        await self._look()
        if job.id in self.lost:  # cancelled meanwhile: its failure is of no interest, and must not be told
            return "lost"
        code, message = describe(error)
        retryable = error.retryable if isinstance(error, DragomanError) else True
        _log.warning("jobs.attempt_failed", code=code, reason=message, exc_info=_trace_of(error))
        if isinstance(error, DragomanError) and error.is_outage:
            delay_s = _OUTAGE_S * random.uniform(0.8, 1.2)
            await self.put_back([job], run_after_s=delay_s, code=code, message=message, counts=False)
            return "retried"
        if not retryable or job.attempts >= job.max_attempts:
            return await self.give_up(kind, job, code, message)
        delay_s = _BACKOFF_S[min(job.attempts, len(_BACKOFF_S)) - 1] * random.uniform(0.8, 1.2)
        await self.put_back([job], run_after_s=delay_s, code=code, message=message)
        return "retried"

    async def put_back(
        self, jobs: Sequence[Job], *, run_after_s: float, code: str, message: str, counts: bool = True
    ) -> None:
        """Let the jobs wait for another attempt. `counts`: this one was an attempt."""
        async with self._database.system_transaction() as connection:
            for group_id in sorted({job.group_id for job in jobs}, key=str):
                state = await groups.state_of_returned_jobs(connection, tenant_id=self._tenant_id, group_id=group_id)
                await repository.put_back(
                    connection,
                    tenant_id=self._tenant_id,
                    job_ids=[job.id for job in jobs if job.group_id == group_id],
                    lease=self._lease,
                    state=state,
                    run_after=now() + timedelta(seconds=run_after_s),
                    error_code=code,
                    error_message=message,
                    counts=counts,
                )
        self._tell(jobs, state=JobState.QUEUED, step="waiting", progress=0.0, error=(code, message))

    async def give_up(self, kind: JobKind | None, job: Job, code: str, message: str) -> str:
        if kind is not None and kind.on_failed is not None:
            await kind.on_failed(job, code, message)
        async with self._database.system_transaction() as connection:
            await repository.fail(
                connection,
                tenant_id=self._tenant_id,
                job_id=job.id,
                lease=self._lease,
                error_code=code,
                error_message=message,
                step_ms=self._steps.finish([job.id]),
            )
        self._tell([job], state=JobState.FAILED, step="failed", progress=1.0, error=(code, message))
        return "failed"

    def _tell(self, jobs: Sequence[Job], **signal: Any) -> None:
        if self._board is not None:
            self._board.tell([job for job in jobs if job.id not in self.lost], **signal)


def _is_being_cancelled() -> bool:
    task = asyncio.current_task()
    return task is not None and task.cancelling() > 0


def _trace_of(error: Exception) -> Exception | None:
    return None if isinstance(error, DragomanError) else error


def describe(error: Exception) -> tuple[str, str]:
    """Code and message of an error as a user may read them; what was not foreseen shows its kind only."""
    if isinstance(error, DragomanError):
        return error.code, error.message
    return "internal", f"An unforeseen error of the kind {type(error).__name__}; the worker's log tells more."


# ---- again and again: the rounds of the scheduler


async def reap(database: Database, sender: JobSender) -> int:
    """Let jobs of silent workers wait again, and wake the workers if any job waits; how many messages were sent.

    Raises:
        BrokerUnavailableError, DatabaseUnavailableError.
    """
    async with database.system_transaction() as connection:
        stale_before = now() - timedelta(seconds=LEASE_S)
        await repository.give_back_silent(connection, stale_before=stale_before, limit=_REAP_BATCH)
        await repository.pause_strays(connection)
        due = await repository.list_due_priorities(connection)
    for priority in due:
        await sender.send(priority=priority)
    return len(due)


async def publish_events(database: Database, cache: Cache, *, limit: int = 500) -> int:
    """Move outbox events to the stream `dragoman:events` in Valkey, at least once and in order; the number moved.

    Those who listen now hear of them too: see `live`.
    """
    async with database.system_transaction() as connection:
        events = await repository.take_unpublished(connection, limit=limit)
        if not events:
            return 0
        told: dict[UUID, list[str]] = {}
        async with cache.client.pipeline(transaction=False) as pipeline:
            for event in events:
                fields = {
                    "id": str(event.id),
                    "tenant_id": str(event.tenant_id),
                    "topic": event.topic,
                    "payload": event.payload,
                }
                pipeline.xadd(EVENT_STREAM, fields, maxlen=_EVENT_STREAM_LENGTH, approximate=True)  # type: ignore[arg-type]
                told.setdefault(event.tenant_id, []).append(event_as_json(event.id, event.topic, event.payload))
            for tenant_id, of_tenant in told.items():
                for message in event_messages(of_tenant):
                    pipeline.publish(channel_of(tenant_id), message)
            await pipeline.execute()
        await repository.mark_published(connection, [event.id for event in events])
    return len(events)


async def sweep(database: Database, *, keep: timedelta = KEEP_FINISHED, keep_groups: timedelta = KEEP_GROUPS) -> int:
    """Delete finished jobs and published events older than `keep`, and groups that ended before `keep_groups`.

    Failed jobs stay to be looked at; jobs of a group stay as long as their group.
    """
    async with database.system_transaction() as connection:
        deleted = await repository.delete_groups(connection, before=now() - keep_groups)
        deleted += await repository.delete_finished(connection, before=now() - keep)
        await repository.delete_idle_queues(connection, before=now() - keep)
        return deleted + await repository.delete_published(connection, older_than=keep)
