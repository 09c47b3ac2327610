"""Which chatbots are searched by an index of their own: decided by size, built in the background, checked, advised.

scheduler: `enqueue_due` -> job `build_vector_index` -> worker: `run_job` -> `build.build_index`
operator:  `check`, `advise`, `build`, `drop` (`dragoman index ...`)
"""

from __future__ import annotations

from datetime import timedelta
from typing import Any, Final
from uuid import UUID

import numpy as np
from sqlalchemy.ext.asyncio import AsyncConnection

from dragoman.embeddings.indexes import build as building
from dragoman.embeddings.indexes import measure, repository
from dragoman.embeddings.indexes.entities import (
    Action,
    Advice,
    Chatbot,
    IndexCheck,
    IndexPolicy,
    Tell,
    VectorIndexRow,
    VectorPlace,
    Wanted,
)
from dragoman.jobs import service as jobs
from dragoman.jobs.entities import Job, JobSender, Priority
from dragoman.kit.clock import now
from dragoman.kit.database import Database
from dragoman.kit.reading import Reader
from dragoman.knowledge.service import INGEST_DOCUMENT
from dragoman.ports.embedder import Vectors
from dragoman.ports.search_scope import SearchScope
from dragoman.ports.vector_index import VectorIndex
from dragoman.tenancy import repository as tenancy_repository

BUILD_VECTOR_INDEX: Final = "build_vector_index"
_GROWN: Final = 1.5  # times as many chunks as at the last check: measured again
_REBUILD_GROWN: Final = 0.5  # half of the chunks gone since the build: their places in the graph are dead ends
_CHECK_AFTER: Final = timedelta(days=7)
_SEARCH_LIMIT: Final = 50

# Processor time of PostgreSQL as measured with 384 dimensions (see IndexPolicy). The index's grows faster than its depth:
# in a larger chatbot more candidates must be looked at for the same recall.
_EXACT_MS_A_CHUNK, _EXACT_MS = 0.00065, 0.1
_INDEX_MS_AT_2000, _INDEX_GROWTH = 0.5, 0.75
_BUILD_MS_A_CHUNK, _BYTES_A_CHUNK = 0.6, 1175


def decide(policy: IndexPolicy, row: VectorIndexRow | None, chunks: int) -> tuple[Action | None, str]:
    """What ought to be done about a chatbot's index, and why."""
    wanted: Wanted = "auto" if row is None else row.wanted
    has_index = row is not None and row.has_index
    if has_index:
        assert row is not None  # has an index
        if wanted == "exact" or (wanted == "auto" and chunks < policy.exact_below):
            return "drop", f"{chunks} chunks are compared as fast without it."
        if chunks < _REBUILD_GROWN * (row.chunks_at_build or 0):
            return "build", f"It was built for {row.chunks_at_build} chunks; {chunks} are left."
        last = row.chunks_at_check or 0
        is_old = row.checked_at is None or now() - row.checked_at > _CHECK_AFTER
        if chunks > _GROWN * last or is_old:
            return "check", f"Recall was measured at {last} chunks; now there are {chunks}."
        return None, "The index fits."
    if wanted == "exact":
        return None, "An operator wants all vectors compared."
    if row is not None and row.state == "failed" and chunks < _GROWN * (row.chunks_at_build or chunks):
        return None, row.reason
    if wanted == "hnsw" or chunks >= policy.own_index_from:
        return "build", f"{chunks} chunks are found faster by an index of their own."
    return None, f"{chunks} chunks are compared fast enough."


# ---- in the background


async def enqueue_due(database: Database, sender: JobSender, policy: IndexPolicy) -> int:
    """A round of the scheduler: jobs for the chatbots whose knowledge has changed and comes to rest; how many.

    Only knowledge that changed is looked at. While documents of a chatbot are read, nothing is built for it.

    Raises:
        DatabaseUnavailableError.
    """
    async with database.system_transaction() as connection:
        tenants = await tenancy_repository.list_tenants(connection)
    queued: list[Job] = []
    for tenant in tenants:
        async with database.transaction(tenant.id) as connection:
            for chatbot in await repository.list_changed(connection, tenant_id=tenant.id):
                queued += await _look_at(database, connection, chatbot, policy)
    await jobs.announce_many(sender, queued)
    return len(queued)


