"""What is held about a person: exported, erased."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from datetime import datetime
from uuid import UUID

from pydantic import BaseModel, ConfigDict

from dragoman.client.paging import pages
from dragoman.client.transport import Transport

_PATH = "/api/privacy/requests/"
_ASK_EVERY_S = 0.5


class PrivacyRequest(BaseModel):
    """A request and how far it is: `state` is waiting, running, done, failed or expired."""

    model_config = ConfigDict(extra="allow", frozen=True)

    id: UUID
    kind: str
    subject_kind: str
    subject_id: str
    state: str
    step: str
    counts: dict[str, int]
    size_bytes: int | None
    error: str | None
    created_at: datetime
    finished_at: datetime | None
    expires_at: datetime | None


class Privacy:
    def __init__(self, transport: Transport) -> None:
        self._transport = transport

    async def export(self, subject_kind: str, subject_id: str) -> PrivacyRequest:
        """Have everything about a `user`, `external` user or `visitor` put into an archive, by a job."""
        return await self._create("export", subject_kind, subject_id)

    async def erase(self, subject_kind: str, subject_id: str) -> PrivacyRequest:
        """Have a person erased everywhere, by a job. It cannot be taken back."""
        return await self._create("erase", subject_kind, subject_id)

    async def _create(self, kind: str, subject_kind: str, subject_id: str) -> PrivacyRequest:
        body = {"kind": kind, "subject_kind": subject_kind, "subject_id": subject_id}
        return PrivacyRequest.model_validate(await self._transport.request("POST", _PATH, json=body))

    async def get(self, request_id: UUID | str) -> PrivacyRequest:
        return PrivacyRequest.model_validate(await self._transport.request("GET", f"{_PATH}{request_id}/"))

    async def list(self) -> AsyncIterator[PrivacyRequest]:
        """Requests, newest first, fetched page by page."""
        async for item in pages(self._transport, _PATH, "requests", {}):
            yield PrivacyRequest.model_validate(item)

    async def wait(self, request_id: UUID | str, *, timeout_s: float = 3600.0) -> PrivacyRequest:
        """The request once it is done or has failed, or as it is after `timeout_s`."""
        waited_s = 0.0
        while True:
            request = await self.get(request_id)
            if request.state not in ("waiting", "running") or waited_s >= timeout_s:
                return request
            await asyncio.sleep(_ASK_EVERY_S)
            waited_s += _ASK_EVERY_S

    async def read_archive(self, request_id: UUID | str) -> AsyncIterator[bytes]:
        """The archive of an export (ZIP), piece by piece."""
        async with self._transport.open_content(f"{_PATH}{request_id}/archive/") as response:
            async for piece in response.aiter_bytes():
                yield piece

    async def delete_archive(self, request_id: UUID | str) -> None:
        """Remove it before it expires."""
        await self._transport.request("DELETE", f"{_PATH}{request_id}/archive/")
