"""Looks for active content in an upload: what acts by itself when a person opens the file in its own program.

Nothing in a document is ever run here; this protects those who download it, and tells its owner. Findings of severity
`danger` are refused always, those of `warning` where the chatbot setting `active_content` says so, `info` is noted.
Blocking, and bounded: at most some 0.5 s per 25 MiB; call it in a thread. What is encrypted or hidden from any
reasonable reader of the format is not found: a malware scanner (`ports/malware_scanner.py`) stands beside it.
"""

from __future__ import annotations

import html
import re
import zipfile
import zlib
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from io import BytesIO
from pathlib import Path
from typing import Final, Literal

from dragoman.ingestion import compound_file
from dragoman.ingestion.compound_file import BrokenCompoundFileError
from dragoman.ingestion.errors import ActiveContentError, DamagedDocumentError, UnsafeDocumentError
from dragoman.ingestion.reading import IMAGE_TYPES
from dragoman.ingestion.validate import (
    DOC,
    DOCX,
    EML,
    EPUB,
    HTML,
    MSG,
    ODP,
    ODS,
    ODT,
    PDF,
    PPT,
    PPTX,
    RTF,
    SVG,
    XLS,
    XLSX,
)
from dragoman.kit.text.decoding import BinaryContentError, decode_text
from dragoman.kit.text.hidden_html import count_hidden_characters

MIB: Final = 1024 * 1024
MOST_INFLATED_BYTES: Final = 64 * MIB  # of all object streams or attachments of a PDF
MOST_MEMBER_BYTES: Final = 32 * MIB  # of one part of an Office document

