"""Understands a question before anything is searched."""

from __future__ import annotations

from dataclasses import dataclass

from dragoman.ports.language_detector import LanguageDetector

_SURE = 0.6  # fastText is right on 97 % of short questions above this, and on about half of those below


@dataclass(frozen=True, slots=True, kw_only=True)
class Understood:
    """`language` is the one to search and to answer in; `is_sure` is False when it was taken from elsewhere."""

    language: str
    is_sure: bool


def understand(
    detector: LanguageDetector, question: str, *, preferred: str | None = None, previous: str | None = None
) -> Understood:
    """The language of a question.

    An unsure detection ("MDF?", "NX-4100/2") gives way to the language before it in the session, and then to the
    preferred one.
    """
    detected = detector.detect(question)
    if detected.code != "und" and detected.confidence >= _SURE:
        return Understood(language=detected.code, is_sure=True)
    return Understood(language=previous or preferred or detected.code, is_sure=False)
