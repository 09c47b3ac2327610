"""Documents: registering, showing, versions, approval, deleting. Reading them is the business of `ingestion`."""

from __future__ import annotations

from collections.abc import AsyncIterator, Collection, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import timedelta
from typing import Any
from uuid import UUID

from sqlalchemy.ext.asyncio import AsyncConnection

from dragoman.deps import Deps
from dragoman.jobs import groups
from dragoman.jobs import repository as jobs_repository
from dragoman.jobs import service as jobs
from dragoman.jobs.entities import Job, NewJob, Priority, Progress
from dragoman.jobs.errors import JobNotCancellableError, JobNotFoundError, JobNotRetryableError
from dragoman.kit.clock import new_id, now
from dragoman.kit.errors import DragomanError
from dragoman.kit.pagination import Page, PageRequest
from dragoman.kit.rate_limit import Allowance
from dragoman.knowledge import repository
from dragoman.knowledge.entities import (
    Approval,
    Chunk,
    Document,
    DocumentFilter,
    DocumentImage,
    DocumentState,
    DocumentVersion,
    NewDocument,
    NewVersion,
    StoredPage,
    VersionState,
    Visibility,
)
from dragoman.knowledge.errors import (
    DocumentNotFoundError,
    DownloadForbiddenError,
    ExternalIdTakenError,
    ImageNotFoundError,
    NoPagePictureError,
    NothingToCancelError,
    NothingToDecideError,
    NothingToRetryError,
    NotYoursToHideError,
    PageNotFoundError,
    PagePictureForbiddenError,
    StillReadingError,
    UndecidedError,
    VersionNotFoundError,
    VisibilityOfConnectorError,
)
from dragoman.knowledge.publish import event_payload, forget_version, go_live, purge_later
from dragoman.tenancy import audit
from dragoman.tenancy import repository as tenancy_repository
from dragoman.tenancy import service as tenancy
from dragoman.tenancy.access import require
from dragoman.tenancy.entities import AuditEvent, Caller, Permission
from dragoman.tenancy.errors import DefaultChatbotError

INGEST_DOCUMENT = "ingestion.ingest_document"
PURGE_DOCUMENT = "knowledge.purge_document"

_BEING_READ = frozenset({VersionState.STORED, VersionState.CHUNKED})


# ---- registering


@dataclass(frozen=True, slots=True, kw_only=True)
class Registration:
    """A file to be registered. `replaces`: the document that gets it as its new version, if it is known already."""

    new: NewDocument
    priority: Priority
    replaces: Document | None = None


async def register_documents(
    connection: AsyncConnection, wanted: Sequence[Registration], *, tenant_id: UUID, group_id: UUID | None = None
) -> list[tuple[Document, Job] | DragomanError]:
    """Write documents, their versions and the jobs that read them; all of it or nothing.

    `replaces`, or else the document of the same `external_id`, gets a new version: it keeps serving its old one until
    the new one is ready. Refused by themselves are, with DocumentNotFoundError, files for a document that is gone, and
    with ExternalIdTakenError those that would replace one of another visibility, or private to somebody else.

    Raises:
        GroupNotFoundError, GroupCancelledError: nothing was written.
    """
    results: dict[int, tuple[Document, Job] | DragomanError] = {}
    waiting = dict(enumerate(wanted))
    while waiting:  # once, unless two files are versions of one document: the later one must find the earlier
        first_of: dict[object, int] = {}
        for place, each in waiting.items():
            first_of.setdefault(_document_key(each, place), place)
        together = {place: waiting.pop(place) for place in first_of.values()}
        results |= await _register_together(connection, together, tenant_id=tenant_id, group_id=group_id)
    return [results[place] for place in range(len(wanted))]


def _document_key(wanted: Registration, place: int) -> object:
    external_id = wanted.replaces.external_id if wanted.replaces else wanted.new.external_id
    if external_id is not None:
        return wanted.new.chatbot_id, external_id
    return wanted.replaces.id if wanted.replaces else place


