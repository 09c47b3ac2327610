"""Hostile files from the gate to the reading process: each has its expected outcome, and nothing else is harmed.

The whole path of an upload before it is kept: name, true type, structure, malware, then the reading in its process. The
files of a published set are read where they are at hand; those made here let the repository stand alone.
"""

from __future__ import annotations

import io
import json
import os
import random
import struct
import zipfile
import zlib
from collections.abc import AsyncIterator, Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import psutil
import pytest
from tests.contract.clamd_server import EICAR, find_clamd, run_clamd

from dragoman.entrypoints.reader import create_sandbox
from dragoman.ingestion.errors import (
    DecompressionBombError,
    DocumentRefusedError,
    MalwareFoundError,
    UnsafeDocumentError,
)
from dragoman.ingestion.sandbox import Sandbox
from dragoman.ingestion.scan import require_safe, scan_structure
from dragoman.ingestion.validate import UploadLimits, clean_file_name, inspect_upload
from dragoman.kit import registry
from dragoman.kit.errors import DragomanError
from dragoman.ports.extractor import ReadOptions
from dragoman.ports.malware_scanner import MalwareScanner

SHARED = Path(__file__).resolve().parents[3] / "shared" / "data" / "security"
MEMORY_MIB = 512
PARENT_MAY_GROW_MIB = 150
GOOD = "# Good\n\nThe warranty lasts two years.\n"
REFUSALS = {413, 415, 422}

pytestmark = pytest.mark.skipif(os.name != "posix", reason="the limits are those of POSIX systems")


@dataclass(frozen=True, slots=True, kw_only=True)
class Outcome:
    """What became of a file: its text, or the error; and what the scan noted."""

    text: str = ""
    error: DragomanError | None = None
    findings: tuple[str, ...] = ()

    @property
    def refused(self) -> bool:
        return self.error is not None


class Gate:
    """The path of an upload, and a good document that is read after each to see that all is well."""

    def __init__(self, sandbox: Sandbox, folder: Path, scanner: MalwareScanner | None) -> None:
        self._sandbox, self._folder, self._scanner = sandbox, folder, scanner
        self.peaks: dict[str, float] = {}

    async def upload(self, path: Path, name: str | None = None) -> Outcome:
        before = psutil.Process().memory_info().rss
        outcome = await self._upload(path, clean_file_name(name or path.name))
        if outcome.error is not None:
            assert outcome.error.status in REFUSALS, f"{path.name}: {outcome.error.code} is no refusal"
            assert not outcome.error.retryable
            assert outcome.error.message
        grown = (psutil.Process().memory_info().rss - before) / 1024 / 1024
        assert grown < PARENT_MAY_GROW_MIB, f"{path.name} made this process grow by {grown:.0f} MiB"
        self.peaks[path.name] = self._sandbox.peak_memory_mib
        await self.require_well()
        return outcome

    async def make(self, name: str, content: bytes) -> Outcome:
        path = self._folder / name
        path.write_bytes(content)
        return await self.upload(path)

    async def require_well(self) -> None:
        good = self._folder / "good.md"
        good.write_text(GOOD)
        assert "two years" in (await self._read(good, "text/markdown", "good.md"))
        assert self._sandbox.peak_memory_mib < MEMORY_MIB

    async def _upload(self, path: Path, name: str) -> Outcome:
        findings: tuple[str, ...] = ()
        try:
            inspected = inspect_upload(path, file_name=name, declared_mime_type=None, limits=UploadLimits())
            if inspected.may_be_encrypted:
                await self._sandbox.probe(path, mime_type=inspected.mime_type, file_name=name)
            found = scan_structure(path, inspected.mime_type)
            findings = tuple(finding.code for finding in found)
            require_safe(found, "note")
            if self._scanner and (await self._scanner.scan(path)).signature:
                raise MalwareFoundError
            return Outcome(text=await self._read(path, inspected.mime_type, name), findings=findings)
        except DragomanError as error:
            return Outcome(error=error, findings=findings)

    async def _read(self, path: Path, mime_type: str, name: str) -> str:
        document = await self._sandbox.read(
            path, mime_type=mime_type, file_name=name, options=ReadOptions(ocr=False, with_images=True)
        )
        return "\n".join([document.title or "", *(page.markdown for page in document.pages)])


@pytest.fixture(scope="module")
def scanner() -> Iterator[MalwareScanner | None]:
    if find_clamd() is None:
        yield None
        return
    with run_clamd() as clamd:
        yield registry.create("malware_scanner", "clamav", {"address": clamd.socket})


