"""Histograms of durations that can be added up over hours, processes and years, and the quantiles of the sum.

DDSketch with fixed buckets (Masson, Rim, Lee: "DDSketch: a fast and fully-mergeable quantile sketch", VLDB 2019): bucket
ends grow by the same factor, and a quantile is told as the middle of its bucket, so that it is at most `RELATIVE_ERROR`
away from a value that was measured, however many sketches were added up. That holds from `FIRST_END_MS` to 27 minutes; what
is shorter counts as 1 ms, what is longer as 27 minutes. One array holds the buckets of all stages, one stage after the other
in the order of `STAGES`.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Final

import numpy as np
from numpy.typing import NDArray

RELATIVE_ERROR: Final = 0.025
BUCKETS: Final = 288
FIRST_END_MS: Final = 1.0
STAGES: Final = ("total", "load", "understand", "retrieve", "generate", "search", "wait", "run")
"""Of an answer: `total` to `generate`. `search`: a search. `wait` and `run`: of a document's job, until and while it is read."""
LENGTH: Final = len(STAGES) * BUCKETS

_GROWTH: Final = (1 + RELATIVE_ERROR) / (1 - RELATIVE_ERROR)
_PER_LOG: Final = 1 / math.log(_GROWTH)
_QUANTILES: Final = (50, 95, 99)

Sketch = NDArray[np.float32]


def bucket_of(milliseconds: float) -> int:
    """0 up to `FIRST_END_MS`, `BUCKETS - 1` for everything above the last end."""
    if milliseconds <= FIRST_END_MS:
        return 0
    return min(BUCKETS - 1, math.ceil(math.log(milliseconds / FIRST_END_MS) * _PER_LOG))


def places_of(timings_ms: Mapping[str, float]) -> list[int]:
    """Where these timings count in an array of `LENGTH`; stages that are not in `STAGES` are left out."""
    return [_STAGE_START[stage] + bucket_of(took) for stage, took in timings_ms.items() if stage in _STAGE_START]


_STAGE_START: Final = {stage: number * BUCKETS for number, stage in enumerate(STAGES)}


def slice_of(stage: str) -> slice:
    """The buckets of one stage."""
    return slice(_STAGE_START[stage], _STAGE_START[stage] + BUCKETS)


def quantile(buckets: Sequence[float] | Sketch, percent: float) -> float | None:
    """In milliseconds; None where nothing was counted."""
    seen = np.cumsum(np.asarray(buckets, dtype=np.float64))
    if len(seen) == 0 or seen[-1] <= 0:
        return None
    number = int(np.searchsorted(seen, seen[-1] * percent / 100))
    return _middle_ms(min(number, BUCKETS - 1))


def quantiles(buckets: Sequence[float] | Sketch) -> dict[str, float] | None:
    """`p50`, `p95` and `p99` in milliseconds; None where nothing was counted."""
    found = {f"p{percent}": quantile(buckets, percent) for percent in _QUANTILES}
    return {name: round(value, 2) for name, value in found.items() if value is not None} or None


def by_stage(sketch: Sequence[float] | Sketch) -> dict[str, dict[str, float]]:
    """The quantiles of each stage that was measured."""
    found = {stage: quantiles(sketch[slice_of(stage)]) for stage in STAGES}
    return {stage: values for stage, values in found.items() if values is not None}


def _middle_ms(bucket: int) -> float:
    """The value that is equally far, relatively, from both ends of the bucket."""
    end = FIRST_END_MS * _GROWTH**bucket
    return FIRST_END_MS if bucket == 0 else 2 * end / (1 + _GROWTH)
