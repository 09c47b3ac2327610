"""Keyword search by Elasticsearch 8 and 9, or OpenSearch 2 and 3; PostgreSQL decides what may be found.

The server gets the terms of `kit/text/terms.py`, separated by spaces, so that a text is analysed the same whatever
adapter holds it. It counts how many of the visible chunks hold each word of a question, and names candidates; what a
candidate scores is computed here from its terms, by BM25 over what the scope sees, and whether it may be found is asked
of PostgreSQL in the transaction of the search. While the server is away, PostgreSQL reads the texts of the chatbot.

All chunks lie in one index, those of a chatbot in one shard (`routing`). Visible document versions are named to the
server, or those that are not, whichever are fewer: a version known to PostgreSQL that the scope does not see leaves no
trace in a score. Which versions are indexed, PostgreSQL records with the transaction (`keyword_versions`), so that one
that is taken back changes nothing.
"""

# ruff: noqa: S608 - the SQL is put together from constants; every value is a parameter

from __future__ import annotations

import asyncio
import json
from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final
from urllib.parse import quote
from uuid import UUID

import structlog
from prometheus_client import Counter
from pydantic import BaseModel, ConfigDict, Field, SecretStr
from sqlalchemy.ext.asyncio import AsyncConnection

from dragoman.adapters.keyword_index._parts import spelling
from dragoman.adapters.keyword_index._parts.documents import Collection, IndexedChunk, Score, Scorer
from dragoman.adapters.keyword_index._parts.question import (
    CORRECTED,
    MOST_TOKENS,
    Check,
    Question,
    check_of,
    read_question,
)
from dragoman.adapters.keyword_index._parts.ranking import Token, Unit
from dragoman.adapters.scope_sql import scope_parameters, visible_versions
from dragoman.kit.json_service import (
    LONGEST_REMOVAL_S,
    JsonService,
    ServiceAwayError,
    ServiceLacksError,
    ServiceRefusedError,
)
from dragoman.kit.reading import ReadConnection, Reader
from dragoman.kit.text.terms import analyse
from dragoman.ports.external_index import Digest, Digests, IndexPlace
from dragoman.ports.keyword_index import NO_SYNONYMS, KeywordChunk, KeywordFound, KeywordHit, KeywordTerm
from dragoman.ports.search_scope import SearchScope

_log = structlog.get_logger(__name__)

_LONGEST_TERM: Final = 200  # characters; the whitespace tokenizer cuts at 255
_CANDIDATES: Final = 150  # asked for at least; the server knows lengths roughly only, so its order is not quite ours
_ROUNDS: Final = (1, 8)  # times that many
_MOST_CANDIDATES: Final = 10_000  # `index.max_result_window`
_IDS_A_CLAUSE: Final = 50_000  # `index.max_terms_count` is 65,536
_BULK_ENTRIES: Final = 500
_BULK_BYTES: Final = 4_000_000
_PAGE: Final = 5000
_NEAR_DOCUMENTS: Final = 100  # are read for the words that are spelled like one
_SCANNED_CHUNKS: Final = 2000  # are analysed at most while the server is away
_LOW_64_BITS: Final = (1 << 64) - 1

FALLBACKS = Counter(
    "dragoman_keyword_index_fallbacks_total",
    "Searches by words that PostgreSQL answered alone, by adapter and reason.",
    ["adapter", "reason"],
)
LEFT_OUTSIDE = Counter(
    "dragoman_keyword_index_left_outside_total",
    "Removals that a server outside did not take; its entries stay until the next check.",
    ["adapter"],
)


