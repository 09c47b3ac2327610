"""SQL of jobs and outbox events. Inserts run in the tenant's transaction, all else as `system`."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

from sqlalchemy import Row, and_, delete, func, insert, or_, select, update
from sqlalchemy.ext.asyncio import AsyncConnection

from dragoman.jobs.entities import Job, JobState
from dragoman.jobs.tables import jobs, outbox_events


async def insert_job(connection: AsyncConnection, job: Job) -> None:
    await connection.execute(
        insert(jobs).values(
            tenant_id=job.tenant_id,
            id=job.id,
            kind=job.kind,
            payload=job.payload,
            state=job.state.value,
            priority=job.priority,
            max_attempts=job.max_attempts,
            run_after=job.run_after,
            created_at=job.created_at,
        )
    )


async def find_job(connection: AsyncConnection, *, tenant_id: UUID, job_id: UUID) -> Job | None:
    query = select(jobs).where(jobs.c.tenant_id == tenant_id, jobs.c.id == job_id)
    row = (await connection.execute(query)).one_or_none()
    return None if row is None else _job(row)


async def claim_job(
    connection: AsyncConnection, *, tenant_id: UUID, job_id: UUID, lease: UUID, stale_before: datetime
) -> Job | None:
    """Take the job if it waits, or if whoever ran it has not been heard of since `stale_before`; None if it is not free."""
    free = or_(
        and_(jobs.c.state == JobState.QUEUED.value, jobs.c.run_after <= func.now()),
        and_(jobs.c.state == JobState.RUNNING.value, jobs.c.heartbeat_at < stale_before),
    )
    row = (
        await connection.execute(
            update(jobs)
            .where(jobs.c.tenant_id == tenant_id, jobs.c.id == job_id, free)
            .values(
                state=JobState.RUNNING.value,
                lease=lease,
                attempts=jobs.c.attempts + 1,
                heartbeat_at=func.now(),
                started_at=func.coalesce(jobs.c.started_at, func.now()),
            )
            .returning(jobs)
        )
    ).one_or_none()
    return None if row is None else _job(row)


async def beat(
    connection: AsyncConnection,
    *,
    tenant_id: UUID,
    job_id: UUID,
    lease: UUID,
    progress: tuple[str, float] | None = None,
) -> bool:
    """Say that the job is alive, and how far; False when it is no longer ours."""
    values: dict[str, Any] = {"heartbeat_at": func.now()}
    if progress is not None:
        values |= {"step": progress[0], "progress": progress[1]}
    return await _update_leased(connection, tenant_id, job_id, lease, values)


async def succeed(connection: AsyncConnection, *, tenant_id: UUID, job_id: UUID, lease: UUID) -> bool:
    values = {
        "state": JobState.SUCCEEDED.value,
        "progress": 1.0,
        "step": "done",
        "finished_at": func.now(),
        "lease": None,
    }
    return await _update_leased(connection, tenant_id, job_id, lease, values)


async def retry_later(
    connection: AsyncConnection,
    *,
    tenant_id: UUID,
    job_id: UUID,
    lease: UUID,
    run_after: datetime,
    error_code: str,
    error_message: str,
) -> bool:
    values = {
        "state": JobState.QUEUED.value,
        "run_after": run_after,
        "sent_at": None,
        "lease": None,
        "error_code": error_code,
        "error_message": error_message,
    }
    return await _update_leased(connection, tenant_id, job_id, lease, values)


async def fail(
    connection: AsyncConnection, *, tenant_id: UUID, job_id: UUID, lease: UUID, error_code: str, error_message: str
) -> bool:
    values = {
        "state": JobState.FAILED.value,
        "finished_at": func.now(),
        "lease": None,
        "error_code": error_code,
        "error_message": error_message,
    }
    return await _update_leased(connection, tenant_id, job_id, lease, values)


async def take_unsent(
    connection: AsyncConnection, *, stale_before: datetime, resend_before: datetime, limit: int
) -> list[Job]:
    """Jobs that wait but whose message was never sent or seems lost, and those whose worker fell silent; marks them as sent."""
    due = and_(
        jobs.c.state == JobState.QUEUED.value,
        jobs.c.run_after <= func.now(),
        or_(jobs.c.sent_at.is_(None), jobs.c.sent_at < resend_before),
    )
    silent = and_(
        jobs.c.state == JobState.RUNNING.value,
        jobs.c.heartbeat_at < stale_before,
        or_(jobs.c.sent_at.is_(None), jobs.c.sent_at < stale_before),
    )
    chosen = (
        select(jobs.c.tenant_id, jobs.c.id)
        .where(or_(due, silent))
        .order_by(jobs.c.priority, jobs.c.id)
        .limit(limit)
        .with_for_update(skip_locked=True)
        .cte("chosen")
    )
    rows = await connection.execute(
        update(jobs)
        .where(jobs.c.tenant_id == chosen.c.tenant_id, jobs.c.id == chosen.c.id)
        .values(sent_at=func.now())
        .returning(jobs)
    )
    return sorted((_job(row) for row in rows), key=lambda job: (job.priority, job.id))


async def mark_sent(connection: AsyncConnection, *, tenant_id: UUID, job_id: UUID) -> None:
    await connection.execute(
        update(jobs).where(jobs.c.tenant_id == tenant_id, jobs.c.id == job_id).values(sent_at=func.now())
    )


async def delete_finished(connection: AsyncConnection, *, before: datetime) -> int:
    finished = jobs.c.state.in_([JobState.SUCCEEDED.value, JobState.CANCELLED.value])
    return (await connection.execute(delete(jobs).where(finished, jobs.c.finished_at < before))).rowcount


# ---- outbox


async def insert_event(
    connection: AsyncConnection, *, tenant_id: UUID, event_id: UUID, topic: str, payload: dict[str, Any]
) -> None:
    await connection.execute(
        insert(outbox_events).values(tenant_id=tenant_id, id=event_id, topic=topic, payload=payload)
    )


async def take_unpublished(connection: AsyncConnection, *, limit: int) -> list[Row[Any]]:
    """The oldest events not yet published, locked until the transaction ends."""
    query = (
        select(outbox_events)
        .where(outbox_events.c.published_at.is_(None))
        .order_by(outbox_events.c.id)
        .limit(limit)
        .with_for_update(skip_locked=True)
    )
    return list(await connection.execute(query))


async def mark_published(connection: AsyncConnection, event_ids: list[UUID]) -> None:
    await connection.execute(
        update(outbox_events).where(outbox_events.c.id.in_(event_ids)).values(published_at=func.now())
    )


async def delete_published(connection: AsyncConnection, *, older_than: timedelta) -> int:
    old = outbox_events.c.published_at < func.now() - older_than
    return (await connection.execute(delete(outbox_events).where(old))).rowcount


async def _update_leased(
    connection: AsyncConnection, tenant_id: UUID, job_id: UUID, lease: UUID, values: dict[str, Any]
) -> bool:
    changed = await connection.execute(
        update(jobs).where(jobs.c.tenant_id == tenant_id, jobs.c.id == job_id, jobs.c.lease == lease).values(**values)
    )
    return changed.rowcount == 1


def _job(row: Row[Any]) -> Job:
    return Job(
        id=row.id,
        tenant_id=row.tenant_id,
        kind=row.kind,
        payload=row.payload,
        state=JobState(row.state),
        priority=row.priority,
        progress=row.progress,
        step=row.step,
        attempts=row.attempts,
        max_attempts=row.max_attempts,
        error_code=row.error_code,
        error_message=row.error_message,
        run_after=row.run_after,
        created_at=row.created_at,
        started_at=row.started_at,
        finished_at=row.finished_at,
    )
