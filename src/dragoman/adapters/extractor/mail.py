"""Mails (EML, MSG): header, body, forwarded messages, and what attached documents say.

An attachment is read by the extractor of its type with default settings, one level deep: an attachment of an
attached mail is only listed.
"""

from __future__ import annotations

import asyncio
import re
from collections.abc import Sequence
from pathlib import PurePath
from typing import Any, Final

from pydantic import BaseModel, ConfigDict, Field

from dragoman.adapters.extractor._parts.eml import read_eml
from dragoman.adapters.extractor._parts.messages import Attachment, Message
from dragoman.adapters.extractor._parts.msg import read_msg
from dragoman.adapters.extractor._parts.pictures import Gallery, mark
from dragoman.adapters.extractor._parts.web import HTML, html_markdown, visible_text
from dragoman.kit import registry
from dragoman.kit.errors import DragomanError
from dragoman.kit.text.decoding import BinaryContentError
from dragoman.kit.text.hidden_html import strip_hidden_html, visible_html
from dragoman.ports.extractor import ExtractedDocument, ExtractedPage, Extractor, UnsupportedFormatError

EML: Final = "message/rfc822"
MSG: Final = "application/vnd.ms-outlook"
MIME_TYPES: Final = frozenset({EML, MSG})

_OFFICE: Final = "application/vnd.openxmlformats-officedocument"
_OPEN: Final = "application/vnd.oasis.opendocument"
# By suffix, because mail programs state "application/octet-stream" for half of what they send.
TYPES_BY_SUFFIX: Final = {
    ".pdf": "application/pdf", ".docx": f"{_OFFICE}.wordprocessingml.document",
    ".docm": f"{_OFFICE}.wordprocessingml.document", ".xlsx": f"{_OFFICE}.spreadsheetml.sheet",
    ".xlsm": f"{_OFFICE}.spreadsheetml.sheet", ".pptx": f"{_OFFICE}.presentationml.presentation",
    ".doc": "application/msword", ".xls": "application/vnd.ms-excel", ".odt": f"{_OPEN}.text",
    ".ods": f"{_OPEN}.spreadsheet", ".odp": f"{_OPEN}.presentation", ".rtf": "application/rtf",
    ".epub": "application/epub+zip", ".html": "text/html", ".htm": "text/html", ".txt": "text/plain",
    ".log": "text/plain", ".md": "text/markdown", ".csv": "text/csv", ".tsv": "text/tab-separated-values",
    ".json": "application/json", ".jsonl": "application/x-ndjson",
}  # fmt: skip


class Settings(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)

    read_attachments: bool = Field(default=True, description="Whether attached documents are read; off, only listed.")
    most_attachments: int = Field(default=50, ge=0, description="Further ones are only listed.")
    largest_attachment_mib: int = Field(default=25, ge=1, description="A larger one is only listed. MiB.")


class Adapter:
    def __init__(self, settings: Settings) -> None:
        self._settings = settings
        self._extractors: dict[str, Extractor] | None = None

    @property
    def mime_types(self) -> frozenset[str]:
        return MIME_TYPES

    async def extract(
        self, content: bytes, *, mime_type: str, file_name: str, with_images: bool = False
    ) -> ExtractedDocument:
        if mime_type not in MIME_TYPES:
            raise UnsupportedFormatError(file_name=file_name, mime_type=mime_type)
        read = read_eml if mime_type == EML else read_msg
        message = await asyncio.to_thread(read, content, file_name)
        writer = _Writer(Gallery() if with_images else None)
        blocks = await writer.message(message, level=1)
        for attachment in message.attachments[: self._settings.most_attachments]:
            blocks += await self._read_attachment(attachment, writer)
        gallery = writer.gallery
        return ExtractedDocument(
            pages=[ExtractedPage(number=None, markdown="\n\n".join(block for block in blocks if block))],
            title=message.subject or None,
            metadata=_metadata(message),
            images=gallery.images if gallery else (),
            warnings=[*writer.warnings, *(gallery.warnings if gallery else [])],
        )

    async def _read_attachment(self, attachment: Attachment, writer: _Writer) -> list[str]:
        """What an attached document says, under its name; nothing where there is no extractor for it."""
        mime_type = TYPES_BY_SUFFIX.get(PurePath(attachment.name).suffix.lower(), attachment.mime_type)
        extractor = self._by_type().get(mime_type)
        too_large = len(attachment.data) > self._settings.largest_attachment_mib * 1024 * 1024
        if not self._settings.read_attachments or extractor is None or not attachment.data:
            return []
        if too_large:
            writer.warnings.append(f"The attachment {attachment.name} is too large and was not read.")
            return []
        try:
            data = strip_hidden_html(attachment.data) if mime_type == HTML else attachment.data
            document = await extractor.extract(data, mime_type=mime_type, file_name=attachment.name)
        except (DragomanError, BinaryContentError) as error:
            writer.warnings.append(f"The attachment {attachment.name} was not read: {error}")
            return []
        text = "\n\n".join(page.markdown for page in document.pages if page.markdown.strip())
        writer.warnings += [f"{attachment.name}: {warning}" for warning in document.warnings]
        return [f"## Attachment: {attachment.name}", _lowered(text)] if text else []

    def _by_type(self) -> dict[str, Extractor]:
        if self._extractors is None:
            self._extractors = {}
            for name in registry.list_adapters("extractor"):
                if name != "mail":
                    extractor: Any = registry.create("extractor", name)
                    self._extractors |= dict.fromkeys(extractor.mime_types, extractor)
        return self._extractors


