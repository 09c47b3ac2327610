"""What each document format gives: tables with their headers, lists, pictures in their places, text in any encoding."""

from __future__ import annotations

import base64
import datetime as dt
import io
import random
import struct
import subprocess
import sys
import zipfile
from email.message import EmailMessage
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from dragoman.adapters.extractor._parts.pdf_layout import Word, joined
from dragoman.adapters.extractor._parts.pictures import Gallery
from dragoman.adapters.extractor._parts.rtf import with_unicode_characters
from dragoman.kit import registry
from dragoman.kit.text.decoding import decode_text
from dragoman.ports.extractor import (
    EncryptedDocumentError,
    ExtractedDocument,
    ExtractionError,
    Extractor,
    PageRenderer,
)

OFFICE = "application/vnd.openxmlformats-officedocument"
OPEN = "application/vnd.oasis.opendocument"
PDF = "application/pdf"
DOCX = f"{OFFICE}.wordprocessingml.document"
XLSX = f"{OFFICE}.spreadsheetml.sheet"
PPTX = f"{OFFICE}.presentationml.presentation"
EML = "message/rfc822"
MSG = "application/vnd.ms-outlook"
SVG = "image/svg+xml"


def extractor_for(mime_type: str) -> Extractor:
    made = [registry.create("extractor", name) for name in registry.list_adapters("extractor")]
    found: Extractor = next(one for one in made if mime_type in one.mime_types)
    return found


async def extract(content: bytes, mime_type: str, *, with_images: bool = False) -> ExtractedDocument:
    return await extractor_for(mime_type).extract(
        content, mime_type=mime_type, file_name="document", with_images=with_images
    )


async def text_of(content: bytes, mime_type: str) -> str:
    return "\n\n".join(page.markdown for page in (await extract(content, mime_type)).pages)


def picture(seed: int, *, size: tuple[int, int] = (120, 90), form: str = "PNG") -> bytes:
    """Noise, so that it does not compress below the size of an icon."""
    image = pytest.importorskip("PIL.Image")
    noise = random.Random(seed).randbytes(size[0] * size[1] * 3)
    file = io.BytesIO()
    image.frombytes("RGB", size, noise).save(file, form)
    return file.getvalue()


def make_zip(members: dict[str, str | bytes]) -> bytes:
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w") as container:
        for name, content in members.items():
            container.writestr(name, content)
    return file.getvalue()


# --- PDF -------------------------------------------------------------------------------------------------------------

PARTS = [
    ("Part", "Description", "Article no.", "Price"),
    ("Filter", "Paper filter for the small pump", "A-100", "12.50"),
    ("Hose", "Two metres", "A-200", "8.00"),
    ("Valve", "", "B-17", "104.90"),
]
PARTS_MARKDOWN = """| Part | Description | Article no. | Price |
| --- | --- | --- | --- |
| Filter | Paper filter for the small pump | A-100 | 12.50 |
| Hose | Two metres | A-200 | 8.00 |
| Valve |  | B-17 | 104.90 |"""


def new_pdf() -> Any:
    pdf = pytest.importorskip("fpdf").FPDF()
    pdf.add_page()
    pdf.set_font("Helvetica", "", 11)
    return pdf


def pdf_with_table(rows: list[tuple[str, ...]], borders: str = "ALL", **options: Any) -> bytes:
    pdf = new_pdf()
    pdf.multi_cell(0, 6, "This table lists the parts that we sell. " * 4, new_x="LMARGIN", new_y="NEXT")
    pdf.ln(5)
    with pdf.table(borders_layout=borders, **options) as table:
        for row in rows:
            cells = table.row()
            for cell in row:
                cells.cell(cell)
    pdf.ln(5)
    pdf.multi_cell(0, 6, "All prices are without tax. " * 4, new_x="LMARGIN", new_y="NEXT")
    return bytes(pdf.output())


@pytest.mark.parametrize("borders", ["ALL", "INTERNAL", "MINIMAL", "HORIZONTAL_LINES", "SINGLE_TOP_LINE", "NONE"])
async def test_a_table_of_a_pdf_keeps_its_columns_with_and_without_rules(borders: str) -> None:
    text = await text_of(pdf_with_table(PARTS, borders, col_widths=(20, 50, 30, 20)), PDF)
    assert PARTS_MARKDOWN in text
    assert text.startswith("This table lists")
    assert text.rstrip().endswith("without tax.")


@pytest.mark.parametrize("borders", ["ALL", "INTERNAL", "HORIZONTAL_LINES"])
async def test_a_cell_of_several_lines_stays_one_cell(borders: str) -> None:
    rows = [
        PARTS[0],
        ("Filter", "Paper filter for the small pump, with two layers of paper", "A-100", "12.50"),
        *PARTS[2:],
    ]
    text = await text_of(pdf_with_table(rows, borders, col_widths=(20, 40, 30, 20)), PDF)
    assert "| Filter | Paper filter for the small pump, with two layers of paper | A-100 | 12.50 |" in text
    assert "| Hose | Two metres | A-200 | 8.00 |" in text


