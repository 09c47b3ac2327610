"""Words of two alphabets compared by their consonants."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dragoman.kit.text.sounds import alphabet_of, skeletons


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("جاريد", "Jared"),
        ("بانثرز", "Panthers"),
        ("تشارلز", "Charles"),
        ("جورج", "George"),
        ("Вашингтон", "Washington"),
        ("Джексон", "Jackson"),
        ("Чайковский", "Chaikovsky"),
        ("Χάρβαρντ", "Harvard"),
        ("Αλέξανδρος", "Alexandros"),
        ("लूथर", "Luther"),
        ("ลูเทอร์", "Luther"),
        ("לותר", "Luther"),
        ("Мартин", "مارتن"),
    ],
)
def test_a_name_has_the_same_consonants_in_two_alphabets(one: str, other: str) -> None:
    assert skeletons(one) & skeletons(other)


@pytest.mark.parametrize(
    ("one", "other"), [("جاريد", "Panthers"), ("Вашингтон", "Harvard"), ("लूथर", "Tesla"), ("Newton", "Norman")]
)
def test_other_names_do_not(one: str, other: str) -> None:
    assert not skeletons(one) & skeletons(other)


def test_accents_and_case_do_not_count() -> None:
    assert skeletons("Étienne") == skeletons("ETIENNE") == skeletons("E\u0301tienne")
    assert skeletons("МАРТИН") == skeletons("мартин")


@pytest.mark.parametrize("word", ["特斯拉", "テスラ", "테슬라", "1943", ""])
def test_what_is_not_written_with_an_alphabet_has_none(word: str) -> None:
    assert skeletons(word) == frozenset()
    assert alphabet_of(word) is None


@given(st.text())
def test_any_text_is_taken(text: str) -> None:
    for skeleton in skeletons(text):
        assert set(skeleton) <= set("APFTKJSLMNR")
        assert "A" not in skeleton[1:]
