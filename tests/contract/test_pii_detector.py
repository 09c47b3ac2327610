"""What `ports/pii_detector.py` promises, on every detector of personal data."""

from __future__ import annotations

import asyncio
import itertools
import time
from collections.abc import AsyncIterator, Sequence
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from dragoman.kit import registry
from dragoman.ports.pii_detector import PiiSpan, settle_overlaps
from tests.contract.conftest import open_adapter

LETTER = (
    "Dear Ms. Angela Whitfield,\nplease write to angela.whitfield@example.org or to "
    "18 Rosemount Avenue, Dover.\nMy name is Angela Whitfield. Card number 4111 1111 1111 1111."
)
PATTERNS_KNOW = [
    ("en", "Write to jo.o'neil+news@mail.example.co.uk.", "EMAIL_ADDRESS", "jo.o'neil+news@mail.example.co.uk"),
    ("en", "Call me at 415-555-2671 please", "PHONE_NUMBER", "415-555-2671"),
    ("de", "Tel.: 030/901820", "PHONE_NUMBER", "030/901820"),
    ("fr", "Tél. 01 42 68 53 00", "PHONE_NUMBER", "01 42 68 53 00"),
    ("ru", "тел. 8 (495) 123-45-67", "PHONE_NUMBER", "8 (495) 123-45-67"),
    ("zh", "电话：+86 10 6552 9988", "PHONE_NUMBER", "+86 10 6552 9988"),
    ("en", "card 5500 0055 5555 5559", "CREDIT_CARD", "5500 0055 5555 5559"),
    ("de", "IBAN DE89 3704 0044 0532 0130 00", "IBAN_CODE", "DE89 3704 0044 0532 0130 00"),
    ("en", "from 8.8.8.8 at noon", "IP_ADDRESS", "8.8.8.8"),
    ("en", "from 2001:4860:4860::8888 at noon", "IP_ADDRESS", "2001:4860:4860::8888"),
    ("en", "see https://example.org/a?b=c.", "URL", "https://example.org/a?b=c"),
    ("en", "pay 1BvBMSEYstWetqTFn5Au4m4GFg7xJaNVN2", "CRYPTO", "1BvBMSEYstWetqTFn5Au4m4GFg7xJaNVN2"),
    ("en", "SSN 536-90-4399", "US_SSN", "536-90-4399"),
    ("en", "Passport number 533380006", "US_PASSPORT", "533380006"),
    ("en", "driver's license D1234567", "US_DRIVER_LICENSE", "D1234567"),
    ("en", "account number 123456789012", "US_BANK_NUMBER", "123456789012"),
    ("en", "routing 021000021", "ABA_ROUTING_NUMBER", "021000021"),
    ("en", "NHS number 943 476 5919", "UK_NHS", "943 476 5919"),
    ("en", "NI number AB123456C", "UK_NINO", "AB123456C"),
    ("de", "Steuer-ID 86095742719", "DE_TAX_ID", "86095742719"),
    ("de", "Personalausweis L01X00T471", "DE_ID_CARD", "L01X00T471"),
    ("de", "AHV-Nr. 756.9217.0769.85", "CH_AHV", "756.9217.0769.85"),
    ("fr", "NIR 2 55 08 14 168 025 38", "FR_NIR", "2 55 08 14 168 025 38"),
    ("es", "DNI 12345678Z", "ES_NIF", "12345678Z"),
    ("es", "NIE X1234567L", "ES_NIE", "X1234567L"),
    ("it", "codice fiscale RSSMRA85T10A562S", "IT_FISCAL_CODE", "RSSMRA85T10A562S"),
    ("pt", "NIF: 123456789", "PT_NIF", "123456789"),
    ("pt", "CPF 529.982.247-25", "BR_CPF", "529.982.247-25"),
    ("nl", "BSN 111222333", "NL_BSN", "111222333"),
    ("pl", "PESEL 44051401359", "PL_PESEL", "44051401359"),
    ("tr", "T.C. kimlik 10000000146", "TR_ID", "10000000146"),
    ("en", "Aadhaar 2341 2341 2346", "IN_AADHAAR", "2341 2341 2346"),
    ("en", "PAN ABCPE1234F", "IN_PAN", "ABCPE1234F"),
    ("zh", "我的手机号是13812345678，谢谢", "PHONE_NUMBER", "13812345678"),
    ("ja", "個人番号は123456789018です", "JP_MY_NUMBER", "123456789018"),
    ("ja", "マイナンバー：1234 5678 9018", "JP_MY_NUMBER", "1234 5678 9018"),
    ("zh", "身份证 11010519491231002X", "CN_RESIDENT_ID", "11010519491231002X"),
    ("en", "She was born on 2 May 1971.", "DATE_OF_BIRTH", "2 May 1971"),
    ("de", "geboren am 24.12.1985 in Ulm", "DATE_OF_BIRTH", "24.12.1985"),
    ("en", "a 38-year-old engineer", "AGE", "38"),
    ("ru", "Меня зовут Иван Петров.", "PERSON", "Иван Петров"),
    ("de", "Sehr geehrte Frau Müller-Lüdenscheidt,", "PERSON", "Müller-Lüdenscheidt"),
    ("en", "| Name | Phone |\n|---|---|\n| Ann Lee | 5551234567 |\n", "PERSON", "Ann Lee"),
    ("en", "| Name | Phone |\n|---|---|\n| Ann Lee | 5551234567 |\n", "PHONE_NUMBER", "5551234567"),
]
INNOCENT = [
    "The report 2019-2020 covers 10,000,000 units, DOI 10.1000/182, ISBN 978-3-16-148410-0.",
    "1.234.567,89 EUR on 2024-05-06 12:00:00, part 4711-0815-99, version 1.2.3.4, icon@2x.png",
    "Order 4111111111111112 was paid; the timestamp is 1699999999999 and the build 10.0.19045.1",
    "Use 192.168.1.1 or localhost. DE89 3704 0044 0532 0130 01 fails the check. Engineering 101 in Spring 2020.",
    "RSSMRA85T10A562T, 12345678A and 86095742710 have wrong check digits.",
]


