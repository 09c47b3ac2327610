"""Finds, in one text, what an abbreviation stands for and by which other names a thing goes.

Acronyms after Schwartz and Hearst 2003 ("A simple algorithm for identifying abbreviation definitions in biomedical
text"), both ways round: `market development funds (MDF)`, `MDF (market development funds)`. Where the letters do not
fit, because the long form is a translation ("fournisseur de solutions cloud (CSP)", `云解决方案提供商 (CSP)`), the words
before the bracket are kept as a `tail`: several tails together tell where the name begins (see `expansion_table`).

Tried and left out: words that share contexts (PPMI, mutual nearest neighbours) are siblings rather than synonyms (June
and July, "kingdom" and "australia") and moved nDCG@10 by at most 0.001 on four packs; spellings with and without a
hyphen moved it by at most 0.0004.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Collection, Iterator
from dataclasses import dataclass
from functools import cache
from typing import Final, Literal

from dragoman.kit.text.terms import STOP_WORDS, base_language
from dragoman.understanding.reference_words import CHINESE_SMALL

RULES: Final = 1  # raise it when the rules change: what was found before is then found anew
MOST_PER_TEXT: Final = 40
LONGEST_NAME: Final = 80  # characters
TAIL_WORDS: Final = 6
TAIL_SIGNS: Final = 26  # of a script without spaces

Kind = Literal["acronym", "tail", "alias"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Find:
    """`short` stands for `long`; for an `alias` the two names are equals. As written, but for white space."""

    kind: Kind
    short: str
    long: str


def find_names(text: str, language: str) -> list[Find]:
    """What one text says about names, in text order, each once; at most `MOST_PER_TEXT`."""
    base = base_language(language)
    found: dict[Find, None] = {}
    for line in _plain_lines(text):
        for find in (*_bracketed(line, base), *_aliases(line, base)):
            found[find] = None
            if len(found) == MOST_PER_TEXT:
                return list(found)
    return list(found)


# --- acronyms --------------------------------------------------------------------------------------------------------

_BRACKET: Final = re.compile(r"[(（]\s*[\"'“„«]?([^()（）\n]{2,80}?)[\"'”“»]?\s*[)）]")
_BREAK: Final = re.compile(r"[.!?;:|()（）。！？；：、，\n]\s*|,\s")
_SHORT: Final = re.compile(r"[^\W\d_][\w&+./-]{1,9}")
_ROMAN: Final = re.compile(r"[IVXLCDM]+")
_NO_ACRONYM: Final = frozenset({"USD", "EUR", "GBP", "JPY", "CNY", "NEW", "OK", "AM", "PM", "BETA", "TBD", "NA", "N/A"})
_SIGN: Final = "\u3040-\u30ff\u3400-\u9fff\uac00-\ud7af\u0e00-\u0e7f"
_SIGNS_AT_END: Final = re.compile(rf"[{_SIGN}][{_SIGN} ]*$")


def _bracketed(line: str, base: str) -> Iterator[Find]:
    for match in _BRACKET.finditer(line):
        inner = match[1].strip()
        before = _BREAK.split(line[: match.start()].rstrip(" \"'”“»*_`"))[-1].strip(" \"'”“»„«*_`")
        if is_acronym(inner):
            if long := long_form(inner, before, base):
                yield Find(kind="acronym", short=inner, long=long)
            elif tail := _tail(before):
                yield Find(kind="tail", short=inner, long=tail)
        elif before and is_acronym(short := before.split()[-1]):
            long = long_form(short, inner, base)
            if long == inner:
                yield Find(kind="acronym", short=short, long=long)


def is_acronym(word: str) -> bool:
    """Two to ten signs in one word, at least half of its letters (and two of them) capitals: MDF, SaaS, R&D, ВАТ."""
    if not _SHORT.fullmatch(word) or _ROMAN.fullmatch(word) or word in _NO_ACRONYM:
        return False
    letters = [sign for sign in word if sign.isalpha()]
    capitals = sum(sign.isupper() for sign in letters)
    return capitals >= 2 and 2 * capitals >= len(letters)


def long_form(short: str, text: str, base: str = "") -> str:
    """The end of the text that `short` abbreviates; `""` where its letters are not there in order.

    Schwartz and Hearst take the first fit from the right; here the one with most letters at the beginning of words, so
    that IAM is found in "Identity and Access Management". At least half of the letters must begin a word or be capitals,
    since two or three letters can be found in nearly any words.
    """
    letters = _letters(short)
    words = text.split()
    place = " ".join(words[-min(len(letters) + 5, 2 * len(letters)) :])
    fitting, at = _best_fit(letters, place, _small(base))
    found = place[at:].strip(" -–,") if at >= 0 else ""
    told = 2 * fitting >= len(letters) and len(short) + 1 < len(found) <= LONGEST_NAME
    return found if told and short not in found.split() else ""


def is_spelt_out(short: str, long: str) -> bool:
    """Whether each letter of `short` begins a word of `long`, or is a capital in it."""
    letters = _letters(short)
    return _best_fit(letters, long)[0] == len(letters)


def _letters(short: str) -> str:
    """What must be found, in lower case: without the plural's s of "ISVs"."""
    singular = short[:-1] if len(short) > 2 and short[-1] == "s" and short[-2].isupper() else short
    return "".join(sign.casefold()[:1] for sign in singular if sign.isalnum())


