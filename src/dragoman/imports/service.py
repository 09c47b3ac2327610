"""Bulk imports and single jobs, as people follow and steer them. What a group of jobs is, is known in `jobs.groups`."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from uuid import UUID

from sqlalchemy.ext.asyncio import AsyncConnection

from dragoman.deps import Deps
from dragoman.imports import repository
from dragoman.imports.entities import ImportDetails, ImportView, JobView
from dragoman.imports.repository import Viewer
from dragoman.jobs import groups
from dragoman.jobs import service as jobs
from dragoman.jobs.entities import GroupProgress, GroupState, Job, JobFilter, JobGroup, JobState, Priority
from dragoman.kit.pagination import Page, PageRequest
from dragoman.tenancy import audit
from dragoman.tenancy import service as tenancy
from dragoman.tenancy.entities import Caller, Permission


def viewer_of(caller: Caller) -> Viewer:
    return Viewer(
        tenant_id=caller.tenant_id,
        asker=caller.asker,
        sees_unapproved=Permission.MANAGE_DOCUMENTS in caller.permissions,
    )


# ---- bulk imports


async def create_import(
    deps: Deps, caller: Caller, *, chatbot_id: UUID | None, name: str, expected_documents: int | None
) -> ImportView:
    """Open an import, which uploads then name. Raises ChatbotNotFoundError."""
    async with deps.database.transaction(caller.tenant_id) as connection:
        chatbot = await tenancy.get_chatbot(connection, caller, chatbot_id)
        group = await groups.create_group(
            connection,
            tenant_id=caller.tenant_id,
            chatbot_id=chatbot.id,
            name=name,
            requested_by=caller.asker,
            expected_jobs=expected_documents,
        )
        await audit.record(connection, caller, "import.created", subject_type="import", subject_id=group.id, name=name)
    return ImportView(group=group, progress=GroupProgress())


async def list_imports(
    deps: Deps, caller: Caller, *, chatbot_id: UUID | None, state: GroupState | None, page: PageRequest
) -> Page[ImportView]:
    """Imports of one chatbot, or of all, newest first. Raises ChatbotNotFoundError."""
    async with deps.database.transaction(caller.tenant_id) as connection:
        if chatbot_id is not None:
            await tenancy.get_chatbot(connection, caller, chatbot_id)
        found = await groups.list_groups(
            connection,
            tenant_id=caller.tenant_id,
            chatbot_id=chatbot_id or caller.only_chatbot,
            hidden_chatbots=caller.hidden_chatbots,
            state=state,
            page=page,
        )
        progress = await groups.progress_of(connection, tenant_id=caller.tenant_id, groups=found.items)
    items = [ImportView(group=group, progress=progress[group.id]) for group in found.items]
    return Page(items=items, total=found.total, limit=found.limit, offset=found.offset)


async def get_import(deps: Deps, caller: Caller, import_id: UUID, *, failures: PageRequest) -> ImportDetails:
    """An import with a page of its failures. Raises GroupNotFoundError."""
    async with deps.database.transaction(caller.tenant_id) as connection:
        group = await groups.get_group(connection, tenant_id=caller.tenant_id, group_id=import_id)
        failed = JobFilter(state=JobState.FAILED, group_id=import_id)
        return ImportDetails(
            view=await _view(connection, caller, group),
            failures=await _list_jobs(connection, caller, failed, failures),
            reasons=await repository.count_reasons(connection, tenant_id=caller.tenant_id, group_id=import_id),
        )


async def pause_import(deps: Deps, caller: Caller, import_id: UUID) -> ImportView:
    """Raises GroupNotFoundError, GroupOverError."""
    async with deps.database.transaction(caller.tenant_id) as connection:
        group = await groups.pause_group(connection, tenant_id=caller.tenant_id, group_id=import_id)
        await _record(connection, caller, "import.paused", import_id)
        return await _view(connection, caller, group)


async def resume_import(deps: Deps, caller: Caller, import_id: UUID) -> ImportView:
    """Raises GroupNotFoundError, GroupOverError."""
    async with deps.database.transaction(caller.tenant_id) as connection:
        group = await groups.resume_group(connection, tenant_id=caller.tenant_id, group_id=import_id)
        await _record(connection, caller, "import.resumed", import_id)
        view = await _view(connection, caller, group)
    await jobs.wake_workers(deps.sender, [Priority.BULK])
    return view


async def cancel_import(deps: Deps, caller: Caller, import_id: UUID) -> ImportView:
    """Cancel what is not yet read. Raises GroupNotFoundError, GroupOverError."""
    async with deps.database.transaction(caller.tenant_id) as connection:
        group = await groups.cancel_group(connection, deps.job_kinds, tenant_id=caller.tenant_id, group_id=import_id)
        await _record(connection, caller, "import.cancelled", import_id)
        return await _view(connection, caller, group)


async def retry_failed(deps: Deps, caller: Caller, import_id: UUID) -> tuple[ImportView, int]:
    """Read the failed documents of an import again; how many. Raises GroupNotFoundError."""
    async with deps.database.transaction(caller.tenant_id) as connection:
        retried = await groups.retry_failed_of_group(
            connection, deps.job_kinds, tenant_id=caller.tenant_id, group_id=import_id
        )
        await _record(connection, caller, "import.retried", import_id, jobs=len(retried))
        group = await groups.get_group(connection, tenant_id=caller.tenant_id, group_id=import_id)
        view = await _view(connection, caller, group)
    await jobs.announce_many(deps.sender, retried)
    return view, len(retried)


async def _view(connection: AsyncConnection, caller: Caller, group: JobGroup) -> ImportView:
    progress = (await groups.progress_of(connection, tenant_id=caller.tenant_id, groups=[group]))[group.id]
    rate = await groups.rate_of(connection, tenant_id=caller.tenant_id, group_id=group.id)
    with_rate = GroupProgress(counts=progress.counts, fraction=progress.fraction, jobs_per_minute=rate)
    return ImportView(group=group, progress=with_rate)


async def _record(connection: AsyncConnection, caller: Caller, action: str, import_id: UUID, **details: int) -> None:
    await audit.record(connection, caller, action, subject_type="import", subject_id=import_id, **details)


# ---- jobs


async def list_jobs(deps: Deps, caller: Caller, *, wanted: JobFilter, page: PageRequest) -> Page[JobView]:
    """Jobs, newest first."""
    wanted = replace(
        wanted, chatbot_id=wanted.chatbot_id or caller.only_chatbot, hidden_chatbots=caller.hidden_chatbots
    )
    async with deps.database.transaction(caller.tenant_id) as connection:
        return await _list_jobs(connection, caller, wanted, page)


async def retry_job(deps: Deps, caller: Caller, job_id: UUID) -> JobView:
    """Raises JobNotFoundError, JobNotRetryableError."""
    async with deps.database.transaction(caller.tenant_id) as connection:
        job = await groups.retry_job(connection, deps.job_kinds, tenant_id=caller.tenant_id, job_id=job_id)
        await audit.record(connection, caller, "job.retried", subject_type="job", subject_id=job_id)
        [view] = await _views(connection, caller, [job])
    await jobs.announce_many(deps.sender, [job])
    return view


async def cancel_job(deps: Deps, caller: Caller, job_id: UUID) -> JobView:
    """Raises JobNotFoundError, JobNotCancellableError."""
    async with deps.database.transaction(caller.tenant_id) as connection:
        job = await groups.cancel_job(connection, deps.job_kinds, tenant_id=caller.tenant_id, job_id=job_id)
        await audit.record(connection, caller, "job.cancelled", subject_type="job", subject_id=job_id)
        [view] = await _views(connection, caller, [job])
    return view


async def _list_jobs(
    connection: AsyncConnection, caller: Caller, wanted: JobFilter, page: PageRequest
) -> Page[JobView]:
    found = await groups.list_jobs(connection, tenant_id=caller.tenant_id, wanted=wanted, page=page)
    views = await _views(connection, caller, found.items)
    return Page(items=views, total=found.total, limit=found.limit, offset=found.offset)


async def _views(connection: AsyncConnection, caller: Caller, found: Sequence[Job]) -> list[JobView]:
    subjects = {job.subject_id for job in found if job.subject_id is not None}
    names = await repository.find_names(connection, viewer_of(caller), document_ids=subjects) if subjects else {}
    views = []
    for job in found:
        title, file_name = names.get(job.subject_id, (None, None)) if job.subject_id else (None, None)
        views.append(JobView(job=job, title=title, file_name=file_name))
    return views
