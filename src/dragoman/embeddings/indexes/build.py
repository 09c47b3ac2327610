"""Builds and drops own indexes while searches and writes go on.

What can be killed at any moment is done again from the start and gives the same: an index counts only once its row says
so, and whatever else there is in the catalogue is left over. A valid index that a killed build left is taken over.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager, suppress
from functools import partial
from typing import Final

from sqlalchemy.ext.asyncio import AsyncConnection

from dragoman.embeddings.indexes import measure, repository
from dragoman.embeddings.indexes.entities import IndexParameters, IndexPolicy, Tell, VectorIndexRow, VectorPlace
from dragoman.embeddings.indexes.repository import StoredIndex
from dragoman.kit.clock import new_id, now
from dragoman.kit.database import Database
from dragoman.kit.errors import UnavailableError
from dragoman.ports.embedder import Vectors

# Tried in turn until the recall is reached. At 100,000 chunks and the same recall of 0.985, the second asks a third less
# of each search than the first (10 ms for 15), and takes twice as long to build.
PARAMETERS: Final = (
    IndexParameters(m=16, ef_construction=64),  # pgvector's own; 1.2 kB a chunk at 384 dimensions
    IndexParameters(m=24, ef_construction=128),
    IndexParameters(m=32, ef_construction=200),
)
_LARGE: Final = 50_000  # chunks from which the second is tried first
# Not less than 100: the questions that recall is measured with are made of stored vectors, and where vectors spread in
# many directions (`hashing`) they are easier than people's: .992 by them was .935 for others at 50, and .988 at 100.
EF_SEARCH: Final = (100, 160, 250, 400, 640, 1000)
_MARGIN: Final = 0.005  # recall beyond what is asked for, since it is measured on a sample and the chatbot will grow
_LOCK_POLL_S: Final = 2.0
_LOCK_WAIT_S: Final = 3600.0
_TELL_S: Final = 2.0
_GRACE_S: Final = 1.0  # a search that has read the row calls the function within this


class IndexBuildWaitsError(UnavailableError):
    """Another index has been building for an hour. This one is tried again later."""

    code = "embeddings.index_build_waits"


async def build_index(
    database: Database,
    place: VectorPlace,
    policy: IndexPolicy,
    tell: Tell,
    *,
    is_due: Callable[[VectorIndexRow | None, int], bool] | None = None,
) -> None:
    """Give the chatbot an index of its own, in place of one that it has, and let searches use it from then on.

    When none reaches the recall asked for, the chatbot's vectors are compared all as before, and its row tells so.

    Args:
        is_due: asked with the row and the number of chunks once nobody else builds; nothing is built where it says no,
            as when the builder before was called for the same chatbot.

    Raises:
        NoAdministratorError, DatabaseUnavailableError, IndexBuildWaitsError.
    """
    async with _builder(database) as owner:
        async with database.transaction(place.tenant_id) as connection:
            dimensions = await repository.dimensions_of(connection, place.embedding_version)
            chunks = await repository.count_chunks(connection, place)
            before = await repository.find_row(connection, place)
            if is_due is not None and not is_due(before, chunks):
                return
            if before is None or not before.has_index:
                await repository.write_row(connection, place, kind="hnsw", state="building", reason="")
        await _drop_spare(database, owner, place, keep_valid=True)
        questions = await measure.make_questions(database, place, count=policy.sample)
        for parameters in PARAMETERS[chunks >= _LARGE :]:
            stored = await _built(database, owner, place, policy, parameters, dimensions, tell)
            ef_search, recall = await _tune(database, owner, stored, policy, dimensions, questions, tell)
            if recall >= policy.least_recall:
                await _use(database, stored, ef_search, recall)
                break
        else:
            await _give_up(database, place, recall, policy)
        had_index = before is not None and before.has_index
        await asyncio.sleep(_GRACE_S if had_index else 0.0)
        await _drop_spare(database, owner, place)
        if had_index and recall >= policy.least_recall:
            # While both stood there, PostgreSQL may have asked the old one for the new.
            ef_search, recall = await _tune(database, owner, stored, policy, dimensions, questions, tell)
            await _use(database, stored, ef_search, recall)


async def drop_index(database: Database, place: VectorPlace, *, reason: str) -> None:
    """Compare all of the chatbot's vectors from now on, then drop its index. Raises as `build_index`."""
    async with database.transaction(place.tenant_id) as connection:
        await repository.write_row(
            connection,
            place,
            kind="exact",
            state="ready",
            search_function=None,
            index_name=None,
            ef_search=None,
            recall=None,
            reason=reason,
        )
    async with _builder(database) as owner:
        await asyncio.sleep(_GRACE_S)
        await _drop_spare(database, owner, place)


async def sweep(database: Database) -> int:
    """Drop indexes that no row names: of deleted chatbots, and of builds that were killed; how many. Raises as `build_index`."""
    dropped = 0
    async with _builder(database) as owner:
        for place in {stored.place for stored in await repository.list_indexes(owner)}:
            dropped += await _drop_spare(database, owner, place)
        await repository.drop_search_functions_without_index(owner)
    return dropped


