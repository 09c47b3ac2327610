"""SQL of jobs, their groups and queues, and outbox events.

What a person or a change asks for runs in the tenant's transaction, what workers and the scheduler do as `system`.
Locks are taken in one order everywhere: the group, then its jobs by id.
"""

from __future__ import annotations

import json
from collections.abc import Collection, Mapping, Sequence
from datetime import datetime, timedelta
from typing import Any, Final
from uuid import UUID

from sqlalchemy import (
    ARRAY,
    ColumnElement,
    Row,
    Select,
    TextClause,
    Uuid,
    and_,
    any_,
    delete,
    exists,
    func,
    insert,
    literal,
    or_,
    select,
    text,
    update,
)
from sqlalchemy.dialects.postgresql import JSONB
from sqlalchemy.ext.asyncio import AsyncConnection

from dragoman.jobs.entities import GroupState, Job, JobFilter, JobGroup, JobState
from dragoman.jobs.tables import job_groups, job_queues, jobs, outbox_events
from dragoman.kit.database import insert_rows
from dragoman.kit.pagination import PageRequest

_WAITING = (JobState.QUEUED.value, JobState.PAUSED.value)
_UNFINISHED = (*_WAITING, JobState.RUNNING.value)
_TRACEPARENT = "_traceparent"  # beside the payload of jobs that were enqueued in a trace
_TRIED_QUEUES = 8  # more than workers that may claim in the same millisecond

# ---- writing and finding jobs


async def insert_jobs(connection: AsyncConnection, new: Sequence[Job]) -> None:
    rows = [
        {
            "tenant_id": job.tenant_id,
            "id": job.id,
            "kind": job.kind,
            "payload": job.payload if job.traceparent is None else {**job.payload, _TRACEPARENT: job.traceparent},
            "state": job.state.value,
            "priority": job.priority,
            "max_attempts": job.max_attempts,
            "run_after": job.run_after,
            "created_at": job.created_at,
            "group_id": job.group_id,
            "subject_id": job.subject_id,
        }
        for job in new
    ]
    await insert_rows(connection, jobs, rows)


async def find_job(connection: AsyncConnection, *, tenant_id: UUID, job_id: UUID) -> Job | None:
    query = select(jobs).where(jobs.c.tenant_id == tenant_id, jobs.c.id == job_id)
    row = (await connection.execute(query)).one_or_none()
    return None if row is None else _job(row)


async def is_queued(connection: AsyncConnection, *, tenant_id: UUID, kind: str, subject_id: UUID) -> bool:
    """Whether such a job waits. One that runs may be past what is new."""
    waits = exists().where(
        jobs.c.tenant_id == tenant_id,
        jobs.c.subject_id == subject_id,
        jobs.c.kind == kind,
        jobs.c.state == JobState.QUEUED.value,
    )
    return bool((await connection.execute(select(waits))).scalar_one())


async def list_jobs(
    connection: AsyncConnection, *, tenant_id: UUID, wanted: JobFilter, page: PageRequest
) -> tuple[list[Job], int]:
    """A page of jobs, newest first, and how many there are in all."""
    conditions = _conditions(tenant_id, wanted)
    total = (await connection.execute(select(func.count()).select_from(jobs).where(*conditions))).scalar_one()
    query = select(jobs).where(*conditions).order_by(jobs.c.id.desc()).limit(page.limit).offset(page.offset)
    return [_job(row) for row in await connection.execute(query)], total


def _conditions(tenant_id: UUID, wanted: JobFilter) -> list[ColumnElement[bool]]:
    conditions: list[ColumnElement[bool]] = [jobs.c.tenant_id == tenant_id]
    if wanted.state is not None:
        conditions.append(jobs.c.state == wanted.state.value)
    for column, value in (
        (jobs.c.kind, wanted.kind),
        (jobs.c.group_id, wanted.group_id),
        (jobs.c.subject_id, wanted.subject_id),
        (jobs.c.error_code, wanted.error_code),
    ):
        if value is not None:
            conditions.append(column == value)
    if wanted.chatbot_id is not None:
        conditions.append(jobs.c.payload["chatbot_id"].as_string() == str(wanted.chatbot_id))
    if wanted.hidden_chatbots:
        chatbot = func.coalesce(jobs.c.payload["chatbot_id"].as_string(), "")
        conditions.append(chatbot.not_in(sorted(map(str, wanted.hidden_chatbots))))
    return conditions


