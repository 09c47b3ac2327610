"""SQL of sessions, messages and turns; every function runs in a transaction scoped to the tenant.

What opens and stores a turn are statements of fixed form: the first is read by `Database.reading`, the second written by
`Database.write`, since every answer waits for them.
"""

from __future__ import annotations

import json
from collections.abc import Collection, Mapping, Sequence
from dataclasses import fields
from typing import Any, Final
from uuid import UUID

from sqlalchemy import (
    ColumnElement,
    Integer,
    Row,
    Select,
    Table,
    Uuid,
    bindparam,
    delete,
    func,
    literal,
    null,
    or_,
    select,
    update,
)
from sqlalchemy.dialects.postgresql import JSONB
from sqlalchemy.ext.asyncio import AsyncConnection

from dragoman.chat.entities import AuthorRole, FoundSession, Link, Message, MessageState, Session, Turn, TurnFacts
from dragoman.chat.tables import messages, sessions, turns
from dragoman.kit.clock import now
from dragoman.kit.reading import Reader

Statement = tuple[str, Mapping[str, Any]]
"""SQL with parameters `%(name)s`, and their values, for `Database.write` and `exec_driver_sql`."""

_WHITE: Final = " \t\r\n"
_AROUND: Final = 80  # characters of an excerpt before and after what was searched for

# ---- sessions


_FIND_SESSION = select(sessions).where(
    sessions.c.tenant_id == bindparam("tenant_id"), sessions.c.id == bindparam("session_id")
)


async def find_session(connection: Reader, *, tenant_id: UUID, session_id: UUID) -> Session | None:
    row = (await connection.execute(_FIND_SESSION, {"tenant_id": tenant_id, "session_id": session_id})).one_or_none()
    return None if row is None else _session(row)


def ids_of_sessions_of(*, tenant_id: UUID, asker: str) -> Select[tuple[UUID]]:
    """The ids of an asker's sessions, for a condition on what belongs to them."""
    return select(sessions.c.id).where(sessions.c.tenant_id == tenant_id, sessions.c.asker == asker)


def ids_of_chatbots_asked_by(*, tenant_id: UUID, asker: str) -> Select[tuple[UUID]]:
    """The ids of the chatbots that an asker has sessions with."""
    return select(sessions.c.chatbot_id).where(sessions.c.tenant_id == tenant_id, sessions.c.asker == asker)


async def list_sessions(
    connection: AsyncConnection,
    *,
    tenant_id: UUID,
    chatbot_id: UUID | None,
    hidden_chatbots: Collection[UUID],
    asker: str,
    is_archived: bool,
    text: str,
    limit: int,
    offset: int,
) -> tuple[list[FoundSession], int]:
    """Newest first; `chatbot_id` None: those of all chatbots; `text`: that say this, in any case of its letters."""
    conditions: list[ColumnElement[bool]] = [
        sessions.c.tenant_id == tenant_id,
        sessions.c.asker == asker,
        sessions.c.archived_at.is_not(None) if is_archived else sessions.c.archived_at.is_(None),
    ]
    if chatbot_id is not None:
        conditions.append(sessions.c.chatbot_id == chatbot_id)
    if hidden_chatbots:
        conditions.append(sessions.c.chatbot_id.not_in(hidden_chatbots))
    said = _latest_saying(text)
    if text:
        conditions.append(or_(sessions.c.title.icontains(text, autoescape=True), said.is_not(None)))
    total = (await connection.execute(select(func.count()).select_from(sessions).where(*conditions))).scalar_one()
    query = (
        select(sessions, said.label("said"))
        .where(*conditions)
        .order_by(sessions.c.updated_at.desc(), sessions.c.id.desc())
        .limit(limit)
        .offset(offset)
    )
    rows = (await connection.execute(query)).all()
    return [FoundSession(session=_session(row), excerpt=_excerpt(row.said, text)) for row in rows], total


def _latest_saying(text: str) -> ColumnElement[Any]:
    """The content of the session's latest message that says this; null where none does."""
    if not text:
        return null()
    return (
        select(messages.c.content)
        .where(
            messages.c.tenant_id == sessions.c.tenant_id,
            messages.c.session_id == sessions.c.id,
            messages.c.content.icontains(text, autoescape=True),
        )
        .order_by(messages.c.id.desc())
        .limit(1)
        .scalar_subquery()
    )


def _excerpt(content: str | None, text: str) -> str | None:
    """The words around where the content says this."""
    if content is None:
        return None
    at = max(0, content.lower().find(text.lower()))
    start, end = max(0, at - _AROUND), at + len(text) + _AROUND
    cut = " ".join(content[start:end].split())
    return f"{'… ' if start else ''}{cut}{' …' if end < len(content) else ''}"


