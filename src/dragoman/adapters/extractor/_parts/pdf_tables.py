"""Tables of a PDF page, from its ruling lines and from the gaps between its words.

A PDF knows no tables. Ruled ones are grids of thin lines; the others are rows of words with the same gaps. Each word of
the page goes either into one cell of one table or stays in its line, so nothing is lost whatever is recognised wrongly.
"""

from __future__ import annotations

import ctypes
import re
from bisect import bisect_left, bisect_right
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import pairwise
from statistics import median
from typing import Any, Final

from dragoman.adapters.extractor._parts.pdf_layout import Placer, TextLine, Word, joined
from dragoman.kit.text.markdown import table

SNAP: Final = 2.5  # points; lines nearer than this are one
THICKEST_RULE: Final = 4.0  # points; a wider rectangle is an area
MOST_RULES: Final = 6_000  # drawings and maps have more; their grids are no tables
MOST_CELLS: Final = 4_000
LONGEST_CELL: Final = 700  # characters; a longer one is a frame around text
FEWEST_ROWS: Final = 3  # of a table without rules: two lines with gaps are anything
COLUMN_GAP: Final = 1.1  # in heights of the text: the gap between two cells of a row without rules
RIVER: Final = 0.35  # in heights of the text: how wide the empty stripe between two columns must be in all rows
STRETCHED: Final = 0.45  # in heights of the text: a wider gap is no space between words
WIDEST_GAP: Final = 1.6  # in heights of the text, between two rows
REACH: Final = 5.0  # in heights of the text: how far below a cell may stand whose row comes later in the order
MOST_ATTEMPTS: Final = 12
LONGEST_MEAN: Final = 32  # characters of a cell on average; above it two columns are prose side by side

_ITEM: Final = re.compile(r"^(?:[-*•●▪◦‣■□–\uf0b7\uf0a7]|\(?\d{1,3}[.)]|\(?[a-zA-Z][.)]|\[\d{1,3}\])$")
_LEADERS: Final = re.compile(r"\.{4,}|(?:\. ){4,}|…{2,}")


@dataclass(frozen=True, slots=True)
class Rule:
    """A horizontal line at height `at` from `start` to `end`, or a vertical one at the place `at`."""

    horizontal: bool
    at: float
    start: float
    end: float


@dataclass(slots=True)
class FoundTable:
    """Cells of a table. `words`: the identities of the words in it."""

    rows: list[list[str]]
    words: set[int] = field(default_factory=set)

    def markdown(self) -> str:
        return table(self.rows[0], self.rows[1:])


def find_tables(page: Any, lines: Sequence[TextLine]) -> list[FoundTable]:
    """The tables of a page from top to bottom in each kind, the ruled ones first."""
    words = [word for line in lines for word in line.words]
    rules = _rules(page)
    found = list(_ruled_tables(rules, words))
    taken = {identity for one in found for identity in one.words}
    return [*found, *_gap_tables(lines, taken, [rule for rule in rules if rule.horizontal])]


# --- ruling lines ----------------------------------------------------------------------------------------------------


def _rules(page: Any) -> list[Rule]:
    """The thin lines and edges of boxes that the page draws."""
    import pypdfium2.raw as pdfium  # noqa: PLC0415

    place = Placer(page)
    rules: list[Rule] = []
    for found in page.get_objects(filter=(pdfium.FPDF_PAGEOBJ_PATH,), max_depth=4):
        for segment in _segments(found):
            rules += _as_rules(place(segment))
        if len(rules) > MOST_RULES:
            return []
    return _coalesced(rules)


def _coalesced(rules: Sequence[Rule]) -> list[Rule]:
    """Rules on one line that touch as one: cells draw their edges each for itself, LaTeX draws row by row."""
    whole: list[Rule] = []
    for rule in sorted(set(rules), key=lambda rule: (rule.horizontal, round(rule.at), rule.start)):
        last = whole[-1] if whole else None
        aligned = last is not None and last.horizontal is rule.horizontal and abs(last.at - rule.at) < 1
        if last is not None and aligned and rule.start <= last.end + SNAP:
            whole[-1] = Rule(rule.horizontal, last.at, last.start, max(last.end, rule.end))
        else:
            whole.append(rule)
    return whole


