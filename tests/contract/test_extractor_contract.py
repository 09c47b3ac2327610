"""Every extractor keeps the promises of its port. Documents are made here, so that what they hold is known."""

from __future__ import annotations

import json
import re
import unicodedata
import zipfile
from io import BytesIO
from pathlib import Path
from typing import Any

import pytest

from dragoman.kit import registry
from dragoman.ports.extractor import (
    EncryptedDocumentError,
    ExtractedDocument,
    ExtractionError,
    Extractor,
)

SHARED = Path(__file__).resolve().parents[3] / "shared" / "data"
OFFICE = "application/vnd.openxmlformats-officedocument"
DOCX = f"{OFFICE}.wordprocessingml.document"
XLSX = f"{OFFICE}.spreadsheetml.sheet"
TYPES = {
    "pdf": "application/pdf",
    "docx": DOCX,
    "docm": DOCX,
    "xlsx": XLSX,
    "pptx": f"{OFFICE}.presentationml.presentation",
    "odt": "application/vnd.oasis.opendocument.text",
    "ods": "application/vnd.oasis.opendocument.spreadsheet",
    "odp": "application/vnd.oasis.opendocument.presentation",
    "doc": "application/msword",
    "xls": "application/vnd.ms-excel",
    "rtf": "application/rtf",
    "msg": "application/vnd.ms-outlook",
    "svg": "image/svg+xml",
    "epub": "application/epub+zip",
    "html": "text/html",
    "txt": "text/plain",
    "md": "text/markdown",
    "csv": "text/csv",
    "tsv": "text/tab-separated-values",
    "json": "application/json",
    "jsonl": "application/x-ndjson",
    "eml": "message/rfc822",
}


def extractor_for(mime_type: str) -> Extractor:
    for name in registry.list_adapters("extractor"):
        adapter: Extractor = registry.create("extractor", name)
        if mime_type in adapter.mime_types:
            return adapter
    raise AssertionError(mime_type)


async def extract(content: bytes, suffix: str) -> ExtractedDocument:
    mime_type = TYPES[suffix]
    return await extractor_for(mime_type).extract(content, mime_type=mime_type, file_name=f"document.{suffix}")


async def text_of(content: bytes, suffix: str) -> str:
    return "\n\n".join(page.markdown for page in (await extract(content, suffix)).pages)


# --- the documents ---------------------------------------------------------------------------------------------------


def make_pdf(pages: list[list[str]], *, password: str | None = None) -> bytes:
    """Each page has a bold heading, and its other lines as body text."""
    fpdf = pytest.importorskip("fpdf")
    pdf = fpdf.FPDF()
    pdf.set_title("The Manual")
    if password:
        pdf.set_encryption(owner_password="owner", user_password=password)
    for heading, *lines in pages:
        pdf.add_page()
        pdf.set_font("Helvetica", "B", 20)
        pdf.cell(0, 12, heading, new_x="LMARGIN", new_y="NEXT")
        pdf.set_font("Helvetica", "", 11)
        for line in lines:
            pdf.multi_cell(0, 6, line, new_x="LMARGIN", new_y="NEXT")
            pdf.ln(4)
    return bytes(pdf.output())


def make_docx() -> bytes:
    docx = pytest.importorskip("docx")
    document = docx.Document()
    document.core_properties.title = "The Manual"
    document.add_heading("Care", level=1)
    document.add_paragraph("Clean it weekly* (see #4) & gently.")
    table = document.add_table(rows=1, cols=2)
    table.rows[0].cells[0].text, table.rows[0].cells[1].text = "Part", "Price"
    row = table.add_row().cells
    row[0].text, row[1].text = "Filter", "12.50"
    return saved(document)


def make_xlsx() -> bytes:
    openpyxl = pytest.importorskip("openpyxl")
    book = openpyxl.Workbook()
    book.active.title = "Prices"
    for row in (["Part", "Price"], ["Filter", 12.5], ["Hose", 8]):
        book.active.append(row)
    return saved(book)


def make_zip(members: dict[str, str]) -> bytes:
    file = BytesIO()
    with zipfile.ZipFile(file, "w") as container:
        for name, content in members.items():
            container.writestr(name, content)
    return file.getvalue()