def _metadata(message: Message) -> dict[str, Any]:
    fields = dict(message.fields)
    kept: dict[str, Any] = {"authors": [fields["From"]]} if "From" in fields else {}
    if "Date" in fields:
        kept["created_at"] = fields["Date"]
    if message.attachments:
        kept["attachments"] = [attachment.name for attachment in message.attachments if attachment.name]
    return kept


class _Writer:
    """Writes messages as Markdown blocks."""

    def __init__(self, gallery: Gallery | None) -> None:
        self.gallery = gallery
        self.warnings: list[str] = []

    async def message(self, message: Message, *, level: int) -> list[str]:
        blocks = [f"{'#' * min(level, 6)} {message.subject}"] if message.subject else []
        blocks.append("\n".join(f"{name}: {value}" for name, value in message.fields))
        blocks.append(await self._body(message))
        blocks += self._pictures(message.attachments)
        if listed := [_listed(one) for one in message.attachments if one.name]:
            blocks += ["Attachments:", "\n".join(listed)]
        for inner in message.forwarded:
            blocks += await self.message(inner, level=level + 1)
        return blocks

    async def _body(self, message: Message) -> str:
        """The plain text; the page where there is none or it shows tables, which plain text has lost."""
        if message.plain.strip() and "<table" not in message.page.lower():
            return _as_markdown(message.plain)
        if not message.page.strip():
            return _as_markdown(message.plain)
        page = visible_html(message.page)  # kreuzberg leaves out what is not displayed, but not white letters
        pictures = {f"cid:{one.content_id}": one.data for one in message.attachments if one.content_id}
        try:
            return await html_markdown(page, gallery=self.gallery, pictures=pictures)
        except Exception as error:  # noqa: BLE001 - what a converter stumbles over is still text
            self.warnings.append(f"The body of the mail was read as plain text only: {str(error)[:200]}")
            return message.plain if message.plain.strip() else visible_text(page)

    def _pictures(self, attachments: Sequence[Attachment]) -> list[str]:
        """Marks of the attached pictures that the body does not show."""
        marks = []
        for one in attachments:
            if self.gallery is not None and one.mime_type.startswith("image/") and one.mime_type != "image/svg+xml":
                index = self.gallery.add(one.data, description=one.name)
                if index is not None:
                    marks.append(mark(index, one.name))
        return marks


def _as_markdown(plain: str) -> str:
    """Plain text whose lines do not become headings by accident."""
    return re.sub(r"^(#{1,6} )", r"\\\1", plain.strip("\n"), flags=re.MULTILINE)


def _listed(attachment: Attachment) -> str:
    kib = max(1, round(len(attachment.data) / 1024))
    return f"- {attachment.name} ({kib} KiB)" if attachment.data else f"- {attachment.name}"


def _lowered(markdown: str) -> str:
    """The headings of an attached document below that of its name."""
    return re.sub(r"^(#{1,4}) ", r"##\1 ", markdown, flags=re.MULTILINE)
