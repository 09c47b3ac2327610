"""Markdown from values, and what stands where in Markdown."""

from __future__ import annotations

from hypothesis import given, settings
from hypothesis import strategies as st

from dragoman.kit.text.markdown import (
    cells_of,
    heading_text,
    headings_above,
    is_table_row,
    line_at,
    names_only,
    readable_name,
    row_with_names,
    table,
    table_cell,
    table_header,
    table_row,
)

PRICES = "| model | price |\n| --- | --- |\n| Aurora | 900 |\n| Nova | 500 |"


def test_a_table_is_padded_to_its_header_and_long_rows_keep_their_cells() -> None:
    assert table(["a", "b"], [["1"], ["1", "2", "3"]]).split("\n") == [
        "| a | b |",
        "| --- | --- |",
        "| 1 |  |",
        "| 1 | 2 | 3 |",
    ]


def test_a_cell_is_one_line_and_its_pipes_are_escaped_once() -> None:
    assert table_cell(" a\n b\t|c\\|d ") == "a b \\|c\\|d"


@settings(deadline=None)  # the machine may be busy
@given(st.lists(st.text(alphabet="ab |é", max_size=8), min_size=1, max_size=4))
def test_cells_come_back_as_they_were_written(cells: list[str]) -> None:
    assert cells_of(table_row(cells)) == [" ".join(cell.split()) for cell in cells]


def test_keys_become_readable_names() -> None:
    assert readable_name("operating_temperature") == "operating temperature"
    assert readable_name("operatingTemperature") == "operating temperature"
    assert readable_name("SKU") == "SKU"
    assert readable_name("net price") == "net price"
    assert readable_name("_") == "_"


def test_a_row_reads_alone_with_the_names_of_its_columns() -> None:
    assert row_with_names("| model | price | note |", "| Aurora | 900 |  |") == "model: Aurora; price: 900"
    assert row_with_names("| model |", "| Aurora | 900 |") == "model: Aurora; 900"


def test_the_header_of_a_row_is_found_and_a_header_has_none() -> None:
    text = f"Intro | not a row\n\n{PRICES}\n\nAfter"
    assert table_header(text, text.index("Aurora")) == "| model | price |"
    assert table_header(text, text.index("Nova")) == "| model | price |"
    assert table_header(text, text.index("model")) == ""
    assert table_header(text, text.index("After")) == ""
    assert table_header(text, 0) == ""


def test_rows_without_a_header_and_a_second_table_do_not_borrow_one() -> None:
    text = f"{PRICES}\n\n| lone | row |\n\n| city | zip |\n|:---|---:|\n| Bern | 3000 |"
    assert table_header(text, text.index("lone")) == ""
    assert table_header(text, text.index("Bern")) == "| city | zip |"


def test_headings_are_told_from_other_lines() -> None:
    assert heading_text("## Returns ##") == "Returns"
    assert heading_text("  # One") == "One"
    assert heading_text("#hashtag") is None
    assert heading_text("####### seven") is None


def test_the_headings_above_a_place_are_those_of_its_branch() -> None:
    text = "# A\n\n## B\n\none\n\n## C\n\ntwo\n\n# D\n\nthree"
    assert headings_above(text, text.index("one")) == ["A", "B"]
    assert headings_above(text, text.index("two")) == ["A", "C"]
    assert headings_above(text, text.index("three")) == ["D"]
    assert headings_above(text, text.index("## C")) == ["A", "B"]
    assert headings_above(text, 0) == []


def test_a_line_is_found_by_any_place_in_it() -> None:
    text = "one\ntwo\nthree"
    assert [line_at(text, at) for at in (0, 2, 4, 6, 8, 12)] == ["one", "one", "two", "two", "three", "three"]


def test_lines_that_only_name_what_follows_are_told_apart() -> None:
    assert names_only("## Returns")
    assert names_only("**Returns**:")
    assert not names_only("**Returns** take 42 days")
    assert not names_only("Returns:")


def test_table_rows_are_told_from_text_with_pipes() -> None:
    assert is_table_row("| a | b |")
    assert not is_table_row("a | b")
