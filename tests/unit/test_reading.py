"""Reading a document: which pages are recognised, and how recognised lines become Markdown.

The OCR here says what it is told to, by the size of the picture; the adapters have their own contract tests. The last
tests read the documents of the evaluation with the real adapters.
"""

from __future__ import annotations

import io
import json
import shutil
import subprocess
import time
import unicodedata
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import fpdf
import pytest
from PIL import Image, ImageDraw

from dragoman.ingestion.errors import NoTextFoundError
from dragoman.ingestion.layout import joined, lines_to_markdown
from dragoman.ingestion.reading import IMAGE_TYPES, ReadOptions, read_document
from dragoman.kit import registry
from dragoman.kit.pictures import UnreadablePictureError, open_frames
from dragoman.ports.extractor import ExtractedDocument, ExtractedImage, ExtractedPage, ExtractionError
from dragoman.ports.ocr import OcrError, OcrLine, RecognisedText

DOCUMENTS = Path(__file__).resolve().parents[3] / "shared" / "data" / "documents"
PDF = "application/pdf"


def line(text: str, left: float, top: float, *, right: float | None = None, height: float = 20) -> OcrLine:
    return OcrLine(text=text, confidence=0.95, box=(left, top, right or left + 10 * len(text), top + height))


class Told:
    """An OCR that answers every picture with the same lines, and counts them."""

    def __init__(self, *lines: str, confidence: float = 0.9, error: Exception | None = None) -> None:
        self.lines, self.confidence, self.error = lines, confidence, error
        self.sizes: list[tuple[int, int]] = []
        self.languages: Sequence[str] = ()

    async def recognise(self, image: bytes, *, languages: Sequence[str] = ()) -> RecognisedText:
        if self.error is not None:
            raise self.error
        self.sizes.append(Image.open(io.BytesIO(image)).size)
        self.languages = languages
        lines = [
            OcrLine(text=text, confidence=self.confidence, box=(10, 40 * at, 10 + 10 * len(text), 40 * at + 20))
            for at, text in enumerate(self.lines)
        ]
        return RecognisedText(lines=lines)


class Given:
    """An extractor that gives a document made by the test."""

    mime_types = frozenset({"text/x-given"})

    def __init__(self, document: ExtractedDocument) -> None:
        self.document = document

    async def extract(
        self, content: bytes, *, mime_type: str, file_name: str, with_images: bool = False
    ) -> ExtractedDocument:
        return self.document


class GivenPages(Given):
    """The same with pages that can be shown: each a white page with a bar, or without."""

    def __init__(self, document: ExtractedDocument, *, blank: bool = False) -> None:
        super().__init__(document)
        self.blank = blank
        self.shown: list[int] = []

    async def render_page(self, content: bytes, *, mime_type: str, number: int, longest_side: int) -> bytes:
        self.shown.append(number)
        return picture(400, 600, blank=self.blank)


