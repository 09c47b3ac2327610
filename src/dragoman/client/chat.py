"""Sessions and their messages."""

from __future__ import annotations

from collections.abc import AsyncGenerator, AsyncIterator, Sequence
from contextlib import aclosing
from typing import Any
from uuid import UUID

from pydantic import TypeAdapter

from dragoman.client.models import Answer, Message, Session, StreamEvent
from dragoman.client.paging import pages
from dragoman.client.transport import Transport

_PATH = "/api/chatbot/sessions/"
_event: TypeAdapter[StreamEvent] = TypeAdapter(StreamEvent)


class Sessions:
    def __init__(self, transport: Transport) -> None:
        self._transport = transport

    async def create(
        self,
        *,
        chatbot_id: UUID | str | None = None,
        title: str = "",
        settings: dict[str, Any] | None = None,
        document_ids: Sequence[UUID | str] | None = None,
    ) -> Session:
        body: dict[str, Any] = {"title": title, "settings": settings or {}}
        if chatbot_id is not None:
            body["chatbot_id"] = str(chatbot_id)
        if document_ids is not None:
            body["document_ids"] = [str(each) for each in document_ids]
        return Session.model_validate(await self._transport.request("POST", _PATH, json=body))

    async def get(self, session_id: UUID | str) -> Session:
        return Session.model_validate(await self._transport.request("GET", f"{_PATH}{session_id}/"))

    async def list(self, *, chatbot_id: UUID | str | None = None) -> AsyncIterator[Session]:
        """All your sessions, the latest first, fetched page by page."""
        async for item in pages(self._transport, _PATH, "sessions", {"chatbot_id": chatbot_id and str(chatbot_id)}):
            yield Session.model_validate(item)

    async def delete(self, session_id: UUID | str) -> None:
        await self._transport.request("DELETE", f"{_PATH}{session_id}/")


class Messages:
    def __init__(self, transport: Transport) -> None:
        self._transport = transport

    async def list(self, session_id: UUID | str) -> AsyncIterator[Message]:
        """The messages of a session in the order in which they were said."""
        async for item in pages(self._transport, f"{_PATH}{session_id}/messages/", "messages", {}):
            yield Message.model_validate(item)

    async def send(self, session_id: UUID | str, message: str, *, language: str | None = None) -> Answer:
        """Ask, and wait for the whole answer."""
        body = _body(message, language)
        return Answer.model_validate(await self._transport.request("POST", f"{_PATH}{session_id}/messages/", json=body))

    async def stream(
        self, session_id: UUID | str, message: str, *, language: str | None = None
    ) -> AsyncGenerator[StreamEvent, None]:
        """Ask, and get the events as they come. Leaving the loop early stops the answer on the server too."""
        path = f"{_PATH}{session_id}/messages/stream/"
        async with aclosing(self._transport.stream_data(path, json=_body(message, language))) as events:
            async for data in events:
                yield _event.validate_json(data)


def _body(message: str, language: str | None) -> dict[str, Any]:
    return {"message": message} if language is None else {"message": message, "language": language}