def make_odt() -> bytes:
    office = "urn:oasis:names:tc:opendocument:xmlns:office:1.0"
    text = "urn:oasis:names:tc:opendocument:xmlns:text:1.0"
    body = '<text:h text:outline-level="1">Care</text:h><text:p>Clean it weekly.</text:p>'
    return make_zip(
        {
            "mimetype": TYPES["odt"],
            "content.xml": f'<?xml version="1.0"?><office:document-content xmlns:office="{office}" xmlns:text="{text}">'
            f"<office:body><office:text>{body}</office:text></office:body></office:document-content>",
            "META-INF/manifest.xml": "<?xml version='1.0'?><manifest/>",
        }
    )


def saved(document: Any) -> bytes:
    file = BytesIO()
    document.save(file)
    return file.getvalue()


HTML = """<html lang="en"><head><title>The Manual</title><meta name="x" content="y"><link rel="canonical" href="z">
<style>p {color: red}</style></head><body><script>evil()</script><h1>Care</h1><p>Clean it <a href="https://a.example/b">weekly</a>,
ask <a href="mailto:care@a.example">us</a>. <img src="p.png" alt="A filter"></p><p style="display:none">hidden words</p>
<table><tr><th>Part</th><th>Price</th></tr><tr><td>Filter</td><td>12|50</td></tr></table></body></html>"""


# --- for all adapters ------------------------------------------------------------------------------------------------


def test_there_is_one_extractor_per_type() -> None:
    seen: set[str] = set()
    for name in registry.list_adapters("extractor"):
        types = registry.create("extractor", name).mime_types
        assert types
        assert not seen & types
        seen |= types
    assert set(TYPES.values()) <= seen


@pytest.mark.parametrize(
    "suffix", ["pdf", "docx", "xlsx", "pptx", "odt", "ods", "odp", "epub", "doc", "xls", "rtf", "msg", "svg"]
)
@pytest.mark.parametrize("content", [b"", b"no such document", bytes(range(256)) * 4, b"PK\x03\x04" + bytes(60)])
async def test_what_is_not_the_stated_document_is_an_extraction_error(suffix: str, content: bytes) -> None:
    with pytest.raises(ExtractionError):
        await extract(content, suffix)


@pytest.mark.parametrize("suffix", ["txt", "md", "csv", "json", "html", "svg", "eml"])
async def test_binary_content_is_an_extraction_error(suffix: str) -> None:
    with pytest.raises(ExtractionError):
        await extract(b"\x89PNG\r\n\x1a\n" + bytes(range(256)) * 8, suffix)


@pytest.mark.parametrize(
    "encoding", ["utf-8", "utf-8-sig", "utf-16", "utf-16-le", "utf-16-be", "utf-32", "utf-32-le", "utf-32-be", "cp1252"]
)
@pytest.mark.parametrize("suffix", ["txt", "md", "csv", "json", "html", "eml"])
async def test_text_is_decoded_whatever_its_encoding(encoding: str, suffix: str) -> None:
    sources = {
        "csv": "Größe;Preis\nübergroß;5",
        "json": '{"Größe": "übergroß"}',
        "html": "<p>Größe: übergroß</p>",
        "eml": "From: a@b.c\nSubject: x\n\nGröße und Preis: übergroß\n",
    }
    source = sources.get(suffix, "Größe und Preis: übergroß")
    text = await text_of(source.encode(encoding), suffix)
    assert "Größe" in text
    assert "übergroß" in text


@pytest.mark.parametrize(
    ("encoding", "source"),
    [
        ("cp1251", "Покупатель может вернуть товар в течение тридцати дней."),
        ("koi8-r", "Покупатель может вернуть товар в течение тридцати дней."),
        ("shift_jis", "返品は三十日以内に受け付けます。製品の保証期間は二年です。"),
        ("gb18030", "客户可以在三十天内退货。保修期为两年。"),
        ("euc_kr", "고객은 삼십일 이내에 반품할 수 있습니다."),
        ("cp1256", "يمكن للعميل إرجاع البضائع خلال ثلاثين يوما."),
        ("cp1253", "Ο πελάτης μπορεί να επιστρέψει τα προϊόντα."),
        ("cp1254", "Müşteri ürünü otuz gün içinde iade edebilir. Şirket İstanbul'da."),
        ("cp1255", "הלקוח יכול להחזיר את הסחורה בתוך שלושים יום."),
        ("cp1250", "Příliš žluťoučký kůň úpěl ďábelské ódy."),
        ("cp874", "ลูกค้าสามารถคืนสินค้าได้ภายในสามสิบวัน"),
    ],
)
async def test_legacy_encodings_are_recognised(encoding: str, source: str) -> None:
    assert source in await text_of(source.encode(encoding), "txt")


