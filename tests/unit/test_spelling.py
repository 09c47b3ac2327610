"""Words that are spelled nearly alike."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dragoman.adapters.keyword_index._parts.spelling import choose, distances, likely, most_errors


def restricted_damerau_levenshtein(one: str, other: str) -> int:
    """Straight from the recurrence."""
    table = [[max(i, j) if not (i and j) else 0 for j in range(len(other) + 1)] for i in range(len(one) + 1)]
    for i in range(1, len(one) + 1):
        for j in range(1, len(other) + 1):
            changed = table[i - 1][j - 1] + (one[i - 1] != other[j - 1])
            table[i][j] = min(table[i - 1][j] + 1, table[i][j - 1] + 1, changed)
            if i > 1 and j > 1 and one[i - 1] == other[j - 2] and one[i - 2] == other[j - 1]:
                table[i][j] = min(table[i][j], table[i - 2][j - 2] + 1)
    return table[-1][-1]


letters = st.text(st.sampled_from("abcжö"), min_size=1, max_size=8)


@given(letters, st.lists(letters, max_size=10))
def test_distances_are_those_of_the_recurrence(word: str, others: list[str]) -> None:
    assert distances(word, others).tolist() == [restricted_damerau_levenshtein(word, other) for other in others]


@pytest.mark.parametrize(
    ("word", "errors"), [("abc", 0), ("abcd", 1), ("abcdefg", 1), ("abcdefgh", 2), ("dx-4100", 0), ("4100", 0)]
)
def test_long_words_may_hold_two_errors_and_codes_none(word: str, errors: int) -> None:
    assert most_errors(word) == errors


def test_near_words_come_by_their_distance() -> None:
    others = ["warranty", "warrant", "warden", "guarantee", "warrranty", "wxrrxnty", "waranty"]
    assert likely("warranty", others, errors=2) == {1: ["waranty", "warrant", "warrranty"], 2: ["wxrrxnty"]}


def test_the_most_frequent_of_equally_near_words_are_taken() -> None:
    assert choose({"a": 1, "b": 5, "c": 0, "d": 5, "e": 2}) == ["b", "d", "e"]
