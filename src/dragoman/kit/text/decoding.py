"""Turns bytes of unknown encoding into text: Unicode with and without a mark, and the legacy encodings."""

from __future__ import annotations

import codecs
import re
import unicodedata
from dataclasses import dataclass
from typing import Final

from charset_normalizer import from_bytes

from dragoman.kit.errors import DragomanError

SAMPLE_BYTES: Final = 65_536  # enough for a verdict; guessing costs about 1 ms per KiB
SMALLEST_PLAIN_SHARE: Final = 0.01
SMALLEST_LEGACY_SHARE: Final = 0.002  # fewer undecodable bytes than this: UTF-8 with an accident, not another encoding

_MARKS: Final = (  # longest first: the mark of UTF-32 LE begins with the one of UTF-16 LE
    (b"\xff\xfe\x00\x00", "utf-32-le"),
    (b"\x00\x00\xfe\xff", "utf-32-be"),
    (b"\xef\xbb\xbf", "utf-8"),
    (b"\xff\xfe", "utf-16-le"),
    (b"\xfe\xff", "utf-16-be"),
)
_WIDE: Final = ("utf-32-le", "utf-32-be", "utf-16-le", "utf-16-be")
_LATIN: Final = ("cp1252", "cp1250", "cp1254")
# Of equally likely guesses the first here is taken: by how many documents are met, not by the alphabet.
_LEGACY: Final = (
    *("cp1252", "cp932", "gb18030", "cp949", "big5", "euc_jp", "cp1251", "cp1256", "cp1253", "cp1255", "cp874"),
    *("koi8_r", "cp1250", "cp1254", "cp866"),
)
_STATEFUL: Final = frozenset(
    {"iso2022_jp", "iso2022_jp_1", "iso2022_jp_2", "iso2022_jp_3", "iso2022_kr", "hz", "utf-7"}
)
_JAPANESE_ESCAPE: Final = re.compile(rb"\x1b\$[@B]")
_CONTROLS: Final = re.compile(r"[\x00-\x08\x0e-\x1a\x1c-\x1f]")
_TURKISH: Final = re.compile("[ðýþÐÝÞ]")
_ICELANDIC: Final = re.compile("[æáíóúÆÁÍÓÚ]")
_HEBREW_ONLY: Final = re.compile(rb"[\x00-\xbf\xe0-\xfa]+")  # Russian has capitals and letters outside this range
_WORDS: Final = re.compile(r"[^\W\d_]{4,}")


class BinaryContentError(DragomanError):
    """This is no text but binary data. Upload the document in its own format, or save it as text first."""

    code, status = "text.binary", 415


@dataclass(frozen=True, slots=True, kw_only=True)
class DecodedText:
    """Text with the Python name of the encoding it was read in. A byte order mark is not part of it."""

    text: str
    encoding: str


def decode_text(content: bytes, *, declared: str | None = None) -> DecodedText:
    """Decodes `content`; bytes without a meaning become U+FFFD.

    Args:
        content: The whole of a text, or its beginning (a character cut at the end is ignored).
        declared: The encoding that the document states of itself; used where the bytes leave a choice.

    Raises:
        BinaryContentError: it is no text.
    """
    for mark, encoding in _MARKS:
        if content.startswith(mark):
            return _accepted(content[len(mark) :].decode(encoding, errors="replace"), encoding)
    if b"\x00" in content[:SAMPLE_BYTES]:
        encoding = _wide_encoding(content[: SAMPLE_BYTES - SAMPLE_BYTES % 4])
        return _accepted(content.decode(encoding, errors="replace"), encoding)
    stateful = _stateful_encoding(content, declared)
    if stateful:
        return _accepted(content.decode(stateful, errors="replace"), stateful)
    text = content.decode("utf-8", errors="replace")
    damaged = text.count("\ufffd")
    if not damaged or damaged <= max(
        _cut_at_end(content), len(content) * SMALLEST_LEGACY_SHARE * _is_mostly_utf8(content)
    ):
        return _accepted(text, "utf-8")
    encoding = _legacy_encoding(content[:SAMPLE_BYTES], declared)
    return _accepted(content.decode(encoding, errors="replace"), encoding)


