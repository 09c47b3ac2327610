"""Groups of jobs (bulk imports), and what a person does to jobs: pause, resume, cancel, retry.

All of it runs in the tenant's transaction. Whoever adds jobs to a group holds a share lock on its row and whoever
changes the group locks it alone, so that no job slips into a group that is being paused or cancelled.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from datetime import timedelta
from uuid import UUID

from sqlalchemy.ext.asyncio import AsyncConnection

from dragoman.jobs import repository
from dragoman.jobs.entities import GroupProgress, GroupState, Job, JobFilter, JobGroup, JobKind, JobState
from dragoman.jobs.errors import (
    GroupCancelledError,
    GroupNotFoundError,
    GroupOverError,
    JobNotCancellableError,
    JobNotFoundError,
    JobNotRetryableError,
)
from dragoman.kit.clock import new_id, now
from dragoman.kit.database import Database
from dragoman.kit.pagination import Page, PageRequest

QUIET_BEFORE_FINISHED = timedelta(minutes=1)
_AT_ONCE = 500  # jobs changed by one statement and told to their kind together
_RETRYABLE = (JobState.FAILED, JobState.CANCELLED)


# ---- groups


async def create_group(
    connection: AsyncConnection,
    *,
    tenant_id: UUID,
    chatbot_id: UUID,
    name: str,
    requested_by: str,
    expected_jobs: int | None = None,
) -> JobGroup:
    """Open a group. With `expected_jobs` it is finished when so many have ended, else when it has been quiet for a minute."""
    moment = now()
    group = JobGroup(
        id=new_id(),
        tenant_id=tenant_id,
        chatbot_id=chatbot_id,
        name=name,
        state=GroupState.RUNNING,
        expected_jobs=expected_jobs,
        requested_by=requested_by,
        created_at=moment,
        updated_at=moment,
        finished_at=None,
    )
    await repository.insert_group(connection, group)
    return group


async def get_group(connection: AsyncConnection, *, tenant_id: UUID, group_id: UUID) -> JobGroup:
    """Raises GroupNotFoundError."""
    group = await repository.find_group(connection, tenant_id=tenant_id, group_id=group_id)
    if group is None:
        raise GroupNotFoundError
    return group


async def list_groups(
    connection: AsyncConnection,
    *,
    tenant_id: UUID,
    chatbot_id: UUID | None = None,
    hidden_chatbots: Collection[UUID] = (),
    state: GroupState | None = None,
    page: PageRequest,
) -> Page[JobGroup]:
    """Groups, newest first."""
    items, total = await repository.list_groups(
        connection,
        tenant_id=tenant_id,
        chatbot_id=chatbot_id,
        hidden_chatbots=hidden_chatbots,
        state=state,
        page=page,
    )
    return Page(items=items, total=total, limit=page.limit, offset=page.offset)


async def progress_of(
    connection: AsyncConnection, *, tenant_id: UUID, groups: Collection[JobGroup]
) -> dict[UUID, GroupProgress]:
    """How far each group is, from one grouped query. `jobs_per_minute` is left out: see `rate_of`."""
    ids = [group.id for group in groups]
    counts = await repository.count_by_state(connection, tenant_id=tenant_id, group_ids=ids) if ids else {}
    return {group.id: _progress(group, counts.get(group.id, {})) for group in groups}


def _progress(group: JobGroup, counts: Mapping[JobState, int]) -> GroupProgress:
    ended = sum(counts.get(state, 0) for state in (JobState.SUCCEEDED, JobState.FAILED, JobState.CANCELLED))
    total = max(group.expected_jobs or 0, sum(counts.values()))
    is_over = group.state in (GroupState.FINISHED, GroupState.CANCELLED)
    return GroupProgress(counts=counts, fraction=1.0 if is_over else ended / total if total else 0.0)


async def rate_of(connection: AsyncConnection, *, tenant_id: UUID, group_id: UUID) -> int:
    """Jobs of the group that ended within the last minute."""
    return await repository.count_finished_since(
        connection, tenant_id=tenant_id, group_id=group_id, within=timedelta(minutes=1)
    )


async def pause_group(connection: AsyncConnection, *, tenant_id: UUID, group_id: UUID) -> JobGroup:
    """Start no more of its jobs; those that run go on to their end. Pausing a paused group changes nothing.

    Raises:
        GroupNotFoundError, GroupOverError.
    """
    group = await _locked(connection, tenant_id, group_id)
    if group.state in (GroupState.CANCELLED, GroupState.FINISHED):
        raise GroupOverError
    await repository.set_group_state(connection, tenant_id=tenant_id, group_id=group_id, state=GroupState.PAUSED)
    await repository.move_waiting(
        connection, tenant_id=tenant_id, group_id=group_id, start=JobState.QUEUED, to=JobState.PAUSED
    )
    return await get_group(connection, tenant_id=tenant_id, group_id=group_id)


async def resume_group(connection: AsyncConnection, *, tenant_id: UUID, group_id: UUID) -> JobGroup:
    """Go on with a paused group. Wake the workers after the commit (`service.wake_workers`).

    Raises:
        GroupNotFoundError, GroupOverError.
    """
    group = await _locked(connection, tenant_id, group_id)
    if group.state in (GroupState.CANCELLED, GroupState.FINISHED):
        raise GroupOverError
    await _reopen(connection, group)
    return await get_group(connection, tenant_id=tenant_id, group_id=group_id)


async def cancel_group(
    connection: AsyncConnection, kinds: Mapping[str, JobKind], *, tenant_id: UUID, group_id: UUID
) -> JobGroup:
    """Cancel what waits and what runs; what is done stays. Cancelling a cancelled group changes nothing.

    Raises:
        GroupNotFoundError, GroupOverError: it is finished.
    """
    group = await _locked(connection, tenant_id, group_id)
    if group.state is GroupState.FINISHED:
        raise GroupOverError
    await repository.set_group_state(connection, tenant_id=tenant_id, group_id=group_id, state=GroupState.CANCELLED)
    wanted = JobFilter(group_id=group_id)
    while cancelled := await repository.cancel(connection, tenant_id=tenant_id, wanted=wanted, limit=_AT_ONCE):
        await _tell_cancelled(connection, kinds, cancelled)
    return await get_group(connection, tenant_id=tenant_id, group_id=group_id)


async def retry_failed_of_group(
    connection: AsyncConnection, kinds: Mapping[str, JobKind], *, tenant_id: UUID, group_id: UUID
) -> list[Job]:
    """Let the failed jobs of a group wait again; a group that had ended goes on. Wake the workers after the commit.

    Raises:
        GroupNotFoundError.
    """
    group = await _locked(connection, tenant_id, group_id)
    to = JobState.PAUSED if group.state is GroupState.PAUSED else JobState.QUEUED
    wanted, retried = JobFilter(group_id=group_id), list[Job]()
    while piece := await repository.queue_again(
        connection, tenant_id=tenant_id, wanted=wanted, states=[JobState.FAILED], to=to, limit=_AT_ONCE
    ):
        await _tell_retried(connection, kinds, piece)
        retried += piece
    if retried and group.state is not GroupState.PAUSED:
        await _reopen(connection, group)
    return retried


async def finish_groups(database: Database) -> int:
    """A round of the scheduler: close the groups of which nothing waits any more, reopen those to which more came.

    How many were closed.
    """
    async with database.system_transaction() as connection:
        await repository.reopen_groups(connection)
        return await repository.finish_groups(connection, quiet=QUIET_BEFORE_FINISHED)


async def state_of_new_jobs(connection: AsyncConnection, *, tenant_id: UUID, group_id: UUID) -> JobState:
    """How jobs begin that are added to a group now: `queued`, or `paused`.

    A finished group takes them too; `finish_groups` reopens it. Doing that here would turn the share lock into an
    exclusive one, and two uploads at the same time would wait for each other.

    Raises:
        GroupNotFoundError, GroupCancelledError.
    """
    group = await repository.find_group(connection, tenant_id=tenant_id, group_id=group_id, lock="share")
    if group is None:
        raise GroupNotFoundError
    if group.state is GroupState.CANCELLED:
        raise GroupCancelledError
    return JobState.PAUSED if group.state is GroupState.PAUSED else JobState.QUEUED


async def state_of_returned_jobs(connection: AsyncConnection, *, tenant_id: UUID, group_id: UUID | None) -> JobState:
    """How jobs wait that go back for another attempt."""
    if group_id is None:
        return JobState.QUEUED
    group = await repository.find_group(connection, tenant_id=tenant_id, group_id=group_id, lock="share")
    return JobState.PAUSED if group is not None and group.state is GroupState.PAUSED else JobState.QUEUED


async def _locked(connection: AsyncConnection, tenant_id: UUID, group_id: UUID) -> JobGroup:
    group = await repository.find_group(connection, tenant_id=tenant_id, group_id=group_id, lock="update")
    if group is None:
        raise GroupNotFoundError
    return group


async def _reopen(connection: AsyncConnection, group: JobGroup) -> None:
    await repository.set_group_state(connection, tenant_id=group.tenant_id, group_id=group.id, state=GroupState.RUNNING)
    await repository.move_waiting(
        connection, tenant_id=group.tenant_id, group_id=group.id, start=JobState.PAUSED, to=JobState.QUEUED
    )


# ---- single jobs


async def get_job(connection: AsyncConnection, *, tenant_id: UUID, job_id: UUID) -> Job:
    """Raises JobNotFoundError."""
    job = await repository.find_job(connection, tenant_id=tenant_id, job_id=job_id)
    if job is None:
        raise JobNotFoundError
    return job


async def list_jobs(connection: AsyncConnection, *, tenant_id: UUID, wanted: JobFilter, page: PageRequest) -> Page[Job]:
    """Jobs, newest first."""
    items, total = await repository.list_jobs(connection, tenant_id=tenant_id, wanted=wanted, page=page)
    return Page(items=items, total=total, limit=page.limit, offset=page.offset)


async def cancel_job(
    connection: AsyncConnection, kinds: Mapping[str, JobKind], *, tenant_id: UUID, job_id: UUID
) -> Job:
    """Cancel a job that waits or runs; what runs is stopped within a second after the commit.

    Raises:
        JobNotFoundError, JobNotCancellableError: it has ended.
    """
    await get_job(connection, tenant_id=tenant_id, job_id=job_id)
    cancelled = await repository.cancel(connection, tenant_id=tenant_id, wanted=JobFilter(), job_id=job_id, limit=1)
    if not cancelled:
        raise JobNotCancellableError
    await _tell_cancelled(connection, kinds, cancelled)
    return cancelled[0]


async def retry_job(connection: AsyncConnection, kinds: Mapping[str, JobKind], *, tenant_id: UUID, job_id: UUID) -> Job:
    """Let a job that failed or was cancelled wait again, as if it had never been tried. Announce it after the commit.

    Raises:
        JobNotFoundError, JobNotRetryableError.
    """
    job = await get_job(connection, tenant_id=tenant_id, job_id=job_id)
    group = None if job.group_id is None else await _locked(connection, tenant_id, job.group_id)
    is_paused = group is not None and group.state is GroupState.PAUSED
    retried = await repository.queue_again(
        connection,
        tenant_id=tenant_id,
        wanted=JobFilter(),
        states=_RETRYABLE,
        to=JobState.PAUSED if is_paused else JobState.QUEUED,
        job_id=job_id,
        limit=1,
    )
    if not retried:
        raise JobNotRetryableError
    await _tell_retried(connection, kinds, retried)
    if group is not None and not is_paused:
        await _reopen(connection, group)
    return retried[0]


async def _tell_cancelled(connection: AsyncConnection, kinds: Mapping[str, JobKind], jobs: list[Job]) -> None:
    for kind, mine in _by_kind(kinds, jobs):
        if kind.on_cancelled is not None:
            await kind.on_cancelled(connection, mine)


async def _tell_retried(connection: AsyncConnection, kinds: Mapping[str, JobKind], jobs: list[Job]) -> None:
    for kind, mine in _by_kind(kinds, jobs):
        if kind.on_retried is not None:
            await kind.on_retried(connection, mine)


def _by_kind(kinds: Mapping[str, JobKind], jobs: list[Job]) -> list[tuple[JobKind, list[Job]]]:
    return [(kind, mine) for kind in kinds.values() if (mine := [job for job in jobs if job.kind == kind.name])]
