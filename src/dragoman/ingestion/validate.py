"""First stop of the document path: decides from the content of an upload, not its name, whether to take it in.

Cheap by design: it reads the head of a file; of a ZIP container it inflates every member once, in small pieces and
with a bound (a 300 MiB member takes 0.2 s until the bound stops it), because the sizes that a ZIP states may lie.
"""

from __future__ import annotations

import errno
import hashlib
import mmap
import os
import re
import tempfile
import unicodedata
import zipfile
import zlib
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator, Sequence
from contextlib import asynccontextmanager, contextmanager
from dataclasses import dataclass, field
from io import BytesIO
from pathlib import Path
from typing import IO, Final

import anyio

from dragoman.ingestion import compound_file
from dragoman.ingestion.compound_file import BrokenCompoundFileError
from dragoman.ingestion.errors import (
    DamagedDocumentError,
    DecompressionBombError,
    DocumentTooLargeError,
    EmptyDocumentError,
    MismatchedDocumentTypeError,
    NoTextFoundError,
    UnsafeDocumentError,
    UnsupportedDocumentTypeError,
    UploadStorageFullError,
)
from dragoman.ingestion.picture_header import BrokenPictureError, picture_size
from dragoman.ingestion.reading import IMAGE_TYPES
from dragoman.kit.text.decoding import BinaryContentError, decode_text
from dragoman.ports.extractor import EncryptedDocumentError, ExtractedDocument

MIB: Final = 1024 * 1024
HEAD_BYTES: Final = 65_536
PIECE_BYTES: Final = 65_536
SPOOL_PIECE_BYTES: Final = 1 * MIB
IN_MEMORY_BYTES: Final = MIB // 8  # larger uploads wait on disk: the 200 files of one request take 25 MiB at most
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
ODP: Final = "application/vnd.oasis.opendocument.presentation"
EPUB: Final = "application/epub+zip"
RTF: Final = "application/rtf"
EML: Final = "message/rfc822"
MSG: Final = "application/vnd.ms-outlook"
SVG: Final = "image/svg+xml"
DOC: Final = "application/msword"
XLS: Final = "application/vnd.ms-excel"
PPT: Final = "application/vnd.ms-powerpoint"

TYPES_BY_SUFFIX: Final = {
    ".pdf": PDF,
    ".docx": DOCX,
    ".docm": DOCX,
    ".xlsx": XLSX,
    ".xlsm": XLSX,
    ".pptx": PPTX,
    ".pptm": PPTX,
    ".ppsx": PPTX,
    ".doc": DOC,
    ".xls": XLS,
    ".ppt": PPT,
    ".odt": ODT,
    ".ods": ODS,
    ".odp": ODP,
    ".epub": EPUB,
    ".rtf": RTF,
    ".eml": EML,
    ".msg": MSG,
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
    ".svg": SVG,
    ".png": "image/png",
    ".jpg": "image/jpeg",
    ".jpeg": "image/jpeg",
    ".jfif": "image/jpeg",
    ".gif": "image/gif",
    ".webp": "image/webp",
    ".tif": "image/tiff",
    ".tiff": "image/tiff",
    ".bmp": "image/bmp",
}
NAMES_BY_TYPE: Final = {
    PDF: "PDF",
    DOCX: "Word (DOCX)",
    XLSX: "Excel (XLSX)",
    PPTX: "PowerPoint (PPTX)",
    ODT: "OpenDocument text",
    ODS: "OpenDocument table",
    ODP: "OpenDocument presentation",
    EPUB: "EPUB",
    RTF: "RTF",
    EML: "mail (EML)",
    MSG: "Outlook mail (MSG)",
    HTML: "HTML",
    PLAIN: "plain text",
    "text/markdown": "Markdown",
    "text/csv": "CSV",
    "text/tab-separated-values": "TSV",
    "application/json": "JSON",
    "application/x-ndjson": "JSON lines",
    SVG: "SVG drawing",
    "image/png": "PNG picture",
    "image/jpeg": "JPEG picture",
    "image/gif": "GIF picture",
    "image/webp": "WEBP picture",
    "image/tiff": "TIFF picture",
    "image/bmp": "BMP picture",
    DOC: "Word before 2007 (DOC)",
    XLS: "Excel before 2007 (XLS)",
    PPT: "PowerPoint before 2007 (PPT)",
}
LEGACY_TYPES: Final = frozenset({DOC, XLS, PPT})  # accepted only where an extractor reads them
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


