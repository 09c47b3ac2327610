"""Pages as pictures, and the place of a quote on them. The PDFs are made here; some are written by hand."""

from __future__ import annotations

import asyncio
import io
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from fpdf import FPDF
from PIL import Image
from pypdf import PdfReader, PdfWriter
from pypdf.generic import RectangleObject

from dragoman.client import Dragoman
from dragoman.ingestion.errors import ExtractionCrashedError
from dragoman.ingestion.sandbox import _places
from dragoman.kit.text.letters import letters_of
from dragoman.ports.extractor import ExtractionError

QUOTE = "Goods may be returned within forty-two days of their delivery."
ARABIC_FONT = Path("/usr/share/fonts/truetype/dejavu/DejaVuSans.ttf")
Place = dict[str, float]


def _pdf(write: Callable[[FPDF], None]) -> bytes:
    pdf = FPDF(unit="pt", format=(600, 800))
    pdf.set_auto_page_break(auto=False)
    pdf.add_page()
    pdf.set_font("helvetica", size=12)
    write(pdf)
    return bytes(pdf.output())


def _at(pdf: FPDF, x: float, y: float, text: str) -> None:
    pdf.set_xy(x, y)
    pdf.cell(h=14, text=text)


def _plain(pdf: FPDF) -> None:
    _at(pdf, 60, 80, "Returns")
    _at(pdf, 60, 120, QUOTE)
    _at(pdf, 60, 140, "The warranty of the projector lasts for five whole years.")
    _at(pdf, 60, 700, "Closing words stand at the end.")
    pdf.add_page()
    _at(pdf, 60, 400, "The second page speaks of the lamp alone.")


def _turned(content: bytes, degrees: int, crop: tuple[int, int, int, int] | None = None) -> bytes:
    writer = PdfWriter(clone_from=PdfReader(io.BytesIO(content)))
    for page in writer.pages:
        page.rotate(degrees)
        if crop is not None:
            page.cropbox = RectangleObject(crop)
    file = io.BytesIO()
    writer.write(file)
    return file.getvalue()


def _japanese() -> bytes:
    """Two lines in a font that is not embedded: their meaning comes from the encoding alone (PDF 32000, 9.7.5.2)."""
    lines = [
        "製品の保証期間は納品日から五年間です。返品は四十二日以内に",
        "お願いします。送料はお客様の負担となります。",
    ]
    shown = b"".join(
        b"1 0 0 1 60 %d Tm <%s> Tj\n" % (680 - 20 * at, line.encode("utf-16-be").hex().encode())
        for at, line in enumerate(lines)
    )
    stream = b"BT /F1 12 Tf\n" + shown + b"ET"
    objects = [
        b"<< /Type /Catalog /Pages 2 0 R >>",
        b"<< /Type /Pages /Kids [3 0 R] /Count 1 >>",
        b"<< /Type /Page /Parent 2 0 R /MediaBox [0 0 600 800] /Resources << /Font << /F1 5 0 R >> >> /Contents 4 0 R >>",
        b"<< /Length %d >>\nstream\n%s\nendstream" % (len(stream), stream),
        b"<< /Type /Font /Subtype /Type0 /BaseFont /HeiseiMin-W3 /Encoding /UniJIS-UCS2-H /DescendantFonts [6 0 R] >>",
        (
            b"<< /Type /Font /Subtype /CIDFontType0 /BaseFont /HeiseiMin-W3 /FontDescriptor 7 0 R /DW 1000 "
            b"/CIDSystemInfo << /Registry (Adobe) /Ordering (Japan1) /Supplement 2 >> >>"
        ),
        (
            b"<< /Type /FontDescriptor /FontName /HeiseiMin-W3 /Flags 4 /FontBBox [0 -200 1000 900] /ItalicAngle 0 "
            b"/Ascent 800 /Descent -200 /CapHeight 700 /StemV 80 >>"
        ),
    ]
    written = b"%PDF-1.5\n"
    offsets = []
    for number, each in enumerate(objects, start=1):
        offsets.append(len(written))
        written += b"%d 0 obj\n%s\nendobj\n" % (number, each)
    table = b"".join(b"%010d 00000 n \n" % offset for offset in offsets)
    head = b"xref\n0 %d\n0000000000 65535 f \n" % (len(objects) + 1)
    trailer = b"trailer << /Size %d /Root 1 0 R >>\nstartxref\n%d\n%%%%EOF\n" % (len(objects) + 1, len(written))
    return written + head + table + trailer