async def test_a_cell_over_several_rows_holds_for_each_of_them() -> None:
    pdf = new_pdf()
    with pdf.table() as table:
        for row in (("Group", "Part", "Price"), ("Water", "Pump", "10"), (None, "Hose", "20"), ("Air", "Fan", "30")):
            cells = table.row()
            for cell in row:
                if cell is not None:
                    cells.cell(cell, rowspan=2 if cell == "Water" else 1)
    text = await text_of(bytes(pdf.output()), PDF)
    assert "| Water | Pump | 10 |\n| Water | Hose | 20 |\n| Air | Fan | 30 |" in text


@pytest.mark.parametrize("angle", [90, 180, 270])
async def test_a_table_on_a_turned_page_is_found(angle: int) -> None:
    pypdf = pytest.importorskip("pypdf")
    writer = pypdf.PdfWriter(clone_from=io.BytesIO(pdf_with_table(PARTS, col_widths=(20, 50, 30, 20))))
    page = writer.pages[0]
    page.rotate(angle)
    page.transfer_rotation_to_content()  # the content lies on its side now ...
    page.rotate(-angle)  # ... and the page sets it upright
    file = io.BytesIO()
    writer.write(file)
    text = await text_of(file.getvalue(), PDF)
    assert "Filter" in text
    assert "104.90" in text


async def test_prose_in_two_columns_is_no_table() -> None:
    pdf = new_pdf()
    with pdf.text_columns(ncols=2, gutter=10, text_align="J") as columns:
        columns.write("The device is cleaned once a week with a soft cloth, never with solvents of any kind. " * 40)
    text = await text_of(bytes(pdf.output()), PDF)
    assert "|" not in text
    assert text.count("soft cloth") + text.count("soft\ncloth") >= 35


async def test_a_numbered_list_is_no_table() -> None:
    pdf = new_pdf()
    for number in range(1, 8):
        pdf.cell(12, 6, f"{number}.")
        pdf.cell(
            0,
            6,
            f"Do the step that has the number {number * 111}",
            new_x="LMARGIN",
            new_y="NEXT",
        )
    assert "|" not in await text_of(bytes(pdf.output()), PDF)


@settings(max_examples=12, deadline=None)
@given(
    st.lists(st.tuples(*[st.text("abcdefg 0123456789.", min_size=0, max_size=24)] * 3), min_size=1, max_size=6),
    st.sampled_from(["ALL", "NONE", "HORIZONTAL_LINES", "INTERNAL"]),
)
async def test_no_word_of_a_page_is_lost_or_doubled_by_a_table(rows: list[tuple[str, ...]], borders: str) -> None:
    content = pdf_with_table([("Alpha", "Beta", "Gamma"), *rows], borders)
    pdfium = pytest.importorskip("pypdfium2")
    document = pdfium.PdfDocument(content)
    raw = document[0].get_textpage().get_text_range()
    document.close()
    text = (await text_of(content, PDF)).replace("| --- ", "").replace("|", " ").replace("\\", "").replace("#", "")
    assert sorted("".join(text.split())) == sorted("".join(raw.split()))


async def test_pictures_of_a_pdf_stand_on_their_page_once() -> None:
    pdf = new_pdf()
    photo, logo = picture(1, form="JPEG"), picture(2)
    pdf.image(io.BytesIO(logo), w=30)
    pdf.image(io.BytesIO(picture(3, size=(20, 20))), w=5)
    pdf.cell(0, 10, "First page")
    pdf.add_page()
    pdf.image(io.BytesIO(logo), w=30)
    pdf.image(io.BytesIO(photo), w=60)
    pdf.cell(0, 10, "Second page")
    document = await extract(bytes(pdf.output()), PDF, with_images=True)
    assert [(one.page, one.mime_type, one.width) for one in document.images] == [
        (1, "image/png", 120),
        (2, "image/jpeg", 120),
    ]
    assert document.pages[0].markdown == "First page\n\n![](image:0)"
    assert document.pages[1].markdown == "Second page\n\n![](image:1)"
    plain = await extract(bytes(pdf.output()), PDF)
    assert "image:" not in plain.pages[0].markdown
    assert not plain.images


async def test_a_page_is_rendered_within_the_size_asked_for() -> None:
    image = pytest.importorskip("PIL.Image")
    adapter = extractor_for(PDF)
    assert isinstance(adapter, PageRenderer)
    content = pdf_with_table(PARTS)
    png = await adapter.render_page(content, mime_type=PDF, number=1, longest_side=800)
    shown = image.open(io.BytesIO(png))
    assert shown.format == "PNG"
    assert 795 <= max(shown.size) <= 800
    with pytest.raises(ExtractionError, match="no page 2"):
        await adapter.render_page(content, mime_type=PDF, number=2, longest_side=800)
    with pytest.raises(ExtractionError):
        await adapter.render_page(b"%PDF-1.4 broken", mime_type=PDF, number=1, longest_side=800)


