"""Gives what happened before an installation counted (migration 0018) its facts, which are then counted like any other.

A day at a time: its facts and the note that it is done are one transaction, so that what was broken off goes on with the next
day and nothing counts twice. Turns, model calls, ratings, ended jobs and searches are told as far as their rows are still there.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta
from uuid import UUID

from dragoman.insights import rollup
from dragoman.insights.backfill import repository
from dragoman.insights.entities import Retention
from dragoman.kit.clock import now
from dragoman.kit.database import Database
from dragoman.tenancy import service as tenancy

Tell = Callable[[UUID, date], None]
"""Told a tenant and a day that is done."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Backfilled:
    """What a run did: for how many tenants anything was left to do, how many days it did and how many facts it found."""

    tenants: int
    days: int
    facts: int


async def backfill(database: Database, retention: Retention, tell: Tell | None = None) -> Backfilled:
    """Count what was before, of all tenants. Again: does what is left.

    Raises:
        DatabaseUnavailableError.
    """
    tenants = days = facts = 0
    for tenant in await tenancy.list_tenants(database):
        done = 0
        while (found := await _backfill_day(database, tenant.id, retention)) is not None:
            day, made = found
            await rollup.roll_up_tenant(database, tenant.id, retention)
            done, facts = done + 1, facts + made
            if tell is not None:
                tell(tenant.id, day)
        tenants, days = tenants + bool(done), days + done
    return Backfilled(tenants=tenants, days=days, facts=facts)


async def _backfill_day(database: Database, tenant_id: UUID, retention: Retention) -> tuple[date, int] | None:
    """The next day that is not done, and how many facts it has; None where none is left."""
    async with database.transaction(tenant_id) as connection:
        state = await repository.lock_unfinished(connection, tenant_id=tenant_id)
        if state is None:
            return None
        since = state.counted_since
        day = state.next_day or await repository.find_first_day(connection, tenant_id=tenant_id, before=since)
        if day is not None:
            day = max(day, (now() - retention.days).date())
        if day is None or day > since.date():
            await repository.finish(connection, tenant_id=tenant_id)
            return None
        begin = datetime.combine(day, time(), tzinfo=UTC)
        made = await repository.add_facts(
            connection, tenant_id=tenant_id, begin=begin, end=min(begin + timedelta(days=1), since), since=since
        )
        await repository.move_on(connection, tenant_id=tenant_id, next_day=day + timedelta(days=1))
    return day, made