Severity = Literal["info", "warning", "danger"]
Policy = Literal["note", "refuse"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Finding:
    """Something in a file that its owner should know. `code`: stable, for programs; the rest is for people."""

    code: str
    severity: Severity
    message: str
    what_to_do: str


def scan_structure(content: Path | bytes, mime_type: str) -> list[Finding]:
    """What is active or odd in an upload that `validate.inspect_upload` has let pass, the worst first.

    Args:
        content: The upload, or where it lies.

    Raises:
        DamagedDocumentError: the file cannot be taken apart.
    """
    data = content if isinstance(content, bytes) else content.read_bytes()
    codes = dict.fromkeys([*_scan_polyglot(data, mime_type), *_SCANS.get(mime_type, _nothing)(data)])
    return sorted((_KNOWN[code] for code in codes), key=lambda finding: _ORDER.index(finding.severity))


def require_safe(findings: Sequence[Finding], policy: Policy) -> None:
    """Refuse a file by what was found in it.

    Raises:
        UnsafeDocumentError: for a danger, whatever the policy.
        ActiveContentError: for a warning, where the policy is `refuse`.
    """
    for severity, error in (("danger", UnsafeDocumentError), ("warning", ActiveContentError)):
        found = [finding for finding in findings if finding.severity == severity]
        if found and (severity == "danger" or policy == "refuse"):
            raise error(
                " ".join(f"{finding.message} {finding.what_to_do}" for finding in found),
                findings=[finding.code for finding in found],
            )


# --- what may be found -----------------------------------------------------------------------------------------------

_ORDER: Final = ("danger", "warning", "info")
_NOT_RUN: Final = "It is not run here. Save the file without it, if those who download it should be safe."
_SAVE_ANEW: Final = "Save the document anew in its own program, and upload that."


def _known(*findings: tuple[str, Severity, str, str]) -> dict[str, Finding]:
    return {
        code: Finding(code=code, severity=severity, message=message, what_to_do=advice)
        for code, severity, message, advice in findings
    }


_KNOWN: Final = _known(
    ("polyglot", "danger", "The file is two files at once: it also opens as another kind of file.", _SAVE_ANEW),
    ("embedded_program", "danger", "The file holds a program.", "Remove it, save the document and upload that."),
    ("xml.entities", "danger", "The file defines entities in its XML, which attacks use.", _SAVE_ANEW),
    ("office.odd_member", "danger", "A part of the file is named so that it would unpack elsewhere.", _SAVE_ANEW),
    ("pdf.javascript", "warning", "The PDF holds JavaScript.", _NOT_RUN),
    ("pdf.launch", "warning", "The PDF can start programs.", _NOT_RUN),
    ("pdf.submit", "warning", "The PDF can send or load form data.", _NOT_RUN),
    ("pdf.rich_media", "warning", "The PDF holds Flash or other rich media.", _NOT_RUN),
    ("pdf.actions", "info", "The PDF acts when it or a page is opened.", _NOT_RUN),
    (
        "pdf.attachments",
        "info",
        "The PDF has files attached.",
        "They are not read. Upload them as documents of their own.",
    ),
    ("pdf.xfa", "info", "The PDF holds an XFA form.", "Print it to PDF if its text is missing here."),
    ("office.macros", "warning", "The document holds macros.", _NOT_RUN),
    ("office.external_template", "warning", "The document loads its template from elsewhere.", _NOT_RUN),
    ("office.external_object", "warning", "The document loads an object or frame from elsewhere.", _NOT_RUN),
    ("office.dde", "warning", "The document fetches data from other programs (DDE).", _NOT_RUN),
    ("office.embedded_object", "warning", "The document holds an embedded file or control.", _NOT_RUN),
    ("office.external_link", "info", "The document refers to other files for data or pictures.", "They are not read."),
    (
        "office.hidden_text",
        "info",
        "The document holds hidden text.",
        "Look whether it should be known to the chatbot.",
    ),
    ("html.script", "warning", "The page holds scripts.", _NOT_RUN),
    ("html.event_handler", "warning", "The page holds event handlers.", _NOT_RUN),
    ("html.script_link", "warning", "The page holds links that run scripts.", _NOT_RUN),
    ("html.frame", "info", "The page shows other pages in frames.", "They are not read. Upload them as documents."),
    ("html.hidden_text", "info", "The page holds text that its readers do not see.", "It is left out."),
    (
        "csv.formula",
        "info",
        "Cells begin like formulas (=, +, -, @).",
        "They are kept as text; downloads of tables made here mark them so that no program computes them.",
    ),
)


def _nothing(content: bytes) -> Iterator[str]:  # noqa: ARG001 - as the scans of other types
    return iter(())


# --- two files in one ------------------------------------------------------------------------------------------------

_ZIP_TYPES: Final = frozenset({DOCX, XLSX, PPTX, ODT, ODS, ODP, EPUB})
_OTHER_STARTS: Final = (
    *(b"PK\x03\x04", b"MZ", b"\x7fELF", b"GIF8", b"\x89PNG", b"\xff\xd8\xff", b"Rar!", b"7z\xbc\xaf", b"\x1f\x8b"),
    *(b"#!", b"<!doctype", b"<html", b"<script", b"<svg", b"<?php", b"<?xml", b"BM", b"RIFF", b"{\\rtf"),
)
_MARKUP_IN_PICTURE: Final = re.compile(rb"<script[\s>/]|<\?php\s|<html[\s>]|%PDF-1\.\d", re.IGNORECASE)
_END_RECORD: Final = b"PK\x05\x06"


def _scan_polyglot(content: bytes, mime_type: str) -> Iterator[str]:
    if mime_type == PDF:
        front = content[: max(0, content.find(b"%PDF-"))].lstrip(b"\xef\xbb\xbf \t\r\n\x00").lower()
        if front.startswith(tuple(start.lower() for start in _OTHER_STARTS)):
            yield "polyglot"
    if mime_type in IMAGE_TYPES and _MARKUP_IN_PICTURE.search(content):
        yield "polyglot"
    if _zip_begins_at(content) not in ({None, 0} if mime_type in _ZIP_TYPES else {None}):
        yield "polyglot"
    if _is_program(content) or (mime_type in {DOC, XLS, PPT, MSG} and _DOS_STUB in content):
        yield "embedded_program"


def _zip_begins_at(content: bytes) -> int | None:
    """Where the ZIP begins that ends with the file; None where none does.

    A ZIP inside a PDF, as an attachment, is followed by the rest of the PDF: it does not end with the file.
    """
    at = content.rfind(_END_RECORD, max(0, len(content) - 65_557))
    if at < 0 or len(content) < at + 22:
        return None
    size, offset = (
        int.from_bytes(content[at + 12 : at + 16], "little"),
        int.from_bytes(content[at + 16 : at + 20], "little"),
    )
    comment = int.from_bytes(content[at + 20 : at + 22], "little")
    if at + 22 + comment != len(content) or size == 0xFFFFFFFF or offset == 0xFFFFFFFF:
        return None
    directory = at - size
    return directory - offset if directory >= 0 and content.startswith(b"PK\x01\x02", directory) else None


# --- programs --------------------------------------------------------------------------------------------------------

_DOS_STUB: Final = b"This program cannot be run in DOS mode"
_PROGRAM_NAMES: Final = re.compile(
    rb"\.(?:exe|dll|scr|com|pif|bat|cmd|ps1|psm1|vbs|vbe|jse|wsf|wsh|hta|lnk|jar|msi|msp|cpl|reg|scf|chm|elf|sh|app|apk)$",
    re.IGNORECASE,
)


def _is_program(start: bytes) -> bool:
    if start.startswith((b"\x7fELF", b"\xcf\xfa\xed\xfe", b"L\x00\x00\x00\x01\x14\x02\x00")):
        return True
    if not start.startswith(b"MZ") or len(start) < 64:
        return False
    header = int.from_bytes(start[60:64], "little")
    return start.startswith(b"PE\x00\x00", header) or _DOS_STUB in start[:4096]


# --- PDF -------------------------------------------------------------------------------------------------------------

_STREAM: Final = re.compile(rb"(?<!end)stream\r?\n")
_HEX_IN_NAME: Final = re.compile(rb"#([0-9A-Fa-f]{2})")
_PDF_NAMES: Final = (
    (re.compile(rb"/(?:JavaScript|JS)(?![A-Za-z0-9])"), "pdf.javascript"),
    (re.compile(rb"/Launch(?![A-Za-z0-9])"), "pdf.launch"),
    (re.compile(rb"/(?:SubmitForm|ImportData)(?![A-Za-z0-9])"), "pdf.submit"),
    (re.compile(rb"/(?:RichMedia|Flash)(?![A-Za-z0-9])|x-shockwave-flash"), "pdf.rich_media"),
    (re.compile(rb"/OpenAction\s*(?:<<|\d+ \d+ R)|/AA\s*(?:<<|\d+ \d+ R)"), "pdf.actions"),
    (re.compile(rb"/EmbeddedFiles?(?![A-Za-z0-9])"), "pdf.attachments"),
    (re.compile(rb"/XFA(?![A-Za-z0-9])"), "pdf.xfa"),
)
_LONGEST_DICTIONARY: Final = 4096


def _scan_pdf(content: bytes) -> Iterator[str]:
    """Looks at all that is no content of a stream, and into the streams that hold objects or attachments."""
    budget = MOST_INFLATED_BYTES
    outside, last = [], 0
    for found in _STREAM.finditer(content):
        if found.start() < last:
            continue  # a word inside the stream before
        end = content.find(b"endstream", found.end())
        end = len(content) if end < 0 else end
        outside.append(content[last : found.start()])
        dictionary = _with_plain_names(_dictionary_before(content, found.start()))
        kind = b"ObjStm" if b"/ObjStm" in dictionary else b"EmbeddedFile" if b"/EmbeddedFile" in dictionary else b""
        if kind and budget > 0:
            unpacked = _inflated(content[found.end() : end], dictionary, budget)
            budget -= len(unpacked)
            if kind == b"ObjStm":
                outside.append(unpacked)
            elif _is_program(unpacked):
                yield "embedded_program"
        last = end
    outside.append(content[last:])
    text = _with_plain_names(b"\n".join(outside))
    yield from (code for pattern, code in _PDF_NAMES if pattern.search(text))


def _dictionary_before(content: bytes, at: int) -> bytes:
    start = content.rfind(b"obj", max(0, at - _LONGEST_DICTIONARY), at)
    return content[max(start, at - _LONGEST_DICTIONARY, 0) : at]


def _with_plain_names(text: bytes) -> bytes:
    """`/J#61vaScript` is `/JavaScript`."""
    return _HEX_IN_NAME.sub(lambda found: bytes([int(found[1], 16)]), text) if b"#" in text else text


def _inflated(data: bytes, dictionary: bytes, limit: int) -> bytes:
    if b"FlateDecode" not in dictionary and b"/Fl" not in dictionary:
        return data[:limit]
    try:
        return zlib.decompressobj().decompress(data, limit)
    except zlib.error:  # encrypted, or damaged: the reader decides
        return b""


# --- ZIP containers: Office, OpenDocument, EPUB ----------------------------------------------------------------------

_RELATIONSHIP: Final = re.compile(rb"<(?:\w+:)?Relationship\b[^>]*>")
_ATTRIBUTE: Final = re.compile(rb"""\b(Type|Target|TargetMode)\s*=\s*["']([^"']*)["']""")
_INSTRUCTION: Final = re.compile(rb"<w:instrText[^>]*>([^<]*)<|w:instr=[\"']([^\"']*)[\"']")
_DDE: Final = re.compile(rb"\bDDE(?:AUTO)?\b", re.IGNORECASE)
_SPREADSHEET_DDE: Final = re.compile(
    rb"<ddeLink\b|<f[^>]*>[^<]{0,40}(?:cmd|powershell|mshta|rundll32)[^<]{0,20}\|", re.IGNORECASE
)
_ENTITY: Final = re.compile(rb"<!ENTITY", re.IGNORECASE)
_DOCTYPE: Final = re.compile(rb"<!DOCTYPE", re.IGNORECASE)
_MARKUP_SUFFIXES: Final = (".xml", ".rels", ".xhtml", ".html", ".htm", ".opf", ".ncx", ".svg", ".vml", ".rdf")
_REMOTE: Final = (b"http:", b"https:", b"ftp:", b"\\\\", b"file://///", b"mhtml:", b"//")


def _scan_zip(content: bytes) -> Iterator[str]:
    try:
        with zipfile.ZipFile(BytesIO(content)) as container:
            for member in container.infolist():
                yield from _scan_member(member.filename, _member(container, member))
    except (zipfile.BadZipFile, zlib.error, EOFError, NotImplementedError, OSError, RuntimeError, ValueError) as error:
        raise DamagedDocumentError(reason=str(error)) from error


def _member(container: zipfile.ZipFile, member: zipfile.ZipInfo) -> bytes:
    with container.open(member) as stream:
        return stream.read(MOST_MEMBER_BYTES)


def _scan_member(name: str, content: bytes) -> Iterator[str]:
    lower = name.lower().replace("\\", "/")
    if lower.startswith("/") or ".." in lower.split("/") or re.match(r"[a-z]:/", lower):
        yield "office.odd_member"
    if _is_program(content) or _PROGRAM_NAMES.search(lower.encode("utf-8", "replace")):
        yield "embedded_program"
    if lower.endswith("vbaproject.bin") or re.match(r"(?:basic|scripts)/.+\.(?:xml|py|js|bsh|java)$", lower):
        yield "office.macros"
    if "/activex" in lower:
        yield "office.embedded_object"
    if lower.endswith(_MARKUP_SUFFIXES):
        yield from _scan_markup_member(lower, content.replace(b"\x00", b""))  # UTF-16 too
    elif content.startswith(compound_file.MAGIC) and not lower.endswith("vbaproject.bin"):
        yield from _scan_embedded_object(content)


def _scan_markup_member(name: str, content: bytes) -> Iterator[str]:
    is_office = name.startswith(("word/", "xl/", "ppt/", "[content_types]", "_rels/"))
    if _ENTITY.search(content) or (is_office and _DOCTYPE.search(content)):
        yield "xml.entities"
    if name.endswith(".rels"):
        yield from filter(None, map(_relationship, _RELATIONSHIP.findall(content)))
    if b"instr" in content and _DDE.search(b"".join(b"".join(parts) for parts in _INSTRUCTION.findall(content))):
        yield "office.dde"
    if name.startswith("xl/") and _SPREADSHEET_DDE.search(content):
        yield "office.dde"
    if b"<w:vanish/>" in content or b'<w:vanish w:val="1"' in content or b'<w:vanish w:val="true"' in content:
        yield "office.hidden_text"
    if name.endswith((".xhtml", ".html", ".htm", ".svg")):
        yield from _scan_markup(content.decode("utf-8", errors="replace"))


def _relationship(element: bytes) -> str | None:
    """What a reference to something outside does when the document is opened. A hyperlink waits for a click."""
    parts = dict(_ATTRIBUTE.findall(element))
    target = parts.get(b"Target", b"").strip().lower()
    kind = parts.get(b"Type", b"").rsplit(b"/", 1)[-1].lower()
    if parts.get(b"TargetMode", b"").lower() != b"external" or kind == b"hyperlink":
        return None
    if not target.startswith(_REMOTE):
        return (
            "office.external_link" if kind in {b"externallinkpath", b"image"} else None
        )  # a path of the writer's disk
    if kind == b"attachedtemplate":
        return "office.external_template"
    return "office.external_object" if kind in {b"oleobject", b"frame", b"subdocument"} else "office.external_link"


def _scan_embedded_object(content: bytes) -> Iterator[str]:
    """An embedded object of the old kind; a "package" is any file at all, with its name."""
    if _DOS_STUB in content or re.search(_PROGRAM_NAMES.pattern[:-1] + rb"\x00", content, re.IGNORECASE):
        yield "embedded_program"
    yield "office.embedded_object"


# --- the formats before 2007, RTF, mail ------------------------------------------------------------------------------

_MACRO_ENTRIES: Final = frozenset({"Macros", "VBA", "_VBA_PROJECT", "_VBA_PROJECT_CUR"})
_RTF_OBJECT: Final = re.compile(rb"\\objdata\b([\s0-9A-Fa-f]{16,})")
_MAIL_ATTACHMENT: Final = re.compile(rb"name\*?=\s*\"?([^\"\r\n;]{1,255})", re.IGNORECASE)
_PROGRAM_IN_BASE64: Final = re.compile(rb"^(?:TVqQAAMAAAAE|TVoAAAAAAAAA|f0VMRg)", re.MULTILINE)


def _scan_compound_file(content: bytes) -> Iterator[str]:
    try:
        names = compound_file.list_entries(BytesIO(content))
    except BrokenCompoundFileError as error:
        raise DamagedDocumentError from error
    if names & _MACRO_ENTRIES:
        yield "office.macros"
    if "\x01Ole10Native" in names:
        yield "office.embedded_object"


def _scan_rtf(content: bytes) -> Iterator[str]:
    for found in _RTF_OBJECT.finditer(content):
        digits = re.sub(rb"\s", b"", found[1])[: 2 * MOST_MEMBER_BYTES]
        data = bytes.fromhex(digits[: len(digits) // 2 * 2].decode("ascii"))
        yield "embedded_program" if _DOS_STUB in data else "office.embedded_object"
    if re.search(rb"\\obj(?:autlink|update)\b", content):
        yield "office.external_object"
    if re.search(rb"\\\*\\template\s+(?:https?:|\\\\\\\\)", content):
        yield "office.external_template"
    if re.search(rb"\\fldinst[^}]{0,200}\bDDE(?:AUTO)?\b", content, re.IGNORECASE):
        yield "office.dde"


def _scan_mail(content: bytes) -> Iterator[str]:
    names = (found[1].strip() for found in _MAIL_ATTACHMENT.finditer(content))
    if _PROGRAM_IN_BASE64.search(content) or any(map(_PROGRAM_NAMES.search, names)):
        yield "embedded_program"


# --- markup and tables -----------------------------------------------------------------------------------------------

_INTERNAL_SUBSET: Final = re.compile(r"<!DOCTYPE[^>\[]*\[|<!ENTITY", re.IGNORECASE)
_PROLOGUE_END: Final = re.compile(r"<[A-Za-z]")
_SCRIPT: Final = re.compile(r"<(?:\w+:)?script\b([^>]*)", re.IGNORECASE)
_DATA_SCRIPT: Final = re.compile(
    r"type\s*=\s*[\"']?(?:application/(?:ld\+)?json|text/(?:x-)?template|importmap|speculationrules)", re.IGNORECASE
)
_EVENT_HANDLER: Final = re.compile(r"<[A-Za-z][^<>]*[\s/\"']on[a-z]{3,24}\s*=", re.IGNORECASE)
_SCRIPT_LINK: Final = re.compile(
    r"(?:href|src|action|formaction|data|to|values|content)\s*=\s*[\"']?[^\"'<>]{0,40}?"
    r"(?:j\s*a\s*v\s*a\s*s\s*c\s*r\s*i\s*p\s*t|v\s*b\s*s\s*c\s*r\s*i\s*p\s*t)\s*:|=\s*[\"']?\s*data:text/html",
    re.IGNORECASE,
)
_FRAME: Final = re.compile(r"<(?:iframe|frame|object|embed|applet|portal)\b", re.IGNORECASE)
_WINDOW: Final = 262_144  # characters: some 10 ms
_WINDOW_OVERLAP: Final = 4096
_LARGEST_PARSED: Final = 4 * MIB  # of markup looked at for entities in links and for hidden text: 1 s
_FORMULA: Final = re.compile(r"(?:^|[,;\t])[ ]*\"?(?:[=@]|[+-](?![\s\d.,]|$))[^\s,;\"]", re.MULTILINE)


def _scan_page(content: bytes) -> Iterator[str]:
    try:
        declared = re.search(rb"charset\s*=\s*[\"']?\s*([A-Za-z0-9_.:-]{2,40})", content[:4096], re.IGNORECASE)
        text = decode_text(content, declared=declared[1].decode("ascii") if declared else None).text
    except BinaryContentError as error:
        raise DamagedDocumentError("This page holds binary data.") from error
    yield from _scan_markup(text)
    if len(text) <= _LARGEST_PARSED and count_hidden_characters(text):
        yield "html.hidden_text"


def _scan_markup(text: str) -> Iterator[str]:
    root = _PROLOGUE_END.search(text)
    if _INTERNAL_SUBSET.search(text, 0, root.start() if root else len(text)):
        yield "xml.entities"
    if any(not _DATA_SCRIPT.search(found[1]) for found in _matches(_SCRIPT, text)):
        yield "html.script"
    if any(_matches(_EVENT_HANDLER, text)):
        yield "html.event_handler"
    if any(_matches(_SCRIPT_LINK, html.unescape(text) if len(text) <= _LARGEST_PARSED else text)):
        yield "html.script_link"
    if any(_matches(_FRAME, text)):
        yield "html.frame"


def _matches(pattern: re.Pattern[str], text: str) -> Iterator[re.Match[str]]:
    """All matches, window by window: a search holds Python's lock, and the API answers others between two of them."""
    for start in range(0, len(text), _WINDOW):
        if found := pattern.search(text, start, start + _WINDOW + _WINDOW_OVERLAP):
            yield found
            yield from pattern.finditer(text, found.end(), start + _WINDOW + _WINDOW_OVERLAP)


def _scan_table(content: bytes) -> Iterator[str]:
    try:
        text = decode_text(content).text
    except BinaryContentError as error:
        raise DamagedDocumentError("This table holds binary data.") from error
    if any(_matches(_FORMULA, text)):
        yield "csv.formula"


_SCANS: Final[dict[str, Callable[[bytes], Iterator[str]]]] = {
    PDF: _scan_pdf,
    **dict.fromkeys(_ZIP_TYPES, _scan_zip),
    **dict.fromkeys((DOC, XLS, PPT, MSG), _scan_compound_file),
    RTF: _scan_rtf,
    EML: _scan_mail,
    HTML: _scan_page,
    SVG: _scan_page,
    "text/csv": _scan_table,
    "text/tab-separated-values": _scan_table,
}