async def test_what_was_entered_into_a_form_is_read_with_the_names_of_its_fields() -> None:
    pypdf = pytest.importorskip("pypdf")
    generic = pytest.importorskip("pypdf.generic")
    writer = pypdf.PdfWriter(clone_from=io.BytesIO(pdf_with_table(PARTS)))
    name, text = generic.NameObject, generic.TextStringObject
    field = generic.DictionaryObject({
        name("/Type"): name("/Annot"), name("/Subtype"): name("/Widget"), name("/FT"): name("/Tx"),
        name("/T"): text("Last name"), name("/V"): text("Müller"),
        name("/Rect"): generic.ArrayObject([generic.NumberObject(n) for n in (10, 10, 100, 30)]),
    })  # fmt: skip
    reference = writer._add_object(field)
    writer.pages[0][name("/Annots")] = generic.ArrayObject([reference])
    form = generic.DictionaryObject({name("/Fields"): generic.ArrayObject([reference])})
    writer._root_object[name("/AcroForm")] = form
    file = io.BytesIO()
    writer.write(file)
    assert (await text_of(file.getvalue(), PDF)).endswith("\n\n- Last name: Müller")


def placed(*words: tuple[str, bool]) -> list[Word]:
    return [Word(text, at * 50, 0, at * 50 + 40, 10, backwards) for at, (text, backwards) in enumerate(words)]


def test_right_to_left_text_in_the_order_of_drawing_is_turned_round() -> None:
    drawn = placed(("هملاك", True), ("2024", False), ("Acme", False), ("Corp", False), ("نم", True))
    assert joined(drawn) == "من 2024 Acme Corp كالمه"[:2] + " 2024 Acme Corp كالمه"


def test_right_to_left_text_in_reading_order_stays() -> None:
    assert joined(placed(("من", False), ("خلال", False), ("R", False))) == "من خلال R"


def test_a_ligature_of_lam_and_alef_is_put_in_order() -> None:
    assert joined(placed(("اإلنتاجية", False), ("األدوات", False))) == "الإنتاجية الأدوات"


# --- Word ------------------------------------------------------------------------------------------------------------


def saved(document: Any) -> bytes:
    file = io.BytesIO()
    document.save(file)
    return file.getvalue()


async def test_list_styles_of_word_make_lists_with_levels() -> None:
    document = pytest.importorskip("docx").Document()
    document.add_paragraph("Before.")
    for text, style in (
        ("Pump", "List Bullet"), ("Small pump", "List Bullet 2"), ("Hose", "List Bullet"),
        ("Open R&D", "List Number"), ("Close it", "List Number"), ("After.", None),
    ):  # fmt: skip
        document.add_paragraph(text, style=style)
    text = await text_of(saved(document), DOCX)
    assert "- Pump\n  - Small pump\n- Hose" in text
    assert "1. Open R&D\n2. Close it" in text
    assert "\n\nAfter." in text


async def test_pictures_of_word_stand_where_they_stood() -> None:
    document = pytest.importorskip("docx").Document()
    document.add_paragraph("Before.")
    document.add_picture(io.BytesIO(picture(4)))
    document.add_paragraph("After.")
    read = await extract(saved(document), DOCX, with_images=True)
    assert read.pages[0].markdown == "Before.\n\n![](image:0)\n\nAfter."
    assert [(one.mime_type, one.width, one.height) for one in read.images] == [("image/png", 120, 90)]
    assert "image" not in (await extract(saved(document), DOCX)).pages[0].markdown


# --- spreadsheets ----------------------------------------------------------------------------------------------------


DAY = dt.datetime.fromisoformat("2024-05-01")
MORNING = dt.datetime.fromisoformat("2024-05-02T08:30")


def workbook(*sheets: tuple[str, list[list[Any]]]) -> bytes:
    book = pytest.importorskip("openpyxl").Workbook()
    book.remove(book.active)
    for name, rows in sheets:
        sheet = book.create_sheet(name)
        for row in rows:
            sheet.append(row)
    return saved(book)


async def test_each_sheet_is_a_section_and_each_block_a_table() -> None:
    content = workbook(
        ("Sales", [
            ["Sales by region"], [], ["Region", 2023, 2024], ["North", 10.0, 12.5], [], [],
            [None, "Day", "Open"], [None, DAY, True], [None, MORNING, False],
        ]),
        ("Empty", []),
        ("Notes", [["Just a note"]]),
    )  # fmt: skip
    document = await extract(content, XLSX)
    text = document.pages[0].markdown
    assert text.startswith(
        "## Sales\n\nSales by region\n\n| Region | 2023 | 2024 |\n| --- | --- | --- |\n| North | 10 | 12.5 |"
    )
    assert "| Day | Open |\n| --- | --- |\n| 2024-05-01 | true |\n| 2024-05-02 08:30:00 | false |" in text
    assert "## Notes\n\nJust a note" in text
    assert "Empty" not in text
    assert document.metadata["sheets"] == ["Sales", "Notes"]


async def test_an_opendocument_sheet_is_read_as_a_table() -> None:
    cell = '<table:table-cell office:value-type="string"><text:p>{}</text:p></table:table-cell>'
    rows = "".join(
        f"<table:table-row>{''.join(cell.format(text) for text in row)}</table:table-row>"
        for row in (("Part", "Price"), ("Filter", "12.50"))
    )
    spaces = " ".join(
        f'xmlns:{name}="urn:oasis:names:tc:opendocument:xmlns:{name}:1.0"' for name in ("office", "table", "text")
    )
    body = f'<table:table table:name="Prices">{rows}</table:table>'
    content = make_zip({
        "mimetype": f"{OPEN}.spreadsheet",
        "META-INF/manifest.xml": '<manifest:manifest xmlns:manifest="urn:oasis:names:tc:opendocument:xmlns:manifest:1.0"/>',
        "content.xml": f"<office:document-content {spaces}><office:body><office:spreadsheet>{body}</office:spreadsheet>"
        "</office:body></office:document-content>",
    })  # fmt: skip
    text = await text_of(content, f"{OPEN}.spreadsheet")
    assert text == "## Prices\n\n| Part | Price |\n| --- | --- |\n| Filter | 12.50 |"


