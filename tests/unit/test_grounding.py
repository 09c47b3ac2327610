"""The grounding check: what supports a sentence of an answer, and what speaks against it."""

from __future__ import annotations

from collections.abc import Mapping

import pytest

from dragoman.generation.grounding import (
    CheckedSentence,
    Place,
    Sources,
    SourceText,
    check_sentence,
    settle,
    split_answer,
    without_markers,
    words_decide,
)
from dragoman.kit.text.sentences import split_sentences
from dragoman.ports.embedder import Calibration

CALIBRATION = Calibration(midpoint=0.825, slope=38.8, contrast=87.6, typical_background=0.77)
MILL = (
    "The paper mill in Harlow opened on 7 May 1994 and employs 1,250 people. Its owner, Greta Lindqvist, did not sell the "
    "watermark patent. Each roll weighs 2.5 tonnes and leaves the plant within 30 days. The cutter is a KX-20/4."
)


def sources(*texts: tuple[str, str]) -> Sources:
    return Sources(
        [
            SourceText(text=text, language=language, heading="", sentences=split_sentences(text, language))
            for text, language in texts
        ]
    )


def check(
    sentence: str, language: str = "en", *, of: Sources | None = None, cosines: Mapping[Place, float] | None = None
) -> CheckedSentence:
    return check_sentence(sentence, language, of or sources((MILL, "en")), cosines or {}, CALIBRATION)


def translated(of: Sources, best: int) -> dict[Place, float]:
    """Cosines as of a sentence that says what sentence `best` of the sources does."""
    return {place: 0.9 if number == best else 0.78 for number, place in enumerate(of.places)}


def test_a_sentence_of_the_source_is_supported_by_its_place_there() -> None:
    checked = check("The paper mill in Harlow employs 1,250 people.")
    assert checked.is_grounded
    assert checked.score > 0.9
    assert MILL[checked.support[0].start : checked.support[0].end].startswith("The paper mill")


@pytest.mark.parametrize(
    "sentence",
    [
        "The paper mill in Harlow employs 1250 people.",
        "The paper mill in Harlow opened on 1994-05-07.",
        "The paper mill in Harlow opened on May 7, 1994.",
        "Each roll weighs 2.50 tonnes.",
        "The owner, Lindqvist, did not sell the watermark patent.",
        "The cutter is a KX 20/4.",
    ],
)
def test_the_same_fact_in_another_writing_is_grounded(sentence: str) -> None:
    assert check(sentence).reason is None


@pytest.mark.parametrize(
    ("sentence", "reason"),
    [
        ("The paper mill in Harlow employs 1,350 people.", "number"),
        ("The paper mill in Harlow opened on 7 June 1994.", "number"),
        ("The paper mill in Harlow employs 12,50 people.", "number"),
        ("Each roll leaves the plant within 30 weeks.", "unit"),
        ("Each roll leaves the plant within 2.5 days.", "unit"),
        ("Its owner, Martin Okafor, did not sell the watermark patent.", "name"),
        ("The paper mill in Sheffield employs 1,250 people.", "name"),
        ("Its owner, Greta Lindqvist, sold the watermark patent.", "opposite"),
        ("The paper mill in Harlow does not employ 1,250 people.", "opposite"),
        ("The cutter is a KX-30/4.", "identifier"),
        ("Orchids are watered with rain that was collected on the roof.", "unsupported"),
    ],
)
def test_what_the_source_does_not_say_is_told_with_its_reason(sentence: str, reason: str) -> None:
    checked = check(sentence)
    assert checked.reason == reason
    assert checked.support == ()
    assert checked.score < 0.5


def test_a_number_that_stands_elsewhere_in_the_passage_is_not_this_number() -> None:
    checked = check("The paper mill in Harlow employs 30 people.")
    assert (checked.reason, checked.detail) == ("number", "30")


@pytest.mark.parametrize(
    ("text", "language", "true", "false"),
    [
        ("Das Lager schließt im März nicht, weil 40 Tonnen Salz geliefert werden.", "de",
         "Das Lager schließt im März nicht.", "Das Lager schließt im März."),
        ("El almacén cierra en marzo porque llegan cuarenta toneladas de sal.", "es",
         "El almacén cierra en marzo.", "El almacén no cierra en marzo."),
        ("Склад закрыт в марте, потому что привозят сорок тонн соли.", "ru",
         "Склад закрыт в марте.", "Склад не закрыт в марте."),
        ("这家仓库在三月关闭，因为有四十吨盐运到。", "zh", "这家仓库在三月关闭。", "这家仓库在三月不关闭。"),
        ("यह गोदाम मार्च में बंद रहता है क्योंकि नमक आता है।", "hi", "यह गोदाम मार्च में बंद रहता है।", "यह गोदाम मार्च में बंद नहीं रहता है।"),
    ],
)  # fmt: skip
def test_a_denial_is_seen_in_many_languages(text: str, language: str, true: str, false: str) -> None:
    of = sources((text, language))
    assert check(true, language, of=of).reason is None
    assert check(false, language, of=of).reason == "opposite"


