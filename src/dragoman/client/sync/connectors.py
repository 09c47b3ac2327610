# Made from client/connectors.py by `python -m dragoman.client.twin`. Change that one.
"""Connectors: where documents are kept in sync from; and documents from a list of URLs."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any
from uuid import UUID

from pydantic import BaseModel, ConfigDict

from dragoman.client.connectors import Connector, Sync, SyncReport
from dragoman.client.sync.paging import pages
from dragoman.client.sync.transport import Transport

_PATH = "/api/chatbot/connectors/"


class _Answer(BaseModel):
    model_config = ConfigDict(extra="ignore", frozen=True)


class Connectors:
    def __init__(self, transport: Transport) -> None:
        self._transport = transport

    def create(
        self,
        name: str,
        kind: str,
        settings: Mapping[str, Any],
        *,
        chatbot_id: UUID | str | None = None,
        interval_s: int | None = 3600,
        on_vanished: str = "delete",
        category: str = "",
        tags: Sequence[str] = (),
    ) -> Connector:
        """Try the settings, store the connector and start its first sync.

        Raises:
            ApiError: 422, the settings cannot work; 503, the origin does not answer.
        """
        body: dict[str, Any] = {
            "name": name,
            "kind": kind,
            "settings": dict(settings),
            "interval_s": interval_s,
            "on_vanished": on_vanished,
            "category": category,
            "tags": list(tags),
        }
        if chatbot_id is not None:
            body["chatbot_id"] = str(chatbot_id)
        return Connector.model_validate(self._transport.request("POST", _PATH, json=body))

    def get(self, connector_id: UUID | str) -> Connector:
        return Connector.model_validate(self._transport.request("GET", f"{_PATH}{connector_id}/"))

    def list(self, *, chatbot_id: UUID | str | None = None) -> Iterator[Connector]:
        """All connectors, newest first, fetched page by page."""
        for item in pages(self._transport, _PATH, "connectors", {"chatbot_id": chatbot_id and str(chatbot_id)}):
            yield Connector.model_validate(item)

    def update(self, connector_id: UUID | str, **changes: Any) -> Connector:
        """Change what is named: `name`, `settings` (merged), `interval_s`, `on_vanished`, `is_paused`, `tags`, `category`."""
        answer = self._transport.request("PATCH", f"{_PATH}{connector_id}/", json=changes)
        return Connector.model_validate(answer)

    def delete(self, connector_id: UUID | str, *, with_documents: bool = False) -> None:
        params = {"documents": "delete" if with_documents else "keep"}
        self._transport.request("DELETE", f"{_PATH}{connector_id}/", params=params)

    def sync(self, connector_id: UUID | str, *, allow_mass_deletion: bool = False) -> Sync:
        """Start a sync now; where one runs already, that one."""
        body = {"allow_mass_deletion": allow_mass_deletion}
        return Sync.model_validate(self._transport.request("POST", f"{_PATH}{connector_id}/sync/", json=body))

    def syncs(self, connector_id: UUID | str) -> Iterator[Sync]:
        """The last syncs, newest first."""
        for item in pages(self._transport, f"{_PATH}{connector_id}/syncs/", "syncs", {}):
            yield Sync.model_validate(item)

    def report(self, connector_id: UUID | str, sync_id: UUID | str) -> SyncReport:
        """A sync with the first 200 items that it did not find unchanged."""
        answer = self._transport.request("GET", f"{_PATH}{connector_id}/syncs/{sync_id}/", params={"limit": 200})
        return SyncReport.model_validate(answer)
