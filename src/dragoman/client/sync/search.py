# Made from client/search.py by `python -m dragoman.client.twin`. Change that one.
"""Many searches at once, across content types, and what became of them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import date
from typing import Any, Literal
from uuid import UUID

from dragoman.client.models import BatchItem, HybridResult, SearchAnalytics
from dragoman.client.sync.transport import Transport

Filter = str | Mapping[str, Any]
"""Such as `language:de,fr -tags:internal date>=2025-01-01`, or the same as an object."""


class Searches:
    def __init__(self, transport: Transport) -> None:
        self._transport = transport

    def batch(self, queries: Sequence[str | Mapping[str, Any]]) -> list[BatchItem]:
        """Up to 50 searches, each with its own result or error. A query is its text, or the fields of `POST /api/search`."""
        body = {"queries": [{"query": query} if isinstance(query, str) else dict(query) for query in queries]}
        answer = self._transport.request("POST", "/api/search/batch", json=body)
        return [BatchItem.model_validate(item) for item in answer["results"]]

    def rerankers(self, *, chatbot_id: UUID | str | None = None) -> list[str]:
        """The re-rankers that `reranker` of a search can name; with a chatbot, as what the caller may do on it."""
        params = None if chatbot_id is None else {"chatbot_id": str(chatbot_id)}
        answer = self._transport.request("GET", "/api/search/rerankers", params=params)
        names: list[str] = answer["rerankers"]
        return names

    def hybrid(
        self,
        query: str,
        chatbot_id: UUID | str,
        *,
        max_results: int = 10,
        similarity_threshold: float | None = None,
        content_types: Sequence[str] | None = None,
        arrangement: Literal["balanced", "ranked", "grouped"] = "balanced",
        filter: str | None = None,  # noqa: A002 - as the API says
        language: str | None = None,
        user_id: str | None = None,
        explain: bool = False,
    ) -> HybridResult:
        """Search across content types, so that one type does not crowd out the others."""
        params = {
            "q": query,
            "max_results": max_results,
            "similarity_threshold": similarity_threshold,
            "content_types": content_types,
            "arrangement": arrangement,
            "filter": filter,
            "language": language,
            "user_id": user_id,
            "explain": explain or None,
        }
        answer = self._transport.request("GET", f"/api/search/hybrid/{chatbot_id}", params=params)
        return HybridResult.model_validate(answer)

    def analytics(
        self,
        chatbot_id: UUID | str,
        *,
        first: date | None = None,
        last: date | None = None,
        language: str | None = None,
        limit: int = 20,
    ) -> SearchAnalytics:
        """What was searched from `first` to `last` (UTC, both included), by default in the last 30 days."""
        params = {"from": first, "to": last, "language": language, "limit": limit}
        answer = self._transport.request("GET", f"/api/search/analytics/{chatbot_id}", params=params)
        return SearchAnalytics.model_validate(answer)

    def click(
        self,
        search_id: UUID | str,
        *,
        rank: int | None = None,
        chunk_id: UUID | str | None = None,
        user_id: str | None = None,
    ) -> None:
        """Tell that a result was opened, by its rank or its chunk."""
        self._react(search_id, "click", {"rank": rank, "chunk_id": chunk_id, "user_id": user_id})

    def rate(
        self,
        search_id: UUID | str,
        rating: Literal["up", "down"],
        *,
        rank: int | None = None,
        chunk_id: UUID | str | None = None,
        user_id: str | None = None,
    ) -> None:
        """Tell whether a search, or one result of it, was helpful."""
        values = {"rating": rating, "rank": rank, "chunk_id": chunk_id, "user_id": user_id}
        self._react(search_id, "rating", values)

    def _react(self, search_id: UUID | str, what: str, values: Mapping[str, Any]) -> None:
        body = {
            name: str(value) if isinstance(value, UUID) else value
            for name, value in values.items()
            if value is not None
        }
        self._transport.request("POST", f"/api/search/{search_id}/{what}", json=body)
