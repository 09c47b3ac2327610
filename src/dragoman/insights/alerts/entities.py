"""Signals that can be watched, rules over them, readings, alerts, silences, channels."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from typing import Literal
from uuid import UUID


class Severity(StrEnum):
    """From what can wait to what cannot."""

    INFO = "info"
    WARNING = "warning"
    CRITICAL = "critical"

    @property
    def rank(self) -> int:
        return list(Severity).index(self)


class Signal(StrEnum):
    """What a rule watches. Shares are 0 to 1; `…_RISE` and `…_FALL` are differences of shares."""

    SEARCH_P95_MS = "search_p95_ms"
    ANSWER_P95_MS = "answer_p95_ms"
    REFUSAL_SHARE = "refusal_share"
    REFUSAL_RISE = "refusal_rise"
    SATISFACTION_FALL = "satisfaction_fall"
    DEGRADED_SHARE = "degraded_share"
    MODEL_ERROR_SHARE = "model_error_share"
    JOB_FAILURE_SHARE = "job_failure_share"
    OLDEST_JOB_S = "oldest_job_s"
    SPENT_USD = "spent_usd"
    BUDGET_SHARE = "budget_share"
    STALLED_S = "stalled_s"
    WORKERS = "workers"
    DISK_FREE_GIB = "disk_free_gib"
    DATABASE_CONNECTION_SHARE = "database_connection_share"
    LONGEST_TRANSACTION_S = "longest_transaction_s"
    CACHE_DOWN = "cache_down"


INSTALLATION_SIGNALS = frozenset(
    {
        Signal.STALLED_S,
        Signal.WORKERS,
        Signal.DISK_FREE_GIB,
        Signal.DATABASE_CONNECTION_SHARE,
        Signal.LONGEST_TRANSACTION_S,
        Signal.CACHE_DOWN,
    }
)
"""They tell of the whole installation: only its operator's tenant watches them."""
LOW_IS_BAD = frozenset({Signal.WORKERS, Signal.DISK_FREE_GIB})
"""Fire below their threshold; all others above."""
OF_TENANT_ONLY = frozenset({Signal.OLDEST_JOB_S, Signal.BUDGET_SHARE}) | INSTALLATION_SIGNALS
"""Are not told of one chatbot."""


class AlertState(StrEnum):
    """`pending`: beyond its threshold, but not for long enough. `firing`. `resolved`: history."""

    PENDING = "pending"
    FIRING = "firing"
    RESOLVED = "resolved"


@dataclass(frozen=True, slots=True, kw_only=True)
class Rule:
    """When a signal is bad.

    Attributes:
        builtin: the name of the built-in rule that this is or changes; None for one of the tenant's own.
        chatbot_id: watched alone; None: all of the tenant together.
        threshold: beyond it the signal is bad.
        clears_at: it is good again at this value or better; between the two nothing changes (hysteresis).
        window_s: the time that a reading tells of, up to now.
        for_s: it must be bad for so long before the alert fires, and good for so long (a minute at least) before it ends.
        min_samples: with fewer questions, searches, calls or ratings in the window nothing is said.
        is_changed: the tenant has a row for it.
    """

    id: UUID
    name: str
    signal: Signal
    threshold: float
    clears_at: float
    window_s: int
    for_s: int
    min_samples: int
    severity: Severity
    builtin: str | None = None
    chatbot_id: UUID | None = None
    is_enabled: bool = True
    is_changed: bool = False

    @property
    def fires_below(self) -> bool:
        return self.signal in LOW_IS_BAD

    @property
    def is_of_installation(self) -> bool:
        return self.signal in INSTALLATION_SIGNALS

    def is_bad(self, value: float) -> bool:
        return value < self.threshold if self.fires_below else value > self.threshold

    def is_good(self, value: float) -> bool:
        return value >= self.clears_at if self.fires_below else value <= self.clears_at

    def worse(self, one: float, other: float) -> float:
        return min(one, other) if self.fires_below else max(one, other)


@dataclass(frozen=True, slots=True, kw_only=True)
class Reading:
    """A signal now, and how many questions, searches, calls, jobs or ratings it is made of."""

    value: float
    samples: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Alert:
    """One episode of a rule.

    Attributes:
        worst: the worst value that was read in it.
        better_since: while it fires: since when the signal is good again.
        resolved_because: `recovered`, `no_data`, or `rule_changed`.
        notified_at: when the channels were told that it fires; None while it is silenced from its begin.
    """

    id: UUID
    rule_id: UUID
    rule_name: str
    signal: Signal
    severity: Severity
    chatbot_id: UUID | None
    state: AlertState
    value: float
    worst: float
    threshold: float
    samples: int
    started_at: datetime
    fired_at: datetime | None = None
    better_since: datetime | None = None
    resolved_at: datetime | None = None
    resolved_because: str | None = None
    notified_at: datetime | None = None
    acknowledged_at: datetime | None = None
    acknowledged_by: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Silence:
    """Nobody is told of alerts of this rule until then."""

    rule_id: UUID
    until: datetime
    by: str
    comment: str


ChannelKind = Literal["webhook", "mail"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Channel:
    """Where alerts are told.

    Attributes:
        target: address of the webhook, or of the mail.
        sealed_secret: signs what a webhook receives; None for mails.
        user_id: who is mailed; None for webhooks.
    """

    id: UUID
    kind: ChannelKind
    target: str
    user_id: UUID | None
    sealed_secret: str | None
    least_severity: Severity
    last_error: str | None
    last_delivered_at: datetime | None
    created_at: datetime
