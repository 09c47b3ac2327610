"""Vectors of chatbots in this process's memory, each at one revision of its knowledge.

What a search may see is decided by the revision alone: every change of the knowledge raises it in its own commit, and
whoever names a revision must check, in the transaction of the request, that it is still the present one (decision 0018).
So nothing is looked up in PostgreSQL here. Comparing 2,000 vectors of 384 dimensions takes 0.2 ms; PostgreSQL takes
1.3 ms for it, and 0.7 ms with an index.

A chatbot is read in when it has been searched a few times, beside the searches, which PostgreSQL answers until then; when
its knowledge has changed, only what is new is read. Chunk vectors are kept in single precision, which needs no conversion,
sentence vectors in the half precision of PostgreSQL. Cosines are those of PostgreSQL but for the order of summation.
"""

from __future__ import annotations

import asyncio
import time
from collections import OrderedDict
from collections.abc import AsyncIterator, Sequence
from dataclasses import dataclass, field
from itertools import repeat
from typing import Any, Final
from uuid import UUID

import numpy as np
import structlog

from dragoman.adapters.vector_index._parts.stored_vectors import by_best_rank
from dragoman.kit.cache import CACHE_BYTES, CACHE_READS
from dragoman.kit.clock import Stopwatch
from dragoman.kit.reading import Reader
from dragoman.ports.embedder import Vectors
from dragoman.ports.external_index import IndexPlace
from dragoman.ports.search_scope import SearchScope
from dragoman.ports.vector_index import DenseHit, SentenceHit

_log = structlog.get_logger(__name__)

_AREA: Final = "vectors"
_SEARCHES_BEFORE: Final = 3  # of one revision, before a chatbot is read in
_REST_PER_WORK: Final = 20.0  # so many times as long as it took, a chatbot is not read again
_LEAST_REST_S: Final = 0.5
_REFUSED_REST_S: Final = 60.0
_BUSY_S: Final = 60.0  # a chatbot that was searched in this time does not make room for another
_UNUSED_S: Final = 900.0  # memory is given back when a chatbot has not been searched for so long
_CHUNKS_AT_ONCE: Final = (
    256  # rows a statement: 1 MB with five sentences each; reading them holds the loop for a few ms
)
_VERSIONS_AT_ONCE: Final = 1000
_CHUNK_BYTES: Final = 300  # of a chunk without its vectors: measured 270
_MOST_ASKED: Final = 10_000

