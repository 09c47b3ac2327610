"""How much personal data is found in the synthetic set of presidio-research; the figures are in docs/benchmarks.md."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from dragoman.evaluation.pii import PiiFigures, TypeFigures, evaluate_pii, read_marked_texts
from dragoman.kit import registry

DATA = Path(__file__).resolve().parents[3] / "shared" / "data" / "security" / "pii" / "presidio_synth_a.jsonl"
pytestmark = pytest.mark.skipif(not DATA.exists(), reason="needs the data set ../shared/data/security/pii")


async def figures_of(*detectors: Any) -> dict[str, TypeFigures]:
    figures: PiiFigures = await evaluate_pii(detectors, read_marked_texts(DATA), language="en", min_score=0.5)
    return {each.type: each for each in figures.types}


async def test_patterns_reach_the_target_for_every_frequent_type_that_has_a_form() -> None:
    figures = await figures_of(registry.create("pii_detector", "patterns"))
    for kind in ("EMAIL_ADDRESS", "PHONE_NUMBER", "CREDIT_CARD", "DATE_TIME"):
        each = figures[kind]
        assert each.spans >= 25
        assert each.recall >= 0.85, kind
        assert each.precision is not None
        assert each.precision >= 0.8, kind
    for kind in ("US_SSN", "IBAN_CODE", "DOMAIN_NAME", "AGE"):  # fewer spans
        assert figures[kind].recall >= 0.85, kind


async def test_with_the_classifier_people_and_addresses_reach_it_too() -> None:
    try:
        classifier = registry.create("pii_detector", "onnx_ner")
    except registry.MissingExtraError as error:
        pytest.skip(f"needs the extra `pii`: {error.message}")
    try:
        figures = await figures_of(registry.create("pii_detector", "patterns"), classifier)
    finally:
        await classifier.close()
    for kind in ("PERSON", "STREET_ADDRESS", "EMAIL_ADDRESS", "PHONE_NUMBER", "CREDIT_CARD"):
        each = figures[kind]
        assert each.recall >= 0.85, kind
        assert each.precision is not None
        assert each.precision >= 0.8, kind