async def test_a_large_sheet_is_one_table() -> None:
    rows = [["id", "name"], *[[at, f"Item {at}"] for at in range(3_000)]]
    text = await text_of(workbook(("Big", rows)), XLSX)
    assert text.count("| --- | --- |") == 1
    assert "| 2999 | Item 2999 |" in text


# --- presentations ---------------------------------------------------------------------------------------------------

SPACES = (
    'xmlns:a="http://schemas.openxmlformats.org/drawingml/2006/main" '
    'xmlns:p="http://schemas.openxmlformats.org/presentationml/2006/main" '
    'xmlns:c="http://schemas.openxmlformats.org/drawingml/2006/chart" '
    'xmlns:r="http://schemas.openxmlformats.org/officeDocument/2006/relationships"'
)
INDENTED = '<a:pPr lvl="1"/>'
RELATION = "http://schemas.openxmlformats.org/officeDocument/2006/relationships"


def relations(*targets: tuple[str, str, str]) -> str:
    entries = "".join(f'<Relationship Id="{i}" Type="{RELATION}/{kind}" Target="{to}"/>' for i, kind, to in targets)
    return (
        f'<Relationships xmlns="http://schemas.openxmlformats.org/package/2006/relationships">{entries}</Relationships>'
    )


def shape(kind: str, *paragraphs: str) -> str:
    text = "".join(
        f"<a:p>{INDENTED if one.startswith('>') else ''}<a:r><a:t>{one.lstrip('>')}</a:t></a:r></a:p>"
        for one in paragraphs
    )
    return f'<p:sp><p:nvSpPr><p:nvPr><p:ph type="{kind}"/></p:nvPr></p:nvSpPr><p:txBody>{text}</p:txBody></p:sp>'


def slide(name: str, *shapes: str) -> str:
    return f"<p:{name} {SPACES}><p:cSld><p:spTree>{''.join(shapes)}</p:spTree></p:cSld></p:{name}>"


def presentation() -> bytes:
    def row(*cells: str) -> str:
        return f"<a:tr>{''.join(f'<a:tc><a:txBody><a:p><a:r><a:t>{c}</a:t></a:r></a:p></a:txBody></a:tc>' for c in cells)}</a:tr>"

    def values(tag: str, *texts: str) -> str:
        return f"<c:{tag}>{''.join(f'<c:pt><c:v>{text}</c:v></c:pt>' for text in texts)}</c:{tag}>"

    grid = f"<p:graphicFrame><a:graphic><a:tbl>{row('Part', 'Price')}{row('Filter', '12.50')}</a:tbl></a:graphic></p:graphicFrame>"
    series = f"<c:ser>{values('tx', 'Ducks')}{values('cat', 'Q1', 'Q2')}{values('val', '5', '7')}</c:ser>"
    photo = '<p:pic><p:nvPicPr><p:cNvPr descr="A filter"/></p:nvPicPr><p:blipFill><a:blip r:embed="rId3"/></p:blipFill></p:pic>'
    chart = '<p:graphicFrame><a:graphic><c:chart r:id="rId4"/></a:graphic></p:graphicFrame>'
    return make_zip({
        "[Content_Types].xml": "<Types/>",
        "_rels/.rels": relations(("rId1", "officeDocument", "ppt/presentation.xml")),
        "ppt/presentation.xml": f'<p:presentation {SPACES}><p:sldIdLst><p:sldId r:id="rId2"/><p:sldId r:id="rId1"/>'
        "</p:sldIdLst></p:presentation>",
        "ppt/_rels/presentation.xml.rels": relations(("rId1", "slide", "slides/slide1.xml"), ("rId2", "slide", "slides/slide2.xml")),
        "ppt/slides/slide2.xml": slide("sld", shape("body", "Clean it", ">weekly", "Dry it"), shape("title", "Care"), grid),
        "ppt/slides/_rels/slide2.xml.rels": relations(("rId9", "notesSlide", "../notesSlides/notesSlide1.xml")),
        "ppt/notesSlides/notesSlide1.xml": slide("notes", shape("body", "Say it slowly."), shape("sldNum", "1")),
        "ppt/slides/slide1.xml": slide("sld", shape("title", "Sales"), photo, chart),
        "ppt/slides/_rels/slide1.xml.rels": relations(("rId3", "image", "../media/image1.png"), ("rId4", "chart", "/ppt/charts/chart1.xml")),
        "ppt/charts/chart1.xml": f"<c:chartSpace {SPACES}><c:chart><c:plotArea>{series}</c:plotArea></c:chart></c:chartSpace>",
        "ppt/media/image1.png": picture(5),
    })  # fmt: skip


