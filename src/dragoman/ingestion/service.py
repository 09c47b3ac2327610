"""Accepting documents: START HERE for uploads. `ingest.py` holds the job that reads them.

upload_documents     inspect -> scan -> store the blobs -> documents, versions and jobs in one transaction
"""

from __future__ import annotations

import asyncio
import hashlib
from collections.abc import AsyncIterator, Collection, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any
from uuid import UUID

import anyio
import structlog
from sqlalchemy.ext.asyncio import AsyncConnection

from dragoman.deps import Deps
from dragoman.ingestion.errors import (
    DailyUploadsUsedUpError,
    ImportOfOtherChatbotError,
    MalwareFoundError,
    UploadStorageFullError,
)
from dragoman.ingestion.reading import IMAGE_TYPES
from dragoman.ingestion.scan import Finding, require_safe, scan_structure
from dragoman.ingestion.validate import (
    NAMES_BY_TYPE,
    InspectedUpload,
    UploadLimits,
    clean_file_name,
    inspect_upload,
    upload_on_disk,
)
from dragoman.jobs import groups
from dragoman.jobs import service as jobs
from dragoman.jobs.entities import Job, Priority
from dragoman.jobs.errors import GroupCancelledError, GroupNotFoundError
from dragoman.kit import rate_limit
from dragoman.kit.clock import new_id
from dragoman.kit.database import DatabaseUnavailableError
from dragoman.kit.errors import DragomanError
from dragoman.kit.rate_limit import Allowance
from dragoman.knowledge import repository
from dragoman.knowledge import service as knowledge
from dragoman.knowledge.entities import Document, NewDocument, Source, Visibility
from dragoman.ports.blob_store import BlobStoreFullError
from dragoman.tenancy import audit
from dragoman.tenancy import service as tenancy
from dragoman.tenancy.access import require
from dragoman.tenancy.entities import Caller, Chatbot, Permission
from dragoman.tenancy.quotas import EffectiveQuotas
from dragoman.tenancy.settings import ChatbotSettings

_log = structlog.get_logger(__name__)

_READ_BYTES = 1024 * 1024
_AT_ONCE = 4  # files, or groups of small ones, of one request that are checked at the same time
_GROUP_FILES = 25  # small files that one thread takes together: a hop to a thread and back costs as much as a check
_GROUP_BYTES = 1024 * 1024
_ASK_TIMES = 10  # once a second: PostgreSQL restarts in 2 to 5 s


@dataclass(frozen=True, slots=True, kw_only=True)
class Upload:
    """A file that arrived, and what was said of it.

    Attributes:
        path: where it lies; None: it is small, and `content` holds it.
        title: None: taken from the document or the file name; blank: none.
        content_hash: SHA-256 of the file in hexadecimal, if it was counted on the way; else it is counted here.
        replaces: the document that gets this as its new version; None for a new one, or that of the `external_id`.
        group_id: the bulk import that this is part of.
        source_url, connector_id: where it came from, for `source` other than an upload.
    """

    path: Path | None = None
    content: bytes | None = None
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
    content_hash: str | None = None
    replaces: UUID | None = None
    group_id: UUID | None = None
    source: Source = Source.UPLOAD
    source_url: str | None = None
    connector_id: UUID | None = None

    @property
    def body(self) -> Path | bytes:
        """The file: its content, or where it lies."""
        if self.content is not None:
            return self.content
        assert self.path is not None
        return self.path


@dataclass(frozen=True, slots=True, kw_only=True)
class Uploaded:
    """The document as registered. `is_duplicate`: the same content was there already, and nothing was done."""

    document: Document
    is_duplicate: bool


async def upload_document(deps: Deps, caller: Caller, upload: Upload) -> Uploaded:
    """Check and store a file and register its document; the reading happens in a job.

    Raises:
        ChatbotNotFoundError, DocumentNotFoundError.
        ForbiddenError: shared documents need the permission to manage documents, except where all wait for approval.
        DailyUploadsUsedUpError: the caller's uploads of these 24 hours are used up.
        MalwareFoundError, MalwareScannerUnavailableError, the errors of `scan.require_safe` and of
        `validate.inspect_upload`: empty, too large, wrong or unknown type, damaged, encrypted, a bomb.
    """
    [result] = await upload_documents(deps, caller, [upload])
    if isinstance(result, DragomanError):
        raise result
    return result


