"""The job that makes a stored file searchable.

    ingest_document      read, cut -> embed -> index -> go live (or wait for approval)
    ingest_together      the same for many small new documents at once

Each step commits its progress, and finds what an earlier attempt has left: a job that was killed goes on where it stood.
What is read and cut is prepared in `prepare.py`, which knows no database.
"""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import AsyncIterator, Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any, TypeVar
from uuid import UUID

import structlog
from sqlalchemy.ext.asyncio import AsyncConnection

from dragoman.deps import Deps
from dragoman.embeddings import service as embeddings
from dragoman.embeddings.entities import EmbeddingVersion
from dragoman.inference.service import CallContext
from dragoman.ingestion.counting import CountTokens
from dragoman.ingestion.embed import chunk_input, embed_chunks
from dragoman.ingestion.local_copy import local_copy
from dragoman.ingestion.prepare import (
    Cut,
    CutProgress,
    Prepared,
    chunk_settings,
    cut_document,
    cut_from_json,
    cut_small_documents,
    findings_of,
    look_for_personal_data,
    prepare_document,
    prepare_text,
)
from dragoman.ingestion.quality import QualityReport
from dragoman.jobs import service as jobs
from dragoman.jobs.entities import BatchProgress, Job, Progress
from dragoman.kit.clock import Stopwatch, new_id
from dragoman.kit.telemetry import StageTimer
from dragoman.kit.threads import run_each
from dragoman.knowledge import publish, repository
from dragoman.knowledge import service as knowledge
from dragoman.knowledge.entities import (
    Approval,
    Chunk,
    Document,
    DocumentImage,
    DocumentState,
    DocumentVersion,
    VersionState,
    Visibility,
)
from dragoman.ports.extractor import ExtractedDocument, ExtractedImage, ReadOptions, ReadProgress, SmallFile
from dragoman.ports.keyword_index import KeywordChunk
from dragoman.ports.vector_index import ChunkVectors
from dragoman.tenancy import repository as tenancy_repository
from dragoman.tenancy import service as tenancy
from dragoman.tenancy.settings import ChatbotSettings

_log = structlog.get_logger(__name__)

T = TypeVar("T")

TOGETHER = 256  # new documents that are read and cut at once, while many wait
FEW_TOGETHER = 128  # near the end of an import
LARGEST_TOGETHER_BYTES = 64 * 1024  # of a file: larger ones are read alone, and commit each step
_COMMIT_EVERY_S = 5.0  # of embedding: what is ready then is written, so that a kill costs no more than some seconds
_MOST_SIMILAR = 20  # documents that share a band are compared with a new one
_QUICK_SHARE_MS = 250.0  # a share that took less is followed by one twice as large
_EMBED_BATCH = 16  # chunks per transaction: about 10 s of work on two cores is the most that a kill can cost


async def ingest_document(deps: Deps, job: Job, progress: Progress) -> None:
    """The job: make a stored version searchable. Does nothing for a document deleted meanwhile.

    Raises:
        ExtractionError, NoTextFoundError, the errors of `sandbox.Sandbox.read`: the document itself is at fault; not
            tried again.
        EmbedderUnavailableError, BlobStoreUnavailableError, DatabaseUnavailableError: tried again later.
    """
    for work in await _load(deps, job.tenant_id, [job]):
        await _ingest(deps, work, progress)


async def ingest_together(deps: Deps, batch: Sequence[Job], progress: BatchProgress) -> dict[UUID, Exception]:
    """Many documents of one chatbot. What is not small and new is read after the others, each by itself.

    Returns the jobs that failed, with their errors.
    """
    failed: dict[UUID, Exception] = {}
    small: list[_Work] = []
    alone: list[_Work] = []
    for work in await _load(deps, batch[0].tenant_id, batch):
        is_small = work.version.number == 1 and work.version.size_bytes <= LARGEST_TOGETHER_BYTES
        (small if is_small and work.version.state is VersionState.STORED else alone).append(work)
    await _ingest_small(deps, small, progress, failed)
    for work in alone:
        if work.job_id in progress.lost:
            continue
        try:
            await _ingest(deps, work, _progress_of(progress, work))
        except Exception as error:  # noqa: BLE001 - one document must not fail its fellows; the job records it
            failed[work.job_id] = error
    return failed


