"""The vectors as they are kept in PostgreSQL, which is the truth whatever index finds the nearest.

Every adapter of the port writes them here and takes exact scores from here, within what the scope may see; adapters
differ in how they find candidates. The rows of a chatbot are found by the primary key, whose equality on uuid
row-level security does not block; the embedding version stands in the SQL as a literal, so that only its partition is
planned. Vectors are normalised: the negative inner product (`<#>`) is the negative cosine (as fast as `<=>`, and it has
no NaN).
"""

# ruff: noqa: S608 - the SQL is put together from constants of this file and one integer; every value is a parameter

from __future__ import annotations

import struct
from collections.abc import Sequence
from typing import Any
from uuid import UUID

import numpy as np
from pgvector import HalfVector
from pgvector.psycopg.halfvec import register_halfvec_info
from psycopg.types import TypeInfo
from sqlalchemy.ext.asyncio import AsyncConnection

from dragoman.adapters.scope_sql import chunk_conditions, scope_parameters, visible_versions
from dragoman.kit.database import BinaryValue
from dragoman.kit.reading import Reader
from dragoman.ports.embedder import Vectors
from dragoman.ports.search_scope import SearchScope
from dragoman.ports.vector_index import ChunkVectors, DenseHit, SentenceHit

_INSERT_ROWS = 1000  # vectors a statement: 0.8 MB of parameters at 384 dimensions


