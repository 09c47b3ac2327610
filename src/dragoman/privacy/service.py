"""Requests of data subjects: made, listed, worked off by a job, their archives read and removed."""

from __future__ import annotations

from collections.abc import AsyncIterator
from typing import Any, Final
from uuid import UUID

import structlog

from dragoman.deps import Deps
from dragoman.jobs import service as jobs
from dragoman.jobs.entities import Job, Priority, Progress
from dragoman.kit.clock import new_id, now
from dragoman.kit.pagination import Page, PageRequest
from dragoman.privacy import repository
from dragoman.privacy.archive import make_archive
from dragoman.privacy.entities import PrivacyRequest, RequestKind, RequestState, Subject, SubjectKind
from dragoman.privacy.erasure import erase
from dragoman.privacy.errors import (
    InvalidSubjectError,
    LastOwnerError,
    NoArchiveError,
    RequestNotFoundError,
    SubjectNotFoundError,
)
from dragoman.tenancy import audit
from dragoman.tenancy import service as tenancy
from dragoman.tenancy.entities import Caller, Role
from dragoman.tenancy.errors import ForbiddenError

_log = structlog.get_logger(__name__)
PRIVACY_REQUEST: Final = "privacy.request"
_ATTEMPTS: Final = 20


async def create_request(
    deps: Deps, caller: Caller, *, kind: RequestKind, subject_kind: SubjectKind, subject_id: str
) -> PrivacyRequest:
    """Have a person's data exported or erased by a job.

    Raises:
        InvalidSubjectError, SubjectNotFoundError, LastOwnerError.
        ForbiddenError: an owner is erased by owners only.
    """
    request = PrivacyRequest(
        id=new_id(),
        tenant_id=caller.tenant_id,
        kind=kind,
        subject_kind=subject_kind,
        subject_id=_checked(subject_kind, subject_id),
        state=RequestState.WAITING,
        step="",
        counts={},
        blob_key=None,
        size_bytes=None,
        error_message=None,
        requested_by=caller.asker,
        created_at=now(),
        finished_at=None,
        expires_at=None,
    )
    async with deps.database.transaction(caller.tenant_id) as connection:
        if subject_kind is SubjectKind.USER:
            await _check_user(connection, caller, request)
        await repository.insert_request(connection, request)
        job = await jobs.enqueue(
            connection,
            tenant_id=caller.tenant_id,
            kind=PRIVACY_REQUEST,
            payload={"request_id": str(request.id)},
            priority=Priority.NORMAL,
            max_attempts=_ATTEMPTS,
            subject_id=request.id,
        )
        await audit.record(
            connection,
            caller,
            f"personal_data.{kind.value}_requested",
            subject_type="person",
            subject_id=request.id,
            person=f"{subject_kind.value}:{request.subject_id}",
        )
    await jobs.announce_many(deps.sender, [job])
    return request


def _checked(kind: SubjectKind, subject_id: str) -> str:
    if kind is SubjectKind.EXTERNAL:
        return subject_id
    try:
        return str(UUID(subject_id))
    except ValueError as error:
        raise InvalidSubjectError from error


async def _check_user(connection: Any, caller: Caller, request: PrivacyRequest) -> None:
    user_id = UUID(request.subject_id)
    user = await repository.find_user(connection, tenant_id=caller.tenant_id, user_id=user_id)
    if user is None:
        raise SubjectNotFoundError
    if request.kind is RequestKind.ERASE and user.role is Role.OWNER:
        if caller.role is not Role.OWNER:
            raise ForbiddenError("Only an owner can have an owner erased.")
        if not await repository.count_other_owners(connection, tenant_id=caller.tenant_id, user_id=user_id):
            raise LastOwnerError


async def get_request(deps: Deps, caller: Caller, request_id: UUID) -> PrivacyRequest:
    """Raises RequestNotFoundError."""
    async with deps.database.transaction(caller.tenant_id) as connection:
        found = await repository.find_request(connection, tenant_id=caller.tenant_id, request_id=request_id)
    if found is None:
        raise RequestNotFoundError
    return found


async def list_requests(deps: Deps, caller: Caller, page: PageRequest) -> Page[PrivacyRequest]:
    async with deps.database.transaction(caller.tenant_id) as connection:
        items, total = await repository.list_requests(
            connection, tenant_id=caller.tenant_id, limit=page.limit, offset=page.offset
        )
    return Page(items=items, total=total, limit=page.limit, offset=page.offset)


