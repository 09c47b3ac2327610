"""Spreadsheets (XLSX, XLSM, XLSB, XLS, ODS) through calamine: each sheet a section, each block of cells a table."""

from __future__ import annotations

import asyncio
import datetime as dt
import zipfile
from collections.abc import Iterator, Sequence
from io import BytesIO
from typing import Any, Final

from pydantic import BaseModel, ConfigDict, Field

from dragoman.adapters.extractor._parts.tables import rows_markdown
from dragoman.ports.extractor import (
    EncryptedDocumentError,
    ExtractedDocument,
    ExtractedPage,
    ExtractionError,
    UnsupportedFormatError,
)

XLS: Final = "application/vnd.ms-excel"
MIME_TYPES: Final = frozenset(
    {
        "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet",
        "application/vnd.ms-excel.sheet.macroEnabled.12",
        "application/vnd.ms-excel.sheet.binary.macroEnabled.12",
        "application/vnd.oasis.opendocument.spreadsheet",
        XLS,
    }
)
_OLE: Final = b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1"


class Settings(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)

    longest_row: int = Field(
        default=700,
        ge=50,
        description="Characters; where rows are longer on average, each becomes a section with `key: value` lines.",
    )
    most_cells: int = Field(default=5_000_000, ge=1_000, description="A sheet with more cells is refused.")


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
        with_images: bool = False,  # noqa: ARG002 - a table is read for its cells
    ) -> ExtractedDocument:
        if mime_type not in MIME_TYPES:
            raise UnsupportedFormatError(file_name=file_name, mime_type=mime_type)
        return await asyncio.to_thread(self._extract, content, mime_type, file_name)

    def _extract(self, content: bytes, mime_type: str, file_name: str) -> ExtractedDocument:
        book = _opened(content, mime_type, file_name)
        sections, names, warnings = [], [], []
        for sheet in book.sheets_metadata:
            if str(sheet.typ).rsplit(".", maxsplit=1)[-1] != "WorkSheet":
                continue  # charts and macros
            try:
                markdown = self._sheet(book, sheet.name, file_name)
            except ExtractionError:
                raise
            except Exception as error:  # noqa: BLE001 - calamine's errors share no class; a damaged sheet is not the book
                warnings.append(f"The sheet {sheet.name} cannot be read: {str(error)[:200]}")
                continue
            if markdown:
                names.append(sheet.name)
                sections.append(f"## {sheet.name}\n\n{markdown}")
        if warnings and not sections:
            raise ExtractionError(file_name=file_name, reason=warnings[0])
        page = ExtractedPage(number=None, markdown="\n\n".join(sections))
        return ExtractedDocument(pages=[page], title=None, metadata={"sheets": names}, warnings=warnings)

    def _sheet(self, book: Any, name: str, file_name: str) -> str:
        sheet = book.get_sheet_by_name(name)
        if sheet.height * sheet.width > self._settings.most_cells:
            message = f"The sheet {name} has more than {self._settings.most_cells:,} cells. Split it."
            raise ExtractionError(message, file_name=file_name)
        blocks = _blocks(sheet.iter_rows())
        return "\n\n".join(rows_markdown(block, self._settings.longest_row) for block in blocks)


def _opened(content: bytes, mime_type: str, file_name: str) -> Any:
    import python_calamine  # noqa: PLC0415 -- not for other formats

    if content.startswith(_OLE) and mime_type != XLS:  # a modern workbook with a password is one inside
        raise EncryptedDocumentError(file_name=file_name)
    if not content.startswith(_OLE) and not zipfile.is_zipfile(BytesIO(content)):
        raise ExtractionError(file_name=file_name, reason="neither a ZIP nor an OLE container")
    try:
        return python_calamine.CalamineWorkbook.from_filelike(BytesIO(content))
    except python_calamine.PasswordError as error:
        raise EncryptedDocumentError(file_name=file_name) from error
    except Exception as error:
        if "password" in str(error).lower() or "encrypt" in str(error).lower():
            raise EncryptedDocumentError(file_name=file_name) from error
        raise ExtractionError(file_name=file_name, reason=str(error)[:300]) from error


def _blocks(rows: Iterator[Sequence[Any]]) -> Iterator[list[list[str]]]:
    """Rows between empty rows, without the columns that are empty in all of them. A title row goes with what follows."""
    block: list[list[str]] = []
    for row in rows:
        cells = [_text(cell) for cell in row]
        if any(cells):
            block.append(cells)
        elif block and any(sum(map(bool, line)) > 1 for line in block):
            yield _narrowed(block)
            block = []
    if block:
        yield _narrowed(block)


def _narrowed(block: Sequence[Sequence[str]]) -> list[list[str]]:
    used = [at for at in range(max(map(len, block))) if any(at < len(row) and row[at] for row in block)]
    return [[row[at] if at < len(row) else "" for at in used] for row in block]


def _text(value: Any) -> str:
    """A cell as it is read: whole numbers without a fraction, dates without midnight."""
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, float):
        return str(int(value)) if value.is_integer() and abs(value) < 1e15 else repr(value)
    if isinstance(value, dt.datetime):
        midnight = value.time() == dt.time()
        return value.date().isoformat() if midnight else value.isoformat(sep=" ", timespec="seconds")
    return "" if value is None else str(value).strip()
