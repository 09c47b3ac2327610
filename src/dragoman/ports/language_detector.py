"""Tells the language of a text."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol


@dataclass(frozen=True, slots=True, kw_only=True)
class DetectedLanguage:
    """`code` is ISO 639-1 in lower case (`en`, `zh`), `und` when it cannot be told; `confidence` is 0 to 1."""

    code: str
    confidence: float


class LanguageDetector(Protocol):
    """Works offline, never raises for any text; an empty text or one without letters is `und` with confidence 0."""

    def detect(self, text: str) -> DetectedLanguage: ...

    def detect_many(self, texts: Sequence[str]) -> list[DetectedLanguage]: ...