class Settings(BaseModel):
    """Settings of the keyword index `elasticsearch`."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    url: str = Field(default="http://localhost:9200", description="Address of the server; a password may stand in it.")
    api_key: SecretStr | None = Field(
        default=None, description="Elasticsearch's API key, as it is shown encoded; OpenSearch has none."
    )
    prefix: str = Field(default="dragoman", pattern=r"^[a-z0-9]{3,20}$", description="First part of the index's name.")
    shards: int = Field(default=1, ge=1, le=64, description="Shards of the index when it is made: one per 20 GB.")
    replicas: int = Field(default=1, ge=0, le=8, description="Copies of each shard when the index is made.")
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
    search_timeout_s: float = Field(default=2.0, gt=0, description="Longest wait of a search, in seconds.")
    write_timeout_s: float = Field(default=30.0, gt=0, description="Longest wait of a write, in seconds.")
    write_tries: int = Field(default=3, ge=1, le=10, description="How often a write is tried.")


class Adapter:
    """The keyword index `elasticsearch`."""

    name = "elasticsearch"

    def __init__(self, settings: Settings) -> None:
        self._settings = settings
        headers = {"Authorization": f"ApiKey {settings.api_key.get_secret_value()}"} if settings.api_key else {}
        self._service = JsonService(
            "The Elasticsearch server", settings.url, headers=headers, timeout_s=settings.write_timeout_s
        )
        self._index = f"{settings.prefix}-keywords-1"  # the number is that of `_mapping`
        self._is_made = False

    async def close(self) -> None:
        await self._service.close()

    # ---- writing

    async def add(
        self,
        connection: AsyncConnection,
        *,
        tenant_id: UUID,
        chatbot_id: UUID,
        versions: Mapping[UUID, Sequence[KeywordChunk]],
    ) -> None:
        place = IndexPlace(tenant_id=tenant_id, chatbot_id=chatbot_id)
        marks = {
            "version_ids": list(versions),
            "chunk_counts": [len(chunks) for chunks in versions.values()],
        }
        await connection.exec_driver_sql(_FORGET, {**_parameters(place), **marks})
        await connection.exec_driver_sql(_MARK, {**_parameters(place), **marks})
        await self._make_index()
        lines = await asyncio.to_thread(_bulk_lines, place, versions)
        for batch in _batches(lines):
            await self._bulk(place, batch)
        kept = [chunk.chunk_id.hex for chunks in versions.values() for chunk in chunks]
        await self._delete(place, _of_versions(versions), but_ids=kept)

    async def remove_version(self, connection: AsyncConnection, *, tenant_id: UUID, version_id: UUID) -> None:
        """Never fails because of the server: what it keeps is harmless, and a check removes it."""
        parameters = {"tenant_id": tenant_id, "version_ids": [version_id]}
        for chatbot_id in set((await connection.exec_driver_sql(_FORGET, parameters)).scalars()):
            place = IndexPlace(tenant_id=tenant_id, chatbot_id=chatbot_id)
            try:
                await self._delete(place, _of_versions([version_id]), tries=1, timeout_s=LONGEST_REMOVAL_S)
            except (ServiceAwayError, ServiceRefusedError) as error:
                LEFT_OUTSIDE.labels(self.name).inc()
                _log.warning("keyword_index.left_outside", adapter=self.name, reason=str(error))

    async def tidy(self, connection: AsyncConnection, *, tenant_id: UUID, chatbot_id: UUID) -> bool:  # noqa: ARG002
        """The server merges by itself."""
        return False

    # ---- searching

    def prefetch(self, connection: ReadConnection, *, scope: SearchScope) -> None:
        """Nothing: what is read depends on what the server answers."""

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
        check = check_of(scope, question, versions=_indexed_versions(scope))
        try:
            return await self._search_outside(connection, scope, question, check, limit, also)
        except _IncompleteError:
            FALLBACKS.labels(self.name, "incomplete").inc()
        except (ServiceAwayError, ServiceRefusedError, _NonsenseError) as error:
            FALLBACKS.labels(self.name, "away" if isinstance(error, ServiceAwayError) else "refused").inc()
            _log.warning("keyword_index.fell_back", adapter=self.name, reason=str(error))
        return await self._search_texts(connection, scope, question, check, limit, also)

    async def _search_outside(
        self,
        connection: Reader,
        scope: SearchScope,
        question: Question,
        check: Check,
        limit: int,
        also: Sequence[UUID],
    ) -> KeywordFound:
        filters, expected = await self._filters(connection, scope)
        collection = await self._collect(scope, filters, question.all_tokens())
        if collection.chunk_count < expected <= _SCANNED_CHUNKS:
            raise _IncompleteError
        tokens, collection = await self._corrected(scope, filters, question, collection)
        ranked = _Ranked.of(question, tokens, collection, self._scorer(collection))
        asked = min(_MOST_CANDIDATES, max(_CANDIDATES, 3 * limit))
        wanted = self._candidates_query(scope, filters, ranked)
        found: dict[UUID, _Scored] = {}
        for times in _ROUNDS:
            size = min(_MOST_CANDIDATES, times * asked)
            chunks = await self._fetch(scope, wanted, size)
            found = await ranked.confirmed(connection, check, chunks)
            if len(found) >= limit or len(chunks) < size:
                break
        missing = [chunk_id for chunk_id in also if chunk_id not in found]
        others: dict[UUID, _Scored] = {}
        if missing:
            ids = {"bool": {"filter": [*filters, {"ids": {"values": [chunk_id.hex for chunk_id in missing]}}]}}
            others = await ranked.confirmed(connection, check, await self._fetch(scope, ids, len(missing)))
        return ranked.answer(found, others, limit=limit, also=frozenset(also))

    def _scorer(self, collection: Collection) -> Scorer:
        settings = self._settings
        return Scorer(collection, k1=settings.k1, b=settings.b, synonym_weight=settings.synonym_weight)

    async def _filters(self, connection: Reader, scope: SearchScope) -> tuple[list[Any], int]:
        """What narrows the server's view to the document versions that the scope sees; how many chunks those have."""
        row = (await connection.exec_driver_sql(_versions_of(scope), scope_parameters(scope))).one()
        seen, hidden, expected = row.seen or [], row.hidden or [], int(row.expected or 0)
        of_chatbot = [{"term": {"tenant": scope.tenant_id.hex}}, {"term": {"chatbot": scope.chatbot_id.hex}}]
        if len(seen) <= len(hidden):
            return [*of_chatbot, {"bool": {"should": _any_version(seen), "minimum_should_match": 1}}], expected
        return ([*of_chatbot, {"bool": {"must_not": _any_version(hidden)}}] if hidden else of_chatbot), expected

    async def _collect(self, scope: SearchScope, filters: Sequence[Any], tokens: Iterable[Token]) -> Collection:
        """Counts over what the scope sees, whatever its filters by language or heading."""
        distinct = list(dict.fromkeys(tokens))
        body = {
            "size": 0,
            "track_total_hits": True,
            "query": {"bool": {"filter": list(filters)}},
            "aggs": {
                "length": {"sum": {"field": "length"}},
                "tokens": {"filters": {"filters": {str(n): _holding(token) for n, token in enumerate(distinct)}}},
            },
        }
        answer = await self._search(scope, body)
        if answer is None:
            return Collection(chunk_count=0, average_length=1.0, holders={})
        count = _number(answer, "hits", "total", "value")
        length = _number(answer, "aggregations", "length", "value")
        holders = {
            token: _number(answer, "aggregations", "tokens", "buckets", str(n), "doc_count")
            for n, token in enumerate(distinct)
        }
        return Collection(
            chunk_count=int(count),
            average_length=max(1.0, length / count) if count else 1.0,
            holders={token: int(held) for token, held in holders.items()},
        )

    async def _corrected(
        self, scope: SearchScope, filters: Sequence[Any], question: Question, collection: Collection
    ) -> tuple[list[Token], Collection]:
        """The tokens, in place of those that nothing holds the words spelled most like them."""
        tokens = list(question.tokens)
        if not (self._settings.corrects_spelling and question.may_be_corrected and collection.chunk_count):
            return tokens, collection
        for number, token in enumerate(tokens):
            if not collection.holders[token] and question.corrects(token):
                near = await self._near(scope, filters, token)
                words = [word for of_distance in near.values() for word in of_distance]
                counted = (await self._collect(scope, filters, [Token((word,)) for word in words])) if words else None
                for distance in sorted(near):
                    assert counted is not None  # where there are distances there are words
                    chosen = spelling.choose({word: counted.holders[Token((word,))] for word in near[distance]})
                    if chosen:
                        tokens[number] = Token(tuple(chosen), corrected_from=token.forms[0], factor=CORRECTED[distance])
                        break
        mended = [token for token in tokens if token.corrected_from]
        if not mended:
            return tokens, collection
        held = (await self._collect(scope, filters, mended)).holders
        return tokens, Collection(
            chunk_count=collection.chunk_count,
            average_length=collection.average_length,
            holders={**collection.holders, **held},
        )

    async def _near(self, scope: SearchScope, filters: Sequence[Any], token: Token) -> dict[int, set[str]]:
        """Words of visible chunks by their distance from the token."""
        near: defaultdict[int, set[str]] = defaultdict(set)
        for form in token.forms:
            errors = spelling.most_errors(form)
            if not errors:
                continue
            fuzzy = {"value": form, "fuzziness": errors, "prefix_length": 1, "max_expansions": 50}
            query = {"bool": {"filter": [*filters, {"fuzzy": {"terms": fuzzy}}]}}
            chunks = await self._fetch(scope, query, _NEAR_DOCUMENTS)
            words = {term for chunk in chunks for term in chunk.frequencies if term[0] == form[0] and term.isalpha()}
            for distance, found in spelling.likely(form, sorted(words), errors=errors).items():
                near[distance].update(found)
        return near

    def _candidates_query(self, scope: SearchScope, filters: Sequence[Any], ranked: _Ranked) -> Any:
        narrowed = list(filters)
        if scope.languages is not None:
            narrowed.append({"terms": {"language": list(scope.languages)}})
        narrowed += [_holding(ranked.tokens[number]) for number in sorted(ranked.question.required)]
        forbidden = [
            {"bool": {"filter": [_holding(token) for token in tokens]}}
            for tokens in ranked.question.forbidden
            if tokens
        ]
        should = [clause for unit in ranked.units for clause in _clauses(unit, ranked, self._settings.synonym_weight)]
        return {
            "bool": {"filter": narrowed, "must_not": forbidden, "should": should, "minimum_should_match": 1},
        }

    async def _fetch(self, scope: SearchScope, query: Any, size: int) -> list[IndexedChunk]:
        body = {"size": size, "query": query, "_source": ["terms"], "track_total_hits": False}
        hits = _path(await self._search(scope, body), "hits", "hits")
        found = [_indexed_chunk(hit) for hit in hits] if isinstance(hits, list) else []
        return [chunk for chunk in found if chunk is not None]

    async def _search(self, scope: SearchScope, body: Any) -> Any:
        """None where there is no index yet."""
        place = IndexPlace(tenant_id=scope.tenant_id, chatbot_id=scope.chatbot_id)
        try:
            return await self._call("POST", "_search", place, body, timeout_s=self._settings.search_timeout_s)
        except ServiceLacksError:
            return None

    # ---- while the server is away

    async def _search_texts(
        self,
        connection: Reader,
        scope: SearchScope,
        question: Question,
        check: Check,
        limit: int,
        also: Sequence[UUID],
    ) -> KeywordFound:
        """Read the texts that contain a word of the question, as far as `_SCANNED_CHUNKS` goes. Words are not mended."""
        forms = dict.fromkeys(form for token in question.all_tokens() for form in token.forms)
        patterns = [f"%{_escaped(form)}%" for form in forms]
        parameters = {**scope_parameters(scope), "patterns": patterns, "also": list(also), "limit": _SCANNED_CHUNKS}
        rows = (await connection.exec_driver_sql(_texts_of(scope), parameters)).all()
        chunks = await asyncio.to_thread(_analysed, rows)
        lengths = [chunk.length for chunk in chunks]
        collection = Collection(
            chunk_count=max([len(chunks), *(row.chunk_count for row in rows[:1])]),
            average_length=max(1.0, sum(lengths) / len(lengths)) if lengths else 1.0,
            holders={token: sum(chunk.holds(token) for chunk in chunks) for token in question.all_tokens()},
        )
        ranked = _Ranked.of(question, list(question.tokens), collection, self._scorer(collection))
        found = await ranked.confirmed(connection, check, chunks)
        return ranked.answer(found, found, limit=limit, also=frozenset(also))

    # ---- upkeep (`ports/external_index.py`)

    async def list_places(self, connection: AsyncConnection, *, tenant_id: UUID) -> list[IndexPlace]:
        rows = await connection.exec_driver_sql(_LIST_PLACES, {"tenant_id": tenant_id})
        return [IndexPlace(tenant_id=tenant_id, chatbot_id=chatbot_id) for chatbot_id in rows.scalars()]

    async def list_outside_places(self, *, tenant_id: UUID) -> list[IndexPlace]:
        places: list[IndexPlace] = []
        after: dict[str, Any] = {}
        while True:
            composite = {"size": 1000, "sources": [{"chatbot": {"terms": {"field": "chatbot"}}}], **after}
            body = {
                "size": 0,
                "query": {"bool": {"filter": [{"term": {"tenant": tenant_id.hex}}]}},
                "aggs": {"places": {"composite": composite}},
            }
            answer = await self._call_if_made("POST", "_search", None, body)
            buckets = _path(answer, "aggregations", "places", "buckets")
            found = [_uuid(_path(bucket, "key", "chatbot")) for bucket in buckets] if isinstance(buckets, list) else []
            places += [IndexPlace(tenant_id=tenant_id, chatbot_id=chatbot) for chatbot in found if chatbot is not None]
            following = _path(answer, "aggregations", "places", "after_key")
            if not found or following is None:
                return places
            after = {"after": following}

    async def digest_stored(self, connection: AsyncConnection, place: IndexPlace) -> Digests:
        rows = await connection.exec_driver_sql(_DIGEST, _parameters(place))
        return {row.version_id: Digest(entries=row.entries, mark=row.mark & _LOW_64_BITS) for row in rows.all()}

    async def digest_outside(self, place: IndexPlace) -> Digests:
        """All entries in pages, sorted by the chunk's id."""
        digests: defaultdict[UUID, Digest] = defaultdict(Digest)
        after: dict[str, Any] = {}
        while True:
            body = {
                "size": _PAGE,
                "query": {"bool": {"filter": _of_place(place)}},
                "sort": [{"chunk": "asc"}],
                "_source": ["version"],
                "track_total_hits": False,
                **after,
            }
            hits = _path(await self._call_if_made("POST", "_search", place, body), "hits", "hits")
            hits = hits if isinstance(hits, list) else []
            for hit in hits:
                chunk_id, version_id = _uuid(_path(hit, "_id")), _uuid(_path(hit, "_source", "version"))
                if chunk_id is not None and version_id is not None:
                    digests[version_id] = digests[version_id].with_entry(chunk_id.int & _LOW_64_BITS)
            if len(hits) < _PAGE:
                return digests
            after = {"search_after": _path(hits[-1], "sort")}

    async def forget_versions(self, place: IndexPlace, version_ids: Sequence[UUID]) -> None:
        await self._delete(place, _of_versions(version_ids))

    async def drop_place(self, place: IndexPlace) -> None:
        await self._delete(place, [])

    # ---- requests

    async def _make_index(self) -> None:
        """One index for all; another process may be faster."""
        if self._is_made:
            return
        body = {"settings": {"index": self._index_settings()}, "mappings": _MAPPING}
        try:
            await self._service.call(
                "PUT",
                f"/{self._index}",
                body,
                tries=self._settings.write_tries,
            )
        except ServiceRefusedError as error:
            if "resource_already_exists_exception" not in error.message:
                raise
        self._is_made = True

    def _index_settings(self) -> dict[str, Any]:
        """The weight of a word comes with each question (`boost`), so the similarity has no IDF of its own."""
        k1, b = self._settings.k1, self._settings.b
        average = "Math.max(1.0, field.sumTotalTermFreq / Math.max(1.0, (double) field.docCount))"
        script = (
            f"double average = {average}; "
            f"return query.boost * doc.freq * {k1 + 1} / (doc.freq + {k1} * ({1 - b} + {b} * doc.length / average));"
        )
        return {
            "number_of_shards": self._settings.shards,
            "number_of_replicas": self._settings.replicas,
            "similarity": {"dragoman": {"type": "scripted", "script": {"source": script}}},
            "analysis": {"analyzer": {"dragoman": {"type": "custom", "tokenizer": "whitespace"}}},
        }

    async def _bulk(self, place: IndexPlace, lines: Sequence[bytes]) -> None:
        answer = await self._call(
            "POST",
            "_bulk",
            place,
            lines=b"".join(lines),
            tries=self._settings.write_tries,
            query={"refresh": "wait_for"},  # so that what is published with this transaction is found
        )
        if _path(answer, "errors") is not False:
            raise _failed_items(answer)

    async def _delete(
        self,
        place: IndexPlace,
        narrowed: Sequence[Any],
        *,
        but_ids: Sequence[str] = (),
        tries: int | None = None,
        timeout_s: float | None = None,
    ) -> None:
        but = [{"ids": {"values": list(but_ids)}}] if but_ids else []
        body = {"query": {"bool": {"filter": [*_of_place(place), *narrowed], "must_not": but}}}
        await self._call_if_made(
            "POST",
            "_delete_by_query",
            place,
            body,
            timeout_s=timeout_s,
            tries=tries or self._settings.write_tries,
            query={"refresh": "true", "conflicts": "proceed"},
        )

    async def _call_if_made(self, method: str, action: str, place: IndexPlace | None, body: Any, **options: Any) -> Any:
        """None where there is no index yet."""
        try:
            return await self._call(method, action, place, body, **options)
        except ServiceLacksError:
            return None

    async def _call(
        self,
        method: str,
        action: str,
        place: IndexPlace | None,
        body: Any = None,
        *,
        timeout_s: float | None = None,
        tries: int = 1,
        query: Mapping[str, str] | None = None,
        lines: bytes | None = None,
    ) -> Any:
        routing = {} if place is None else {"routing": place.chatbot_id.hex}
        return await self._service.call(
            method,
            f"/{quote(self._index)}/{action}",
            body,
            timeout_s=timeout_s,
            tries=tries,
            query={**routing, **(query or {})},
            lines=lines,
        )


