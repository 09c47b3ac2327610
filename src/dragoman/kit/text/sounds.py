"""Names written in two alphabets, compared by their consonants: جاريد and Jared are both `JRT`, بانثرز and Panthers `PNTRS`.

Alphabets differ in the vowels that they write and in the sounds that they tell apart. So vowels are dropped, but for one
that a word begins with, and sounds that are often swapped are one class: the idea of Soundex (Russell 1918), across
alphabets. Chinese, Japanese and Korean write names by syllables and have no skeletons.
"""

from __future__ import annotations

import itertools
import re
import unicodedata
from functools import lru_cache
from typing import Final, Literal

Alphabet = Literal["latin", "greek", "cyrillic", "hebrew", "arabic", "devanagari", "thai"]
WITH_CAPITALS: Final[frozenset[Alphabet]] = frozenset({"latin", "greek", "cyrillic"})


def alphabet_of(word: str) -> Alphabet | None:
    """The alphabet of the word's first letter; None where it has no skeletons."""
    first = word[:1]
    return next((alphabet for last, alphabet in _ALPHABETS if first <= last), None)


@lru_cache(maxsize=1 << 14)
def skeletons(word: str) -> frozenset[str]:
    """The consonants of a word as they may sound, one string of `PFTKJSLMNR` for each reading; `A` begins with a vowel.

    Latin spellings have several readings ("ch"), the other alphabets one. Nothing for a word without a known letter.
    """
    plain = _plain(word)
    if plain.isascii():
        options = [_SPELLINGS.get(part, (part,)) for part in _SPELLING.findall(plain)]
        readings = ["".join(reading) for reading in itertools.islice(itertools.product(*options), _MOST_READINGS)]
        return frozenset(filter(None, (_squeezed(reading.translate(_CLASSES)) for reading in readings)))
    for written, spoken in _PAIRS:
        plain = plain.replace(written, spoken)
    squeezed = _squeezed("".join(_SOUNDS.get(sign, "") for sign in plain))
    return frozenset({squeezed} if squeezed else ())


def _plain(word: str) -> str:
    """Lower case, without accents."""
    if word.isascii():
        return word.casefold()
    split = unicodedata.normalize("NFD", word.casefold())
    return "".join(_LATIN.get(sign, sign) for sign in split if not "\u0300" <= sign <= "\u036f")


def _squeezed(classes: str) -> str:
    """Doubled consonants once, no vowels but the first."""
    return _DOUBLED.sub(r"\1", classes[:1] + classes[1:].replace("A", ""))


_MOST_READINGS: Final = 6
_DOUBLED: Final = re.compile(r"(.)\1+")
_ALPHABETS: Final[tuple[tuple[str, Alphabet | None], ...]] = (
    ("@", None), ("\u024f", "latin"), ("\u036f", None), ("\u03ff", "greek"), ("\u052f", "cyrillic"), ("\u058f", None),
    ("\u05ff", "hebrew"), ("\u06ff", "arabic"), ("\u08ff", None), ("\u097f", "devanagari"), ("\u0dff", None),
    ("\u0e7f", "thai"), ("\u1dff", None), ("\u1eff", "latin"),
)  # fmt: skip

# How spellings in Latin letters may sound, the likely reading first.
_SPELLING: Final = re.compile(r"^kn|^wr|^ps|tsch|tch|sch|ch|sh|ph|th|tz|ck|qu|gh|ce|ci|cy|ge|gi|gy|[a-z]")
_SPELLINGS: Final = {
    "kn": ("n",), "wr": ("r",), "ps": ("s", "ps"), "tsch": ("j",), "tch": ("j",), "sch": ("s",), "ch": ("j", "k", "s"),
    "sh": ("s",), "ph": ("f",), "th": ("t",), "tz": ("s",), "ck": ("k",), "qu": ("k",), "gh": ("", "k"), "ce": ("se",),
    "ci": ("si",), "cy": ("si",), "ge": ("je", "ke"), "gi": ("ji", "ki"), "gy": ("ji", "ki"), "w": ("a", "f"),
    "x": ("ks",), "j": ("j", "a"),
}  # fmt: skip
_CLASSES: Final = str.maketrans("abcdefghijklmnopqrstuvwxyz", "APKTAFKAAJKLMNAPKRSTAFAKAS")
_LATIN: Final = {"ß": "ss", "đ": "d", "ł": "l", "ø": "o", "ı": "i", "æ": "a", "œ": "o", "þ": "t", "ð": "d"}

# The other alphabets: pairs of letters that are one sound, then each letter's class. What is missing is silent.
_PAIRS: Final = (
    ("تش", "J"), ("دج", "J"), ("дж", "J"), ("тч", "J"), ("τζ", "J"), ("τσ", "J"), ("γκ", "K"), ("γγ", "NK"),
    ("ντ", "T"), ("μπ", "P"),
)  # fmt: skip
_LETTERS_OF_CLASSES: Final = {
    "A": "اأإآىءئؤعحهوي" + "аеёийоуыэюяіїєх" + "αεηιουωχ" + "אהויע" + "अआइईउऊऋएऐऑऒओऔहय" + "อหฮยว",
    "P": "بپ" + "бп" + "π" + "בפף" + "पबभ" + "บปพผภ",
    "F": "فڤ" + "вф" + "βφ" + "फव" + "ฟฝ",
    "T": "تثدذضط" + "дт" + "δτθ" + "דטת" + "टठडढतथदध" + "ดตทธถฎฏฐฑฒ",
    "K": "خغقكگک" + "гкґ" + "γκ" + "גחכקך" + "कखगघ" + "กขคฆ",
    "J": "جچ" + "жч" + "चछजझ" + "จชฌฉ",
    "S": "سشصزظژ" + "зсшщц" + "ζσς" + "זסצשץ" + "शषस" + "ซสศษ",
    "L": "ل" + "л" + "λ" + "ל" + "लळ" + "ลฬ",
    "M": "م" + "м" + "μ" + "מם" + "म" + "ม",
    "N": "ن" + "н" + "ν" + "נן" + "नणङञं" + "นณญง",
    "R": "ر" + "р" + "ρ" + "ר" + "र" + "ร",
    "KS": "ξ",
    "PS": "ψ",
}
_SOUNDS: Final = {sign: sound for sound, signs in _LETTERS_OF_CLASSES.items() for sign in signs} | {
    sound: sound for sound in "APFTKJSLMNR"
}