async def list_latest_saying(
    connection: AsyncConnection,
    *,
    tenant_id: UUID,
    chatbot_id: UUID,
    asker: str,
    content: str,
    among_sessions: int,
    limit: int,
) -> list[Message]:
    """The latest answers of exactly these words, in the asker's latest open sessions with the chatbot."""
    latest = (
        select(sessions.c.id)
        .where(
            sessions.c.tenant_id == tenant_id,
            sessions.c.asker == asker,
            sessions.c.chatbot_id == chatbot_id,
            sessions.c.is_active,
            sessions.c.archived_at.is_(None),
        )
        .order_by(sessions.c.updated_at.desc())
        .limit(among_sessions)
        .subquery()
    )
    query = (
        select(messages)
        .join(latest, messages.c.session_id == latest.c.id)
        .where(
            messages.c.tenant_id == tenant_id,
            messages.c.role == AuthorRole.ASSISTANT.value,
            func.btrim(messages.c.content, _WHITE) == content.strip(_WHITE),
        )
        .order_by(messages.c.id.desc())
        .limit(limit)
    )
    return [_message(row) for row in await connection.execute(query)]


async def update_session(
    connection: AsyncConnection, *, tenant_id: UUID, session_id: UUID, values: dict[str, Any]
) -> None:
    await connection.execute(
        update(sessions)
        .where(sessions.c.tenant_id == tenant_id, sessions.c.id == session_id)
        .values(**values, updated_at=now())
    )


async def delete_session(connection: AsyncConnection, *, tenant_id: UUID, session_id: UUID) -> None:
    await connection.execute(delete(sessions).where(sessions.c.tenant_id == tenant_id, sessions.c.id == session_id))


# ---- messages and turns


def _inserting(table: Table, names: Sequence[str]) -> str:
    """The statement that writes a row; values of JSON columns are given as text."""
    values = (f"%({name})s{'::jsonb' if isinstance(table.c[name].type, JSONB) else ''}" for name in names)
    return f"insert into {table.name} ({', '.join(names)}) values ({', '.join(values)})"  # noqa: S608 - own names


_OF_SESSION_ITSELF: Final = tuple(column.name for column in sessions.c)
_OF_MESSAGE: Final = tuple(column.name for column in messages.c)
_OF_TURN: Final = tuple(each.name for each in fields(Turn))
_JSON_OF_TURN: Final = tuple(name for name in _OF_TURN if isinstance(turns.c[name].type, JSONB))
_INSERT_SESSION: Final = _inserting(sessions, _OF_SESSION_ITSELF)
_INSERT_MESSAGE: Final = _inserting(messages, _OF_MESSAGE)
_INSERT_TURN: Final = _inserting(turns, _OF_TURN)


def inserting_session(session: Session) -> Statement:
    values = {name: getattr(session, name) for name in _OF_SESSION_ITSELF}
    document_ids = None if session.document_ids is None else list(session.document_ids)
    return _INSERT_SESSION, values | {"settings": json.dumps(session.settings), "document_ids": document_ids}


def inserting_message(message: Message, *, tenant_id: UUID) -> Statement:
    return _INSERT_MESSAGE, {
        "tenant_id": tenant_id,
        "id": message.id,
        "session_id": message.session_id,
        "parent_id": message.parent_id,
        "role": message.role.value,
        "state": message.state.value,
        "content": message.content,
        "language": message.language,
        "citations": json.dumps([dict(citation) for citation in message.citations]),
        "tokens_used": message.tokens_used,
        "response_time_ms": message.response_time_ms,
        "created_at": message.created_at,
    }


def inserting_turn(turn: Turn) -> Statement:
    values = {name: getattr(turn, name) for name in _OF_TURN}
    return _INSERT_TURN, values | {name: json.dumps(values[name]) for name in _JSON_OF_TURN}


def going_on(*, tenant_id: UUID, session_id: UUID, title: str, leaf_id: UUID) -> Statement:
    """A question was added to the session."""
    return _GO_ON, {
        "tenant_id": tenant_id,
        "session_id": session_id,
        "title": title,
        "leaf_id": leaf_id,
        "updated_at": now(),
    }


_GO_ON: Final = """update sessions set title = %(title)s, leaf_id = %(leaf_id)s, updated_at = %(updated_at)s
where tenant_id = %(tenant_id)s and id = %(session_id)s"""


def moving_leaf(*, tenant_id: UUID, session_id: UUID, leaf_id: UUID, only_from: UUID) -> Statement:
    """Let the conversation be on this branch where it still ends with that message."""
    values = {"tenant_id": tenant_id, "session_id": session_id, "leaf_id": leaf_id, "only_from": only_from}
    return _MOVE_LEAF, values


_MOVE_LEAF: Final = """update sessions set leaf_id = %(leaf_id)s
where tenant_id = %(tenant_id)s and id = %(session_id)s and leaf_id = %(only_from)s"""


async def insert_message(connection: AsyncConnection, message: Message, *, tenant_id: UUID) -> None:
    await connection.exec_driver_sql(*inserting_message(message, tenant_id=tenant_id))


async def find_turn(connection: AsyncConnection, *, tenant_id: UUID, answer_id: UUID) -> Turn | None:
    """How this answer came about."""
    query = select(turns).where(turns.c.tenant_id == tenant_id, turns.c.answer_id == answer_id)
    row = (await connection.execute(query)).mappings().one_or_none()
    return None if row is None else Turn(**{each.name: row[each.name] for each in fields(Turn)})