async def test_slides_keep_their_order_lists_tables_charts_and_notes() -> None:
    document = await extract(presentation(), PPTX, with_images=True)
    assert [page.number for page in document.pages] == [1, 2]
    assert document.pages[0].markdown == (
        "## Care\n\n- Clean it\n  - weekly\n- Dry it\n\n"
        "| Part | Price |\n| --- | --- |\n| Filter | 12.50 |\n\nSay it slowly."
    )
    assert document.pages[1].markdown == (
        "## Sales\n\n![A filter](image:0)\n\n|  | Ducks |\n| --- | --- |\n| Q1 | 5 |\n| Q2 | 7 |"
    )
    assert [(one.page, one.description) for one in document.images] == [(2, "A filter")]


async def test_a_presentation_with_a_password_is_named_so() -> None:
    with pytest.raises(EncryptedDocumentError):
        await extract(b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1" + bytes(2_000), PPTX)


# --- OpenDocument ----------------------------------------------------------------------------------------------------

OPEN_SPACES = " ".join(
    f'xmlns:{name}="urn:oasis:names:tc:opendocument:xmlns:{space}:1.0"'
    for name, space in (
        ("office", "office"), ("text", "text"), ("table", "table"), ("draw", "drawing"), ("style", "style"),
        ("svg", "svg-compatible"), ("presentation", "presentation"),
    )
) + ' xmlns:xlink="http://www.w3.org/1999/xlink"'  # fmt: skip


def open_document(kind: str, body: str, *, manifest: str = "<manifest/>", prologue: str = "") -> bytes:
    styles = '<text:list-style style:name="N"><text:list-level-style-number text:level="1"/></text:list-style>'
    return make_zip({
        "mimetype": f"{OPEN}.{kind}",
        "META-INF/manifest.xml": manifest,
        "content.xml": f"{prologue}<office:document-content {OPEN_SPACES}><office:automatic-styles>{styles}</office:automatic-styles>"
        f"<office:body><office:{kind}>{body}</office:{kind}></office:body></office:document-content>",
        "Pictures/a.png": picture(6),
    })  # fmt: skip


ODT_BODY = (
    "<text:tracked-changes><text:changed-region><text:p>deleted words</text:p></text:changed-region></text:tracked-changes>"
    '<text:h text:outline-level="2">Care</text:h>'
    '<text:p>Clean<text:s text:c="2"/>it <text:span>weekly</text:span>.<text:note><text:note-citation>1</text:note-citation>'
    "<text:note-body><text:p>With a cloth.</text:p></text:note-body></text:note></text:p>"
    '<text:list text:style-name="N"><text:list-item><text:p>Open</text:p></text:list-item><text:list-item><text:p>Close</text:p>'
    "<text:list><text:list-item><text:p>tightly</text:p></text:list-item></text:list></text:list-item></text:list>"
    "<table:table><table:table-header-rows><table:table-row><table:table-cell><text:p>Part</text:p></table:table-cell>"
    "<table:table-cell><text:p>Price</text:p></table:table-cell></table:table-row></table:table-header-rows>"
    "<table:table-row><table:table-cell><text:p>Filter</text:p></table:table-cell>"
    "<table:table-cell><text:p>12.50</text:p></table:table-cell></table:table-row></table:table>"
    '<text:p>See <draw:frame><draw:image xlink:href="Pictures/a.png"/><svg:title>A filter</svg:title></draw:frame>here.</text:p>'
)


async def test_an_odt_gives_headings_lists_tables_notes_and_pictures() -> None:
    document = await extract(open_document("text", ODT_BODY), f"{OPEN}.text", with_images=True)
    assert document.pages[0].markdown == (
        "## Care\n\nClean  it weekly. (With a cloth.)\n\n1. Open\n2. Close\n  - tightly\n\n"
        "| Part | Price |\n| --- | --- |\n| Filter | 12.50 |\n\nSee here.\n\n![A filter](image:0)"
    )
    assert len(document.images) == 1


async def test_an_odp_gives_its_slides() -> None:
    body = (
        "<draw:page><draw:frame><draw:text-box><text:p>Clean it.</text:p></draw:text-box></draw:frame>"
        '<draw:frame presentation:class="title"><draw:text-box><text:p>Care</text:p></draw:text-box></draw:frame>'
        "<presentation:notes><draw:frame><draw:text-box><text:p>Slowly.</text:p></draw:text-box></draw:frame></presentation:notes>"
        "</draw:page><draw:page/>"
    )
    document = await extract(open_document("presentation", body), f"{OPEN}.presentation")
    assert [(page.number, page.markdown) for page in document.pages] == [
        (1, "## Care\n\nClean it.\n\nSlowly."),
        (2, ""),
    ]


async def test_an_odt_with_a_password_or_entities_is_refused() -> None:
    locked = open_document("text", ODT_BODY, manifest="<manifest><encryption-data/></manifest>")
    with pytest.raises(EncryptedDocumentError):
        await extract(locked, f"{OPEN}.text")
    bomb = open_document("text", "<text:p>&a;</text:p>", prologue='<!DOCTYPE x [<!ENTITY a "aaaa">]>')
    with pytest.raises(ExtractionError, match="entities"):
        await extract(bomb, f"{OPEN}.text")


# --- mails -----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("charset", "stated", "said"),
    [
        ("utf-8", "utf-8", "Größe übergroß"),
        ("cp1251", "windows-1251", "Покупатель может вернуть товар в течение тридцати дней."),
        ("cp1251", None, "Покупатель может вернуть товар в течение тридцати дней."),
        ("iso2022_jp", "ISO-2022-JP", "返品は三十日以内に受け付けます。"),
        ("iso2022_jp", None, "返品は三十日以内に受け付けます。"),
        ("cp1252", "no-such-charset", "Die Größe ist übergroß, Änderungen möglich."),
    ],
)
async def test_a_mail_is_decoded_whatever_it_states(charset: str, stated: str | None, said: str) -> None:
    kind = f"Content-Type: text/plain; charset={stated}\n" if stated else ""
    subject = f"=?utf-8?b?{base64.b64encode(said.encode()).decode()}?="
    head = f"From: a@b.c\nSubject: {subject}\n{kind}Content-Transfer-Encoding: 8bit\n\n"
    document = await extract(head.encode() + said.encode(charset), EML)
    assert document.title == said
    assert document.pages[0].markdown.endswith(said)


