"""SQL of own vector indexes: their rows, their making as the owner of the schema, and what recall is measured by.

An index is `own_<chatbot>_v<version>_<token>`, the function that asks it `nearest_<chatbot>_v<version>_<token>`. Only
the rows in `vector_indexes` say which are used; any other is left over from a build that was killed.
"""

# ruff: noqa: S608 - DDL takes no parameters: what stands in it are UUIDs, integers and names made of them

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any
from uuid import UUID

import numpy as np
from sqlalchemy import Row, func, select, text
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.ext.asyncio import AsyncConnection

from dragoman.embeddings.indexes.entities import Chatbot, IndexParameters, VectorIndexRow, VectorPlace
from dragoman.embeddings.tables import chunk_embeddings, embedding_versions, vector_indexes
from dragoman.jobs.tables import jobs
from dragoman.kit.clock import now
from dragoman.kit.reading import Reader
from dragoman.ports.embedder import Vectors
from dragoman.tenancy.tables import chatbots

_BUILD_LOCK = 7_203_944_008  # any fixed number: one index is built at a time, since two would wait for each other
_UNFINISHED = ("queued", "paused", "running")

# ---- rows


async def list_chatbots(connection: AsyncConnection, *, tenant_id: UUID) -> list[Chatbot]:
    """The tenant's chatbots, each with the version of vectors that is active."""
    rows = await connection.execute(select(chatbots).where(chatbots.c.tenant_id == tenant_id).order_by(chatbots.c.id))
    return [
        Chatbot(
            place=VectorPlace(
                tenant_id=row.tenant_id, chatbot_id=row.id, embedding_version=row.active_embedding_version
            ),
            name=row.name,
            revision=row.knowledge_revision,
        )
        for row in rows
    ]


async def has_chatbot(connection: AsyncConnection, place: VectorPlace) -> bool:
    found = await connection.execute(
        select(chatbots.c.id).where(chatbots.c.tenant_id == place.tenant_id, chatbots.c.id == place.chatbot_id)
    )
    return found.one_or_none() is not None


async def list_changed(connection: AsyncConnection, *, tenant_id: UUID) -> list[Chatbot]:
    """Those whose knowledge has changed since their size was looked at."""
    seen = {
        row.chatbot_id: (row.embedding_version, row.seen_revision)
        for row in await connection.execute(
            select(vector_indexes.c.chatbot_id, vector_indexes.c.embedding_version, vector_indexes.c.seen_revision)
            .join(
                chatbots,
                (chatbots.c.tenant_id == vector_indexes.c.tenant_id)
                & (chatbots.c.id == vector_indexes.c.chatbot_id)
                & (chatbots.c.active_embedding_version == vector_indexes.c.embedding_version),
            )
            .where(vector_indexes.c.tenant_id == tenant_id)
        )
    }
    return [
        chatbot
        for chatbot in await list_chatbots(connection, tenant_id=tenant_id)
        if seen.get(chatbot.place.chatbot_id) != (chatbot.place.embedding_version, chatbot.revision)
    ]


async def find_row(connection: AsyncConnection, place: VectorPlace) -> VectorIndexRow | None:
    row = (await connection.execute(select(vector_indexes).where(*_at(place)))).one_or_none()
    return None if row is None else _row(place, row)


async def write_row(connection: AsyncConnection, place: VectorPlace, **values: Any) -> None:
    """Set the columns that are named; the others stay, or have their defaults where there was no row."""
    key = {
        "tenant_id": place.tenant_id,
        "chatbot_id": place.chatbot_id,
        "embedding_version": place.embedding_version,
    }
    changed = {**values, "updated_at": now()}
    statement = insert(vector_indexes).values(**key, **changed)
    await connection.execute(statement.on_conflict_do_update(index_elements=list(key), set_=changed))


async def count_chunks(connection: AsyncConnection, place: VectorPlace) -> int:
    """With a vector, visible or not: about 20 ms for 100,000."""
    counted: int = (
        await connection.execute(
            select(func.count()).select_from(chunk_embeddings).where(*_of(chunk_embeddings.c, place))
        )
    ).scalar_one()
    return counted