async def _look_at(database: Database, connection: AsyncConnection, chatbot: Chatbot, policy: IndexPolicy) -> list[Job]:
    place = chatbot.place
    if await repository.is_busy(connection, place, kinds=(INGEST_DOCUMENT, BUILD_VECTOR_INDEX)):
        return []
    chunks = await repository.count_chunks(connection, place)
    row = await repository.find_row(connection, place)
    action, reason = decide(policy, row, chunks)
    if action == "build" and (row is None or not row.has_index) and not await _has_room(connection, policy):
        action, reason = None, f"There are {policy.most_indexes} indexes already."
    if action is not None and not database.can_change_schema:
        action, reason = None, f"{reason} Run `dragoman index build` where DRAGOMAN_DATABASE_URL is set."
    await repository.write_row(
        connection,
        place,
        seen_revision=chatbot.revision,
        **({} if row and row.state == "failed" else {"reason": reason}),
    )
    return [] if action is None else [await _enqueue(connection, place, action, reason)]


async def _has_room(connection: AsyncConnection, policy: IndexPolicy) -> bool:
    return await repository.count_own_indexes(connection) < policy.most_indexes


async def _enqueue(connection: AsyncConnection, place: VectorPlace, action: Action, reason: str) -> Job:
    payload: dict[str, Any] = {
        "chatbot_id": str(place.chatbot_id),
        "embedding_version": place.embedding_version,
        "action": action,
        "reason": reason,
    }
    return await jobs.enqueue(
        connection,
        tenant_id=place.tenant_id,
        kind=BUILD_VECTOR_INDEX,
        payload=payload,
        priority=Priority.BULK,
        subject_id=place.chatbot_id,
    )


async def run_job(database: Database, policy: IndexPolicy, job: Job, tell: Tell) -> None:
    """The body of the job `build_vector_index`. Doing it again gives the same.

    Raises:
        NoAdministratorError, DatabaseUnavailableError, IndexBuildWaitsError.
    """
    place = VectorPlace(
        tenant_id=job.tenant_id,
        chatbot_id=UUID(job.payload["chatbot_id"]),
        embedding_version=int(job.payload["embedding_version"]),
    )
    async with database.transaction(place.tenant_id) as connection:
        is_there = await repository.has_chatbot(connection, place)
    if not is_there:  # deleted meanwhile
        await building.sweep(database)
        return
    match job.payload["action"]:
        case "build":
            await building.sweep(database)
            await building.build_index(
                database, place, policy, tell, is_due=lambda row, chunks: decide(policy, row, chunks)[0] == "build"
            )
        case "drop":
            await building.drop_index(database, place, reason=job.payload["reason"])
        case _:
            await keep_recall(database, place, policy, tell)


async def keep_recall(database: Database, place: VectorPlace, policy: IndexPolicy, tell: Tell) -> None:
    """Measure the index that is used; where it has become worse, let it look at more, else build it anew."""
    if not await building.raise_ef_search(database, place, policy):
        await building.build_index(database, place, policy, tell)


# ---- by an operator


async def list_all(database: Database) -> list[Chatbot]:
    """The chatbots of all tenants."""
    async with database.system_transaction() as connection:
        tenants = await tenancy_repository.list_tenants(connection)
    found: list[Chatbot] = []
    for tenant in tenants:
        async with database.transaction(tenant.id) as connection:
            found += await repository.list_chatbots(connection, tenant_id=tenant.id)
    return found


async def build(database: Database, chatbot: Chatbot, policy: IndexPolicy, tell: Tell) -> VectorIndexRow:
    """Build, or rebuild, the index now, whatever the size; it stays until it is dropped. Raises as `build_index`."""
    async with database.transaction(chatbot.place.tenant_id) as connection:
        await repository.write_row(connection, chatbot.place, wanted="hnsw")
    await building.build_index(database, chatbot.place, policy, tell)
    return await _row_of(database, chatbot.place)


async def drop(database: Database, chatbot: Chatbot) -> VectorIndexRow:
    """Drop the index; none is built again by itself. Raises as `build_index`."""
    async with database.transaction(chatbot.place.tenant_id) as connection:
        await repository.write_row(connection, chatbot.place, wanted="exact")
    await building.drop_index(database, chatbot.place, reason="An operator wants all vectors compared.")
    return await _row_of(database, chatbot.place)


