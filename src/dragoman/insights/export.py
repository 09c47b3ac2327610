"""The bars of a report as CSV (RFC 4180)."""

from __future__ import annotations

import csv
import io
from typing import Final

from dragoman.insights.schemas import AnalyticsReportOut, CountsOut

_QUANTILES: Final = ("p50", "p95", "p99")


def as_csv(report: AnalyticsReportOut) -> str:
    """A line for each hour or day, with names in the first."""
    names = list(CountsOut.model_fields)
    target = io.StringIO()
    writer = csv.writer(target, lineterminator="\r\n")
    writer.writerow(["starts_at", *names, *(f"latency_{name}_ms" for name in _QUANTILES)])
    for bar in report.bars:
        latencies = [getattr(bar.latency_ms, name) if bar.latency_ms else "" for name in _QUANTILES]
        values = ["" if (value := getattr(bar, name)) is None else value for name in names]
        writer.writerow([bar.starts_at.isoformat(), *values, *latencies])
    return target.getvalue()
