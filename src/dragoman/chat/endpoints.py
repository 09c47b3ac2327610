"""HTTP: sessions, messages and the stream. First stop of the question path."""

from __future__ import annotations

from collections.abc import AsyncGenerator
from contextlib import aclosing
from typing import Annotated, Literal
from uuid import UUID

from fastapi import APIRouter, Body, Header, Query, Response, status
from fastapi.responses import StreamingResponse

from dragoman.chat import export, replay, service
from dragoman.chat.answer import Asked, Opened, answer_question, open_turn
from dragoman.chat.entities import Complete
from dragoman.chat.export import messages_out
from dragoman.chat.http import STREAM_RESPONSES, RunningAnswersDep
from dragoman.chat.live_answer import AnswerKey, LiveAnswer, Position
from dragoman.chat.pieces import server_sent
from dragoman.chat.replay import find_stored, lost
from dragoman.chat.running import RunningAnswers
from dragoman.chat.schemas import (
    AgainIn,
    AnswerOut,
    CancelOut,
    MessageIn,
    MessageList,
    SessionIn,
    SessionList,
    SessionOut,
    SessionPatch,
)
from dragoman.deps import Deps
from dragoman.deps.http import DepsDep
from dragoman.kit import heartbeat
from dragoman.tenancy.access import asker_of
from dragoman.tenancy.entities import Caller
from dragoman.tenancy.http import CallerWhoAsks, ChatbotIdQuery, ClosingStream, PageDep, StreamPlace

router = APIRouter()

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
    """Rename a conversation, change its settings or its documents, close or archive it."""
    session = await service.update_session(
        deps, caller, asker=asker_of(caller, user_id), session_id=session_id, values=body.values()
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
    responses=STREAM_RESPONSES,
)
async def stream_message(
    session_id: UUID,
    body: MessageIn,
    caller: CallerWhoAsks,
    deps: DepsDep,
    running: RunningAnswersDep,
    user_id: UserIdQuery = None,
) -> StreamingResponse:
    """Ask a question and get the answer as it is written.

    Server-sent events, each `data:` one JSON object: `status` (what happens now), `token` (the next words), then a
    `source` for each citation, then `complete`; or `error`, if something failed after the stream had begun. A comment
    after 15 s of silence keeps the connection open. Closing it stops the answer, and what was said is kept. With
    `resumable` it goes on for a while, and `…/messages/{message_id}/stream/` gets the rest.
    """
    return await _streamed_answer(deps, running, caller, _asked(caller, session_id, body, user_id), body)


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
    responses=STREAM_RESPONSES,
)
async def stream_regenerated_message(
    session_id: UUID,
    message_id: UUID,
    caller: CallerWhoAsks,
    deps: DepsDep,
    running: RunningAnswersDep,
    body: AgainBody = _AS_USUAL,
    user_id: UserIdQuery = None,
) -> StreamingResponse:
    """Write an answer again, and get it as it is written, with the events of `…/messages/stream/`."""
    return await _streamed_answer(deps, running, caller, _again(caller, session_id, message_id, body, user_id), body)


@router.get(
    "/api/chatbot/sessions/{session_id}/messages/{message_id}/stream/",
    tags=["chat"],
    response_class=StreamingResponse,
    responses={**STREAM_RESPONSES, 204: {"description": "`Last-Event-ID` was the end of the answer."}},
)
async def resume_message_stream(
    session_id: UUID,
    message_id: UUID,
    caller: CallerWhoAsks,
    deps: DepsDep,
    running: RunningAnswersDep,
    last_event_id: Annotated[str | None, Header(max_length=60, description="Go on after this event.")] = None,
    include_sources: Annotated[bool, Query(description="With the `source` events.")] = True,
    user_id: UserIdQuery = None,
) -> Response:
    """Follow an answer from its beginning, or go on with it after the event that came last.

    An answer is named by the `message_id` of its `status` events. Nothing is missed and nothing comes twice, whichever
    API process is asked. An answer that has ended is told as it is stored. Answers that are being written and were not
    asked for as `resumable` can be followed on the process that writes them only.
    """
    after = Position.parse(last_event_id)
    key = AnswerKey(tenant_id=caller.tenant_id, session_id=session_id, message_id=message_id)
    answer = await replay.get_answer(deps, running, caller, asker_of(caller, user_id), key)
    if after.is_end:
        return Response(status_code=status.HTTP_204_NO_CONTENT)  # which tells an EventSource to come no more
    async with StreamPlace.taken(deps.limiter, caller, asker_of(caller, user_id)) as held:
        return ClosingStream(_resumed(deps, running, answer, after, include_sources=include_sources), held)


@router.post("/api/chatbot/sessions/{session_id}/messages/{message_id}/cancel/", tags=["chat"])
async def cancel_message(
    session_id: UUID,
    message_id: UUID,
    caller: CallerWhoAsks,
    deps: DepsDep,
    running: RunningAnswersDep,
    user_id: UserIdQuery = None,
) -> CancelOut:
    """Stop an answer that is being written. What was said until then is kept.

    Its streams end with `complete`, whose `state` is `interrupted`; or with `error`, if nothing had been said.
    """
    key = AnswerKey(tenant_id=caller.tenant_id, session_id=session_id, message_id=message_id)
    state = await replay.cancel_answer(deps, running, caller, asker_of(caller, user_id), key)
    return CancelOut(message_id=message_id, state=state.value)


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


async def _streamed_answer(
    deps: Deps, running: RunningAnswers, caller: Caller, asked: Asked, body: AgainIn
) -> StreamingResponse:
    async with StreamPlace.taken(deps.limiter, caller, asked.asker) as held:
        opened = await open_turn(deps, caller, asked)  # so that what forbids it is no event
        return ClosingStream(_begun(deps, running, caller, asked, opened, body), held)


async def _begun(
    deps: Deps, running: RunningAnswers, caller: Caller, asked: Asked, opened: Opened, body: AgainIn
) -> AsyncGenerator[bytes, None]:
    """Begins to answer only when it is read, so that a client that has gone by then costs nothing."""
    answer = running.start(deps, caller, asked, opened, is_resumable=body.resumable)
    followed = running.follow(answer, Position(), silence_s=heartbeat.HEARTBEAT_S)
    async with aclosing(followed) as news:
        async for pieces in news:
            yield server_sent(pieces, include_sources=body.include_sources)


async def _resumed(
    deps: Deps, running: RunningAnswers, answer: LiveAnswer, after: Position, *, include_sources: bool
) -> AsyncGenerator[bytes, None]:
    """The rest of an answer. When the process that writes it is lost, what is stored, or an error at the end."""
    after = answer.place_of(after) if answer.is_over else after
    async with aclosing(running.follow(answer, after, silence_s=heartbeat.HEARTBEAT_S)) as news:
        async for pieces in news:
            after = pieces[-1].position if pieces else after
            yield server_sent(pieces, include_sources=include_sources)
    if not after.is_end:
        rest = await find_stored(deps, answer.key) or lost(answer.key)
        while pieces := rest.read(rest.place_of(after)):
            after = pieces[-1].position
            yield server_sent(pieces, include_sources=include_sources)
