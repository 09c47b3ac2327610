"""Jobs: what waits, runs or died, and another try for it."""

from __future__ import annotations

from collections.abc import AsyncIterator
from datetime import datetime
from typing import Any
from uuid import UUID

from pydantic import BaseModel, ConfigDict

from dragoman.client.paging import count, pages
from dragoman.client.transport import Transport

_PATH = "/api/jobs/"


class Job(BaseModel):
    """A job. `state`: queued, paused, running, succeeded, failed, cancelled; `error` tells why it failed and what to do."""

    model_config = ConfigDict(extra="allow", frozen=True)

    id: UUID
    kind: str
    state: str
    priority: int
    step: str
    progress: float
    attempts: int
    max_attempts: int
    error_code: str | None
    error: str | None
    document_id: UUID | None
    title: str | None
    file_name: str | None
    chatbot_id: UUID | None
    import_id: UUID | None
    created_at: datetime
    started_at: datetime | None
    finished_at: datetime | None
    run_after: datetime


class Jobs:
    def __init__(self, transport: Transport) -> None:
        self._transport = transport

    async def list(
        self,
        *,
        state: str | None = None,
        kind: str | None = None,
        reason: str | None = None,
        document_id: UUID | str | None = None,
        chatbot_id: UUID | str | None = None,
        import_id: UUID | str | None = None,
    ) -> AsyncIterator[Job]:
        """Jobs, newest first, fetched page by page; `state="failed"` lists the dead ones."""
        wanted = _wanted(state, kind, reason, document_id, chatbot_id, import_id)
        async for item in pages(self._transport, _PATH, "jobs", wanted):
            yield Job.model_validate(item)

    async def count(
        self,
        *,
        state: str | None = None,
        kind: str | None = None,
        reason: str | None = None,
        document_id: UUID | str | None = None,
        chatbot_id: UUID | str | None = None,
        import_id: UUID | str | None = None,
    ) -> int:
        wanted = _wanted(state, kind, reason, document_id, chatbot_id, import_id)
        return await count(self._transport, _PATH, wanted)

    async def retry(self, job_id: UUID | str) -> Job:
        """Run a job that failed or was cancelled again."""
        return Job.model_validate(await self._transport.request("POST", f"{_PATH}{job_id}/retry/"))

    async def cancel(self, job_id: UUID | str) -> Job:
        return Job.model_validate(await self._transport.request("POST", f"{_PATH}{job_id}/cancel/"))


def _wanted(
    state: str | None,
    kind: str | None,
    reason: str | None,
    document_id: UUID | str | None,
    chatbot_id: UUID | str | None,
    import_id: UUID | str | None,
) -> dict[str, Any]:
    ids = {"document_id": document_id, "chatbot_id": chatbot_id, "import_id": import_id}
    return {"state": state, "kind": kind, "reason": reason} | {name: each and str(each) for name, each in ids.items()}