class _NonsenseError(Exception):
    """The server's answer has not the form that it should have."""


class _IncompleteError(Exception):
    """The server lacks chunks, and the texts are few enough to be read instead."""


# --- what is found ---------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True, kw_only=True)
class _Scored:
    score: float
    matched: float


@dataclass(frozen=True, slots=True, kw_only=True)
class _Ranked:
    """A question with what its words weigh. `tokens` are as they are looked for in the end."""

    question: Question
    tokens: Sequence[Token]
    units: Sequence[Unit]
    collection: Collection
    scorer: Scorer

    @classmethod
    def of(cls, question: Question, tokens: Sequence[Token], collection: Collection, scorer: Scorer) -> _Ranked:
        return cls(
            question=question,
            tokens=tokens,
            units=_kept_units(question, tokens, collection),
            collection=collection,
            scorer=scorer,
        )

    async def confirmed(self, connection: Reader, check: Check, chunks: Sequence[IndexedChunk]) -> dict[UUID, _Scored]:
        """Those of the chunks that match and may be found, with their scores."""
        scored = {chunk.chunk_id: self._score(chunk) for chunk in chunks if self._allows(chunk)}
        matching = {chunk_id: score for chunk_id, score in scored.items() if score.score > 0}
        if not matching:
            return {}
        parameters = {**check.parameters, "chunk_ids": list(matching)}
        rows = (await connection.exec_driver_sql(check.sql, parameters)).all()
        return {row.id: matching[row.id] for row in rows if check.holds(row)}

    def _score(self, chunk: IndexedChunk) -> _Scored:
        found: Score = self.scorer.score(chunk, self.units, self.tokens)
        return _Scored(score=found.score, matched=found.matched)

    def _allows(self, chunk: IndexedChunk) -> bool:
        return all(chunk.holds(self.tokens[number]) for number in self.question.required) and not any(
            tokens and all(chunk.holds(token) for token in tokens) for tokens in self.question.forbidden
        )

    def answer(
        self, found: Mapping[UUID, _Scored], others: Mapping[UUID, _Scored], *, limit: int, also: frozenset[UUID]
    ) -> KeywordFound:
        """The best of `found`, and those of `also` that are anywhere."""
        total = self.scorer.total(self.units, self.tokens) or 1.0
        best = sorted(found, key=lambda chunk_id: (-found[chunk_id].score, chunk_id))
        chosen = {chunk_id: found[chunk_id] for chunk_id in best[:limit]}
        chosen |= {chunk_id: score for chunk_id, score in {**found, **others}.items() if chunk_id in also}
        hits = [
            KeywordHit(chunk_id=chunk_id, score=score.score, matched_weight=min(1.0, score.matched / total))
            for chunk_id, score in chosen.items()
        ]
        kept = sorted(number for unit in self.units for number in unit.tokens)
        terms = [
            KeywordTerm(
                alternatives=self.tokens[number].forms,
                weight=self.collection.idf(self.tokens[number]),
                corrected_from=self.tokens[number].corrected_from,
            )
            for number in kept
        ]
        return KeywordFound(hits=sorted(hits, key=lambda hit: (-hit.score, hit.chunk_id)), terms=terms)


