"""The exact search over all vectors that a scope sees, in PostgreSQL: what is found when no other index can help."""

# ruff: noqa: S608 - the SQL is put together from constants of this file and one integer; every value is a parameter

from __future__ import annotations

from uuid import UUID

from dragoman.adapters.scope_sql import scope_parameters
from dragoman.adapters.vector_index._parts.stored_vectors import (
    AMONG_CANDIDATES,
    DISTANCE,
    parameter_of,
    rows_in_scope,
    visible,
)
from dragoman.kit.reading import Reader
from dragoman.ports.embedder import Vectors
from dragoman.ports.search_scope import SearchScope

_ALL_SENTENCES_UP_TO = 200  # visible chunks; above, sentences of the best chunks only: see `pgvector.Settings`
_BEST_CHUNKS = 200


async def find_exactly(
    connection: Reader, *, scope: SearchScope, embedding_version: int, query: Vectors, limit: int
) -> list[UUID]:
    """The `limit` nearest chunks, united with the `limit` nearest by their best sentence."""
    parameters = {**scope_parameters(scope), "query": parameter_of(query), "limit": limit}
    nearest = (
        await connection.exec_driver_sql(
            _nearest_chunks(scope, embedding_version), {**parameters, "limit": max(limit, _BEST_CHUNKS)}
        )
    ).all()
    if not nearest:
        return []
    by_chunk = [row.chunk_id for row in nearest]
    candidates = None if nearest[0].visible <= _ALL_SENTENCES_UP_TO else by_chunk
    by_sentence = await connection.exec_driver_sql(
        _nearest_by_sentence(scope, embedding_version, candidates is not None),
        {**parameters, "candidates": candidates},
    )
    return list(dict.fromkeys([*by_chunk[:limit], *by_sentence.scalars()]))


def _nearest_chunks(scope: SearchScope, embedding_version: int) -> str:
    return f"""
        with {visible(scope)}, scored as materialized (
            select e.chunk_id, {DISTANCE} {rows_in_scope("chunk_embeddings", scope, embedding_version)}
        )
        select chunk_id, (select count(*) from scored) as visible
        from scored order by distance, chunk_id limit %(limit)s"""


def _nearest_by_sentence(scope: SearchScope, embedding_version: int, among_candidates: bool) -> str:
    # Distances first, in a step of their own: grouped directly, PostgreSQL sorts the rows with their vectors on disk.
    rows = rows_in_scope("sentence_embeddings", scope, embedding_version) + (
        AMONG_CANDIDATES if among_candidates else ""
    )
    return f"""
        with {visible(scope)}, scored as materialized (select e.chunk_id, {DISTANCE} {rows})
        select chunk_id from scored group by chunk_id order by min(distance), chunk_id limit %(limit)s"""
