"""Personal data is masked for a model elsewhere and put back in what it writes, wherever a placeholder is split."""

from __future__ import annotations

from collections.abc import Sequence

import pytest

from dragoman.adapters.pii_detector.patterns import Adapter, Settings
from dragoman.inference.masking import MaskingFailedError, PiiMask
from dragoman.ports.llm import ChatMessage, TextRequest
from dragoman.ports.pii_detector import PiiSpan


def mask_with(*detectors: object) -> PiiMask:
    return PiiMask(detectors, lambda _: "en", lambda span: span.score >= 0.5)  # type: ignore[arg-type]


def request(*texts: str) -> TextRequest:
    return TextRequest(messages=[ChatMessage(role="user", content=text) for text in texts])


async def test_the_same_value_has_the_same_placeholder_in_all_messages() -> None:
    mask = mask_with(Adapter(Settings()))
    masked = await mask.mask(request("Write to ann@example.org.", "Is ann@example.org or bob@example.org right?"))
    assert [message.content for message in masked.messages] == [
        "Write to [EMAIL_ADDRESS_1].",
        "Is [EMAIL_ADDRESS_1] or [EMAIL_ADDRESS_2] right?",
    ]


async def test_values_that_differ_by_a_dot_are_two_and_a_number_grouped_otherwise_is_one() -> None:
    mask = mask_with(Adapter(Settings()))
    text = (
        "a.nn@example.org, ann@example.org, 00:1b:1:2::7 and 0:01b:12::7, card 4111 1111 1111 1111 or 4111111111111111"
    )
    masked = (await mask.mask(request(text))).messages[0].content
    assert masked == (
        "[EMAIL_ADDRESS_1], [EMAIL_ADDRESS_2], [IP_ADDRESS_1] and [IP_ADDRESS_2], "
        "card [CREDIT_CARD_1] or [CREDIT_CARD_1]"
    )
    restorer = mask.restorer()
    assert (restorer.feed(masked) + restorer.finish()).startswith(text.partition(", card")[0])


async def test_a_placeholder_that_a_document_has_already_is_not_taken() -> None:
    masked = await mask_with(Adapter(Settings())).mask(request("[EMAIL_ADDRESS_1] wrote to ann@example.org."))
    assert masked.messages[0].content == "[EMAIL_ADDRESS_1] wrote to [EMAIL_ADDRESS_2]."


class _FindsAnnouncedNames:
    types = frozenset({"PERSON"})

    async def detect(self, texts: Sequence[str], *, language: str) -> list[list[PiiSpan]]:
        found = []
        for text in texts:
            at = text.find("Ms ")
            found.append([PiiSpan(start=at + 3, end=at + 12, type="PERSON", score=0.9)] if at >= 0 else [])
        return found


async def test_a_name_found_once_is_masked_wherever_it_stands() -> None:
    masked = await mask_with(_FindsAnnouncedNames()).mask(request("Ask Ms Ada Lovel.", "What did Ada Lovel say?"))
    assert [message.content for message in masked.messages] == ["Ask Ms [PERSON_1].", "What did [PERSON_1] say?"]


@pytest.mark.parametrize(
    "written", ["To [EMAIL_ADDRESS_1]!", "To EMAIL_ADDRESS_1, now", "[EMAIL_ADDRESS_1]", "See [1] [E"]
)
async def test_a_reply_split_anywhere_has_the_real_values(written: str) -> None:
    mask = mask_with(Adapter(Settings()))
    await mask.mask(request("Write to ann@example.org."))
    shown = written.replace("[EMAIL_ADDRESS_1]", "ann@example.org").replace("EMAIL_ADDRESS_1", "ann@example.org")
    for first in range(len(written) + 1):
        for second in range(first, len(written) + 1):
            restorer = mask.restorer()
            parts = (written[:first], written[first:second], written[second:])
            assert "".join(map(restorer.feed, parts)) + restorer.finish() == shown


async def test_eleven_values_are_told_apart_in_a_stream() -> None:
    mask = mask_with(Adapter(Settings()))
    await mask.mask(request(" ".join(f"a{number}@example.org" for number in range(1, 13))))
    restorer = mask.restorer()
    said = "".join(restorer.feed(piece) for piece in ("[EMAIL_ADDRESS_1", "2] and EMAIL_ADDRESS_1", "1."))
    assert said + restorer.finish() == "a12@example.org and a11@example.org."


class _Fails:
    types = frozenset({"PERSON"})

    async def detect(self, texts: Sequence[str], *, language: str) -> list[list[PiiSpan]]:
        raise RuntimeError("out of order")


async def test_where_nothing_can_be_masked_nothing_is_sent() -> None:
    for detectors in ((), (_Fails(),)):
        with pytest.raises(MaskingFailedError):
            await mask_with(*detectors).mask(request("Write to ann@example.org."))
