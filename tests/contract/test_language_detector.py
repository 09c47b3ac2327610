"""What `ports/language_detector.py` promises, on every language detector."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from dragoman.kit import registry
from tests.contract.conftest import open_adapter

SENTENCES = {
    "en": "The warranty of the device lasts for two years after the purchase.",
    "de": "Die Garantie des Geräts gilt zwei Jahre ab dem Kauf bei uns.",
    "fr": "La garantie de l'appareil est valable deux ans après l'achat.",
    "es": "La garantía del aparato dura dos años a partir de la compra.",
    "ru": "Гарантия на устройство действует два года после покупки.",
    "ar": "يسري ضمان الجهاز لمدة عامين من تاريخ الشراء.",
    "zh": "设备的保修期为购买后两年。",
    "ja": "保証期間は購入日から二年間です。",
    "ko": "기기의 보증 기간은 구입 후 2년입니다.",
    "hi": "डिवाइस की वारंटी खरीद के बाद दो साल तक चलती है।",
    "th": "การรับประกันอุปกรณ์มีอายุสองปีหลังจากการซื้อ",
    "he": "האחריות על המכשיר נמשכת שנתיים מיום הרכישה.",
    "el": "Η εγγύηση της συσκευής διαρκεί δύο χρόνια μετά την αγορά.",
}


@pytest.fixture(params=registry.list_adapters("language_detector"))
async def detector(request: pytest.FixtureRequest, tmp_path: Path) -> AsyncIterator[Any]:
    async with open_adapter("language_detector", request.param, tmp_path) as adapter:
        yield adapter


@pytest.mark.parametrize("code", SENTENCES)
async def test_a_sentence_is_told_by_its_language(detector: Any, code: str) -> None:
    found = detector.detect(SENTENCES[code])
    assert found.code == code
    assert 0.5 < found.confidence <= 1.0


async def test_line_ends_change_nothing(detector: Any) -> None:
    broken = SENTENCES["de"].replace(" ", "\r\n")
    assert detector.detect(broken).code == "de"


@pytest.mark.parametrize("text", ["", "   ", "\n\n", "12345", "!?…", "🙂🙂", "\0", "\ud800"])
async def test_text_without_letters_cannot_be_told(detector: Any, text: str) -> None:
    found = detector.detect(text)
    assert (found.code, found.confidence) == ("und", 0.0)


async def test_one_short_word_is_a_guess_of_low_confidence(detector: Any) -> None:
    assert detector.detect("no").confidence < 0.5
    assert detector.detect("割引").code in ("zh", "ja")


async def test_many_texts_give_the_same_as_each_alone(detector: Any) -> None:
    texts = [*SENTENCES.values(), ""]
    assert detector.detect_many(texts) == [detector.detect(text) for text in texts]
    assert detector.detect_many([]) == []


@settings(max_examples=100, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(text=st.text(alphabet=st.characters(), max_size=60))
def test_no_text_raises(text: str) -> None:
    for name in registry.list_adapters("language_detector"):
        found = _shared(name).detect(text)
        assert found.code == "und" or (len(found.code) == 2 and found.code.islower())
        assert 0.0 <= found.confidence <= 1.0


_BUILT: dict[str, Any] = {}


def _shared(name: str) -> Any:
    if name not in _BUILT:
        _BUILT[name] = registry.create("language_detector", name, {})
    return _BUILT[name]