async def dimensions_of(connection: AsyncConnection, embedding_version: int) -> int:
    dimensions: int = (
        await connection.execute(
            select(embedding_versions.c.dimensions).where(embedding_versions.c.id == embedding_version)
        )
    ).scalar_one()
    return dimensions


async def count_own_indexes(connection: AsyncConnection) -> int:
    """Of all tenants: the catalogue is no secret."""
    counted: int = (
        await connection.exec_driver_sql(
            "select count(*) from pg_class where relnamespace = 'public'::regnamespace and relkind = 'i' "
            "and relname ~ '^own_[0-9a-f]{32}_v[0-9]+_'"
        )
    ).scalar_one()
    return counted


async def is_busy(connection: AsyncConnection, place: VectorPlace, *, kinds: Sequence[str]) -> bool:
    """Whether unfinished jobs of these kinds are about the chatbot."""
    found = await connection.execute(
        select(jobs.c.id)
        .where(
            jobs.c.tenant_id == place.tenant_id,
            jobs.c.state.in_(_UNFINISHED),
            jobs.c.kind.in_(list(kinds)),
            jobs.c.payload["chatbot_id"].as_string() == str(place.chatbot_id),
        )
        .limit(1)
    )
    return found.one_or_none() is not None


def _at(place: VectorPlace) -> list[Any]:
    return _of(vector_indexes.c, place)


def _of(columns: Any, place: VectorPlace) -> list[Any]:
    return [
        columns.tenant_id == place.tenant_id,
        columns.chatbot_id == place.chatbot_id,
        columns.embedding_version == place.embedding_version,
    ]


def _row(place: VectorPlace, row: Row[Any]) -> VectorIndexRow:
    return VectorIndexRow(
        place=place,
        kind=row.kind,
        state=row.state,
        wanted=row.wanted,
        search_function=row.search_function,
        index_name=row.index_name,
        m=row.m,
        ef_construction=row.ef_construction,
        ef_search=row.ef_search,
        chunks_at_build=row.chunks_at_build,
        chunks_at_check=row.chunks_at_check,
        recall=row.recall,
        reason=row.reason,
        seen_revision=row.seen_revision,
        built_at=row.built_at,
        checked_at=row.checked_at,
    )


# ---- as the owner: indexes


@dataclass(frozen=True, slots=True, kw_only=True)
class StoredIndex:
    """An index in the catalogue. `is_valid`: it was built to its end."""

    name: str
    place: VectorPlace
    is_valid: bool
    parameters: IndexParameters

    @property
    def search_function(self) -> str:
        return function_of(self.name)


def function_of(index_name: str) -> str:
    """The name of the function that asks this index."""
    return "nearest_" + index_name.removeprefix("own_")


def new_index_name(place: VectorPlace, token: UUID) -> str:
    """Not used before: two indexes of a chatbot stand side by side while one takes over from the other."""
    return f"own_{place.chatbot_id.hex}_v{place.embedding_version}_{token.hex[-8:]}"


async def try_lock_builds(owner: AsyncConnection) -> bool:
    """Whether nobody else builds now; held until the connection ends. Not waited for: who waits holds a build up."""
    # Reading a vector loads the extension: before, only a superuser may name its settings in a function.
    locked: bool = (
        await owner.exec_driver_sql(
            f"select pg_try_advisory_lock({_BUILD_LOCK}) from (select '[1]'::halfvec) as loaded"
        )
    ).scalar_one()
    return locked


async def create_index(
    owner: AsyncConnection,
    place: VectorPlace,
    name: str,
    *,
    dimensions: int,
    parameters: IndexParameters,
    memory_mib: int,
) -> None:
    """Build beside running writes. Takes 0.2 to 0.4 ms of processor time for each chunk."""
    await owner.exec_driver_sql(f"set maintenance_work_mem = '{int(memory_mib)}MB'")
    await owner.exec_driver_sql(
        f'create index concurrently "{name}" on chunk_embeddings_v{int(place.embedding_version)} '
        f"using hnsw ((embedding::halfvec({int(dimensions)})) halfvec_ip_ops) "
        f"with (m = {parameters.m}, ef_construction = {parameters.ef_construction}) "
        f"where tenant_id = '{place.tenant_id}' and chatbot_id = '{place.chatbot_id}'"
    )


