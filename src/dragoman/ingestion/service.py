"""The document path: START HERE for uploads. `upload_document` accepts a file, `ingest_document` is the job that reads it.

    upload_document      validate -> store the blob -> document, version and job in one transaction
    ingest_document      extract -> clean -> chunk -> embed -> index -> go live

Each step commits its progress, and finds what an earlier attempt has left: a job that was killed goes on where it stood.
"""

from __future__ import annotations

import hashlib
from collections.abc import AsyncIterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from uuid import UUID

import anyio
import structlog
from sqlalchemy.ext.asyncio import AsyncConnection

from dragoman.deps import Deps
from dragoman.embeddings import service as embeddings
from dragoman.embeddings.entities import EmbeddingVersion
from dragoman.inference.service import CallContext
from dragoman.ingestion.chunk import ChunkDraft, ChunkSettings, chunk_content_hash, chunk_document
from dragoman.ingestion.clean import clean_pages
from dragoman.ingestion.embed import chunk_input, embed_chunks
from dragoman.ingestion.errors import UnsupportedDocumentTypeError
from dragoman.ingestion.validate import UploadLimits, inspect_upload, require_text
from dragoman.jobs import service as jobs
from dragoman.jobs.entities import Job, Priority, Progress
from dragoman.kit.clock import new_id, now
from dragoman.kit.telemetry import StageTimer
from dragoman.knowledge import repository
from dragoman.knowledge import service as knowledge
from dragoman.knowledge.entities import (
    Chunk,
    Document,
    DocumentState,
    DocumentVersion,
    NewDocument,
    VersionState,
    Visibility,
)
from dragoman.ports.extractor import ExtractedDocument
from dragoman.ports.keyword_index import KeywordChunk
from dragoman.tenancy import repository as tenancy_repository
from dragoman.tenancy import service as tenancy
from dragoman.tenancy.access import require
from dragoman.tenancy.entities import Caller, Permission
from dragoman.tenancy.settings import ChatbotSettings

_log = structlog.get_logger(__name__)

_READ_BYTES = 1024 * 1024
_EMBED_BATCH = 16  # chunks per transaction: about 10 s of work on two cores is the most that a kill can cost
_UNSURE_LANGUAGE = 0.5  # below this confidence a chunk takes the language of its document


@dataclass(frozen=True, slots=True, kw_only=True)
class Upload:
    """A file that arrived, and what was said of it. `title` None: taken from the document or the file name; blank: none."""

    path: Path
    file_name: str
    declared_mime_type: str | None
    title: str | None
    chatbot_id: UUID | None
    visibility: Visibility
    content_type: str
    category: str
    tags: tuple[str, ...]
    external_id: str | None
    metadata: dict[str, Any]
    priority: Priority = Priority.USER


@dataclass(frozen=True, slots=True, kw_only=True)
class Uploaded:
    """The document as registered. `is_duplicate`: the same content was there already, and nothing was done."""

    document: Document
    is_duplicate: bool


# ---- accepting an upload


async def upload_document(deps: Deps, caller: Caller, upload: Upload) -> Uploaded:
    """Check and store a file and register its document; the reading happens in a job.

    Raises:
        ChatbotNotFoundError, ForbiddenError: shared documents need the permission to manage documents.
        The errors of `validate.inspect_upload`: empty, too large, wrong or unknown type, damaged, encrypted, a bomb.
    """
    if upload.visibility is Visibility.SHARED:
        require(caller, Permission.MANAGE_DOCUMENTS)
    async with deps.database.transaction(caller.tenant_id) as connection:
        chatbot = await tenancy.get_chatbot(connection, caller, upload.chatbot_id)
    limits = UploadLimits(max_size_mib=tenancy.settings_of(chatbot).max_size_mib)
    inspected = await anyio.to_thread.run_sync(
        lambda: inspect_upload(
            upload.path, file_name=upload.file_name, declared_mime_type=upload.declared_mime_type, limits=limits
        )
    )
    if inspected.mime_type not in deps.extractors:
        raise UnsupportedDocumentTypeError(f"Documents of the type {inspected.mime_type} cannot be read here.")
    if inspected.may_be_encrypted:  # only opening it tells whether it asks for a password; better now than in the job
        content = await anyio.Path(upload.path).read_bytes()
        extractor = deps.extractors[inspected.mime_type]
        await extractor.extract(content, mime_type=inspected.mime_type, file_name=upload.file_name)
    content_hash = await anyio.to_thread.run_sync(_sha256, upload.path)
    async with deps.database.transaction(caller.tenant_id) as connection:
        same = await repository.find_same_content(
            connection,
            tenant_id=caller.tenant_id,
            chatbot_id=chatbot.id,
            content_hash=content_hash,
            owner=caller.asker,
            visibility=upload.visibility,
            external_id=upload.external_id,
        )
    if same is not None:
        return Uploaded(document=same, is_duplicate=True)
    blob_key = f"{caller.tenant_id}/{chatbot.id}/{new_id()}"
    await deps.blob_store.put(blob_key, _file_content(upload.path))
    new = NewDocument(
        chatbot_id=chatbot.id,
        title=(Path(upload.file_name).stem if upload.title is None else upload.title.strip())[:500],
        file_name=upload.file_name[:255],
        mime_type=inspected.mime_type,
        size_bytes=inspected.size_bytes,
        content_hash=content_hash,
        blob_key=blob_key,
        owner=caller.asker,
        visibility=upload.visibility,
        content_type=upload.content_type,
        category=upload.category,
        tags=upload.tags,
        external_id=upload.external_id,
        metadata={**upload.metadata, "title_given": upload.title is not None},
    )
    try:
        async with deps.database.transaction(caller.tenant_id) as connection:
            document, job = await knowledge.register_document(
                connection, new, tenant_id=caller.tenant_id, priority=upload.priority
            )
    except BaseException:
        await deps.blob_store.delete(blob_key)
        raise
    await jobs.announce(deps.database, deps.sender, job)
    return Uploaded(document=document, is_duplicate=False)


