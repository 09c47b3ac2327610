"""Writes audit events: of changes in the transaction of the change, of document accesses and refusals behind the request.

    record, record_many    a change; with its transaction or not at all
    note_access            somebody saw a document      } buffered: written within a second; a crash may lose those
    record_refusal         somebody was refused         } of the last second

An event is sealed here with the audit key (see `audit_log/canonical.py`), and gets its place in the chain of its tenant
within seconds (`audit_log/chain.py`). Searches and questions are no audit events: the search log and the turn record tell
of them.
"""

from __future__ import annotations

import secrets
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any, Final
from uuid import UUID
from weakref import WeakKeyDictionary, ref

import structlog
from prometheus_client import Counter
from sqlalchemy import Engine
from sqlalchemy.ext.asyncio import AsyncConnection

from dragoman.kit import request_origin
from dragoman.kit.buffer import Buffer
from dragoman.kit.clock import new_id, now
from dragoman.kit.database import Database
from dragoman.kit.encryption import Keyring
from dragoman.kit.request_origin import RequestOrigin
from dragoman.tenancy import repository
from dragoman.tenancy.audit_log import canonical
from dragoman.tenancy.entities import AuditEvent, Caller
from dragoman.tenancy.redaction import changes, redact

__all__ = ["changes", "close", "flush", "note_access", "record", "record_many", "record_refusal", "seal_with", "start"]

_log = structlog.get_logger(__name__)
ACCESSED: Final = "document.accessed"
_SYSTEM: Final = "system"
_FROM_OUTSIDE: Final = frozenset({"external", "visitor"})
_PER_ADDRESS: Final = 30  # refusals of one address in a minute that are written down; the others are counted
_PER_PROCESS: Final = 600

REFUSALS_DROPPED = Counter(
    "dragoman_audit_refusals_dropped_total", "Refusals that were counted and not written down, there being too many."
)

# ---- changes


async def record(
    connection: AsyncConnection,
    caller: Caller,
    action: str,
    *,
    subject_type: str,
    subject_id: UUID | None,
    **details: Any,
) -> None:
    """Say who did what. No role of the application can change or remove it.

    Args:
        action: `document.approved`, for example.
        details: JSON values; no text of documents or conversations. Secrets are taken out. `**changes(before, after)`
            tells what was and what is.
    """
    await record_many(connection, caller, action, subject_type=subject_type, subjects=[(subject_id, details)])


async def record_many(
    connection: AsyncConnection,
    caller: Caller,
    action: str,
    *,
    subject_type: str,
    subjects: Sequence[tuple[UUID | None, dict[str, Any]]],
) -> None:
    """The same action on many subjects, each with its details."""
    origin, moment = request_origin.current(), now()
    noted = [
        _Noted(
            tenant_id=caller.tenant_id,
            reference=caller.asker,
            action=action,
            subject_type=subject_type,
            subject_id=subject_id,
            details=details,
            origin=origin,
            created_at=moment,
        )
        for subject_id, details in subjects
    ]
    await _insert(connection, noted)


async def record_of_chain(
    connection: AsyncConnection, tenant_id: UUID, action: str, *, reference: str = _SYSTEM, **details: Any
) -> None:
    """What the log says of itself; its details are kept whole, and are never erased."""
    noted = _Noted(
        tenant_id=tenant_id,
        reference=reference,
        action=f"audit.{action}",
        subject_type="audit",
        subject_id=None,
        details=details,
        origin=request_origin.current(),
        created_at=now(),
    )
    await _insert(connection, [noted], redacted=False)


@dataclass(frozen=True, slots=True, kw_only=True)
class _Noted:
    """An event before it is written. `reference`: the asker, who may be named by a pseudonym in the log."""

    tenant_id: UUID
    reference: str
    action: str
    subject_type: str
    subject_id: UUID | None
    details: Mapping[str, Any]
    origin: RequestOrigin
    created_at: datetime


async def _insert(connection: AsyncConnection, noted: Sequence[_Noted], *, redacted: bool = True) -> None:
    """Events of one tenant, sealed where this process has the audit key."""
    if not noted:
        return
    tenant_id = noted[0].tenant_id
    keyring = _keyrings.get(connection.sync_engine)
    actors = {
        reference: await _actor(connection, tenant_id, reference) for reference in {each.reference for each in noted}
    }
    events = [_event(each, *actors[each.reference], keyring=keyring, redacted=redacted) for each in noted]
    await repository.insert_audit_events(connection, events, tenant_id=tenant_id)


def _event(noted: _Noted, actor: str, actor_name: str, *, keyring: Keyring | None, redacted: bool) -> AuditEvent:
    """Sealed where there are keys."""
    salt = secrets.token_bytes(canonical.SALT_BYTES)
    erasable = {
        "details": canonical.plain(redact(noted.details) if redacted else noted.details),
        "actor_name": canonical.plain(actor_name),
        "address": noted.origin.address,
        "user_agent": canonical.plain(noted.origin.user_agent),
    }
    event = AuditEvent(
        id=new_id(),
        actor=actor,
        action=noted.action,
        subject_type=noted.subject_type,
        subject_id=noted.subject_id,
        created_at=noted.created_at,
        request_id=noted.origin.request_id,
        salt=salt,
        content_hash=canonical.content_hash_of(salt=salt, **erasable),
        key_id="" if keyring is None else keyring.newest_id,
        **erasable,
    )
    return event if keyring is None else replace(event, seal=canonical.seal_of(event, noted.tenant_id, keyring))


