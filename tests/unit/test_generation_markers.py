"""Citation markers in streamed text: real ones pass, invented ones never reach the asker."""

from __future__ import annotations

import re

from hypothesis import given, settings
from hypothesis import strategies as st

from dragoman.generation.markers import MarkerFilter
from dragoman.generation.phrases import LANGUAGES, i_do_not_know


def _filtered(text: str, sources: int, sizes: list[int] | None = None) -> tuple[str, MarkerFilter]:
    markers, rest, sent = MarkerFilter(sources), text, ""
    for size in sizes or []:
        sent += markers.feed(rest[:size])
        rest = rest[size:]
    return sent + markers.feed(rest) + markers.finish(), markers


def test_real_markers_pass_and_are_remembered_in_the_order_of_their_first_use() -> None:
    text, markers = _filtered("B [2] and A [1], again [2].", 2)
    assert text == "B [2] and A [1], again [2]."
    assert (markers.cited, markers.invented) == ([2, 1], 0)


def test_invented_markers_are_taken_out_and_counted() -> None:
    text, markers = _filtered("A [0] b [3] c [999] d [1]", 2)
    assert text == "A  b  c  d [1]"
    assert (markers.cited, markers.invented) == ([1], 3)


def test_a_marker_of_several_sources_keeps_the_real_ones() -> None:
    text, markers = _filtered("A [1, 2] b [2;9] c [1,7,2] d [8, 9]", 2)
    assert text == "A [1, 2] b [2] c [1, 2] d "
    assert (markers.cited, markers.invented) == ([1, 2], 4)


def test_brackets_that_are_no_markers_are_left_alone() -> None:
    for text in ("a [note] b", "[1, two]", "[1,", "range(3)[1,  2]", "x[i] = y[12345]", "[", "[1", "[]", "arr[1 ]"):
        assert _filtered(text, 1)[0] == text


def test_a_marker_is_held_back_until_its_end_is_seen() -> None:
    markers = MarkerFilter(1)
    assert markers.feed("So it is [") == "So it is "
    assert markers.feed("9") == ""
    assert markers.feed("] or [1") == " or "
    assert markers.feed("].") == "[1]."
    assert markers.finish() == ""


@settings(deadline=None)  # the machine may be busy
@given(
    st.text(alphabet="ab [](,;0123456789]", max_size=60),
    st.integers(min_value=0, max_value=4),
    st.lists(st.integers(min_value=0, max_value=7), max_size=20),
)
def test_how_the_text_is_cut_into_pieces_changes_nothing(text: str, sources: int, sizes: list[int]) -> None:
    whole, in_one = _filtered(text, sources)
    pieces, in_many = _filtered(text, sources, sizes)
    assert pieces == whole
    assert (in_many.cited, in_many.invented) == (in_one.cited, in_one.invented)
    assert all(1 <= number <= sources for number in in_many.cited)


@settings(deadline=None)  # the machine may be busy
@given(st.lists(st.integers(min_value=0, max_value=999), max_size=10))
def test_no_invented_number_reaches_the_asker(numbers: list[int]) -> None:
    sent, _ = _filtered(" ".join(f"word [{number}]" for number in numbers), 3)
    assert {int(number) for number in re.findall(r"\[(\d+)\]", sent)} <= {1, 2, 3}


def test_i_do_not_know_is_said_in_the_askers_language_or_else_in_english() -> None:
    sentences = {i_do_not_know(language) for language in LANGUAGES}
    assert len(sentences) == len(LANGUAGES)
    assert i_do_not_know("de").startswith("Das weiß ich nicht")
    assert i_do_not_know("tlh") == i_do_not_know("en")