def _segments(path: Any) -> Iterator[tuple[float, float, float, float]]:
    """The straight segments of a path in page space; filled thin boxes as one segment."""
    import pypdfium2.raw as pdfium  # noqa: PLC0415

    drawn, stroke = ctypes.c_int(), ctypes.c_int()
    pdfium.FPDFPath_GetDrawMode(path.raw, ctypes.byref(drawn), ctypes.byref(stroke))
    matrix = path.get_matrix()
    container = getattr(path, "container", None)
    while container is not None:  # objects of a form are placed by the form
        matrix = matrix.multiply(container.get_matrix())
        container = getattr(container, "container", None)
    points = _points(path, matrix)
    if len(points) > 400:
        return
    xs, ys = [x for run in points for x, _ in run], [y for run in points for _, y in run]
    if not xs:
        return
    box = min(xs), min(ys), max(xs), max(ys)
    if min(box[2] - box[0], box[3] - box[1]) <= THICKEST_RULE and len(points) == 1:
        yield box
    elif stroke.value or len(points) == 1:  # the edges of a filled area separate it too: shaded cells
        for run in points:
            for (x0, y0), (x1, y1) in pairwise(run):
                yield x0, y0, x1, y1


def _points(path: Any, matrix: Any) -> list[list[tuple[float, float]]]:
    import pypdfium2.raw as pdfium  # noqa: PLC0415

    runs: list[list[tuple[float, float]]] = []
    x, y = ctypes.c_float(), ctypes.c_float()
    for at in range(min(pdfium.FPDFPath_CountSegments(path.raw), 2_000)):
        segment = pdfium.FPDFPath_GetPathSegment(path.raw, at)
        kind = pdfium.FPDFPathSegment_GetType(segment)
        pdfium.FPDFPathSegment_GetPoint(segment, ctypes.byref(x), ctypes.byref(y))
        point = matrix.on_point(x.value, y.value)
        if kind == pdfium.FPDF_SEGMENT_MOVETO or not runs:
            runs.append([point])
        elif kind == pdfium.FPDF_SEGMENT_LINETO:
            runs[-1].append(point)
        else:
            runs.append([point])  # a curve is no rule
        if pdfium.FPDFPathSegment_GetClose(segment) and len(runs[-1]) > 1:
            runs[-1].append(runs[-1][0])
    return [run for run in runs if len(run) > 1]


def _as_rules(box: tuple[float, float, float, float]) -> Iterator[Rule]:
    left, bottom, right, top = box
    if top - bottom <= THICKEST_RULE < right - left:
        yield Rule(True, (top + bottom) / 2, left, right)
    elif right - left <= THICKEST_RULE < top - bottom:
        yield Rule(False, (left + right) / 2, bottom, top)


def _ruled_tables(rules: Sequence[Rule], words: Sequence[Word]) -> Iterator[FoundTable]:
    for grid in _joined_grids([grid for group in _grids(rules) if (grid := _Grid.of(group)) is not None]):
        inside = [word for word in words if grid.holds(word)]
        grid = grid.with_unruled_rows(inside)
        rows = grid.rows(inside)
        if rows is not None:
            yield FoundTable(rows, {id(word) for word in inside})


def _grids(rules: Sequence[Rule]) -> list[list[Rule]]:
    """Groups of rules that touch each other."""
    parents = list(range(len(rules)))

    def root(at: int) -> int:
        while parents[at] != at:
            parents[at] = parents[parents[at]]
            at = parents[at]
        return at

    horizontals = [at for at, rule in enumerate(rules) if rule.horizontal]
    verticals = sorted((at for at, rule in enumerate(rules) if not rule.horizontal), key=lambda at: rules[at].at)
    places = [rules[at].at for at in verticals]
    for across in horizontals:
        one = rules[across]
        for down in verticals[bisect_left(places, one.start - SNAP) : bisect_right(places, one.end + SNAP)]:
            two = rules[down]
            if one.start - SNAP <= two.at <= one.end + SNAP and two.start - SNAP <= one.at <= two.end + SNAP:
                parents[root(across)] = root(down)
    groups: dict[int, list[Rule]] = {}
    for at, rule in enumerate(rules):
        groups.setdefault(root(at), []).append(rule)
    return sorted(
        (g for g in groups.values() if len(g) >= 5), key=lambda g: -max(rule.at for rule in g if rule.horizontal)
    )


