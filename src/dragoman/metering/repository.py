"""SQL of usage records and budgets."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict
from datetime import UTC, date, datetime, time
from decimal import Decimal
from typing import Any
from uuid import UUID

from sqlalchemy import ColumnElement, Date, and_, cast, delete, func, or_, select, tuple_, update
from sqlalchemy.dialects.postgresql import insert as upsert
from sqlalchemy.ext.asyncio import AsyncConnection

from dragoman.kit.clock import new_id, now
from dragoman.kit.database import inserting_rows
from dragoman.metering.entities import (
    Account,
    Budget,
    BudgetPeriod,
    BudgetScope,
    Spending,
    UsageLine,
    UsageRecord,
)
from dragoman.metering.tables import budget_spending, budgets, usage_records

# ---- usage records


def inserting_records(records: Sequence[UsageRecord]) -> tuple[str, Mapping[str, Any]]:
    """For `Database.write`; at least one record."""
    return inserting_rows(usage_records, [asdict(record) for record in records])


async def insert_record(connection: AsyncConnection, record: UsageRecord) -> None:
    await connection.exec_driver_sql(*inserting_records([record]))


_KEYS: dict[str, ColumnElement[Any]] = {
    "day": cast(func.timezone("UTC", usage_records.c.created_at), Date),
    "model": usage_records.c.model,
    "operation": usage_records.c.purpose,
    "kind": usage_records.c.kind,
    "chatbot": usage_records.c.chatbot_id,
    "user": usage_records.c.asker,
    "session": usage_records.c.session_id,
}


async def sum_usage(
    connection: AsyncConnection,
    *,
    tenant_id: UUID,
    chatbot_id: UUID | None,
    since: datetime,
    until: datetime,
    by: str,
    limit: int,
    offset: int,
) -> tuple[list[UsageLine], int]:
    """Lines by day in their order, others by cost and calls, with the number of all lines."""
    c = usage_records.c
    mine = [c.tenant_id == tenant_id, c.created_at >= since, c.created_at < until]
    if chatbot_id is not None:
        mine.append(c.chatbot_id == chatbot_id)
    key = _KEYS[by].label("key")
    lines = (
        select(
            key,
            func.sum(c.calls).label("calls"),
            func.count().filter(c.error_code.is_not(None)).label("failed_calls"),
            func.sum(c.input_tokens).label("input_tokens"),
            func.sum(c.output_tokens).label("output_tokens"),
            func.sum(c.cost_usd).label("cost_usd"),
            func.avg(c.latency_ms).label("average_latency_ms"),
        )
        .where(and_(*mine))
        .group_by(key)
        .subquery()
    )
    order = [lines.c.key] if by == "day" else [lines.c.cost_usd.desc(), lines.c.calls.desc(), lines.c.key]
    rows = (
        await connection.execute(
            select(lines, func.count().over().label("lines")).order_by(*order).limit(limit).offset(offset)
        )
    ).all()
    found = [
        UsageLine(
            key=None if row.key is None else str(row.key),
            calls=row.calls,
            failed_calls=row.failed_calls,
            input_tokens=row.input_tokens,
            output_tokens=row.output_tokens,
            cost_usd=row.cost_usd,
            average_latency_ms=row.average_latency_ms,
        )
        for row in rows
    ]
    if rows:
        return found, rows[0].lines
    return [], (await connection.execute(select(func.count()).select_from(lines))).scalar_one() if offset else 0


# ---- budgets


async def list_budgets(connection: AsyncConnection, *, tenant_id: UUID) -> list[Budget]:
    rows = await connection.execute(
        select(budgets)
        .where(budgets.c.tenant_id == tenant_id)
        .order_by(budgets.c.scope, budgets.c.subject, budgets.c.period)
    )
    return [
        Budget(
            id=row.id,
            scope=BudgetScope(row.scope),
            subject=row.subject,
            period=BudgetPeriod(row.period),
            limit_usd=row.limit_usd,
        )
        for row in rows
    ]


async def set_budget(
    connection: AsyncConnection,
    *,
    tenant_id: UUID,
    scope: BudgetScope,
    subject: str,
    period: BudgetPeriod,
    limit_usd: Decimal,
) -> UUID:
    statement = upsert(budgets).values(
        tenant_id=tenant_id,
        id=new_id(),
        scope=scope.value,
        subject=subject,
        period=period.value,
        limit_usd=limit_usd,
    )
    statement = statement.on_conflict_do_update(
        constraint="uq_budgets_tenant_id_scope_subject_period",
        set_={"limit_usd": statement.excluded.limit_usd, "updated_at": now()},
    )
    budget_id: UUID = (await connection.execute(statement.returning(budgets.c.id))).scalar_one()
    return budget_id


async def delete_budget(connection: AsyncConnection, *, tenant_id: UUID, budget_id: UUID) -> Budget | None:
    """The budget that was deleted; None: there was none."""
    row = (
        await connection.execute(
            delete(budgets).where(budgets.c.tenant_id == tenant_id, budgets.c.id == budget_id).returning(budgets)
        )
    ).one_or_none()
    if row is None:
        return None
    return Budget(
        id=row.id,
        scope=BudgetScope(row.scope),
        subject=row.subject,
        period=BudgetPeriod(row.period),
        limit_usd=row.limit_usd,
    )


# ---- what was spent


async def list_spending(
    connection: AsyncConnection, *, tenant_id: UUID, starts: Sequence[tuple[BudgetPeriod, Any]]
) -> list[Spending]:
    """The accounts of these periods, without a lock."""
    c = budget_spending.c
    periods = or_(*(and_(c.period == period.value, c.starts_on == start) for period, start in starts))
    rows = await connection.execute(select(budget_spending).where(c.tenant_id == tenant_id, periods))
    return [_spending(row) for row in rows]


async def lock_accounts(
    connection: AsyncConnection, *, tenant_id: UUID, accounts: Sequence[Account]
) -> dict[Account, Spending]:
    """The accounts, each held until the transaction ends.

    An account that was not there is opened with what the usage records of its period say. First all are opened, then all
    are held, both in one order: so that no two transactions wait for each other.
    """
    c = budget_spending.c
    mine = and_(
        c.tenant_id == tenant_id,
        tuple_(c.scope, c.subject, c.period, c.starts_on).in_([_key(account) for account in accounts]),
    )
    there = {_spending(row).account for row in await connection.execute(select(budget_spending).where(mine))}
    for account in sorted(set(accounts) - there, key=_key):
        await _open_account(connection, tenant_id, account)
    held = select(budget_spending).where(mine).order_by(c.scope, c.subject, c.period, c.starts_on).with_for_update()
    return {spending.account: spending for spending in map(_spending, await connection.execute(held))}


async def _open_account(connection: AsyncConnection, tenant_id: UUID, account: Account) -> None:
    scope, subject, period, starts_on = _key(account)
    values = {"tenant_id": tenant_id, "scope": scope, "subject": subject, "period": period, "starts_on": starts_on}
    spent_usd = await sum_records(connection, tenant_id=tenant_id, account=account)
    await connection.execute(upsert(budget_spending).values(**values, spent_usd=spent_usd).on_conflict_do_nothing())


async def sum_records(connection: AsyncConnection, *, tenant_id: UUID, account: Account) -> Decimal:
    """What the usage records of the account's period cost."""
    c = usage_records.c
    since = datetime.combine(account.starts_on, time(), UTC)
    wanted = [c.tenant_id == tenant_id, c.created_at >= since]
    if account.scope is BudgetScope.CHATBOT:
        wanted.append(c.chatbot_id == UUID(account.subject))
    elif account.scope is BudgetScope.USER:
        wanted.append(c.asker == account.subject)
    return Decimal((await connection.execute(select(func.sum(c.cost_usd)).where(*wanted))).scalar() or 0)


