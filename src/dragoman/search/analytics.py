"""What was searched and what became of it: written behind the request, counted by day, read in one go.

    search -> SearchEntry -> Buffer (at most a second) -> `write_entries`: a line, the counts of its day, of its query
    `record_click`, `record_rating` -> the reaction, and the same counts
    `purge` (scheduler) -> what is older than the chatbot keeps, and text that it no longer keeps

Lines hold ids of chunks, never text of documents: a deleted document leaves no text here. Queries and askers are known
by a hash with a key of the tenant's, derived from the newest master key; after a change of that key the same query
counts anew. A chatbot without query log is counted only.
"""

from __future__ import annotations

import asyncio
import hashlib
import hmac
import time
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import date, timedelta
from operator import add
from typing import Any, Final, TypedDict
from uuid import UUID

import structlog
from sqlalchemy.ext.asyncio import AsyncConnection

from dragoman.deps import Deps
from dragoman.ingestion.pii import PiiChoice, Placeholders, mask_line
from dragoman.kit.buffer import FLUSH_INTERVAL_S, Buffer
from dragoman.kit.clock import now
from dragoman.kit.database import Database
from dragoman.kit.encryption import Keyring
from dragoman.kit.errors import DragomanError
from dragoman.kit.pagination import MAX_LIMIT
from dragoman.ports.pii_detector import PiiDetector
from dragoman.search import latency, repository
from dragoman.search.entities import (
    LoggedSearch,
    Period,
    Rating,
    Reaction,
    Report,
    Row,
    SearchEntry,
)
from dragoman.search.errors import InvalidPeriodError, ResultNotFoundError, SearchNotFoundError
from dragoman.tenancy import repository as tenancy_repository
from dragoman.tenancy import service as tenancy
from dragoman.tenancy.entities import Caller, Chatbot

_log = structlog.get_logger(__name__)

LOW_CONFIDENCE: Final = (
    0.4  # relevant passages mostly land above 0.5 and unrelated ones below 0.3: see retrieval.fusion
)
LONGEST_PERIOD_DAYS: Final = 400
_HASH_BYTES: Final = 16
_FRESH_S: Final = 2 * FLUSH_INTERVAL_S + 0.5
_WAIT_S: Final = 0.2
_RATINGS: Final[Mapping[Rating, int]] = {"up": 1, "down": -1}

SearchLog = Buffer[SearchEntry]

# ---- writing


def create_search_log(database: Database, keyring: Keyring, detectors: Sequence[PiiDetector]) -> SearchLog:
    """The buffer between searches and `write_entries`."""

    async def write(entries: Sequence[SearchEntry]) -> None:
        await write_entries(database, keyring, detectors, entries)

    return Buffer("searches", group_of=lambda entry: entry.tenant_id, write=write)


async def write_entries(
    database: Database, keyring: Keyring, detectors: Sequence[PiiDetector], entries: Sequence[SearchEntry]
) -> None:
    """Store searches of one tenant as their chatbots want it. Raises DatabaseUnavailableError."""
    tenant_id = entries[0].tenant_id
    key = tenant_key(keyring, tenant_id)
    lines: list[Row] = []
    queries: dict[tuple[UUID, date, bytes], dict[str, Any]] = {}
    for entry in entries:
        if entry.query_log == "off":
            continue
        text = await _stored_text(detectors, entry)
        query = hash_query(key, entry.text if text is None else text)
        lines.append(_line(entry, key, query, text))
        if entry.first_rank == 1:
            _count_in_queries(queries, entry, query, text)
    statement = repository.writing(lines=lines, days=_day_rows(entries), queries=_sorted(queries))
    await database.write(tenant_id, statement)


def _sorted(rows: Mapping[tuple[Any, ...], Row]) -> list[Row]:
    """By their keys, so that two processes lock the rows of the database in the same order."""
    return [rows[key] for key in sorted(rows)]


def tenant_key(keyring: Keyring, tenant_id: UUID) -> bytes:
    """The key of a tenant's hashes; without the master key nobody can find a query by trying."""
    return hmac.digest(keyring.keys[keyring.newest_id], b"search log\0" + tenant_id.bytes, "sha256")


def hash_asker(keyring: Keyring, tenant_id: UUID, asker: str) -> bytes:
    """As lines of the log name an asker, by the newest key of the keyring."""
    return _hash(tenant_key(keyring, tenant_id), asker)


def hash_query(key: bytes, text: str) -> bytes:
    """The same for queries that differ in case and spaces only."""
    return _hash(key, " ".join(text.casefold().split()))