async def count_waiting(connection: AsyncConnection) -> list[Row[Any]]:
    """How many jobs wait, pause and run, by state and priority, and since when the oldest could have been started."""
    oldest = func.extract("epoch", func.now() - func.min(jobs.c.run_after))
    query = (
        select(jobs.c.state, jobs.c.priority, func.count().label("jobs"), func.greatest(oldest, 0).label("oldest_s"))
        .where(jobs.c.state.in_(_UNFINISHED))
        .group_by(jobs.c.state, jobs.c.priority)
    )
    return list(await connection.execute(query))


async def count_unpublished(connection: AsyncConnection) -> int:
    query = select(func.count()).select_from(outbox_events).where(outbox_events.c.published_at.is_(None))
    return int((await connection.execute(query)).scalar_one())


# ---- claiming

# `heads` hops from queue to queue (a queue: what waits of one tenant and priority), one index probe each, so that its
# cost grows with the queues and not with the jobs. `first` takes a job of the best queue, or of the next best ones
# where other workers hold all of it; `more` takes jobs like it that were never tried.
_CLAIM_BEST = text("""
with recursive heads as (
    (
        select priority, tenant_id, run_after from jobs
        where state = 'queued' and priority <= :max_priority
        order by priority, tenant_id, run_after, id limit 1
    )
    union all
    select next.priority, next.tenant_id, next.run_after
    from heads cross join lateral (
        select priority, tenant_id, run_after from jobs
        where state = 'queued' and priority <= :max_priority
          and (priority, tenant_id) > (heads.priority, heads.tenant_id)
        order by priority, tenant_id, run_after, id limit 1
    ) next
), running as (
    select tenant_id, count(*) as jobs from jobs where state = 'running' group by tenant_id
), queues as (
    select heads.priority, heads.tenant_id
    from heads left join running using (tenant_id) left join job_queues served using (tenant_id, priority)
    where heads.run_after <= now()
    order by
        heads.priority - floor(extract(epoch from now() - greatest(heads.run_after, served.served_at)) / :ageing_s),
        coalesce(running.jobs, 0),
        served.served_at nulls first,
        heads.run_after
    limit :tried_queues
), first as (
    select one.* from queues cross join lateral (
        select tenant_id, id, priority, run_after, kind, payload ->> 'chatbot_id' as chatbot_id,
            case when attempts = 0 and max_attempts > 1
                then coalesce((cast(:batch_sizes as jsonb) -> kind ->> 0)::integer, 1) else 1 end as batch_size,
            coalesce((cast(:batch_sizes as jsonb) -> kind ->> 1)::integer, 1) as small_batch
        from jobs
        where state = 'queued' and priority = queues.priority and tenant_id = queues.tenant_id and run_after <= now()
        order by run_after, id limit 1
        for update skip locked
    ) one
    limit 1
), near as (
    select nearby.id from first cross join lateral (
        select id, kind, attempts, max_attempts, payload ->> 'chatbot_id' as chatbot_id from jobs
        where state = 'queued' and priority = first.priority and tenant_id = first.tenant_id and run_after <= now()
          and (run_after, id) > (first.run_after, first.id)
        order by run_after, id
        limit :looked_at
    ) nearby
    where first.batch_size > 1 and nearby.kind = first.kind and nearby.attempts = 0 and nearby.max_attempts > 1
      and nearby.chatbot_id is not distinct from first.chatbot_id
), more as (
    select id from jobs
    where tenant_id = (select tenant_id from first) and id = any(array(select id from near)) and state = 'queued'
    order by id
    limit (select least(batch_size, greatest(small_batch, (select count(*) from near) / 3)) - 1 from first)
    for update skip locked
), taken as (
    update jobs set state = 'running', lease = :lease, attempts = attempts + 1, heartbeat_at = now(),
        started_at = coalesce(started_at, now())
    where tenant_id = (select tenant_id from first)
      and id = any(array(select id from first union all select id from more))
    returning *
), served as (
    insert into job_queues (tenant_id, priority, served_at) select tenant_id, priority, now() from first
    on conflict (tenant_id, priority) do update set served_at = excluded.served_at
)
select * from taken order by run_after, id
""").columns(*jobs.c)