@dataclass(frozen=True, slots=True, kw_only=True)
class UploadLimits:
    """What is accepted.

    Attributes:
        max_size_mib: of the file as uploaded.
        max_unpacked_bytes: of all members of a ZIP container together, embedded documents included.
        max_ratio: of unpacked to packed size, applied from `ratio_applies_above_bytes` unpacked on.
        max_members: of a ZIP container.
        max_pixels: of a picture (of its first page).
        accepted: MIME types; those that can be read.
    """

    max_size_mib: int = 25
    max_unpacked_bytes: int = 200 * MIB
    max_ratio: int = 200
    ratio_applies_above_bytes: int = 10 * MIB
    max_members: int = 10_000
    max_pixels: int = 100_000_000
    accepted: frozenset[str] = field(default_factory=lambda: frozenset(NAMES_BY_TYPE) - LEGACY_TYPES)


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
    content: Path | bytes, *, file_name: str, declared_mime_type: str | None, limits: UploadLimits
) -> InspectedUpload:
    """Finds the true type of a file and refuses what cannot or must not be read.

    Blocking, at most some 0.3 s; call it in a thread.

    Args:
        content: The upload, or where it lies.
        file_name: As the uploader named it; only its suffix is used, and it is never opened.
        declared_mime_type: As the client stated it; used where the name has no suffix.

    Raises:
        EmptyDocumentError, DocumentTooLargeError, UnsupportedDocumentTypeError, MismatchedDocumentTypeError,
        DamagedDocumentError, EncryptedDocumentError, DecompressionBombError, NoTextFoundError.
    """
    size = len(content) if isinstance(content, bytes) else content.stat().st_size
    if size > limits.max_size_mib * MIB:
        raise _too_large(f"The file has {size / MIB:.1f} MiB", limits.max_size_mib * MIB)
    with BytesIO(content) if isinstance(content, bytes) else content.open("rb") as file:
        head = file.read(HEAD_BYTES)
        if not head.strip(b" \t\r\n\x00\xef\xbb\xbf"):
            raise EmptyDocumentError(file_name=file_name)
        expected = _expected_type(file_name, declared_mime_type)
        found = _container_type(file, head, limits) or _text_type(head, expected, size)
        _require_readable(found, expected, file_name, limits)
        if found in _ZIP_TYPES:
            _inflate_all(file, limits)
        if found in IMAGE_TYPES:
            _require_paintable(file, found, limits)
        encrypted = found == PDF and _mentions(file, b"/Encrypt")
    return InspectedUpload(mime_type=found, size_bytes=size, may_be_encrypted=encrypted)


# --- taking it off the wire ------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True, kw_only=True)
class SpooledUpload:
    """An upload, for as long as its context is open: in memory where it is small, else in a file.

    Attributes:
        content: The upload itself; None: it lies at `path`.
        path: None where it is in memory.
        sha256: Of the content, in hexadecimal, counted on the way to the disk; None where it is in memory.
    """

    size_bytes: int
    content: bytes | None = None
    path: Path | None = None
    sha256: str | None = None


@asynccontextmanager
async def spool_upload(
    read: Callable[[int], Awaitable[bytes]], directory: Path, *, max_bytes: int
) -> AsyncIterator[SpooledUpload]:
    """Keeps up to `IN_MEMORY_BYTES` of an upload in memory; writes a larger one to disk piece by piece.

    The file is removed in the end, whatever happens.

    Args:
        read: Gives at most so many bytes as it is asked for; none at the end.
        directory: Where the file lies, under a name of its own.
        max_bytes: Nothing beyond the piece that leads over it is read.

    Raises:
        DocumentTooLargeError: it is longer than `max_bytes`.
        UploadStorageFullError: the disk is full.
    """
    pieces = _pieces_up_to(max_bytes, read)
    held, size = [], 0
    async for piece in pieces:
        held.append(piece)
        size += len(piece)
        if size > IN_MEMORY_BYTES:
            break
    else:
        yield SpooledUpload(size_bytes=size, content=b"".join(held))
        return
    async with _written(_joined(held, pieces), directory) as upload:
        yield upload