def _best_fit(letters: str, place: str, small_words: Collection[str] = ()) -> tuple[int, int]:
    """How many letters begin a word or are capitals in the best alignment, and where it begins; (0, -1) where none is.

    The first letter begins a word. Of alignments that fit as well, one that does not begin with a small word, and then
    the one that begins last: НДС is "Налог на добавленную стоимость" and not "на добавленную стоимость".
    """
    small = [sign.casefold()[:1] for sign in place]
    begins = [at == 0 or not place[at - 1].isalnum() for at in range(len(place))]
    fits = [begins[at] or place[at].isupper() for at in range(len(place))]
    none = (0, False, -1)
    best = [none] * (len(place) + 1)  # of the letters so far, in the signs before this one
    for number, letter in enumerate(letters):
        row = [none]
        for at in range(len(place)):
            here = none
            if small[at] == letter and number == 0 and begins[at]:
                here = (1, _word_at(place, at) not in small_words, at)
            elif small[at] == letter and number > 0 and best[at] != none:
                here = (best[at][0] + fits[at], *best[at][1:])
            row.append(max(row[-1], here))
        best = row
    return best[-1][0], best[-1][2]


def _word_at(place: str, at: int) -> str:
    return re.split(r"\W", place[at:], maxsplit=1)[0].casefold()


def _tail(before: str) -> str:
    signs = _SIGNS_AT_END.search(before)
    if signs:
        return signs[0].strip()[-TAIL_SIGNS:].strip()
    return " ".join(before.split()[-TAIL_WORDS:])[-LONGEST_NAME:]


# --- other names -----------------------------------------------------------------------------------------------------

_ALSO: Final = {
    "de": r"auch bekannt als|auch(?=(?:\s[\w&+.-]{2,30}){1,3} genannt)|ehemals|vormals|kurz(?=\s[A-Z])",
    "en": r"also known as|also called|also referred to as|sometimes called|formerly known as|formerly called|formerly|"
    r"previously known as|previously called|aka|a\.k\.a\.|abbreviated as|abbreviated",
    "es": r"también conocid[oa]s? como|también llamad[oa]s?|anteriormente conocid[oa]s? como|antes llamad[oa]s?|"
    r"denominad[oa]s? también|alias",
    "fr": r"également appelée?s?|aussi appelée?s?|également connue?s? sous le nom de|connue?s? aussi sous le nom de|"
    r"anciennement appelée?s?|anciennement|alias",
    "it": r"noto anche come|nota anche come|noti anche come|chiamat[oaie] anche|anche chiamat[oaie]|detto anche|"
    r"in precedenza|precedentemente not[oa] come|alias",
    "nl": r"ook bekend als|ook wel(?=(?:\s[\w&+.-]{2,30}){1,3} genoemd)|voorheen bekend als|alias",
    "pt": r"também conhecid[oa]s? como|também chamad[oa]s?(?: de)?|anteriormente conhecid[oa]s? como|antes chamad[oa]s?",
    "ru": r"также известн(?:ый|ая|ое|ые) как|также называем(?:ый|ая|ое|ые)|он же|она же|ранее известн(?:ый|ая|ое|ые) как|"
    r"ранее",
}
_ALSO_SIGNS: Final = re.compile(  # 市场开发基金（也称推广基金）, 販売店（リセラーとも呼ばれる）
    rf"([{_SIGN}]{{2,12}})[（(，、]?\s*(?:也称为?|又称为?|亦称|简称|也叫|又叫|別名|通称|略称)[“「『\"]?([{_SIGN}\w]{{2,12}}?)[”」』\"]?"
    rf"(?=[)）。，、；\s]|$)|([{_SIGN}]{{2,12}})[（(]([{_SIGN}\w]{{2,12}}?)とも(?:呼ばれ|いい|言い|いう)"
)
_NAME: Final = r"[\"'“„«]?([^\W_][\w&+./'’-]*(?:\s[\w&+./'’-]+){0,4})[\"'”“»]?"
_NAME_BEFORE: Final = re.compile(r"([\w&+./'’-]+(?:\s[\w&+./'’-]+){0,5})[\"'”“»]?\s*[,(]?\s*$")