async def sweep(database: Database) -> int:
    """Drop what deleted chatbots and killed builds left behind; how many. Raises as `build_index`."""
    return await building.sweep(database)


async def leave_to_policy(database: Database, chatbot: Chatbot) -> None:
    """Let the size decide again."""
    async with database.transaction(chatbot.place.tenant_id) as connection:
        await repository.write_row(connection, chatbot.place, wanted="auto", seen_revision=None)


async def _row_of(database: Database, place: VectorPlace) -> VectorIndexRow:
    async with database.transaction(place.tenant_id) as connection:
        row = await repository.find_row(connection, place)
    assert row is not None  # written before
    return row


async def check(
    database: Database,
    vector_index: VectorIndex,
    chatbot: Chatbot,
    policy: IndexPolicy,
    *,
    asked: Vectors | None = None,
) -> IndexCheck:
    """Compare what searches of the chatbot find with what comparing all its vectors finds; changes its row only.

    Args:
        vector_index: the adapter that searches use, whichever it is.
        asked: vectors of real questions, shape `(n, d)`; asked besides those made from the stored vectors.
    """
    place = chatbot.place
    questions = await measure.make_questions(database, place, count=policy.sample)
    if asked is not None and len(questions):
        questions = np.concatenate([questions, asked])
    right, exact = await measure.measure(database, place, questions, _exactly(place))
    found, search = await measure.measure(database, place, questions, _as_searches_do(vector_index, place))
    recall = measure.recall(found, right)
    async with database.transaction(place.tenant_id) as connection:
        row = await repository.find_row(connection, place)
        chunks = await repository.count_chunks(connection, place)
        size = await repository.index_bytes(connection, row.index_name) if row and row.index_name else None
        if row is not None and row.has_index:
            await repository.write_row(connection, place, recall=recall, checked_at=now(), chunks_at_check=chunks)
    return IndexCheck(
        chatbot=chatbot,
        kind="hnsw" if row is not None and row.has_index else "exact",
        chunks=chunks,
        recall=recall,
        questions=len(questions),
        search=search,
        exact=exact,
        index_bytes=size,
        is_good=recall >= policy.least_recall,
    )


def _exactly(place: VectorPlace) -> measure.Nearest:
    async def nearest(connection: Reader, query: Vectors) -> dict[UUID, float]:
        return await repository.nearest_exactly(connection, place, query, limit=measure.RECALL_AT)

    return nearest


def _as_searches_do(vector_index: VectorIndex, place: VectorPlace) -> measure.Nearest:
    scope = SearchScope(tenant_id=place.tenant_id, chatbot_id=place.chatbot_id)

    async def nearest(connection: Reader, query: Vectors) -> dict[UUID, float]:
        hits = await vector_index.search(
            connection,
            scope=scope,
            embedding_version=place.embedding_version,
            query=query,
            limit=_SEARCH_LIMIT,
        )
        return {hit.chunk_id: -hit.cosine for hit in hits}

    return nearest


async def advise(database: Database, chatbot: Chatbot, policy: IndexPolicy) -> Advice:
    """What another way of searching the chatbot would gain, by what was measured elsewhere; measures nothing itself."""
    async with database.transaction(chatbot.place.tenant_id) as connection:
        chunks = await repository.count_chunks(connection, chatbot.place)
        row = await repository.find_row(connection, chatbot.place)
        dimensions = await repository.dimensions_of(connection, chatbot.place.embedding_version)
    action, reason = decide(policy, row, chunks)
    scale = dimensions / 384
    return Advice(
        chatbot=chatbot,
        kind="hnsw" if row is not None and row.has_index else "exact",
        state="ready" if row is None else row.state,
        chunks=chunks,
        action=action,
        reason=reason,
        expected_exact_ms=_EXACT_MS + _EXACT_MS_A_CHUNK * chunks * scale,
        expected_index_ms=_INDEX_MS_AT_2000 * (chunks / 2000) ** _INDEX_GROWTH * scale,
        expected_bytes=round(_BYTES_A_CHUNK * chunks * scale),
        expected_build_s=_BUILD_MS_A_CHUNK * chunks * scale / 1000,
    )
