"""SQL of the query log and its daily counts; every function runs in a transaction scoped to the tenant."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import fields
from datetime import UTC, date, datetime, time, timedelta
from itertools import zip_longest
from typing import Any, Final
from uuid import UUID

from pydantic_core import to_json
from sqlalchemy import ColumnElement, Row, and_, delete, func, insert, select, update
from sqlalchemy.ext.asyncio import AsyncConnection

from dragoman.kit.clock import new_id
from dragoman.knowledge.tables import documents
from dragoman.search import entities
from dragoman.search.entities import Counts, LoggedSearch, OpenedDocument, Period, QueryCounts, Reaction
from dragoman.search.latency import BUCKETS
from dragoman.search.tables import search_days, search_queries, search_reactions, searches

KEPT_QUERIES: Final = 100  # of a past day, the most frequent and the most failing: a year is summed up in < 0.1 s

# ---- writing searches

_SUMMED_OF_DAY: Final = [
    "searches",
    "results",
    "zero_results",
    "low_confidence",
    "follow_ups",
    "cached",
    "degraded",
    "clicked_searches",
    "clicks",
    "reciprocal_ranks",
    "ratings_up",
    "ratings_down",
]
_SUMMED_OF_QUERY: Final = [
    "searches",
    "zero_results",
    "low_confidence",
    "clicked_searches",
    "ratings_up",
    "ratings_down",
]


def _insert(table: Any, source: str) -> str:
    """An INSERT of the rows of a JSON parameter whose chatbot still exists."""
    names = ", ".join(f'"{column.name}"' for column in table.columns)
    return (
        f"insert into {table.name} as old ({names}) select {names} "  # noqa: S608 - own names
        f"from json_populate_recordset(null::{table.name}, %({source})s::json) new where exists (select from chatbots "
        "where chatbots.tenant_id = new.tenant_id and chatbots.id = new.chatbot_id)"
    )


def _added(names: Sequence[str]) -> str:
    return ", ".join(f"{name} = old.{name} + excluded.{name}" for name in names)


# One statement and one round trip for what a second brought: counting costs less than asking for each of them.
_WRITE: Final = (
    f"with lines as ({_insert(searches, 'lines')}), "  # noqa: S608 - own names
    f"days as ({_insert(search_days, 'days')} on conflict (tenant_id, chatbot_id, day, language) do update set "
    f"{_added(_SUMMED_OF_DAY)}, slowest_ms = greatest(old.slowest_ms, excluded.slowest_ms), latencies = (select "
    "array_agg(coalesce(a, 0) + coalesce(b, 0) order by place) from unnest(old.latencies, excluded.latencies) "
    "with ordinality as both_arrays (a, b, place))) "
    f"{_insert(search_queries, 'queries')} on conflict (tenant_id, chatbot_id, day, query) do update set "
    f"{_added(_SUMMED_OF_QUERY)}, text = excluded.text"
)


def writing(
    *, lines: Sequence[entities.Row], days: Sequence[entities.Row], queries: Sequence[entities.Row]
) -> tuple[str, Mapping[str, Any]]:
    """For `Database.write`: lines of the query log, and counts that are added to those of the same day, language or query.

    Rows come sorted by their keys, so that two processes lock them in the same order.
    """
    parameters = {"lines": lines, "days": days, "queries": queries}
    return _WRITE, {name: to_json(rows).decode() for name, rows in parameters.items()}


# ---- reactions


async def lock_search(connection: AsyncConnection, *, tenant_id: UUID, search_id: UUID) -> LoggedSearch | None:
    """The search, locked against other reactions to it."""
    names = [column for column in searches.c if column.name in {field.name for field in fields(LoggedSearch)}]
    query = select(*names).where(searches.c.tenant_id == tenant_id, searches.c.id == search_id).with_for_update()
    row = (await connection.execute(query)).one_or_none()
    return None if row is None else LoggedSearch(**row._mapping)


async def list_reactions(connection: AsyncConnection, *, tenant_id: UUID, search_id: UUID) -> list[Reaction]:
    query = select(
        search_reactions.c.id, search_reactions.c.chunk_id, search_reactions.c.clicks, search_reactions.c.rating
    ).where(search_reactions.c.tenant_id == tenant_id, search_reactions.c.search_id == search_id)
    return [Reaction(**row._mapping) for row in await connection.execute(query)]


async def insert_reaction(
    connection: AsyncConnection, *, tenant_id: UUID, search_id: UUID, values: dict[str, Any]
) -> None:
    await connection.execute(
        insert(search_reactions).values(tenant_id=tenant_id, search_id=search_id, id=new_id(), **values)
    )


async def update_reaction(
    connection: AsyncConnection, *, tenant_id: UUID, search_id: UUID, reaction_id: UUID, values: dict[str, Any]
) -> None:
    await connection.execute(
        update(search_reactions)
        .where(
            search_reactions.c.tenant_id == tenant_id,
            search_reactions.c.search_id == search_id,
            search_reactions.c.id == reaction_id,
        )
        .values(**values)
    )


async def add_to_counts(
    connection: AsyncConnection, search: LoggedSearch, *, tenant_id: UUID, added: dict[str, float]
) -> None:
    """Add to what is counted of the day of a search, for its language and for all, and of its query."""
    of_day = and_(
        search_days.c.tenant_id == tenant_id,
        search_days.c.chatbot_id == search.chatbot_id,
        search_days.c.day == search.day,
        search_days.c.language.in_(("", search.language)),
    )
    await connection.execute(
        update(search_days).where(of_day).values({name: search_days.c[name] + more for name, more in added.items()})
    )
    of_query = {name: search_queries.c[name] + more for name, more in added.items() if name in search_queries.c}
    if of_query:
        await connection.execute(
            update(search_queries)
            .where(
                search_queries.c.tenant_id == tenant_id,
                search_queries.c.chatbot_id == search.chatbot_id,
                search_queries.c.day == search.day,
                search_queries.c.query == search.query,
            )
            .values(of_query)
        )


async def find_document_of(
    connection: AsyncConnection, *, tenant_id: UUID, chatbot_id: UUID, chunk_id: UUID
) -> UUID | None:
    """The document of a chunk; None when it was deleted since."""
    found = await connection.exec_driver_sql(
        "select document_id from chunks where tenant_id = %(tenant_id)s and chatbot_id = %(chatbot_id)s "
        "and id = %(chunk_id)s",
        {"tenant_id": tenant_id, "chatbot_id": chatbot_id, "chunk_id": chunk_id},
    )
    return found.scalar_one_or_none()


# ---- reading


def _days_in(tenant_id: UUID, chatbot_id: UUID, period: Period) -> ColumnElement[bool]:
    return and_(
        search_days.c.tenant_id == tenant_id,
        search_days.c.chatbot_id == chatbot_id,
        search_days.c.day.between(period.first, period.last),
    )


_COUNTED: Final = [
    func.sum(search_days.c[field.name]).label(field.name)
    if field.name != "slowest_ms"
    else func.max(search_days.c.slowest_ms).label("slowest_ms")
    for field in fields(Counts)
]


def _counts(row: Row[*tuple[Any, ...]]) -> Counts:
    return Counts(**{field.name: row._mapping[field.name] or 0 for field in fields(Counts)})


async def count(connection: AsyncConnection, *, tenant_id: UUID, chatbot_id: UUID, period: Period) -> Counts:
    query = select(*_COUNTED).where(
        _days_in(tenant_id, chatbot_id, period), search_days.c.language == (period.language or "")
    )
    return _counts((await connection.execute(query)).one())


async def count_by_day(
    connection: AsyncConnection, *, tenant_id: UUID, chatbot_id: UUID, period: Period
) -> list[tuple[date, Counts, list[int]]]:
    """Days with searches, in order, with the histogram of their total latency."""
    names = [search_days.c[field.name] for field in fields(Counts)]
    query = (
        select(search_days.c.day, search_days.c.latencies[1:BUCKETS].label("total_latencies"), *names)
        .where(_days_in(tenant_id, chatbot_id, period), search_days.c.language == (period.language or ""))
        .order_by(search_days.c.day)
    )
    return [(row.day, _counts(row), row.total_latencies) for row in await connection.execute(query)]


async def count_by_language(
    connection: AsyncConnection, *, tenant_id: UUID, chatbot_id: UUID, period: Period
) -> list[tuple[str, Counts]]:
    """The most frequent first."""
    conditions = [_days_in(tenant_id, chatbot_id, period), search_days.c.language != ""]
    if period.language:
        conditions.append(search_days.c.language == period.language)
    total = func.sum(search_days.c.searches)
    query = select(search_days.c.language, *_COUNTED).where(*conditions).group_by(search_days.c.language)
    rows = await connection.execute(query.order_by(total.desc(), search_days.c.language))
    return [(row.language, _counts(row)) for row in rows]


_OF_DAYS: Final = (
    "from search_days where tenant_id = %(tenant_id)s and chatbot_id = %(chatbot_id)s "
    "and day between %(first)s and %(last)s"
)


async def sum_latencies(connection: AsyncConnection, *, tenant_id: UUID, chatbot_id: UUID, period: Period) -> list[int]:
    """The histogram of all stages."""
    # As vectors, which pgvector adds up without taking them apart: a year takes 1 ms so, and 20 ms by `unnest`. A sum
    # above 16 million is rounded. Rows from before a stage was added are shorter.
    rows = await connection.exec_driver_sql(
        f"select sum(latencies::vector)::real[] as latencies {_OF_DAYS} and language = %(language)s "
        "and latencies <> '{}' group by cardinality(latencies)",
        _parameters(tenant_id, chatbot_id, period),
    )
    histograms = [row.latencies for row in rows]
    return [round(sum(amounts)) for amounts in zip_longest(*histograms, fillvalue=0.0)]


async def sum_latencies_by_language(
    connection: AsyncConnection, *, tenant_id: UUID, chatbot_id: UUID, period: Period
) -> dict[str, list[int]]:
    """The histograms of the total latency."""
    rows = await connection.exec_driver_sql(
        f"select language, sum(latencies[1:%(buckets)s]::vector)::real[] as latencies {_OF_DAYS} and language <> '' "
        "and latencies <> '{}' group by language",
        {**_parameters(tenant_id, chatbot_id, period), "buckets": BUCKETS},
    )
    return {row.language: [round(amount) for amount in row.latencies] for row in rows}


# Sums first and texts last: of 36,000 queries of a year some forty are shown.
_QUERIES: Final = """
with grouped as materialized (
    select query, sum(searches) as searches, sum(zero_results + low_confidence) as failures
    from search_queries
    where tenant_id = %(tenant_id)s and chatbot_id = %(chatbot_id)s and day between %(first)s and %(last)s
        and (%(language)s = '' or language = %(language)s)
    group by query
), chosen as (
    (select true as is_popular, grouped.* from grouped order by searches desc, query limit %(limit)s)
    union all
    (select false, grouped.* from grouped where failures > 0
        order by failures desc, searches desc, query limit %(limit)s)
)
select is_popular, chosen.failures, query, max(text) as text, max(language) as language,
    sum(q.searches)::int as searches, sum(zero_results)::int as zero_results,
    sum(low_confidence)::int as low_confidence, sum(clicked_searches)::int as clicked_searches,
    sum(ratings_up)::int as ratings_up, sum(ratings_down)::int as ratings_down, max(day) as last_day
