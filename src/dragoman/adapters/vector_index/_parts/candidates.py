"""A vector index whose nearest neighbours are found elsewhere: in memory, or by a server outside PostgreSQL.

The other index only names candidates. What they are, whether the scope may see them and how near they are is asked of
PostgreSQL in the transaction of the search (`StoredVectors.score`). So whatever the other index names - a deleted chunk,
a stranger's, nonsense - cannot be found; and where it names too little or does not answer, PostgreSQL searches alone.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections import defaultdict
from collections.abc import AsyncIterator, Sequence
from dataclasses import dataclass
from typing import Any, Final
from uuid import UUID

import numpy as np
import structlog
from prometheus_client import Counter
from sqlalchemy.ext.asyncio import AsyncConnection

from dragoman.adapters.vector_index._parts.exact_scan import find_exactly
from dragoman.adapters.vector_index._parts.stored_vectors import StoredVectors, by_best_rank
from dragoman.kit.json_service import ServiceAwayError, ServiceRefusedError
from dragoman.kit.reading import Reader
from dragoman.ports.embedder import Vectors
from dragoman.ports.external_index import Digest, Digests, IndexPlace
from dragoman.ports.search_scope import SearchScope
from dragoman.ports.vector_index import ChunkVectors, DenseHit

_log = structlog.get_logger(__name__)

CANDIDATES: Final = 200  # asked for at least: enough that few of them are in vain, and sentences have their chance
_ROUNDS: Final = (1, 5)  # times that many; then PostgreSQL searches alone
_ROWS_AT_ONCE: Final = 2000  # vectors read for the server: 6 MB at 768 dimensions
_LOW_64_BITS: Final = (1 << 64) - 1

FALLBACKS = Counter(
    "dragoman_vector_index_fallbacks_total",
    "Searches that PostgreSQL answered alone, by adapter and reason.",
    ["adapter", "reason"],
)
LEFT_OUTSIDE = Counter(
    "dragoman_vector_index_left_outside_total",
    "Removals that a server outside did not take; its entries stay until the next check.",
    ["adapter"],
)


@dataclass(frozen=True, slots=True, kw_only=True)
class StoredRows:
    """Vectors of chunks as PostgreSQL holds them: `vectors` has the shape `(n, d)`."""

    version_ids: Sequence[UUID]
    chunk_ids: Sequence[UUID]
    vectors: Vectors


class IndexUnfitError(Exception):
    """This index cannot serve this search; its argument says why, in a word for the metric."""


class CandidateIndex(StoredVectors, ABC):
    """`search` by way of `find_candidates`, which a subclass supplies."""

    name = ""

    @abstractmethod
    async def find_candidates(
        self, connection: Reader, place: IndexPlace, query: Vectors, limit: int
    ) -> Sequence[UUID]:
        """Up to `limit` chunks of the place, nearest first; fewer only where it has no more.

        Raises:
            ServiceAwayError, ServiceRefusedError, IndexUnfitError.
        """

    async def search(
        self, connection: Reader, *, scope: SearchScope, embedding_version: int, query: Vectors, limit: int
    ) -> list[DenseHit]:
        if limit <= 0:
            return []
        options: dict[str, Any] = {"scope": scope, "embedding_version": embedding_version, "query": query}
        hits = None if scope.document_ids is not None else await self._search_here(connection, limit=limit, **options)
        if hits is None:  # also where documents are chosen: their vectors are few, and reached by an index
            found = await find_exactly(connection, limit=limit, **options)
            hits = await self.score(connection, chunk_ids=found, **options)
        return by_best_rank(_nearest(hits, limit))

    async def _search_here(
        self, connection: Reader, *, scope: SearchScope, embedding_version: int, query: Vectors, limit: int
    ) -> list[DenseHit] | None:
        """The candidates that PostgreSQL confirms; None where those are too few."""
        place = IndexPlace(tenant_id=scope.tenant_id, chatbot_id=scope.chatbot_id, embedding_version=embedding_version)
        for times in _ROUNDS:
            wanted = times * max(CANDIDATES, 4 * limit)
            try:
                found = list(dict.fromkeys(await self.find_candidates(connection, place, query, wanted)))[:wanted]
            except (ServiceAwayError, ServiceRefusedError, IndexUnfitError) as error:
                self._fall_back(error)
                return None
            hits = await self.score(
                connection, scope=scope, embedding_version=embedding_version, query=query, chunk_ids=found
            )
            if len(hits) >= limit:
                return hits
            if len(found) < wanted:
                break
        FALLBACKS.labels(self.name, "too_few").inc()
        return None

    def _fall_back(self, error: Exception) -> None:
        if isinstance(error, IndexUnfitError):
            FALLBACKS.labels(self.name, str(error)).inc()
            return
        FALLBACKS.labels(self.name, "away" if isinstance(error, ServiceAwayError) else "refused").inc()
        _log.warning("vector_index.fell_back", adapter=self.name, reason=str(error))

    # ---- what PostgreSQL holds

    async def list_rows(
        self, connection: Reader, place: IndexPlace, version_ids: Sequence[UUID]
    ) -> AsyncIterator[StoredRows]:
        """The vectors of these versions, in pieces."""
        async for rows in self._pieces(connection, place, "version_id = any(%(version_ids)s::uuid[])", version_ids):
            yield rows

    async def _pieces(
        self, connection: Reader, place: IndexPlace, which: str, version_ids: Sequence[UUID]
    ) -> AsyncIterator[StoredRows]:
        after = UUID(int=0)
        parameters = {**_parameters(place), "version_ids": list(version_ids), "limit": _ROWS_AT_ONCE}
        while True:
            rows = (await connection.exec_driver_sql(_read_vectors(place, which), {**parameters, "after": after})).all()
            if rows:
                yield _stored_rows(rows)
                after = rows[-1].chunk_id
            if len(rows) < _ROWS_AT_ONCE:
                return


class ExternalVectors(CandidateIndex):
    """Adds to that what every vector index on a server of its own does when vectors are written and removed."""

    @abstractmethod
    async def send(self, place: IndexPlace, rows: StoredRows) -> None:
        """Write entries to the server; those that are there already are replaced.

        Raises:
            ServiceAwayError, ServiceRefusedError.
        """

    @abstractmethod
    async def remove(self, place: IndexPlace, version_id: UUID, chunk_ids: Sequence[UUID]) -> None:
        """Remove entries from the server, trying once. Raises as `send`."""

    # ---- the port

    async def add(
        self,
        connection: AsyncConnection,
        *,
        tenant_id: UUID,
        chatbot_id: UUID,
        embedding_version: int,
        vectors: Sequence[ChunkVectors],
    ) -> None:
        await super().add(
            connection,
            tenant_id=tenant_id,
            chatbot_id=chatbot_id,
            embedding_version=embedding_version,
            vectors=vectors,
        )
        if vectors:
            place = IndexPlace(tenant_id=tenant_id, chatbot_id=chatbot_id, embedding_version=embedding_version)
            rows = StoredRows(
                version_ids=[item.version_id for item in vectors],
                chunk_ids=[item.chunk_id for item in vectors],
                vectors=np.stack([item.chunk for item in vectors]),
            )
            await self.send(place, rows)

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
        copied = await super().copy(
            connection,
            tenant_id=tenant_id,
            chatbot_id=chatbot_id,
            document_id=document_id,
            version_id=version_id,
            embedding_version=embedding_version,
            pairs=pairs,
            with_sentences=with_sentences,
        )
        if copied:
            place = IndexPlace(tenant_id=tenant_id, chatbot_id=chatbot_id, embedding_version=embedding_version)
            await self.send_versions(connection, place, [version_id])
        return copied

    async def remove_version(self, connection: AsyncConnection, *, tenant_id: UUID, version_id: UUID) -> None:
        """Never fails because of the server: what it keeps is harmless, and a check removes it."""
        rows = (
            await connection.exec_driver_sql(_LIST_OF_VERSION, {"tenant_id": tenant_id, "version_id": version_id})
        ).all()
        await super().remove_version(connection, tenant_id=tenant_id, version_id=version_id)
        for row in rows:
            place = IndexPlace(tenant_id=tenant_id, chatbot_id=row.chatbot_id, embedding_version=row.embedding_version)
            try:
                await self.remove(place, version_id, row.chunk_ids)
            except (ServiceAwayError, ServiceRefusedError) as error:
                LEFT_OUTSIDE.labels(self.name).inc()
                _log.warning(
                    "vector_index.left_outside", adapter=self.name, entries=len(row.chunk_ids), reason=str(error)
                )

    # ---- upkeep (`ports/external_index.py`)

    async def list_places(self, connection: AsyncConnection, *, tenant_id: UUID) -> list[IndexPlace]:
        rows = await connection.exec_driver_sql(_LIST_PLACES, {"tenant_id": tenant_id})
        return [
            IndexPlace(tenant_id=tenant_id, chatbot_id=row.chatbot_id, embedding_version=row.embedding_version)
            for row in rows.all()
        ]

    async def digest_stored(self, connection: AsyncConnection, place: IndexPlace) -> Digests:
        rows = await connection.exec_driver_sql(_digest(place), _parameters(place))
        return {row.version_id: Digest(entries=row.entries, mark=row.mark & _LOW_64_BITS) for row in rows.all()}

    async def send_versions(self, connection: AsyncConnection, place: IndexPlace, version_ids: Sequence[UUID]) -> int:
        sent = 0
        async for rows in self.list_rows(connection, place, version_ids):
            await self.send(place, rows)
            sent += len(rows.chunk_ids)
        return sent


def _nearest(hits: list[DenseHit], limit: int) -> list[DenseHit]:
    """The `limit` nearest by chunk, united with the `limit` nearest by sentence."""
    by_chunk = sorted(hits, key=lambda hit: (-hit.cosine, hit.chunk_id))[:limit]
    with_sentence = [hit for hit in hits if hit.best_sentence_cosine is not None]
    by_sentence = sorted(with_sentence, key=lambda hit: (-(hit.best_sentence_cosine or 0.0), hit.chunk_id))[:limit]
    return list({hit.chunk_id: hit for hit in (*by_chunk, *by_sentence)}.values())


# ---- digests and ids


def digests_of(entries: Sequence[tuple[UUID, UUID]], into: defaultdict[UUID, Digest]) -> None:
    """Count entries, given as (version, chunk), into the digests of their versions."""
    for version_id, chunk_id in entries:
        into[version_id] = into[version_id].with_entry(chunk_id.int & _LOW_64_BITS)


def entry_id(version_id: UUID, chunk_id: UUID) -> str:
    """How an entry is called on a server: the version first, so that its entries have a prefix in common."""
    return f"{version_id.hex}.{chunk_id.hex}"


def parse_entry_id(text: object) -> tuple[UUID, UUID] | None:
    """Version and chunk; None for what is not ours."""
    if not isinstance(text, str) or len(text) != 65 or text[32] != ".":
        return None
    try:
        return UUID(text[:32]), UUID(text[33:])
    except ValueError:
        return None


def place_name(prefix: str, place: IndexPlace) -> str:
    return f"{prefix}-{place.tenant_id.hex}-{place.chatbot_id.hex}-v{place.embedding_version}"


def parse_place_name(prefix: str, name: object) -> IndexPlace | None:
    """None for what is not ours."""
    if not isinstance(name, str) or not name.startswith(f"{prefix}-"):
        return None
    try:
        tenant, chatbot, version = name.removeprefix(f"{prefix}-").split("-")
        return IndexPlace(
            tenant_id=UUID(tenant), chatbot_id=UUID(chatbot), embedding_version=int(version.removeprefix("v"))
        )
    except ValueError:
        return None


# ---- SQL


def _parameters(place: IndexPlace) -> dict[str, Any]:
    return {"tenant_id": place.tenant_id, "chatbot_id": place.chatbot_id}


def _of_place(place: IndexPlace) -> str:
    return f"""from chunk_embeddings where tenant_id = %(tenant_id)s and chatbot_id = %(chatbot_id)s
        and embedding_version = {int(place.embedding_version or 0)}"""


def _read_vectors(place: IndexPlace, which: str) -> str:
    # `halfvec_send` gives the numbers as they are, in network order: text takes ten times as long to read.
    return f"""select version_id, chunk_id, halfvec_send(embedding) as embedding {_of_place(place)}
        and {which} and chunk_id > %(after)s order by chunk_id limit %(limit)s"""


def _stored_rows(rows: Sequence[Any]) -> StoredRows:
    joined = b"".join([bytes(row.embedding)[4:] for row in rows])  # after two lengths of 16 bits
    vectors = np.frombuffer(joined, dtype=">f2").reshape(len(rows), -1).astype(np.float32)
    return StoredRows(
        version_ids=[row.version_id for row in rows], chunk_ids=[row.chunk_id for row in rows], vectors=vectors
    )


def _digest(place: IndexPlace) -> str:
    low_64_bits = "('x' || right(replace(chunk_id::text, '-', ''), 16))::bit(64)::bigint"
    return f"""select version_id, count(*) as entries, bit_xor({low_64_bits}) as mark {_of_place(place)}
        group by version_id"""


_LIST_OF_VERSION = """
    select chatbot_id, embedding_version, array_agg(chunk_id) as chunk_ids from chunk_embeddings
    where tenant_id = %(tenant_id)s and version_id = %(version_id)s group by chatbot_id, embedding_version"""
_LIST_PLACES = """
    select chatbots.id as chatbot_id, embedding_versions.id as embedding_version
    from chatbots cross join embedding_versions
    where chatbots.tenant_id = %(tenant_id)s order by chatbots.id, embedding_versions.id"""


# --- what answers of a server hold -----------------------------------------------------------------------------------


def numbers_of(vector: Vectors) -> list[float]:
    """A vector as JSON carries it."""
    numbers: list[float] = vector.astype(float).round(6).tolist()
    return numbers


def field_of(value: object, name: str) -> Any:
    """A field of an answer that may be of another shape; None where it has none."""
    return value.get(name) if isinstance(value, dict) else None
