"""Documents, their versions and their chunks."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum
from typing import Any
from uuid import UUID


class DocumentState(StrEnum):
    """`queued` -> `processing` -> `ready` | `failed` | `cancelled`; `deleted` from any.

    Where approval is required: `processing` -> `pending` -> `ready` | `rejected`. A replacement that fails, waits or is
    rejected leaves the document `ready` with its old version.
    """

    QUEUED = "queued"
    PROCESSING = "processing"
    PENDING = "pending"
    READY = "ready"
    FAILED = "failed"
    CANCELLED = "cancelled"
    REJECTED = "rejected"
    DELETED = "deleted"


class VersionState(StrEnum):
    """How far a version has come: `stored`, `chunked`, `indexed`, then `ready`; or `failed`, `cancelled`.

    `indexed`: all is there, and it waits for its approval.
    """

    STORED = "stored"
    CHUNKED = "chunked"
    INDEXED = "indexed"
    READY = "ready"
    FAILED = "failed"
    CANCELLED = "cancelled"


class DocumentSort(StrEnum):
    NEWEST = "newest"
    OLDEST = "oldest"
    TITLE = "title"
    SIZE = "size"
    QUALITY = "quality"


class Approval(StrEnum):
    PENDING = "pending"
    APPROVED = "approved"
    REJECTED = "rejected"


class Source(StrEnum):
    """How a document came."""

    UPLOAD = "upload"
    URL = "url"
    CONNECTOR = "connector"


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
    uploaded_by: str
    approval: Approval
    approval_reason: str | None
    decided_by: str | None
    decided_at: datetime | None
    made_from: UUID | None
    reuse_vectors: bool
    reused_chunks: int
    quality_score: float | None
    pii: dict[str, Any]


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
    source: Source
    source_url: str | None
    connector_id: UUID | None
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
    image_ids: tuple[UUID, ...] = ()
    provenance: dict[str, Any] = field(default_factory=dict)

    def offset_in_document(self, at: int) -> int:
        """Where the character `at` of the text stands in the whole document; a repeated table head counts as its start."""
        repeated = len(self.text) - (self.end_offset - self.start_offset)
        return self.start_offset + max(0, at - repeated)


@dataclass(frozen=True, slots=True, kw_only=True)
class StoredPage:
    """A page as it was read and cleaned; `start_offset` is its place in the whole text of the version."""

    ordinal: int
    number: int | None
    text: str
    start_offset: int
    ocr: bool = False
    confidence: float | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class DocumentImage:
    """A picture found in a document; its bytes are in the blob store."""

    id: UUID
    document_id: UUID
    version_id: UUID
    ordinal: int
    page: int | None
    blob_key: str
    mime_type: str
    width: int
    height: int
    size_bytes: int
    description: str


@dataclass(frozen=True, slots=True, kw_only=True)
class LiveDocument:
    """A document whose first version went live just now."""

    id: UUID
    version_id: UUID
    visibility: Visibility
    owner: str


@dataclass(frozen=True, slots=True, kw_only=True)
class SimilarVersion:
    """A live version of another document that shares bands of its signature."""

    document_id: UUID
    title: str
    signature: bytes


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
    uploaded_by: str
    findings: tuple[dict[str, Any], ...] = ()
    approval: Approval = Approval.APPROVED
    source: Source = Source.UPLOAD
    source_url: str | None = None
    connector_id: UUID | None = None

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

    @property
    def quality(self) -> dict[str, Any]:
        """What is known of a version before it is read."""
        return {"findings": list(self.findings)}


@dataclass(frozen=True, slots=True, kw_only=True)
class NewVersion:
    """A version that is about to be written: of a new document, or of one that is there."""

    of: NewDocument
    id: UUID
    document_id: UUID
    number: int
    job_id: UUID
    created_at: datetime

    def as_document(self, tenant_id: UUID) -> Document:
        """The document that this first version is written with, as it would be read back."""
        of = self.of
        version = DocumentVersion(
            id=self.id,
            document_id=self.document_id,
            number=self.number,
            state=VersionState.STORED,
            job_id=self.job_id,
            mime_type=of.mime_type,
            size_bytes=of.size_bytes,
            content_hash=of.content_hash,
            blob_key=of.blob_key,
            described_as=of.description,
            language=None,
            languages=(),
            page_count=None,
            chunk_count=0,
            token_count=0,
            quality=of.quality,
            error_code=None,
            error_message=None,
            created_at=self.created_at,
            ready_at=None,
            uploaded_by=of.uploaded_by,
            approval=of.approval,
            approval_reason=None,
            decided_by=None,
            decided_at=None,
            made_from=None,
            reuse_vectors=True,
            reused_chunks=0,
            quality_score=None,
            pii={},
        )
        return Document(
            id=self.document_id,
            tenant_id=tenant_id,
            chatbot_id=of.chatbot_id,
            title=of.title,
            file_name=of.file_name,
            external_id=of.external_id,
            content_type=of.content_type,
            category=of.category,
            tags=of.tags,
            visibility=of.visibility,
            owner=of.owner,
            state=DocumentState.QUEUED,
            live_version_id=None,
            source=of.source,
            source_url=of.source_url,
            connector_id=of.connector_id,
            metadata=of.metadata,
            created_at=self.created_at,
            updated_at=self.created_at,
            newest=version,
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class DocumentFilter:
    """Which documents a list shows; None does not restrict.

    Attributes:
        asker: sees shared ones and its own private ones.
        sees_unapproved: those of others too that wait for approval or were rejected.
        words: each stands in the title, the file name or a tag.
        min_quality: of the newest version, 0 to 1.
    """

    chatbot_id: UUID
    asker: str
    sees_unapproved: bool = False
    state: DocumentState | None = None
    approval: Approval | None = None
    words: str | None = None
    content_type: str | None = None
    category: str | None = None
    tag: str | None = None
    language: str | None = None
    visibility: Visibility | None = None
    source: Source | None = None
    connector_id: UUID | None = None
    external_id: str | None = None
    min_quality: float | None = None
    uploaded_after: datetime | None = None
    uploaded_before: datetime | None = None
    sort: DocumentSort = DocumentSort.NEWEST
