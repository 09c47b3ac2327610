"""Candidates from FAISS (Douze et al. 2024) in this process, built from PostgreSQL at a chatbot's first search (extra `faiss`).

Nothing is written but to PostgreSQL. Each chatbot and embedding version has segments that are never changed once they
are made: versions that came live since become a further segment, those that are gone are dead rows, which PostgreSQL
leaves out; segments are merged when there are many of them or many dead rows. Vectors are kept in half precision, as
in PostgreSQL. A segment is exact up to `graph_from` rows; above, a graph (HNSW, Malkov and Yashunin 2016) is built for
it beside the searches.
"""

from __future__ import annotations

import asyncio
import importlib
import time
from collections import Counter, OrderedDict
from collections.abc import Collection, Sequence
from dataclasses import dataclass, field, replace
from typing import Any, Final
from uuid import UUID

import numpy as np
import structlog
from pydantic import BaseModel, ConfigDict, Field
from sqlalchemy.ext.asyncio import AsyncConnection

from dragoman.adapters.vector_index._parts.candidates import CandidateIndex, IndexUnfitError, StoredRows
from dragoman.kit.clock import Stopwatch
from dragoman.kit.reading import Reader
from dragoman.kit.registry import MissingExtraError
from dragoman.ports.embedder import Vectors
from dragoman.ports.external_index import IndexPlace
from dragoman.ports.vector_index import ChunkVectors

_log = structlog.get_logger(__name__)

_MOST_SEGMENTS: Final = 8
_DEAD_SHARE: Final = 0.25
_UNSETTLED_S: Final = 60.0  # no transaction that writes vectors lasts longer
_RECHECK_S: Final = 5.0  # versions whose vectors are still being made are looked at so often
_VERSIONS_AT_ONCE: Final = 500


