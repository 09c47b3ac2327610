"""Which version of a document searches find: going live, replacing, forgetting. Each is part of one transaction."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any
from uuid import UUID

from sqlalchemy.ext.asyncio import AsyncConnection

from dragoman.deps import Deps
from dragoman.jobs import repository as jobs_repository
from dragoman.jobs import service as jobs
from dragoman.jobs.entities import Job, Priority, Progress
from dragoman.kit.clock import now
from dragoman.knowledge import repository
from dragoman.knowledge.entities import Approval, Document, DocumentState, DocumentVersion, VersionState, Visibility
from dragoman.tenancy import repository as tenancy_repository

PURGE_BLOBS = "knowledge.purge_blobs"
TIDY_KEYWORD_INDEX = "knowledge.tidy_keyword_index"


async def finish_reading(
    deps: Deps, connection: AsyncConnection, *, tenant_id: UUID, document_id: UUID, version_id: UUID
) -> list[Job]:
    """The version is read and indexed: let it go live, or wait for its approval. Returns jobs to announce after the commit."""
    await repository.lock_document(connection, tenant_id=tenant_id, document_id=document_id)
    version = await repository.find_version(connection, tenant_id=tenant_id, version_id=version_id)
    if version is None or version.state in (VersionState.READY, VersionState.CANCELLED):
        return []
    if version.approval is Approval.APPROVED:
        return await go_live(deps, connection, tenant_id=tenant_id, version=version)
    await repository.update_version(
        connection, tenant_id=tenant_id, version_id=version.id, values={"state": VersionState.INDEXED.value}
    )
    document = await repository.find_document(connection, tenant_id=tenant_id, document_id=document_id)
    if document is None:  # deleted while it was read: leave nothing behind
        return await forget_version(deps, connection, tenant_id=tenant_id, version_id=version.id)
    if version.approval is Approval.REJECTED:
        return await forget_version(deps, connection, tenant_id=tenant_id, version_id=version.id)
    if document.live_version_id is None:
        await repository.set_document_state(
            connection, tenant_id=tenant_id, document_id=document_id, state=DocumentState.PENDING
        )
    await jobs.emit(connection, tenant_id=tenant_id, topic="document.pending", payload=event_payload(document))
    return []


async def go_live(deps: Deps, connection: AsyncConnection, *, tenant_id: UUID, version: DocumentVersion) -> list[Job]:
    """Let searches find this version instead of the one before. The document must be locked.

    What older versions left is taken out of the indexes in the same transaction. A version overtaken by a newer one,
    or of a document deleted meanwhile, is forgotten instead. Returns jobs to announce after the commit.
    """
    versions = await repository.list_versions(connection, tenant_id=tenant_id, document_id=version.document_id)
    overtaken = any(other.number > version.number and other.state is VersionState.READY for other in versions)
    if overtaken or not await repository.make_live(connection, tenant_id=tenant_id, version=version):
        return await forget_version(deps, connection, tenant_id=tenant_id, version_id=version.id)
    purges: list[Job] = []
    for older in versions:
        if older.number < version.number:
            purges += await forget_version(deps, connection, tenant_id=tenant_id, version_id=older.id)
    values = {"state": VersionState.READY.value, "ready_at": now(), "error_code": None, "error_message": None}
    await repository.update_version(connection, tenant_id=tenant_id, version_id=version.id, values=values)
    document = await repository.find_document(connection, tenant_id=tenant_id, document_id=version.document_id)
    assert document is not None  # it was made live in this transaction
    await tenancy_repository.raise_knowledge_revision(connection, tenant_id=tenant_id, chatbot_id=document.chatbot_id)
    payload = event_payload(document)
    if version.number > 1:
        await jobs.emit(connection, tenant_id=tenant_id, topic="document.replaced", payload=payload)
    else:
        await jobs.emit(connection, tenant_id=tenant_id, topic="document.ready", payload=payload)
    return purges


async def go_live_together(
    connection: AsyncConnection, values: Mapping[UUID, Mapping[str, Any]], *, tenant_id: UUID, chatbot_id: UUID
) -> set[UUID]:
    """Update first versions, by their ids, and let searches find those that are approved; which these are."""
    live = await repository.finish_first_versions(connection, values, tenant_id=tenant_id)
    if live:
        await tenancy_repository.raise_knowledge_revision(connection, tenant_id=tenant_id, chatbot_id=chatbot_id)
        payloads = [
            _payload(
                document_id=document.id,
                version_id=document.version_id,
                chatbot_id=chatbot_id,
                visibility=document.visibility,
                owner=document.owner,
                state=DocumentState.READY,
            )
            for document in live
        ]
        await jobs.emit_many(connection, tenant_id=tenant_id, topic="document.ready", payloads=payloads)
    return {document.version_id for document in live}


async def forget_version(deps: Deps, connection: AsyncConnection, *, tenant_id: UUID, version_id: UUID) -> list[Job]:
    """Take a version's text out of everything but the original file. Returns the job that purges its pictures."""
    await deps.vector_index.remove_version(connection, tenant_id=tenant_id, version_id=version_id)
    await deps.keyword_index.remove_version(connection, tenant_id=tenant_id, version_id=version_id)
    await repository.delete_chunks(connection, tenant_id=tenant_id, version_ids=[version_id])
    await repository.delete_pages(connection, tenant_id=tenant_id, version_ids=[version_id])
    await repository.delete_bands(connection, tenant_id=tenant_id, version_ids=[version_id])
    images = await repository.list_images(connection, tenant_id=tenant_id, version_id=version_id)
    await repository.delete_images(connection, tenant_id=tenant_id, version_ids=[version_id])
    purges = await purge_later(connection, tenant_id=tenant_id, blob_keys=[image.blob_key for image in images])
    return [*purges, *await _tidy_later(connection, tenant_id=tenant_id, version_id=version_id)]


