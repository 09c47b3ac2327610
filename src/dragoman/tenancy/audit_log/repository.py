"""SQL of the audit log: its chain, its pages, what is kept and for how long."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID

from sqlalchemy import ColumnElement, Text, cast, delete, func, or_, select, text
from sqlalchemy.dialects import postgresql
from sqlalchemy.ext.asyncio import AsyncConnection

from dragoman.kit.clock import now
from dragoman.tenancy.audit_log.entities import EventFilter
from dragoman.tenancy.entities import AuditEvent
from dragoman.tenancy.repository import audit_event
from dragoman.tenancy.tables import audit_events, audit_policies, audit_pseudonyms

_c = audit_events.c

# ---- the chain


async def list_tenants_waiting(connection: AsyncConnection) -> list[UUID]:
    """Tenants with events that have no place yet; read as `system`, which sees nothing else of the log."""
    return list((await connection.execute(text("select * from tenants_with_unchained_audit_events()"))).scalars())


async def is_only_writer(connection: AsyncConnection, *, tenant_id: UUID) -> bool:
    """Whether this transaction alone may write the tenant's chain until it ends."""
    statement = text("select pg_try_advisory_xact_lock(hashtextextended('audit chain ' || :tenant_id, 0))")
    return bool((await connection.execute(statement, {"tenant_id": str(tenant_id)})).scalar_one())


async def find_last(connection: AsyncConnection, *, tenant_id: UUID) -> AuditEvent | None:
    """The last event of the chain."""
    query = (
        select(audit_events)
        .where(_c.tenant_id == tenant_id, _c.sequence.is_not(None))
        .order_by(_c.sequence.desc())
        .limit(1)
    )
    row = (await connection.execute(query)).one_or_none()
    return None if row is None else audit_event(row)


async def list_waiting(connection: AsyncConnection, *, tenant_id: UUID, limit: int) -> list[AuditEvent]:
    """Events without a place, the oldest first."""
    query = select(audit_events).where(_c.tenant_id == tenant_id, _c.sequence.is_(None)).order_by(_c.id).limit(limit)
    return [audit_event(row) for row in await connection.execute(query)]


async def place_events(connection: AsyncConnection, places: Sequence[dict[str, Any]]) -> None:
    await connection.execute(text("select chain_audit_events(cast(:places as jsonb))"), {"places": json.dumps(places)})


async def list_chain(connection: AsyncConnection, *, tenant_id: UUID, after: int, limit: int) -> list[AuditEvent]:
    """Events in the order of the chain, after this sequence number."""
    query = (
        select(audit_events).where(_c.tenant_id == tenant_id, _c.sequence > after).order_by(_c.sequence).limit(limit)
    )
    return [audit_event(row) for row in await connection.execute(query)]


# ---- reading


async def list_events(
    connection: AsyncConnection, *, tenant_id: UUID, wanted: EventFilter, before: UUID | None, limit: int
) -> list[AuditEvent]:
    """Newest first, before this event."""
    conditions = [_c.tenant_id == tenant_id, *_conditions(wanted)]
    if before is not None:
        conditions.append(_c.id < before)
    query = select(audit_events).where(*conditions).order_by(_c.id.desc()).limit(limit)
    return [audit_event(row) for row in await connection.execute(query)]


def _conditions(wanted: EventFilter) -> list[ColumnElement[bool]]:
    exact = {"subject_type": _c.subject_type, "subject_id": _c.subject_id, "address": _c.address}
    exact["request_id"] = _c.request_id
    conditions: list[ColumnElement[bool]] = [
        column == value for name, column in exact.items() if (value := getattr(wanted, name)) is not None
    ]
    if wanted.actor is not None:
        conditions.append(or_(_c.actor == wanted.actor, _c.actor_name.icontains(wanted.actor, autoescape=True)))
    if wanted.action is not None:
        whole = not wanted.action.endswith(".")
        conditions.append(_c.action == wanted.action if whole else _c.action.startswith(wanted.action, autoescape=True))
    if wanted.text is not None:
        conditions.append(cast(_c.details, Text).icontains(wanted.text, autoescape=True))
    if wanted.after is not None:
        conditions.append(_c.created_at >= wanted.after)
    if wanted.before is not None:
        conditions.append(_c.created_at < wanted.before)
    return conditions


