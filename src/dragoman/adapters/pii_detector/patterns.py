"""Personal data that has a form: addresses, numbers with check digits, dates of birth, and names that are announced.

Pure Python, no model, about 2 MB of memory beside the telephone numbering plans of `phonenumberslite`. A finding gets
its score from three things: how telling its form is, whether its check digits hold (where they do not, it is no
finding), and whether a word that names it (`Tel.`, `IBAN`, `Steuer-ID` …) stands before it in the same line or the line
above. Every pattern has bounded repetitions, so that hostile text costs no more than plain text.
"""

from __future__ import annotations

import asyncio
import bisect
import hashlib
import ipaddress
import re
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Final

import phonenumbers
from pydantic import BaseModel, ConfigDict, Field

from dragoman.ports.pii_detector import PiiSpan, settle_overlaps

_CONTEXT_BEFORE: Final = 60  # characters; a label and its value rarely stand further apart
_CONTEXT_AFTER: Final = 20
_SLICE_CHARACTERS: Final = 200_000  # handed to a thread at a time: about 0.5 s, after which a cancelled call ends


class Settings(BaseModel):
    """Settings of the detector of personal data `patterns`."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    phone_regions: tuple[str, ...] = Field(
        default=(),
        description="Countries (ISO 3166, upper case) whose national telephone numbers are known beside those of the "
        "language of the text, such as `DE`, `CH`.",
    )
    min_score: float = Field(default=0.5, ge=0, le=1, description="Less sure findings are left out.")


class Adapter:
    """The detector of personal data `patterns`. 300,000 to 500,000 characters a second on one core."""

    def __init__(self, settings: Settings) -> None:
        self._settings = settings

    @property
    def types(self) -> frozenset[str]:
        return frozenset({form.type for form in _FORMS} | {"PHONE_NUMBER"})

    async def detect(self, texts: Sequence[str], *, language: str) -> list[list[PiiSpan]]:
        found: list[list[PiiSpan]] = []
        for part in _cut_slices(texts):
            found += await asyncio.to_thread(self._detect_slice, part, language)
        return found

    def _detect_slice(self, texts: Sequence[str], language: str) -> list[list[PiiSpan]]:
        regions = (*_REGIONS.get(language, _REGIONS["en"]), *self._settings.phone_regions)
        return [
            settle_overlaps(span for span in _find_all(text, regions) if span.score >= self._settings.min_score)
            for text in texts
        ]


def _cut_slices(texts: Sequence[str]) -> Iterator[list[str]]:
    part: list[str] = []
    characters = 0
    for text in texts:
        if part and characters + len(text) > _SLICE_CHARACTERS:
            yield part
            part, characters = [], 0
        part.append(text)
        characters += len(text)
    if part:
        yield part


def _find_all(text: str, regions: Sequence[str]) -> Iterator[PiiSpan]:
    surroundings = _Surroundings(text)
    for form in _FORMS:
        for match in form.pattern.finditer(text):
            start, end = match.span("value" if "value" in form.pattern.groupindex else 0)
            if form.check is not None and not form.check(text[start:end]):
                continue
            score = form.score
            if form.context is not None and surroundings.name(form.context, start, end):
                score = form.score_in_context
            if score > 0:
                yield PiiSpan(start=start, end=end, type=form.type, score=score)
    yield from _find_phones(text, surroundings, regions)


class _Surroundings:
    """What stands around a finding: its line, the line above, and in a table the head of its column."""

    def __init__(self, text: str) -> None:
        self._text = text
        self._tables = list(_read_tables(text))

    def name(self, words: re.Pattern[str], start: int, end: int) -> bool:
        """Whether one of the words is there."""
        if (head := self._head_of_column(start)) is not None:
            return words.search(head) is not None
        text = self._text
        line = text.rfind("\n", 0, start) + 1
        above = text.rfind("\n", 0, max(0, line - 1)) + 1
        if words.search(text, max(above, start - _CONTEXT_BEFORE), start) is not None:
            return True
        return words.search(text[end : end + _CONTEXT_AFTER].partition("\n")[0]) is not None

    def _head_of_column(self, at: int) -> str | None:
        found = bisect.bisect_right(self._tables, at, key=lambda table: table.start) - 1
        if found < 0 or at >= self._tables[found].end:
            return None
        before = self._text[self._text.rfind("\n", 0, at) + 1 : at]
        column = len(_CELL_BORDER.findall(before)) - 1
        heads = self._tables[found].heads
        return heads[column] if 0 <= column < len(heads) else ""


@dataclass(frozen=True, slots=True, kw_only=True)
class _Table:
    """The rows of a Markdown table, `text[start:end]`, below its head."""

    start: int
    end: int
    heads: Sequence[str]


def _read_tables(text: str) -> Iterator[_Table]:
    for head in _TABLE_HEAD.finditer(text):
        rows = _TABLE_ROWS.match(text, head.end())
        if rows is not None:
            heads = [cell.strip() for cell in _CELL_BORDER.split(head[1])[1:]]
            yield _Table(start=rows.start(), end=rows.end(), heads=heads)


_TABLE_HEAD: Final = re.compile(r"^(\|.*)\n\|[ :|-]{3,}\n", re.MULTILINE)
_TABLE_ROWS: Final = re.compile(r"(?:\|.*(?:\n|\Z))+")
_CELL_BORDER: Final = re.compile(r"(?<!\\)\|")


# --- telephone numbers -----------------------------------------------------------------------------------------------

_PHONE: Final = re.compile(
    r"(?<![A-Za-z\u00c0-\u07bf\d_.,:/@#+-])(?:(?:\+|\(\+|00)[ ]?)?[(\d](?:[\d()]|[ .\-/\u2010-\u2013](?=[\d(])|\) (?=[\d(])){4,24}\d(?![A-Za-z\u00c0-\u07bf\d_@]|[.,:/-]\d)"
)
_PHONE_CONTEXT: Final = re.compile(
    r"(?i)\b(?:phone|telephone|tel|mobile|cell(?:phone|ular)?|call(?:ed|ing)?|dial|fax|whatsapp|signal|sms|text me|hotline"
    r"|registered|contact number|telefon\w*|handy|mobil\w*|rufnummer|anruf\w*|t[ée]l(?:[ée]phone)?|portable|appel\w*|tel[ée]fono"
    r"|m[óo]vil|celular|ll[aá]m\w+|telefone|telem[óo]vel|cellulare|chiama\w*|telefoon\w*|mobiel\w*|тел(?:ефон)?|звон\w+)\b|电话|電話|手机|携帯|전화"
)
_NO_PHONE: Final = re.compile(
    r"(?i)\b(?:order|invoice|version|isbn|issn|doi|art(?:icle|ikel)?|serial|ticket|case|sku|ean|card|account|ssn|social security|zip|id|no\.|#)\W*(?:number|nr\.?|no\.?|is)?\W*$"
)
_PHONE_DATE: Final = re.compile(r"(?:\d{4}[-./]\d{1,2}[-./]\d{1,2}|\d{1,2}[-./]\d{1,2}[-./]\d{2,4})(?!\d)")
_DOTTED: Final = re.compile(
    r"(?:\d{1,3}\.){3}\d{1,3}|(?:\d+\.)*\d\.(?:\d+\.?)+|(?:\d+\.)+\d"
)  # addresses of machines, versions
_YEARS: Final = re.compile(r"(?:1[89]|20)\d\d ?[-\u2010-\u2013/] ?(?:1[89]|20)\d\d")

# Where a national number of a text in this language may be at home.
_REGIONS: Final[dict[str, tuple[str, ...]]] = {
    "ar": ("SA", "EG", "AE"), "bg": ("BG",), "cs": ("CZ",), "da": ("DK",), "de": ("DE", "AT", "CH"), "el": ("GR", "CY"),
    "en": ("US", "GB", "AU", "IN", "IE", "ZA"), "es": ("ES", "MX", "AR", "CO"), "et": ("EE",), "fi": ("FI",),
    "fr": ("FR", "BE", "CH", "CA"), "he": ("IL",), "hi": ("IN",), "hr": ("HR",), "hu": ("HU",), "id": ("ID",),
    "it": ("IT", "CH"), "ja": ("JP",), "ko": ("KR",), "lt": ("LT",), "lv": ("LV",), "nl": ("NL", "BE"), "no": ("NO",),
    "pl": ("PL",), "pt": ("PT", "BR"), "ro": ("RO",), "ru": ("RU",), "sk": ("SK",), "sl": ("SI",), "sr": ("RS",),
    "sv": ("SE",), "th": ("TH",), "tr": ("TR",), "uk": ("UA",), "vi": ("VN",), "zh": ("CN", "TW", "HK"),
}  # fmt: skip


def _find_phones(text: str, surroundings: _Surroundings, regions: Sequence[str]) -> Iterator[PiiSpan]:
    for match in _PHONE.finditer(text):
        start, end = match.span()
        if score := _phone_score(text, start, end, surroundings, regions):
            yield PiiSpan(start=start, end=end, type="PHONE_NUMBER", score=score)


def _phone_score(text: str, start: int, end: int, surroundings: _Surroundings, regions: Sequence[str]) -> float:
    written = text[start:end]
    digits = sum(c.isdigit() for c in written)
    if not 6 <= digits <= 16 or written.count("(") != written.count(")") or _YEARS.fullmatch(written):
        return 0.0
    if _DOTTED.fullmatch(written):
        return 0.0
    in_context = surroundings.name(_PHONE_CONTEXT, start, end)
    if _PHONE_DATE.match(written) and not in_context:
        return 0.0
    if written.startswith(("+", "(+", "00")):
        is_valid = _is_valid_phone(written if "+" in written else f"+{written[2:]}", None)
        return 0.95 if is_valid else 0.75 if in_context else 0.0
    if in_context and _NO_PHONE.search(text[max(0, start - 30) : start]) is None:
        return 0.8 if digits >= 7 or len(written) > digits else 0.5
    # Without a word for it, a bare run of digits may be anything: only what is grouped as numbers are grouped.
    is_grouped = written[0] in "0(" or sum(not c.isdigit() for c in written) >= 2
    if len(written) == digits or digits < 8 or not is_grouped or _NO_PHONE.search(text[max(0, start - 30) : start]):
        return 0.0
    return 0.6 if any(_is_valid_phone(written, region) for region in regions) else 0.0


def _is_valid_phone(written: str, region: str | None) -> bool:
    try:
        return phonenumbers.is_valid_number(phonenumbers.parse(written, region))
    except phonenumbers.NumberParseException:
        return False


# --- check digits ----------------------------------------------------------------------------------------------------


def _digits(text: str) -> list[int]:
    return [int(c) for c in text if c.isdigit()]


def _weighted(digits: Sequence[int], weights: Sequence[int]) -> int:
    return sum(d * w for d, w in zip(digits, weights, strict=False))


def _luhn(text: str) -> bool:
    """ISO/IEC 7812-1."""
    digits = _digits(text)
    doubled = (sum(divmod(2 * d, 10)) for d in digits[-2::-2])
    return len(set(digits)) > 1 and (sum(digits[-1::-2]) + sum(doubled)) % 10 == 0


def _card(text: str) -> bool:
    """Luhn, and a length and first digits that a card network has (ISO/IEC 7812; 12 digits: Maestro)."""
    digits = "".join(c for c in text if c.isdigit())
    lengths = next((lengths for prefix, lengths in _CARD_NETWORKS if prefix.match(digits)), ())
    return len(digits) in lengths and _luhn(digits)


_CARD_NETWORKS: Final = (
    (re.compile(r"4"), (13, 16, 19)),
    (re.compile(r"5[1-5]|2[2-7]"), (16,)),
    (re.compile(r"3[47]"), (15,)),
    (re.compile(r"3[0689]"), (14, 16, 19)),
    (re.compile(r"35|2131|1800"), (15, 16, 19)),
    (re.compile(r"50|5[6-9]|6"), (12, 13, 14, 15, 16, 17, 18, 19)),
)


def _mod97(text: str) -> bool:
    """IBAN, ISO 13616: the country's length, and 1 modulo 97 (ISO 7064)."""
    compact = "".join(text.split()).upper()
    if _IBAN_LENGTHS.get(compact[:2], len(compact)) != len(compact) or not 15 <= len(compact) <= 34:
        return False
    return int("".join(str(int(c, 36)) for c in compact[4:] + compact[:4])) % 97 == 1


