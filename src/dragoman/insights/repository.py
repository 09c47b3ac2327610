"""SQL of facts and counts; every function runs in a transaction scoped to the tenant, but for `list_waiting_tenants`."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from datetime import date, datetime
from typing import Any, Final
from uuid import UUID

import numpy as np
from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncConnection

from dragoman.insights.entities import NUMBERS, CitedDocument, Counts, Dimension, Fact, Grain, Key, Unanswered
from dragoman.insights.sketch import BUCKETS, LENGTH
from dragoman.insights.tables import COUNTED, SPENT, insight_documents
from dragoman.kit.database import recordset, rows_as_json
from dragoman.kit.reading import Reader

_KEY: Final = "tenant_id, chatbot_id, grain, dimension, starts_at, value"
_SUMS: Final = ", ".join(
    [f"sum({name})::bigint as {name}" for name in COUNTED] + [f"sum({name}) as {name}" for name in SPENT]
)

# ---- facts


async def list_waiting_tenants(connection: AsyncConnection) -> list[UUID]:
    """Tenants with facts that wait to be counted; as `system`. One index probe for each, however many facts there are."""
    rows = await connection.execute(
        text(
            "with recursive heads as ((select tenant_id from insight_facts order by tenant_id limit 1) union all "
            "select (select tenant_id from insight_facts f where f.tenant_id > heads.tenant_id order by tenant_id limit 1) "
            "from heads where heads.tenant_id is not null) select tenant_id from heads where tenant_id is not null"
        )
    )
    return [row.tenant_id for row in rows]


async def take_facts(connection: AsyncConnection, *, tenant_id: UUID, limit: int) -> list[Fact]:
    """Remove the oldest facts that nobody else is taking; they are there again if the transaction fails."""
    # An array, and no join: before the first `analyze` a join of 50,000 rows is planned as one of a few, and takes minutes.
    rows = await connection.exec_driver_sql(
        "delete from insight_facts where tenant_id = %(tenant_id)s and id = any(array(select id from insight_facts "
        "where tenant_id = %(tenant_id)s order by id limit %(limit)s for update skip locked)) "
        "returning id, chatbot_id, kind, at, facts",
        {"tenant_id": tenant_id, "limit": limit},
    )
    return sorted((_fact(row) for row in rows), key=lambda fact: fact.id)


async def list_facts(connection: Reader, *, tenant_id: UUID, chatbots: Sequence[UUID], limit: int) -> list[Fact]:
    """The oldest facts of these chatbots that are not counted yet."""
    rows = await connection.exec_driver_sql(
        "select id, chatbot_id, kind, at, facts from insight_facts where tenant_id = %(tenant_id)s "
        "and chatbot_id = any(%(chatbots)s) order by id limit %(limit)s",
        {"tenant_id": tenant_id, "chatbots": list(chatbots), "limit": limit},
    )
    return [_fact(row) for row in rows]


def _fact(row: Any) -> Fact:
    return Fact(id=row.id, chatbot_id=row.chatbot_id, kind=row.kind, at=row.at, facts=row.facts)


async def list_citations(
    connection: AsyncConnection, *, tenant_id: UUID, answer_ids: Sequence[str]
) -> dict[str, set[UUID]]:
    """The documents that each of these answers cites; an answer that is gone cites none. Ids as text: most cite nothing."""
    rows = await connection.exec_driver_sql(
        "select id::text, citations from messages where tenant_id = %(tenant_id)s and id = any(%(ids)s::uuid[]) "
        "and citations <> '[]'",
        {"tenant_id": tenant_id, "ids": list(answer_ids)},
    )
    return {row.id: {UUID(citation["document_id"]) for citation in row.citations} for row in rows}


# ---- counting

_ADDED: Final = ", ".join(f"{name} = old.{name} + excluded.{name}" for name in NUMBERS)
_RECEIVED: Final = ", ".join(
    [
        *("tenant_id uuid", "chatbot_id uuid", "grain text", "dimension text", "starts_at timestamptz", "value text"),
        *(f"{name} bigint" for name in COUNTED),
        *(f"{name} double precision" for name in SPENT),
        "latencies text",
    ]
)
# Sketches travel as sparse vectors: they are mostly zeros, and PostgreSQL reads JSON arrays of 2,304 slowly.
_ADD_COUNTS: Final = (
    f"insert into insight_counts as old ({_KEY}, {', '.join(NUMBERS)}, latencies) "  # noqa: S608 - own names
    f"select {_KEY}, {', '.join(NUMBERS)}, latencies::sparsevec::vector::real[] "
    f"from json_to_recordset(%(rows)s::json) as received ({_RECEIVED}) "
    f"on conflict ({_KEY}) do update set {_ADDED}, latencies = case when old.latencies is null then excluded.latencies "
    "when excluded.latencies is null then old.latencies "
    "else (old.latencies::vector + excluded.latencies::vector)::real[] end"
)


async def add_counts(connection: AsyncConnection, rows: Mapping[Key, Counts], *, tenant_id: UUID) -> None:
    """Add counts of facts to the rows of the same keys. Sorted, so that two schedulers lock them in the same order."""
    values = [_values(key, rows[key], tenant_id) for key in sorted(rows)]
    if values:
        await connection.exec_driver_sql(_ADD_COUNTS, {"rows": rows_as_json(values)})


def _values(key: Key, counts: Counts, tenant_id: UUID) -> dict[str, Any]:
    return {
        "tenant_id": tenant_id,
        "chatbot_id": key.chatbot_id,
        "grain": key.grain,
        "dimension": key.dimension.value,
        "starts_at": key.starts_at,
        "value": key.value,
        **{name: getattr(counts, name) for name in NUMBERS},
        "latencies": _sparse(counts.places) if counts.places else None,
    }


def _sparse(places: Mapping[int, int]) -> str:
    """As pgvector reads a sparse vector; its places begin with 1."""
    return f"{{{','.join(f'{place + 1}:{amount}' for place, amount in places.items())}}}/{LENGTH}"


async def add_citations(
    connection: AsyncConnection, cited: Mapping[tuple[UUID, date, UUID], int], *, tenant_id: UUID
) -> None:
    """Add to how often documents were cited, by chatbot, day and document."""
    values = [
        {"tenant_id": tenant_id, "chatbot_id": chatbot_id, "day": day, "document_id": document_id, "cited": times}
        for (chatbot_id, day, document_id), times in sorted(cited.items())
    ]
    if values:
        await connection.exec_driver_sql(
            "insert into insight_documents as old (tenant_id, chatbot_id, day, document_id, cited) "  # noqa: S608
            f"select tenant_id, chatbot_id, day, document_id, cited from {recordset(insight_documents)} "
            "on conflict (tenant_id, chatbot_id, day, document_id) do update set cited = old.cited + excluded.cited",
            {"rows": rows_as_json(values)},
        )


# ---- reading

_ROWS: Final = (
    "from insight_counts where tenant_id = %(tenant_id)s and chatbot_id = any(%(chatbots)s) and grain = %(grain)s "
    "and dimension = %(dimension)s and starts_at >= %(begin)s and starts_at < %(end)s"
)


async def sum_counts(
    connection: Reader,
    *,
    tenant_id: UUID,
    chatbots: Sequence[UUID],
    grain: Grain,
    begin: datetime,
    end: datetime,
    dimension: Dimension = Dimension.ALL,
    value: str = "",
) -> Counts:
    """All rows of a span, with their latencies."""
    # As vectors, which pgvector adds up without taking them apart. A sum above 16 million in one bucket is rounded.
    rows = await connection.exec_driver_sql(
        f"select {_SUMS}, sum(latencies::vector) filter (where latencies is not null)::real[] as latencies "
        f"{_ROWS} and value = %(value)s",
        _parameters(tenant_id, chatbots, grain, begin, end, dimension) | {"value": value},
    )
    row = rows.one()
    counts = _counts(row)
    counts.latencies = None if row.latencies is None else np.array(row.latencies, dtype=np.float32)
    return counts


async def list_bars(
    connection: Reader,
    *,
    tenant_id: UUID,
    chatbots: Sequence[UUID],
    grain: Grain,
    begin: datetime,
    end: datetime,
    dimension: Dimension = Dimension.ALL,
    value: str = "",
) -> dict[datetime, Counts]:
    """By hour or day, with the latencies of `total` only."""
    rows = await connection.exec_driver_sql(
        f"select starts_at, {_SUMS}, {_TOTALS} {_ROWS} and value = %(value)s group by starts_at",
        _parameters(tenant_id, chatbots, grain, begin, end, dimension) | {"value": value},
    )
    return {row.starts_at: _with_totals(row) for row in rows}


async def list_parts(
    connection: Reader,
    *,
    tenant_id: UUID,
    chatbots: Sequence[UUID],
    grain: Grain,
    begin: datetime,
    end: datetime,
    dimension: Dimension,
) -> dict[str, Counts]:
    """By the values of a dimension, with the latencies of `total` only."""
    rows = await connection.exec_driver_sql(
        f"select value, {_SUMS}, {_TOTALS} {_ROWS} group by value",
        _parameters(tenant_id, chatbots, grain, begin, end, dimension),
    )
    return {row.value: _with_totals(row) for row in rows}


_TOTALS: Final = f"sum(latencies[1:{BUCKETS}]::vector) filter (where latencies is not null)::real[] as totals"


def _parameters(
    tenant_id: UUID, chatbots: Iterable[UUID], grain: Grain, begin: datetime, end: datetime, dimension: Dimension
) -> dict[str, Any]:
    return {
        "tenant_id": tenant_id,
        "chatbots": list(chatbots),
        "grain": grain,
        "begin": begin,
        "end": end,
        "dimension": dimension.value,
    }


def _counts(row: Any) -> Counts:
    numbers: dict[str, Any] = {name: getattr(row, name) or 0 for name in NUMBERS}
    return Counts(**numbers)


def _with_totals(row: Any) -> Counts:
    counts = _counts(row)
    if row.totals is not None:
        counts.latencies = np.zeros(LENGTH, dtype=np.float32)
        counts.latencies[:BUCKETS] = row.totals
    return counts


async def list_cited_documents(
    connection: Reader, *, tenant_id: UUID, chatbot_id: UUID, first: date, last: date, limit: int
) -> list[CitedDocument]:
    """Shared documents that still exist, by how many answers cite them."""
    rows = await connection.exec_driver_sql(
        "with sums as materialized (select document_id, sum(cited)::bigint as cited from insight_documents "
        "where tenant_id = %(tenant_id)s and chatbot_id = %(chatbot_id)s and day between %(first)s and %(last)s "
        "group by document_id) select d.id, d.title, sums.cited from sums join documents d on "
        "d.tenant_id = %(tenant_id)s and d.id = sums.document_id where d.deleted_at is null and d.visibility = 'shared' "
        "order by sums.cited desc, d.id limit %(limit)s",
        {"tenant_id": tenant_id, "chatbot_id": chatbot_id, "first": first, "last": last, "limit": limit},
    )
    return [CitedDocument(document_id=row.id, title=row.title, cited=row.cited) for row in rows]


def _unanswered(also: str) -> str:
    return (
        "select t.answer_id, t.created_at, t.language, t.degraded, m.content from (select * from turns "  # noqa: S608
        "where tenant_id = %(tenant_id)s and chatbot_id = %(chatbot_id)s and created_at >= %(begin)s "
        f"and created_at < %(end)s and not answered and not degraded @> '\"interrupted\"' {also} "
        "order by created_at desc limit %(limit)s) t "
        "left join messages m on m.tenant_id = t.tenant_id and m.id = t.question_id order by t.created_at desc"
    )


# A statement that may or may not ask for a language is planned for neither, and reads a year.
_UNANSWERED, _UNANSWERED_IN = _unanswered(""), _unanswered("and language = %(language)s")


async def list_unanswered(
    connection: Reader,
    *,
    tenant_id: UUID,
    chatbot_id: UUID,
    begin: datetime,
    end: datetime,
    language: str | None,
    limit: int,
) -> list[Unanswered]:
    """The newest questions that got "I don't know"."""
    rows = await connection.exec_driver_sql(
        _UNANSWERED if language is None else _UNANSWERED_IN,
        {
            "tenant_id": tenant_id,
            "chatbot_id": chatbot_id,
            "begin": begin,
            "end": end,
            "language": language,
            "limit": limit,
        },
    )
    return [
        Unanswered(
            message_id=row.answer_id,
            question=row.content,
            language=row.language,
            asked_at=row.created_at,
            degraded=row.degraded,
        )
        for row in rows
    ]


# ---- forgetting


async def forget_counts(connection: AsyncConnection, *, tenant_id: UUID, grain: Grain, before: datetime) -> int:
    """Remove rows of earlier minutes, hours or days."""
    removed = await connection.exec_driver_sql(
        "delete from insight_counts where tenant_id = %(tenant_id)s and grain = %(grain)s and starts_at < %(before)s",
        {"tenant_id": tenant_id, "grain": grain, "before": before},
    )
    return removed.rowcount


async def forget_lost_chatbots(connection: AsyncConnection, *, tenant_id: UUID) -> int:
    """Remove the counts of chatbots that are deleted; those of no chatbot stay."""
    removed = 0
    for table in ("insight_counts", "insight_documents"):
        result = await connection.exec_driver_sql(
            f"delete from {table} c where tenant_id = %(tenant_id)s and chatbot_id <> %(none)s and not exists "  # noqa: S608
            "(select from chatbots b where b.tenant_id = c.tenant_id and b.id = c.chatbot_id)",
            {"tenant_id": tenant_id, "none": UUID(int=0)},
        )
        removed += result.rowcount
    return removed


async def forget_documents(
    connection: AsyncConnection, *, tenant_id: UUID, today: date, before: date, keep: int
) -> int:
    """Remove days before `before`, and of each past day all documents but the `keep` most cited of each chatbot."""
    result = await connection.exec_driver_sql(
        "delete from insight_documents using (select chatbot_id, day, document_id, row_number() over "
        "(partition by chatbot_id, day order by cited desc, document_id) as place from insight_documents "
        "where tenant_id = %(tenant_id)s and day < %(today)s) ranked where insight_documents.tenant_id = %(tenant_id)s "
        "and insight_documents.chatbot_id = ranked.chatbot_id and insight_documents.day = ranked.day "
        "and insight_documents.document_id = ranked.document_id "
        "and (place > %(keep)s or insight_documents.day < %(before)s)",
        {"tenant_id": tenant_id, "today": today, "before": before, "keep": keep},
    )
    return result.rowcount
