"""Office documents, PDF, web pages, e-books and mails through kreuzberg (Rust; nothing is fetched, nothing is run).

What kreuzberg 4.10 gives is used as follows, after measuring it on 41 PDFs. The Markdown it makes of a PDF knows no
pages, loses lines beside headings and takes bold prose for headings; the text of its pages is whole. So a PDF is read
from its pages, and from the Markdown side only the headings are taken, where they stand the tests below. For all
other formats its Markdown is used, freed of padding, escapes, pictures and link targets.
"""

from __future__ import annotations

import asyncio
import html
import re
import secrets
import unicodedata
import zipfile
import zlib
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from html.parser import HTMLParser
from io import BytesIO
from typing import Any, Final

import kreuzberg
from pydantic import BaseModel, ConfigDict, Field

from dragoman.kit.text.decoding import BinaryContentError, decode_text
from dragoman.ports.extractor import (
    EncryptedDocumentError,
    ExtractedDocument,
    ExtractedPage,
    ExtractionError,
    UnsupportedFormatError,
)

_OFFICE: Final = "application/vnd.openxmlformats-officedocument"
PDF: Final = "application/pdf"
HTML: Final = "text/html"
EML: Final = "message/rfc822"
DOCX: Final = f"{_OFFICE}.wordprocessingml.document"
PPTX: Final = f"{_OFFICE}.presentationml.presentation"
MIME_TYPES: Final = frozenset(
    {
        PDF,
        HTML,
        EML,
        DOCX,
        PPTX,
        f"{_OFFICE}.spreadsheetml.sheet",
        "application/vnd.oasis.opendocument.text",
        "application/vnd.oasis.opendocument.spreadsheet",
        "application/rtf",
        "application/epub+zip",
    }
)

_OLE: Final = b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1"
_JUNK_TITLE: Final = re.compile(r"microsoft word|untitled|\.(docx?|odt|indd|tex|rtf|pptx?|xlsx?|pages)$", re.IGNORECASE)
_FIRST_HEADING: Final = re.compile(r"\s*#{1,3} ([^\n]{1,200}?)\s*(?:\n|$)")


class Settings(BaseModel):
    model_config = ConfigDict(extra="forbid")

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

    async def extract(self, content: bytes, *, mime_type: str, file_name: str) -> ExtractedDocument:
        if mime_type not in MIME_TYPES:
            raise UnsupportedFormatError(file_name=file_name, mime_type=mime_type)
        if mime_type == PDF:
            result = await self._read(content, mime_type, file_name, include_document_structure=True)
            return await asyncio.to_thread(_pdf_document, result)
        if mime_type == HTML:
            return await self._html(content, file_name)
        if mime_type == PPTX:
            return await self._slides(content, file_name)
        if mime_type == DOCX:
            content = await asyncio.to_thread(_with_entities_hidden, content)
        layout = "plain" if mime_type == EML else "markdown"  # its Markdown of a mail loses the line ends
        result = await self._read(content, mime_type, file_name, output_format=layout)
        markdown = await asyncio.to_thread(_mail_text if mime_type == EML else self._tidy, result.content)
        return _document([ExtractedPage(number=None, markdown=markdown)], result.metadata)

    async def _html(self, content: bytes, file_name: str) -> ExtractedDocument:
        source, title = await asyncio.to_thread(_html_source, content, file_name)
        result = await self._read(source.encode(), HTML, file_name)
        markdown = await asyncio.to_thread(self._tidy, result.content)
        if not markdown.strip():  # seen with 20,000 nested elements
            markdown = await asyncio.to_thread(_visible_text, source)
        return _document([ExtractedPage(number=None, markdown=markdown)], result.metadata, title=title)

    async def _slides(self, content: bytes, file_name: str) -> ExtractedDocument:
        mark = f"slide{secrets.token_hex(8)}x"
        pages = kreuzberg.PageConfig(
            extract_pages=True, insert_page_markers=True, marker_format=f"\n\n{mark}{{page_num}}\n\n"
        )
        result = await self._read(content, PPTX, file_name, pages=pages)
        first, *rest = re.split(rf"{mark}(\d+)", result.content)
        slides = [(int(number), text) for number, text in zip(rest[::2], rest[1::2], strict=True)]
        if first.strip() or not slides:
            slides.insert(0, (1, first))
        return _document(
            [ExtractedPage(number=number, markdown=self._tidy(text)) for number, text in slides], result.metadata
        )

    async def _read(self, content: bytes, mime_type: str, file_name: str, **options: Any) -> kreuzberg.ExtractionResult:
        options.setdefault("output_format", "markdown")
        options.setdefault("pages", kreuzberg.PageConfig(extract_pages=mime_type == PDF))
        configuration = kreuzberg.ExtractionConfig(
            use_cache=False,
            enable_quality_processing=False,  # cleaning is one step of the pipeline, for all formats alike
            content_filter=kreuzberg.ContentFilterConfig(
                include_headers=True, include_footers=True, strip_repeating_text=False
            ),
            extraction_timeout_secs=self._settings.timeout_s,
            **options,
        )
        try:
            return await kreuzberg.extract_bytes(content, mime_type, config=configuration)
        except Exception as error:
            raise _translated(error, content, file_name) from error

    def _tidy(self, markdown: str) -> str:
        return _tidy(markdown, keep_links=self._settings.keep_links).translate(_SHOWN)


