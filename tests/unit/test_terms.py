"""Terms: what documents are indexed under and what questions look up."""

from __future__ import annotations

import unicodedata
from concurrent.futures import ThreadPoolExecutor

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dragoman.kit.text import terms
from dragoman.kit.text.terms import STOP_WORDS, analyse, analyse_query, is_code

LANGUAGES = [*sorted(STOP_WORDS), "ja", "zh", "ko", "th", "fa", "xx"]


@pytest.mark.parametrize(
    ("language", "asked", "written"),
    [
        ("en", "returned units", "Return the UNIT"),
        ("de", "Häuser Größe", "Haus GROESSE"),
        ("fr", "l'école été", "Ecole d’ete"),
        ("es", "devoluciones", "devolución"),
        ("ru", "цены ёлки", "цена елка"),
        ("hi", "क़ीमतें", "कीमत"),
        ("ar", "والمُدَرِّسة", "المدرسة"),
        ("tr", "IŞIK", "ışık"),
        ("uk", "м’ята", "м'ята"),
        ("el", "Αθήνα", "ΑΘΗΝΑ"),
    ],
)
def test_inflected_accented_and_capital_forms_meet_in_one_term(language: str, asked: str, written: str) -> None:
    assert set(analyse(asked, language)) <= set(analyse(written, language))
    assert analyse(asked, language)


@pytest.mark.parametrize("code", ["DX-4100/2", "v2.3.1", "jane.doe@example.com", "ISO27001", "2026-03-18"])
def test_a_code_is_kept_whole_and_in_parts(code: str) -> None:
    terms = analyse(f"see {code}.", "en")
    assert code.lower() in terms
    assert len(terms) > 2


def test_a_version_is_found_with_and_without_its_letter() -> None:
    assert "2.3.1" in analyse("TavOS v2.3.1", "en")
    assert "2.3.1" in analyse("version 2.3.1", "en")


@pytest.mark.parametrize("amount", ["1,500", "1.500", "1'500", "1,500.00", "1.500,00", "1500", "١٥٠٠"])
def test_an_amount_is_one_term_however_a_country_writes_it(amount: str) -> None:
    assert analyse(amount, "en") == ["1500"]


def test_decimals_are_the_same_with_comma_and_point() -> None:
    assert analyse("4,5 %", "de") == analyse("4.5%", "en") == ["4.5"]


@pytest.mark.parametrize("language", ["ja", "de"])
def test_unspaced_scripts_become_bigrams_whatever_the_language(language: str) -> None:
    assert analyse("東京都 333 駅", language) == ["東京", "京都", "333", "駅"]


def test_runs_of_syllabic_scripts_become_trigrams_and_their_ends() -> None:
    assert analyse("การประกัน ปี 東京ปี", "th") == [
        *["การ", "ารป", "รปร", "ประ", "ระก", "ะกั", "กัน"],
        *["กา", "ัน"],
        *["ปี", "東京", "ปี"],
    ]


@pytest.mark.parametrize("language", sorted(terms._SNOWBALL))
def test_every_language_of_snowball_has_its_stemmer(language: str) -> None:
    assert analyse("4100 abc", language)
    assert len(terms._SNOWBALL) >= 28


@pytest.mark.parametrize(
    ("prefix", "languages", "forms"),
    [("Warrant", ["en"], ("warrant",)), ("DX-41", ["en"], ("dx-41",)), ("Gewä", ["de", "en"], ("gewa",))],
)
def test_a_prefix_is_normalised_but_not_stemmed(prefix: str, languages: list[str], forms: tuple[str, ...]) -> None:
    assert terms.normalise_prefix(prefix, languages) == forms


def test_scripts_are_cut_apart_inside_a_word() -> None:
    assert analyse("NX-4100は現在", "ja") == ["nx-4100", "nx", "4100", "は現", "現在"]


def test_stop_words_are_dropped_in_their_language_only() -> None:
    assert analyse("die Katze", "de") == ["katz"]
    assert "die" in analyse("they die", "en")


def test_a_question_offers_the_forms_of_every_language_of_the_knowledge() -> None:
    assert ("hausern", "haus") in analyse_query("in Häusern", ["en", "de"])


def test_the_stop_words_of_the_question_are_not_looked_up_in_foreign_knowledge() -> None:
    assert analyse_query("¿Quién es la directora de NASA?", ["en"], question_language="es") == [
        ("directora",),
        ("nasa",),
    ]


def test_a_repeated_token_counts_once_in_a_question() -> None:
    assert analyse_query("price price Prices", ["en"]) == [("price",)]


def test_codes_are_told_from_words() -> None:
    assert is_code("dx-4100")
    assert is_code("a@b.example")
    assert not is_code("price")


@given(st.text(max_size=200), st.sampled_from(LANGUAGES))
def test_any_text_gives_clean_terms(text: str, language: str) -> None:
    for term in analyse(text, language):
        assert term
        assert not any(map(str.isspace, term))


@given(st.text(max_size=120), st.sampled_from(LANGUAGES), st.sampled_from(LANGUAGES))
def test_a_text_asked_for_verbatim_finds_each_of_its_own_terms(text: str, language: str, other: str) -> None:
    offered = {form for forms in analyse_query(text, [language, other]) for form in forms}
    assert set(analyse(text, language)) <= offered


@given(st.text(st.sampled_from("abcdeéøщяλ 12-./@'"), max_size=60), st.sampled_from(LANGUAGES))
def test_capitals_make_no_difference(text: str, language: str) -> None:
    assert analyse(text.upper(), language) == analyse(text, language)


def test_threads_that_stem_at_once_do_not_disturb_each_other() -> None:
    words = [f"{stem}{ending}" for stem in ("kettl", "connect", "relat", "hop") for ending in ("ing", "ed", "s", "ion")]
    expected = [analyse(word, "en") for word in words * 50]

    def stem_anew(_: int) -> list[list[str]]:
        terms._terms.cache_clear()
        return [analyse(word, "en") for word in words * 50]

    with ThreadPoolExecutor(4) as pool:
        assert all(found == expected for found in pool.map(stem_anew, range(12)))


@given(text=st.text(alphabet="abz09_ß é.-/'’+#@\u00ad\u200b\u0301я日กह", max_size=40))
def test_simple_texts_are_cut_into_the_same_words_as_all_others(text: str) -> None:
    normal = unicodedata.normalize("NFKC", text)
    assert terms._surfaces(text) == terms._TOKEN.findall(normal)