from chosen join search_queries q using (query)
where q.tenant_id = %(tenant_id)s and q.chatbot_id = %(chatbot_id)s and day between %(first)s and %(last)s
    and (%(language)s = '' or q.language = %(language)s)
group by is_popular, chosen.failures, query
order by case when is_popular then 0 else chosen.failures end desc, sum(q.searches) desc, query
"""


async def list_queries(
    connection: AsyncConnection, *, tenant_id: UUID, chatbot_id: UUID, period: Period, limit: int
) -> tuple[list[QueryCounts], list[QueryCounts]]:
    """The most frequent queries, and those that most often found nothing or nothing sure."""
    rows = await connection.exec_driver_sql(_QUERIES, {**_parameters(tenant_id, chatbot_id, period), "limit": limit})
    popular: list[QueryCounts] = []
    failing: list[QueryCounts] = []
    for row in rows:
        values = {field.name: row._mapping[field.name] for field in fields(QueryCounts)}
        (popular if row.is_popular else failing).append(QueryCounts(**values))
    return popular, failing


async def list_opened_documents(
    connection: AsyncConnection, *, tenant_id: UUID, chatbot_id: UUID, period: Period, limit: int
) -> list[OpenedDocument]:
    """Shared documents that still exist, by how often their passages were opened."""
    clicks = func.sum(search_reactions.c.clicks).label("clicks")
    same = and_(searches.c.tenant_id == search_reactions.c.tenant_id, searches.c.id == search_reactions.c.search_id)
    mine = and_(documents.c.tenant_id == search_reactions.c.tenant_id, documents.c.id == search_reactions.c.document_id)
    conditions = [
        search_reactions.c.tenant_id == tenant_id,
        search_reactions.c.clicks > 0,
        searches.c.chatbot_id == chatbot_id,
        searches.c.created_at >= begin_of(period.first),
        searches.c.created_at < begin_of(period.last + timedelta(days=1)),
        documents.c.deleted_at.is_(None),
        documents.c.visibility == "shared",
    ]
    if period.language:
        conditions.append(searches.c.language == period.language)
    query = (
        select(documents.c.id, documents.c.title, clicks)
        .select_from(search_reactions.join(searches, same).join(documents, mine))
        .where(*conditions)
        .group_by(documents.c.id, documents.c.title)
        .order_by(clicks.desc(), documents.c.id)
        .limit(limit)
    )
    return [
        OpenedDocument(document_id=row.id, title=row.title, clicks=int(row.clicks))
        for row in await connection.execute(query)
    ]


def begin_of(day: date) -> datetime:
    """Midnight in UTC."""
    return datetime.combine(day, time(), tzinfo=UTC)


def _parameters(tenant_id: UUID, chatbot_id: UUID, period: Period) -> dict[str, Any]:
    return {
        "tenant_id": tenant_id,
        "chatbot_id": chatbot_id,
        "first": period.first,
        "last": period.last,
        "language": period.language or "",
    }


# ---- forgetting


async def forget_before(connection: AsyncConnection, *, tenant_id: UUID, chatbot_id: UUID, day: date) -> int:
    """Remove lines and queries of earlier days; the counts of these days stay. How many rows went."""
    lines = await connection.execute(
        delete(searches).where(
            searches.c.tenant_id == tenant_id,
            searches.c.chatbot_id == chatbot_id,
            searches.c.created_at < begin_of(day),
        )
    )
    queries = await connection.execute(
        delete(search_queries).where(
            search_queries.c.tenant_id == tenant_id,
            search_queries.c.chatbot_id == chatbot_id,
            search_queries.c.day < day,
        )
    )
    return lines.rowcount + queries.rowcount


async def forget_text(connection: AsyncConnection, *, tenant_id: UUID, chatbot_id: UUID) -> int:
    """Remove the text of all queries of a chatbot; how many rows held some."""
    changed = 0
    for table in (searches, search_queries):
        result = await connection.execute(
            update(table)
            .where(table.c.tenant_id == tenant_id, table.c.chatbot_id == chatbot_id, table.c.text.is_not(None))
            .values(text=None)
        )
        changed += result.rowcount
    return changed


_FORGET_RARE: Final = """
delete from search_queries using (
    select day, query,
        row_number() over (partition by day order by searches desc, query) as popular,
        row_number() over (partition by day order by zero_results + low_confidence desc, searches desc, query) as failing
    from search_queries
    where tenant_id = %(tenant_id)s and chatbot_id = %(chatbot_id)s and day < %(today)s and day in (
        select day from search_queries
        where tenant_id = %(tenant_id)s and chatbot_id = %(chatbot_id)s and day < %(today)s
        group by day having count(*) > 2 * %(kept)s)
) ranked
where search_queries.tenant_id = %(tenant_id)s and search_queries.chatbot_id = %(chatbot_id)s
    and search_queries.day = ranked.day and search_queries.query = ranked.query
    and popular > %(kept)s and (failing > %(kept)s or zero_results + low_confidence = 0)
"""


async def forget_rare_queries(connection: AsyncConnection, *, tenant_id: UUID, chatbot_id: UUID, today: date) -> int:
    """Of each past day keep the `KEPT_QUERIES` most frequent queries and as many of the most failing."""
    result = await connection.exec_driver_sql(
        _FORGET_RARE, {"tenant_id": tenant_id, "chatbot_id": chatbot_id, "today": today, "kept": KEPT_QUERIES}
    )
    return result.rowcount
