"""First stop of the document path: decides from the content of an upload, not its name, whether to take it in.

Cheap by design: it reads the head of a file; of a ZIP container it inflates every member once, in small pieces and
with a bound (a 300 MiB member takes 0.2 s until the bound stops it), because the sizes that a ZIP states may lie.
"""

from __future__ import annotations

import mmap
import re
import zipfile
import zlib
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from io import BytesIO
from pathlib import Path
from typing import IO, Final

from dragoman.ingestion.errors import (
    DamagedDocumentError,
    DecompressionBombError,
    DocumentTooLargeError,
    EmptyDocumentError,
    MismatchedDocumentTypeError,
    NoTextFoundError,
    UnsupportedDocumentTypeError,
)
from dragoman.kit.text.decoding import BinaryContentError, decode_text
from dragoman.ports.extractor import EncryptedDocumentError, ExtractedDocument

MIB: Final = 1024 * 1024
HEAD_BYTES: Final = 65_536
PIECE_BYTES: Final = 65_536
LONGEST_DIRECTORY_BYTES: Final = 4 * MIB  # of a ZIP: read whole by zipfile, about 60 MiB once parsed

PDF: Final = "application/pdf"
HTML: Final = "text/html"
PLAIN: Final = "text/plain"
_OFFICE: Final = "application/vnd.openxmlformats-officedocument"
DOCX: Final = f"{_OFFICE}.wordprocessingml.document"
XLSX: Final = f"{_OFFICE}.spreadsheetml.sheet"
PPTX: Final = f"{_OFFICE}.presentationml.presentation"
ODT: Final = "application/vnd.oasis.opendocument.text"
ODS: Final = "application/vnd.oasis.opendocument.spreadsheet"
EPUB: Final = "application/epub+zip"
RTF: Final = "application/rtf"
EML: Final = "message/rfc822"

TYPES_BY_SUFFIX: Final = {
    ".pdf": PDF,
    ".docx": DOCX,
    ".docm": DOCX,
    ".xlsx": XLSX,
    ".xlsm": XLSX,
    ".pptx": PPTX,
    ".odt": ODT,
    ".ods": ODS,
    ".epub": EPUB,
    ".rtf": RTF,
    ".eml": EML,
    ".html": HTML,
    ".htm": HTML,
    ".xhtml": HTML,
    ".txt": PLAIN,
    ".text": PLAIN,
    ".log": PLAIN,
    ".md": "text/markdown",
    ".markdown": "text/markdown",
    ".csv": "text/csv",
    ".tsv": "text/tab-separated-values",
    ".tab": "text/tab-separated-values",
    ".json": "application/json",
    ".jsonl": "application/x-ndjson",
    ".ndjson": "application/x-ndjson",
}
NAMES_BY_TYPE: Final = {
    PDF: "PDF",
    DOCX: "Word (DOCX)",
    XLSX: "Excel (XLSX)",
    PPTX: "PowerPoint (PPTX)",
    ODT: "OpenDocument text",
    ODS: "OpenDocument table",
    EPUB: "EPUB",
    RTF: "RTF",
    EML: "mail (EML)",
    HTML: "HTML",
    PLAIN: "plain text",
    "text/markdown": "Markdown",
    "text/csv": "CSV",
    "text/tab-separated-values": "TSV",
    "application/json": "JSON",
    "application/x-ndjson": "JSON lines",
}
_TEXT_TYPES: Final = frozenset(
    {
        PLAIN,
        HTML,
        EML,
        "text/markdown",
        "text/csv",
        "text/tab-separated-values",
        "application/json",
        "application/x-ndjson",
    }
)
_IMAGE_SUFFIXES: Final = frozenset(
    {".png", ".jpg", ".jpeg", ".gif", ".bmp", ".tif", ".tiff", ".webp", ".heic", ".avif"}
)


@dataclass(frozen=True, slots=True, kw_only=True)
class UploadLimits:
    """What is accepted.

    Attributes:
        max_size_mib: of the file as uploaded.
        max_unpacked_bytes: of all members of a ZIP container together, embedded documents included.
        max_ratio: of unpacked to packed size, applied from `ratio_applies_above_bytes` unpacked on.
        max_members: of a ZIP container.
        accepted: MIME types; by default all that can be read.
    """

    max_size_mib: int = 25
    max_unpacked_bytes: int = 200 * MIB
    max_ratio: int = 200
    ratio_applies_above_bytes: int = 10 * MIB
    max_members: int = 10_000
    accepted: frozenset[str] = field(default_factory=lambda: frozenset(NAMES_BY_TYPE))


