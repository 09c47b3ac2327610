"""Names of a question that a passage in another alphabet holds: evidence that vectors of many languages see little of.

A question about "جاريد ألين" is answered where Jared Allen is told of. Such names are compared by their consonants
(`kit.text.sounds`); where the alphabet is the same the vectors know them, and nothing is counted.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterable, Iterator, Mapping
from functools import lru_cache
from typing import Final, NamedTuple

from dragoman.kit.text.sounds import WITH_CAPITALS, Alphabet, alphabet_of, skeletons
from dragoman.kit.text.terms import STOP_WORDS, base_language

# Log odds that a passage answers, for each name found. How often the first passage holds one, of 632 questions of xquad-a
# to English with the answer there, and with its article taken away: three consonants, Arabic 179 and 38, Russian 108 and 6,
# Hindi 228 and 37; more, 190 and 15, 151 and 10, 250 and 22. Of nine pairs of weights, 0 to 3, the best on the odd articles;
# there .799 of the questions in these languages and Greek without their article are refused before, .819 after, where a
# tenth of the answerable is; on the even articles .742 and .790.
THREE_CONSONANTS: Final = 1.0
MORE_CONSONANTS: Final = 2.0
MOST_EVIDENCE: Final = 5.0

_SHORTEST: Final = 3  # consonants; two are in every text
_ONE_MAY_DIFFER: Final = 5  # consonants of each: "Newcastle" has a silent one
_WORD: Final = re.compile(  # with a capital (or a letter from where both cases lie mixed), or of alphabets without
    "(?<![^\\W_])(?:[A-Z\u00c0-\u00de\u0100-\u024f\u0386-\u03ab\u0400-\u042f\u0490-\u052f\u1e00-\u1eff][^\\W\\d_]{2,}"
    "|[\u05d0-\u05ea]{3,}|[\u0620-\u06d3]{3,}|[\u0904-\u0963]{3,}|[\u0e01-\u0e4e]{3,})"
)
_VOWEL_SIGNS: Final = re.compile("[\u0640\u064b-\u0652\u0670]")  # of Arabic, which cut its words in two
_NOT_LATIN: Final = re.compile("[\u0370-\u1dff]")
_ARABIC_PREFIX: Final = re.compile("^(?:[وف]?[بكل]?ال|لل|[وفبكل])(?=...)")  # and, so, by, like, to; the


class _Candidate(NamedTuple):
    """A word that may be a name: its alphabet, and its skeletons that are long enough to compare."""

    alphabet: Alphabet
    readings: frozenset[str]


class AskedNames:
    """The words of a question that may be names.

    Args:
        question: any text.
        language: of the question, ISO 639-1; its stop words are no names.
    """

    def __init__(self, question: str, language: str) -> None:
        self._words = list(_candidates(question, language))
        self._alphabets = {word.alphabet for word in self._words}

    def evidence(self, texts: Iterable[str], language: str) -> float:
        """Log odds from the names that these texts of a passage hold, 0 to `MOST_EVIDENCE`."""
        held: dict[Alphabet, set[str]] = {}
        for text in self._comparable(texts):
            for alphabet, readings in _candidates(text, language):
                held.setdefault(alphabet, set()).update(readings)
        return min(MOST_EVIDENCE, sum(_found(word, held) for word in self._words)) if held else 0.0

    def _comparable(self, texts: Iterable[str]) -> Iterator[str]:
        """Those that may hold a word of another alphabet than the question's."""
        if self._alphabets:
            is_latin = self._alphabets == {"latin"}
            yield from (text for text in texts if not is_latin or _NOT_LATIN.search(text))


def _candidates(text: str, language: str) -> Iterator[_Candidate]:
    """Words with a capital, and all words of alphabets without."""
    if not text.isascii():
        text = _VOWEL_SIGNS.sub("", unicodedata.normalize("NFC", text))
    base = base_language(language)
    return filter(None, (_candidate(word, base) for word in _WORD.findall(text)))


@lru_cache(maxsize=1 << 14)
def _candidate(word: str, base: str) -> _Candidate | None:
    """None for a word that is no name; an Arabic one is also read without the words that are written together with it."""
    alphabet = alphabet_of(word)
    if alphabet is None or word[0].islower() or word.casefold() in _stop_words(base):
        return None
    found = skeletons(word)
    if alphabet == "arabic":
        found |= skeletons(_ARABIC_PREFIX.sub("", word))
    return _Candidate(alphabet, frozenset(skeleton for skeleton in found if len(skeleton) >= _SHORTEST))


def _found(word: _Candidate, held: Mapping[Alphabet, set[str]]) -> float:
    """What a word of the question adds. Where neither alphabet has capitals, any word would do, and none is counted."""
    weights = (
        _weight(word.readings, others)
        for alphabet, others in held.items()
        if alphabet != word.alphabet and (alphabet in WITH_CAPITALS or word.alphabet in WITH_CAPITALS)
    )
    return max(weights, default=0.0)


def _weight(readings: frozenset[str], others: set[str]) -> float:
    same = readings & others
    if any(len(skeleton) > _SHORTEST for skeleton in same):
        return MORE_CONSONANTS
    long = [skeleton for skeleton in readings if len(skeleton) >= _ONE_MAY_DIFFER]
    if any(_differ_by_one(own, other) for own in long for other in others if other[0] == own[0]):
        return MORE_CONSONANTS
    return THREE_CONSONANTS if same else 0.0


def _differ_by_one(one: str, two: str) -> bool:
    """At most one letter was put in, left out or changed, behind the first; both have enough of them."""
    if abs(len(one) - len(two)) > 1 or min(len(one), len(two)) < _ONE_MAY_DIFFER:
        return False
    short, long = sorted((one, two), key=len)
    at = next((place for place, sign in enumerate(short) if sign != long[place]), len(short))
    return short[at + (len(short) == len(long)) :] == long[at + 1 :]


@lru_cache(maxsize=64)
def _stop_words(base: str) -> frozenset[str]:
    return frozenset(STOP_WORDS.get(base, "").split())