def _kept_units(question: Question, tokens: Sequence[Token], collection: Collection) -> list[Unit]:
    """All units; of a very long question the rarest that occur, and what must occur."""
    if len(tokens) <= MOST_TOKENS:
        return list(question.units)

    def rarity(unit: Unit) -> tuple[bool, float]:
        return (
            question.required.isdisjoint(unit.tokens),
            -max(collection.idf(tokens[number]) for number in unit.tokens),
        )

    held = [unit for unit in question.units if any(collection.holders.get(tokens[n], 0) for n in unit.tokens)]
    return sorted(sorted(held, key=rarity)[:MOST_TOKENS], key=lambda unit: unit.tokens)


# --- the server's query language -------------------------------------------------------------------------------------

_MAPPING: Final = {
    "dynamic": "strict",
    "properties": {
        "tenant": {"type": "keyword"},
        "chatbot": {"type": "keyword"},
        "version": {"type": "keyword"},
        "chunk": {"type": "keyword"},
        "language": {"type": "keyword"},
        "length": {"type": "integer"},
        "terms": {"type": "text", "analyzer": "dragoman", "similarity": "dragoman", "index_options": "freqs"},
    },
}


def _of_place(place: IndexPlace) -> list[Any]:
    return [{"term": {"tenant": place.tenant_id.hex}}, {"term": {"chatbot": place.chatbot_id.hex}}]


