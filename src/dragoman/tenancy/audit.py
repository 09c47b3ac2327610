"""Writes audit events in the transaction of the change they tell of."""

from __future__ import annotations

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
    event = AuditEvent(
        id=new_id(),
        actor=caller.asker,
        action=action,
        subject_type=subject_type,
        subject_id=subject_id,
        details=details,
        created_at=now(),
    )
    await repository.insert_audit_event(connection, event, tenant_id=caller.tenant_id)
