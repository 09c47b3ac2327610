"""Where on a PDF page a text stands that was read out of it.

Both are compared by their letters and digits alone: hyphens at line ends, ligatures, accents, spaces and the signs of
Markdown differ between the page and what was made of it.
"""

from __future__ import annotations

import re
from bisect import bisect_right
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any, Final

from dragoman.adapters.extractor._parts.pdf_layout import (
    RIGHT_TO_LEFT,
    SPLIT_LIGATURE,
    Placer,
    TextLine,
    Word,
    box_of,
    logical,
    page_lines,
)
from dragoman.kit.text.letters import letters_of
from dragoman.ports.extractor import PagePlace

Box = tuple[float, float, float, float]
"""Left, bottom, right, top, in points of the page as it is shown, from the lower left corner."""
Span = tuple[int, int]

_IMAGE_MARK: Final = re.compile(r"!\[[^\]\n]*\]\(image:\d+\)")
_PIECE_END: Final = re.compile(r"[|\n]+|(?<=[.!?])\s+|(?<=[。！？])")  # cells, lines, sentences
_SHORTEST_PIECE: Final = 4  # letters; shorter ones stand everywhere
_SHORTEST_EDGE: Final = 12
_EDGE_SHARE: Final = 0.25  # of the text, when only its begin or its end is on this page
_ENOUGH: Final = 0.5  # of the text's letters, when it is found in pieces
_WIDE_GAP: Final = 2.0  # heights of a line: what is further apart is not one stretch of text, but two columns or cells


def find_places(page: Any, textpage: Any, text: str, *, near: int | None = None) -> list[PagePlace]:
    """See `PageViewer.find_on_page`."""
    wanted = _Wanted.of(_IMAGE_MARK.sub("", text))
    written = _Written.of(page_lines(page, textpage))
    boxes = [
        box
        for first, last in _spans(wanted, written.letters, near)
        for box in _boxes(written.parts(first, last), page, textpage)
    ]
    return [_place(box, page) for box in dict.fromkeys(boxes)]


# --- the letters of the page -----------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class _Part:
    """Characters of a word, from `first` to before `last`, in a line."""

    line: int
    word: Word
    first: int
    last: int


@dataclass(frozen=True, slots=True)
class _Written:
    """The letters of a page in reading order, and the words that they are from.

    Attributes:
        starts: where each word's letters begin.
        origins: for each word, which of its characters each of its letters is from.
    """

    letters: str
    starts: Sequence[int]
    words: Sequence[tuple[int, Word]]
    origins: Sequence[Sequence[int]]

    @classmethod
    def of(cls, lines: Sequence[TextLine]) -> _Written:
        letters: list[str] = []
        starts, words, origins = [], [], []
        length = 0
        for number, line in enumerate(lines):
            for word in logical(line.words):
                text = SPLIT_LIGATURE.sub("\u0627\u0644\\1", word.text)
                made = [(letters_of(sign), at) for at, sign in enumerate(text)]
                origin = [at for letter, at in made for _ in letter]
                if origin:
                    starts.append(length)
                    words.append((number, word))
                    origins.append(origin)
                    letters += [letter for letter, _ in made]
                    length += len(origin)
        return cls("".join(letters), starts, words, origins)

    def parts(self, first: int, last: int) -> Iterator[_Part]:
        """The parts of words whose letters are those from `first` to before `last`."""
        at = bisect_right(self.starts, first) - 1
        while at < len(self.words) and self.starts[at] < last:
            start, origin = self.starts[at], self.origins[at]
            line, word = self.words[at]
            begin, end = max(first - start, 0), min(last - start, len(origin))
            yield _Part(
                line,
                word,
                0 if begin == 0 else origin[begin],
                len(word.text) if end == len(origin) else origin[end - 1] + 1,
            )
            at += 1


# --- finding ---------------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class _Wanted:
    letters: str
    pieces: Sequence[str]

    @classmethod
    def of(cls, text: str) -> _Wanted:
        pieces = [letters_of(piece) for piece in _PIECE_END.split(text)]
        return cls(letters_of(text), [piece for piece in pieces if len(piece) >= _SHORTEST_PIECE])