def _hash(key: bytes, text: str) -> bytes:
    return hashlib.blake2b(text.encode("utf-8", "surrogatepass"), digest_size=_HASH_BYTES, key=key).digest()


async def _stored_text(detectors: Sequence[PiiDetector], entry: SearchEntry) -> str | None:
    if entry.query_log == "full":
        return entry.text
    if entry.query_log != "masked":
        return None
    try:
        return await mask_line(
            detectors,
            entry.text,
            language=entry.language,
            choice=PiiChoice(mode="mask"),
            placeholders=Placeholders(),
        )
    except DragomanError as error:
        _log.warning("search.query_not_masked", reason=error.message)
        return None


def _day_rows(entries: Sequence[SearchEntry]) -> list[Row]:
    """The counts by chatbot, day and language, and those of all languages together under an empty one."""
    rows: dict[tuple[UUID, date, str], dict[str, Any]] = {}
    for entry in entries:
        key = (entry.chatbot_id, entry.created_at.date(), entry.language)
        row = rows.get(key)
        if row is None:
            row = rows[key] = _new_day_row(entry.tenant_id, *key)
        _count_in_day(row, entry)
    for (chatbot_id, day, _), row in list(rows.items()):
        key = (chatbot_id, day, "")
        if key not in rows:
            rows[key] = _new_day_row(row["tenant_id"], *key)
        _add(rows[key], row)
    return _sorted(rows)


_COUNTED: Final = ("searches", "results", "zero_results", "low_confidence", "follow_ups", "cached", "degraded")


def _new_day_row(tenant_id: UUID, chatbot_id: UUID, day: date, language: str) -> dict[str, Any]:
    return {
        "tenant_id": tenant_id,
        "chatbot_id": chatbot_id,
        "day": day,
        "language": language,
        **dict.fromkeys(_COUNTED, 0),
        **dict.fromkeys(("clicked_searches", "clicks", "reciprocal_ranks", "ratings_up", "ratings_down"), 0),
        "slowest_ms": 0.0,
        "latencies": latency.new_histogram(),
    }


def _count_in_day(row: dict[str, Any], entry: SearchEntry) -> None:
    """A later page counts in the latencies only."""
    latency.add_timings(row["latencies"], entry.timings_ms)
    row["slowest_ms"] = max(row["slowest_ms"], entry.timings_ms.get("total", 0.0))
    if entry.first_rank > 1:
        return
    row["searches"] += 1
    row["results"] += entry.total_results
    row["zero_results"] += _found_nothing(entry)
    row["low_confidence"] += _is_unsure(entry)
    row["follow_ups"] += entry.is_follow_up
    row["cached"] += entry.is_cached
    row["degraded"] += bool(entry.degraded)


def _add(total: dict[str, Any], row: dict[str, Any]) -> None:
    for name in _COUNTED:
        total[name] += row[name]
    total["slowest_ms"] = max(total["slowest_ms"], row["slowest_ms"])
    total["latencies"] = list(map(add, total["latencies"], row["latencies"]))


def _found_nothing(entry: SearchEntry) -> bool:
    return entry.total_results == 0


def _is_unsure(entry: SearchEntry) -> bool:
    return entry.top_score is not None and entry.top_score < LOW_CONFIDENCE


def _count_in_queries(
    rows: dict[tuple[UUID, date, bytes], dict[str, Any]], entry: SearchEntry, query: bytes, text: str | None
) -> None:
    key = (entry.chatbot_id, entry.created_at.date(), query)
    row = rows.get(key)
    if row is None:
        row = rows[key] = {
            "tenant_id": entry.tenant_id,
            "chatbot_id": entry.chatbot_id,
            "day": key[1],
            "query": _bytea(query),
            "searches": 0,
            "zero_results": 0,
            "low_confidence": 0,
            "clicked_searches": 0,
            "ratings_up": 0,
            "ratings_down": 0,
        }
    row |= {"text": text, "language": entry.language}
    row["searches"] += 1
    row["zero_results"] += _found_nothing(entry)
    row["low_confidence"] += _is_unsure(entry)


def _bytea(value: bytes) -> str:
    """Bytes in JSON, as PostgreSQL reads them."""
    return f"\\x{value.hex()}"


