"""CSV, TSV and other delimited tables: a Markdown table, or one section per row where cells hold long text."""

from __future__ import annotations

import asyncio
import csv
import io
import re
from typing import Final

from pydantic import BaseModel, ConfigDict, Field

from dragoman.adapters.extractor._parts.tables import rows_markdown
from dragoman.kit.text.decoding import BinaryContentError, decode_text
from dragoman.ports.extractor import ExtractedDocument, ExtractedPage, ExtractionError

MIME_TYPES: Final = frozenset({"text/csv", "text/tab-separated-values"})
DELIMITERS: Final = ",;\t|"
SAMPLE_CHARACTERS: Final = 65_536

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

    async def extract(
        self,
        content: bytes,
        *,
        mime_type: str,
        file_name: str,
        with_images: bool = False,  # noqa: ARG002 - text holds no pictures
    ) -> ExtractedDocument:
        return await asyncio.to_thread(self._extract, content, mime_type, file_name)

    def _extract(self, content: bytes, mime_type: str, file_name: str) -> ExtractedDocument:
        try:
            decoded = decode_text(content)
        except BinaryContentError as error:
            raise ExtractionError(f"{file_name} holds binary data, not a table.", file_name=file_name) from error
        rows = _rows(decoded.text, "\t" if mime_type == "text/tab-separated-values" else None)
        page = ExtractedPage(number=None, markdown=rows_markdown(rows, self._settings.longest_row))
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
