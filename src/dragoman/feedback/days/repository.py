"""SQL of feedback by day; every function runs in a transaction scoped to the tenant, but for `list_waiting_tenants`."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import date
from typing import Any, Final
from uuid import UUID

from sqlalchemy import Row
from sqlalchemy.ext.asyncio import AsyncConnection

from dragoman.kit.reading import Reader

Day = tuple[UUID, date]
"""A chatbot and a day (UTC)."""

_PARTS: Final = "is_review, language, reason, model, prompt_version"
_NUMBERS: Final = ("up", "down", "comments", "open", "accepted", "rejected")
_UP_AND_DOWN: Final = "count(*) filter (where rating = 'up') as up, count(*) filter (where rating = 'down') as down"

# The feedback of one row of `chosen`: a chatbot and a day.
_OF_DAY: Final = """feedback
    where tenant_id = %(tenant_id)s and feedback.chatbot_id = chosen.chatbot_id
        and created_at >= chosen.day::timestamp at time zone 'UTC'
        and created_at < (chosen.day + 1)::timestamp at time zone 'UTC'"""
_COUNTED: Final = f"""
    select chosen.chatbot_id, chosen.day, counted.* from chosen cross join lateral (
        select is_review, language, coalesce(reason, '') as reason, model, prompt_version, {_UP_AND_DOWN},
            count(*) filter (where comment <> '') as comments,
            count(*) filter (where correction_state = 'open') as open,
            count(*) filter (where correction_state = 'accepted') as accepted,
            count(*) filter (where correction_state = 'rejected') as rejected
        from {_OF_DAY} group by 1, 2, 3, 4, 5
    ) counted
"""  # noqa: S608 - own text
_COUNTED_DOCUMENTS: Final = f"""
    select chosen.chatbot_id, chosen.day, counted.* from chosen cross join lateral (
        select document_id, {_UP_AND_DOWN} from (select rating, unnest(documents) as document_id from {_OF_DAY}
            and not is_review) as cited group by 1
    ) counted