async def list_facts(
    connection: AsyncConnection, *, tenant_id: UUID, answer_ids: Sequence[UUID]
) -> dict[UUID, TurnFacts]:
    """What is known of these answers; nothing of messages that no turn has written."""
    told = [turns.c[each.name] for each in fields(TurnFacts)]
    query = select(*told).where(turns.c.tenant_id == tenant_id, turns.c.answer_id.in_(answer_ids))
    return {row["answer_id"]: TurnFacts(**row) for row in (await connection.execute(query)).mappings()}


_OF_SESSION: Final = (
    messages.c.tenant_id == bindparam("tenant_id", type_=Uuid),
    messages.c.session_id == bindparam("session_id", type_=Uuid),
)
_FIND_MESSAGE: Final = select(messages).where(*_OF_SESSION, messages.c.id == bindparam("message_id"))


async def find_message(connection: Reader, *, tenant_id: UUID, session_id: UUID, message_id: UUID) -> Message | None:
    values = {"tenant_id": tenant_id, "session_id": session_id, "message_id": message_id}
    row = (await connection.execute(_FIND_MESSAGE, values)).one_or_none()
    return None if row is None else _message(row)


async def list_links(connection: AsyncConnection, *, tenant_id: UUID, session_id: UUID) -> list[Link]:
    """The tree of a session: every message, the oldest first."""
    query = (
        select(messages.c.id, messages.c.parent_id, messages.c.role)
        .where(messages.c.tenant_id == tenant_id, messages.c.session_id == session_id)
        .order_by(messages.c.id)
    )
    return [
        Link(id=row.id, parent_id=row.parent_id, role=AuthorRole(row.role)) for row in await connection.execute(query)
    ]


async def list_messages(
    connection: AsyncConnection, *, tenant_id: UUID, session_id: UUID, message_ids: Sequence[UUID]
) -> list[Message]:
    """These messages of the session, the oldest first."""
    query = (
        select(messages)
        .where(
            messages.c.tenant_id == tenant_id,
            messages.c.session_id == session_id,
            messages.c.id.in_(message_ids),
        )
        .order_by(messages.c.id)
    )
    return [_message(row) for row in await connection.execute(query)]


def _branch(leaf: Any) -> Select[Any]:
    """The last messages of the branch that ends with this one, oldest first."""
    depth = literal(1).label("depth")
    branch = select(messages, depth).where(*_OF_SESSION, messages.c.id == leaf).cte("branch", recursive=True)
    before = select(messages, branch.c.depth + 1).where(
        *_OF_SESSION, messages.c.id == branch.c.parent_id, branch.c.depth < bindparam("limit", type_=Integer)
    )
    branch = branch.union_all(before)
    return select(branch).order_by(branch.c.depth.desc())


_LATEST: Final = select(messages.c.id).where(*_OF_SESSION).order_by(messages.c.id.desc()).limit(1).scalar_subquery()
_BRANCH_TO_LATEST: Final = _branch(_LATEST)
_BRANCH_TO_LEAF: Final = _branch(bindparam("leaf_id", type_=Uuid))


async def list_branch(
    connection: Reader, *, tenant_id: UUID, session_id: UUID, leaf_id: UUID | None, limit: int
) -> list[Message]:
    """The last messages of the branch that ends with `leaf_id` (None: with the latest message), oldest first."""
    values = {"tenant_id": tenant_id, "session_id": session_id, "limit": limit}
    if leaf_id is None:
        rows = await connection.execute(_BRANCH_TO_LATEST, values)
    else:
        rows = await connection.execute(_BRANCH_TO_LEAF, {**values, "leaf_id": leaf_id})
    return [_message(row) for row in rows]


async def move_leaf(connection: AsyncConnection, *, tenant_id: UUID, session_id: UUID, leaf_id: UUID) -> None:
    """Let the conversation be on this branch."""
    mine = (sessions.c.tenant_id == tenant_id, sessions.c.id == session_id)
    await connection.execute(update(sessions).where(*mine).values(leaf_id=leaf_id))


def _session(row: Row[Any]) -> Session:
    return Session(
        id=row.id,
        tenant_id=row.tenant_id,
        chatbot_id=row.chatbot_id,
        asker=row.asker,
        title=row.title,
        state=row.state,
        is_active=row.is_active,
        settings=row.settings,
        document_ids=None if row.document_ids is None else tuple(row.document_ids),
        archived_at=row.archived_at,
        leaf_id=row.leaf_id,
        created_at=row.created_at,
        updated_at=row.updated_at,
    )


def _message(row: Row[Any]) -> Message:
    return Message(
        id=row.id,
        session_id=row.session_id,
        parent_id=row.parent_id,
        role=AuthorRole(row.role),
        state=MessageState(row.state),
        content=row.content,
        language=row.language,
        citations=row.citations,
        tokens_used=row.tokens_used,
        response_time_ms=row.response_time_ms,
        created_at=row.created_at,
    )