@pytest.mark.parametrize("encoding", ["utf-16", "utf-16-le", "utf-8-sig"])
async def test_a_mail_saved_in_another_unicode_form_is_read(encoding: str) -> None:
    document = await extract("From: a@b.c\nSubject: Größe\n\nübergroß\n".encode(encoding), EML)
    assert document.title == "Größe"
    assert "übergroß" in document.pages[0].markdown


def mail_with_attachments() -> bytes:
    inner = EmailMessage()
    inner["Subject"] = "Inner"
    inner.set_content("Forwarded words.")
    mail = EmailMessage()
    mail["Subject"], mail["From"] = "Offer", "Ann <ann@a.example>"
    mail.set_content("See attached.")
    mail.add_alternative(
        '<p>See <img src="cid:x1" alt="Shot"> attached.</p><table><tr><td>a</td></tr></table>', subtype="html"
    )
    mail.get_payload()[1].add_related(picture(7), "image", "png", cid="<x1>")
    mail.add_attachment("Part;Price\nFilter;12.50\n", subtype="csv", filename="Preisliste März.csv")
    mail.add_attachment(
        workbook(("S", [["k", "v"], ["a", "b"]])), maintype="application", subtype="octet-stream", filename="t.xlsx"
    )
    mail.add_attachment(b"%PDF-1.4 broken", maintype="application", subtype="pdf", filename="broken.pdf")
    mail.add_attachment(b"MZ\x00\x01", maintype="application", subtype="octet-stream", filename="tool.exe")
    mail.add_attachment(inner)
    return bytes(mail)


async def test_a_mail_lists_its_attachments_and_reads_those_it_can() -> None:
    document = await extract(mail_with_attachments(), EML, with_images=True)
    text = document.pages[0].markdown
    assert text.startswith("# Offer\n\nFrom: Ann <ann@a.example>")
    for name in ("Preisliste März.csv", "t.xlsx", "broken.pdf", "tool.exe"):
        assert f"- {name} (" in text
    assert "## Attachment: Preisliste März.csv\n\n| Part | Price |\n| --- | --- |\n| Filter | 12.50 |" in text
    assert "## Attachment: t.xlsx\n\n#### S" in text
    assert "## Inner" in text
    assert "Forwarded words." in text
    assert "## Attachment: tool.exe" not in text
    assert len(document.warnings) == 1
    assert "broken.pdf" in document.warnings[0]
    assert text.count("(image:0)") == 1
    assert document.images[0].description == "Shot"


async def test_attachments_of_an_attached_mail_are_only_listed() -> None:
    outer = EmailMessage()
    outer["Subject"] = "Outer"
    outer.set_content("Look.")
    outer.add_attachment(mail_with_attachments(), maintype="application", subtype="octet-stream", filename="inner.eml")
    text = await text_of(bytes(outer), EML)
    assert "- inner.eml" in text
    assert "12.50" not in text


async def test_an_encrypted_mail_is_named_so() -> None:
    source = b"From: a@b.c\nContent-Type: text/plain\n\n-----BEGIN PGP MESSAGE-----\n\nhQEMA\n"
    with pytest.raises(EncryptedDocumentError):
        await extract(source, EML)


async def test_a_page_as_the_only_body_of_a_mail_keeps_its_table() -> None:
    source = b"From: a@b.c\nSubject: P\nContent-Type: text/html\n\n<table><tr><th>Part</th><th>Price</th></tr><tr><td>Filter</td><td>12</td></tr></table>"
    assert "| Part | Price |\n| --- | --- |\n| Filter | 12 |" in await text_of(source, EML)


