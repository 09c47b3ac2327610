"""Counts what happened: facts that are committed become rows of minutes, hours and days, and are gone.

    a turn, model calls, searches, a job's end -> `insight_facts`, by triggers, in the very transaction (migration 0018)
    `roll_up` (scheduler) -> takes facts, adds them to `insight_counts`: one transaction, so that each counts once
    `purge` (scheduler) -> what is older than is kept

A fact is taken when it is visible, which is when its transaction has committed, whatever its clock says: one that comes late
is added to the hour that it belongs to. A crash between taking and adding leaves everything as it was.
"""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import Sequence
from datetime import date
from typing import Final
from uuid import UUID

from sqlalchemy.ext.asyncio import AsyncConnection

from dragoman.insights import repository
from dragoman.insights.entities import Fact, Grain, Retention
from dragoman.insights.fold import Rows, fold
from dragoman.kit.clock import now
from dragoman.kit.database import Database
from dragoman.tenancy import service as tenancy

FACTS_AT_ONCE: Final = 10_000  # about 10 MiB
KEPT_DOCUMENTS: Final = 100  # cited ones of each chatbot and past day
_GRAINS: Final[tuple[Grain, ...]] = ("minute", "hour", "day")
_USUAL: Final = Retention()


async def roll_up(database: Database, retention: Retention = _USUAL) -> int:
    """Count what waits, of all tenants; how many facts that were.

    Several schedulers may do so at once: each takes what no other is taking.

    Raises:
        DatabaseUnavailableError.
    """
    async with database.system_transaction() as connection:
        tenants = await repository.list_waiting_tenants(connection)
    return sum([await roll_up_tenant(database, tenant_id, retention) for tenant_id in tenants])


async def roll_up_tenant(database: Database, tenant_id: UUID, retention: Retention = _USUAL) -> int:
    """The same for one tenant."""
    counted = 0
    while taken := await _roll_up_some(database, tenant_id, retention):
        counted += taken
        if taken < FACTS_AT_ONCE:
            break
    return counted


async def _roll_up_some(database: Database, tenant_id: UUID, retention: Retention) -> int:
    async with database.transaction(tenant_id) as connection:
        facts = await repository.take_facts(connection, tenant_id=tenant_id, limit=FACTS_AT_ONCE)
        rows = _kept(await asyncio.to_thread(fold, facts), retention)
        await repository.add_counts(connection, rows, tenant_id=tenant_id)
        await _count_citations(connection, facts, tenant_id)
    return len(facts)


def _kept(rows: Rows, retention: Retention) -> Rows:
    """Without what is so long ago that `purge` would remove it."""
    moment = now()
    oldest = {grain: moment - retention.of(grain) for grain in _GRAINS}
    return {key: counts for key, counts in rows.items() if key.starts_at >= oldest[key.grain]}


async def _count_citations(connection: AsyncConnection, facts: Sequence[Fact], tenant_id: UUID) -> None:
    turns = {fact.facts["answer_id"]: fact for fact in facts if fact.kind == "turn"}
    if not turns:
        return
    cited: Counter[tuple[UUID, date, UUID]] = Counter()
    found = await repository.list_citations(connection, tenant_id=tenant_id, answer_ids=list(turns))
    for answer_id, documents in found.items():
        turn = turns[answer_id]
        if turn.chatbot_id is not None:
            cited.update((turn.chatbot_id, turn.at.date(), document_id) for document_id in documents)
    await repository.add_citations(connection, cited, tenant_id=tenant_id)


async def purge(database: Database, retention: Retention = _USUAL) -> int:
    """Remove what is older than is kept, and what belongs to deleted chatbots; how many rows went.

    Raises:
        DatabaseUnavailableError.
    """
    moment, removed = now(), 0
    for tenant in await tenancy.list_tenants(database):
        async with database.transaction(tenant.id) as connection:
            for grain in _GRAINS:
                removed += await repository.forget_counts(
                    connection, tenant_id=tenant.id, grain=grain, before=moment - retention.of(grain)
                )
            removed += await repository.forget_lost_chatbots(connection, tenant_id=tenant.id)
            removed += await repository.forget_documents(
                connection,
                tenant_id=tenant.id,
                today=moment.date(),
                before=(moment - retention.days).date(),
                keep=KEPT_DOCUMENTS,
            )
    return removed