def _progress_of(progress: BatchProgress, work: _Work) -> Progress:
    """Tells of one document of a batch."""

    async def tell(step: str, fraction: float) -> None:
        await progress(step, fraction, [work.job_id])

    return tell


async def record_failure(deps: Deps, job: Job, code: str, message: str) -> None:
    """Write on the document why it cannot be read. A document with an older live version keeps serving that."""
    document_id, version_id = UUID(job.payload["document_id"]), UUID(job.payload["version_id"])
    async with deps.database.transaction(job.tenant_id) as connection:
        await repository.lock_present(connection, tenant_id=job.tenant_id, document_ids=[document_id])
        document = await repository.find_document(connection, tenant_id=job.tenant_id, document_id=document_id)
        if document is None:
            return
        values = {"state": VersionState.FAILED.value, "error_code": code, "error_message": message}
        await repository.update_version(connection, tenant_id=job.tenant_id, version_id=version_id, values=values)
        state = DocumentState.FAILED if document.live_version_id is None else DocumentState.READY
        await repository.set_document_state(connection, tenant_id=job.tenant_id, document_id=document_id, state=state)
        payload = {**publish.event_payload(document, code=code, error=message), "state": DocumentState.FAILED.value}
        await jobs.emit(connection, tenant_id=job.tenant_id, topic="document.failed", payload=payload)


async def record_cancelled(deps: Deps, connection: AsyncConnection, cancelled: Sequence[Job]) -> None:
    """Jobs were cancelled before they ended: say so on their documents, in the same transaction."""
    for job in cancelled:
        await knowledge.record_cancelled(
            deps,
            connection,
            tenant_id=job.tenant_id,
            document_id=UUID(job.payload["document_id"]),
            version_id=UUID(job.payload["version_id"]),
        )


async def record_retried(connection: AsyncConnection, retried: Sequence[Job]) -> None:
    """Jobs that had ended will run again: their documents wait again, in the same transaction."""
    for job in retried:
        await knowledge.record_retried(
            connection,
            tenant_id=job.tenant_id,
            document_id=UUID(job.payload["document_id"]),
            version_id=UUID(job.payload["version_id"]),
        )


# ---- what there is to do


@dataclass(frozen=True, slots=True, kw_only=True)
class _Work:
    tenant_id: UUID
    job_id: UUID
    document: Document
    version: DocumentVersion
    settings: ChatbotSettings
    embedding_version: EmbeddingVersion

    @property
    def context(self) -> CallContext:
        return CallContext(tenant_id=self.tenant_id, chatbot_id=self.document.chatbot_id, purpose="ingestion")


async def _load(deps: Deps, tenant_id: UUID, batch: Sequence[Job]) -> list[_Work]:
    """The documents and versions of the jobs, without those that are deleted, finished, or of a chatbot that is gone."""
    wanted = {UUID(job.payload["version_id"]): job for job in batch}
    async with deps.database.transaction(tenant_id) as connection:
        found = await repository.list_documents_of_versions(connection, tenant_id=tenant_id, version_ids=list(wanted))
        over = (VersionState.READY, VersionState.FAILED, VersionState.CANCELLED, VersionState.INDEXED)
        open_ones = [(document, version) for document, version in found if version.state not in over]
        chatbot_ids = {document.chatbot_id for document, _ in open_ones}
        chatbots = {
            chatbot_id: chatbot
            for chatbot_id in chatbot_ids
            if (
                chatbot := await tenancy_repository.find_chatbot(connection, tenant_id=tenant_id, chatbot_id=chatbot_id)
            )
        }
        await repository.mark_processing(
            connection, tenant_id=tenant_id, document_ids=[document.id for document, _ in open_ones]
        )
        versions = {
            chatbot.active_embedding_version: await embeddings.get_version(connection, chatbot.active_embedding_version)
            for chatbot in chatbots.values()
        }
    return [
        _Work(
            tenant_id=tenant_id,
            job_id=wanted[version.id].id,
            document=document,
            version=version,
            settings=tenancy.settings_of(chatbots[document.chatbot_id]),
            embedding_version=versions[chatbots[document.chatbot_id].active_embedding_version],
        )
        for document, version in open_ones
        if document.chatbot_id in chatbots
    ]