@pytest.fixture(scope="module")
async def gate(tmp_path_factory: pytest.TempPathFactory, scanner: MalwareScanner | None) -> AsyncIterator[Gate]:
    sandbox = create_sandbox(ocr=None, processes=1, memory_mib=MEMORY_MIB, stall_s=30, total_s=60)
    built = Gate(sandbox, tmp_path_factory.mktemp("hostile"), scanner)
    try:
        await built.require_well()
        yield built
    finally:
        await sandbox.close()


# --- the published set -----------------------------------------------------------------------------------------------


def _set() -> list[dict[str, str]]:
    manifest = SHARED / "uploads" / "MANIFEST.jsonl"
    return [json.loads(line) for line in manifest.read_text().splitlines()] if manifest.exists() else []


@pytest.mark.skipif(not _set(), reason="the set of hostile uploads is not on this machine")
@pytest.mark.parametrize("entry", _set(), ids=lambda entry: entry["file"])
async def test_each_file_of_the_hostile_set_has_its_expected_outcome(
    gate: Gate, scanner: MalwareScanner | None, entry: dict[str, str]
) -> None:
    path = SHARED / entry["file"]
    outcome = await gate.upload(path, entry.get("upload_as"))
    expected, _, marker = entry["expect"].partition(":")
    match expected:
        case "reject" | "reject_no_crash" | "reject_or_no_escape" | "reject_or_bounded":
            assert outcome.refused
        case "reject_or_quarantine_if_av":
            if scanner is None:
                pytest.skip("clamd is not installed (Debian: clamav-daemon)")
            assert isinstance(outcome.error, MalwareFoundError)
        case "no_entity_expansion":
            assert outcome.refused
            assert "root:" not in outcome.text
        case "bounded_no_crash":
            assert outcome.refused or outcome.text
        case "escape_on_export":
            assert "csv.formula" in outcome.findings
            assert outcome.text
        case "sanitize_or_download_only":
            assert "html.script" in outcome.findings
            assert "alert(" not in outcome.text
        case "answer_without_marker":
            hidden = "hidden" in path.name
            assert ("html.hidden_text" in outcome.findings) == hidden
            assert (marker in outcome.text) != hidden
        case "sanitize_name":
            clean = clean_file_name(entry["upload_as"])
            assert clean.isprintable()
            assert "/" not in clean
            assert outcome.text
        case other:
            pytest.fail(f"{other} is not an outcome that this test knows")


# --- made here -------------------------------------------------------------------------------------------------------


def zipped(members: dict[str, bytes]) -> bytes:
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w", zipfile.ZIP_DEFLATED) as container:
        for name, content in members.items():
            container.writestr(name, content)
    return file.getvalue()


def docx(body: bytes, **more: bytes) -> bytes:
    schema = b"http://schemas.openxmlformats.org"
    types = (
        b'<Types xmlns="%b/package/2006/content-types"><Default Extension="rels" ContentType="application/'
        b'vnd.openxmlformats-package.relationships+xml"/><Override PartName="/word/document.xml" ContentType="application/'
        b'vnd.openxmlformats-officedocument.wordprocessingml.document.main+xml"/></Types>' % schema
    )
    links = (
        b'<Relationships xmlns="%b/package/2006/relationships"><Relationship Id="r1" Target="word/document.xml" '
        b'Type="%b/officeDocument/2006/relationships/officeDocument"/></Relationships>' % (schema, schema)
    )
    document = b'<w:document xmlns:w="%b/wordprocessingml/2006/main"><w:body>%b</w:body></w:document>' % (schema, body)
    return zipped({"[Content_Types].xml": types, "_rels/.rels": links, "word/document.xml": document, **more})


def pdf(*objects: bytes) -> bytes:
    """A PDF with a right cross-reference table; object 1 is its catalogue."""
    content, places = b"%PDF-1.7\n", []
    for at, part in enumerate(objects, start=1):
        places.append(len(content))
        content += b"%d 0 obj\n%b\nendobj\n" % (at, part)
    table = b"".join(b"%010d 00000 n \n" % place for place in places)
    end = b"xref\n0 %d\n0000000000 65535 f \n%btrailer<</Size %d/Root 1 0 R>>\nstartxref\n%d\n%%%%EOF\n"
    return content + end % (len(objects) + 1, table, len(objects) + 1, len(content))


def stream(about: bytes, content: bytes) -> bytes:
    packed = zlib.compress(content, 9)
    return b"<<%b/Filter/FlateDecode/Length %d>>\nstream\n%b\nendstream" % (about, len(packed), packed)


