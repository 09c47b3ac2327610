"""What a translation must not touch, through engines that keep it, bend it and lose it."""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from typing import Any
from uuid import uuid4

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dragoman.inference.service import CallContext
from dragoman.tenancy.settings import ChatbotSettings, GlossaryTerm
from dragoman.understanding.glossary import keeps_numbers, protect
from dragoman.understanding.translation import TextTranslator, cut_sentences

GLOSSARY = [
    GlossaryTerm(term="Partner Center"),
    GlossaryTerm(term="IT"),
    GlossaryTerm(term="Rücksendung", translations={"en": "return", "es": "devolución"}),
    GlossaryTerm(term="合作伙伴"),
]
Engine = Callable[[str], str]


def keeping(text: str) -> str:
    return re.sub(r"\b(?!XQ[A-Z]*\d)[^\W\d_]+\b", "wort", text)


def losing(text: str) -> str:
    """As a small model does with words that it does not know."""
    return re.sub(r"\bXQ[A-Z]*\d+", "", keeping(text))


def doubling(text: str) -> str:
    return re.sub(r"\b(XQ[A-Z]*\d+)", r"\1 \1", keeping(text))


def lowering(text: str) -> str:
    return re.sub(r"\bXQ([A-Z]*)(\d+)", lambda match: match[0].lower().replace("xq", "xq "), keeping(text))


def without_digits(text: str) -> str:
    return re.sub(r"(?<![A-Z])\b\d+(?:[.,]\d+)*", "viele", keeping(text))


ENGINES: dict[str, Engine] = {
    "keeping": keeping, "losing": losing, "doubling": doubling, "lowering": lowering, "without_digits": without_digits,
}  # fmt: skip


class Fake:
    def __init__(self, engine: Engine) -> None:
        self.engine, self.asked = engine, list[str]()

    def placeholder(self, name: str) -> str:
        return "XQ{n}"

    async def translate(self, context: Any, name: str, texts: Sequence[str], source: str, target: str) -> list[str]:
        self.asked += texts
        return [self.engine(text) for text in texts]


def translator(engine: Engine = keeping, glossary: Sequence[GlossaryTerm] = GLOSSARY) -> TextTranslator:
    context = CallContext(tenant_id=uuid4(), chatbot_id=None, purpose="test")
    return TextTranslator(translators=Fake(engine), name="fake", context=context, glossary=glossary)  # type: ignore[arg-type]


async def said(text: str, engine: Engine = keeping, source: str = "en", target: str = "de") -> str:
    return await translator(engine).translate(text, source, target)


@pytest.mark.parametrize("engine", ENGINES.values(), ids=ENGINES)
@pytest.mark.parametrize(
    ("text", "kept"),
    [
        ("Open the Partner Center now.", ["Partner Center"]),
        ("Open the partner center now.", ["partner center"]),
        ("Partner Center, Partner Center and (Partner Center)!", ["Partner Center"] * 3),
        ("The DX-4100/2 costs 1,200.50 EUR.", ["DX-4100/2", "1,200.50"]),
        (
            "See https://example.org/a?b=1&c=2#d or mail to help@example.org.",
            ["https://example.org/a?b=1&c=2#d", "help@example.org"],
        ),
        ("Run `rm -rf /tmp/x y` with foo_bar() in config.yaml.", ["`rm -rf /tmp/x y`", "foo_bar()", "config.yaml"]),
        ("Version v2.3.1 of the driver needs {name} here.", ["v2.3.1", "{name}"]),
        ("It takes [1] some days [2, 3] to arrive.", ["[1]", "[2, 3]"]),
        ("Goods go back within 42 days, 7 in May.", ["42", "7"]),
        ("Use XQ1 and XQ2 with the Partner Center.", ["XQ1", "XQ2", "Partner Center"]),
        ("The IT team knows it.", ["IT"]),
        ("Die 合作伙伴计划 is here.", ["合作伙伴"]),
        ("Die 合作伙伴4plan is here.", ["合作伙伴", "4"]),
    ],
)
async def test_what_must_not_be_translated_comes_out_as_it_went_in(engine: Engine, text: str, kept: list[str]) -> None:
    translated = await said(text, engine)
    for word in set(kept):
        assert translated.count(word) == kept.count(word), translated
    assert not re.search(r"XQ(?!1\b|2\b)[A-Z]*\d|\bxq", translated)
    assert "wort" in translated