# ---- one document, step by step


class _DocumentGone(Exception):  # noqa: N818 - no error: somebody deleted the document while it was read
    """There is nothing left to read."""


async def _require_present(connection: AsyncConnection, work: _Work) -> None:
    """Keep the document from being deleted until the commit: nothing may be written behind the job that purges it.

    Raises:
        _DocumentGone
    """
    if not await repository.lock_present(connection, tenant_id=work.tenant_id, document_ids=[work.document.id]):
        raise _DocumentGone


async def _ingest(deps: Deps, work: _Work, progress: Progress) -> None:
    try:
        await _ingest_step_by_step(deps, work, progress)
    except _DocumentGone:
        _log.info("ingestion.document_gone", document_id=str(work.document.id))


async def _ingest_step_by_step(deps: Deps, work: _Work, progress: Progress) -> None:
    timer = StageTimer("ingestion")
    if work.version.state is VersionState.STORED:
        await progress("extracting", 0.02)
        with timer.stage("extract"):
            prepared = await _read(deps, work, progress)
        await progress("chunking", 0.1)
        with timer.stage("chunk"):
            await _cut(deps, work, prepared, progress)
    with timer.stage("embed"):
        await _embed(deps, work, progress)
    await progress("indexing", 0.95)
    with timer.stage("index"):
        await _index(deps, work)
    with timer.stage("publish"):
        await _finish(deps, work)
    _log.info("ingestion.document_read", document_id=str(work.document.id), **timer.finish())


async def _read(deps: Deps, work: _Work, progress: ReadProgress | None) -> Prepared:
    """The file as clean pages, with personal data masked where the chatbot wants that."""

    async def share(step: str, fraction: float) -> None:
        if progress is not None:
            await progress(step, 0.02 + 0.08 * fraction)

    async with local_copy(deps, work.version.blob_key) as path:
        extracted = await deps.sandbox.read(
            path,
            mime_type=work.version.mime_type,
            file_name=str(work.version.described_as["file_name"]),
            options=_read_options(work.settings),
            progress=share,
        )
        return await prepare_document(
            extracted,
            path,
            mime_type=work.version.mime_type,
            described_as=work.version.described_as,
            settings=work.settings,
            language_detector=deps.language_detector,
            pii_detectors=deps.pii_detectors,
        )


def _read_options(settings: ChatbotSettings) -> ReadOptions:
    return ReadOptions(ocr=settings.ocr, ocr_languages=tuple(settings.ocr_languages), with_images=settings.keep_images)


