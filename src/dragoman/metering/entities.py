"""Usage records, budgets, and whom a model call is written down for."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import date, datetime, timedelta
from decimal import Decimal
from enum import StrEnum
from uuid import UUID


@dataclass(frozen=True, slots=True, kw_only=True)
class UsageRecord:
    """One model call: who caused it, what it took.

    Attributes:
        kind: the port that was called: `llm`, `embedder`, `reranker`, `translator`, `judge`.
        purpose: what it was for, e.g. `answer`, `question`, `ingestion`.
        asker, session_id: of the conversation that caused it; None where there was none.
    """

    id: UUID
    tenant_id: UUID
    chatbot_id: UUID | None
    purpose: str
    adapter: str
    model: str
    input_tokens: int
    output_tokens: int
    cost_usd: Decimal
    latency_ms: float
    error_code: str | None
    created_at: datetime
    kind: str = "llm"
    asker: str | None = None
    session_id: UUID | None = None


@dataclass(slots=True)
class Bill:
    """The model calls of one answer, as they are made."""

    records: list[UsageRecord] = field(default_factory=list)

    @property
    def cost_usd(self) -> Decimal:
        return sum((record.cost_usd for record in self.records), Decimal(0))

    def calls(self, kind: str) -> Sequence[UsageRecord]:
        """Those of a port that gave something, or took something before they failed."""
        return [record for record in self.records if record.kind == kind and not _is_void(record)]


def _is_void(record: UsageRecord) -> bool:
    return record.error_code is not None and record.input_tokens == record.output_tokens == 0


@dataclass(frozen=True, slots=True, kw_only=True)
class Spender:
    """Whose money a call is: besides the tenant and the chatbot, the asker; and the bill of the answer it belongs to."""

    asker: str | None = None
    session_id: UUID | None = None
    bill: Bill | None = None


NOBODY = Spender()


class BudgetScope(StrEnum):
    """Whose spending a budget bounds: all of the tenant, of a chatbot, of a user (asker)."""

    TENANT = "tenant"
    CHATBOT = "chatbot"
    USER = "user"


class BudgetPeriod(StrEnum):
    """Days and months of UTC."""

    DAY = "day"
    MONTH = "month"

    def start(self, moment: datetime) -> date:
        """The first day of the period that holds this moment."""
        day = moment.date()
        return day if self is BudgetPeriod.DAY else day.replace(day=1)

    def end(self, start: date) -> date:
        """The first day of the next period."""
        if self is BudgetPeriod.DAY:
            return start + timedelta(days=1)
        return (start + timedelta(days=31)).replace(day=1)


@dataclass(frozen=True, slots=True, kw_only=True)
class Budget:
    """A limit in US dollars.

    Attributes:
        id: None for one of the installation, from `configs/cost_limits.yaml`: it bounds every tenant, and no tenant can
            raise it.
        subject: the chatbot's id or the asker; empty: each chatbot, or each asker, that has no budget of its own.
    """

    id: UUID | None
    scope: BudgetScope
    subject: str
    period: BudgetPeriod
    limit_usd: Decimal


@dataclass(frozen=True, slots=True, kw_only=True)
class Account:
    """What a budget counts: the spending of one subject in one period. `subject` is empty for the tenant only."""

    scope: BudgetScope
    subject: str
    period: BudgetPeriod
    starts_on: date


@dataclass(frozen=True, slots=True, kw_only=True)
class Spending:
    """What an account holds. `spent_usd` includes the estimates of calls that are still running."""

    account: Account
    spent_usd: Decimal
    warned_at: datetime | None
    exhausted_at: datetime | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Reservation:
    """Money set aside for one call until it is settled."""

    tenant_id: UUID
    estimate_usd: Decimal
    accounts: Sequence[Account]


@dataclass(frozen=True, slots=True, kw_only=True)
class UsageLine:
    """Usage summed up over all calls that share a key: a day, a model, a purpose, a chatbot, an asker, a session."""

    key: str | None
    calls: int
    failed_calls: int
    input_tokens: int
    output_tokens: int
    cost_usd: Decimal
    average_latency_ms: float