class Settings(BaseModel):
    """Settings of the vector index `faiss`."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    max_mib: int = Field(
        default=1024,
        ge=1,
        description="Memory that indexes may take per process, in MiB; the least used ones go first.",
    )
    graph_from: int = Field(default=50_000, ge=1, description="Rows from which a segment gets a graph (HNSW).")
    neighbours: int = Field(default=32, ge=4, le=128, description="HNSW: links of a vector.")
    ef_construction: int = Field(default=120, ge=8, description="HNSW: how widely the building looks.")
    ef_search: int = Field(default=256, ge=8, description="HNSW: how widely a search looks, at least.")


_Ids = np.ndarray[Any, np.dtype[np.uint8]]
_Numbers = np.ndarray[Any, np.dtype[np.int32]]
_Rows = np.ndarray[Any, np.dtype[np.bool_]]


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class _Segment:
    """Rows that do not change: of each the chunk (16 bytes) and the number of its version in `versions`."""

    index: Any
    chunk_ids: _Ids
    version_numbers: _Numbers
    versions: tuple[UUID, ...]
    bytes: int
    has_graph: bool = False

    @property
    def rows(self) -> int:
        return len(self.chunk_ids)


@dataclass(slots=True, kw_only=True)
class _Shelf:
    """What is kept of a place. `loaded` counts the rows of each version that is in a segment and live."""

    lock: asyncio.Lock = field(default_factory=asyncio.Lock)
    revision: int = -1
    segments: tuple[_Segment, ...] = ()
    loaded: dict[UUID, int] = field(default_factory=dict)
    is_complete: bool = True
    checked_at: float = 0.0
    building: list[_Segment] = field(default_factory=list)

    @property
    def bytes(self) -> int:
        return sum(segment.bytes for segment in self.segments)


class Adapter(CandidateIndex):
    """The vector index `faiss`."""

    name = "faiss"

    def __init__(self, settings: Settings) -> None:
        """Raises MissingExtraError."""
        self._settings = settings
        try:
            self._faiss = importlib.import_module("faiss")
        except ModuleNotFoundError as error:
            raise MissingExtraError(
                "The vector index `faiss` needs the package `faiss-cpu`. Install the extra: `pip install 'dragoman[faiss]'`."
            ) from error
        self._shelves: OrderedDict[IndexPlace, _Shelf] = OrderedDict()
        self._touched: dict[IndexPlace, float] = {}
        self._tasks: set[asyncio.Task[None]] = set()

    async def close(self) -> None:
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)

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
        self._touch(tenant_id, chatbot_id, embedding_version)

    async def copy(self, connection: AsyncConnection, **options: Any) -> set[UUID]:
        copied = await super().copy(connection, **options)
        self._touch(options["tenant_id"], options["chatbot_id"], options["embedding_version"])
        return copied

    def _touch(self, tenant_id: UUID, chatbot_id: UUID, embedding_version: int) -> None:
        place = IndexPlace(tenant_id=tenant_id, chatbot_id=chatbot_id, embedding_version=embedding_version)
        if place in self._shelves:
            self._touched[place] = time.monotonic()

    async def find_candidates(
        self, connection: Reader, place: IndexPlace, query: Vectors, limit: int
    ) -> Sequence[UUID]:
        state = (await connection.exec_driver_sql(_STATE, _parameters(place))).one_or_none()
        if state is None:
            return []
        if state.has_written:  # what it sees may never be committed, and must not be kept
            raise IndexUnfitError("writing")
        shelf = self._shelves.setdefault(place, _Shelf())
        self._shelves.move_to_end(place)
        if self._is_stale(place, shelf, state.knowledge_revision):
            async with shelf.lock:
                if self._is_stale(place, shelf, state.knowledge_revision):
                    await self._refresh(connection, place, shelf, state.knowledge_revision, len(query))
        segments = shelf.segments
        if not segments:
            return []
        return await asyncio.to_thread(self._nearest, segments, query, limit)

    # ---- keeping up with PostgreSQL

    def _is_stale(self, place: IndexPlace, shelf: _Shelf, revision: int) -> bool:
        """A search with an older view of the database uses what is there: PostgreSQL leaves out what it may not see."""
        if revision > shelf.revision:
            return True
        moment = time.monotonic()
        touched_at = self._touched.get(place)
        if touched_at is not None and moment - touched_at > _UNSETTLED_S:
            self._touched.pop(place, None)
        elif touched_at is not None:
            return True
        return not shelf.is_complete and moment - shelf.checked_at > _RECHECK_S

    async def _refresh(
        self, connection: Reader, place: IndexPlace, shelf: _Shelf, revision: int, dimensions: int
    ) -> None:
        live = (await connection.exec_driver_sql(_LIVE_VERSIONS, _parameters(place))).all()
        expected = {row.version_id: row.chunk_count for row in live}
        self._require_room(sum(expected.values()), dimensions)
        loaded = {version: count for version, count in shelf.loaded.items() if version in expected}
        wanted = [version for version, count in expected.items() if loaded.get(version, 0) < count]
        if place in self._touched:  # of what another process has not finished, `expected` tells
            wanted = await self._changed(connection, place, list(expected), loaded)
        for version in wanted:
            loaded.pop(version, None)
        parts = [
            rows
            for start in range(0, len(wanted), _VERSIONS_AT_ONCE)
            async for rows in self.list_rows(connection, place, wanted[start : start + _VERSIONS_AT_ONCE])
        ]
        segments = [segment for segment in shelf.segments if not loaded.keys().isdisjoint(segment.versions)]
        if parts:
            segments.append(await asyncio.to_thread(self._segment_of_rows, parts))
            loaded |= Counter(version for part in parts for version in part.version_ids)
        shelf.segments = tuple(await self._merged(segments, loaded))
        shelf.loaded, shelf.checked_at = loaded, time.monotonic()
        shelf.is_complete = all(loaded.get(version, 0) >= count for version, count in expected.items())
        shelf.revision = max(shelf.revision, revision)
        self._evict(keep=place)
        self._build_graphs(shelf)

    async def _changed(
        self, connection: Reader, place: IndexPlace, versions: list[UUID], loaded: dict[UUID, int]
    ) -> list[UUID]:
        rows = await connection.exec_driver_sql(_count_rows(place), {**_parameters(place), "version_ids": versions})
        counted = {row.version_id: row.entries for row in rows.all()}
        return [version for version in versions if counted.get(version, 0) != loaded.get(version, 0)]

    async def _merged(self, segments: list[_Segment], living: Collection[UUID]) -> list[_Segment]:
        """One segment in place of those with many dead rows, and of the small ones where they are many.

        A large one stays as it is while it can: its graph takes long to build.
        """
        newest = {version: number for number, segment in enumerate(segments) for version in segment.versions}
        kept = [
            _rows_kept(segment, {v for v in segment.versions if v in living and newest[v] == number})
            for number, segment in enumerate(segments)
        ]
        is_small = [segment.rows < self._settings.graph_from for segment in segments]
        chosen = [
            (is_small[number] and sum(is_small) > _MOST_SEGMENTS) or rows.sum() < (1 - _DEAD_SHARE) * len(rows)
            for number, rows in enumerate(kept)
        ]
        if not any(chosen):
            return segments
        merged = await asyncio.to_thread(
            self._merge, [(segments[number], kept[number]) for number, is_chosen in enumerate(chosen) if is_chosen]
        )
        left = [segment for segment, is_chosen in zip(segments, chosen, strict=True) if not is_chosen]
        return [*left, merged] if merged.rows else left

    def _require_room(self, rows: int, dimensions: int) -> None:
        links = self._settings.neighbours if rows >= self._settings.graph_from else 0
        if rows * (2 * dimensions + 8 * links + 20) > self._settings.max_mib * 1024 * 1024:
            raise IndexUnfitError("too_big")

    def _evict(self, *, keep: IndexPlace) -> None:
        allowed = self._settings.max_mib * 1024 * 1024
        total = sum(shelf.bytes for shelf in self._shelves.values())
        for place in list(self._shelves):
            if total <= allowed:
                return
            if place != keep and not self._shelves[place].lock.locked():
                total -= self._shelves.pop(place).bytes
                self._touched.pop(place, None)

    # ---- FAISS

    def _nearest(self, segments: Sequence[_Segment], query: Vectors, limit: int) -> list[UUID]:
        asked = np.ascontiguousarray(query[None], dtype=np.float32)
        found: list[tuple[float, bytes]] = []
        for segment in segments:
            count = min(limit, segment.rows)
            cosines, rows = segment.index.search(asked, count, params=self._search_parameters(segment, count))
            found += [
                (float(cosine), segment.chunk_ids[row].tobytes())
                for cosine, row in zip(cosines[0], rows[0], strict=True)
                if row >= 0
            ]
        found.sort(key=lambda item: (-item[0], item[1]))
        return [UUID(bytes=chunk_id) for _, chunk_id in found[:limit]]

    def _search_parameters(self, segment: _Segment, count: int) -> Any:
        if not segment.has_graph:
            return None
        return self._faiss.SearchParametersHNSW(efSearch=max(self._settings.ef_search, 2 * count))

    def _segment_of_rows(self, parts: Sequence[StoredRows]) -> _Segment:
        versions = {version: None for part in parts for version in part.version_ids}
        number_of = {version: number for number, version in enumerate(versions)}
        numbers = [number_of[version] for part in parts for version in part.version_ids]
        chunk_ids = b"".join([chunk.bytes for part in parts for chunk in part.chunk_ids])
        return self._segment(
            np.concatenate([part.vectors for part in parts]),
            np.frombuffer(chunk_ids, dtype=np.uint8).reshape(-1, 16),
            np.array(numbers, dtype=np.int32),
            tuple(versions),
        )

    def _merge(self, parts: Sequence[tuple[_Segment, _Rows]]) -> _Segment:
        """The rows of these segments that are kept, as one segment."""
        number_of: dict[UUID, int] = {}
        vectors, chunk_ids, numbers = [], [], []
        for segment, kept in parts:
            renamed = [number_of.setdefault(version, len(number_of)) for version in segment.versions]
            vectors.append(segment.index.reconstruct_n(0, segment.rows)[kept])
            chunk_ids.append(segment.chunk_ids[kept])
            numbers.append(np.array(renamed, dtype=np.int32)[segment.version_numbers[kept]])
        return self._segment(
            np.concatenate(vectors), np.concatenate(chunk_ids), np.concatenate(numbers), tuple(number_of)
        )

    def _segment(
        self, vectors: Vectors, chunk_ids: _Ids, version_numbers: _Numbers, versions: tuple[UUID, ...]
    ) -> _Segment:
        half = self._faiss.ScalarQuantizer.QT_fp16
        index = self._faiss.IndexScalarQuantizer(vectors.shape[1], half, self._faiss.METRIC_INNER_PRODUCT)
        if len(vectors):
            index.train(vectors[:1])
            index.add(np.ascontiguousarray(vectors, dtype=np.float32))
        size = vectors.size * 2 + chunk_ids.nbytes + version_numbers.nbytes + 100 * len(versions)
        return _Segment(
            index=index, chunk_ids=chunk_ids, version_numbers=version_numbers, versions=versions, bytes=size
        )

    def _build_graphs(self, shelf: _Shelf) -> None:
        """Beside the searches, which use the exact segment until its graph is ready."""
        for segment in shelf.segments:
            if segment.rows >= self._settings.graph_from and not segment.has_graph and segment not in shelf.building:
                shelf.building.append(segment)
                task = asyncio.create_task(self._build_graph(shelf, segment))
                self._tasks.add(task)
                task.add_done_callback(self._tasks.discard)

    async def _build_graph(self, shelf: _Shelf, segment: _Segment) -> None:
        watch = Stopwatch()
        try:
            made = await asyncio.to_thread(self._with_graph, segment)
            shelf.segments = tuple(made if each is segment else each for each in shelf.segments)
            _log.info("faiss.graph_built", rows=segment.rows, seconds=round(watch.elapsed_ms / 1000, 1))
        finally:
            shelf.building.remove(segment)

    def _with_graph(self, segment: _Segment) -> _Segment:
        faiss, links = self._faiss, self._settings.neighbours
        half = faiss.ScalarQuantizer.QT_fp16
        graph = faiss.IndexHNSWSQ(segment.index.d, half, links, faiss.METRIC_INNER_PRODUCT)
        graph.hnsw.efConstruction = self._settings.ef_construction
        vectors = segment.index.reconstruct_n(0, segment.rows)
        graph.train(vectors[:1])
        graph.add(vectors)
        return replace(segment, index=graph, bytes=segment.bytes + segment.rows * links * 8, has_graph=True)


def _rows_kept(segment: _Segment, versions: Collection[UUID]) -> _Rows:
    """Which rows are of one of these versions."""
    return np.array([version in versions for version in segment.versions], dtype=np.bool_)[segment.version_numbers]


def _parameters(place: IndexPlace) -> dict[str, Any]:
    return {"tenant_id": place.tenant_id, "chatbot_id": place.chatbot_id}


_STATE: Final = """
    select knowledge_revision, pg_current_xact_id_if_assigned() is not null as has_written
    from chatbots where tenant_id = %(tenant_id)s and id = %(chatbot_id)s"""
_LIVE_VERSIONS: Final = """
    select v.id as version_id, v.chunk_count
    from documents d join document_versions v on v.tenant_id = d.tenant_id and v.id = d.live_version_id
    where d.tenant_id = %(tenant_id)s and d.chatbot_id = %(chatbot_id)s and d.deleted_at is null"""


def _count_rows(place: IndexPlace) -> str:
    return f"""
        select version_id, count(*) as entries from chunk_embeddings
        where tenant_id = %(tenant_id)s and chatbot_id = %(chatbot_id)s
            and embedding_version = {int(place.embedding_version or 0)}
            and version_id = any(%(version_ids)s::uuid[])
        group by version_id"""  # noqa: S608 - one integer of ours