# ---- how long


@dataclass(frozen=True, slots=True, kw_only=True)
class Removed:
    """What was taken off the beginning of a chain."""

    through: int
    last_hash: bytes
    events: int


async def find_keep_days(connection: AsyncConnection, *, tenant_id: UUID, usual: int) -> int | None:
    """Days that events are kept; None: for ever."""
    query = select(audit_policies.c.keep_days).where(audit_policies.c.tenant_id == tenant_id)
    row = (await connection.execute(query)).one_or_none()
    return usual if row is None else row.keep_days


async def set_keep_days(connection: AsyncConnection, *, tenant_id: UUID, keep_days: int | None) -> None:
    values = {"keep_days": keep_days, "updated_at": now()}
    await connection.execute(
        postgresql.insert(audit_policies)
        .values(tenant_id=tenant_id, **values)
        .on_conflict_do_update(index_elements=["tenant_id"], set_=values)
    )


async def remove_events(connection: AsyncConnection, *, before: datetime) -> Removed | None:
    """Take off what got its place before this moment. The last event of a chain always stays."""
    row = (
        await connection.execute(text("select * from remove_audit_events(:before)"), {"before": before})
    ).one_or_none()
    return None if row is None else Removed(through=row.through, last_hash=row.last_hash, events=row.removed)


# ---- erasing


async def list_ids_about(
    connection: AsyncConnection,
    *,
    tenant_id: UUID,
    actors: Sequence[str],
    subject_ids: Sequence[UUID],
    said: Sequence[str],
    after: UUID | None,
    limit: int,
) -> list[UUID]:
    """Events by these actors, about these things, or whose details say one of these words; not yet erased."""
    about: list[ColumnElement[bool]] = [_c.actor.in_(actors), _c.subject_id.in_(subject_ids)]
    about += [cast(_c.details, Text).contains(word, autoescape=True) for word in said]
    about += [_c.actor_name.contains(word, autoescape=True) for word in said]
    conditions = [_c.tenant_id == tenant_id, _c.salt.is_not(None), ~_c.action.startswith("audit."), or_(*about)]
    if after is not None:
        conditions.append(_c.id > after)
    query = select(_c.id).where(*conditions).order_by(_c.id).limit(limit)
    return list((await connection.execute(query)).scalars())


async def list_events_about(
    connection: AsyncConnection, *, tenant_id: UUID, actors: Sequence[str], after: UUID | None, limit: int
) -> list[AuditEvent]:
    """Events by these actors, the oldest first."""
    conditions: list[ColumnElement[bool]] = [_c.tenant_id == tenant_id, _c.actor.in_(actors)]
    if after is not None:
        conditions.append(_c.id > after)
    query = select(audit_events).where(*conditions).order_by(_c.id).limit(limit)
    return [audit_event(row) for row in await connection.execute(query)]


async def erase_contents(connection: AsyncConnection, event_ids: Sequence[UUID]) -> list[UUID]:
    """Empty what is personal of these events; those that were."""
    rows = await connection.execute(
        text("select erase_audit_contents(cast(:ids as uuid[]))"), {"ids": [str(each) for each in event_ids]}
    )
    return list(rows.scalars())


async def find_pseudonym(connection: AsyncConnection, *, tenant_id: UUID, reference: str) -> str | None:
    query = select(audit_pseudonyms.c.pseudonym).where(
        audit_pseudonyms.c.tenant_id == tenant_id, audit_pseudonyms.c.reference == reference
    )
    return (await connection.execute(query)).scalar_one_or_none()


async def forget_pseudonym(connection: AsyncConnection, *, tenant_id: UUID, reference: str) -> None:
    await connection.execute(
        delete(audit_pseudonyms).where(
            audit_pseudonyms.c.tenant_id == tenant_id, audit_pseudonyms.c.reference == reference
        )
    )


async def count_events(connection: AsyncConnection, *, tenant_id: UUID) -> int:
    query = select(func.count()).select_from(audit_events).where(_c.tenant_id == tenant_id)
    counted: int = (await connection.execute(query)).scalar_one()
    return counted