def _joined_grids(grids: Sequence[_Grid]) -> Iterator[_Grid]:
    """Grids that stand directly below each other with the same columns are one (double rules part them)."""
    pending: _Grid | None = None
    for grid in grids:
        if pending is not None and pending.is_continued_by(grid):
            pending = _Grid(pending.columns, [*pending.lines, *grid.lines[1:]], [*pending.rules, *grid.rules])
        else:
            if pending is not None:
                yield pending
            pending = grid
    if pending is not None:
        yield pending


def _snapped(places: Sequence[float]) -> list[float]:
    merged: list[list[float]] = []
    for place in sorted(places):
        if merged and place - merged[-1][-1] <= SNAP:
            merged[-1].append(place)
        else:
            merged.append([place])
    return [sum(group) / len(group) for group in merged]


@dataclass(frozen=True, slots=True)
class _Grid:
    """Column borders from left to right, row borders from top to bottom, and the rules that make them."""

    columns: list[float]
    lines: list[float]
    rules: Sequence[Rule]

    @classmethod
    def of(cls, rules: Sequence[Rule]) -> _Grid | None:
        columns = _snapped([rule.at for rule in rules if not rule.horizontal])
        across = [rule for rule in rules if rule.horizontal]
        lines = _snapped([rule.at for rule in across])[::-1]
        if len(columns) < 2 or len(lines) < 3 or len(columns) * len(lines) > MOST_CELLS:
            return None
        # tables without side borders: the horizontal rules reach further than the outermost vertical ones
        left, right = min(rule.start for rule in across), max(rule.end for rule in across)
        top, bottom = max(r.end for r in rules if not r.horizontal), min(r.start for r in rules if not r.horizontal)
        lines = [*([top] if top > lines[0] + 3 * SNAP else []), *lines]
        lines += [bottom] if bottom < lines[-1] - 3 * SNAP else []
        columns = [*([left] if left < columns[0] - 3 * SNAP else []), *columns]
        columns += [right] if right > columns[-1] + 3 * SNAP else []
        return cls(columns, lines, rules) if len(columns) >= 3 else None

    def is_continued_by(self, below: _Grid) -> bool:
        return (
            len(self.columns) == len(below.columns)
            and all(abs(a - b) <= SNAP for a, b in zip(self.columns, below.columns, strict=True))
            and -SNAP <= self.lines[-1] - below.lines[0] <= 3 * SNAP
        )

    def with_unruled_rows(self, words: Sequence[Word]) -> _Grid:
        """With a border between the lines of the body, where the one rule within the table is that under its head."""
        if len(self.lines) != 3:
            return self
        body = [word for word in words if word.middle < self.lines[1]]
        bands = _bands(body, list(pairwise(self.columns))) if body else []
        texts = [joined(cell) for band in bands for cell in band.cells if cell]
        if len(bands) < FEWEST_ROWS or sum(map(len, texts)) > LONGEST_MEAN * len(texts):
            return self
        if not all(band.cells[0] and sum(map(bool, band.cells)) >= 2 for band in bands):
            return self
        borders = [(above.middle + below.middle) / 2 for above, below in pairwise(bands)]
        drawn = [Rule(True, at, self.columns[0], self.columns[-1]) for at in borders]
        return _Grid(self.columns, [*self.lines[:2], *borders, self.lines[2]], [*self.rules, *drawn])

    def holds(self, word: Word) -> bool:
        return self.columns[0] - SNAP <= word.centre <= self.columns[-1] + SNAP and (
            self.lines[-1] - SNAP <= word.middle <= self.lines[0] + SNAP
        )

    def rows(self, words: Sequence[Word]) -> list[list[str]] | None:
        """The cells; None where the grid is no table (a frame, a form, a drawing)."""
        places = self._merged()
        held: dict[tuple[int, int], list[Word]] = {}
        for word in words:
            row = _interval([-line for line in self.lines], -word.middle)
            column = _interval(self.columns, word.centre)
            held.setdefault(places[row, column], []).append(word)
        if any(sum(len(word.text) + 1 for word in cell) > LONGEST_CELL for cell in held.values()):
            return None
        texts = {place: joined(cell) for place, cell in held.items()}
        height, width = len(self.lines) - 1, len(self.columns) - 1
        rows = []
        for row in range(height):
            # a cell over several rows holds for each of them, one over several columns stands in its first
            first = [places[row, column] for column in range(width)]
            rows.append(["" if first[c] in first[:c] else texts.get(first[c], "") for c in range(width)])
        if height > 2 and _is_double_head(places, width):
            above = [texts.get(places[0, column], "") for column in range(width)]
            below = [texts.get(places[1, column], "") for column in range(width)]
            rows[:2] = [[a if a == b else f"{a} {b}".strip() for a, b in zip(above, below, strict=True)]]
        return _worthwhile(rows)

    def _merged(self) -> dict[tuple[int, int], tuple[int, int]]:
        """For each cell the first cell of those that no rule divides."""
        near: dict[tuple[bool, int], list[Rule]] = {}
        for rule in self.rules:
            near.setdefault((rule.horizontal, round(rule.at / SNAP)), []).append(rule)
        places: dict[tuple[int, int], tuple[int, int]] = {}
        for row, (top, bottom) in enumerate(pairwise(self.lines)):
            for column, (left, right) in enumerate(pairwise(self.columns)):
                place = (row, column)
                if column and not _divided(near, horizontal=False, at=left, middle=(top + bottom) / 2):
                    place = places[row, column - 1]
                elif row and not _divided(near, horizontal=True, at=top, middle=(left + right) / 2):
                    place = places[row - 1, column]
                places[row, column] = place
        return places


