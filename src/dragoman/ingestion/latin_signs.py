"""Words, sentences and vowels of a text in Latin letters, from its bytes.

A regular expression looks at each sign in turn; `bytes.translate` and `bytes.split` take a fifth of the time, and most
texts of a bulk import are of languages that Latin-1 and some punctuation can write.
"""

from __future__ import annotations

import re
from typing import Final

VOWELS: Final = "aeiouyàáâãäåæèéêëìíîïòóôõöøœùúûüýÿąęı"

# Signs beyond Latin-1 that its languages use, each with one that counts alike.
_ALIKE: Final = (
    *(("\u2019", "'"), ("\u201d", '"'), ("\u2026", "."), ("\u0153", "\u00f8"), ("\u0152", "\u00d8")),
    *((sign, "\u00b7") for sign in "\u2018\u201a\u201c\u201e\u2013\u2014\u2022\u2039\u203a\u20ac\u2122\u2192"),
)
_LETTER: Final = re.compile(r"[^\W\d_]")
_AFTER_STOP: Final = re.compile(r"[\s\"')\u00bb]")


def _class_of(sign: str) -> str:
    """`v` a vowel, `c` another letter, `-` or `'` what joins letters, `.` a stop, `n` a new line, ` ` what may follow a stop."""
    if _LETTER.match(sign):
        return "v" if sign.lower() in VOWELS else "c"
    if sign in "-'":
        return sign
    if sign in ".!?":
        return "."
    if sign == "\n":
        return "n"
    return " " if _AFTER_STOP.match(sign) else "_"


_CLASSES: Final = "".join(_class_of(chr(code)) for code in range(256)).encode()
# Each begins with a sign that is searched for fast.
_STOPS: Final = re.compile(rb"\.\.*(?=[ n']|\Z)")
_GAPS: Final = re.compile(rb"nnn*")
_LOOSE_HYPHEN: Final = re.compile(rb"-(?:(?![vc])|(?<![vc]-))")
_LOOSE_APOSTROPHE: Final = re.compile(rb"'(?:(?![vc])|(?<![vc]'))")
_OTHERS: Final = bytes.maketrans(b"'.n_", b"-   ")


def latin_signs(text: str) -> bytes | None:
    """The words of a text between spaces, its sentences between line breaks; None for a text in other letters.

    Of a word each vowel is `v`, each other letter `c`, and what joins two letters (`it's`, `well-known`) `-`.
    """
    if not text.isascii():
        for sign, alike in _ALIKE:
            text = text.replace(sign, alike)
    try:
        signs = text.encode("latin-1").translate(_CLASSES)
    except UnicodeEncodeError:
        return None
    signs = _GAPS.sub(b"\n", _STOPS.sub(b"\n", signs))
    return _LOOSE_APOSTROPHE.sub(b" ", _LOOSE_HYPHEN.sub(b" ", signs)).translate(_OTHERS)
