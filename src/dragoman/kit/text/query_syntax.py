"""What people write in a search box to say exactly what they mean: `"a phrase"`, `prefix*`, `+required`, `-forbidden`."""

from __future__ import annotations

import re
import unicodedata
from dataclasses import dataclass
from functools import lru_cache
from typing import Final


@dataclass(frozen=True, slots=True, kw_only=True)
class ParsedQuery:
    """The parts of a query.

    Attributes:
        words: what is left once the operators are taken out, phrases and required words included: what ranks.
        phrases: a chunk must hold each of them, word for word.
        required, forbidden: words that a chunk must, or must not, hold, in any of their forms.
        forbidden_phrases: word for word, a chunk must hold none of them.
        prefixes: beginnings of words; each ranks like a word.
    """

    words: str
    phrases: tuple[str, ...] = ()
    required: tuple[str, ...] = ()
    forbidden: tuple[str, ...] = ()
    forbidden_phrases: tuple[str, ...] = ()
    prefixes: tuple[str, ...] = ()

    @property
    def has_conditions(self) -> bool:
        """Whether it says what a chunk must or must not hold: what does not fulfil that is no result, however near."""
        return bool(self.phrases or self.required or self.forbidden or self.forbidden_phrases)


@lru_cache(maxsize=256)  # a search reads its query several times
def parse_query(text: str) -> ParsedQuery:
    """Any text is a query; a sign in the middle of a word, or alone, means nothing.

    `+` and `-` count at the beginning of a word or phrase, `*` at the end of at least two letters or digits. A quotation
    mark without its partner means nothing.
    """
    words: list[str] = []
    phrases: list[str] = []
    required: list[str] = []
    forbidden: list[str] = []
    forbidden_phrases: list[str] = []
    prefixes: list[str] = []
    for sign, phrase, word in _PART.findall(text):
        if phrase:
            (forbidden_phrases if sign == "-" else phrases).append(phrase)
            words += [] if sign == "-" else [phrase]
        elif prefix := _PREFIX.fullmatch(word):
            prefixes.append(prefix[1])
        elif sign == "-":
            forbidden.append(word)
        else:
            words.append(word)
            required += [word] if sign else []
    return ParsedQuery(
        words=" ".join(words),
        phrases=tuple(phrases),
        required=tuple(required),
        forbidden=tuple(forbidden),
        forbidden_phrases=tuple(forbidden_phrases),
        prefixes=tuple(prefixes),
    )


def fold_for_phrases(text: str) -> str:
    """Text as phrases are compared: case, accents, width and punctuation make no difference.

    Each word is between single spaces, so that `f" {fold(phrase)} " in f" {fold(text)} "` compares whole words; scripts
    that write no spaces are cut into characters for that.
    """
    if text.isascii():
        return " ".join(_ASCII_WORD.findall(text.lower()))
    plain = unicodedata.normalize("NFD", unicodedata.normalize("NFKC", text).casefold())
    plain = _ACCENTED.sub(r"\1", plain)
    return " ".join(_WORD.findall(unicodedata.normalize("NFC", plain)))


_QUOTES: Final = '"“”„«»「」『』'
_OPENING: Final = r"(?:(?<!\w)[\"”»]|[“„«「『])(?!\s)"  # 5" is no quotation
_PART: Final = re.compile(
    rf"((?<!\S)[+-](?=[\w{_QUOTES}]))?(?:{_OPENING}([^{_QUOTES}]*\w[^{_QUOTES}]*)[{_QUOTES}]|([^\s{_QUOTES}]+|[{_QUOTES}]))"
)
_PREFIX: Final = re.compile(r"([^\s*]*\w[^\s*]*\w)\*")
_ACCENTED: Final = re.compile("([a-z\u0370-\u03ff])[\u0300-\u036f]+")
_UNSPACED: Final = (
    "\u3005-\u3007\u3041-\u309f\u30a1-\u30fa\u30fc-\u30ff\u31f0-\u31ff\u3400-\u4dbf\u4e00-\u9fff\uf900-\ufaff"
    "\U00020000-\U0003ffff\u0e01-\u0e3a\u0e40-\u0e4e\u0e81-\u0ece\u0edc-\u0edf\u1000-\u103f\u1780-\u17d3"
)
_MARKS: Final = "".join(chr(code) for code in range(0x300, 0x10000) if unicodedata.category(chr(code)) in {"Mn", "Mc"})
_ASCII_WORD: Final = re.compile("[a-z0-9]+")
_WORD: Final = re.compile(rf"[{_UNSPACED}]|(?:(?![{_UNSPACED}_])[\w{_MARKS}])+")
