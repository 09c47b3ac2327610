"""Improvement reports: asked for, made by schedule, written by a job, listed and read."""

from __future__ import annotations

from dataclasses import replace
from datetime import date, timedelta
from typing import Final
from uuid import UUID

from sqlalchemy.ext.asyncio import AsyncConnection

from dragoman.deps import Deps
from dragoman.feedback.entities import ImprovementReport, ReportState
from dragoman.feedback.errors import InvalidFeedbackPeriodError, ReportNotFoundError
from dragoman.feedback.improvement import repository, shown
from dragoman.feedback.improvement.report import write_content
from dragoman.feedback.improvement.shown import ShownReport
from dragoman.jobs import service as jobs
from dragoman.jobs.entities import Job, JobSender, Progress
from dragoman.kit.clock import new_id, now
from dragoman.kit.database import Database
from dragoman.kit.pagination import MAX_LIMIT, Page, PageRequest
from dragoman.tenancy import access, audit
from dragoman.tenancy import repository as tenancy_repository
from dragoman.tenancy import service as tenancy
from dragoman.tenancy.access import tenant_of_system
from dragoman.tenancy.entities import Caller, Chatbot, Permission

WRITE_REPORT: Final = "feedback.write_report"
USUAL_DAYS: Final = 7
LONGEST_PERIOD_DAYS: Final = 400


async def request_report(
    deps: Deps, caller: Caller, *, chatbot_id: UUID | None, first: date | None, last: date | None
) -> ImprovementReport:
    """Have a report written in the background, of the last seven days without other wishes.

    Raises:
        ChatbotNotFoundError, InvalidFeedbackPeriodError.
    """
    last = min(last or date.max, now().date())
    first = first or last - timedelta(days=USUAL_DAYS - 1)
    if not timedelta() <= last - first <= timedelta(days=LONGEST_PERIOD_DAYS):
        raise InvalidFeedbackPeriodError
    async with deps.database.transaction(caller.tenant_id) as connection:
        chatbot = await tenancy.get_chatbot(connection, caller, chatbot_id)
        report, job = await _queue(connection, chatbot, first, last, requested_by=caller.asker, is_scheduled=False)
        await audit.record(
            connection,
            caller,
            "improvement_report.requested",
            subject_type="improvement_report",
            subject_id=report.id,
            chatbot_id=str(chatbot.id),
            first_day=first.isoformat(),
            last_day=last.isoformat(),
        )
    assert job is not None  # only the schedule finds one of the same days
    await jobs.announce_many(deps.sender, [job])
    return report


async def list_reports(
    deps: Deps, caller: Caller, *, chatbot_id: UUID | None, page: PageRequest
) -> Page[ImprovementReport]:
    """The latest first. Raises ChatbotNotFoundError."""
    async with deps.database.transaction(caller.tenant_id) as connection:
        wanted = chatbot_id or caller.chatbot_id
        if wanted is not None:
            wanted = (await tenancy.get_chatbot(connection, caller, wanted)).id
        items, total = await repository.list_reports(
            connection, tenant_id=caller.tenant_id, chatbot_id=wanted, limit=page.limit, offset=page.offset
        )
    return Page(items=items, total=total, limit=page.limit, offset=page.offset)


async def get_report(deps: Deps, caller: Caller, report_id: UUID) -> ShownReport:
    """With the text of its questions as far as that is kept. Raises ReportNotFoundError."""
    async with deps.database.transaction(caller.tenant_id) as connection:
        report = await repository.find_report(connection, tenant_id=caller.tenant_id, report_id=report_id)
        if report is None or not access.may_on(caller, report.chatbot_id, Permission.READ_FEEDBACK):
            raise ReportNotFoundError
        return await shown.show(deps, connection, caller, report)


# ---- the job


async def run_job(deps: Deps, job: Job, progress: Progress) -> None:
    """Write a report. Doing it again writes the same of what is there then."""
    report_id = UUID(job.payload["report_id"])
    async with deps.database.transaction(job.tenant_id) as connection:
        report = await repository.find_report(connection, tenant_id=job.tenant_id, report_id=report_id)
    if report is None:  # its chatbot was deleted
        return
    content = await write_content(deps, report, progress)
    async with deps.database.transaction(job.tenant_id) as connection:
        await repository.finish_report(connection, tenant_id=job.tenant_id, report_id=report_id, content=content)
        payload = {
            "report_id": str(report.id),
            "chatbot_id": str(report.chatbot_id),
            "first_day": report.first_day.isoformat(),
            "last_day": report.last_day.isoformat(),
            "is_scheduled": report.is_scheduled,
        }
        await jobs.emit(connection, tenant_id=job.tenant_id, topic="feedback.report_ready", payload=payload)