def _divided(near: Mapping[tuple[bool, int], Sequence[Rule]], *, horizontal: bool, at: float, middle: float) -> bool:
    return any(
        abs(rule.at - at) <= SNAP and rule.start - SNAP <= middle <= rule.end + SNAP
        for key in range(round(at / SNAP) - 1, round(at / SNAP) + 2)
        for rule in near.get((horizontal, key), ())
    )


def _is_double_head(places: dict[tuple[int, int], tuple[int, int]], width: int) -> bool:
    """Whether names in the first row span columns that the second row names, beside names that span both rows."""
    spans = any(places[0, column] == places[0, column - 1] != places[1, column] for column in range(1, width))
    return spans and any(places[1, column] == places[0, column] for column in range(width))


def _interval(borders: Sequence[float], at: float) -> int:
    return next((place - 1 for place in range(1, len(borders)) if at <= borders[place]), len(borders) - 2)


def _worthwhile(rows: Sequence[Sequence[str]]) -> list[list[str]] | None:
    """Without empty rows and columns; None where no two columns and no two rows are left, or too little is in them."""
    filled = [column for column in range(len(rows[0])) if any(row[column] for row in rows)]
    kept = [[row[column] for column in filled] for row in rows if any(row)]
    if len(filled) < 2 or len(kept) < 2:
        return None
    cells = sum(1 for row in kept for cell in row if cell)
    return kept if cells >= 4 and sum(sum(map(bool, row)) >= 2 for row in kept) >= 2 else None


# --- gaps between words ----------------------------------------------------------------------------------------------


def _gap_tables(lines: Sequence[TextLine], taken: set[int], rules: Sequence[Rule]) -> Iterator[FoundTable]:
    block: list[TextLine] = []
    for line in [*lines, None]:
        if line is not None and _belongs(block, line, taken):
            block.append(line)
            continue
        nearby, below = _cut_at_wide_gap(block)
        yield from _table_of(nearby, rules)
        yield from _gap_tables(below, taken, rules) if below else ()
        block = [line] if line is not None and _is_row(line, taken) else []


