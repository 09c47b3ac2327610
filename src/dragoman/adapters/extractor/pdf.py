"""PDF: text, tables, pictures and page images through pdfium, headings through kreuzberg.

Measured on the 39 PDFs of our test set: the text of both is the same (kreuzberg loses form text and turns lines of
right-to-left scripts round), the geometry is known to pdfium alone, and headings are found best by kreuzberg's document
structure, where they stand the tests below.
"""

from __future__ import annotations

import asyncio
import io
import re
import threading
import unicodedata
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any, Final

from pydantic import BaseModel, ConfigDict, Field

from dragoman.adapters.extractor._parts.engine import read_with_kreuzberg
from dragoman.adapters.extractor._parts.pdf_forms import field_lines
from dragoman.adapters.extractor._parts.pdf_layout import SOFT_HYPHEN, TextLine, page_lines
from dragoman.adapters.extractor._parts.pdf_places import find_places
from dragoman.adapters.extractor._parts.pdf_tables import FoundTable, find_tables
from dragoman.adapters.extractor._parts.pictures import Gallery, mark
from dragoman.adapters.extractor._parts.titles import best_title
from dragoman.ports.extractor import (
    EncryptedDocumentError,
    ExtractedDocument,
    ExtractedPage,
    ExtractionError,
    PagePlace,
    UnsupportedFormatError,
)

PDF: Final = "application/pdf"
MIME_TYPES: Final = frozenset({PDF})
MOST_OBJECTS_FOR_TABLES: Final = 20_000  # maps and drawings: no tables in them, and each object costs
MOST_SHOWN_PIXELS: Final = 16_000_000  # of a page that somebody looks at: 48 MB once drawn

_PDFIUM: Final = threading.Lock()  # pdfium may not be used by two threads at once, not even for two documents