@dataclass(frozen=True, slots=True, kw_only=True)
class InspectedUpload:
    """An upload that may be taken in.

    Attributes:
        mime_type: by content, refined by the name where content leaves a choice (Markdown, CSV, plain text).
        may_be_encrypted: a PDF that mentions encryption; only reading it tells whether it asks for a password.
    """

    mime_type: str
    size_bytes: int
    may_be_encrypted: bool = False


def inspect_upload(
    path: Path, *, file_name: str, declared_mime_type: str | None, limits: UploadLimits
) -> InspectedUpload:
    """Finds the true type of a file and refuses what cannot or must not be read.

    Blocking, at most some 0.3 s; call it in a thread.

    Args:
        path: Where the upload lies.
        file_name: As the uploader named it; only its suffix is used, and it is never opened.
        declared_mime_type: As the client stated it; used where the name has no suffix.

    Raises:
        EmptyDocumentError, DocumentTooLargeError, UnsupportedDocumentTypeError, MismatchedDocumentTypeError,
        DamagedDocumentError, EncryptedDocumentError, DecompressionBombError, NoTextFoundError.
    """
    size = path.stat().st_size
    if size > limits.max_size_mib * MIB:
        raise DocumentTooLargeError(
            f"The file has {size / MIB:.1f} MiB; at most {limits.max_size_mib} MiB are accepted. "
            "Split it, or raise the chatbot setting `max_size_mib`.",
            size_bytes=size,
        )
    with path.open("rb") as file:
        head = file.read(HEAD_BYTES)
        if not head.strip(b" \t\r\n\x00\xef\xbb\xbf"):
            raise EmptyDocumentError(file_name=file_name)
        expected = _expected_type(file_name, declared_mime_type)
        found = _container_type(file, head, limits) or _text_type(head, expected, size)
        _require_readable(found, expected, file_name, limits)
        if found in {DOCX, XLSX, PPTX, ODT, ODS, EPUB}:
            _inflate_all(file, limits)
        encrypted = found == PDF and _pdf_mentions_encryption(file)
    return InspectedUpload(mime_type=found, size_bytes=size, may_be_encrypted=encrypted)


def require_text(document: ExtractedDocument) -> None:
    """Refuses a document in which nothing can be read: a scan without a text layer, most often.

    Raises:
        NoTextFoundError
    """
    if not any(character.isalnum() for page in document.pages for character in page.markdown):
        raise NoTextFoundError(pages=len(document.pages))


def _expected_type(file_name: str, declared: str | None) -> str | None:
    suffix = _suffix(file_name)
    if suffix:
        return "image/*" if suffix in _IMAGE_SUFFIXES else TYPES_BY_SUFFIX.get(suffix)
    plain = (declared or "").split(";")[0].strip().lower()
    return plain if plain in NAMES_BY_TYPE else None


def _suffix(file_name: str) -> str:
    return Path(file_name.replace("\\", "/")).suffix.lower()


def _require_readable(found: str, expected: str | None, file_name: str, limits: UploadLimits) -> None:
    """Says what was found and what is accepted, or that the name states something else."""
    known = expected in NAMES_BY_TYPE
    if known and found != expected and not (found == PLAIN and expected in _TEXT_TYPES):
        raise MismatchedDocumentTypeError(
            f"{file_name} is named like {NAMES_BY_TYPE[expected or '']}, but its content is {_name(found)}. "
            "Give it its true extension, or upload the right file.",
            found=found,
        )
    if found.startswith("image/") and found != "image/svg+xml":
        raise NoTextFoundError(found=found)
    if found not in limits.accepted:
        accepted = ", ".join(sorted(NAMES_BY_TYPE.get(kind, kind) for kind in limits.accepted))
        raise UnsupportedDocumentTypeError(
            f"This is {_name(found)}, which cannot be read. Accepted are: {accepted}.", found=found
        )


