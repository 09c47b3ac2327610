"""HTTP: bulk imports, jobs, and live events of documents."""

from __future__ import annotations

import json
from collections.abc import AsyncGenerator
from contextlib import aclosing
from typing import Annotated
from uuid import UUID

import structlog
from fastapi import APIRouter, Header, Query, status
from fastapi.responses import StreamingResponse
from pydantic import BaseModel

from dragoman.deps.http import DepsDep
from dragoman.imports import service, watch
from dragoman.imports.entities import DocumentChanged, ProgressMade, Snapshot, WatchEvent
from dragoman.imports.schemas import (
    DocumentEvent,
    ImportDetailsOut,
    ImportIn,
    ImportList,
    ImportOut,
    JobList,
    JobOut,
    ProgressEvent,
    RetriedOut,
    SnapshotEvent,
    WatchErrorEvent,
)
from dragoman.jobs.entities import GroupState, JobFilter, JobState
from dragoman.kit.errors import DragomanError
from dragoman.kit.heartbeat import HEARTBEAT
from dragoman.tenancy import service as tenancy
from dragoman.tenancy.http import (
    CallerWhoManagesDocuments,
    CallerWhoReadsDocuments,
    ChatbotIdQuery,
    ClosingStream,
    PageDep,
    StreamPlace,
)

router = APIRouter()
_log = structlog.get_logger(__name__)

# ---- bulk imports


@router.post("/api/chatbot/imports/", status_code=status.HTTP_201_CREATED, tags=["imports"])
async def create_import(body: ImportIn, caller: CallerWhoManagesDocuments, deps: DepsDep) -> ImportOut:
    """Open a bulk import. Uploads that name it as `import_id` are followed, paused and cancelled together."""
    view = await service.create_import(
        deps, caller, chatbot_id=body.chatbot_id, name=body.name, expected_documents=body.expected_documents
    )
    return ImportOut.of(view)


@router.get("/api/chatbot/imports/", tags=["imports"])
async def list_imports(
    caller: CallerWhoManagesDocuments,
    deps: DepsDep,
    page: PageDep,
    chatbot_id: Annotated[UUID | None, Query(description="Only those of this chatbot.")] = None,
    state: GroupState | None = None,
) -> ImportList:
    """List bulk imports, newest first. They are kept for 30 days after their end."""
    return ImportList.of(await service.list_imports(deps, caller, chatbot_id=chatbot_id, state=state, page=page))


@router.get("/api/chatbot/imports/{import_id}/", tags=["imports"])
async def get_import(
    import_id: UUID, caller: CallerWhoManagesDocuments, deps: DepsDep, page: PageDep
) -> ImportDetailsOut:
    """Show how far an import is, how fast, and a page of what failed with the reasons."""
    return ImportDetailsOut.of_details(await service.get_import(deps, caller, import_id, failures=page))


@router.post("/api/chatbot/imports/{import_id}/pause/", tags=["imports"])
async def pause_import(import_id: UUID, caller: CallerWhoManagesDocuments, deps: DepsDep) -> ImportOut:
    """Read no more of its documents for now; those being read are brought to their end."""
    return ImportOut.of(await service.pause_import(deps, caller, import_id))


@router.post("/api/chatbot/imports/{import_id}/resume/", tags=["imports"])
async def resume_import(import_id: UUID, caller: CallerWhoManagesDocuments, deps: DepsDep) -> ImportOut:
    """Go on with a paused import."""
    return ImportOut.of(await service.resume_import(deps, caller, import_id))


@router.post("/api/chatbot/imports/{import_id}/cancel/", tags=["imports"])
async def cancel_import(import_id: UUID, caller: CallerWhoManagesDocuments, deps: DepsDep) -> ImportOut:
    """Cancel what is not yet read, also what is being read now. What is ready stays."""
    return ImportOut.of(await service.cancel_import(deps, caller, import_id))


@router.post("/api/chatbot/imports/{import_id}/retry-failed/", tags=["imports"])
async def retry_failed(import_id: UUID, caller: CallerWhoManagesDocuments, deps: DepsDep) -> RetriedOut:
    """Read all failed documents of an import again."""
    view, retried = await service.retry_failed(deps, caller, import_id)
    return RetriedOut(**ImportOut.of(view).model_dump(), retried=retried)


