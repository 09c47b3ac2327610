"""Sessions and their messages."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, AsyncIterator, Sequence
from contextlib import aclosing, suppress
from dataclasses import dataclass, field
from typing import Any, Literal
from uuid import UUID

from pydantic import TypeAdapter

from dragoman.client.errors import ApiError, ClientError, ConnectionFailedError
from dragoman.client.models import Answer, CompleteEvent, ErrorEvent, Message, Session, StatusEvent, StreamEvent
from dragoman.client.paging import pages
from dragoman.client.transport import ServerSentEvent, Transport

_PATH = "/api/chatbot/sessions/"
_PAUSES_S = (0.1, 0.3, 1.0, 2.0, 4.0, 8.0)  # 15 s in all: a server keeps an answer for 30 s unless it is set otherwise
_PASSING = frozenset({429, 502, 503, 504})
_STOPPING_S = 2.0
_event: TypeAdapter[StreamEvent] = TypeAdapter(StreamEvent)


class Sessions:
    """`user_id`, everywhere here: your own name for the asker, for keys that may act for users."""

    def __init__(self, transport: Transport) -> None:
        self._transport = transport

    async def create(
        self,
        *,
        chatbot_id: UUID | str | None = None,
        title: str = "",
        settings: dict[str, Any] | None = None,
        document_ids: Sequence[UUID | str] | None = None,
        user_id: str | None = None,
    ) -> Session:
        body: dict[str, Any] = {"title": title, "settings": settings or {}}
        if user_id is not None:
            body["user_id"] = user_id
        if chatbot_id is not None:
            body["chatbot_id"] = str(chatbot_id)
        if document_ids is not None:
            body["document_ids"] = [str(each) for each in document_ids]
        return Session.model_validate(await self._transport.request("POST", _PATH, json=body))

    async def get(self, session_id: UUID | str, *, user_id: str | None = None) -> Session:
        found = await self._transport.request("GET", f"{_PATH}{session_id}/", params=_for(user_id))
        return Session.model_validate(found)

    async def list(
        self,
        *,
        chatbot_id: UUID | str | None = None,
        search: str = "",
        archived: bool = False,
        user_id: str | None = None,
    ) -> AsyncIterator[Session]:
        """Your sessions, the latest first, fetched page by page: those that say `search`; the archived ones."""
        wanted = {
            "chatbot_id": chatbot_id and str(chatbot_id),
            "search": search or None,
            "archived": archived or None,
            "user_id": user_id,
        }
        async for item in pages(self._transport, _PATH, "sessions", wanted):
            yield Session.model_validate(item)

    async def update(
        self,
        session_id: UUID | str,
        *,
        title: str | None = None,
        settings: dict[str, Any] | None = None,
        is_active: bool | None = None,
        is_archived: bool | None = None,
        document_ids: Sequence[UUID | str] | Literal["all"] | None = None,
        user_id: str | None = None,
    ) -> Session:
        """Change what is not None.

        Args:
            document_ids: from the next question on, the session is about these documents only; `all`: about all again.
        """
        given = {"title": title, "settings": settings, "is_active": is_active, "is_archived": is_archived}
        body: dict[str, Any] = {name: value for name, value in given.items() if value is not None}
        if document_ids is not None:
            body["document_ids"] = None if document_ids == "all" else [str(each) for each in document_ids]
        path = f"{_PATH}{session_id}/"
        changed = await self._transport.request("PATCH", path, json=body, params=_for(user_id))
        return Session.model_validate(changed)

    async def export(
        self,
        session_id: UUID | str,
        *,
        format: Literal["markdown", "json"] = "markdown",  # noqa: A002
        user_id: str | None = None,
    ) -> str:
        """The conversation as a file."""
        options = {"format": format, "user_id": user_id}
        async with self._transport.open_content(f"{_PATH}{session_id}/export/", params=options) as response:
            return (await response.aread()).decode()

    async def delete(self, session_id: UUID | str, *, user_id: str | None = None) -> None:
        await self._transport.request("DELETE", f"{_PATH}{session_id}/", params=_for(user_id))


class Messages:
    """`user_id`, everywhere here: your own name for the asker, for keys that may act for users."""

    def __init__(self, transport: Transport) -> None:
        self._transport = transport

    async def list(
        self, session_id: UUID | str, *, all_branches: bool = False, user_id: str | None = None
    ) -> AsyncIterator[Message]:
        """The messages of a session in the order in which they were said, on the branch that it is on."""
        wanted = {"all_branches": all_branches or None, "user_id": user_id}
        async for item in pages(self._transport, f"{_PATH}{session_id}/messages/", "messages", wanted):
            yield Message.model_validate(item)

    async def send(
        self,
        session_id: UUID | str,
        message: str,
        *,
        language: str | None = None,
        replaces: UUID | str | None = None,
        user_id: str | None = None,
    ) -> Answer:
        """Ask, and wait for the whole answer. `replaces`: an earlier question, in whose place this one is asked."""
        body = _body(message, language)
        if replaces is not None:
            body["replaces"] = str(replaces)
        path = f"{_PATH}{session_id}/messages/"
        return Answer.model_validate(await self._transport.request("POST", path, json=body, params=_for(user_id)))

    async def regenerate(self, session_id: UUID | str, message_id: UUID | str, *, user_id: str | None = None) -> Answer:
        """Have an answer written again, beside the one that is there."""
        path = f"{_PATH}{session_id}/messages/{message_id}/regenerate/"
        return Answer.model_validate(await self._transport.request("POST", path, json={}, params=_for(user_id)))

    async def select(self, session_id: UUID | str, message_id: UUID | str, *, user_id: str | None = None) -> Session:
        """Go on with the branch that this message is on."""
        path = f"{_PATH}{session_id}/messages/{message_id}/select/"
        return Session.model_validate(await self._transport.request("POST", path, json={}, params=_for(user_id)))

    async def stream(
        self,
        session_id: UUID | str,
        message: str,
        *,
        language: str | None = None,
        replaces: UUID | str | None = None,
        resume: bool = True,
        user_id: str | None = None,
    ) -> AsyncGenerator[StreamEvent, None]:
        """Ask, and get the events as they come. Leaving the loop early stops the answer on the server too.

        A connection that breaks is opened again, and the answer goes on where it was; not with `resume` False.
        """
        body = _body(message, language) | ({"resumable": True} if resume else {})
        if replaces is not None:
            body["replaces"] = str(replaces)
        path = f"{_PATH}{session_id}/messages/stream/"
        begun = self._transport.stream_events("POST", path, json=body, params=_for(user_id))
        reading = _Reading(session_id=session_id, user_id=user_id)
        try:
            async with aclosing(self._resumed(begun, reading) if resume else _read(begun, reading)) as events:
                async for event in events:
                    yield event
        finally:
            if resume and not reading.is_over and reading.message_id is not None:
                await self._stop(session_id, reading.message_id, user_id)

    async def follow(
        self, session_id: UUID | str, message_id: UUID | str, *, user_id: str | None = None
    ) -> AsyncGenerator[StreamEvent, None]:
        """The events of an answer that is being written, or was, from its beginning. Leaving the loop stops nothing."""
        path = f"{_PATH}{session_id}/messages/{message_id}/stream/"
        begun = self._transport.stream_events("GET", path, params=_for(user_id))
        reading = _Reading(session_id=session_id, message_id=message_id, user_id=user_id)
        async with aclosing(self._resumed(begun, reading)) as events:
            async for event in events:
                yield event

    async def cancel(self, session_id: UUID | str, message_id: UUID | str, *, user_id: str | None = None) -> str:
        """Stop an answer that is being written; the state that it is in then: `interrupted`, or `complete`."""
        path = f"{_PATH}{session_id}/messages/{message_id}/cancel/"
        stopped = await self._transport.request("POST", path, params=_for(user_id))
        state: str = stopped["state"]
        return state

    async def _resumed(
        self, begun: AsyncGenerator[ServerSentEvent, None], reading: _Reading
    ) -> AsyncGenerator[StreamEvent, None]:
        """The events to the last one, over as many connections as it takes.

        Raises:
            ApiError: refused. ConnectionFailedError: the server stayed away, or the answer had not begun.
        """
        while True:
            try:
                async with aclosing(_read(begun, reading)) as events:
                    async for event in events:
                        yield event
                broken = ConnectionFailedError(self._transport.url, "the stream ended before the answer")
            except ConnectionFailedError as error:
                broken = error
            except ApiError as error:
                if not reading.pauses_s or error.status not in _PASSING:
                    raise
                broken = ConnectionFailedError(self._transport.url, error.detail)
            if reading.is_over:
                return
            if reading.message_id is None or not reading.pauses_s:
                raise broken
            await asyncio.sleep(reading.pauses_s.pop(0))
            path = f"{_PATH}{reading.session_id}/messages/{reading.message_id}/stream/"
            begun = self._transport.stream_events(
                "GET", path, params=_for(reading.user_id), last_event_id=reading.last_event_id
            )

    async def _stop(self, session_id: UUID | str, message_id: UUID | str, user_id: str | None) -> None:
        with suppress(ClientError, TimeoutError):  # without it the server stops the answer after its grace time
            async with asyncio.timeout(_STOPPING_S):
                await self.cancel(session_id, message_id, user_id=user_id)


@dataclass(slots=True, kw_only=True)
class _Reading:
    """How far an answer was read. `pauses_s`: before each further try; all of them again after each event."""

    session_id: UUID | str
    user_id: str | None = None
    message_id: UUID | str | None = None
    last_event_id: str | None = None
    is_over: bool = False
    pauses_s: list[float] = field(default_factory=list)


async def _read(begun: AsyncGenerator[ServerSentEvent, None], reading: _Reading) -> AsyncGenerator[StreamEvent, None]:
    async with aclosing(begun) as events:
        async for each in events:
            event = _event.validate_json(each.data)
            reading.last_event_id = each.id
            reading.pauses_s = list(_PAUSES_S)
            if isinstance(event, StatusEvent):
                reading.message_id = event.message_id
            reading.is_over = isinstance(event, CompleteEvent | ErrorEvent)
            yield event


def _body(message: str, language: str | None) -> dict[str, Any]:
    return {"message": message} if language is None else {"message": message, "language": language}


def _for(user_id: str | None) -> dict[str, Any]:
    return {"user_id": user_id}