async def _register_together(
    connection: AsyncConnection, wanted: Mapping[int, Registration], *, tenant_id: UUID, group_id: UUID | None
) -> dict[int, tuple[Document, Job] | DragomanError]:
    """The same for files of different documents, by their places."""
    known = await _lock_known(connection, wanted, tenant_id)
    refused: dict[int, tuple[Document, Job] | DragomanError] = {}
    for place, each in wanted.items():
        if each.replaces is not None and place not in known:
            refused[place] = DocumentNotFoundError()
        elif each.replaces is None and place in known and not _may_replace(known[place], each.new):
            refused[place] = ExternalIdTakenError()
    accepted = {place: each for place, each in wanted.items() if place not in refused}
    if not accepted:
        return refused
    document_ids = {place: known[place].id if place in known else new_id() for place in accepted}
    version_ids = {place: new_id() for place in accepted}
    last = {document.id: document.newest.number for document in known.values()}
    added = await jobs.enqueue_many(
        connection,
        [
            _reading_job(each.new.chatbot_id, document_ids[place], version_ids[place], each.priority, group_id)
            for place, each in accepted.items()
        ],
        tenant_id=tenant_id,
    )
    job_of = dict(zip(accepted, added, strict=True))
    moment = now()
    versions = {
        place: NewVersion(
            of=each.new,
            id=version_ids[place],
            document_id=document_ids[place],
            number=last.get(document_ids[place], 0) + 1,
            job_id=job_of[place].id,
            created_at=moment,
        )
        for place, each in accepted.items()
    }
    first = {place: version for place, version in versions.items() if place not in known}
    await repository.insert_documents(connection, list(first.values()), tenant_id=tenant_id)
    await repository.insert_versions(connection, list(versions.values()), tenant_id=tenant_id)
    written = {version.document_id: version.as_document(tenant_id) for version in first.values()}
    # A document that nobody finds yet waits again; one that serves an older version stays `ready`.
    waits = [known[place].id for place in accepted if place in known and known[place].live_version_id is None]
    if waits:
        state = DocumentState.QUEUED
        await repository.set_document_states(connection, tenant_id=tenant_id, document_ids=waits, state=state)
    if replaced := [known[place].id for place in accepted if place in known]:
        written |= await repository.list_documents_by_id(connection, tenant_id=tenant_id, document_ids=replaced)
    registered = {place: (written[document_ids[place]], job_of[place]) for place in accepted}
    payloads = [event_payload(document) for document, _ in registered.values()]
    await jobs.emit_many(connection, tenant_id=tenant_id, topic="document.registered", payloads=payloads)
    return refused | registered


async def _lock_known(
    connection: AsyncConnection, wanted: Mapping[int, Registration], tenant_id: UUID
) -> dict[int, Document]:
    """The documents that get a new version, by the places of their files; those that are deleted are left out."""
    known = {place: each.replaces.id for place, each in wanted.items() if each.replaces is not None}
    named: dict[UUID, dict[str, int]] = {}
    for place, each in wanted.items():
        if each.replaces is None and each.new.external_id is not None:
            named.setdefault(each.new.chatbot_id, {})[each.new.external_id] = place
    for chatbot_id, places in named.items():
        found = await repository.find_by_external_ids(
            connection, tenant_id=tenant_id, chatbot_id=chatbot_id, external_ids=places.keys()
        )
        known |= {places[external_id]: document.id for external_id, document in found.items()}
    if not known:
        return {}
    await repository.lock_documents(connection, tenant_id=tenant_id, document_ids=known.values())
    locked = await repository.list_documents_by_id(connection, tenant_id=tenant_id, document_ids=known.values())
    return {place: locked[document_id] for place, document_id in known.items() if document_id in locked}


def _may_replace(known: Document, new: NewDocument) -> bool:
    """A private upload never changes what all read, nor a shared one what one owner keeps."""
    own = new.visibility is Visibility.SHARED or known.owner == new.owner
    return known.visibility is new.visibility and own


async def _next_number(connection: AsyncConnection, tenant_id: UUID, document_id: UUID) -> int:
    versions = await repository.list_versions(connection, tenant_id=tenant_id, document_id=document_id)
    return max(version.number for version in versions) + 1


async def _enqueue_reading(
    connection: AsyncConnection,
    *,
    tenant_id: UUID,
    chatbot_id: UUID,
    document_id: UUID,
    version_id: UUID,
    priority: Priority,
    group_id: UUID | None = None,
) -> Job:
    new = _reading_job(chatbot_id, document_id, version_id, priority, group_id)
    [job] = await jobs.enqueue_many(connection, [new], tenant_id=tenant_id)
    return job


def _reading_job(
    chatbot_id: UUID, document_id: UUID, version_id: UUID, priority: Priority, group_id: UUID | None
) -> NewJob:
    return NewJob(
        kind=INGEST_DOCUMENT,
        payload={"document_id": str(document_id), "version_id": str(version_id), "chatbot_id": str(chatbot_id)},
        priority=priority,
        group_id=group_id,
        subject_id=document_id,
    )


async def _queue_if_not_live(connection: AsyncConnection, document: Document | None) -> None:
    """A document that nobody finds yet waits again; one that serves an older version stays `ready`."""
    if document is not None and document.live_version_id is None:
        await repository.set_document_state(
            connection, tenant_id=document.tenant_id, document_id=document.id, state=DocumentState.QUEUED
        )


