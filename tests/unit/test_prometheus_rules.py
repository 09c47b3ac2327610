"""The rules of Prometheus are those of the code, and promtool understands and fires them."""

from __future__ import annotations

import shutil
import subprocess
from pathlib import Path
from typing import Any

import pytest
import yaml

from dragoman.insights.alerts.prometheus import alert_name, rules_file
from dragoman.insights.alerts.rules import BUILTIN, BUILTIN_BY_NAME, Builtin

FILE = Path(__file__).resolve().parents[2] / "deploy/prometheus/rules.yml"
WATCHED = [builtin for builtin in BUILTIN if builtin.query is not None]
PROMTOOL = shutil.which("promtool")
needs_promtool = pytest.mark.skipif(PROMTOOL is None, reason="promtool is missing: install the package `prometheus`")

# For each rule series that are bad, and the same that are good; one sample a minute.
_BUCKETS = "dragoman_http_request_seconds_bucket"
_SEARCH = 'route="/api/search"'
_MESSAGES = 'route="/api/chatbot/sessions/{session_id}/messages/"'


def _latencies(route: str, slow: int, fast: int) -> dict[str, str]:
    return {
        f'{_BUCKETS}{{{route},le="0.5"}}': f"0+{fast}x200",
        f'{_BUCKETS}{{{route},le="10"}}': f"0+{fast}x200",
        f'{_BUCKETS}{{{route},le="30"}}': f"0+{fast + slow}x200",
        f'{_BUCKETS}{{{route},le="+Inf"}}': f"0+{fast + slow}x200",
        f"dragoman_http_request_seconds_count{{{route}}}": f"0+{fast + slow}x200",
    }


SERIES: dict[str, tuple[dict[str, str], dict[str, str]]] = {
    "slow-search": (_latencies(_SEARCH, 10, 1), _latencies(_SEARCH, 0, 10)),
    "slow-answers": (_latencies(_MESSAGES, 10, 1), _latencies(_MESSAGES, 0, 10)),
    "rising-refusals": (
        {
            'dragoman_answers_total{outcome="refused"}': "0x119 0+9x80",
            'dragoman_answers_total{outcome="answered"}': "0+10x200",
        },
        {
            'dragoman_answers_total{outcome="refused"}': "0+1x200",
            'dragoman_answers_total{outcome="answered"}': "0+10x200",
        },
    ),
    "falling-satisfaction": (
        {},  # two days do not fit into a test of promtool; the good side is looked at
        {'dragoman_feedback_total{rating="up"}': "0+9x200", 'dragoman_feedback_total{rating="down"}': "0+1x200"},
    ),
    "degraded-answers": (
        {'dragoman_degraded_total{what="judge"}': "0+5x200", 'dragoman_answers_total{outcome="answered"}': "0+10x200"},
        {'dragoman_degraded_total{what="judge"}': "0+1x200", 'dragoman_answers_total{outcome="answered"}': "0+10x200"},
    ),
    "model-errors": (
        {
            'dragoman_model_calls_total{outcome="llm.down"}': "0+5x200",
            'dragoman_model_calls_total{outcome="ok"}': "0+10x200",
        },
        {'dragoman_model_calls_total{outcome="ok"}': "0+10x200"},
    ),
    "failing-jobs": (
        {
            'dragoman_jobs_finished_total{outcome="failed"}': "0+5x200",
            'dragoman_jobs_finished_total{outcome="succeeded"}': "0+5x200",
        },
        {
            'dragoman_jobs_finished_total{outcome="retried"}': "0+50x200",
            'dragoman_jobs_finished_total{outcome="succeeded"}': "0+5x200",
        },
    ),
    "waiting-jobs": (
        {'dragoman_jobs_oldest_waiting_seconds{priority="bulk"}': "4000x200"},
        {'dragoman_jobs_oldest_waiting_seconds{priority="bulk"}': "40x200"},
    ),
    "budget-nearly-spent": (
        {'dragoman_budget_refusals_total{scope="tenant"}': "0+1x200"},
        {'dragoman_budget_refusals_total{scope="tenant"}': "5x200"},
    ),
    "spend": (
        {'dragoman_model_cost_usd_total{purpose="answer"}': "0+2x200"},
        {'dragoman_model_cost_usd_total{purpose="answer"}': "0+0.1x200"},
    ),
    "no-worker": (
        {'dragoman_jobs_oldest_waiting_seconds{priority="user"}': "500x200", 'dragoman_jobs{state="running"}': "0x200"},
        {'dragoman_jobs_oldest_waiting_seconds{priority="user"}': "500x200", 'dragoman_jobs{state="running"}': "1x200"},
    ),
    "disk-nearly-full": (
        {"dragoman_home_free_bytes": "1000000000x200"},
        {"dragoman_home_free_bytes": "100000000000x200"},
    ),
    "database-connections": (
        {"dragoman_database_connections_in_use": "19x200", "dragoman_database_connections_limit": "20x200"},
        {"dragoman_database_connections_in_use": "9x200", "dragoman_database_connections_limit": "20x200"},
    ),
    "cache-down": (
        {"dragoman_cache_errors_total": "0+30x200"},
        {"dragoman_cache_errors_total": "7x200"},
    ),
}


def test_the_committed_rules_are_those_of_the_code() -> None:
    assert FILE.read_text(encoding="utf-8") == rules_file(), "Run `python -m dragoman.insights.alerts.prometheus`."


def test_each_watched_rule_has_series_here() -> None:
    assert set(SERIES) == {builtin.name for builtin in WATCHED}


@needs_promtool
def test_promtool_accepts_the_rules() -> None:
    checked = subprocess.run([str(PROMTOOL), "check", "rules", str(FILE)], capture_output=True, text=True, check=False)
    assert checked.returncode == 0, checked.stdout + checked.stderr


def _case(builtin: Builtin, series: dict[str, str], *, fires: bool) -> dict[str, Any]:
    expected = {
        "exp_labels": {"severity": builtin.severity.value},
        "exp_annotations": {"summary": builtin.summary, "description": builtin.remedy},
    }
    return {
        "interval": "1m",
        "name": f"{builtin.name} {'bad' if fires else 'good'}",
        "input_series": [{"series": name, "values": values} for name, values in series.items()],
        "alert_rule_test": [
            {"eval_time": "180m", "alertname": alert_name(builtin), "exp_alerts": [expected] if fires else []}
        ],
        "promql_expr_test": [
            {
                "expr": f"count(dragoman:{builtin.signal.value})",
                "eval_time": "180m",
                "exp_samples": [{"labels": "{}", "value": 1}],
            }
        ],
    }


@needs_promtool
@pytest.mark.parametrize("name", SERIES)
def test_each_rule_fires_on_what_is_bad_stays_quiet_on_what_is_good_and_always_has_data(
    name: str, tmp_path: Path
) -> None:
    builtin = BUILTIN_BY_NAME[name]
    bad, good = SERIES[name]
    cases = [_case(builtin, good, fires=False)]
    if bad:
        cases.append(_case(builtin, bad, fires=True))
    file = tmp_path / "tests.yml"
    content = {"rule_files": [str(FILE)], "evaluation_interval": "30s", "tests": cases}
    file.write_text(yaml.safe_dump(content), encoding="utf-8")
    tested = subprocess.run([str(PROMTOOL), "test", "rules", str(file)], capture_output=True, text=True, check=False)
    assert tested.returncode == 0, tested.stdout + tested.stderr