_IBAN_LENGTHS: Final = {
    "AD": 24, "AE": 23, "AT": 20, "BE": 16, "BG": 22, "BR": 29, "CH": 21, "CY": 28, "CZ": 24, "DE": 22, "DK": 18, "EE": 20,
    "EG": 29, "ES": 24, "FI": 18, "FR": 27, "GB": 22, "GR": 27, "HR": 21, "HU": 28, "IE": 22, "IL": 23, "IS": 26, "IT": 27,
    "LI": 21, "LT": 20, "LU": 20, "LV": 21, "MC": 27, "MT": 31, "NL": 18, "NO": 15, "PL": 28, "PT": 25, "RO": 24, "RS": 22,
    "SA": 24, "SE": 24, "SI": 19, "SK": 24, "SM": 27, "TR": 26, "UA": 29,
}  # fmt: skip


def _ip(text: str) -> bool:
    """An address of the public internet. Private and loopback addresses name no person."""
    try:
        address = ipaddress.ip_address(text)
    except ValueError:
        return False
    return address.is_global


_BASE58: Final = "123456789ABCDEFGHJKLMNPQRSTUVWXYZabcdefghijkmnopqrstuvwxyz"


def _base58check(text: str) -> bool:
    """A Bitcoin address: 21 bytes and the first four of their double SHA-256."""
    number = 0
    for character in text:
        number = number * 58 + _BASE58.index(character)
    if number >= 1 << 200:
        return False
    raw = number.to_bytes(25, "big")
    return hashlib.sha256(hashlib.sha256(raw[:21]).digest()).digest()[:4] == raw[21:]


