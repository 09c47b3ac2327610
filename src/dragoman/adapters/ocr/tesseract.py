"""Tesseract, the program, for over a hundred languages: each is a package of the system (`tesseract-ocr-rus`).

Read as TSV from a process of its own per picture. Where no language is told, Tesseract's own look at the page
(`osd`: script and direction) chooses among those installed. A page of Japanese is read as lines and as columns, and a
page that gives no sense is read turned; the more confident reading counts.
"""

from __future__ import annotations

import asyncio
import csv
import io
import os
import re
import shutil
import unicodedata
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

from pydantic import BaseModel, ConfigDict, Field

from dragoman.kit.errors import InvalidSettingError
from dragoman.kit.pictures import UnreadablePictureError, as_png, open_frames
from dragoman.ports.ocr import OcrError, OcrLine, RecognisedText

if TYPE_CHECKING:
    from PIL.Image import Image

NAMES: Final[Mapping[str, str]] = {
    "af": "afr", "am": "amh", "ar": "ara", "az": "aze", "be": "bel", "bg": "bul", "bn": "ben", "bs": "bos",
    "ca": "cat", "cs": "ces", "cy": "cym", "da": "dan", "de": "deu", "el": "ell", "en": "eng", "es": "spa",
    "et": "est", "eu": "eus", "fa": "fas", "fi": "fin", "fr": "fra", "ga": "gle", "gl": "glg", "gu": "guj",
    "he": "heb", "hi": "hin", "hr": "hrv", "hu": "hun", "hy": "hye", "id": "ind", "is": "isl", "it": "ita",
    "ja": "jpn", "ka": "kat", "kk": "kaz", "km": "khm", "kn": "kan", "ko": "kor", "lo": "lao", "lt": "lit",
    "lv": "lav", "mk": "mkd", "ml": "mal", "mn": "mon", "mr": "mar", "ms": "msa", "mt": "mlt", "my": "mya",
    "ne": "nep", "nl": "nld", "no": "nor", "nb": "nor", "pa": "pan", "pl": "pol", "ps": "pus", "pt": "por",
    "ro": "ron", "ru": "rus", "si": "sin", "sk": "slk", "sl": "slv", "sq": "sqi", "sr": "srp", "sv": "swe",
    "sw": "swa", "ta": "tam", "te": "tel", "th": "tha", "tl": "tgl", "tr": "tur", "uk": "ukr", "ur": "urd",
    "uz": "uzb", "vi": "vie", "yi": "yid", "zh": "chi_sim",
}  # fmt: skip
_SCRIPTS: Final[Mapping[str, tuple[str, ...]]] = {
    "Cyrillic": ("ru", "uk", "bg", "sr"), "Arabic": ("ar", "fa", "ur"), "Han": ("zh", "ja"), "Japanese": ("ja",),
    "Hangul": ("ko",), "Korean": ("ko",), "Devanagari": ("hi", "mr", "ne"), "Greek": ("el",), "Hebrew": ("he",),
    "Thai": ("th",), "Bengali": ("bn",), "Tamil": ("ta",), "Telugu": ("te",), "Georgian": ("ka",), "Armenian": ("hy",),
}  # fmt: skip
GOOD: Final = 0.8  # mean confidence at which no other language is tried
POOR: Final = 0.55  # mean confidence below which the page is read turned too
DOWNWARDS: Final = "_vert"
SURE_OF_DIRECTION: Final = 1.5  # Tesseract's own measure; below it one in four pages was turned wrongly
SMALL_PRINT: Final = 1200  # pixels; a picture with a shorter long side is enlarged: small letters are not found else
MOST_ENLARGED: Final = 3.0
DARK: Final = 150  # of 255
SHORTEST_RULE: Final = 60  # pixels
SMALLEST_SIDE: Final = 12
SINGLE_BLOCK_DOWNWARDS: Final = 5  # a page segmentation mode

_ROTATE: Final = re.compile(r"^Rotate: (\d+)$", re.MULTILINE)
_DIRECTION_CONFIDENCE: Final = re.compile(r"^Orientation confidence: ([\d.]+)$", re.MULTILINE)
_SCRIPT: Final = re.compile(r"^Script: (\w+)$", re.MULTILINE)


class TesseractMissingError(InvalidSettingError):
    """The program `tesseract` is not installed, or has no language. Install the packages `tesseract-ocr` and, for each
    language, `tesseract-ocr-<language>`, or choose another adapter with the setting `ocr`."""

    code = "ocr.tesseract_missing"


class Settings(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)

    command: str = Field(default="tesseract", min_length=1, description="The program, by name or path.")
    languages: tuple[str, ...] = Field(
        default=("en", "de", "fr", "es"),
        min_length=1,
        description="ISO 639-1 codes read where the language is not known and the script is Latin.",
    )
    psm: int = Field(default=3, ge=1, le=13, description="Page segmentation mode of Tesseract; 3 finds columns itself.")
    longest_side: int = Field(default=3000, ge=500, le=10_000, description="Pixels; larger pictures are scaled down.")
    timeout_s: int = Field(default=60, ge=1, le=3600, description="A picture that takes longer counts as unreadable.")


