"""The built-in rules, each with the same question for Prometheus: `prometheus.py` makes `deploy/prometheus/rules.yml` of them.

Thresholds are meant to be right for most and loud for none: a tenant changes or switches off what does not fit.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final
from uuid import UUID, uuid5

from dragoman.insights.alerts.entities import Rule, Severity, Signal

_NAMESPACE: Final = UUID("5b0c4f5e-6f57-4c7e-9a35-6f2a86f7f0d1")
_MINUTE: Final = 60
_HOUR: Final = 3600
_DAY: Final = 86_400


@dataclass(frozen=True, slots=True, kw_only=True)
class Builtin:
    """A built-in rule.

    Attributes:
        summary: what is wrong, in a sentence that a person is told.
        remedy: what to look at.
        query: PromQL of the same signal, for the whole installation; gives data whether it is bad or not. None where no metric tells it.
        query_threshold: where the query counts otherwise than the signal; None: `threshold` holds for both.
        samples: PromQL of how much the query is made of; None where one reading is enough.
    """

    name: str
    signal: Signal
    threshold: float
    clears_at: float
    window_s: int
    for_s: int
    min_samples: int
    severity: Severity
    summary: str
    remedy: str
    query: str | None
    samples: str | None = None
    query_threshold: float | None = None

    @property
    def prometheus_threshold(self) -> float:
        return self.threshold if self.query_threshold is None else self.query_threshold

    @property
    def rule(self) -> Rule:
        return Rule(
            id=uuid5(_NAMESPACE, self.name),
            name=self.name,
            signal=self.signal,
            threshold=self.threshold,
            clears_at=self.clears_at,
            window_s=self.window_s,
            for_s=self.for_s,
            min_samples=self.min_samples,
            severity=self.severity,
            builtin=self.name,
        )


def _sum(metric: str, selector: str, window: str) -> str:
    return f"sum(increase({metric}{{{selector}}}[{window}]))"


_SEARCHES: Final = 'route=~"/api/search/?"'
_ANSWERS: Final = 'route=~"/api/chatbot/sessions/{session_id}/messages/(stream/)?"'
_ENDED: Final = 'outcome=~"succeeded|failed"'


def _p95_ms(selector: str) -> str:
    return (
        f"1000 * histogram_quantile(0.95, sum by (le) (rate(dragoman_http_request_seconds_bucket{{{selector}}}[10m])))"
    )


def _share(metric: str, part: str, whole: str, window: str) -> str:
    """0 where there was nothing to have a share of."""
    return f"(({_sum(metric, part, window)} or vector(0)) / ({_sum(metric, whole, window)} > 0)) or vector(0)"


def _difference(metric: str, part: str, window: str, less: str) -> str:
    return f"({_share(metric, part, '', window)}) - ({_share(metric, part, '', less)})"


BUILTIN: Final = (
    Builtin(
        name="slow-search",
        signal=Signal.SEARCH_P95_MS,
        threshold=1000,
        clears_at=800,
        window_s=10 * _MINUTE,
        for_s=2 * _MINUTE,
        min_samples=20,
        severity=Severity.WARNING,
        summary="Searches are slow: the slowest twentieth takes longer than a second.",
        remedy="Look at the load of the machine, the embedder and `GET /api/metrics/search`.",
        query=_p95_ms(_SEARCHES),
        samples=_sum("dragoman_http_request_seconds_count", _SEARCHES, "10m"),
    ),
    Builtin(
        name="slow-answers",
        signal=Signal.ANSWER_P95_MS,
        threshold=20_000,
        clears_at=15_000,
        window_s=10 * _MINUTE,
        for_s=5 * _MINUTE,
        min_samples=20,
        severity=Severity.WARNING,
        summary="Answers are slow: the slowest twentieth takes longer than 20 seconds.",
        remedy="Look at the stages in `GET /api/analytics/{chatbot_id}`: mostly it is the language model.",
        query=_p95_ms(_ANSWERS),
        samples=_sum("dragoman_http_request_seconds_count", _ANSWERS, "10m"),
    ),
    Builtin(
        name="rising-refusals",
        signal=Signal.REFUSAL_RISE,
        threshold=0.2,
        clears_at=0.1,
        window_s=_HOUR,
        for_s=10 * _MINUTE,
        min_samples=30,
        severity=Severity.WARNING,
        summary='"I don\'t know" is answered far more often than in the week before.',
        remedy="Look at the unanswered questions in `GET /api/analytics/{chatbot_id}`: a document may be gone or missing.",
        query=_difference("dragoman_answers_total", 'outcome="refused"', "1h", "7d"),
        samples=_sum("dragoman_answers_total", "", "1h"),
    ),
    Builtin(
        name="falling-satisfaction",
        signal=Signal.SATISFACTION_FALL,
        threshold=0.2,
        clears_at=0.1,
        window_s=_DAY,
        for_s=10 * _MINUTE,
        min_samples=15,
        severity=Severity.WARNING,
        summary="People rate answers worse than in the four weeks before.",
        remedy="Look at the feedback of the day: what is asked, and which documents the answers cite.",
        query=_difference("dragoman_feedback_total", 'rating="up"', "28d", "1d"),
        samples=_sum("dragoman_feedback_total", "", "1d"),
    ),
    Builtin(
        name="degraded-answers",
        signal=Signal.DEGRADED_SHARE,
        threshold=0.3,
        clears_at=0.2,
        window_s=15 * _MINUTE,
        for_s=5 * _MINUTE,
        min_samples=20,
        severity=Severity.WARNING,
        summary="Many answers miss something: a model, the translator or an index does not do its part.",
        remedy="`degraded_rungs` in `GET /api/analytics/{chatbot_id}` names what; `dragoman doctor` tells more.",
        query="((sum(increase(dragoman_degraded_total[15m])) or vector(0)) / "
        "(sum(increase(dragoman_answers_total[15m])) > 0)) or vector(0)",
        samples=_sum("dragoman_answers_total", "", "15m"),
    ),
    Builtin(
        name="model-errors",
        signal=Signal.MODEL_ERROR_SHARE,
        threshold=0.1,
        clears_at=0.05,
        window_s=15 * _MINUTE,
        for_s=2 * _MINUTE,
        min_samples=20,
        severity=Severity.CRITICAL,
        summary="More than a tenth of the model calls fail.",
        remedy="`errors` in `GET /api/analytics/{chatbot_id}` names the codes: keys, quotas, budgets or an outage.",
        query=_share("dragoman_model_calls_total", 'outcome!="ok"', "", "15m"),
        samples=_sum("dragoman_model_calls_total", "", "15m"),
    ),
    Builtin(
        name="failing-jobs",
        signal=Signal.JOB_FAILURE_SHARE,
        threshold=0.2,
        clears_at=0.1,
        window_s=30 * _MINUTE,
        for_s=2 * _MINUTE,
        min_samples=10,
        severity=Severity.WARNING,
        summary="More than a fifth of the jobs fail.",
        remedy="`dragoman jobs list --state failed` tells why each of them did.",
        query=_share("dragoman_jobs_finished_total", 'outcome="failed"', _ENDED, "30m"),
        samples=_sum("dragoman_jobs_finished_total", _ENDED, "30m"),
    ),
    Builtin(
        name="waiting-jobs",
        signal=Signal.OLDEST_JOB_S,
        threshold=1800,
        clears_at=600,
        window_s=_MINUTE,
        for_s=5 * _MINUTE,
        min_samples=1,
        severity=Severity.WARNING,
        summary="A job waits for longer than half an hour.",
        remedy="A large import may be running; more workers make it shorter.",
        query="max(dragoman_jobs_oldest_waiting_seconds)",
    ),
    Builtin(
        name="budget-nearly-spent",
        signal=Signal.BUDGET_SHARE,
        threshold=0.9,
        clears_at=0.9,
        window_s=_MINUTE,
        for_s=0,
        min_samples=1,
        severity=Severity.WARNING,
        summary="A budget is nearly spent; beyond it paid models are no longer called.",
        remedy="`GET /api/budgets/` tells which; raise it, or choose cheaper models.",
        query="sum(increase(dragoman_budget_refusals_total[1h])) or vector(0)",  # metrics know no tenant's budget
        query_threshold=0,
    ),
    Builtin(
        name="spend",
        signal=Signal.SPENT_USD,
        threshold=100,
        clears_at=100,
        window_s=_DAY,
        for_s=0,
        min_samples=1,
        severity=Severity.WARNING,
        summary="Model calls of the last 24 hours cost more than the threshold.",
        remedy="`dragoman analytics` tells which model and for what; set a budget if it shall not go on.",
        query="sum(increase(dragoman_model_cost_usd_total[1d])) or vector(0)",
    ),
    Builtin(
        name="no-worker",
        signal=Signal.STALLED_S,
        threshold=120,
        clears_at=30,
        window_s=_MINUTE,
        for_s=_MINUTE,
        min_samples=1,
        severity=Severity.CRITICAL,
        summary="Jobs wait and none is run: no worker works.",
        remedy="Start `dragoman worker`, or look at its log.",
        query='max(dragoman_jobs_oldest_waiting_seconds) * (sum(dragoman_jobs{state="running"}) == bool 0)',
    ),
    Builtin(
        name="disk-nearly-full",
        signal=Signal.DISK_FREE_GIB,
        threshold=5,
        clears_at=6,
        window_s=_MINUTE,
        for_s=2 * _MINUTE,
        min_samples=1,
        severity=Severity.CRITICAL,
        summary="Less than 5 GiB are free where this installation keeps its files.",
        remedy="Make space, or move the home: a full disk stops the database.",
        query="min(dragoman_home_free_bytes) / 2^30",
    ),
    Builtin(
        name="database-connections",
        signal=Signal.DATABASE_CONNECTION_SHARE,
        threshold=0.85,
        clears_at=0.75,
        window_s=_MINUTE,
        for_s=2 * _MINUTE,
        min_samples=1,
        severity=Severity.WARNING,
        summary="More than 85 % of the connections that PostgreSQL allows are in use.",
        remedy="Lower DRAGOMAN_DATABASE_POOL_SIZE or raise `max_connections`.",
        query="sum(dragoman_database_connections_in_use) / sum(dragoman_database_connections_limit)",
    ),
    Builtin(
        name="long-transaction",
        signal=Signal.LONGEST_TRANSACTION_S,
        threshold=900,
        clears_at=300,
        window_s=_MINUTE,
        for_s=_MINUTE,
        min_samples=1,
        severity=Severity.WARNING,
        summary="A transaction is open for longer than a quarter of an hour: dead rows cannot be removed meanwhile.",
        remedy="`GET /api/metrics/database` tells its age; look in `pg_stat_activity` who holds it.",
        query=None,
    ),
    Builtin(
        name="cache-down",
        signal=Signal.CACHE_DOWN,
        threshold=0.5,
        clears_at=0.5,
        window_s=_MINUTE,
        for_s=2 * _MINUTE,
        min_samples=1,
        severity=Severity.WARNING,
        summary="Valkey does not answer: everything is slower, and wake-ups and live events are late.",
        remedy="Start it, or correct DRAGOMAN_CACHE_URL.",
        query="sum(increase(dragoman_cache_errors_total[5m])) or vector(0)",
        query_threshold=5,
    ),
)
"""In the order in which they are listed."""

BUILTIN_BY_NAME: Final = {builtin.name: builtin for builtin in BUILTIN}
BUILTIN_BY_ID: Final = {builtin.rule.id: builtin for builtin in BUILTIN}
BUILTIN_BY_SIGNAL: Final = {builtin.signal: builtin for builtin in BUILTIN}
