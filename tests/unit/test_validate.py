"""An upload is judged by its content; what must not be opened is never opened."""

from __future__ import annotations

import asyncio
import errno
import hashlib
import json
import os
import struct
import unicodedata
import zipfile
import zlib
from collections.abc import Awaitable, Callable
from io import BytesIO
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dragoman.ingestion import errors
from dragoman.ingestion.validate import (
    DOC,
    DOCX,
    EPUB,
    HTML,
    IN_MEMORY_BYTES,
    LEGACY_TYPES,
    MSG,
    NAMES_BY_TYPE,
    ODP,
    ODT,
    PDF,
    PPT,
    PPTX,
    SVG,
    XLS,
    XLSX,
    InspectedUpload,
    UploadLimits,
    clean_file_name,
    inspect_upload,
    require_text,
    spool_upload,
    upload_on_disk,
)
from dragoman.ports.extractor import EncryptedDocumentError, ExtractedDocument, ExtractedPage

SHARED = Path(__file__).resolve().parents[3] / "shared" / "data"
ALL_TYPES = UploadLimits(accepted=frozenset(NAMES_BY_TYPE))


def png(width: int = 4, height: int = 3) -> bytes:
    def chunk(name: bytes, content: bytes) -> bytes:
        return struct.pack(">I", len(content)) + name + content + struct.pack(">I", zlib.crc32(name + content))

    pixels = zlib.compress(bytes((width * 3 + 1) * height) if width * height < 10_000 else b"")
    head = struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0)
    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", head) + chunk(b"IDAT", pixels) + chunk(b"IEND", b"")


PNG = png()
JPEG = b"\xff\xd8\xff\xe0\x00\x04ab\xff\xff\xc2\x00\x0b\x08\x00\x03\x00\x04\x01\x01\x11\x00\xff\xda"
GIF = b"GIF89a" + struct.pack("<HH", 4, 3) + bytes(10)
BMP = b"BM" + struct.pack("<IIIIii", 70, 0, 54, 40, 4, -3) + bytes(20)
TIFF = b"II*\x00\x08\x00\x00\x00\x02\x00" + struct.pack("<HHIHHHHII", 256, 3, 1, 4, 0, 257, 4, 1, 3) + bytes(4)
WEBP = b"RIFF\x24\x00\x00\x00WEBPVP8X\x0a\x00\x00\x00" + bytes(4) + b"\x03\x00\x00\x02\x00\x00"
WEBP_LOSSLESS = b"RIFF\x24\x00\x00\x00WEBPVP8L\x0a\x00\x00\x00\x2f" + struct.pack("<I", 3 | 2 << 14) + bytes(9)
WEBP_LOSSY = b"RIFF\x24\x00\x00\x00WEBPVP8 \x0a\x00\x00\x00" + bytes(6) + struct.pack("<HH", 4, 3)