_Numbers = np.ndarray[Any, np.dtype[np.int64]]
_Halves = np.ndarray[Any, np.dtype[np.uint16]]


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Remembered:
    """All live chunks of a chatbot at one revision, in the order of their ids.

    Attributes:
        vectors: of the chunks, shape `(n, d)`.
        versions: of which document version each is, a number in `version_ids`.
        owners: whose private document it is of, a number in `askers`; 0 for shared ones.
        sentences: shape `(m, d)`, half precision as bits; those of chunk `i` lie from `bounds[i]` to `bounds[i + 1]`.
        spans: into the chunk's text, shape `(m, 2)`.
    """

    revision: int
    chunk_ids: Sequence[UUID]
    places: dict[UUID, int]
    version_ids: Sequence[UUID]
    versions: _Numbers
    askers: dict[str, int]
    owners: _Numbers
    vectors: Vectors
    sentences: _Halves
    bounds: _Numbers
    spans: _Numbers

    @property
    def bytes(self) -> int:
        arrays = (self.versions, self.owners, self.vectors, self.sentences, self.bounds, self.spans)
        return sum(array.nbytes for array in arrays) + _CHUNK_BYTES * len(self.chunk_ids)

    def search(
        self, query: Vectors, asker: str | None, *, limit: int, depth: int, all_sentences_up_to: int
    ) -> list[DenseHit]:
        """As the port; by sentence, among the `depth` nearest chunks, or all where there are no more than given."""
        if not self.chunk_ids:
            return []
        asked = _as_stored(query)
        cosines = _cosines(self.vectors, asked)
        seen = self._seen(asker)
        if seen is not None:
            cosines = np.where(seen, cosines, -np.inf)
        has_sentences = len(self.sentences) > 0
        visible = len(cosines) if seen is None else int(seen.sum())
        if not has_sentences:
            depth = limit
        elif len(cosines) <= all_sentences_up_to:
            depth = visible
        nearest = _highest(cosines, min(depth, visible))
        best = self._best_sentences(nearest, asked) if has_sentences else None
        if best is not None:
            by_sentence = _highest(best, limit, ties=nearest)
            chosen = np.zeros(len(nearest), dtype=np.bool_)
            chosen[:limit] = True
            chosen[by_sentence[best[by_sentence] > -np.inf]] = True
            nearest, best = nearest[chosen], best[chosen]
        return by_best_rank(self._hits(nearest, cosines[nearest], best))

    def score(self, query: Vectors, asker: str | None, chunk_ids: Sequence[UUID]) -> list[DenseHit]:
        """As the port."""
        rows = self._rows(asker, chunk_ids)
        if not len(rows):
            return []
        asked = _as_stored(query)
        cosines = _cosines(self.vectors[rows], asked)
        hits = self._hits(rows, cosines, self._best_sentences(rows, asked) if len(self.sentences) else None)
        return sorted(hits, key=lambda hit: (-hit.cosine, hit.chunk_id))

    def score_sentences(self, query: Vectors, asker: str | None, chunk_ids: Sequence[UUID]) -> list[SentenceHit]:
        """As the port."""
        rows = np.sort(self._rows(asker, chunk_ids))
        wanted, counts, _ = self._sentences_of(rows)
        if not len(wanted):
            return []
        cosines = _clipped(_cosines(_widened(self.sentences[wanted]), _as_stored(query)))
        chunks = [self.chunk_ids[row] for row in np.repeat(rows, counts).tolist()]
        return [
            SentenceHit(chunk_id=chunk_id, start=start, end=end, cosine=cosine)
            for chunk_id, (start, end), cosine in zip(chunks, self.spans[wanted].tolist(), cosines, strict=True)
        ]

    def vectors_of(self, asker: str | None, chunk_ids: Sequence[UUID]) -> dict[UUID, Vectors]:
        """As the port's `vectors`."""
        rows = self._rows(asker, chunk_ids)
        return {self.chunk_ids[row]: self.vectors[row] for row in rows.tolist()}

    def _seen(self, asker: str | None) -> np.ndarray[Any, np.dtype[np.bool_]] | None:
        """Which chunks the asker may see; None for all."""
        if not self.askers:
            return None
        own = self.askers.get(asker, 0) if asker is not None else 0
        shared: np.ndarray[Any, np.dtype[np.bool_]] = self.owners == 0
        return shared | (self.owners == own) if own else shared

    def _rows(self, asker: str | None, chunk_ids: Sequence[UUID]) -> _Numbers:
        known = [row for row in map(self.places.get, dict.fromkeys(chunk_ids)) if row is not None]
        rows = np.array(known, dtype=np.int64)
        seen = self._seen(asker)
        return rows if seen is None else rows[seen[rows]]

    def _sentences_of(self, rows: _Numbers) -> tuple[_Numbers, _Numbers, _Numbers]:
        """The sentences of these chunks, one chunk's after the other's; how many each has, and where its first one is."""
        counts = self.bounds[rows + 1] - self.bounds[rows]
        firsts = np.cumsum(counts) - counts
        wanted = np.arange(int(counts.sum()), dtype=np.int64) + np.repeat(self.bounds[rows] - firsts, counts)
        return wanted, counts, firsts

    def _best_sentences(self, rows: _Numbers, asked: Vectors) -> Vectors:
        """The highest cosine of each chunk's sentences; minus infinity where it has none."""
        wanted, counts, firsts = self._sentences_of(rows)
        best = np.full(len(rows), -np.inf, dtype=np.float32)
        has = counts > 0
        if has.any():
            best[has] = np.maximum.reduceat(_cosines(_widened(self.sentences[wanted]), asked), firsts[has])
        return best

    def _hits(self, rows: _Numbers, cosines: Vectors, best: Vectors | None) -> list[DenseHit]:
        chunks = [self.chunk_ids[row] for row in rows.tolist()]
        by_chunk = _clipped(cosines)
        if best is None:
            return list(map(DenseHit, chunks, by_chunk, repeat(None)))
        by_sentence = [
            None if missing else value for value, missing in zip(_clipped(best), np.isneginf(best), strict=True)
        ]
        return list(map(DenseHit, chunks, by_chunk, by_sentence))


