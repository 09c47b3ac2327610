"""Dense search with pgvector: in this process's memory, or in PostgreSQL over all visible vectors or an own HNSW index.

A chatbot that is searched again and again is compared in memory (`_parts/remembered.py`). Which of the other two,
PostgreSQL decides for each search by the row of the chatbot in `vector_indexes` (see `embeddings/indexes`), so that a
switch takes effect with its commit. An index is used only where the ids of tenant and chatbot stand in the statement as
literals; `search_function` holds such a statement with its plan.

Measured as the application role, 384 dimensions, chatbot among 50 tenants, 50 hits, processor time of PostgreSQL for
comparing all / own index: 1,000 chunks 0.6 / 0.5 ms, 2,000 1.3 / 0.7, 5,000 2.9 / 1.0, 20,000 12.3 / 1.4. A search is
one statement, whatever the size.
"""

# ruff: noqa: S608 - the SQL is put together from constants, integers and UUIDs; every other value is a parameter

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Final
from uuid import UUID

from pydantic import BaseModel, ConfigDict, Field

from dragoman.adapters.scope_sql import chunk_conditions, scope_parameters, visible_versions
from dragoman.adapters.vector_index._parts.exact_scan import find_exactly
from dragoman.adapters.vector_index._parts.remembered import RememberedVectors
from dragoman.adapters.vector_index._parts.stored_vectors import (
    AMONG_CANDIDATES,
    StoredVectors,
    by_best_rank,
    cosine_of,
    parameter_of,
    rows_in_scope,
    visible,
)
from dragoman.kit.reading import Reader
from dragoman.ports.embedder import Vectors
from dragoman.ports.external_index import IndexPlace
from dragoman.ports.search_scope import SearchScope
from dragoman.ports.vector_index import DenseHit, SentenceHit

_MOST_LOOKED_AT: Final = 4000  # vectors that an index may bring before a filter is called selective


class Settings(BaseModel):
    """How far a search goes."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    # Sentences of the best 100 chunks find 0.993 to 1.000 of the ten best that all sentences find, and the same first one
    # (800 questions of cranfield, mtrag-cloud, partner-center-a en and ja, 1,200 to 1,500 chunks), for a sixth of the time.
    scan_sentences_up_to: int = Field(
        default=200,
        ge=0,
        description="Chatbots with more chunks, or an index of their own, search sentences of the best chunks only.",
    )
    sentence_candidates: int = Field(
        default=100, ge=1, description="How many best chunks have their sentences searched in such a chatbot."
    )
    remembered_mib: int = Field(
        default=256,
        ge=0,
        description="Memory that vectors of much searched chatbots may take per process, in MiB; 0: PostgreSQL compares all.",
    )
    # Comparing 16 MiB takes 1.5 ms, which is what an own index costs PostgreSQL.
    remember_up_to_mib: int = Field(
        default=16,
        ge=1,
        description="Chatbots whose chunks' vectors take more, in MiB, are left to PostgreSQL: 16 are 10,900 chunks of 384 "
        "dimensions.",
    )


class Adapter(StoredVectors):
    """Search over the partitions `chunk_embeddings` and `sentence_embeddings`.

    The list by sentence is exact up to `scan_sentences_up_to` chunks; above, and with an own index, it is exact among
    the `sentence_candidates` chunks of the highest cosine. The scores of every hit are exact always.
    """

    def __init__(self, settings: Settings) -> None:
        self._settings = settings
        self._remembered = RememberedVectors(
            max_bytes=settings.remembered_mib * 2**20, largest_bytes=settings.remember_up_to_mib * 2**20
        )

    async def next_to_remember(self) -> IndexPlace:
        return await self._remembered.next_place()

    async def remember(self, connection: Reader, place: IndexPlace) -> None:
        await self._remembered.read(connection, place)

    async def search(
        self, connection: Reader, *, scope: SearchScope, embedding_version: int, query: Vectors, limit: int
    ) -> list[DenseHit]:
        if limit <= 0:
            return []
        depth = max(limit, self._settings.sentence_candidates)
        if _is_plain(scope):
            remembered = self._remembered.find(scope, embedding_version, is_new=True)
            if remembered is not None:
                return remembered.search(
                    query,
                    scope.owner,
                    limit=limit,
                    depth=depth,
                    all_sentences_up_to=self._settings.scan_sentences_up_to,
                )
            rows = await connection.exec_driver_sql(
                _SEARCH_CHUNKS, self._arguments(scope, embedding_version, query, limit, depth)
            )
            return by_best_rank([_hit(*row) for row in rows])
        found = await self._find_by_index(connection, scope, embedding_version, query, limit, depth)
        if found is None:
            found = await find_exactly(
                connection, scope=scope, embedding_version=embedding_version, query=query, limit=limit
            )
        hits = await self.score(
            connection, scope=scope, embedding_version=embedding_version, query=query, chunk_ids=found
        )
        return by_best_rank(hits)

    async def score(
        self,
        connection: Reader,
        *,
        scope: SearchScope,
        embedding_version: int,
        query: Vectors,
        chunk_ids: Sequence[UUID],
    ) -> list[DenseHit]:
        remembered = self._remembered.find(scope, embedding_version) if _is_plain(scope) else None
        if remembered is not None:
            return remembered.score(query, scope.owner, chunk_ids)
        return await super().score(
            connection, scope=scope, embedding_version=embedding_version, query=query, chunk_ids=chunk_ids
        )

    async def score_sentences(
        self,
        connection: Reader,
        *,
        scope: SearchScope,
        embedding_version: int,
        query: Vectors,
        chunk_ids: Sequence[UUID],
    ) -> list[SentenceHit]:
        remembered = self._remembered.find(scope, embedding_version) if _is_plain(scope) else None
        if remembered is not None:
            return remembered.score_sentences(query, scope.owner, chunk_ids)
        return await super().score_sentences(
            connection, scope=scope, embedding_version=embedding_version, query=query, chunk_ids=chunk_ids
        )

    async def vectors(
        self,
        connection: Reader,
        *,
        scope: SearchScope,
        embedding_version: int,
        chunk_ids: Sequence[UUID],
    ) -> dict[UUID, Vectors]:
        remembered = self._remembered.find(scope, embedding_version) if _is_plain(scope) else None
        if remembered is not None:
            return remembered.vectors_of(scope.owner, chunk_ids)
        return await super().vectors(connection, scope=scope, embedding_version=embedding_version, chunk_ids=chunk_ids)

    def _arguments(
        self, scope: SearchScope, embedding_version: int, query: Vectors, limit: int, depth: int
    ) -> dict[str, Any]:
        return {
            "tenant_id": scope.tenant_id,
            "chatbot_id": scope.chatbot_id,
            "embedding_version": embedding_version,
            "query": parameter_of(query),
            "wanted": limit,
            "depth": depth,
            "owner": scope.owner,
            "scan_sentences_up_to": self._settings.scan_sentences_up_to,
        }

    async def _find_by_index(
        self,
        connection: Reader,
        scope: SearchScope,
        embedding_version: int,
        query: Vectors,
        limit: int,
        depth: int,
    ) -> list[UUID] | None:
        """As `find_exactly`; None where the chatbot has no index, or too few of what it brings is in scope."""
        if scope.document_ids is not None:  # few rows, found by another index
            return None
        parameters = {**scope_parameters(scope), "query": parameter_of(query), "limit": depth}
        place = {**parameters, "embedding_version": embedding_version, "looked_at": str(_MOST_LOOKED_AT)}
        own = (await connection.exec_driver_sql(_PREPARE_INDEX, place)).one_or_none()
        if own is None:
            return None
        nearest = await connection.exec_driver_sql(
            _nearest_by_index(scope, embedding_version, query.shape[0]), parameters
        )
        by_chunk = [row.chunk_id for row in nearest]
        await connection.exec_driver_sql(_END_INDEX, {})
        if len(by_chunk) < depth:
            return None
        by_sentence = await connection.exec_driver_sql(
            _sentences_among(scope, embedding_version), {**parameters, "limit": limit, "candidates": by_chunk}
        )
        return list(dict.fromkeys([*by_chunk[:limit], *by_sentence.scalars()]))


def _is_plain(scope: SearchScope) -> bool:
    """Whether nothing but the asker's access narrows the search."""
    return not scope.conditions and all(
        narrowed is None
        for narrowed in (
            scope.document_ids,
            scope.languages,
            scope.content_types,
            scope.categories,
            scope.dated_from,
            scope.dated_before,
        )
    )


