"""Turns the lines that OCR found in a picture into Markdown: columns, tables, paragraphs, headings.

Read downwards: `lines_to_markdown` groups the lines into rows, looks from the top for stretches of rows that stand side
by side in columns, and writes each stretch as a table where it is a grid, else column after column. What remains is
prose over the whole width. Lines of Japanese and Chinese that run downwards are joined from right to left.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import pairwise
from statistics import median
from typing import Final

from dragoman.ports.ocr import OcrLine

TALL: Final = 1.5  # height to width from which a line runs downwards
COLUMN_GAP: Final = 0.9  # line heights between two columns; the words of a line are closer
PARAGRAPH_GAP: Final = 1.45  # times the usual distance of lines
FAR_BELOW: Final = 3.0  # line heights without text that end a column, once no two columns stand side by side
FULL_LINE: Final = 0.85  # share of the width from which a line fills its column
WRAPPED_LINE: Final = 0.6  # the same for a line that may go on below
PROSE_SHARE: Final = 0.6  # so many full cells: these are columns of prose, not of a table
LONGEST_CELL: Final = 45  # characters, as the median of a table
LONGEST_PAIR_CELL: Final = 25  # the same where there are two columns only, which is how prose is set too
FEWEST_ROWS: Final = 3
HEADING_SIZE: Final = 1.45  # times the usual height of a line
LONGEST_HEADING: Final = 90
LINES_TO_JUDGE: Final = 6  # fewer lines have no usual height

_ITEM: Final = re.compile(r"(?:[-*•·–▪◦]|\(?\d{1,3}[.)]|\(?[a-z]\))\s+\S")
_BULLET: Final = re.compile(r"[•·▪◦–]\s+")
_MARKUP: Final = re.compile(r"(#{1,6}\s|\||>|```|~~~|={3,}\s*$|-{3,}\s*$)")

Row = list[OcrLine]


def lines_to_markdown(lines: Sequence[OcrLine]) -> str:
    """The text of a page or picture as Markdown; empty without lines."""
    lines = [line for line in lines if line.text.strip()]
    if not lines:
        return ""
    if _run_downwards(lines):
        return _vertical_markdown(lines)
    height = median(_height(line) for line in lines)
    return "\n\n".join(block for block in _blocks(_rows(lines), _Sizes(height, len(lines))) if block)


@dataclass(frozen=True, slots=True)
class _Sizes:
    """The usual height of a line in pixels, and from how many lines it was taken."""

    height: float
    count: int


def _height(line: OcrLine) -> float:
    return max(1.0, line.box[3] - line.box[1])


def _middle(line: OcrLine) -> float:
    return (line.box[1] + line.box[3]) / 2


# --- rows and what stands side by side -------------------------------------------------------------------------------


def _rows(lines: Sequence[OcrLine]) -> list[Row]:
    """Lines at the same height, from left to right; rows from top to bottom."""
    rows: list[Row] = []
    for line in sorted(lines, key=_middle):
        if rows and _shares_row(rows[-1], line):
            rows[-1].append(line)
        else:
            rows.append([line])
    return [sorted(row, key=lambda line: line.box[0]) for row in rows]


def _shares_row(row: Row, line: OcrLine) -> bool:
    middle = sum(map(_middle, row)) / len(row)
    near = abs(_middle(line) - middle) < min(_height(line), *map(_height, row)) / 2
    return near and not any(_overlap(line, other) > 0 for other in row)


def _overlap(one: OcrLine, other: OcrLine) -> float:
    return min(one.box[2], other.box[2]) - max(one.box[0], other.box[0])


def _blocks(rows: Sequence[Row], sizes: _Sizes) -> Iterator[str]:
    at = 0
    prose: list[OcrLine] = []
    while at < len(rows):
        stretch = _side_by_side(rows, at, sizes)
        if stretch is None:
            prose.append(_merged(rows[at]))
            at += 1
            continue
        yield _prose(prose, sizes)
        prose = []
        yield from _stretch_blocks(rows[at : stretch.stop], stretch, sizes)
        at = stretch.stop
    yield _prose(prose, sizes)


@dataclass(frozen=True, slots=True)
class _Stretch:
    """Rows that stand in the same columns. `stop`: index after the last row; `is_table`: they form a grid."""

    stop: int
    columns: list[tuple[float, float]]
    is_table: bool


def _side_by_side(rows: Sequence[Row], at: int, sizes: _Sizes) -> _Stretch | None:
    """The longest stretch from row `at` on whose columns are kept apart by white space; None where none begins."""
    if len(rows[at]) < 2:
        return None
    taken = [at]
    columns = _columns([rows[at]], sizes)
    for index in range(at + 1, len(rows)):
        if _distance(rows[index - 1], rows[index]) > FAR_BELOW * sizes.height and len(rows[index]) < 2:
            break
        wider = _columns([*(rows[i] for i in taken), rows[index]], sizes)
        if len(wider) < max(2, min(len(columns), max(len(rows[i]) for i in taken))) or _crowded(rows[index], wider):
            break
        columns = wider
        taken.append(index)
    several = [index for index in taken if len(rows[index]) > 1]
    grid = rows[at : several[-1] + 1]
    if _is_grid(grid, _columns(grid, sizes)):
        return _Stretch(several[-1] + 1, _columns(grid, sizes), is_table=True)
    if len(several) < 2:
        return None
    return _Stretch(taken[-1] + 1, columns, is_table=False)


def _columns(rows: Sequence[Row], sizes: _Sizes) -> list[tuple[float, float]]:
    """The stretches of the width that hold text, as left and right edges."""
    merged: list[tuple[float, float]] = []
    for left, right in sorted((line.box[0], line.box[2]) for row in rows for line in row):
        if merged and left - merged[-1][1] < COLUMN_GAP * sizes.height:
            merged[-1] = (merged[-1][0], max(merged[-1][1], right))
        else:
            merged.append((left, right))
    return merged


def _crowded(row: Row, columns: Sequence[tuple[float, float]]) -> bool:
    """Whether two lines of a row fall into one column: then the columns have grown into each other."""
    places = [_column_of(line, columns) for line in row]
    return len(set(places)) < len(places)


def _column_of(line: OcrLine, columns: Sequence[tuple[float, float]]) -> int:
    middle = (line.box[0] + line.box[2]) / 2
    return min(range(len(columns)), key=lambda at: max(columns[at][0] - middle, middle - columns[at][1], 0.0))


def _distance(above: Row, below: Row) -> float:
    return min(line.box[1] for line in below) - max(line.box[3] for line in above)


def _is_grid(rows: Sequence[Row], columns: Sequence[tuple[float, float]]) -> bool:
    """Short cells of different widths in at least three rows; prose in columns fills them to their edges."""
    full_rows = [row for row in rows if len(row) > 1]
    if len(full_rows) < FEWEST_ROWS or len(full_rows) < 0.6 * len(rows) or len(columns) < 2:
        return False
    cells = [line for row in rows for line in row]
    longest = LONGEST_PAIR_CELL if len(columns) == 2 else LONGEST_CELL
    if median(len(cell.text) for cell in cells) > longest:
        return False
    widths = [(cell, columns[_column_of(cell, columns)]) for cell in cells if len(cell.text) >= 12]
    full = sum(cell.box[2] - cell.box[0] >= FULL_LINE * (right - left) for cell, (left, right) in widths)
    return full < PROSE_SHARE * len(cells)


def _stretch_blocks(rows: Sequence[Row], stretch: _Stretch, sizes: _Sizes) -> Iterator[str]:
    if stretch.is_table:
        yield _table(rows, stretch.columns)
        return
    for at in range(len(stretch.columns)):
        yield _prose([line for row in rows for line in row if _column_of(line, stretch.columns) == at], sizes)


def _merged(row: Row) -> OcrLine:
    """The pieces of one line."""
    if len(row) == 1:
        return row[0]
    box = (
        min(line.box[0] for line in row),
        min(line.box[1] for line in row),
        max(line.box[2] for line in row),
        max(line.box[3] for line in row),
    )
    text = ""
    for line in row:
        text = joined(text, line.text) if text else line.text
    return OcrLine(text=text, confidence=min(line.confidence for line in row), box=box)


# --- writing ---------------------------------------------------------------------------------------------------------


def _table(rows: Sequence[Row], columns: Sequence[tuple[float, float]]) -> str:
    """The first row is the head. A row with one cell that stands close below another goes on with that one's text."""
    cells: list[list[str]] = []
    usual = median(_distance(above, below) for above, below in pairwise(rows))
    for index, row in enumerate(rows):
        written = [""] * len(columns)
        for line in row:
            at = _column_of(line, columns)
            written[at] = joined(written[at], line.text) if written[at] else line.text
        wrapped = len(row) == 1 and index > 0 and _distance(rows[index - 1], row) < min(usual, _height(row[0]) * 0.6)
        if wrapped:
            cells[-1] = [
                joined(old, new) if old and new else old or new for old, new in zip(cells[-1], written, strict=True)
            ]
        else:
            cells.append(written)
    head, *body = (f"| {' | '.join(cell.replace('|', chr(92) + '|') for cell in row)} |" for row in cells)
    return "\n".join([head, f"|{' --- |' * len(columns)}", *body])


