"""Connectors: where documents are kept in sync from; and documents from a list of URLs."""

from __future__ import annotations

from collections.abc import AsyncIterator, Mapping, Sequence
from datetime import datetime
from typing import Any
from uuid import UUID

from pydantic import BaseModel, ConfigDict

from dragoman.client.paging import pages
from dragoman.client.transport import Transport

_PATH = "/api/chatbot/connectors/"


class _Answer(BaseModel):
    model_config = ConfigDict(extra="ignore", frozen=True)


class Sync(_Answer):
    """One sync of a connector; `counts` says how many items were new, changed, unchanged, vanished, kept, failed, skipped."""

    id: UUID
    connector_id: UUID
    state: str
    trigger: str
    counts: dict[str, int]
    notes: list[str]
    error_code: str | None
    error: str | None
    created_at: datetime
    started_at: datetime | None
    finished_at: datetime | None
    duration_s: float | None

    @property
    def is_over(self) -> bool:
        return self.state not in ("queued", "running")


class SyncEntry(_Answer):
    key: str
    outcome: str
    reason_code: str | None
    reason: str | None
    document_id: UUID | None


class SyncReport(Sync):
    items: list[SyncEntry]


class Connector(_Answer):
    id: UUID
    chatbot_id: UUID
    name: str
    kind: str
    settings: dict[str, Any]
    origin: str
    interval_s: int | None
    on_vanished: str
    is_paused: bool
    is_watched: bool
    next_sync_at: datetime | None
    last_sync: Sync | None
    created_at: datetime


class Connectors:
    def __init__(self, transport: Transport) -> None:
        self._transport = transport

    async def create(
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
        return Connector.model_validate(await self._transport.request("POST", _PATH, json=body))

    async def get(self, connector_id: UUID | str) -> Connector:
        return Connector.model_validate(await self._transport.request("GET", f"{_PATH}{connector_id}/"))

    async def list(self, *, chatbot_id: UUID | str | None = None) -> AsyncIterator[Connector]:
        """All connectors, newest first, fetched page by page."""
        async for item in pages(self._transport, _PATH, "connectors", {"chatbot_id": chatbot_id and str(chatbot_id)}):
            yield Connector.model_validate(item)

    async def update(self, connector_id: UUID | str, **changes: Any) -> Connector:
        """Change what is named: `name`, `settings` (merged), `interval_s`, `on_vanished`, `is_paused`, `tags`, `category`."""
        answer = await self._transport.request("PATCH", f"{_PATH}{connector_id}/", json=changes)
        return Connector.model_validate(answer)

    async def delete(self, connector_id: UUID | str, *, with_documents: bool = False) -> None:
        params = {"documents": "delete" if with_documents else "keep"}
        await self._transport.request("DELETE", f"{_PATH}{connector_id}/", params=params)

    async def sync(self, connector_id: UUID | str, *, allow_mass_deletion: bool = False) -> Sync:
        """Start a sync now; where one runs already, that one."""
        body = {"allow_mass_deletion": allow_mass_deletion}
        return Sync.model_validate(await self._transport.request("POST", f"{_PATH}{connector_id}/sync/", json=body))

    async def syncs(self, connector_id: UUID | str) -> AsyncIterator[Sync]:
        """The last syncs, newest first."""
        async for item in pages(self._transport, f"{_PATH}{connector_id}/syncs/", "syncs", {}):
            yield Sync.model_validate(item)

    async def report(self, connector_id: UUID | str, sync_id: UUID | str) -> SyncReport:
        """A sync with the first 200 items that it did not find unchanged."""
        answer = await self._transport.request("GET", f"{_PATH}{connector_id}/syncs/{sync_id}/", params={"limit": 200})
        return SyncReport.model_validate(answer)