def _of_versions(version_ids: Iterable[UUID]) -> list[Any]:
    return [{"terms": {"version": [version_id.hex for version_id in version_ids]}}]


def _any_version(version_ids: Sequence[UUID]) -> list[Any]:
    """In clauses of a size that the server takes; one that nothing matches for none."""
    pieces = [version_ids[start : start + _IDS_A_CLAUSE] for start in range(0, len(version_ids), _IDS_A_CLAUSE)]
    return [_of_versions(piece)[0] for piece in pieces] or [{"match_none": {}}]


def _holding(token: Token) -> Any:
    """Chunks that hold a token, whatever they score."""
    if token.is_prefix:
        return {"bool": {"should": [{"prefix": {"terms": {"value": form}}} for form in _sent(token)] or [_NONE]}}
    return {"terms": {"terms": _sent(token)}}


def _sent(token: Token) -> list[str]:
    return [_sendable(form)[:_LONGEST_TERM] for form in token.forms]


def _clauses(unit: Unit, ranked: _Ranked, synonym_weight: float) -> list[Any]:
    """The words of a unit, each by its best form, and other wordings for all of them."""
    weights = {number: ranked.collection.idf(ranked.tokens[number]) for number in unit.tokens}
    own = [_weighed(ranked.tokens[number], weight) for number, weight in weights.items()]
    others = []
    for tokens in unit.others:
        mass = sum(ranked.collection.idf(token) for token in tokens)
        share = min(mass, sum(weights.values())) * synonym_weight / mass
        others.append({"bool": {"must": [_weighed(token, share * ranked.collection.idf(token)) for token in tokens]}})
    if not others:
        return own
    return [{"dis_max": {"queries": [{"bool": {"should": own, "minimum_should_match": 1}}, *others]}}]


