"""Documents as the HTTP API shows them."""

from __future__ import annotations

from datetime import datetime
from typing import Any
from uuid import UUID

from pydantic import BaseModel, Field

from dragoman.jobs.entities import Job
from dragoman.knowledge.entities import (
    Approval,
    Chunk,
    ContentType,
    Document,
    DocumentState,
    DocumentVersion,
    Source,
    StoredPage,
    VersionState,
    Visibility,
)
from dragoman.tenancy.entities import AuditEvent, Caller
from dragoman.tenancy.http import RequestBody

STEPS = ("waiting", "extracting", "recognising", "chunking", "embedding", "indexing", "done")


class DocumentOut(BaseModel):
    id: UUID
    chatbot_id: UUID
    title: str
    file_name: str
    file_type: str = Field(description="The true MIME type, found in the content.")
    size_bytes: int
    content_hash: str = Field(description="SHA-256 of the file.")
    content_type: str = Field(description="document, faq, conversation, product or ticket.")
    category: str
    tags: list[str]
    visibility: str = Field(description="shared: all who may ask the chatbot; private: its owner only.")
    is_own: bool = Field(description="You uploaded it: nobody else may keep it private.")
    state: DocumentState
    processed: bool = Field(description="Searches find it.")
    version: int
    approval: Approval = Field(description="Of the newest version: pending ones are not searchable.")
    approval_reason: str | None
    language: str | None
    languages: list[str]
    pages: int | None
    total_chunks: int
    total_tokens: int
    reused_chunks: int = Field(description="Chunks that came out as before and were not embedded again.")
    quality: dict[str, Any]
    quality_score: float | None = Field(description="0 to 1; the quality report says why.")
    pii: dict[str, Any] = Field(description="Personal data found or masked, by type; empty where none was looked for.")
    metadata: dict[str, Any]
    source: Source
    source_url: str | None
    connector_id: UUID | None
    uploaded_at: datetime
    processed_at: datetime | None
    external_id: str | None
    error_code: str | None = Field(None, description="Of its newest version, where that failed.")
    error: str | None = Field(None, description="Why it failed, and what to do.")

    @classmethod
    def of(cls, document: Document, caller: Caller) -> DocumentOut:
        newest = document.newest
        return cls(
            id=document.id,
            chatbot_id=document.chatbot_id,
            title=document.title,
            file_name=document.file_name,
            file_type=newest.mime_type,
            size_bytes=newest.size_bytes,
            content_hash=newest.content_hash,
            content_type=document.content_type,
            category=document.category,
            tags=list(document.tags),
            visibility=document.visibility.value,
            is_own=document.owner == caller.asker,
            state=document.state,
            processed=document.live_version_id is not None,
            version=newest.number,
            approval=newest.approval,
            approval_reason=newest.approval_reason,
            language=newest.language,
            languages=list(newest.languages),
            pages=newest.page_count,
            total_chunks=newest.chunk_count,
            total_tokens=newest.token_count,
            reused_chunks=newest.reused_chunks,
            quality=newest.quality,
            quality_score=newest.quality_score,
            pii=newest.pii,
            metadata=document.metadata,
            source=document.source,
            source_url=document.source_url,
            connector_id=document.connector_id,
            uploaded_at=document.created_at,
            processed_at=newest.ready_at,
            external_id=document.external_id,
            error_code=newest.error_code,
            error=newest.error_message,
        )


class DocumentList(BaseModel):
    documents: list[DocumentOut]
    total: int
    limit: int
    offset: int


class DocumentChange(RequestBody):
    """What is left out stays as it is."""

    title: str | None = Field(None, min_length=1, max_length=500, description="A new title makes a new version.")
    content_type: ContentType | None = None
    category: str | None = Field(None, max_length=200)
    tags: list[str] | None = Field(None, max_length=50)
    metadata: dict[str, Any] | None = None
    visibility: Visibility | None = Field(
        None,
        description="Who finds it from now on: `shared` (all who may ask), for those who manage documents; "
        "`private` (its owner only), for the owner among them.",
    )


class ReadAgain(RequestBody):
    """How a stored document is read anew."""

    embed_all: bool = Field(False, description="Embed every chunk again, the unchanged ones too.")


class Rejection(RequestBody):
    reason: str = Field(min_length=1, max_length=1000, description="Why; the one who uploaded it reads this.")


class StepOut(BaseModel):
    """One step of the reading: extracting, recognising, chunking, embedding or indexing."""

    name: str
    state: str = Field(description="waiting, running, done, failed or skipped.")


class DocumentStatus(BaseModel):
    """How far the reading of a document is."""

    id: UUID
    state: DocumentState
    processed: bool
    approval: Approval
    step: str = Field(
        description="What happens now: waiting, extracting, recognising, chunking, embedding, indexing, approval, done."
    )
    progress: float = Field(description="0 to 1.")
    steps: list[StepOut]
    attempts: int
    total_chunks: int
    reused_chunks: int
    job_id: UUID | None
    error_code: str | None
    error: str | None = Field(description="Why it failed, or why it is tried again, and what to do.")

    @classmethod
    def of(cls, document: Document, job: Job | None) -> DocumentStatus:
        newest = document.newest
        done = newest.state is VersionState.READY
        waits_for_approval = newest.state is VersionState.INDEXED
        step = (job.step if job else "") or "waiting"
        if done or waits_for_approval:
            step = "done" if done else "approval"
        return cls(
            id=document.id,
            state=document.state,
            processed=document.live_version_id is not None,
            approval=newest.approval,
            step=step,
            progress=1.0 if done or waits_for_approval else (job.progress if job else 0.0),
            steps=_steps(newest.state, step),
            attempts=job.attempts if job else 0,
            total_chunks=newest.chunk_count,
            reused_chunks=newest.reused_chunks,
            job_id=newest.job_id,
            error_code=newest.error_code or (job.error_code if job and not done else None),
            error=newest.error_message or (job.error_message if job and not done else None),
        )


