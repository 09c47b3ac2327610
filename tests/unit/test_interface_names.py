"""Names that the server gives as codes have words in the web application, in all its languages."""

from __future__ import annotations

import ast
import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Final

import pytest

from dragoman.accounts.single_sign_on.entities import Refusal

ROOT: Final = Path(__file__).parents[2]
FEATURES: Final = ROOT / "web" / "src" / "features"
LANGUAGES: Final = ("ar", "de", "en", "es", "fr", "ja", "pt", "zh")


def _texts(feature: str, language: str) -> dict[str, Any]:
    texts: dict[str, Any] = json.loads((FEATURES / feature / "locales" / f"{language}.json").read_text())
    return texts


def _purposes() -> Iterator[str]:
    """What model calls are for: each constant text that the code names a purpose by."""
    for path in (ROOT / "src" / "dragoman").rglob("*.py"):
        if not {"purpose", "PURPOSE"} & set(re.findall(r"purpose|PURPOSE", path.read_text())):
            continue
        for node in ast.walk(ast.parse(path.read_text())):
            named: list[tuple[str, ast.expr | None]] = []
            if isinstance(node, ast.Call):
                named = [(keyword.arg or "", keyword.value) for keyword in node.keywords]
            elif isinstance(node, ast.Assign | ast.AnnAssign):
                targets = node.targets if isinstance(node, ast.Assign) else [node.target]
                named = [
                    (target.id.strip("_").lower(), node.value) for target in targets if isinstance(target, ast.Name)
                ]
            for name, value in named:
                if name == "purpose" and isinstance(value, ast.Constant) and isinstance(value.value, str):
                    yield value.value


def test_there_are_purposes_to_name() -> None:
    assert {"answer", "question", "ingestion", "judge", "rerank", "translate"} <= set(_purposes())


@pytest.mark.parametrize("language", LANGUAGES)
def test_every_purpose_of_a_model_call_has_words(language: str) -> None:
    words = _texts("insights", language)["usage"]["purposes"]
    assert set(words) == set(_purposes())
    assert all(text.strip() for text in words.values())


@pytest.mark.parametrize("language", LANGUAGES)
def test_every_reason_of_a_refused_single_sign_on_has_words(language: str) -> None:
    words = _texts("sign-in", language)["signOn"]["refused"]
    assert set(words) == {reason.value for reason in Refusal}
    assert len(set(words.values())) == len(words)


def test_the_page_knows_every_reason_of_a_refused_single_sign_on() -> None:
    page = (FEATURES / "sign-in" / "Providers.tsx").read_text()
    [listed] = re.findall(r"const REFUSALS = \[(.*?)\]", page, re.DOTALL)
    assert set(re.findall(r'"(\w+)"', listed)) == {reason.value for reason in Refusal}