async def upload_documents(deps: Deps, caller: Caller, uploads: Sequence[Upload]) -> list[Uploaded | DragomanError]:
    """The same for many files at once: each is accepted or refused by itself, all that are accepted in one transaction.

    Raises:
        ChatbotNotFoundError, GroupNotFoundError, ForbiddenError: they concern all of the files.
    """
    async with deps.database.transaction(caller.tenant_id) as connection:
        targets = await _find_targets(connection, caller, uploads)
    wanted = [
        target if isinstance(target, DragomanError) else _aimed(caller, upload, target)
        for upload, target in zip(uploads, targets, strict=True)
    ]
    aimed = {place: each for place, each in enumerate(wanted) if isinstance(each, _Aimed)}
    checked = await _check_all(deps, caller, aimed)
    results: dict[int, Uploaded | DragomanError] = {
        place: outcome
        for place, outcome in (*enumerate(wanted), *checked.items())
        if isinstance(outcome, DragomanError)
    }
    accepted = {place: outcome for place, outcome in checked.items() if isinstance(outcome, _Checked)}
    results |= {place: result async for place, result in _register(deps, caller, accepted)}
    return [results[place] for place in range(len(uploads))]


async def get_document(deps: Deps, caller: Caller, document_id: UUID) -> Document:
    """The document that an upload is to replace. Raises DocumentNotFoundError, ForbiddenError."""
    async with deps.database.transaction(caller.tenant_id) as connection:
        return await knowledge.get_own_document(connection, caller, document_id)


# ---- where they shall go


@dataclass(frozen=True, slots=True, kw_only=True)
class _Target:
    """The chatbot that gets the file, and the document that gets it as its new version."""

    chatbot: Chatbot
    settings: ChatbotSettings
    known: Document | None


async def _find_targets(
    connection: AsyncConnection, caller: Caller, uploads: Sequence[Upload]
) -> list[_Target | DragomanError]:
    """The target of each upload; files of one request mostly have the same.

    Raises:
        ChatbotNotFoundError, DocumentNotFoundError, GroupNotFoundError, ForbiddenError.
    """
    found: dict[tuple[UUID | None, UUID | None, UUID | None], _Target | DragomanError] = {}
    for upload in uploads:
        wanted = (upload.replaces, upload.chatbot_id, upload.group_id)
        if wanted not in found:
            try:
                found[wanted] = await _find_target(connection, caller, upload)
            except ImportOfOtherChatbotError as error:
                found[wanted] = error
    return [found[upload.replaces, upload.chatbot_id, upload.group_id] for upload in uploads]


async def _find_target(connection: AsyncConnection, caller: Caller, upload: Upload) -> _Target:
    known = None
    if upload.replaces is not None:
        known = await knowledge.get_own_document(connection, caller, upload.replaces)
    chatbot_id = upload.chatbot_id if known is None else known.chatbot_id
    chatbot = await tenancy.get_chatbot(connection, caller, chatbot_id)
    if upload.group_id is not None:
        group = await groups.get_group(connection, tenant_id=caller.tenant_id, group_id=upload.group_id)
        if group.chatbot_id != chatbot.id:
            raise ImportOfOtherChatbotError
    return _Target(chatbot=chatbot, settings=tenancy.settings_of(chatbot), known=known)


# ---- checking them


@dataclass(frozen=True, slots=True, kw_only=True)
class _Aimed:
    """A file with its target; labelled like the document whose new version it is."""

    upload: Upload
    target: _Target


@dataclass(frozen=True, slots=True, kw_only=True)
class _Checked:
    upload: Upload
    chatbot: Chatbot
    settings: ChatbotSettings
    new: NewDocument
    known: Document | None


def _aimed(caller: Caller, upload: Upload, target: _Target) -> _Aimed:
    """Raises ForbiddenError."""
    known = target.known
    if (file_name := clean_file_name(upload.file_name)) != upload.file_name:
        upload = replace(upload, file_name=file_name)
    if known is not None:
        upload = replace(
            upload, visibility=known.visibility, chatbot_id=known.chatbot_id, external_id=known.external_id
        )
    if upload.visibility is Visibility.SHARED and target.settings.moderation == "open":
        require(caller, Permission.MANAGE_DOCUMENTS)
    return _Aimed(upload=upload, target=target)


