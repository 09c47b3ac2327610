"""Registering, showing and deleting documents. Reading them is the business of `ingestion`."""

from __future__ import annotations

from uuid import UUID

import structlog
from sqlalchemy.ext.asyncio import AsyncConnection

from dragoman.deps import Deps
from dragoman.jobs import repository as jobs_repository
from dragoman.jobs import service as jobs
from dragoman.jobs.entities import Job, Priority, Progress
from dragoman.kit.clock import new_id
from dragoman.kit.pagination import Page, PageRequest
from dragoman.knowledge import repository
from dragoman.knowledge.entities import Document, DocumentFilter, NewDocument, Visibility
from dragoman.knowledge.errors import DocumentNotFoundError, ExternalIdTakenError
from dragoman.tenancy import repository as tenancy_repository
from dragoman.tenancy import service as tenancy
from dragoman.tenancy.access import require
from dragoman.tenancy.entities import Caller, Permission
from dragoman.tenancy.errors import DefaultChatbotError

_log = structlog.get_logger(__name__)

INGEST_DOCUMENT = "ingestion.ingest_document"
PURGE_DOCUMENT = "knowledge.purge_document"
PURGE_BLOBS = "knowledge.purge_blobs"


async def register_document(
    connection: AsyncConnection, new: NewDocument, *, tenant_id: UUID, priority: Priority
) -> tuple[Document, Job]:
    """Write the document, its version and the job that reads it; all three or nothing.

    A document of the same `external_id` is replaced: it keeps serving its old version until the new one is ready.

    Raises:
        ExternalIdTakenError: that document is of another visibility, or private to somebody else.
    """
    known = None
    if new.external_id is not None:
        known = await repository.find_by_external_id(
            connection, tenant_id=tenant_id, chatbot_id=new.chatbot_id, external_id=new.external_id
        )
        if known is not None and not _may_replace(known, new):
            raise ExternalIdTakenError
    document_id, version_id = known.id if known else new_id(), new_id()
    payload = {"document_id": str(document_id), "version_id": str(version_id), "chatbot_id": str(new.chatbot_id)}
    job = await jobs.enqueue(connection, tenant_id=tenant_id, kind=INGEST_DOCUMENT, payload=payload, priority=priority)
    if known is None:
        await repository.insert_document(connection, new, tenant_id=tenant_id, document_id=document_id)
    await repository.insert_version(
        connection,
        new,
        tenant_id=tenant_id,
        document_id=document_id,
        version_id=version_id,
        number=known.newest.number + 1 if known else 1,
        job_id=job.id,
    )
    await jobs.emit(
        connection, tenant_id=tenant_id, topic="document.registered", payload={"document_id": str(document_id)}
    )
    return await _get(connection, tenant_id, document_id), job


def _may_replace(known: Document, new: NewDocument) -> bool:
    """A private upload never changes what all read, nor a shared one what one owner keeps."""
    own = new.visibility is Visibility.SHARED or known.owner == new.owner
    return known.visibility is new.visibility and own


async def get_document(connection: AsyncConnection, caller: Caller, document_id: UUID) -> Document:
    """A document the caller may see.

    Raises:
        DocumentNotFoundError: there is none, it is deleted, or it is private to somebody else.
    """
    document = await _get(connection, caller.tenant_id, document_id)
    if document.visibility is Visibility.PRIVATE and document.owner != caller.asker:
        raise DocumentNotFoundError
    return document


async def get_document_with_job(deps: Deps, caller: Caller, document_id: UUID) -> tuple[Document, Job | None]:
    """A document and the job that reads, or has read, its newest version. Raises DocumentNotFoundError."""
    async with deps.database.transaction(caller.tenant_id) as connection:
        document = await get_document(connection, caller, document_id)
        job_id = document.newest.job_id
        if job_id is None:
            return document, None
        return document, await jobs_repository.find_job(connection, tenant_id=caller.tenant_id, job_id=job_id)