def _segmented(line: TextLine) -> list[list[Word]]:
    """The words of a line, cut where the gap is too wide for a space."""
    words = sorted(line.words, key=lambda word: word.left)
    height = median(word.height for word in words)
    segments = [[words[0]]]
    for word in words[1:]:
        if word.left - max(w.right for w in segments[-1]) > COLUMN_GAP * height:
            segments.append([word])
        else:
            segments[-1].append(word)
    return segments


def _is_row(line: TextLine, taken: set[int]) -> bool:
    if any(id(word) in taken for word in line.words) or _LEADERS.search(line.text):
        return False
    return len(_segmented(line)) >= 2


def _belongs(block: Sequence[TextLine], line: TextLine, taken: set[int]) -> bool:
    """A row below the last one, or a further line of a cell, wherever the order of the page puts it."""
    if not block or any(id(word) in taken for word in line.words) or _LEADERS.search(line.text):
        return False
    height = median(word.height for word in line.words)
    top, bottom = max(one.top for one in block), min(one.bottom for one in block)
    if line.bottom > top - 0.3 * height or line.top < bottom - REACH * height:
        return False
    if _is_row(line, taken):
        return True
    widest = max(block, key=lambda one: one.right - one.left)
    return line.right - line.left <= 0.6 * (widest.right - widest.left)


def _cut_at_wide_gap(block: Sequence[TextLine]) -> tuple[Sequence[TextLine], Sequence[TextLine]]:
    """What stands together, and what stands below a gap too wide for a row (a line between may come later in order)."""
    bottom = None
    for line in sorted(block, key=lambda line: -line.top):
        height = median(word.height for word in line.words)
        if bottom is not None and line.top < bottom - WIDEST_GAP * height:
            edge = line.top
            return [one for one in block if one.top > edge], [one for one in block if one.top <= edge]
        bottom = line.bottom if bottom is None else min(bottom, line.bottom)
    return block, []


def _table_of(block: Sequence[TextLine], rules: Sequence[Rule]) -> Iterator[FoundTable]:
    """The table that a block is; tried again without its last lines, which may be the text below it."""
    for _ in range(MOST_ATTEMPTS):
        if sum(len(_segmented(line)) >= 2 for line in block) < 2:
            return
        found = _read_block(block, rules)
        if found is not None:
            yield found
            return
        loose = [at for at, line in enumerate(block) if len(_segmented(line)) < 2]
        if not loose:
            return
        block = block[: loose[-1]]


def _read_block(block: Sequence[TextLine], rules: Sequence[Rule]) -> FoundTable | None:
    words = [word for line in block for word in line.words]
    columns = _columns([piece for line in block for piece in _pieces(line)], median(word.height for word in words))
    if len(columns) < 2:
        return None
    bands = _bands(words, columns)
    if len(bands) < FEWEST_ROWS or not _is_table([[joined(cell) for cell in band.cells] for band in bands]):
        return None
    kept = _worthwhile([_row_of(row) for row in _rows_of(bands, _separators(columns, rules))])
    if kept is None or len(kept) < FEWEST_ROWS:
        return None
    return FoundTable(kept, {id(word) for word in words})


@dataclass(slots=True)
class _Band:
    """Words at one height, by column."""

    middle: float
    cells: list[list[Word]]

    @property
    def is_head(self) -> bool:
        """Whether a row may begin here: its first cell is filled, or several are."""
        return bool(self.cells[0]) or sum(map(bool, self.cells)) >= 2