async def claim_best(
    connection: AsyncConnection,
    *,
    lease: UUID,
    max_priority: int,
    ageing_s: float,
    batch_sizes: Mapping[str, tuple[int, int]],
) -> list[Job]:
    """Take the job whose turn it is, and as many like it as its kind runs at once; empty when none waits.

    `batch_sizes`: of each kind that runs many at once, see `JobKind.batch_sizes`.
    """
    rows = await connection.execute(
        _CLAIM_BEST,
        {
            "lease": lease,
            "max_priority": max_priority,
            "ageing_s": ageing_s,
            "batch_sizes": json.dumps(dict(batch_sizes)),
            "looked_at": 4 * max((most for most, _ in batch_sizes.values()), default=1),
            "tried_queues": _TRIED_QUEUES,
        },
    )
    return [_job(row) for row in rows]


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


# ---- running


_HELD = "tenant_id = :tenant_id and id = any(cast(:job_ids as uuid[])) and lease = :lease"


def _change_held(values: str) -> TextClause:
    """Change those of the jobs that are still held under the lease; returns their ids."""
    return text(
        f"update jobs set {values} where tenant_id = :tenant_id "  # noqa: S608 - constants of this file
        f"and id = any(array(select id from jobs where {_HELD} order by id for update)) returning id"
    )


_LIST_HELD = text(f"select id from jobs where {_HELD}")  # noqa: S608 - constants of this file
_BEAT = _change_held("heartbeat_at = now()")
_WRITE_PROGRESS = _change_held("heartbeat_at = now(), step = :step, progress = :progress")
_SUCCEED = _change_held(
    "state = 'succeeded', progress = 1, step = 'done', finished_at = now(), lease = null, "
    "error_code = null, error_message = null, step_ms = coalesce(cast(:step_ms as jsonb) -> cast(id as text), '{}')"
)
_PUT_BACK = _change_held(
    "state = :state, run_after = :run_after, lease = null, error_code = :error_code, error_message = :error_message, "
    "attempts = greatest(attempts - cast(:uncounted as integer), 0)"
)
_FAIL = _change_held(
    "state = 'failed', finished_at = now(), lease = null, error_code = :error_code, error_message = :error_message, "
    "step_ms = coalesce(cast(:step_ms as jsonb) -> cast(id as text), '{}')"
)


async def _ask_held(
    connection: AsyncConnection,
    statement: TextClause,
    *,
    tenant_id: UUID,
    job_ids: Collection[UUID],
    lease: UUID,
    **values: Any,
) -> set[UUID]:
    parameters = {"tenant_id": tenant_id, "job_ids": list(job_ids), "lease": lease, **values}
    return set((await connection.execute(statement, parameters)).scalars())


async def list_held(
    connection: AsyncConnection, *, tenant_id: UUID, job_ids: Collection[UUID], lease: UUID
) -> set[UUID]:
    """Those of the jobs that are still held under this lease."""
    return await _ask_held(connection, _LIST_HELD, tenant_id=tenant_id, job_ids=job_ids, lease=lease)


async def beat(
    connection: AsyncConnection,
    *,
    tenant_id: UUID,
    job_ids: Collection[UUID],
    lease: UUID,
    progress: tuple[str, float] | None = None,
) -> set[UUID]:
    """Say that the jobs are alive, and how far; returns those that are still ours."""
    held: dict[str, Any] = {"tenant_id": tenant_id, "job_ids": job_ids, "lease": lease}
    if progress is None:
        return await _ask_held(connection, _BEAT, **held)
    step, fraction = progress
    return await _ask_held(connection, _WRITE_PROGRESS, **held, step=step, progress=fraction)


StepMs = Mapping[str, Mapping[str, float]]
"""By job, how long each step took, in milliseconds."""


