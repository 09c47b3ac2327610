"""An upload is judged by its content; what must not be opened is never opened."""

from __future__ import annotations

import json
import struct
import zipfile
from io import BytesIO
from pathlib import Path

import pytest

from dragoman.ingestion import errors
from dragoman.ingestion.validate import (
    DOCX,
    EPUB,
    HTML,
    ODT,
    PDF,
    XLSX,
    InspectedUpload,
    UploadLimits,
    inspect_upload,
    require_text,
)
from dragoman.ports.extractor import EncryptedDocumentError, ExtractedDocument, ExtractedPage

SHARED = Path(__file__).resolve().parents[3] / "shared" / "data"
PNG = b"\x89PNG\r\n\x1a\n" + bytes(40)
PDF_BYTES = b"%PDF-1.4\n1 0 obj<</Type/Catalog>>endobj\nstartxref\n9\n%%EOF"


class Inspect:
    def __init__(self, folder: Path) -> None:
        self._folder = folder

    def __call__(
        self, content: bytes, name: str, declared: str | None = None, limits: UploadLimits | None = None
    ) -> InspectedUpload:
        path = self._folder / "upload"
        path.write_bytes(content)
        return inspect_upload(path, file_name=name, declared_mime_type=declared, limits=limits or UploadLimits())


@pytest.fixture
def inspect(tmp_path: Path) -> Inspect:
    return Inspect(tmp_path)


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
        (PNG, "a.png", errors.NoTextFoundError),
        (b"\xff\xd8\xff\xe0" + bytes(20), "scan.jpeg", errors.NoTextFoundError),
        (zipped({"a.txt": b"x"}), "a.zip", errors.UnsupportedDocumentTypeError),
        (b"\x1f\x8b\x08" + bytes(30), "a.gz", errors.UnsupportedDocumentTypeError),
        (b"<?xml version='1.0'?><r/>", "a.xml", errors.UnsupportedDocumentTypeError),
        (b"<svg xmlns='x'><script/></svg>", "a.svg", errors.UnsupportedDocumentTypeError),
        (b"%PDF-1.7\n1 0 obj\n<< /Type", "a.pdf", errors.DamagedDocumentError),
        (docx()[:-30], "a.docx", errors.DamagedDocumentError),
        (docx()[:60], "a.docx", errors.DamagedDocumentError),
        (
            docx(**{"word/styles.xml": b'<!DOCTYPE x [<!ENTITY a "b">]><x/>'}),
            "a.docx",
            errors.DamagedDocumentError,
        ),
        (
            b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1" + "EncryptedPackage".encode("utf-16-le"),
            "a.docx",
            EncryptedDocumentError,
        ),
        (b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1" + bytes(600), "a.doc", errors.UnsupportedDocumentTypeError),
    ],
)
def test_what_cannot_be_read_is_refused(inspect: Inspect, content: bytes, name: str, error: type[Exception]) -> None:
    with pytest.raises(error):
        inspect(content, name)


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
        *(".png", ".jpeg", ".gz", ".zip", ".xml", ".doc", ".xls", ".msg", ".odp"),
        *("testWORD_truncated.docx", "testWORD_protected_passtika.docx", "testEXCEL_protected_passtika.xlsx"),
        *("empty.txt", "fake-text-all-whitespace.txt"),
    }
    if path.suffix in refused or path.name in refused:
        with pytest.raises((errors.DocumentRefusedError, EncryptedDocumentError)):
            inspect_upload(path, file_name=path.name, declared_mime_type=None, limits=UploadLimits())
    else:
        inspect_upload(path, file_name=path.name, declared_mime_type=None, limits=UploadLimits())
