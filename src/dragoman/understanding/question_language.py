"""Tells the language of a question, which is often three words, half of them a product's name.

What the detector says of the letters, the small words of the question, and the language before it are weighed against
each other. Quoted words, code and addresses are left out first: they are often in another language than the question.
"""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache, lru_cache
from typing import Final

from dragoman.kit.text.terms import STOP_WORDS, base_language
from dragoman.ports.language_detector import LanguageDetector
from dragoman.understanding.reference_words import POINTING, TALK

SURE: Final = 0.6  # the detector is right on 97 % of short questions above this, and on about half of those below
# Chosen on Tatoeba sentences of 20 languages and on their first three words: docs/benchmarks.md.
SMALL_WORDS: Final = 1.2
PREVIOUS: Final = 0.4
PREFERRED: Final = 0.3
KINSHIP: Final = 0.3  # on top, where the letters say a language that is easily taken for it

_WORD: Final = re.compile(r"[^\W\d_]+(?:['’][^\W\d_]+)*")
_ASIDE: Final = re.compile(
    r"`[^`]*`|\"[^\"]{2,}\"|“[^”]{2,}”|„[^“”\"]{2,}[“”\"]|«[^»]{2,}»|»[^«]{2,}«|「[^」]{2,}」|(?<!\w)'[^']{3,}'(?!\w)"
    r"|https?://\S+|\S+@\S+|[A-Za-z]*\d[\w./-]*|\b[A-Z]{2,}\b"
)
_ENOUGH_WORDS: Final = 2  # that must be left of a question without its asides
_UNSPACED: Final = re.compile("[\u3040-\u30ff\u3400-\u9fff\u0e00-\u0eff\u1000-\u109f\u1780-\u17ff]")
_SCRIPTS: Final = {
    "latin": re.compile("[A-Za-z\u00c0-\u024f\u1e00-\u1eff]"), "cyrillic": re.compile("[\u0400-\u04ff]"),
    "arabic": re.compile("[\u0600-\u06ff]"), "devanagari": re.compile("[\u0900-\u097f]"),
    "greek": re.compile("[\u0370-\u03ff]"), "hebrew": re.compile("[\u0590-\u05ff]"), "thai": re.compile("[\u0e00-\u0e7f]"),
    "hangul": re.compile("[\uac00-\ud7af]"), "han": re.compile("[\u3400-\u9fff]"), "kana": re.compile("[\u3040-\u30ff]"),
}  # fmt: skip
_SCRIPTS_OF: Final[Mapping[str, frozenset[str]]] = {
    **dict.fromkeys(("ru", "uk", "bg", "mk", "be", "kk", "ky", "mn", "tg"), frozenset({"cyrillic"})),
    "sr": frozenset({"cyrillic", "latin"}),
    **dict.fromkeys(("ar", "fa", "ur", "ps", "ckb"), frozenset({"arabic"})),
    **dict.fromkeys(("hi", "mr", "ne", "sa"), frozenset({"devanagari"})),
    "el": frozenset({"greek"}),
    "he": frozenset({"hebrew"}),
    "yi": frozenset({"hebrew"}),
    "th": frozenset({"thai"}),
    "ko": frozenset({"hangul"}),
    "zh": frozenset({"han"}),
    "ja": frozenset({"han", "kana"}),
}
_KIN: Final = tuple(
    frozenset(group.split())
    for group in (
        "ru uk be bg mk sr",
        "cs sk",
        "pt es gl ca it ro",
        "id ms",
        "hi mr ne",
        "da no sv",
        "zh ja",
        "nl de en",
        "hr sr sl bs",
    )
)
_OTHER_SCRIPTS: Final = frozenset({"bn", "ta", "te", "kn", "ml", "gu", "pa", "si", "ka", "hy", "km", "lo", "my", "am"})


@dataclass(frozen=True, slots=True, kw_only=True)
class Understood:
    """`language` is the one to search and to answer in; `is_sure` is False when it was taken from elsewhere."""

    language: str
    is_sure: bool


def understand(
    detector: LanguageDetector, question: str, *, preferred: str | None = None, previous: str | None = None
) -> Understood:
    """The language of a question.

    An unsure detection ("MDF?", "NX-4100/2") gives way to the language before it in the session and to the preferred one,
    unless its small words or its script speak against them.
    """
    asked = _without_asides(question)
    detected = detector.detect(asked)
    scores: dict[str, float] = defaultdict(float)
    if detected.code != "und":
        scores[detected.code] += detected.confidence
    for language, share in _small_words(asked).items():
        scores[language] += SMALL_WORDS * share
    told = {language for language, score in scores.items() if score >= SURE}
    script = _script(asked)
    for before, weight in ((previous, PREVIOUS), (preferred, PREFERRED)):
        if before and _may_be_written_in(before, script):
            scores[base_language(before)] += weight + (KINSHIP if _are_kin(before, detected.code) else 0.0)
    if not scores:
        return Understood(language=previous or preferred or "und", is_sure=False)
    best = max(scores, key=lambda language: scores[language])
    return Understood(language=best, is_sure=best in told)


def _without_asides(question: str) -> str:
    """The question without what it only quotes, if that leaves one."""
    rest = _ASIDE.sub(" ", question)
    if len(_WORD.findall(rest)) >= _ENOUGH_WORDS or len(_UNSPACED.findall(rest)) >= _ENOUGH_WORDS:
        return rest
    return question


@lru_cache(maxsize=4096)
def _small_words(text: str) -> Mapping[str, float]:
    """By language, the share of the words that are small words of it; one of many languages counts for each in part."""
    words = [word.casefold().replace("’", "'") for word in _WORD.findall(text)]
    if not words:
        return {}
    told: dict[str, float] = defaultdict(float)
    table = _table()
    for word in words:
        for form in {word, *word.split("'")}:
            languages = table.get(form, ())
            for language in languages:
                told[language] += 1.0 / len(languages)
    return {language: min(1.0, weight / len(words)) for language, weight in told.items()}


@cache
def _table() -> Mapping[str, tuple[str, ...]]:
    """The languages of each small word."""
    found: dict[str, set[str]] = defaultdict(set)
    for table in (STOP_WORDS, POINTING, TALK):
        for language, words in table.items():
            for word in words.split():
                found[word.casefold()].add(language)
    return {word: tuple(sorted(languages)) for word, languages in found.items()}


def _are_kin(one: str, other: str) -> bool:
    base = base_language(one)
    return base != other and any(base in group and other in group for group in _KIN)


def _script(text: str) -> str | None:
    """The script of most letters; None where there are none of those known."""
    if text.isascii():
        return "latin" if _SCRIPTS["latin"].search(text) else None
    counts = {name: len(pattern.findall(text)) for name, pattern in _SCRIPTS.items()}
    best = max(counts, key=lambda name: counts[name])
    return best if counts[best] else None


def _may_be_written_in(language: str, script: str | None) -> bool:
    """Latin letters alone speak against nobody: names and codes are written in them everywhere."""
    base = base_language(language)
    if script is None or script == "latin":
        return True
    return base not in _OTHER_SCRIPTS and script in _SCRIPTS_OF.get(base, frozenset({"latin"}))
