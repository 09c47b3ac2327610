"""Sentences: exact offsets in prose, lists and tables of many languages."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dragoman.kit.text.sentences import LONGEST_SENTENCE, split_sentences


def sentences(text: str, language: str = "en") -> list[str]:
    return [text[start:end] for start, end in split_sentences(text, language)]


@pytest.mark.parametrize(
    ("language", "expected"),
    [
        ("en", ["He met Dr. Smith at 3.5 p.m. in the U.S. Army.", "It was late.", '"Really?" he asked.']),
        ("en", ["See J. R. Smith (c. 1455–1536).", "Visit example.com today!"]),
        ("en", ["See no. 5 and fig. 2.", "The answer is no.", "It is art.", "Done."]),
        ("de", ["Am 3. Oktober 2020 war z. B. Herr Dr. Meier da.", "Das war gut!"]),
        ("fr", ["Voir M. Dupont, p. 12.", "C'est « bon. »", "Oui."]),
        ("ru", ["Он жил на ул. Ленина, т. е. рядом.", "Да."]),
        ("el", ["Τι είναι αυτό;", "Δεν ξέρω."]),
        ("hi", ["यह एक वाक्य है।", "दूसरा वाक्य।"]),
        ("ar", ["هل هذا سؤال؟", "نعم."]),
    ],
)
def test_sentences_end_where_readers_say_they_do(language: str, expected: list[str]) -> None:
    assert sentences(" ".join(expected), language) == expected


def test_chinese_and_japanese_need_no_space_between_sentences() -> None:
    assert sentences("今日は晴れです。明日は「雨？」と言った。終わり", "ja") == [
        "今日は晴れです。",
        "明日は「雨？」と言った。",
        "終わり",
    ]


def test_thai_is_cut_at_spaces_into_readable_lengths() -> None:
    pieces = sentences("ราคาของเครื่องนี้คือห้าพันบาท " * 8, "th")
    assert len(pieces) > 2
    assert all(40 <= len(piece) <= 160 for piece in pieces)


def test_a_list_item_is_one_sentence_without_its_marker() -> None:
    assert sentences("Steps:\n1. Open it. Wait.\n2. Close it\n   again\n- [ ] Done") == [
        "Steps:",
        "Open it. Wait.",
        "Close it\n   again",
        "Done",
    ]


def test_a_table_row_is_one_sentence_and_the_separator_is_none() -> None:
    assert sentences("| Part | Price |\n|:---|---:|\n| NX-1. | 5. Five |\n\nEnd.") == [
        "| Part | Price |",
        "| NX-1. | 5. Five |",
        "End.",
    ]


def test_headings_quotes_and_fences_lose_their_markup() -> None:
    assert sentences("## Fee ##\nTwelve percent.\n> [!NOTE]\n> Once only.\n```sh\nmake up\n```") == [
        "Fee",
        "Twelve percent.",
        "Once only.",
        "make up",
    ]


def test_wrapped_lines_belong_together_and_short_lines_do_not() -> None:
    text = (
        "Price: 5\nColour: red\nThis line of a paragraph is wrapped at some\ncolumn and goes on until here\nof course."
    )
    assert sentences(text) == [
        "Price: 5",
        "Colour: red",
        "This line of a paragraph is wrapped at some\ncolumn and goes on until here\nof course.",
    ]


def test_digits_alone_are_no_sentence() -> None:
    assert sentences("It began in this year. 1455. It ended later.") == [
        "It began in this year.",
        "1455. It ended later.",
    ]


def test_an_endless_sentence_is_cut_at_clauses() -> None:
    pieces = sentences("this is one more clause of it, " * 40)
    assert len(pieces) > 1
    assert all(len(piece) <= LONGEST_SENTENCE and piece.endswith(",") for piece in pieces)


PROSE = st.text(
    st.sampled_from("aB1 éß.!?,;:\n\u3000。！日ひกา \u0e48؟م।कE"), max_size=900
)  # letters and stops of many scripts, no Markdown
MARKDOWN = st.lists(
    st.sampled_from(["# ", "- ", "1. ", "> ", "| a | b |", "|---|---|", "\n", "\n\n", "Word", " two.", "```", "  "]),
    max_size=60,
).map("".join)


@given(st.one_of(PROSE, MARKDOWN, st.text(max_size=300)), st.sampled_from(["en", "de", "el", "ja", "th", "xx"]))
def test_spans_are_ordered_trimmed_and_never_empty(text: str, language: str) -> None:
    reached = 0
    for start, end in split_sentences(text, language):
        assert reached <= start < end <= len(text)
        assert text[start:end] == text[start:end].strip()
        reached = end


@given(st.text(st.sampled_from("abC .!?,;:é。日ก\u0e48क।"), max_size=900))
def test_all_text_that_is_not_markup_is_covered(text: str) -> None:
    text = f"Word {text}"
    covered = {index for start, end in split_sentences(text, "en") for index in range(start, end)}
    assert all(index in covered for index, character in enumerate(text) if not character.isspace())


@given(PROSE)
def test_no_sentence_of_prose_is_too_long_to_quote(text: str) -> None:
    assert all(end - start <= LONGEST_SENTENCE for start, end in split_sentences(text, "en"))
