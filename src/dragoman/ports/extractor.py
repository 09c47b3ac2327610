"""Reads the text out of a document's bytes."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any, Protocol

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
        markdown: its text as Markdown: `#` headings, `|` tables, `-` lists; lines end with `\\n`. May be empty.
    """

    number: int | None
    markdown: str


@dataclass(frozen=True, slots=True, kw_only=True)
class ExtractedDocument:
    """Text in reading order. `title` is None where the document states none. Empty pages stay in the list."""

    pages: Sequence[ExtractedPage]
    title: str | None = None
    metadata: dict[str, Any] = field(default_factory=dict)


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

    async def extract(self, content: bytes, *, mime_type: str, file_name: str) -> ExtractedDocument: ...