async def catch_up_accounts(
    connection: AsyncConnection,
    *,
    tenant_id: UUID,
    scope: BudgetScope,
    subject: str,
    period: BudgetPeriod,
    starts_on: date,
) -> None:
    """Add what was spent while no budget bound these accounts: only what is bound is counted in them as it is spent.

    `subject` "": those of all subjects. What is set aside for calls under way stays counted. What was told of such an
    account is told again.
    """
    c = budget_spending.c
    wanted = [c.tenant_id == tenant_id, c.scope == scope.value, c.period == period.value, c.starts_on == starts_on]
    if subject:
        wanted.append(c.subject == subject)
    accounts = select(budget_spending).where(*wanted).order_by(c.subject).with_for_update()
    for spending in list(map(_spending, await connection.execute(accounts))):
        spent_usd = await sum_records(connection, tenant_id=tenant_id, account=spending.account)
        if spent_usd > spending.spent_usd:
            values = {"spent_usd": spent_usd, "warned_at": None, "exhausted_at": None}
            mine = (
                c.tenant_id == tenant_id,
                tuple_(c.scope, c.subject, c.period, c.starts_on) == _key(spending.account),
            )
            await connection.execute(update(budget_spending).where(*mine).values(**values))


async def add_spending(
    connection: AsyncConnection, *, tenant_id: UUID, accounts: Sequence[Account], amount_usd: Decimal
) -> None:
    """Add to all of the accounts at once; an amount below zero gives back. Lock them first where there are several."""
    c = budget_spending.c
    await connection.execute(
        update(budget_spending)
        .where(
            c.tenant_id == tenant_id,
            tuple_(c.scope, c.subject, c.period, c.starts_on).in_([_key(account) for account in accounts]),
        )
        .values(spent_usd=func.greatest(c.spent_usd + amount_usd, 0))
    )


async def mark_account(connection: AsyncConnection, *, tenant_id: UUID, account: Account, column: str) -> None:
    """Set `warned_at` or `exhausted_at`."""
    c = budget_spending.c
    scope, subject, period, starts_on = _key(account)
    await connection.execute(
        update(budget_spending)
        .where(
            c.tenant_id == tenant_id,
            c.scope == scope,
            c.subject == subject,
            c.period == period,
            c.starts_on == starts_on,
        )
        .values({column: now()})
    )


def _key(account: Account) -> tuple[str, str, str, Any]:
    return (account.scope.value, account.subject, account.period.value, account.starts_on)


def _spending(row: Any) -> Spending:
    account = Account(
        scope=BudgetScope(row.scope), subject=row.subject, period=BudgetPeriod(row.period), starts_on=row.starts_on
    )
    return Spending(account=account, spent_usd=row.spent_usd, warned_at=row.warned_at, exhausted_at=row.exhausted_at)
