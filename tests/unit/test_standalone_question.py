"""Which questions are known to be understood without their conversation."""

from __future__ import annotations

from typing import Any

import pytest

from dragoman.tenancy.settings import ChatbotSettings
from dragoman.understanding.entities import Prepared, Rewritten, TranslatedQuestion
from dragoman.understanding.service import standalone_question

ASKED = "And for partners?"
WHOLE = "What is the discount on projectors for partners?"


def standalone(
    *, has_history: bool = True, rewrite: str = "auto", language: str = "en", **rewritten: Any
) -> str | None:
    values = {"text": ASKED, "used": False, "method": "none", "reason": "none", **rewritten}
    prepared = Prepared(text=ASKED, rewritten=Rewritten(**values))
    settings = ChatbotSettings.model_validate({"rewrite": rewrite})
    return standalone_question(prepared, settings, language, has_history=has_history)


def test_the_first_question_of_a_conversation_stands_alone() -> None:
    assert standalone(has_history=False, reason="short", rewrite="off") == ASKED


def test_a_follow_up_stands_alone_as_the_model_wrote_it() -> None:
    assert standalone(text=WHOLE, used=True, method="model", reason="continuing") == WHOLE


def test_a_question_that_needs_nothing_of_its_conversation_stands_alone() -> None:
    assert standalone() == ASKED


@pytest.mark.parametrize(
    "how",
    [
        {"text": f"{ASKED} discount projectors", "used": True, "method": "history", "reason": "continuing"},
        {"reason": "pointing"},
        {"degraded": ("rewrite_failed:llm.timeout",)},
        {"rewrite": "off"},
        {"language": "xx"},
    ],
)
def test_of_another_follow_up_it_is_not_known(how: dict[str, Any]) -> None:
    assert standalone(**how) is None


def test_a_translated_question_counts_as_it_was_translated() -> None:
    rewritten = Rewritten(text=WHOLE, used=True, method="model", reason="continuing")
    translated = TranslatedQuestion(
        text="Und für Partner?", language="de", completed="Welchen Rabatt bekommen Partner?"
    )
    prepared = Prepared(text=ASKED, rewritten=rewritten, translated=translated)
    assert (
        standalone_question(prepared, ChatbotSettings(), "en", has_history=True) == "Welchen Rabatt bekommen Partner?"
    )
