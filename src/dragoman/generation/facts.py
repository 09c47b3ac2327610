"""The facts in a sentence that can be compared word by word: numbers with units, dates, identifiers, names.

A number is the same in every writing: 1,000 = 1.000 = 1 000 = 1000 = ١٠٠٠, 1.5 million = 1,500,000, four = 4, XIX = 19.
One that can be read in two ways has both readings. Names are what is written with a capital letter where the language
does not ask for one; across alphabets they are compared by their consonants.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from difflib import SequenceMatcher
from functools import lru_cache
from typing import Final

from dragoman.generation.number_words import (
    DECIMAL_COMMA,
    MONTHS,
    NUMBER_WORDS,
    SCALES,
    UNITS,
    WORDS_OF_NUMBERS,
)
from dragoman.kit.text.terms import STOP_WORDS, base_language


@dataclass(frozen=True, slots=True)
class Number:
    """A number as written, every value it may have, and its unit (a key of `UNITS`), None where none is told."""

    text: str
    values: frozenset[str]
    unit: str | None
    is_word: bool = False
    start: int = 0


@dataclass(frozen=True, slots=True)
class Name:
    """Adjacent capitalised words; `is_sure` where nothing but a name is written so."""

    words: tuple[str, ...]
    is_sure: bool
    start: int = 0

    @property
    def text(self) -> str:
        return " ".join(self.words)


# --- numbers ---------------------------------------------------------------------------------------------------------

_DIGITS: Final = re.compile(
    r"(?<![\w.,])(?:\d{1,3}(?:[ \u00a0\u202f]\d{3})+(?![\d])|\d+(?:[.,'’٬٫]\d+)*)(?:[½¼¾])?|[½¼¾]"
)
_GROUPED: Final = re.compile(r"\d{1,3}(?:([.,'’٬ \u00a0\u202f])\d{3})(?:\1\d{3})*")
_DATE: Final = re.compile(r"(?<!\d)(\d{1,4})([-./])(\d{1,2})\2(\d{2,4})(?!\d)")
_ROMAN: Final = re.compile(r"(?<!\w)(?=[IVXLC]{2,})(?:XC|XL|L?X{0,3}|C{1,3})(?:XC|XL|L?X{0,3})(?:IX|IV|V?I{0,3})(?!\w)")
_ROMAN_VALUES: Final = {"I": 1, "V": 5, "X": 10, "L": 50, "C": 100}
_FRACTIONS: Final = {"½": "5", "¼": "25", "¾": "75"}
_WORD: Final = re.compile(r"[^\W\d_]+(?:[-'’][^\W\d_]+)*")
_LETTERS: Final = re.compile(r"[^\W\d_]+")
_NEXT_WORD: Final = re.compile(r"[\s\u00a0-]?\s*([^\W\d_]+)")
_UNSPACED: Final = re.compile("[\u0e00-\u0e7f\u3040-\u30ff\u3400-\u9fff]")
_CHINESE: Final = re.compile("[一二三四五六七八九十百千两零]+")
_CHINESE_DIGITS: Final = {**dict(zip("一二三四五六七八九", range(1, 10), strict=True)), "两": 2, "零": 0}
_CHINESE_POWERS: Final = {"十": 10, "百": 100, "千": 1000}


def ascii_digits(text: str) -> str:
    """The digits of all scripts as 0 to 9, without changing the length of the text."""
    if text.isascii():
        return text
    return "".join(str(unicodedata.decimal(sign)) if sign.isdecimal() and not sign.isascii() else sign for sign in text)


@lru_cache(maxsize=1 << 12)
def numbers_in(text: str, language: str) -> tuple[Number, ...]:
    """The numbers of a text, in digits, Roman numerals and (2 and above) in words; the parts of dates are numbers too."""
    base, text = base_language(language), ascii_digits(text)
    return tuple(sorted(_numbers(text, base), key=lambda number: number.start))


def _numbers(text: str, base: str) -> Iterator[Number]:
    dates = [match.span() for match in _DATE.finditer(text)]
    for match in _DATE.finditer(text):
        yield from (
            Number(match[0], frozenset({str(int(part))}), None, start=match.start())
            for part in (match[1], match[3], match[4])
        )
    for match in _DIGITS.finditer(text):
        if any(start <= match.start() < end for start, end in dates):
            continue
        scale, unit = _after(text, match.end(), base)
        values = frozenset(_scaled(value, scale) for value in _readings(match[0], base))
        yield Number(match[0], values, unit or _before(text, match.start()), start=match.start())
    for match in _ROMAN.finditer(text):
        if match[0]:
            yield Number(
                match[0], frozenset({str(_roman(match[0])), match[0]}), None, is_word=True, start=match.start()
            )
    yield from _words(text, base)


def _words(text: str, base: str) -> Iterator[Number]:
    if base in {"zh", "ja"}:
        for match in _CHINESE.finditer(text):
            counted = _chinese(match[0])
            is_share = "分之" in text[max(match.start() - 2, 0) : match.end() + 2]
            if counted >= 2 and match[0][0] in _CHINESE_DIGITS and not is_share:
                yield Number(match[0], frozenset({str(counted)}), None, is_word=True, start=match.start())
        return
    values = NUMBER_WORDS.get(base, {})
    months = MONTHS.get(base, {})
    for match in _LETTERS.finditer(text):
        word = fold(match[0])
        value, month = values.get(word), _month(word, match[0], months)
        if value is not None:
            scale, unit = _after(text, match.end(), base)
            yield Number(match[0], frozenset({_scaled(str(value), scale)}), unit, is_word=True, start=match.start())
        elif month is not None and re.search(r"\d", text[max(match.start() - 9, 0) : match.end() + 6]):
            yield Number(match[0], frozenset({f"month {month}", str(month)}), None, is_word=True, start=match.start())


_ALSO_VERBS: Final = frozenset({"may", "march"})


def _month(word: str, written: str, months: dict[str, int]) -> int | None:
    found = months.get(word)
    return None if word in _ALSO_VERBS and written.islower() else found


def _readings(written: str, base: str) -> Iterator[str]:
    """The values that digits with separators may mean."""
    fraction = _FRACTIONS.get(written[-1], "")
    digits = written.rstrip("½¼¾")
    if fraction:
        yield f"{digits or 0}.{fraction}"
        return
    grouped = _GROUPED.fullmatch(digits)
    if grouped:
        yield str(int(re.sub(r"\D", "", digits)))
        mark = "," if base in DECIMAL_COMMA else "."
        if grouped[1] != mark or len(re.sub(r"\d", "", digits)) > 1:
            return
    parts = re.split(r"[.,٫'’٬]", digits)
    if len(parts) == 1:
        yield str(int(digits))
    elif len(parts) == 2 or len(set(re.sub(r"\d", "", digits))) > 1:
        whole, decimals = "".join(parts[:-1]), parts[-1]
        kept = decimals if grouped else decimals.rstrip("0")
        yield f"{int(whole)}.{kept}" if kept else str(int(whole))
    else:
        yield digits  # 2.3.1, a version


def _scaled(value: str, power: int) -> str:
    if not power:
        return value
    whole, _, decimals = value.partition(".")
    if not (whole + decimals).isdigit():
        return value
    shifted = int(whole + decimals) * 10 ** max(power - len(decimals), 0)
    return str(shifted)


def _after(text: str, end: int, base: str) -> tuple[int, str | None]:
    """The power of ten and the unit that follow a number."""
    power = 0
    rest = text[end : end + 40]
    if _UNSPACED.match(rest.lstrip()[:1] or " "):
        for word, power_of_ten in _SCALES.items():
            if _UNSPACED.match(word) and rest.lstrip().startswith(word):
                return power_of_ten, None
        return 0, _unit_of(rest.lstrip(), starts=True)
    attached = _ATTACHED.match(rest)
    if attached:
        return _ATTACHED_POWERS[attached[1]], None
    match = _NEXT_WORD.match(rest)
    if match and (exponent := _SCALES.get(fold(match[1]))) is not None and not (base == "en" and match[1] == "mil"):
        power, rest = exponent, re.sub(r"^\s+(?:of|de|di)\b", "", rest[match.end() :])
    return power, _unit_of(rest)


_ATTACHED: Final = re.compile(r"(m|bn|k)(?![\w])")
_ATTACHED_POWERS: Final = {"m": 6, "bn": 9, "k": 3}


def _unit_of(rest: str, *, starts: bool = False) -> str | None:
    signs = re.match(r"\s?(%|€|\$|£|°C|°F)", rest)
    if signs:
        return _UNITS.get(signs[1])
    if starts:
        return next((unit for word, unit in _UNITS.items() if _UNSPACED.match(word) and rest.startswith(word)), None)
    match = _NEXT_WORD.match(rest)
    return _UNITS.get(fold(match[1])) if match else None


def _before(text: str, start: int) -> str | None:
    sign = text[max(start - 2, 0) : start].strip()[-1:]
    return _UNITS.get(sign) if sign in {"€", "$", "£"} else None


def _roman(word: str) -> int:
    values = [_ROMAN_VALUES[sign] for sign in word]
    return sum(-value if value < max(values[place:]) else value for place, value in enumerate(values))


def _chinese(word: str) -> int:
    total, digit = 0, 0
    for sign in word:
        if sign in _CHINESE_POWERS:
            total, digit = total + (digit or 1) * _CHINESE_POWERS[sign], 0
        else:
            digit = _CHINESE_DIGITS[sign]
    return total + digit


def missing_number(number: Number, among: Iterable[Number], *, words_known: bool = True) -> str | None:
    """Why a number is not among those of the sources: `number` or `unit`; None: it is.

    Args:
        words_known: whether numbers written as words are known in the language of the sources.
    """
    if number.is_word and not words_known:
        return None
    same = [other for other in among if number.values & other.values]
    if not same:
        return "number"
    units = {other.unit for other in same}
    return "unit" if number.unit is not None and None not in units and number.unit not in units else None


def knows_number_words(language: str, source_language: str) -> bool:
    """Whether a number in words would be recognised in the source: across languages only where words keep their form."""
    one, other = base_language(language), base_language(source_language)
    return other in WORDS_OF_NUMBERS if one == other else {one, other} <= _WORDS_KEEP_FORM


_WORDS_KEEP_FORM: Final = frozenset({"en", "de", "es", "fr", "it", "pt", "nl"})


# --- identifiers -----------------------------------------------------------------------------------------------------

_IDENTIFIER: Final = re.compile(r"(?<![\w@])(?=[\w./@:+#-]*\d)(?=[\w./@:+#-]*[^\W\d_])[^\W_][\w./@:+#-]*[\w+#]")
_NOT_IDENTIFIER: Final = re.compile(
    r"\d+(?:st|nd|rd|th|er|e|ème|eme|os?|as?|i|ème|s|er[nsm]?|-\w{1,4}|[.:,]\d+[a-z]{0,3}|[a-z]{1,4}|[’']?[a-zа-яıüğşöç]{1,4})"
    r"|\d+(?:[-–][^\W\d]+)+|[^\W\d]+[-–]\d{1,4}|[\d.,½¼¾]+(?:[^\W\d_]{1,6})",
    re.IGNORECASE,
)
_JOINTS: Final = r"[\s_./:@+#–-]*"
_LETTERS_OR_DIGITS: Final = re.compile(r"\d+|[^\W\d_]+")


def identifiers_in(text: str) -> list[str]:
    """Part numbers, versions, addresses: words that mix letters with digits, but not `19th`, `5km` or `80-year-old`."""
    return [
        match[0]
        for match in _IDENTIFIER.finditer(text)
        if not _NOT_IDENTIFIER.fullmatch(match[0]) and match[0].isascii()
    ]


def has_identifier(identifier: str, text: str) -> bool:
    """Whether the text holds it, however it is hyphenated."""
    parts = _LETTERS_OR_DIGITS.findall(identifier.casefold())
    pattern = _JOINTS.join(map(re.escape, parts))
    return bool(parts) and re.search(rf"(?<![^\W_]){pattern}(?![^\W_])", text.casefold()) is not None


# --- names -----------------------------------------------------------------------------------------------------------

_CASED: Final = re.compile("[A-Za-z\u00c0-\u024f\u0370-\u052f\u1e00-\u1fff]")
_TOKEN: Final = re.compile(r"[^\W\d_]+(?:[-'’.][^\W\d_]+)*|\S")
_SENTENCE_MARKS: Final = frozenset('.!?:"“„«»')
_BEFORE_FIRST: Final = frozenset("([-–—•*\ufeff'‘")
_LATIN_TOKEN: Final = re.compile(r"[A-Za-z\u00c0-\u024f]+(?:[-'’.][A-Za-z\u00c0-\u024f]+)*|\S")
_UNCASED: Final = frozenset({"ar", "bn", "fa", "he", "hi", "ja", "ka", "ko", "ta", "te", "th", "ur", "zh"})
_MULTIPLE: Final = re.compile(r"(?<=[^\W\d_])[-](?=[^\W\d_])")
_NOUNS_CAPITALISED: Final = frozenset({"de", "lb"})
_SHORTEST_NAME: Final = 3


@lru_cache(maxsize=1 << 12)
def names_in(text: str, language: str) -> tuple[Name, ...]:
    """The names of a sentence: runs of capitalised words, without the word that the sentence begins with if it stands alone.

    German writes every noun so: there only runs of two are sure to be names, and those too may be a title before one.
    """
    base = base_language(language)
    stop = _stop_words(base)
    token_of = _TOKEN if base not in _UNCASED else _LATIN_TOKEN
    runs: list[tuple[int, list[str]]] = []
    open_run = False
    begins = True
    for match in token_of.finditer(text):
        token = match[0]
        is_word = token[0].isalpha()
        if is_word and token[0].isupper() and _CASED.match(token) and token.casefold() not in stop:
            if open_run:
                runs[-1][1].append(token)
            else:
                runs.append((-1 if begins else match.start(), [token]))
            open_run = True
        else:
            open_run = False
        begins = begins and token in _BEFORE_FIRST if not is_word else False
        begins = begins or token in _SENTENCE_MARKS
    certain = base not in _NOUNS_CAPITALISED
    # The first word of a sentence has its capital whatever it is.
    named = [(start, words[1:] if start < 0 else words) for start, words in runs]
    return tuple(
        Name(words=tuple(words), is_sure=certain or len(words) > 1, start=max(start, 0))
        for start, words in named
        if words and any(_may_be_name(word, base) for word in words)
    )


def _may_be_name(word: str, base: str) -> bool:
    """Not a Roman numeral, a month or an initial."""
    is_numeral = bool(_ROMAN.fullmatch(word)) or fold(word) in MONTHS.get(base, {})
    return len(word) >= _SHORTEST_NAME and not is_numeral


class NameIndex:
    """The words of sources, to look names up in."""

    def __init__(self, texts: Iterable[str]) -> None:
        words = {fold(part) for text in texts for word in _WORD.findall(text) for part in _parts(word)}
        self._words = frozenset(words)
        self._by_start: dict[str, list[str]] = {}
        for word in words:
            self._by_start.setdefault(word[:2], []).append(word)
        self._all = "\n" + "\n".join(words)
        self._latin = any(_is_latin(word) for word in words)
        self._skeletons: frozenset[str] | None = None

    def has(self, word: str, *, translated: bool) -> bool:
        """Whether a word of a name is there, but for its ending; `translated`: or as another language writes it."""
        plain = fold(word)
        if plain in self._words or any(len(part) >= 4 and fold(part) in self._words for part in _parts(word)):
            return True
        shared = max(min(len(plain) - 2, 5), 3)
        for other in self._by_start.get(plain[:2], ()):
            if other[:shared] == plain[:shared] and abs(len(other) - len(plain)) <= 4 and _stem_like(plain, other):
                return True
        if len(plain) >= 5 and plain in self._all:  # a part of a compound
            return True
        if not translated:
            return False
        if len(plain) >= _ROOT and any(other[:_ROOT] == plain[:_ROOT] for other in self._by_start.get(plain[:2], ())):
            return True
        return any(self._sounds_alike(fold(part)) for part in _parts(word) if len(part) >= _SHORTEST_NAME)

    def _sounds_alike(self, plain: str) -> bool:
        if self._skeletons is None:
            self._skeletons = frozenset(_skeleton(word) for word in self._words if len(word) >= 3)
        own = _skeleton(plain)
        if plain.isascii() and self._latin:
            return own in self._skeletons and len(own) >= _ROOT  # both in Latin letters: only the spelling differs
        if len(own) < 3:
            return own in self._skeletons
        return any(
            other and other[0] == own[0] and SequenceMatcher(None, own, other).ratio() >= _ALIKE
            for other in self._skeletons
        )


_ALIKE: Final = 0.86
_STEM: Final = 4
_ROOT: Final = 5  # letters that "European" and "europäisch" share


def _stem_like(word: str, other: str) -> bool:
    common = 0
    for one, two in zip(word, other, strict=False):
        if one != two:
            break
        common += 1
    return common >= _STEM and (common >= 0.7 * max(len(word), len(other)) or common >= min(len(word), len(other)) - 2)


def _parts(word: str) -> list[str]:
    return [
        word,
        *(_MULTIPLE.split(word) if "-" in word else ()),
        *re.split("['’]", word)[: 2 if "'" in word or "’" in word else 0],
    ]


@lru_cache(maxsize=1 << 14)
def fold(word: str) -> str:
    """Case folded, without accents."""
    folded = word.replace("İ", "i").replace("ı", "i").casefold()
    if folded.isascii():
        return folded
    plain = "".join(sign for sign in unicodedata.normalize("NFD", folded) if not unicodedata.combining(sign))
    return plain.replace("ß", "ss").replace("đ", "d").replace("ł", "l").replace("ø", "o")


def _is_latin(word: str) -> bool:
    return bool(word) and word.isascii()


@lru_cache(maxsize=1 << 14)
def _skeleton(word: str) -> str:
    """The consonants of a word by their sound, in Latin letters: Джексон, Jackson -> TKSN."""
    latin = "".join(_ROMANISED.get(sign, sign) for sign in word)
    for written, spoken in _SOUNDS:
        latin = latin.replace(written, spoken)
    classes = latin.translate(_CLASSES)
    return re.sub(r"(.)\1+", r"\1", classes[:1] + classes[1:].replace("A", ""))


_ROMANISED: Final = {
    **dict(zip("абвгдеёжзийклмнопрстуфхцчшщъыьэюя", [
        "a", "b", "v", "g", "d", "e", "e", "j", "z", "i", "i", "k", "l", "m", "n", "o", "p", "r", "s", "t", "u", "f",
        "h", "c", "ch", "sh", "sh", "", "i", "", "e", "u", "a"], strict=True)),
    **dict(zip("αβγδεζηθικλμνξοπρσςτυφχψω", [
        "a", "v", "g", "d", "e", "z", "i", "t", "i", "k", "l", "m", "n", "ks", "o", "p", "r", "s", "s", "t", "i", "f",
        "h", "ps", "o"], strict=True)),
}  # fmt: skip
_SOUNDS: Final = (
    ("dj", "j"), ("dzh", "j"), ("tch", "j"), ("tsch", "j"), ("sch", "s"), ("ch", "k"), ("sh", "s"), ("ph", "f"),
    ("th", "t"), ("tz", "s"), ("ts", "s"), ("ck", "k"), ("qu", "k"), ("x", "ks"), ("gh", "g"), ("mp", "b"), ("nt", "d"),
    ("gk", "g"), ("wh", "v"), ("ge", "je"), ("gi", "ji"), ("dj", "j"), ("ndj", "nj"), ("ce", "se"), ("ci", "si"),
)  # fmt: skip
_CLASSES: Final = str.maketrans("abcdefghijklmnopqrstuvwxyz", "ApktAfkAAjklmnApkrstAffkAs")


@lru_cache(maxsize=64)
def _stop_words(base: str) -> frozenset[str]:
    return frozenset(STOP_WORDS.get(base, "").split())


_SCRIPTS_COMPARED: Final = re.compile("[A-Za-z\u00c0-\u024f\u0370-\u052f\u1e00-\u1fff]")


def are_comparable(name: str, text: str) -> bool:
    """Whether a name would be recognised in the text: both are written in Latin, Cyrillic or Greek letters."""
    sample = [sign for sign in text[:400] if sign.isalpha()]
    cased = sum(bool(_SCRIPTS_COMPARED.match(sign)) for sign in sample)
    return bool(_SCRIPTS_COMPARED.search(name)) and cased > 0.5 * len(sample)


_UNITS: Final = {fold(word): unit for word, unit in UNITS.items()} | UNITS
_SCALES: Final = {fold(word): power for word, power in SCALES.items()} | SCALES
