"""Evaluates the rules of all tenants, every `alert_interval_s`, by one scheduler at a time.

    evaluate -> of each tenant: its rules -> signals.py reads -> machine.py steps -> alerts, and jobs that tell of them

An alert and the jobs that tell of it are written in one transaction: what fired is told, also after a crash.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from pathlib import Path
from typing import Final
from uuid import UUID

import structlog
from prometheus_client import Counter
from sqlalchemy.ext.asyncio import AsyncConnection

from dragoman.insights.alerts import machine, repository
from dragoman.insights.alerts.deliver import enqueue_deliveries
from dragoman.insights.alerts.entities import Alert, AlertState, Reading, Rule, Signal
from dragoman.insights.alerts.rules import BUILTIN_BY_ID
from dragoman.insights.alerts.service import rules_of
from dragoman.insights.alerts.signals import TenantReader, read_installation
from dragoman.insights.operators import operator_of
from dragoman.jobs import service as jobs
from dragoman.jobs.entities import Job, JobSender
from dragoman.kit.cache import Cache
from dragoman.kit.clock import now
from dragoman.kit.database import Database
from dragoman.metering.budgets import Budgets
from dragoman.tenancy import service as tenancy

_log = structlog.get_logger(__name__)
KEPT_HISTORY: Final = timedelta(days=400)
ALERTS_CHANGED = Counter("dragoman_alerts_total", "Alerts that began to fire or were resolved.", ["rule", "state"])
_OWN: Final = "own"  # names of tenants' rules are no labels


@dataclass(frozen=True, slots=True, kw_only=True)
class Evaluator:
    """What the rounds need. `operator_tenant`: the setting of that name."""

    database: Database
    cache: Cache
    sender: JobSender
    budgets: Budgets
    home: Path
    operator_tenant: UUID | None

    async def evaluate(self, at: datetime | None = None) -> int:
        """Evaluate all rules of all tenants; how many alerts are active. 0 where another scheduler is at it.

        Raises:
            DatabaseUnavailableError.
        """
        at = at or now()
        async with self.database.system_transaction() as leading:
            if not await repository.try_to_lead(leading):
                return 0
            tenants = [tenant.id for tenant in await tenancy.list_tenants(self.database)]
            operator = operator_of(tenants, self.operator_tenant)
            active = 0
            for tenant_id in tenants:
                installation = await self._installation(tenant_id) if tenant_id == operator else {}
                active += await self._evaluate_tenant(tenant_id, installation, at, is_operator=tenant_id == operator)
            return active

    async def _installation(self, tenant_id: UUID) -> dict[Signal, Reading]:
        return await read_installation(self.database, self.cache, self.home, tenant_id)

    async def _evaluate_tenant(
        self, tenant_id: UUID, installation: dict[Signal, Reading], at: datetime, *, is_operator: bool
    ) -> int:
        told: list[Job] = []
        async with self.database.transaction(tenant_id) as connection:
            rules = {rule.id: rule for rule in await rules_of(connection, tenant_id, is_operator=is_operator)}
            known = {alert.rule_id: alert for alert in await repository.list_active(connection, tenant_id=tenant_id)}
            silenced = await repository.list_silences(connection, tenant_id=tenant_id)
            reader = TenantReader(
                connection=connection,
                tenant_id=tenant_id,
                chatbots=await repository.list_chatbot_ids(connection, tenant_id=tenant_id),
                budgets=self.budgets,
                at=at,
            )
            active = 0
            for rule_id in sorted({*rules, *known}):
                before, rule = known.get(rule_id), rules.get(rule_id)
                after = await _after(reader, rule, before, installation, at)
                told += await _save(connection, tenant_id, before, after, is_silenced=rule_id in silenced)
                active += after is not None and after.state is not AlertState.RESOLVED
            await repository.forget_resolved(connection, tenant_id=tenant_id, before=at - KEPT_HISTORY)
        await jobs.announce_many(self.sender, told)
        return active


async def _after(
    reader: TenantReader, rule: Rule | None, before: Alert | None, installation: dict[Signal, Reading], at: datetime
) -> Alert | None:
    if rule is None or not rule.is_enabled or (before is not None and before.signal is not rule.signal):
        if before is None or before.state is AlertState.PENDING:
            return None
        return machine.resolved(before, "rule_changed", at)
    reading = installation.get(rule.signal) if rule.is_of_installation else await reader.read(rule)
    return machine.step(rule, before, reading, at)


async def _save(
    connection: AsyncConnection, tenant_id: UUID, before: Alert | None, after: Alert | None, *, is_silenced: bool
) -> list[Job]:
    """Write what the alert is now; the jobs that tell of it, where somebody is to be told."""
    if after is None:
        if before is not None:
            await repository.delete_alert(connection, tenant_id=tenant_id, alert_id=before.id)
        return []
    began = after.state is AlertState.FIRING and after.notified_at is None
    ended = after.state is AlertState.RESOLVED and after.notified_at is not None
    _note_change(before, after)
    told: list[Job] = []
    if began and not is_silenced:
        after = replace(after, notified_at=now())
    await repository.save_alert(connection, after, tenant_id=tenant_id)
    if (began or ended) and not is_silenced:
        told = await enqueue_deliveries(connection, tenant_id, after)
    return told


def _note_change(before: Alert | None, after: Alert) -> None:
    if (before is None or before.state is not after.state) and after.state is not AlertState.PENDING:
        ALERTS_CHANGED.labels(_label(after), after.state.value).inc()
        _log.warning(
            "alerts.changed",
            rule=after.rule_name,
            state=after.state.value,
            signal=after.signal.value,
            value=round(after.value, 4),
            severity=after.severity.value,
        )


def _label(alert: Alert) -> str:
    builtin = BUILTIN_BY_ID.get(alert.rule_id)
    return _OWN if builtin is None else builtin.name