def _mail_text(content: str) -> str:
    return content.replace("\r\n", "\n").replace("\r", "\n")


def _translated(error: Exception, content: bytes, file_name: str) -> ExtractionError:
    reason = str(error).lower()
    if "password" in reason or "encrypted" in reason or content.startswith(_OLE):
        return EncryptedDocumentError(file_name=file_name)
    if "unsupported" in reason or type(error).__name__ == "ValidationError":
        return UnsupportedFormatError(file_name=file_name)
    return ExtractionError(file_name=file_name, reason=str(error)[:300])


def _document(
    pages: Sequence[ExtractedPage], metadata: Mapping[str, Any], title: str | None = None
) -> ExtractedDocument:
    stated = title or metadata.get("title") or metadata.get("subject") or ""
    title = " ".join(str(stated).split())
    if not title or _JUNK_TITLE.search(title):
        heading = _FIRST_HEADING.match(pages[0].markdown) if pages else None
        title = heading[1] if heading else ""
    kept = {key: metadata[key] for key in ("authors", "created_at", "modified_at", "language") if metadata.get(key)}
    return ExtractedDocument(pages=pages, title=title or None, metadata=kept)


# --- PDF -------------------------------------------------------------------------------------------------------------

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


def _pdf_document(result: kreuzberg.ExtractionResult) -> ExtractedDocument:
    blocks = _blocks_by_page(result.document)
    texts = [(int(page["page_number"]), page["content"].replace("\r\n", "\n")) for page in result.pages or []]
    texts = [(number, text if text.strip() else _text_of(blocks.get(number, []))) for number, text in texts]
    pages = [_page_lines(text.split("\n"), blocks.get(number, [])) for number, text in texts]
    levels = _demoted_levels(pages)
    written = [
        ExtractedPage(number=number, markdown=_page_markdown(lines, levels))
        for (number, _), lines in zip(texts, pages, strict=True)
    ]
    return _document(written, result.metadata)


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


def _text_of(blocks: Sequence[_Block]) -> str:
    """For the rare page whose text is known to the structure alone (letters drawn as shapes with their names)."""
    return "\n".join(block.text for block in blocks)


def _key(line: str) -> str:
    """Letters and digits only: the two sides of kreuzberg differ in quotes, ligatures and spaces."""
    return "".join(filter(str.isalnum, unicodedata.normalize("NFKC", line))).casefold()


@dataclass(slots=True)
class _Line:
    """A line of a page with the block it belongs to (None: named by none) and its level as a heading (0: none)."""

    text: str
    block: _Block | None
    level: int = 0


