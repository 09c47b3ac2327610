# Made from client/chat.py by `python -m dragoman.client.twin`. Change that one.
"""Sessions and their messages."""

from __future__ import annotations

import time
from collections.abc import Generator, Iterator, Sequence
from contextlib import closing, nullcontext, suppress
from dataclasses import dataclass, field
from typing import Any, Literal
from uuid import UUID

from pydantic import TypeAdapter

from dragoman.client.errors import ApiError, ClientError, ConnectionFailedError
from dragoman.client.models import Answer, CompleteEvent, ErrorEvent, Message, Session, StatusEvent, StreamEvent
from dragoman.client.sync.paging import pages
from dragoman.client.sync.transport import Transport
from dragoman.client.transport import ServerSentEvent

_PATH = "/api/chatbot/sessions/"
_PAUSES_S = (0.1, 0.3, 1.0, 2.0, 4.0, 8.0)  # 15 s in all: a server keeps an answer for 30 s unless it is set otherwise
_PASSING = frozenset({429, 502, 503, 504})
_STOPPING_S = 2.0
_event: TypeAdapter[StreamEvent] = TypeAdapter(StreamEvent)


class Sessions:
    """`user_id`, everywhere here: your own name for the asker, for keys that may act for users."""

    def __init__(self, transport: Transport) -> None:
        self._transport = transport

    def create(
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
        return Session.model_validate(self._transport.request("POST", _PATH, json=body))

    def get(self, session_id: UUID | str, *, user_id: str | None = None) -> Session:
        found = self._transport.request("GET", f"{_PATH}{session_id}/", params=_for(user_id))
        return Session.model_validate(found)

    def list(
        self,
        *,
        chatbot_id: UUID | str | None = None,
        search: str = "",
        archived: bool = False,
        user_id: str | None = None,
    ) -> Iterator[Session]:
        """Your sessions, the latest first, fetched page by page: those that say `search`; the archived ones."""
        wanted = {
            "chatbot_id": chatbot_id and str(chatbot_id),
            "search": search or None,
            "archived": archived or None,
            "user_id": user_id,
        }
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
        changed = self._transport.request("PATCH", path, json=body, params=_for(user_id))
        return Session.model_validate(changed)

    def export(
        self,
        session_id: UUID | str,
        *,
        format: Literal["markdown", "json"] = "markdown",  # noqa: A002
        user_id: str | None = None,
    ) -> str:
        """The conversation as a file."""
        options = {"format": format, "user_id": user_id}
        with self._transport.open_content(f"{_PATH}{session_id}/export/", params=options) as response:
            return (response.read()).decode()

    def delete(self, session_id: UUID | str, *, user_id: str | None = None) -> None:
        self._transport.request("DELETE", f"{_PATH}{session_id}/", params=_for(user_id))


class Messages:
    """`user_id`, everywhere here: your own name for the asker, for keys that may act for users."""

    def __init__(self, transport: Transport) -> None:
        self._transport = transport

    def list(
        self, session_id: UUID | str, *, all_branches: bool = False, user_id: str | None = None
    ) -> Iterator[Message]:
        """The messages of a session in the order in which they were said, on the branch that it is on."""
        wanted = {"all_branches": all_branches or None, "user_id": user_id}
        for item in pages(self._transport, f"{_PATH}{session_id}/messages/", "messages", wanted):
            yield Message.model_validate(item)

    def send(
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
        return Answer.model_validate(self._transport.request("POST", path, json=body, params=_for(user_id)))

    def regenerate(self, session_id: UUID | str, message_id: UUID | str, *, user_id: str | None = None) -> Answer:
        """Have an answer written again, beside the one that is there."""
        path = f"{_PATH}{session_id}/messages/{message_id}/regenerate/"
        return Answer.model_validate(self._transport.request("POST", path, json={}, params=_for(user_id)))

    def select(self, session_id: UUID | str, message_id: UUID | str, *, user_id: str | None = None) -> Session:
        """Go on with the branch that this message is on."""
        path = f"{_PATH}{session_id}/messages/{message_id}/select/"
        return Session.model_validate(self._transport.request("POST", path, json={}, params=_for(user_id)))

    def stream(
        self,
        session_id: UUID | str,
        message: str,
        *,
        language: str | None = None,
        replaces: UUID | str | None = None,
        resume: bool = True,
        user_id: str | None = None,
    ) -> Generator[StreamEvent, None, None]:
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
            with closing(self._resumed(begun, reading) if resume else _read(begun, reading)) as events:
                for event in events:
                    yield event
        finally:
            if resume and not reading.is_over and reading.message_id is not None:
                self._stop(session_id, reading.message_id, user_id)

    def follow(
        self, session_id: UUID | str, message_id: UUID | str, *, user_id: str | None = None
    ) -> Generator[StreamEvent, None, None]:
        """The events of an answer that is being written, or was, from its beginning. Leaving the loop stops nothing."""
        path = f"{_PATH}{session_id}/messages/{message_id}/stream/"
        begun = self._transport.stream_events("GET", path, params=_for(user_id))
        reading = _Reading(session_id=session_id, message_id=message_id, user_id=user_id)
        with closing(self._resumed(begun, reading)) as events:
            for event in events:
                yield event

    def cancel(self, session_id: UUID | str, message_id: UUID | str, *, user_id: str | None = None) -> str:
        """Stop an answer that is being written; the state that it is in then: `interrupted`, or `complete`."""
        path = f"{_PATH}{session_id}/messages/{message_id}/cancel/"
        stopped = self._transport.request("POST", path, params=_for(user_id))
        state: str = stopped["state"]
        return state

    def _resumed(
        self, begun: Generator[ServerSentEvent, None, None], reading: _Reading
    ) -> Generator[StreamEvent, None, None]:
        """The events to the last one, over as many connections as it takes.

        Raises:
            ApiError: refused. ConnectionFailedError: the server stayed away, or the answer had not begun.
        """
        while True:
            try:
                with closing(_read(begun, reading)) as events:
                    for event in events:
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
            time.sleep(reading.pauses_s.pop(0))
            path = f"{_PATH}{reading.session_id}/messages/{reading.message_id}/stream/"
            begun = self._transport.stream_events(
                "GET", path, params=_for(reading.user_id), last_event_id=reading.last_event_id
            )

    def _stop(self, session_id: UUID | str, message_id: UUID | str, user_id: str | None) -> None:
        with suppress(ClientError, TimeoutError):  # without it the server stops the answer after its grace time
            with nullcontext():
                self.cancel(session_id, message_id, user_id=user_id)


@dataclass(slots=True, kw_only=True)
class _Reading:
    """How far an answer was read. `pauses_s`: before each further try; all of them again after each event."""

    session_id: UUID | str
    user_id: str | None = None
    message_id: UUID | str | None = None
    last_event_id: str | None = None
    is_over: bool = False
    pauses_s: list[float] = field(default_factory=list)


def _read(begun: Generator[ServerSentEvent, None, None], reading: _Reading) -> Generator[StreamEvent, None, None]:
    with closing(begun) as events:
        for each in events:
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
