"""Writes audit events in the transaction of the change they tell of."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any
from uuid import UUID

from sqlalchemy.ext.asyncio import AsyncConnection

from dragoman.kit.clock import new_id, now
from dragoman.tenancy import repository
from dragoman.tenancy.entities import AuditEvent, Caller


async def record(
    connection: AsyncConnection,
    caller: Caller,
    action: str,
    *,
    subject_type: str,
    subject_id: UUID | None,
    **details: Any,
) -> None:
    """Say who did what. The role of the application can neither change nor remove it.

    Args:
        action: `document.approved`, for example.
        details: JSON values; no secrets, no text of documents.
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
    events = [
        AuditEvent(
            id=new_id(),
            actor=caller.asker,
            action=action,
            subject_type=subject_type,
            subject_id=subject_id,
            details=details,
            created_at=now(),
        )
        for subject_id, details in subjects
    ]
    await repository.insert_audit_events(connection, events, tenant_id=caller.tenant_id)
