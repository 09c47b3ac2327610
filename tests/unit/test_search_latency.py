"""Percentiles from histograms with fixed buckets are as exact as they say."""

from __future__ import annotations

import statistics

from hypothesis import given
from hypothesis import strategies as st

from dragoman.search.latency import BUCKETS, STAGES, add_timings, bucket_of, by_stage, new_histogram, percentile

_measured = st.floats(0.26, 11_000, allow_nan=False)


@given(st.lists(_measured, min_size=1, max_size=50), st.sampled_from([50, 95, 99]))
def test_a_percentile_is_at_most_nine_percent_off(measured: list[float], percent: int) -> None:
    buckets = [0] * BUCKETS
    for value in measured:
        buckets[bucket_of(value)] += 1
    ordered = sorted(measured)
    exact = ordered[max(0, -(-len(ordered) * percent // 100) - 1)]
    found = percentile(buckets, percent)
    assert found is not None
    assert abs(found - exact) <= 0.0906 * exact + 0.01


@given(st.lists(_measured, min_size=2, max_size=20))
def test_histograms_of_two_days_add_up_to_that_of_both(measured: list[float]) -> None:
    halves = [new_histogram(), new_histogram()]
    whole = new_histogram()
    for number, value in enumerate(measured):
        add_timings(halves[number % 2], {"total": value})
        add_timings(whole, {"total": value})
    assert [sum(pair) for pair in zip(*halves, strict=True)] == whole


def test_what_is_too_fast_or_too_slow_for_the_buckets_is_counted_in_the_outer_ones() -> None:
    assert (bucket_of(0.0), bucket_of(0.25), bucket_of(10**9)) == (0, 0, BUCKETS - 1)
    assert percentile([0] * BUCKETS, 50) is None


def test_stages_are_kept_apart_and_unknown_ones_left_out() -> None:
    histogram = new_histogram()
    add_timings(histogram, {"total": 10.0, "arms": 4.0, "gossip": 99.0})
    found = by_stage(histogram)
    assert set(found) == {"total", "arms"}
    assert statistics.fmean(found["arms"].values()) == found["arms"]["p50"]
    assert len(histogram) == len(STAGES) * BUCKETS
