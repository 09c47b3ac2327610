"""What an improvement report is made of: groups of questions, documents that stand out, intervals of shares."""

from __future__ import annotations

import itertools
import math
import random

import numpy as np
import pytest

from dragoman.feedback.improvement.clusters import clusters_of
from dragoman.feedback.improvement.misleading import chance_of, find_misleading
from dragoman.feedback.satisfaction import Satisfaction, wilson_interval

_NO_BACKGROUND = np.zeros((0, 24), dtype=np.float32)


def _around(centres: np.ndarray, each: int, spread: float, seed: int = 1) -> np.ndarray:
    """`each` vectors of length 1 around each centre, centre by centre."""
    noise = np.random.default_rng(seed).normal(size=(len(centres) * each, centres.shape[1])) * spread
    vectors = np.repeat(centres, each, axis=0) + noise
    return (vectors / np.linalg.norm(vectors, axis=1, keepdims=True)).astype(np.float32)


def test_questions_about_the_same_thing_are_one_group() -> None:
    vectors = _around(np.eye(24)[:6], each=7, spread=0.1)
    order = np.random.default_rng(2).permutation(len(vectors))
    groups = clusters_of(vectors[order], [1] * len(order), _NO_BACKGROUND)
    assert sorted(map(len, groups)) == [7] * 6
    for group in groups:
        assert len({order[place] // 7 for place in group}) == 1


def test_a_direction_that_all_share_makes_no_group() -> None:
    """As the vectors of embedding models, whose cosines are all high."""
    shared = 3 * np.eye(24)[23]
    vectors = _around(np.eye(24)[:6] + shared, each=5, spread=0.05)
    assert (vectors @ vectors.T).min() > 0.8
    background = _around(np.eye(24)[6:20] + shared, each=2, spread=0.05, seed=3)
    assert sorted(map(len, clusters_of(vectors, [1] * 30, background))) == [5] * 6


def test_two_questions_are_judged_by_the_background_alone() -> None:
    shared = 3 * np.eye(24)[23]
    background = _around(np.eye(24)[6:20] + shared, each=2, spread=0.05, seed=3)
    same = _around(np.eye(24)[:1] + shared, each=2, spread=0.05)
    different = _around(np.eye(24)[:2] + shared, each=1, spread=0.05)
    assert len(clusters_of(same, [1, 1], background)) == 1
    assert len(clusters_of(different, [1, 1], background)) == 2


def test_groups_come_by_their_weight_and_their_most_central_question_first() -> None:
    vectors = _around(np.eye(24)[:2], each=9, spread=0.08)
    heavy, light = clusters_of(vectors, [1] * 9 + [4] * 9, _NO_BACKGROUND)
    assert set(heavy) == set(range(9, 18))
    assert set(light) == set(range(9))
    centre = np.eye(24)[0]
    cosines = vectors @ centre
    assert cosines[light[0]] > np.median(cosines[light])


def test_every_question_is_in_one_group() -> None:
    vectors = np.random.default_rng(5).normal(size=(200, 24)).astype(np.float32)
    vectors /= np.linalg.norm(vectors, axis=1, keepdims=True)
    for alike_from in (-1.0, 0.0, 0.2, 0.45, 0.99):
        groups = clusters_of(vectors, [1] * 200, _NO_BACKGROUND, alike_from=alike_from)
        assert sorted(itertools.chain(*groups)) == list(range(200))
    assert clusters_of(vectors[:0], [], _NO_BACKGROUND) == []


def test_merges_are_those_of_average_linkage() -> None:
    """Against the plain algorithm that looks for the most alike pair of groups each time."""
    vectors = _around(np.eye(24)[:5], each=8, spread=0.35, seed=7)
    weights = [random.Random(place).randint(1, 4) for place in range(40)]
    groups = clusters_of(vectors, weights, _NO_BACKGROUND, alike_from=0.3)
    assert sorted(map(sorted, groups)) == _plainly_linked(vectors, weights, 0.3)


def _plainly_linked(vectors: np.ndarray, weights: list[int], alike_from: float) -> list[list[int]]:
    centred = vectors - vectors.mean(axis=0)
    centred /= np.linalg.norm(centred, axis=1, keepdims=True)
    cosines = centred @ centred.T
    groups = [[place] for place in range(len(vectors))]

    def likeness(one: list[int], other: list[int]) -> float:
        total = sum(weights[a] * weights[b] * cosines[a, b] for a in one for b in other)
        return float(total / (sum(weights[a] for a in one) * sum(weights[b] for b in other)))

    while len(groups) > 1:
        one, other = max(itertools.combinations(groups, 2), key=lambda pair: likeness(*pair))
        if likeness(one, other) < alike_from:
            break
        groups = [group for group in groups if group not in (one, other)] + [one + other]
    return sorted(map(sorted, groups))


@pytest.mark.parametrize(
    ("up", "total", "low", "high"), [(3, 4, 0.3006, 0.9544), (0, 1, 0.0, 0.7935), (10, 10, 0.7225, 1.0)]
)
def test_wilsons_interval(up: int, total: int, low: float, high: float) -> None:
    assert wilson_interval(up, total) == pytest.approx((low, high), abs=5e-5)


def test_without_ratings_there_is_no_rate() -> None:
    assert (Satisfaction().rate, Satisfaction().interval) == (None, None)
    assert (Satisfaction(up=3, down=1) + Satisfaction(up=1)).rate == 0.8


def test_the_chance_is_that_of_drawing_without_putting_back() -> None:
    total, down, rated = 20, 6, 5
    whole = math.comb(total, rated)
    for bad in range(7):
        at_least = sum(math.comb(down, k) * math.comb(total - down, rated - k) for k in range(bad, rated + 1))
        assert chance_of(bad, rated=rated, total=total, down=down) == pytest.approx(at_least / whole)


def test_a_document_stands_out_only_beyond_chance() -> None:
    counts = {f"usual {number}": (20, 4) for number in range(20)} | {"bad": (20, 16), "once": (1, 1)}
    [found] = find_misleading(counts, total=421, down=97)
    assert (found.key, found.rated, found.down) == ("bad", 20, 16)
    assert found.expected == pytest.approx(20 * 97 / 421)
    assert found.chance < 1e-6
    assert find_misleading({}, total=0, down=0) == []


def test_among_many_innocent_documents_few_are_accused() -> None:
    """Ratings drawn at random: in 40 draws of 200 documents each, an accusation is the exception."""
    accused = 0
    for seed in range(40):
        draw = random.Random(seed)
        counts = {name: (30, sum(draw.random() < 0.3 for _ in range(30))) for name in range(200)}
        accused += bool(find_misleading(counts, total=6000, down=sum(bad for _, bad in counts.values())))
    assert accused <= 6