class Settings(BaseModel):
    """No choice is needed for most uses."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    timeout_s: int = Field(default=120, ge=1, description="Seconds after which looking for headings is given up.")
    find_tables: bool = Field(default=True, description="Whether tables are recognised and written as Markdown tables.")
    most_pages: int = Field(default=5_000, ge=1, description="A document with more pages is refused.")


class Adapter:
    def __init__(self, settings: Settings) -> None:
        self._settings = settings

    @property
    def mime_types(self) -> frozenset[str]:
        return MIME_TYPES

    async def extract(
        self, content: bytes, *, mime_type: str, file_name: str, with_images: bool = False
    ) -> ExtractedDocument:
        _refuse_other(mime_type, file_name)
        gallery = Gallery() if with_images else None
        read = await asyncio.to_thread(self._read, content, file_name, gallery)
        blocks = await self._blocks(content) if any(page.lines for page in read.pages) else {}
        return await asyncio.to_thread(_written, read, blocks, gallery)

    async def render_page(self, content: bytes, *, mime_type: str, number: int, longest_side: int) -> bytes:
        """The page as PNG. See `PageRenderer`."""
        _refuse_other(mime_type, "")
        return await asyncio.to_thread(_rendered, content, number, longest_side)

    async def show_page(self, content: bytes, *, mime_type: str, number: int, width: int) -> bytes:
        """See `PageViewer`."""
        _refuse_other(mime_type, "")
        return await asyncio.to_thread(_shown, content, number, width)

    async def find_on_page(
        self, content: bytes, *, mime_type: str, number: int, text: str, near: int | None
    ) -> Sequence[PagePlace]:
        """See `PageViewer`."""
        _refuse_other(mime_type, "")
        return await asyncio.to_thread(_found, content, number, text, near)

    def _read(self, content: bytes, file_name: str, gallery: Gallery | None) -> _ReadPdf:
        with _opened(content, file_name) as pdf:
            if len(pdf) > self._settings.most_pages:
                message = f"{file_name} has {len(pdf)} pages; at most {self._settings.most_pages} are read."
                raise ExtractionError(message, file_name=file_name)
            pages = [self._page(pdf, at, gallery) for at in range(len(pdf))]
            return _ReadPdf(pages, pdf.get_metadata_dict(skip_empty=True))

    def _page(self, pdf: Any, at: int, gallery: Gallery | None) -> _ReadPage:
        import pypdfium2  # noqa: PLC0415

        try:
            page = pdf[at]
        except pypdfium2.PdfiumError:
            return _ReadPage(at + 1, [], [], damaged=True)
        try:
            textpage = page.get_textpage()
            lines = page_lines(page, textpage)
            textpage.close()
            busy = pypdfium2.raw.FPDFPage_CountObjects(page.raw) > MOST_OBJECTS_FOR_TABLES
            tables = find_tables(page, lines) if self._settings.find_tables and lines and not busy else []
            entered = field_lines(pdf, page)
            marks = _pictures(page, at + 1, gallery) if gallery is not None else []
        except pypdfium2.PdfiumError:
            return _ReadPage(at + 1, [], [], damaged=True)
        finally:
            page.close()
        return _ReadPage(at + 1, _texts(lines, tables), ["\n".join(entered), *marks])

    async def _blocks(self, content: bytes) -> dict[int, list[_Block]]:
        """What kreuzberg takes for headings and paragraphs; nothing where it cannot read the document."""
        try:
            result = await read_with_kreuzberg(
                content, PDF, timeout_s=self._settings.timeout_s, include_document_structure=True
            )
        except Exception:  # noqa: BLE001 - the text is read already; without this side only the headings are missing
            return {}
        return _blocks_by_page(result.document)


@dataclass(frozen=True, slots=True)
class _Text:
    """A line of a page, or a table of it as Markdown."""

    text: str
    is_table: bool = False


@dataclass(frozen=True, slots=True)
class _ReadPage:
    number: int
    lines: list[_Text]
    marks: list[str]  # what follows the text: entries of forms, marks of pictures
    damaged: bool = False


@dataclass(frozen=True, slots=True)
class _ReadPdf:
    pages: list[_ReadPage]
    metadata: Mapping[str, str]


def _refuse_other(mime_type: str, file_name: str) -> None:
    if mime_type not in MIME_TYPES:
        raise UnsupportedFormatError(file_name=file_name, mime_type=mime_type)


@contextmanager
def _opened(content: bytes, file_name: str) -> Iterator[Any]:
    import pypdfium2  # noqa: PLC0415

    with _PDFIUM:
        try:
            pdf = pypdfium2.PdfDocument(content)
        except pypdfium2.PdfiumError as error:
            if "password" in str(error).lower() or "security" in str(error).lower():
                raise EncryptedDocumentError(file_name=file_name) from error
            raise ExtractionError(file_name=file_name, reason=str(error)[:300]) from error
        try:
            if pdf.get_formtype() in {pypdfium2.raw.FORMTYPE_ACRO_FORM, pypdfium2.raw.FORMTYPE_XFA_FOREGROUND}:
                pdf.init_forms()
            yield pdf
        except pypdfium2.PdfiumError as error:
            raise ExtractionError(file_name=file_name, reason=str(error)[:300]) from error
        finally:
            pdf.close()


def _rendered(content: bytes, number: int, longest_side: int) -> bytes:
    with _page(content, number) as page:
        picture = _drawn(page, longest_side / max(*page.get_size(), 1.0))
    picture.thumbnail((longest_side, longest_side))  # rounding up may have added a pixel
    return _png(picture, compress_level=1)


def _shown(content: bytes, number: int, width: int) -> bytes:
    with _page(content, number) as page:
        across, down = (max(side, 1.0) for side in page.get_size())
        fitting = min(1.0, (MOST_SHOWN_PIXELS / (width * width * down / across)) ** 0.5)
        picture = _drawn(page, fitting * width / across)
    return _png(picture.crop((0, 0, min(picture.width, width), picture.height)), compress_level=6)


def _found(content: bytes, number: int, text: str, near: int | None) -> Sequence[PagePlace]:
    with _page(content, number) as page:
        textpage = page.get_textpage()
        try:
            return find_places(page, textpage, text, near=near)
        finally:
            textpage.close()


@contextmanager
def _page(content: bytes, number: int) -> Iterator[Any]:
    with _opened(content, "The document") as pdf:
        if not 1 <= number <= len(pdf):
            raise ExtractionError(f"The document has {len(pdf)} pages, there is no page {number}.", page=number)
        page = pdf[number - 1]
        try:
            yield page
        finally:
            page.close()


def _drawn(page: Any, scale: float) -> Any:
    return page.render(scale=scale, rev_byteorder=True).to_pil().convert("RGB")


def _png(picture: Any, *, compress_level: int) -> bytes:
    file = io.BytesIO()
    picture.save(file, "PNG", compress_level=compress_level)
    return file.getvalue()


def _texts(lines: Sequence[TextLine], tables: Sequence[FoundTable]) -> list[_Text]:
    """The lines of a page, each table in the place of its first word."""
    owners = {identity: table for table in tables for identity in table.words}
    written: set[int] = set()
    texts: list[_Text] = []
    for line in lines:
        rest = TextLine([word for word in line.words if id(word) not in owners])
        if rest.words:
            texts.append(_Text(rest.text))
        for word in line.words:
            table = owners.get(id(word))
            if table is not None and id(table) not in written:
                written.add(id(table))
                texts.append(_Text(table.markdown(), is_table=True))
    return _whole_words(texts)


def _whole_words(texts: Sequence[_Text]) -> list[_Text]:
    """A line that ends with a hyphen carries the next one behind it, as pdfium writes them."""
    whole: list[_Text] = []
    for text in texts:
        if whole and whole[-1].text.endswith(SOFT_HYPHEN) and not text.is_table and not whole[-1].is_table:
            whole[-1] = _Text(whole[-1].text + text.text)
        else:
            whole.append(text)
    return whole


def _pictures(page: Any, number: int, gallery: Gallery) -> list[str]:
    """The marks of the pictures of a page."""
    import pypdfium2  # noqa: PLC0415

    marks = []
    for found in page.get_objects(filter=(pypdfium2.raw.FPDF_PAGEOBJ_IMAGE,), max_depth=4):
        try:
            data = _picture(found)
        except (pypdfium2.PdfiumError, ValueError, OSError):
            continue  # one picture that pdfium cannot decode is not the page
        index = gallery.add(data, page=number) if data else None
        if index is not None:
            marks.append(mark(index))
    return marks


def _picture(found: Any) -> bytes | None:
    """The bytes of a JPEG as they are; other pictures as PNG. None for icons and for what would fill the memory."""
    width, height = found.get_px_size()
    if min(width, height) < 64 or width * height > 40_000_000:
        return None
    if list(found.get_filters()) == ["DCTDecode"]:
        data = bytes(found.get_data())
        if data.startswith(b"\xff\xd8"):
            return data
    file = io.BytesIO()
    found.get_bitmap().to_pil().save(file, "PNG", compress_level=4)
    return file.getvalue()


# --- headings --------------------------------------------------------------------------------------------------------

LONGEST_HEADING: Final = 120
WRAPPED_SHARE: Final = 0.85  # a line this close to the longest around it was wrapped, so it is no heading
FEWEST_NUMBERED: Final = 3
NEIGHBOURS: Final = 5  # lines before and after: columns differ in width

_BULLET: Final = re.compile(r"^\s*[•●▪◦‣■□–\uf0b7\uf0a7]\s+")
_ITEM: Final = re.compile(r"^\s*(?:[-*]|\(?\d{1,3}[.)]|\(?[a-z][.)])\s+\S")
_NUMBER: Final = re.compile(r"^(?:\d{1,3}\.)*\d{1,3}\.?\s|^[IVXLC]+\.\s|^[A-Z]\.\s|^§")
_SENTENCE_END: Final = (".", "!", "?", ",", ";", ":", "。", "！", "？", "、", "،", "।", "-")
_RIGHT_TO_LEFT: Final = re.compile("[\u0590-\u08ff]")


@dataclass(frozen=True, slots=True)
class _Block:
    """A heading or a paragraph that the structure names; `level` 0 is a paragraph."""

    level: int
    lines: tuple[str, ...]
    text: str


def _written(read: _ReadPdf, blocks: Mapping[int, Sequence[_Block]], gallery: Gallery | None) -> ExtractedDocument:
    laid = [
        _page_lines(page.lines or _drawn_text(blocks.get(page.number, [])), blocks.get(page.number, []))
        for page in read.pages
    ]
    levels = _demoted_levels(laid)
    pages = []
    for page, lines in zip(read.pages, laid, strict=True):
        markdown = "\n\n".join(part for part in (_page_markdown(lines, levels), *page.marks) if part)
        pages.append(ExtractedPage(number=page.number, markdown=markdown))
    damaged = [page.number for page in read.pages if page.damaged]
    warnings = [f"Page {number} is damaged and was left out." for number in damaged]
    return ExtractedDocument(
        pages=pages,
        title=best_title(read.metadata.get("Title"), pages),
        metadata=_metadata(read.metadata),
        images=gallery.images if gallery else (),
        warnings=[*warnings, *(gallery.warnings if gallery else [])],
    )


def _metadata(stated: Mapping[str, str]) -> dict[str, Any]:
    names = {"Author": "authors", "CreationDate": "created_at", "ModDate": "modified_at"}
    kept: dict[str, Any] = {name: stated[key] for key, name in names.items() if stated.get(key)}
    if "authors" in kept:
        kept["authors"] = [kept["authors"]]
    return kept


def _blocks_by_page(structure: Any) -> dict[int, list[_Block]]:
    blocks: dict[int, list[_Block]] = {}
    for node in (structure or {}).get("nodes", []):
        content = node["content"]
        if content["node_type"] == "group" or not content.get("text"):
            continue
        level = int(content.get("level") or 0) if content["node_type"] == "heading" else 0
        lines = tuple(line for line in map(_key, str(content["text"]).split("\n")) if line)
        blocks.setdefault(node.get("page") or 0, []).append(_Block(level, lines, str(content["text"])))
    return blocks


def _drawn_text(blocks: Sequence[_Block]) -> list[_Text]:
    """For the rare page whose text is known to the structure alone (letters drawn as shapes with their names)."""
    return [_Text(line) for block in blocks for line in block.text.split("\n")]


def _key(line: str) -> str:
    """Letters and digits only: the two sides of kreuzberg differ in quotes, ligatures and spaces."""
    return "".join(filter(str.isalnum, unicodedata.normalize("NFKC", line))).casefold()


@dataclass(slots=True)
class _Line:
    """A line of a page with the block it belongs to (None: named by none) and its level as a heading (0: none)."""

    text: str
    block: _Block | None
    level: int = 0
    is_table: bool = False


def _page_lines(texts: Sequence[_Text], blocks: Sequence[_Block]) -> list[_Line]:
    places: dict[str, list[_Block]] = {}
    for block in blocks:
        for key in block.lines:
            places.setdefault(key, []).append(block)
    lines = []
    for text in texts:
        waiting = None if text.is_table else places.get(_key(text.text))
        lines.append(_Line(text.text.rstrip(), waiting.pop(0) if waiting else None, is_table=text.is_table))
    for at, line in enumerate(lines):
        if line.block and line.block.level and _is_heading(lines, at):
            line.level = line.block.level
    return lines


def _is_heading(lines: Sequence[_Line], at: int) -> bool:
    """Tests what the structure calls a heading: a bold line of a paragraph, a list item, a wrapped line are none."""
    text = lines[at].text.strip()
    words = _NUMBER.sub("", text)
    if len(text) > LONGEST_HEADING or not any(map(str.isalpha, words)) or words[:1].islower():
        return False
    numbered = _NUMBER.match(text) and len(text) <= LONGEST_HEADING // 2  # "1. DUTIES." closes with a stop of its own
    if (text.endswith(_SENTENCE_END) and not numbered) or _BULLET.match(text) or text.startswith(("- ", "* ")):
        return False
    prose = [line for line in lines[max(0, at - NEIGHBOURS) : at + NEIGHBOURS + 1] if not line.is_table]
    longest = max(len(line.text) for line in prose)
    before, after = _neighbour(lines[at - 1 :: -1] if at else []), _neighbour(lines[at + 1 :])
    goes_on = after is not None and (after.block is None or after.text.lstrip()[:1].islower())
    if goes_on and len(text) >= WRAPPED_SHARE * longest:
        return False
    inside = before is not None and not before.level and len(before.text) >= WRAPPED_SHARE * longest
    return not (inside and before is not None and not before.text.endswith(_SENTENCE_END))


def _neighbour(lines: Sequence[_Line]) -> _Line | None:
    """The first line with text, None where a table comes before it."""
    found = next((line for line in lines if line.text.strip()), None)
    return None if found is None or found.is_table else found


def _demoted_levels(pages: Sequence[Sequence[_Line]]) -> dict[int, bool]:
    """The levels at which headings are numbered: one without a number is then a part (often the head of a table)."""
    numbered = Counter(line.level for lines in pages for line in lines if line.level and _NUMBER.match(line.text))
    return {level: count >= FEWEST_NUMBERED for level, count in numbered.items()}


def _page_markdown(lines: Sequence[_Line], numbered: Mapping[int, bool]) -> str:
    """The page with blank lines between its blocks. Lines stay as they are broken; sentences are put together later."""
    written: list[str] = []
    for at, line in enumerate(lines):
        text = _BULLET.sub("- ", line.text.strip())
        before = lines[at - 1] if at else None
        if line.is_table:
            written += ["", line.text, ""]
        elif not text:
            written.append("")
        elif line.level:
            level = line.level + (numbered.get(line.level, False) and not _NUMBER.match(text))
            if before and before.level and before.block is line.block and written:
                written[-1] += f" {text}"  # a heading of two lines
            else:
                written += ["", f"{'#' * min(level, 6)} {text}"]
        else:
            text = f"\\{text}" if text.startswith("#") else text
            written += ["", text] if before and _begins_block(before, line, text) else [text]
    return re.sub(r"\n{3,}", "\n\n", "\n".join(written)).strip()


def _begins_block(before: _Line, line: _Line, text: str) -> bool:
    if before.level:
        return True
    if _ITEM.match(text) and _ITEM.match(_BULLET.sub("- ", before.text)):
        return False
    if text[:1].islower() and not before.text.endswith(_SENTENCE_END):
        return False  # the sentence goes on, whatever its typeface
    return line.block is not None and before.block is not line.block
