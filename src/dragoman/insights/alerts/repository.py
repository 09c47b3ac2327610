"""SQL of alert rules, channels, alerts and silences, in transactions scoped to the tenant; and what signals read."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, fields
from datetime import datetime
from typing import Any
from uuid import UUID

from sqlalchemy import delete, func, select, text, update
from sqlalchemy.dialects.postgresql import insert as upsert
from sqlalchemy.ext.asyncio import AsyncConnection

from dragoman.insights.alerts.entities import Alert, AlertState, Channel, Rule, Severity, Signal, Silence
from dragoman.insights.alerts.tables import alert_channels, alert_rules, alert_silences, alerts
from dragoman.kit.clock import now
from dragoman.kit.pagination import PageRequest

_RULE = [alert_rules.c[each.name] for each in fields(Rule) if each.name != "is_changed"]

# ---- rules


async def list_rules(connection: AsyncConnection, *, tenant_id: UUID) -> list[Rule]:
    """Own rules, and changed built-in ones, the oldest first."""
    query = (
        select(*_RULE).where(alert_rules.c.tenant_id == tenant_id).order_by(alert_rules.c.created_at, alert_rules.c.id)
    )
    return [_rule(row) for row in await connection.execute(query)]


async def find_rule(connection: AsyncConnection, *, tenant_id: UUID, rule_id: UUID) -> Rule | None:
    query = select(*_RULE).where(alert_rules.c.tenant_id == tenant_id, alert_rules.c.id == rule_id)
    row = (await connection.execute(query)).one_or_none()
    return None if row is None else _rule(row)


def _rule(row: Any) -> Rule:
    values = dict(row._mapping)
    return Rule(
        **{**values, "signal": Signal(row.signal), "severity": Severity(row.severity)},
        is_changed=True,
    )


async def save_rule(connection: AsyncConnection, rule: Rule, *, tenant_id: UUID) -> None:
    """Insert it, or change what is there."""
    values = {name: value for name, value in asdict(rule).items() if name != "is_changed"}
    values |= {"signal": rule.signal.value, "severity": rule.severity.value}
    statement = upsert(alert_rules).values(tenant_id=tenant_id, **values)
    changed = {name: value for name, value in values.items() if name != "id"} | {"updated_at": now()}
    await connection.execute(statement.on_conflict_do_update(index_elements=["tenant_id", "id"], set_=changed))


async def delete_rule(connection: AsyncConnection, *, tenant_id: UUID, rule_id: UUID) -> None:
    for table, column in ((alert_rules, alert_rules.c.id), (alert_silences, alert_silences.c.rule_id)):
        await connection.execute(delete(table).where(table.c.tenant_id == tenant_id, column == rule_id))


# ---- silences


async def list_silences(connection: AsyncConnection, *, tenant_id: UUID) -> dict[UUID, Silence]:
    """Those that still hold, by rule."""
    c = alert_silences.c
    query = select(c.rule_id, c.until, c.by, c.comment).where(c.tenant_id == tenant_id, c.until > now())
    return {row.rule_id: Silence(**row._mapping) for row in await connection.execute(query)}


async def save_silence(connection: AsyncConnection, silence: Silence, *, tenant_id: UUID) -> None:
    statement = upsert(alert_silences).values(tenant_id=tenant_id, **asdict(silence))
    changed = {"until": silence.until, "by": silence.by, "comment": silence.comment, "created_at": now()}
    await connection.execute(statement.on_conflict_do_update(index_elements=["tenant_id", "rule_id"], set_=changed))


async def delete_silence(connection: AsyncConnection, *, tenant_id: UUID, rule_id: UUID) -> None:
    c = alert_silences.c
    await connection.execute(delete(alert_silences).where(c.tenant_id == tenant_id, c.rule_id == rule_id))


# ---- channels

_CHANNEL = [alert_channels.c[each.name] for each in fields(Channel)]


async def list_channels(connection: AsyncConnection, *, tenant_id: UUID) -> list[Channel]:
    query = select(*_CHANNEL).where(alert_channels.c.tenant_id == tenant_id).order_by(alert_channels.c.id)
    return [_channel(row) for row in await connection.execute(query)]


async def find_channel(connection: AsyncConnection, *, tenant_id: UUID, channel_id: UUID) -> Channel | None:
    query = select(*_CHANNEL).where(alert_channels.c.tenant_id == tenant_id, alert_channels.c.id == channel_id)
    row = (await connection.execute(query)).one_or_none()
    return None if row is None else _channel(row)


def _channel(row: Any) -> Channel:
    return Channel(**{**row._mapping, "least_severity": Severity(row.least_severity)})


async def insert_channel(connection: AsyncConnection, channel: Channel, *, tenant_id: UUID) -> bool:
    """False where the user has a channel already."""
    values = asdict(channel) | {"least_severity": channel.least_severity.value}
    statement = upsert(alert_channels).values(tenant_id=tenant_id, **values).on_conflict_do_nothing()
    inserted = await connection.execute(statement.returning(alert_channels.c.id))
    return inserted.one_or_none() is not None


async def mark_channel(connection: AsyncConnection, *, tenant_id: UUID, channel_id: UUID, error: str | None) -> None:
    """Note that a delivery succeeded, or why it did not."""
    values: dict[str, Any] = {"last_error": error}
    if error is None:
        values["last_delivered_at"] = now()
    c = alert_channels.c
    await connection.execute(
        update(alert_channels).where(c.tenant_id == tenant_id, c.id == channel_id).values(**values)
    )


async def delete_channel(connection: AsyncConnection, *, tenant_id: UUID, channel_id: UUID) -> None:
    c = alert_channels.c
    await connection.execute(delete(alert_channels).where(c.tenant_id == tenant_id, c.id == channel_id))


# ---- alerts

_ALERT = [alerts.c[each.name] for each in fields(Alert)]


async def list_active(connection: AsyncConnection, *, tenant_id: UUID) -> list[Alert]:
    """Pending and firing ones, the oldest first."""
    query = (
        select(*_ALERT)
        .where(alerts.c.tenant_id == tenant_id, alerts.c.resolved_at.is_(None))
        .order_by(alerts.c.started_at, alerts.c.id)
    )
    return [_alert(row) for row in await connection.execute(query)]


async def list_resolved(connection: AsyncConnection, *, tenant_id: UUID, page: PageRequest) -> tuple[list[Alert], int]:
    """A page of history, newest first, and how many there are."""
    conditions = [alerts.c.tenant_id == tenant_id, alerts.c.resolved_at.is_not(None)]
    total = (await connection.execute(select(func.count()).select_from(alerts).where(*conditions))).scalar_one()
    query = select(*_ALERT).where(*conditions).order_by(alerts.c.resolved_at.desc(), alerts.c.id.desc())
    rows = await connection.execute(query.limit(page.limit).offset(page.offset))
    return [_alert(row) for row in rows], total


async def find_alert(connection: AsyncConnection, *, tenant_id: UUID, alert_id: UUID) -> Alert | None:
    query = select(*_ALERT).where(alerts.c.tenant_id == tenant_id, alerts.c.id == alert_id)
    row = (await connection.execute(query)).one_or_none()
    return None if row is None else _alert(row)


def _alert(row: Any) -> Alert:
    typed = {"signal": Signal(row.signal), "severity": Severity(row.severity), "state": AlertState(row.state)}
    return Alert(**{**row._mapping, **typed})


async def save_alert(connection: AsyncConnection, alert: Alert, *, tenant_id: UUID) -> None:
    """Insert it, or change what is there; who acknowledged it is left as it is."""
    values = asdict(alert)
    values |= {"signal": alert.signal.value, "severity": alert.severity.value, "state": alert.state.value}
    kept = {"id", "acknowledged_at", "acknowledged_by"}
    changed = {name: value for name, value in values.items() if name not in kept}
    statement = upsert(alerts).values(tenant_id=tenant_id, **values)
    await connection.execute(statement.on_conflict_do_update(index_elements=["tenant_id", "id"], set_=changed))


async def delete_alert(connection: AsyncConnection, *, tenant_id: UUID, alert_id: UUID) -> None:
    await connection.execute(delete(alerts).where(alerts.c.tenant_id == tenant_id, alerts.c.id == alert_id))


async def acknowledge(connection: AsyncConnection, *, tenant_id: UUID, alert_id: UUID, by: str) -> None:
    await connection.execute(
        update(alerts)
        .where(alerts.c.tenant_id == tenant_id, alerts.c.id == alert_id)
        .values(acknowledged_at=now(), acknowledged_by=by)
    )


async def forget_resolved(connection: AsyncConnection, *, tenant_id: UUID, before: datetime) -> int:
    result = await connection.execute(
        delete(alerts).where(alerts.c.tenant_id == tenant_id, alerts.c.resolved_at < before)
    )
    return result.rowcount


# ---- what signals read


async def list_chatbot_ids(connection: AsyncConnection, *, tenant_id: UUID) -> Sequence[UUID]:
    rows = await connection.execute(
        text("select id from chatbots where tenant_id = :tenant_id"), {"tenant_id": tenant_id}
    )
    return rows.scalars().all()


async def oldest_waiting_s(connection: AsyncConnection, *, tenant_id: UUID) -> float:
    """How long the tenant's oldest job that may run waits; 0 where none does."""
    rows = await connection.execute(
        text(
            "select coalesce(extract(epoch from now() - min(run_after)), 0)::float from jobs "
            "where tenant_id = :tenant_id and state = 'queued' and run_after <= now()"
        ),
        {"tenant_id": tenant_id},
    )
    return float(rows.scalar_one())