async def _cut(deps: Deps, work: _Work, prepared: Prepared, progress: Progress) -> None:
    """Cut the document and keep all that was read, in one transaction."""

    async def share(fraction: float) -> None:
        await progress("chunking", 0.1 + 0.1 * fraction)

    async with deps.database.transaction(work.tenant_id) as connection:
        live = await _live_version(connection, work)
    before = live.chunks if live is not None and live.is_cut_alike(work) else ()
    images = await _store_images(deps, work, prepared.images)
    obsolete = [image.blob_key for image in images]
    try:
        cut = await _cut_pages(deps, work, prepared, [image.id for image in images], before, share)
        await share(0.9)
        async with deps.database.transaction(work.tenant_id) as connection:
            await _require_present(connection, work)
            earlier = await repository.list_images(connection, tenant_id=work.tenant_id, version_id=work.version.id)
            await repository.delete_images(connection, tenant_id=work.tenant_id, version_ids=[work.version.id])
            await repository.insert_images(
                connection, images, tenant_id=work.tenant_id, chatbot_id=work.document.chatbot_id
            )
            values = (await _keep(connection, [_Ready(work=work, cut=cut)]))[work.version.id]
            values["reused_chunks"] = await _take_over_vectors(deps, connection, work, cut, live)
            await repository.update_version(
                connection, tenant_id=work.tenant_id, version_id=work.version.id, values=values
            )
        obsolete = [image.blob_key for image in earlier]  # of an attempt that was killed
    finally:
        for key in obsolete:
            await deps.blob_store.delete(key)


@dataclass(frozen=True, slots=True, kw_only=True)
class _Ready:
    work: _Work
    cut: Cut


async def _keep(connection: AsyncConnection, ready: Sequence[_Ready]) -> dict[UUID, dict[str, Any]]:
    """Write pages and chunks of versions, in place of what an earlier attempt left; what is to be written of these."""
    tenant_id, chatbot_id = ready[0].work.tenant_id, ready[0].work.document.chatbot_id
    cuts = {item.work.version.id: item.cut for item in ready}
    pages = {version_id: cut.text.pages for version_id, cut in cuts.items()}
    await repository.replace_pages(connection, pages, tenant_id=tenant_id)
    chunks = [chunk for cut in cuts.values() for chunk in cut.chunks]
    await repository.replace_chunks(
        connection, chunks, tenant_id=tenant_id, chatbot_id=chatbot_id, version_ids=cuts.keys()
    )
    bands = {version_id: cut.bands for version_id, cut in cuts.items()}
    await repository.replace_bands(connection, bands, tenant_id=tenant_id, chatbot_id=chatbot_id)
    similar = await repository.find_similar(
        connection, bands, tenant_id=tenant_id, chatbot_id=chatbot_id, limit=_MOST_SIMILAR
    )
    reports = {version_id: cut.report(similar.get(version_id, ())) for version_id, cut in cuts.items()}
    for work in (item.work for item in ready):
        if approval := _approval_after(work, reports[work.version.id]):
            await repository.update_version(
                connection, tenant_id=tenant_id, version_id=work.version.id, values=approval
            )
    return {item.work.version.id: _values(item, reports[item.work.version.id]) for item in ready}


def _values(item: _Ready, report: QualityReport) -> dict[str, Any]:
    cut, text = item.cut, item.cut.text
    numbered = [page.number for page in text.pages if page.number is not None]
    return {
        "state": VersionState.CHUNKED.value,
        "described_as": text.described_as,
        "language": text.language,
        "languages": sorted({chunk.language for chunk in cut.chunks}),
        "page_count": max(numbered, default=None),
        "chunk_count": len(cut.chunks),
        "token_count": sum(chunk.token_count for chunk in cut.chunks),
        "quality": {**report.to_json(), "cut_with": _cut_with(item.work)},
        "quality_score": report.score,
        "pii": text.pii,
        "signature": None if (own := cut.signature) is None else own.data,
    }


def _approval_after(work: _Work, report: QualityReport) -> dict[str, Any]:
    """A document of too low quality waits for somebody's approval, unless somebody gave it already."""
    version = work.version
    if report.score >= work.settings.min_quality_score or version.approval is not Approval.APPROVED:
        return {}
    if version.decided_by is not None or work.document.visibility is Visibility.PRIVATE:
        return {}
    reason = f"Its quality score {report.score:.2f} is below {work.settings.min_quality_score:.2f}."
    return {"approval": Approval.PENDING.value, "approval_reason": reason}


