"""SQL of what was before anything was counted; every function runs in a transaction scoped to the tenant."""

from __future__ import annotations

from datetime import date, datetime
from typing import Any, Final
from uuid import UUID

from sqlalchemy import Row
from sqlalchemy.ext.asyncio import AsyncConnection

_OF_TENANT: Final = "tenant_id = %(tenant_id)s"
_CHATBOTS: Final = f"chatbot_id = any(array(select id from chatbots where {_OF_TENANT}))"  # noqa: S608 - own text
_SPAN: Final = f"{_OF_TENANT} and {{}} >= %(begin)s and {{}} < %(end)s"

# As the triggers of migrations 0018 and 0019 tell of new rows; calls and ratings together by hour, since minutes are not kept.
_FACTS: Final = (
    f"""
    select tenant_id, chatbot_id, 'turn', created_at, jsonb_build_object(
        'language', language, 'answerer', provider_model, 'answered', answered, 'degraded', degraded,
        'timings', timings, 'usage', usage, 'answer_id', answer_id)
    from turns where {_SPAN.format("created_at", "created_at")} and {_CHATBOTS}
    """,  # noqa: S608
    f"""
    select tenant_id, chatbot_id, 'calls', date_trunc('hour', created_at, 'UTC'), jsonb_build_object(
        'model', model, 'calls', sum(calls), 'failed', count(error_code), 'input_tokens', sum(input_tokens),
        'output_tokens', sum(output_tokens), 'cost_usd', sum(cost_usd),
        'errors', coalesce(jsonb_agg(error_code) filter (where error_code is not null), '[]'))
    from usage_records where {_SPAN.format("created_at", "created_at")}
    group by tenant_id, chatbot_id, date_trunc('hour', created_at, 'UTC'), model
    """,  # noqa: S608
    f"""
    select tenant_id, (payload ->> 'chatbot_id')::uuid, 'job', finished_at, jsonb_build_object(
        'job', kind, 'failed', state = 'failed', 'error', error_code, 'steps', step_ms,
        'wait_ms', extract(epoch from started_at - created_at) * 1000,
        'run_ms', extract(epoch from finished_at - started_at) * 1000)
    from jobs where {_SPAN.format("finished_at", "finished_at")} and state in ('succeeded', 'failed')
    """,  # noqa: S608
    # A rating that was changed since is told as it was then: the change has a fact of its own.
    f"""
    select tenant_id, chatbot_id, 'rating', date_trunc('hour', created_at, 'UTC'), jsonb_build_object('language', language,
        'up', count(*) filter (where was = 'up'), 'down', count(*) filter (where was = 'down'))
    from (select f.*, coalesce((select h.rating from feedback_history h where h.tenant_id = f.tenant_id
            and h.feedback_id = f.id and h.replaced_at >= %(since)s order by h.number limit 1), rating) as was
        from feedback f where {_SPAN.format("created_at", "created_at")} and not is_review) given
    group by tenant_id, chatbot_id, date_trunc('hour', created_at, 'UTC'), language
    """,  # noqa: S608
    # Searches are counted by day: those of the day in which counting began cannot be told apart from what was counted.
    f"""
    select tenant_id, chatbot_id, 'searches', day::timestamp at time zone 'UTC', jsonb_build_object(
        'searches', searches, 'zero_results', zero_results, 'low_confidence', low_confidence,
        'searches_cached', cached, 'searches_degraded', degraded, 'latencies', to_jsonb(latencies[1:64]))
    from search_days where {_OF_TENANT} and language = '' and day = (%(begin)s at time zone 'UTC')::date
        and day < (%(since)s at time zone 'UTC')::date
    """,  # noqa: S608
)
_FIRST_DAY: Final = f"""
    select least(
        (select min(created_at) from turns where {_OF_TENANT}),
        (select min(created_at) from usage_records where {_OF_TENANT}),
        (select min(finished_at) from jobs where {_OF_TENANT}),
        (select min(created_at) from feedback where {_OF_TENANT}),
        (select min(day)::timestamp at time zone 'UTC' from search_days where {_OF_TENANT})) as first
"""  # noqa: S608


async def lock_unfinished(connection: AsyncConnection, *, tenant_id: UUID) -> Row[Any] | None:
    """`counted_since` and `next_day`, held until the transaction ends; None where nothing is left to do."""
    rows = await connection.exec_driver_sql(
        f"select counted_since, next_day from insight_backfills where {_OF_TENANT} and finished_at is null for update",  # noqa: S608
        {"tenant_id": tenant_id},
    )
    return rows.one_or_none()


async def find_first_day(connection: AsyncConnection, *, tenant_id: UUID, before: datetime) -> date | None:
    """The day (UTC) of the first thing that happened; None where nothing did before this moment."""
    rows = await connection.exec_driver_sql(_FIRST_DAY, {"tenant_id": tenant_id})
    first: datetime | None = rows.scalar_one()
    return None if first is None or first >= before else first.date()


async def add_facts(
    connection: AsyncConnection, *, tenant_id: UUID, begin: datetime, end: datetime, since: datetime
) -> int:
    """Tell of what happened from `begin` until `end`, within a day; how many facts that were."""
    place = {"tenant_id": tenant_id, "begin": begin, "end": end, "since": since}
    made = 0
    for facts in _FACTS:
        done = await connection.exec_driver_sql(
            f"insert into insight_facts (tenant_id, chatbot_id, kind, at, facts) {facts}",
            place,
        )
        made += done.rowcount
    return made


async def move_on(connection: AsyncConnection, *, tenant_id: UUID, next_day: date) -> None:
    """All days before this one are done."""
    await connection.exec_driver_sql(
        f"update insight_backfills set next_day = %(next_day)s where {_OF_TENANT}",  # noqa: S608
        {"tenant_id": tenant_id, "next_day": next_day},
    )


async def finish(connection: AsyncConnection, *, tenant_id: UUID) -> None:
    await connection.exec_driver_sql(
        f"update insight_backfills set finished_at = now() where {_OF_TENANT}",  # noqa: S608
        {"tenant_id": tenant_id},
    )