# ---- showing


async def get_document(connection: AsyncConnection, caller: Caller, document_id: UUID) -> Document:
    """A document the caller may see.

    Raises:
        DocumentNotFoundError: there is none, it is deleted, private to somebody else, or not approved.
    """
    document = await _get(connection, caller.tenant_id, document_id)
    if not _may_see(caller, document):
        raise DocumentNotFoundError
    return document


async def get_documents(connection: AsyncConnection, caller: Caller, document_ids: Collection[UUID]) -> list[Document]:
    """The same for several at once, in their order. Raises DocumentNotFoundError."""
    found = await repository.list_documents_by_id(connection, tenant_id=caller.tenant_id, document_ids=document_ids)
    if not all(each in found and _may_see(caller, found[each]) for each in document_ids):
        raise DocumentNotFoundError
    return [found[each] for each in document_ids]


def _may_see(caller: Caller, document: Document) -> bool:
    if not caller.sees(document.chatbot_id):
        return False
    if document.owner == caller.asker:
        return True
    unapproved = document.state in (DocumentState.PENDING, DocumentState.REJECTED)
    return document.visibility is not Visibility.PRIVATE and (may_manage(caller) or not unapproved)


def may_manage(caller: Caller) -> bool:
    return Permission.MANAGE_DOCUMENTS in caller.permissions


async def get_own_document(connection: AsyncConnection, caller: Caller, document_id: UUID) -> Document:
    """A document the caller may change: one's own private one, or a shared one for those who manage documents.

    Raises:
        DocumentNotFoundError, ForbiddenError.
    """
    document = await get_document(connection, caller, document_id)
    if document.owner != caller.asker or document.visibility is Visibility.SHARED:
        require(caller, Permission.MANAGE_DOCUMENTS)
    return document


def _may_see_drafts(caller: Caller, document: Document) -> bool:
    """Versions that wait, were refused or failed are shown to managers and to the owner."""
    return may_manage(caller) or document.owner == caller.asker


async def get_document_with_job(deps: Deps, caller: Caller, document_id: UUID) -> tuple[Document, Job | None]:
    """A document and the job that reads, or has read, its newest version. Raises DocumentNotFoundError."""
    async with deps.database.transaction(caller.tenant_id) as connection:
        document = await get_document(connection, caller, document_id)
        job_id = document.newest.job_id
        if job_id is None:
            return document, None
        return document, await jobs_repository.find_job(connection, tenant_id=caller.tenant_id, job_id=job_id)


async def list_documents(deps: Deps, caller: Caller, *, wanted: DocumentFilter, page: PageRequest) -> Page[Document]:
    """The documents wanted that the caller may see, in the order wanted."""
    async with deps.database.transaction(caller.tenant_id) as connection:
        items, total = await repository.list_documents(
            connection,
            tenant_id=caller.tenant_id,
            wanted=replace(wanted, asker=caller.asker, sees_unapproved=may_manage(caller)),
            limit=page.limit,
            offset=page.offset,
        )
    return Page(items=items, total=total, limit=page.limit, offset=page.offset)


async def count_documents(deps: Deps, caller: Caller, chatbot_id: UUID) -> dict[str, int]:
    """How many documents of a chatbot that the caller may see are in which state."""
    async with deps.database.transaction(caller.tenant_id) as connection:
        return await repository.count_by_state(
            connection, tenant_id=caller.tenant_id, chatbot_id=chatbot_id, asker=caller.asker
        )


async def list_versions(deps: Deps, caller: Caller, document_id: UUID) -> tuple[Document, list[DocumentVersion]]:
    """A document and its versions, newest first: all for managers and the owner, else those that were searchable.

    Raises:
        DocumentNotFoundError
    """
    async with deps.database.transaction(caller.tenant_id) as connection:
        document = await get_document(connection, caller, document_id)
        versions = await repository.list_versions(connection, tenant_id=caller.tenant_id, document_id=document_id)
    if not _may_see_drafts(caller, document):  # what waits, was refused or failed says more than they may know
        versions = [version for version in versions if version.state is VersionState.READY]
    return document, versions[::-1]


async def get_version_to_judge(deps: Deps, caller: Caller, document_id: UUID) -> DocumentVersion:
    """Whose quality report is shown: the newest for managers and the owner, else the one that is searchable.

    Raises:
        DocumentNotFoundError
    """
    async with deps.database.transaction(caller.tenant_id) as connection:
        document = await get_document(connection, caller, document_id)
        if _may_see_drafts(caller, document):
            return document.newest
        return await _version_to_open(connection, document, None)


