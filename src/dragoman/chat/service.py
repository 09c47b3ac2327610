"""Sessions and their messages: making, listing, changing, deleting, and reading citations back."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any
from uuid import UUID

from sqlalchemy.exc import IntegrityError
from sqlalchemy.ext.asyncio import AsyncConnection

from dragoman.chat import repository
from dragoman.chat.branches import Tree
from dragoman.chat.entities import AuthorRole, FoundSession, Message, Session, TurnFacts
from dragoman.chat.errors import (
    MessageNotFoundError,
    SessionClosedError,
    SessionNotFoundError,
    TooManyMessagesError,
)
from dragoman.deps import Deps
from dragoman.deps.conversation import Conversation
from dragoman.deps.given_feedback import GivenFeedback
from dragoman.kit.clock import new_id, now
from dragoman.kit.database import Database
from dragoman.kit.pagination import Page, PageRequest
from dragoman.kit.reading import Reader
from dragoman.knowledge import repository as knowledge
from dragoman.knowledge.entities import ChunkInDocument
from dragoman.knowledge.errors import DocumentNotFoundError
from dragoman.knowledge.service import get_documents
from dragoman.tenancy import audit
from dragoman.tenancy import service as tenancy
from dragoman.tenancy.entities import Caller, Chatbot, Permission
from dragoman.tenancy.errors import ChatbotNotFoundError

_TITLE_CHARACTERS = 80
_CONVERSATION_MESSAGES = 24


async def create_session(
    deps: Deps,
    caller: Caller,
    *,
    asker: str,
    chatbot_id: UUID | None,
    title: str,
    settings: dict[str, Any],
    document_ids: Sequence[UUID] | None,
) -> Session:
    """A new conversation with a chatbot, on all its knowledge or on chosen documents.

    Raises:
        ChatbotNotFoundError, DocumentNotFoundError.
    """
    async with deps.database.reading(caller.tenant_id) as connection:
        chatbot = await tenancy.get_chatbot(connection, caller, chatbot_id)
    if document_ids:
        async with deps.database.transaction(caller.tenant_id) as transaction:
            await _require_documents(transaction, caller, chatbot.id, document_ids)
    moment = now()
    session = Session(
        id=new_id(),
        tenant_id=caller.tenant_id,
        chatbot_id=chatbot.id,
        asker=asker,
        title=title,
        state="bot",
        is_active=True,
        settings=settings,
        document_ids=None if document_ids is None else tuple(document_ids),
        archived_at=None,
        leaf_id=None,
        created_at=moment,
        updated_at=moment,
    )
    try:
        await deps.database.write(caller.tenant_id, repository.inserting_session(session))
    except IntegrityError as error:  # the chatbot was deleted meanwhile
        raise ChatbotNotFoundError from error
    return session


async def _require_documents(
    connection: AsyncConnection, caller: Caller, chatbot_id: UUID, document_ids: Sequence[UUID]
) -> None:
    """Raises DocumentNotFoundError: the caller does not see one of them, or it is of another chatbot."""
    documents = await get_documents(connection, caller, document_ids)
    if any(document.chatbot_id != chatbot_id for document in documents):
        raise DocumentNotFoundError("One of these documents belongs to another chatbot.")


async def get_session(connection: Reader, caller: Caller, asker: str, session_id: UUID) -> Session:
    """A session of the asker's own, or anybody's in the tenant for roles that may read all.

    Raises:
        SessionNotFoundError: there is none, or it is somebody else's.
    """
    session = await repository.find_session(connection, tenant_id=caller.tenant_id, session_id=session_id)
    if session is None or not caller.sees(session.chatbot_id):
        raise SessionNotFoundError
    if session.asker != asker and Permission.READ_ALL_SESSIONS not in caller.permissions:
        raise SessionNotFoundError
    return session


async def get_open_session(connection: Reader, caller: Caller, asker: str, session_id: UUID) -> Session:
    """A session that takes questions. Raises SessionNotFoundError, SessionClosedError."""
    session = await get_session(connection, caller, asker, session_id)
    if not session.is_active:
        raise SessionClosedError
    return session


async def count_message(deps: Deps, caller: Caller, asker: str, chatbot: Chatbot) -> None:
    """Count one message of the asker to the chatbot.

    Raises:
        TooManyMessagesError: those of the last minute, of the asker, the key, the tenant or the address, are used up.
    """
    refused = await deps.limiter.find_message_refusal(caller, asker, chatbot)
    if refused is not None:
        whose = {"messages": "You have", "messages-tenant": "Your tenant has"}.get(refused.what, "There were")
        sent = "sent " if refused.what in ("messages", "messages-tenant") else ""
        raise TooManyMessagesError(
            f"{whose} {sent}{refused.limit} messages within a minute. Wait {math.ceil(refused.wait_s)} s before the next one.",
            retry_after_s=refused.wait_s,
        )


async def list_sessions(
    deps: Deps,
    caller: Caller,
    *,
    asker: str,
    chatbot_id: UUID | None,
    is_archived: bool,
    text: str,
    page: PageRequest,
) -> Page[FoundSession]:
    """The asker's own sessions, the latest first; with a text those that say it, in title or messages."""
    async with deps.database.transaction(caller.tenant_id) as connection:
        items, total = await repository.list_sessions(
            connection,
            tenant_id=caller.tenant_id,
            chatbot_id=chatbot_id or caller.only_chatbot,
            hidden_chatbots=caller.hidden_chatbots,
            asker=asker,
            is_archived=is_archived,
            text=text,
            limit=page.limit,
            offset=page.offset,
        )
    return Page(items=items, total=total, limit=page.limit, offset=page.offset)