async def succeed(
    connection: AsyncConnection, *, tenant_id: UUID, job_ids: Collection[UUID], lease: UUID, step_ms: StepMs
) -> set[UUID]:
    held: dict[str, Any] = {"tenant_id": tenant_id, "job_ids": job_ids, "lease": lease}
    return await _ask_held(connection, _SUCCEED, **held, step_ms=json.dumps(step_ms))


async def put_back(
    connection: AsyncConnection,
    *,
    tenant_id: UUID,
    job_ids: Collection[UUID],
    lease: UUID,
    state: JobState,
    run_after: datetime,
    error_code: str,
    error_message: str,
    counts: bool,
) -> set[UUID]:
    """Let the jobs wait for another attempt, `state` being `queued` or, in a paused group, `paused`."""
    return await _ask_held(
        connection,
        _PUT_BACK,
        tenant_id=tenant_id,
        job_ids=job_ids,
        lease=lease,
        state=state.value,
        run_after=run_after,
        error_code=error_code,
        error_message=error_message,
        uncounted=0 if counts else 1,
    )


async def fail(
    connection: AsyncConnection,
    *,
    tenant_id: UUID,
    job_id: UUID,
    lease: UUID,
    error_code: str,
    error_message: str,
    step_ms: StepMs,
) -> bool:
    failed = await _ask_held(
        connection,
        _FAIL,
        tenant_id=tenant_id,
        job_ids=[job_id],
        lease=lease,
        error_code=error_code,
        error_message=error_message,
        step_ms=json.dumps(step_ms),
    )
    return bool(failed)


def _among(job_ids: Collection[UUID]) -> ColumnElement[bool]:
    """One array, not a list of parameters: the statement stays the same for any number of jobs."""
    return jobs.c.id == any_(literal(list(job_ids), ARRAY(Uuid)))


# ---- what a person changes


async def cancel(
    connection: AsyncConnection, *, tenant_id: UUID, wanted: JobFilter, job_id: UUID | None = None, limit: int
) -> list[Job]:
    """Cancel up to `limit` unfinished jobs; whoever runs one finds its lease gone."""
    chosen = _choose(tenant_id, wanted, job_id, _UNFINISHED, limit)
    values = {"state": JobState.CANCELLED.value, "finished_at": func.now(), "lease": None}
    return await _change_chosen(connection, tenant_id, chosen, values)


async def queue_again(
    connection: AsyncConnection,
    *,
    tenant_id: UUID,
    wanted: JobFilter,
    states: Collection[JobState],
    to: JobState = JobState.QUEUED,
    job_id: UUID | None = None,
    limit: int,
) -> list[Job]:
    """Let up to `limit` jobs that have ended in one of `states` wait again, as if they had never been tried."""
    chosen = _choose(tenant_id, wanted, job_id, [state.value for state in states], limit)
    values = {
        "state": to.value,
        "attempts": 0,
        "progress": 0.0,
        "step": "",
        "run_after": func.now(),
        "finished_at": None,
        "error_code": None,
        "error_message": None,
    }
    return await _change_chosen(connection, tenant_id, chosen, values)


def _choose(
    tenant_id: UUID, wanted: JobFilter, job_id: UUID | None, states: Collection[str], limit: int
) -> Select[tuple[UUID]]:
    query = select(jobs.c.id).where(*_conditions(tenant_id, wanted), jobs.c.state.in_(states))
    if job_id is not None:
        query = query.where(jobs.c.id == job_id)
    return query.order_by(jobs.c.id).limit(limit).with_for_update()


async def _change_chosen(
    connection: AsyncConnection, tenant_id: UUID, chosen: Select[tuple[UUID]], values: dict[str, Any]
) -> list[Job]:
    statement = (
        update(jobs)
        .where(jobs.c.tenant_id == tenant_id, jobs.c.id == any_(func.array(chosen.scalar_subquery())))
        .values(**values)
        .returning(jobs)
    )
    return sorted((_job(row) for row in await connection.execute(statement)), key=lambda job: job.id)