async def _check_all(deps: Deps, caller: Caller, aimed: Mapping[int, _Aimed]) -> dict[int, _Checked | DragomanError]:
    """All that can be said against files before they are kept, by their places."""
    slots = asyncio.Semaphore(_AT_ONCE)
    accepted = _accepted(deps)

    async def look(group: Mapping[int, _Aimed]) -> dict[int, _Seen | DragomanError]:
        async with slots:
            return await anyio.to_thread.run_sync(_look_at_all, group, accepted)

    async def judge(place: int, seen: _Seen) -> DragomanError | None:
        async with slots:
            try:
                await _require_harmless(deps, caller, aimed[place], seen)
            except DragomanError as error:
                return error
        return None

    seen: dict[int, _Seen | DragomanError] = {}
    for part in await asyncio.gather(*map(look, _grouped(aimed))):
        seen |= part
    suspects = {
        place: each
        for place, each in seen.items()
        if isinstance(each, _Seen)
        and (each.findings or each.inspected.may_be_encrypted or deps.malware_scanner is not None)
    }
    verdicts = await asyncio.gather(*(judge(place, each) for place, each in suspects.items()))
    refused = {place: error for place, error in zip(suspects, verdicts, strict=True) if error is not None}
    return {
        place: each if isinstance(each, DragomanError) else _checked(caller, aimed[place], each)
        for place, each in (seen | refused).items()
    }


def _grouped(aimed: Mapping[int, _Aimed]) -> Iterator[dict[int, _Aimed]]:
    """Small files together, each file on disk by itself."""
    group: dict[int, _Aimed] = {}
    size = 0
    for place, each in aimed.items():
        content = each.upload.content
        if content is None:
            yield {place: each}
            continue
        if group and (len(group) == _GROUP_FILES or size + len(content) > _GROUP_BYTES):
            yield group
            group, size = {}, 0
        group[place] = each
        size += len(content)
    if group:
        yield group


@dataclass(frozen=True, slots=True, kw_only=True)
class _Seen:
    content_hash: str
    inspected: InspectedUpload
    findings: Sequence[Finding]


def _look_at_all(group: Mapping[int, _Aimed], accepted: frozenset[str]) -> dict[int, _Seen | DragomanError]:
    """What their bytes tell, or why they are refused. Blocking."""
    seen: dict[int, _Seen | DragomanError] = {}
    for place, each in group.items():
        limits = UploadLimits(max_size_mib=each.target.settings.max_size_mib, accepted=accepted)
        try:
            seen[place] = _look_at(each.upload, limits)
        except DragomanError as error:
            seen[place] = error
    return seen


def _look_at(upload: Upload, limits: UploadLimits) -> _Seen:
    """Raises the errors of `validate.inspect_upload`, DamagedDocumentError."""
    inspected = inspect_upload(
        upload.body, file_name=upload.file_name, declared_mime_type=upload.declared_mime_type, limits=limits
    )
    return _Seen(
        content_hash=upload.content_hash or _sha256(upload.body),
        inspected=inspected,
        findings=scan_structure(upload.body, inspected.mime_type),
    )


async def _require_harmless(deps: Deps, caller: Caller, aimed: _Aimed, seen: _Seen) -> None:
    """Raises EncryptedDocumentError, MalwareFoundError, MalwareScannerUnavailableError, those of `require_safe`."""
    upload, policy = aimed.upload, aimed.target.settings.active_content
    if not seen.inspected.may_be_encrypted and deps.malware_scanner is None:
        require_safe(seen.findings, policy)
        return
    async with upload_on_disk(upload.body, deps.upload_directory) as path:
        if seen.inspected.may_be_encrypted:
            # Only opening it tells whether it asks for a password; better now than in the job.
            await deps.sandbox.probe(path, mime_type=seen.inspected.mime_type, file_name=upload.file_name)
        require_safe(seen.findings, policy)
        if deps.malware_scanner is None:
            return
        found = await deps.malware_scanner.scan(path)
        if found.signature is not None:
            _log.warning("ingestion.malware_found", signature=found.signature, asker=caller.asker)
            raise MalwareFoundError(signature=found.signature)


def _checked(caller: Caller, aimed: _Aimed, seen: _Seen) -> _Checked:
    upload, target = aimed.upload, aimed.target
    chatbot, settings, known = target.chatbot, target.settings, target.known
    given = upload.title
    if given is None and known is not None and known.metadata.get("title_given"):
        given = known.title  # somebody named it; a new file does not rename it
    new = NewDocument(
        chatbot_id=chatbot.id,
        title=(Path(upload.file_name).stem if given is None else given.strip())[:500],
        file_name=upload.file_name,
        mime_type=seen.inspected.mime_type,
        size_bytes=seen.inspected.size_bytes,
        content_hash=seen.content_hash,
        blob_key=f"{caller.tenant_id}/{chatbot.id}/{new_id()}",
        owner=known.owner if known else caller.asker,
        visibility=upload.visibility,
        content_type=upload.content_type,
        category=upload.category,
        tags=upload.tags,
        external_id=upload.external_id,
        metadata={**upload.metadata, "title_given": given is not None},
        uploaded_by=caller.asker,
        findings=tuple(asdict(finding) for finding in seen.findings),
        approval=knowledge.approval_needed(settings.moderation, upload.visibility),
        source=upload.source,
        source_url=upload.source_url,
        connector_id=upload.connector_id,
    )
    return _Checked(upload=upload, chatbot=chatbot, settings=settings, new=new, known=known)