def test_a_denial_of_something_else_does_not_contradict() -> None:
    of = sources(("The harbour has nine cranes, although the insurers do not like them.", "en"))
    assert check("The harbour has nine cranes.", of=of).is_grounded


def test_not_only_denies_nothing() -> None:
    of = sources(("The harbour is not only large but deep.", "en"))
    assert check("The harbour is large but deep.", of=of).is_grounded


# ---- across languages


def test_a_translated_sentence_is_grounded_by_its_vector_and_its_facts() -> None:
    of = sources((MILL, "en"))
    german = "Die Papiermühle in Harlow wurde am 7. Mai 1994 eröffnet und beschäftigt 1.250 Menschen."
    checked = check(german, "de", of=of, cosines=translated(of, 0))
    assert checked.is_grounded
    assert [place.start for place in checked.support] == [0]


def test_a_wrong_number_is_seen_across_languages() -> None:
    of = sources((MILL, "en"))
    german = "Die Papiermühle in Harlow wurde am 7. Mai 1994 eröffnet und beschäftigt 1.520 Menschen."
    assert check(german, "de", of=of, cosines=translated(of, 0)).reason == "number"


def test_a_translated_sentence_far_from_every_source_is_unsupported() -> None:
    of = sources((MILL, "en"))
    far = dict.fromkeys(of.places, 0.78)
    assert check("Orchideen gießt man am besten morgens.", "de", of=of, cosines=far).reason == "unsupported"


def test_a_name_in_another_alphabet_is_recognised_by_its_sound() -> None:
    of = sources(("Greta Lindqvist works in Harlow.", "en"))
    assert check("Владелица — Грета Линдквист.", "ru", of=of, cosines=translated(of, 0)).doubts == ()


def test_a_strange_name_is_in_doubt_until_its_vector_speaks() -> None:
    of = sources(("Greta Lindqvist works in Harlow.", "en"))
    checked = check("Владелица — Мария Пушкина.", "ru", of=of, cosines=translated(of, 0))
    [doubt] = checked.doubts
    assert doubt.name == "Мария Пушкина"
    assert "Пушкина" not in doubt.rest
    assert settle(checked, [doubt.cosine + 0.01], CALIBRATION).reason == "name"
    assert settle(checked, [doubt.cosine - 0.01], CALIBRATION).is_grounded


def test_without_vectors_facts_are_still_compared_across_languages() -> None:
    assert check("Die Papiermühle beschäftigt 1.250 Menschen.", "de").is_grounded
    assert check("Die Papiermühle beschäftigt 1.520 Menschen.", "de").reason == "number"


# ---- around the check


def test_near_copies_need_no_vectors_and_others_do() -> None:
    of = sources((MILL, "en"))
    assert words_decide("The paper mill in Harlow employs 1,250 people.", "en", of, CALIBRATION) is not None
    assert words_decide("Twelve hundred and fifty work at the factory.", "en", of, CALIBRATION) is None
    assert words_decide("Die Mühle steht in Harlow.", "de", of, CALIBRATION) is None


@pytest.mark.parametrize("sentence", ["What does that mean?", "The steps are:", "—", "[1]"])
def test_what_states_nothing_is_not_judged(sentence: str) -> None:
    checked = check(sentence)
    assert checked.is_grounded
    assert not checked.claims


def test_no_sources_support_nothing() -> None:
    assert check("The mill is open.", of=sources()).reason == "unsupported"


def test_an_answer_is_split_with_the_markers_of_each_sentence() -> None:
    text = "Rolls weigh 2.5 tonnes [1]. They leave soon. [2] [3] Nothing else."
    pieces = [text[start:end] for start, end in split_answer(text, "en")]
    assert pieces == ["Rolls weigh 2.5 tonnes [1].", "They leave soon. [2] [3]", "Nothing else."]
    assert without_markers(pieces[1]) == "They leave soon."