def _aliases(line: str, base: str) -> Iterator[Find]:
    for match in _ALSO_SIGNS.finditer(line):
        first, second = (match[1], match[2]) if match[1] else (match[3], match[4])
        first = CHINESE_SMALL.split(first)[-1] if base == "zh" else first
        if first and first != second:
            yield Find(kind="alias", short=second, long=first)
    pattern = _also(base)
    if pattern is None:
        return
    for match in pattern.finditer(line):
        other = _trimmed(match[1], base)
        before = _NAME_BEFORE.search(line[: match.start()])
        name = _name_at_end(before[1], base) if before else ""
        if name and other and name.casefold() != other.casefold():
            yield Find(kind="alias", short=other, long=name)


@cache
def _also(base: str) -> re.Pattern[str] | None:
    """The phrase and what follows it, up to a comma, a bracket or the end of the sentence: a name ends there."""
    if base not in _ALSO:
        return None
    return re.compile(
        rf"(?<!\w)[,(]?\s?(?<!\w)(?:{_ALSO[base]})\s{_NAME}(?=\s*(?:[,.;:)）]|$| genannt\b| genoemd\b))", re.IGNORECASE
    )


def _trimmed(name: str, base: str) -> str:
    words = name.split()
    while words and words[0].casefold() in _small(base):
        words.pop(0)
    if base in ("de", "nl") and words and words[-1] in ("genannt", "genoemd", "bekannt", "bekend"):
        words.pop()
    inside = any(word.casefold() in _small(base) for word in words)
    is_name = bool(words) and ((len(words) <= 3 and not inside) or all(word[:1].isupper() for word in words))
    return " ".join(words).strip(".-") if is_name and any(len(word) > 1 for word in words) else ""


def _name_at_end(text: str, base: str) -> str:
    """The capitalised words at the end, else the last words behind a small one: "funds" of "the funds"."""
    words = text.split()
    capitals = len(words)
    while capitals and words[capitals - 1][:1].isupper():
        capitals -= 1
    if len(words) - capitals >= 2 or (words and is_acronym(words[-1])):
        return _trimmed(" ".join(words[capitals:]), base)
    start = len(words)
    while start and words[start - 1].casefold() not in _small(base):
        start -= 1
    found = words[start:]
    return " ".join(found) if 0 < len(found) <= 3 and start > 0 else ""


@cache
def _small(base: str) -> frozenset[str]:
    return frozenset(STOP_WORDS.get(base, "").split()) | {"the", "an", "den", "der", "het", "los", "les"}


# --- text ------------------------------------------------------------------------------------------------------------

_LINK: Final = re.compile(r"!?\[([^\]\n]*)\]\((?:[^()\n]|\([^()\n]*\))*\)")
_MARKS: Final = re.compile(r"[*_`]{1,3}(?=\S)|(?<=\S)[*_`]{1,3}|<[^>\n]{1,80}>")


def _plain_lines(text: str) -> list[str]:
    """Lines without the Markdown of links and emphasis, whose brackets are none of the text's."""
    plain = unicodedata.normalize("NFC", text)
    return _MARKS.sub("", _LINK.sub(r"\1", plain)).split("\n")