async def list_chunks(deps: Deps, caller: Caller, document_id: UUID, *, page: PageRequest) -> Page[Chunk]:
    """The chunks that searches find; of a document that is not live, those of its newest version, for who may change it.

    Raises:
        DocumentNotFoundError
    """
    async with deps.database.transaction(caller.tenant_id) as connection:
        document = await get_document(connection, caller, document_id)
        items, total = await repository.page_of_chunks(
            connection,
            tenant_id=caller.tenant_id,
            version_id=document.live_version_id or document.newest.id,
            limit=page.limit,
            offset=page.offset,
        )
    return Page(items=items, total=total, limit=page.limit, offset=page.offset)


async def get_page(deps: Deps, caller: Caller, document_id: UUID, number: int) -> StoredPage:
    """A page of the live version (else of the newest) as it was read. Raises DocumentNotFoundError, PageNotFoundError."""
    async with deps.database.transaction(caller.tenant_id) as connection:
        document = await get_document(connection, caller, document_id)
        page = await repository.find_page(
            connection,
            tenant_id=caller.tenant_id,
            version_id=document.live_version_id or document.newest.id,
            number=number,
        )
    if page is None:
        raise PageNotFoundError
    return page


async def get_page_to_picture(
    deps: Deps, caller: Caller, document_id: UUID, number: int
) -> tuple[DocumentVersion, StoredPage]:
    """As `get_page`, with the version whose original shows it.

    Raises:
        DocumentNotFoundError, PageNotFoundError, NoPagePictureError.
        PagePictureForbiddenError: the text is masked, and the original is not.
    """
    async with deps.database.transaction(caller.tenant_id) as connection:
        document = await get_document(connection, caller, document_id)
        version = await _version_to_open(connection, document, None)
        page = await repository.find_page(connection, tenant_id=caller.tenant_id, version_id=version.id, number=number)
        if page is None:
            raise PageNotFoundError
        if version.mime_type not in deps.pictured_types:
            raise NoPagePictureError
        if not may_manage(caller) and document.owner != caller.asker:
            chatbot = await tenancy.get_chatbot(connection, caller, document.chatbot_id)
            if tenancy.settings_of(chatbot).pii == "mask" or version.pii.get("mode") == "mask":
                raise PagePictureForbiddenError
    return version, page


async def open_image(
    deps: Deps, caller: Caller, document_id: UUID, image_id: UUID
) -> tuple[DocumentImage, AsyncIterator[bytes]]:
    """A picture of the live version and its bytes. Raises DocumentNotFoundError, ImageNotFoundError."""
    async with deps.database.transaction(caller.tenant_id) as connection:
        await get_document(connection, caller, document_id)
        image = await repository.find_live_image(
            connection, tenant_id=caller.tenant_id, document_id=document_id, image_id=image_id
        )
    if image is None:
        raise ImageNotFoundError
    return image, deps.blob_store.read(image.blob_key)


async def open_original(
    deps: Deps, caller: Caller, document_id: UUID, number: int | None
) -> tuple[Document, DocumentVersion, AsyncIterator[bytes]]:
    """The original file of a version (None: the live one, else the newest) and its bytes. The access is audited.

    Raises:
        DocumentNotFoundError, VersionNotFoundError.
        DownloadForbiddenError: the chatbot keeps originals to those who manage documents, personal data is masked in
            it, or another version than the live one is wanted.
    """
    async with deps.database.transaction(caller.tenant_id) as connection:
        document = await get_document(connection, caller, document_id)
        version = await _version_to_open(connection, document, number)
        if not may_manage(caller) and document.owner != caller.asker:
            chatbot = await tenancy.get_chatbot(connection, caller, document.chatbot_id)
            settings = tenancy.settings_of(chatbot)
            if not settings.downloads or settings.pii == "mask" or version.id != document.live_version_id:
                raise DownloadForbiddenError
        await audit.record(
            connection,
            caller,
            "document.downloaded",
            subject_type="document",
            subject_id=document.id,
            version=version.number,
        )
    return document, version, deps.blob_store.read(version.blob_key)


async def _version_to_open(connection: AsyncConnection, document: Document, number: int | None) -> DocumentVersion:
    if number is None:
        live = document.live_version_id
        found = (
            await repository.find_version(connection, tenant_id=document.tenant_id, version_id=live) if live else None
        )
        return found or document.newest
    found = await repository.find_version_number(
        connection, tenant_id=document.tenant_id, document_id=document.id, number=number
    )
    if found is None:
        raise VersionNotFoundError
    return found


