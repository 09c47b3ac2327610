"""Histograms of latencies with fixed buckets, which can be added up over days and processes, and percentiles from them.

A bucket ends at 2^(1/4) times the end of the one before: a percentile is the middle of its bucket, so it is at most 9 %
off (between the first and the last bucket, 0.25 ms and 11.6 s). One array holds the buckets of all stages, one stage
after the other in the order of `STAGES`; new stages are added at its end, so that what is stored stays readable.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Final

STAGES: Final = ("total", "load", "understand", "retrieve", "embed", "arms", "texts", "rerank")
BUCKETS: Final = 64
FIRST_END_MS: Final = 0.25
PER_DOUBLING: Final = 4
PERCENTILES: Final = (50, 95, 99)

_LOG_FIRST: Final = math.log2(FIRST_END_MS)


def bucket_of(milliseconds: float) -> int:
    """0 for everything up to `FIRST_END_MS`, `BUCKETS - 1` for everything above the last end."""
    if milliseconds <= FIRST_END_MS:
        return 0
    return min(BUCKETS - 1, math.ceil(PER_DOUBLING * (math.log2(milliseconds) - _LOG_FIRST)))


def add_timings(histogram: list[int], timings_ms: Mapping[str, float]) -> None:
    """Count one search; `histogram` has `len(STAGES) * BUCKETS` places. Other stages are left out."""
    for number, stage in enumerate(STAGES):
        milliseconds = timings_ms.get(stage)
        if milliseconds is not None:
            histogram[number * BUCKETS + bucket_of(milliseconds)] += 1


def new_histogram() -> list[int]:
    return [0] * (len(STAGES) * BUCKETS)


def percentile(buckets: Sequence[int], percent: int) -> float | None:
    """In milliseconds; None where nothing was counted."""
    wanted = sum(buckets) * percent / 100
    if not wanted:
        return None
    seen = 0
    for number, count in enumerate(buckets):
        seen += count
        if seen >= wanted:
            return round(middle_ms(number), 2)
    return None


def percentiles(buckets: Sequence[int]) -> dict[str, float] | None:
    """`p50`, `p95` and `p99` in milliseconds; None where nothing was counted."""
    found = {f"p{percent}": percentile(buckets, percent) for percent in PERCENTILES}
    return {name: value for name, value in found.items() if value is not None} or None


def by_stage(histogram: Sequence[int]) -> dict[str, dict[str, float]]:
    """The percentiles of each stage that was measured."""
    found = {
        stage: percentiles(histogram[number * BUCKETS : (number + 1) * BUCKETS]) for number, stage in enumerate(STAGES)
    }
    return {stage: values for stage, values in found.items() if values is not None}


def middle_ms(bucket: int) -> float:
    return float(FIRST_END_MS * 2 ** ((bucket - 0.5) / PER_DOUBLING))