async def move_waiting(
    connection: AsyncConnection, *, tenant_id: UUID, group_id: UUID, start: JobState, to: JobState
) -> int:
    """Turn the waiting jobs of a group from `queued` to `paused`, or back; how many."""
    mine = and_(jobs.c.tenant_id == tenant_id, jobs.c.group_id == group_id, jobs.c.state == start.value)
    return (await connection.execute(update(jobs).where(mine).values(state=to.value))).rowcount


# ---- groups


async def insert_group(connection: AsyncConnection, group: JobGroup) -> None:
    await connection.execute(
        insert(job_groups).values(
            tenant_id=group.tenant_id,
            id=group.id,
            chatbot_id=group.chatbot_id,
            name=group.name,
            state=group.state.value,
            expected_jobs=group.expected_jobs,
            requested_by=group.requested_by,
            created_at=group.created_at,
            updated_at=group.updated_at,
        )
    )


async def find_group(
    connection: AsyncConnection, *, tenant_id: UUID, group_id: UUID, lock: str | None = None
) -> JobGroup | None:
    """A group; `lock` is `share` for who adds jobs to it and `update` for who changes it."""
    query = select(job_groups).where(job_groups.c.tenant_id == tenant_id, job_groups.c.id == group_id)
    if lock is not None:
        query = query.with_for_update(read=lock == "share")
    row = (await connection.execute(query)).one_or_none()
    return None if row is None else _group(row)


async def list_groups(
    connection: AsyncConnection,
    *,
    tenant_id: UUID,
    chatbot_id: UUID | None,
    hidden_chatbots: Collection[UUID],
    state: GroupState | None,
    page: PageRequest,
) -> tuple[list[JobGroup], int]:
    """A page of groups, newest first, and how many there are in all."""
    conditions: list[ColumnElement[bool]] = [job_groups.c.tenant_id == tenant_id]
    if chatbot_id is not None:
        conditions.append(job_groups.c.chatbot_id == chatbot_id)
    if hidden_chatbots:
        conditions.append(job_groups.c.chatbot_id.not_in(hidden_chatbots))
    if state is not None:
        conditions.append(job_groups.c.state == state.value)
    total = (await connection.execute(select(func.count()).select_from(job_groups).where(*conditions))).scalar_one()
    query = select(job_groups).where(*conditions).order_by(job_groups.c.id.desc()).limit(page.limit).offset(page.offset)
    return [_group(row) for row in await connection.execute(query)], total


async def set_group_state(connection: AsyncConnection, *, tenant_id: UUID, group_id: UUID, state: GroupState) -> None:
    is_over = state in (GroupState.CANCELLED, GroupState.FINISHED)
    await connection.execute(
        update(job_groups)
        .where(job_groups.c.tenant_id == tenant_id, job_groups.c.id == group_id)
        .values(state=state.value, updated_at=func.now(), finished_at=func.now() if is_over else None)
    )


async def count_by_state(
    connection: AsyncConnection, *, tenant_id: UUID, group_ids: Collection[UUID]
) -> dict[UUID, dict[JobState, int]]:
    """How many jobs of each group are in each state; groups without jobs are absent."""
    query = (
        select(jobs.c.group_id, jobs.c.state, func.count())
        .where(jobs.c.tenant_id == tenant_id, jobs.c.group_id == any_(literal(list(group_ids), ARRAY(Uuid))))
        .group_by(jobs.c.group_id, jobs.c.state)
    )
    counts: dict[UUID, dict[JobState, int]] = {}
    for group_id, state, number in await connection.execute(query):
        counts.setdefault(group_id, {})[JobState(state)] = number
    return counts


async def count_finished_since(
    connection: AsyncConnection, *, tenant_id: UUID, group_id: UUID, within: timedelta
) -> int:
    """How many jobs of a group succeeded or failed within the time before now."""
    ended = jobs.c.state.in_([JobState.SUCCEEDED.value, JobState.FAILED.value])
    query = select(func.count()).where(
        jobs.c.tenant_id == tenant_id, jobs.c.group_id == group_id, ended, jobs.c.finished_at > func.now() - within
    )
    found: int = (await connection.execute(query)).scalar_one()
    return found


