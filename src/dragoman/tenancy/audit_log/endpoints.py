"""HTTP: reading, exporting and verifying the audit log, and how long it is kept."""

from __future__ import annotations

from collections.abc import AsyncIterator
from typing import Annotated
from uuid import UUID

from fastapi import APIRouter, Depends, Query, Request
from fastapi.responses import StreamingResponse
from pydantic import AwareDatetime

from dragoman.kit.pagination import MAX_LIMIT
from dragoman.tenancy import audit
from dragoman.tenancy.audit_log import export, retention, service
from dragoman.tenancy.audit_log.entities import EventFilter
from dragoman.tenancy.audit_log.schemas import (
    AuditEventList,
    AuditEventOut,
    AuditFormat,
    HeadAnswer,
    HeadOut,
    RetentionIn,
    RetentionOut,
    VerificationOut,
)
from dragoman.tenancy.audit_log.service import AuditLog
from dragoman.tenancy.entities import Caller
from dragoman.tenancy.http import CallerWhoManagesTenant, CallerWhoReadsAudit, DatabaseDep

router = APIRouter()


async def _log(request: Request) -> AuditLog:
    log: AuditLog = request.app.state.audit_log
    return log


LogDep = Annotated[AuditLog, Depends(_log)]


async def _wanted(
    actor: Annotated[
        str | None, Query(max_length=320, description="`user:<id>`, `key:<id>`, or a part of what they were called.")
    ] = None,
    action: Annotated[
        str | None, Query(max_length=100, description="`document.deleted`; `document.` for all of documents.")
    ] = None,
    subject_type: Annotated[str | None, Query(max_length=100)] = None,
    subject_id: UUID | None = None,
    address: Annotated[str | None, Query(max_length=100, description="Where the request came from.")] = None,
    request_id: Annotated[str | None, Query(max_length=64)] = None,
    text: Annotated[str | None, Query(min_length=1, max_length=200, description="Said in the details.")] = None,
    after: Annotated[AwareDatetime | None, Query(description="From this moment on.")] = None,
    before: Annotated[AwareDatetime | None, Query(description="Before this moment.")] = None,
) -> EventFilter:
    return EventFilter(
        actor=actor,
        action=action,
        subject_type=subject_type,
        subject_id=subject_id,
        address=address,
        request_id=request_id,
        text=text,
        after=after,
        before=before,
    )


WantedDep = Annotated[EventFilter, Depends(_wanted)]


@router.get("/api/audit/", tags=["audit"])
async def list_audit_events(
    caller: CallerWhoReadsAudit,
    log: LogDep,
    wanted: WantedDep,
    limit: Annotated[int, Query(ge=1, le=MAX_LIMIT, description="Events on a page.")] = 50,
    cursor: Annotated[str | None, Query(max_length=64, description="`next_cursor` of the page before.")] = None,
) -> AuditEventList:
    """List who changed and saw what, newest first."""
    events, following = await service.list_events(log, caller, wanted=wanted, cursor=cursor, limit=limit)
    return AuditEventList(events=[AuditEventOut.of(event) for event in events], next_cursor=following)


@router.get(
    "/api/audit/export/",
    tags=["audit"],
    response_class=StreamingResponse,
    responses={200: {"content": {"application/x-ndjson": {}, "text/csv": {}}, "description": "The events."}},
)
async def export_audit_events(
    caller: CallerWhoReadsAudit,
    log: LogDep,
    wanted: WantedDep,
    file_format: Annotated[AuditFormat, Query(alias="format")] = AuditFormat.JSONL,
) -> StreamingResponse:
    """Export all wanted events as lines of JSON, or as CSV."""
    async with log.database.transaction(caller.tenant_id) as connection:
        await audit.record(
            connection,
            caller,
            "audit_log.exported",
            subject_type="audit",
            subject_id=None,
            format=file_format.value,
        )
    media_type = "text/csv" if file_format is AuditFormat.CSV else "application/x-ndjson"
    headers = {"Content-Disposition": f'attachment; filename="audit.{file_format.value}"', "Cache-Control": "no-store"}
    return StreamingResponse(_written(log, caller, wanted, file_format), media_type=media_type, headers=headers)


async def _written(log: AuditLog, caller: Caller, wanted: EventFilter, file_format: AuditFormat) -> AsyncIterator[str]:
    if file_format is AuditFormat.JSONL:
        async for events in service.read_events(log, caller, wanted):
            yield export.to_jsonl(events)
        return
    yield export.to_csv([], with_header=True)
    async for events in service.read_events(log, caller, wanted):
        yield export.to_csv(events, with_header=False)


@router.get("/api/audit/head/", tags=["audit"])
async def get_audit_head(caller: CallerWhoReadsAudit, log: LogDep) -> HeadAnswer:
    """Show the signed end of the chain, to be kept elsewhere."""
    head = await service.find_head(log, caller.tenant_id)
    return HeadAnswer(head=None if head is None else HeadOut.of(head))


@router.get("/api/audit/verify/", tags=["audit"])
async def verify_audit_log(
    caller: CallerWhoReadsAudit,
    log: LogDep,
    head: Annotated[
        list[str] | None,
        Query(max_length=20, description="Heads that were kept elsewhere, as `head/` gave them: JSON."),
    ] = None,
) -> VerificationOut:
    """Verify that no event was changed, removed, moved or added, and that the end is there. Reads the whole log."""
    heads = [service.parse_head(each) for each in head or []]
    return VerificationOut.of(await service.verify_log(log, caller.tenant_id, heads=heads))


@router.get("/api/audit/retention/", tags=["audit"])
async def get_audit_retention(caller: CallerWhoReadsAudit, database: DatabaseDep) -> RetentionOut:
    """Show how long audit events are kept."""
    return RetentionOut(keep_days=await retention.get_keep_days(database, caller))


@router.put("/api/audit/retention/", tags=["audit"])
async def set_audit_retention(body: RetentionIn, caller: CallerWhoManagesTenant, database: DatabaseDep) -> RetentionOut:
    """Keep audit events so many days, or for ever."""
    await retention.set_keep_days(database, caller, body.keep_days)
    return RetentionOut(keep_days=body.keep_days)
