"""What a prompt template may say, what it may not, and how much of the sources fits beside it."""

from __future__ import annotations

from typing import Any

import pytest

from dragoman.generation import prompts, templates
from dragoman.generation.entities import PromptMarks
from dragoman.generation.templates import InvalidTemplateError
from dragoman.tenancy.settings import ChatbotSettings

VALUES = {
    "language": "de",
    "unknown": "Ich weiß es nicht.",
    "chatbot": "Handbook",
    "description": "",
    "instructions": "Be brief.",
    "today": "2026-01-31",
}


@pytest.mark.parametrize(
    ("template", "said"),
    [
        ("{{ chatbot|upper }} on {{ today }}: {{ unknown }}", "HANDBOOK on 2026-01-31: Ich weiß es nicht."),
        ("{% if language == 'de' %}Sie{% else %}you{% endif %} {{ unknown }}", "Sie Ich weiß es nicht."),
        ("{{ description|default('no description', true) }} {{ unknown }}", "no description Ich weiß es nicht."),
        ("{{ 'du' if language in ['de'] else 'you' }} {{ unknown }}", None),
        ("{# a note #}{{ instructions }} {{ unknown }}", "Be brief. Ich weiß es nicht."),
    ],
)
def test_variables_choices_and_filters_are_for_everybody(template: str, said: str | None) -> None:
    if said is None:
        with pytest.raises(InvalidTemplateError, match="List"):
            templates.check(template)
        return
    templates.check(template)
    assert templates.render(template, VALUES) == said


@pytest.mark.parametrize(
    ("template", "reason"),
    [
        ("{{ unknown.__class__ }}", "Getattr"),
        ("{{ unknown['x'] }}", "Getitem"),
        ("{{ range(10**9) }} {{ unknown }}", "range|Call"),
        ("{% for c in unknown %}{{ c }}{% endfor %}", "For"),
        ("{% set x = unknown %}{{ x }}", "Assign"),
        ("{% macro m() %}{{ m() }}{% endmacro %}{{ unknown }}", "Macro"),
        ("{% include 'x' %}{{ unknown }}", "Include"),
        ("{{ unknown * 10**9 }}", "Mul"),
        ("{{ unknown ~ unknown }}", "Concat"),
        ("{{ unknown|center(10000000) }}", "no filter 'center'"),
        ("{{ secret }} {{ unknown }}", "no 'secret'"),
        ("line one\n{{ nonsense", "Line 2"),
        ("Never says it does not know.", "unknown"),
        ("x" * 16_001, "16001 characters"),
    ],
)
def test_whatever_could_reach_out_or_run_on_is_refused_with_its_reason(template: str, reason: str) -> None:
    with pytest.raises(InvalidTemplateError, match=reason):
        templates.check(template)


def test_the_built_in_template_is_one_that_owners_could_have_written() -> None:
    templates.check(prompts.DEFAULT)
    said = templates.render(prompts.DEFAULT, VALUES)
    assert 'the code "de"' in said
    assert said.endswith("Be brief.")
    assert not templates.render(prompts.DEFAULT, VALUES | {"instructions": ""}).endswith("\n")


def test_text_of_a_variable_is_never_read_as_a_template() -> None:
    said = templates.render("{{ instructions }} {{ unknown }}", VALUES | {"instructions": "{{ today }}{% if %}"})
    assert said == "{{ today }}{% if %} Ich weiß es nicht."


class _Passage:
    def __init__(self, text: str) -> None:
        chunk = type("Chunk", (), {"id": text[:1], "text": text, "language": "en", "heading_path": ()})
        self.found = type("Found", (), {"title": "T", "chunk": chunk})
        self.chunk_id = "c"


def _fitting(window: int | None, *texts: str) -> int:
    told = {"system_message": "s" * 30, "history": (), "question": "q" * 30}
    request: Any = type("Request", (), {**told, "marks": PromptMarks(), "settings": ChatbotSettings()})
    passages: Any = [_Passage(text) for text in texts]
    return prompts.count_fitting(request, passages, window=window, answer_tokens=100)


def test_as_many_sources_are_given_as_the_window_has_room_for_and_one_at_least() -> None:
    texts = ("a" * 300, "b" * 300, "c" * 300)
    assert _fitting(None, *texts) == 3
    assert _fitting(10_000, *texts) == 3
    assert _fitting(100 + 260, *texts) == 2
    assert _fitting(100, *texts) == 1
    assert _fitting(1000) == 0
    assert _fitting(100 + 260, *("é" * 300 for _ in range(3))) == 1, "bytes count, not characters"
