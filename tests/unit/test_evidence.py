"""Evidence: which sentences are quoted, and when the answer is "I do not know"."""

from __future__ import annotations

import dataclasses

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dragoman.generation.evidence import (
    Evidence,
    EvidencePassage,
    EvidenceSettings,
    Question,
    QuestionTerm,
    Sentence,
    Signals,
    choose_evidence,
    estimate_confidence,
)
from dragoman.ports.embedder import ConfidenceModel

UNRELATED = 0.76
CONFIDENCE = ConfidenceModel(
    semantic=51.0, contrast=63.0, coverage=8.5, same_language=-7.5, missing_codes=-1.0, bias=-43.7
)


def choose(
    asked: Question, passages: list[EvidencePassage], unrelated: float, settings: EvidenceSettings | None = None
) -> Evidence:
    return choose_evidence(asked, passages, unrelated, model=CONFIDENCE, settings=settings)


def passage(
    *sentences: tuple[str, float | None], semantic: float | None = 0.88, language: str = "en"
) -> EvidencePassage:
    text, spans = "", []
    for content, cosine in sentences:
        spans.append(Sentence(start=len(text), end=len(text) + len(content), cosine=cosine))
        text += content + " "
    return EvidencePassage(
        score=semantic or 0.01,
        semantic=semantic,
        language=language,
        title="Returns",
        heading="",
        text=text,
        sentences=tuple(spans),
    )


def question(*terms: str, language: str = "en") -> Question:
    return Question(language=language, terms=tuple(QuestionTerm(alternatives=(term,), weight=3.0) for term in terms))


RETURNS = passage(
    ("Restocking costs twelve percent.", 0.90), ("Parcels need a number.", 0.80), ("The fee is waived.", 0.86)
)
TRAVEL = passage(("Trains leave hourly.", 0.74), semantic=0.75)


def test_the_nearest_sentences_are_quoted_in_reading_order() -> None:
    evidence = choose(question("restock", "cost"), [RETURNS, TRAVEL], UNRELATED)
    quoted = [RETURNS.text[quote.start : quote.end] for quote in evidence.quotes]
    assert quoted == ["Restocking costs twelve percent.", "The fee is waived."]
    assert not evidence.abstain


def test_the_words_of_the_question_decide_between_equally_near_sentences() -> None:
    twins = passage(("Trains leave hourly.", 0.85), ("Restocking costs extra.", 0.85))
    evidence = choose(question("restock"), [twins], UNRELATED, settings=EvidenceSettings(max_sentences=1))
    assert twins.text[evidence.quotes[0].start :].startswith("Restocking")


def test_the_header_of_a_table_counts_as_words_of_its_row() -> None:
    rows = passage(("| A | 5 |", 0.85), ("| B | 6 |", 0.85))
    second = dataclasses.replace(rows.sentences[1], context="| part | price |")
    rows = dataclasses.replace(rows, sentences=(rows.sentences[0], second))
    evidence = choose(question("price"), [rows], UNRELATED, settings=EvidenceSettings(max_sentences=1))
    assert evidence.quotes[0].start == second.start


def test_a_second_sentence_far_below_the_best_is_left_out() -> None:
    lone = passage(("Restocking costs twelve percent.", 0.92), ("Trains leave hourly.", 0.70))
    assert len(choose(question("restock"), [lone], UNRELATED).quotes) == 1


def test_nothing_found_means_abstain() -> None:
    evidence = choose(question("restock"), [], UNRELATED)
    assert evidence.abstain
    assert evidence.confidence == 0.0


def test_a_passage_no_nearer_than_the_background_means_abstain() -> None:
    assert choose(question("sourdough", "bake"), [TRAVEL], UNRELATED).abstain


def test_a_foreign_question_is_not_held_to_the_words_of_the_passage() -> None:
    near = passage(("Restocking costs twelve percent.", 0.84), semantic=0.84)
    asked = question("gebuhr", "rucknahme", language="de")
    assert not choose(asked, [near], UNRELATED).abstain
    assert choose(dataclasses.replace(asked, language="en"), [near], UNRELATED).abstain


def test_a_foreign_passage_that_answers_beats_a_nearer_one_that_lacks_the_words_of_the_question() -> None:
    nearer = passage(("Parkplätze sind kostenlos.", 0.83), semantic=0.83, language="de")
    answers = passage(("Late payment costs two percent.", 0.82), semantic=0.82)
    asked = question("zins", "verspat", "zahlung", language="de")
    evidence = choose(asked, [nearer, answers], UNRELATED, settings=EvidenceSettings(max_sentences=1))
    assert [quote.passage for quote in evidence.quotes] == [1]
    assert not evidence.abstain
    assert choose(asked, [nearer], UNRELATED).abstain


def test_the_nearer_passage_is_quoted_when_it_holds_the_words_of_the_question() -> None:
    nearer = passage(("Zinsen fallen nach der Zahlung an.", 0.83), semantic=0.83, language="de")
    foreign = passage(("Late payment costs two percent.", 0.82), semantic=0.82)
    asked = question("zins", "zahlung", language="de")
    evidence = choose(asked, [nearer, foreign], UNRELATED, settings=EvidenceSettings(max_sentences=1))
    assert [quote.passage for quote in evidence.quotes] == [0]


