"""A chat completion is a question to a chatbot: what it asks, what is refused, and how its answer is told."""

from __future__ import annotations

import json
from collections.abc import AsyncGenerator, Mapping, Sequence
from contextlib import aclosing
from dataclasses import dataclass
from typing import Any, Final

import structlog

from dragoman.chat import carried, service
from dragoman.chat.answer import Asked, answer_question
from dragoman.chat.entities import AnswerEvent, Complete, Token
from dragoman.deps import Deps
from dragoman.kit.clock import now
from dragoman.kit.errors import DragomanError
from dragoman.kit.heartbeat import HEARTBEAT, with_heartbeat
from dragoman.openai_api import models
from dragoman.openai_api.errors import (
    InvalidParameterError,
    UnsupportedParameterError,
    error_in_openai,
    status_in_openai,
)
from dragoman.openai_api.schemas import (
    AssistantMessage,
    ChatCompletion,
    ChatCompletionIn,
    ChatMessageIn,
    Choice,
    CompletionUsage,
    DragomanFacts,
)
from dragoman.tenancy.access import asker_of
from dragoman.tenancy.entities import Caller
from dragoman.understanding.history import Said

_log = structlog.get_logger(__name__)
_DONE: Final = b"data: [DONE]\n\n"
_QUESTION_CHARACTERS: Final = 8000  # as `POST …/messages/` takes
_CONVERSATION_CHARACTERS: Final = 1_000_000


@dataclass(frozen=True, slots=True, kw_only=True)
class Opened:
    """A completion whose question is stored and whose answer has begun.

    Attributes:
        events: the rest of its events; to be closed.
        completion_id: `chatcmpl-` and the id of the answer's message.
        ignored: parameters of the request that have no effect.
    """

    completion_id: str
    events: AsyncGenerator[AnswerEvent, None]
    ignored: Sequence[str]


async def open_completion(deps: Deps, caller: Caller, body: ChatCompletionIn) -> Opened:
    """Find the session of the question and begin the answer, so that whatever forbids it is an error, not an event.

    Raises:
        UnsupportedParameterError, InvalidParameterError, ModelNotFoundError; SessionNotFoundError, SessionClosedError,
        DocumentNotFoundError; whatever `answer_question` raises before its first event.
    """
    _refuse_unsupported(body)
    said, question = _conversation(body.messages)
    asked = await _asked(deps, caller, body, said, question)
    events = answer_question(deps, caller, asked)
    try:
        await anext(events)  # a `Status`
    except BaseException:
        await events.aclose()
        raise
    return Opened(completion_id=f"chatcmpl-{asked.answer_id}", events=events, ignored=_ignored(body))


def asker_in(caller: Caller, body: ChatCompletionIn) -> str:
    """Whose conversation it is."""
    return asker_of(caller, body.safety_identifier or body.user)


def _refuse_unsupported(body: ChatCompletionIn) -> None:
    wanted: Mapping[str, bool] = {
        "tools": bool(body.tools),
        "functions": bool(body.functions),
        "n": body.n not in (None, 1),
        "response_format": body.response_format is not None and body.response_format.get("type") != "text",
        "logprobs": bool(body.logprobs),
        "modalities": body.modalities not in (None, [], ["text"]),
        "audio": body.audio is not None,
    }
    for parameter, is_wanted in wanted.items():
        if is_wanted:
            raise UnsupportedParameterError(
                f"{parameter!r} asks for something that a chatbot with cited answers does not do. Leave it out.",
                param=parameter,
            )


def _conversation(messages: Sequence[ChatMessageIn]) -> tuple[list[Said], str]:
    """What was said, oldest first, and the question that comes after it. Raises InvalidParameterError."""
    texts = [_text_of(message, place) for place, message in enumerate(messages)]
    if sum(map(len, texts)) > _CONVERSATION_CHARACTERS:
        raise InvalidParameterError(
            f"The messages are longer than {_CONVERSATION_CHARACTERS} characters together.", param="messages"
        )
    place, question = len(messages) - 1, texts[-1]
    if messages[-1].role != "user":
        raise InvalidParameterError("The last message must be the question of the `user`.", param=f"messages[{place}]")
    if not question.strip():
        raise InvalidParameterError("The question is empty.", param=f"messages[{place}].content")
    if len(question) > _QUESTION_CHARACTERS:
        raise InvalidParameterError(
            f"The question is longer than {_QUESTION_CHARACTERS} characters.", param=f"messages[{place}].content"
        )
    said = [
        Said(role=message.role, text=text)
        for message, text in zip(messages[:-1], texts[:-1], strict=True)
        if message.role in ("user", "assistant") and text.strip()
    ]
    return said, question


def _text_of(message: ChatMessageIn, place: int) -> str:
    """The words of a message. Raises UnsupportedParameterError: the asker's message is more than text."""
    if isinstance(message.content, str):
        return message.content
    parts = message.content or []
    if message.role == "user" and (other := next((part.type for part in parts if part.type != "text"), None)):
        raise UnsupportedParameterError(
            f"A message holds {other!r}; only text can be asked.", param=f"messages[{place}].content"
        )
    return "\n".join(part.text or "" for part in parts)