def compound_file(streams: dict[str, bytes]) -> bytes:
    """An OLE container with the streams padded to the size from which they need no second table."""
    entries: list[tuple[str, int, bytes]] = [("Root Entry", 5, b"")]
    children: dict[int, list[int]] = {0: []}
    folders = {"": 0}
    for path, data in streams.items():
        *above, name = path.split("/")
        for at in range(len(above)):
            folder = "/".join(above[: at + 1])
            if folder not in folders:
                folders[folder] = len(entries)
                children[len(entries)] = []
                children[folders["/".join(above[:at])]].append(len(entries))
                entries.append((above[at], 1, b""))
        children[folders["/".join(above)]].append(len(entries))
        entries.append((name, 2, data.ljust(4096, b" " if not name.startswith("__prop") else b"\0")))
    sectors: list[bytes] = []
    chain: list[int] = []
    starts = {}
    for at, (_, _, data) in enumerate(entries):
        if data:
            starts[at] = len(sectors)
            pieces = [data[i : i + 512].ljust(512, b"\0") for i in range(0, len(data), 512)]
            chain += [*range(len(sectors) + 1, len(sectors) + len(pieces)), 0xFFFFFFFE]
            sectors += pieces
    siblings = {one: below[i + 1] for below in children.values() for i, one in enumerate(below[:-1])}
    directory = b""
    for at, (name, kind, data) in enumerate(entries):
        title = name.encode("utf-16-le") + b"\0\0"
        child = children[at][0] if children.get(at) else 0xFFFFFFFF
        directory += title.ljust(64, b"\0") + struct.pack(
            "<HBBIII36sIQ", len(title), kind, 1, 0xFFFFFFFF, siblings.get(at, 0xFFFFFFFF), child, b"",
            starts.get(at, 0xFFFFFFFE), len(data),
        )  # fmt: skip
    first_directory = len(sectors)
    pieces = [directory[i : i + 512].ljust(512, b"\0") for i in range(0, len(directory), 512)]
    chain += [*range(len(sectors) + 1, len(sectors) + len(pieces)), 0xFFFFFFFE]
    sectors += pieces
    tables = -(-(len(sectors) + 4) // 128)
    first_table = len(sectors)
    chain += [0xFFFFFFFD] * tables
    table = struct.pack(f"<{len(chain)}I", *chain).ljust(512 * tables, b"\xff")
    head = b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1" + bytes(16) + struct.pack(
        "<HHHHHHIIIIIIIIII", 0x3E, 3, 0xFFFE, 9, 6, 0, 0, 0, tables, first_directory, 0, 4096, 0xFFFFFFFE, 0, 0xFFFFFFFE, 0
    )  # fmt: skip
    listed = [*range(first_table, first_table + tables)]
    head += struct.pack("<109I", *listed, *[0xFFFFFFFF] * (109 - len(listed)))
    return head + b"".join(sectors) + table


async def test_an_outlook_mail_gives_its_fields_body_and_attachments() -> None:
    wide = {
        "0037001F": "Größe",
        "0C1A001F": "Ann",
        "5D01001F": "ann@a.example",
        "0E04001F": "Bob",
        "1000001F": "Übergroß.\r\nZweite Zeile.",
    }
    streams = {f"__substg1.0_{number}": text.encode("utf-16-le").ljust(4096, b"\0") for number, text in wide.items()}
    sent = struct.pack("<IIQ", 0x00390040, 6, 133_600_000_000_000_000)
    streams["__properties_version1.0"] = bytes(32) + sent
    folder = "__attach_version1.0_#00000000"
    streams[f"{folder}/__substg1.0_3707001F"] = "prices.csv".encode("utf-16-le").ljust(4096, b"\0")
    streams[f"{folder}/__substg1.0_37010102"] = b"Part;Price\nFilter;12.50\n"
    document = await extract(compound_file(streams), MSG)
    text = document.pages[0].markdown
    assert document.title == "Größe"
    assert text.startswith("# Größe\n\nFrom: Ann <ann@a.example>\nTo: Bob\nDate: 2024-05-")
    assert "Übergroß.\nZweite Zeile." in text
    assert "- prices.csv (" in text
    assert "| Filter | 12.50 |" in text


async def test_an_ole_container_that_is_no_mail_is_refused() -> None:
    for content in (
        compound_file({"WordDocument": b"x"}),
        b"no container",
        b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1" + bytes(900),
    ):
        with pytest.raises(ExtractionError):
            await extract(content, MSG)


# --- RTF, EPUB, HTML, SVG --------------------------------------------------------------------------------------------


def rtf(charset: int, encoding: str, said: str) -> bytes:
    escaped = "".join(f"\\'{byte:02x}" for byte in said.encode(encoding))
    return f"{{\\rtf1\\ansi\\ansicpg1252{{\\fonttbl{{\\f0\\fcharset0 Arial;}}{{\\f1\\fcharset{charset} Other;}}}}\\f1 {escaped}\\par\\f0 caf\\'e9\\par}}".encode()


@pytest.mark.parametrize(
    ("charset", "encoding", "said"),
    [
        (128, "cp932", "ソルゲと尾崎、表示能力"),
        (134, "gb18030", "客户可以在三十天内退货"),
        (129, "cp949", "고객은 삼십일 이내에"),
        (204, "cp1251", "Покупатель может вернуть"),
        (161, "cp1253", "Ο πελάτης μπορεί"),
        (178, "cp1256", "يمكن للعميل"),
    ],
)
async def test_rtf_is_read_in_the_encoding_of_each_font(charset: int, encoding: str, said: str) -> None:
    text = await text_of(rtf(charset, encoding, said), "application/rtf")
    assert said in text
    assert "café" in text


def test_rtf_with_unicode_escapes_or_pictures_in_binary_stays_as_it_is() -> None:
    for source in (rb"{\rtf1\ansi\uc1 \u12478?\u12523? text}", rb"{\rtf1{\pict\bin4 " + b"\\'\xff\x00" + rb"} after}"):
        assert with_unicode_characters(source) == source