def _prose(lines: Sequence[OcrLine], sizes: _Sizes) -> str:
    """Paragraphs separated by blank lines; a short line keeps its line break, a wrapped one is joined with the next."""
    if not lines:
        return ""
    right, left = max(line.box[2] for line in lines), min(line.box[0] for line in lines)
    steps = [below.box[1] - above.box[1] for above, below in pairwise(lines)]
    usual = median(steps) if len(steps) >= 3 else 1.8 * sizes.height
    text = _begun(lines[0], sizes)
    for (above, below), step in zip(pairwise(lines), steps, strict=True):
        if _is_heading(above, sizes) != _is_heading(below, sizes) or step > PARAGRAPH_GAP * min(
            usual, 3 * sizes.height
        ):
            text += f"\n\n{_begun(below, sizes)}"
        elif _ITEM.match(below.text) or _is_heading(below, sizes) or not _was_wrapped(above, below, left, right):
            text += f"\n{_begun(below, sizes)}"
        else:
            text = joined(text, below.text)
    return text


def _was_wrapped(above: OcrLine, below: OcrLine, left: float, right: float) -> bool:
    """Whether the first word of the line below would not have fitted behind the line above."""
    letter = _width(below) / len(below.text)
    first_word = 1 if is_unspaced(below.text[0]) else len(below.text.split(maxsplit=1)[0]) + 1
    fills = above.box[2] >= left + WRAPPED_LINE * (right - left)
    return fills and above.box[2] + first_word * letter > right