async def _asked(deps: Deps, caller: Caller, body: ChatCompletionIn, said: Sequence[Said], question: str) -> Asked:
    asker = asker_in(caller, body)
    chatbot = await models.get_chatbot_of_model(deps, caller, body.model)
    options = body.dragoman
    if options.session_id is None:
        place = await carried.find_place(
            deps,
            caller,
            asker=asker,
            chatbot_id=chatbot.id,
            said=said,
            document_ids=options.document_ids,
        )
        return Asked(
            session_id=place.session_id,
            asker=asker,
            question=question,
            language=options.language,
            after=place.after,
        )
    async with deps.database.transaction(caller.tenant_id) as connection:
        session = await service.get_open_session(connection, caller, asker, options.session_id)
    if session.chatbot_id != chatbot.id:
        raise InvalidParameterError("This session is one with another chatbot.", param="dragoman.session_id")
    if options.document_ids is not None:
        raise InvalidParameterError(
            "The session says which documents are asked: leave them out, or change them in `PATCH /api/chatbot/sessions/…/`.",
            param="dragoman.document_ids",
        )
    return Asked(session_id=session.id, asker=asker, question=question, language=options.language)


def _ignored(body: ChatCompletionIn) -> list[str]:
    """What the request says and nothing here obeys: sampling, tools that are not there, other people's extensions."""
    ignored = sorted(name for name, value in (body.model_extra or {}).items() if value is not None)
    if any(message.role in ("system", "developer") for message in body.messages):
        ignored.append("messages: system")
    if any(message.role in ("tool", "function") for message in body.messages):
        ignored.append("messages: tool")
    return ignored


# ---- the answer


async def whole_completion(opened: Opened, body: ChatCompletionIn) -> ChatCompletion:
    """The answer at once. Raises whatever `answer_question` raises."""
    complete: Complete | None = None
    async with aclosing(opened.events) as events:
        async for event in events:
            if isinstance(event, Complete):
                complete = event
    assert complete is not None  # an answer ends with Complete, or raises
    facts = _facts(complete, opened, body)
    return ChatCompletion(
        id=opened.completion_id,
        created=int(complete.message.created_at.timestamp()),
        model=body.model,
        choices=[Choice(message=AssistantMessage(content=complete.message.content))],
        usage=CompletionUsage.of(facts),
        dragoman=facts,
    )


async def streamed_completion(opened: Opened, body: ChatCompletionIn) -> AsyncGenerator[bytes, None]:
    """The answer as server-sent events: chunks with the words as they come, one with the end and `dragoman`, `[DONE]`.

    A comment every 15 s keeps the connection open. What fails in mid-stream is told as OpenAI's clients expect it.
    """
    with_usage = bool(body.stream_options and body.stream_options.include_usage)
    frame = {
        "id": opened.completion_id,
        "object": "chat.completion.chunk",
        "created": int(now().timestamp()),
        "model": body.model,
        **({"usage": None} if with_usage else {}),
    }
    try:
        async with aclosing(opened.events) as answer, aclosing(with_heartbeat(answer)) as events:
            yield _chunk(frame, {"role": "assistant", "content": ""})
            async for event in events:
                match event:
                    case None:
                        yield HEARTBEAT
                    case Token():
                        yield _chunk(frame, {"content": event.content})
                    case Complete():
                        facts = _facts(event, opened, body)
                        yield _chunk(frame, {}, finish_reason="stop", dragoman=facts.model_dump(mode="json"))
                        if with_usage:
                            usage = CompletionUsage.of(facts).model_dump()
                            yield _data({**frame, "choices": [], "usage": usage})
                    case _:  # stages and sources: the facts at the end hold what is asked for of them
                        pass
        yield _DONE
    except DragomanError as error:
        yield _data(error_in_openai(status=status_in_openai(error.status), code=error.code, message=error.message))
    except Exception:  # noqa: BLE001 - the stream has begun: the asker is told in it, the log has the trace
        _log.exception("openai_api.stream_failed")
        yield _data(error_in_openai(status=500, code=DragomanError.code, message=DragomanError().message))


def _facts(complete: Complete, opened: Opened, body: ChatCompletionIn) -> DragomanFacts:
    return DragomanFacts.of(complete, include_sources=body.dragoman.include_sources, ignored=list(opened.ignored))


def _chunk(
    frame: Mapping[str, Any], delta: Mapping[str, Any], *, finish_reason: str | None = None, **more: Any
) -> bytes:
    choice = {"index": 0, "delta": delta, "logprobs": None, "finish_reason": finish_reason}
    return _data({**frame, "choices": [choice], **more})


def _data(fields: Mapping[str, Any]) -> bytes:
    return f"data: {json.dumps(fields, ensure_ascii=False)}\n\n".encode()
