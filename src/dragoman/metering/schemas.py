"""Usage and budgets as the HTTP API shows them."""

from __future__ import annotations

from datetime import date
from decimal import Decimal
from enum import StrEnum
from uuid import UUID

from pydantic import BaseModel, ConfigDict, Field, model_validator

from dragoman.metering.budgets import WARNING_SHARE, BudgetState
from dragoman.metering.entities import BudgetPeriod, BudgetScope, UsageLine


class UsageBy(StrEnum):
    """What a line of usage sums up."""

    DAY = "day"
    MODEL = "model"
    OPERATION = "operation"
    KIND = "kind"
    CHATBOT = "chatbot"
    USER = "user"
    SESSION = "session"


class UsageLineOut(BaseModel):
    key: str | None = Field(
        description="The day (UTC), model, operation, port, or the id of chatbot, user or session; null: of none."
    )
    calls: int
    failed_calls: int
    input_tokens: int
    output_tokens: int
    cost_usd: float
    average_latency_ms: float

    @classmethod
    def of(cls, line: UsageLine) -> UsageLineOut:
        return cls(
            key=line.key,
            calls=line.calls,
            failed_calls=line.failed_calls,
            input_tokens=line.input_tokens,
            output_tokens=line.output_tokens,
            cost_usd=float(line.cost_usd),
            average_latency_ms=round(line.average_latency_ms, 1),
        )


class UsageList(BaseModel):
    by: UsageBy
    first_day: date
    last_day: date
    lines: list[UsageLineOut]
    total: int
    limit: int
    offset: int


class BudgetIn(BaseModel):
    model_config = ConfigDict(extra="forbid")

    scope: BudgetScope
    subject: str = Field(
        "",
        max_length=200,
        description="The id of a chatbot, or the name of an asker; empty: each one that has no budget of its own.",
    )
    period: BudgetPeriod
    limit_usd: Decimal = Field(ge=0, lt=1_000_000_000, max_digits=15, decimal_places=6)

    @model_validator(mode="after")
    def _subject_fits(self) -> BudgetIn:
        if self.scope is BudgetScope.TENANT and self.subject:
            raise ValueError("a budget of the tenant has no `subject`")
        if self.scope is BudgetScope.CHATBOT and self.subject:
            try:
                self.subject = str(UUID(self.subject))
            except ValueError:
                raise ValueError("the `subject` of a chatbot's budget is the id of the chatbot") from None
        return self


class BudgetStatus(StrEnum):
    """`warning` from 80 % of the limit on, `exhausted` from 100 % on."""

    OK = "ok"
    WARNING = "warning"
    EXHAUSTED = "exhausted"


class BudgetOut(BaseModel):
    id: UUID | None = Field(description="Null: set by the operator of the installation; nobody else can change it.")
    scope: BudgetScope
    subject: str
    period: BudgetPeriod
    limit_usd: float
    spent_usd: float | None = Field(
        description="In the running period, with the estimates of calls under way; null where it bounds each one apart."
    )
    state: BudgetStatus | None
    starts_on: date
    ends_on: date = Field(description="The first day (UTC) of the next period.")

    @classmethod
    def of(cls, state: BudgetState) -> BudgetOut:
        budget, spent = state.budget, state.spent_usd
        return cls(
            id=budget.id,
            scope=budget.scope,
            subject=budget.subject,
            period=budget.period,
            limit_usd=float(budget.limit_usd),
            spent_usd=None if spent is None else float(spent),
            state=None if spent is None else _status(spent, budget.limit_usd),
            starts_on=state.account.starts_on,
            ends_on=budget.period.end(state.account.starts_on),
        )


class BudgetList(BaseModel):
    budgets: list[BudgetOut]


def _status(spent: Decimal, limit: Decimal) -> BudgetStatus:
    if spent >= limit:
        return BudgetStatus.EXHAUSTED
    return BudgetStatus.WARNING if spent >= limit * WARNING_SHARE else BudgetStatus.OK
