"""SVG drawings: the text they show, with title and description. Nothing is drawn, followed or run."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from typing import Final
from xml.etree import ElementTree as ET

from pydantic import BaseModel, ConfigDict

from dragoman.adapters.extractor._parts.containers import parsed_xml
from dragoman.kit.text.decoding import BinaryContentError, decode_text
from dragoman.ports.extractor import ExtractedDocument, ExtractedPage, ExtractionError, UnsupportedFormatError

MIME_TYPES: Final = frozenset({"image/svg+xml"})
_SHOWN: Final = frozenset({"text", "title", "desc"})


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
        self,
        content: bytes,
        *,
        mime_type: str,
        file_name: str,
        with_images: bool = False,  # noqa: ARG002 - the drawing itself is the picture
    ) -> ExtractedDocument:
        if mime_type not in MIME_TYPES:
            raise UnsupportedFormatError(file_name=file_name, mime_type=mime_type)
        return await asyncio.to_thread(_document, content, file_name)


def _document(content: bytes, file_name: str) -> ExtractedDocument:
    try:
        text = decode_text(content).text
    except BinaryContentError as error:
        raise ExtractionError(f"{file_name} holds binary data, not a drawing.", file_name=file_name) from error
    root = parsed_xml(_without_declaration(text).encode(), file_name)
    if _name(root) != "svg":
        raise ExtractionError(f"{file_name} is no SVG drawing.", file_name=file_name)
    title = next((_text(child) for child in root if _name(child) == "title"), None)
    lines = [line for line in _lines(root) if line != title]
    return ExtractedDocument(pages=[ExtractedPage(number=None, markdown="\n".join(lines))], title=title or None)


def _without_declaration(text: str) -> str:
    """Without the line that states an encoding, which is UTF-8 by now."""
    text = text.lstrip()
    return text[text.index("?>") + 2 :] if text.startswith("<?xml") and "?>" in text else text


def _lines(element: ET.Element) -> Iterator[str]:
    for child in element:
        if _name(child) in _SHOWN:
            if line := _text(child):
                yield line
        else:
            yield from _lines(child)


def _text(element: ET.Element) -> str:
    return " ".join(" ".join(element.itertext()).split())


def _name(element: ET.Element) -> str:
    return element.tag.rsplit("}", maxsplit=1)[-1] if isinstance(element.tag, str) else ""
