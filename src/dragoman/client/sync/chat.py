# Made from client/chat.py by `python -m dragoman.client.twin`. Change that one.
"""Sessions and their messages."""

from __future__ import annotations

from collections.abc import Generator, Iterator, Sequence
from contextlib import closing
from typing import Any, Literal
from uuid import UUID

from pydantic import TypeAdapter

from dragoman.client.models import Answer, Message, Session, StreamEvent
from dragoman.client.sync.paging import pages
from dragoman.client.sync.transport import Transport

_PATH = "/api/chatbot/sessions/"
_event: TypeAdapter[StreamEvent] = TypeAdapter(StreamEvent)


class Sessions:
    def __init__(self, transport: Transport) -> None:
        self._transport = transport

    def create(
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
        return Session.model_validate(self._transport.request("POST", _PATH, json=body))

    def get(self, session_id: UUID | str) -> Session:
        return Session.model_validate(self._transport.request("GET", f"{_PATH}{session_id}/"))

    def list(
        self, *, chatbot_id: UUID | str | None = None, search: str = "", archived: bool = False
    ) -> Iterator[Session]:
        """Your sessions, the latest first, fetched page by page: those that say `search`; the archived ones."""
        wanted = {"chatbot_id": chatbot_id and str(chatbot_id), "search": search or None, "archived": archived or None}
        for item in pages(self._transport, _PATH, "sessions", wanted):
            yield Session.model_validate(item)

    def update(
        self,
        session_id: UUID | str,
        *,
        title: str | None = None,
        settings: dict[str, Any] | None = None,
        is_active: bool | None = None,
        is_archived: bool | None = None,
    ) -> Session:
        """Change what is not None."""
        given = {"title": title, "settings": settings, "is_active": is_active, "is_archived": is_archived}
        body = {name: value for name, value in given.items() if value is not None}
        return Session.model_validate(self._transport.request("PATCH", f"{_PATH}{session_id}/", json=body))

    def export(self, session_id: UUID | str, *, format: Literal["markdown", "json"] = "markdown") -> str:  # noqa: A002
        """The conversation as a file."""
        options = {"format": format}
        with self._transport.open_content(f"{_PATH}{session_id}/export/", params=options) as response:
            return (response.read()).decode()

    def delete(self, session_id: UUID | str) -> None:
        self._transport.request("DELETE", f"{_PATH}{session_id}/")


class Messages:
    def __init__(self, transport: Transport) -> None:
        self._transport = transport

    def list(self, session_id: UUID | str, *, all_branches: bool = False) -> Iterator[Message]:
        """The messages of a session in the order in which they were said, on the branch that it is on."""
        wanted = {"all_branches": all_branches or None}
        for item in pages(self._transport, f"{_PATH}{session_id}/messages/", "messages", wanted):
            yield Message.model_validate(item)

    def send(
        self,
        session_id: UUID | str,
        message: str,
        *,
        language: str | None = None,
        replaces: UUID | str | None = None,
    ) -> Answer:
        """Ask, and wait for the whole answer. `replaces`: an earlier question, in whose place this one is asked."""
        body = _body(message, language)
        if replaces is not None:
            body["replaces"] = str(replaces)
        return Answer.model_validate(self._transport.request("POST", f"{_PATH}{session_id}/messages/", json=body))

    def regenerate(self, session_id: UUID | str, message_id: UUID | str) -> Answer:
        """Have an answer written again, beside the one that is there."""
        path = f"{_PATH}{session_id}/messages/{message_id}/regenerate/"
        return Answer.model_validate(self._transport.request("POST", path, json={}))

    def select(self, session_id: UUID | str, message_id: UUID | str) -> Session:
        """Go on with the branch that this message is on."""
        path = f"{_PATH}{session_id}/messages/{message_id}/select/"
        return Session.model_validate(self._transport.request("POST", path, json={}))

    def stream(
        self, session_id: UUID | str, message: str, *, language: str | None = None
    ) -> Generator[StreamEvent, None, None]:
        """Ask, and get the events as they come. Leaving the loop early stops the answer on the server too."""
        path = f"{_PATH}{session_id}/messages/stream/"
        with closing(self._transport.stream_data(path, json=_body(message, language))) as events:
            for data in events:
                yield _event.validate_json(data)


def _body(message: str, language: str | None) -> dict[str, Any]:
    return {"message": message} if language is None else {"message": message, "language": language}
