"""Documents as the HTTP API shows them."""

from __future__ import annotations

from datetime import datetime
from typing import Any
from uuid import UUID

from pydantic import BaseModel, Field

from dragoman.jobs.entities import Job
from dragoman.knowledge.entities import Document, DocumentState, VersionState


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
    state: DocumentState
    processed: bool = Field(description="Searches find it.")
    version: int
    language: str | None
    pages: int | None
    total_chunks: int
    total_tokens: int
    quality: dict[str, Any]
    metadata: dict[str, Any]
    uploaded_at: datetime
    processed_at: datetime | None
    external_id: str | None

    @classmethod
    def of(cls, document: Document) -> DocumentOut:
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
            state=document.state,
            processed=document.live_version_id is not None,
            version=newest.number,
            language=newest.language,
            pages=newest.page_count,
            total_chunks=newest.chunk_count,
            total_tokens=newest.token_count,
            quality=newest.quality,
            metadata=document.metadata,
            uploaded_at=document.created_at,
            processed_at=newest.ready_at,
            external_id=document.external_id,
        )


class DocumentList(BaseModel):
    documents: list[DocumentOut]
    total: int
    limit: int
    offset: int


class DocumentStatus(BaseModel):
    """How far the reading of a document is."""

    id: UUID
    state: DocumentState
    processed: bool
    step: str = Field(description="What happens now: waiting, extracting, chunking, embedding, indexing, done.")
    progress: float = Field(description="0 to 1.")
    attempts: int
    total_chunks: int
    error_code: str | None
    error: str | None = Field(description="Why it failed, or why it is tried again, and what to do.")

    @classmethod
    def of(cls, document: Document, job: Job | None) -> DocumentStatus:
        newest = document.newest
        done = newest.state is VersionState.READY
        return cls(
            id=document.id,
            state=document.state,
            processed=document.live_version_id is not None,
            step="done" if done else ((job.step if job else "") or "waiting"),
            progress=1.0 if done else (job.progress if job else 0.0),
            attempts=job.attempts if job else 0,
            total_chunks=newest.chunk_count,
            error_code=newest.error_code or (job.error_code if job and not done else None),
            error=newest.error_message or (job.error_message if job and not done else None),
        )