def _us_ssn(text: str) -> bool:
    """Areas 000, 666 and 900 to 999, group 00 and serial 0000 are not given out (US Social Security Administration)."""
    d = "".join(c for c in text if c.isdigit())
    return d[:3] not in ("000", "666") and d[0] != "9" and d[3:5] != "00" and d[5:] != "0000" and len(set(d)) > 1


def _aba(text: str) -> bool:
    return len(set(_digits(text))) > 1 and _weighted(_digits(text), (3, 7, 1) * 3) % 10 == 0


def _uk_nhs(text: str) -> bool:
    d = _digits(text)
    return len(set(d)) > 1 and (11 - _weighted(d[:9], range(10, 1, -1)) % 11) % 11 == d[9]


def _de_tax_id(text: str) -> bool:
    """ISO 7064 mod 11,10; among the first ten digits one is there two or three times."""
    d = _digits(text)
    product = 10
    for digit in d[:10]:
        product = ((digit + product) % 10 or 10) * 2 % 11
    most = max(d[:10].count(digit) for digit in range(10))
    return d[0] != 0 and most in (2, 3) and (11 - product) % 10 == d[10]


def _icao_check(text: str) -> bool:
    """ICAO 9303, weights 7, 3, 1: German identity cards and passports."""
    values = [int(c, 36) for c in text]
    return any(c.isdigit() for c in text) and _weighted(values[:-1], (7, 3, 1) * 4) % 10 == values[-1]


