"""Budgets: money is set aside before each paid call and settled after it, so that spending stops at its limit.

An estimate (the prompt, and the longest answer allowed) is added to what was spent before the call and replaced by the
real cost after it. However many ask at once, no more than that is under way. What a crash leaves unsettled counts as spent.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from pathlib import Path
from typing import Final
from uuid import UUID

import structlog
import yaml
from prometheus_client import Counter
from pydantic import BaseModel, ConfigDict, Field, ValidationError
from sqlalchemy.ext.asyncio import AsyncConnection

from dragoman.jobs import service as jobs
from dragoman.kit.clock import now
from dragoman.kit.database import Database
from dragoman.kit.errors import InvalidSettingError
from dragoman.metering import repository
from dragoman.metering.entities import (
    Account,
    Budget,
    BudgetPeriod,
    BudgetScope,
    Reservation,
    Spending,
    UsageRecord,
)
from dragoman.metering.errors import BudgetExhaustedError, BudgetNotFoundError
from dragoman.tenancy import audit
from dragoman.tenancy.entities import Caller

_log = structlog.get_logger(__name__)
WARNING_SHARE: Final = Decimal("0.8")

BUDGET_REFUSALS = Counter("dragoman_budget_refusals_total", "Paid calls refused by a budget.", ["scope", "period"])


class _Ceiling(BaseModel):
    """A budget in `configs/cost_limits.yaml`."""

    model_config = ConfigDict(extra="forbid")

    scope: BudgetScope
    period: BudgetPeriod
    limit_usd: Decimal = Field(ge=0)


class _File(BaseModel):
    model_config = ConfigDict(extra="forbid")

    budgets: list[_Ceiling] = Field(default_factory=list)


def load_ceilings(path: Path) -> tuple[Budget, ...]:
    """The budgets that the operator sets for every tenant. Raises InvalidSettingError."""
    try:
        content = _File.model_validate(yaml.safe_load(path.read_text(encoding="utf-8")) or {})
    except (OSError, yaml.YAMLError, ValidationError, UnicodeDecodeError) as error:
        raise InvalidSettingError(f"The limits of costs {path} cannot be read: {error}") from error
    return tuple(
        Budget(id=None, scope=one.scope, subject="", period=one.period, limit_usd=one.limit_usd)
        for one in content.budgets
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class BudgetState:
    """A budget with what its account holds. `spent_usd` is None where it bounds each chatbot, or each asker, apart."""

    budget: Budget
    account: Account
    spent_usd: Decimal | None


class Budgets:
    """The budgets of all tenants, kept in PostgreSQL."""

    def __init__(self, database: Database, ceilings: Sequence[Budget] = ()) -> None:
        self._database, self._ceilings = database, tuple(ceilings)

    async def reserve(
        self, tenant_id: UUID, *, chatbot_id: UUID | None, asker: str | None, estimate_usd: Decimal
    ) -> Reservation:
        """Set the estimate aside in all accounts of the call, or in none.

        Raises:
            BudgetExhaustedError: it does not fit into one of them.
            DatabaseUnavailableError: nothing is spent without its account.
        """
        refused: tuple[Spending, Decimal] | None = None
        async with self._database.transaction(tenant_id) as connection:
            limits = self._limits(await repository.list_budgets(connection, tenant_id=tenant_id), chatbot_id, asker)
            if limits:
                accounts = await repository.lock_accounts(connection, tenant_id=tenant_id, accounts=list(limits))
                refused = next(
                    (
                        (spending, limits[account])
                        for account, spending in accounts.items()
                        if spending.spent_usd + estimate_usd > limits[account]
                    ),
                    None,
                )
                if refused is None:
                    await repository.add_spending(
                        connection, tenant_id=tenant_id, accounts=list(limits), amount_usd=estimate_usd
                    )
                elif refused[0].exhausted_at is None:
                    await self._tell(connection, tenant_id, "exhausted", *refused)
        if refused is not None:
            raise _exhausted(*refused)
        return Reservation(tenant_id=tenant_id, estimate_usd=estimate_usd, accounts=tuple(limits))

    async def settle(self, reservation: Reservation, record: UsageRecord) -> None:
        """Write the record down, and put what the call did cost in the place of its estimate."""
        tenant_id = reservation.tenant_id
        async with self._database.transaction(tenant_id) as connection:
            await repository.insert_record(connection, record)
            if not reservation.accounts:
                return
            held = await repository.lock_accounts(connection, tenant_id=tenant_id, accounts=reservation.accounts)
            difference = record.cost_usd - reservation.estimate_usd
            await repository.add_spending(
                connection, tenant_id=tenant_id, accounts=reservation.accounts, amount_usd=difference
            )
            limits = self._limits(
                await repository.list_budgets(connection, tenant_id=tenant_id), record.chatbot_id, record.asker
            )
            for account, spending in held.items():
                limit = limits.get(account)
                spent = spending.spent_usd + difference
                if limit is not None and spending.warned_at is None and spent >= limit * WARNING_SHARE:
                    await self._tell(connection, tenant_id, "warned", spending, limit)

    # ---- seen and changed by people

    async def list_states(self, tenant_id: UUID) -> list[BudgetState]:
        """All budgets that bind the tenant, those of the installation first."""
        moment = now()
        async with self._database.transaction(tenant_id) as connection:
            return await self._states(connection, tenant_id, moment)

    async def set_budget(
        self, caller: Caller, *, scope: BudgetScope, subject: str, period: BudgetPeriod, limit_usd: Decimal
    ) -> BudgetState:
        """Make a budget or change its limit."""
        tenant_id = caller.tenant_id
        async with self._database.transaction(tenant_id) as connection:
            own = await repository.list_budgets(connection, tenant_id=tenant_id)
            before = next(
                (one for one in own if (one.scope, one.subject, one.period) == (scope, subject, period)), None
            )
            budget_id = await repository.set_budget(
                connection, tenant_id=tenant_id, scope=scope, subject=subject, period=period, limit_usd=limit_usd
            )
            if before is None:
                starts_on = period.start(now())
                await repository.catch_up_accounts(
                    connection, tenant_id=tenant_id, scope=scope, subject=subject, period=period, starts_on=starts_on
                )
            await audit.record(
                connection,
                caller,
                "budget.set",
                subject_type="budget",
                subject_id=budget_id,
                scope=scope.value,
                subject=subject,
                period=period.value,
                **audit.changes(
                    {"limit_usd": None if before is None else f"{before.limit_usd:f}"},
                    {"limit_usd": f"{limit_usd:f}"},
                ),
            )
            states = await self._states(connection, tenant_id, now())
        return next(state for state in states if state.budget.id == budget_id)

    async def delete_budget(self, caller: Caller, budget_id: UUID) -> None:
        """Raises BudgetNotFoundError."""
        async with self._database.transaction(caller.tenant_id) as connection:
            if await repository.delete_budget(connection, tenant_id=caller.tenant_id, budget_id=budget_id) is None:
                raise BudgetNotFoundError
            await audit.record(connection, caller, "budget.deleted", subject_type="budget", subject_id=budget_id)

    async def _states(self, connection: AsyncConnection, tenant_id: UUID, moment: datetime) -> list[BudgetState]:
        own = await repository.list_budgets(connection, tenant_id=tenant_id)
        starts = [(period, period.start(moment)) for period in BudgetPeriod]
        spendings = await repository.list_spending(connection, tenant_id=tenant_id, starts=starts)
        held = {spending.account: spending.spent_usd for spending in spendings}
        states = []
        for budget in (*self._ceilings, *own):
            account = _account(budget, budget.subject, moment)
            spent: Decimal | None = None
            if budget.scope is BudgetScope.TENANT or budget.subject:
                spent = held.get(account)
                if spent is None:
                    spent = await repository.sum_records(connection, tenant_id=tenant_id, account=account)
            states.append(BudgetState(budget=budget, account=account, spent_usd=spent))
        return states

    # ---- which limits count

    def _limits(self, own: Sequence[Budget], chatbot_id: UUID | None, asker: str | None) -> dict[Account, Decimal]:
        """The limit of each account of a call: the tenant's, the chatbot's and the asker's, each by day and month."""
        moment = now()
        limits: dict[Account, Decimal] = {}
        for scope, subject in _subjects(chatbot_id, asker):
            for period in BudgetPeriod:
                of_all = [one for one in self._ceilings if (one.scope, one.period) == (scope, period)]
                of_tenant = [one for one in own if (one.scope, one.period) == (scope, period)]
                exact = [one for one in of_tenant if one.subject == subject]
                binding = [*of_all, *(exact or [one for one in of_tenant if not one.subject])]
                if binding:
                    account = Account(scope=scope, subject=subject, period=period, starts_on=period.start(moment))
                    limits[account] = min(one.limit_usd for one in binding)
        return limits

    async def _tell(
        self, connection: AsyncConnection, tenant_id: UUID, what: str, spending: Spending, limit_usd: Decimal
    ) -> None:
        """Once for each account: in the log, and in the outbox for whoever listens."""
        account = spending.account
        await repository.mark_account(connection, tenant_id=tenant_id, account=account, column=f"{what}_at")
        payload = {
            "scope": account.scope.value,
            "subject": account.subject,
            "period": account.period.value,
            "starts_on": account.starts_on.isoformat(),
            "limit_usd": float(limit_usd),
        }
        if what == "warned":
            await jobs.emit(connection, tenant_id=tenant_id, topic="budget.warning", payload=payload)
        else:
            await jobs.emit(connection, tenant_id=tenant_id, topic="budget.exhausted", payload=payload)
        _log.warning(f"budget.{what}", tenant_id=str(tenant_id), **payload)


def _subjects(chatbot_id: UUID | None, asker: str | None) -> Iterator[tuple[BudgetScope, str]]:
    yield BudgetScope.TENANT, ""
    if chatbot_id is not None:
        yield BudgetScope.CHATBOT, str(chatbot_id)
    if asker:
        yield BudgetScope.USER, asker


def _account(budget: Budget, subject: str, moment: datetime) -> Account:
    return Account(scope=budget.scope, subject=subject, period=budget.period, starts_on=budget.period.start(moment))


def _exhausted(spending: Spending, limit_usd: Decimal) -> BudgetExhaustedError:
    account = spending.account
    BUDGET_REFUSALS.labels(account.scope.value, account.period.value).inc()
    return BudgetExhaustedError(
        f"The {account.scope.value}'s budget of {limit_usd.normalize():f} USD a {account.period.value} does not allow "
        f"another paid call before {account.period.end(account.starts_on).isoformat()} (UTC)."
    )