class StoredVectors:
    """All of the port `vector_index` but `search`."""

    async def add(
        self,
        connection: AsyncConnection,
        *,
        tenant_id: UUID,
        chatbot_id: UUID,
        embedding_version: int,
        vectors: Sequence[ChunkVectors],
    ) -> None:
        place = {"tenant_id": tenant_id, "chatbot_id": chatbot_id, "embedding_version": embedding_version}
        chunk_ids = [item.chunk_id for item in vectors]
        for statement in (_DELETE_CHUNKS, _DELETE_SENTENCES):
            await connection.exec_driver_sql(statement, {**place, "chunk_ids": chunk_ids})
        await _insert(connection, _INSERT_CHUNKS, place, [(item, 0, 0, item.chunk) for item in vectors])
        await _insert(connection, _INSERT_SENTENCES, place, _sentence_rows(vectors))

    async def list_embedded(
        self,
        connection: AsyncConnection,
        *,
        tenant_id: UUID,
        chatbot_id: UUID,
        version_id: UUID,
        embedding_version: int,
    ) -> set[UUID]:
        rows = await connection.exec_driver_sql(
            "select chunk_id from chunk_embeddings where tenant_id = %(tenant_id)s and chatbot_id = %(chatbot_id)s "
            "and version_id = %(version_id)s and embedding_version = %(embedding_version)s",
            {
                "tenant_id": tenant_id,
                "chatbot_id": chatbot_id,
                "version_id": version_id,
                "embedding_version": embedding_version,
            },
        )
        return {row.chunk_id for row in rows}

    async def copy(
        self,
        connection: AsyncConnection,
        *,
        tenant_id: UUID,
        chatbot_id: UUID,
        document_id: UUID,
        version_id: UUID,
        embedding_version: int,
        pairs: Sequence[tuple[UUID, UUID]],
        with_sentences: bool,
    ) -> set[UUID]:
        if not pairs:
            return set()
        parameters = {
            "tenant_id": tenant_id,
            "chatbot_id": chatbot_id,
            "document_id": document_id,
            "version_id": version_id,
            "embedding_version": embedding_version,
            "old_ids": [old for old, _ in pairs],
            "new_ids": [new for _, new in pairs],
            "chunk_ids": [new for _, new in pairs],
            "with_sentences": with_sentences,
        }
        for statement in (_DELETE_CHUNKS, _DELETE_SENTENCES):
            await connection.exec_driver_sql(statement, parameters)
        copied = set((await connection.exec_driver_sql(_COPY_CHUNKS, parameters)).scalars())
        if with_sentences:
            await connection.exec_driver_sql(_COPY_SENTENCES, parameters)
        return copied

    async def remove_version(self, connection: AsyncConnection, *, tenant_id: UUID, version_id: UUID) -> None:
        for table in ("chunk_embeddings", "sentence_embeddings"):
            await connection.exec_driver_sql(
                f"delete from {table} where tenant_id = %(tenant_id)s and version_id = %(version_id)s",
                {"tenant_id": tenant_id, "version_id": version_id},
            )

    async def score(
        self,
        connection: Reader,
        *,
        scope: SearchScope,
        embedding_version: int,
        query: Vectors,
        chunk_ids: Sequence[UUID],
    ) -> list[DenseHit]:
        if not chunk_ids:
            return []
        rows = await connection.exec_driver_sql(
            _scores(scope, embedding_version),
            {**scope_parameters(scope), "query": parameter_of(query), "candidates": list(chunk_ids)},
        )
        hits = [
            DenseHit(
                chunk_id=row.chunk_id,
                cosine=cosine_of(row.distance),
                best_sentence_cosine=None if row.sentence_distance is None else cosine_of(row.sentence_distance),
            )
            for row in rows
        ]
        return sorted(hits, key=lambda hit: (-hit.cosine, hit.chunk_id))

    async def score_sentences(
        self,
        connection: Reader,
        *,
        scope: SearchScope,
        embedding_version: int,
        query: Vectors,
        chunk_ids: Sequence[UUID],
    ) -> list[SentenceHit]:
        if not chunk_ids:
            return []
        rows = await connection.exec_driver_sql(
            _sentence_scores(scope, embedding_version),
            {**scope_parameters(scope), "query": parameter_of(query), "candidates": list(chunk_ids)},
        )
        return [
            SentenceHit(
                chunk_id=row.chunk_id, start=row.start_offset, end=row.end_offset, cosine=cosine_of(row.distance)
            )
            for row in rows
        ]

    async def vectors(
        self,
        connection: Reader,
        *,
        scope: SearchScope,
        embedding_version: int,
        chunk_ids: Sequence[UUID],
    ) -> dict[UUID, Vectors]:
        if not chunk_ids:
            return {}
        rows = await connection.exec_driver_sql(
            _vectors(scope, embedding_version), {**scope_parameters(scope), "candidates": list(chunk_ids)}
        )
        # After two lengths of 16 bits, in network order.
        return {row.chunk_id: np.frombuffer(row.embedding, dtype=">f2", offset=4).astype(np.float32) for row in rows}


def by_best_rank(hits: list[DenseHit]) -> list[DenseHit]:
    """Order by the better of the two ranks. Ranks within the hits are ranks in the chatbot for all that made a list."""
    by_chunk = sorted(hits, key=lambda hit: (-hit.cosine, hit.chunk_id))
    by_sentence = sorted(
        (-hit.best_sentence_cosine, hit.chunk_id, place)
        for place, hit in enumerate(by_chunk)
        if hit.best_sentence_cosine is not None
    )
    if not by_sentence:
        return by_chunk
    best = list(range(len(by_chunk)))
    for rank, (_, _, place) in enumerate(by_sentence):
        best[place] = min(rank, best[place])
    return [by_chunk[place] for place in sorted(range(len(by_chunk)), key=lambda place: (best[place], place))]


def cosine_of(distance: float) -> float:
    """From pgvector's negative inner product; half precision may leave it a hair beyond 1."""
    return min(1.0, max(-1.0, -distance))


def parameter_of(query: Vectors) -> BinaryValue:
    """A vector of shape `(d,)` as PostgreSQL receives a `halfvec`; the statement must say `%(name)s::halfvec`.

    11 µs to write and 5 to read with 384 dimensions; as text it was 138 and 45.
    """
    return BinaryValue(struct.pack(">HH", len(query), 0) + query.astype(">f2").tobytes())


