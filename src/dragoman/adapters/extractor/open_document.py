"""OpenDocument text and presentations (ODT, ODP): headings, lists, tables, notes and pictures from their XML.

Source of the element names: OASIS Open Document Format 1.3, part 3.
"""

from __future__ import annotations

import asyncio
import zipfile
from collections.abc import Iterator
from typing import Final
from xml.etree.ElementTree import Element

from pydantic import BaseModel, ConfigDict

from dragoman.adapters.extractor._parts.containers import opened_container, parsed_xml, read_member
from dragoman.adapters.extractor._parts.pictures import Gallery, mark
from dragoman.adapters.extractor._parts.titles import best_title
from dragoman.kit.text.markdown import table
from dragoman.ports.extractor import (
    EncryptedDocumentError,
    ExtractedDocument,
    ExtractedPage,
    ExtractionError,
    UnsupportedFormatError,
)

ODT: Final = "application/vnd.oasis.opendocument.text"
ODP: Final = "application/vnd.oasis.opendocument.presentation"
MIME_TYPES: Final = frozenset({ODT, ODP, f"{ODT}-template", f"{ODP}-template"})

MOST_COLUMNS: Final = 200
MOST_REPEATED_ROWS: Final = 1_000
DEEPEST: Final = 60  # elements within each other
LONGEST_CELL: Final = 1_500  # characters; a table with a longer one is there for the layout

_NAMESPACE: Final = "urn:oasis:names:tc:opendocument:xmlns:"
_TEXT: Final = f"{{{_NAMESPACE}text:1.0}}"
_TABLE: Final = f"{{{_NAMESPACE}table:1.0}}"
_DRAW: Final = f"{{{_NAMESPACE}drawing:1.0}}"
_OFFICE: Final = f"{{{_NAMESPACE}office:1.0}}"
_STYLE: Final = f"{{{_NAMESPACE}style:1.0}}"
_PRESENTATION: Final = f"{{{_NAMESPACE}presentation:1.0}}"
_SVG: Final = f"{{{_NAMESPACE}svg-compatible:1.0}}"
_XLINK: Final = "{http://www.w3.org/1999/xlink}"
_DC: Final = "{http://purl.org/dc/elements/1.1/}"
_UNSEEN: Final = frozenset(
    {
        f"{_TEXT}tracked-changes",  # what was deleted
        f"{_OFFICE}annotation",
        f"{_OFFICE}annotation-end",
        f"{_TEXT}sequence-decls",
        f"{_OFFICE}forms",
        f"{_OFFICE}scripts",
        f"{_SVG}title",
        f"{_SVG}desc",
        f"{_TEXT}note-citation",
    }
)


class Settings(BaseModel):
    """There is nothing to choose."""

    model_config = ConfigDict(extra="forbid", frozen=True)


class Adapter:
    def __init__(self, settings: Settings) -> None:
        self._settings = settings

    @property
    def mime_types(self) -> frozenset[str]:
        return MIME_TYPES

    async def extract(
        self, content: bytes, *, mime_type: str, file_name: str, with_images: bool = False
    ) -> ExtractedDocument:
        if mime_type not in MIME_TYPES:
            raise UnsupportedFormatError(file_name=file_name, mime_type=mime_type)
        return await asyncio.to_thread(_document, content, file_name, Gallery() if with_images else None)


def _document(content: bytes, file_name: str, gallery: Gallery | None) -> ExtractedDocument:
    with opened_container(content, file_name) as container:
        if b"encryption-data" in (read_member(container, "META-INF/manifest.xml") or b""):
            raise EncryptedDocumentError(file_name=file_name)
        part = read_member(container, "content.xml")
        if part is None:
            raise ExtractionError(f"{file_name} has no readable content.", file_name=file_name)
        root = parsed_xml(part, file_name)
        reader = _Reader(container, gallery, _numbered_lists(root))
        pages = list(reader.pages(root))
        stated = _meta(container, file_name)
    return ExtractedDocument(
        pages=pages,
        title=best_title(stated.get("title"), pages),
        metadata={name: value for name, value in stated.items() if name != "title"},
        images=gallery.images if gallery else (),
        warnings=gallery.warnings if gallery else (),
    )


