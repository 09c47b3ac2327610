"""Whole lists with their lead-in, and questions that ask for yes or no."""

from __future__ import annotations

import pytest

from dragoman.generation.lists import asks_for_all, lead_in_of, leads_in, list_around
from dragoman.generation.yes_no import asks_yes_or_no

TEXT = """# Cleaning

The machine is cleaned every Friday.

To clean the roller:

1. Switch the machine off.
2. Open the left door
   with the square key.
3. Wipe the roller.

Gloves are in the drawer.

- single
"""


@pytest.mark.parametrize(
    "words", ["To clean the roller", "Switch the machine", "with the square key", "Wipe the roller"]
)
def test_a_list_is_whole_with_its_lead_in_wherever_it_is_entered(words: str) -> None:
    span = list_around(TEXT, TEXT.index(words))
    assert span is not None
    whole = TEXT[slice(*span)]
    assert whole.startswith("To clean the roller:")
    assert whole.endswith("3. Wipe the roller.")


@pytest.mark.parametrize("words", ["The machine is cleaned", "Gloves are", "single"])
def test_what_is_no_list_has_none_around_it(words: str) -> None:
    assert list_around(TEXT, TEXT.index(words)) is None


def test_a_list_too_long_to_quote_is_not_whole() -> None:
    long = "Parts:\n\n" + "\n".join(f"- part number {number}" for number in range(40))
    assert list_around(long, long.index("number 3")) is None


def test_the_lead_in_of_an_item_stands_above_its_list() -> None:
    assert lead_in_of(TEXT, TEXT.index("3. Wipe")) == "To clean the roller"
    assert lead_in_of(TEXT, TEXT.index("- single")) == ""
    start = TEXT.index("To clean")
    assert leads_in(TEXT, start, TEXT.index(":", start) + 1)


def test_questions_for_all_items_are_told_from_questions_for_one() -> None:
    assert asks_for_all("How do I clean the roller?", "en")
    assert asks_for_all("Welche Schritte sind nötig?", "de")
    assert not asks_for_all("When is the machine cleaned?", "en")


@pytest.mark.parametrize(
    ("question", "language"),
    [
        ("Can I return a used roller?", "en"),
        ("Kann ich eine gebrauchte Walze zurückgeben?", "de"),
        ("¿Puedo devolver un rodillo usado?", "es"),
        ("Est-ce que je peux rendre un rouleau ?", "fr"),
        ("Можно ли вернуть валик?", "ru"),
        ("可以退货吗？", "zh"),
        ("هل يمكن إرجاع الأسطوانة؟", "ar"),
        ("Kullanılmış merdane iade edilebilir mi?", "tr"),
        ("ローラーは返品できますか？", "ja"),
    ],
)
def test_yes_or_no_questions_are_recognised(question: str, language: str) -> None:
    assert asks_yes_or_no(question, language)


@pytest.mark.parametrize(
    ("question", "language"),
    [
        ("When can I return a roller?", "en"),
        ("Is the roller blue or red?", "en"),
        ("Can you tell me when the shop opens?", "en"),
        ("Wann kann ich die Walze zurückgeben?", "de"),
        ("¿Cuándo puedo devolverlo?", "es"),
        ("什么时候可以退货？", "zh"),
        ("is it?", "xx"),
    ],
)
def test_other_questions_are_not(question: str, language: str) -> None:
    assert not asks_yes_or_no(question, language)
