"""The audit log: who changed and saw what, and whether nobody tampered with it."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator, Sequence
from datetime import datetime
from typing import Any, TypedDict
from uuid import UUID

from pydantic import BaseModel, ConfigDict

from dragoman.client.transport import Transport

_PATH = "/api/audit/"
_PAGE_EVENTS = 200


class AuditEvent(BaseModel):
    """Who did what to what, from where; `sequence` is None for the few seconds before it has its place."""

    model_config = ConfigDict(extra="allow", frozen=True)

    id: UUID
    sequence: int | None
    created_at: datetime
    actor: str
    actor_name: str
    action: str
    subject_type: str
    subject_id: UUID | None
    address: str
    user_agent: str
    request_id: str
    details: dict[str, Any]


class AuditHead(BaseModel):
    """The signed end of a chain; keep it where nobody who can change the database can change it."""

    model_config = ConfigDict(extra="allow", frozen=True)

    tenant_id: UUID
    sequence: int
    hash: str
    at: datetime
    key_id: str
    seal: str


class AuditProblem(BaseModel):
    """`fault`: changed, removed, reordered, inserted, cut_off, contents_removed or unknown_key."""

    model_config = ConfigDict(extra="allow", frozen=True)

    fault: str
    sequence: int | None
    event_id: UUID | None
    message: str


class AuditVerification(BaseModel):
    """What was verified; `problems` are the first hundred of `problem_count`."""

    model_config = ConfigDict(extra="allow", frozen=True)

    is_whole: bool
    events: int
    waiting: int
    unsealed: int
    erased: int
    first_sequence: int | None
    head: AuditHead | None
    anchored: bool
    problem_count: int
    problems: list[AuditProblem]


class AuditFilter(TypedDict, total=False):
    """Which events are meant; without any of these all.

    `actor` is `user:<id>` or a part of what they were called; `action` such as `document.deleted`, or `document.` for all
    of documents; `text` is said in the details; from `after` on, and before `before`.
    """

    actor: str | None
    action: str | None
    subject_type: str | None
    subject_id: UUID | str | None
    address: str | None
    request_id: str | None
    text: str | None
    after: datetime | None
    before: datetime | None


class Audit:
    def __init__(self, transport: Transport) -> None:
        self._transport = transport

    async def list(self, wanted: AuditFilter | None = None) -> AsyncIterator[AuditEvent]:
        """Events, newest first, fetched page by page."""
        params: dict[str, Any] = {**_params(wanted), "limit": _PAGE_EVENTS}
        while True:
            page = await self._transport.request("GET", _PATH, params=params)
            for item in page["events"]:
                yield AuditEvent.model_validate(item)
            if page["next_cursor"] is None:
                return
            params["cursor"] = page["next_cursor"]

    async def export(self, wanted: AuditFilter | None = None, *, file_format: str = "jsonl") -> AsyncIterator[bytes]:
        """All wanted events as `jsonl` or `csv`, piece by piece."""
        params = {**_params(wanted), "format": file_format}
        async with self._transport.open_content(f"{_PATH}export/", params=params) as response:
            async for piece in response.aiter_bytes():
                yield piece

    async def get_head(self) -> AuditHead | None:
        """The end of the chain, signed now; None where it is empty."""
        head = (await self._transport.request("GET", f"{_PATH}head/"))["head"]
        return None if head is None else AuditHead.model_validate(head)

    async def verify(self, heads: Sequence[AuditHead] = ()) -> AuditVerification:
        """Verify the whole chain, and that it holds these heads, which were kept elsewhere."""
        params = {"head": [json.dumps(head.model_dump(mode="json")) for head in heads]} if heads else None
        return AuditVerification.model_validate(await self._transport.request("GET", f"{_PATH}verify/", params=params))

    async def get_retention(self) -> int | None:
        """Days that events are kept; None: for ever."""
        days: int | None = (await self._transport.request("GET", f"{_PATH}retention/"))["keep_days"]
        return days

    async def set_retention(self, keep_days: int | None) -> None:
        """Keep events so many days, 90 at least; None: for ever."""
        await self._transport.request("PUT", f"{_PATH}retention/", json={"keep_days": keep_days})


def _params(wanted: AuditFilter | None) -> dict[str, Any]:
    given: dict[str, Any] = {name: value for name, value in (wanted or {}).items() if value is not None}
    return {name: value.isoformat() if isinstance(value, datetime) else str(value) for name, value in given.items()}