def _hit(chunk_id: UUID, distance: float, sentence_distance: float | None) -> DenseHit:
    return DenseHit(chunk_id, cosine_of(distance), None if sentence_distance is None else cosine_of(sentence_distance))


# --- every value a parameter: planned once for each connection -------------------------------------------------------

_ARGUMENTS = (
    "%(tenant_id)s::uuid, %(chatbot_id)s::uuid, %(embedding_version)s::int, %(query)s::halfvec, %(wanted)s::int, "
    "%(depth)s::int, %(owner)s::text, %(scan_sentences_up_to)s::int"
)
_SEARCH_CHUNKS = f"select * from search_chunks({_ARGUMENTS})"


# --- an own index under a filter -------------------------------------------------------------------------------------

# Sorting is forbidden meanwhile, so that the planner, which takes the chatbot for smaller than it is, asks the index.
_PREPARE_INDEX = """
    select set_config('enable_sort', 'off', true), set_config('hnsw.iterative_scan', 'strict_order', true),
        set_config('hnsw.max_scan_tuples', %(looked_at)s, true),
        set_config('hnsw.ef_search', least(1000, greatest(i.ef_search, %(limit)s::int))::text, true)
    from vector_indexes i
    where i.tenant_id = %(tenant_id)s and i.chatbot_id = %(chatbot_id)s
        and i.embedding_version = %(embedding_version)s and i.kind = 'hnsw' and i.state = 'ready'"""
_END_INDEX = "select set_config('enable_sort', 'on', true)"


def _nearest_by_index(scope: SearchScope, embedding_version: int, dimensions: int) -> str:
    wanted = chunk_conditions(scope)
    of_chunk = f"""
            and (select k.id from chunks k where k.tenant_id = %(tenant_id)s and k.chatbot_id = %(chatbot_id)s
                and k.id = e.chunk_id and {wanted}) is not null"""
    distance = f"e.embedding::halfvec({int(dimensions)}) <#> %(query)s::halfvec"
    return f"""
        select e.chunk_id from chunk_embeddings e
        where e.tenant_id = '{UUID(str(scope.tenant_id))}'::uuid and e.chatbot_id = '{UUID(str(scope.chatbot_id))}'::uuid
            and e.embedding_version = {int(embedding_version)}
            and ({visible_versions(scope)} and d.id = e.document_id and d.live_version_id = e.version_id) is not null
            {of_chunk if wanted else ""}
        order by {distance} limit %(limit)s"""


def _sentences_among(scope: SearchScope, embedding_version: int) -> str:
    rows = rows_in_scope("sentence_embeddings", scope, embedding_version) + AMONG_CANDIDATES
    return f"""
        with {visible(scope)}, scored as materialized (
            select e.chunk_id, e.embedding <#> %(query)s::halfvec as distance {rows}
        )
        select chunk_id from scored group by chunk_id order by min(distance), chunk_id limit %(limit)s"""
