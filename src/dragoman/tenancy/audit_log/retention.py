"""How long audit events are kept, and their removal, after which the chain still verifies.

What is removed is the beginning of a chain. An event in the chain (`audit.events_removed`) then tells the place and hash of
the last one that is gone, from which the rest goes on.
"""

from __future__ import annotations

from datetime import timedelta
from typing import Final
from uuid import UUID

import structlog

from dragoman.kit.clock import now
from dragoman.kit.database import Database
from dragoman.tenancy import audit
from dragoman.tenancy import repository as tenancy_repository
from dragoman.tenancy.audit_log import repository
from dragoman.tenancy.entities import Caller

_log = structlog.get_logger(__name__)
USUAL_DAYS: Final = 730
LEAST_DAYS: Final = 90


async def get_keep_days(database: Database, caller: Caller) -> int | None:
    """Days that the tenant's audit events are kept; None: for ever."""
    async with database.transaction(caller.tenant_id) as connection:
        return await repository.find_keep_days(connection, tenant_id=caller.tenant_id, usual=USUAL_DAYS)


async def set_keep_days(database: Database, caller: Caller, keep_days: int | None) -> None:
    """Keep events so long, `LEAST_DAYS` at least; None: for ever."""
    async with database.transaction(caller.tenant_id) as connection:
        before = await repository.find_keep_days(connection, tenant_id=caller.tenant_id, usual=USUAL_DAYS)
        await repository.set_keep_days(connection, tenant_id=caller.tenant_id, keep_days=keep_days)
        details = audit.changes({"keep_days": before}, {"keep_days": keep_days})
        await audit.record(
            connection, caller, "audit_retention.changed", subject_type="audit", subject_id=None, **details
        )


async def remove_expired(database: Database) -> int:
    """Remove what no tenant keeps any more; how many events. Raises DatabaseUnavailableError."""
    async with database.system_transaction() as connection:
        tenants = await tenancy_repository.list_tenants(connection)
    return sum([await _remove_expired_of(database, tenant.id) for tenant in tenants])


async def _remove_expired_of(database: Database, tenant_id: UUID) -> int:
    async with database.transaction(tenant_id) as connection:
        keep_days = await repository.find_keep_days(connection, tenant_id=tenant_id, usual=USUAL_DAYS)
        if keep_days is None or not await repository.is_only_writer(connection, tenant_id=tenant_id):
            return 0
        before = now() - timedelta(days=keep_days, seconds=1)  # the database's clock decides
        removed = await repository.remove_events(connection, before=before)
        if removed is None:
            return 0
        await audit.record_of_chain(
            connection,
            tenant_id,
            "events_removed",
            through=removed.through,
            last_hash=removed.last_hash.hex(),
            events=removed.events,
            keep_days=keep_days,
        )
    _log.info("audit.events_removed", tenant_id=str(tenant_id), events=removed.events, through=removed.through)
    return removed.events
