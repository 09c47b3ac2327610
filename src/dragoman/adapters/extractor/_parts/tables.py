"""Rows of cells as Markdown: a table under its header, or a section for each row where cells hold long text."""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Final

from dragoman.kit.text.markdown import readable_name, table

_VALUE: Final = re.compile(
    r"[\s\d.,:/+€$£¥%()-]*\d[\s\d.,:/+€$£¥%()-]*|true|false|yes|no|[^@\s]+@[^@\s]+|https?://\S+", re.IGNORECASE
)
_YEAR: Final = re.compile(r"(?:19|20)\d\d")


def rows_markdown(rows: Sequence[Sequence[str]], longest_row: int) -> str:
    """The rows as Markdown, empty for none.

    Args:
        rows: cells, trimmed, without empty rows; title lines above the table may be rows of one filled cell.
        longest_row: characters; where rows are longer on average each becomes a section.
    """
    if not rows:
        return ""
    width = max(map(len, rows))
    if width == 1:
        return "\n".join(row[0] for row in rows)
    before, rows = _preamble(rows, width)
    header, body = (rows[0], rows[1:]) if _has_header(rows) else ([], rows)
    padding = [""] * (width - len(header))
    names = [readable_name(name) for name in [*header, *padding]]
    if not any(names):
        names = [f"column {at}" for at in range(1, width + 1)]
    average = sum(len(cell) for row in body for cell in row) / max(1, len(body))
    written = _sections(names, body) if average > longest_row else table(names, body)
    return "\n\n".join([*before, written])


def _preamble(rows: Sequence[Sequence[str]], width: int) -> tuple[list[str], Sequence[Sequence[str]]]:
    """Title lines above the table: rows with a single filled cell, as exports of reports have them."""
    titles: list[str] = []
    for row in rows[:5]:
        filled = [cell for cell in row if cell]
        if len(filled) != 1 or width == 1 or len(titles) == len(rows) - 1:
            break
        titles.append(filled[0])
    return titles, rows[len(titles) :]


def _has_header(rows: Sequence[Sequence[str]]) -> bool:
    """A first row that names things: no numbers or addresses in it, nothing twice, and no longer than a name is."""
    first = [cell for cell in rows[0] if cell]
    if not first or len(rows) == 1:
        return False
    years = bool(rows[0][0]) and not _VALUE.fullmatch(rows[0][0])  # "Region, 2023, 2024" names its columns too
    named = not any(_VALUE.fullmatch(cell) and not (years and _YEAR.fullmatch(cell)) for cell in first) and len(
        set(first)
    ) == len(first)
    return named and all(len(cell) <= 80 for cell in first)


def _sections(names: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    return "\n\n".join(_section(names, row) for row in rows)


def _section(names: Sequence[str], row: Sequence[str]) -> str:
    fields = [(name, cell.replace("\r\n", "\n")) for name, cell in zip(names, row, strict=False) if cell]
    heading = next((cell for _, cell in fields if len(cell) <= 200 and "\n" not in cell and not cell.isdigit()), None)
    lines = [f"## {heading}"] if heading else ["---"]
    lines += [f"**{name}**: {cell}" for name, cell in fields if cell != heading]
    return "\n\n".join(lines)