async def try_to_lead(connection: AsyncConnection) -> bool:
    """Whether nobody else evaluates; holds until the transaction ends."""
    return bool((await connection.execute(text("select pg_try_advisory_xact_lock(7203944018)"))).scalar_one())


async def stalled_s(connection: AsyncConnection) -> float:
    """How long the oldest job of all tenants waits while none is run; 0 where one is, or none waits. As `system`."""
    rows = await connection.execute(
        text(
            "select case when exists (select from jobs where state = 'running') then 0 else coalesce((select "
            "extract(epoch from now() - min(run_after)) from jobs where state = 'queued' and run_after <= now()), 0) end"
        )
    )
    return float(rows.scalar_one())


async def connection_share(connection: AsyncConnection) -> float:
    """Connections to the server in use, of those it allows, 0 to 1."""
    rows = await connection.execute(
        text(
            "select (select count(*) from pg_stat_activity where backend_type = 'client backend')::float "
            "/ current_setting('max_connections')::float"
        )
    )
    return float(rows.scalar_one())


async def longest_transaction_s(connection: AsyncConnection) -> float:
    """The age of the oldest transaction of this role; others' begin is not told to it."""
    rows = await connection.execute(
        text(
            "select coalesce(max(extract(epoch from now() - xact_start)), 0)::float from pg_stat_activity "
            "where datname = current_database() and pid <> pg_backend_pid()"
        )
    )
    return float(rows.scalar_one())
