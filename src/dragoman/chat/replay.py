"""Answers for those who come back: where an answer is, being written or stored, and how it is stopped."""

from __future__ import annotations

from collections.abc import Mapping
from uuid import UUID

from dragoman.chat import pieces, repository, service
from dragoman.chat.entities import AuthorRole, Message, MessageState, Turn
from dragoman.chat.errors import AnswerLostError, AnswerNotFoundError
from dragoman.chat.live_answer import AnswerKey, LiveAnswer, PieceKind
from dragoman.chat.running import RunningAnswers
from dragoman.chat.schemas import CompleteEvent, SourceOut
from dragoman.deps import Deps
from dragoman.knowledge import repository as knowledge
from dragoman.knowledge.entities import ChunkInDocument
from dragoman.tenancy.entities import Caller


async def get_answer(deps: Deps, running: RunningAnswers, caller: Caller, asker: str, key: AnswerKey) -> LiveAnswer:
    """An answer of a session that the caller may read, whether it is being written or stored.

    Raises:
        SessionNotFoundError, AnswerNotFoundError.
        AnswerOutOfReachError: it may be written by another process, and Valkey does not answer.
    """
    async with deps.database.transaction(caller.tenant_id) as connection:
        await service.get_session(connection, caller, asker, key.session_id)
    found = running.find(key) or await find_stored(deps, key) or await running.find_elsewhere(key)
    if found is None:
        found = await find_stored(deps, key)  # it may have ended between the looks
    if found is None:
        raise AnswerNotFoundError
    return found


async def find_stored(deps: Deps, key: AnswerKey) -> LiveAnswer | None:
    """A stored answer as the events of its stream, without `status`. The texts of its sources are those of today."""
    async with deps.database.transaction(key.tenant_id) as connection:
        message = await repository.find_message(
            connection, tenant_id=key.tenant_id, session_id=key.session_id, message_id=key.message_id
        )
        turn = await repository.find_turn(connection, tenant_id=key.tenant_id, answer_id=key.message_id)
        if message is None or turn is None or message.role is not AuthorRole.ASSISTANT:
            return None
        chunks = await knowledge.list_live_chunks(
            connection,
            tenant_id=key.tenant_id,
            chatbot_id=turn.chatbot_id,
            chunk_ids=[UUID(citation["chunk_id"]) for citation in message.citations],
            reader=turn.asker,
        )
    return _retold(key, message, turn, chunks)


def _retold(key: AnswerKey, message: Message, turn: Turn, chunks: Mapping[UUID, ChunkInDocument]) -> LiveAnswer:
    answer = LiveAnswer(key)
    answer.tell(PieceKind.TOKEN, message.content)
    for reference in message.citations:
        answer.tell(*pieces.of_source(SourceOut.of_reference(reference, chunks)))
    answer.tell(*pieces.of_end(CompleteEvent.of_stored(message, turn)))
    return answer


def lost(key: AnswerKey) -> LiveAnswer:
    """What is told of an answer when who wrote it is gone and nothing is stored."""
    answer = LiveAnswer(key)
    answer.tell(*pieces.of_error(AnswerLostError()))
    return answer


async def cancel_answer(
    deps: Deps, running: RunningAnswers, caller: Caller, asker: str, key: AnswerKey
) -> MessageState:
    """Stop an answer; the state in which it is stored then. One that had ended stays as it is.

    Raises:
        SessionNotFoundError, AnswerNotFoundError.
        AnswerOutOfReachError: it may be written by another process, and Valkey does not answer.
    """
    async with deps.database.transaction(caller.tenant_id) as connection:
        await service.get_session(connection, caller, asker, key.session_id)
    if running.find(key) is None and (found := await _find_answer(deps, key)) is not None:
        return found.state
    was_running = await running.cancel(key)
    found = await _find_answer(deps, key)
    if found is not None:
        return found.state
    if not was_running:
        raise AnswerNotFoundError
    return MessageState.INTERRUPTED  # before anything was said: there is nothing to store


async def _find_answer(deps: Deps, key: AnswerKey) -> Message | None:
    async with deps.database.transaction(key.tenant_id) as connection:
        found = await repository.find_message(
            connection, tenant_id=key.tenant_id, session_id=key.session_id, message_id=key.message_id
        )
    return found if found is not None and found.role is AuthorRole.ASSISTANT else None