async def list_history(deps: Deps, caller: Caller, document_id: UUID, *, page: PageRequest) -> Page[AuditEvent]:
    """What was done to a document, newest first.

    Raises:
        DocumentNotFoundError, ForbiddenError: not one's own, and the caller may not manage documents.
    """
    async with deps.database.transaction(caller.tenant_id) as connection:
        await get_own_document(connection, caller, document_id)
        items, total = await tenancy_repository.list_audit_events(
            connection,
            tenant_id=caller.tenant_id,
            subject_id=document_id,
            without=audit.ACCESSED,
            limit=page.limit,
            offset=page.offset,
        )
    return Page(items=items, total=total, limit=page.limit, offset=page.offset)


# ---- changing


async def change_labels(
    deps: Deps,
    caller: Caller,
    document_id: UUID,
    *,
    content_type: str | None = None,
    category: str | None = None,
    tags: Sequence[str] | None = None,
    metadata: dict[str, Any] | None = None,
) -> Document:
    """Change what a document is filed under; None leaves as it is. Searches filter by the new labels at once.

    Raises:
        DocumentNotFoundError, ForbiddenError.
    """
    given: dict[str, Any] = {"content_type": content_type, "category": category, "metadata": metadata}
    values = {name: value for name, value in given.items() if value is not None}
    if tags is not None:
        values["tags"] = list(tags)
    async with deps.database.transaction(caller.tenant_id) as connection:
        document = await get_own_document(connection, caller, document_id)
        if not values:
            return document
        await repository.update_labels(connection, tenant_id=caller.tenant_id, document_id=document_id, values=values)
        await tenancy_repository.raise_knowledge_revision(
            connection, tenant_id=caller.tenant_id, chatbot_id=document.chatbot_id
        )
        await audit.record(
            connection,
            caller,
            "document.labelled",
            subject_type="document",
            subject_id=document_id,
            labels=sorted(values),
            **audit.changes({name: getattr(document, name) for name in values}, values),
        )
        return await _get(connection, caller.tenant_id, document_id)


async def change_visibility(deps: Deps, caller: Caller, document_id: UUID, visibility: Visibility) -> Document:
    """Show a document to all who may ask, or to its owner only: from the commit on searches and answers obey.

    Who shares it may approve documents too: where those wait for approval, this is one.

    Raises:
        DocumentNotFoundError, ForbiddenError, NotYoursToHideError, VisibilityOfConnectorError.
        UndecidedError, StillReadingError: what becomes of its newest version follows from who sees it.
    """
    async with deps.database.transaction(caller.tenant_id) as connection:
        await get_own_document(connection, caller, document_id)
        await repository.lock_document(connection, tenant_id=caller.tenant_id, document_id=document_id)
        document = await get_own_document(connection, caller, document_id)
        if document.visibility is visibility:
            return document
        _require_may_show(caller, document, visibility)
        await repository.update_visibility(
            connection, tenant_id=caller.tenant_id, document_id=document_id, visibility=visibility
        )
        await tenancy_repository.raise_knowledge_revision(
            connection, tenant_id=caller.tenant_id, chatbot_id=document.chatbot_id
        )
        await audit.record(
            connection,
            caller,
            "document.visibility_changed",
            subject_type="document",
            subject_id=document_id,
            before=document.visibility.value,
            after=visibility.value,
        )
        changed = await _get(connection, caller.tenant_id, document_id)
        await jobs.emit(
            connection, tenant_id=caller.tenant_id, topic="document.visibility_changed", payload=event_payload(changed)
        )
        return changed


def _require_may_show(caller: Caller, document: Document, visibility: Visibility) -> None:
    require(caller, Permission.MANAGE_DOCUMENTS)
    if visibility is Visibility.PRIVATE and document.owner != caller.asker:
        raise NotYoursToHideError
    if document.connector_id is not None:
        raise VisibilityOfConnectorError
    if document.newest.state in _BEING_READ:
        raise StillReadingError
    if document.newest.approval is not Approval.APPROVED:
        raise UndecidedError


