"""What the server says in English of settings, findings and alerts, the web application says in all its languages.

The translations stand in `web/src/locales/said/<language>.json`, each under the English text itself: a text that is
changed has no translation until somebody writes one, and one that is gone takes its translations with it. What is filled
in is `{1}`, `{2}`, … in both.
"""

from __future__ import annotations

import ast
import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Final

import pytest

from dragoman.entrypoints.adapter_catalogue import AdapterCatalogue
from dragoman.entrypoints.settings import Settings
from dragoman.generation import templates
from dragoman.ingestion import quality, scan
from dragoman.insights.alerts.rules import BUILTIN
from dragoman.tenancy.settings import ChatbotSettings

LOCALES: Final = Path(__file__).parents[2] / "web" / "src" / "locales" / "said"
LANGUAGES: Final = ("ar", "de", "es", "fr", "ja", "pt", "zh")  # English is what the server says
PLACE: Final = re.compile(r"\{\d+\}")
CODE: Final = re.compile(r"`[^`]+`")


def said() -> list[str]:
    """All texts, in the order in which they stand in the product."""
    texts = [*_of_settings(), *_of_findings(), *_of_alerts(), *templates.VARIABLES.values()]
    return list(dict.fromkeys(filter(None, texts)))


def _of_settings() -> Iterator[str]:
    yield from _descriptions(ChatbotSettings.model_json_schema())
    for port in AdapterCatalogue(Settings(_env_file=None)).ports:
        yield port.description
        yield port.chosen
        for adapter in port.adapters:
            yield adapter.description
            yield from _descriptions(adapter.settings_schema)


def _descriptions(schema: dict[str, Any]) -> Iterator[str]:
    for part in (schema, *schema.get("$defs", {}).values()):
        for one in part.get("properties", {}).values():
            yield one.get("description", "")


def _of_findings() -> Iterator[str]:
    for _, message, advice in quality._ADVICE.values():
        yield _numbered(re.split(r"\{\w+\}", message))
        yield advice
    yield quality._NOT_QUOTED
    for finding in scan._KNOWN.values():
        yield finding.message
        yield finding.what_to_do
    for call in ast.walk(ast.parse(Path(quality.__file__).read_text())):
        if isinstance(call, ast.Call):
            for keyword in call.keywords:
                if keyword.arg in ("message", "what_to_do"):
                    yield _template(keyword.value)


def _template(value: ast.expr) -> str:
    if isinstance(value, ast.Constant):
        return str(value.value)
    if not isinstance(value, ast.JoinedStr):
        return ""  # put together elsewhere
    parts = [""]
    for part in value.values:
        if isinstance(part, ast.Constant):
            parts[-1] += str(part.value)
        else:
            parts.append("")
    return _numbered(parts)


def _numbered(parts: list[str]) -> str:
    return parts[0] + "".join(f"{{{number}}}{part}" for number, part in enumerate(parts[1:], 1))


def _of_alerts() -> Iterator[str]:
    for rule in BUILTIN:
        yield rule.summary
        yield rule.remedy


def test_there_is_something_to_say() -> None:
    texts = said()
    assert "Aimed length of a chunk in tokens of the embedder." in texts
    assert "{1} of {2} pages have no text." in texts
    assert len(texts) > 350


@pytest.mark.parametrize("language", LANGUAGES)
def test_every_text_is_translated_and_nothing_else(language: str) -> None:
    translated: dict[str, str] = json.loads((LOCALES / f"{language}.json").read_text())
    texts = said()
    assert [text for text in texts if text not in translated] == []
    assert [text for text in translated if text not in texts] == []
    assert list(translated) == sorted(translated)
    for text, translation in translated.items():
        assert translation.strip(), text
        assert sorted(PLACE.findall(translation)) == sorted(PLACE.findall(text)), text
        assert sorted(CODE.findall(translation)) == sorted(CODE.findall(text)), text
        assert "](" not in translation, f"links of the manual do not lead anywhere from a page: {text}"
