"""Whether two questions ask the same: what is refused, by which reason, and what is not."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from dragoman.generation.same_question import why_different

PAIRS = [
    json.loads(line)
    for line in (Path(__file__).parents[2] / "benchmarks" / "pairs" / "questions.jsonl").read_text().splitlines()
]
LOOK_ALIKES = [tuple(line.split("|")) for line in (Path(__file__).parent / "look_alikes.txt").read_text().splitlines()]


@pytest.mark.parametrize(
    ("reason", "language", "one", "other"),
    [
        ("asked_for", "en", "Who approves my leave?", "When is my leave approved?"),
        ("asked_for", "de", "Was kostet die Schulung?", "Wie lange dauert die Schulung?"),
        ("asked_for", "es", "¿Dónde cambio mis datos?", "¿Cuándo cambio mis datos?"),
        ("asked_for", "ru", "Кто платит поставщику?", "Кому платит поставщик?"),
        ("number", "en", "What happens after 3 failed logins?", "What happens after 5 failed logins?"),
        ("number", "de", "Was kostet eine Lizenz für zwei Nutzer?", "Was kostet eine Lizenz für zehn Nutzer?"),
        ("number", "es", "¿Abre el 24 de diciembre?", "¿Abre el 26 de diciembre?"),
        ("number", "ru", "Работает ли с версией 2.3?", "Работает ли с версией 2.4?"),
        ("number", "en", "Can I cancel within 14 days?", "Can I cancel within 14 hours?"),
        ("identifier", "en", "How do I clean the X4100b?", "How do I clean the X4200b?"),
        ("name", "en", "Who leads the team in Berlin?", "Who leads the team in Munich?"),
        ("name", "ru", "Кто руководит командой в Москве?", "Кто руководит командой в Казани?"),
        ("polarity", "en", "What is covered by the warranty?", "What isn't covered by the warranty?"),
        ("polarity", "de", "Kann ich kündigen?", "Kann ich nicht kündigen?"),
        ("polarity", "es", "¿Puedo pagar con recibo?", "¿Puedo pagar sin recibo?"),
        ("polarity", "ru", "Что покрывает страховка?", "Что не покрывает страховка?"),
        ("condition", "en", "Do I get a refund?", "Do I get a refund for opened parcels?"),
        ("words", "en", "How do I enable sign-on?", "How do I disable sign-on?"),
        ("words", "de", "Wie importiere ich kontakte?", "Wie exportiere ich kontakte?"),
        ("words", "es", "¿Cómo subo un archivo?", "¿Cómo descargo un archivo?"),
        ("words", "ru", "Как увеличить яркость?", "Как уменьшить яркость?"),
        ("relation", "en", "What do I do before the exam?", "What do I do after the exam?"),
        ("relation", "en", "How do I move it from A4 to A5?", "How do I move it from A5 to A4?"),
        ("relation", "de", "Was passiert vor der Probezeit?", "Was passiert während der Probezeit?"),
        ("relation", "ru", "Что проверить перед установкой?", "Что проверить после установки?"),
        ("person", "en", "Can I cancel the contract?", "Can you cancel the contract?"),
        ("person", "es", "¿Cuándo envían la factura?", "¿Cuándo envío la factura?"),
        ("tense", "en", "Was the office closed?", "Is the office closed?"),
        ("tense", "es", "¿Cuándo cambió la política?", "¿Cuándo cambia la política?"),
        ("roles", "en", "Can a manager overrule an auditor?", "Can an auditor overrule a manager?"),
        ("roles", "de", "Welcher Partner beliefert den Kunden?", "Welchen Partner beliefert der Kunde?"),
        ("roles", "es", "¿Qué cliente llama al proveedor?", "¿A qué cliente llama el proveedor?"),
        ("roles", "ru", "Может ли сотрудник пригласить клиента?", "Может ли сотрудника пригласить клиент?"),
        ("language", "ja", "返品できますか", "返品できますか"),
    ],
)
def test_a_look_alike_is_refused_for_its_reason(reason: str, language: str, one: str, other: str) -> None:
    for first, second in ((one, other), (other, one)):
        refusal = why_different(first, second, language)
        assert refusal is not None
        assert refusal.reason == reason, refusal


@pytest.mark.parametrize(("language", "one", "other"), LOOK_ALIKES)
def test_questions_that_differ_in_a_word_are_not_the_same(language: str, one: str, other: str) -> None:
    assert why_different(one, other, language) is not None
    assert why_different(other, one, language) is not None


@pytest.mark.parametrize(
    ("language", "one", "other"),
    [
        ("en", "How do I reset my password?", "What is the way to reset the password?"),
        ("en", "When are refunds processed?", "When do you process refunds?"),
        ("en", "What is the return policy?", "What is the policy for returns?"),
        (
            "en",
            "What discount do gold partners get on projectors?",
            "What is the discount on projectors for gold partners?",
        ),
        ("en", "On Sundays, when do you open?", "When do you open on Sundays?"),
        ("en", "Can I carry over 5 days?", "Is it possible to carry over five days?"),
        ("de", "Wie setze ich mein Passwort zurück?", "Was muss ich tun, um mein Kennwort zurückzusetzen?"),
        ("de", "Was kostet der Versand nach Wien?", "Wie hoch sind die Kosten für den Versand nach Wien?"),
        ("es", "¿Cuánto cuesta el plan premium?", "¿Cuál es el precio del plan premium?"),
        ("es", "¿Puedo anular mi pedido?", "¿Es posible cancelar mi pedido?"),
        ("ru", "Сколько стоит доставка?", "Какова стоимость доставки?"),
        ("ru", "Как удалить аккаунт?", "Что нужно сделать, чтобы удалить учетную запись?"),
    ],
)
def test_other_words_for_the_same_are_the_same(language: str, one: str, other: str) -> None:
    assert why_different(one, other, language) is None
    assert why_different(other, one, language) is None


def test_of_the_pairs_of_the_benchmark_no_look_alike_and_most_paraphrases_are_the_same() -> None:
    different = [pair for pair in PAIRS if not pair["same"] and pair["kind"] != "language"]
    same = [pair for pair in PAIRS if pair["same"]]
    assert (len(PAIRS), len(same)) == (400, 200)
    taken = [pair for pair in different if why_different(pair["one"], pair["other"], pair["language"]) is None]
    assert taken == []
    hits = sum(why_different(pair["one"], pair["other"], pair["language"]) is None for pair in same)
    assert hits >= 0.6 * len(same)


@pytest.mark.parametrize(
    "text", ["", "?", "¿", "...", "1", "I", "не", "ich zurück", "a" * 20_000, "how " * 3_000, "\x00\ud83d"]
)
@pytest.mark.parametrize("language", ["en", "de", "es", "ru"])
def test_what_is_no_question_is_read_too(text: str, language: str) -> None:
    why_different(text, "How?", language)