async def read_again(
    deps: Deps,
    caller: Caller,
    document_id: UUID,
    *,
    number: int | None = None,
    title: str | None = None,
    reuse_vectors: bool = True,
    priority: Priority = Priority.USER,
    group_id: UUID | None = None,
) -> Document:
    """Make a new version of a stored file without an upload: to re-chunk, to re-embed, to restore, to rename.

    The document serves its present version until the new one is ready.

    Args:
        number: the version whose file is read again; None for the newest.
        title: a new title; None keeps that of the version.
        reuse_vectors: take over the vectors of chunks that come out the same; False embeds all anew.

    Raises:
        DocumentNotFoundError, VersionNotFoundError, ForbiddenError.
        StillReadingError: the newest version is not finished.
    """
    async with deps.database.transaction(caller.tenant_id) as connection:
        document = await get_own_document(connection, caller, document_id)
        await repository.lock_document(connection, tenant_id=caller.tenant_id, document_id=document_id)
        if document.newest.state in _BEING_READ:
            raise StillReadingError
        version = document.newest if number is None else await _version_to_open(connection, document, number)
        described = dict(version.described_as)
        if title is not None:
            described |= {"title": title, "metadata": {**described["metadata"], "title_given": True}}
        chatbot = await tenancy.get_chatbot(connection, caller, document.chatbot_id)
        version_id = new_id()
        job = await _enqueue_reading(
            connection,
            tenant_id=caller.tenant_id,
            chatbot_id=document.chatbot_id,
            document_id=document_id,
            version_id=version_id,
            priority=priority,
            group_id=group_id,
        )
        same_text_as_live = version.id == document.live_version_id and title is None
        await repository.insert_version_made_from(
            connection,
            version,
            tenant_id=caller.tenant_id,
            chatbot_id=document.chatbot_id,
            version_id=version_id,
            number=await _next_number(connection, caller.tenant_id, document_id),
            job_id=job.id,
            described_as=described,
            uploaded_by=caller.asker,
            approval=Approval.APPROVED
            if same_text_as_live
            else approval_needed(tenancy.settings_of(chatbot).moderation, document.visibility),
            reuse_vectors=reuse_vectors,
        )
        await _queue_if_not_live(connection, document)
        await audit.record(
            connection,
            caller,
            "document.read_again" if number is None else "document.restored",
            subject_type="document",
            subject_id=document_id,
            from_version=version.number,
        )
        document = await _get(connection, caller.tenant_id, document_id)
        await jobs.emit(
            connection, tenant_id=caller.tenant_id, topic="document.registered", payload=event_payload(document)
        )
    await jobs.announce_many(deps.sender, [job])
    return document


def approval_needed(moderation: str, visibility: Visibility) -> Approval:
    """A private document is read by its owner alone and waits for nobody."""
    waits = moderation == "review" and visibility is Visibility.SHARED
    return Approval.PENDING if waits else Approval.APPROVED


async def cancel_reading(deps: Deps, caller: Caller, document_id: UUID) -> Document:
    """Stop the reading of the newest version; an older one goes on serving.

    Raises:
        DocumentNotFoundError, ForbiddenError.
        NothingToCancelError: it is not being read.
    """
    async with deps.database.transaction(caller.tenant_id) as connection:
        document = await get_own_document(connection, caller, document_id)
        if document.newest.state not in _BEING_READ or document.newest.job_id is None:
            raise NothingToCancelError
        try:
            await groups.cancel_job(
                connection, deps.job_kinds, tenant_id=caller.tenant_id, job_id=document.newest.job_id
            )
        except (JobNotFoundError, JobNotCancellableError) as error:
            raise NothingToCancelError from error
        await audit.record(connection, caller, "document.cancelled", subject_type="document", subject_id=document_id)
        return await _get(connection, caller.tenant_id, document_id)


async def record_cancelled(
    deps: Deps, connection: AsyncConnection, *, tenant_id: UUID, document_id: UUID, version_id: UUID
) -> None:
    """Write on a version, whose job was cancelled, that nobody reads it any more. Does nothing once it is read."""
    await repository.lock_document(connection, tenant_id=tenant_id, document_id=document_id)
    version = await repository.find_version(connection, tenant_id=tenant_id, version_id=version_id)
    document = await repository.find_document(connection, tenant_id=tenant_id, document_id=document_id)
    if version is None or document is None or version.state not in _BEING_READ:
        return
    if version.state is not VersionState.STORED:
        await forget_version(deps, connection, tenant_id=tenant_id, version_id=version_id)
    await repository.update_version(
        connection,
        tenant_id=tenant_id,
        version_id=version_id,
        values={"state": VersionState.CANCELLED.value, "chunk_count": 0, "token_count": 0},
    )
    if document.live_version_id is None:
        await repository.set_document_state(
            connection, tenant_id=tenant_id, document_id=document_id, state=DocumentState.CANCELLED
        )
    await jobs.emit(
        connection,
        tenant_id=tenant_id,
        topic="document.cancelled",
        payload={**event_payload(document), "state": DocumentState.CANCELLED.value},
    )


async def record_retried(connection: AsyncConnection, *, tenant_id: UUID, document_id: UUID, version_id: UUID) -> None:
    """The job of a version that failed or was cancelled will run again: the version waits as on the first day."""
    await repository.lock_document(connection, tenant_id=tenant_id, document_id=document_id)
    version = await repository.find_version(connection, tenant_id=tenant_id, version_id=version_id)
    if version is None or version.state not in (VersionState.FAILED, VersionState.CANCELLED):
        return
    values = {"state": VersionState.STORED.value, "error_code": None, "error_message": None}
    await repository.update_version(connection, tenant_id=tenant_id, version_id=version_id, values=values)
    await _queue_if_not_live(
        connection, await repository.find_document(connection, tenant_id=tenant_id, document_id=document_id)
    )