def _page_lines(texts: Sequence[str], blocks: Sequence[_Block]) -> list[_Line]:
    places: dict[str, list[_Block]] = {}
    for block in blocks:
        for key in block.lines:
            places.setdefault(key, []).append(block)
    lines = []
    for text in texts:
        waiting = places.get(_key(text))
        lines.append(_Line(text.rstrip(), waiting.pop(0) if waiting else None))
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
    longest = max(len(line.text) for line in lines[max(0, at - NEIGHBOURS) : at + NEIGHBOURS + 1])
    before = next((line for line in reversed(lines[:at]) if line.text.strip()), None)
    after = next((line for line in lines[at + 1 :] if line.text.strip()), None)
    goes_on = after is not None and (after.block is None or after.text.lstrip()[:1].islower())
    if goes_on and len(text) >= WRAPPED_SHARE * longest:
        return False
    inside = before is not None and not before.level and len(before.text) >= WRAPPED_SHARE * longest
    return not (inside and before is not None and not before.text.endswith(_SENTENCE_END))


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
        if not text:
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


# --- DOCX ------------------------------------------------------------------------------------------------------------

# kreuzberg 4.10 deletes every entity of a DOCX: "R&D" comes out as "RD" (xberg-io/xberg issue 1242). So entities travel
# as characters of the private use area, which no document has.
_ENTITIES: Final = {"&": "\U0010fff0", "<": "\U0010fff1", ">": "\U0010fff2", '"': "\U0010fff3", "'": "\U0010fff4"}
_SHOWN: Final = str.maketrans({hidden: shown for shown, hidden in _ENTITIES.items()})
_REFERENCE: Final = re.compile(rb"&(?:amp|lt|gt|quot|apos|#\d{1,7}|#x[0-9a-fA-F]{1,6});")
_TEXT_PART: Final = re.compile(r"word/[^/]+\.xml")


def _with_entities_hidden(content: bytes) -> bytes:
    """The same document, its text parts rewritten. What is no DOCX is returned as it is, for kreuzberg to refuse."""
    written = BytesIO()
    try:
        with zipfile.ZipFile(BytesIO(content)) as source, zipfile.ZipFile(written, "w") as target:
            for member in source.infolist():
                data = source.read(member)
                target.writestr(member.filename, _hidden(data) if _TEXT_PART.fullmatch(member.filename) else data)
    except (zipfile.BadZipFile, zlib.error, NotImplementedError, RuntimeError, ValueError, OSError):
        return content
    return written.getvalue()


def _hidden(part: bytes) -> bytes:
    def hide(found: re.Match[bytes]) -> bytes:
        shown = html.unescape(found[0].decode("ascii"))
        return _ENTITIES.get(shown, shown if shown.isprintable() else " ").encode()

    return _REFERENCE.sub(hide, part)


# --- HTML ------------------------------------------------------------------------------------------------------------

_CHARSET: Final = re.compile(rb"<meta[^>]{0,200}?charset=[\"']?([\w-]+)", re.IGNORECASE)
_TITLE: Final = re.compile(r"<title\b[^>]*>(.*?)</title\s*>", re.IGNORECASE | re.DOTALL)
# kreuzberg writes these into the text as front matter, and of that the last line as a heading
_HEAD_ELEMENTS: Final = re.compile(
    r"<title\b[^>]*>.*?</title\s*>|<(?:meta|link|base)\b[^>]*>", re.IGNORECASE | re.DOTALL
)


def _html_source(content: bytes, file_name: str) -> tuple[str, str | None]:
    """The page decoded, without the elements of its head, and its title."""
    declared = _CHARSET.search(content[:4096])
    try:
        source = decode_text(content, declared=declared[1].decode("ascii") if declared else None).text
    except BinaryContentError as error:
        raise ExtractionError(f"{file_name} holds binary data, not a web page.", file_name=file_name) from error
    found = _TITLE.search(source)
    title = _visible_text(found[1]) if found else None
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


def _visible_text(source: str) -> str:
    parser = _VisibleText()
    parser.feed(source)
    parser.close()
    return "\n".join(parser.pieces)