def _fr_nir(text: str) -> bool:
    compact = "".join(text.split()).upper().replace("2A", "19").replace("2B", "18")
    return compact.isdigit() and 97 - int(compact[:13]) % 97 == int(compact[13:])


def _es_nif(text: str) -> bool:
    compact = re.sub(r"\W", "", text).upper()
    number = compact[:-1].replace("X", "0").replace("Y", "1").replace("Z", "2")
    return "TRWAGMYFPDXBNJZSQVHLCKE"[int(number) % 23] == compact[-1]


def _it_fiscal_code(text: str) -> bool:
    """Ministry of Finance decree of 23 December 1976: odd places have a table of their own."""
    odd = (1, 0, 5, 7, 9, 13, 15, 17, 19, 21, 2, 4, 18, 20, 11, 3, 6, 8, 12, 14, 16, 10, 22, 25, 24, 23)
    value = [int(c) if c.isdigit() else ord(c) - ord("A") for c in text.upper()]
    total = sum(odd[v] if at % 2 == 0 else v for at, v in enumerate(value[:15]))
    return total % 26 == value[15]


def _pt_nif(text: str) -> bool:
    d = _digits(text)
    rest = _weighted(d[:8], range(9, 1, -1)) % 11
    return (0 if rest < 2 else 11 - rest) == d[8]


_VERHOEFF: Final = (
    (0, 1, 2, 3, 4, 5, 6, 7, 8, 9), (1, 2, 3, 4, 0, 6, 7, 8, 9, 5), (2, 3, 4, 0, 1, 7, 8, 9, 5, 6),
    (3, 4, 0, 1, 2, 8, 9, 5, 6, 7), (4, 0, 1, 2, 3, 9, 5, 6, 7, 8), (5, 9, 8, 7, 6, 0, 4, 3, 2, 1),
    (6, 5, 9, 8, 7, 1, 0, 4, 3, 2), (7, 6, 5, 9, 8, 2, 1, 0, 4, 3), (8, 7, 6, 5, 9, 3, 2, 1, 0, 4),
    (9, 8, 7, 6, 5, 4, 3, 2, 1, 0),
)  # fmt: skip
_VERHOEFF_TURN: Final = (1, 5, 7, 6, 2, 8, 3, 0, 9, 4)


def _verhoeff(text: str) -> bool:
    """Verhoeff 1969: Aadhaar."""
    check, turn = 0, list(range(10))
    for digit in reversed(_digits(text)):
        check = _VERHOEFF[check][turn[digit]]
        turn = [_VERHOEFF_TURN[t] for t in turn]
    return check == 0


def _jp_my_number(text: str) -> bool:
    d = _digits(text)
    rest = _weighted(d[:11], (6, 5, 4, 3, 2, 7, 6, 5, 4, 3, 2)) % 11
    return len(set(d)) > 1 and (0 if rest <= 1 else 11 - rest) == d[11]


def _cn_resident_id(text: str) -> bool:
    """GB 11643, ISO 7064 mod 11-2."""
    weights = (7, 9, 10, 5, 8, 4, 2, 1, 6, 3, 7, 9, 10, 5, 8, 4, 2)
    return "10X98765432"[_weighted([int(c) for c in text[:17]], weights) % 11] == text[17].upper()


def _br_cpf(text: str) -> bool:
    d = _digits(text)
    return len(set(d)) > 1 and all(_weighted(d[:n], range(n + 1, 1, -1)) * 10 % 11 % 10 == d[n] for n in (9, 10))


def _pl_pesel(text: str) -> bool:
    d = _digits(text)
    return len(set(d)) > 1 and -_weighted(d[:10], (1, 3, 7, 9, 1, 3, 7, 9, 1, 3)) % 10 == d[10]


def _nl_bsn(text: str) -> bool:
    d = _digits(text)
    return len(set(d)) > 1 and _weighted(d, (9, 8, 7, 6, 5, 4, 3, 2, -1)) % 11 == 0


def _ean13(text: str) -> bool:
    d = _digits(text)
    return -_weighted(d[:12], (1, 3) * 6) % 10 == d[12]


def _kr_rrn(text: str) -> bool:
    d = _digits(text)
    return (11 - _weighted(d[:12], (2, 3, 4, 5, 6, 7, 8, 9, 2, 3, 4, 5)) % 11) % 10 == d[12]