async def retry_reading(deps: Deps, caller: Caller, document_id: UUID) -> Document:
    """Read a version whose reading failed or was cancelled once more, from the stored file.

    Raises:
        DocumentNotFoundError, ForbiddenError.
        NothingToRetryError: it neither failed nor was cancelled.
    """
    async with deps.database.transaction(caller.tenant_id) as connection:
        document = await get_own_document(connection, caller, document_id)
        newest = document.newest
        if newest.state not in (VersionState.FAILED, VersionState.CANCELLED):
            raise NothingToRetryError
        try:
            job = await groups.retry_job(
                connection, deps.job_kinds, tenant_id=caller.tenant_id, job_id=newest.job_id or newest.id
            )
        except (JobNotFoundError, JobNotRetryableError):  # swept, or part of a bulk import that was cancelled
            job = await _enqueue_reading(
                connection,
                tenant_id=caller.tenant_id,
                chatbot_id=document.chatbot_id,
                document_id=document_id,
                version_id=newest.id,
                priority=Priority.USER,
            )
            await repository.update_version(
                connection, tenant_id=caller.tenant_id, version_id=newest.id, values={"job_id": job.id}
            )
            await record_retried(connection, tenant_id=caller.tenant_id, document_id=document_id, version_id=newest.id)
        await audit.record(connection, caller, "document.retried", subject_type="document", subject_id=document_id)
        document = await _get(connection, caller.tenant_id, document_id)
    await jobs.announce_many(deps.sender, [job])
    return document


# ---- approval


async def approve(deps: Deps, caller: Caller, document_id: UUID) -> Document:
    """Let searches find the version that waits, from this commit on (or as soon as it is read).

    Raises:
        DocumentNotFoundError, ForbiddenError, NothingToDecideError.
    """
    async with deps.database.transaction(caller.tenant_id) as connection:
        version = await _decide(connection, caller, document_id, Approval.APPROVED, reason=None)
        announce: list[Job] = []
        if version.state is VersionState.INDEXED:
            announce = await go_live(
                deps, connection, tenant_id=caller.tenant_id, version=replace(version, approval=Approval.APPROVED)
            )
        document = await _get(connection, caller.tenant_id, document_id)
        await jobs.emit(
            connection, tenant_id=caller.tenant_id, topic="document.approved", payload=event_payload(document)
        )
    await jobs.announce_many(deps.sender, announce)
    return document


async def reject(deps: Deps, caller: Caller, document_id: UUID, *, reason: str) -> Document:
    """Keep the version that waits out of searches for good; its text is forgotten, the original file stays.

    Raises:
        DocumentNotFoundError, ForbiddenError, NothingToDecideError.
    """
    async with deps.database.transaction(caller.tenant_id) as connection:
        version = await _decide(connection, caller, document_id, Approval.REJECTED, reason=reason)
        announce: list[Job] = []
        if version.state is VersionState.INDEXED:
            announce = await forget_version(deps, connection, tenant_id=caller.tenant_id, version_id=version.id)
        document = await _get(connection, caller.tenant_id, document_id)
        if document.live_version_id is None:
            await repository.set_document_state(
                connection, tenant_id=caller.tenant_id, document_id=document_id, state=DocumentState.REJECTED
            )
            document = await _get(connection, caller.tenant_id, document_id)
        await jobs.emit(
            connection, tenant_id=caller.tenant_id, topic="document.rejected", payload=event_payload(document)
        )
    await jobs.announce_many(deps.sender, announce)
    return document


async def _decide(
    connection: AsyncConnection, caller: Caller, document_id: UUID, approval: Approval, *, reason: str | None
) -> DocumentVersion:
    """Write the decision on the version that waits; the version as it was before."""
    require(caller, Permission.MANAGE_DOCUMENTS)
    await get_document(connection, caller, document_id)
    await repository.lock_document(connection, tenant_id=caller.tenant_id, document_id=document_id)
    document = await _get(connection, caller.tenant_id, document_id)
    version = document.newest
    waits = version.state in _BEING_READ or version.state is VersionState.INDEXED
    if version.approval is not Approval.PENDING or not waits:
        raise NothingToDecideError
    values = {
        "approval": approval.value,
        "approval_reason": reason,
        "decided_by": caller.asker,
        "decided_at": now(),
    }
    await repository.update_version(connection, tenant_id=caller.tenant_id, version_id=version.id, values=values)
    await audit.record(
        connection,
        caller,
        f"document.{approval.value}",
        subject_type="document",
        subject_id=document_id,
        version=version.number,
        **({"reason": reason} if reason else {}),
    )
    return version


