"""Prepares a DOCX for kreuzberg 4.10: what it would lose is written so that it keeps it."""

from __future__ import annotations

import html
import re
import zipfile
import zlib
from collections.abc import Sequence
from io import BytesIO
from typing import Final

from dragoman.adapters.extractor._parts.word_math import with_inline_formulas_as_text

# kreuzberg 4.10 deletes every entity of a DOCX: "R&D" comes out as "RD" (xberg-io/xberg issue 1242). So entities travel
# as characters of the private use area, which no document has.
_ENTITIES: Final = {"&": "\U0010fff0", "<": "\U0010fff1", ">": "\U0010fff2", '"': "\U0010fff3", "'": "\U0010fff4"}
_SHOWN: Final = str.maketrans({hidden: shown for shown, hidden in _ENTITIES.items()})
_REFERENCE: Final = re.compile(rb"&(?:amp|lt|gt|quot|apos|#\d{1,7}|#x[0-9a-fA-F]{1,6});")
_TEXT_PART: Final = re.compile(r"word/[^/]+\.xml")


def prepared(content: bytes) -> bytes:
    """The same document, its text parts rewritten. What is no DOCX is returned as it is, for kreuzberg to refuse."""
    written = BytesIO()
    try:
        with zipfile.ZipFile(BytesIO(content)) as source, zipfile.ZipFile(written, "w") as target:
            lists = _list_styles(source)
            for member in source.infolist():
                data = source.read(member)
                if _TEXT_PART.fullmatch(member.filename):
                    data = _hidden(_with_lists(with_inline_formulas_as_text(data), lists))
                target.writestr(member.filename, data)
    except (zipfile.BadZipFile, zlib.error, NotImplementedError, RuntimeError, ValueError, OSError, EOFError):
        return content
    return written.getvalue()


def _hidden(part: bytes) -> bytes:
    def hide(found: re.Match[bytes]) -> bytes:
        shown = html.unescape(found[0].decode("ascii"))
        return _ENTITIES.get(shown, shown if shown.isprintable() else " ").encode()

    return _REFERENCE.sub(hide, part)


def restored(markdown: str) -> str:
    """What `prepared` had hidden: the characters, and the levels of list items as indentation."""
    indented = _DEEP_ITEM.sub(lambda found: "  " * len(found["depth"]) + found["sign"], markdown)
    lines = indented.replace(_DEEPER, "").split("\n")
    together = "\n".join(line for at, line in enumerate(lines) if line or not _parts_items(lines, at))
    return together.translate(_SHOWN)


def _parts_items(lines: Sequence[str], at: int) -> bool:
    """Whether an empty line stands between an item and a deeper one: Word's styles make a list of each level."""
    if not 0 < at < len(lines) - 1:
        return False
    above, below = _LIST_ITEM.match(lines[at - 1]), _LIST_ITEM.match(lines[at + 1])
    return above is not None and below is not None and bool(above["indent"] or below["indent"])


# kreuzberg sees a list item by the numbering of the paragraph only; Word's own list styles carry it in the style.
_STYLE: Final = re.compile(rb"<w:style\b(?P<head>[^>]*)>(?P<body>.*?)</w:style>", re.DOTALL)
_STYLE_ID: Final = re.compile(rb'w:styleId="([^"]*)"')
_BASED_ON: Final = re.compile(rb'<w:basedOn\b[^>]*w:val="([^"]*)"')
_STYLE_NAME: Final = re.compile(rb'<w:name\b[^>]*w:val="([^"]*)"')
_NUMBER_ID: Final = re.compile(rb'<w:numId\b[^>]*w:val="(\d+)"')
_LEVEL: Final = re.compile(rb'<w:ilvl\b[^>]*w:val="(\d+)"')
_NAME_LEVEL: Final = re.compile(rb"list (?:bullet|number) ([2-9])", re.IGNORECASE)
_PARAGRAPH_STYLE: Final = re.compile(
    rb'<w:pPr>(?P<before>(?:(?!</w:pPr>).)*?)(?P<style><w:pStyle\b[^>]*w:val="(?P<id>[^"]*)"[^>]*/>)(?P<after>.*?)</w:pPr>',
    re.DOTALL,
)


def _list_styles(document: zipfile.ZipFile) -> dict[bytes, tuple[bytes, bytes]]:
    """Number and level of the list of each paragraph style that makes one. Numbered headings stay headings."""
    try:
        part = document.read("word/styles.xml")
    except KeyError:
        return {}
    styles = {found[1]: match["body"] for match in _STYLE.finditer(part) if (found := _STYLE_ID.search(match["head"]))}
    lists = {}
    for name, body in styles.items():
        number = _inherited(name, styles)
        if number is not None and b"<w:outlineLvl" not in body and not name.lower().startswith(b"heading"):
            stated, own = _LEVEL.search(body), _STYLE_NAME.search(body)
            named = _NAME_LEVEL.search(own[1]) if own else None
            level = stated[1] if stated else b"%d" % (int(named[1]) - 1) if named else b"0"
            lists[name] = number, level
    return lists


def _inherited(name: bytes, styles: dict[bytes, bytes]) -> bytes | None:
    for _ in range(10):  # a style may be based on itself
        body = styles.get(name, b"")
        if found := _NUMBER_ID.search(body):
            return found[1] if found[1] != b"0" else None
        parent = _BASED_ON.search(body)
        if parent is None:
            return None
        name = parent[1]
    return None


def _with_lists(part: bytes, lists: dict[bytes, tuple[bytes, bytes]]) -> bytes:
    def numbered(found: re.Match[bytes]) -> bytes:
        entry = lists.get(found["id"])
        if entry is None or b"<w:numPr" in found["before"] + found["after"]:
            return found[0]
        numbering = b'<w:numPr><w:ilvl w:val="%b"/><w:numId w:val="%b"/></w:numPr>' % (entry[1], entry[0])
        return b"<w:pPr>" + found["before"] + found["style"] + numbering + found["after"] + b"</w:pPr>"

    part = _PARAGRAPH_STYLE.sub(numbered, part) if lists else part
    return _DEEP_PARAGRAPH.sub(_with_depth, part)


# kreuzberg writes all levels of a list as one: each item below the first level carries its depth in its text
_DEEPER: Final = "\U0010fff5"
_DEEP_ITEM: Final = re.compile(rf"^(?P<sign>(?:[-*]|\d+\.) (?:[*_]{{1,3}})?)(?P<depth>{_DEEPER}+)", re.MULTILINE)
_LIST_ITEM: Final = re.compile(r"(?P<indent> *)(?:[-*]|\d+\.) ")
_DEEP_PARAGRAPH: Final = re.compile(
    rb'<w:numPr>\s*<w:ilvl w:val="(?P<level>[1-8])"\s*/>\s*<w:numId\b[^>]*/>\s*</w:numPr>(?:(?!</w:pPr>).)*</w:pPr>',
    re.DOTALL,
)


def _with_depth(found: re.Match[bytes]) -> bytes:
    return found[0] + b"<w:r><w:t>" + (_DEEPER * int(found["level"])).encode() + b"</w:t></w:r>"