async def update_session(
    deps: Deps, caller: Caller, *, asker: str, session_id: UUID, values: dict[str, Any]
) -> Session:
    """Change title, settings, `is_active`, `is_archived` or `document_ids` (None: all knowledge).

    Raises:
        SessionNotFoundError, DocumentNotFoundError.
    """
    if "is_archived" in values:
        values = {**values, "archived_at": now() if values["is_archived"] else None}
        del values["is_archived"]
    async with deps.database.transaction(caller.tenant_id) as connection:
        session = await get_session(connection, caller, asker, session_id)
        if values.get("document_ids"):
            await _require_documents(connection, caller, session.chatbot_id, values["document_ids"])
        await repository.update_session(connection, tenant_id=caller.tenant_id, session_id=session_id, values=values)
        await audit.record(
            connection,
            _as(caller, asker),
            "session.changed",
            subject_type="session",
            subject_id=session_id,
            changed=sorted(values),
            **_whose(session, asker),
        )
        return await get_session(connection, caller, asker, session_id)


async def delete_session(deps: Deps, caller: Caller, *, asker: str, session_id: UUID) -> None:
    """Delete a session with its messages and turns. Raises SessionNotFoundError."""
    async with deps.database.transaction(caller.tenant_id) as connection:
        session = await get_session(connection, caller, asker, session_id)
        await repository.delete_session(connection, tenant_id=caller.tenant_id, session_id=session_id)
        await audit.record(
            connection,
            _as(caller, asker),
            "session.deleted",
            subject_type="session",
            subject_id=session_id,
            **_whose(session, asker),
        )


def _as(caller: Caller, asker: str) -> Caller:
    """The caller as whom the audit log shall name: the asker it acts for."""
    return replace(caller, asker=asker)


def _whose(session: Session, asker: str) -> dict[str, str]:
    """Whose session it was, where it was another one's."""
    return {} if session.asker == asker else {"asker": session.asker}


@dataclass(frozen=True, slots=True, kw_only=True)
class Shown:
    """Messages of a session as they are shown.

    Attributes:
        alternatives: of each message, itself among them, where there are several; the oldest first.
        chunks: that their citations name and that still exist.
        feedback: of the asker, by message.
        facts: how each answer came about, by message.
    """

    session: Session
    page: Page[Message]
    alternatives: Mapping[UUID, Sequence[UUID]]
    chunks: Mapping[UUID, ChunkInDocument]
    feedback: Mapping[UUID, GivenFeedback]
    facts: Mapping[UUID, TurnFacts]