# --- numbers ---------------------------------------------------------------------------------------------------------


def _as_stored(query: Vectors) -> Vectors:
    """The query as PostgreSQL receives it."""
    return query.astype(np.float16).astype(np.float32)


def _cosines(vectors: Vectors, asked: Vectors) -> Vectors:
    # `@` hands a matrix of this size to several threads, which cost five times the processor time that one takes.
    found: Vectors = np.einsum("ij,j->i", vectors, asked)
    return found


def _widened(halves: _Halves) -> Vectors:
    """Half precision, given as bits, in single precision: four times as fast as `astype`.

    The bits are moved to where single precision has them, and a factor corrects the bias of the exponent, also of
    numbers below the least normal one (F. Giesen, "half to float done quick", 2012). There are no infinities here.
    """
    bits = halves.astype(np.uint32)
    signs = bits & np.uint32(0x8000)
    bits &= np.uint32(0x7FFF)
    bits <<= np.uint32(13)
    signs <<= np.uint32(16)
    bits |= signs
    wide: Vectors = bits.view(np.float32)
    wide *= np.float32(2.0**112)
    return wide


def _clipped(cosines: Vectors) -> list[float]:
    """Half precision may leave a cosine a hair beyond 1."""
    clipped: list[float] = np.clip(cosines, -1.0, 1.0).tolist()
    return clipped


def _highest(values: Vectors, count: int, *, ties: _Numbers | None = None) -> _Numbers:
    """Where the `count` highest values lie, highest first; of equal ones the first, or that with the lower of `ties`."""
    if count <= 0:
        return np.empty(0, dtype=np.int64)
    if count < len(values):
        least = np.partition(values, len(values) - count)[len(values) - count]
        places = np.flatnonzero(values >= least)
    else:
        places = np.arange(len(values))
    order = np.lexsort((places if ties is None else ties[places], -values[places]))
    return places[order[:count]]


# --- the shelf of all chatbots ---------------------------------------------------------------------------------------


@dataclass(slots=True, kw_only=True)
class _Asked:
    """How a chatbot that is not remembered at its revision is asked for."""

    revision: int = -1
    searches: int = 0
    rests_until: float = 0.0


@dataclass(slots=True)
class _Shelf:
    remembered: Remembered
    used_at: float