def _weighed(token: Token, weight: float) -> Any:
    kind = "prefix" if token.is_prefix else "term"
    boost = weight * token.factor
    queries = [{kind: {"terms": {"value": form, "boost": boost}}} for form in _sent(token)]
    return {"dis_max": {"queries": queries or [_NONE]}}


_NONE: Final[Any] = {"match_none": {}}


def _bulk_lines(place: IndexPlace, versions: Mapping[UUID, Sequence[KeywordChunk]]) -> list[bytes]:
    """Two lines a chunk, as one item."""
    return [
        _line({"index": {"_id": chunk.chunk_id.hex}})
        + _line(
            {
                "tenant": place.tenant_id.hex,
                "chatbot": place.chatbot_id.hex,
                "version": version_id.hex,
                "chunk": chunk.chunk_id.hex,
                "language": chunk.language,
                "length": len(terms),
                "terms": " ".join(terms),
            }
        )
        for version_id, chunks in versions.items()
        for chunk in chunks
        for terms in [[_sendable(term)[:_LONGEST_TERM] for term in analyse(chunk.text, chunk.language)]]
    ]


def _line(value: Any) -> bytes:
    return json.dumps(value, ensure_ascii=False, separators=(",", ":")).encode("utf-8", "replace") + b"\n"


def _sendable(text: str) -> str:
    """Without halves of surrogate pairs, which UTF-8 has no bytes for."""
    return text if text.isascii() else text.encode("utf-8", "replace").decode()