def test_the_confidence_is_that_of_the_passage_with_the_best_quote() -> None:
    behind = choose(question("restock", "cost"), [TRAVEL, RETURNS], UNRELATED)
    alone = choose(question("restock", "cost"), [RETURNS], UNRELATED)
    assert behind.confidence == pytest.approx(alone.confidence)
    assert behind.signals == alone.signals


def test_a_passage_without_a_sentence_to_quote_means_abstain() -> None:
    assert choose(question("restock"), [passage()], UNRELATED).abstain


def test_a_misspelt_word_still_counts_as_covered() -> None:
    right = choose(question("restock", "percent"), [RETURNS], UNRELATED)
    misspelt = choose(question("restok", "percnt"), [RETURNS], UNRELATED)
    unknown = choose(question("sourdough", "bakery"), [RETURNS], UNRELATED)
    assert misspelt.confidence == pytest.approx(right.confidence)
    assert unknown.confidence < right.confidence


def test_a_part_number_that_is_nowhere_lowers_the_confidence() -> None:
    asked = question("restock", "dx-4100")
    evidence = choose(asked, [RETURNS], UNRELATED)
    assert evidence.signals is not None
    assert evidence.signals.missing_codes == 1.0
    found = dataclasses.replace(evidence.signals, missing_codes=0.0)
    assert estimate_confidence(evidence.signals, CONFIDENCE) < estimate_confidence(found, CONFIDENCE)


def test_a_name_in_another_alphabet_speaks_for_the_passage_that_holds_it() -> None:
    bare = passage(("The record is held by another player.", 0.82), semantic=0.82)
    named = passage(("The record is held by Peyton Manning.", 0.815), semantic=0.815)
    asked = dataclasses.replace(question("record", language="ar"), text="هل يحمل بايتون مانينغ الرقم القياسي؟")
    evidence = choose(asked, [bare, named], UNRELATED, settings=EvidenceSettings(max_sentences=1))
    assert [quote.passage for quote in evidence.quotes] == [1]
    assert evidence.confidence > choose(dataclasses.replace(asked, text=""), [named], UNRELATED).confidence


def test_without_vectors_confidence_is_the_share_of_terms_found() -> None:
    bare = passage(("Restocking costs twelve percent.", None), semantic=None)
    assert choose(question("restock", "train"), [bare], UNRELATED).confidence == pytest.approx(0.5)


def test_without_vectors_the_passages_keep_their_rank() -> None:
    first = dataclasses.replace(passage(("Restocking costs twelve percent.", None), semantic=None), score=12.0)
    second = dataclasses.replace(passage(("Restocking, restocking.", None), semantic=None), score=4.0)
    evidence = choose(question("restock"), [first, second], UNRELATED)
    assert [quote.passage for quote in evidence.quotes] == [0]


SIGNALS = st.builds(
    Signals,
    semantic=st.floats(0.0, 1.0),
    contrast=st.floats(-0.5, 0.5),
    coverage=st.floats(0.0, 1.0),
    same_language=st.booleans(),
    missing_codes=st.floats(0.0, 1.0),
)


@given(SIGNALS, st.floats(0.0, 0.3))
def test_better_evidence_never_lowers_the_confidence(signals: Signals, more: float) -> None:
    before = estimate_confidence(signals, CONFIDENCE)
    for name in ("semantic", "contrast", "coverage"):
        after = estimate_confidence(dataclasses.replace(signals, **{name: getattr(signals, name) + more}), CONFIDENCE)
        assert 0.0 <= before <= after <= 1.0


@given(st.lists(st.lists(st.floats(0.6, 1.0), max_size=6), max_size=6), st.integers(1, 4), st.floats(0.0, 1.0))
def test_quotes_are_sentences_of_the_passages_in_reading_order(
    cosines: list[list[float]], most: int, threshold: float
) -> None:
    passages = [passage(*((f"Sentence {n}.", cosine) for n, cosine in enumerate(row))) for row in cosines]
    settings = EvidenceSettings(max_sentences=most, threshold=threshold)
    evidence = choose(question("sentenc"), passages, UNRELATED, settings=settings)
    assert len(evidence.quotes) <= most
    assert [(q.passage, q.start) for q in evidence.quotes] == sorted((q.passage, q.start) for q in evidence.quotes)
    for quote in evidence.quotes:
        assert (quote.start, quote.end) in {(s.start, s.end) for s in passages[quote.passage].sentences}


def test_the_same_wording_is_quoted_once() -> None:
    twin = dataclasses.replace(RETURNS, title="Returns, a copy")
    evidence = choose(question("restock", "percent"), [RETURNS, twin], UNRELATED)
    wordings = [[RETURNS, twin][quote.passage].text[quote.start : quote.end] for quote in evidence.quotes]
    assert len(wordings) == len(set(wordings)) == 2