@dataclass(slots=True, kw_only=True)
class RememberedVectors:
    """What this process remembers: `max_bytes` in all, of chatbots whose chunks' vectors take up to `largest_bytes`."""

    max_bytes: int
    largest_bytes: int
    _shelves: OrderedDict[IndexPlace, _Shelf] = field(default_factory=OrderedDict)
    _asked: OrderedDict[IndexPlace, _Asked] = field(default_factory=OrderedDict)
    _wanted: OrderedDict[IndexPlace, None] = field(default_factory=OrderedDict)
    _is_wanted: asyncio.Event = field(default_factory=asyncio.Event)
    _bytes: int = 0

    def find(self, scope: SearchScope, embedding_version: int, *, is_new: bool = False) -> Remembered | None:
        """The chatbot's vectors at the revision of the scope; None: PostgreSQL must be asked.

        `is_new` with the first question of a search, by which it is counted.
        """
        if scope.knowledge_revision is None or not self.max_bytes:
            return None
        place = IndexPlace(tenant_id=scope.tenant_id, chatbot_id=scope.chatbot_id, embedding_version=embedding_version)
        shelf = self._shelves.get(place)
        if shelf is not None and shelf.remembered.revision == scope.knowledge_revision:
            shelf.used_at = time.monotonic()
            self._shelves.move_to_end(place)
            if is_new:
                _HITS.inc()
            return shelf.remembered
        if is_new:
            _MISSES.inc()
            self._ask_for(place, scope.knowledge_revision)
        return None

    def _ask_for(self, place: IndexPlace, revision: int) -> None:
        asked = self._asked.setdefault(place, _Asked())
        self._asked.move_to_end(place)
        while len(self._asked) > _MOST_ASKED:
            self._asked.popitem(last=False)
        if asked.revision != revision:
            asked.revision, asked.searches = revision, 0
        asked.searches += 1
        if asked.searches >= _SEARCHES_BEFORE and time.monotonic() >= asked.rests_until:
            self._wanted[place] = None
            self._is_wanted.set()

    async def next_place(self) -> IndexPlace:
        """Waits for a chatbot that should be read in; meanwhile forgets what is not used."""
        while not self._wanted:
            self._is_wanted.clear()
            try:
                async with asyncio.timeout(_UNUSED_S / 10):
                    await self._is_wanted.wait()
            except TimeoutError:
                self._forget_unused()
        return self._wanted.popitem(last=False)[0]

    async def read(self, connection: Reader, place: IndexPlace) -> None:
        """Read a chatbot in, or what has changed of it, in one transaction. Raises as the connection."""
        watch = Stopwatch()
        asked = self._asked.setdefault(place, _Asked())
        asked.rests_until = time.monotonic() + _REFUSED_REST_S  # if it fails
        shelf = self._shelves.get(place)
        read = await self._read(connection, place, shelf.remembered if shelf else None)
        if read is None or not self._make_room(place, read.bytes):
            self._drop(place)
            return
        self._drop(place)
        self._shelves[place] = _Shelf(read, time.monotonic())
        self._bytes += read.bytes
        _BYTES.set(self._bytes)
        spent_s = watch.elapsed_ms / 1000
        asked.rests_until = time.monotonic() + max(_LEAST_REST_S, _REST_PER_WORK * spent_s)
        _log.debug("vectors.remembered", chatbot_id=str(place.chatbot_id), chunks=len(read.chunk_ids), seconds=spent_s)

    async def _read(self, connection: Reader, place: IndexPlace, known: Remembered | None) -> Remembered | None:
        """None where the chatbot is too large, or has chunks whose vectors are still being made."""
        parameters = {"tenant_id": place.tenant_id, "chatbot_id": place.chatbot_id}
        found = (await connection.exec_driver_sql(_LIVE_VERSIONS, parameters)).all()
        live = [row for row in found if row.version_id is not None]
        expected = sum(row.chunk_count for row in live)
        if not found:
            return None
        owner_of = {row.version_id: row.owner for row in live}
        kept = np.zeros(0, dtype=np.bool_)
        if known is not None:
            is_live = np.array([version in owner_of for version in known.version_ids], dtype=np.bool_)
            kept = is_live[known.versions]
        held = set(known.version_ids) if known is not None else set()
        parts: list[_Part] = []
        size = 0
        async for part in _read_parts(connection, place, [version for version in owner_of if version not in held]):
            parts.append(part)
            size += part.vectors.nbytes + part.sentences.nbytes
            if expected * part.vectors[0].nbytes > self.largest_bytes or size > self.max_bytes:
                return None
        made = await asyncio.to_thread(_united, found[0].revision, known, kept, parts, owner_of)
        return made if len(made.chunk_ids) == expected else None

    def _make_room(self, place: IndexPlace, size: int) -> bool:
        """Whether the vectors fit, after those that nobody searches now have gone."""
        here = self._shelves[place].remembered.bytes if place in self._shelves else 0
        moment = time.monotonic()
        for other in list(self._shelves):
            if self._bytes - here + size <= self.max_bytes:
                break
            if other != place and moment - self._shelves[other].used_at > _BUSY_S:
                self._drop(other)
        return self._bytes - here + size <= self.max_bytes

    def _forget_unused(self) -> None:
        moment = time.monotonic()
        for place in list(self._shelves):
            if moment - self._shelves[place].used_at > _UNUSED_S:
                self._drop(place)

    def _drop(self, place: IndexPlace) -> None:
        shelf = self._shelves.pop(place, None)
        if shelf is not None:
            self._bytes -= shelf.remembered.bytes
            _BYTES.set(self._bytes)


