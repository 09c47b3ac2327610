"""What is left of sign-ins and links goes some time after their end. The scheduler calls it."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import timedelta

from dragoman.accounts import repository
from dragoman.kit.clock import now
from dragoman.kit.database import Database
from dragoman.tenancy import service as tenancy


@dataclass(frozen=True, slots=True, kw_only=True)
class Retention:
    """How long things are kept after their end, in days.

    Attributes:
        sign_in_days: sign-ins with their refresh tokens. Addresses from which somebody has signed in are known by them.
        link_days: links that were used, revoked, or not used in time.
        idle_days: a sign-in ends after so many days without use.
    """

    sign_in_days: int
    link_days: int
    idle_days: int


async def purge(database: Database, retention: Retention) -> int:
    """Remove sign-ins and links of every tenant that ended long enough ago; how many. It may run several times at once.

    Raises:
        DatabaseUnavailableError.
    """
    moment, removed = now(), 0
    sign_ins_before = moment - timedelta(days=retention.sign_in_days)
    for tenant in await tenancy.list_tenants(database):
        async with database.transaction(tenant.id) as connection:
            removed += await repository.delete_ended_sign_ins(
                connection,
                tenant_id=tenant.id,
                before=sign_ins_before,
                unused_since=sign_ins_before - timedelta(days=retention.idle_days),
            )
            removed += await repository.delete_ended_links(
                connection, tenant_id=tenant.id, before=moment - timedelta(days=retention.link_days)
            )
    return removed
