"""Word, RTF, web pages and e-books (and old PowerPoint) through kreuzberg (Rust; nothing is fetched, nothing is run).

Its Markdown is used, freed of padding, escapes, pictures and link targets. Documents are prepared where kreuzberg 4.10
is known to lose something: entities and lists by style of DOCX, legacy characters of RTF.
"""

from __future__ import annotations

import asyncio
import posixpath
from collections.abc import Mapping, Sequence
from typing import Any, Final
from urllib.parse import unquote

from pydantic import BaseModel, ConfigDict, Field

from dragoman.adapters.extractor._parts.containers import opened_container, read_member
from dragoman.adapters.extractor._parts.engine import keeping_pictures, read_with_kreuzberg
from dragoman.adapters.extractor._parts.markup import tidy
from dragoman.adapters.extractor._parts.pictures import Gallery, marked
from dragoman.adapters.extractor._parts.rtf import with_unicode_characters
from dragoman.adapters.extractor._parts.titles import best_title
from dragoman.adapters.extractor._parts.web import HTML, html_markdown, html_source
from dragoman.adapters.extractor._parts.word import prepared, restored
from dragoman.ports.extractor import (
    EncryptedDocumentError,
    ExtractedDocument,
    ExtractedPage,
    ExtractionError,
    UnsupportedFormatError,
)

_OFFICE: Final = "application/vnd.openxmlformats-officedocument"
DOCX: Final = f"{_OFFICE}.wordprocessingml.document"
DOCM: Final = "application/vnd.ms-word.document.macroEnabled.12"
DOC: Final = "application/msword"
PPT: Final = "application/vnd.ms-powerpoint"
RTF: Final = "application/rtf"
EPUB: Final = "application/epub+zip"
MIME_TYPES: Final = frozenset({HTML, DOCX, DOCM, DOC, PPT, RTF, EPUB})

_OLE: Final = b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1"
_PICTURE_SUFFIXES: Final = (".png", ".jpg", ".jpeg", ".gif", ".webp", ".bmp", ".tif", ".tiff")


class Settings(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)

    timeout_s: int = Field(default=120, ge=1, description="A document that takes longer counts as unreadable.")
    keep_links: bool = Field(
        default=False, description="Whether the targets of web links stay in the text. Mail addresses always do."
    )


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
        gallery = Gallery() if with_images else None
        if mime_type == HTML:
            return await self._html(content, file_name, gallery)
        if mime_type in {DOCX, DOCM}:
            mime_type, content = DOCX, await asyncio.to_thread(prepared, content)
        elif mime_type == RTF:
            if not content[:64].lstrip().startswith(b"{\\rtf"):
                raise ExtractionError(f"{file_name} is no RTF document.", file_name=file_name)
            content = await asyncio.to_thread(with_unicode_characters, content)
        result = await self._read(content, mime_type, file_name, gallery)
        pictures = _pictures_of(result)
        if mime_type == EPUB and gallery is not None:
            pictures |= await asyncio.to_thread(_book_pictures, content, file_name)
        markdown = await asyncio.to_thread(self._markdown, result.content, pictures, gallery)
        return _document([ExtractedPage(number=None, markdown=markdown)], result.metadata, gallery)

    async def _html(self, content: bytes, file_name: str, gallery: Gallery | None) -> ExtractedDocument:
        source, title = await asyncio.to_thread(html_source, content, file_name)
        settings = self._settings
        try:
            markdown = await html_markdown(
                source, gallery=gallery, keep_links=settings.keep_links, timeout_s=settings.timeout_s
            )
        except Exception as error:
            raise _translated(error, content, HTML, file_name) from error
        return _document([ExtractedPage(number=None, markdown=markdown)], {}, gallery, title=title)

    async def _read(
        self, content: bytes, mime_type: str, file_name: str, gallery: Gallery | None, **options: Any
    ) -> Any:
        options |= keeping_pictures() if gallery is not None else {}
        try:
            return await read_with_kreuzberg(content, mime_type, timeout_s=self._settings.timeout_s, **options)
        except Exception as error:
            raise _translated(error, content, mime_type, file_name) from error

    def _markdown(self, markdown: str, pictures: Mapping[str, bytes], gallery: Gallery | None) -> str:
        if gallery is not None:
            markdown = marked(
                markdown,
                lambda target, text: _added(gallery, pictures.get(_base_name(target)), text),
            )
        return restored(tidy(markdown, keep_links=self._settings.keep_links))


def _added(gallery: Gallery, data: bytes | None, description: str) -> int | None:
    return gallery.add(data, description=restored(description)) if data else None


def _base_name(target: str) -> str:
    return posixpath.basename(unquote(target.split("#", maxsplit=1)[0]))


def _pictures_of(result: Any) -> dict[str, bytes]:
    """The pictures by the names under which kreuzberg's Markdown shows them."""
    return {
        f"image_{picture['image_index']}.{picture['format']}": bytes(picture["data"])
        for picture in result.images or []
        if picture.get("data")
    }


def _book_pictures(content: bytes, file_name: str) -> dict[str, bytes]:
    """The pictures of an e-book by their names without folders, as its chapters show them."""
    pictures: dict[str, bytes] = {}
    with opened_container(content, file_name) as book:
        for name in book.namelist():
            if name.lower().endswith(_PICTURE_SUFFIXES) and (data := read_member(book, name)):
                pictures.setdefault(posixpath.basename(name), data)
    return pictures


def _translated(error: Exception, content: bytes, mime_type: str, file_name: str) -> ExtractionError:
    reason = str(error).lower()
    locked = content.startswith(_OLE) and mime_type not in {DOC, PPT}  # a modern document with a password is one inside
    if "password" in reason or "encrypted" in reason or locked:
        return EncryptedDocumentError(file_name=file_name)
    if "unsupported" in reason or type(error).__name__ == "ValidationError":
        return UnsupportedFormatError(file_name=file_name)
    return ExtractionError(file_name=file_name, reason=str(error)[:300])


def _document(
    pages: Sequence[ExtractedPage], metadata: Mapping[str, Any], gallery: Gallery | None, title: str | None = None
) -> ExtractedDocument:
    kept = {key: metadata[key] for key in ("authors", "created_at", "modified_at", "language") if metadata.get(key)}
    stated = title or metadata.get("title") or metadata.get("subject")
    return ExtractedDocument(
        pages=pages,
        title=best_title(stated, pages),
        metadata=kept,
        images=gallery.images if gallery else (),
        warnings=gallery.warnings if gallery else (),
    )
