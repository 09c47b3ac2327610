"""Keyword search in PostgreSQL: postings packed in blocks, scored by BM25.

Row-level security bars a GIN index on a tsvector (`@@` is not leakproof: all rows of the tenant would be filtered), so
the rows here are found by equality of uuid and integer. What is written together is one segment, a row for about 8 KB of
postings; segments are merged as they become many. The postings of a question's words are read under row-level security
and scored here, all of them: the best are exact. Segments never change, so this process keeps those read last.

Measured on 100,000 chunks of 60 words in one chatbot, questions of 3 to 8 words, processor time of a search in both
processes: 3.5 ms (reading and decoding what is not kept at hand: 18 ms); `ts_rank` with a GIN index on the same texts 51 ms
under row-level security, 20 ms without; a row for each term and version, as it was before, 40 ms. 241 bytes a chunk (the
tsvector with its index 1,103, the rows 6,800), 111 ms to write 1,000 chunks (the rows 428).

What can be seen is decided anew wherever the chatbot's `knowledge_revision` has changed, from the documents themselves. A
search whose scope names the revision, since it checks that itself, asks nothing of PostgreSQL but what is not at hand.
"""

# ruff: noqa: S608 - the SQL is put together from constants; every value is a parameter

from __future__ import annotations

import asyncio
import math
from collections import Counter, OrderedDict, defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final
from uuid import UUID

import numpy as np
from numpy.typing import NDArray
from pydantic import BaseModel, ConfigDict, Field
from sqlalchemy.ext.asyncio import AsyncConnection

from dragoman.adapters.keyword_index._parts import spelling
from dragoman.adapters.keyword_index._parts.question import (
    CORRECTED,
    MOST_TOKENS,
    Check,
    Question,
    check_of,
    read_question,
)
from dragoman.adapters.keyword_index._parts.ranking import Blocks, Part, Ranking, Scores, Snapshot, Token, Unit
from dragoman.adapters.keyword_index._parts.segments import (
    MOST_CHUNKS,
    Block,
    Directory,
    Numbers,
    Place,
    Segment,
    Source,
    Terms,
    merge,
    pack,
)
from dragoman.adapters.scope_sql import chunk_conditions, scope_parameters, visible_versions
from dragoman.kit.errors import UnavailableError
from dragoman.kit.reading import ReadConnection, Reader
from dragoman.kit.text.terms import analyse
from dragoman.ports.keyword_index import NO_SYNONYMS, KeywordChunk, KeywordFound, KeywordHit, KeywordTerm
from dragoman.ports.search_scope import SearchScope

# Of one size: they are merged; sizes are powers of this. Merging costs 26 µs a chunk, each segment 50 µs a search.
_MANY_SEGMENTS: Final = 4
_WORN_OUT: Final = 8  # a segment is written anew once one part in this many is forgotten
_MOST_VOCABULARY_BLOCKS: Final = 400  # are read to mend one word
_VERIFIED_FIRST: Final = 64  # candidates of a phrase or a filter; each next batch is larger
_VERIFIED_GROWTH: Final = 4
_MOST_READ: Final = 2000  # candidates whose text is read for a phrase, the best by their words: 0.1 ms each
_MOST_ATTEMPTS: Final = 5
_OWN_BYTES: Final = 1000  # of what is kept for an asker, without the numbers of their private documents

_Pair = tuple[int, bytes]  # a chunk's place in a snapshot, and its id


class KeywordIndexBusyError(UnavailableError):
    """The keyword index was rewritten again and again while it was read. Try again."""

    code = "keyword_index.busy"


