"""CSV, TSV and other delimited tables: a Markdown table, or one section per row where cells hold long text."""

from __future__ import annotations

import asyncio
import csv
import io
import re
from collections.abc import Sequence
from typing import Final

from pydantic import BaseModel, ConfigDict, Field

from dragoman.kit.text.decoding import BinaryContentError, decode_text
from dragoman.kit.text.markdown import readable_name, table
from dragoman.ports.extractor import ExtractedDocument, ExtractedPage, ExtractionError

MIME_TYPES: Final = frozenset({"text/csv", "text/tab-separated-values"})
DELIMITERS: Final = ",;\t|"
SAMPLE_CHARACTERS: Final = 65_536

_VALUE: Final = re.compile(
    r"[\s\d.,:/+€$£¥%()-]*\d[\s\d.,:/+€$£¥%()-]*|true|false|yes|no|[^@\s]+@[^@\s]+|https?://\S+", re.IGNORECASE
)
_SEPARATOR_LINE: Final = re.compile(r"\Asep=(.)\r?\n", re.IGNORECASE)


class Settings(BaseModel):
    model_config = ConfigDict(extra="forbid")

    longest_row: int = Field(
        default=700,
        ge=50,
        description="Characters; where rows are longer on average, each becomes a section with `key: value` lines.",
    )


class Adapter:
    def __init__(self, settings: Settings) -> None:
        self._settings = settings

    @property
    def mime_types(self) -> frozenset[str]:
        return MIME_TYPES

    async def extract(self, content: bytes, *, mime_type: str, file_name: str) -> ExtractedDocument:
        return await asyncio.to_thread(self._extract, content, mime_type, file_name)

    def _extract(self, content: bytes, mime_type: str, file_name: str) -> ExtractedDocument:
        try:
            decoded = decode_text(content)
        except BinaryContentError as error:
            raise ExtractionError(f"{file_name} holds binary data, not a table.", file_name=file_name) from error
        rows = _rows(decoded.text, "\t" if mime_type == "text/tab-separated-values" else None)
        page = ExtractedPage(number=None, markdown=_markdown(rows, self._settings.longest_row))
        return ExtractedDocument(pages=[page], metadata={"encoding": decoded.encoding, "rows": len(rows)})


def _rows(text: str, delimiter: str | None) -> list[list[str]]:
    stated = _SEPARATOR_LINE.match(text)  # a line that spreadsheet programs write for themselves
    if stated:
        text, delimiter = text[stated.end() :], stated[1]
    csv.field_size_limit(max(len(text), 131_072))  # the whole is bounded already, one cell may be all of it
    reader = csv.reader(io.StringIO(text, newline=""), delimiter=delimiter or _delimiter(text), skipinitialspace=True)
    try:
        rows = [[cell.strip() for cell in row] for row in reader]
    except csv.Error as error:
        raise ExtractionError(f"The table cannot be read at line {reader.line_num}: {error}.") from error
    return [row for row in rows if any(row)]


def _delimiter(text: str) -> str:
    """The sign that cuts the most lines into the same number of cells (more than one)."""
    sample = text[:SAMPLE_CHARACTERS]

    def agreement(delimiter: str) -> tuple[int, int]:
        counts = [len(row) for row in csv.reader(io.StringIO(sample, newline=""), delimiter=delimiter) if row]
        usual = max(set(counts), key=counts.count, default=1)
        return (counts.count(usual) if usual > 1 else 0, usual)

    return max(DELIMITERS, key=agreement)


def _markdown(rows: Sequence[Sequence[str]], longest_row: int) -> str:
    if not rows:
        return ""
    width = max(map(len, rows))
    if width == 1:
        return "\n".join(row[0] for row in rows)
    before, rows = _preamble(rows, width)
    header, body = (rows[0], rows[1:]) if _has_header(rows) else ([], rows)
    names = [
        readable_name(name) or f"column {at}"
        for at, name in enumerate([*header, *[""] * (width - len(header))], start=1)
    ]
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
    named = not any(_VALUE.fullmatch(cell) for cell in first) and len(set(first)) == len(first)
    return named and all(len(cell) <= 80 for cell in first)


def _sections(names: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    return "\n\n".join(_section(names, row) for row in rows)


def _section(names: Sequence[str], row: Sequence[str]) -> str:
    fields = [(name, cell.replace("\r\n", "\n")) for name, cell in zip(names, row, strict=False) if cell]
    heading = next((cell for _, cell in fields if len(cell) <= 200 and "\n" not in cell and not cell.isdigit()), None)
    lines = [f"## {heading}"] if heading else ["---"]
    lines += [f"**{name}**: {cell}" for name, cell in fields if cell != heading]
    return "\n\n".join(lines)