class Adapter:
    def __init__(self, settings: Settings) -> None:
        self._settings = settings
        self._installed: frozenset[str] | None = None

    async def recognise(self, image: bytes, *, languages: Sequence[str] = ()) -> RecognisedText:
        """See `Ocr`.

        Raises:
            OcrError, TesseractMissingError
        """
        try:
            picture, scale = await asyncio.to_thread(_opened, image, self._settings.longest_side)
        except UnreadablePictureError as error:
            raise OcrError(f"The picture cannot be read. {error}") from error
        if min(picture.size) < SMALLEST_SIDE:
            return RecognisedText(lines=())
        installed = await self._list_installed()
        page = await self._look_at(picture, installed)
        picture = await asyncio.to_thread(_without_rules, picture)
        choices = [languages] if languages else [page.languages, ()] if page.languages else [()]
        readings: list[RecognisedText] = []
        for choice in choices:
            readings.append(await self._read(picture, self._names(choice, installed), page.rotation, scale))
            if _confidence(readings[-1].lines) > GOOD and page.is_sure:
                break
        best = max(readings, key=_sense)
        if best.lines and _confidence(best.lines) < POOR:
            names = self._names(choices[readings.index(best)], installed)
            for rotation in {0, 90, 180, 270} - {page.rotation}:
                readings.append(await self._read(picture, names, rotation, scale))
        return max(readings, key=_sense)

    async def _read(self, picture: Image, names: Sequence[str], rotation: int, scale: float) -> RecognisedText:
        png = await asyncio.to_thread(_turned, picture, rotation)
        across = [name for name in names if not name.endswith(DOWNWARDS)]
        lines = _lines(await self._run(png, across, self._settings.psm), scale)
        downwards = [name for name in names if name.endswith(DOWNWARDS)]
        if downwards:
            columns = _lines(await self._run(png, downwards, SINGLE_BLOCK_DOWNWARDS), scale)
            if _sense(RecognisedText(lines=columns)) > _sense(RecognisedText(lines=lines)):
                lines = columns
        return RecognisedText(lines=lines, rotation=rotation)

    async def _look_at(self, picture: Image, installed: frozenset[str]) -> _Page:
        """Direction and languages by script; upright and Latin where there is too little text to tell."""
        if "osd" not in installed:
            return _Page(0, (), is_sure=False)
        png = await asyncio.to_thread(as_png, picture)
        try:
            told = await self._call(["stdin", "stdout", "--psm", "0", "-l", "osd"], png)
        except OcrError:  # "Too few characters"
            return _Page(0, (), is_sure=False)
        rotate, sure, script = _ROTATE.search(told), _DIRECTION_CONFIDENCE.search(told), _SCRIPT.search(told)
        is_sure = sure is not None and float(sure[1]) >= SURE_OF_DIRECTION
        rotation = int(rotate[1]) % 360 if rotate and is_sure else 0
        return _Page(rotation, _SCRIPTS.get(script[1], ()) if script else (), is_sure)

    def _names(self, languages: Sequence[str], installed: frozenset[str]) -> list[str]:
        """Tesseract's names of those installed. Japanese brings its model for columns along."""
        for wanted in (languages, self._settings.languages, ("en",)):
            names = [_name(code) for code in wanted]
            names += [f"{name}{DOWNWARDS}" for name in names]
            found = [name for name in dict.fromkeys(names) if name in installed]
            if found:
                return found
        raise TesseractMissingError

    async def _list_installed(self) -> frozenset[str]:
        if self._installed is None:
            lines = (await self._call(["--list-langs"], b"")).split("\n")[1:]
            self._installed = frozenset(line.strip() for line in lines if line.strip())
        return self._installed

    async def _run(self, png: bytes, names: Sequence[str], psm: int) -> str:
        return await self._call(["stdin", "stdout", "-l", "+".join(names), "--psm", str(psm), "tsv"], png)

    async def _call(self, arguments: Sequence[str], given: bytes) -> str:
        """What Tesseract says. One thread: two cores are busy with other pages already, and it gains little from more."""
        command = shutil.which(self._settings.command)
        if command is None:
            raise TesseractMissingError
        process = await asyncio.create_subprocess_exec(
            command,
            *arguments,
            stdin=asyncio.subprocess.PIPE,
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.PIPE,
            env={**os.environ, "OMP_THREAD_LIMIT": "1"},  # architecture: what the process has, for its child
        )
        try:
            async with asyncio.timeout(self._settings.timeout_s):
                said, complaints = await process.communicate(given)
        except TimeoutError as error:
            raise OcrError(f"Tesseract took more than {self._settings.timeout_s} s for this picture.") from error
        finally:
            if process.returncode is None:
                process.kill()
                await process.wait()
        if process.returncode:
            reason = complaints.decode(errors="replace").strip().split("\n")[-1][:200]
            raise OcrError(f"Tesseract cannot read the picture. {reason}")
        return said.decode(errors="replace")