@pytest.mark.parametrize("suffix", ["pdf", "docx", "xlsx", "html", "txt", "md", "csv", "json", "eml"])
async def test_lines_end_with_a_line_feed_only(suffix: str) -> None:
    made = (
        {"pdf": make_pdf([["Care", "One.", "Two."]]), "docx": make_docx(), "xlsx": make_xlsx()}
        if suffix
        in {
            "pdf",
            "docx",
            "xlsx",
        }
        else {}
    )
    text = {
        "html": HTML.replace("\n", "\r\n"),
        "csv": "a,b\r\n1,2\r\n",
        "json": '{"a":\r\n"x\\r\\ny"}',
        "eml": "From: a@b.c\r\nTo: d@e.f\r\nSubject: Hi\r\n\r\nOne\r\nTwo\r\n",
    }.get(suffix, "a\r\nb\rc")
    assert "\r" not in await text_of(made.get(suffix, text.encode()), suffix)


@pytest.mark.parametrize("suffix", ["pdf", "docx", "xlsx", "html", "txt", "md", "csv", "json", "eml"])
async def test_asking_for_pictures_changes_no_word_where_there_are_none(suffix: str) -> None:
    made = {"pdf": make_pdf([["Care", "One."]]), "docx": make_docx(), "xlsx": make_xlsx(), "html": b"<p>One</p>"}
    text = {"json": b'{"a": "One"}', "csv": b"a,b\nOne,2\n", "eml": b"From: a@b.c\nSubject: x\n\nOne\n"}
    content = made.get(suffix) or text.get(suffix, b"One")
    extractor = extractor_for(TYPES[suffix])
    without, with_images = [
        await extractor.extract(content, mime_type=TYPES[suffix], file_name="a", with_images=asked)
        for asked in (False, True)
    ]
    assert [page.markdown for page in without.pages] == [page.markdown for page in with_images.pages]
    assert not with_images.images


# --- PDF -------------------------------------------------------------------------------------------------------------


async def test_a_pdf_gives_its_pages_with_headings_and_title() -> None:
    body = "The device is cleaned once a week with a soft cloth, never with solvents of any kind whatsoever. "
    document = await extract(make_pdf([["Care", body * 3], ["Repair", "Call us first.", body * 3]]), "pdf")
    assert [page.number for page in document.pages] == [1, 2]
    assert document.title == "The Manual"
    assert "# Care\n" in document.pages[0].markdown
    assert "# Repair\n" in document.pages[1].markdown
    assert "Call us first." in document.pages[1].markdown
    assert "Call us" not in document.pages[0].markdown


async def test_an_empty_page_stays_in_the_list() -> None:
    pypdf = pytest.importorskip("pypdf")
    writer = pypdf.PdfWriter()
    writer.add_blank_page(200, 200)
    file = BytesIO()
    writer.write(file)
    document = await extract(file.getvalue(), "pdf")
    assert [(page.number, page.markdown) for page in document.pages] == [(1, "")]


async def test_a_pdf_with_a_password_is_named_so() -> None:
    with pytest.raises(EncryptedDocumentError):
        await extract(make_pdf([["Care", "Secret."]], password="open sesame"), "pdf")


async def test_a_cut_pdf_is_an_extraction_error_or_read() -> None:
    whole = make_pdf([["Care", "Text."]])
    with pytest.raises(ExtractionError):
        await extract(whole[:200], "pdf")


# --- office, web, mail -----------------------------------------------------------------------------------------------


async def test_a_docx_gives_headings_tables_and_unescaped_text() -> None:
    document = await extract(make_docx(), "docx")
    assert document.title == "The Manual"
    assert [page.number for page in document.pages] == [None]
    markdown = document.pages[0].markdown
    assert "# Care" in markdown
    assert "Clean it weekly* (see #4) & gently." in markdown
    assert "| Part | Price |\n| --- | --- |\n| Filter | 12.50 |" in markdown


async def test_a_docx_keeps_its_ampersands_and_angle_brackets() -> None:
    docx = pytest.importorskip("docx")
    document = docx.Document()
    document.add_paragraph("R&D at AT&T: 3 < 5 > 2, \"quoted\" & 'more' <b>no tag</b> &amp; C:\\temp")
    expected = "R&D at AT&T: 3 < 5 > 2, \"quoted\" & 'more' <b>no tag</b> &amp; C:\\temp"
    assert expected in await text_of(saved(document), "docx")


