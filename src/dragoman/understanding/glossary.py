"""Keeps words through a translation: the terms of a chatbot's glossary, markers of citations, addresses, code and codes.

Each is replaced by a placeholder, and what comes back is checked: every placeholder once, and every number of the text.
Engines lose or bend some of them; what is done then is up to `translation.py`.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import Final

from dragoman.tenancy.settings import GlossaryTerm

MARKERS: Final = re.compile(r"\[\d{1,3}(?:[,;] ?\d{1,3}){0,7}\]")
NUMBER: Final = re.compile(r"\d+(?:[.,:'’\u00a0\u202f]\d+)*")
_EDGE: Final = "A-Za-z0-9_\u00c0-\u024f"
# What is nobody's language: inline code, addresses, names of files and of code, and codes such as DX-4100/2. Amounts with
# their unit (24h, 5 kg) are none: units are translated, and numbers are looked after anyway.
_FIXED: Final = re.compile(
    rf"`[^`\n]{{1,200}}`|{MARKERS.pattern}"
    r"|(?:https?|ftp)://[^\s<>\"]*[\w/=&#-]|www\.[\w-]+\.[^\s<>\"]*[\w/=&#-]"
    r"|[\w.+-]+@[\w-]+(?:\.[\w-]+)+"
    r"|\{\{?\w[\w. ]{0,40}\}?\}|%\(?\w*\)?[sd]\b"
    rf"|(?<![{_EDGE}/-])(?=[A-Za-z0-9_./:#+-]*[A-Za-z])(?=[A-Za-z0-9_./:#+-]*\d)(?!\d+[A-Za-z]{{1,2}}(?![{_EDGE}-]))"
    rf"[A-Za-z0-9]+(?:[-_./:#+][A-Za-z0-9]+)*(?![{_EDGE}-])"
    rf"|(?<![{_EDGE}])(?:[A-Za-z]\w*_\w+|[A-Za-z_][\w.]*\(\)|[a-z]+[A-Z][A-Za-z0-9]*|--[a-z][a-z0-9-]+)(?![{_EDGE}])"
    r"|(?<!\w)[\w-]+\.(?:py|json|ya?ml|toml|txt|pdf|docx?|xlsx?|pptx?|csv|html?|md|exe|zip|ini|cfg|conf|log|sh|js|ts)\b"
    r"|(?<![\w@.])(?:[a-z0-9-]+\.)+(?:com|org|net|io|eu|dev)\b(?:/[\w/.-]*\w)?|(?<![\w/])(?:/[\w.-]+){2,}"
)
_UNSPACED: Final = "\u3040-\u30ff\u3400-\u9fff\uac00-\ud7af\u0e00-\u0eff\u1000-\u109f\u1780-\u17ff"
_LATIN: Final = re.compile("[A-Za-z0-9]")
_ACRONYM: Final = 4  # an all-capitals term of up to so many letters is another word in lower case: IT and it, US and us


@dataclass(frozen=True, slots=True)
class Protected:
    """A text with placeholders, and what each stands for: as it stood there, and as it shall stand in the translation."""

    text: str
    kept: tuple[str, ...]
    said: tuple[str, ...]
    style: str

    @property
    def has_words(self) -> bool:
        """Whether anything is left that can be translated."""
        bare = _placeholders(self.style).sub(" ", self.text)
        return any(character.isalpha() for character in bare)

    def restore(self, translated: str) -> str | None:
        """The translation with its words back; None where a placeholder is lost, doubled or new."""
        pattern = _placeholders(self.style)
        found = Counter(int(match["n"]) for match in pattern.finditer(translated))
        if found != Counter(range(1, len(self.said) + 1)):
            return None
        return pattern.sub(lambda match: self.said[int(match["n"]) - 1], translated)

    def pieces(self) -> list[tuple[str, bool]]:
        """The text cut at its placeholders: (words to translate, False) and (what shall stand there, True), in order."""
        cut: list[tuple[str, bool]] = []
        at = 0
        for match in _placeholders(self.style).finditer(self.text):
            cut += [(self.text[at : match.start()], False), (self.said[int(match["n"]) - 1], True)]
            at = match.end()
        return [piece for piece in [*cut, (self.text[at:], False)] if piece[0]]


def protect(
    text: str, glossary: Sequence[GlossaryTerm], target: str, style: str, *, numbers: bool = False
) -> Protected:
    """Put placeholders in the place of what shall not be translated.

    Args:
        style: how a placeholder is written, with `{n}`; another one is taken where the text holds such words itself.
        numbers: whether numbers are kept so too.
    """
    style = _free_style(text, style)
    kept: list[str] = []
    said: list[str] = []
    written: list[str] = []
    at = 0
    for start, end, translation in _places(text, glossary, target, numbers=numbers):
        kept.append(text[start:end])
        said.append(translation)
        # in scripts without spaces a term may stand beside Latin letters, which would run into its placeholder
        before = " " if _LATIN.fullmatch(text[start - 1 : start]) else ""
        after = " " if _LATIN.fullmatch(text[end : end + 1]) else ""
        written += [text[at:start], f"{before}{style.format(n=len(said))}{after}"]
        at = end
    return Protected("".join([*written, text[at:]]), tuple(kept), tuple(said), style)


def keeps_numbers(text: str, translated: str) -> bool:
    """Whether every number of the text stands in the translation, however its thousands and decimals are parted."""
    return not Counter(_digits(text)) - Counter(_digits(translated))


def _digits(text: str) -> list[str]:
    return [re.sub(r"\D", "", number) for number in NUMBER.findall(text)]


def _places(text: str, glossary: Sequence[GlossaryTerm], target: str, *, numbers: bool) -> list[tuple[int, int, str]]:
    """What is kept, as (start, end, what shall stand there); in order, and none within another."""
    found: list[tuple[int, int, str]] = []
    for term in glossary:
        fixed = dict(term.translations).get(target)
        for form in {term.term, *term.translations.values()}:
            for match in _term_pattern(form).finditer(text):
                # without a translation of its own the term stays as it was written, or goes back to its own name
                own = match[0] if form == term.term else term.term
                found.append((match.start(), match.end(), own if fixed is None else fixed))
    found += [(match.start(), match.end(), match[0]) for match in _FIXED.finditer(text)]
    if numbers:
        found += [(match.start(), match.end(), match[0]) for match in NUMBER.finditer(text)]
    chosen: list[tuple[int, int, str]] = []
    for place in sorted(found, key=lambda place: (place[0], -place[1])):
        if not chosen or place[0] >= chosen[-1][1]:
            chosen.append(place)
    return chosen


@lru_cache(maxsize=2048)
def _term_pattern(form: str) -> re.Pattern[str]:
    """Whole words only: `Center` is not in `Centers`. Scripts without spaces have no whole words."""
    escaped = r"\s+".join(map(re.escape, form.split()))
    opens = r"(?<![^\W_])" if not re.match(f"[{_UNSPACED}]", form) else ""
    closes = r"(?![^\W_])" if not re.search(f"[{_UNSPACED}]$", form) else ""
    exact = form.isupper() and len(form) <= _ACRONYM
    return re.compile(f"{opens}{escaped}{closes}", 0 if exact else re.IGNORECASE)


@lru_cache(maxsize=64)
def _placeholders(style: str) -> re.Pattern[str]:
    """As engines give them back: in another case, or with spaces inside brackets."""
    before, after = (re.escape(part) for part in style.split("{n}"))
    if after:
        return re.compile(rf"{before}\s*(?P<n>\d{{1,3}})\s*{after}")
    return re.compile(rf"(?<![A-Za-z0-9]){before}\s?(?P<n>\d{{1,3}})(?![A-Za-z0-9])", re.IGNORECASE)


def _free_style(text: str, style: str) -> str:
    """A text that speaks of XQ1 itself gets other placeholders."""
    for letters in ("", "Z", "K", "ZK", "KZ"):
        before, after = style.split("{n}")
        candidate = f"{before}{letters}{{n}}{after}"
        if not _placeholders(candidate).search(text):
            return candidate
    return style