_HITS: Final = CACHE_READS.labels(_AREA, "process", "hit")
_MISSES: Final = CACHE_READS.labels(_AREA, "process", "miss")
_BYTES: Final = CACHE_BYTES.labels(_AREA)


# --- reading ---------------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class _Part:
    """Some chunks as they were read, in no order; `counts` is how many sentences each has."""

    chunk_ids: Sequence[UUID]
    version_ids: Sequence[UUID]
    vectors: Vectors
    sentences: _Halves
    counts: _Numbers
    spans: _Numbers


async def _read_parts(connection: Reader, place: IndexPlace, version_ids: Sequence[UUID]) -> AsyncIterator[_Part]:
    statement = _read_chunks(int(place.embedding_version or 0))
    for start in range(0, len(version_ids), _VERSIONS_AT_ONCE):
        parameters = {
            "tenant_id": place.tenant_id,
            "chatbot_id": place.chatbot_id,
            "version_ids": list(version_ids[start : start + _VERSIONS_AT_ONCE]),
            "limit": _CHUNKS_AT_ONCE,
        }
        after = UUID(int=0)
        while True:
            rows = (await connection.exec_driver_sql(statement, {**parameters, "after": after})).all()
            if rows:
                yield _part_of(rows)
                after = rows[-1].chunk_id
            if len(rows) < _CHUNKS_AT_ONCE:
                break


def _part_of(rows: Sequence[Any]) -> _Part:
    halves = _halves([row.embedding for row in rows])
    spans = [(start, end) for row in rows for start, end in zip(row.starts or (), row.ends or (), strict=True)]
    return _Part(
        chunk_ids=[row.chunk_id for row in rows],
        version_ids=[row.version_id for row in rows],
        vectors=_widened(halves),
        sentences=_halves([row.sentences for row in rows if row.sentences], dimensions=halves.shape[1]),
        counts=np.array([len(row.starts or ()) for row in rows], dtype=np.int64),
        spans=np.array(spans, dtype=np.int64).reshape(-1, 2),
    )


def _halves(sent: Sequence[Any], *, dimensions: int | None = None) -> _Halves:
    """Vectors as `halfvec_send` writes them, one after the other: each a length and a zero of 16 bits, then its numbers."""
    joined = np.frombuffer(b"".join(sent), dtype=">u2")
    width = 2 + (int(joined[0]) if dimensions is None else dimensions)
    return joined.reshape(-1, width)[:, 2:].astype(np.uint16)


