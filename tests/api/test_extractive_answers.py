"""What quoted answers look like: lists, tables, yes or no, two documents."""

from __future__ import annotations

from typing import Any

import pytest

STEPS = """# Cleaning the loom

Wear gloves for this work.

To clean the loom:

1. Unplug the loom and wait ten minutes.
2. Brush the shuttle with the green brush.
3. Wipe the reed with alcohol.
"""
PRICES = """# Prices

| Yarn | Price per kilogram | Stock |
| --- | --- | --- |
| Merino | 41 EUR | 70 |
| Cashmere | 260 EUR | 4 |
"""


async def test_steps_are_quoted_in_order_with_their_lead_in(company: Any) -> None:
    await company.know(STEPS, "loom.md")
    answer = await company.ask("How do I clean the loom shuttle with the green brush?")
    lines = answer["content"].splitlines()
    assert lines[0] == "To clean the loom:"
    assert [line[:2] for line in lines[1:4]] == ["1.", "2.", "3."]
    [source] = [source for source in answer["sources"] if "Unplug" in source["excerpt"]]
    assert source["excerpt"].startswith("To clean the loom:")
    assert lines[3].endswith(f"[{source['number']}]")


async def test_a_row_is_quoted_under_the_header_of_its_table(company: Any) -> None:
    await company.know(PRICES, "prices.md")
    answer = await company.ask("What is the price per kilogram of cashmere yarn?")
    header, rule, row = answer["content"].splitlines()[:3]
    assert header == "| Yarn | Price per kilogram | Stock |"
    assert set(rule) <= set("| -")
    assert "260 EUR" in answer["content"]
    assert "[1]" in row


@pytest.mark.parametrize(
    ("question", "opening"),
    [
        ("Can goods be returned within 42 days of delivery?", "The source says: "),
        ("Within how many days of delivery may goods be returned?", "Goods may be returned within 42 days"),
    ],
)
async def test_a_question_for_yes_or_no_gets_the_evidence_and_no_verdict(
    company: Any, question: str, opening: str
) -> None:
    await company.know()
    answer = await company.ask(question)
    assert answer["content"].startswith(opening)
    assert "42 days" in answer["content"]
    [first, *_] = answer["grounding"]["sentences"]
    assert answer["content"][first["start"] : first["end"]].startswith("Goods may be returned")


async def test_a_question_for_two_things_is_answered_from_two_documents(company: Any) -> None:
    await company.know("# Merino\n\nMerino yarn is spun in Tromso on Tuesdays. It is dyed later.\n", "merino.md")
    await company.know("# Cashmere\n\nCashmere yarn is spun in Bergen on Fridays. It is soft.\n", "cashmere.md")
    answer = await company.ask("Where is merino yarn spun and where is cashmere yarn spun?")
    assert "Tromso" in answer["content"]
    assert "Bergen" in answer["content"]
    assert len({source["doc_id"] for source in answer["sources"]}) == 2


async def test_the_same_statement_of_two_documents_is_made_once(company: Any) -> None:
    statement = "The dye works in Alta closes for the whole month of February."
    await company.know(f"# Notes\n\n{statement}\n", "one.md")
    await company.know(f"# Other notes\n\n{statement} Bring a coat when you visit the river.\n", "two.md")
    answer = await company.ask("When does the dye works in Alta close?")
    assert answer["content"].count("whole month of February") == 1
