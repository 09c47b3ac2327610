"""The grammar of filters: what it means, that text and JSON mean the same, and what its errors say."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dragoman.ports.search_scope import Condition
from dragoman.search.filters import FIELDS, MAX_CONDITIONS, MAX_VALUES, Filter, InvalidFilterError, parse_filter


def _day(year: int, month: int = 1, day: int = 1) -> datetime:
    return datetime(year, month, day, tzinfo=UTC)


def test_a_filter_of_all_fields() -> None:
    found = parse_filter(
        'language:de,fr category:"Price lists" -tag:internal date>=2025-01-01 heading:Warranty '
        "document:sku-1,019a0000-0000-7000-8000-000000000000 content_type:faq"
    )
    assert found == Filter(
        conditions=(
            Condition(field="language", values=("de", "fr")),
            Condition(field="category", values=("Price lists",)),
            Condition(field="tag", values=("internal",), is_negated=True),
            Condition(field="heading", values=("Warranty",)),
            Condition(field="document", values=("sku-1", "019a0000-0000-7000-8000-000000000000")),
            Condition(field="content_type", values=("faq",)),
        ),
        dated_from=_day(2025),
    )


def test_text_and_json_mean_the_same() -> None:
    text = 'language:de,fr category:"Price lists" -tags:internal,old date>=2025-01-01 date<=2025-12-31'
    json = {
        "language": ["de", "fr"],
        "category": "Price lists",
        "not": {"tags": ["internal", "old"]},
        "date": {"from": "2025-01-01", "to": "2025-12-31"},
    }
    assert parse_filter(text) == parse_filter(json)


@pytest.mark.parametrize("nothing", [None, "", "   ", {}])
def test_no_filter_is_no_condition(nothing: str | dict[str, object] | None) -> None:
    assert parse_filter(nothing) == Filter()


def test_a_field_may_come_twice_and_both_must_hold() -> None:
    assert [condition.values for condition in parse_filter("tag:a tags:b").conditions] == [("a",), ("b",)]


def test_quotes_hold_spaces_commas_colons_and_escaped_quotes() -> None:
    found = parse_filter(r'category:"a, b","say \"hi\"","back\\slash" heading:3:1')
    assert [condition.values for condition in found.conditions] == [("a, b", 'say "hi"', "back\\slash"), ("3:1",)]


def test_names_of_fields_and_languages_are_read_without_regard_to_case() -> None:
    assert parse_filter("Language:DE Heading:Warranty").conditions == (
        Condition(field="language", values=("de",)),
        Condition(field="heading", values=("Warranty",)),
    )


@pytest.mark.parametrize(
    ("text", "first", "end"),
    [
        ("date>=2025-03-10", _day(2025, 3, 10), None),
        ("date>2025-03-10", _day(2025, 3, 11), None),
        ("date<2025-03-10", None, _day(2025, 3, 10)),
        ("date<=2025-03-10", None, _day(2025, 3, 11)),
        ("date:2025-03-31", _day(2025, 3, 31), _day(2025, 4, 1)),
        ("date:2025-12", _day(2025, 12), _day(2026)),
        ("date=2024-02", _day(2024, 2), _day(2024, 3)),
        ("date:2025", _day(2025), _day(2026)),
        ("date:2025-01..2025-03-15", _day(2025), _day(2025, 3, 16)),
        ("date:..2025", None, _day(2026)),
        ("date:2025..", _day(2025), None),
        ("date>=2025 date<2026 date>=2024", _day(2025), _day(2026)),
        ("date<2025-03-10T12:00:00+02:00", None, datetime(2025, 3, 10, 10, tzinfo=UTC)),
        ("date>=2025-03-10T12:00", datetime(2025, 3, 10, 12, tzinfo=UTC), None),
    ],
)
def test_dates(text: str, first: datetime | None, end: datetime | None) -> None:
    found = parse_filter(text)
    assert (found.dated_from, found.dated_before) == (first, end)


@pytest.mark.parametrize(
    ("text", "says"),
    [
        (
            "cattegory:x",
            "at character 1 (“cattegory:x”): there is no field “cattegory”. Did you mean “category”? Fields:",
        ),
        ("language:de colour:red", "at character 13 (“colour:red”)"),
        ("language:", "at its end: a value of “language” is missing"),
        ("language:de,", "at its end: a value of “language” is missing"),
        ("language:de, fr", "at character 13"),
        ('category:"Price lists', 'at character 10 (“"Price lists”): a quote is opened and never closed'),
        ('category:"a"b', "a space must stand between two conditions"),
        ('category:""', "a value of “category” is missing"),
        ("warranty", "a condition is a field, a colon and a value"),
        ("language de", "a condition is a field, a colon and a value"),
        ("content_type:pdf", "there is no content type “pdf”. There are document, faq"),
        ("date:soon", "at character 6 (“soon”): a date is written 2025"),
        ("date>=2025-13-01", "a date is written"),
        ("date:..", "a date is written"),
        ("date:9999-12-31", "a date is written"),
        ("date", "after `date` stands one of"),
        ("-date:2025", "a date cannot be excluded"),
        ("-", "a condition is a field"),
        (" ".join(["tag:a"] * (MAX_CONDITIONS + 1)), "more than 20 conditions"),
        ("tag:" + ",".join(["a"] * (MAX_VALUES + 1)), "more than 200 values at character 1"),
        ("tag:" + "a" * 2000, "longer than 2000 characters"),
    ],
)
def test_an_error_says_where_and_what_may_stand_there(text: str, says: str) -> None:
    with pytest.raises(InvalidFilterError) as raised:
        parse_filter(text)
    assert says in raised.value.message
    assert raised.value.status == 422


@pytest.mark.parametrize(
    ("given", "says"),
    [
        ({"colour": "red"}, "there is no field “colour”"),
        ({"not": "x"}, 'at "not": it holds fields'),
        ({"not": {"date": "2025"}}, "there is no field “date”"),
        ({"language": []}, 'at "language": it takes a text, or a list of texts'),
        ({"language": ["de", 1]}, "it takes a text"),
        ({"not": {"tags": None}}, 'at "not" → "tags": it takes a text'),
        ({"date": {}}, 'at "date": write'),
        ({"date": {"since": "2025"}}, 'at "date": write'),
        ({"date": {"from": "soon"}}, 'at "date": write'),
        ({"date": 2025}, 'at "date": write'),
    ],
)
def test_an_error_in_json_names_the_member(given: dict[str, object], says: str) -> None:
    with pytest.raises(InvalidFilterError) as raised:
        parse_filter(given)
    assert says in raised.value.message


@given(st.text(max_size=60))
def test_any_text_is_a_filter_or_an_error_that_teaches(text: str) -> None:
    message = "The filter"
    try:
        parse_filter(text)
    except InvalidFilterError as error:
        message = error.message
    assert message.startswith("The filter")


_values = st.lists(st.text(st.characters(exclude_categories=["Cs"]), min_size=1, max_size=8), min_size=1, max_size=3)


@given(st.sampled_from([name for name in FIELDS if name not in ("content_type", "language")]), _values, st.booleans())
def test_every_value_can_be_written_in_quotes(name: str, values: list[str], is_negated: bool) -> None:
    quoted = ",".join('"' + value.replace("\\", "\\\\").replace('"', '\\"') + '"' for value in values)
    found = parse_filter(f"{'-' if is_negated else ''}{name}:{quoted}")
    assert found.conditions == (Condition(field=FIELDS[name], values=tuple(values), is_negated=is_negated),)