# --- Markdown of all other formats -----------------------------------------------------------------------------------

LONGEST_CELL: Final = 600  # a longer one holds prose: the table is there for the layout

_FENCE: Final = re.compile(r"^\s*(?:```|~~~)")
_SEPARATOR: Final = re.compile(r"^\|(?:\s*:?-+:?\s*\|)+\s*$")
_IMAGE: Final = re.compile(r"!\[([^\]]*)\]\((?:[^()\s]|\([^()]*\))*(?:\s+\"[^\"]*\")?\)")
_LINK: Final = re.compile(r"\[((?:[^\[\]]|\[[^\[\]]*\])*)\]\(((?:[^()\s]|\([^()]*\))*)(?:\s+\"(?:[^\"\\]|\\.)*\")?\)")
_EMPTY_ITEM: Final = re.compile(r"^\s*[-*]\s*$")
_ESCAPE: Final = re.compile(r"\\([!-/:-@\[-`{-~])")
_ENTITY: Final = re.compile(r"&#(\d{1,6});")
_INLINE_TAG: Final = re.compile(r"</?(?:u|sub|sup|span|b|i|em|strong|br|small|mark)\s*/?>", re.IGNORECASE)
_COMMENT: Final = re.compile(r"<!--.*?-->", re.DOTALL)
_ADDRESS: Final = re.compile(r"^(?:mailto|tel):([^?]+)", re.IGNORECASE)


def _tidy(markdown: str, *, keep_links: bool) -> str:
    lines = _COMMENT.sub("", markdown.replace("\r\n", "\n")).split("\n")
    text = "\n".join(_tidy_lines(lines, keep_links))
    return re.sub(r"\n{3,}", "\n\n", text).strip()


def _tidy_lines(lines: Sequence[str], keep_links: bool) -> Iterator[str]:
    fenced = False
    table: list[str] = []
    for line in [*lines, ""]:
        if not fenced and line.startswith("|"):
            table.append(_plain_line(line, keep_links, in_table=True))
            continue
        yield from _tidy_table(table)
        table = []
        if _FENCE.match(line):
            fenced = not fenced
            yield line
        else:
            yield line if fenced else _plain_line(line, keep_links, in_table=False)


def _plain_line(line: str, keep_links: bool, *, in_table: bool) -> str:
    def link(found: re.Match[str]) -> str:
        text, target = found[1].strip(), found[2]
        address = _ADDRESS.match(target)
        shown = address[1] if address else target if keep_links and target.startswith("http") else ""
        return f"{text} ({shown})" if shown and shown not in text else text

    def escape(found: re.Match[str]) -> str:
        kept = (in_table and found[1] == "|") or (found[1] == "#" and not line[: found.start()].strip())
        return found[0] if kept else found[1]

    line = _EMPTY_ITEM.sub("", _IMAGE.sub(r"\1", line))
    line = _LINK.sub(link, line)
    line = _ENTITY.sub(lambda found: chr(int(found[1])) if int(found[1]) <= 0x10FFFF else "", line)
    return _INLINE_TAG.sub("", _ESCAPE.sub(escape, line)).rstrip()


def _tidy_table(rows: Sequence[str]) -> Iterator[str]:
    """Removes the padding of cells; a table of one column or with prose in its cells becomes paragraphs."""
    if not rows:
        return
    cells = [[" ".join(cell.split()) for cell in re.split(r"(?<!\\)\|", row.strip())[1:-1]] for row in rows]
    body = [row for row, line in zip(cells, rows, strict=True) if not _SEPARATOR.match(line)]
    if max(map(len, body), default=0) <= 1 or any(len(cell) > LONGEST_CELL for row in body for cell in row):
        for row in body:
            yield from (part for cell in row if cell for part in ("", cell.replace("\\|", "|")))
        yield ""
        return
    for row, line in zip(cells, rows, strict=True):
        yield "| " + " | ".join("---" for _ in row) + " |" if _SEPARATOR.match(line) else "| " + " | ".join(row) + " |"