# ---- jobs


@router.get("/api/jobs/", tags=["jobs"])
async def list_jobs(
    caller: CallerWhoManagesDocuments,
    deps: DepsDep,
    page: PageDep,
    state: JobState | None = None,
    kind: Annotated[str | None, Query(max_length=100)] = None,
    reason: Annotated[str | None, Query(max_length=100, description="The `error_code`.")] = None,
    document_id: UUID | None = None,
    chatbot_id: UUID | None = None,
    import_id: UUID | None = None,
) -> JobList:
    """List jobs, newest first; `state=failed` lists the dead ones. Those that ended well are kept for a week."""
    wanted = JobFilter(
        state=state,
        kind=kind,
        error_code=reason,
        subject_id=document_id,
        chatbot_id=chatbot_id,
        group_id=import_id,
    )
    return JobList.of(await service.list_jobs(deps, caller, wanted=wanted, page=page))


@router.post("/api/jobs/{job_id}/retry/", tags=["jobs"])
async def retry_job(job_id: UUID, caller: CallerWhoManagesDocuments, deps: DepsDep) -> JobOut:
    """Run a job that failed or was cancelled again, as if it had never been tried."""
    return JobOut.of(await service.retry_job(deps, caller, job_id))


@router.post("/api/jobs/{job_id}/cancel/", tags=["jobs"])
async def cancel_job(job_id: UUID, caller: CallerWhoManagesDocuments, deps: DepsDep) -> JobOut:
    """Cancel a job that waits or runs; one that runs stops within a second."""
    return JobOut.of(await service.cancel_job(deps, caller, job_id))


# ---- events


@router.get(
    "/api/chatbot/documents/events/",
    tags=["documents"],
    response_class=StreamingResponse,
    responses={200: {"content": {"text/event-stream": {}}, "description": "Server-sent events, one JSON object each."}},
)
async def watch_documents(
    caller: CallerWhoReadsDocuments,
    deps: DepsDep,
    chatbot_id: ChatbotIdQuery = None,
    last_event_id: Annotated[str | None, Header(max_length=100, description="Go on after this event.")] = None,
) -> StreamingResponse:
    """Follow the documents of a chatbot as they are read.

    Server-sent events, each `data:` one JSON object: a `snapshot` of what is in work, then `progress` of a document, and
    `document` when it is ready, failed, deleted, replaced, approved or rejected. A comment every 15 s keeps the
    connection open; it ends after half an hour. Come again with `Last-Event-ID` and nothing that lasts is missed. It counts
    among the streams that you may have at the same time.
    """
    after = watch.parse_event_id(last_event_id)
    async with deps.database.transaction(caller.tenant_id) as connection:  # so that a wrong id is a 404, not an event
        chatbot = await tenancy.get_chatbot(connection, caller, chatbot_id)
    async with StreamPlace.taken(deps.limiter, caller, caller.asker) as held:
        events = watch.watch_documents(deps, caller, chatbot_id=chatbot.id, last_event_id=after)
        return ClosingStream(_server_sent_events(events), held)


async def _server_sent_events(events: AsyncGenerator[WatchEvent | None, None]) -> AsyncGenerator[bytes, None]:
    try:
        async with aclosing(events):
            async for event in events:
                yield HEARTBEAT if event is None else _out(event)
    except DragomanError as error:
        yield _data(WatchErrorEvent(code=error.code, detail=error.message))
    except Exception:  # noqa: BLE001 - the stream has begun: the watcher is told in it, the log has the trace
        _log.exception("imports.watch_failed")
        yield _data(WatchErrorEvent(code="internal", detail=DragomanError().message))


def _out(event: WatchEvent) -> bytes:
    match event:
        case Snapshot():
            return _data(SnapshotEvent.of(event), event.event_id)
        case ProgressMade():
            return _data(ProgressEvent.of(event))
        case DocumentChanged():
            return _data(DocumentEvent.of(event), event.event_id)


def _data(event: BaseModel, event_id: UUID | None = None) -> bytes:
    prefix = f"id: {event_id}\n" if event_id else ""
    return f"{prefix}data: {json.dumps(event.model_dump(mode='json'), ensure_ascii=False)}\n\n".encode()
