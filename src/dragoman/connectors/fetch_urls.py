"""Documents from a list of URLs: one job for each, all of them in one group that can be paused and cancelled."""

from __future__ import annotations

import hashlib
import mimetypes
import tempfile
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import Final
from urllib.parse import unquote
from uuid import UUID

import httpx

from dragoman.deps import Deps
from dragoman.ingestion import service as ingestion
from dragoman.ingestion.service import Upload
from dragoman.jobs import groups
from dragoman.jobs import service as jobs
from dragoman.jobs.entities import Job, JobGroup, NewJob, Priority, Progress
from dragoman.kit.fetch import Fetcher, Response, parse_url
from dragoman.knowledge.entities import Source, Visibility
from dragoman.tenancy import audit
from dragoman.tenancy import repository as tenancy_repository
from dragoman.tenancy import service as tenancy
from dragoman.tenancy.access import PERMISSIONS, require
from dragoman.tenancy.entities import Caller, Permission, Role
from dragoman.tenancy.errors import ChatbotNotFoundError

FETCH_URL = "connectors.fetch_url"
_ALLOWED: Final = frozenset({Permission.READ_DOCUMENTS, Permission.CONTRIBUTE_DOCUMENTS, Permission.MANAGE_DOCUMENTS})

_MAX_NAME_CHARACTERS = 500  # of an `external_id`
_HTML = frozenset({"text/html", "application/xhtml+xml"})


@dataclass(frozen=True, slots=True, kw_only=True)
class UrlList:
    """Addresses of documents, and what is said of all of them."""

    urls: Sequence[str]
    chatbot_id: UUID | None
    visibility: Visibility
    content_type: str
    category: str
    tags: tuple[str, ...]


async def enqueue_urls(deps: Deps, caller: Caller, wanted: UrlList) -> tuple[JobGroup, list[Job]]:
    """Write a group and a job for each address, twins once.

    Raises:
        InvalidUrlError: one of them is none; nothing was enqueued.
        ChatbotNotFoundError, ForbiddenError.
    """
    urls = list(dict.fromkeys(str(parse_url(url)) for url in wanted.urls))
    if wanted.visibility is Visibility.SHARED:
        require(caller, Permission.MANAGE_DOCUMENTS)
    async with deps.database.transaction(caller.tenant_id) as connection:
        chatbot = await tenancy.get_chatbot(connection, caller, wanted.chatbot_id)
        name = urls[0] if len(urls) == 1 else f"{urls[0]} and {len(urls) - 1} more"
        group = await groups.create_group(
            connection,
            tenant_id=caller.tenant_id,
            chatbot_id=chatbot.id,
            name=name[:200],
            requested_by=caller.asker,
        )
        described = {
            "chatbot_id": str(chatbot.id),
            "visibility": wanted.visibility.value,
            "content_type": wanted.content_type,
            "category": wanted.category,
            "tags": list(wanted.tags),
            "asker": caller.asker,
            "role": caller.role.value,
            "permissions": sorted(caller.permissions & _ALLOWED),
        }
        new = [
            NewJob(kind=FETCH_URL, payload={**described, "url": url}, priority=Priority.NORMAL, group_id=group.id)
            for url in urls
        ]
        enqueued = await jobs.enqueue_many(connection, new, tenant_id=caller.tenant_id)
        await audit.record(
            connection, caller, "urls.fetched", subject_type="import", subject_id=group.id, count=len(urls), urls=urls
        )
    await jobs.announce_many(deps.sender, enqueued)
    return group, enqueued


async def fetch_url(deps: Deps, job: Job, progress: Progress) -> None:
    """The job: fetch an address and take what lies there as a document named after it.

    A page that was fetched before is replaced if it changed, and costs nothing if it did not.

    Raises:
        FetchError and its kinds, the errors of `ingestion.upload_document`.
    """
    url: str = job.payload["url"]
    caller = _caller_of(job)
    max_bytes = await _largest_document(deps, job)
    fetcher = Fetcher(deps.premises.fetch)
    await progress("fetching", 0.1)
    try:
        with tempfile.TemporaryDirectory(dir=deps.upload_directory, prefix="url-") as folder:
            target = Path(folder) / "page"
            async with fetcher.open(url) as response:
                response.raise_for_status()
                await response.save(target, max_bytes=max_bytes)
            await progress("storing", 0.7)
            await ingestion.upload_document(deps, caller, _upload(job, target, url, response))
    finally:
        await fetcher.close()


def _upload(job: Job, path: Path, url: str, response: Response) -> Upload:
    payload = job.payload
    return Upload(
        path=path,
        file_name=_file_name(response),
        declared_mime_type=response.mime_type or None,
        title=None,
        chatbot_id=UUID(payload["chatbot_id"]),
        visibility=Visibility(payload["visibility"]),
        content_type=payload["content_type"],
        category=payload["category"],
        tags=tuple(payload["tags"]),
        external_id=_external_id(url),
        metadata={"url": url},
        priority=Priority(job.priority),
        group_id=job.group_id,
        source=Source.URL,
        source_url=response.url,
    )


def _external_id(url: str) -> str:
    """The address itself, which names the document when the same list comes again; a very long one by its hash."""
    if len(url) <= _MAX_NAME_CHARACTERS:
        return url
    digest = hashlib.sha256(url.encode()).hexdigest()
    return f"{url[: _MAX_NAME_CHARACTERS - len(digest) - 1]}#{digest}"


def _file_name(response: Response) -> str:
    """A file's name with an extension that fits its type."""
    url = httpx.URL(response.url)
    last = unquote(PurePosixPath(url.path).name) or url.host
    guessed = mimetypes.guess_type(last)[0]
    if response.mime_type in _HTML:
        return last if guessed in _HTML else f"{last}.html"
    if guessed is not None:
        return last
    return last + (mimetypes.guess_extension(response.mime_type) or "")


def _caller_of(job: Job) -> Caller:
    """Who gave the list: he may upload to the one chatbot, and manage its documents if his role may."""
    role = Role(job.payload["role"])
    permissions = map(Permission, job.payload["permissions"]) if "permissions" in job.payload else PERMISSIONS[role]
    return Caller(
        tenant_id=job.tenant_id,
        role=role,
        asker=job.payload["asker"],
        permissions=frozenset(permissions) & _ALLOWED,
        chatbot_id=UUID(job.payload["chatbot_id"]),
    )


async def _largest_document(deps: Deps, job: Job) -> int:
    """Bytes. Raises ChatbotNotFoundError: it was deleted meanwhile."""
    chatbot_id = UUID(job.payload["chatbot_id"])
    async with deps.database.transaction(job.tenant_id) as connection:
        chatbot = await tenancy_repository.find_chatbot(connection, tenant_id=job.tenant_id, chatbot_id=chatbot_id)
    if chatbot is None:
        raise ChatbotNotFoundError
    return tenancy.settings_of(chatbot).max_size_mib * 1024 * 1024
