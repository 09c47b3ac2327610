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
from datetime import date, timedelta
from typing import Final
from uuid import UUID

from sqlalchemy.ext.asyncio import AsyncConnection

from dragoman.insights import repository
from dragoman.insights.entities import Fact, Grain
from dragoman.insights.fold import Rows, fold
from dragoman.kit.clock import now
from dragoman.kit.database import Database
from dragoman.tenancy import service as tenancy

FACTS_AT_ONCE: Final = 1_000
KEPT_MINUTES: Final = timedelta(hours=26)  # alerts look back a day
KEPT_HOURS: Final = timedelta(days=93)
KEPT_DAYS: Final = timedelta(days=5 * 366)
KEPT_DOCUMENTS: Final = 100  # cited ones of each chatbot and past day


async def roll_up(database: Database) -> int:
    """Count what waits, of all tenants; how many facts that were.

    Several schedulers may do so at once: each takes what no other is taking.

    Raises:
        DatabaseUnavailableError.
    """
    async with database.system_transaction() as connection:
        tenants = await repository.list_waiting_tenants(connection)
    counted = 0
    for tenant_id in tenants:
        while taken := await _roll_up_some(database, tenant_id):
            counted += taken
            if taken < FACTS_AT_ONCE:
                break
    return counted


async def _roll_up_some(database: Database, tenant_id: UUID) -> int:
    async with database.transaction(tenant_id) as connection:
        facts = await repository.take_facts(connection, tenant_id=tenant_id, limit=FACTS_AT_ONCE)
        await repository.add_counts(connection, _kept(await asyncio.to_thread(fold, facts)), tenant_id=tenant_id)
        await _count_citations(connection, facts, tenant_id)
    return len(facts)


def _kept(rows: Rows) -> Rows:
    """Without minutes and hours that are so long ago that `purge` would remove them."""
    oldest = {grain: now() - kept for grain, kept in _KEPT}
    return {key: counts for key, counts in rows.items() if key.starts_at >= oldest[key.grain]}


async def _count_citations(connection: AsyncConnection, facts: Sequence[Fact], tenant_id: UUID) -> None:
    turns = {UUID(fact.facts["answer_id"]): fact for fact in facts if fact.kind == "turn"}
    if not turns:
        return
    cited: Counter[tuple[UUID, date, UUID]] = Counter()
    found = await repository.list_citations(connection, tenant_id=tenant_id, answer_ids=list(turns))
    for answer_id, documents in found.items():
        turn = turns[answer_id]
        if turn.chatbot_id is not None:
            cited.update((turn.chatbot_id, turn.at.date(), document_id) for document_id in documents)
    await repository.add_citations(connection, cited, tenant_id=tenant_id)


async def purge(database: Database) -> int:
    """Remove what is older than is kept, and what belongs to deleted chatbots; how many rows went.

    Raises:
        DatabaseUnavailableError.
    """
    moment, removed = now(), 0
    for tenant in await tenancy.list_tenants(database):
        async with database.transaction(tenant.id) as connection:
            for grain, kept in _KEPT:
                removed += await repository.forget_counts(
                    connection, tenant_id=tenant.id, grain=grain, before=moment - kept
                )
            removed += await repository.forget_lost_chatbots(connection, tenant_id=tenant.id)
            removed += await repository.forget_documents(
                connection,
                tenant_id=tenant.id,
                today=moment.date(),
                before=(moment - KEPT_DAYS).date(),
                keep=KEPT_DOCUMENTS,
            )
    return removed


_KEPT: Final[tuple[tuple[Grain, timedelta], ...]] = (("minute", KEPT_MINUTES), ("hour", KEPT_HOURS), ("day", KEPT_DAYS))
