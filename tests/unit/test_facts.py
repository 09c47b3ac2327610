"""Numbers, identifiers and names as the grounding check reads them."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dragoman.generation.facts import NameIndex, has_identifier, identifiers_in, names_in, numbers_in


def values(text: str, language: str) -> set[str]:
    return {value for number in numbers_in(text, language) for value in number.values}


@pytest.mark.parametrize(
    ("text", "language", "value"),
    [
        ("1,000 boxes", "en", "1000"),
        ("1.000 Kisten", "de", "1000"),
        ("1 000 ящиков", "ru", "1000"),
        ("1'000 Kisten", "de", "1000"),
        ("١٠٠٠ صندوق", "ar", "1000"),
        ("1.5 million boxes", "en", "1500000"),
        ("1,5 Millionen Kisten", "de", "1500000"),
        ("150万个", "zh", "1500000"),
        ("£30m", "en", "30000000"),
        ("6½ crates", "en", "6.5"),
        ("four boxes", "en", "4"),
        ("vier Kisten", "de", "4"),
        ("三百零八个", "zh", "308"),
        ("siglo XIX", "es", "19"),
        ("the 19th century", "en", "19"),
        ("on 7 May 2024", "en", "5"),
        ("am 07.05.2024", "de", "5"),
        ("2024-05-07", "en", "7"),
    ],
)
def test_a_number_is_the_same_in_every_writing(text: str, language: str, value: str) -> None:
    assert value in values(text, language)


def test_what_separates_thousands_in_one_language_is_a_decimal_mark_in_another() -> None:
    assert values("1.000", "de") >= {"1000"}
    assert "1" not in values("1,000", "en")
    assert values("2,5", "de") == {"2.5"}
    assert values("2.5", "en") == {"2.5"}


def test_a_month_is_a_number_only_beside_a_day_or_a_year() -> None:
    assert values("It may rain.", "en") == set()
    assert values("cele mai multe meciuri", "ro") == set()


def test_units_are_the_same_in_several_languages() -> None:
    pairs = [("30 days", "en"), ("30 Tage", "de"), ("30 días", "es"), ("30 дней", "ru"), ("30天", "zh")]
    assert {numbers_in(text, language)[0].unit for text, language in pairs} == {"day"}
    assert numbers_in("$40", "en")[0].unit == "dollar"


@given(st.integers(min_value=0, max_value=10**12))
def test_separators_never_change_an_integer(number: int) -> None:
    assert str(number) in values(f"{number:,}", "en")
    assert str(number) in values(f"{number:,}".replace(",", "."), "de")


@given(st.text(max_size=200), st.sampled_from(["en", "de", "zh", "ar", "th", "xx"]))
def test_no_text_is_too_strange(text: str, language: str) -> None:
    numbers_in(text, language)
    names_in(text, language)
    identifiers_in(text)


def test_identifiers_are_found_however_they_are_hyphenated() -> None:
    assert identifiers_in("The KX-20/4 and v2.3 of the 19th are 80-year-old 5km things.") == ["KX-20/4", "v2.3"]
    assert has_identifier("KX-20/4", "the kx 20 4 cutter")
    assert not has_identifier("KX-20/4", "the kx 21 4 cutter")


def test_names_are_runs_of_capitals_but_not_the_first_word_alone() -> None:
    names = names_in("Yesterday Greta Lindqvist met the mayor of Harlow in May 2024.", "en")
    assert [name.text for name in names] == ["Yesterday Greta Lindqvist", "Harlow"] or [
        name.text for name in names
    ] == [
        "Greta Lindqvist",
        "Harlow",
    ]
    assert names_in("Nothing happened there.", "en") == ()
    assert names_in("这家工厂由CBS经营。", "zh")[0].text == "CBS"


def test_names_are_found_in_another_case_and_alphabet() -> None:
    index = NameIndex(["Greta Lindqvist and Jackson of Harlow"])
    assert index.has("Harlows", translated=False)
    assert index.has("Джексон", translated=True)
    assert not index.has("Джексон", translated=False)
    assert not index.has("Sheffield", translated=True)