def _meta(container: zipfile.ZipFile, file_name: str) -> dict[str, str]:
    part = read_member(container, "meta.xml")
    if part is None:
        return {}
    root = parsed_xml(part, file_name)
    names = {"title": f"{_DC}title", "language": f"{_DC}language", "modified_at": f"{_DC}date"}
    found = {name: root.findtext(f".//{tag}") for name, tag in names.items()}
    return {name: value for name, value in found.items() if value}


def _numbered_lists(root: Element) -> set[str]:
    """The names of the list styles that count at their first level."""
    return {
        style.get(f"{_STYLE}name", "")
        for style in root.iter(f"{_TEXT}list-style")
        if (first := next(iter(style), None)) is not None and first.tag == f"{_TEXT}list-level-style-number"
    }


class _Reader:
    """Writes the elements of one document as Markdown blocks."""

    def __init__(self, container: zipfile.ZipFile, gallery: Gallery | None, numbered: set[str]) -> None:
        self._container, self._gallery, self._numbered = container, gallery, numbered
        self._page: int | None = None
        self._waiting: list[str] = []  # marks of pictures met inside a paragraph

    def pages(self, root: Element) -> Iterator[ExtractedPage]:
        slides = list(root.iter(f"{_DRAW}page"))
        if not slides:
            body = root.find(f"{_OFFICE}body")
            yield ExtractedPage(number=None, markdown="\n\n".join(self._blocks(body, 0)) if body is not None else "")
            return
        for number, slide in enumerate(slides, start=1):
            self._page = number
            yield ExtractedPage(number=number, markdown="\n\n".join(self._slide(slide)))

    def _slide(self, slide: Element) -> Iterator[str]:
        """The title first, the speaker's notes last."""
        frames = [child for child in slide if child.tag not in {f"{_PRESENTATION}notes", *_UNSEEN}]
        titles = [frame for frame in frames if frame.get(f"{_PRESENTATION}class") == "title"]
        for frame in titles:
            if text := " ".join(" ".join(self._blocks(frame, 0)).split()):
                yield f"## {text}"
        for frame in frames:
            if frame not in titles:
                yield from self._block(frame, 0)
        notes = slide.find(f"{_PRESENTATION}notes")
        if notes is not None:
            yield from self._blocks(notes, 0)

    def _blocks(self, element: Element, depth: int) -> Iterator[str]:
        if depth <= DEEPEST:
            for child in element:
                yield from self._block(child, depth + 1)

    def _block(self, element: Element, depth: int) -> Iterator[str]:
        tag = element.tag
        if tag in _UNSEEN:
            return
        if tag == f"{_TEXT}h":
            text = " ".join(self._inline(element, depth).split())
            if text:
                yield f"{'#' * min(_count(element, f'{_TEXT}outline-level', 6), 6)} {text}"
        elif tag == f"{_TEXT}p":
            if text := self._inline(element, depth).strip():
                yield f"\\{text}" if text.startswith("#") else text
        elif tag == f"{_TEXT}list":
            if lines := list(self._list(element, 0, None, depth)):
                yield "\n".join(lines)
        elif tag == f"{_TABLE}table":
            yield from self._table(element, depth)
        elif tag == f"{_DRAW}frame" and _is_picture(element):
            self._picture(element)
        else:
            yield from self._blocks(element, depth)
        yield from self._pictures()

    def _pictures(self) -> list[str]:
        marks, self._waiting = self._waiting, []
        return marks

    def _inline(self, element: Element, depth: int) -> str:
        """The text of a paragraph with its line breaks; text boxes and notes follow in brackets."""
        if depth > DEEPEST:
            return ""
        pieces = [element.text or ""]
        for child in element:
            pieces += [self._inline_child(child, depth + 1), child.tail or ""]
        return "".join(pieces)

    def _inline_child(self, child: Element, depth: int) -> str:
        tag = child.tag
        if tag in _UNSEEN:
            return ""
        if tag == f"{_TEXT}s":
            return " " * min(_count(child, f"{_TEXT}c", 100), 100)
        if tag == f"{_TEXT}tab":
            return "\t"
        if tag == f"{_TEXT}line-break":
            return "\n"
        if tag == f"{_TEXT}note":
            note = " ".join(" ".join(self._blocks(child, depth)).split())
            return f" ({note})" if note else ""
        if tag == f"{_DRAW}frame":
            if _is_picture(child):
                self._picture(child)
                return ""
            return "\n".join(["", *self._blocks(child, depth), ""])
        return self._inline(child, depth)

    def _list(self, element: Element, level: int, style: str | None, depth: int) -> Iterator[str]:
        style = element.get(f"{_TEXT}style-name") or style
        if depth > DEEPEST:
            return
        number = 0
        for item in element:
            number += item.tag == f"{_TEXT}list-item"
            sign = f"{number}." if style in self._numbered and level == 0 else "-"
            opened = False
            for child in item:
                if child.tag == f"{_TEXT}list":
                    yield from self._list(child, level + opened, style, depth + 1)
                    continue
                for block in self._block(child, depth + 1):
                    text = block.replace("\n", " ")
                    yield f"{'  ' * level}{'  ' if opened else f'{sign} '}{text}"
                    opened = True

    def _table(self, element: Element, depth: int) -> Iterator[str]:
        rows = [row for row in self._rows(element, depth) if any(row)]
        width = max((len(row) for row in rows), default=0)
        used = [at for at in range(width) if any(at < len(row) and row[at] for row in rows)]
        rows = [[row[at] if at < len(row) else "" for at in used] for row in rows]
        if len(used) == 1 or any(len(cell) > LONGEST_CELL for row in rows for cell in row):
            yield from (cell for row in rows for cell in row if cell)
        elif rows:
            yield table(rows[0], rows[1:])

    def _rows(self, element: Element, depth: int) -> Iterator[list[str]]:
        for child in element:
            if child.tag == f"{_TABLE}table-row":
                row = self._row(child, depth)
                times = _count(child, f"{_TABLE}number-rows-repeated", MOST_REPEATED_ROWS) if any(row) else 1
                yield from [row] * times
            elif child.tag in {f"{_TABLE}table-header-rows", f"{_TABLE}table-rows", f"{_TABLE}table-row-group"}:
                yield from self._rows(child, depth)

    def _row(self, element: Element, depth: int) -> list[str]:
        cells: list[str] = []
        for cell in element:
            if cell.tag in {f"{_TABLE}table-cell", f"{_TABLE}covered-table-cell"} and len(cells) < MOST_COLUMNS:
                text = " ".join(" ".join(self._blocks(cell, depth + 1)).replace("- ", "", 1).split())
                cells += [text] * _count(cell, f"{_TABLE}number-columns-repeated", MOST_COLUMNS - len(cells))
        return cells

    def _picture(self, frame: Element) -> None:
        if self._gallery is None:
            return
        image = frame.find(f"{_DRAW}image")
        name = image.get(f"{_XLINK}href", "").removeprefix("./") if image is not None else ""
        data = read_member(self._container, name) if name.startswith("Pictures/") else None
        description = frame.findtext(f"{_SVG}title") or frame.findtext(f"{_SVG}desc") or ""
        index = self._gallery.add(data, page=self._page, description=description) if data else None
        if index is not None:
            self._waiting.append(mark(index, description))


def _is_picture(frame: Element) -> bool:
    """A frame may hold a picture beside a table or a text, as a preview of it."""
    return frame.find(f"{_DRAW}image") is not None and not any(
        child.tag in {f"{_TABLE}table", f"{_DRAW}text-box"} for child in frame
    )


def _count(element: Element, attribute: str, most: int) -> int:
    """A number from 1 to `most` that an attribute states."""
    stated = element.get(attribute, "1")
    return min(max(int(stated), 1), most) if stated.isascii() and stated.isdigit() and len(stated) < 10 else 1