async def raise_ef_search(database: Database, place: VectorPlace, policy: IndexPolicy) -> bool:
    """Let the index that is used look at more candidates, until recall is as asked for; False when it cannot be."""
    async with _builder(database) as owner:
        async with database.transaction(place.tenant_id) as connection:
            row = await repository.find_row(connection, place)
            dimensions = await repository.dimensions_of(connection, place.embedding_version)
        used = next(
            (each for each in await repository.list_indexes(owner) if row and each.name == row.index_name), None
        )
        if row is None or used is None or not row.has_index:
            return False
        questions = await measure.make_questions(database, place, count=policy.sample)
        at_least = row.ef_search or EF_SEARCH[0]
        ef_search, recall = await _tune(
            database, owner, used, policy, dimensions, questions, _tell_nobody, at_least=at_least
        )
        if recall < policy.least_recall:
            return False
        await _use(database, used, ef_search, recall)
    return True


@asynccontextmanager
async def _builder(database: Database) -> AsyncIterator[AsyncConnection]:
    """The owner's connection, when nobody else builds."""
    async with database.as_owner() as owner:
        for _ in range(int(_LOCK_WAIT_S / _LOCK_POLL_S)):
            if await repository.try_lock_builds(owner):
                break
            await asyncio.sleep(_LOCK_POLL_S)
        else:
            raise IndexBuildWaitsError
        yield owner


async def _drop_spare(
    database: Database, owner: AsyncConnection, place: VectorPlace, *, keep_valid: bool = False
) -> int:
    """Drop the indexes of this place that its row does not name; how many. `keep_valid`: one may still be taken over."""
    spare = await _list_spare(database, owner, place)
    unwanted = [stored for stored in spare if not (stored.is_valid and keep_valid)]
    for stored in unwanted:
        await repository.drop_index(owner, stored.name)
    return len(unwanted)


async def _list_spare(database: Database, owner: AsyncConnection, place: VectorPlace) -> list[StoredIndex]:
    async with database.transaction(place.tenant_id) as connection:
        row = await repository.find_row(connection, place)
    used = None if row is None else row.index_name
    return [each for each in await repository.list_indexes(owner) if each.place == place and each.name != used]


async def _built(
    database: Database,
    owner: AsyncConnection,
    place: VectorPlace,
    policy: IndexPolicy,
    parameters: IndexParameters,
    dimensions: int,
    tell: Tell,
) -> StoredIndex:
    for stored in await _list_spare(database, owner, place):
        if stored.is_valid and stored.parameters == parameters:
            return stored
    name = repository.new_index_name(place, new_id())
    telling = asyncio.create_task(_tell_progress(database, tell))
    try:
        await repository.create_index(
            owner, place, name, dimensions=dimensions, parameters=parameters, memory_mib=policy.memory_mib
        )
    finally:
        telling.cancel()
        with suppress(asyncio.CancelledError):
            await telling
    return StoredIndex(name=name, place=place, is_valid=True, parameters=parameters)


async def _tell_progress(database: Database, tell: Tell) -> None:
    async with database.as_owner() as watcher:
        while True:
            await asyncio.sleep(_TELL_S)
            await tell("building", 0.9 * await repository.build_fraction(watcher))


async def _tune(
    database: Database,
    owner: AsyncConnection,
    stored: StoredIndex,
    policy: IndexPolicy,
    dimensions: int,
    questions: Vectors,
    tell: Tell,
    *,
    at_least: int = 0,
) -> tuple[int, float]:
    """The least `ef_search` that reaches the recall with a margin, else the greatest, and the recall it has.

    Asked for as many as recall is measured at: a search that asks for more looks at more, and finds no less.
    """
    place, limit = stored.place, measure.RECALL_AT
    exactly = partial(repository.nearest_exactly, limit=limit)
    right, _ = await measure.measure(
        database, place, questions, lambda connection, query: exactly(connection, place, query)
    )
    asked = partial(repository.nearest_by_function, name=stored.search_function, limit=limit)
    recall = 0.0
    ladder = [ef_search for ef_search in EF_SEARCH if ef_search >= at_least] or [EF_SEARCH[-1]]
    for ef_search in ladder:
        await tell("measuring", 0.9)
        await repository.create_search_function(
            owner, place, stored.search_function, dimensions=dimensions, ef_search=ef_search
        )
        found, _ = await measure.measure(
            database, place, questions, lambda connection, query: asked(connection, query=query)
        )
        recall = measure.recall(found, right)
        if recall >= min(1.0, policy.least_recall + _MARGIN):
            break
    return ef_search, recall


async def _use(database: Database, stored: StoredIndex, ef_search: int, recall: float) -> None:
    """From this commit on searches ask this index."""
    async with database.transaction(stored.place.tenant_id) as connection:
        chunks = await repository.count_chunks(connection, stored.place)
        await repository.write_row(
            connection,
            stored.place,
            kind="hnsw",
            state="ready",
            search_function=stored.search_function,
            index_name=stored.name,
            m=stored.parameters.m,
            ef_construction=stored.parameters.ef_construction,
            ef_search=ef_search,
            chunks_at_build=chunks,
            chunks_at_check=chunks,
            recall=recall,
            reason="",
            built_at=now(),
            checked_at=now(),
        )


async def _give_up(database: Database, place: VectorPlace, recall: float, policy: IndexPolicy) -> None:
    reason = f"No index reached a recall of {policy.least_recall}; the best had {recall:.3f}. All vectors are compared."
    async with database.transaction(place.tenant_id) as connection:
        await repository.write_row(
            connection,
            place,
            kind="hnsw",
            state="failed",
            search_function=None,
            index_name=None,
            recall=recall,
            reason=reason,
            checked_at=now(),
        )


async def _tell_nobody(step: str, fraction: float) -> None:
    del step, fraction