def _path(document: dict[str, Any], number: int, what: str) -> str:
    return f"/api/chatbot/documents/{document['id']}/pages/{number}/{what}/"


async def _image(company: Any, document: dict[str, Any], number: int = 1, **params: Any) -> Image.Image:
    answer = await company.api("member").get(_path(document, number, "image"), params=params)
    assert answer.status_code == 200, answer.text
    assert answer.headers["content-type"] == "image/png"
    return Image.open(io.BytesIO(answer.content))


async def _places_of(company: Any, document: dict[str, Any], text: str, number: int = 1, **params: Any) -> list[Place]:
    answer = await company.api("member").get(_path(document, number, "places"), params={"text": text, **params})
    assert answer.status_code == 200, answer.text
    places: list[Place] = answer.json()["places"]
    for place in places:
        assert place["width"] > 0
        assert place["height"] > 0
        assert 0 <= place["left"] <= place["left"] + place["width"] <= 1.00001
        assert 0 <= place["top"] <= place["top"] + place["height"] <= 1.00001
    return places


def _ink(picture: Image.Image, place: Place) -> float:
    """The share of dark pixels of a rectangle."""
    width, height = picture.size
    box = (
        round(place["left"] * width),
        round(place["top"] * height),
        round((place["left"] + place["width"]) * width),
        round((place["top"] + place["height"]) * height),
    )
    return float((np.asarray(picture.convert("L").crop(box)) < 128).mean())


def _outside(picture: Image.Image, places: list[Place]) -> float:
    """The share of dark pixels of what is not in the rectangles."""
    pixels = np.asarray(picture.convert("L")).copy()
    height, width = pixels.shape
    for place in places:
        top, left = int(place["top"] * height), int(place["left"] * width)
        bottom = int((place["top"] + place["height"]) * height) + 1
        pixels[top:bottom, left : int((place["left"] + place["width"]) * width) + 1] = 255
    return float((pixels < 128).mean())


# --- pictures


async def test_a_page_is_shown_in_the_width_that_is_asked_for(company: Any) -> None:
    document = await company.know(_pdf(_plain), "manual.pdf")

    assert (await _image(company, document)).size == (1000, 1334)
    narrow = await _image(company, document, width=300)
    assert narrow.size == (300, 400)
    assert np.asarray((await _image(company, document, number=2)).convert("L")).min() < 128