def _begun(line: OcrLine, sizes: _Sizes) -> str:
    if _is_heading(line, sizes):
        return f"## {line.text}"
    text = _BULLET.sub("- ", line.text, count=1) if _BULLET.match(line.text) else line.text
    return f"\\{text}" if _MARKUP.match(text) else text


def _is_heading(line: OcrLine, sizes: _Sizes) -> bool:
    letters = sum(map(str.isalpha, line.text))
    return (
        sizes.count >= LINES_TO_JUDGE
        and _height(line) > HEADING_SIZE * sizes.height
        and letters >= 3
        and len(line.text) <= LONGEST_HEADING
        and line.confidence > 0.8
        and line.box[2] - line.box[0] > 2 * _height(line)
    )


def joined(text: str, following: str) -> str:
    """Two lines of one paragraph as one: without a space between Chinese or Japanese, hyphenated words made whole."""
    if not text or not following:
        return text + following
    if text.endswith("-") and len(text) > 1 and text[-2].isalpha():
        return text[:-1] + following if following[0].islower() else text + following
    if text.endswith("\u00ad"):
        return text[:-1] + following
    return text + ("" if is_unspaced(text[-1]) and is_unspaced(following[0]) else " ") + following


def is_unspaced(letter: str) -> bool:
    """Whether the letter belongs to a script that puts no spaces between words."""
    return unicodedata.east_asian_width(letter) in {"W", "F"} and not "\uac00" <= letter <= "\ud7a3"


# --- text that runs downwards ----------------------------------------------------------------------------------------


def _run_downwards(lines: Sequence[OcrLine]) -> bool:
    tall = sum(len(line.text) for line in lines if len(line.text) > 1 and _height(line) >= TALL * _width(line))
    return tall > sum(len(line.text) for line in lines) / 2


def _width(line: OcrLine) -> float:
    return max(1.0, line.box[2] - line.box[0])


def _vertical_markdown(lines: Sequence[OcrLine]) -> str:
    """Columns from right to left, tier by tier; a column that ends high ends its paragraph."""
    paragraphs = []
    for tier in _tiers(lines):
        bottom, top = max(line.box[3] for line in tier), min(line.box[1] for line in tier)
        text = ""
        for line in sorted(tier, key=lambda line: (-line.box[2], line.box[1])):
            text = joined(text, line.text)
            if line.box[3] < top + FULL_LINE * (bottom - top):
                paragraphs.append(text)
                text = ""
        paragraphs.append(text)
    return "\n\n".join(filter(None, paragraphs))


def _tiers(lines: Sequence[OcrLine]) -> list[list[OcrLine]]:
    """Lines parted by white space over the whole width, from top to bottom."""
    tiers: list[list[OcrLine]] = []
    reached = float("-inf")
    for line in sorted(lines, key=lambda line: line.box[1]):
        if line.box[1] > reached:
            tiers.append([])
        tiers[-1].append(line)
        reached = max(reached, line.box[3])
    return tiers