def one_page_pdf(content: bytes, resources: bytes = b"", *more: bytes) -> bytes:
    return pdf(
        b"<</Type/Catalog/Pages 2 0 R>>",
        b"<</Type/Pages/Kids[3 0 R]/Count 1>>",
        b"<</Type/Page/Parent 2 0 R/MediaBox[0 0 600 800]/Contents 4 0 R/Resources<<%b>>>>" % resources,
        stream(b"", content),
        *more,
    )


def picture_bomb() -> bytes:
    about = b"/Type/XObject/Subtype/Image/Width 40000/Height 40000/ColorSpace/DeviceGray/BitsPerComponent 8"
    return one_page_pdf(b"q 500 0 0 500 0 0 cm /X Do Q", b"/XObject<</X 5 0 R>>", stream(about, bytes(40_000_000)))


def gif_bomb() -> bytes:
    return b"GIF89a" + struct.pack("<HH", 65_535, 65_535) + bytes(30)


def nested_mail(depth: int) -> bytes:
    head = b"From: a@b.c\nTo: d@e.f\nSubject: nested\nMIME-Version: 1.0\n"
    parts = b"".join(b'Content-Type: multipart/mixed; boundary="b%d"\n\n--b%d\n' % (at, at) for at in range(depth))
    return head + parts + b"Content-Type: text/plain\n\nThe end.\n"


REFUSED: dict[str, Callable[[], bytes]] = {
    "program.txt": lambda: b"MZ" + bytes(58) + (64).to_bytes(4, "little") + b"PE\x00\x00" + bytes(400),
    "program_inside.docx": lambda: docx(
        b"<w:p/>", **{"word/media/a.png": b"MZ" + bytes(58) + (64).to_bytes(4, "little") + b"PE\x00\x00" + bytes(400)}
    ),
    "archive.zip": lambda: zipped({"a.txt": b"words"}),
    "bomb.docx": lambda: docx(b"<w:p/>" + bytes(60 * 1024 * 1024)),
    "bomb.gif": gif_bomb,
    "entities.svg": lambda: b'<!DOCTYPE svg [<!ENTITY a "aaaa"><!ENTITY b "&a;&a;">]><svg><text>&b;</text></svg>',
    "entities.docx": lambda: docx(b"<w:p/>", **{"word/styles.xml": b'<!DOCTYPE x [<!ENTITY a "b">]><x>&a;</x>'}),
    "page_and_pdf.pdf": lambda: b"<html><script>x()</script></html>\n" + one_page_pdf(b""),
    "pdf_and_zip.pdf": lambda: one_page_pdf(b"") + zipped({"a.class": b"x"}),
    "cut.pdf": lambda: one_page_pdf(b"")[:100],
    "noise.pdf": lambda: b"%PDF-1.7\n" + random.Random(7).randbytes(200_000) + b"\nstartxref\n9\n%%EOF",
    "nothing.docx": lambda: b"\x00" * 5000,
}


@pytest.mark.parametrize("name", REFUSED)
async def test_what_is_no_honest_document_is_refused(gate: Gate, name: str) -> None:
    assert (await gate.make(name, REFUSED[name]())).refused


BOUNDED: dict[str, Callable[[], bytes]] = {
    "picture_bomb.pdf": picture_bomb,
    "text_bomb.pdf": lambda: one_page_pdf(
        b"BT /F 9 Tf " + b"(word word word word) Tj " * 2_000_000 + b"ET",
        b"/Font<</F 5 0 R>>",
        b"<</Type/Font/Subtype/Type1/BaseFont/Helvetica>>",
    ),
    "page_loop.pdf": lambda: pdf(b"<</Type/Catalog/Pages 2 0 R>>", b"<</Type/Pages/Kids[2 0 R 2 0 R]/Count 9999999>>"),
    "many_pages.pdf": lambda: pdf(
        b"<</Type/Catalog/Pages 2 0 R>>",
        b"<</Type/Pages/Kids[" + b"3 0 R " * 50_000 + b"]/Count 50000>>",
        b"<</Type/Page/Parent 2 0 R/MediaBox[0 0 9 9]>>",
    ),
    "form_loop.pdf": lambda: one_page_pdf(
        b"/X Do", b"/XObject<</X 5 0 R>>", stream(b"/Subtype/Form/BBox[0 0 1 1]/Resources<</XObject<</X 5 0 R>>>>", b"/X Do")
    ),
    "nested.html": lambda: b"<html><body>" + b"<div>" * 200_000 + b"deep" + b"</div>" * 200_000,
    "nested_tables.html": lambda: b"<html><body>" + b"<table><tr><td>" * 3_000 + b"deep",
    "nested.json": lambda: b"[" * 500_000 + b"]" * 500_000,
    "nested.rtf": lambda: b"{\\rtf1 " + b"{" * 500_000 + b"deep" + b"}" * 500_000 + b"}",
    "nested.eml": lambda: nested_mail(20_000),
    "nested.md": lambda: b">" * 100_000 + b" deep\n" + b"[" * 100_000 + b"\n" + b"- " * 20_000,
    "nested.docx": lambda: docx(b"<w:sdt><w:sdtContent>" * 50_000 + b"<w:p/>" + b"</w:sdtContent></w:sdt>" * 50_000),
    "nested.svg": lambda: b"<svg xmlns='http://www.w3.org/2000/svg'>" + b"<g>" * 100_000 + b"</g>" * 100_000 + b"</svg>",
    "one_line.csv": lambda: b"a,b\n" + b"word," * 2_000_000,
    "wide.csv": lambda: (b",".join(b"c%d" % at for at in range(20_000)) + b"\n") * 5,
    "one_word.txt": lambda: b"w" * 10_000_000,
    "controls.txt": lambda: ("\u202e\u0000\u200b" * 3).encode() + b"words " * 1000,
    "emphasis.md": lambda: b"*a **b _c " * 100_000,
}  # fmt: skip


