"""Compares the indexes outside PostgreSQL with it, mends what differs, and fills empty ones.

Filling is comparing and mending: what an index holds already is left, so that whatever ended too soon is started again
and goes on where it stood.

scheduler: `enqueue_checks` -> job `check_external_index`, one a tenant -> worker: `run_check`
operator:  `sync_tenant` for all tenants (`dragoman index sync`)
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from datetime import timedelta
from typing import Final, Literal
from uuid import UUID

import structlog
from prometheus_client import Counter
from sqlalchemy.ext.asyncio import AsyncConnection

from dragoman.deps import Deps
from dragoman.ingestion.embed import chunk_input
from dragoman.jobs import repository as jobs_repository
from dragoman.jobs import service as jobs
from dragoman.jobs.entities import Job, JobFilter, JobSender, Priority, Progress
from dragoman.kit.clock import Stopwatch, now
from dragoman.kit.database import Database
from dragoman.kit.pagination import PageRequest
from dragoman.knowledge import repository as knowledge_repository
from dragoman.ports.external_index import Digests, ExternalIndex, ExternalVectorIndex, IndexPlace
from dragoman.ports.keyword_index import KeywordChunk, KeywordIndex
from dragoman.ports.vector_index import VectorIndex
from dragoman.tenancy import repository as tenancy_repository

_log = structlog.get_logger(__name__)

CHECK_EXTERNAL_INDEX: Final = "check_external_index"
SETTLE_S: Final = 30.0  # what is written to a server before a commit is no drift: no such transaction takes longer
_CHECK_EVERY: Final = timedelta(hours=23)
_VERSIONS_AT_ONCE: Final = 20

MENDED = Counter(
    "dragoman_external_index_mended_total",
    "Document versions that a check of an index outside PostgreSQL mended.",
    ["index", "drift"],
)

Port = Literal["vector_index", "keyword_index"]
Tell = Callable[[str, float], Awaitable[None]]
"""Told what is being done and how far it is, 0 to 1."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Drift:
    """How an index differs from PostgreSQL.

    Attributes:
        stored, outside: entries that there should be, and that there are.
        missing: versions that the index has nothing of.
        different: versions that it has other entries of.
        unknown: versions that PostgreSQL does not know.
    """

    stored: int
    outside: int
    missing: Sequence[UUID] = ()
    different: Sequence[UUID] = ()
    unknown: Sequence[UUID] = ()

    @property
    def is_none(self) -> bool:
        return not (self.missing or self.different or self.unknown)


@dataclass(frozen=True, slots=True, kw_only=True)
class Comparison:
    """What was found in one place, before it was mended; `sent` and `removed` count what was."""

    port: Port
    place: IndexPlace
    drift: Drift
    sent: int = 0
    removed: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class External:
    """The indexes of an installation that lie outside PostgreSQL."""

    vectors: ExternalVectorIndex | None
    keywords: ExternalIndex | None
    keyword_index: KeywordIndex

    @classmethod
    def of(cls, vector_index: VectorIndex, keyword_index: KeywordIndex) -> External:
        return cls(
            vectors=vector_index if isinstance(vector_index, ExternalVectorIndex) else None,
            keywords=keyword_index if isinstance(keyword_index, ExternalIndex) else None,
            keyword_index=keyword_index,
        )

    def by_port(self) -> list[tuple[Port, ExternalIndex]]:
        found: list[tuple[Port, ExternalIndex]] = []
        if self.vectors is not None:
            found.append(("vector_index", self.vectors))
        if self.keywords is not None:
            found.append(("keyword_index", self.keywords))
        return found


def compare(stored: Digests, outside: Digests) -> Drift:
    """What the digests of both sides say."""
    return Drift(
        stored=sum(digest.entries for digest in stored.values()),
        outside=sum(digest.entries for digest in outside.values()),
        missing=tuple(sorted(stored.keys() - outside.keys())),
        different=tuple(sorted(each for each in stored.keys() & outside.keys() if stored[each] != outside[each])),
        unknown=tuple(sorted(outside.keys() - stored.keys())),
    )


# ---- one tenant


async def sync_tenant(
    database: Database,
    external: External,
    tenant_id: UUID,
    *,
    mend: bool,
    rebuild: bool = False,
    chatbot_id: UUID | None = None,
    settle_s: float = SETTLE_S,
    tell: Tell | None = None,
) -> list[Comparison]:
    """Compare all places of a tenant, or of one chatbot, and mend them.

    Args:
        mend: False only compares.
        rebuild: Empty each place first.
        settle_s: How long an entry must be unknown to PostgreSQL before it is removed.

    Raises:
        ServiceAwayError, ServiceRefusedError, DatabaseUnavailableError. What was mended until then stays mended.
    """
    done: list[Comparison] = []
    for port, index in external.by_port():
        async with database.transaction(tenant_id) as connection:
            places = await index.list_places(connection, tenant_id=tenant_id)
        chosen = [place for place in places if chatbot_id in (None, place.chatbot_id)]
        for number, place in enumerate(chosen):
            if tell is not None:
                await tell(f"comparing the {port}", number / len(chosen))
            if rebuild and mend:
                await index.drop_place(place)
            done.append(await _sync_place(database, external, port, index, place, mend=mend, settle_s=settle_s))
        if chatbot_id is None:
            done += await _drop_lost(index, port, tenant_id, known=places, mend=mend)
    return [each for each in done if each.drift.stored or each.drift.outside]