def _batches(lines: Sequence[bytes]) -> list[list[bytes]]:
    batches: list[list[bytes]] = []
    size = 0
    for line in lines:
        if not batches or len(batches[-1]) >= _BULK_ENTRIES or size + len(line) > _BULK_BYTES:
            batches.append([])
            size = 0
        batches[-1].append(line)
        size += len(line)
    return batches


def _failed_items(answer: Any) -> ServiceAwayError | ServiceRefusedError:
    """A full queue (429) passes; anything else does not."""
    items = _path(answer, "items")
    errors = [_path(item, "index", "error") for item in items if _path(item, "index", "error")] if items else []
    statuses = {_path(item, "index", "status") for item in items or [] if _path(item, "index", "error")}
    message = f"The Elasticsearch server did not take {len(errors)} chunks: {str(errors[:1])[:300]}"
    return ServiceAwayError(message) if statuses and statuses <= {429, 503} else ServiceRefusedError(message)


# --- reading its answers ---------------------------------------------------------------------------------------------


def _path(value: Any, *names: str) -> Any:
    for name in names:
        value = value.get(name) if isinstance(value, dict) else None
    return value


def _number(value: Any, *names: str) -> float:
    """Raises _NonsenseError."""
    found = _path(value, *names)
    if isinstance(found, bool) or not isinstance(found, int | float) or not 0 <= found < 1e15:
        raise _NonsenseError(f"The answer has no number at {'.'.join(names)}.")
    return found


