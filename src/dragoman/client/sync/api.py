# Made from client/api.py by `python -m dragoman.client.twin`. Change that one.
"""The client: one object, with a part for each kind of thing."""

from __future__ import annotations

from collections.abc import Generator, Sequence
from contextlib import closing
from types import TracebackType
from typing import Any, Self
from uuid import UUID

import httpx

from dragoman.client.models import Answer, Readiness, SearchResult, StreamEvent
from dragoman.client.sync.accounts import Accounts, SingleSignOn, Users
from dragoman.client.sync.adapters import Adapters
from dragoman.client.sync.audit import Audit
from dragoman.client.sync.chat import Messages, Sessions
from dragoman.client.sync.connectors import Connectors
from dragoman.client.sync.documents import Documents
from dragoman.client.sync.feedback import FeedbackOnAnswers
from dragoman.client.sync.imports import Imports
from dragoman.client.sync.insights import Alerts, Insights
from dragoman.client.sync.jobs import Jobs
from dragoman.client.sync.privacy import Privacy
from dragoman.client.sync.search import Filter, Searches
from dragoman.client.sync.tenancy import Chatbots, Keys, ServiceAccounts, TenantLimits, WidgetKeys
from dragoman.client.sync.transport import Transport
from dragoman.client.sync.usage import UsageReports


class SyncDragoman:
    """Dragoman behind a URL, as the holder of an API key. Use it as a context manager, or close it.

    Every method raises `ConnectionFailedError` when nobody answers and `ApiError` when the answer is an error.
    """

    def __init__(
        self,
        url: str,
        api_key: str | None,
        *,
        timeout_s: float = 60.0,
        max_retries: int = 3,
        transport: httpx.BaseTransport | None = None,
    ) -> None:
        """A client; nothing is sent yet.

        Args:
            timeout_s: bounds each wait for the network.
            max_retries: how often a server that says it is busy (429, 503) is asked again.
            transport: replaces the network, for tests and for calls within a process.
        """
        self._transport = Transport(url, api_key, timeout_s=timeout_s, max_retries=max_retries, transport=transport)
        self.accounts = Accounts(self._transport)
        self.users = Users(self._transport)
        self.single_sign_on = SingleSignOn(self._transport)
        self.adapters = Adapters(self._transport)
        self.chatbots = Chatbots(self._transport)
        self.keys = Keys(self._transport)
        self.limits = TenantLimits(self._transport)
        self.service_accounts = ServiceAccounts(self._transport)
        self.widget_keys = WidgetKeys(self._transport)
        self.documents = Documents(self._transport)
        self.connectors = Connectors(self._transport)
        self.imports = Imports(self._transport)
        self.jobs = Jobs(self._transport)
        self.sessions = Sessions(self._transport)
        self.messages = Messages(self._transport)
        self.searches = Searches(self._transport)
        self.usage = UsageReports(self._transport)
        self.insights = Insights(self._transport)
        self.alerts = Alerts(self._transport)
        self.feedback = FeedbackOnAnswers(self._transport)
        self.audit = Audit(self._transport)
        self.privacy = Privacy(self._transport)

    @property
    def url(self) -> str:
        return self._transport.url

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def close(self) -> None:
        self._transport.close()

    def check_health(self) -> dict[str, Any]:
        """What `/healthz` says: the status and the version."""
        health: dict[str, Any] = self._transport.request("GET", "/healthz")
        return health

    def check_readiness(self) -> Readiness:
        """What `/readyz` says. Raises ApiError 503 when a part is missing."""
        return Readiness.model_validate(self._transport.request("GET", "/readyz"))

    def search(
        self,
        query: str,
        *,
        chatbot_id: UUID | str | None = None,
        max_results: int = 10,
        offset: int = 0,
        mode: str | None = None,
        language: str | None = None,
        similarity_threshold: float | None = None,
        document_ids: Sequence[UUID | str] | None = None,
        languages: Sequence[str] | None = None,
        content_types: Sequence[str] | None = None,
        categories: Sequence[str] | None = None,
        filter: Filter | None = None,  # noqa: A002 - as the API says
        history: Sequence[tuple[str, str]] | None = None,
        session_id: UUID | str | None = None,
        user_id: str | None = None,
        explain: bool = False,
        reranker: str | None = None,
    ) -> SearchResult:
        """The passages nearest to a question; what is None is left to the chatbot's settings.

        `history` holds role (`user` or `assistant`) and text of what was said before, oldest first; `session_id` stands
        for the messages of a session. `reranker`, one of `searches.rerankers()`, judges in this search only; it needs the
        permission `explain`, as `explain` does.
        """
        body = {
            "query": query,
            "chatbot_id": chatbot_id and str(chatbot_id),
            "max_results": max_results,
            "offset": offset or None,
            "mode": mode,
            "language": language,
            "similarity_threshold": similarity_threshold,
            "document_ids": None if document_ids is None else [str(each) for each in document_ids],
            "languages": languages,
            "content_types": content_types,
            "categories": categories,
            "filter": filter,
            "history": None if history is None else [{"role": role, "content": text} for role, text in history],
            "session_id": session_id and str(session_id),
            "user_id": user_id,
            "explain": explain or None,
            "reranker": reranker,
        }
        given = {name: value for name, value in body.items() if value is not None}
        return SearchResult.model_validate(self._transport.request("POST", "/api/search", json=given))

    def ask(
        self,
        question: str,
        *,
        chatbot_id: UUID | str | None = None,
        language: str | None = None,
        user_id: str | None = None,
    ) -> Answer:
        """One question in a session of its own, with the whole answer at once."""
        session = self.sessions.create(chatbot_id=chatbot_id, user_id=user_id)
        return self.messages.send(session.id, question, language=language, user_id=user_id)

    def ask_stream(
        self,
        question: str,
        *,
        chatbot_id: UUID | str | None = None,
        language: str | None = None,
        user_id: str | None = None,
    ) -> Generator[StreamEvent, None, None]:
        """One question in a session of its own, with the events of its answer as they come."""
        session = self.sessions.create(chatbot_id=chatbot_id, user_id=user_id)
        asked = self.messages.stream(session.id, question, language=language, user_id=user_id)
        with closing(asked) as events:
            for event in events:
                yield event