def compound_file(*names: str) -> bytes:
    """A file of the old Office kind that has these entries and no content."""
    header = bytearray(512)
    header[:8] = b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1"
    struct.pack_into("<H", header, 30, 9)  # sectors of 512 bytes
    struct.pack_into("<I", header, 48, 1)  # the directory begins in sector 1
    struct.pack_into("<109I", header, 76, 0, *[0xFFFFFFFF] * 108)  # the FAT is sector 0
    entries = b"".join(
        name.encode("utf-16-le").ljust(64, b"\0") + struct.pack("<H", 2 * len(name) + 2) + bytes(62)
        for name in ("Root Entry", *names)
    )
    sectors = -(-len(entries) // 512)
    chain = [0xFFFFFFFD, *range(2, sectors + 1), 0xFFFFFFFE]
    return (
        bytes(header)
        + struct.pack("<128I", *chain, *[0xFFFFFFFF] * (128 - len(chain)))
        + entries.ljust(512 * sectors, b"\0")
    )


PDF_BYTES = b"%PDF-1.4\n1 0 obj<</Type/Catalog>>endobj\nstartxref\n9\n%%EOF"


class Inspect:
    """Inspects a content; in a file in this folder, or in memory where there is none."""

    def __init__(self, folder: Path | None) -> None:
        self._folder = folder

    def __call__(
        self, content: bytes, name: str, declared: str | None = None, limits: UploadLimits | None = None
    ) -> InspectedUpload:
        upload: Path | bytes = content
        if self._folder is not None:
            upload = self._folder / "upload"
            upload.write_bytes(content)
        return inspect_upload(upload, file_name=name, declared_mime_type=declared, limits=limits or UploadLimits())


@pytest.fixture(params=["in a file", "in memory"])
def inspect(request: pytest.FixtureRequest, tmp_path: Path) -> Inspect:
    return Inspect(tmp_path if request.param == "in a file" else None)


def zipped(members: dict[str, bytes], *, stored: bool = False) -> bytes:
    file = BytesIO()
    with zipfile.ZipFile(file, "w", zipfile.ZIP_STORED if stored else zipfile.ZIP_DEFLATED) as container:
        for name, content in members.items():
            container.writestr(name, content)
    return file.getvalue()


def docx(**more: bytes) -> bytes:
    return zipped({"[Content_Types].xml": b"<Types/>", "word/document.xml": b"<w:document/>", **more})


@pytest.mark.parametrize(
    ("content", "name", "expected"),
    [
        (PDF_BYTES, "a.pdf", PDF),
        (b"\n\n" + PDF_BYTES, "a.PDF", PDF),
        (docx(), "a.docx", DOCX),
        (zipped({"[Content_Types].xml": b"", "xl/workbook.xml": b""}), "a.xlsx", XLSX),
        (zipped({"mimetype": ODT.encode(), "META-INF/manifest.xml": b"<m/>"}, stored=True), "a.odt", ODT),
        (zipped({"mimetype": EPUB.encode()}, stored=True), "a.epub", EPUB),
        (b"{\\rtf1 text}", "a.rtf", "application/rtf"),
        (b"<!DOCTYPE html><html><p>x</p></html>", "a.htm", HTML),
        (b'<?xml version="1.0"?><!DOCTYPE html PUBLIC "x"><html/>', "a.xhtml", HTML),
        (b"plain words", "a.txt", "text/plain"),
        (b"MZ is how this text begins", "a.txt", "text/plain"),
        (b"# words", "a.md", "text/markdown"),
        (b"<html> is a tag", "a.md", "text/markdown"),
        (b"a,b\n1,2", "a.csv", "text/csv"),
        (b"a\tb", "a.tsv", "text/tab-separated-values"),
        (b'{"a": 1}', "a.json", "application/json"),
        (b'{"a": 1}\n{"a": 2}', "a.jsonl", "application/x-ndjson"),
        (b"From: a@b.c\nTo: d@e.f\nSubject: x\n\nHello", "a.eml", "message/rfc822"),
        ("größer".encode("utf-16"), "a.txt", "text/plain"),
        ("größer".encode("cp1252"), "a.txt", "text/plain"),
        (zipped({"mimetype": ODP.encode(), "META-INF/manifest.xml": b"<m/>"}, stored=True), "a.odp", ODP),
        (docx(**{"word/vbaProject.bin": b"x"}), "a.docm", DOCX),
        (zipped({"[Content_Types].xml": b"", "xl/workbook.xml": b"", "xl/vbaProject.bin": b""}), "a.xlsm", XLSX),
        (zipped({"[Content_Types].xml": b"", "ppt/presentation.xml": b""}), "a.pptm", PPTX),
        (compound_file("__properties_version1.0", "WordDocument", "EncryptedPackage"), "a.msg", MSG),
        (b"<svg xmlns='x'><text>y</text></svg>", "a.svg", SVG),
        (b"<?xml version='1.0'?><!-- x --><svg/>", "a.svg", SVG),
        (PNG, "a.png", "image/png"),
        (PNG, "a.jpg", "image/png"),
        (JPEG, "a.JPEG", "image/jpeg"),
        (GIF, "a.gif", "image/gif"),
        (BMP, "a.bmp", "image/bmp"),
        (TIFF, "a.tif", "image/tiff"),
        (WEBP, "a.webp", "image/webp"),
        (WEBP_LOSSLESS, "a.webp", "image/webp"),
        (WEBP_LOSSY, "a.webp", "image/webp"),
        (b"words", "no-suffix", "text/plain"),
        (b"words", "unknown.xyz", "text/plain"),
        (b"words", "C:\\folder\\a.md", "text/markdown"),
    ],
)
def test_the_type_is_found_by_content(inspect: Inspect, content: bytes, name: str, expected: str) -> None:
    assert inspect(content, name).mime_type == expected


def test_a_declared_type_counts_only_without_a_suffix(inspect: Inspect) -> None:
    assert inspect(b"# x", "notes", "text/markdown; charset=utf-8").mime_type == "text/markdown"
    assert inspect(b"# x", "notes.txt", "text/markdown").mime_type == "text/plain"


@pytest.mark.parametrize(
    ("content", "name", "error"),
    [
        (b"", "a.pdf", errors.EmptyDocumentError),
        (b" \n\t", "a.txt", errors.EmptyDocumentError),
        (PNG, "a.pdf", errors.MismatchedDocumentTypeError),
        (PNG, "a.txt", errors.MismatchedDocumentTypeError),
        (bytes(range(256)) * 20, "a.txt", errors.MismatchedDocumentTypeError),
        (PDF_BYTES, "a.docx", errors.MismatchedDocumentTypeError),
        (b"just words", "a.pdf", errors.MismatchedDocumentTypeError),
        (b"<html></html>", "a.pdf", errors.MismatchedDocumentTypeError),
        (b"<b>no json</b>", "a.json", errors.MismatchedDocumentTypeError),
        (b"MZ\x90\x00" + bytes(200), "a.docx", errors.MismatchedDocumentTypeError),
        (zipped({"a.txt": b"x"}), "a.docx", errors.MismatchedDocumentTypeError),
        (PNG[:20], "a.png", errors.DamagedDocumentError),
        (b"\xff\xd8\xff\xe0" + bytes(20), "scan.jpeg", errors.DamagedDocumentError),
        (TIFF[:30], "a.tiff", errors.DamagedDocumentError),
        (png(20_000, 20_000), "a.png", errors.DecompressionBombError),
        (bytes(257) + b"ustar" + bytes(100), "a.tar", errors.UnsupportedDocumentTypeError),
        (b"\x00\x00\x00\x18ftypheic" + bytes(99), "a.heic", errors.UnsupportedDocumentTypeError),
        (zipped({"a.txt": b"x"}), "a.zip", errors.UnsupportedDocumentTypeError),
        (b"\x1f\x8b\x08" + bytes(30), "a.gz", errors.UnsupportedDocumentTypeError),
        (b"<?xml version='1.0'?><r/>", "a.xml", errors.UnsupportedDocumentTypeError),
        (b"%PDF-1.7\n1 0 obj\n<< /Type", "a.pdf", errors.DamagedDocumentError),
        (docx()[:-30], "a.docx", errors.DamagedDocumentError),
        (docx()[:60], "a.docx", errors.DamagedDocumentError),
        (
            docx(**{"word/styles.xml": b'<!DOCTYPE x [<!ENTITY a "b">]><x/>'}),
            "a.docx",
            errors.UnsafeDocumentError,
        ),
        (compound_file("EncryptionInfo", "EncryptedPackage"), "a.docx", EncryptedDocumentError),
        (compound_file("WordDocument"), "a.doc", errors.UnsupportedDocumentTypeError),
        (compound_file("WordDocument"), "a.docx", errors.MismatchedDocumentTypeError),
        (
            b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1" + "EncryptedPackage".encode("utf-16-le"),
            "a.docx",
            EncryptedDocumentError,
        ),
        (b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1" + bytes(600), "a.bin", errors.UnsupportedDocumentTypeError),
    ],
)
def test_what_cannot_be_read_is_refused(inspect: Inspect, content: bytes, name: str, error: type[Exception]) -> None:
    with pytest.raises(error):
        inspect(content, name)


@pytest.mark.parametrize(("stream", "found"), [("WordDocument", DOC), ("Workbook", XLS), ("PowerPoint Document", PPT)])
def test_formats_before_2007_are_told_apart_and_taken_where_they_can_be_read(
    inspect: Inspect, stream: str, found: str
) -> None:
    assert found in LEGACY_TYPES
    many = [f"stream {at}" for at in range(30)]  # several sectors of directory
    assert inspect(compound_file(*many, stream), "a", limits=ALL_TYPES).mime_type == found


def test_a_directory_that_bites_its_own_tail_ends(inspect: Inspect) -> None:
    content = bytearray(compound_file("x"))
    struct.pack_into("<I", content, 512 + 4, 1)
    with pytest.raises(errors.UnsupportedDocumentTypeError):
        inspect(bytes(content), "a.bin")


def test_a_picture_says_how_large_it_may_be(inspect: Inspect) -> None:
    with pytest.raises(errors.DecompressionBombError, match=r"60000 x 60000 pixels, 100 million are accepted"):
        inspect(png(60_000, 60_000), "a.png")


def test_the_refusal_says_what_was_found_and_what_is_accepted(inspect: Inspect) -> None:
    with pytest.raises(errors.UnsupportedDocumentTypeError, match=r"This is a ZIP archive.*Markdown"):
        inspect(zipped({"a.txt": b"x"}), "a.zip")
    with pytest.raises(errors.MismatchedDocumentTypeError, match="named like PDF, but its content is a PNG picture"):
        inspect(PNG, "report.pdf")


def test_a_file_above_the_limit_is_refused_with_both_sizes(inspect: Inspect) -> None:
    with pytest.raises(errors.DocumentTooLargeError, match=r"2\.0 MiB; at most 1 MiB") as caught:
        inspect(b"x" * (2 * 1024 * 1024), "a.txt", limits=UploadLimits(max_size_mib=1))
    assert caught.value.status == 413


def test_a_type_that_is_not_accepted_here_is_refused(inspect: Inspect) -> None:
    with pytest.raises(errors.UnsupportedDocumentTypeError):
        inspect(b"words", "a.txt", limits=UploadLimits(accepted=frozenset({PDF})))


def test_a_pdf_that_mentions_encryption_is_flagged(inspect: Inspect) -> None:
    assert inspect(PDF_BYTES.replace(b"endobj", b"/Encrypt 2 0 R endobj"), "a.pdf").may_be_encrypted
    assert not inspect(PDF_BYTES, "a.pdf").may_be_encrypted


# --- ZIP containers --------------------------------------------------------------------------------------------------


def test_a_member_that_unpacks_to_too_much_is_a_bomb(inspect: Inspect) -> None:
    with pytest.raises(errors.DecompressionBombError):
        inspect(docx(**{"word/media/a.bin": bytes(30 * 1024 * 1024)}), "a.docx")


def test_sizes_that_lie_do_not_help(inspect: Inspect) -> None:
    content = bytearray(docx(**{"word/media/a.bin": bytes(30 * 1024 * 1024)}))
    stated = struct.pack("<I", 30 * 1024 * 1024)
    assert stated in content
    with pytest.raises((errors.DecompressionBombError, errors.DamagedDocumentError)):
        inspect(bytes(content.replace(stated, struct.pack("<I", 100))), "a.docx")


def test_dense_but_small_members_are_fine(inspect: Inspect) -> None:
    assert inspect(docx(**{"word/media/a.bin": bytes(5 * 1024 * 1024)}), "a.docx").mime_type == DOCX


def test_the_bound_on_unpacked_size_counts_all_members(inspect: Inspect) -> None:
    limits = UploadLimits(max_unpacked_bytes=1000)
    with pytest.raises(errors.DecompressionBombError):
        inspect(docx(**{f"word/{at}.bin": bytes(300) for at in range(4)}), "a.docx", limits=limits)


def test_too_many_members_are_refused_before_they_are_listed(inspect: Inspect) -> None:
    with pytest.raises(errors.DecompressionBombError):
        inspect(docx(**{f"word/{at}": b"" for at in range(60)}), "a.docx", limits=UploadLimits(max_members=50))


def test_an_archive_inside_is_refused_and_an_embedded_table_is_not(inspect: Inspect) -> None:
    with pytest.raises(errors.DecompressionBombError):
        inspect(docx(**{"word/embeddings/a.zip": zipped({"b.txt": b"x"})}), "a.docx")
    with pytest.raises(errors.DecompressionBombError):
        inspect(docx(**{"word/embeddings/a.bin": b"\x1f\x8b\x08" + bytes(99)}), "a.docx")
    table = zipped({"[Content_Types].xml": b"", "xl/workbook.xml": b""})
    assert inspect(docx(**{"word/embeddings/a.xlsx": table}), "a.docx").mime_type == DOCX


def test_a_bomb_inside_an_embedded_document_is_found(inspect: Inspect) -> None:
    bomb = zipped({"[Content_Types].xml": b"", "xl/workbook.xml": bytes(30 * 1024 * 1024)})
    with pytest.raises(errors.DecompressionBombError):
        inspect(docx(**{"word/embeddings/a.xlsx": bomb}), "a.docx")


def test_an_encrypted_opendocument_is_told_from_a_damaged_one(inspect: Inspect) -> None:
    manifest = b"<manifest><encryption-data/></manifest>"
    with pytest.raises(EncryptedDocumentError):
        inspect(zipped({"mimetype": ODT.encode(), "META-INF/manifest.xml": manifest}), "a.odt")


def test_a_member_whose_checksum_is_wrong_is_damage(inspect: Inspect) -> None:
    content = zipped({"[Content_Types].xml": b"<T/>", "word/document.xml": b"payload-here"}, stored=True)
    with pytest.raises(errors.DamagedDocumentError):
        inspect(content.replace(b"payload-here", b"payload-gone"), "a.docx")


# --- no text ---------------------------------------------------------------------------------------------------------


def test_a_document_of_empty_pages_has_no_text() -> None:
    blank = ExtractedPage(number=1, markdown=" \n---\n")
    with pytest.raises(errors.NoTextFoundError, match="No text found"):
        require_text(ExtractedDocument(pages=[blank, blank]))
    require_text(ExtractedDocument(pages=[blank, ExtractedPage(number=2, markdown="字")]))


# --- hostile and real files, where they are at hand ------------------------------------------------------------------

_REFUSED = {"reject", "reject_no_crash"}


def _hostile() -> list[dict[str, str]]:
    manifest = SHARED / "security" / "uploads" / "MANIFEST.jsonl"
    return [json.loads(line) for line in manifest.read_text().splitlines()] if manifest.exists() else []


@pytest.mark.skipif(not _hostile(), reason="the set of hostile uploads is not on this machine")
@pytest.mark.parametrize("entry", _hostile(), ids=lambda entry: entry["file"])
def test_hostile_uploads_are_refused_or_harmless(entry: dict[str, str]) -> None:
    path = SHARED / "security" / entry["file"]
    name = entry.get("upload_as", path.name)
    try:
        inspect_upload(path, file_name=name, declared_mime_type=None, limits=UploadLimits())
    except errors.DocumentRefusedError as error:
        assert error.status in {413, 415, 422}  # noqa: PT017
    else:
        assert entry["expect"] not in _REFUSED
        assert "bomb" not in path.name


def _real() -> list[Path]:
    folder = SHARED / "documents" / "files"
    return sorted(folder.iterdir()) if folder.exists() else []


@pytest.mark.skipif(not _real(), reason="the set of test documents is not on this machine")
@pytest.mark.parametrize("path", _real(), ids=lambda path: path.name)
def test_real_documents_pass_unless_they_are_broken(path: Path) -> None:
    refused = {
        *(".gz", ".zip", ".xml", ".doc", ".xls"),
        *("testWORD_truncated.docx", "testWORD_protected_passtika.docx", "testEXCEL_protected_passtika.xlsx"),
        *("empty.txt", "fake-text-all-whitespace.txt"),
    }
    if path.suffix in refused or path.name in refused:
        with pytest.raises((errors.DocumentRefusedError, EncryptedDocumentError)):
            inspect_upload(path, file_name=path.name, declared_mime_type=None, limits=UploadLimits())
    else:
        inspect_upload(path, file_name=path.name, declared_mime_type=None, limits=UploadLimits())


# --- taking it off the wire ------------------------------------------------------------------------------------------


def reading(content: bytes, log: list[int] | None = None) -> Callable[[int], Awaitable[bytes]]:
    stream = BytesIO(content)

    async def read(size: int) -> bytes:
        piece = stream.read(min(size, 90_000))
        if log is not None:
            log.append(len(piece))
        return piece

    return read


@pytest.mark.parametrize("size", [0, 1, 100_000, IN_MEMORY_BYTES])
async def test_a_small_upload_stays_in_memory(tmp_path: Path, size: int) -> None:
    content = os.urandom(size)
    async with spool_upload(reading(content), tmp_path, max_bytes=350_000) as upload:
        assert (upload.content, upload.path, upload.size_bytes) == (content, None, size)
        assert list(tmp_path.iterdir()) == []


async def test_a_small_upload_is_put_in_a_file_for_those_who_need_one(tmp_path: Path) -> None:
    async with upload_on_disk(b"words", tmp_path) as path:
        assert path.read_bytes() == b"words"
        assert path.stat().st_mode & 0o077 == 0
    assert list(tmp_path.iterdir()) == []
    there = tmp_path / "there"
    there.write_bytes(b"more words")
    async with upload_on_disk(there, tmp_path) as path:
        assert path == there
    assert there.exists()


async def test_an_upload_is_hashed_while_it_is_written_and_removed_in_the_end(tmp_path: Path) -> None:
    content = os.urandom(350_000)
    async with spool_upload(reading(content), tmp_path, max_bytes=350_000) as upload:
        assert upload.content is None
        assert upload.path is not None
        assert upload.path.read_bytes() == content
        assert (upload.size_bytes, upload.sha256) == (350_000, hashlib.sha256(content).hexdigest())
        assert upload.path.stat().st_mode & 0o077 == 0
    assert list(tmp_path.iterdir()) == []


async def test_a_small_upload_that_is_too_long_is_read_no_further(tmp_path: Path) -> None:
    log: list[int] = []
    with pytest.raises(errors.DocumentTooLargeError):
        async with spool_upload(reading(bytes(10_000_000), log), tmp_path, max_bytes=50_000):
            pytest.fail("it was taken in")
    assert sum(log) == 90_000
    assert list(tmp_path.iterdir()) == []


async def test_an_upload_that_is_too_long_is_read_no_further(tmp_path: Path) -> None:
    log: list[int] = []
    with pytest.raises(errors.DocumentTooLargeError, match=r"at most 0\.1907 MiB are accepted.*max_size_mib"):
        async with spool_upload(reading(bytes(10_000_000), log), tmp_path, max_bytes=200_000):
            pytest.fail("it was taken in")
    assert sum(log) == 270_000
    assert list(tmp_path.iterdir()) == []


async def test_an_upload_whose_client_goes_away_leaves_nothing(tmp_path: Path) -> None:
    async def endless(size: int) -> bytes:
        await asyncio.sleep(0.001)
        return bytes(50_000)

    async def upload() -> None:
        async with spool_upload(endless, tmp_path, max_bytes=1_000_000_000):
            pass

    task = asyncio.create_task(upload())
    await asyncio.sleep(0.05)
    assert list(tmp_path.iterdir())
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    assert list(tmp_path.iterdir()) == []


async def test_a_failure_after_the_upload_leaves_nothing(tmp_path: Path) -> None:
    with pytest.raises(RuntimeError):
        async with spool_upload(reading(bytes(IN_MEMORY_BYTES + 1)), tmp_path, max_bytes=1_000_000):
            assert list(tmp_path.iterdir())
            raise RuntimeError
    assert list(tmp_path.iterdir()) == []


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="no device that is always full here")
async def test_a_full_disk_is_said_so(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    real = os.fdopen

    def on_full_disk(handle: int, mode: str) -> object:
        os.close(handle)
        return real(os.open("/dev/full", os.O_WRONLY), mode)

    monkeypatch.setattr("dragoman.ingestion.validate.os.fdopen", on_full_disk)
    with pytest.raises(errors.UploadStorageFullError, match="Free space") as caught:
        async with spool_upload(reading(bytes(500_000)), tmp_path, max_bytes=1_000_000):
            pytest.fail("it was taken in")
    assert (caught.value.status, caught.value.retryable) == (507, True)
    assert isinstance(caught.value.__cause__, OSError)
    assert caught.value.__cause__.errno == errno.ENOSPC
    assert list(tmp_path.iterdir()) == []


# --- names -----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("name", "clean"),
    [
        ("report.pdf", "report.pdf"),
        ("Bericht für Köln (2. Fassung).docx", "Bericht für Köln (2. Fassung).docx"),
        ("請求書／控え.pdf", "請求書／控え.pdf"),
        ("../../etc/passwd.txt", "passwd.txt"),
        ("C:\\Users\\me\\a.md", "a.md"),
        ("..%2f..%2Fetc%2fpasswd", "passwd"),
        ("%252e%252e%252fpasswd", "passwd"),
        ("..%c0%afpasswd", "passwd"),
        ("100%25 sure.txt", "100%25 sure.txt"),
        ("a/b/", "b"),
        ("invoice\u202efdp.txt", "invoicefdp.txt"),
        ("a\u200b\u200d\ufeffb\x00\x1f.txt", "ab.txt"),
        ("a\r\nSet-Cookie: x.txt", "a Set-Cookie_ x.txt"),
        ('a"b<c>|d?.txt', "a_b_c__d_.txt"),
        ("file.txt:evil.exe", "file.txt_evil.exe"),
        (".htaccess", "htaccess"),
        ("name. . .", "name"),
        ("CON", "_CON"),
        ("nul.txt", "_nul.txt"),
        ("com1.tar.gz", "_com1.tar.gz"),
        ("console.txt", "console.txt"),
        ("e\u0301.txt", "é.txt"),
        ("", "document"),
        ("../..", "document"),
        ("\u202e\u200b", "document"),
    ],
)
def test_a_file_name_is_cleaned(name: str, clean: str) -> None:
    assert clean_file_name(name) == clean


@pytest.mark.parametrize("name", ["x" * 400 + ".pdf", "字" * 200 + ".docx", "a." + "b" * 300, "é" * 300])
def test_a_long_name_keeps_its_suffix(name: str) -> None:
    clean = clean_file_name(name)
    assert 200 < len(clean.encode()) <= 255
    if name.endswith((".pdf", ".docx")):
        assert Path(clean).suffix == Path(name).suffix


@given(st.text(max_size=400))
def test_any_name_becomes_one_that_is_safe_everywhere_and_stays_so(name: str) -> None:
    clean = clean_file_name(name)
    assert clean
    assert len(clean.encode()) <= 255
    assert not set('/\\<>:"|?*') & set(clean)
    assert not {unicodedata.category(character) for character in clean} & {"Cc", "Cf", "Cs"}
    assert clean not in {".", ".."}
    assert clean_file_name(clean) == clean