async def list_documents(deps: Deps, caller: Caller, *, wanted: DocumentFilter, page: PageRequest) -> Page[Document]:
    """The documents wanted that the caller may see, newest first."""
    async with deps.database.transaction(caller.tenant_id) as connection:
        items, total = await repository.list_documents(
            connection, tenant_id=caller.tenant_id, wanted=wanted, limit=page.limit, offset=page.offset
        )
    return Page(items=items, total=total, limit=page.limit, offset=page.offset)


async def delete_document(deps: Deps, caller: Caller, document_id: UUID) -> None:
    """Delete a document: from the commit no search, cache or new answer knows its text.

    Raises:
        DocumentNotFoundError: the caller cannot see it.
        ForbiddenError: it is shared and the caller may not manage shared documents.
    """
    async with deps.database.transaction(caller.tenant_id) as connection:
        document = await get_document(connection, caller, document_id)
        if document.owner != caller.asker or document.visibility is Visibility.SHARED:
            require(caller, Permission.MANAGE_DOCUMENTS)
        await repository.mark_deleted(connection, tenant_id=caller.tenant_id, document_id=document_id)
        await tenancy_repository.raise_knowledge_revision(
            connection, tenant_id=caller.tenant_id, chatbot_id=document.chatbot_id
        )
        await jobs.emit(
            connection, tenant_id=caller.tenant_id, topic="document.deleted", payload={"document_id": str(document_id)}
        )
        payload = {"document_id": str(document_id), "chatbot_id": str(document.chatbot_id)}
        job = await jobs.enqueue(
            connection, tenant_id=caller.tenant_id, kind=PURGE_DOCUMENT, payload=payload, priority=Priority.BULK
        )
    await jobs.announce(deps.database, deps.sender, job)


async def purge_document(deps: Deps, job: Job, progress: Progress) -> None:
    """Remove chunks, vectors, postings and files of a deleted document; safe to run again after a crash."""
    document_id = UUID(job.payload["document_id"])
    async with deps.database.transaction(job.tenant_id) as connection:
        versions = await repository.list_versions(connection, tenant_id=job.tenant_id, document_id=document_id)
        for version in versions:
            await deps.vector_index.remove_version(connection, tenant_id=job.tenant_id, version_id=version.id)
            await deps.keyword_index.remove_version(connection, tenant_id=job.tenant_id, version_id=version.id)
            await repository.delete_chunks(connection, tenant_id=job.tenant_id, version_id=version.id)
    for done, version in enumerate(versions, start=1):
        await deps.blob_store.delete(version.blob_key)
        await progress("purging", done / len(versions))


async def delete_chatbot(deps: Deps, caller: Caller, chatbot_id: UUID) -> None:
    """Delete a chatbot with its documents and conversations; its files are purged by a job.

    Raises:
        ChatbotNotFoundError, DefaultChatbotError.
    """
    async with deps.database.transaction(caller.tenant_id) as connection:
        chatbot = await tenancy.get_chatbot(connection, caller, chatbot_id)
        if chatbot.is_default:
            raise DefaultChatbotError
        keys = await repository.list_blob_keys(connection, tenant_id=caller.tenant_id, chatbot_id=chatbot_id)
        await tenancy_repository.delete_chatbot(connection, tenant_id=caller.tenant_id, chatbot_id=chatbot_id)
        job = await jobs.enqueue(
            connection,
            tenant_id=caller.tenant_id,
            kind=PURGE_BLOBS,
            payload={"blob_keys": keys},
            priority=Priority.BULK,
        )
    await jobs.announce(deps.database, deps.sender, job)


async def purge_blobs(deps: Deps, job: Job, progress: Progress) -> None:
    """Remove the files of a deleted chatbot; safe to run again after a crash."""
    keys: list[str] = job.payload["blob_keys"]
    for done, key in enumerate(keys, start=1):
        await deps.blob_store.delete(key)
        await progress("purging", done / len(keys))


async def _get(connection: AsyncConnection, tenant_id: UUID, document_id: UUID) -> Document:
    document = await repository.find_document(connection, tenant_id=tenant_id, document_id=document_id)
    if document is None:
        raise DocumentNotFoundError
    return document