def _united(
    revision: int,
    known: Remembered | None,
    kept: np.ndarray[Any, np.dtype[np.bool_]],
    parts: Sequence[_Part],
    owner_of: dict[UUID, str | None],
) -> Remembered:
    """What is kept of the known chunks, and the new ones, in the order of their ids."""
    pieces = list(parts)
    if known is not None and kept.any():
        rows = np.flatnonzero(kept)
        wanted, counts, _ = known._sentences_of(rows)
        pieces.insert(
            0,
            _Part(
                chunk_ids=[known.chunk_ids[row] for row in rows.tolist()],
                version_ids=[known.version_ids[number] for number in known.versions[rows].tolist()],
                vectors=known.vectors[rows],
                sentences=known.sentences[wanted],
                counts=counts,
                spans=known.spans[wanted],
            ),
        )
    chunk_ids = [chunk_id for piece in pieces for chunk_id in piece.chunk_ids]
    versions = [version_id for piece in pieces for version_id in piece.version_ids]
    order = sorted(range(len(chunk_ids)), key=chunk_ids.__getitem__)
    rows = np.array(order, dtype=np.int64)
    counts = _joined([piece.counts for piece in pieces], np.zeros(0, dtype=np.int64))
    firsts = np.cumsum(counts) - counts
    sorted_counts = counts[rows]
    bounds = np.concatenate([np.zeros(1, dtype=np.int64), np.cumsum(sorted_counts)])
    wanted = np.arange(int(counts.sum()), dtype=np.int64) + np.repeat(firsts[rows] - bounds[:-1], sorted_counts)
    number_of = {version_id: number for number, version_id in enumerate(dict.fromkeys(versions))}
    askers = {asker: number for number, asker in enumerate(sorted({o for o in owner_of.values() if o is not None}), 1)}
    asker_of = {version: 0 if owner is None else askers[owner] for version, owner in owner_of.items()}
    owners = [asker_of[version_id] for version_id in versions]
    in_order = [chunk_ids[row] for row in order]
    return Remembered(
        revision=revision,
        chunk_ids=in_order,
        places={chunk_id: row for row, chunk_id in enumerate(in_order)},
        version_ids=list(number_of),
        versions=np.array([number_of[version_id] for version_id in versions], dtype=np.int64)[rows],
        askers=askers,
        owners=np.array(owners, dtype=np.int64)[rows],
        vectors=_joined([piece.vectors for piece in pieces], np.zeros((0, 1), dtype=np.float32))[rows],
        sentences=_joined([piece.sentences for piece in pieces], np.zeros((0, 1), dtype=np.uint16))[wanted],
        bounds=bounds,
        spans=_joined([piece.spans for piece in pieces], np.zeros((0, 2), dtype=np.int64))[wanted],
    )


def _joined(arrays: Sequence[Any], empty: Any) -> Any:
    return np.concatenate(arrays) if arrays else empty


# One row without a version where nothing is live; none where there is no such chatbot.
_LIVE_VERSIONS: Final = """
    select c.knowledge_revision as revision, v.id as version_id, v.chunk_count,
        case when d.visibility <> 'shared' then d.owner end as owner
    from chatbots c
    left join documents d on d.tenant_id = c.tenant_id and d.chatbot_id = c.id and d.deleted_at is null
        and d.live_version_id is not null
    left join document_versions v on v.tenant_id = d.tenant_id and v.id = d.live_version_id
    where c.tenant_id = %(tenant_id)s and c.id = %(chatbot_id)s"""


def _read_chunks(embedding_version: int) -> str:
    return f"""
        select e.chunk_id, e.version_id, halfvec_send(e.embedding) as embedding, s.sentences, s.starts, s.ends
        from chunk_embeddings e left join lateral (
            select string_agg(halfvec_send(x.embedding), ''::bytea order by x.start_offset) as sentences,
                array_agg(x.start_offset order by x.start_offset) as starts,
                array_agg(x.end_offset order by x.start_offset) as ends
            from sentence_embeddings x
            where x.tenant_id = e.tenant_id and x.chatbot_id = e.chatbot_id
                and x.embedding_version = {embedding_version} and x.chunk_id = e.chunk_id
        ) s on true
        where e.tenant_id = %(tenant_id)s and e.chatbot_id = %(chatbot_id)s
            and e.embedding_version = {embedding_version} and e.version_id = any(%(version_ids)s::uuid[])
            and e.chunk_id > %(after)s
        order by e.chunk_id limit %(limit)s"""  # noqa: S608 - one integer of ours