async def _store_images(deps: Deps, work: _Work, images: Sequence[ExtractedImage]) -> list[DocumentImage]:
    stored = []
    for ordinal, image in enumerate(images):
        key = f"{work.tenant_id}/{work.document.chatbot_id}/{new_id()}"
        await deps.blob_store.put(key, _once(image.data))
        stored.append(
            DocumentImage(
                id=new_id(),
                document_id=work.document.id,
                version_id=work.version.id,
                ordinal=ordinal,
                page=image.page,
                blob_key=key,
                mime_type=image.mime_type,
                width=image.width,
                height=image.height,
                size_bytes=len(image.data),
                description=image.description,
            )
        )
    return stored


async def _once(data: bytes) -> AsyncIterator[bytes]:
    yield data


async def _cut_pages(
    deps: Deps,
    work: _Work,
    prepared: Prepared,
    image_ids: Sequence[UUID],
    before: Sequence[Chunk],
    progress: CutProgress | None = None,
) -> Cut:
    return await cut_document(
        prepared,
        version=work.version,
        image_ids=image_ids,
        before=before,
        settings=work.settings,
        max_tokens=_max_chunk_tokens(work),
        count_tokens=_counter(deps, work),
        language_detector=deps.language_detector,
        progress=progress,
    )


def _counter(deps: Deps, work: _Work) -> CountTokens:
    """Counts as the embedder of the chatbot does."""

    async def count_tokens(texts: Sequence[str]) -> list[int]:
        return await deps.inference.count_tokens(work.embedding_version.name, texts)

    return count_tokens