def picture(width: int, height: int, *, blank: bool = False, kind: str = "PNG", seed: int = 0) -> bytes:
    shown = Image.new("RGB", (width, height), "white")
    if not blank:
        ImageDraw.Draw(shown).rectangle((5, 5 + seed, width // 2, 12 + seed), fill="black")
    file = io.BytesIO()
    shown.save(file, kind)
    return file.getvalue()


async def read(
    content: bytes | str,
    *,
    ocr: Any = None,
    extractor: Any = None,
    mime_type: str = "text/x-given",
    folder: Path,
    steps: list[tuple[str, float]] | None = None,
    options: ReadOptions | None = None,
    with_images: bool = False,
) -> ExtractedDocument:
    async def progress(step: str, share: float) -> None:
        if steps is not None:
            steps.append((step, share))

    extractors = {mime_type: extractor} if extractor is not None else {}
    return await read_document(
        content.encode() if isinstance(content, str) else content,
        mime_type=mime_type,
        file_name="upload.bin",
        extractors=extractors,
        ocr=ocr,
        options=options or ReadOptions(with_images=with_images),
        progress=progress,
    )


# --- pictures as documents -------------------------------------------------------------------------------------------


@pytest.mark.parametrize("kind", ["PNG", "JPEG", "WEBP", "TIFF", "BMP", "GIF"])
async def test_a_picture_is_a_document_of_one_page(kind: str, tmp_path: Path) -> None:
    ocr = Told("Opening hours")
    mime_type = f"image/{kind.lower()}"
    assert mime_type in IMAGE_TYPES
    document = await read(
        picture(300, 200, kind=kind),
        ocr=ocr,
        mime_type=mime_type,
        folder=tmp_path,
        options=ReadOptions(ocr_languages=("de", "en")),
    )
    assert document.pages == [ExtractedPage(number=None, markdown="Opening hours", ocr=True, confidence=0.9)]
    assert ocr.languages == ("de", "en")


async def test_each_page_of_a_fax_is_a_page(tmp_path: Path) -> None:
    frames = [Image.open(io.BytesIO(picture(300, 200, seed=at))) for at in range(3)]
    file = io.BytesIO()
    frames[0].save(file, "TIFF", save_all=True, append_images=frames[1:])
    steps: list[tuple[str, float]] = []
    document = await read(file.getvalue(), ocr=Told("Fax"), mime_type="image/tiff", folder=tmp_path, steps=steps)
    assert [page.number for page in document.pages] == [1, 2, 3]
    assert [share for step, share in steps if step == "recognising"] == [0, 1 / 3, 2 / 3, 1]


async def test_a_picture_without_text_or_without_ocr_is_refused_with_advice(tmp_path: Path) -> None:
    with pytest.raises(NoTextFoundError, match="Nothing written"):
        await read(picture(300, 200), ocr=Told(), mime_type="image/png", folder=tmp_path)
    with pytest.raises(NoTextFoundError, match="DRAGOMAN_OCR"):
        await read(picture(300, 200), mime_type="image/png", folder=tmp_path)
    with pytest.raises(NoTextFoundError, match="setting `ocr`"):
        await read(
            picture(300, 200), ocr=Told("x"), mime_type="image/png", folder=tmp_path, options=ReadOptions(ocr=False)
        )


async def test_a_damaged_picture_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ExtractionError):
        await read(picture(300, 200)[:60], ocr=Told("x"), mime_type="image/png", folder=tmp_path)
    with pytest.raises(ExtractionError):
        await read(picture(300, 200), ocr=Told(error=OcrError()), mime_type="image/png", folder=tmp_path)


async def test_a_very_long_screenshot_is_read_in_bands(tmp_path: Path) -> None:
    ocr = Told("Band")
    long = Image.new("RGB", (600, 9000), "white")
    for top in range(20, 9000, 100):
        ImageDraw.Draw(long).rectangle((20, top, 500, top + 30), fill="black")
    file = io.BytesIO()
    long.save(file, "PNG")
    document = await read(file.getvalue(), ocr=ocr, mime_type="image/png", folder=tmp_path)
    assert all(width == 600 and height <= 2000 for width, height in ocr.sizes)
    assert 8900 <= sum(height for _, height in ocr.sizes) <= 9000  # what is blank at the end is left out
    assert document.pages[0].markdown.count("Band") == len(ocr.sizes)


def test_a_picture_that_unpacks_to_too_many_pixels_is_not_opened() -> None:
    file = io.BytesIO()
    Image.new("1", (12_000, 9_000)).save(file, "PNG")
    with pytest.raises(UnreadablePictureError, match="pixels"):
        list(open_frames(file.getvalue(), longest_side=2000))


def test_large_pictures_are_scaled_down_and_deep_ones_keep_their_greys() -> None:
    (frame,) = open_frames(picture(3000, 1000), longest_side=1500)
    assert frame.size == (1500, 500)
    file = io.BytesIO()
    deep = Image.new("I;16", (40, 40), 60_000)
    deep.paste(2_000, (0, 0, 20, 40))
    deep.save(file, "PNG")
    (frame,) = open_frames(file.getvalue(), longest_side=1500)
    assert frame.getpixel((30, 10)) == (255, 255, 255)
    assert frame.getpixel((5, 10)) == (0, 0, 0)


# --- pages without usable text ---------------------------------------------------------------------------------------

PROSE = "The warranty of this device lasts for two years after the purchase. Keep the receipt in a safe place. " * 3


def pages(*texts: str, images: Sequence[ExtractedImage] = ()) -> ExtractedDocument:
    found = [ExtractedPage(number=at, markdown=text) for at, text in enumerate(texts, start=1)]
    return ExtractedDocument(pages=found, images=images)


@pytest.mark.parametrize(
    "empty", ["", "\x0c", "\ue001\ue002\ue003 \ue004" * 30, "(cid:12)(cid:44)(cid:3) " * 40, "\ufffd" * 90]
)
async def test_only_pages_without_usable_text_are_recognised(empty: str, tmp_path: Path) -> None:
    extractor = GivenPages(pages(PROSE, empty, PROSE))
    steps: list[tuple[str, float]] = []
    document = await read("x", ocr=Told("A scanned page of words"), extractor=extractor, folder=tmp_path, steps=steps)
    assert extractor.shown == [2]
    assert [page.ocr for page in document.pages] == [False, True, False]
    assert document.pages[1].markdown == "A scanned page of words"
    assert document.pages[0].markdown == PROSE
    assert ("recognising", 0.0) in steps


async def test_a_scan_with_a_stamped_header_is_recognised(tmp_path: Path) -> None:
    scan = ExtractedImage(data=picture(1000, 1400), mime_type="image/png", width=1000, height=1400, page=1)
    stamped = "Confidential, file number 000123, page 1 of 20\n\n![](image:0)"
    document = await read(
        "x", ocr=Told(*["A line of the scanned letter"] * 5), extractor=GivenPages(pages(stamped, images=[scan])),
        folder=tmp_path, with_images=True,
    )  # fmt: skip
    assert document.pages[0].ocr
    assert "scanned letter" in document.pages[0].markdown
    assert document.pages[0].markdown.endswith("![](image:0)")


async def test_a_title_page_keeps_its_own_text(tmp_path: Path) -> None:
    document = await read(
        "x", ocr=Told("Annual Rcport"), extractor=GivenPages(pages("Annual Report", PROSE)), folder=tmp_path
    )
    assert document.pages[0] == ExtractedPage(number=1, markdown="Annual Report")


async def test_a_blank_page_costs_no_recognition(tmp_path: Path) -> None:
    ocr = Told("noise")
    document = await read("x", ocr=ocr, extractor=GivenPages(pages(PROSE, ""), blank=True), folder=tmp_path)
    assert ocr.sizes == []
    assert document.pages[1].markdown == ""


async def test_poor_and_failing_pages_are_named(tmp_path: Path) -> None:
    document = await read(
        "x", ocr=Told("qvx fjw", confidence=0.4), extractor=GivenPages(pages(PROSE, "")), folder=tmp_path
    )
    assert document.pages[1].confidence == 0.4
    assert any(warning.startswith("Page 2 recognised with low confidence") for warning in document.warnings)
    document = await read("x", ocr=Told(error=OcrError()), extractor=GivenPages(pages(PROSE, "", "")), folder=tmp_path)
    assert any(warning.startswith("Pages 2, 3 could not") for warning in document.warnings)


async def test_without_ocr_a_scan_is_refused_and_a_mixed_document_says_what_is_missing(tmp_path: Path) -> None:
    with pytest.raises(NoTextFoundError, match="DRAGOMAN_OCR"):
        await read("x", extractor=GivenPages(pages("", "")), folder=tmp_path)
    with pytest.raises(NoTextFoundError, match="DRAGOMAN_OCR"):
        await read("x", ocr=Told("x"), extractor=GivenPages(pages("")), folder=tmp_path, options=ReadOptions(ocr=False))
    document = await read("x", extractor=GivenPages(pages(PROSE, "")), folder=tmp_path)
    assert any(warning.startswith("Page 2 without text") for warning in document.warnings)


# --- pictures inside documents ---------------------------------------------------------------------------------------


def illustrated(markdown: str, *, width: int = 640, height: int = 480) -> ExtractedDocument:
    image = ExtractedImage(data=picture(width, height), mime_type="image/png", width=width, height=height)
    return ExtractedDocument(pages=[ExtractedPage(number=None, markdown=markdown)], images=[image])


async def test_the_text_of_a_picture_stands_below_its_mark(tmp_path: Path) -> None:
    shown = illustrated("Before\n\n![A chart](image:0)\n\nAfter")
    document = await read(
        "x", ocr=Told("Sales rose in March"), extractor=Given(shown), folder=tmp_path, with_images=True
    )
    parts = [part for part in document.pages[0].markdown.split("\n") if part]
    assert parts == ["Before", "![A chart](image:0)", "Sales rose in March", "After"]
    assert len(document.images) == 1


async def test_unwanted_pictures_leave_their_description_and_text(tmp_path: Path) -> None:
    shown = illustrated("Before\n\n![A chart](image:0)\n\nAfter")
    document = await read("x", ocr=Told("Sales rose in March"), extractor=Given(shown), folder=tmp_path)
    parts = [part for part in document.pages[0].markdown.split("\n") if part]
    assert parts == ["Before", "A chart", "Sales rose in March", "After"]
    assert document.images == ()


@pytest.mark.parametrize(
    ("ocr", "width", "height"),
    [
        (Told("Sales rose in March"), 200, 480),
        (Told("Sales rose in March"), 640, 90),
        (Told("Sales rose"), 640, 480),
        (Told("Sales rose in March", confidence=0.5), 640, 480),
    ],
    ids=["narrow", "low", "few words", "unsure"],
)
async def test_small_pictures_and_unsure_words_add_nothing(ocr: Told, width: int, height: int, tmp_path: Path) -> None:
    shown = illustrated("Text\n\n![](image:0)", width=width, height=height)
    document = await read("x", ocr=ocr, extractor=Given(shown), folder=tmp_path, with_images=True)
    assert document.pages[0].markdown == "Text\n\n![](image:0)"


async def test_a_table_row_stays_whole_when_its_picture_has_text(tmp_path: Path) -> None:
    table = "| Part | Photo |\n| --- | --- |\n| Pump | ![](image:0) |\n| Hose | none |"
    document = await read(
        "x", ocr=Told("Serial number 4711 B"), extractor=Given(illustrated(table)), folder=tmp_path, with_images=True
    )
    assert document.pages[0].markdown.startswith(table)
    assert document.pages[0].markdown.endswith("Serial number 4711 B")


async def test_the_scan_below_a_text_layer_is_not_read_twice(tmp_path: Path) -> None:
    image = [
        ExtractedImage(data=picture(1000, 1400), mime_type="image/png", width=1000, height=1400, page=at)
        for at in (1, 2)
    ]
    ocr = Told("The warranty of this device lasts for two years")
    shown = pages(PROSE + "\n\n![](image:0)", PROSE + "\n\n![](image:1)", images=image)
    document = await read("x", ocr=ocr, extractor=GivenPages(shown), folder=tmp_path, with_images=True)
    assert document.pages[0].markdown == shown.pages[0].markdown
    assert len(ocr.sizes) == 1


# --- a real PDF ------------------------------------------------------------------------------------------------------


async def test_a_scanned_page_of_a_real_pdf_is_recognised(tmp_path: Path) -> None:
    pdf = fpdf.FPDF()
    pdf.set_font("helvetica", size=12)
    pdf.add_page()
    pdf.multi_cell(0, 8, PROSE)
    pdf.add_page()
    pdf.image(Image.open(io.BytesIO(picture(900, 1200))), x=0, y=0, w=210)
    ocr = Told("Invoice number 2025-117 of the scanned page")
    extractor = registry.create("extractor", "pdf", {})
    document = await read(bytes(pdf.output()), ocr=ocr, extractor=extractor, mime_type=PDF, folder=tmp_path)
    assert [page.ocr for page in document.pages] == [False, True]
    assert "2025-117" in document.pages[1].markdown
    assert len(ocr.sizes) == 1
    assert max(ocr.sizes[0]) <= 2000


# --- lines become Markdown -------------------------------------------------------------------------------------------


def test_a_grid_becomes_a_table() -> None:
    rows = [("Product", "Price", "Quantity"), ("Apple", "1.50", "10"), ("Banana", "0.20", "15"), ("Sum", "", "25")]
    lines = [
        line(cell, 50 + 150 * column, 40 * row)
        for row, cells in enumerate(rows)
        for column, cell in enumerate(cells)
        if cell
    ]
    assert lines_to_markdown(lines) == (
        "| Product | Price | Quantity |\n| --- | --- | --- |\n| Apple | 1.50 | 10 |\n| Banana | 0.20 | 15 |\n| Sum |  | 25 |"
    )


def test_columns_of_prose_are_read_one_after_the_other_below_their_title() -> None:
    left = [line(f"left column line number {at} goes on", 50, 100 + 30 * at, right=430) for at in range(6)]
    right = [line(f"right column line number {at} too", 500, 100 + 30 * at, right=880) for at in range(6)]
    markdown = lines_to_markdown(
        [line("A title over both columns of the page, as wide as they are", 50, 20, right=880), *left, *right]
    )
    assert (
        markdown.index("title")
        < markdown.index("left column line number 5")
        < markdown.index("right column line number 0")
    )
    assert "|" not in markdown


def test_two_short_columns_are_no_table() -> None:
    lines = [
        line("Bill To:", 50, 150),
        line("Invoice 123", 400, 150),
        line("John Doe", 50, 200),
        line("2025-07-10", 400, 200),
    ]
    lines += [line("123 Main St", 50, 250), line("Anytown 12345", 50, 300)]
    markdown = lines_to_markdown(lines)
    assert "|" not in markdown
    assert markdown.index("Anytown") < markdown.index("Invoice 123")


def test_wrapped_lines_are_joined_and_paragraphs_kept_apart() -> None:
    lines = [
        line("The pump must be cleaned every month by some-", 50, 0, right=600),
        line("body who has read the manual of the producer", 50, 30, right=600),
        line("and knows it.", 50, 60, right=210),
        line("A second paragraph begins after a gap here", 50, 130, right=600),
        line("and ends.", 50, 160, right=160),
    ]
    assert lines_to_markdown(lines) == (
        "The pump must be cleaned every month by somebody who has read the manual of the producer and knows it.\n\n"
        "A second paragraph begins after a gap here and ends."
    )


def test_columns_that_run_downwards_are_read_from_right_to_left() -> None:
    lines = [
        line("横書きも存在する。", 10, 10, right=34, height=220),
        line("元来日本語は漢文に倣い", 70, 10, right=94, height=300),
        line("文字を上から下へ進めて", 40, 10, right=64, height=300),
    ]
    assert lines_to_markdown(lines) == "元来日本語は漢文に倣い文字を上から下へ進めて横書きも存在する。"


def test_a_large_line_becomes_a_heading_and_marks_of_markdown_are_escaped() -> None:
    lines = [line("User Manual", 50, 0, height=45, right=400)]
    lines += [line(f"# not a heading, number {at} of many", 50, 100 + 30 * at) for at in range(8)]
    markdown = lines_to_markdown(lines)
    assert markdown.startswith("## User Manual\n\n\\# not a heading")


@pytest.mark.parametrize(
    ("above", "below", "whole"),
    [
        ("Baden-", "Württemberg", "Baden-Württemberg"),
        ("Unter-", "lagen", "Unterlagen"),
        ("两年", "保修", "两年保修"),
        ("한국어", "문장", "한국어 문장"),
        ("one", "two", "one two"),
        ("", "two", "two"),
    ],
)
def test_lines_are_joined_as_their_script_asks(above: str, below: str, whole: str) -> None:
    assert joined(above, below) == whole


def test_no_lines_are_no_text() -> None:
    assert lines_to_markdown([]) == ""


# --- the documents of the evaluation ---------------------------------------------------------------------------------


def _plain(text: str) -> str:
    return " ".join(unicodedata.normalize("NFKC", text).casefold().split())


def _rapidocr() -> Any:
    pytest.importorskip("rapidocr", reason="needs the package rapidocr")
    return registry.create("ocr", "rapidocr", {})


def _tesseract() -> Any:
    needed = {"jpn", "jpn_vert", "chi_sim"}
    program = shutil.which("tesseract")
    listed = (
        subprocess.run([program, "--list-langs"], capture_output=True, text=True, check=True).stdout if program else ""
    )
    if missing := needed - set(listed.split()):
        pytest.skip(
            f"needs the program tesseract with the languages jpn, jpn_vert and chi_sim; missing: {sorted(missing)}"
        )
    return registry.create("ocr", "tesseract", {})


@pytest.mark.parametrize(("open_ocr", "least"), [(_rapidocr, 0.95), (_tesseract, 0.85)], ids=["rapidocr", "tesseract"])
async def test_phrases_of_scans_are_found_in_time(open_ocr: Callable[[], Any], least: float) -> None:
    if not (DOCUMENTS / "MANIFEST.jsonl").exists():
        pytest.skip("the documents of the evaluation are not here (shared/data/documents)")
    ocr = open_ocr()
    extractors = {PDF: registry.create("extractor", "pdf", {})}
    types = {"pdf": PDF, "png": "image/png", "jpeg": "image/jpeg"}
    found: dict[str, bool] = {}
    entries = [json.loads(entry) for entry in (DOCUMENTS / "MANIFEST.jsonl").read_text().splitlines()]
    for entry in entries:
        if not entry.get("ocr_anchors"):
            continue
        started = time.process_time()
        document = await read_document(
            (DOCUMENTS / entry["file"]).read_bytes(),
            mime_type=types[entry["format"]],
            file_name=entry["file"],
            extractors=extractors,
            ocr=ocr,
            options=ReadOptions(),
            progress=_silent,
        )
        text = _plain("\n".join(page.markdown for page in document.pages))
        found |= {f"{entry['file']}: {phrase}": _plain(phrase) in text for phrase in entry["ocr_anchors"]}
        assert time.process_time() - started < 100  # of two cores, so that 60 s are kept
    missed = [phrase for phrase, is_found in found.items() if not is_found]
    assert sum(found.values()) >= least * len(found), missed


async def _silent(step: str, share: float) -> None:
    """Progress that nobody watches."""
