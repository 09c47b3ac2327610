"""SQL of sessions, messages and turns; every function runs in a transaction scoped to the tenant."""

from __future__ import annotations

from dataclasses import asdict
from typing import Any
from uuid import UUID

from sqlalchemy import ColumnElement, Row, delete, func, insert, select, update
from sqlalchemy.ext.asyncio import AsyncConnection

from dragoman.chat.entities import AuthorRole, Message, MessageState, Session, Turn
from dragoman.chat.tables import messages, sessions, turns
from dragoman.kit.clock import now

# ---- sessions


async def insert_session(connection: AsyncConnection, session: Session) -> None:
    await connection.execute(
        insert(sessions).values(
            tenant_id=session.tenant_id,
            id=session.id,
            chatbot_id=session.chatbot_id,
            asker=session.asker,
            title=session.title,
            state=session.state,
            is_active=session.is_active,
            settings=session.settings,
            document_ids=None if session.document_ids is None else list(session.document_ids),
            created_at=session.created_at,
            updated_at=session.updated_at,
        )
    )


async def find_session(connection: AsyncConnection, *, tenant_id: UUID, session_id: UUID) -> Session | None:
    query = select(sessions).where(sessions.c.tenant_id == tenant_id, sessions.c.id == session_id)
    row = (await connection.execute(query)).one_or_none()
    return None if row is None else _session(row)


async def list_sessions(
    connection: AsyncConnection, *, tenant_id: UUID, chatbot_id: UUID | None, asker: str | None, limit: int, offset: int
) -> tuple[list[Session], int]:
    """Newest first; `asker` None lists everybody's, `chatbot_id` None those of all chatbots."""
    conditions: list[ColumnElement[bool]] = [sessions.c.tenant_id == tenant_id]
    if chatbot_id is not None:
        conditions.append(sessions.c.chatbot_id == chatbot_id)
    if asker is not None:
        conditions.append(sessions.c.asker == asker)
    total = (await connection.execute(select(func.count()).select_from(sessions).where(*conditions))).scalar_one()
    query = (
        select(sessions)
        .where(*conditions)
        .order_by(sessions.c.updated_at.desc(), sessions.c.id.desc())
        .limit(limit)
        .offset(offset)
    )
    return [_session(row) for row in await connection.execute(query)], total


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


async def insert_message(connection: AsyncConnection, message: Message, *, tenant_id: UUID) -> None:
    await connection.execute(
        insert(messages).values(
            tenant_id=tenant_id,
            id=message.id,
            session_id=message.session_id,
            parent_id=message.parent_id,
            role=message.role.value,
            state=message.state.value,
            content=message.content,
            language=message.language,
            citations=[dict(citation) for citation in message.citations],
            tokens_used=message.tokens_used,
            response_time_ms=message.response_time_ms,
            created_at=message.created_at,
        )
    )


async def insert_turn(connection: AsyncConnection, turn: Turn) -> None:
    await connection.execute(insert(turns).values(**asdict(turn)))


async def list_messages(
    connection: AsyncConnection, *, tenant_id: UUID, session_id: UUID, limit: int, offset: int
) -> tuple[list[Message], int]:
    """In the order in which they were said."""
    scoped = (messages.c.tenant_id == tenant_id, messages.c.session_id == session_id)
    total = (await connection.execute(select(func.count()).select_from(messages).where(*scoped))).scalar_one()
    query = select(messages).where(*scoped).order_by(messages.c.id).limit(limit).offset(offset)
    return [_message(row) for row in await connection.execute(query)], total


async def list_latest_messages(
    connection: AsyncConnection, *, tenant_id: UUID, session_id: UUID, limit: int
) -> list[Message]:
    """The last messages of a session, oldest first."""
    query = (
        select(messages)
        .where(messages.c.tenant_id == tenant_id, messages.c.session_id == session_id)
        .order_by(messages.c.id.desc())
        .limit(limit)
    )
    return [_message(row) for row in await connection.execute(query)][::-1]


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
