"""HTTP: sessions, messages and the stream. First stop of the question path."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncGenerator, Awaitable, Callable, MutableMapping
from contextlib import aclosing, suppress
from typing import Annotated, Any, Literal
from uuid import UUID

import structlog
from fastapi import APIRouter, Body, Query, Response, status
from fastapi.responses import StreamingResponse
from pydantic import BaseModel

from dragoman.chat import export, service
from dragoman.chat.answer import Asked, answer_question, find_earlier_question
from dragoman.chat.entities import AnswerEvent, Complete, Source, Status, Token
from dragoman.chat.export import messages_out
from dragoman.chat.schemas import (
    AgainIn,
    AnswerOut,
    CompleteEvent,
    ErrorEvent,
    MessageIn,
    MessageList,
    SessionIn,
    SessionList,
    SessionOut,
    SessionPatch,
    SourceEvent,
    SourceOut,
    StatusEvent,
    TokenEvent,
)
from dragoman.deps import Deps
from dragoman.deps.http import DepsDep
from dragoman.kit.errors import DragomanError
from dragoman.tenancy.access import asker_of
from dragoman.tenancy.entities import Caller
from dragoman.tenancy.http import CallerWhoAsks, ChatbotIdQuery, PageDep

router = APIRouter()
_log = structlog.get_logger(__name__)

_HEARTBEAT_S = 15.0
_HEARTBEAT = b": heartbeat\n\n"
_SSE_HEADERS = {"Cache-Control": "no-cache", "X-Accel-Buffering": "no"}
_STREAM_RESPONSES: dict[int | str, dict[str, Any]] = {
    200: {"content": {"text/event-stream": {}}, "description": "Server-sent events, one JSON object each."}
}
_AS_USUAL = AgainIn()
AgainBody = Annotated[AgainIn, Body()]
UserIdQuery = Annotated[
    str | None, Query(max_length=200, description="Your own name for the asker, for keys that may act for users.")
]


@router.post("/api/chatbot/sessions/", status_code=status.HTTP_201_CREATED, tags=["chat"])
async def create_session(body: SessionIn, caller: CallerWhoAsks, deps: DepsDep) -> SessionOut:
    """Open a conversation with a chatbot."""
    session = await service.create_session(
        deps,
        caller,
        asker=asker_of(caller, body.user_id),
        chatbot_id=body.chatbot_id,
        title=body.title,
        settings=body.settings,
        document_ids=body.document_ids,
    )
    return SessionOut.of(session)


@router.get("/api/chatbot/sessions/", tags=["chat"])
async def list_sessions(
    caller: CallerWhoAsks,
    deps: DepsDep,
    page: PageDep,
    chatbot_id: ChatbotIdQuery = None,
    user_id: UserIdQuery = None,
    search: Annotated[
        str,
        Query(max_length=200, description="Only those whose title or messages say this, in any case of its letters."),
    ] = "",
    archived: Annotated[bool, Query(description="The archived ones instead of the others.")] = False,
) -> SessionList:
    """List your conversations, the latest first, or search in them."""
    found = await service.list_sessions(
        deps,
        caller,
        asker=asker_of(caller, user_id),
        chatbot_id=chatbot_id,
        is_archived=archived,
        text=" ".join(search.split()),
        page=page,
    )
    items = [SessionOut.of(one.session, excerpt=one.excerpt) for one in found.items]
    return SessionList(sessions=items, total=found.total, limit=page.limit, offset=page.offset)


@router.get("/api/chatbot/sessions/{session_id}/", tags=["chat"])
async def get_session(
    session_id: UUID, caller: CallerWhoAsks, deps: DepsDep, user_id: UserIdQuery = None
) -> SessionOut:
    """Show one conversation."""
    async with deps.database.transaction(caller.tenant_id) as connection:
        session = await service.get_session(connection, caller, asker_of(caller, user_id), session_id)
    return SessionOut.of(session)


@router.patch("/api/chatbot/sessions/{session_id}/", tags=["chat"])
async def update_session(
    session_id: UUID, body: SessionPatch, caller: CallerWhoAsks, deps: DepsDep, user_id: UserIdQuery = None
) -> SessionOut:
    """Rename a conversation, change its settings, close or archive it."""
    values = body.model_dump(exclude_none=True)
    session = await service.update_session(
        deps, caller, asker=asker_of(caller, user_id), session_id=session_id, values=values
    )
    return SessionOut.of(session)


@router.delete("/api/chatbot/sessions/{session_id}/", status_code=status.HTTP_204_NO_CONTENT, tags=["chat"])
async def delete_session(session_id: UUID, caller: CallerWhoAsks, deps: DepsDep, user_id: UserIdQuery = None) -> None:
    """Delete a conversation with all its messages."""
    await service.delete_session(deps, caller, asker=asker_of(caller, user_id), session_id=session_id)


@router.get(
    "/api/chatbot/sessions/{session_id}/export/",
    tags=["chat"],
    response_class=Response,
    responses={200: {"content": {"application/json": {}, "text/markdown": {}}, "description": "The file."}},
)
async def export_session(
    session_id: UUID,
    caller: CallerWhoAsks,
    deps: DepsDep,
    user_id: UserIdQuery = None,
    format: Annotated[  # noqa: A002 - the name of the parameter in the API
        Literal["markdown", "json"], Query(description="Markdown for people: the branch it is on; JSON: all branches.")
    ] = "markdown",
) -> Response:
    """Download a conversation with its sources."""
    shown = await service.list_messages(
        deps,
        caller,
        asker=asker_of(caller, user_id),
        session_id=session_id,
        page=None,
        all_branches=format == "json",
    )
    made = export.as_json(shown) if format == "json" else export.as_markdown(shown)
    return Response(
        made,
        media_type="application/json" if format == "json" else "text/markdown; charset=utf-8",
        headers={"Content-Disposition": f'attachment; filename="{export.file_name(shown.session, format)}"'},
    )


@router.get("/api/chatbot/sessions/{session_id}/messages/", tags=["chat"])
async def list_messages(
    session_id: UUID,
    caller: CallerWhoAsks,
    deps: DepsDep,
    page: PageDep,
    user_id: UserIdQuery = None,
    all_branches: Annotated[bool, Query(description="Those of all branches, by their age.")] = False,
) -> MessageList:
    """List the messages of a conversation in the order in which they were said, on the branch that it is on."""
    shown = await service.list_messages(
        deps,
        caller,
        asker=asker_of(caller, user_id),
        session_id=session_id,
        page=page,
        all_branches=all_branches,
    )
    return MessageList(
        messages=messages_out(shown), total=shown.page.total, limit=shown.page.limit, offset=shown.page.offset
    )


@router.post("/api/chatbot/sessions/{session_id}/messages/{message_id}/select/", tags=["chat"])
async def select_message(
    session_id: UUID, message_id: UUID, caller: CallerWhoAsks, deps: DepsDep, user_id: UserIdQuery = None
) -> SessionOut:
    """Go on with the branch that this message is on."""
    session = await service.select_message(
        deps, caller, asker=asker_of(caller, user_id), session_id=session_id, message_id=message_id
    )
    return SessionOut.of(session)


@router.post("/api/chatbot/sessions/{session_id}/messages/", tags=["chat"])
async def send_message(
    session_id: UUID, body: MessageIn, caller: CallerWhoAsks, deps: DepsDep, user_id: UserIdQuery = None
) -> AnswerOut:
    """Ask a question and get the whole answer at once."""
    return await _whole_answer(deps, caller, _asked(caller, session_id, body, user_id), body)


@router.post(
    "/api/chatbot/sessions/{session_id}/messages/stream/",
    tags=["chat"],
    response_class=StreamingResponse,
    responses=_STREAM_RESPONSES,
)
async def stream_message(
    session_id: UUID, body: MessageIn, caller: CallerWhoAsks, deps: DepsDep, user_id: UserIdQuery = None
) -> StreamingResponse:
    """Ask a question and get the answer as it is written.

    Server-sent events, each `data:` one JSON object: `status` (what happens now), `token` (the next words), then a
    `source` for each citation, then `complete`; or `error`, if something failed after the stream had begun. A comment
    every 15 s keeps the connection open.
    """
    return await _streamed_answer(deps, caller, _asked(caller, session_id, body, user_id), body)


@router.post("/api/chatbot/sessions/{session_id}/messages/{message_id}/regenerate/", tags=["chat"])
async def regenerate_message(
    session_id: UUID,
    message_id: UUID,
    caller: CallerWhoAsks,
    deps: DepsDep,
    body: AgainBody = _AS_USUAL,
    user_id: UserIdQuery = None,
) -> AnswerOut:
    """Write an answer again, beside the one that is there."""
    return await _whole_answer(deps, caller, _again(caller, session_id, message_id, body, user_id), body)


@router.post(
    "/api/chatbot/sessions/{session_id}/messages/{message_id}/regenerate/stream/",
    tags=["chat"],
    response_class=StreamingResponse,
    responses=_STREAM_RESPONSES,
)
async def stream_regenerated_message(
    session_id: UUID,
    message_id: UUID,
    caller: CallerWhoAsks,
    deps: DepsDep,
    body: AgainBody = _AS_USUAL,
    user_id: UserIdQuery = None,
) -> StreamingResponse:
    """Write an answer again, and get it as it is written, with the events of `…/messages/stream/`."""
    return await _streamed_answer(deps, caller, _again(caller, session_id, message_id, body, user_id), body)


def _asked(caller: Caller, session_id: UUID, body: MessageIn, user_id: str | None) -> Asked:
    return Asked(
        session_id=session_id,
        asker=asker_of(caller, user_id),
        question=body.message,
        language=body.language,
        replaces=body.replaces,
    )


def _again(caller: Caller, session_id: UUID, message_id: UUID, body: AgainIn, user_id: str | None) -> Asked:
    return Asked(session_id=session_id, asker=asker_of(caller, user_id), language=body.language, again=message_id)


async def _whole_answer(deps: Deps, caller: Caller, asked: Asked, body: AgainIn) -> AnswerOut:
    complete: Complete | None = None
    async with aclosing(answer_question(deps, caller, asked)) as events:
        async for event in events:
            if isinstance(event, Complete):
                complete = event
    assert complete is not None  # an answer ends with Complete, or raises
    return AnswerOut.of_complete(complete, include_sources=body.include_sources)


async def _streamed_answer(deps: Deps, caller: Caller, asked: Asked, body: AgainIn) -> StreamingResponse:
    async with deps.database.transaction(caller.tenant_id) as connection:  # so that a wrong id is a 404, not an event
        session = await service.get_open_session(connection, caller, asked.asker, asked.session_id)
        await find_earlier_question(connection, caller, session, asked)
    return _ClosingStream(_server_sent_events(deps, caller, asked, include_sources=body.include_sources))


class _ClosingStream(StreamingResponse):
    """Closes its events whatever happens, so that an answer nobody hears ends at once.

    Starlette leaves that to the garbage collector when the client is gone while a piece is being sent.
    """

    def __init__(self, events: AsyncGenerator[bytes, None]) -> None:
        super().__init__(events, media_type="text/event-stream", headers=_SSE_HEADERS)
        self._events = events

    async def stream_response(self, send: Callable[[MutableMapping[str, Any]], Awaitable[None]]) -> None:
        async with aclosing(self._events):
            await super().stream_response(send)


async def _server_sent_events(
    deps: Deps, caller: Caller, asked: Asked, *, include_sources: bool
) -> AsyncGenerator[bytes, None]:
    try:
        async with (
            aclosing(answer_question(deps, caller, asked)) as answer,
            aclosing(_with_heartbeat(answer)) as events,  # closed first: it may be waiting for the answer's next event
        ):
            async for event in events:
                if event is None:
                    yield _HEARTBEAT
                elif include_sources or not isinstance(event, Source):
                    yield _data(_event_out(event))
    except DragomanError as error:
        yield _data(ErrorEvent(code=error.code, detail=error.message))
    except Exception:  # noqa: BLE001 - the stream has begun: the asker is told in it, the log has the trace
        _log.exception("chat.stream_failed", session_id=str(asked.session_id))
        yield _data(ErrorEvent(code="internal", detail=DragomanError().message))


async def _with_heartbeat(events: AsyncGenerator[AnswerEvent, None]) -> AsyncGenerator[AnswerEvent | None, None]:
    """The events, with None whenever 15 s have passed without one."""
    pending: asyncio.Future[AnswerEvent] | None = None
    try:
        while True:
            pending = pending or asyncio.ensure_future(anext(events))
            done, _ = await asyncio.wait([pending], timeout=_HEARTBEAT_S)
            if not done:
                yield None
                continue
            try:
                event = pending.result()
            except StopAsyncIteration:
                return
            finally:
                pending = None
            yield event
    finally:
        if pending is not None:
            pending.cancel()
            with suppress(asyncio.CancelledError, StopAsyncIteration):
                await pending


def _event_out(event: AnswerEvent) -> BaseModel:
    match event:
        case Status():
            return StatusEvent(stage=event.stage)
        case Token():
            return TokenEvent(content=event.content)
        case Source():
            return SourceEvent(**SourceOut.of(event.citation).model_dump())
        case Complete():
            return CompleteEvent.of_complete(event)


def _data(event: BaseModel) -> bytes:
    fields = event.model_dump(mode="json")
    ordered = {"type": fields.pop("type"), **fields}  # the type first, as the examples of the contract have it
    return f"data: {json.dumps(ordered, ensure_ascii=False)}\n\n".encode()