def _steps(state: VersionState, step: str) -> list[StepOut]:
    """Each step with its state. Only scans and pictures have the step `recognising`: it is shown while it runs."""
    names = [name for name in STEPS[1:-1] if name != "recognising" or step == name]
    if state in (VersionState.READY, VersionState.INDEXED):
        return [StepOut(name=name, state="done") for name in names]
    now = names.index(step) if step in names else -1
    ended = {VersionState.FAILED: "failed", VersionState.CANCELLED: "skipped"}.get(state)
    steps = []
    for position, name in enumerate(names):
        if position < now:
            shown = "done"
        elif position == now:
            shown = ended or "running"
        else:
            shown = "skipped" if ended else "waiting"
        steps.append(StepOut(name=name, state=shown))
    return steps


class VersionOut(BaseModel):
    version: int
    state: VersionState
    is_live: bool = Field(description="Searches find this one.")
    title: str
    file_name: str
    file_type: str
    size_bytes: int
    content_hash: str
    uploaded_by: str
    made_from: int | None = Field(description="The version whose file was read again; null for an upload.")
    approval: Approval
    approval_reason: str | None
    decided_by: str | None
    decided_at: datetime | None
    total_chunks: int
    reused_chunks: int
    quality_score: float | None
    error_code: str | None
    error: str | None
    created_at: datetime
    ready_at: datetime | None

    @classmethod
    def of(cls, version: DocumentVersion, *, live_version_id: UUID | None, numbers: dict[UUID, int]) -> VersionOut:
        return cls(
            version=version.number,
            state=version.state,
            is_live=version.id == live_version_id,
            title=version.described_as.get("title", ""),
            file_name=version.described_as.get("file_name", ""),
            file_type=version.mime_type,
            size_bytes=version.size_bytes,
            content_hash=version.content_hash,
            uploaded_by=version.uploaded_by,
            made_from=numbers.get(version.made_from) if version.made_from else None,
            approval=version.approval,
            approval_reason=version.approval_reason,
            decided_by=version.decided_by,
            decided_at=version.decided_at,
            total_chunks=version.chunk_count,
            reused_chunks=version.reused_chunks,
            quality_score=version.quality_score,
            error_code=version.error_code,
            error=version.error_message,
            created_at=version.created_at,
            ready_at=version.ready_at,
        )


class VersionList(BaseModel):
    document_id: UUID
    versions: list[VersionOut]


class ChunkOut(BaseModel):
    id: UUID
    index: int
    text: str
    language: str
    kind: str = Field(description="text, table, list, code, faq or conversation.")
    headings: list[str]
    page: int | None
    start: int = Field(description="Where it begins in the whole text of the document, in characters.")
    end: int
    tokens: int
    images: list[UUID]
    provenance: dict[str, Any] = Field(description="Where a question-answer pair comes from.")

    @classmethod
    def of(cls, chunk: Chunk) -> ChunkOut:
        return cls(
            id=chunk.id,
            index=chunk.ordinal,
            text=chunk.text,
            language=chunk.language,
            kind=chunk.kind,
            headings=list(chunk.heading_path),
            page=chunk.page,
            start=chunk.start_offset,
            end=chunk.end_offset,
            tokens=chunk.token_count,
            images=list(chunk.image_ids),
            provenance=chunk.provenance,
        )


class ChunkList(BaseModel):
    chunks: list[ChunkOut]
    total: int
    limit: int
    offset: int


class PageOut(BaseModel):
    """A page as it was read; a chunk's `start` minus this `start` is its place in `text`."""

    page: int | None
    text: str
    start: int
    ocr: bool = Field(description="Recognised in a picture of the page.")
    confidence: float | None = Field(description="Of the recognition, 0 to 1.")

    @classmethod
    def of(cls, page: StoredPage) -> PageOut:
        return cls(page=page.number, text=page.text, start=page.start_offset, ocr=page.ocr, confidence=page.confidence)


class QualityReportOut(BaseModel):
    document_id: UUID
    version: int
    score: float | None = Field(description="0 to 1; None until the document is read.")
    report: dict[str, Any] = Field(description="Languages, pages, duplicates, readability and findings with advice.")
    pii: dict[str, Any]


class HistoryEntry(BaseModel):
    id: UUID
    actor: str
    action: str
    details: dict[str, Any]
    created_at: datetime

    @classmethod
    def of(cls, event: AuditEvent) -> HistoryEntry:
        return cls(
            id=event.id, actor=event.actor, action=event.action, details=event.details, created_at=event.created_at
        )


class History(BaseModel):
    events: list[HistoryEntry]
    total: int
    limit: int
    offset: int


class TrainingDataOut(BaseModel):
    """How the knowledge of a chatbot stands."""

    chatbot_id: UUID
    total: int
    ready: int
    processing: int
    failed: int
    by_state: dict[str, int]
    documents: list[DocumentOut]
    limit: int
    offset: int
