"""Reads the text out of a document's bytes."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Protocol, runtime_checkable

from dragoman.kit.errors import DragomanError


class ExtractionError(DragomanError):
    """The document cannot be read: it is damaged or not what its name says. Open it, save it again and upload that."""

    code, status = "extractor.unreadable", 422


class EncryptedDocumentError(ExtractionError):
    """The document is protected by a password. Remove the password and upload it again."""

    code = "extractor.encrypted"


class UnsupportedFormatError(ExtractionError):
    """This kind of document cannot be read. Convert it to PDF, DOCX, HTML, Markdown or plain text."""

    code, status = "extractor.unsupported_format", 415


@dataclass(frozen=True, slots=True, kw_only=True)
class ExtractedPage:
    """One page (or the whole of a document without pages).

    Attributes:
        number: from 1; None where the format has no pages.
        markdown: its text as Markdown: `#` headings, `|` tables, `-` lists; lines end with `\\n`. May be empty. Where
            a picture stood: `![description](image:N)`, N being its index in the images of the document, as a line of its own.
        ocr: the text was recognised in a picture of the page.
        confidence: of the OCR, 0 to 1; None without OCR.
    """

    number: int | None
    markdown: str
    ocr: bool = False
    confidence: float | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class ExtractedImage:
    """A picture found inside a document, as PNG, JPEG, GIF or WEBP. `page`: from 1, None without pages."""

    data: bytes
    mime_type: str
    width: int
    height: int
    page: int | None = None
    description: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class ExtractedDocument:
    """Text in reading order. `title` is None where the document states none. Empty pages stay in the list.

    Attributes:
        images: pictures worth keeping, where asked for: none smaller than an icon, none twice.
        warnings: what could not be read and was left out, in sentences for the quality report.
    """

    pages: Sequence[ExtractedPage]
    title: str | None = None
    metadata: dict[str, Any] = field(default_factory=dict)
    images: Sequence[ExtractedImage] = ()
    warnings: Sequence[str] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class ReadOptions:
    """What to do with pictures of text.

    Attributes:
        ocr: recognise pictures and pages without text; off, they count as empty.
        ocr_languages: ISO 639-1 codes expected, most likely first; none: any.
        with_images: keep the pictures found inside documents.
        ocr_images: recognise large pictures inside documents too, and put their text below their mark.
    """

    ocr: bool = True
    ocr_languages: tuple[str, ...] = ()
    with_images: bool = False
    ocr_images: bool = True


@dataclass(frozen=True, slots=True, kw_only=True)
class SmallFile:
    """A file that is held in memory. `mime_type`: its true type; `file_name`: for messages.

    Attributes:
        about: what else its cutting needs to know; JSON values.
    """

    content: bytes
    mime_type: str
    file_name: str
    about: Mapping[str, Any] = field(default_factory=dict)


ReadProgress = Callable[[str, float], Awaitable[None]]
"""Told a step (`extracting`, `recognising`) and its share, 0 to 1."""

TokenCounter = Callable[[Sequence[str]], Awaitable[list[int]]]
"""Counts the tokens of each text, as the embedder does."""


class Extractor(Protocol):
    """Reads one or more formats.

    Text is decoded whatever its encoding. No network is used, nothing in the document is run.

    Raises:
        EncryptedDocumentError, UnsupportedFormatError, ExtractionError.
    """

    @property
    def mime_types(self) -> frozenset[str]:
        """The types that this extractor reads."""
        ...

    async def extract(
        self, content: bytes, *, mime_type: str, file_name: str, with_images: bool = False
    ) -> ExtractedDocument: ...


@runtime_checkable
class PageRenderer(Protocol):
    """An extractor that can also show a page as a picture, for OCR of pages without text."""

    async def render_page(self, content: bytes, *, mime_type: str, number: int, longest_side: int) -> bytes:
        """Page `number` (from 1) as PNG, its longer side of `longest_side` pixels at most. Raises ExtractionError."""
        ...


@dataclass(frozen=True, slots=True, kw_only=True)
class PagePlace:
    """A rectangle on a page, in fractions of its width and height (0 to 1) from the upper left corner, as it is shown."""

    left: float
    top: float
    width: float
    height: float


@runtime_checkable
class PageViewer(Protocol):
    """An extractor that can show a page as people see it, and where on it a text stands.

    Raises:
        EncryptedDocumentError, UnsupportedFormatError, ExtractionError: also where there is no such page.
    """

    async def show_page(self, content: bytes, *, mime_type: str, number: int, width: int) -> bytes:
        """Page `number` (from 1) as PNG of this width in pixels; narrower where the page is very long."""
        ...

    async def find_on_page(
        self, content: bytes, *, mime_type: str, number: int, text: str, near: int | None
    ) -> Sequence[PagePlace]:
        """Where the text, as `extract` gave it, stands on the page: a rectangle for each line, in reading order.

        Empty where it is not found, as in scans. `near`: of several places the one that begins nearest to so many
        letters and digits from the page's first is meant; None: the first one.
        """
        ...


class DocumentReader(Protocol):
    """Reads files of all kinds in processes of its own: a hostile file harms nothing but its reader.

    Raises:
        The errors of `Extractor`, and those of the reading processes: too slow, too large, broken down.
    """

    async def read(
        self,
        path: Path,
        *,
        mime_type: str,
        file_name: str,
        options: ReadOptions,
        progress: ReadProgress | None = None,
    ) -> ExtractedDocument:
        """The whole of a file, pictures of text included."""
        ...

    async def read_many(
        self, files: Sequence[SmallFile], *, options: ReadOptions
    ) -> list[ExtractedDocument | DragomanError]:
        """Small files at once, each as `read` does it: what is wrong with one is its own outcome."""
        ...

    async def cut_many(
        self,
        files: Sequence[SmallFile],
        *,
        options: ReadOptions,
        settings: Mapping[str, Any],
        count_tokens: TokenCounter,
    ) -> list[bytes | DragomanError | None]:
        """Small files at once, read and cut there: what is wrong with one is its own outcome.

        Args:
            settings: the sizes of chunks; JSON values.

        Returns:
            For each JSON that nobody vouches for, or None: it holds pictures, which are kept, so it is for `read`.

        Raises:
            What `count_tokens` raises.
        """
        ...

    async def probe(self, path: Path, *, mime_type: str, file_name: str) -> None:
        """Only find out whether the file opens without a password. Raises EncryptedDocumentError."""
        ...

    async def show_page(self, path: Path, *, mime_type: str, file_name: str, number: int, width: int) -> bytes:
        """As `PageViewer`; a picture is a page, a TIFF one for each of its frames."""
        ...

    async def find_on_page(
        self, path: Path, *, mime_type: str, file_name: str, number: int, text: str, near: int | None
    ) -> list[PagePlace]:
        """As `PageViewer`; in pictures nothing is found."""
        ...

    async def close(self) -> None: ...