def _line(entry: SearchEntry, key: bytes, query: bytes, text: str | None) -> Row:
    return {
        "tenant_id": entry.tenant_id,
        "id": entry.id,
        "chatbot_id": entry.chatbot_id,
        "origin": entry.origin,
        "asker": _bytea(_hash(key, entry.asker)),
        "query": _bytea(query),
        "text": text,
        "characters": len(entry.text),
        "words": len(entry.text.split()),
        "language": entry.language,
        "mode": entry.mode,
        "first_rank": entry.first_rank,
        "results": entry.results,
        "total_results": entry.total_results,
        "top_score": entry.top_score,
        "is_follow_up": entry.is_follow_up,
        "is_cached": entry.is_cached,
        "degraded": entry.degraded,
        "timings_ms": dict(entry.timings_ms),
        "created_at": entry.created_at,
    }


# ---- reactions


async def record_click(
    deps: Deps, caller: Caller, search_id: UUID, *, rank: int | None = None, chunk_id: UUID | None = None
) -> None:
    """A result of the caller's own search was opened. The search counts as clicked once, however often it is opened.

    Raises:
        SearchNotFoundError, ResultNotFoundError.
    """
    async with _reacting(deps, caller, search_id) as reacting:
        chunk, place = reacting.result(rank, chunk_id)
        known = reacting.known.get(chunk)
        added: dict[str, float] = {"clicks": 1}
        if not any(reaction.clicks for reaction in reacting.known.values()):
            added |= {"clicked_searches": 1, "reciprocal_ranks": 1 / place}
        await reacting.save(chunk, place, clicks=1 + (known.clicks if known else 0))
        await reacting.count(added)


async def record_rating(
    deps: Deps,
    caller: Caller,
    search_id: UUID,
    rating: Rating,
    *,
    rank: int | None = None,
    chunk_id: UUID | None = None,
) -> None:
    """The caller's own search, or one result of it, was helpful (`up`) or not. A later rating replaces an earlier one.

    Raises:
        SearchNotFoundError, ResultNotFoundError.
    """
    async with _reacting(deps, caller, search_id) as reacting:
        chunk: UUID | None = None
        place: int | None = None
        if rank is not None or chunk_id is not None:
            chunk, place = reacting.result(rank, chunk_id)
        known = reacting.known.get(chunk)
        before, value = known.rating if known else None, _RATINGS[rating]
        if before == value:
            return
        await reacting.save(chunk, place, rating=value)
        added: dict[str, float] = {_rated(value): 1}
        if before is not None:
            added[_rated(before)] = -1
        await reacting.count(added)


def _rated(value: int) -> str:
    return "ratings_up" if value > 0 else "ratings_down"


@dataclass(frozen=True, slots=True, kw_only=True)
class _Reacting:
    """A search that is locked, and what became of its results so far, by chunk."""

    connection: AsyncConnection
    tenant_id: UUID
    search: LoggedSearch
    known: Mapping[UUID | None, Reaction]

    def result(self, rank: int | None, chunk_id: UUID | None) -> tuple[UUID, int]:
        """A shown result and its rank. Raises ResultNotFoundError."""
        shown = self.search.results
        place = shown.index(chunk_id) if chunk_id in shown else -1
        if chunk_id is None and rank is not None:
            place = rank - self.search.first_rank
        if not 0 <= place < len(shown):
            raise ResultNotFoundError
        return shown[place], self.search.first_rank + place

    async def save(self, chunk_id: UUID | None, rank: int | None, **values: int) -> None:
        known = self.known.get(chunk_id)
        place = {"tenant_id": self.tenant_id, "search_id": self.search.id}
        if known is not None:
            await repository.update_reaction(self.connection, **place, reaction_id=known.id, values=values)
            return
        document_id = chunk_id and await repository.find_document_of(
            self.connection, tenant_id=self.tenant_id, chatbot_id=self.search.chatbot_id, chunk_id=chunk_id
        )
        new = {"chunk_id": chunk_id, "document_id": document_id, "rank": rank, **values}
        await repository.insert_reaction(self.connection, **place, values=new)

    async def count(self, added: dict[str, float]) -> None:
        await repository.add_to_counts(self.connection, self.search, tenant_id=self.tenant_id, added=added)


@asynccontextmanager
async def _reacting(deps: Deps, caller: Caller, search_id: UUID) -> AsyncIterator[_Reacting]:
    await _wait_until_written(deps, caller, search_id)
    async with deps.database.transaction(caller.tenant_id) as connection:
        search = await repository.lock_search(connection, tenant_id=caller.tenant_id, search_id=search_id)
        asker = _hash(tenant_key(deps.keyring, caller.tenant_id), caller.asker)
        if search is None or not hmac.compare_digest(search.asker, asker):
            raise SearchNotFoundError
        reactions = await repository.list_reactions(connection, tenant_id=caller.tenant_id, search_id=search_id)
        yield _Reacting(
            connection=connection,
            tenant_id=caller.tenant_id,
            search=search,
            known={reaction.chunk_id: reaction for reaction in reactions},
        )