_FINISH_GROUPS = text("""
update job_groups g set state = 'finished', finished_at = now(), updated_at = now()
where g.state = 'running'
  and not exists (
    select from jobs j
    where j.tenant_id = g.tenant_id and j.group_id = g.id and j.state in ('queued', 'paused', 'running')
  )
  and (
    (select count(*) from jobs j where j.tenant_id = g.tenant_id and j.group_id = g.id) >= g.expected_jobs
    or greatest(
      g.updated_at,
      (select max(greatest(j.created_at, j.finished_at)) from jobs j
       where j.tenant_id = g.tenant_id and j.group_id = g.id)
    ) < now() - :quiet
  )
""")


_REOPEN_GROUPS = text("""
update job_groups g set state = 'running', finished_at = null, updated_at = now()
where g.state = 'finished' and exists (
    select from jobs j
    where j.tenant_id = g.tenant_id and j.group_id = g.id and j.state in ('queued', 'paused', 'running')
)
""")


async def reopen_groups(connection: AsyncConnection) -> int:
    """Let finished groups go on to which jobs were added since; how many."""
    return (await connection.execute(_REOPEN_GROUPS)).rowcount


async def finish_groups(connection: AsyncConnection, *, quiet: timedelta) -> int:
    """Close the groups of which nothing waits: at once if all the expected jobs came, else after a quiet time."""
    return (await connection.execute(_FINISH_GROUPS, {"quiet": quiet})).rowcount


# ---- looking after jobs

_GIVE_BACK_SILENT = text("""
with silent as (
    select tenant_id, id, group_id from jobs where state = 'running' and heartbeat_at < :stale_before
    order by tenant_id, id limit :limit for update skip locked
), paused as (
    select tenant_id, id from job_groups
    where (tenant_id, id) in (select tenant_id, group_id from silent) and state = 'paused'
)
update jobs set lease = null, state = case
    when exists (select from paused where paused.tenant_id = jobs.tenant_id and paused.id = jobs.group_id)
    then 'paused' else 'queued' end
from silent where jobs.tenant_id = silent.tenant_id and jobs.id = silent.id
""")


async def give_back_silent(connection: AsyncConnection, *, stale_before: datetime, limit: int) -> int:
    """Let the jobs wait again whose worker has not been heard of since `stale_before`; how many."""
    values = {"stale_before": stale_before, "limit": limit}
    return (await connection.execute(_GIVE_BACK_SILENT, values)).rowcount


_PAUSE_STRAYS = text("""
update jobs set state = 'paused'
from job_groups g
where g.state = 'paused' and jobs.tenant_id = g.tenant_id and jobs.group_id = g.id and jobs.state = 'queued'
""")


async def pause_strays(connection: AsyncConnection) -> int:
    """Pause jobs that a dead worker gave back in the moment in which their group was paused."""
    return (await connection.execute(_PAUSE_STRAYS)).rowcount


_DUE_PRIORITIES = text("""
with recursive heads as (
    (
        select priority, tenant_id, run_after from jobs where state = 'queued'
        order by priority, tenant_id, run_after, id limit 1
    )
    union all
    select next.priority, next.tenant_id, next.run_after
    from heads cross join lateral (
        select priority, tenant_id, run_after from jobs
        where state = 'queued' and (priority, tenant_id) > (heads.priority, heads.tenant_id)
        order by priority, tenant_id, run_after, id limit 1
    ) next
)
select distinct priority from heads where run_after <= now() order by priority
""")


async def list_due_priorities(connection: AsyncConnection) -> list[int]:
    """The priorities of which jobs wait that may run now, most urgent first."""
    return list((await connection.execute(_DUE_PRIORITIES)).scalars())


async def delete_finished(connection: AsyncConnection, *, before: datetime) -> int:
    """Jobs that succeeded or were cancelled before then. Those of a group go with their group."""
    ended = jobs.c.state.in_([JobState.SUCCEEDED.value, JobState.CANCELLED.value])
    mine = and_(ended, jobs.c.finished_at < before, jobs.c.group_id.is_(None))
    return (await connection.execute(delete(jobs).where(mine))).rowcount


