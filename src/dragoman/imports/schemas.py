"""Imports, jobs and document events as the HTTP API shows them."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import Literal
from uuid import UUID

from pydantic import BaseModel, Field

from dragoman.imports.entities import (
    DocumentChanged,
    DocumentInWork,
    ImportDetails,
    ImportView,
    JobView,
    ProgressMade,
    Snapshot,
)
from dragoman.jobs.entities import GroupState, JobState
from dragoman.kit.pagination import Page
from dragoman.tenancy.http import RequestBody

# ---- bulk imports


class ImportIn(RequestBody):
    name: str = Field(min_length=1, max_length=200, description="Your name for it.")
    chatbot_id: UUID | None = Field(None, description="Without it the key's or the tenant's default chatbot.")
    expected_documents: int | None = Field(
        None, ge=1, le=10_000_000, description="How many will come, if known: for the progress, and to know the end."
    )


class ImportOut(BaseModel):
    id: UUID = Field(description="Send it as the form field `import_id` with each upload.")
    chatbot_id: UUID
    name: str
    state: GroupState
    expected_documents: int | None
    total: int = Field(description="Documents that came so far.")
    counts: dict[JobState, int] = Field(description="Documents by the state of their job.")
    progress: float = Field(description="0 to 1, of those expected, or of those that came.")
    documents_per_minute: int = Field(description="Ended within the last minute; 0 in lists.")
    seconds_left: int | None = Field(description="At this rate; null where nothing moves.")
    requested_by: str
    created_at: datetime
    updated_at: datetime
    finished_at: datetime | None

    @classmethod
    def of(cls, view: ImportView) -> ImportOut:
        group, progress = view.group, view.progress
        return cls(
            id=group.id,
            chatbot_id=group.chatbot_id,
            name=group.name,
            state=group.state,
            expected_documents=group.expected_jobs,
            total=progress.total,
            counts={state: progress.counts.get(state, 0) for state in JobState},
            progress=progress.fraction,
            documents_per_minute=progress.jobs_per_minute,
            seconds_left=_seconds_left(view),
            requested_by=group.requested_by,
            created_at=group.created_at,
            updated_at=group.updated_at,
            finished_at=group.finished_at,
        )


def _seconds_left(view: ImportView) -> int | None:
    progress = view.progress
    if not progress.jobs_per_minute or view.group.state is not GroupState.RUNNING:
        return None
    ended = sum(progress.counts.get(state, 0) for state in (JobState.SUCCEEDED, JobState.FAILED, JobState.CANCELLED))
    left = max(view.group.expected_jobs or 0, progress.total) - ended
    return round(left * 60 / progress.jobs_per_minute)


class ImportList(BaseModel):
    imports: list[ImportOut]
    total: int
    limit: int
    offset: int

    @classmethod
    def of(cls, page: Page[ImportView]) -> ImportList:
        items = [ImportOut.of(view) for view in page.items]
        return cls(imports=items, total=page.total, limit=page.limit, offset=page.offset)


class JobOut(BaseModel):
    id: UUID
    kind: str
    state: JobState
    priority: int = Field(description="2: a person waits; 5: normal; 8: bulk.")
    step: str
    progress: float = Field(description="0 to 1.")
    attempts: int
    max_attempts: int
    error_code: str | None = Field(description="The reason as a stable word.")
    error: str | None = Field(description="Why it failed or is tried again, and what to do.")
    document_id: UUID | None
    title: str | None = Field(description="Of the document, where you may see it.")
    file_name: str | None
    chatbot_id: UUID | None
    import_id: UUID | None
    created_at: datetime
    started_at: datetime | None
    finished_at: datetime | None
    run_after: datetime = Field(description="Not before then.")

    @classmethod
    def of(cls, view: JobView) -> JobOut:
        job = view.job
        chatbot_id = job.payload.get("chatbot_id")
        return cls(
            id=job.id,
            kind=job.kind,
            state=job.state,
            priority=job.priority,
            step=job.step,
            progress=job.progress,
            attempts=job.attempts,
            max_attempts=job.max_attempts,
            error_code=job.error_code,
            error=job.error_message,
            document_id=job.subject_id,
            title=view.title,
            file_name=view.file_name,
            chatbot_id=UUID(chatbot_id) if chatbot_id else None,
            import_id=job.group_id,
            created_at=job.created_at,
            started_at=job.started_at,
            finished_at=job.finished_at,
            run_after=job.run_after,
        )


class JobList(BaseModel):
    jobs: list[JobOut]
    total: int
    limit: int
    offset: int

    @classmethod
    def of(cls, page: Page[JobView]) -> JobList:
        items = [JobOut.of(view) for view in page.items]
        return cls(jobs=items, total=page.total, limit=page.limit, offset=page.offset)


class ImportDetailsOut(ImportOut):
    failures: JobList = Field(description="Documents that failed, newest first; `limit` and `offset` page them.")
    reasons: Mapping[str, int] = Field(description="How many failed for each reason, the 20 most frequent.")

    @classmethod
    def of_details(cls, details: ImportDetails) -> ImportDetailsOut:
        return cls(
            **ImportOut.of(details.view).model_dump(),
            failures=JobList.of(details.failures),
            reasons=details.reasons,
        )


class RetriedOut(ImportOut):
    retried: int = Field(description="Documents that are read again.")


# ---- events


class DocumentInWorkOut(BaseModel):
    document_id: UUID
    title: str
    file_name: str
    state: JobState
    step: str
    progress: float
    error_code: str | None
    error: str | None
    import_id: UUID | None

    @classmethod
    def of(cls, document: DocumentInWork) -> DocumentInWorkOut:
        return cls(
            document_id=document.document_id,
            title=document.title,
            file_name=document.file_name,
            state=document.state,
            step=document.step,
            progress=document.progress,
            error_code=document.error_code,
            error=document.error,
            import_id=document.import_id,
        )


class SnapshotEvent(BaseModel):
    """The documents in work, first of all events."""

    type: Literal["snapshot"] = "snapshot"
    documents: list[DocumentInWorkOut]
    is_complete: bool = Field(description="False: there are more than these.")

    @classmethod
    def of(cls, snapshot: Snapshot) -> SnapshotEvent:
        documents = [DocumentInWorkOut.of(each) for each in snapshot.documents]
        return cls(documents=documents, is_complete=snapshot.is_complete)


class ProgressEvent(BaseModel):
    """How far a document is."""

    type: Literal["progress"] = "progress"
    document_id: UUID
    state: JobState
    step: str
    progress: float
    error_code: str | None
    error: str | None

    @classmethod
    def of(cls, made: ProgressMade) -> ProgressEvent:
        return cls(
            document_id=made.document_id,
            state=made.state,
            step=made.step,
            progress=made.progress,
            error_code=made.error_code,
            error=made.error,
        )


class DocumentEvent(BaseModel):
    """Something that lasts happened to a document."""

    type: Literal["document"] = "document"
    document_id: UUID
    event: str = Field(description="registered, ready, replaced, failed, deleted, pending, approved, rejected, …")
    state: str | None
    error_code: str | None
    error: str | None

    @classmethod
    def of(cls, change: DocumentChanged) -> DocumentEvent:
        return cls(
            document_id=change.document_id,
            event=change.what,
            state=change.state,
            error_code=change.error_code,
            error=change.error,
        )


class WatchErrorEvent(BaseModel):
    """The stream ends here; come again."""

    type: Literal["error"] = "error"
    code: str
    detail: str