def _spans(wanted: _Wanted, page: str, near: int | None) -> Sequence[Span]:
    """The text as a whole, else the most of it that is there."""
    if not wanted.letters:
        return ()
    whole = _nearest(page, wanted.letters, near or 0)
    if whole is not None:
        return [(whole, whole + len(wanted.letters))]
    pieces = _piecewise(wanted, page, near or 0)
    return pieces or _at_an_edge(wanted.letters, page)


def _nearest(page: str, letters: str, near: int) -> int | None:
    """Where they stand, of several places the one that begins nearest."""
    after = page.find(letters, near)
    before = page.rfind(letters, 0, near + len(letters) - 1) if near else -1
    found = [at for at in (before, after) if at >= 0]
    return min(found, key=lambda at: abs(at - near)) if found else None


def _piecewise(wanted: _Wanted, page: str, near: int) -> Sequence[Span]:
    """Sentences, lines and cells each for itself: rows of tables, or what a picture or a running head breaks apart."""
    spans: list[Span] = []
    for piece in wanted.pieces:
        at = _nearest(page, piece, near)
        if at is not None:
            near = at + len(piece)
            spans.append((at, near))
    covered = sum(last - first for first, last in set(spans))
    return spans if covered >= _ENOUGH * len(wanted.letters) else ()


def _at_an_edge(letters: str, page: str) -> Sequence[Span]:
    """What of a text that goes on over a page break is here: its longest begin, or its longest end."""
    least = max(_SHORTEST_EDGE, int(_EDGE_SHARE * len(letters)))
    begin = _longest(len(letters), lambda length: letters[:length] in page)
    end = _longest(len(letters), lambda length: letters[-length:] in page)
    if max(begin, end) < least:
        return ()
    if begin >= end:
        at = page.rfind(letters[:begin])
        return [(at, at + begin)]
    at = page.find(letters[-end:])
    return [(at, at + end)]


def _longest(most: int, fits: Any) -> int:
    """The largest length that fits: if one fits, all shorter ones do."""
    fitting, too_long = 0, most + 1
    while too_long - fitting > 1:
        middle = (fitting + too_long) // 2
        if fits(middle):
            fitting = middle
        else:
            too_long = middle
    return fitting


# --- rectangles ------------------------------------------------------------------------------------------------------


def _boxes(parts: Iterator[_Part], page: Any, textpage: Any) -> Iterator[Box]:
    """One for each line; two where it has a wide gap."""
    place = Placer(page)
    by_line: dict[int, list[Box]] = {}
    for part in parts:
        by_line.setdefault(part.line, []).append(_box(part, place, textpage))
    for line in by_line.values():
        boxes = sorted(box for box in line if box[2] > box[0] and box[3] > box[1])
        while boxes:
            stretch = boxes.pop(0)
            height = stretch[3] - stretch[1]
            while boxes and boxes[0][0] - stretch[2] <= _WIDE_GAP * height:
                stretch = _around(stretch, boxes.pop(0))
            yield stretch


def _box(part: _Part, place: Placer, textpage: Any) -> Box:
    word = part.word
    if word.first < 0 or (part.first == 0 and part.last >= len(word.text)) or RIGHT_TO_LEFT.search(word.text):
        return word.left, word.bottom, word.right, word.top
    boxes = [place(box_of(textpage, word.first + at)) for at in (part.first, part.last - 1)]
    return _around(boxes[0], boxes[1])


def _around(one: Box, other: Box) -> Box:
    return min(one[0], other[0]), min(one[1], other[1]), max(one[2], other[2]), max(one[3], other[3])


def _place(box: Box, page: Any) -> PagePlace:
    """As fractions of what is shown of the page: the part that it is cropped to."""
    left, bottom, right, top = page.get_bbox()
    width, height = max(right - left, 1.0), max(top - bottom, 1.0)
    rotation = page.get_rotation()
    aside, below = {0: (-left, -bottom), 90: (-bottom, left), 180: (left, bottom), 270: (bottom, -left)}[rotation]
    if rotation in {90, 270}:
        width, height = height, width
    first, last = _bounded((box[0] + aside) / width), _bounded((box[2] + aside) / width)
    high, low = _bounded(1 - (box[3] + below) / height), _bounded(1 - (box[1] + below) / height)
    return PagePlace(
        left=round(first, 5), top=round(high, 5), width=round(last - first, 5), height=round(low - high, 5)
    )


def _bounded(share: float) -> float:
    return min(1.0, max(0.0, share))
