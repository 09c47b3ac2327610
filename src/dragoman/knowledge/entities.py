"""Documents, their versions and their chunks."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from typing import Any
from uuid import UUID


class DocumentState(StrEnum):
    """`queued` -> `processing` -> `ready` | `failed`; `deleted` from any. A failed replacement leaves the document `ready`."""

    QUEUED = "queued"
    PROCESSING = "processing"
    READY = "ready"
    FAILED = "failed"
    DELETED = "deleted"


class VersionState(StrEnum):
    """How far a version has come: `stored`, then `chunked`, then `ready`; or `failed`."""

    STORED = "stored"
    CHUNKED = "chunked"
    READY = "ready"
    FAILED = "failed"


class Visibility(StrEnum):
    SHARED = "shared"
    PRIVATE = "private"


class ContentType(StrEnum):
    DOCUMENT = "document"
    FAQ = "faq"
    CONVERSATION = "conversation"
    PRODUCT = "product"
    TICKET = "ticket"


@dataclass(frozen=True, slots=True, kw_only=True)
class DocumentVersion:
    id: UUID
    document_id: UUID
    number: int
    state: VersionState
    job_id: UUID | None
    mime_type: str
    size_bytes: int
    content_hash: str
    blob_key: str
    described_as: dict[str, Any]
    language: str | None
    languages: tuple[str, ...]
    page_count: int | None
    chunk_count: int
    token_count: int
    quality: dict[str, Any]
    error_code: str | None
    error_message: str | None
    created_at: datetime
    ready_at: datetime | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Document:
    """A document with its newest version; `live_version_id` is the one that searches find."""

    id: UUID
    tenant_id: UUID
    chatbot_id: UUID
    title: str
    file_name: str
    external_id: str | None
    content_type: str
    category: str
    tags: tuple[str, ...]
    visibility: Visibility
    owner: str
    state: DocumentState
    live_version_id: UUID | None
    metadata: dict[str, Any]
    created_at: datetime
    updated_at: datetime
    newest: DocumentVersion


@dataclass(frozen=True, slots=True, kw_only=True)
class Chunk:
    """A piece of a document version.

    Attributes:
        text: what is quoted; `start_offset` and `end_offset` are its place in the whole cleaned text.
        page: from 1; None where the format has no pages.
    """

    id: UUID
    document_id: UUID
    version_id: UUID
    ordinal: int
    text: str
    language: str
    kind: str
    heading_path: tuple[str, ...]
    page: int | None
    start_offset: int
    end_offset: int
    token_count: int
    content_hash: str


@dataclass(frozen=True, slots=True, kw_only=True)
class ChunkInDocument:
    """A chunk with what a citation says of its document."""

    chunk: Chunk
    title: str
    file_name: str
    external_id: str | None
    content_type: str
    category: str


@dataclass(frozen=True, slots=True, kw_only=True)
class NewDocument:
    """What an upload says of itself; the content is already in the blob store under `blob_key`."""

    chatbot_id: UUID
    title: str
    file_name: str
    mime_type: str
    size_bytes: int
    content_hash: str
    blob_key: str
    owner: str
    visibility: Visibility
    content_type: str
    category: str
    tags: tuple[str, ...]
    external_id: str | None
    metadata: dict[str, Any]

    @property
    def description(self) -> dict[str, Any]:
        """What a new version changes of its document, besides the text."""
        return {
            "title": self.title,
            "file_name": self.file_name,
            "content_type": self.content_type,
            "category": self.category,
            "tags": list(self.tags),
            "metadata": self.metadata,
        }


@dataclass(frozen=True, slots=True, kw_only=True)
class DocumentFilter:
    """Which documents a list shows; None does not restrict. `asker` sees shared ones and its own private ones."""

    chatbot_id: UUID
    asker: str
    state: DocumentState | None = None
    title_contains: str | None = None
