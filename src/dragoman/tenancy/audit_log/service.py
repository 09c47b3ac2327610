"""Reading the audit log: pages by cursor, exports as they are read, heads, and verifying it."""

from __future__ import annotations

import base64
import binascii
import json
from collections.abc import AsyncIterator, Sequence
from dataclasses import dataclass
from typing import Final
from uuid import UUID

from dragoman.kit.database import Database
from dragoman.kit.encryption import Keyring
from dragoman.kit.errors import InvalidRequestError
from dragoman.tenancy.audit_log import repository
from dragoman.tenancy.audit_log.anchors import Anchors
from dragoman.tenancy.audit_log.chain import head_at
from dragoman.tenancy.audit_log.entities import EventFilter, Head, Verification, head_from_json
from dragoman.tenancy.audit_log.verification import verify
from dragoman.tenancy.entities import AuditEvent, Caller

_EXPORTED_AT_ONCE: Final = 500


@dataclass(frozen=True, slots=True, kw_only=True)
class AuditLog:
    """The audit log of this installation: its keys, and where the heads of its chains are kept."""

    database: Database
    keyring: Keyring
    anchors: Anchors


class InvalidCursorError(InvalidRequestError):
    """This cursor was not given by the audit log. Start without one, and go on with `next_cursor`."""

    code = "audit.invalid_cursor"


class InvalidHeadError(InvalidRequestError):
    """This is no head of an audit chain. Send what `GET /api/audit/head/` gave, unchanged."""

    code = "audit.invalid_head"


def parse_head(text: str) -> Head:
    """A head that was exported. Raises InvalidHeadError."""
    try:
        return head_from_json(json.loads(text))
    except (ValueError, KeyError, TypeError) as error:
        raise InvalidHeadError from error


async def list_events(
    log: AuditLog, caller: Caller, *, wanted: EventFilter, cursor: str | None, limit: int
) -> tuple[list[AuditEvent], str | None]:
    """A page of events, newest first, and the cursor of the next; None on the last. Raises InvalidCursorError."""
    before = None if cursor is None else _id_of(cursor)
    async with log.database.transaction(caller.tenant_id) as connection:
        events = await repository.list_events(
            connection, tenant_id=caller.tenant_id, wanted=wanted, before=before, limit=limit + 1
        )
    has_more = len(events) > limit
    events = events[:limit]
    return events, _cursor_of(events[-1].id) if has_more else None


async def read_events(log: AuditLog, caller: Caller, wanted: EventFilter) -> AsyncIterator[Sequence[AuditEvent]]:
    """All wanted events in pages, newest first. A transaction a page: a slow reader holds nothing."""
    before: UUID | None = None
    while True:
        async with log.database.transaction(caller.tenant_id) as connection:
            events = await repository.list_events(
                connection, tenant_id=caller.tenant_id, wanted=wanted, before=before, limit=_EXPORTED_AT_ONCE
            )
        if events:
            yield events
        if len(events) < _EXPORTED_AT_ONCE:
            return
        before = events[-1].id


async def find_head(log: AuditLog, tenant_id: UUID) -> Head | None:
    """The end of the tenant's chain, signed now; None where it is empty."""
    async with log.database.transaction(tenant_id) as connection:
        last = await repository.find_last(connection, tenant_id=tenant_id)
    return None if last is None else head_at(last, tenant_id, log.keyring)


async def verify_log(log: AuditLog, tenant_id: UUID, *, heads: Sequence[Head] = ()) -> Verification:
    """Raises DatabaseUnavailableError, UnreadableAnchorError."""
    return await verify(log.database, log.keyring, log.anchors, tenant_id, heads=heads)


def _cursor_of(event_id: UUID) -> str:
    return base64.urlsafe_b64encode(event_id.bytes).rstrip(b"=").decode()


def _id_of(cursor: str) -> UUID:
    try:
        return UUID(bytes=base64.b64decode(f"{cursor}==", altchars=b"-_", validate=True))
    except (ValueError, binascii.Error) as error:
        raise InvalidCursorError from error