async def _actor(connection: AsyncConnection, tenant_id: UUID, reference: str) -> tuple[str, str]:
    """How the log names an asker for good, and what they are called now.

    Ids of users and keys say nothing by themselves once their rows are gone. What others know too does, a name that
    another system gave (`external:ada`) or the id in a visitor's token: it gets a pseudonym, which nothing connects with
    it once the row between them is erased.
    """
    kind, _, rest = reference.partition(":")
    if reference == _SYSTEM or not rest:
        return reference, ""
    if kind not in _FROM_OUTSIDE and (actor_id := _as_id(rest)) is not None:
        name = await repository.find_actor_name(connection, tenant_id=tenant_id, kind=kind, actor_id=actor_id)
        return reference, name
    pseudonym = f"{kind}:{new_id()}"
    known = await repository.pseudonym_of(connection, tenant_id=tenant_id, reference=reference, pseudonym=pseudonym)
    return known, rest


def _as_id(text: str) -> UUID | None:
    try:
        return UUID(text)
    except ValueError:
        return None


# ---- keys and buffers of a process

_keyrings: WeakKeyDictionary[Engine, Keyring] = WeakKeyDictionary()
_trails: WeakKeyDictionary[Database, _Trail] = WeakKeyDictionary()


def seal_with(database: Database, keyring: Keyring) -> None:
    """Seal what is recorded through this database from now on."""
    _keyrings[database.app_engine] = keyring


def start(database: Database) -> None:
    """Begin to write accesses and refusals every second."""
    _trail_of(database).buffer.start()


async def flush(database: Database) -> None:
    """Write the accesses and refusals noted so far."""
    await _trail_of(database).buffer.flush()


async def close(database: Database) -> None:
    await _trail_of(database).buffer.close()


class _Trail:
    """The accesses and refusals of one process that are not yet written."""

    def __init__(self, database: Database) -> None:
        known = ref(database)  # not itself: what a key's value holds on to is never forgotten

        async def write(noted: Sequence[_Noted]) -> None:
            if (database := known()) is not None:
                async with database.transaction(noted[0].tenant_id) as connection:
                    await _insert(connection, noted)

        self.buffer: Buffer[_Noted] = Buffer("audit", group_of=lambda noted: noted.tenant_id, write=write)
        self.quota = _Quota()


class _Quota:
    """How many refusals of this minute are written down, so that nobody fills the log by being refused."""

    def __init__(self) -> None:
        self._minute = 0
        self._taken: dict[str, int] = {}
        self._total = 0
        self._suppressed = 0

    def take(self, address: str) -> int | None:
        """How many were suppressed since the one that was written last; None: this one is suppressed too."""
        minute = int(time.monotonic() // 60)
        if minute != self._minute:
            self._minute, self._total = minute, 0
            self._taken.clear()
        if self._total >= _PER_PROCESS or self._taken.get(address, 0) >= _PER_ADDRESS:
            self._suppressed += 1
            REFUSALS_DROPPED.inc()
            return None
        self._taken[address] = self._taken.get(address, 0) + 1
        self._total += 1
        suppressed, self._suppressed = self._suppressed, 0
        return suppressed


def _trail_of(database: Database) -> _Trail:
    trail = _trails.get(database)
    if trail is None:
        trail = _trails[database] = _Trail(database)
    return trail


# ---- accesses and refusals


def note_access(
    database: Database,
    caller: Caller,
    what: str,
    *,
    subject_id: UUID,
    subject_type: str = "document",
    **details: Any,
) -> None:
    """Somebody saw (a part of) a document. Never waits.

    Args:
        what: `document`, `chunks`, `page`, `page_picture`, `page_places`, `image`.
    """
    _trail_of(database).buffer.add(
        _Noted(
            tenant_id=caller.tenant_id,
            reference=caller.asker,
            action=ACCESSED,
            subject_type=subject_type,
            subject_id=subject_id,
            details={"what": what, **details},
            origin=request_origin.current(),
            created_at=now(),
        )
    )


def record_refusal(
    database: Database,
    action: str,
    *,
    tenant_id: UUID | None,
    actor: str = "",
    subject_type: str = "request",
    subject_id: UUID | None = None,
    **details: Any,
) -> None:
    """Somebody was refused: a failed sign-in, a revoked key, a foreign origin, a 403. Never waits, never raises.

    Beyond 30 of one address in a minute, or 600 in all, refusals are only counted; the next one that is written tells how
    many. One of whom no tenant is known is logged, and stands in no tenant's chain.

    Args:
        action: `sign_in.failed`, for example.
        actor: `user:<id>` or `key:<id>` where it is known whose it was; else empty.
    """
    origin = request_origin.current()
    trail = _trail_of(database)
    suppressed = trail.quota.take(origin.address)
    if suppressed is None:
        return
    if tenant_id is None:
        _log.warning("audit.refused", action=action, address=origin.address, suppressed=suppressed)
        return
    trail.buffer.add(
        _Noted(
            tenant_id=tenant_id,
            reference=actor,
            action=action,
            subject_type=subject_type,
            subject_id=subject_id,
            details={**details, **({"suppressed": suppressed} if suppressed else {})},
            origin=origin,
            created_at=now(),
        )
    )