def _uuid(value: Any) -> UUID | None:
    try:
        return UUID(value) if isinstance(value, str) else None
    except ValueError:
        return None


def _indexed_chunk(hit: Any) -> IndexedChunk | None:
    chunk_id, terms = _uuid(_path(hit, "_id")), _path(hit, "_source", "terms")
    if chunk_id is None or not isinstance(terms, str):
        return None
    return IndexedChunk.of_terms(chunk_id, terms.split(" ") if terms else [])


def _analysed(rows: Sequence[Any]) -> list[IndexedChunk]:
    return [
        IndexedChunk.of_terms(row.id, analyse("\n".join([row.title, *row.heading_path, row.text]), row.language))
        for row in rows
    ]


def _escaped(form: str) -> str:
    return _sendable(form).replace("\\", "\\\\").replace("%", "\\%").replace("_", "\\_").replace("\0", "")


# --- SQL -------------------------------------------------------------------------------------------------------------


def _parameters(place: IndexPlace) -> dict[str, Any]:
    return {"tenant_id": place.tenant_id, "chatbot_id": place.chatbot_id}


_OUTSIDE: Final = "'00000000-0000-0000-0000-000000000000'::uuid"  # in place of a segment in PostgreSQL
_INDEXED: Final = f"""
    from keyword_versions m
    where m.tenant_id = %(tenant_id)s and m.chatbot_id = %(chatbot_id)s and m.segment_id = {_OUTSIDE}"""


def _indexed_versions(scope: SearchScope) -> str:
    """The versions that the scope sees and that were given to the server."""
    return f"""
        select m.version_id {_INDEXED}
            and (m.version_id in (select version_id from ({visible_versions(scope)}) as visible)) is true"""


def _versions_of(scope: SearchScope) -> str:
    return f"""
        with visible as materialized ({visible_versions(scope)}), indexed as materialized (
            select m.version_id, m.chunk_count,
                (m.version_id in (select version_id from visible)) is true as is_seen {_INDEXED}
        )
        select array_agg(version_id) filter (where is_seen) as seen,
            array_agg(version_id) filter (where not is_seen) as hidden,
            sum(chunk_count) filter (where is_seen) as expected
        from indexed"""


def _texts_of(scope: SearchScope) -> str:
    return f"""
        with visible as materialized ({_indexed_versions(scope)}), seen as materialized (
            select k.* from chunks k
            where k.tenant_id = %(tenant_id)s and k.chatbot_id = %(chatbot_id)s
                and (k.version_id in (select version_id from visible)) is true
        )
        select k.id, d.title, k.heading_path, k.text, k.language, (select count(*) from seen) as chunk_count
        from seen k join documents d on d.tenant_id = k.tenant_id and d.id = k.document_id
        where concat_ws(' ', d.title, array_to_string(k.heading_path, ' '), k.text)
                ilike any(%(patterns)s::text[])
            or k.id = any(%(also)s::uuid[])
        limit %(limit)s"""


_FORGET: Final = """
    delete from keyword_versions where tenant_id = %(tenant_id)s and version_id = any(%(version_ids)s::uuid[])
    returning chatbot_id"""
_MARK: Final = f"""
    insert into keyword_versions (tenant_id, chatbot_id, version_id, segment_id, number, chunk_count)
    select %(tenant_id)s, %(chatbot_id)s, version_id, {_OUTSIDE}, 0, chunk_count
    from unnest(%(version_ids)s::uuid[], %(chunk_counts)s::int[]) as version (version_id, chunk_count)"""
_LIST_PLACES: Final = "select id from chatbots where tenant_id = %(tenant_id)s order by id"
# One bit differs for a version that is not recorded as indexed: whatever the server holds of it, it must be given again.
_DIGEST: Final = f"""
    with indexed as materialized (select m.version_id {_INDEXED})
    select k.version_id, count(*) as entries,
        bit_xor(('x' || right(replace(k.id::text, '-', ''), 16))::bit(64)::bigint)
            # case when (k.version_id in (select version_id from indexed)) is true then 0 else 1 end as mark
    from chunks k where k.tenant_id = %(tenant_id)s and k.chatbot_id = %(chatbot_id)s group by k.version_id"""
