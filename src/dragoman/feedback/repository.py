"""SQL of feedback; every function runs in a transaction scoped to the tenant. That of reports is in `improvement`."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import UTC, date, datetime, time, timedelta
from typing import Any, Final
from uuid import UUID

from sqlalchemy import (
    ColumnElement,
    Select,
    any_,
    delete,
    func,
    insert,
    literal_column,
    or_,
    select,
    tuple_,
    update,
)
from sqlalchemy.ext.asyncio import AsyncConnection

from dragoman.chat.tables import messages, sessions, turns
from dragoman.feedback.entities import (
    CorrectionState,
    Earlier,
    Example,
    Feedback,
    FeedbackFilter,
    Given,
    Listed,
    RatedAnswer,
    Rating,
    Reason,
)
from dragoman.feedback.tables import feedback, feedback_history
from dragoman.kit.clock import now
from dragoman.kit.reading import Reader

_OF_GIVEN: Final = ("rating", "reason", "comment", "correction", "metadata")

# ---- giving


async def lock_answer(connection: AsyncConnection, *, tenant_id: UUID, message_id: UUID) -> RatedAnswer | None:
    """A message with what its turn says; held until the transaction ends, so that ratings of it come one by one."""
    held = (
        select(messages.c.id, messages.c.role, messages.c.session_id, messages.c.citations, messages.c.language)
        .where(messages.c.tenant_id == tenant_id, messages.c.id == message_id)
        .with_for_update(key_share=True)
    )
    message = (await connection.execute(held)).one_or_none()
    if message is None:
        return None
    known = (
        select(
            sessions.c.asker,
            sessions.c.chatbot_id,
            turns.c.language,
            turns.c.provider_model,
            turns.c.prompt_version,
            turns.c.answered,
            turns.c.usage["remembered_as"].astext.label("remembered_as"),
        )
        .select_from(sessions)
        .outerjoin(turns, (turns.c.tenant_id == tenant_id) & (turns.c.answer_id == message_id))
        .where(sessions.c.tenant_id == tenant_id, sessions.c.id == message.session_id)
    )
    row = (await connection.execute(known)).one()
    return RatedAnswer(
        id=message.id,
        session_id=message.session_id,
        chatbot_id=row.chatbot_id,
        role=message.role,
        asker=row.asker,
        language=row.language or message.language or "und",
        model=row.provider_model or "",
        prompt_version=row.prompt_version or "",
        answered=row.answered is not False,
        documents=tuple(dict.fromkeys(UUID(citation["document_id"]) for citation in message.citations)),
        remembered_as=row.remembered_as or "",
    )


async def find_feedback_of(connection: Reader, *, tenant_id: UUID, answer_id: UUID, asker: str) -> Feedback | None:
    c = feedback.c
    query = select(feedback).where(c.tenant_id == tenant_id, c.answer_id == answer_id, c.asker == asker)
    row = (await connection.execute(query)).one_or_none()
    return None if row is None else _feedback(row)


async def find_feedback(
    connection: AsyncConnection, *, tenant_id: UUID, feedback_id: UUID, for_update: bool = False
) -> Feedback | None:
    query = select(feedback).where(feedback.c.tenant_id == tenant_id, feedback.c.id == feedback_id)
    row = (await connection.execute(query.with_for_update() if for_update else query)).one_or_none()
    return None if row is None else _feedback(row)


async def insert_feedback(connection: AsyncConnection, new: Feedback, *, tenant_id: UUID) -> None:
    values = {name: getattr(new, name) for name in _COPIED} | _values(new.given)
    await connection.execute(insert(feedback).values(tenant_id=tenant_id, **values))


async def replace_given(
    connection: AsyncConnection,
    old: Feedback,
    given: Given,
    *,
    tenant_id: UUID,
    correction_state: CorrectionState | None,
) -> Feedback:
    """Change what a feedback says, and keep what it said."""
    h = feedback_history.c
    mine = (h.tenant_id == tenant_id, h.feedback_id == old.id)
    number = select(func.coalesce(func.max(h.number), 0) + 1).where(*mine).scalar_subquery()
    moment = now()
    said = {name: value for name, value in _values(old.given).items() if name != "metadata"}
    await connection.execute(
        insert(feedback_history).values(
            tenant_id=tenant_id,
            feedback_id=old.id,
            number=number,
            **said,
            given_at=old.updated_at,
            replaced_at=moment,
        )
    )
    return await _update(
        connection, old.id, tenant_id=tenant_id, values={**_values(given), **_state(correction_state)}, moment=moment
    )


async def decide_correction(
    connection: AsyncConnection,
    feedback_id: UUID,
    *,
    tenant_id: UUID,
    state: CorrectionState,
    document_id: UUID | None,
    note: str,
    decided_by: str,
) -> Feedback:
    values = {
        "correction_state": state.value,
        "correction_document_id": document_id,
        "correction_note": note,
        "decided_by": decided_by,
        "decided_at": now(),
    }
    return await _update(connection, feedback_id, tenant_id=tenant_id, values=values, moment=None)


async def _update(
    connection: AsyncConnection,
    feedback_id: UUID,
    *,
    tenant_id: UUID,
    values: Mapping[str, Any],
    moment: datetime | None,
) -> Feedback:
    changed = dict(values) if moment is None else {**values, "updated_at": moment}
    statement = (
        update(feedback)
        .where(feedback.c.tenant_id == tenant_id, feedback.c.id == feedback_id)
        .values(changed)
        .returning(feedback)
    )
    return _feedback((await connection.execute(statement)).one())


async def delete_feedback(connection: AsyncConnection, *, tenant_id: UUID, feedback_id: UUID) -> None:
    await connection.execute(delete(feedback).where(feedback.c.tenant_id == tenant_id, feedback.c.id == feedback_id))


async def list_history(connection: AsyncConnection, *, tenant_id: UUID, feedback_id: UUID) -> list[Earlier]:
    """What it said before, the latest first."""
    h = feedback_history.c
    query = select(feedback_history).where(h.tenant_id == tenant_id, h.feedback_id == feedback_id)
    return [
        Earlier(
            rating=Rating(row.rating),
            reason=_reason(row.reason),
            comment=row.comment,
            correction=row.correction,
            given_at=row.given_at,
            replaced_at=row.replaced_at,
        )
        for row in await connection.execute(query.order_by(h.number.desc()))
    ]


async def list_of_answers(
    connection: Reader, *, tenant_id: UUID, asker: str, answer_ids: Sequence[UUID]
) -> dict[UUID, Feedback]:
    """What this asker said of these answers, by answer."""
    c = feedback.c
    query = select(feedback).where(c.tenant_id == tenant_id, c.answer_id.in_(answer_ids), c.asker == asker)
    return {row.answer_id: _feedback(row) for row in await connection.execute(query)}


# ---- lists

_QUESTION = messages.alias("question")
_ANSWER = messages.alias("answer")


def _conditions(tenant_id: UUID, wanted: FeedbackFilter) -> list[ColumnElement[bool]]:
    c = feedback.c
    equal = {
        c.chatbot_id: wanted.chatbot_id,
        c.rating: wanted.rating,
        c.reason: wanted.reason,
        c.language: wanted.language,
        c.model: wanted.model,
        c.prompt_version: wanted.prompt_version,
        c.correction_state: wanted.correction,
        c.is_review: wanted.is_review,
        c.id: wanted.feedback_id,
    }
    conditions = [c.tenant_id == tenant_id, *_within(wanted.first, wanted.last)]
    conditions += [column == value for column, value in equal.items() if value is not None]
    if wanted.document_id is not None:
        conditions.append(any_(c.documents) == wanted.document_id)
    if wanted.has_text is not None:
        has = or_(c.comment != "", c.correction != "")
        conditions.append(has if wanted.has_text else ~has)
    return conditions


def _within(first: date | None, last: date | None) -> list[ColumnElement[bool]]:
    """Given on these days (UTC), both included."""
    conditions = []
    if first is not None:
        conditions.append(feedback.c.created_at >= datetime.combine(first, time(), UTC))
    if last is not None:
        conditions.append(feedback.c.created_at < datetime.combine(last, time(), UTC) + timedelta(days=1))
    return conditions


def _listing() -> Select[Any]:
    """Feedback with its question and answer."""
    c = feedback.c
    return (
        select(
            feedback,
            _ANSWER.c.content.label("answer"),
            _ANSWER.c.citations.label("citations"),
            _QUESTION.c.content.label("question"),
        )
        .join(_ANSWER, (_ANSWER.c.tenant_id == c.tenant_id) & (_ANSWER.c.id == c.answer_id))
        .outerjoin(_QUESTION, (_QUESTION.c.tenant_id == c.tenant_id) & (_QUESTION.c.id == _ANSWER.c.parent_id))
    )


async def list_feedback(
    connection: AsyncConnection, *, tenant_id: UUID, wanted: FeedbackFilter, limit: int, offset: int
) -> tuple[list[Listed], int]:
    """The latest first, with the number of all."""
    conditions = _conditions(tenant_id, wanted)
    total = (await connection.execute(select(func.count()).select_from(feedback).where(*conditions))).scalar_one()
    return await list_latest(connection, tenant_id=tenant_id, wanted=wanted, limit=limit, offset=offset), total


async def list_latest(
    connection: AsyncConnection, *, tenant_id: UUID, wanted: FeedbackFilter, limit: int, offset: int = 0
) -> list[Listed]:
    """The latest first."""
    conditions = _conditions(tenant_id, wanted)
    order = (feedback.c.created_at.desc(), feedback.c.id.desc())
    rows = await connection.execute(_listing().where(*conditions).order_by(*order).limit(limit).offset(offset))
    return [_listed(row) for row in rows]


async def list_after(
    connection: AsyncConnection,
    *,
    tenant_id: UUID,
    wanted: FeedbackFilter,
    after: tuple[datetime, UUID] | None,
    limit: int,
) -> list[Listed]:
    """The oldest first, from the one after this moment and id on."""
    c = feedback.c
    conditions = _conditions(tenant_id, wanted)
    if after is not None:
        conditions.append(tuple_(c.created_at, c.id) > tuple_(*after))
    rows = await connection.execute(_listing().where(*conditions).order_by(c.created_at, c.id).limit(limit))
    return [_listed(row) for row in rows]


async def list_examples(
    connection: AsyncConnection,
    *,
    tenant_id: UUID,
    wanted: FeedbackFilter,
    after: tuple[datetime, UUID] | None = None,
    limit: int = 500,
) -> list[Example]:
    """Prompt, retrieved passages with their scores, answer and rating, the oldest first; for datasets."""
    c = feedback.c
    conditions = _conditions(tenant_id, wanted)
    if after is not None:
        conditions.append(tuple_(c.created_at, c.id) > tuple_(*after))
    retrieved: ColumnElement[Any] = literal_column(_RETRIEVED).label("retrieved")
    query = (
        _listing()
        .join(turns, (turns.c.tenant_id == c.tenant_id) & (turns.c.answer_id == c.answer_id))
        .add_columns(turns.c.rewritten_question, turns.c.rendered_prompt, retrieved)
        .where(*conditions)
        .order_by(c.created_at, c.id)
        .limit(limit)
    )
    return [
        Example(
            feedback=_feedback(row),
            question=row.question or "",
            standalone_question=row.rewritten_question,
            answer=row.answer,
            citations=row.citations,
            prompt=row.rendered_prompt,
            retrieved=row.retrieved or [],
        )
        for row in await connection.execute(query)
    ]


_RETRIEVED: Final = """(
    select jsonb_agg(passage || jsonb_build_object('document_id', chunks.document_id, 'text', chunks.text) order by place)
    from jsonb_array_elements(turns.retrieved) with ordinality as one (passage, place)
    left join chunks on chunks.tenant_id = turns.tenant_id and chunks.chatbot_id = turns.chatbot_id
        and chunks.id = (passage ->> 'chunk_id')::uuid
)"""


# ---- what belongs to an asker


async def list_by_asker(connection: AsyncConnection, *, tenant_id: UUID, asker: str) -> list[Feedback]:
    query = select(feedback).where(feedback.c.tenant_id == tenant_id, feedback.c.asker == asker)
    return [_feedback(row) for row in await connection.execute(query.order_by(feedback.c.created_at))]


async def delete_by_asker(connection: AsyncConnection, *, tenant_id: UUID, asker: str) -> int:
    gone = await connection.execute(
        delete(feedback).where(feedback.c.tenant_id == tenant_id, feedback.c.asker == asker)
    )
    return gone.rowcount


async def delete_about_asker(connection: AsyncConnection, *, tenant_id: UUID, asker: str) -> int:
    """What others said of answers in this asker's conversations."""
    theirs = select(sessions.c.id).where(sessions.c.tenant_id == tenant_id, sessions.c.asker == asker)
    gone = await connection.execute(
        delete(feedback).where(feedback.c.tenant_id == tenant_id, feedback.c.session_id.in_(theirs))
    )
    return gone.rowcount