def _sha256(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


async def _file_content(path: Path) -> AsyncIterator[bytes]:
    async with await anyio.open_file(path, "rb") as file:
        while piece := await file.read(_READ_BYTES):
            yield piece


# ---- reading it


async def ingest_document(deps: Deps, job: Job, progress: Progress) -> None:
    """The job: make a stored version searchable. Does nothing for a document deleted meanwhile.

    Raises:
        ExtractionError, NoTextFoundError: the document itself is at fault; not tried again.
        EmbedderUnavailableError, BlobStoreUnavailableError, DatabaseUnavailableError: tried again later.
    """
    work = await _load_work(deps, job)
    if work is None:
        return
    timer = StageTimer("ingestion")
    if work.version.state is VersionState.STORED:
        await progress("extracting", 0.02)
        with timer.stage("extract"):
            extracted = await _extract(deps, work)
        await progress("chunking", 0.1)
        with timer.stage("chunk"):
            await _chunk(deps, work, extracted)
    with timer.stage("embed"):
        await _embed(deps, work, progress)
    await progress("indexing", 0.95)
    with timer.stage("index"):
        await _index(deps, work)
    with timer.stage("publish"):
        await _go_live(deps, work)
    _log.info("ingestion.document_ready", document_id=str(work.document.id), **timer.finish())


async def record_failure(deps: Deps, job: Job, code: str, message: str) -> None:
    """Write on the document why it cannot be read. A document with an older live version keeps serving that."""
    document_id, version_id = UUID(job.payload["document_id"]), UUID(job.payload["version_id"])
    async with deps.database.transaction(job.tenant_id) as connection:
        values = {"state": VersionState.FAILED.value, "error_code": code, "error_message": message}
        await repository.update_version(connection, tenant_id=job.tenant_id, version_id=version_id, values=values)
        document = await repository.find_document(connection, tenant_id=job.tenant_id, document_id=document_id)
        if document is None:
            return
        state = DocumentState.FAILED if document.live_version_id is None else DocumentState.READY
        await repository.set_document_state(connection, tenant_id=job.tenant_id, document_id=document_id, state=state)
        await jobs.emit(
            connection,
            tenant_id=job.tenant_id,
            topic="document.failed",
            payload={"document_id": str(document_id), "code": code},
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class _Work:
    tenant_id: UUID
    document: Document
    version: DocumentVersion
    settings: ChatbotSettings
    embedding_version: EmbeddingVersion

    @property
    def context(self) -> CallContext:
        return CallContext(tenant_id=self.tenant_id, chatbot_id=self.document.chatbot_id, purpose="ingestion")


async def _load_work(deps: Deps, job: Job) -> _Work | None:
    document_id, version_id = UUID(job.payload["document_id"]), UUID(job.payload["version_id"])
    async with deps.database.transaction(job.tenant_id) as connection:
        document = await repository.find_document(connection, tenant_id=job.tenant_id, document_id=document_id)
        version = await repository.find_version(connection, tenant_id=job.tenant_id, version_id=version_id)
        if document is None or version is None or version.state in (VersionState.READY, VersionState.FAILED):
            return None
        chatbot = await tenancy_repository.find_chatbot(
            connection, tenant_id=job.tenant_id, chatbot_id=document.chatbot_id
        )
        if chatbot is None:
            return None
        if document.live_version_id is None:
            await repository.set_document_state(
                connection, tenant_id=job.tenant_id, document_id=document_id, state=DocumentState.PROCESSING
            )
        embedding_version = await embeddings.get_version(connection, chatbot.active_embedding_version)
    return _Work(
        tenant_id=job.tenant_id,
        document=document,
        version=version,
        settings=tenancy.settings_of(chatbot),
        embedding_version=embedding_version,
    )


async def _extract(deps: Deps, work: _Work) -> ExtractedDocument:
    content = b"".join([piece async for piece in deps.blob_store.read(work.version.blob_key)])
    extractor = deps.extractors.get(work.version.mime_type)
    if extractor is None:
        raise UnsupportedDocumentTypeError(f"Documents of the type {work.version.mime_type} cannot be read here.")
    return await extractor.extract(
        content, mime_type=work.version.mime_type, file_name=work.version.described_as["file_name"]
    )


async def _chunk(deps: Deps, work: _Work, extracted: ExtractedDocument) -> None:
    cleaned = await anyio.to_thread.run_sync(clean_pages, extracted.pages)
    require_text(ExtractedDocument(pages=cleaned.pages))
    title = work.version.described_as["title"]
    if not work.version.described_as["metadata"].get("title_given") and extracted.title:
        title = extracted.title.strip()[:500] or title

    async def count_tokens(texts: Sequence[str]) -> list[int]:
        return await deps.inference.count_tokens(work.embedding_version.name, texts)

    settings = ChunkSettings(
        target_tokens=work.settings.chunk_tokens,
        max_tokens=_max_chunk_tokens(work),
        overlap_tokens=work.settings.chunk_overlap_tokens,
    )
    language = deps.language_detector.detect(_sample(cleaned.pages)).code
    drafts = await chunk_document(
        cleaned.pages, title=title, language=language, count_tokens=count_tokens, settings=settings
    )
    chunks = [
        _chunk_of(draft, chunk_language, work) for draft, chunk_language in _with_languages(deps, drafts, language)
    ]
    async with deps.database.transaction(work.tenant_id) as connection:
        await repository.replace_chunks(
            connection,
            chunks,
            tenant_id=work.tenant_id,
            chatbot_id=work.document.chatbot_id,
            version_id=work.version.id,
        )
        numbered = [page.number for page in cleaned.pages if page.number is not None]
        values = {
            "state": VersionState.CHUNKED.value,
            "described_as": {**work.version.described_as, "title": title},
            "language": language,
            "languages": sorted({chunk.language for chunk in chunks}),
            "page_count": max(numbered, default=None),
            "chunk_count": len(chunks),
            "token_count": sum(chunk.token_count for chunk in chunks),
            "quality": cleaned.quality,
        }
        await repository.update_version(connection, tenant_id=work.tenant_id, version_id=work.version.id, values=values)


def _max_chunk_tokens(work: _Work) -> int:
    """The longest chunk: a third above the target, and never more than fits the model's window beside title and headings."""
    window = work.embedding_version.max_tokens - 64
    return max(64, min(window, work.settings.chunk_tokens * 4 // 3))


def _sample(pages: Sequence[Any], characters: int = 4000) -> str:
    """Text from the beginning and the middle: title pages are often in another language."""
    whole = "\n".join(page.markdown for page in pages)
    middle = len(whole) // 2
    return (
        whole
        if len(whole) <= characters
        else whole[: characters // 2] + "\n" + whole[middle : middle + characters // 2]
    )


def _with_languages(deps: Deps, drafts: Sequence[ChunkDraft], document_language: str) -> list[tuple[ChunkDraft, str]]:
    detected = deps.language_detector.detect_many([draft.text for draft in drafts])
    return [
        (draft, found.code if found.confidence >= _UNSURE_LANGUAGE and found.code != "und" else document_language)
        for draft, found in zip(drafts, detected, strict=True)
    ]


def _chunk_of(draft: ChunkDraft, language: str, work: _Work) -> Chunk:
    return Chunk(
        id=new_id(),
        document_id=work.document.id,
        version_id=work.version.id,
        ordinal=draft.ordinal,
        text=draft.text,
        language=language,
        kind=draft.kind,
        heading_path=draft.heading_path,
        page=draft.page,
        start_offset=draft.start,
        end_offset=draft.end,
        token_count=draft.token_count,
        content_hash=chunk_content_hash(draft.text, draft.heading_path),
    )


async def _embed(deps: Deps, work: _Work, progress: Progress) -> None:
    async with deps.database.transaction(work.tenant_id) as connection:
        chunks = await repository.list_chunks(connection, tenant_id=work.tenant_id, version_id=work.version.id)
        title = await _title(connection, work)
        done = await deps.vector_index.list_embedded(
            connection,
            tenant_id=work.tenant_id,
            chatbot_id=work.document.chatbot_id,
            version_id=work.version.id,
            embedding_version=work.embedding_version.id,
        )
    missing = [chunk for chunk in chunks if chunk.id not in done]
    for start in range(0, len(missing), _EMBED_BATCH):
        batch = missing[start : start + _EMBED_BATCH]
        ready = len(chunks) - len(missing) + start
        await progress("embedding", 0.1 + 0.85 * ready / max(len(chunks), 1))
        vectors = await embed_chunks(
            deps.inference,
            work.context,
            work.embedding_version.name,
            title=title,
            chunks=batch,
            with_sentences=work.settings.sentence_vectors,
        )
        async with deps.database.transaction(work.tenant_id) as connection:
            await deps.vector_index.add(
                connection,
                tenant_id=work.tenant_id,
                chatbot_id=work.document.chatbot_id,
                document_id=work.document.id,
                version_id=work.version.id,
                embedding_version=work.embedding_version.id,
                vectors=vectors,
            )


async def _index(deps: Deps, work: _Work) -> None:
    async with deps.database.transaction(work.tenant_id) as connection:
        chunks = await repository.list_chunks(connection, tenant_id=work.tenant_id, version_id=work.version.id)
        title = await _title(connection, work)
        await deps.keyword_index.add(
            connection,
            tenant_id=work.tenant_id,
            chatbot_id=work.document.chatbot_id,
            document_id=work.document.id,
            version_id=work.version.id,
            chunks=[
                KeywordChunk(
                    ordinal=chunk.ordinal,
                    text=chunk_input(title, chunk.heading_path, chunk.text),
                    language=chunk.language,
                )
                for chunk in chunks
            ],
        )


async def _go_live(deps: Deps, work: _Work) -> None:
    async with deps.database.transaction(work.tenant_id) as connection:
        await repository.lock_document(connection, tenant_id=work.tenant_id, document_id=work.document.id)
        if await _is_overtaken(connection, work):
            await _forget_version(deps, connection, work.tenant_id, work.version.id)
            return
        version = await repository.find_version(connection, tenant_id=work.tenant_id, version_id=work.version.id)
        alive = await repository.make_live(connection, tenant_id=work.tenant_id, version=version or work.version)
        if not alive:  # deleted while it was read: leave nothing behind
            await _forget_version(deps, connection, work.tenant_id, work.version.id)
            return
        await _remove_replaced(deps, connection, work)
        values = {"state": VersionState.READY.value, "ready_at": now(), "error_code": None, "error_message": None}
        await repository.update_version(connection, tenant_id=work.tenant_id, version_id=work.version.id, values=values)
        await tenancy_repository.raise_knowledge_revision(
            connection, tenant_id=work.tenant_id, chatbot_id=work.document.chatbot_id
        )
        await jobs.emit(
            connection,
            tenant_id=work.tenant_id,
            topic="document.ready",
            payload={"document_id": str(work.document.id), "version_id": str(work.version.id)},
        )


async def _is_overtaken(connection: AsyncConnection, work: _Work) -> bool:
    """Whether a newer version went live while this one waited or was read: jobs may end in any order."""
    versions = await repository.list_versions(connection, tenant_id=work.tenant_id, document_id=work.document.id)
    return any(version.number > work.version.number and version.state is VersionState.READY for version in versions)


async def _remove_replaced(deps: Deps, connection: AsyncConnection, work: _Work) -> None:
    """Take what older versions left out of the indexes, in the transaction that replaces them."""
    for version in await repository.list_versions(connection, tenant_id=work.tenant_id, document_id=work.document.id):
        if version.number < work.version.number:
            await _forget_version(deps, connection, work.tenant_id, version.id)


async def _forget_version(deps: Deps, connection: AsyncConnection, tenant_id: UUID, version_id: UUID) -> None:
    await deps.vector_index.remove_version(connection, tenant_id=tenant_id, version_id=version_id)
    await deps.keyword_index.remove_version(connection, tenant_id=tenant_id, version_id=version_id)
    await repository.delete_chunks(connection, tenant_id=tenant_id, version_id=version_id)


async def _title(connection: AsyncConnection, work: _Work) -> str:
    """The title as chunking left it: it may come from inside the document."""
    version = await repository.find_version(connection, tenant_id=work.tenant_id, version_id=work.version.id)
    return str((version or work.version).described_as["title"])