@asynccontextmanager
async def upload_on_disk(content: Path | bytes, directory: Path) -> AsyncIterator[Path]:
    """The upload as a file, for those who need one: the sandbox and the malware scanner.

    Raises:
        UploadStorageFullError: the disk is full.
    """
    if isinstance(content, Path):
        yield content
        return
    async with _written(_joined([content]), directory) as upload:
        assert upload.path is not None
        yield upload.path


async def _pieces_up_to(max_bytes: int, read: Callable[[int], Awaitable[bytes]]) -> AsyncIterator[bytes]:
    size = 0
    while piece := await read(SPOOL_PIECE_BYTES):
        size += len(piece)
        if size > max_bytes:
            raise _too_large(f"The file is longer than {max_bytes / MIB:.4g} MiB", max_bytes)
        yield piece


async def _joined(held: Sequence[bytes], rest: AsyncIterator[bytes] | None = None) -> AsyncIterator[bytes]:
    for piece in held:
        yield piece
    if rest is not None:
        async for piece in rest:
            yield piece


@asynccontextmanager
async def _written(pieces: AsyncIterator[bytes], directory: Path) -> AsyncIterator[SpooledUpload]:
    path: Path | None = None
    try:
        try:
            handle, name = await anyio.to_thread.run_sync(lambda: tempfile.mkstemp(dir=directory, prefix="upload-"))
            path = Path(name)
            upload = await _write(pieces, handle, path)
        except OSError as error:
            if error.errno in {errno.ENOSPC, errno.EDQUOT}:
                raise UploadStorageFullError from error
            raise
        yield upload
    finally:
        if path is not None:
            with anyio.CancelScope(shield=True):  # also where the client has gone
                await anyio.Path(path).unlink(missing_ok=True)


async def _write(pieces: AsyncIterator[bytes], handle: int, path: Path) -> SpooledUpload:
    digest, size = hashlib.sha256(), 0
    file = os.fdopen(handle, "wb")

    def keep(piece: bytes) -> None:
        digest.update(piece)
        file.write(piece)

    try:
        async for piece in pieces:
            size += len(piece)
            await anyio.to_thread.run_sync(keep, piece)
    finally:
        with anyio.CancelScope(shield=True):
            await anyio.to_thread.run_sync(file.close)
    return SpooledUpload(size_bytes=size, path=path, sha256=digest.hexdigest())


def _too_large(what: str, max_bytes: int) -> DocumentTooLargeError:
    return DocumentTooLargeError(
        f"{what}; at most {max_bytes / MIB:.4g} MiB are accepted. "
        "Split it, or raise the chatbot setting `max_size_mib`.",
        max_bytes=max_bytes,
    )


# --- its name --------------------------------------------------------------------------------------------------------

LONGEST_NAME_BYTES: Final = 255
_ENCODED_SEPARATOR: Final = re.compile(r"%(?:25)*(?:2e|2f|5c|00|0a|0d|c0%af)", re.IGNORECASE)
_DECODED: Final = {"2e": ".", "2f": "/", "5c": "\\", "af": "/"}
_PLAIN_NAME: Final = re.compile(r"[A-Za-z0-9_-](?:[A-Za-z0-9._-]*[A-Za-z0-9_-])?")  # nothing about it can be wrong
_NOT_IN_NAMES: Final = re.compile(r"[<>:\"|?*]")
_RESERVED: Final = re.compile(r"(?:con|prn|aux|nul|com[0-9¹²³]|lpt[0-9¹²³]|conin\$|conout\$)(?=\.|$)", re.IGNORECASE)


def clean_file_name(name: str) -> str:
    """A name that is safe to show, to store and to offer for download on any system.

    Only the last part of a path is kept, also where its separators are percent-encoded. Control characters and those
    that turn or hide text (bidirectional marks, zero-width characters) are removed, names that Windows keeps for
    devices are marked. At most 255 bytes of UTF-8, and the suffix survives. Never empty.
    """
    if _PLAIN_NAME.fullmatch(name) and len(name) <= LONGEST_NAME_BYTES:
        return f"_{name}" if _RESERVED.match(name) else name
    shown = "".join(" " if _is_space(character) else character for character in name if not _is_unseen(character))
    while (decoded := _ENCODED_SEPARATOR.sub(_decoded, shown)) != shown:
        shown = decoded
    parts = [_plain(part) for part in re.split(r"[/\\]", unicodedata.normalize("NFC", shown))]
    last = next((part for part in reversed(parts) if part), "document")
    if _RESERVED.match(last):
        last = f"_{last}"
    return _shortened(last)


