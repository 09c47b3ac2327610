# ruff: noqa: PLC0415 -- pdfium loads with the first PDF, not with the program
"""The words of a PDF page with their places, through pdfium: the ground on which lines and tables are found.

Coordinates are points of the page as it is shown (its rotation applied), from the lower left corner.
"""

from __future__ import annotations

import ctypes
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any, Final

SOFT_HYPHEN: Final = "\ufffe"  # how pdfium writes a hyphen at the end of a line; cleaning joins the two halves

RIGHT_TO_LEFT: Final = re.compile("[\u0590-\u08ff\ufb1d-\ufdff\ufe70-\ufefc]")
_LIGATURES: Final = {0xFB00: "ff", 0xFB01: "fi", 0xFB02: "fl", 0xFB03: "ffi", 0xFB04: "ffl", 0xFB05: "st", 0xFB06: "st"}
# TeX's own encoding, in PDFs that do not say what their signs mean
_TEX_LIGATURES: Final = {0x0B: "\ufb00", 0x0C: "\ufb01", 0x0E: "\ufb03", 0x0F: "\ufb04"}
_TEX_FF: Final = re.compile(r"(?<=[A-Za-z])\u21b5(?=[A-Za-z-])")
_WORD: Final = re.compile(f"[^\\s{SOFT_HYPHEN}]+{SOFT_HYPHEN}?|{SOFT_HYPHEN}|\\n")
# Fonts draw lam and alef as one sign; decomposed in the order of drawing it reads alef, lam. After another alef the
# hamza forms give it away: no Arabic word has alef followed by alef with hamza.
SPLIT_LIGATURE: Final = re.compile("\u0627([\u0622\u0623\u0625])\u0644")


@dataclass(slots=True)
class Word:
    """Characters without a space between them, and their box."""

    text: str
    left: float
    bottom: float
    right: float
    top: float
    backwards: bool = False  # right-to-left letters that stand in the order of drawing
    glued: bool = False  # directly behind the word before, in another font or raised
    first: int = -1  # pdfium's index of its first character; -1: it is mirrored, so they do not follow each other

    @property
    def height(self) -> float:
        return self.top - self.bottom

    @property
    def middle(self) -> float:
        return (self.top + self.bottom) / 2

    @property
    def centre(self) -> float:
        return (self.left + self.right) / 2


@dataclass(slots=True)
class TextLine:
    """Words of one line of a page, in reading order."""

    words: list[Word] = field(default_factory=list)

    @property
    def left(self) -> float:
        return min(word.left for word in self.words)

    @property
    def right(self) -> float:
        return max(word.right for word in self.words)

    @property
    def bottom(self) -> float:
        return min(word.bottom for word in self.words)

    @property
    def top(self) -> float:
        return max(word.top for word in self.words)

    @property
    def text(self) -> str:
        return joined(self.words)


def joined(words: Sequence[Word]) -> str:
    """The words with spaces between, the halves of a hyphenated word without."""
    words = logical(words)
    text = "".join(word.text if word.glued or not at else f" {word.text}" for at, word in enumerate(words))
    text = text.replace(f"{SOFT_HYPHEN} ", SOFT_HYPHEN).translate(_LIGATURES)
    text = _TEX_FF.sub("ff", text)
    return SPLIT_LIGATURE.sub("\u0627\u0644\\1", text) if RIGHT_TO_LEFT.search(text) else text


def logical(words: Sequence[Word]) -> Sequence[Word]:
    """Words of a line that was drawn from left to right although it is read from right to left, as they are read."""
    backwards = sum(word.backwards for word in words)
    forwards = sum(bool(RIGHT_TO_LEFT.search(word.text)) and not word.backwards for word in words)
    if not backwards or forwards >= backwards:
        return words
    turned: list[Word] = []
    run: list[Word] = []  # numbers and foreign words keep their own direction
    for word in reversed(words):
        if RIGHT_TO_LEFT.search(word.text):
            turned += [*reversed(run), _mirrored(word)]
            run = []
        else:
            run.append(word)
    return [*turned, *reversed(run)]


def _mirrored(word: Word) -> Word:
    return Word(word.text[::-1], word.left, word.bottom, word.right, word.top)