async def record_failure(deps: Deps, job: Job, code: str, message: str) -> None:
    """The job has failed for good."""
    values = {"state": ReportState.FAILED.value, "error": f"{code}: {message}", "finished_at": now()}
    async with deps.database.transaction(job.tenant_id) as connection:
        await repository.update_report(
            connection, tenant_id=job.tenant_id, report_id=UUID(job.payload["report_id"]), values=values
        )


# ---- the schedule


async def enqueue_due(database: Database, sender: JobSender) -> int:
    """A round of the scheduler: a report of the last week (Monday to Sunday, UTC) for each chatbot that was asked anything
    then and has none; how many. Several schedulers may run: one report of a chatbot and week is written.

    Raises:
        DatabaseUnavailableError.
    """
    today = now().date()
    last = today - timedelta(days=today.isoweekday())
    queued: list[Job] = []
    for tenant in await tenancy.list_tenants(database):
        async with database.transaction(tenant.id) as connection:
            queued += await _enqueue_of_tenant(connection, tenant.id, last)
    await jobs.announce_many(sender, queued)
    return len(queued)


async def purge(database: Database, *, keep_days: int) -> int:
    """Remove reports that were made longer ago, of every tenant; how many. The scheduler calls it.

    Raises:
        DatabaseUnavailableError.
    """
    before, removed = now() - timedelta(days=keep_days), 0
    for tenant in await tenancy.list_tenants(database):
        async with database.transaction(tenant.id) as connection:
            removed += await repository.delete_old_reports(connection, tenant_id=tenant.id, before=before)
    return removed


async def _enqueue_of_tenant(connection: AsyncConnection, tenant_id: UUID, last: date) -> list[Job]:
    first = last - timedelta(days=6)
    written = await repository.list_scheduled_days(connection, tenant_id=tenant_id)
    queued = []
    for chatbot in await _chatbots(connection, tenant_id):
        is_wanted = tenancy.settings_of(chatbot).improvement_report == "weekly"
        if not is_wanted or written.get(chatbot.id, date.min) >= last:
            continue
        if await repository.was_asked(connection, tenant_id=tenant_id, chatbot_id=chatbot.id, first=first, last=last):
            _, job = await _queue(
                connection,
                chatbot,
                first,
                last,
                requested_by=tenant_of_system(tenant_id).asker,
                is_scheduled=True,
            )
            queued += [job] if job is not None else []
    return queued


async def _chatbots(connection: AsyncConnection, tenant_id: UUID) -> list[Chatbot]:
    chatbots: list[Chatbot] = []
    while True:
        page, total = await tenancy_repository.list_chatbots(
            connection, tenant_id=tenant_id, limit=MAX_LIMIT, offset=len(chatbots)
        )
        chatbots += page
        if not page or len(chatbots) >= total:
            return chatbots


async def _queue(
    connection: AsyncConnection,
    chatbot: Chatbot,
    first: date,
    last: date,
    *,
    requested_by: str,
    is_scheduled: bool,
) -> tuple[ImprovementReport, Job | None]:
    """The report and its job; no job: the schedule has one of these days already."""
    report = ImprovementReport(
        id=new_id(),
        tenant_id=chatbot.tenant_id,
        chatbot_id=chatbot.id,
        first_day=first,
        last_day=last,
        state=ReportState.QUEUED,
        is_scheduled=is_scheduled,
        requested_by=requested_by,
        job_id=None,
        error=None,
        content={},
        created_at=now(),
        finished_at=None,
    )
    if not await repository.insert_report(connection, report):
        return report, None
    job = await jobs.enqueue(
        connection,
        tenant_id=chatbot.tenant_id,
        kind=WRITE_REPORT,
        payload={"report_id": str(report.id), "chatbot_id": str(chatbot.id)},
    )
    await repository.update_report(
        connection, tenant_id=chatbot.tenant_id, report_id=report.id, values={"job_id": job.id}
    )
    return replace(report, job_id=job.id), job