"""  # noqa: S608

# ---- counting


async def list_waiting_tenants(connection: AsyncConnection) -> list[UUID]:
    """Tenants with days that have changed; as `system`."""
    rows = await connection.exec_driver_sql("select distinct tenant_id from feedback_changes")
    return [row.tenant_id for row in rows]


async def is_only_writer(connection: AsyncConnection, *, tenant_id: UUID) -> bool:
    """False where another process counts the days of this tenant; held until the transaction ends."""
    statement = "select pg_try_advisory_xact_lock(hashtextextended('feedback days ' || %(tenant_id)s, 0))"
    return bool((await connection.exec_driver_sql(statement, {"tenant_id": str(tenant_id)})).scalar_one())


async def take_changes(connection: AsyncConnection, *, tenant_id: UUID, limit: int) -> tuple[int, list[Day]]:
    """Remove the oldest marks: how many, and the days that they mark. They are there again if the transaction fails."""
    rows = await connection.exec_driver_sql(
        "delete from feedback_changes where tenant_id = %(tenant_id)s and id = any(array(select id from feedback_changes "
        "where tenant_id = %(tenant_id)s order by id limit %(limit)s)) returning chatbot_id, day",
        {"tenant_id": tenant_id, "limit": limit},
    )
    marks = rows.all()
    return len(marks), sorted({(row.chatbot_id, row.day) for row in marks})


async def count_days(connection: AsyncConnection, days: Sequence[Day], *, tenant_id: UUID) -> None:
    """Count these days anew. A statement each, so that the counting ones see what was committed before they began."""
    place = {"tenant_id": tenant_id, "chatbots": [day[0] for day in days], "days": [day[1] for day in days]}
    for statement in _COUNT if days else ():
        await connection.exec_driver_sql(statement, place)


_CHOSEN: Final = (
    "with chosen as (select * from unnest(%(chatbots)s::uuid[], %(days)s::date[]) as chosen (chatbot_id, day))"
)
_COUNT: Final = (
    *(
        f"{_CHOSEN} delete from {table} counted using chosen where counted.tenant_id = %(tenant_id)s "  # noqa: S608
        "and counted.chatbot_id = chosen.chatbot_id and counted.day = chosen.day"
        for table in ("feedback_days", "feedback_document_days")
    ),
    (
        f"insert into feedback_days (tenant_id, chatbot_id, day, {_PARTS}, {', '.join(_NUMBERS)}) "  # noqa: S608
        f"{_CHOSEN} select %(tenant_id)s, counted.* from ({_COUNTED}) counted"
    ),
    (
        "insert into feedback_document_days (tenant_id, chatbot_id, day, document_id, up, down) "  # noqa: S608
        f"{_CHOSEN} select %(tenant_id)s, counted.* from ({_COUNTED_DOCUMENTS}) counted"
    ),
)


# ---- reading

_COLUMNS: Final = f"chatbot_id, day, {_PARTS}, {', '.join(_NUMBERS)}"
_SUMS: Final = ", ".join(f"sum({name})::bigint as {name}" for name in _NUMBERS)


def _days_of(table: str, counted: str, columns: str, *, of_one: bool) -> str:
    """`days`: those that are counted, and those that have changed since from the feedback itself."""
    place = "tenant_id = %(tenant_id)s and day between %(first)s and %(last)s"
    place += " and chatbot_id = %(chatbot_id)s" if of_one else ""
    return f"""
        with chosen as materialized (select distinct chatbot_id, day from feedback_changes where {place}),
        days as (
            select {columns} from {table} where {place} and (chatbot_id, day) not in (select chatbot_id, day from chosen)
            union all
            select {columns} from ({counted}) counted
        )
    """  # noqa: S608 - own text


def _cells(*, of_one: bool) -> str:
    return f"""
        {_days_of("feedback_days", _COUNTED, _COLUMNS, of_one=of_one)}
        select grouping(day) = 0 as is_day, day, chatbot_id, {_PARTS}, {_SUMS} from days
        group by grouping sets ((chatbot_id, {_PARTS}), (day, is_review)) order by day
    """  # noqa: S608


def _documents(*, of_one: bool) -> str:
    return f"""
        {_days_of("feedback_document_days", _COUNTED_DOCUMENTS, "document_id, up, down", of_one=of_one)}
        select cited.*, documents.title from (
            select document_id, sum(up)::bigint as up, sum(down)::bigint as down from days group by document_id
            order by down desc, up, document_id limit %(limit)s
        ) cited
        left join documents on documents.tenant_id = %(tenant_id)s and documents.id = cited.document_id
            and documents.deleted_at is null
        order by down desc, up, document_id
    """  # noqa: S608


_CELLS: Final = {of_one: _cells(of_one=of_one) for of_one in (False, True)}
_DOCUMENTS: Final = {of_one: _documents(of_one=of_one) for of_one in (False, True)}


async def sum_cells(
    connection: Reader, *, tenant_id: UUID, chatbot_id: UUID | None, first: date, last: date
) -> Sequence[Row[Any]]:
    """Sums by all parts but days, and sums by day, for which `is_day` holds. `reason` is empty without one."""
    place = {"tenant_id": tenant_id, "chatbot_id": chatbot_id, "first": first, "last": last}
    rows: Sequence[Row[Any]] = (await connection.exec_driver_sql(_CELLS[chatbot_id is not None], place)).all()
    return rows


async def sum_documents(
    connection: Reader, *, tenant_id: UUID, chatbot_id: UUID | None, first: date, last: date, limit: int
) -> Sequence[Row[Any]]:
    """The documents cited in answers that askers rated, the most rated down first."""
    place = {"tenant_id": tenant_id, "chatbot_id": chatbot_id, "first": first, "last": last, "limit": limit}
    rows: Sequence[Row[Any]] = (await connection.exec_driver_sql(_DOCUMENTS[chatbot_id is not None], place)).all()
    return rows