@given(st.binary(max_size=300))
def test_rewriting_rtf_never_fails(content: bytes) -> None:
    with_unicode_characters(b"{\\rtf1\\ansi\\ansicpg932 " + content)


async def test_an_ebook_gives_its_chapters_and_pictures() -> None:
    container = '<container xmlns="urn:oasis:names:tc:opendocument:xmlns:container" version="1.0"><rootfiles><rootfile full-path="OEBPS/a.opf" media-type="application/oebps-package+xml"/></rootfiles></container>'
    package = (
        '<package xmlns="http://www.idpf.org/2007/opf" version="3.0"><metadata xmlns:dc="http://purl.org/dc/elements/1.1/">'
        '<dc:title>The Manual</dc:title></metadata><manifest><item id="c1" href="one.xhtml" media-type="application/xhtml+xml"/>'
        '<item id="c2" href="two.xhtml" media-type="application/xhtml+xml"/><item id="i" href="img/a.png" media-type="image/png"/>'
        '</manifest><spine><itemref idref="c1"/><itemref idref="c2"/></spine></package>'
    )
    page = '<html xmlns="http://www.w3.org/1999/xhtml"><body><h1>{}</h1><p>{}</p></body></html>'
    content = make_zip({
        "mimetype": "application/epub+zip", "META-INF/container.xml": container, "OEBPS/a.opf": package,
        "OEBPS/one.xhtml": page.format("Care", 'Clean it. <img src="img/a.png" alt="A filter"/>'),
        "OEBPS/two.xhtml": page.format("Repair", "Call us."), "OEBPS/img/a.png": picture(8),
    })  # fmt: skip
    document = await extract(content, "application/epub+zip", with_images=True)
    text = document.pages[0].markdown
    assert document.title == "The Manual"
    assert text.index("# Care") < text.index("![A filter](image:0)") < text.index("# Repair") < text.index("Call us.")
    assert len(document.images) == 1


async def test_embedded_pictures_of_a_page_are_kept_and_never_its_text() -> None:
    data = base64.b64encode(picture(9, form="BMP")).decode()
    page = f'<h1>Care</h1><p>One</p><a href="https://a.example"><img alt="A filter" src="data:image/bmp;base64,{data}"></a><p>Two</p>'
    document = await extract(page.encode(), "text/html", with_images=True)
    assert document.pages[0].markdown == "# Care\n\nOne\n\n![A filter](image:0)\n\nTwo"
    assert document.images[0].mime_type == "image/png"  # browsers show no BMP for certain
    plain = (await extract(page.encode(), "text/html")).pages[0].markdown
    assert plain == "# Care\n\nOne\n\nA filter\n\nTwo"


async def test_marks_of_highlighting_and_deletion_do_not_stay_in_the_text() -> None:
    assert await text_of(b"<p>A <mark>bright</mark> and <del>old</del> word, a == b</p>", "text/html") == (
        "A bright and old word, a == b"
    )


async def test_a_drawing_gives_its_text_only() -> None:
    source = (
        '<?xml version="1.0" encoding="UTF-16"?><svg xmlns="http://www.w3.org/2000/svg"><title>Pump</title>'
        "<script>evil()</script><style>text {color: red}</style><g><text>Inlet <tspan>valve</tspan></text><text>Größe</text></g></svg>"
    )
    document = await extract(source.encode("utf-16"), SVG)
    assert (document.title, document.pages[0].markdown) == ("Pump", "Inlet valve\nGröße")
    for bad in ('<!DOCTYPE svg [<!ENTITY a SYSTEM "file:///etc/passwd">]><svg>&a;</svg>', "<html/>", "<svg"):
        with pytest.raises(ExtractionError):
            await extract(bad.encode(), SVG)


# --- what all share --------------------------------------------------------------------------------------------------


def test_a_gallery_keeps_no_icons_no_doubles_and_no_more_than_its_bounds(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("dragoman.adapters.extractor._parts.pictures.MOST_PICTURES", 2)
    gallery = Gallery()
    assert gallery.add(picture(1)) == 0
    assert gallery.add(picture(1)) is None
    assert gallery.add(picture(2, size=(63, 200))) is None
    assert gallery.add(b"no picture" * 500) is None
    assert gallery.add(picture(3), page=4, description="a [b] (c)") == 1
    assert gallery.images[1].description == "a b c"
    assert gallery.add(picture(4)) is None
    assert len(gallery.warnings) == 1


def test_a_japanese_mail_encoding_is_not_taken_for_ascii() -> None:
    said = "返品は三十日以内に受け付けます。"
    assert decode_text(said.encode("iso2022_jp")).text == said
    assert decode_text(b"plain", declared="iso-2022-jp").text == "plain"


def test_reading_markdown_loads_no_library_of_another_format() -> None:
    script = (
        "import asyncio, sys\nfrom dragoman.kit import registry\n"
        "made = [registry.create('extractor', name) for name in registry.list_adapters('extractor')]\n"
        "one = next(a for a in made if 'text/markdown' in a.mime_types)\n"
        "asyncio.run(one.extract(b'# A', mime_type='text/markdown', file_name='a.md'))\n"
        "print([m for m in ('kreuzberg', 'pypdfium2', 'PIL', 'olefile', 'python_calamine') if m in sys.modules])"
    )
    run = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True)
    assert run.stdout.strip() == "[]"