READ: dict[str, str] = {
    "nested.html": "deep",
    "nested_tables.html": "deep",
    "nested.md": "deep",
    "nested.rtf": "deep",
    "wide.csv": "c19999",
    "one_word.txt": "w" * 10_000,
    "emphasis.md": "_c",
}
STOPPED = {
    "extractor.unreadable",
    "ingestion.crashed",
    "ingestion.memory",
    "ingestion.timeout",
    "ingestion.mismatched_type",
    "ingestion.no_text",
}


@pytest.mark.parametrize("name", BOUNDED)
async def test_what_is_meant_to_exhaust_the_reader_is_bounded(gate: Gate, name: str) -> None:
    outcome = await gate.make(name, BOUNDED[name]())
    assert READ.get(name, "") in outcome.text
    assert outcome.error is None or (name not in READ and outcome.error.code in STOPPED)


async def test_a_bomb_is_called_a_bomb_and_a_danger_a_danger(gate: Gate) -> None:
    assert isinstance((await gate.make("bomb.docx", REFUSED["bomb.docx"]())).error, DecompressionBombError)
    assert isinstance((await gate.make("bomb.gif", gif_bomb())).error, DecompressionBombError)
    for name in ("program_inside.docx", "entities.svg", "entities.docx", "page_and_pdf.pdf", "pdf_and_zip.pdf"):
        assert isinstance((await gate.make(name, REFUSED[name]())).error, UnsafeDocumentError), name


async def test_macros_and_scripts_are_noted_and_not_run(gate: Gate) -> None:
    macro = docx(b"<w:p><w:r><w:t>Ordinary words.</w:t></w:r></w:p>", **{"word/vbaProject.bin": b"Sub AutoOpen()"})
    outcome = await gate.make("macro.docm", macro)
    assert outcome.findings == ("office.macros",)
    assert "Ordinary words." in outcome.text
    page = b"<html><script>SCRIPTED</script><p onclick='x()'>Ordinary words.</p><p hidden>HIDDEN</p></html>"
    outcome = await gate.make("script.html", page)
    assert set(outcome.findings) == {"html.script", "html.event_handler", "html.hidden_text"}
    assert "Ordinary words." in outcome.text
    assert "SCRIPTED" not in outcome.text
    assert "HIDDEN" not in outcome.text


async def test_random_damage_to_real_containers_is_survived(gate: Gate) -> None:
    """Bytes changed at random: whatever is read or refused, the next document is read."""
    dice = random.Random(3)
    whole = {"a.docx": docx(b"<w:p><w:r><w:t>words</w:t></w:r></w:p>" * 50), "a.pdf": one_page_pdf(b"BT (words) Tj ET")}
    for at in range(12):
        name = ("a.docx", "a.pdf")[at % 2]
        damaged = bytearray(whole[name])
        for _ in range(dice.randint(1, 20)):
            damaged[dice.randrange(len(damaged))] = dice.randrange(256)
        await gate.make(name, bytes(damaged))


@pytest.mark.skipif(find_clamd() is None, reason="clamd is not installed (Debian: clamav-daemon)")
async def test_malware_is_refused_before_it_is_read(gate: Gate) -> None:
    outcome = await gate.make("virus.txt", EICAR)
    assert isinstance(outcome.error, MalwareFoundError | DocumentRefusedError)
    assert outcome.error.code == MalwareFoundError.code
