"""The built-in rules as rules of Prometheus: `python -m dragoman.insights.alerts.prometheus` writes them.

For each rule two recorded series (`dragoman:<signal>`, and what it is made of), which have data whether anything is wrong or
not, and an alert over them with the same threshold, duration and least number of samples. Prometheus watches the whole
installation and still watches when the database, the scheduler or the machine is away; only there `DragomanDown` is told.
"""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any, Final

import yaml

from dragoman.insights.alerts.rules import BUILTIN, Builtin

HEAD: Final = (
    "# Made of src/dragoman/insights/alerts/rules.py by `python -m dragoman.insights.alerts.prometheus`: change it there.\n"
    "# Load it in prometheus.yml: `rule_files: [rules.yml]`. docs/how-to/alerts.md tells more.\n"
)
_DOWN: Final = {
    "alert": "DragomanDown",
    "expr": 'up{job=~"dragoman.*"} == 0',
    "for": "1m",
    "labels": {"severity": "critical"},
    "annotations": {
        "summary": "A process of Dragoman does not answer Prometheus.",
        "description": "Look whether it runs: `dragoman doctor`.",
    },
}


def rules_file() -> str:
    """The content of `deploy/prometheus/rules.yml`."""
    watched = [builtin for builtin in BUILTIN if builtin.query is not None]
    groups = [
        {
            "name": "dragoman-signals",
            "interval": "30s",
            "rules": [recorded for builtin in watched for recorded in _recorded(builtin)],
        },
        {"name": "dragoman-alerts", "interval": "30s", "rules": [*(_alert(builtin) for builtin in watched), _DOWN]},
    ]
    return HEAD + yaml.safe_dump({"groups": groups}, sort_keys=False, width=1000, allow_unicode=True)


def _recorded(builtin: Builtin) -> list[dict[str, Any]]:
    recorded = [{"record": f"dragoman:{builtin.signal.value}", "expr": builtin.query}]
    if builtin.samples is not None:
        recorded.append(
            {"record": f"dragoman:{builtin.signal.value}:samples", "expr": f"{builtin.samples} or vector(0)"}
        )
    return recorded


def _alert(builtin: Builtin) -> dict[str, Any]:
    sign = "<" if builtin.rule.fires_below else ">"
    expression = f"dragoman:{builtin.signal.value} {sign} {builtin.prometheus_threshold:g}"
    if builtin.samples is not None:
        expression += f" and on() dragoman:{builtin.signal.value}:samples >= {builtin.min_samples}"
    return {
        "alert": alert_name(builtin),
        "expr": expression,
        "for": f"{builtin.for_s}s",
        "labels": {"severity": builtin.severity.value},
        "annotations": {"summary": builtin.summary, "description": builtin.remedy},
    }


def alert_name(builtin: Builtin) -> str:
    """`slow-search` is `DragomanSlowSearch`."""
    return "Dragoman" + "".join(word.capitalize() for word in builtin.name.split("-"))


if __name__ == "__main__":
    target = Path(sys.argv[1] if len(sys.argv) > 1 else "deploy/prometheus/rules.yml")
    target.parent.mkdir(parents=True, exist_ok=True)
    target.write_text(rules_file(), encoding="utf-8")