def _is_space(character: str) -> bool:
    return character in "\t\r\n" or unicodedata.category(character).startswith("Z")


def _is_unseen(character: str) -> bool:
    return not _is_space(character) and unicodedata.category(character) in {"Cc", "Cf", "Cs", "Co", "Cn"}


def _decoded(found: re.Match[str]) -> str:
    return _DECODED.get(found[0][-2:].lower(), "")


def _plain(part: str) -> str:
    return " ".join(_NOT_IN_NAMES.sub("_", part).split()).strip(" .")


def _shortened(name: str) -> str:
    if len(name.encode()) <= LONGEST_NAME_BYTES:
        return name
    suffix = Path(name).suffix
    suffix = suffix if len(suffix.encode()) <= 32 else ""
    stem = name[: len(name) - len(suffix)].encode()[: LONGEST_NAME_BYTES - len(suffix.encode())]
    return stem.decode(errors="ignore").rstrip(" .") + suffix


# --- whether it may be taken in --------------------------------------------------------------------------------------


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
        return TYPES_BY_SUFFIX.get(suffix)
    plain = (declared or "").split(";")[0].strip().lower()
    return plain if plain in NAMES_BY_TYPE else None


def _suffix(file_name: str) -> str:
    return Path(file_name.replace("\\", "/")).suffix.lower()


def _require_readable(found: str, expected: str | None, file_name: str, limits: UploadLimits) -> None:
    """Says what was found and what is accepted, or that the name states something else."""
    if expected and found != expected and not _is_as_good(found, expected):
        raise MismatchedDocumentTypeError(
            f"{file_name} is named like {NAMES_BY_TYPE[expected]}, but its content is {_name(found)}. "
            "Give it its true extension, or upload the right file.",
            found=found,
        )
    if found not in limits.accepted:
        accepted = ", ".join(sorted((NAMES_BY_TYPE.get(kind, kind) for kind in limits.accepted), key=str.casefold))
        raise UnsupportedDocumentTypeError(
            f"This is {_name(found)}, which cannot be read. Accepted are: {accepted}.", found=found
        )


def _is_as_good(found: str, expected: str) -> bool:
    """Plain text may be called any kind of text, and pictures are often called a kind of picture that they are not."""
    return (found == PLAIN and expected in _TEXT_TYPES) or (found in IMAGE_TYPES and expected in IMAGE_TYPES)


def _name(mime_type: str) -> str:
    if mime_type in IMAGE_TYPES or mime_type == SVG:
        return f"a {NAMES_BY_TYPE[mime_type]}"
    return NAMES_BY_TYPE.get(mime_type) or _OTHER_NAMES.get(mime_type, mime_type)


def _require_paintable(file: IO[bytes], mime_type: str, limits: UploadLimits) -> None:
    try:
        width, height = picture_size(file, mime_type)
    except BrokenPictureError as error:
        raise DamagedDocumentError("This picture is damaged: its header states no size.") from error
    if width * height > limits.max_pixels:
        raise DecompressionBombError(
            f"The picture has {width} x {height} pixels, {limits.max_pixels // 1_000_000} million are accepted. "
            "Make it smaller.",
            width=width,
            height=height,
        )


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
    (b"\xca\xfe\xba\xbe", "application/x-mach-binary"),
    (b"\xcf\xfa\xed\xfe", "application/x-mach-binary"),
    (b"L\x00\x00\x00\x01\x14\x02\x00", "application/x-ms-shortcut"),
    (b"MSCF", "application/vnd.ms-cab-compressed"),
)
_CONTROL_BYTES: Final = re.compile(rb"[\x00-\x08\x0e-\x1f\x7f]")
_OTHER_NAMES: Final = {
    "application/zip": "a ZIP archive",
    "application/gzip": "a gzip archive",
    "application/x-7z-compressed": "a 7-Zip archive",
    "application/vnd.rar": "a RAR archive",
    "application/vnd.microsoft.portable-executable": "a Windows program",
    "application/x-elf": "a program",
    "application/x-mach-binary": "a program",
    "application/x-ms-shortcut": "a Windows shortcut",
    "application/vnd.ms-cab-compressed": "a cabinet archive",
    "application/x-ole-storage": "an Office document of the format before 2007 (save it as DOCX, XLSX or PPTX)",
    "application/octet-stream": "binary data of an unknown kind",
    "application/xml": "XML",
    "application/java-archive": "a Java program",
    "application/vnd.android.package-archive": "an Android program",
    "application/x-bzip2": "a bzip2 archive",
    "application/x-xz": "an xz archive",
    "application/zstd": "a Zstandard archive",
    "application/x-tar": "a tar archive",
    "image/heic": "a HEIC picture (save it as JPEG or PNG)",
}


