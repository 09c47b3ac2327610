"""How an alert goes from state to state: a function without database or clock.

(nothing) -> pending   the signal is beyond its threshold
pending -> firing      it was so for `for_s`
pending -> (nothing)   it is not any more
firing -> resolved     it has been at `clears_at` or better, or without data, for `for_s` and a minute at least
"""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime
from typing import Final

from dragoman.insights.alerts.entities import Alert, AlertState, Reading, Rule
from dragoman.kit.clock import new_id

_LEAST_GOOD_S: Final = 60.0


def step(rule: Rule, active: Alert | None, reading: Reading | None, at: datetime) -> Alert | None:
    """The rule's alert after this reading; None where there is none any more, or none yet.

    `reading`: None where the signal cannot be told.
    """
    known = reading if reading is not None and reading.samples >= rule.min_samples else None
    is_bad = known is not None and rule.is_bad(known.value)
    if active is None:
        return _begun(rule, known, at) if known is not None and is_bad else None
    if known is not None:
        worst = rule.worse(active.worst, known.value) if is_bad else active.worst
        active = replace(active, value=known.value, samples=known.samples, worst=worst)
    if active.state is AlertState.PENDING:
        return _fired_if_due(rule, active, at) if is_bad else None
    return _resolved_if_due(rule, active, known, at)


def _begun(rule: Rule, reading: Reading, at: datetime) -> Alert:
    begun = Alert(
        id=new_id(),
        rule_id=rule.id,
        rule_name=rule.name,
        signal=rule.signal,
        severity=rule.severity,
        chatbot_id=rule.chatbot_id,
        state=AlertState.PENDING,
        value=reading.value,
        worst=reading.value,
        threshold=rule.threshold,
        samples=reading.samples,
        started_at=at,
    )
    return _fired_if_due(rule, begun, at)


def _fired_if_due(rule: Rule, alert: Alert, at: datetime) -> Alert:
    if (at - alert.started_at).total_seconds() < rule.for_s:
        return alert
    return replace(alert, state=AlertState.FIRING, fired_at=at)


def _resolved_if_due(rule: Rule, alert: Alert, reading: Reading | None, at: datetime) -> Alert:
    if reading is not None and not rule.is_good(reading.value):
        return replace(alert, better_since=None)
    since = alert.better_since or at
    if (at - since).total_seconds() < max(rule.for_s, _LEAST_GOOD_S):
        return replace(alert, better_since=since)
    return resolved(alert, "no_data" if reading is None else "recovered", at)


def resolved(alert: Alert, because: str, at: datetime) -> Alert:
    """The alert as history."""
    return replace(alert, state=AlertState.RESOLVED, resolved_at=at, resolved_because=because)
