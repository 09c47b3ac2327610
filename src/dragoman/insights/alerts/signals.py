"""Reads signals: of a tenant from its counts, of the installation from where they are measured."""

from __future__ import annotations

import asyncio
import shutil
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, time, timedelta
from pathlib import Path
from typing import Final
from uuid import UUID

from sqlalchemy.ext.asyncio import AsyncConnection

from dragoman.insights import repository as counts_repository
from dragoman.insights import sketch
from dragoman.insights.alerts import repository
from dragoman.insights.alerts.entities import Reading, Rule, Signal
from dragoman.insights.entities import NO_CHATBOT, Counts, Grain
from dragoman.insights.metrics.processes import list_processes
from dragoman.kit.cache import Cache
from dragoman.kit.database import Database
from dragoman.metering.budgets import Budgets

_REFUSALS_BEFORE: Final = timedelta(days=7)
_RATINGS_BEFORE: Final = timedelta(days=28)
_LEAST_BEFORE: Final = 50  # of questions or ratings that a comparison needs
_GIB: Final = 1024**3


@dataclass(frozen=True, slots=True, kw_only=True)
class TenantReader:
    """Reads signals of one tenant at one moment; a span that several rules share is summed up once."""

    connection: AsyncConnection
    tenant_id: UUID
    chatbots: Sequence[UUID]
    budgets: Budgets
    at: datetime
    _known: dict[tuple[UUID | None, Grain, datetime, datetime], Counts] = field(default_factory=dict)

    async def read(self, rule: Rule) -> Reading | None:
        """None where the signal cannot be told: nothing to compare with, or none of a tenant's."""
        reader = _OF_TENANT.get(rule.signal)
        return None if reader is None else await reader(self, rule)

    async def counts(self, rule: Rule) -> Counts:
        """What happened in the rule's window."""
        return await self._sum(rule.chatbot_id, "minute", self.at - timedelta(seconds=rule.window_s), self.at)

    async def before(self, rule: Rule, span: timedelta) -> Counts:
        """What happened in the days before today."""
        today = datetime.combine(self.at.date(), time(), tzinfo=UTC)
        return await self._sum(rule.chatbot_id, "day", today - span, today)

    async def _sum(self, chatbot_id: UUID | None, grain: Grain, begin: datetime, end: datetime) -> Counts:
        key = (chatbot_id, grain, begin, end)
        if key not in self._known:
            chatbots = [*self.chatbots, NO_CHATBOT] if chatbot_id is None else [chatbot_id]
            self._known[key] = await counts_repository.sum_counts(
                self.connection, tenant_id=self.tenant_id, chatbots=chatbots, grain=grain, begin=begin, end=end
            )
        return self._known[key]


def _share(part: float, whole: float) -> float:
    return part / whole if whole > 0 else 0.0


def _p95(stage: str, samples_of: Callable[[Counts], int]) -> Callable[[TenantReader, Rule], Awaitable[Reading | None]]:
    async def read(reader: TenantReader, rule: Rule) -> Reading | None:
        counts = await reader.counts(rule)
        if counts.latencies is None:
            return None
        value = sketch.quantile(counts.latencies[sketch.slice_of(stage)], 95)
        return None if value is None else Reading(value=value, samples=samples_of(counts))

    return read


def _share_of(
    part: Callable[[Counts], int], whole: Callable[[Counts], int]
) -> Callable[[TenantReader, Rule], Awaitable[Reading | None]]:
    async def read(reader: TenantReader, rule: Rule) -> Reading | None:
        counts = await reader.counts(rule)
        return Reading(value=_share(part(counts), whole(counts)), samples=whole(counts))

    return read


async def _refusal_rise(reader: TenantReader, rule: Rule) -> Reading | None:
    now_, before = await reader.counts(rule), await reader.before(rule, _REFUSALS_BEFORE)
    if before.turns < _LEAST_BEFORE:
        return None
    rise = _share(now_.refused, now_.turns) - _share(before.refused, before.turns)
    return Reading(value=rise, samples=now_.turns)


async def _satisfaction_fall(reader: TenantReader, rule: Rule) -> Reading | None:
    now_, before = await reader.counts(rule), await reader.before(rule, _RATINGS_BEFORE)
    if before.rated < _LEAST_BEFORE:
        return None
    fall = _share(before.rated_up, before.rated) - _share(now_.rated_up, now_.rated)
    return Reading(value=fall, samples=now_.rated)


async def _spent_usd(reader: TenantReader, rule: Rule) -> Reading:
    counts = await reader.counts(rule)
    return Reading(value=counts.cost_usd, samples=max(1, counts.calls))


async def _budget_share(reader: TenantReader, _: Rule) -> Reading | None:
    states = await reader.budgets.list_states(reader.tenant_id)
    shares = [
        float(state.spent_usd / state.budget.limit_usd)
        for state in states
        if state.spent_usd is not None and state.budget.limit_usd > 0
    ]
    return Reading(value=max(shares), samples=1) if shares else None


async def _oldest_job_s(reader: TenantReader, _: Rule) -> Reading:
    return Reading(value=await repository.oldest_waiting_s(reader.connection, tenant_id=reader.tenant_id), samples=1)


_OF_TENANT: Final[Mapping[Signal, Callable[[TenantReader, Rule], Awaitable[Reading | None]]]] = {
    Signal.SEARCH_P95_MS: _p95("search", lambda counts: counts.searches),
    Signal.ANSWER_P95_MS: _p95("total", lambda counts: counts.turns),
    Signal.REFUSAL_SHARE: _share_of(lambda counts: counts.refused, lambda counts: counts.turns),
    Signal.REFUSAL_RISE: _refusal_rise,
    Signal.SATISFACTION_FALL: _satisfaction_fall,
    Signal.DEGRADED_SHARE: _share_of(lambda counts: counts.degraded, lambda counts: counts.turns),
    Signal.MODEL_ERROR_SHARE: _share_of(lambda counts: counts.failed_calls, lambda counts: counts.calls),
    Signal.JOB_FAILURE_SHARE: _share_of(lambda counts: counts.failed_jobs, lambda counts: counts.jobs),
    Signal.SPENT_USD: _spent_usd,
    Signal.BUDGET_SHARE: _budget_share,
    Signal.OLDEST_JOB_S: _oldest_job_s,
}


async def read_installation(database: Database, cache: Cache, home: Path, tenant_id: UUID) -> dict[Signal, Reading]:
    """The signals of the installation; `tenant_id`: in whose transaction the application's own are looked at.

    Raises:
        DatabaseUnavailableError.
    """
    async with database.system_transaction() as connection:
        stalled = await repository.stalled_s(connection)
        share = await repository.connection_share(connection)
    async with database.transaction(tenant_id) as connection:
        longest = await repository.longest_transaction_s(connection)
    free = (await asyncio.to_thread(shutil.disk_usage, home)).free
    is_reachable = await cache.is_reachable()
    found = {
        Signal.STALLED_S: stalled,
        Signal.DATABASE_CONNECTION_SHARE: share,
        Signal.LONGEST_TRANSACTION_S: longest,
        Signal.DISK_FREE_GIB: free / _GIB,
        Signal.CACHE_DOWN: 0.0 if is_reachable else 1.0,
    }
    if is_reachable:
        found[Signal.WORKERS] = float(sum(process.role == "worker" for process in await list_processes(cache)))
    return {signal: Reading(value=value, samples=1) for signal, value in found.items()}
