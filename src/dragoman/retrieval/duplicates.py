"""Passages that say the same: one text uploaded twice, or two editions of a page that hardly differ.

Two passages are near duplicates when most runs of four words stand in both, they are in one language, and they name
the same numbers and codes: the pages of two models of a device differ in little else, and that little is what matters.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from functools import lru_cache
from typing import Final

from dragoman.kit.text.terms import is_code
from dragoman.knowledge.entities import Chunk

ALIKE: Final = 0.9  # Jaccard of the runs: about one word in eighty differs
_RUN_WORDS: Final = 4
_RUN_CHARACTERS: Final = 8  # in scripts without spaces, as of ingestion's near duplicates
_STRETCH: Final = 20  # characters: three words, of which a small change seldom hits one
_LONG_WORD: Final = 8  # average letters of a "word" that tell such a script; German has 6

_WORD: Final = re.compile(r"[^\W_]+")


@dataclass(frozen=True, slots=True)
class Fingerprint:
    """What a text says, for comparison: its numbers and codes, and its runs of words."""

    codes: frozenset[str]
    runs: frozenset[tuple[str, ...] | str]


@lru_cache(maxsize=512)  # the chunks that are found are often the same
def fingerprint(text: str) -> Fingerprint:
    words = _WORD.findall(text.casefold())
    return Fingerprint(frozenset(filter(is_code, words)), _runs(words))


def are_alike(one: Chunk, other: Chunk) -> bool:
    """Whether two passages say the same. What is plainly different costs a microsecond."""
    if one.content_hash == other.content_hash:
        return True
    if one.language != other.language or not _share_a_stretch(one.text, other.text):
        return False
    mine, its = fingerprint(one.text), fingerprint(other.text)
    return mine.codes == its.codes and overlap(mine, its) >= ALIKE


def overlap(one: Fingerprint, other: Fingerprint) -> float:
    """The share of runs that both have (Jaccard), 0 to 1."""
    common = len(one.runs & other.runs)
    return common / max(1, len(one.runs) + len(other.runs) - common)


def _share_a_stretch(one: str, other: str) -> bool:
    """Whether the shorter text's beginning, middle or end stands in the other: of near duplicates hardly any has none."""
    shorter, longer = (one, other) if len(one) <= len(other) else (other, one)
    if len(shorter) < ALIKE * ALIKE * len(longer):
        return False
    last = max(0, len(shorter) - _STRETCH)
    middle = last // 2
    return shorter[:_STRETCH] in longer or shorter[middle : middle + _STRETCH] in longer or shorter[last:] in longer


def _runs(words: list[str]) -> frozenset[tuple[str, ...] | str]:
    letters = sum(map(len, words))
    if letters > _LONG_WORD * len(words):
        text = "".join(words)
        return frozenset(
            text[at : at + _RUN_CHARACTERS] for at in range(max(1, len(text) - _RUN_CHARACTERS + 1)) if text
        )
    return frozenset(tuple(words[at : at + _RUN_WORDS]) for at in range(max(1, len(words) - _RUN_WORDS + 1)) if words)