async def list_messages(
    deps: Deps, caller: Caller, *, asker: str, session_id: UUID, page: PageRequest | None, all_branches: bool = False
) -> Shown:
    """The messages of the branch that the conversation is on, in the order in which they were said.

    Args:
        page: None: all of them.
        all_branches: the messages of all branches, by their age.

    Raises:
        SessionNotFoundError.
    """
    async with deps.database.transaction(caller.tenant_id) as connection:
        session = await get_session(connection, caller, asker, session_id)
        links = await repository.list_links(connection, tenant_id=caller.tenant_id, session_id=session_id)
        tree = Tree(links)
        ids = [link.id for link in links] if all_branches else tree.branch(session.leaf_id)
        page = page or PageRequest(limit=max(1, len(ids)))
        shown = ids[page.offset : page.offset + page.limit]
        items = await repository.list_messages(
            connection, tenant_id=caller.tenant_id, session_id=session_id, message_ids=shown
        )
        chunk_ids = {UUID(citation["chunk_id"]) for message in items for citation in message.citations}
        chunks = await knowledge.list_live_chunks(
            connection,
            tenant_id=caller.tenant_id,
            chatbot_id=session.chatbot_id,
            chunk_ids=list(chunk_ids),
            reader=session.asker,
        )
        feedback = await deps.read_feedback(
            connection, tenant_id=caller.tenant_id, asker=session.asker, message_ids=shown
        )
        answer_ids = [message.id for message in items if message.role is AuthorRole.ASSISTANT]
        facts = await repository.list_facts(connection, tenant_id=caller.tenant_id, answer_ids=answer_ids)
    alternatives = {one: others for one in shown if len(others := tree.alternatives(one)) > 1}
    found = Page(items=items, total=len(ids), limit=page.limit, offset=page.offset)
    return Shown(session=session, page=found, alternatives=alternatives, chunks=chunks, feedback=feedback, facts=facts)


async def select_message(deps: Deps, caller: Caller, *, asker: str, session_id: UUID, message_id: UUID) -> Session:
    """Go on with the branch that this message is on, from its end. Raises SessionNotFoundError, MessageNotFoundError."""
    async with deps.database.transaction(caller.tenant_id) as connection:
        await get_session(connection, caller, asker, session_id)
        links = await repository.list_links(connection, tenant_id=caller.tenant_id, session_id=session_id)
        if message_id not in {link.id for link in links}:
            raise MessageNotFoundError
        leaf_id = Tree(links).end_of(message_id)
        await repository.move_leaf(connection, tenant_id=caller.tenant_id, session_id=session_id, leaf_id=leaf_id)
        return await get_session(connection, caller, asker, session_id)


async def get_message(connection: Reader, caller: Caller, session: Session, message_id: UUID) -> Message:
    """Raises MessageNotFoundError."""
    message = await repository.find_message(
        connection, tenant_id=caller.tenant_id, session_id=session.id, message_id=message_id
    )
    if message is None:
        raise MessageNotFoundError
    return message


async def read_conversation(database: Database, caller: Caller, session_id: UUID) -> Conversation:
    """The latest messages of a session, for a search in its context. Raises SessionNotFoundError."""
    async with database.transaction(caller.tenant_id) as connection:
        session = await get_session(connection, caller, caller.asker, session_id)
        latest = await repository.list_branch(
            connection,
            tenant_id=caller.tenant_id,
            session_id=session_id,
            leaf_id=session.leaf_id,
            limit=_CONVERSATION_MESSAGES,
        )
    return Conversation(
        chatbot_id=session.chatbot_id,
        document_ids=session.document_ids,
        said=[(message.role.value, message.content) for message in latest],
        language=next((message.language for message in reversed(latest) if message.language), None),
    )


def title_from(question: str) -> str:
    """A session's title from its first question, cut at a word."""
    line = " ".join(question.split())
    if len(line) <= _TITLE_CHARACTERS:
        return line
    return line[:_TITLE_CHARACTERS].rsplit(" ", 1)[0] + "…"


def setting_of(session: Session, name: str) -> str | None:
    value: Mapping[str, Any] = session.settings
    found = value.get(name)
    return found if isinstance(found, str) else None