async def open_archive(deps: Deps, caller: Caller, request_id: UUID) -> tuple[PrivacyRequest, AsyncIterator[bytes]]:
    """The archive of an export; that it was opened is audited. Raises RequestNotFoundError, NoArchiveError."""
    request = await get_request(deps, caller, request_id)
    if request.blob_key is None:
        raise NoArchiveError
    async with deps.database.transaction(caller.tenant_id) as connection:
        await audit.record(connection, caller, "personal_data.downloaded", subject_type="person", subject_id=request_id)
    return request, deps.blob_store.read(request.blob_key)


async def delete_archive(deps: Deps, caller: Caller, request_id: UUID) -> None:
    """Remove the archive before it expires. Raises RequestNotFoundError, NoArchiveError."""
    request = await get_request(deps, caller, request_id)
    if request.blob_key is None:
        raise NoArchiveError
    await _remove(deps, request)
    async with deps.database.transaction(caller.tenant_id) as connection:
        await audit.record(
            connection, caller, "personal_data.archive_deleted", subject_type="person", subject_id=request_id
        )


async def _remove(deps: Deps, request: PrivacyRequest) -> None:
    assert request.blob_key is not None
    await deps.blob_store.delete(request.blob_key)
    async with deps.database.transaction(request.tenant_id) as connection:
        values = {"state": RequestState.EXPIRED.value, "blob_key": None, "size_bytes": None}
        await repository.update_request(connection, tenant_id=request.tenant_id, request_id=request.id, values=values)


# ---- the job


async def run_request(deps: Deps, job: Job, progress: Progress) -> None:
    """Work a request off; safe to run again after a crash."""
    async with deps.database.transaction(job.tenant_id) as connection:
        request = await repository.find_request(
            connection, tenant_id=job.tenant_id, request_id=UUID(job.payload["request_id"])
        )
        if request is None or request.state in (RequestState.DONE, RequestState.EXPIRED):
            return
        await repository.update_request(
            connection, tenant_id=job.tenant_id, request_id=request.id, values={"state": RequestState.RUNNING.value}
        )
        subject = await _subject(connection, request)

    async def tell(step: str, fraction: float) -> None:
        async with deps.database.transaction(job.tenant_id) as connection:
            await repository.update_request(
                connection, tenant_id=job.tenant_id, request_id=request.id, values={"step": step}
            )
        await progress(step, fraction)

    work = make_archive if request.kind is RequestKind.EXPORT else erase
    values = await work(deps, request, subject, tell)
    async with deps.database.transaction(job.tenant_id) as connection:
        await repository.update_request(
            connection, tenant_id=job.tenant_id, request_id=request.id, values={**values, "step": ""}
        )
    _log.info("privacy.request_done", request_id=str(request.id), kind=request.kind.value)


async def _subject(connection: Any, request: PrivacyRequest) -> Subject:
    email = ""
    if request.subject_kind is SubjectKind.USER and not request.subject_id.startswith("erased:"):
        user = await repository.find_user(connection, tenant_id=request.tenant_id, user_id=UUID(request.subject_id))
        email = "" if user is None else user.email
    return Subject(tenant_id=request.tenant_id, kind=request.subject_kind, id=request.subject_id, email=email)


async def record_failure(deps: Deps, job: Job, message: str) -> None:
    async with deps.database.transaction(job.tenant_id) as connection:
        values = {"state": RequestState.FAILED.value, "error_message": message, "finished_at": now()}
        await repository.update_request(
            connection, tenant_id=job.tenant_id, request_id=UUID(job.payload["request_id"]), values=values
        )


async def remove_expired(deps: Deps, job: Job, progress: Progress) -> None:
    """The job: remove the archives of a tenant that are kept no longer."""
    async with deps.database.transaction(job.tenant_id) as connection:
        expired = await repository.list_expired(connection, tenant_id=job.tenant_id, at=now())
    for done, request in enumerate(expired, start=1):
        await _remove(deps, request)
        await progress("removing", done / len(expired))


EXPIRE_ARCHIVES: Final = "privacy.expire_archives"


async def enqueue_expiry(database: Any, sender: Any) -> int:
    """A job for each tenant whose archives have to go; how many."""
    enqueued: list[Job] = []
    for tenant in await tenancy.list_tenants(database):
        async with database.transaction(tenant.id) as connection:
            if await repository.list_expired(connection, tenant_id=tenant.id, at=now()):
                enqueued.append(
                    await jobs.enqueue(
                        connection, tenant_id=tenant.id, kind=EXPIRE_ARCHIVES, payload={}, priority=Priority.BULK
                    )
                )
    await jobs.announce_many(sender, enqueued)
    return len(enqueued)