def _accepted(deps: Deps) -> frozenset[str]:
    return frozenset(NAMES_BY_TYPE) & (deps.readable_types | IMAGE_TYPES)


def _sha256(content: Path | bytes) -> str:
    if isinstance(content, bytes):
        return hashlib.sha256(content).hexdigest()
    with content.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


# ---- all files of a request


async def _register(
    deps: Deps, caller: Caller, checked: dict[int, _Checked]
) -> AsyncIterator[tuple[int, Uploaded | DragomanError]]:
    """Recognise what is here already, store the other files, and register them in one transaction."""
    fresh: dict[int, _Checked] = {}
    first_of: dict[tuple[str, str | None], int] = {}
    twins: dict[int, int] = {}
    async with deps.database.transaction(caller.tenant_id) as connection:
        here_already = await _find_same(connection, caller, checked)
    for place, item in checked.items():
        key = (item.new.content_hash, item.new.external_id)
        if place in here_already:
            yield place, Uploaded(document=here_already[place], is_duplicate=True)
        elif key in first_of:
            twins[place] = first_of[key]
        else:
            first_of[key] = place
            fresh[place] = item
    if not fresh:
        return
    is_committing = False
    try:
        registered: dict[int, Uploaded | DragomanError] = {**await _store_all(deps, fresh)}
        stored = {place: item for place, item in fresh.items() if place not in registered}
        quotas = await deps.limiter.quotas_of_tenant(caller.tenant_id)
        async with deps.database.transaction(caller.tenant_id) as connection:
            results, announced = await _register_fresh(connection, caller, quotas, stored)
            is_committing = True
    except BaseException:
        await _delete_blobs(deps, await _list_unregistered(deps, caller, fresh) if is_committing else fresh.values())
        raise
    registered |= results
    await _delete_blobs(deps, [fresh[place] for place, one in results.items() if isinstance(one, DragomanError)])
    for place, result in registered.items():
        yield place, result
    for place, first in twins.items():
        result = registered[first]
        yield place, replace(result, is_duplicate=True) if isinstance(result, Uploaded) else result
    await jobs.announce_many(deps.sender, announced)


async def _find_same(
    connection: AsyncConnection, caller: Caller, checked: Mapping[int, _Checked]
) -> dict[int, Document]:
    """Documents that have the content already, by the places of the files."""
    same: dict[int, Document] = {}
    unnamed: dict[int, NewDocument] = {}
    for place, item in checked.items():
        if item.known is None:
            unnamed[place] = item.new
            continue
        newest = item.known.newest  # a replacement is a duplicate only of the version that it would replace
        if newest.content_hash == item.new.content_hash and newest.id == item.known.live_version_id:
            same[place] = item.known
    found = await repository.find_same_contents(connection, list(unnamed.values()), tenant_id=caller.tenant_id)
    return same | {place: document for place, document in zip(unnamed, found, strict=True) if document is not None}


async def _store_all(deps: Deps, fresh: Mapping[int, _Checked]) -> dict[int, DragomanError]:
    """Store each file; the errors of those that were not stored, because the disk is full for example.

    Each is brought to its end, also beside one that failed: none may be stored after its blob was deleted.
    """
    small = {item.new.blob_key: item.upload.content for item in fresh.values() if item.upload.content is not None}
    large = {place: item.upload.path for place, item in fresh.items() if item.upload.path is not None}
    outcomes = await asyncio.gather(
        _store_small(deps, small),
        *(_store(deps, fresh[place].new, path) for place, path in large.items()),
        return_exceptions=True,
    )
    not_stored: dict[str, DragomanError] = {}
    for outcome in outcomes:
        if isinstance(outcome, BaseException):
            raise outcome
        not_stored |= outcome
    return {
        place: _as_told(not_stored[key]) for place, item in fresh.items() if (key := item.new.blob_key) in not_stored
    }


def _as_told(error: DragomanError) -> DragomanError:
    """Whether the disk of uploads or that of originals is full is the same to who sends a file."""
    return UploadStorageFullError(error.message) if isinstance(error, BlobStoreFullError) else error