def _max_chunk_tokens(work: _Work) -> int:
    """The longest chunk: a third above the target, and never more than fits the model's window beside title and headings."""
    window = work.embedding_version.max_tokens - 64
    return max(64, min(window, work.settings.chunk_tokens * 4 // 3))


@dataclass(frozen=True, slots=True, kw_only=True)
class _Live:
    """The version that searches find until the one in work replaces it."""

    version: DocumentVersion
    chunks: Sequence[Chunk]

    def is_cut_alike(self, work: _Work) -> bool:
        """Whether the new chunks begin where these begin. A text that is read again, or to other sizes, is cut anew."""
        return work.version.made_from is None and self.version.quality.get("cut_with") == _cut_with(work)


async def _live_version(connection: AsyncConnection, work: _Work) -> _Live | None:
    live_id = work.document.live_version_id
    live = None
    if live_id is not None and live_id != work.version.id:
        live = await repository.find_version(connection, tenant_id=work.tenant_id, version_id=live_id)
    if live is None:
        return None
    chunks = await repository.list_chunks(connection, tenant_id=work.tenant_id, version_id=live.id)
    return _Live(version=live, chunks=chunks)


def _cut_with(work: _Work) -> dict[str, int]:
    """The sizes in tokens and the tokenizer that decide where a text is cut."""
    return {
        "tokens": work.settings.chunk_tokens,
        "overlap_tokens": work.settings.chunk_overlap_tokens,
        "most_tokens": _max_chunk_tokens(work),
        "embedding_version": work.embedding_version.id,
    }


async def _take_over_vectors(deps: Deps, connection: AsyncConnection, work: _Work, cut: Cut, live: _Live | None) -> int:
    """Give chunks that came out as in the live version the vectors they had; how many."""
    if live is None or not work.version.reuse_vectors:
        return 0
    if live.version.described_as.get("title") != cut.title:
        return 0  # the title is part of what is embedded
    same = {(chunk.content_hash, chunk.language): chunk.id for chunk in live.chunks}
    pairs = [
        (same[chunk.content_hash, chunk.language], chunk.id)
        for chunk in cut.chunks
        if (chunk.content_hash, chunk.language) in same
    ]
    copied = await deps.vector_index.copy(
        connection,
        tenant_id=work.tenant_id,
        chatbot_id=work.document.chatbot_id,
        document_id=work.document.id,
        version_id=work.version.id,
        embedding_version=work.embedding_version.id,
        pairs=pairs,
        with_sentences=work.settings.sentence_vectors,
    )
    return len(copied)


# ---- vectors and words


async def _embed(deps: Deps, work: _Work, progress: Progress) -> None:
    async with deps.database.transaction(work.tenant_id) as connection:
        await _require_present(connection, work)
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
        await progress("embedding", 0.2 + 0.75 * ready / max(len(chunks), 1))
        vectors = await embed_chunks(
            deps.inference,
            work.context,
            work.embedding_version.name,
            chunks=[(title, chunk) for chunk in batch],
            with_sentences=work.settings.sentence_vectors,
        )
        async with deps.database.transaction(work.tenant_id) as connection:
            await _require_present(connection, work)
            await deps.vector_index.add(
                connection,
                tenant_id=work.tenant_id,
                chatbot_id=work.document.chatbot_id,
                embedding_version=work.embedding_version.id,
                vectors=vectors,
            )


async def _index(deps: Deps, work: _Work) -> None:
    async with deps.database.transaction(work.tenant_id) as connection:
        await _require_present(connection, work)
        chunks = await repository.list_chunks(connection, tenant_id=work.tenant_id, version_id=work.version.id)
        title = await _title(connection, work)
        await deps.keyword_index.add(
            connection,
            tenant_id=work.tenant_id,
            chatbot_id=work.document.chatbot_id,
            versions={work.version.id: _keyword_chunks(title, chunks)},
        )


def _keyword_chunks(title: str, chunks: Sequence[Chunk]) -> list[KeywordChunk]:
    return [
        KeywordChunk(
            chunk_id=chunk.id,
            ordinal=chunk.ordinal,
            text=chunk_input(title, chunk.heading_path, chunk.text),
            language=chunk.language,
        )
        for chunk in chunks
    ]


async def _finish(deps: Deps, work: _Work) -> None:
    async with deps.database.transaction(work.tenant_id) as connection:
        purges = await publish.finish_reading(
            deps,
            connection,
            tenant_id=work.tenant_id,
            document_id=work.document.id,
            version_id=work.version.id,
        )
    await jobs.announce_many(deps.sender, purges)


async def _title(connection: AsyncConnection, work: _Work) -> str:
    """The title as reading left it: it may come from inside the document."""
    version = await repository.find_version(connection, tenant_id=work.tenant_id, version_id=work.version.id)
    return str((version or work.version).described_as["title"])


# ---- many small new documents


async def _ingest_small(
    deps: Deps, works: Sequence[_Work], progress: BatchProgress, failed: dict[UUID, Exception]
) -> None:
    """Read and cut all at once; embed and write them together, as many as the embedder can do in some seconds."""
    if not works:
        return
    timer = StageTimer("ingestion")
    await progress("extracting", 0.02)
    with timer.stage("read"):
        # Personal data is looked for by models that readers do not have.
        read_and_cut = _read_and_cut if works[0].settings.pii == "off" else _read_and_mask
        ready, illustrated = await read_and_cut(deps, works, failed)
    if ready:
        await _keep_together(deps, ready, progress, timer)
    for work in illustrated:  # pictures are stored outside of the transaction, so it is read again by itself
        try:
            await _ingest(deps, work, _progress_of(progress, work))
        except Exception as error:  # noqa: BLE001 - one document must not fail its fellows; the job records it
            failed[work.job_id] = error
    _log.info("ingestion.documents_read", documents=len(works) - len(failed), **timer.finish())


async def _read_and_cut(
    deps: Deps, works: Sequence[_Work], failed: dict[UUID, Exception]
) -> tuple[list[_Ready], list[_Work]]:
    """All of it in readers, several at work at once; and the documents with pictures, which must be read otherwise."""
    first = works[0]
    files = await _small_files(deps, works, failed)
    outcomes = await deps.sandbox.cut_many(
        [file for _, file in files],
        options=_read_options(first.settings),
        settings=asdict(chunk_settings(first.settings, _max_chunk_tokens(first))),
        count_tokens=_counter(deps, first),
    )
    found = _succeeded([work for work, _ in files], outcomes, failed)

    def cut(one: tuple[_Work, bytes]) -> Cut:
        work, data = one
        return Cut.of(cut_from_json(data), work.version)

    plain = [(work, data) for work, data in found if data is not None]
    cuts = _succeeded([work for work, _ in plain], await run_each(cut, plain), failed)
    return [_Ready(work=work, cut=cut) for work, cut in cuts], [work for work, data in found if data is None]


async def _read_and_mask(
    deps: Deps, works: Sequence[_Work], failed: dict[UUID, Exception]
) -> tuple[list[_Ready], list[_Work]]:
    """The same where personal data is looked for between reading and cutting."""
    prepared = await _prepare_small(deps, works, failed)
    plain = [(work, found) for work, found in prepared if not found.images]
    ready = await _cut_small(deps, plain, failed) if plain else []
    return ready, [work for work, found in prepared if found.images]


async def _small_files(
    deps: Deps, works: Sequence[_Work], failed: dict[UUID, Exception]
) -> list[tuple[_Work, SmallFile]]:
    contents = await deps.blob_store.read_many([work.version.blob_key for work in works])
    return [(work, _small_file(work, content)) for work, content in _succeeded(works, contents, failed)]


async def _prepare_small(
    deps: Deps, works: Sequence[_Work], failed: dict[UUID, Exception]
) -> list[tuple[_Work, Prepared]]:
    """As `_read`, but the files stay in memory."""
    settings = works[0].settings
    files = await _small_files(deps, works, failed)
    read = await deps.sandbox.read_many([file for _, file in files], options=_read_options(settings))
    content_of = {work.version.id: file.content for work, file in files}

    def prepare(extracted: tuple[_Work, ExtractedDocument]) -> Prepared:
        work, document = extracted
        return prepare_text(
            document,
            lambda: content_of[work.version.id],
            mime_type=work.version.mime_type,
            described_as=work.version.described_as,
            language_detector=deps.language_detector,
        )

    documents = _succeeded([work for work, _ in files], read, failed)
    prepared = _succeeded([work for work, _ in documents], await run_each(prepare, documents), failed)
    looked_at = await asyncio.gather(
        *(look_for_personal_data(found, settings=settings, pii_detectors=deps.pii_detectors) for _, found in prepared),
        return_exceptions=True,
    )
    return _succeeded([work for work, _ in prepared], looked_at, failed)


def _small_file(work: _Work, content: bytes) -> SmallFile:
    described_as = work.version.described_as
    return SmallFile(
        content=content,
        mime_type=work.version.mime_type,
        file_name=str(described_as["file_name"]),
        about={"described_as": described_as, "findings": findings_of(work.version)},
    )


async def _cut_small(
    deps: Deps, prepared: Sequence[tuple[_Work, Prepared]], failed: dict[UUID, Exception]
) -> list[_Ready]:
    first = prepared[0][0]
    cuts = await cut_small_documents(
        [(found, work.version) for work, found in prepared],
        settings=first.settings,
        max_tokens=_max_chunk_tokens(first),
        count_tokens=_counter(deps, first),
        language_detector=deps.language_detector,
    )
    return [_Ready(work=work, cut=cut) for work, cut in _succeeded([work for work, _ in prepared], cuts, failed)]


def _succeeded(
    works: Sequence[_Work], outcomes: Sequence[T | BaseException], failed: dict[UUID, Exception]
) -> list[tuple[_Work, T]]:
    """Each work with its outcome; errors are written down instead."""
    succeeded = []
    for work, outcome in zip(works, outcomes, strict=True):
        if isinstance(outcome, Exception):
            failed[work.job_id] = outcome
        elif isinstance(outcome, BaseException):  # a cancellation is ours, not the document's
            raise outcome
        else:
            succeeded.append((work, outcome))
    return succeeded


async def _keep_together(deps: Deps, ready: Sequence[_Ready], progress: BatchProgress, timer: StageTimer) -> None:
    """Embed a share after the other. With a slow model each is written for itself, with a fast one all in the end."""
    waiting: list[_Ready] = []
    vectors: list[ChunkVectors] = []
    embedding = Stopwatch()
    size = _EMBED_BATCH
    rest = deque(ready)
    while rest:
        share = _next_share(rest, size)
        await progress("embedding", 0.3, [item.work.job_id for item in share])
        began_ms = embedding.elapsed_ms
        with timer.stage("embed"):
            vectors += await _embed_share(deps, share)
        size = 2 * size if embedding.elapsed_ms - began_ms < _QUICK_SHARE_MS else size
        waiting += share
        if embedding.elapsed_ms >= _COMMIT_EVERY_S * 1000 or share[-1] is ready[-1]:
            await progress("indexing", 0.95, [item.work.job_id for item in waiting])
            with timer.stage("index"):
                await _write_together(deps, waiting, vectors)
            waiting, vectors, embedding = [], [], Stopwatch()


def _next_share(rest: deque[_Ready], chunks: int) -> list[_Ready]:
    """Whole documents, of about so many chunks."""
    share: list[_Ready] = []
    while rest and chunks > 0:
        share.append(rest.popleft())
        chunks -= len(share[-1].cut.chunks)
    return share


async def _embed_share(deps: Deps, share: Sequence[_Ready]) -> list[ChunkVectors]:
    first = share[0].work
    return await embed_chunks(
        deps.inference,
        first.context,
        first.embedding_version.name,
        chunks=[(item.cut.title, chunk) for item in share for chunk in item.cut.chunks],
        with_sentences=first.settings.sentence_vectors,
    )


async def _write_together(deps: Deps, ready: Sequence[_Ready], vectors: Sequence[ChunkVectors]) -> None:
    """All that is to be kept of the documents, in one transaction; what was deleted meanwhile is left out."""
    first = ready[0].work
    async with deps.database.transaction(first.tenant_id) as connection:
        present = await repository.lock_present(
            connection, tenant_id=first.tenant_id, document_ids=[item.work.document.id for item in ready]
        )
        ready = [item for item in ready if item.work.document.id in present]
        if not ready:
            return
        kept = {chunk.id for item in ready for chunk in item.cut.chunks}
        values = await _keep(connection, ready)
        await deps.vector_index.add(
            connection,
            tenant_id=first.tenant_id,
            chatbot_id=first.document.chatbot_id,
            embedding_version=first.embedding_version.id,
            vectors=[item for item in vectors if item.chunk_id in kept],
        )
        await deps.keyword_index.add(
            connection,
            tenant_id=first.tenant_id,
            chatbot_id=first.document.chatbot_id,
            versions={item.work.version.id: _keyword_chunks(item.cut.title, item.cut.chunks) for item in ready},
        )
        purges = await _finish_small(deps, connection, [item.work for item in ready], values)
    await jobs.announce_many(deps.sender, purges)


async def _finish_small(
    deps: Deps, connection: AsyncConnection, works: Sequence[_Work], values: Mapping[UUID, Mapping[str, Any]]
) -> list[Job]:
    first = works[0]
    live = await publish.go_live_together(
        connection, values, tenant_id=first.tenant_id, chatbot_id=first.document.chatbot_id
    )
    purges: list[Job] = []
    for work in works:  # those that wait for approval, or were deleted meanwhile
        if work.version.id not in live:
            purges += await publish.finish_reading(
                deps,
                connection,
                tenant_id=work.tenant_id,
                document_id=work.document.id,
                version_id=work.version.id,
            )
    return purges