def _bands(words: Sequence[Word], columns: Sequence[tuple[float, float]]) -> list[_Band]:
    height = median(word.height for word in words)
    order = {id(word): at for at, word in enumerate(words)}
    bands: list[_Band] = []
    for word in sorted(words, key=lambda word: -word.middle):
        if not bands or bands[-1].middle - word.middle > 0.5 * height:
            bands.append(_Band(word.middle, [[] for _ in columns]))
        nearest = min(range(len(columns)), key=lambda at: _distance(columns[at], word.centre))
        bands[-1].cells[nearest].append(word)
    for band in bands:
        for cell in band.cells:
            cell.sort(key=lambda word: order[id(word)])
    return bands


def _separators(columns: Sequence[tuple[float, float]], rules: Sequence[Rule]) -> list[float]:
    """The heights at which rules (one, or one for each cell) run under most of the columns."""
    left, right = columns[0][0], columns[-1][1]
    covered: dict[int, float] = {}
    for rule in rules:
        height = round(rule.at / SNAP)
        covered[height] = covered.get(height, 0.0) + max(0.0, min(rule.end, right) - max(rule.start, left))
    return [height * SNAP for height, length in covered.items() if length > 0.7 * (right - left)]


def _rows_of(bands: Sequence[_Band], separators: Sequence[float]) -> list[list[_Band]]:
    """Bands that make one row: lines of a cell stand nearer to each other than rows do, and no rule between them."""
    closest = min(above.middle - below.middle for above, below in pairwise(bands))
    groups = [[bands[0]]]
    for above, below in pairwise(bands):
        ruled = any(below.middle < at < above.middle for at in separators)
        if not ruled and above.middle - below.middle <= 1.2 * closest:
            groups[-1].append(below)
        else:
            groups.append([below])
    return [row for group in groups for row in _split(group)]


def _split(group: Sequence[_Band]) -> list[list[_Band]]:
    if sum(bool(band.cells[0]) for band in group) == 1 and len(group) <= 8:
        return [list(group)]
    rows: list[list[_Band]] = []
    for band in group:
        if not rows or (band.is_head and any(one.is_head for one in rows[-1])):
            rows.append([band])
        else:
            rows[-1].append(band)
    return rows


def _row_of(bands: Sequence[_Band]) -> list[str]:
    return [joined([word for band in bands for word in band.cells[column]]) for column in range(len(bands[0].cells))]


def _pieces(line: TextLine) -> list[tuple[float, float]]:
    """From where to where text stands in a line, over the spaces between words (justified text stretches them)."""
    segments = _segmented(line)
    if len(segments) == 1:
        return [(line.left, line.right)]
    height = median(word.height for word in line.words)
    return _merged([(word.left, word.right) for word in line.words], STRETCHED * height)


def _columns(pieces: Sequence[tuple[float, float]], height: float) -> list[tuple[float, float]]:
    """Stripes of text between stripes without any, over all rows."""
    return _merged(pieces, RIVER * height)


def _merged(pieces: Sequence[tuple[float, float]], gap: float) -> list[tuple[float, float]]:
    """Stretches nearer to each other than `gap` as one, from left to right."""
    merged: list[tuple[float, float]] = []
    for left, right in sorted(pieces):
        if merged and left - merged[-1][1] < gap:
            merged[-1] = (merged[-1][0], max(merged[-1][1], right))
        else:
            merged.append((left, right))
    return merged


def _distance(column: tuple[float, float], at: float) -> float:
    return max(column[0] - at, at - column[1], 0.0)


def _is_table(cells: Sequence[Sequence[str]]) -> bool:
    """Tells a table from a list, a form, and prose set in columns."""
    width = len(cells[0])
    filled = [cell for row in cells for cell in row if cell]
    if sum(map(len, filled)) > LONGEST_MEAN * len(filled) or max(map(len, filled)) > LONGEST_CELL // 4:
        return False
    first = [row[0] for row in cells if row[0]]
    if sum(bool(_ITEM.match(cell)) for cell in first) * 2 > len(first) or (
        width == 2 and sum(cell.endswith(":") for cell in first) * 2 > len(first)
    ):
        return False
    shares = [sum(bool(row[column]) for row in cells) / len(cells) for column in range(width)]
    return sum(share >= 0.4 for share in shares) >= 2 and sum(shares) / width >= 0.4
