"""Web pages as text: their encoding, what of them is seen, their embedded pictures. Also the bodies of mails."""

from __future__ import annotations

import base64
import binascii
import re
from collections.abc import Mapping
from html.parser import HTMLParser
from typing import Final
from urllib.parse import unquote_to_bytes

from dragoman.adapters.extractor._parts.engine import read_with_kreuzberg
from dragoman.adapters.extractor._parts.markup import tidy
from dragoman.adapters.extractor._parts.pictures import Gallery, marked
from dragoman.kit.text.decoding import BinaryContentError, decode_text
from dragoman.ports.extractor import ExtractionError

HTML: Final = "text/html"

_CHARSET: Final = re.compile(rb"<meta[^>]{0,200}?charset=[\"']?([\w-]+)", re.IGNORECASE)
_TITLE: Final = re.compile(r"<title\b[^>]*>(.*?)</title\s*>", re.IGNORECASE | re.DOTALL)
# kreuzberg writes these into the text as front matter, and of that the last line as a heading
_HEAD_ELEMENTS: Final = re.compile(
    r"<title\b[^>]*>.*?</title\s*>|<(?:meta|link|base)\b[^>]*>", re.IGNORECASE | re.DOTALL
)


def html_source(content: bytes, file_name: str) -> tuple[str, str | None]:
    """The page decoded, without the elements of its head, and its title."""
    declared = _CHARSET.search(content[:4096])
    try:
        source = decode_text(content, declared=declared[1].decode("ascii") if declared else None).text
    except BinaryContentError as error:
        raise ExtractionError(f"{file_name} holds binary data, not a web page.", file_name=file_name) from error
    found = _TITLE.search(source)
    title = visible_text(found[1]) if found else None
    return _HEAD_ELEMENTS.sub("", source), title


class _VisibleText(HTMLParser):
    def __init__(self) -> None:
        super().__init__(convert_charrefs=True)
        self.pieces: list[str] = []
        self._hidden = 0

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:  # noqa: ARG002 - the base class calls it so
        self._hidden += tag in {"script", "style", "template"}

    def handle_endtag(self, tag: str) -> None:
        self._hidden -= tag in {"script", "style", "template"} and self._hidden > 0

    def handle_data(self, data: str) -> None:
        if not self._hidden and data.strip():
            self.pieces.append(" ".join(data.split()))


def visible_text(source: str) -> str:
    parser = _VisibleText()
    parser.feed(source)
    parser.close()
    return "\n".join(parser.pieces)


# --- to Markdown -----------------------------------------------------------------------------------------------------

_EMBEDDED: Final = re.compile(r"data:image/[\w.+-]+(;[\w=-]+)*?(;base64)?,([^\"'\s>)]*)", re.IGNORECASE)
_NAME: Final = "embedded-picture-"


async def html_markdown(
    source: str,
    *,
    gallery: Gallery | None,
    keep_links: bool = False,
    timeout_s: int = 120,
    pictures: Mapping[str, bytes] | None = None,
) -> str:
    """The Markdown of a page.

    Args:
        gallery: takes the pictures embedded in the page; None leaves all out.
        pictures: further pictures by the address under which the page shows them.

    Raises:
        Exception: whatever kreuzberg raises.
    """
    source, embedded = _without_embedded(source, keep=gallery is not None)
    result = await read_with_kreuzberg(source.encode(), HTML, timeout_s=timeout_s)
    markdown = str(result.content)
    if gallery is not None:
        known = {**embedded, **(pictures or {})}
        markdown = marked(markdown, lambda target, text: _added(gallery, known.get(target), text))
    markdown = tidy(markdown, keep_links=keep_links)
    # nothing comes out of 20,000 nested elements
    return markdown if markdown.strip() else visible_text(source)


def _added(gallery: Gallery, data: bytes | None, description: str) -> int | None:
    return gallery.add(data, description=description) if data else None


def _without_embedded(source: str, *, keep: bool) -> tuple[str, dict[str, bytes]]:
    """The source with short names in place of embedded pictures, and these by their names."""
    embedded: dict[str, bytes] = {}

    def named(found: re.Match[str]) -> str:
        name = f"{_NAME}{len(embedded)}"
        if keep:
            try:
                embedded[name] = base64.b64decode(found[3]) if found[2] else unquote_to_bytes(found[3])
            except (binascii.Error, ValueError):
                return ""
        return name

    return (_EMBEDDED.sub(named, source) if "data:image" in source or "DATA:" in source else source), embedded
