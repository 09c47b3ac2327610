"""Counts feedback by day.

    feedback given, changed, withdrawn or erased -> its day is marked in `feedback_changes`, by triggers (migration 0019)
    `roll_up` (scheduler) -> takes marks and counts their days anew, in one transaction
    `analytics.read_report` -> days that were counted, and those with a mark from the feedback itself

A day is counted anew, not added to: a rating that was changed, withdrawn or erased with its session leaves no count behind.
A mark is a row of its own that is visible with its change, so that none is taken before what it marks can be seen.
"""

from __future__ import annotations

from typing import Final
from uuid import UUID

from dragoman.feedback.days import repository
from dragoman.kit.database import Database

_MARKS_AT_ONCE: Final = 2_000


async def roll_up(database: Database) -> int:
    """Count the days that have changed, of all tenants; how many that were.

    Several schedulers may do so at once: one of them counts the days of a tenant at a time.

    Raises:
        DatabaseUnavailableError.
    """
    async with database.system_transaction() as connection:
        tenants = await repository.list_waiting_tenants(connection)
    return sum([await _roll_up_tenant(database, tenant_id) for tenant_id in tenants])


async def _roll_up_tenant(database: Database, tenant_id: UUID) -> int:
    counted = 0
    while True:
        async with database.transaction(tenant_id) as connection:
            if not await repository.is_only_writer(connection, tenant_id=tenant_id):
                return counted
            taken, days = await repository.take_changes(connection, tenant_id=tenant_id, limit=_MARKS_AT_ONCE)
            await repository.count_days(connection, days, tenant_id=tenant_id)
        counted += len(days)
        if taken < _MARKS_AT_ONCE:
            return counted