async def create_search_function(
    owner: AsyncConnection, place: VectorPlace, name: str, *, dimensions: int, ef_search: int
) -> None:
    """Make, or change, the function that asks the index.

    The planner takes a chatbot for smaller than it is (tenant and chatbot are not independent), and would sort all its
    rows: sorting is forbidden it. `strict_order` goes on until enough visible chunks are found. The test of visibility
    is a sub-select, run for each row that the index brings: a join, or a list of all visible versions, would cost more
    than the search.
    """
    tenant, chatbot = f"'{place.tenant_id}'::uuid", f"'{place.chatbot_id}'::uuid"
    distance = f"e.embedding::halfvec({int(dimensions)}) <#> query"
    await owner.exec_driver_sql(f"""
        create or replace function "{name}"(query halfvec, depth integer, asker text)
        returns table (chunk_id uuid, distance double precision) language plpgsql rows 50
        set search_path = public, pg_temp set plan_cache_mode = force_generic_plan set enable_sort = off set enable_seqscan = off
        set hnsw.iterative_scan = strict_order set hnsw.max_scan_tuples = 4000 set hnsw.ef_search = {int(ef_search)}
        as $body$
        #variable_conflict use_column
        begin
            perform set_config('hnsw.ef_search', least(1000, greatest({int(ef_search)}, depth))::text, true);
            return query
                select e.chunk_id, {distance} from chunk_embeddings e
                where e.tenant_id = {tenant} and e.chatbot_id = {chatbot}
                    and e.embedding_version = {int(place.embedding_version)}
                    and (
                        select d.live_version_id from documents d
                        where d.tenant_id = {tenant} and d.chatbot_id = {chatbot} and d.id = e.document_id
                            and d.live_version_id = e.version_id and d.deleted_at is null
                            and (d.visibility = 'shared' or d.owner = asker)
                    ) is not null
                order by {distance} limit depth;
        end $body$""")
    await owner.exec_driver_sql(f'revoke execute on function "{name}" from public')
    await owner.exec_driver_sql(f'grant execute on function "{name}" to dragoman_app')


async def list_indexes(owner: AsyncConnection) -> list[StoredIndex]:
    """All own indexes there are, of all tenants, whether used or left over."""
    rows = await owner.exec_driver_sql(r"""
        select c.relname as name, i.indisvalid and i.indisready as is_valid, c.reloptions as options,
            pg_get_expr(i.indpred, i.indrelid) as predicate
        from pg_index i join pg_class c on c.oid = i.indexrelid
        where c.relnamespace = 'public'::regnamespace and c.relname ~ '^own_[0-9a-f]{32}_v[0-9]+_'
        order by c.relname""")
    return [_stored(row) for row in rows]


async def drop_index(owner: AsyncConnection, name: str) -> None:
    """Drop an index beside running searches, then the function that asked it. Both may be gone already."""
    await owner.exec_driver_sql(f'drop index concurrently if exists "{name}"')
    await owner.exec_driver_sql(f'drop function if exists "{function_of(name)}"(halfvec, integer, text)')


async def drop_search_functions_without_index(owner: AsyncConnection) -> None:
    rows = await owner.exec_driver_sql(r"""
        select p.proname as name from pg_proc p
        where p.pronamespace = 'public'::regnamespace and p.proname ~ '^nearest_[0-9a-f]{32}_v[0-9]+_'
            and not exists (
                select from pg_class c where c.relnamespace = 'public'::regnamespace
                    and c.relname = 'own_' || substr(p.proname, 9))""")
    for name in [row.name for row in rows]:
        await owner.exec_driver_sql(f'drop function if exists "{name}"(halfvec, integer, text)')