async def _sync_place(
    database: Database,
    external: External,
    port: Port,
    index: ExternalIndex,
    place: IndexPlace,
    *,
    mend: bool,
    settle_s: float,
) -> Comparison:
    watch = Stopwatch()
    async with database.transaction(place.tenant_id) as connection:
        stored = await index.digest_stored(connection, place)
    drift = compare(stored, await index.digest_outside(place))
    if not mend or drift.is_none:
        return Comparison(port=port, place=place, drift=drift)
    await index.forget_versions(place, drift.different)
    sent = await _send(database, external, port, place, [*drift.missing, *drift.different])
    removed = 0
    if drift.unknown:
        await asyncio.sleep(max(0.0, settle_s - watch.elapsed_ms / 1000))
        async with database.transaction(place.tenant_id) as connection:
            known = await index.digest_stored(connection, place)
        lost = [version for version in drift.unknown if version not in known]
        await index.forget_versions(place, lost)
        removed = len(lost)
    for kind, versions in (("missing", drift.missing), ("different", drift.different), ("unknown", drift.unknown)):
        MENDED.labels(port, kind).inc(len(versions))
    return Comparison(port=port, place=place, drift=drift, sent=sent, removed=removed)


async def _drop_lost(
    index: ExternalIndex, port: Port, tenant_id: UUID, *, known: Sequence[IndexPlace], mend: bool
) -> list[Comparison]:
    """What is left of chatbots that were deleted."""
    lost = [place for place in await index.list_outside_places(tenant_id=tenant_id) if place not in known]
    found = []
    for place in lost:
        outside = await index.digest_outside(place)
        if mend:
            await index.drop_place(place)
        drift = compare({}, outside)
        found.append(Comparison(port=port, place=place, drift=drift, removed=len(drift.unknown) if mend else 0))
    return found


async def _send(
    database: Database, external: External, port: Port, place: IndexPlace, version_ids: Sequence[UUID]
) -> int:
    """Write versions to the server from what PostgreSQL holds; how many entries."""
    sent = 0
    for start in range(0, len(version_ids), _VERSIONS_AT_ONCE):
        chosen = version_ids[start : start + _VERSIONS_AT_ONCE]
        async with database.transaction(place.tenant_id) as connection:
            if port == "vector_index":
                assert external.vectors is not None  # its places are being mended
                sent += await external.vectors.send_versions(connection, place, chosen)
            else:
                texts = {
                    version_id: await chunks_to_index(connection, tenant_id=place.tenant_id, version_id=version_id)
                    for version_id in chosen
                }
                present = {version_id: chunks for version_id, chunks in texts.items() if chunks}
                await external.keyword_index.add(
                    connection, tenant_id=place.tenant_id, chatbot_id=place.chatbot_id, versions=present
                )
                sent += sum(map(len, present.values()))
    return sent


async def chunks_to_index(connection: AsyncConnection, *, tenant_id: UUID, version_id: UUID) -> list[KeywordChunk]:
    """The chunks of a version as ingestion gave them to the index; none of a version that is gone."""
    version = await knowledge_repository.find_version(connection, tenant_id=tenant_id, version_id=version_id)
    if version is None:
        return []
    title = str(version.described_as.get("title", ""))
    chunks = await knowledge_repository.list_chunks(connection, tenant_id=tenant_id, version_id=version_id)
    return [
        KeywordChunk(
            chunk_id=chunk.id,
            ordinal=chunk.ordinal,
            text=chunk_input(title, chunk.heading_path, chunk.text),
            language=chunk.language,
        )
        for chunk in chunks
    ]


# ---- every day


async def enqueue_checks(database: Database, sender: JobSender) -> int:
    """A round of the scheduler: a job for each tenant whose last check is a day ago; how many.

    Raises:
        DatabaseUnavailableError.
    """
    async with database.system_transaction() as connection:
        tenants = await tenancy_repository.list_tenants(connection)
    queued: list[Job] = []
    for tenant in tenants:
        async with database.transaction(tenant.id) as connection:
            if await _was_checked(connection, tenant.id):
                continue
            job = await jobs.enqueue(
                connection, tenant_id=tenant.id, kind=CHECK_EXTERNAL_INDEX, payload={}, priority=Priority.BULK
            )
            queued.append(job)
    await jobs.announce_many(sender, queued)
    return len(queued)


async def _was_checked(connection: AsyncConnection, tenant_id: UUID) -> bool:
    last, _ = await jobs_repository.list_jobs(
        connection, tenant_id=tenant_id, wanted=JobFilter(kind=CHECK_EXTERNAL_INDEX), page=PageRequest(limit=1)
    )
    return any(now() - job.created_at < _CHECK_EVERY for job in last)


async def run_check(deps: Deps, job: Job, progress: Progress) -> None:
    """Body of the job; safe to run again. The figures are logged; the event `index.mended` tells them where anything differed."""
    external = External.of(deps.vector_index, deps.keyword_index)
    found = await sync_tenant(deps.database, external, job.tenant_id, mend=True, tell=progress)
    figures = {
        "places": len(found),
        "entries": sum(each.drift.stored for each in found),
        "missing": sum(len(each.drift.missing) for each in found),
        "different": sum(len(each.drift.different) for each in found),
        "unknown": sum(len(each.drift.unknown) for each in found),
        "sent": sum(each.sent for each in found),
        "removed": sum(each.removed for each in found),
    }
    _log.info("external_index.checked", tenant_id=str(job.tenant_id), **figures)
    if not all(each.drift.is_none for each in found):
        async with deps.database.transaction(job.tenant_id) as connection:
            await jobs.emit(connection, tenant_id=job.tenant_id, topic="index.mended", payload=figures)
