"""How an alert goes from state to state."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from uuid import uuid4

import pytest

from dragoman.insights.alerts.entities import Alert, AlertState, Reading, Rule, Severity, Signal
from dragoman.insights.alerts.machine import step
from dragoman.insights.alerts.rules import BUILTIN

_BEGIN = datetime(2026, 1, 1, tzinfo=UTC)
RULE = Rule(
    id=uuid4(),
    name="refusals",
    signal=Signal.REFUSAL_SHARE,
    threshold=0.4,
    clears_at=0.2,
    window_s=600,
    for_s=120,
    min_samples=20,
    severity=Severity.WARNING,
)


def _run(readings: list[Reading | None], rule: Rule = RULE) -> list[Alert | None]:
    """The alert after each reading, one a minute."""
    alert: Alert | None = None
    seen: list[Alert | None] = []
    for minute, reading in enumerate(readings):
        alert = step(rule, alert, reading, _BEGIN + timedelta(minutes=minute))
        seen.append(alert)
        if alert is not None and alert.state is AlertState.RESOLVED:
            alert = None
    return seen


def _states(readings: list[Reading | None], rule: Rule = RULE) -> list[str | None]:
    return [None if alert is None else alert.state.value for alert in _run(readings, rule)]


BAD, GOOD, BETWEEN = (Reading(value=value, samples=50) for value in (0.6, 0.1, 0.3))
FEW = Reading(value=1.0, samples=1)


def test_an_alert_fires_when_it_was_bad_for_long_enough() -> None:
    assert _states([GOOD, BAD, BAD, BAD]) == [None, "pending", "pending", "firing"]


def test_a_short_spike_never_fires() -> None:
    assert _states([BAD, BAD, GOOD, BAD]) == ["pending", "pending", None, "pending"]


def test_one_bad_answer_at_night_says_nothing() -> None:
    assert _states([FEW] * 60) == [None] * 60


def test_between_threshold_and_clearing_nothing_changes() -> None:
    assert _states([BAD, BAD, BAD, BETWEEN, BETWEEN, BETWEEN, BETWEEN])[2:] == ["firing"] * 5
    assert _states([BETWEEN] * 5) == [None] * 5


def test_it_is_resolved_when_it_was_good_for_as_long() -> None:
    seen = _run([BAD, BAD, BAD, GOOD, GOOD, GOOD])
    assert [alert.state.value for alert in seen[2:] if alert] == ["firing", "firing", "firing", "resolved"]
    last = seen[-1]
    assert last is not None
    assert (last.resolved_because, last.worst, last.value) == ("recovered", 0.6, 0.1)


def test_a_moment_of_good_does_not_resolve_it() -> None:
    assert _states([BAD, BAD, BAD, GOOD, GOOD, BAD, GOOD, GOOD])[2:] == ["firing"] * 6


def test_without_data_it_ends_and_says_so() -> None:
    seen = _run([BAD, BAD, BAD, None, FEW, None])
    last = seen[-1]
    assert last is not None
    assert (last.state, last.resolved_because) == (AlertState.RESOLVED, "no_data")


def test_a_rule_without_waiting_fires_at_once_and_yet_does_not_flap() -> None:
    assert _states([BAD, GOOD, GOOD], replace(RULE, for_s=0)) == ["firing", "firing", "resolved"]


def test_a_signal_that_is_bad_when_low_fires_below() -> None:
    disk = replace(RULE, signal=Signal.DISK_FREE_GIB, threshold=5, clears_at=6, for_s=0, min_samples=1)
    free = [Reading(value=value, samples=1) for value in (20, 4, 5.5, 7, 7)]
    assert _states(free, disk) == [None, "firing", "firing", "firing", "resolved"]


@pytest.mark.parametrize("builtin", BUILTIN, ids=lambda builtin: builtin.name)
def test_a_built_in_rule_clears_on_the_good_side_of_its_threshold(builtin: object) -> None:
    rule = builtin.rule  # type: ignore[attr-defined]
    assert rule.is_good(rule.clears_at)
    assert not rule.is_bad(rule.clears_at)
    assert rule.window_s >= 60
    assert rule.min_samples >= 1


def test_built_in_rules_have_names_ids_and_signals_of_their_own() -> None:
    assert len({each.name for each in BUILTIN}) == len({each.rule.id for each in BUILTIN}) == len(BUILTIN)
    assert len({each.signal for each in BUILTIN}) == len(BUILTIN)