async def _list_unregistered(deps: Deps, caller: Caller, fresh: dict[int, _Checked]) -> list[_Checked]:
    """What was not registered by a commit that raised: the connection may have broken between it and its answer.

    None where the database stays away: a file too many harms less than one too few.
    """
    for _ in range(_ASK_TIMES):
        try:
            async with deps.database.transaction(caller.tenant_id) as connection:
                return [item for item in fresh.values() if not await _is_registered(connection, caller, item)]
        except DatabaseUnavailableError:
            await asyncio.sleep(1.0)
    _log.warning("ingestion.commit_unknown", blobs=[item.new.blob_key for item in fresh.values()])
    return []


async def _is_registered(connection: AsyncConnection, caller: Caller, item: _Checked) -> bool:
    return await repository.is_blob_kept(connection, tenant_id=caller.tenant_id, blob_key=item.new.blob_key)


async def _delete_blobs(deps: Deps, items: Collection[_Checked]) -> None:
    for item in items:
        await deps.blob_store.delete(item.new.blob_key)


async def _store_small(deps: Deps, blobs: Mapping[str, bytes]) -> Mapping[str, DragomanError]:
    return await deps.blob_store.put_many(blobs) if blobs else {}


async def _store(deps: Deps, new: NewDocument, path: Path) -> Mapping[str, DragomanError]:
    try:
        await deps.blob_store.put(new.blob_key, _file_content(path, new.size_bytes))
    except DragomanError as error:
        return {new.blob_key: error}
    return {}


async def _file_content(path: Path, size: int) -> AsyncIterator[bytes]:
    if size <= _READ_BYTES:
        yield await anyio.to_thread.run_sync(path.read_bytes)
        return
    async with await anyio.open_file(path, "rb") as file:
        while piece := await file.read(_READ_BYTES):
            yield piece


async def _register_fresh(
    connection: AsyncConnection, caller: Caller, quotas: EffectiveQuotas, fresh: Mapping[int, _Checked]
) -> tuple[dict[int, Uploaded | DragomanError], list[Job]]:
    results: dict[int, Uploaded | DragomanError] = {}
    wanted = dict(fresh)
    counted = [place for place, item in fresh.items() if item.upload.source is not Source.CONNECTOR]
    if counted:
        allowances = await _uploads_left(connection, caller, quotas, fresh[counted[0]].chatbot)
        left = min((each.remaining for each in allowances), default=len(counted))
        told = [_told(each, len(counted)) for each in allowances]
        for place in counted[left:]:
            results[place] = DailyUploadsUsedUpError(retry_after_s=max(each.wait_s for each in told))
            del wanted[place]
        rate_limit.tell(told)
    announced: list[Job] = []
    for group_id in dict.fromkeys(item.upload.group_id for item in wanted.values()):
        places = [place for place, item in wanted.items() if item.upload.group_id == group_id]
        outcomes = await _register_group(connection, caller, [wanted[place] for place in places], group_id)
        for place, outcome in zip(places, outcomes, strict=True):
            if isinstance(outcome, DragomanError):
                results[place] = outcome
            else:
                results[place] = Uploaded(document=outcome[0], is_duplicate=False)
                announced.append(outcome[1])
    subjects = [
        (result.document.id, {"version": result.document.newest.number, "source": wanted[place].new.source.value})
        for place, result in results.items()
        if isinstance(result, Uploaded)
    ]
    await audit.record_many(connection, caller, "document.uploaded", subject_type="document", subjects=subjects)
    return results, announced


async def _register_group(
    connection: AsyncConnection, caller: Caller, items: Sequence[_Checked], group_id: UUID | None
) -> Sequence[tuple[Document, Job] | DragomanError]:
    """The files of one bulk import, or those of none."""
    wanted = [
        knowledge.Registration(new=item.new, priority=item.upload.priority, replaces=item.known) for item in items
    ]
    try:
        return await knowledge.register_documents(connection, wanted, tenant_id=caller.tenant_id, group_id=group_id)
    except (GroupCancelledError, GroupNotFoundError) as error:  # nothing was written, so the transaction goes on
        return [error] * len(items)


async def _uploads_left(
    connection: AsyncConnection, caller: Caller, quotas: EffectiveQuotas, chatbot: Chatbot
) -> Sequence[Allowance]:
    own = quotas.replaced_by(chatbot.settings)
    limit = own.documents_per_day_managers if knowledge.may_manage(caller) else own.documents_per_day
    return await knowledge.uploads_left(
        connection, caller, limit=limit, limit_of_tenant=quotas.documents_per_day_tenant
    )


def _told(allowance: Allowance, taken: int) -> Allowance:
    """The allowance after so many uploads were asked for."""
    refused = taken > allowance.remaining
    return replace(
        allowance,
        remaining=max(0, allowance.remaining - taken),
        wait_s=max(1.0, allowance.reset_s) if refused else 0.0,
    )
