"""Sketches of durations: their error, and that sums of them tell the same as one over everything."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from dragoman.insights import sketch

_DURATIONS = st.floats(min_value=1.01, max_value=25 * 60_000, allow_nan=False)


def _sketch_of(values: list[float]) -> sketch.Sketch:
    made = np.zeros(sketch.LENGTH, dtype=np.float32)
    for value in values:
        made[sketch.places_of({"total": value})] += 1
    return made


@given(st.lists(_DURATIONS, min_size=1, max_size=200), st.sampled_from([50, 95, 99]))
def test_a_quantile_is_at_most_two_and_a_half_percent_off(values: list[float], percent: int) -> None:
    true = sorted(values)[math.ceil(len(values) * percent / 100) - 1]
    told = sketch.quantile(_sketch_of(values)[sketch.slice_of("total")], percent)
    assert told == pytest.approx(true, rel=sketch.RELATIVE_ERROR + 1e-6)


@given(st.lists(_DURATIONS, max_size=60), st.lists(_DURATIONS, max_size=60))
def test_the_sum_of_two_sketches_is_the_sketch_of_both(left: list[float], right: list[float]) -> None:
    assert np.array_equal(_sketch_of(left) + _sketch_of(right), _sketch_of(left + right))


def test_what_is_shorter_or_longer_than_it_reaches_lands_at_its_ends() -> None:
    assert sketch.bucket_of(0) == sketch.bucket_of(1) == 0
    assert sketch.bucket_of(10**9) == sketch.BUCKETS - 1
    assert sketch.bucket_of(26 * 60_000) < sketch.BUCKETS - 1


def test_stages_do_not_mix_and_unknown_ones_are_left_out() -> None:
    made = np.zeros(sketch.LENGTH, dtype=np.float32)
    made[sketch.places_of({"total": 100.0, "retrieve": 10.0, "unheard_of": 5.0})] += 1
    assert set(sketch.by_stage(made)) == {"total", "retrieve"}
    assert sketch.quantiles(made[sketch.slice_of("wait")]) is None