def _au_tfn(text: str) -> bool:
    d = _digits(text)
    return len(set(d)) > 1 and _weighted(d, (1, 4, 3, 7, 5, 8, 6, 9, 10)) % 11 == 0


def _tr_id(text: str) -> bool:
    d = _digits(text)
    return (7 * sum(d[0:9:2]) - sum(d[1:8:2])) % 10 == d[9] and sum(d[:10]) % 10 == d[10]


# --- forms -----------------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True, kw_only=True)
class _Form:
    """What a kind of personal data looks like.

    Attributes:
        pattern: the group `value`, or else the whole match, is the finding.
        check: False where the check digits are wrong.
        context: words beside it that name it; with one of them its score is `score_in_context`.
    """

    type: str
    pattern: re.Pattern[str]
    score: float
    check: Callable[[str], bool] | None = None
    context: re.Pattern[str] | None = None
    score_in_context: float = 0.0


# Letters of scripts that put spaces between words. In Chinese and Japanese text a number follows its name directly.
_LETTERS: Final = "A-Za-z\u00c0-\u024f\u0370-\u052f\u0590-\u06ef\u06fa-\u07bf"


def _form(
    type_: str,
    pattern: str,
    score: float,
    check: Callable[[str], bool] | None = None,
    context: str | None = None,
    score_in_context: float = 0.9,
) -> _Form:
    words = re.compile(rf"(?i)(?<![{_LETTERS}0-9_])(?:{context})(?![{_LETTERS}])") if context else None
    return _Form(
        type=type_,
        pattern=re.compile(pattern),
        score=score,
        check=check,
        context=words,
        score_in_context=score_in_context,
    )


def _alone(body: str) -> str:
    """Digits that are not part of a longer number or code."""
    return rf"(?<![{_LETTERS}\d_.,/-])(?:{body})(?![{_LETTERS}\d_]|[.,/-]\d)"


_MONTHS: Final = (
    r"jan(?:uary|uar|vier|eiro|\.)?|enero|gennaio|feb(?:ruary|ruar|rero|braio|\.)?|février|fevereiro|mar(?:ch|s|zo|ço|\.)?|märz"
    r"|apr(?:il|ile|\.)?|avril|abril|may|mai|mayo|maggio|maio|june?|juni|juin|junio|giugno|junho|july?|juli|juillet|julio|luglio|julho"
    r"|aug(?:ust|\.)?|août|agosto|sep(?:t|tember|tembre|\.)?|settembre|septiembre|setembro|o[ck]t(?:ober|obre|\.)?|ottobre|octubre|outubro"
    r"|nov(?:ember|embre|iembre|embro|\.)?|de[cz](?:ember|\.)?|décembre|dicembre|diciembre|dezembro"
)
_DAY: Final = r"(?:0?[1-9]|[12]\d|3[01])"
_DATE: Final = (
    rf"(?:(?:1[6-9]|20)\d\d[-/.](?:0?[1-9]|1[0-2])[-/.]{_DAY}"
    rf"|{_DAY}[-/.]{_DAY}[-/.](?:(?:1[6-9]|20)\d\d|\d\d)"
    rf"|{_DAY}(?:st|nd|rd|th|\.|er|º)?(?: de| of)? (?:{_MONTHS})(?: de|,)? (?:1[6-9]|20)\d\d"
    rf"|(?:{_MONTHS}) {_DAY}(?:st|nd|rd|th)?,? (?:1[6-9]|20)\d\d)"
)
_WEEKDAYS: Final = (
    r"(?:Mon|Tues|Wednes|Thurs|Fri|Satur|Sun)day|Montag|Dienstag|Mittwoch|Donnerstag|Freitag|Samstag|Sonntag"
    r"|Lundi|Mardi|Mercredi|Jeudi|Vendredi|Samedi|Dimanche|Lunes|Martes|Miércoles|Jueves|Viernes|Sábado|Domingo"
)
_NAME_WORD: Final = r"[^\W\d_a-z\u00df-\u00f6\u00f8-\u00ff][\w'’\u2010-]{1,24}"  # begins with a capital letter
_NAME: Final = (
    rf"(?P<value>{_NAME_WORD}(?: (?:{_NAME_WORD}|[A-ZÀ-Þ]\.?|van|von|der|de|del|da|di|la|le|bin|al))"
    r"{0,3}(?<![ .]))"
)
_DOMAIN: Final = r"(?:[^\W_](?:[\w-]{0,61}[^\W_])?\.){1,6}[^\W\d_]{2,24}"