@pytest.fixture(params=registry.list_adapters("pii_detector"))
async def detector(request: pytest.FixtureRequest, tmp_path: Path) -> AsyncIterator[Any]:
    async with open_adapter("pii_detector", request.param, tmp_path) as adapter:
        yield adapter


async def test_what_a_letter_gives_away_is_found(detector: Any) -> None:
    spans = (await detector.detect([LETTER], language="en"))[0]
    found = {(span.type, LETTER[span.start : span.end]) for span in spans}
    expected = {
        ("EMAIL_ADDRESS", "angela.whitfield@example.org"),
        ("CREDIT_CARD", "4111 1111 1111 1111"),
        ("PERSON", "Angela Whitfield"),
        ("STREET_ADDRESS", "18 Rosemount Avenue"),
    }
    assert found & expected
    for kind, value in expected:
        if kind in detector.types and detector.types != {"PERSON", "LOCATION", "STREET_ADDRESS", "ZIP_CODE"}:
            assert (kind, value) in found


async def test_spans_come_in_order_and_do_not_overlap(detector: Any) -> None:
    texts = [LETTER, "", LETTER * 40, "nothing"]
    found = await detector.detect(texts, language="en")
    assert len(found) == len(texts)
    for text, spans in zip(texts, found, strict=True):
        assert all(0 <= span.start < span.end <= len(text) and 0 <= span.score <= 1 for span in spans)
        assert all(first.end <= second.start for first, second in itertools.pairwise(spans))
        assert {span.type for span in spans} <= detector.types
    assert found[1] == []


@pytest.mark.parametrize("language", ["en", "de", "und", "zh", "xx"])
@pytest.mark.parametrize("text", ["", " ", "\n\n", "\0", "\ud800 @ \udfff", "🙂" * 50, "دفتر", "|" * 200])
async def test_odd_text_in_any_language_is_no_error(detector: Any, text: str, language: str) -> None:
    assert await detector.detect([text], language=language) == [[]]


async def test_no_texts_give_no_findings(detector: Any) -> None:
    assert await detector.detect([], language="en") == []


async def test_the_same_text_gives_the_same_spans_whatever_stands_beside_it_in_the_call(detector: Any) -> None:
    alone = await detector.detect([LETTER], language="en")
    beside = await detector.detect(["x " * 50, LETTER], language="en")
    assert [(s.start, s.end, s.type) for s in alone[0]] == [(s.start, s.end, s.type) for s in beside[1]]


async def test_the_event_loop_goes_on_meanwhile(detector: Any) -> None:
    await detector.detect([LETTER], language="en")
    longest, stop = 0.0, False

    async def watch() -> None:
        nonlocal longest
        last = time.perf_counter()
        while not stop:
            await asyncio.sleep(0.005)
            now = time.perf_counter()
            longest, last = max(longest, now - last), now

    watching = asyncio.create_task(watch())
    await detector.detect([LETTER * 30], language="en")
    stop = True
    await watching
    assert longest < 0.5


@pytest.mark.parametrize(("language", "text", "kind", "value"), PATTERNS_KNOW)
async def test_patterns_know_the_form(language: str, text: str, kind: str, value: str) -> None:
    adapter = registry.create("pii_detector", "patterns")
    spans = (await adapter.detect([text], language=language))[0]
    assert (kind, value) in {(span.type, text[span.start : span.end]) for span in spans}