# ---- deleting


async def delete_document(deps: Deps, caller: Caller, document_id: UUID) -> None:
    """Delete a document: from the commit no search, cache or new answer knows its text.

    Raises:
        DocumentNotFoundError: the caller cannot see it.
        ForbiddenError: it is shared and the caller may not manage shared documents.
    """
    async with deps.database.transaction(caller.tenant_id) as connection:
        document = await get_own_document(connection, caller, document_id)
        await repository.mark_deleted(connection, tenant_id=caller.tenant_id, document_id=document_id)
        await tenancy_repository.raise_knowledge_revision(
            connection, tenant_id=caller.tenant_id, chatbot_id=document.chatbot_id
        )
        deleted = {**event_payload(document), "state": DocumentState.DELETED.value}
        await jobs.emit(connection, tenant_id=caller.tenant_id, topic="document.deleted", payload=deleted)
        await audit.record(connection, caller, "document.deleted", subject_type="document", subject_id=document_id)
        payload = {"document_id": str(document_id), "chatbot_id": str(document.chatbot_id)}
        job = await jobs.enqueue(
            connection,
            tenant_id=caller.tenant_id,
            kind=PURGE_DOCUMENT,
            payload=payload,
            priority=Priority.BULK,
            subject_id=document_id,
        )
    await jobs.announce_many(deps.sender, [job])


async def purge_document(deps: Deps, job: Job, progress: Progress) -> None:
    """Remove chunks, vectors, postings, pages, pictures and files of a deleted document; safe to run again."""
    document_id = UUID(job.payload["document_id"])
    async with deps.database.transaction(job.tenant_id) as connection:
        versions = await repository.list_versions(connection, tenant_id=job.tenant_id, document_id=document_id)
        pictures: list[Job] = []
        for version in versions:
            pictures += await forget_version(deps, connection, tenant_id=job.tenant_id, version_id=version.id)
        await repository.forget_deleted(connection, tenant_id=job.tenant_id, document_id=document_id)
        await jobs_repository.forget_reasons(connection, tenant_id=job.tenant_id, subject_id=document_id)
    keys = sorted({version.blob_key for version in versions})
    for done, key in enumerate(keys, start=1):
        await deps.blob_store.delete(key)
        await progress("purging", done / len(keys))
    await jobs.announce_many(deps.sender, pictures)


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
        await audit.record(connection, caller, "chatbot.deleted", subject_type="chatbot", subject_id=chatbot_id)
        purges = await purge_later(connection, tenant_id=caller.tenant_id, blob_keys=keys)
    await jobs.announce_many(deps.sender, purges)


async def purge_blobs(deps: Deps, job: Job, progress: Progress) -> None:
    """Remove files that nothing refers to any more; safe to run again after a crash."""
    keys: list[str] = job.payload["blob_keys"]
    for done, key in enumerate(keys, start=1):
        await deps.blob_store.delete(key)
        await progress("purging", done / len(keys))


# ---- counting


_UPLOAD_WINDOW = timedelta(days=1)


async def uploads_left(
    connection: AsyncConnection, caller: Caller, *, limit: int, limit_of_tenant: int = 0
) -> list[Allowance]:
    """How many more files the caller and its tenant may upload: one allowance for each of the limits that is not 0.

    Counting is serialised per caller. A caller at the limit has 0 left; the one who accepts uploads turns that into an
    error.
    """
    found = []
    for what, who, most in (("documents", caller.asker, limit), ("documents-tenant", None, limit_of_tenant)):
        if not most:
            continue
        used, first = await repository.count_uploads(
            connection, tenant_id=caller.tenant_id, uploaded_by=who, since=now() - _UPLOAD_WINDOW
        )
        reset_s = (_UPLOAD_WINDOW if first is None else first + _UPLOAD_WINDOW - now()).total_seconds()
        found.append(
            Allowance(
                what=what,
                limit=most,
                remaining=max(0, most - used),
                wait_s=0.0 if used < most else max(1.0, reset_s),
                per_s=_UPLOAD_WINDOW.total_seconds(),
                reset_s=max(0.0, reset_s),
            )
        )
    return found


async def _get(connection: AsyncConnection, tenant_id: UUID, document_id: UUID) -> Document:
    document = await repository.find_document(connection, tenant_id=tenant_id, document_id=document_id)
    if document is None:
        raise DocumentNotFoundError
    return document