async def test_a_picture_document_is_scaled_down_and_never_up(company: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    document = await company.know(_pdf(_plain), "manual.pdf")
    file = io.BytesIO()
    Image.new("RGB", (800, 400), "red").save(file, "JPEG")
    await _becomes(company, document, file.getvalue(), "image/jpeg")

    assert (await _image(company, document, width=400)).size == (400, 200)
    assert (await _image(company, document, width=1000)).size == (800, 400)
    assert await _places_of(company, document, QUOTE) == []


async def _becomes(company: Any, document: dict[str, Any], content: bytes, mime_type: str) -> None:
    """Gives the live version another original: pictures are read by OCR, which would take its time here."""
    from sqlalchemy import text

    deps = company.service.deps

    async def pieces() -> Any:
        yield content

    key = f"test/{document['id']}"
    await deps.blob_store.put(key, pieces())
    async with deps.database.transaction(company.tenant_id) as connection:
        await connection.execute(
            text("update document_versions set mime_type = :mime_type, blob_key = :key where document_id = :id"),
            {"mime_type": mime_type, "key": key, "id": document["id"]},
        )


async def test_pictures_are_kept_by_browsers_only_as_long_as_they_may_be_seen(company: Any) -> None:
    document = await company.know(_pdf(_plain), "manual.pdf")
    first = await company.api("member").get(_path(document, 1, "image"))
    assert first.headers["cache-control"] == "private, no-cache"
    assert first.headers["x-content-type-options"] == "nosniff"
    known = {"If-None-Match": first.headers["etag"]}

    again = await company.api("member").get(_path(document, 1, "image"), headers=known)
    other = await company.api("member").get(_path(document, 1, "image"), headers=known, params={"width": 400})
    assert (again.status_code, again.content) == (304, b"")
    assert other.status_code == 200

    await company.api().delete(f"/api/chatbot/documents/{document['id']}/")
    gone = await company.api("member").get(_path(document, 1, "image"), headers=known)
    assert (gone.status_code, gone.json()["code"]) == (404, "knowledge.document_not_found")


async def test_what_was_shown_is_not_read_again(company: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    document = await company.know(_pdf(_plain), "manual.pdf")
    picture = await _image(company, document)
    places = await _places_of(company, document, QUOTE)
    read = company.service.deps.blob_store.read

    def fails(key: str) -> Any:
        raise AssertionError(key)

    monkeypatch.setattr(company.service.deps.blob_store, "read", fails)
    assert (await _image(company, document)).tobytes() == picture.tobytes()
    assert await _places_of(company, document, QUOTE) == places
    monkeypatch.setattr(company.service.deps.blob_store, "read", read)


async def test_a_new_version_has_new_pictures(company: Any) -> None:
    document = await company.know(_pdf(_plain), "manual.pdf")
    before = (await company.api().get(_path(document, 1, "image"))).headers["etag"]
    changed = _pdf(lambda pdf: _at(pdf, 300, 300, "All of this is new: nothing may be returned any more."))
    await company.api().put(
        f"/api/chatbot/documents/{document['id']}/", files={"file": ("manual.pdf", changed, "application/pdf")}
    )
    assert (await company.api().get(_path(document, 1, "image"))).headers["etag"] == before
    await company.service.run_jobs()

    assert (await company.api().get(_path(document, 1, "image"))).headers["etag"] != before
    assert await _places_of(company, document, QUOTE) == []
    assert len(await _places_of(company, document, "nothing may be returned any more")) == 1


# --- places


async def test_a_quote_is_framed_and_nothing_else(company: Any) -> None:
    document = await company.know(_pdf(_plain), "manual.pdf")
    picture = await _image(company, document)

    [place] = await _places_of(company, document, QUOTE)

    assert place["left"] == pytest.approx(0.1, abs=0.01)
    assert 120 / 800 - 0.01 < place["top"] < place["top"] + place["height"] < 136 / 800 + 0.01
    assert _ink(picture, place) > 0.05
    others = ["Returns", "The warranty of the projector lasts for five whole years.", "Closing words stand at the end."]
    all_of_it = [place, *[found for text in others for found in await _places_of(company, document, text)]]
    assert _outside(picture, [place]) > 0
    assert _outside(picture, all_of_it) == 0


@pytest.mark.parametrize("degrees", [90, 180, 270])
async def test_a_turned_and_cropped_page_is_framed_as_it_is_shown(company: Any, degrees: int) -> None:
    content = _turned(_pdf(_plain), degrees, crop=(30, 100, 560, 740))
    document = await company.know(content, "turned.pdf")
    picture = await _image(company, document)
    texts = [QUOTE, "Returns", "The warranty of the projector lasts for five whole years."]

    places = [place for text in texts for place in await _places_of(company, document, text)]

    assert all(_ink(picture, place) > 0.04 for place in places)
    assert _outside(picture, places) == 0  # the closing words are cropped away


async def test_two_columns_are_framed_line_by_line(company: Any) -> None:
    left = ["The left column tells how", "goods are to be packed and", "who pays for the postage."]
    right = ["The right column tells of", "the warranty, which lasts for", "five whole years at least."]

    def write(pdf: FPDF) -> None:
        for x, lines in ((60, left), (330, right)):
            for number, line in enumerate(lines):
                _at(pdf, x, 100 + 18 * number, line)

    document = await company.know(_pdf(write), "columns.pdf")
    places = await _places_of(company, document, " ".join(left))

    assert len(places) == 3
    assert all(place["left"] + place["width"] < 0.5 for place in places)
    right_places = await _places_of(company, document, " ".join(right))
    assert len(right_places) == 3
    assert all(place["left"] > 0.5 for place in right_places)


async def test_a_hyphenated_word_ligatures_accents_and_markdown_are_found(company: Any) -> None:
    def write(pdf: FPDF) -> None:
        pdf.add_font("dejavu", fname=str(ARABIC_FONT))
        pdf.set_font("dejavu", size=12)
        _at(pdf, 60, 100, "The e\ufb03cient o\ufb03ce of the café grants an uncondi-")
        _at(pdf, 60, 118, "tional warranty of five years.")

    if not ARABIC_FONT.exists():
        pytest.skip("needs the font DejaVu Sans (package fonts-dejavu-core)")
    document = await company.know(_pdf(write), "hyphens.pdf")

    quoted = "- The **efficient** office of the cafe\u0301 grants an\nunconditional warranty"
    places = await _places_of(company, document, quoted)

    assert len(places) == 2
    assert places[0]["top"] < places[1]["top"]
    assert places[1]["width"] < 0.25  # it ends before "of five years"


async def test_arabic_is_found(company: Any) -> None:
    if not ARABIC_FONT.exists():
        pytest.skip("needs the font DejaVu Sans (package fonts-dejavu-core)")
    lines = [
        "يمكن إرجاع البضائع خلال اثنين وأربعين يوما من تاريخ التسليم.",
        "ضمان الجهاز لمدة خمس سنوات ويشمل المصباح.",
    ]

    def write(pdf: FPDF) -> None:
        pdf.add_font("dejavu", fname=str(ARABIC_FONT))
        pdf.set_font("dejavu", size=14)
        for number, line in enumerate(lines):
            _at(pdf, 60, 100 + 40 * number, line)

    document = await company.know(_pdf(write), "arabic.pdf")
    picture = await _image(company, document)

    page = (await company.api().get(f"/api/chatbot/documents/{document['id']}/pages/1/")).json()
    read = page["text"].split("\n")  # fpdf2 writes the letters in the order of drawing, and so they are read

    [first] = await _places_of(company, document, read[0])
    [second] = await _places_of(company, document, read[1])
    assert first["top"] < second["top"]
    assert _outside(picture, [first, second]) < 0.0001  # a stroke reaches out of its line


async def test_japanese_is_found_within_a_line_and_over_two(company: Any) -> None:
    document = await company.know(_japanese(), "japanese.pdf")

    [within] = await _places_of(company, document, "納品日から五年間")
    over_two = await _places_of(company, document, "返品は四十二日以内にお願いします。")

    assert within["left"] == pytest.approx((60 + 8 * 12) / 600, abs=0.01)
    assert within["width"] == pytest.approx(8 * 12 / 600, abs=0.01)
    assert len(over_two) == 2
    assert over_two[0]["left"] > over_two[1]["left"]


async def test_of_several_places_the_one_that_is_meant_is_found(company: Any) -> None:
    def write(pdf: FPDF) -> None:
        for number in range(3):
            _at(pdf, 60, 100 + 60 * number, f"Section {number} of these rules says this.")
            _at(pdf, 60, 120 + 60 * number, "Ask the service desk.")

    document = await company.know(_pdf(write), "rules.pdf")
    page = (await company.api().get(f"/api/chatbot/documents/{document['id']}/pages/1/")).json()
    starts = [at for at in range(len(page["text"])) if page["text"].startswith("Ask the service", at)]
    assert len(starts) == 3

    found = [await _places_of(company, document, "Ask the service desk.", at=page["start"] + at) for at in starts]

    assert [round(place["top"] * 800) // 10 for [place] in found] == [11, 17, 23]
    assert await _places_of(company, document, "Ask the service desk.") == found[0]


async def test_a_quote_that_goes_on_over_the_page_is_framed_as_far_as_it_is_there(company: Any) -> None:
    def write(pdf: FPDF) -> None:
        _at(pdf, 60, 700, "The warranty covers the lamp and the lens, and")
        pdf.add_page()
        _at(pdf, 60, 100, "it begins on the day on which the goods are delivered.")

    document = await company.know(_pdf(write), "break.pdf")
    quote = "The warranty covers the lamp and the lens, and it begins on the day on which the goods are delivered."

    [end] = await _places_of(company, document, quote, number=1)
    [begin] = await _places_of(company, document, quote, number=2)
    assert (end["top"] > 0.8, begin["top"] < 0.2) == (True, True)


@pytest.mark.parametrize("text", ["What is nowhere to be read on this page at all.", "?!", "the"])
async def test_what_is_not_there_has_no_place(company: Any, text: str) -> None:
    document = await company.know(_pdf(lambda pdf: _at(pdf, 60, 100, "Lamps last for years and years.")), "lamps.pdf")
    assert await _places_of(company, document, text) == []


async def test_the_citation_of_an_answer_is_framed(company: Any) -> None:
    document = await company.know(_pdf(_plain), "manual.pdf")
    answer = await company.ask("How long does the warranty of the projector last?", who="member")
    citation = answer["sources"][0]
    assert citation["doc_id"] == document["id"]

    places = await _places_of(
        company, document, citation["excerpt"], number=citation["page"], at=citation["document_start"]
    )

    assert len(places) >= 1


# --- what is refused


async def test_other_documents_have_no_page_pictures(company: Any) -> None:
    document = await company.know()
    for what, params in (("image", {}), ("places", {"text": "discount"})):
        answer = await company.api().get(_path(document, 1, what), params=params)
        assert (answer.status_code, answer.json()["code"]) == (404, "knowledge.no_page_picture")


async def test_there_is_no_page_after_the_last(company: Any) -> None:
    document = await company.know(_pdf(_plain), "manual.pdf")
    answer = await company.api().get(_path(document, 3, "image"))
    assert (answer.status_code, answer.json()["code"]) == (404, "knowledge.page_not_found")
    for number in (0, -1, 2**40):
        assert (await company.api().get(_path(document, number, "image"))).status_code == 422


@pytest.mark.parametrize(
    ("what", "params"),
    [
        ("image", {"width": 199}),
        ("image", {"width": 2001}),
        ("places", {}),
        ("places", {"text": ""}),
        ("places", {"text": "x" * 4001}),
        ("places", {"text": "x", "at": -1}),
    ],
)
async def test_wrong_parameters_are_refused(company: Any, what: str, params: dict[str, Any]) -> None:
    document = await company.know(_pdf(_plain), "manual.pdf")
    assert (await company.api().get(_path(document, 1, what), params=params)).status_code == 422


async def test_a_private_document_is_shown_to_its_owner_only(company: Any, other_company: Any) -> None:
    document = await company.know(_pdf(_plain), "mine.pdf", who="member", visibility="private")
    assert (await _image(company, document)).width == 1000
    for api in (company.api("second_member"), other_company.api()):
        for what in ("image", "places"):
            answer = await api.get(_path(document, 1, what), params={"text": QUOTE})
            assert (answer.status_code, answer.json()["code"]) == (404, "knowledge.document_not_found")


async def test_masked_personal_data_is_not_shown_on_a_picture(company: Any) -> None:
    path = f"/api/chatbots/{company.chatbot_id}/"
    await company.api().patch(path, json={"settings": {"pii": "mask"}})
    content = _pdf(lambda pdf: _at(pdf, 60, 100, "Write to ann.lee@example.com for the warranty of your lamp."))
    document = await company.know(content, "letter.pdf")
    for setting in ("mask", "off"):  # the version stays masked
        await company.api().patch(path, json={"settings": {"pii": setting}})
        for what in ("image", "places"):
            answer = await company.api("member").get(_path(document, 1, what), params={"text": "Write to"})
            assert (answer.status_code, answer.json()["code"]) == (403, "knowledge.page_picture_forbidden")
        assert (await company.api().get(_path(document, 1, "image"))).status_code == 200


async def test_who_looked_at_a_page_is_noted(company: Any) -> None:
    from dragoman.tenancy import audit

    document = await company.know(_pdf(_plain), "manual.pdf")
    await _image(company, document)
    await _places_of(company, document, QUOTE)
    await audit.flush(company.service.deps.database)

    events = (await company.api().get("/api/audit/", params={"subject_id": document["id"]})).json()["events"]
    seen = [event["details"] for event in events if event["details"].get("what", "").startswith("page_")]
    assert {each["what"] for each in seen} == {"page_picture", "page_places"}
    assert all(each["page"] == 1 for each in seen)


# --- the process that reads


async def test_a_damaged_original_is_an_error_and_not_the_end(company: Any) -> None:
    document = await company.know(_pdf(_plain), "manual.pdf")
    await _becomes(company, document, b"%PDF-1.7 nothing of the kind", "application/pdf")
    answer = await company.api().get(_path(document, 1, "image"))
    assert (answer.status_code, answer.json()["code"]) == (422, "extractor.unreadable")
    assert (await company.api().get("/readyz")).status_code == 200


async def test_a_page_that_takes_too_long_is_given_up(company: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    document = await company.know(_pdf(_plain), "manual.pdf")

    async def forever(*args: Any, **kwargs: Any) -> Any:
        await asyncio.sleep(60)

    monkeypatch.setattr("dragoman.ingestion.pages.service._LONGEST_S", 0.05)
    monkeypatch.setattr(type(company.service.deps.sandbox), "show_page", forever)
    answer = await company.api().get(_path(document, 1, "image"))
    assert (answer.status_code, answer.json()["code"]) == (422, "ingestion.timeout")
    assert not list(company.service.deps.upload_directory.glob("reading-*"))


async def test_a_very_long_page_is_drawn_within_bounds(company: Any) -> None:
    def write(pdf: FPDF) -> None:
        pdf.add_page(format=(100, 14000))
        pdf.set_font("helvetica", size=8)
        _at(pdf, 5, 13000, "Down here stands a word or two.")

    document = await company.know(_pdf(write), "long.pdf")
    picture = await _image(company, document, number=2, width=2000)
    assert picture.width * picture.height <= 16_100_000


@pytest.mark.parametrize(
    "sent",
    [
        b"",
        b"{}x",
        b"[1]",
        b"[[0, 0, 0]]",
        b"[[0, 0, 0, 1.5]]",
        b'[[0, 0, 0, "1"]]',
        b"[[0, 0, 0, true]]",
        b"[[NaN, 0, 0, 0]]",
    ],
)
def test_nothing_is_believed_of_what_the_process_sends(sent: bytes) -> None:
    with pytest.raises(ExtractionCrashedError):
        _places(sent)


async def test_a_type_without_pages_is_refused_in_the_process_too(company: Any, tmp_path: Path) -> None:
    (tmp_path / "note.md").write_text("# Note\n")
    with pytest.raises(ExtractionError, match="cannot be shown"):
        await company.service.deps.sandbox.show_page(
            tmp_path / "note.md", mime_type="text/markdown", file_name="note.md", number=1, width=400
        )


async def test_a_tiff_has_a_page_for_each_frame(company: Any, tmp_path: Path) -> None:
    red, blue = Image.new("RGB", (300, 200), "red"), Image.new("RGB", (400, 200), "blue")
    red.save(tmp_path / "two.tiff", save_all=True, append_images=[blue])
    show = company.service.deps.sandbox.show_page
    asked = {"mime_type": "image/tiff", "file_name": "two.tiff", "width": 400}

    second = Image.open(io.BytesIO(await show(tmp_path / "two.tiff", number=2, **asked)))
    assert (second.size, second.getpixel((5, 5))) == ((400, 200), (0, 0, 255))
    with pytest.raises(ExtractionError, match="no page 3"):
        await show(tmp_path / "two.tiff", number=3, **asked)


async def test_the_client_shows_pages(company: Any) -> None:
    document = await company.know(_pdf(_plain), "manual.pdf")
    transport = company.api()._transport
    async with Dragoman("http://dragoman.test", company.secrets["member"], transport=transport) as client:
        picture = await client.documents.get_page_picture(document["id"], 1, width=300)
        [place] = await client.documents.find_page_places(document["id"], 1, QUOTE)

    assert Image.open(io.BytesIO(picture.content)).width == 300
    assert 0 < place.top < 0.2


def test_texts_are_compared_by_letters_and_digits() -> None:
    assert letters_of("E\ufb03cient – Café\u0301 №5, ﻻ!") == letters_of("efficient cafe no5 \u0644\u0627")