async def _tidy_later(connection: AsyncConnection, *, tenant_id: UUID, version_id: UUID) -> list[Job]:
    """A job that takes forgotten words out of the chatbot's keyword index; none where one waits already."""
    chatbot_id = await repository.find_chatbot_of_version(connection, tenant_id=tenant_id, version_id=version_id)
    if chatbot_id is None or await jobs_repository.is_queued(
        connection, tenant_id=tenant_id, kind=TIDY_KEYWORD_INDEX, subject_id=chatbot_id
    ):
        return []
    job = await jobs.enqueue(
        connection,
        tenant_id=tenant_id,
        kind=TIDY_KEYWORD_INDEX,
        payload={"chatbot_id": str(chatbot_id)},
        priority=Priority.BULK,
        subject_id=chatbot_id,
    )
    return [job]


async def tidy_keyword_index(deps: Deps, job: Job, progress: Progress) -> None:
    """Body of the job: until no word of a removed document is stored any more; each step commits."""
    chatbot_id, steps = UUID(job.payload["chatbot_id"]), 0
    more = True
    while more:
        async with deps.database.transaction(job.tenant_id) as connection:
            more = await deps.keyword_index.tidy(connection, tenant_id=job.tenant_id, chatbot_id=chatbot_id)
        steps += 1
        await progress("tidying", 1.0 - 1.0 / (1 + steps))


async def purge_later(connection: AsyncConnection, *, tenant_id: UUID, blob_keys: Sequence[str]) -> list[Job]:
    """A job that removes these blobs, none for none."""
    if not blob_keys:
        return []
    payload = {"blob_keys": list(blob_keys)}
    job = await jobs.enqueue(connection, tenant_id=tenant_id, kind=PURGE_BLOBS, payload=payload, priority=Priority.BULK)
    return [job]


def event_payload(document: Document, **more: str) -> dict[str, str]:
    """What an event says of a document: ids, and what decides who may hear of it."""
    payload = _payload(
        document_id=document.id,
        version_id=document.newest.id,
        chatbot_id=document.chatbot_id,
        visibility=document.visibility,
        owner=document.owner,
        state=document.state,
    )
    return {**payload, **more}


def _payload(
    *,
    document_id: UUID,
    version_id: UUID,
    chatbot_id: UUID,
    visibility: Visibility,
    owner: str,
    state: DocumentState,
) -> dict[str, str]:
    return {
        "document_id": str(document_id),
        "version_id": str(version_id),
        "chatbot_id": str(chatbot_id),
        "visibility": visibility.value,
        "owner": owner,
        "state": state.value,
    }