async def test_an_office_document_with_a_password_is_named_so() -> None:
    with pytest.raises(EncryptedDocumentError):
        await extract(b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1" + bytes(2000), "docx")


async def test_a_workbook_gives_a_table_under_the_name_of_its_sheet() -> None:
    text = await text_of(make_xlsx(), "xlsx")
    assert "## Prices" in text
    assert "| Part | Price |" in text
    assert "| Filter | 12.5 |" in text


async def test_an_odt_gives_headings() -> None:
    text = await text_of(make_odt(), "odt")
    assert "# Care" in text
    assert "Clean it weekly." in text


async def test_html_gives_only_what_is_seen() -> None:
    document = await extract(HTML.encode(), "html")
    markdown = document.pages[0].markdown
    assert document.title == "The Manual"
    assert markdown.startswith("# Care")
    assert "title:" not in markdown
    assert not any(word in markdown for word in ("evil", "color", "hidden", "p.png", "https://", "canonical"))
    assert "weekly" in markdown
    assert "us (care@a.example)" in markdown
    assert "| Part | Price |\n| --- | --- |\n| Filter | 12\\|50 |" in markdown


async def test_deeply_nested_html_keeps_its_text() -> None:
    assert "the core" in await text_of(("<div>" * 20_000 + "the core" + "</div>" * 20_000).encode(), "html")


async def test_html_states_its_encoding_itself() -> None:
    source = '<html><head><meta charset="windows-1251"></head><body><p>Да</p></body></html>'
    assert "Да" in await text_of(source.encode("cp1251"), "html")


async def test_a_layout_table_becomes_paragraphs() -> None:
    essay = "A long thought about how things are. " * 40
    text = await text_of(f"<table><tr><td>{essay}</td></tr></table>".encode(), "html")
    assert "|" not in text
    assert text.count("A long thought") == 40


async def test_a_mail_gives_subject_and_lines() -> None:
    source = "From: Ann <a@b.c>\nTo: d@e.f\nSubject: Pump 7\nMIME-Version: 1.0\n\nFirst line.\nSecond line.\n"
    document = await extract(source.encode(), "eml")
    assert document.title == "Pump 7"
    assert "First line.\nSecond line." in document.pages[0].markdown


# --- text, tables, JSON ----------------------------------------------------------------------------------------------


async def test_plain_text_gets_the_headings_a_reader_sees() -> None:
    text = await text_of(b"RULES FOR PARTNERS\nEdition 3\n\n1. GIFTS\n\nNo gifts.\n\nUN\nEU\n", "txt")
    assert text == "# RULES FOR PARTNERS\nEdition 3\n\n## 1. GIFTS\n\nNo gifts.\n\nUN\nEU\n"


async def test_markdown_loses_its_front_matter_and_keeps_the_title() -> None:
    document = await extract(b"---\ntitle: 'The Manual'\ndraft: true\n---\n# Care\n\ntext", "md")
    assert (document.title, document.pages[0].markdown) == ("The Manual", "# Care\n\ntext")


@pytest.mark.parametrize("delimiter", [",", ";", "\t", "|"])
async def test_a_table_of_any_delimiter_keeps_its_header(delimiter: str) -> None:
    source = f'part_number{delimiter}price\nA-1{delimiter}"1{delimiter}50"\nA-2{delimiter}2\n'
    text = await text_of(source.encode(), "csv")
    cell = f"1{delimiter}50".replace("\t", " ").replace("|", "\\|")
    assert text == f"| part number | price |\n| --- | --- |\n| A-1 | {cell} |\n| A-2 | 2 |"


async def test_a_table_without_header_gets_numbered_columns() -> None:
    assert "| column 1 | column 2 |\n| --- | --- |\n| 1 | 2 |" in await text_of(b"1,2\n3,4\n", "csv")


async def test_rows_longer_than_the_header_keep_their_cells() -> None:
    assert "| 1 | 2 | 3 |" in await text_of(b"a,b\n1,2,3\n", "csv")


async def test_rows_with_long_texts_become_sections() -> None:
    source = f'question,answer\nHow long?,"{"Thirty days. " * 80}"\nHow much?,"{"Five euros. " * 80}"\n'
    text = await text_of(source.encode(), "csv")
    assert "## How long?\n\n**answer**: Thirty days." in text


async def test_records_become_sections_and_numbers_stay_as_written() -> None:
    products = [{"name": f"Pump {at}", "price": 0, "uses": ["a", "b"], "note": "n" * 90} for at in (1, 2)]
    source = json.dumps({"title": "Catalogue", "products": products}).replace('"price": 0', '"price": 389.00')
    document = await extract(source.encode(), "json")
    assert document.title == "Catalogue"
    assert "### Pump 2\n\n- price: 389.00\n- uses: a, b\n" in document.pages[0].markdown


async def test_short_records_of_one_kind_become_a_table() -> None:
    text = await text_of(b'[{"city": "Rome", "zip": 100}, {"city": "Bonn", "zip": 53111}]', "json")
    assert text == "| city | zip |\n| --- | --- |\n| Rome | 100 |\n| Bonn | 53111 |"


@pytest.mark.parametrize(
    "turns",
    [
        [{"speaker": "Ann", "time": "09:02", "text": "Hello."}, {"speaker": "Bob", "time": "09:03", "text": "Hi."}],
        [{"role": "Ann", "timestamp": "09:02", "content": [{"type": "text", "text": "Hello."}]},
         {"role": "Bob", "timestamp": "09:03", "content": "Hi."}],
        [{"from": "Ann", "date": "09:02", "value": "Hello."}, {"from": "Bob", "date": "09:03", "value": "Hi."}],
    ],
)  # fmt: skip
async def test_a_chat_log_becomes_a_transcript(turns: list[dict[str, Any]]) -> None:
    expected = "**Ann** (09:02): Hello.\n\n**Bob** (09:03): Hi."
    assert expected in await text_of(json.dumps({"topic": "x", "messages": turns}).encode(), "json")
    assert expected in await text_of("\n".join(map(json.dumps, turns)).encode(), "jsonl")


async def test_broken_json_names_the_line() -> None:
    with pytest.raises(ExtractionError, match="line 2"):
        await extract(b'{"a": 1,\n"b": }', "json")
    with pytest.raises(ExtractionError, match="Line 2"):
        await extract(b'{"a": 1}\n{"b": \n{"c": 2}', "jsonl")


async def test_deep_nesting_is_bounded() -> None:
    deep = '{"a": ' * 60 + '"core"' + "}" * 60
    text = await text_of(deep.encode(), "json")
    assert "core" in text
    assert max(len(line) - len(line.lstrip("#")) for line in text.split("\n")) <= 6
    with pytest.raises(ExtractionError):
        await extract(b"[" * 100_000 + b"]" * 100_000, "json")


# --- real documents, where they are at hand --------------------------------------------------------------------------


def _documents() -> list[dict[str, Any]]:
    manifest = SHARED / "documents" / "MANIFEST.jsonl"
    entries = [json.loads(line) for line in manifest.read_text().splitlines()] if manifest.exists() else []
    skipped = {"malformed", "formula"}  # formulas come as LaTeX
    checked = {"pdf", "docx", "html", "txt", "md", "csv", "json"}
    return [entry for entry in entries if entry["format"] in checked and not skipped & set(entry["tags"])]


def squeezed(text: str) -> str:
    """Letters and digits only: anchors were taken from plain text, without list numbers, ligatures and table marks."""
    text = re.sub(r"^\s*\d+\. ", "", text, flags=re.MULTILINE)
    return "".join(filter(str.isalnum, unicodedata.normalize("NFKC", text))).casefold()


@pytest.mark.skipif(not _documents(), reason="the set of test documents is not on this machine")
@pytest.mark.parametrize("entry", _documents(), ids=lambda entry: entry["file"])
async def test_the_anchors_of_real_documents_are_found(entry: dict[str, Any]) -> None:
    content = (SHARED / "documents" / entry["file"]).read_bytes()
    if entry.get("password") or ("encrypted" in entry["tags"] and entry["format"] == "docx"):
        with pytest.raises(EncryptedDocumentError):
            await extract(content, entry["format"])
        return
    document = await extract(content, entry["format"])
    if entry["format"] == "pdf":
        assert [page.number for page in document.pages] == list(range(1, entry["pages"] + 1))
    text = squeezed(" ".join(page.markdown for page in document.pages))
    anchors = [anchor.replace("\x00", "") for anchor in entry.get("anchors", [])]
    missing = [anchor for anchor in anchors if squeezed(anchor) not in text]
    assert len(missing) <= len(anchors) // 4, missing
