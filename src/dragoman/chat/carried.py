"""Requests that carry their conversation along: the session they belong to is found by what was said in it.

A client that keeps no session sends all messages each time. Its conversation is still one session here, with a turn
for each question: the asker's own sessions are looked through for the one that says the same. A question asked anew,
or an answer wanted again, becomes a branch of it. Where none says the same, a new session takes what was said along.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final
from uuid import UUID

from sqlalchemy.ext.asyncio import AsyncConnection

from dragoman.chat import repository, service
from dragoman.chat.entities import AuthorRole, Message, MessageState, Session
from dragoman.deps import Deps
from dragoman.kit.clock import new_id, now
from dragoman.tenancy.entities import Caller
from dragoman.understanding.history import Said

MOST_SAID: Final = 24  # as many messages as an answer looks back
_AMONG_SESSIONS: Final = 100  # a key of a site serves many conversations at once
_ANSWERS_COMPARED: Final = 5  # the same words may have been said in several sessions


@dataclass(frozen=True, slots=True, kw_only=True)
class Place:
    """Where a question belongs: its session, and the message that it follows; None: it is the first."""

    session_id: UUID
    after: UUID | None


async def find_place(
    deps: Deps,
    caller: Caller,
    *,
    asker: str,
    chatbot_id: UUID,
    said: Sequence[Said],
    document_ids: Sequence[UUID] | None,
) -> Place:
    """The place in a session for a question that comes after `said` (oldest first).

    Raises:
        ChatbotNotFoundError, DocumentNotFoundError.
    """
    said = said[-MOST_SAID:]
    if said and said[-1].role == "assistant":
        async with deps.database.transaction(caller.tenant_id) as connection:
            found = await _find_same(connection, caller, asker, chatbot_id, said, document_ids)
        if found is not None:
            return found
    return await _new_session(deps, caller, asker, chatbot_id, said, document_ids)


async def _find_same(
    connection: AsyncConnection,
    caller: Caller,
    asker: str,
    chatbot_id: UUID,
    said: Sequence[Said],
    document_ids: Sequence[UUID] | None,
) -> Place | None:
    candidates = await repository.list_latest_saying(
        connection,
        tenant_id=caller.tenant_id,
        chatbot_id=chatbot_id,
        asker=asker,
        content=said[-1].text,
        among_sessions=_AMONG_SESSIONS,
        limit=_ANSWERS_COMPARED,
    )
    for answer in candidates:
        session = await service.get_session(connection, caller, asker, answer.session_id)
        branch = await repository.list_branch(
            connection,
            tenant_id=caller.tenant_id,
            session_id=session.id,
            leaf_id=answer.id,
            limit=MOST_SAID,
        )
        if _says(branch, said) and _same_documents(session, document_ids):
            return Place(session_id=session.id, after=answer.id)
    return None


def _says(branch: Sequence[Message], said: Sequence[Said]) -> bool:
    return [(message.role.value, message.content.strip()) for message in branch] == [
        (each.role, each.text.strip()) for each in said
    ]


def _same_documents(session: Session, document_ids: Sequence[UUID] | None) -> bool:
    if session.document_ids is None or document_ids is None:
        return session.document_ids is None and document_ids is None
    return set(session.document_ids) == set(document_ids)


async def _new_session(
    deps: Deps,
    caller: Caller,
    asker: str,
    chatbot_id: UUID,
    said: Sequence[Said],
    document_ids: Sequence[UUID] | None,
) -> Place:
    first = next((each.text for each in said if each.role == "user"), "")
    session = await service.create_session(
        deps,
        caller,
        asker=asker,
        chatbot_id=chatbot_id,
        title=service.title_from(first),
        settings={},
        document_ids=document_ids,
    )
    last: UUID | None = None
    async with deps.database.transaction(caller.tenant_id) as connection:
        for each in said:
            message = _message(session, each, parent_id=last)
            await repository.insert_message(connection, message, tenant_id=caller.tenant_id)
            last = message.id
    return Place(session_id=session.id, after=last)


def _message(session: Session, said: Said, *, parent_id: UUID | None) -> Message:
    """What the client says was said; it has no turn record, as nothing was answered here."""
    return Message(
        id=new_id(),
        session_id=session.id,
        parent_id=parent_id,
        role=AuthorRole(said.role),
        state=MessageState.COMPLETE,
        content=said.text,
        language=None,
        citations=(),
        tokens_used=0,
        response_time_ms=None,
        created_at=now(),
    )