def _container_type(file: IO[bytes], head: bytes, limits: UploadLimits) -> str | None:
    """The type that a signature tells; None where there is none, so that the file may be text."""
    if b"%PDF-" in head[:1024]:
        _require_whole_pdf(file)
        return PDF
    if head.startswith((b"PK\x03\x04", b"PK\x05\x06")):
        return _zip_type(file, limits)
    if head[257:262] == b"ustar":
        return "application/x-tar"
    if head.startswith(compound_file.MAGIC):
        return _ole_type(file)
    if head[:4] == b"RIFF" and head[8:12] == b"WEBP":
        return "image/webp"
    if head[4:12] in {b"ftypheic", b"ftypmif1", b"ftypavif", b"ftypheix"}:
        return "image/heic"
    if head[:2] == b"BM" and len(head) > 14 and head[6:10] == b"\0\0\0\0":
        return "image/bmp"
    found = next((kind for magic, kind in _MAGIC if head.startswith(magic)), None)
    if (
        found
        and found != RTF
        and found not in IMAGE_TYPES
        and head[:64].isascii()
        and not _CONTROL_BYTES.search(head[:256])
    ):
        return None  # "MZ" and "ID3" also begin texts
    return found


def _require_whole_pdf(file: IO[bytes]) -> None:
    """A PDF that was cut before its first cross-reference has none; all others are left to the reader to mend."""
    with _whole(file) as content:
        if content.rfind(b"startxref") < 0 and content.rfind(b"%%EOF") < 0:
            raise DamagedDocumentError("This PDF is damaged or was cut off: its table of contents is missing.")


def _mentions(file: IO[bytes], what: bytes) -> bool:
    with _whole(file) as content:
        return content.find(what) >= 0


@contextmanager
def _whole(file: IO[bytes]) -> Iterator[bytes | mmap.mmap]:
    """All of a file, without a copy."""
    if isinstance(file, BytesIO):
        yield file.getvalue()
        return
    with mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ) as content:
        yield content


_OLE_STREAMS: Final = (
    ("__properties_version1.0", MSG),  # first: an attached document has its streams here too
    ("WordDocument", DOC),
    ("Workbook", XLS),
    ("Book", XLS),
    ("PowerPoint Document", PPT),
)


def _ole_type(file: IO[bytes]) -> str:
    """Office encrypts a document by wrapping it in the container of its old formats."""
    try:
        names = compound_file.list_entries(file)
    except BrokenCompoundFileError:
        names = {"EncryptedPackage"} if _mentions(file, "EncryptedPackage".encode("utf-16-le")) else set()
    found = next((kind for name, kind in _OLE_STREAMS if name in names), "application/x-ole-storage")
    if "EncryptedPackage" in names and found != MSG:
        raise EncryptedDocumentError
    return found


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
        return SVG if "<svg" in opened else "application/xml"
    if start.startswith("<svg"):
        return SVG
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
_BY_MIMETYPE_MEMBER: Final = {kind.encode(): kind for kind in (ODT, ODS, ODP, EPUB)}
_ZIP_TYPES: Final = frozenset({DOCX, XLSX, PPTX, ODT, ODS, ODP, EPUB})
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
            raise UnsafeDocumentError("The document defines entities in its XML, which no office program does.")


def _pieces(container: zipfile.ZipFile, member: zipfile.ZipInfo, limit: int | None = None) -> Iterator[bytes]:
    left = limit
    try:
        with container.open(member) as stream:
            while piece := stream.read(PIECE_BYTES if left is None else min(left, PIECE_BYTES)):
                yield piece
                left = None if left is None else left - len(piece)
    except (zipfile.BadZipFile, zlib.error, EOFError, NotImplementedError, OSError, RuntimeError) as error:
        raise DamagedDocumentError(reason=str(error)) from error