@dataclass(frozen=True, slots=True)
class _Page:
    """`rotation`: degrees clockwise that turn it upright. `languages`: of its script, none for Latin or unknown."""

    rotation: int
    languages: tuple[str, ...]
    is_sure: bool


def _opened(image: bytes, longest_side: int) -> tuple[Image, float]:
    """The picture, and by how much its pixels must be multiplied to be those of the original."""
    picture = next(open_frames(image, longest_side=100_000))
    width = picture.width
    longest = max(picture.size)
    if longest > longest_side:
        picture.thumbnail((longest_side, longest_side))
    elif longest < SMALL_PRINT:
        factor = min(MOST_ENLARGED, SMALL_PRINT * 1.5 / longest)
        picture = picture.resize((round(picture.width * factor), round(picture.height * factor)))
    return picture, width / picture.width


def _name(code: str) -> str:
    traditional = code.lower().startswith(("zh-hant", "zh-tw", "zh-hk"))
    return "chi_tra" if traditional else NAMES.get(code.split("-", maxsplit=1)[0].lower(), code)


def _without_rules(picture: Image) -> Image:
    """The picture without the lines of tables and forms: inside a drawn grid Tesseract finds no text."""
    import numpy as np  # noqa: PLC0415 - with the first picture
    from PIL import Image  # noqa: PLC0415

    grey = np.asarray(picture.convert("L")).copy()
    dark = grey < DARK
    length = max(SHORTEST_RULE, max(grey.shape) // 20)
    rules = _long_runs(dark, length) | _long_runs(dark.T, length).T
    if not rules.any():
        return picture
    for shift, axis in ((1, 0), (-1, 0), (1, 1), (-1, 1)):  # their soft edges too
        rules |= np.roll(rules, shift, axis)
    grey[rules] = 255
    return Image.fromarray(grey)


def _long_runs(dark: Any, length: int) -> Any:
    """Pixels that belong to a run of at least `length` dark ones in their row, as a mask of the same shape."""
    import numpy as np  # noqa: PLC0415

    rows, columns = dark.shape
    if columns < length:
        return np.zeros_like(dark)
    sums = np.zeros((rows, columns + 1), np.int32)
    np.cumsum(dark, axis=1, out=sums[:, 1:])
    starts = np.zeros((rows, columns + 1), np.int32)
    starts[:, 1 : columns - length + 2] = (sums[:, length:] - sums[:, :-length]) == length
    counted = np.cumsum(starts, axis=1)
    before = np.zeros_like(counted)
    before[:, length:] = counted[:, :-length]
    return (counted - before)[:, 1:] > 0


def _turned(picture: Image, rotation: int) -> bytes:
    return as_png(picture.rotate(-rotation, expand=True) if rotation else picture)


def _lines(tsv: str, scale: float) -> list[OcrLine]:
    words: dict[tuple[str, str, str], list[dict[str, str]]] = {}
    for word in csv.DictReader(io.StringIO(tsv), delimiter="\t", quoting=csv.QUOTE_NONE):
        if word["level"] == "5" and word["text"] and word["text"].strip():
            words.setdefault((word["block_num"], word["par_num"], word["line_num"]), []).append(word)
    return [_line(line, scale) for line in words.values()]


def _line(words: Sequence[Mapping[str, str]], scale: float) -> OcrLine:
    text = ""
    for word in words:
        following = word["text"].strip()
        text += ("" if not text or (_is_unspaced(text[-1]) and _is_unspaced(following[0])) else " ") + following
    letters = sum(len(word["text"]) for word in words)
    confidence = sum(max(0.0, float(word["conf"])) * len(word["text"]) for word in words) / letters / 100
    sides = [(int(word["left"]), int(word["top"]), int(word["width"]), int(word["height"])) for word in words]
    return OcrLine(
        text=unicodedata.normalize("NFC", text),
        confidence=min(1.0, confidence),
        box=(
            round(min(left for left, _, _, _ in sides) * scale, 1),
            round(min(top for _, top, _, _ in sides) * scale, 1),
            round(max(left + width for left, _, width, _ in sides) * scale, 1),
            round(max(top + height for _, top, _, height in sides) * scale, 1),
        ),
    )


def _is_unspaced(letter: str) -> bool:
    return unicodedata.east_asian_width(letter) in {"W", "F"} and not "\uac00" <= letter <= "\ud7a3"


def _confidence(lines: Sequence[OcrLine]) -> float:
    letters = sum(len(line.text) for line in lines)
    return sum(line.confidence * len(line.text) for line in lines) / letters if letters else 0.0


def _sense(reading: RecognisedText) -> float:
    """How much was read with confidence: a reading of a page that lies wrongly has few letters or little confidence."""
    return sum(line.confidence**2 * len(line.text) for line in reading.lines)