async def delete_groups(connection: AsyncConnection, *, before: datetime) -> int:
    """Groups that ended before then, with their jobs; the failed jobs stay, without a group."""
    over = and_(
        job_groups.c.state.in_([GroupState.FINISHED.value, GroupState.CANCELLED.value]),
        job_groups.c.finished_at < before,
    )
    ended = jobs.c.state.in_([JobState.SUCCEEDED.value, JobState.CANCELLED.value])
    belongs = and_(jobs.c.tenant_id == job_groups.c.tenant_id, jobs.c.group_id == job_groups.c.id)
    await connection.execute(delete(jobs).where(ended, belongs, over))
    return (await connection.execute(delete(job_groups).where(over))).rowcount


async def delete_idle_queues(connection: AsyncConnection, *, before: datetime) -> int:
    return (await connection.execute(delete(job_queues).where(job_queues.c.served_at < before))).rowcount


async def forget_reasons(connection: AsyncConnection, *, tenant_id: UUID, subject_id: UUID) -> None:
    """Empty what jobs, and the events not yet swept, say of their failures: it may name the file. Codes stay."""
    failed = await connection.execute(
        update(jobs)
        .where(jobs.c.tenant_id == tenant_id, jobs.c.subject_id == subject_id, jobs.c.error_message.is_not(None))
        .values(error_message=None)
    )
    if failed.rowcount:
        told = outbox_events.c.payload
        await connection.execute(
            update(outbox_events)
            .where(outbox_events.c.tenant_id == tenant_id, told["document_id"].astext == str(subject_id))
            .values(payload=told.op("-", return_type=JSONB())("error"))
        )


# ---- outbox


async def insert_events(
    connection: AsyncConnection, events: Sequence[tuple[UUID, str, dict[str, Any]]], *, tenant_id: UUID
) -> None:
    """Write events, each with its id, topic and payload."""
    rows = [
        {"tenant_id": tenant_id, "id": event_id, "topic": topic, "payload": payload}
        for event_id, topic, payload in events
    ]
    await insert_rows(connection, outbox_events, rows)


async def list_events(connection: AsyncConnection, *, tenant_id: UUID, after: UUID, limit: int) -> list[Row[Any]]:
    """The events of a tenant whose id comes after this one, oldest first."""
    query = (
        select(outbox_events.c.id, outbox_events.c.topic, outbox_events.c.payload)
        .where(outbox_events.c.tenant_id == tenant_id, outbox_events.c.id > after)
        .order_by(outbox_events.c.id)
        .limit(limit)
    )
    return list(await connection.execute(query))


async def take_unpublished(connection: AsyncConnection, *, limit: int) -> list[Row[Any]]:
    """The oldest events not yet published, locked until the transaction ends; `payload` as the text of its JSON."""
    return list(await connection.exec_driver_sql(_TAKE_UNPUBLISHED, {"limit": limit}))


_TAKE_UNPUBLISHED: Final = """
select tenant_id, id, topic, payload::text as payload from outbox_events
where published_at is null
order by id
limit %(limit)s
for update skip locked"""


async def mark_published(connection: AsyncConnection, event_ids: list[UUID]) -> None:
    wanted = and_(outbox_events.c.published_at.is_(None), outbox_events.c.id == any_(literal(event_ids, ARRAY(Uuid))))
    await connection.execute(update(outbox_events).where(wanted).values(published_at=func.now()))


async def delete_published(connection: AsyncConnection, *, older_than: timedelta) -> int:
    old = outbox_events.c.published_at < func.now() - older_than
    return (await connection.execute(delete(outbox_events).where(old))).rowcount


def _job(row: Row[Any]) -> Job:
    payload = dict(row.payload)
    return Job(
        traceparent=payload.pop(_TRACEPARENT, None),
        id=row.id,
        tenant_id=row.tenant_id,
        kind=row.kind,
        payload=payload,
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
        group_id=row.group_id,
        subject_id=row.subject_id,
    )


def _group(row: Row[Any]) -> JobGroup:
    return JobGroup(
        id=row.id,
        tenant_id=row.tenant_id,
        chatbot_id=row.chatbot_id,
        name=row.name,
        state=GroupState(row.state),
        expected_jobs=row.expected_jobs,
        requested_by=row.requested_by,
        created_at=row.created_at,
        updated_at=row.updated_at,
        finished_at=row.finished_at,
    )
