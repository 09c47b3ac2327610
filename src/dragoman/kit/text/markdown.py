"""Writes Markdown from values: table cells, tables, and readable names of keys."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from typing import Final

_SPACE: Final = re.compile(r"\s+")
_BOUNDARY: Final = re.compile(r"(?<=[a-z0-9])(?=[A-Z])|_+")


def table_cell(value: str) -> str:
    """One line, with the character that would end the cell escaped."""
    return _SPACE.sub(" ", value).strip().replace("\\|", "|").replace("|", "\\|")


def table_row(cells: Iterable[str]) -> str:
    return "| " + " | ".join(table_cell(cell) for cell in cells) + " |"


def table(header: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    """A table whose rows are padded or widened to the header. Rows longer than it keep their cells."""
    lines = [table_row(header), "| " + " | ".join("---" for _ in header) + " |"]
    lines += [table_row([*row, *[""] * (len(header) - len(row))]) for row in rows]
    return "\n".join(lines)


def readable_name(key: str) -> str:
    """`operating_temperature` and `operatingTemperature` as "operating temperature"; other names unchanged."""
    words = _BOUNDARY.sub(" ", key).strip()
    is_plain = words != key and not any(word.isupper() for word in words.split())
    return (words.lower() if is_plain else words) or key


_TABLE_LINE = re.compile(r"^\s*\|.*\|\s*$")
_SEPARATOR_LINE = re.compile(r"^\s*\|?[\s:|-]+\|?\s*$")
_HEADING = re.compile(r"^\s*(#{1,6})\s+(.*?)\s*#*\s*$")
_LABEL = re.compile(r"^\s*(\*\*|__)[^*_]+\1:?\s*$")
_CELL_BORDER = re.compile(r"(?<!\\)\|")


def is_table_row(line: str) -> bool:
    return _TABLE_LINE.match(line) is not None


def cells_of(row: str) -> list[str]:
    """The cells of a table row, trimmed, with escaped pipes restored."""
    inner = row.strip().removeprefix("|").removesuffix("|")
    return [cell.strip().replace("\\|", "|") for cell in _CELL_BORDER.split(inner)]


def row_with_names(header: str, row: str) -> str:
    """A table row that can be read alone: `column: value; column: value`, without empty cells."""
    names, values = cells_of(header), cells_of(row)
    names += [""] * (len(values) - len(names))
    pairs = zip(names, values, strict=False)
    return "; ".join(f"{name}: {value}" if name else value for name, value in pairs if value)


def table_header(text: str, start: int) -> str:
    """The header row of the Markdown table in which offset `start` lies; empty when it lies in none, or in the header."""
    lines, offset, header = text.splitlines(keepends=True), 0, ""
    for position, line in enumerate(lines):
        follows = lines[position + 1] if position + 1 < len(lines) else ""
        is_row = bool(_TABLE_LINE.match(line))
        is_header = is_row and _SEPARATOR_LINE.match(follows) is not None and "-" in follows
        if not is_row:
            header = ""
        if offset <= start < offset + len(line):
            return "" if is_header else header
        if is_header:
            header = line.strip()
        offset += len(line)
    return ""


def is_table_header(text: str, start: int) -> bool:
    """Whether offset `start` lies in the header row of a Markdown table."""
    begin, end = text.rfind("\n", 0, start) + 1, text.find("\n", start)
    if end < 0 or not _TABLE_LINE.match(text[begin:end]):
        return False
    below = line_at(text, end + 1)
    return "-" in below and _SEPARATOR_LINE.match(below) is not None


def heading_text(line: str) -> str | None:
    """The text of a Markdown heading, None for any other line."""
    match = _HEADING.match(line)
    return match.group(2) if match else None


def headings_above(text: str, offset: int) -> list[str]:
    """The headings within `text` under which `offset` lies, outermost first; the heading of its own line is not one."""
    path: list[tuple[int, str]] = []
    for line in text[: text.rfind("\n", 0, offset) + 1].split("\n"):
        if match := _HEADING.match(line):
            level = len(match.group(1))
            path = [entry for entry in path if entry[0] < level] + [(level, match.group(2))]
    return [heading for _, heading in path]


def line_at(text: str, offset: int) -> str:
    """The whole line in which `offset` lies."""
    end = text.find("\n", offset)
    return text[text.rfind("\n", 0, offset) + 1 : end if end >= 0 else len(text)]


def names_only(line: str) -> bool:
    """Whether a line only names what follows: a heading, or a line in bold."""
    return heading_text(line) is not None or _LABEL.match(line) is not None