@pytest.mark.parametrize("text", INNOCENT)
async def test_patterns_leave_alone_what_only_looks_alike(text: str) -> None:
    adapter = registry.create("pii_detector", "patterns")
    spans = (await adapter.detect([text], language="en"))[0]
    assert {text[s.start : s.end] for s in spans if s.type not in ("DATE_TIME", "URL")} == set()


@pytest.mark.parametrize(
    "unit", ["a", "1 ", "A a ", "1.", "@", "a@", "|", "12-", "Aa ", "[\n|", "a:", "Mr. ", "www.", "(1) ", "1800 ", "+"]
)
async def test_hostile_text_costs_patterns_no_more_than_plain_text(unit: str) -> None:
    adapter = registry.create("pii_detector", "patterns")
    started = time.process_time()
    await adapter.detect([unit * (100_000 // len(unit))], language="en")
    assert time.process_time() - started < 5  # 0.1 to 0.8 s


_LATIN = {
    "de": ("Der Vertrag mit Hans-Peter Schmidt, Lindenstraße 14, 80331 München, endet.", "Hans-Peter Schmidt"),
    "fr": ("Bonjour, je suis Jean-Luc Moreau et j'habite 12 rue de la Paix, 75002 Paris.", "Jean-Luc Moreau"),
    "es": ("La señora vive con María García López en Calle Mayor 5, 28013 Madrid.", "María García López"),
    "it": ("Il collega Giuseppe Bianchi abita in via Roma 12, Milano.", "Giuseppe Bianchi"),
}


@pytest.mark.parametrize("language", _LATIN)
async def test_the_classifier_finds_people_and_addresses_in_languages_of_latin_script(
    language: str, tmp_path: Path
) -> None:
    text, name = _LATIN[language]
    async with open_adapter("pii_detector", "onnx_ner", tmp_path) as adapter:
        spans = (await adapter.detect([text], language=language))[0]
    assert {"PERSON", "STREET_ADDRESS"} <= {span.type for span in spans}
    assert name in [text[span.start : span.end] for span in spans]


async def test_the_classifier_finds_the_same_name_wherever_it_stands_in_a_long_text(tmp_path: Path) -> None:
    filler = "The warranty of the device lasts for two years after the purchase. "
    async with open_adapter("pii_detector", "onnx_ner", tmp_path) as adapter:
        for lines in range(6, 9):
            text = filler * lines + "Please ask for Deborah Kowalczyk at the desk. " + filler * 3
            spans = (await adapter.detect([text], language="en"))[0]
            assert "Deborah Kowalczyk" in [text[span.start : span.end] for span in spans]


async def test_the_classifier_reads_the_latin_part_of_a_mixed_text(tmp_path: Path) -> None:
    text = "设备的保修期为购买后两年。" * 400 + " My name is Deborah Kowalczyk and I live in Dover."
    async with open_adapter("pii_detector", "onnx_ner", tmp_path) as adapter:
        spans = (await adapter.detect([text], language="zh"))[0]
    assert "Deborah Kowalczyk" in [text[span.start : span.end] for span in spans]


async def test_a_model_leaves_when_idle_and_comes_back(tmp_path: Path) -> None:
    async with open_adapter("pii_detector", "onnx_ner", tmp_path):
        adapter = registry.create("pii_detector", "onnx_ner", {"idle_s": 0.2})
    try:
        first = await adapter.detect([LETTER], language="en")
        assert adapter._model is not None
        async with asyncio.timeout(10):
            while adapter._model is not None:
                await asyncio.sleep(0.02)
        assert await adapter.detect([LETTER], language="en") == first
    finally:
        await adapter.close()


async def test_a_missing_model_says_how_to_get_one(tmp_path: Path) -> None:
    with pytest.raises(registry.MissingExtraError, match=r"model_path|pip install"):
        registry.create("pii_detector", "onnx_ner", {"model_path": tmp_path})


_spans = st.builds(
    lambda start, length, kind, score: PiiSpan(start=start, end=start + length, type=kind, score=score),
    st.integers(0, 60),
    st.integers(1, 20),
    st.sampled_from("ABC"),
    st.sampled_from([0.5, 0.7, 0.9]),
)


@settings(max_examples=200, deadline=None, suppress_health_check=list(HealthCheck))
@given(st.lists(_spans, max_size=12))
def test_settled_spans_cover_all_that_was_found_and_overlap_nowhere(spans: Sequence[PiiSpan]) -> None:
    settled = settle_overlaps(spans)
    assert all(first.end <= second.start for first, second in itertools.pairwise(settled))
    covered = {at for span in spans for at in range(span.start, span.end)}
    assert {at for span in settled for at in range(span.start, span.end)} == covered
    if spans:
        surest = max(spans, key=lambda s: (s.score, s.end - s.start))
        assert any(s.start <= surest.start and surest.end <= s.end and s.score == surest.score for s in settled) or any(
            s.score == surest.score for s in settled
        )