class Settings(BaseModel):
    """The two parameters of BM25, what near and related words count, and memory."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    k1: float = Field(default=1.2, ge=0, description="How soon further occurrences of a word stop counting.")
    b: float = Field(
        default=0.75, ge=0, le=1, description="How far long chunks are marked down: 0 not at all, 1 fully."
    )
    synonym_weight: float = Field(
        default=0.5, ge=0, le=1, description="What another word for a word of the question counts beside it."
    )
    corrects_spelling: bool = Field(
        default=True, description="Look for the words spelled most alike where nothing holds a word of the question."
    )
    cache_mib: int = Field(default=64, ge=0, description="MiB of the index that each process keeps in memory.")


class Adapter:
    """BM25 as in Robertson and Zaragoza 2009, `idf = ln(1 + (N - df + 0.5) / (df + 0.5))`.

    `N`, the average length and `df` count what the scope can see, so that private documents of others leave no trace
    in a score; a filter by language or heading is applied to the hits only. A token's part of the score is that of its
    best alternative.
    """

    def __init__(self, settings: Settings) -> None:
        self._settings = settings
        self._cache = _Cache(settings.cache_mib << 20)

    # --- writing

    async def add(
        self,
        connection: AsyncConnection,
        *,
        tenant_id: UUID,
        chatbot_id: UUID,
        versions: Mapping[UUID, Sequence[KeywordChunk]],
    ) -> None:
        segments = await asyncio.to_thread(_packed, versions)
        place = {"tenant_id": tenant_id, "chatbot_id": chatbot_id}
        await _forget(connection, {**place, "version_ids": list(versions)})
        for segment in segments:
            await _insert(connection, place, segment)
        await _merge_many(connection, place, at_least=_MANY_SEGMENTS)

    async def remove_version(self, connection: AsyncConnection, *, tenant_id: UUID, version_id: UUID) -> None:
        parameters = {"tenant_id": tenant_id, "version_ids": [version_id]}
        for row in await _forget(connection, parameters):
            place = {"tenant_id": tenant_id, "chatbot_id": row.chatbot_id}
            parameters = {**place, "segment_ids": [row.segment_id]}
            worn = (await connection.exec_driver_sql(_WEAR, parameters)).one_or_none()
            if worn is not None and worn.forgotten * _WORN_OUT >= worn.chunk_count:
                await _rewrite(connection, place, [row.segment_id])

    async def tidy(self, connection: AsyncConnection, *, tenant_id: UUID, chatbot_id: UUID) -> bool:
        place = {"tenant_id": tenant_id, "chatbot_id": chatbot_id}
        worn = [
            row.id
            for row in (await connection.exec_driver_sql(_WEAR, {**place, "segment_ids": None})).all()
            if row.forgotten
        ]
        if worn:
            return await _rewrite(connection, place, worn[:1]) and len(worn) > 1
        return await _merge_many(connection, place, at_least=_MANY_SEGMENTS // 2)

    async def list_missing(
        self, connection: AsyncConnection, *, tenant_id: UUID, chatbot_id: UUID, limit: int
    ) -> list[UUID]:
        parameters = {"tenant_id": tenant_id, "chatbot_id": chatbot_id, "limit": limit}
        return list((await connection.exec_driver_sql(_MISSING, parameters)).scalars())

    # --- searching

    def prefetch(self, connection: ReadConnection, *, scope: SearchScope) -> None:
        parameters = scope_parameters(scope)
        if self._kept_shared(scope) is None:
            connection.prefetch(_STATE, parameters)
        if scope.owner is not None and not _filters_documents(scope) and self._kept_snapshot(scope) is None:
            connection.prefetch(_OWN, parameters)

    async def search(
        self,
        connection: Reader,
        *,
        scope: SearchScope,
        query: str,
        languages: Sequence[str],
        limit: int,
        also: Sequence[UUID] = (),
        question_language: str = "",
        synonyms: Mapping[str, Sequence[str]] = NO_SYNONYMS,
        operators: bool = False,
    ) -> KeywordFound:
        question = read_question(query, languages, question_language, synonyms, operators=operators)
        if not question.tokens or limit <= 0:
            return KeywordFound(hits=(), terms=())
        for attempt in range(_MOST_ATTEMPTS):
            # Segments that were merged since are found missing at their blocks: then everything is looked at anew.
            kept = None if attempt else self._kept_snapshot(scope)
            try:
                snapshot = kept or await self._snapshot(connection, scope)
                found = await self._found(connection, scope, snapshot, question)
            except _MovedError:
                continue
            return await _answer(connection, scope, snapshot, found, limit=limit, also=also)
        raise KeywordIndexBusyError

    async def _found(self, connection: Reader, scope: SearchScope, snapshot: Snapshot, question: Question) -> _Found:
        """Everything that matches, with its score."""
        forbidden = [token for tokens in question.forbidden for token in tokens]
        blocks = await self._blocks(connection, scope, _blocks_of(snapshot, [*question.all_tokens(), *forbidden]))
        ranking = self._ranking(snapshot, blocks)
        tokens = list(question.tokens)
        parts = [ranking.part(token) for token in tokens]
        for number, token in enumerate(tokens):
            if not len(parts[number].chunks) and question.corrects(token):
                tokens[number] = await self._corrected(connection, scope, snapshot, token)
                if tokens[number].corrected_from:
                    more = await self._blocks(connection, scope, _blocks_of(snapshot, [tokens[number]]))
                    parts[number] = self._ranking(snapshot, more).part(tokens[number])
        units = _kept_units(question, parts)
        scores = ranking.scores(units, parts)
        allowed = _allowed(question, ranking, parts, len(snapshot.lengths))
        return _Found(question=question, tokens=tokens, parts=parts, units=units, scores=scores, allowed=allowed)

    def _ranking(self, snapshot: Snapshot, blocks: Blocks) -> Ranking:
        settings = self._settings
        return Ranking(snapshot, blocks, k1=settings.k1, b=settings.b, synonym_weight=settings.synonym_weight)

    async def _corrected(self, connection: Reader, scope: SearchScope, snapshot: Snapshot, token: Token) -> Token:
        """The token by the words spelled most like it, the most frequent of them; itself where there are none."""
        near: dict[int, set[str]] = defaultdict(set)
        blocks: dict[tuple[UUID, int], Block] = {}
        for form in token.forms if self._settings.corrects_spelling else ():
            if errors := spelling.most_errors(form):
                beginning, numbers = _vocabulary(snapshot, form)
                blocks |= await self._blocks(connection, scope, numbers)
                words = _words(blocks, numbers, beginning)
                for distance, others in spelling.likely(form, words, errors=errors).items():
                    near[distance].update(others)
        ranking = self._ranking(snapshot, blocks)
        for distance in sorted(near):
            chosen = spelling.choose({word: ranking.count(word.encode()) for word in near[distance]})
            if chosen:
                return Token(tuple(chosen), corrected_from=token.forms[0], factor=CORRECTED[distance])
        return token

    # --- reading the index

    def _kept_shared(self, scope: SearchScope) -> tuple[Any, Snapshot] | None:
        """The mark and the snapshot of the shared documents at the revision that the scope names."""
        if scope.knowledge_revision is None or _filters_documents(scope):
            return None
        kept: tuple[Any, Snapshot] | None = self._cache.get(("shared", scope.tenant_id, scope.chatbot_id))
        return kept if kept is not None and kept[0][0] == scope.knowledge_revision else None

    def _kept_snapshot(self, scope: SearchScope) -> Snapshot | None:
        """What the scope sees, as it was found at that revision."""
        shared = self._kept_shared(scope)
        if shared is None or scope.owner is None:
            return shared[1] if shared else None
        own = self._cache.get(("own", scope.tenant_id, scope.chatbot_id, scope.owner))
        return shared[1].with_more(own[1]) if own is not None and own[0] == shared[0] else None

    async def _snapshot(self, connection: Reader, scope: SearchScope) -> Snapshot:
        """What the scope sees. The shared documents of a chatbot are kept until its revision or its segments change."""
        parameters = scope_parameters(scope)
        state = (await connection.exec_driver_sql(_STATE, parameters)).one_or_none()
        segment_ids = tuple(state.segment_ids or ()) if state is not None else ()
        if _filters_documents(scope):
            return await self._seen(connection, scope, segment_ids)
        shared = await self._shared(connection, scope, state, segment_ids)
        if scope.owner is None:
            return shared
        rows = (await connection.exec_driver_sql(_OWN, parameters)).all()
        own = _numbers(rows)
        if not own.keys() <= set(segment_ids):
            raise _MovedError
        if state is not None and not state.writes:
            size = _OWN_BYTES + sum(numbers.nbytes for numbers in own.values())
            self._cache.put(
                ("own", scope.tenant_id, scope.chatbot_id, scope.owner), (_mark_of(state, segment_ids), own), size
            )
        return shared.with_more(own)

    async def _shared(
        self, connection: Reader, scope: SearchScope, state: Any, segment_ids: tuple[UUID, ...]
    ) -> Snapshot:
        key = ("shared", scope.tenant_id, scope.chatbot_id)
        kept: tuple[Any, Snapshot] | None = self._cache.get(key)
        mark = None if state is None or state.writes else _mark_of(state, segment_ids)
        if kept is not None and kept[0] == mark:
            return kept[1]
        everyone = SearchScope(tenant_id=scope.tenant_id, chatbot_id=scope.chatbot_id)
        snapshot = await self._seen(connection, everyone, segment_ids)
        again = (await connection.exec_driver_sql(_STATE, scope_parameters(scope))).one_or_none()
        is_same = again is not None and mark == _mark_of(again, tuple(again.segment_ids or ()))
        if mark is not None and is_same:
            self._cache.put(key, (mark, snapshot), snapshot.byte_count)
        return snapshot

    async def _seen(self, connection: Reader, scope: SearchScope, segment_ids: tuple[UUID, ...]) -> Snapshot:
        rows = (await connection.exec_driver_sql(_visible(scope), scope_parameters(scope))).all()
        numbers = _numbers(rows)
        if not numbers.keys() <= set(segment_ids):
            raise _MovedError
        directories = await self._directories(connection, scope, segment_ids)
        return Snapshot.seen([(segment_id, directories[segment_id]) for segment_id in segment_ids], numbers)

    async def _directories(
        self, connection: Reader, scope: SearchScope, segment_ids: Sequence[UUID]
    ) -> dict[UUID, Directory]:
        found = {one: self._cache.get(("directory", scope.tenant_id, one)) for one in segment_ids}
        missing = [one for one, directory in found.items() if directory is None]
        if missing:
            parameters = {**scope_parameters(scope), "segment_ids": missing}
            for row in (await connection.exec_driver_sql(_DIRECTORIES, parameters)).all():
                directory = found[row.id] = Directory(row.directory)
                self._cache.put(("directory", scope.tenant_id, row.id), directory, directory.byte_count)
        if None in found.values():
            raise _MovedError
        return found

    async def _blocks(
        self, connection: Reader, scope: SearchScope, wanted: Iterable[tuple[UUID, int]]
    ) -> dict[tuple[UUID, int], Block]:
        found = {one: self._cache.get(("block", scope.tenant_id, *one)) for one in wanted}
        missing = [one for one, block in found.items() if block is None]
        if missing:
            parameters = {
                "tenant_id": scope.tenant_id,
                "chatbot_id": scope.chatbot_id,
                "segment_ids": [segment_id for segment_id, _ in missing],
                "numbers": [number for _, number in missing],
            }
            for row in (await connection.exec_driver_sql(_BLOCKS, parameters)).all():
                block = found[row.segment_id, row.number] = Block(row.content)
                self._cache.put(("block", scope.tenant_id, row.segment_id, row.number), block, block.byte_count)
        if None in found.values():
            raise _MovedError
        return found


class _MovedError(Exception):
    """Segments were merged between two statements."""


class _Cache:
    """What was read last, up to a number of bytes. Nothing in it ever changes."""

    def __init__(self, most_bytes: int) -> None:
        self._most, self._bytes = most_bytes, 0
        self._kept: OrderedDict[tuple[Any, ...], tuple[Any, int]] = OrderedDict()

    def get(self, key: tuple[Any, ...]) -> Any:
        kept = self._kept.get(key)
        if kept is None:
            return None
        self._kept.move_to_end(key)
        return kept[0]

    def put(self, key: tuple[Any, ...], value: object, byte_count: int) -> None:
        self._bytes += byte_count - self._kept.pop(key, (None, 0))[1]
        self._kept[key] = (value, byte_count)
        while self._bytes > self._most:
            _, (_, freed) = self._kept.popitem(last=False)
            self._bytes -= freed


# --- the blocks of a question -----------------------------------------------------------------------------------------


def _blocks_of(snapshot: Snapshot, tokens: Iterable[Token]) -> set[tuple[UUID, int]]:
    looked_for = {(form.encode("utf-8", "replace"), token.is_prefix) for token in tokens for form in token.forms}
    return {
        (segment_id, number)
        for segment_id, directory in snapshot.segments
        for form, is_prefix in looked_for
        for number in (directory.blocks_of_prefix(form) if is_prefix else directory.blocks_of(form))
    }


def _vocabulary(snapshot: Snapshot, form: str) -> tuple[bytes, list[tuple[UUID, int]]]:
    """The blocks of the words that begin like this one: with its first letter, or two where those are too many."""
    for letters in (1, 2):
        beginning = form[:letters].encode()
        numbers = [
            (segment_id, number)
            for segment_id, directory in snapshot.segments
            for number in directory.blocks_of_prefix(beginning)
        ]
        if len(numbers) <= _MOST_VOCABULARY_BLOCKS:
            return beginning, numbers
    return beginning, numbers[:_MOST_VOCABULARY_BLOCKS]


def _words(blocks: Blocks, numbers: Iterable[tuple[UUID, int]], beginning: bytes) -> list[str]:
    distinct = {term for number in numbers for term in blocks[number].terms if term.startswith(beginning)}
    return [word for word in (term.decode() for term in distinct) if word.isalpha()]


# --- the answer ------------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True, kw_only=True)
class _Found:
    """What matches. `tokens` are as they were looked for in the end; `allowed` has an entry a chunk, None for all."""

    question: Question
    tokens: Sequence[Token]
    parts: Sequence[Part]
    units: Sequence[Unit]
    scores: Scores
    allowed: NDArray[np.bool_] | None

    def terms(self) -> list[KeywordTerm]:
        kept = sorted(number for unit in self.units for number in unit.tokens)
        return [
            KeywordTerm(
                alternatives=self.tokens[number].forms,
                weight=self.parts[number].idf,
                corrected_from=self.tokens[number].corrected_from,
            )
            for number in kept
        ]


def _kept_units(question: Question, parts: Sequence[Part]) -> list[Unit]:
    """All units; of a very long question the rarest that occur, and what must occur."""
    if len(question.tokens) <= MOST_TOKENS:
        return list(question.units)

    def rarity(unit: Unit) -> tuple[bool, float]:
        return question.required.isdisjoint(unit.tokens), -max(parts[number].idf for number in unit.tokens)

    held = [unit for unit in question.units if any(len(parts[number].chunks) for number in unit.tokens)]
    return sorted(sorted(held, key=rarity)[:MOST_TOKENS], key=lambda unit: unit.tokens)


def _allowed(question: Question, ranking: Ranking, parts: Sequence[Part], size: int) -> NDArray[np.bool_] | None:
    """The chunks that hold what is required and nothing forbidden."""
    if not question.required and not question.forbidden:
        return None
    allowed = np.ones(size, np.bool_)
    for number in question.required:
        holds = np.zeros(size, np.bool_)
        holds[parts[number].chunks] = True
        allowed &= holds
    for tokens in question.forbidden:
        held = np.zeros(size, np.int64)
        for token in tokens:
            held[ranking.part(token).chunks] += 1
        allowed &= (held < len(tokens)) | (not tokens)
    return allowed


async def _answer(
    connection: Reader, scope: SearchScope, snapshot: Snapshot, found: _Found, *, limit: int, also: Sequence[UUID]
) -> KeywordFound:
    scores = found.scores.score.astype(np.float32)  # so that equal ones tie whatever the order of the addition was
    if found.allowed is not None:
        scores[~found.allowed] = 0
    verify = _verification(scope, found.question)
    ids = dict(await _best(connection, snapshot, scores, verify, limit))
    wanted = [chunk for chunk in snapshot.find_chunks(also).tolist() if chunk not in ids and scores[chunk] > 0]
    ids |= dict(await _verified(connection, verify, snapshot.with_ids(np.array(wanted, np.int64))))
    total = found.scores.total or 1.0
    ordered = sorted(ids.items(), key=lambda item: (-scores[item[0]], item[1]))
    masses = found.scores.masses(np.array([chunk for chunk, _ in ordered], np.int64)).tolist()
    known = {chunk_id.bytes: chunk_id for chunk_id in also}
    hits = [
        KeywordHit(known.get(chunk_id) or UUID(bytes=chunk_id), float(scores[chunk]), min(1.0, mass / total))
        for (chunk, chunk_id), mass in zip(ordered, masses, strict=True)
    ]
    return KeywordFound(hits=hits, terms=found.terms())


async def _best(
    connection: Reader, snapshot: Snapshot, scores: NDArray[np.float32], verify: Check | None, limit: int
) -> list[_Pair]:
    """The best chunks and their ids; ties by id."""
    candidates = np.flatnonzero(scores > 0)
    if verify is None:
        return _sorted_best(snapshot, scores, candidates, limit)[:limit]
    most = _MOST_READ if verify.phrases or verify.forbidden_phrases else len(candidates)
    batch = max(_VERIFIED_FIRST, limit)
    best: list[_Pair] = []
    seen = 0
    while seen < min(most, len(candidates)) and len(best) < limit:
        batch = min(batch, most - seen)
        pairs = _sorted_best(snapshot, scores, candidates, seen + batch)[seen : seen + batch]
        best += await _verified(connection, verify, pairs)
        seen += len(pairs)
        batch *= _VERIFIED_GROWTH
    return best[:limit]


def _sorted_best(snapshot: Snapshot, scores: NDArray[np.float32], candidates: Numbers, count: int) -> list[_Pair]:
    """At least `count` of the candidates where there are so many, sorted by score and id."""
    if len(candidates) > count:
        values = scores[candidates]
        candidates = candidates[values >= np.partition(values, len(values) - count)[len(values) - count]]
    return sorted(snapshot.with_ids(candidates), key=lambda pair: (-scores[pair[0]], pair[1]))


def _verification(scope: SearchScope, question: Question) -> Check | None:
    """What is to be seen of the chunks themselves; the snapshot knows already which versions are visible."""
    is_needed = chunk_conditions(scope) or question.phrases or question.forbidden_phrases
    return check_of(scope, question) if is_needed else None


async def _verified(connection: Reader, check: Check | None, pairs: list[_Pair]) -> list[_Pair]:
    if check is None or not pairs:
        return pairs
    parameters = {**check.parameters, "chunk_ids": [UUID(bytes=chunk_id) for _, chunk_id in pairs]}
    rows = (await connection.exec_driver_sql(check.sql, parameters)).all()
    kept = {row.id.bytes for row in rows if check.holds(row)}
    return [pair for pair in pairs if pair[1] in kept]


# --- what can be seen ------------------------------------------------------------------------------------------------


def _mark_of(state: Any, segment_ids: tuple[UUID, ...]) -> tuple[Any, ...]:
    """What tells one state of the index from another; the revision comes first."""
    return (state.knowledge_revision, state.written_by, segment_ids)


def _filters_documents(scope: SearchScope) -> bool:
    return (
        scope.document_ids is not None
        or scope.content_types is not None
        or scope.categories is not None
        or scope.dated_from is not None
        or scope.dated_before is not None
        or any(condition.field not in ("language", "heading") for condition in scope.conditions)
    )


def _visible(scope: SearchScope) -> str:
    return f"""
        select v.segment_id, string_agg(int4send(v.number), ''::bytea) as numbers
        from ({visible_versions(scope)}) as visible join keyword_versions v
            on v.tenant_id = %(tenant_id)s and v.version_id = visible.version_id
        group by v.segment_id"""


def _numbers(rows: Sequence[Any]) -> dict[UUID, NDArray[Any]]:
    return {row.segment_id: np.frombuffer(row.numbers, ">i4").astype(np.int64) for row in rows}


# `xmin` tells two transactions apart that raised the revision to the same number, the first of which was taken back.
_STATE = """
    select c.knowledge_revision, c.xmin::text as written_by, pg_current_xact_id_if_assigned() is not null as writes, (
        select array_agg(s.id order by s.id) from keyword_segments s
        where s.tenant_id = %(tenant_id)s and s.chatbot_id = %(chatbot_id)s
    ) as segment_ids
    from chatbots c where c.tenant_id = %(tenant_id)s and c.id = %(chatbot_id)s"""
_OWN = """
    select v.segment_id, string_agg(int4send(v.number), ''::bytea) as numbers
    from documents d join keyword_versions v on v.tenant_id = d.tenant_id and v.version_id = d.live_version_id
    where d.tenant_id = %(tenant_id)s and d.chatbot_id = %(chatbot_id)s and d.visibility = 'private'
        and d.owner = %(owner)s and d.deleted_at is null
    group by v.segment_id"""
_DIRECTORIES = """
    select id, directory from keyword_segments
    where tenant_id = %(tenant_id)s and chatbot_id = %(chatbot_id)s and id = any(%(segment_ids)s::uuid[])"""
_BLOCKS = """
    select p.segment_id, p.number, p.content
    from unnest(%(segment_ids)s::uuid[], %(numbers)s::int[]) as wanted (segment_id, number)
    join keyword_postings p on p.segment_id = wanted.segment_id and p.number = wanted.number
    where p.tenant_id = %(tenant_id)s and p.chatbot_id = %(chatbot_id)s"""


# --- writing ---------------------------------------------------------------------------------------------------------


def _packed(versions: Mapping[UUID, Sequence[KeywordChunk]]) -> list[Segment]:
    return pack(
        (
            version_id,
            [
                Terms(chunk_id=chunk.chunk_id, frequencies=Counter(analyse(chunk.text, chunk.language)))
                for chunk in chunks
            ],
        )
        for version_id, chunks in versions.items()
    )


async def _insert(connection: AsyncConnection, place: Mapping[str, UUID], segment: Segment) -> None:
    await connection.exec_driver_sql(
        _INSERT,
        {
            **place,
            "segment_id": segment.id,
            "chunk_count": segment.chunk_count,
            "directory": segment.directory,
            "blocks": list(segment.blocks),
            "new_version_ids": [part.version_id for part in segment.places],
            "chunk_counts": [part.chunk_count for part in segment.places],
        },
    )


async def _forget(connection: AsyncConnection, parameters: Mapping[str, Any]) -> list[Any]:
    """Take versions out; the segments that held them.

    A statement that waited for a segment to be written anew finds its rows gone and does not see the new ones: so it is
    said again until there are none.
    """
    forgotten: list[Any] = []
    while True:
        forgotten += (await connection.exec_driver_sql(_FORGET, parameters)).all()
        if not (await connection.exec_driver_sql(_ARE_HELD, parameters)).scalar_one():
            return forgotten


async def _merge_many(connection: AsyncConnection, place: Mapping[str, UUID], *, at_least: int) -> bool:
    """Merge the segments of one size if they are many; whether that was done."""
    sizes: dict[int, list[tuple[int, UUID]]] = defaultdict(list)
    for row in (await connection.exec_driver_sql(_SIZES, place)).all():
        if row.chunk_count <= MOST_CHUNKS // 2:
            sizes[int(math.log(max(1, row.chunk_count), _MANY_SEGMENTS))].append((row.chunk_count, row.id))
    for size in sorted(sizes):
        if len(sizes[size]) >= at_least:
            chosen, total = [], 0
            for chunk_count, segment_id in sorted(sizes[size]):
                total += chunk_count
                if total <= MOST_CHUNKS:
                    chosen.append(segment_id)
            return len(chosen) > 1 and await _rewrite(connection, place, chosen)
    return False


async def _rewrite(connection: AsyncConnection, place: Mapping[str, UUID], segment_ids: Sequence[UUID]) -> bool:
    """Write segments anew as one, without what is forgotten; False where another transaction is at one of them.

    It waits for nobody, so no two transactions can wait for each other.
    """
    parameters = {**place, "segment_ids": list(segment_ids)}
    locked = {row.id: row.directory for row in (await connection.exec_driver_sql(_LOCK_SEGMENTS, parameters)).all()}
    rows = (await connection.exec_driver_sql(_LOCK_VERSIONS, parameters)).all()
    count = (await connection.exec_driver_sql(_COUNT_VERSIONS, parameters)).one()[0]
    if len(locked) < len(segment_ids) or len(rows) < count:
        return False
    blocks: dict[UUID, list[bytes]] = defaultdict(list)
    for row in (await connection.exec_driver_sql(_ALL_BLOCKS, parameters)).all():
        blocks[row.segment_id].append(row.content)
    places: dict[UUID, list[Place]] = defaultdict(list)
    for row in rows:
        places[row.segment_id].append(
            Place(version_id=row.version_id, segment_id=row.segment_id, number=row.number, chunk_count=row.chunk_count)
        )
    sources = [Source(directory=locked[one], blocks=blocks[one], places=places[one]) for one in sorted(locked)]
    merged = await asyncio.to_thread(merge, sources)
    await connection.exec_driver_sql(_REMOVE_SEGMENTS, parameters)
    if merged.places:
        await _insert(connection, place, merged)
    return True


_INSERT = """
    with segment as (
        insert into keyword_segments (tenant_id, chatbot_id, id, chunk_count, directory)
        values (%(tenant_id)s, %(chatbot_id)s, %(segment_id)s, %(chunk_count)s, %(directory)s)
    ), blocks as (
        insert into keyword_postings (tenant_id, chatbot_id, segment_id, number, content)
        select %(tenant_id)s, %(chatbot_id)s, %(segment_id)s, number - 1, content
        from unnest(%(blocks)b::bytea[]) with ordinality as block (content, number)
    )
    insert into keyword_versions (tenant_id, chatbot_id, version_id, segment_id, number, chunk_count)
    select %(tenant_id)s, %(chatbot_id)s, version_id, %(segment_id)s, number - 1, chunk_count
    from unnest(%(new_version_ids)b::uuid[], %(chunk_counts)s::int[]) with ordinality
        as version (version_id, chunk_count, number)"""
_FORGET = """
    delete from keyword_versions where tenant_id = %(tenant_id)s and version_id = any(%(version_ids)s::uuid[])
    returning chatbot_id, segment_id"""
_ARE_HELD = """
    select exists (
        select from keyword_versions where tenant_id = %(tenant_id)s and version_id = any(%(version_ids)s::uuid[])
    )"""
_MISSING = """
    select v.id from documents d join document_versions v on v.tenant_id = d.tenant_id and v.id = d.live_version_id
    where d.tenant_id = %(tenant_id)s and d.chatbot_id = %(chatbot_id)s and d.deleted_at is null and v.chunk_count > 0
        and not exists (
            select from keyword_versions k where k.tenant_id = %(tenant_id)s and k.version_id = v.id
        )
    order by v.id limit %(limit)s"""
_SIZES = """
    select id, chunk_count from keyword_segments where tenant_id = %(tenant_id)s and chatbot_id = %(chatbot_id)s"""
_WEAR = """
    select s.id, s.chunk_count, s.chunk_count - coalesce((
        select sum(v.chunk_count) from keyword_versions v
        where v.tenant_id = %(tenant_id)s and v.chatbot_id = %(chatbot_id)s and v.segment_id = s.id
    ), 0) as forgotten
    from keyword_segments s
    where s.tenant_id = %(tenant_id)s and s.chatbot_id = %(chatbot_id)s
        and (%(segment_ids)s::uuid[] is null or s.id = any(%(segment_ids)s::uuid[]))"""
_OF_SEGMENTS = "tenant_id = %(tenant_id)s and chatbot_id = %(chatbot_id)s and segment_id = any(%(segment_ids)s::uuid[])"
_LOCK_SEGMENTS = f"{_DIRECTORIES} for update skip locked"
_LOCK_VERSIONS = f"""
    select version_id, segment_id, number, chunk_count from keyword_versions where {_OF_SEGMENTS}
    for update skip locked"""
_COUNT_VERSIONS = f"select count(*) from keyword_versions where {_OF_SEGMENTS}"
_ALL_BLOCKS = f"select segment_id, number, content from keyword_postings where {_OF_SEGMENTS} order by 1, 2"
_REMOVE_SEGMENTS = f"""
    with blocks as (delete from keyword_postings where {_OF_SEGMENTS}),
    versions as (delete from keyword_versions where {_OF_SEGMENTS})
    delete from keyword_segments
    where tenant_id = %(tenant_id)s and chatbot_id = %(chatbot_id)s and id = any(%(segment_ids)s::uuid[])"""