def _name(mime_type: str) -> str:
    return NAMES_BY_TYPE.get(mime_type) or _OTHER_NAMES.get(mime_type, mime_type)


# --- what the first bytes say ----------------------------------------------------------------------------------------

_MAGIC: Final = (
    (b"{\\rtf", RTF),
    (b"\x89PNG\r\n\x1a\n", "image/png"),
    (b"\xff\xd8\xff", "image/jpeg"),
    (b"GIF87a", "image/gif"),
    (b"GIF89a", "image/gif"),
    (b"II*\x00", "image/tiff"),
    (b"MM\x00*", "image/tiff"),
    (b"MZ", "application/vnd.microsoft.portable-executable"),
    (b"\x7fELF", "application/x-elf"),
    (b"\x1f\x8b", "application/gzip"),
    (b"7z\xbc\xaf\x27\x1c", "application/x-7z-compressed"),
    (b"Rar!\x1a\x07", "application/vnd.rar"),
    (b"BZh", "application/x-bzip2"),
    (b"\xfd7zXZ\x00", "application/x-xz"),
    (b"\x28\xb5\x2f\xfd", "application/zstd"),
    (b"OggS", "audio/ogg"),
    (b"ID3", "audio/mpeg"),
    (b"SQLite format 3\x00", "application/vnd.sqlite3"),
    (b"%!PS", "application/postscript"),
)
_CONTROL_BYTES: Final = re.compile(rb"[\x00-\x08\x0e-\x1f\x7f]")
_OTHER_NAMES: Final = {
    "application/zip": "a ZIP archive",
    "application/gzip": "a gzip archive",
    "application/x-7z-compressed": "a 7-Zip archive",
    "application/vnd.rar": "a RAR archive",
    "application/vnd.microsoft.portable-executable": "a Windows program",
    "application/x-elf": "a program",
    "application/x-ole-storage": "an Office document of the format before 2007 (save it as DOCX, XLSX or PPTX)",
    "application/octet-stream": "binary data of an unknown kind",
    "application/xml": "XML",
    "image/svg+xml": "an SVG drawing",
    "image/png": "a PNG picture",
    "image/jpeg": "a JPEG picture",
}
_OLE: Final = b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1"


def _container_type(file: IO[bytes], head: bytes, limits: UploadLimits) -> str | None:
    """The type that a signature tells; None where there is none, so that the file may be text."""
    if b"%PDF-" in head[:1024]:
        _require_whole_pdf(file)
        return PDF
    if head.startswith((b"PK\x03\x04", b"PK\x05\x06")):
        return _zip_type(file, limits)
    if head.startswith(_OLE):
        return _ole_type(file)
    if head[:4] == b"RIFF" and head[8:12] == b"WEBP":
        return "image/webp"
    if head[4:12] in {b"ftypheic", b"ftypmif1", b"ftypavif", b"ftypheix"}:
        return "image/heic"
    if head[:2] == b"BM" and len(head) > 14 and head[6:10] == b"\0\0\0\0":
        return "image/bmp"
    found = next((kind for magic, kind in _MAGIC if head.startswith(magic)), None)
    if found and found != RTF and head[:64].isascii() and not _CONTROL_BYTES.search(head[:256]):
        return None  # "MZ" and "ID3" also begin texts
    return found


def _require_whole_pdf(file: IO[bytes]) -> None:
    """A PDF that was cut before its first cross-reference has none; all others are left to the reader to mend."""
    with mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ) as content:
        if content.rfind(b"startxref") < 0 and content.rfind(b"%%EOF") < 0:
            raise DamagedDocumentError("This PDF is damaged or was cut off: its table of contents is missing.")


def _pdf_mentions_encryption(file: IO[bytes]) -> bool:
    with mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ) as content:
        return content.find(b"/Encrypt") >= 0


def _ole_type(file: IO[bytes]) -> str:
    """Office encrypts a document by wrapping it in the container of its old formats."""
    with mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ) as content:
        if content.find("EncryptedPackage".encode("utf-16-le")) >= 0:
            raise EncryptedDocumentError
    return "application/x-ole-storage"


# --- text ------------------------------------------------------------------------------------------------------------