# --- which rows a search may see -------------------------------------------------------------------------------------


def visible(scope: SearchScope) -> str:
    """The CTE of the document versions that the scope sees."""
    return f"visible as materialized ({visible_versions(scope)})"


def rows_in_scope(table: str, scope: SearchScope, embedding_version: int) -> str:
    """FROM and WHERE of the vectors in scope. The version is an integer of ours, so a literal is safe.

    Chosen documents are reached by the index on their versions. Otherwise `is true` keeps the test of visibility from
    becoming a join, which goes wrong while the tables have no statistics (114 ms instead of 15 ms in the minute after
    a first ingestion of 2,000 chunks).
    """
    of_visible = (
        "(e.version_id in (select version_id from visible)) is true"
        if scope.document_ids is None
        else "e.version_id = any(array(select version_id from visible))"
    )
    wanted = chunk_conditions(scope)
    of_chunks = f"""
        and (e.chunk_id in (
            select k.id from chunks k
            where k.tenant_id = %(tenant_id)s and k.chatbot_id = %(chatbot_id)s and {wanted}
        )) is true"""
    return f"""
        from {table} e
        where e.tenant_id = %(tenant_id)s and e.chatbot_id = %(chatbot_id)s
            and e.embedding_version = {int(embedding_version)}
            and {of_visible}{of_chunks if wanted else ""}"""


DISTANCE = "e.embedding <#> %(query)s::halfvec as distance"
AMONG_CANDIDATES = " and e.chunk_id = any(%(candidates)s::uuid[])"


def _candidates_in_scope(table: str, scope: SearchScope, embedding_version: int) -> str:
    """FROM and WHERE of the vectors of `candidates`: each is looked up, which is cheaper than a list of all that is visible."""
    wanted = chunk_conditions(scope)
    of_chunk = f"""
            and (select k.id from chunks k where k.tenant_id = %(tenant_id)s and k.chatbot_id = %(chatbot_id)s
                and k.id = e.chunk_id and {wanted}) is not null"""
    return f"""
        from {table} e
        where e.tenant_id = %(tenant_id)s and e.chatbot_id = %(chatbot_id)s
            and e.embedding_version = {int(embedding_version)}
            and ({visible_versions(scope)} and d.id = e.document_id and d.live_version_id = e.version_id) is not null
            {of_chunk if wanted else ""}{AMONG_CANDIDATES}"""


def _scores(scope: SearchScope, embedding_version: int) -> str:
    return f"""
        select e.chunk_id, {DISTANCE}, (
            select min(s.embedding <#> %(query)s::halfvec) from sentence_embeddings s
            where s.tenant_id = %(tenant_id)s and s.chatbot_id = %(chatbot_id)s
                and s.embedding_version = {int(embedding_version)} and s.chunk_id = e.chunk_id
        ) as sentence_distance
        {_candidates_in_scope("chunk_embeddings", scope, embedding_version)}"""


def _sentence_scores(scope: SearchScope, embedding_version: int) -> str:
    return f"""
        select e.chunk_id, e.start_offset, e.end_offset, {DISTANCE}
        {_candidates_in_scope("sentence_embeddings", scope, embedding_version)}
        order by e.chunk_id, e.start_offset"""


def _vectors(scope: SearchScope, embedding_version: int) -> str:
    return f"""
        select e.chunk_id, halfvec_send(e.embedding) as embedding
        {_candidates_in_scope("chunk_embeddings", scope, embedding_version)}"""


# --- writing ---------------------------------------------------------------------------------------------------------