async def build_fraction(owner: AsyncConnection) -> float:
    """How far the build that runs now is, 0 to 1. Leaves the role: PostgreSQL tells it to who signed in only."""
    await owner.exec_driver_sql("set role none")
    row = (
        await owner.exec_driver_sql(
            "select coalesce(sum(blocks_done), 0)::float8 as done, coalesce(sum(blocks_total), 0)::float8 as total "
            "from pg_stat_progress_create_index"
        )
    ).one()
    return min(1.0, row.done / row.total) if row.total else 0.0


_IDS = re.compile(r"tenant_id = '([0-9a-f-]{36})'::uuid\) AND \(chatbot_id = '([0-9a-f-]{36})'")


def _stored(row: Row[Any]) -> StoredIndex:
    ids = _IDS.search(row.predicate)
    assert ids is not None, row.predicate  # `create_index` wrote it
    options = dict(option.split("=", 1) for option in row.options)
    return StoredIndex(
        name=row.name,
        place=VectorPlace(
            tenant_id=UUID(ids[1]),
            chatbot_id=UUID(ids[2]),
            embedding_version=int(row.name.split("_")[2].removeprefix("v")),
        ),
        is_valid=row.is_valid,
        parameters=IndexParameters(m=int(options["m"]), ef_construction=int(options["ef_construction"])),
    )


# ---- measuring


async def sample_vectors(connection: AsyncConnection, place: VectorPlace, *, count: int) -> Vectors:
    """Stored vectors of chunks, as if by chance but the same each time; shape `(n, d)` with n at most `count`."""
    rows = await connection.exec_driver_sql(
        """
        select e.embedding::real[] as vector from chunk_embeddings e
        where e.tenant_id = %(tenant_id)s and e.chatbot_id = %(chatbot_id)s
            and e.embedding_version = %(embedding_version)s
        order by hashtextextended(e.chunk_id::text, 20) limit %(count)s""",
        {**_parameters(place), "count": count},
    )
    return np.array([row.vector for row in rows], dtype=np.float32)


async def nearest_exactly(connection: Reader, place: VectorPlace, query: Vectors, *, limit: int) -> dict[UUID, float]:
    """The nearest shared chunks by comparing all, with their negative inner products."""
    rows = await connection.exec_driver_sql(
        """
        with visible as materialized (
            select d.live_version_id as version_id from documents d
            where d.tenant_id = %(tenant_id)s and d.chatbot_id = %(chatbot_id)s and d.deleted_at is null
                and d.live_version_id is not null and d.visibility = 'shared'
        )
        select e.chunk_id, e.embedding <#> %(query)s::halfvec as distance from chunk_embeddings e
        where e.tenant_id = %(tenant_id)s and e.chatbot_id = %(chatbot_id)s
            and e.embedding_version = %(embedding_version)s
            and (e.version_id in (select version_id from visible)) is true
        order by distance, chunk_id limit %(limit)s""",
        {**_parameters(place), "query": _written(query), "limit": limit},
    )
    return {row.chunk_id: row.distance for row in rows}


async def nearest_by_function(connection: Reader, name: str, query: Vectors, *, limit: int) -> dict[UUID, float]:
    """What the function of an own index brings, whether searches use it yet or not."""
    rows = await connection.exec_driver_sql(
        f'select chunk_id, distance from "{name}"(%(query)s::halfvec, %(limit)s::integer, null)',
        {"query": _written(query), "limit": limit},
    )
    return {row.chunk_id: row.distance for row in rows}


async def index_bytes(connection: AsyncConnection, name: str) -> int | None:
    size: int | None = (
        await connection.execute(text("select pg_relation_size(to_regclass(quote_ident(:name)))"), {"name": name})
    ).scalar_one()
    return size


def _parameters(place: VectorPlace) -> dict[str, Any]:
    return {
        "tenant_id": place.tenant_id,
        "chatbot_id": place.chatbot_id,
        "embedding_version": place.embedding_version,
    }


def _written(query: Vectors) -> str:
    return "[" + ",".join(f"{value:.7g}" for value in query.tolist()) + "]"
