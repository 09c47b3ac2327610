"""Bulk imports: open one, name it in uploads, follow and steer it."""

from __future__ import annotations

from collections.abc import AsyncIterator
from datetime import datetime
from typing import Any
from uuid import UUID

from pydantic import BaseModel, ConfigDict

from dragoman.client.jobs import Job
from dragoman.client.paging import pages
from dragoman.client.transport import Transport

_PATH = "/api/chatbot/imports/"


class Import(BaseModel):
    """A bulk import. `state`: running, paused, cancelled, finished; `progress` 0 to 1; `counts` by the state of the jobs."""

    model_config = ConfigDict(extra="allow", frozen=True)

    id: UUID
    chatbot_id: UUID
    name: str
    state: str
    expected_documents: int | None
    total: int
    counts: dict[str, int]
    progress: float
    documents_per_minute: int
    seconds_left: int | None
    requested_by: str
    created_at: datetime
    updated_at: datetime
    finished_at: datetime | None


class ImportDetails(Import):
    """An import with how often each reason of a failure occurs (`reasons`)."""

    reasons: dict[str, int]


class Imports:
    def __init__(self, transport: Transport) -> None:
        self._transport = transport

    async def create(
        self, name: str, *, chatbot_id: UUID | str | None = None, expected_documents: int | None = None
    ) -> Import:
        """Open an import; its id goes with each upload."""
        body: dict[str, Any] = {"name": name}
        if chatbot_id is not None:
            body["chatbot_id"] = str(chatbot_id)
        if expected_documents is not None:
            body["expected_documents"] = expected_documents
        return Import.model_validate(await self._transport.request("POST", _PATH, json=body))

    async def get(self, import_id: UUID | str) -> ImportDetails:
        params = {"limit": 1}
        return ImportDetails.model_validate(await self._transport.request("GET", f"{_PATH}{import_id}/", params=params))

    async def list(self, *, chatbot_id: UUID | str | None = None, state: str | None = None) -> AsyncIterator[Import]:
        """Imports, newest first, fetched page by page."""
        wanted = {"chatbot_id": chatbot_id and str(chatbot_id), "state": state}
        async for item in pages(self._transport, _PATH, "imports", wanted):
            yield Import.model_validate(item)

    async def failures(self, import_id: UUID | str) -> AsyncIterator[Job]:
        """What failed, newest first, with its reason."""
        wanted = {"import_id": str(import_id), "state": "failed"}
        async for item in pages(self._transport, "/api/jobs/", "jobs", wanted):
            yield Job.model_validate(item)

    async def pause(self, import_id: UUID | str) -> Import:
        return await self._act(import_id, "pause")

    async def resume(self, import_id: UUID | str) -> Import:
        return await self._act(import_id, "resume")

    async def cancel(self, import_id: UUID | str) -> Import:
        """Cancel what is not yet read; what is ready stays."""
        return await self._act(import_id, "cancel")

    async def retry_failed(self, import_id: UUID | str) -> Import:
        return await self._act(import_id, "retry-failed")

    async def _act(self, import_id: UUID | str, action: str) -> Import:
        return Import.model_validate(await self._transport.request("POST", f"{_PATH}{import_id}/{action}/"))