_OF_THESE_CHUNKS = (
    "where tenant_id = %(tenant_id)s and chatbot_id = %(chatbot_id)s "
    "and embedding_version = %(embedding_version)s and chunk_id = any(%(chunk_ids)s::uuid[])"
)
_DELETE_CHUNKS = f"delete from chunk_embeddings {_OF_THESE_CHUNKS}"
_DELETE_SENTENCES = f"delete from sentence_embeddings {_OF_THESE_CHUNKS}"
_PLACE_COLUMNS = "tenant_id, chatbot_id, document_id, version_id, embedding_version"
_PLACE = "%(tenant_id)s, %(chatbot_id)s, %(document_id)s, %(version_id)s, %(embedding_version)s"
_ROWS = (
    "unnest(%(document_ids)s::uuid[], %(version_ids)s::uuid[], %(chunk_ids)s::uuid[], %(starts)s::int[], "
    "%(ends)s::int[], %(vectors)b::halfvec[]) "
    "as row (document_id, version_id, chunk_id, start_offset, end_offset, embedding)"
)
_OF_ROW = "%(tenant_id)s, %(chatbot_id)s, document_id, version_id, %(embedding_version)s, chunk_id"
_INSERT_CHUNKS = f"""
    insert into chunk_embeddings ({_PLACE_COLUMNS}, chunk_id, embedding)
    select {_OF_ROW}, embedding from {_ROWS}"""
_INSERT_SENTENCES = f"""
    insert into sentence_embeddings ({_PLACE_COLUMNS}, chunk_id, start_offset, end_offset, embedding)
    select {_OF_ROW}, start_offset, end_offset, embedding from {_ROWS}"""

_PAIRS = "unnest(%(old_ids)s::uuid[], %(new_ids)s::uuid[]) as pair (old_id, new_id)"
_OLD = (
    "on old.tenant_id = %(tenant_id)s and old.chatbot_id = %(chatbot_id)s "
    "and old.embedding_version = %(embedding_version)s and old.chunk_id = pair.old_id"
)
# A chunk without sentences would be searched worse than one that is embedded anew, so it is left to that.
_COPY_CHUNKS = f"""
    insert into chunk_embeddings ({_PLACE_COLUMNS}, chunk_id, embedding)
    select {_PLACE}, pair.new_id, old.embedding from {_PAIRS} join chunk_embeddings old {_OLD}
    where not %(with_sentences)s or exists (
        select from sentence_embeddings s where s.tenant_id = old.tenant_id and s.chatbot_id = old.chatbot_id
            and s.embedding_version = old.embedding_version and s.chunk_id = old.chunk_id)
    returning chunk_id"""
_COPY_SENTENCES = f"""
    insert into sentence_embeddings ({_PLACE_COLUMNS}, chunk_id, start_offset, end_offset, embedding)
    select {_PLACE}, pair.new_id, old.start_offset, old.end_offset, old.embedding
    from {_PAIRS} join sentence_embeddings old {_OLD}"""

_Row = tuple[ChunkVectors, int, int, Vectors]


def _sentence_rows(vectors: Sequence[ChunkVectors]) -> list[_Row]:
    return [
        (item, start, end, vector)
        for item in vectors
        for (start, end), vector in zip(item.sentence_spans, item.sentences, strict=True)
    ]


async def _insert(connection: AsyncConnection, statement: str, place: dict[str, Any], rows: Sequence[_Row]) -> None:
    """Insert in batches with binary vectors: 35,000 rows/s; as text 2,000. COPY is refused under row-level security."""
    if not rows:
        return
    driver = (await connection.get_raw_connection()).driver_connection
    assert driver is not None
    async with driver.cursor() as cursor:
        register_halfvec_info(cursor, await TypeInfo.fetch(driver, "halfvec"))
        for start in range(0, len(rows), _INSERT_ROWS):
            chunks, starts, ends, vectors = zip(*rows[start : start + _INSERT_ROWS], strict=True)
            batch = {
                "document_ids": [chunk.document_id for chunk in chunks],
                "version_ids": [chunk.version_id for chunk in chunks],
                "chunk_ids": [chunk.chunk_id for chunk in chunks],
                "starts": list(starts),
                "ends": list(ends),
                "vectors": [HalfVector(vector) for vector in vectors],
            }
            await cursor.execute(statement, {**place, **batch})