_FORMS: Final[tuple[_Form, ...]] = (
    # A file such as icon@2x.png is no address.
    _form("EMAIL_ADDRESS", rf"(?<![\w.+%-])[\w.+%'&-]{{0,63}}[\w+-]@{_DOMAIN}(?<!\.png)(?<!\.jpg)(?<!\.gif)(?<!\.svg)(?<!\.webp)(?![\w@]|-\w)", 0.95),
    _form("URL", r"(?i)(?<![\w@])(?:https?|ftp)://[^\s<>\"'`|()\[\]{}]{1,2000}(?<![.,;:!?*_])|(?<![\w@./-])www\.[^\s<>\"'`|()\[\]{}]{3,500}(?<![.,;:!?*_])", 0.6),
    _form("CREDIT_CARD", _alone(r"\d{4}(?:[ -]?\d{4}){2}[ -]?\d{1,7}|\d{4}[ -]\d{6}[ -]\d{4,5}|\d{12,19}"), 0.8, _card,
          r"(?:credit|debit)?.?cards?|visa|mastercard|amex|maestro|cvv|kreditkarte\w*|karte\w*|carte|tarjeta|carta|cartão"),
    _form("IBAN_CODE", r"(?<![\w.])[A-Za-z]{2}\d{2}(?: ?[A-Za-z0-9]{4}){2,7}(?: ?[A-Za-z0-9]{1,3})?(?!\w)", 0.95, _mod97),
    _form("SWIFT_CODE", r"(?<!\w)[A-Z]{4}[A-Z]{2}[A-Z0-9]{2}(?:[A-Z0-9]{3})?(?!\w)", 0, None, r"bic|swift(?:.?code)?"),
    _form("IP_ADDRESS", r"(?<![\w.:])(?:\d{1,3}\.){3}\d{1,3}(?![\w:]|\.\d)", 0.7, _ip, r"v(?:ersion)?|release|build|firmware", 0.2),
    _form("IP_ADDRESS", r"(?<![\w.:])(?:[0-9A-Fa-f]{0,4}:){2,7}[0-9A-Fa-f]{1,4}(?![\w.:])", 0.8, _ip),
    _form("MAC_ADDRESS", r"(?<![\w:-])[0-9A-Fa-f]{2}(?::[0-9A-Fa-f]{2}){5}(?![\w:-])|(?<![\w:-])[0-9A-Fa-f]{2}(?:-[0-9A-Fa-f]{2}){5}(?![\w:-])", 0.8),
    _form("CRYPTO", r"(?<!\w)[13][1-9A-HJ-NP-Za-km-z]{25,34}(?!\w)", 0.95, _base58check),
    _form("CRYPTO", r"(?<!\w)(?:bc1[02-9ac-hj-np-z]{11,71}|0x[0-9A-Fa-f]{40})(?!\w)", 0.8),
    _form("DATE_OF_BIRTH", rf"(?i)(?<![\w/.-])(?P<value>{_DATE})(?![\w]|[/.-]\d)", 0, None,
          r"born(?: on)?|birth(?:day|date)?|date of birth|d\.?o\.?b|geboren(?: am)?|geb\.?|geburts\w+|née?(?: le)?|naissance|nacid[oa]|nacimiento|nascid[oa]|nascimento|nat[oa](?: il)?|nascita|geboortedatum|ур\.|родил\w+|дата рождения|出生|生年月日", 0.85),
    _form("DATE_TIME", rf"(?i)(?<![\w/.-])(?P<value>{_DATE}(?:[T ,]{{1,2}}\d{{1,2}}:\d\d(?::\d\d)?)?)(?![\w]|[/.-]\d)", 0.6),
    _form("DATE_TIME", rf"(?i)(?<!\w)(?:{_WEEKDAYS})(?!\w)", 0.5),
    _form("DATE_TIME", r"(?i)(?<!\w)(?:in|since|during|until|before|after|year|im jahre?|seit|en|depuis|desde|nel|dal|em) (?P<value>(?:1[6-9]|20)\d\d)(?![\w]|[.,/-]\d)", 0.5),
    _form("AGE", r"(?i)(?<![\w.,-])(?P<value>\d{1,3})(?=[ -](?:years?|yrs?)[ -](?:old|of age)|[ -]?(?:y/o|yo)\b| Jahre alt| ans\b| años| anni\b| anos\b)", 0.8, lambda t: int(t) <= 120),
    _form("AGE", r"(?i)\b(?:aged?|at the age of|age:|turn(?:ed|s)|im Alter von|à l'âge de|Alter:|edad:|età:|âge\s?:) {0,2}(?P<value>\d{1,3})(?![\w]|[.,/%-]\d)", 0.7, lambda t: int(t) <= 120),
    _form("PERSON", r"(?i:my name is|i am called|this is(?= [^\W\d_]+ [^\W\d_]+ (?:speaking|calling))|name's|ich heiße|mein name ist|je m'appelle|mon nom est|me llamo|mi nombre es|mi chiamo|meu nome é|chamo-me|mijn naam is|меня зовут|jag heter|nazywam się) " + _NAME, 0.7),
    _form("PERSON", r"(?<!\w)(?:(?:Mr|Mrs|Ms|Miss|Mx|Dr|Prof|Herrn?|Frau|Monsieur|Madame|Mme|Mlle|Señora?|Sra|Dña|Signora?|Signor|Dott|Senhora?|Mevrouw|Dhr|Mevr|г-н|г-жа)(?:\. ?| )|(?:M|Sr|Hr|Fr|Sig)\. )(?:(?:Dr|Prof)\. ?){0,2}" + _NAME, 0.6),
    _form("PERSON", r"(?:^|\n)[ \t>*_-]{0,8}(?i:full name|first name|last name|surname|name|contact person|customer name|cardholder|patient|employee|vorname|nachname|ansprechpartner(?:in)?|nom|prénom|nombre|apellidos?|cognome|nome)[*_]{0,2} ?[:：][*_]{0,2} {0,4}" + _NAME, 0.55),
    _form("PERSON", r"(?<=\| )" + _NAME + r"(?= \|)", 0, None, r"^(?:(?:full|first|last|given|family|contact|customer|employee|patient|user)? ?names?|surname|person|employee|customer|patient|contact|vorname|nachname|name|ansprechpartner(?:in)?|kunde|kundin|nom|prénom|nombre|apellidos?|cognome|nome)$", 0.6),
    _form("STREET_ADDRESS", r"(?<!\w)\d{1,5}[A-Za-z]? (?:[NSEW]\.? )?(?:[A-ZÀ-Þ][\w'’.-]{1,24} ){1,3}(?:Street|St|Avenue|Ave|Road|Rd|Boulevard|Blvd|Lane|Ln|Drive|Dr|Court|Ct|Place|Pl|Square|Sq|Terrace|Way|Parkway|Pkwy|Highway|Hwy)(?!\w)\.?", 0.7),
    _form("STREET_ADDRESS", r"(?<!\w)(?:[A-ZÄÖÜ][\wäöüß-]{1,30}(?:straße|strasse|str\.|weg|gasse|allee|platz)|[A-ZÄÖÜ][\wäöüß-]{1,30} (?:Straße|Str\.|Weg|Allee|Platz)) \d{1,3} ?[a-z]?(?!\w)", 0.75),
    _form("STREET_ADDRESS", r"(?<!\w)(?:(?:\d{1,4}(?: ?bis| ?ter)?,? (?:rue|avenue|boulevard|place|chemin|allée|impasse)|(?:[Cc]alle|[Aa]venida|[Pp]laza|[Pp]aseo|[Rr]ua|[Vv]iale|[Pp]iazza|[Cc]orso)) (?:(?:de la|della|des|del|dei|dos|de|du|do|da|la) |[dl]['’]){0,2}[A-ZÀ-Þ][\wÀ-ÿ'’-]{1,30}(?: [A-ZÀ-Þ][\wÀ-ÿ'’-]{1,30}){0,3}(?:,? \d{1,4})?|[Vv]ia (?:[A-ZÀ-Þ][\wÀ-ÿ'’-]{1,30} ){1,3}\d{1,4})", 0.6),
    _form("STREET_ADDRESS", r"(?i)(?<!\w)(?:P\.? ?O\.? Box|Postfach|Apartado|Boîte postale|PSC \d{1,5},? Box) \d{1,8}(?!\w)", 0.7),
    # United States
    _form("US_SSN", _alone(r"\d{3}-\d{2}-\d{4}|\d{3} \d{2} \d{4}"), 0.75, _us_ssn, r"ssns?|social.?security\w*"),
    _form("US_SSN", _alone(r"\d{9}"), 0, _us_ssn, r"ssns?|social.?security(?: (?:number|no\.?|is))*"),
    _form("US_ITIN", _alone(r"9\d{2}[ -](?:5\d|6[0-5]|7\d|8[0-8]|9[0-2]|9[4-9])[ -]\d{4}"), 0.7, None, r"itin|taxpayer"),
    _form("US_PASSPORT", _alone(r"[A-Z]?\d{8,9}"), 0, None, r"passport(?:s| no\.?| number)?", 0.75),
    _form("US_DRIVER_LICENSE", _alone(r"[A-Z]{1,2}\d{4,13}|[A-Z]\d{3}-\d{4}-\d{4}|\d{7,9}"), 0, None, r"driver'?s?.?licen[cs]e|driving.?licen[cs]e|dl ?#", 0.7),
    _form("US_BANK_NUMBER", _alone(r"\d{8,17}"), 0, None, r"(?:(?:bank|checking|savings?).)?account(?:.?(?:number|no\.?|#))?|acct\.?|kontonummer|konto-?nr\.?", 0.65),
    _form("ABA_ROUTING_NUMBER", _alone(r"[0-3]\d{8}"), 0, _aba, r"aba|routing|bankrouting"),
    # Great Britain and Ireland
    _form("UK_NHS", _alone(r"\d{3}[ -]\d{3}[ -]\d{4}"), 0.55, _uk_nhs, r"nhs|national health"),
    _form("UK_NHS", _alone(r"\d{10}"), 0, _uk_nhs, r"nhs|national health"),
    _form("UK_NINO", r"(?<!\w)(?!BG|GB|NK|KN|TN|NT|ZZ)[A-CEGHJ-PR-TW-Z][A-CEGHJ-NPR-TW-Z] ?\d{2} ?\d{2} ?\d{2} ?[A-D](?!\w)", 0.8),
    # Germany, Austria, Switzerland
    _form("DE_TAX_ID", _alone(r"\d{2} ?\d{3} ?\d{3} ?\d{3}"), 0.3, _de_tax_id, r"steuer\w*(?:[ -]?(?:id|identifikations\w*|nummer))?|idnr\.?|tin|tax.?id"),
    _form("DE_ID_CARD", r"(?<!\w)[CFGHJKLMNPRTVWXYZ0-9]{9}\d(?!\w)", 0, _icao_check, r"(?:personal)?ausweis\w*|reisepass\w*|pass(?:nummer|nr\.?)|identity card|id card"),
    _form("DE_SOCIAL_SECURITY", r"(?<!\w)\d{2} ?\d{6} ?[A-Z] ?\d{3}(?!\w)", 0.45, None, r"sozialversicherung\w*|rentenversicherung\w*|sv-?nummer|versicherungsnummer"),
    _form("CH_AHV", _alone(r"756\.\d{4}\.\d{4}\.\d{2}|756\d{10}"), 0.85, _ean13),
    # France, Spain, Italy, Portugal, Netherlands, Poland, Turkey
    _form("FR_NIR", r"(?<!\w)[12] ?\d{2} ?(?:0[1-9]|1[0-2]|[2-9]\d) ?(?:\d{2}|2[AB]) ?\d{3} ?\d{3} ?\d{2}(?!\w)", 0.85, _fr_nir),
    _form("ES_NIF", r"(?<!\w)\d{8}[ -]?[TRWAGMYFPDXBNJZSQVHLCKE](?!\w)", 0.8, _es_nif),
    _form("ES_NIE", r"(?<!\w)[XYZ]-?\d{7}-?[TRWAGMYFPDXBNJZSQVHLCKE](?!\w)", 0.85, _es_nif),
    _form("IT_FISCAL_CODE", r"(?<!\w)(?i:[A-Z]{6}\d{2}[A-EHLMPRST]\d{2}[A-Z]\d{3}[A-Z])(?!\w)", 0.95, _it_fiscal_code),
    _form("PT_NIF", _alone(r"[1-35689]\d{2} ?\d{3} ?\d{3}"), 0, _pt_nif, r"nif|contribuinte|n\.?º? ?fiscal"),
    _form("NL_BSN", _alone(r"\d{9}|\d{4}\.\d{2}\.\d{3}"), 0, _nl_bsn, r"bsn|burgerservicenummer|sofinummer"),
    _form("PL_PESEL", _alone(r"\d{11}"), 0.3, _pl_pesel, r"pesel"),
    _form("TR_ID", _alone(r"[1-9]\d{10}"), 0, _tr_id, r"t\.?c\.?|kimlik"),
    # Asia, America, Australia
    _form("IN_AADHAAR", _alone(r"[2-9]\d{3} \d{4} \d{4}"), 0.7, _verhoeff, r"aadh?aar|uidai|आधार"),
    _form("IN_AADHAAR", _alone(r"[2-9]\d{11}"), 0, _verhoeff, r"aadh?aar|uidai|आधार"),
    _form("IN_PAN", r"(?<!\w)[A-Z]{3}[ABCFGHLJPT][A-Z]\d{4}[A-Z](?!\w)", 0.7),
    _form("JP_MY_NUMBER", _alone(r"\d{4}[ -]?\d{4}[ -]?\d{4}"), 0, _jp_my_number, r"my.?number|マイナンバー|個人番号"),
    _form("CN_RESIDENT_ID", r"(?<!\w)[1-8]\d{5}(?:19|20)\d{2}(?:0[1-9]|1[0-2])(?:0[1-9]|[12]\d|3[01])\d{3}[\dXx](?![A-Za-z0-9])", 0.95, _cn_resident_id),
    _form("KR_RRN", _alone(r"\d{2}(?:0[1-9]|1[0-2])(?:0[1-9]|[12]\d|3[01])-[1-4]\d{6}"), 0.85, _kr_rrn),
    # Numbers given out since October 2020 have no check digit.
    _form("KR_RRN", _alone(r"\d{2}(?:0[1-9]|1[0-2])(?:0[1-9]|[12]\d|3[01])-[1-4]\d{6}"), 0, None, r"주민(?:등록)?번호|rrn|resident"),
    _form("BR_CPF", _alone(r"\d{3}\.\d{3}\.\d{3}-\d{2}"), 0.95, _br_cpf),
    _form("BR_CPF", _alone(r"\d{11}"), 0, _br_cpf, r"cpf"),
    _form("CA_SIN", _alone(r"\d{3}[ -]\d{3}[ -]\d{3}"), 0.4, _luhn, r"sin|social insurance"),
    _form("AU_TFN", _alone(r"\d{3} ?\d{3} ?\d{3}"), 0, _au_tfn, r"tfn|tax file"),
)  # fmt: skip
