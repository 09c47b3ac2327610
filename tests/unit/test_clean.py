"""Cleaning removes what nobody would quote, and nothing else."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dragoman.ingestion.clean import CleanedDocument, clean_pages
from dragoman.ports.extractor import ExtractedPage


def cleaned(*texts: str, paged: bool = False) -> CleanedDocument:
    return clean_pages(
        [ExtractedPage(number=at if paged else None, markdown=text) for at, text in enumerate(texts, start=1)]
    )


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("cafe\u0301", "café"),
        ("in\u00advisible", "invisible"),
        ("a\u200bb\ufeff", "ab"),
        ("a\u00a0b", "a b"),
        ("e\ufb03cient", "efficient"),
        ("\ufeb3\ufefc\ufee1", "سلام"),
        ("one\r\ntwo\rthree", "one\ntwo\nthree"),
        ("a\x00b\x07c", "a b c"),
        ("end  \n\n\n\nnext", "end\n\nnext"),
        ("invoice\u202efdp", "invoicefdp"),
        ("می\u200cخواهم", "می\u200cخواهم"),
        ("क्\u200dष", "क्\u200dष"),
        ("👩\u200d💻", "👩\u200d💻"),
        ("wo\u200drd", "word"),
    ],
)
def test_characters(text: str, expected: str) -> None:
    assert cleaned(text).text == expected


def test_a_hyphen_at_a_line_end_of_a_page_is_joined() -> None:
    assert cleaned("the infor-\nmation", paged=True).text == "the information"


def test_the_hyphen_that_a_pdf_hides_is_joined() -> None:
    assert cleaned("eir\x02mod and volup\ufffe\ntua", paged=True).text == "eirmod and voluptua"


def test_a_compound_that_the_document_writes_with_a_hyphen_keeps_it() -> None:
    assert cleaned("A well-known fact. It is well-\nknown.", paged=True).text.endswith("It is well-known.")


def test_a_suspended_hyphen_stays() -> None:
    assert cleaned("Ein-\nund Ausgang", paged=True).text == "Ein- und Ausgang"


def test_text_without_pages_keeps_its_line_ends() -> None:
    assert cleaned("infor-\nmation").text == "infor-\nmation"


def test_running_heads_and_page_numbers_go_and_a_head_stays_once() -> None:
    pages = [f"ACME Handbook\n\nText about topic {name}.\n\nPage {at} of 4" for at, name in enumerate("abcd", start=1)]
    document = cleaned(*pages, paged=True)
    assert document.text.count("ACME Handbook") == 1
    assert "Page" not in document.text
    assert all(f"topic {name}" in document.text for name in "abcd")
    assert document.quality["removed_boilerplate_lines"] == 7


def test_a_numbered_foot_is_known_on_two_pages() -> None:
    document = cleaned("First text.\n\nACME page 1", "Second text.\n\nACME page 2", paged=True)
    assert document.text == "First text.\n\nSecond text."


def test_lines_that_differ_or_stand_in_the_middle_stay() -> None:
    pages = [
        "\n\n".join([*(f"{name} above {at}" for at in "abc"), "same line", *(f"{name} below {at}" for at in "abc")])
        for name in ("first", "second", "third")
    ]
    assert cleaned(*pages, paged=True).text.count("same line") == 3


def test_one_page_has_no_running_heads() -> None:
    assert cleaned("Title\n\n1", paged=True).text == "Title\n\n1"


def test_quality_counts_what_looks_wrong() -> None:
    quality = cleaned("caf\ufffd", "", "cafÃ© donâ€™t").quality
    assert quality["pages"] == 3
    assert quality["empty_pages"] == 1
    assert quality["replacement_characters"] == 1
    assert quality["mojibake_suspects"] == 2


@given(st.lists(st.text(max_size=200), max_size=4))
def test_cleaning_twice_is_cleaning_once(texts: list[str]) -> None:
    once = cleaned(*texts)
    assert clean_pages(once.pages).text == once.text


@given(st.text(alphabet="abc déf中文. -\n", max_size=200))
def test_visible_characters_are_kept_where_there_are_no_pages(text: str) -> None:
    assert "".join(cleaned(text).text.split()) == "".join(text.split())