def page_lines(page: Any, textpage: Any) -> list[TextLine]:
    """The lines of a page in the order of pdfium, parts of one line put together (superscripts, cells of a row)."""
    lines: list[TextLine] = []
    for line in _raw_lines(page, textpage):
        if lines and _continues(lines[-1], line):
            last, first = lines[-1].words[-1], line.words[0]
            near = abs(first.left - last.right) <= 0.12 * min(last.height, first.height)
            first.glued = near and not (last.text[-1].isdigit() and first.text[0].isdigit())  # a footnote is no digit
            lines[-1].words += line.words
        else:
            lines.append(line)
    return lines


def _raw_lines(page: Any, textpage: Any) -> Iterator[TextLine]:
    count = textpage.count_chars()
    text = _characters(textpage, count)
    place = Placer(page)
    line = TextLine()
    for found in _WORD.finditer(text):
        if found[0] == "\n":
            if line.words:
                yield line
            line = TextLine()
        else:
            line.words.append(_word(textpage, found, place))
            if found[0].endswith(SOFT_HYPHEN):
                yield line
                line = TextLine()
    if line.words:
        yield line


def _characters(textpage: Any, count: int) -> str:
    """One character for each index of pdfium (its own text leaves some out)."""
    import pypdfium2.raw as pdfium

    get = pdfium.FPDFText_GetUnicode
    codes = [get(textpage.raw, at) for at in range(count)]
    return "".join(_shown(code) for code in codes)


def _shown(code: int) -> str:
    if code in {0x0D, 0x0A}:
        return "\n"
    if code in _TEX_LIGATURES:
        return _TEX_LIGATURES[code]
    if code in {0x02, 0xFFFE}:
        return SOFT_HYPHEN
    return chr(code) if 0x20 <= code <= 0x10FFFF and not 0xD800 <= code <= 0xDFFF else " "


def _word(textpage: Any, found: re.Match[str], place: Placer) -> Word:
    first, last = found.start(), found.end() - 1
    while last > first and found[0][last - found.start()] == SOFT_HYPHEN:
        last -= 1
    boxes = [place(box_of(textpage, first))]
    if last > first:
        boxes.append(place(box_of(textpage, last)))
    word = Word(
        found[0],
        min(box[0] for box in boxes),
        min(box[1] for box in boxes),
        max(box[2] for box in boxes),
        max(box[3] for box in boxes),
        first=found.start(),
    )
    letters = [found.start() + at for at, sign in enumerate(found[0]) if RIGHT_TO_LEFT.match(sign)]
    if len(letters) > 1:
        word.backwards = place(box_of(textpage, letters[0]))[0] < place(box_of(textpage, letters[-1]))[0]
    return word


def box_of(textpage: Any, at: int) -> tuple[float, float, float, float]:
    import pypdfium2.raw as pdfium

    rectangle = pdfium.FS_RECTF()
    pdfium.FPDFText_GetLooseCharBox(textpage.raw, at, ctypes.byref(rectangle))
    return rectangle.left, rectangle.bottom, rectangle.right, rectangle.top


class Placer:
    """Turns a box of the page's own space into one of the page as it is shown."""

    def __init__(self, page: Any) -> None:
        self._rotation = page.get_rotation()
        width, height = page.get_size()
        self._width, self._height = (height, width) if self._rotation in {90, 270} else (width, height)

    def __call__(self, box: tuple[float, float, float, float]) -> tuple[float, float, float, float]:
        left, bottom, right, top = min(box[0], box[2]), min(box[1], box[3]), max(box[0], box[2]), max(box[1], box[3])
        if self._rotation == 90:
            return bottom, self._width - right, top, self._width - left
        if self._rotation == 180:
            return self._width - right, self._height - top, self._width - left, self._height - bottom
        if self._rotation == 270:
            return self._height - top, left, self._height - bottom, right
        return left, bottom, right, top


def _continues(before: TextLine, line: TextLine) -> bool:
    """Whether the two stand on one line, the second beside the first."""
    if before.words[-1].text.endswith(SOFT_HYPHEN):
        return False
    first, last = line.words[0], before.words[-1]
    overlap = min(first.top, last.top) - max(first.bottom, last.bottom)
    smaller = min(first.height, last.height)
    if smaller <= 0 or overlap < 0.6 * smaller or max(first.height, last.height) > 4 * smaller:
        return False
    if RIGHT_TO_LEFT.search(first.text) or RIGHT_TO_LEFT.search(last.text):
        return line.right <= before.left + smaller or line.left >= before.right - smaller
    return line.left >= before.right - 0.3 * smaller
