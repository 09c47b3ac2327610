"""What `ports/ocr.py` promises, on every adapter, with pictures that the tests draw themselves."""

from __future__ import annotations

import io
import random
from collections.abc import AsyncIterator
from typing import Any

import pytest
from PIL import Image, ImageDraw, ImageFont

from dragoman.kit import registry
from dragoman.ports.ocr import OcrError, RecognisedText
from tests.contract.conftest import open_adapter

LINES = [
    "The warranty of the pump lasts two years",
    "after delivery. Keep the receipt in a safe",
    "place and call us before you send it back.",
    "Spare parts are listed in chapter seven.",
]


@pytest.fixture(scope="module", params=registry.list_adapters("ocr"))
async def ocr(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Any]:
    async with open_adapter("ocr", request.param, tmp_path_factory.mktemp("ocr")) as adapter:
        yield adapter


def draw(lines: list[str], *, size: int = 30) -> Image.Image:
    picture = Image.new("RGB", (900, 60 * len(lines) + 120), "white")
    pen = ImageDraw.Draw(picture)
    for number, line in enumerate(lines):
        pen.text((60, 60 + 60 * number), line, fill="black", font=ImageFont.load_default(size))
    return picture


def encode(picture: Image.Image, kind: str = "PNG") -> bytes:
    file = io.BytesIO()
    picture.save(file, kind)
    return file.getvalue()


def said(found: RecognisedText) -> str:
    return " ".join(" ".join(line.text for line in found.lines).split())


async def test_lines_come_in_reading_order_with_confidence_and_boxes(ocr: Any) -> None:
    found = await ocr.recognise(encode(draw(LINES)))
    assert said(found) == " ".join(LINES)
    assert found.rotation == 0
    tops = [line.box[1] for line in found.lines]
    assert tops == sorted(tops)
    for line in found.lines:
        left, top, right, bottom = line.box
        assert 0 <= left < right <= 900
        assert 0 <= top < bottom <= 360
        assert 0.5 < line.confidence <= 1


@pytest.mark.parametrize("kind", ["PNG", "JPEG", "WEBP", "TIFF", "BMP", "GIF"])
async def test_every_kind_of_picture_is_read(ocr: Any, kind: str) -> None:
    assert "Spare parts" in said(await ocr.recognise(encode(draw(LINES), kind), languages=["en"]))


@pytest.mark.parametrize("degrees", [90, 180, 270])
async def test_a_turned_page_is_read_upright(ocr: Any, degrees: int) -> None:
    turned = draw(LINES * 2).rotate(
        degrees, expand=True
    )  # counter-clockwise, so the same angle clockwise turns it back
    found = await ocr.recognise(encode(turned), languages=["en"])
    assert LINES[0] in said(found)
    assert found.rotation == degrees
    assert all(line.box[2] - line.box[0] > line.box[3] - line.box[1] for line in found.lines)


async def test_boxes_are_in_the_pixels_of_a_large_original(ocr: Any) -> None:
    large = draw(LINES).resize((900 * 5, 360 * 5))
    found = await ocr.recognise(encode(large), languages=["en"])
    assert LINES[3] in said(found)
    assert 250 < found.lines[0].box[0] < 350
    assert found.lines[-1].box[3] > 1200


async def test_a_transparent_picture_is_read_on_white(ocr: Any) -> None:
    picture = Image.new("RGBA", (900, 200), (0, 0, 0, 0))
    ImageDraw.Draw(picture).text((60, 60), LINES[0], fill=(0, 0, 0, 255), font=ImageFont.load_default(30))
    assert said(await ocr.recognise(encode(picture), languages=["en"])) == LINES[0]


async def test_an_empty_or_tiny_picture_has_no_lines(ocr: Any) -> None:
    assert (await ocr.recognise(encode(Image.new("RGB", (400, 300), "white")))).lines in ((), [])
    assert (await ocr.recognise(encode(Image.new("RGB", (3, 2), "black")))).lines in ((), [])


@pytest.mark.parametrize("data", [b"", b"no picture at all", encode(draw(LINES))[:400]])
async def test_what_is_no_picture_is_refused(ocr: Any, data: bytes) -> None:
    with pytest.raises(OcrError):
        await ocr.recognise(data)


async def test_noise_is_survived(ocr: Any) -> None:
    noise = Image.frombytes("RGB", (120, 90), random.Random(7).randbytes(120 * 90 * 3))
    assert isinstance(await ocr.recognise(encode(noise), languages=["en"]), RecognisedText)