_HTML_STARTS: Final = ("<!doctype html", "<html", "<head", "<body")
_MAIL_FIELDS: Final = frozenset(
    [
        "from",
        "to",
        "subject",
        "date",
        "received",
        "mime-version",
        "return-path",
        "message-id",
        "delivered-to",
        "reply-to",
        "content-type",
        "x-mailer",
    ]
)


def _text_type(head: bytes, expected: str | None, size: int) -> str:
    try:
        text = decode_text(head).text.lstrip()
    except BinaryContentError:
        return "application/octet-stream"
    if not text.strip("\ufeff \t\r\n"):
        raise EmptyDocumentError
    markup = _markup_type(text)
    if markup and not (markup == HTML and expected in {PLAIN, "text/markdown"}):
        return markup
    if expected in {"application/json", "application/x-ndjson"}:
        return expected if text[:1] in '{["' or (size <= PIECE_BYTES and text[:1].isalnum()) else _not_json(text)
    if expected == EML or expected is None:
        return EML if _is_mail(text) else PLAIN
    return expected if expected in _TEXT_TYPES else PLAIN


def _markup_type(text: str) -> str | None:
    start = text[:4096].lower()
    if start.startswith(("<?xml", "<!doctype")):
        opened = start[:2048]
        if "<html" in opened or "doctype html" in opened:
            return HTML
        return "image/svg+xml" if "<svg" in opened else "application/xml"
    if start.startswith("<svg"):
        return "image/svg+xml"
    return HTML if start.startswith(_HTML_STARTS) else None


def _not_json(text: str) -> str:
    raise MismatchedDocumentTypeError(
        f"The file is named like JSON, but it begins with {text[:20]!r}. Give it its true extension.", found=PLAIN
    )


def _is_mail(text: str) -> bool:
    """At least two fields of a mail head, one of them known, before the first blank line."""
    lines = text.replace("\r\n", "\n").split("\n\n")[0].split("\n")
    names = [line.partition(":")[0].lower() for line in lines if ":" in line and not line[:1].isspace()]
    return len(_MAIL_FIELDS.intersection(names)) >= 2


# --- ZIP containers --------------------------------------------------------------------------------------------------

_PARTS: Final = (("word/document", DOCX), ("xl/workbook", XLSX), ("ppt/presentation", PPTX))
_BY_MIMETYPE_MEMBER: Final = {ODT.encode(): ODT, ODS.encode(): ODS, EPUB.encode(): EPUB}
_END_RECORD: Final = b"PK\x05\x06"
_ARCHIVES: Final = (b"\x1f\x8b", b"7z\xbc\xaf\x27\x1c", b"Rar!\x1a\x07", b"BZh9", b"\xfd7zXZ\x00", b"\x28\xb5\x2f\xfd")
_ENCRYPTED_FLAG: Final = 0x1


def _zip_type(file: IO[bytes], limits: UploadLimits) -> str:
    with _opened_zip(file, limits) as container:
        names = set(container.namelist())
        if "[Content_Types].xml" in names:
            return next((kind for part, kind in _PARTS if _has_part(names, part)), "application/zip")
        if "mimetype" not in names:
            return "application/zip"
        stated = b"".join(_pieces(container, container.getinfo("mimetype"), limit=200)).strip()
        if "META-INF/manifest.xml" in names and stated.startswith(b"application/vnd.oasis"):
            _refuse_encrypted_opendocument(container)
        return _BY_MIMETYPE_MEMBER.get(stated) or (stated.decode("ascii", errors="replace") or "application/zip")


def _has_part(names: set[str], part: str) -> bool:
    """Some writers number the main part: `word/document2.xml`."""
    return any(name.startswith(part) and name.endswith(".xml") for name in names)


def _refuse_encrypted_opendocument(container: zipfile.ZipFile) -> None:
    manifest = b"".join(_pieces(container, container.getinfo("META-INF/manifest.xml"), limit=4 * MIB))
    if b"encryption-data" in manifest:
        raise EncryptedDocumentError


def _opened_zip(file: IO[bytes], limits: UploadLimits) -> zipfile.ZipFile:
    _refuse_long_directory(file, limits)
    file.seek(0)
    try:
        return zipfile.ZipFile(file)
    except (zipfile.BadZipFile, OSError, ValueError) as error:
        raise DamagedDocumentError(reason=str(error)) from error


