"""SQL of improvement reports and of what they are made from."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import UTC, date, datetime, time, timedelta
from typing import Any, Final
from uuid import UUID

from sqlalchemy import delete, func, select, text, update
from sqlalchemy.dialects.postgresql import insert as upsert
from sqlalchemy.ext.asyncio import AsyncConnection

from dragoman.chat.tables import messages, turns
from dragoman.feedback.entities import AskedTurn, ImprovementReport, ReportState
from dragoman.feedback.tables import improvement_reports
from dragoman.kit.clock import now
from dragoman.knowledge.tables import chunks, documents

# ---- reports


async def insert_report(connection: AsyncConnection, report: ImprovementReport) -> bool:
    """Write it; False: the schedule has made one of these days before."""
    names = [column.name for column in improvement_reports.columns]
    statement = upsert(improvement_reports).values({name: getattr(report, name) for name in names})
    written = await connection.execute(statement.on_conflict_do_nothing().returning(improvement_reports.c.id))
    return written.one_or_none() is not None


async def find_report(connection: AsyncConnection, *, tenant_id: UUID, report_id: UUID) -> ImprovementReport | None:
    c = improvement_reports.c
    query = select(improvement_reports).where(c.tenant_id == tenant_id, c.id == report_id)
    row = (await connection.execute(query)).one_or_none()
    return None if row is None else _report(row)


async def list_reports(
    connection: AsyncConnection, *, tenant_id: UUID, chatbot_id: UUID | None, limit: int, offset: int
) -> tuple[list[ImprovementReport], int]:
    """The latest first, with the number of all."""
    c = improvement_reports.c
    mine = [c.tenant_id == tenant_id]
    if chatbot_id is not None:
        mine.append(c.chatbot_id == chatbot_id)
    total = (await connection.execute(select(func.count()).select_from(improvement_reports).where(*mine))).scalar_one()
    query = select(improvement_reports).where(*mine).order_by(c.created_at.desc(), c.id.desc())
    rows = await connection.execute(query.limit(limit).offset(offset))
    return [_report(row) for row in rows], total


async def update_report(
    connection: AsyncConnection, *, tenant_id: UUID, report_id: UUID, values: Mapping[str, Any]
) -> None:
    c = improvement_reports.c
    await connection.execute(
        update(improvement_reports).where(c.tenant_id == tenant_id, c.id == report_id).values(dict(values))
    )


async def finish_report(
    connection: AsyncConnection, *, tenant_id: UUID, report_id: UUID, content: Mapping[str, Any]
) -> None:
    values = {"state": ReportState.READY.value, "content": dict(content), "finished_at": now(), "error": None}
    await update_report(connection, tenant_id=tenant_id, report_id=report_id, values=values)


async def delete_old_reports(connection: AsyncConnection, *, tenant_id: UUID, before: datetime) -> int:
    """Delete reports made before, but for those that are being written; how many."""
    c = improvement_reports.c
    ended = [ReportState.READY.value, ReportState.FAILED.value]
    old = delete(improvement_reports).where(c.tenant_id == tenant_id, c.created_at < before, c.state.in_(ended))
    return (await connection.execute(old)).rowcount


# ---- what they are made from

_ASKED: Final = text("""
    with asked as (
        select turns.tenant_id, turns.answer_id, turns.question_id, turns.rewritten_question, turns.language, turns.answered,
            coalesce(rated.up, 0) as up, coalesce(rated.down, 0) as down, coalesce(rated.reasons, '{}') as reasons
        from turns
        left join (
            select answer_id, count(*) filter (where rating = 'up') as up, count(*) filter (where rating = 'down') as down,
                array_remove(array_agg(distinct reason) filter (where rating = 'down'), null) as reasons
            from feedback where tenant_id = :tenant_id and chatbot_id = :chatbot_id and created_at >= :since
            group by answer_id
        ) as rated on rated.answer_id = turns.answer_id
        where turns.tenant_id = :tenant_id and turns.chatbot_id = :chatbot_id
            and turns.created_at >= :since and turns.created_at < :until and not turns.degraded ? 'interrupted'
        order by coalesce(rated.down, 0) = 0, turns.answered, turns.created_at desc
        limit :limit
    )
    select asked.*, coalesce(asked.rewritten_question, question.content) as text, answer.citations
    from asked
    join messages as question on question.tenant_id = asked.tenant_id and question.id = asked.question_id
    join messages as answer on answer.tenant_id = asked.tenant_id and answer.id = asked.answer_id
    order by asked.answer_id
""")
_COUNT: Final = text("""
    select count(*) as asked, count(*) filter (where not answered) as unanswered from turns
    where tenant_id = :tenant_id and chatbot_id = :chatbot_id and created_at >= :since and created_at < :until
        and not degraded ? 'interrupted'