# ---- rows

_COPIED: Final = (
    *("id", "session_id", "answer_id", "chatbot_id", "asker", "is_review", "language", "model", "prompt_version"),
    *("answered", "documents", "correction_state", "created_at", "updated_at"),
)


def _values(given: Given) -> dict[str, Any]:
    return {name: getattr(given, name) for name in _OF_GIVEN} | {"metadata": dict(given.metadata)}


def _state(state: CorrectionState | None) -> dict[str, Any]:
    """A correction that waits anew was decided by nobody."""
    values: dict[str, Any] = {"correction_state": state}
    if state is CorrectionState.OPEN or state is None:
        values |= {"decided_by": None, "decided_at": None, "correction_note": ""}
    return values


def _reason(value: str | None) -> Reason | None:
    return None if value is None else Reason(value)


def _feedback(row: Any) -> Feedback:
    given = Given(
        rating=Rating(row.rating),
        reason=_reason(row.reason),
        comment=row.comment,
        correction=row.correction,
        metadata=row.metadata,
    )
    return Feedback(
        id=row.id,
        session_id=row.session_id,
        answer_id=row.answer_id,
        chatbot_id=row.chatbot_id,
        asker=row.asker,
        is_review=row.is_review,
        given=given,
        language=row.language,
        model=row.model,
        prompt_version=row.prompt_version,
        answered=row.answered,
        documents=tuple(row.documents),
        correction_state=None if row.correction_state is None else CorrectionState(row.correction_state),
        correction_document_id=row.correction_document_id,
        correction_note=row.correction_note,
        decided_by=row.decided_by,
        decided_at=row.decided_at,
        created_at=row.created_at,
        updated_at=row.updated_at,
    )


def _listed(row: Any) -> Listed:
    return Listed(feedback=_feedback(row), question=row.question, answer=row.answer)