def _refuse_long_directory(file: IO[bytes], limits: UploadLimits) -> None:
    """Looks at the end record first: zipfile would read a directory of any length into memory."""
    size = file.seek(0, 2)
    file.seek(max(0, size - 65_557))  # the longest end record with its comment
    tail = file.read()
    at = tail.rfind(_END_RECORD)
    if at < 0 or len(tail) < at + 20:
        raise DamagedDocumentError("The file is damaged or was cut off: the directory at its end is missing.")
    members, length = (
        int.from_bytes(tail[at + 10 : at + 12], "little"),
        int.from_bytes(tail[at + 12 : at + 16], "little"),
    )
    if members > limits.max_members or length > LONGEST_DIRECTORY_BYTES:
        raise DecompressionBombError(members=members)


def _inflate_all(file: IO[bytes], limits: UploadLimits) -> None:
    budget = _Budget(limits, packed=file.seek(0, 2))
    with _opened_zip(file, limits) as container:
        _inflate(container, budget, limits, depth=0)


class _Budget:
    """Counts what was unpacked, over all levels of embedding, and stops at the bound."""

    def __init__(self, limits: UploadLimits, *, packed: int) -> None:
        self._limits, self._packed, self._unpacked = limits, max(packed, 1), 0

    def spend(self, size: int) -> None:
        self._unpacked += size
        too_much = self._unpacked > self._limits.max_unpacked_bytes
        too_dense = (
            self._unpacked > self._limits.ratio_applies_above_bytes
            and self._unpacked > self._packed * self._limits.max_ratio
        )
        if too_much or too_dense:
            raise DecompressionBombError(unpacked_bytes=self._unpacked)


def _inflate(container: zipfile.ZipFile, budget: _Budget, limits: UploadLimits, *, depth: int) -> None:
    for member in _members(container, limits):
        embedded = BytesIO()
        for at, piece in enumerate(_pieces(container, member)):
            budget.spend(len(piece))
            if at == 0:
                _refuse_active_member(member, piece)
            if embedded.tell() or (at == 0 and piece.startswith(b"PK\x03\x04")):
                embedded.write(piece)
        if embedded.tell():  # a table behind a chart, for example
            if depth:
                raise DecompressionBombError("The file holds documents inside documents inside documents.")
            with _opened_zip(embedded, limits) as inner:
                if "[Content_Types].xml" not in inner.namelist():
                    raise DecompressionBombError("The file holds an archive inside. Save it without embedded files.")
                _inflate(inner, budget, limits, depth=depth + 1)


def _members(container: zipfile.ZipFile, limits: UploadLimits) -> Sequence[zipfile.ZipInfo]:
    members = container.infolist()
    if len(members) > limits.max_members:
        raise DecompressionBombError(members=len(members))
    if any(member.flag_bits & _ENCRYPTED_FLAG for member in members):
        raise EncryptedDocumentError
    return members


def _refuse_active_member(member: zipfile.ZipInfo, start: bytes) -> None:
    """No office program writes a document type definition into its XML; entities come from it."""
    if start.startswith(_ARCHIVES):
        raise DecompressionBombError("The file holds an archive inside. Save it without embedded files.")
    if member.filename.startswith(("word/", "xl/", "ppt/", "[Content_Types]")) and member.filename.endswith(".xml"):
        text = start.replace(b"\0", b"")  # UTF-16 too
        if b"<!DOCTYPE" in text or b"<!ENTITY" in text:
            raise DamagedDocumentError("The document defines entities in its XML, which no office program does.")


def _pieces(container: zipfile.ZipFile, member: zipfile.ZipInfo, limit: int | None = None) -> Iterator[bytes]:
    left = limit
    try:
        with container.open(member) as stream:
            while piece := stream.read(PIECE_BYTES if left is None else min(left, PIECE_BYTES)):
                yield piece
                left = None if left is None else left - len(piece)
    except (zipfile.BadZipFile, zlib.error, EOFError, NotImplementedError, OSError, RuntimeError) as error:
        raise DamagedDocumentError(reason=str(error)) from error
