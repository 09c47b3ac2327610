"""Names of a question that a passage in another alphabet holds."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dragoman.generation.names_across import MORE_CONSONANTS, MOST_EVIDENCE, THREE_CONSONANTS, AskedNames

SACKS = "Defensive end Jared Allen was the career sack leader with 136."


def evidence(question: str, language: str, text: str, of: str = "en") -> float:
    return AskedNames(question, language).evidence(("", "", text), of)


@pytest.mark.parametrize(
    ("question", "language", "text"),
    [
        ("كم نقطة تخلى عنها دفاع البانثرز؟", "ar", "The Panthers defense gave up just 308 points."),
        ("Сколько очков пропустила защита Пантерс?", "ru", "The Panthers defense gave up just 308 points."),
        ("Πότε ιδρύθηκε το Χάρβαρντ;", "el", "Harvard was founded in 1636."),
        ("मार्कोनी ने कब प्रसारण किया?", "hi", "In 1901 Marconi sent a radio signal."),
    ],
)
def test_a_name_in_another_alphabet_is_evidence(question: str, language: str, text: str) -> None:
    assert evidence(question, language, text) == MORE_CONSONANTS
    assert evidence(question, language, "Trains leave every hour from the main station.") == 0.0


def test_a_short_name_says_less() -> None:
    assert evidence("متى كتب لوثر الترانيم؟", "ar", "In his later life Luther wrote hymns.") == THREE_CONSONANTS


def test_a_letter_more_or_less_is_the_same_long_name() -> None:
    assert evidence("أين تقع كليفلند؟", "ar", "Cleveland lies on a lake.") == MORE_CONSONANTS
    assert evidence("أين تقع كلييفلاندس؟", "ar", "Cleveland lies on a lake.") == MORE_CONSONANTS


def test_words_written_together_with_a_name_do_not_hide_it() -> None:
    assert evidence("ما علاقة ذلك بفيكتوريا؟", "ar", "The state of Victoria voted.") == MORE_CONSONANTS


def test_names_add_up_to_a_limit() -> None:
    few = evidence("جاريد ألين وماركوني", "ar", f"{SACKS} Marconi was not there.")
    many = evidence("جاريد وماركوني وفيكتوريا والبانثرز", "ar", f"{SACKS} Marconi, Victoria, Panthers.")
    assert THREE_CONSONANTS < few < many == MOST_EVIDENCE


def test_a_common_word_of_the_passage_is_no_name() -> None:
    assert evidence("ماركوني", "ar", "The marconi rig is a kind of sail.") == 0.0


def test_names_in_the_same_alphabet_are_left_to_the_vectors() -> None:
    assert evidence("Wie viele Sacks hatte Jared Allen?", "de", SACKS) == 0.0


def test_it_works_in_the_other_direction_too() -> None:
    assert evidence("When did Marconi send a signal?", "en", "أرسل ماركوني إشارة عام 1901.", "ar") == MORE_CONSONANTS


def test_where_no_side_has_capitals_any_word_could_be_a_name_and_none_counts() -> None:
    assert evidence("متى أرسل ماركوني إشارة؟", "ar", "मार्कोनी ने 1901 में संकेत भेजा।", "hi") == 0.0


def test_the_title_and_the_heading_count() -> None:
    assert AskedNames("أين تقع كليفلند؟", "ar").evidence(("Cleveland", "", "It lies on a lake."), "en") > 0.0


@given(st.text(), st.text(), st.sampled_from(["ar", "en", "hi", "th", "und"]))
def test_any_text_is_taken(question: str, text: str, language: str) -> None:
    assert 0.0 <= evidence(question, language, text) <= MOST_EVIDENCE