@pytest.mark.parametrize(
    "text", ["The Partner Centers of the Uppartner Center.", "Partner-Centering", "it is late", "returned goods"]
)
async def test_a_term_inside_a_word_or_another_word_is_translated(text: str) -> None:
    assert protect(text, GLOSSARY, "es", "XQ{n}").kept == ()


@pytest.mark.parametrize("engine", ENGINES.values(), ids=ENGINES)
async def test_a_term_with_a_translation_of_its_own_is_rendered_so_both_ways(engine: Engine) -> None:
    assert "devolución" in await said("Die Rücksendung ist frei.", engine, "de", "es")
    assert "Rücksendung" in await said("The return is free.", engine, "en", "de")
    assert "return" in await said("La Devolución es gratis.", engine, "es", "en")
    assert "Rücksendung" in await said("Le return est gratuit.", engine, "fr", "it")  # its own name where there is none


async def test_markers_stay_at_the_end_of_their_sentence() -> None:
    assert (
        await said("One day [1]. Two days. [2] Three days [3][4]") == "wort wort [1]. wort wort. [2] wort wort [3][4]"
    )


async def test_markers_are_not_shown_to_the_engine_where_they_end_a_sentence() -> None:
    through = translator()
    await through.translate("One day [1].", "en", "de")
    assert through.translators.asked == ["One day"]  # type: ignore[attr-defined]


async def test_lines_lists_and_tables_keep_their_form() -> None:
    text = "# A heading\n\n- first item [1]\n- second item [2]\n\n| Name | Price [1] |\n| --- | --- |\n| red car | 12 EUR [2] |\n"
    assert await said(text) == (
        "# wort wort\n\n- wort wort [1]\n- wort wort [2]\n\n| wort | wort [1] |\n| --- | --- |\n| wort wort | 12 wort [2] |\n"
    )


async def test_a_text_without_words_needs_no_engine() -> None:
    through = translator()
    for text in ("", "42 [1]", "DX-4100/2", "https://example.org/a", "Partner Center", "--- | ---"):
        assert await through.translate(text, "en", "de") == text
    assert through.translators.asked == []  # type: ignore[attr-defined]


async def test_the_same_sentence_is_asked_once() -> None:
    through = translator()
    await through.translate("One day. One day. One day.", "en", "de")
    assert through.translators.asked == ["One day."]  # type: ignore[attr-defined]


async def test_sentences_are_set_as_the_target_language_does() -> None:
    assert await said("一天。两天。", lambda text: "One day.", "zh", "en") == "One day. One day. "
    assert await said("One day. Two days.", lambda text: "一天。", "en", "zh") == "一天。一天。"


def test_numbers_may_be_written_in_another_way_but_not_be_lost() -> None:
    assert keeps_numbers("1,200.50 EUR in 2024", "2024: 1.200,50 EUR")
    assert not keeps_numbers("1,200.50 EUR", "1.200,5 EUR")
    assert not keeps_numbers("7 or 7", "7")


@given(st.text(max_size=200), st.sampled_from(sorted(ENGINES)))
async def test_any_text_is_translated_without_a_crash_and_keeps_its_markers(text: str, engine: str) -> None:
    translated = await said(f"A word {text} here [7].", ENGINES[engine])
    assert translated.rstrip().endswith("[7].") or "[7]" in translated


@given(st.lists(st.sampled_from(["One.", " Two!", " [1]", " [2]", "\n", " 3.5", "。", " a", "U.S.", " "]), max_size=20))
def test_sentences_together_are_the_text(pieces: list[str]) -> None:
    text = "".join(pieces)
    assert "".join(cut_sentences(text, "en")) == text


@pytest.mark.parametrize(
    "glossary",
    [
        [{"term": "  ! "}],
        [{"term": "x", "translations": {"German": "y"}}],
        [{"term": "x", "translations": {"de": " "}}],
    ],
)
def test_a_glossary_without_words_is_refused(glossary: list[dict[str, Any]]) -> None:
    with pytest.raises(ValueError, match="glossary"):
        ChatbotSettings.model_validate({"glossary": glossary})