async def _wait_until_written(deps: Deps, caller: Caller, search_id: UUID) -> None:
    """A search that is younger than a flush may still be in the buffer of this process, or of another."""
    if not _is_fresh(search_id):
        return
    await deps.search_log.flush()
    while _is_fresh(search_id):
        async with deps.database.transaction(caller.tenant_id) as connection:
            if await repository.lock_search(connection, tenant_id=caller.tenant_id, search_id=search_id):
                return
        await asyncio.sleep(_WAIT_S)


def _is_fresh(search_id: UUID) -> bool:
    """By the time in the id itself (UUIDv7)."""
    age_s = time.time() - (search_id.int >> 80) / 1000
    return search_id.version == 7 and -1 < age_s < _FRESH_S


# ---- reading


async def read_report(deps: Deps, caller: Caller, chatbot_id: UUID, period: Period, *, limit: int) -> Report:
    """What was searched in a chatbot's knowledge; `limit` bounds the lists of queries and documents.

    Raises:
        ChatbotNotFoundError, InvalidPeriodError.
    """
    if not timedelta() <= period.last - period.first <= timedelta(days=LONGEST_PERIOD_DAYS):
        raise InvalidPeriodError
    async with deps.database.transaction(caller.tenant_id) as connection:
        chatbot = await tenancy.get_chatbot(connection, caller, chatbot_id)
        place: _Place = {"tenant_id": caller.tenant_id, "chatbot_id": chatbot.id, "period": period}
        total = await repository.count(connection, **place)
        histogram = await repository.sum_latencies(connection, **place)
        days = await repository.count_by_day(connection, **place)
        languages = await repository.count_by_language(connection, **place)
        of_languages = await repository.sum_latencies_by_language(connection, **place)
        popular, failing = await repository.list_queries(connection, **place, limit=limit)
        opened = await repository.list_opened_documents(connection, **place, limit=limit)
    settings = tenancy.settings_of(chatbot)
    return Report(
        chatbot_id=chatbot.id,
        period=period,
        query_log=settings.query_log,
        query_log_days=settings.query_log_days,
        total=total,
        latency_ms=latency.by_stage(histogram),
        languages=[
            (language, counts, latency.percentiles(of_languages.get(language, ()))) for language, counts in languages
        ],
        days=[(day, counts, latency.percentiles(buckets)) for day, counts, buckets in days],
        popular=popular,
        failing=failing,
        opened=opened,
    )


class _Place(TypedDict):
    tenant_id: UUID
    chatbot_id: UUID
    period: Period


# ---- forgetting


async def purge(database: Database) -> int:
    """Remove what chatbots no longer keep: of every tenant, what is too old, and text that the setting forbids now.

    The scheduler calls it; it may run in several processes at once and be stopped at any time. How many rows went.

    Raises:
        DatabaseUnavailableError.
    """
    removed = 0
    for tenant in await tenancy.list_tenants(database):
        async with database.transaction(tenant.id) as connection:
            for chatbot in await _chatbots(connection, tenant.id):
                removed += await _purge_chatbot(connection, chatbot)
    return removed


async def _chatbots(connection: AsyncConnection, tenant_id: UUID) -> list[Chatbot]:
    chatbots: list[Chatbot] = []
    while True:
        page, total = await tenancy_repository.list_chatbots(
            connection, tenant_id=tenant_id, limit=MAX_LIMIT, offset=len(chatbots)
        )
        chatbots += page
        if not page or len(chatbots) >= total:
            return chatbots


async def _purge_chatbot(connection: AsyncConnection, chatbot: Chatbot) -> int:
    settings, today = tenancy.settings_of(chatbot), now().date()
    place = {"tenant_id": chatbot.tenant_id, "chatbot_id": chatbot.id}
    kept_days = 0 if settings.query_log == "off" else settings.query_log_days
    first_kept = today - timedelta(days=kept_days) if kept_days else today + timedelta(days=1)
    removed = await repository.forget_before(connection, **place, day=first_kept)
    if settings.query_log == "anonymised":
        removed += await repository.forget_text(connection, **place)
    return removed + await repository.forget_rare_queries(connection, **place, today=today)