def _stateful_encoding(content: bytes, declared: str | None) -> str | None:
    """An encoding of mails that writes everything in seven bits: as UTF-8 it would pass, but read as noise."""
    stated = _codec_name(declared) if declared else None
    if stated in _STATEFUL and _decodes_in_part(content[:SAMPLE_BYTES], stated):
        return stated
    japanese = _JAPANESE_ESCAPE.search(content[:SAMPLE_BYTES]) is not None
    return "iso2022_jp_2" if japanese and _decodes_in_part(content[:SAMPLE_BYTES], "iso2022_jp_2") else None


def _decodes_in_part(sample: bytes, encoding: str) -> bool:
    """Whether the sample is a beginning of such a text; the end may stand within a character."""
    try:
        codecs.getincrementaldecoder(encoding)().decode(sample)
    except UnicodeDecodeError:
        return False
    return True


def _codec_name(encoding: str) -> str | None:
    try:
        return codecs.lookup(encoding).name
    except LookupError:
        return None


def _accepted(text: str, encoding: str) -> DecodedText:
    """Refuses what has more than one control character (or noncharacter) in 200: no text has."""
    sample = text[:SAMPLE_BYTES]
    if len(_CONTROLS.findall(sample)) > max(1, len(sample) // 200):
        raise BinaryContentError(encoding=encoding)
    return DecodedText(text=text, encoding=encoding)


def _cut_at_end(content: bytes) -> int:
    """1 when the content ends inside a UTF-8 sequence, as the head of a longer file may."""
    try:
        content.decode("utf-8")
    except UnicodeDecodeError as error:
        return int(error.reason == "unexpected end of data" and error.start >= len(content) - 3)
    return 0


def _is_mostly_utf8(content: bytes) -> bool:
    """Whether there are proper multi-byte sequences beside the broken ones, ten to one."""
    text = content[:SAMPLE_BYTES].decode("utf-8", errors="replace")
    proper = sum(1 for character in text if character > "\x7f" and character != "\ufffd")
    return proper >= 10 * text.count("\ufffd")


def _wide_encoding(sample: bytes) -> str:
    plain_shares = {encoding: _plain_share(sample, encoding) for encoding in _WIDE}
    best = max(_WIDE, key=plain_shares.__getitem__)
    if plain_shares[best] < SMALLEST_PLAIN_SHARE:
        raise BinaryContentError(encoding="unknown")
    return best


def _plain_share(sample: bytes, encoding: str) -> float:
    """The share of ASCII in the text (spaces, digits, line ends occur in every script); 0.0 where it is no text."""
    width = 4 if "32" in encoding else 2
    try:
        text = sample[: len(sample) - len(sample) % width].decode(encoding)
    except UnicodeDecodeError as error:
        if error.start < len(sample) - 2 * width:
            return 0.0
        text = sample[: error.start].decode(encoding)
    odd = sum(unicodedata.category(character) in {"Cn", "Co", "Cs"} for character in text)
    odd += len(_CONTROLS.findall(text))
    return 0.0 if not text or "\x00" in text or odd > len(text) // 200 else sum(map(str.isascii, text)) / len(text)


def _legacy_encoding(sample: bytes, declared: str | None) -> str:
    if declared and _decodes(sample, declared):
        return declared
    found = from_bytes(sample, cp_isolation=list(_LEGACY), enable_fallback=False)
    latin_is_likely = _latin_is_likely(sample)
    ranked = sorted(
        (guess for guess in found if latin_is_likely or guess.encoding not in _LATIN),
        key=lambda guess: (round(guess.chaos, 2), -round(guess.coherence, 1), _LEGACY.index(guess.encoding)),
    )
    if not ranked and not latin_is_likely:
        raise BinaryContentError(encoding="unknown")
    best = ranked[0].encoding if ranked else "cp1252"
    if (
        best == "cp1252"
        and _TURKISH.search(text := sample.decode(best, errors="replace"))
        and not _ICELANDIC.search(text)
    ):
        return "cp1254"  # the two differ in six letters only
    return "cp1255" if best == "cp1251" and _HEBREW_ONLY.fullmatch(sample) else best


def _decodes(sample: bytes, encoding: str) -> bool:
    try:
        sample[:-4].decode(encoding)
    except (LookupError, UnicodeDecodeError):
        return False
    return True


def _latin_is_likely(sample: bytes) -> bool:
    """Latin words have some ASCII letters; a Cyrillic word read as Latin has none."""
    words = [word for word in _WORDS.findall(sample.decode("cp1252", errors="ignore")) if not word.isascii()]
    foreign = sum(sum(map(str.isascii, word)) < len(word) * 0.4 for word in words)
    return foreign * 2 <= len(words)