""")


async def list_asked(
    connection: AsyncConnection, *, tenant_id: UUID, chatbot_id: UUID, first: date, last: date, limit: int
) -> list[AskedTurn]:
    """Questions of these days: what was rated down first, then what was not answered, then the latest."""
    values = {**_place(tenant_id, chatbot_id, first, last), "limit": limit}
    return [
        AskedTurn(
            question_id=row.question_id,
            text=row.text,
            language=row.language,
            answered=row.answered,
            up=row.up,
            down=row.down,
            reasons=tuple(row.reasons),
            citations=row.citations,
        )
        for row in await connection.execute(_ASKED, values)
    ]


async def count_asked(
    connection: AsyncConnection, *, tenant_id: UUID, chatbot_id: UUID, first: date, last: date
) -> tuple[int, int]:
    """How many questions were asked on these days, and how many of them were not answered."""
    row = (await connection.execute(_COUNT, _place(tenant_id, chatbot_id, first, last))).one()
    return row.asked, row.unanswered


def _place(tenant_id: UUID, chatbot_id: UUID, first: date, last: date) -> dict[str, Any]:
    since = datetime.combine(first, time(), UTC)
    until = datetime.combine(last, time(), UTC) + timedelta(days=1)
    return {"tenant_id": tenant_id, "chatbot_id": chatbot_id, "since": since, "until": until}


async def was_asked(connection: AsyncConnection, *, tenant_id: UUID, chatbot_id: UUID, first: date, last: date) -> bool:
    place = _place(tenant_id, chatbot_id, first, last)
    c = turns.c
    query = select(c.id).where(
        c.tenant_id == tenant_id,
        c.chatbot_id == chatbot_id,
        c.created_at >= place["since"],
        c.created_at < place["until"],
    )
    return (await connection.execute(query.limit(1))).one_or_none() is not None


# ---- what they show


async def read_questions(
    connection: AsyncConnection, *, tenant_id: UUID, question_ids: Sequence[UUID]
) -> dict[UUID, tuple[str, str]]:
    """Text and language of questions that still exist, by id; as they can be understood alone."""
    m = messages.c
    alone = (
        select(turns.c.rewritten_question, turns.c.language)
        .where(turns.c.tenant_id == m.tenant_id, turns.c.session_id == m.session_id, turns.c.question_id == m.id)
        .order_by(turns.c.created_at)
        .limit(1)
        .lateral("alone")
    )
    query = (
        select(m.id, func.coalesce(alone.c.rewritten_question, m.content).label("text"), alone.c.language)
        .select_from(messages.outerjoin(alone, text("true")))
        .where(m.tenant_id == tenant_id, m.id.in_(question_ids))
    )
    return {row.id: (row.text, row.language or "und") for row in await connection.execute(query)}


async def read_titles(connection: AsyncConnection, *, tenant_id: UUID, document_ids: Sequence[UUID]) -> dict[UUID, str]:
    """Titles of documents that were not deleted."""
    d = documents.c
    query = select(d.id, d.title).where(d.tenant_id == tenant_id, d.id.in_(document_ids), d.deleted_at.is_(None))
    return {row.id: row.title for row in await connection.execute(query)}


async def read_pages(
    connection: AsyncConnection, *, tenant_id: UUID, chatbot_id: UUID, chunk_ids: Sequence[UUID]
) -> dict[UUID, int]:
    """The page of chunks that are on one."""
    c = chunks.c
    query = select(c.id, c.page).where(
        c.tenant_id == tenant_id, c.chatbot_id == chatbot_id, c.id.in_(chunk_ids), c.page.is_not(None)
    )
    return {row.id: row.page for row in await connection.execute(query)}


# ---- the schedule


async def list_scheduled_days(connection: AsyncConnection, *, tenant_id: UUID) -> dict[UUID, date]:
    """The last day of the latest scheduled report, by chatbot."""
    c = improvement_reports.c
    query = (
        select(c.chatbot_id, func.max(c.last_day).label("last_day"))
        .where(c.tenant_id == tenant_id, c.is_scheduled)
        .group_by(c.chatbot_id)
    )
    return {row.chatbot_id: row.last_day for row in await connection.execute(query)}


def _report(row: Any) -> ImprovementReport:
    return ImprovementReport(
        id=row.id,
        tenant_id=row.tenant_id,
        chatbot_id=row.chatbot_id,
        first_day=row.first_day,
        last_day=row.last_day,
        state=ReportState(row.state),
        is_scheduled=row.is_scheduled,
        requested_by=row.requested_by,
        job_id=row.job_id,
        error=row.error,
        content=row.content,
        created_at=row.created_at,
        finished_at=row.finished_at,
    )
