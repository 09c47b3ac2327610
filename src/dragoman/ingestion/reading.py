"""Third stop of the document path: everything a document says, be it text or a picture of text.

    read_document        a picture: recognise it
                         else: extract -> recognise pages without usable text -> recognise large pictures in the text

Runs in the sandboxed process (see `sandbox.py`), so it knows no database and no settings.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import lru_cache
from typing import TYPE_CHECKING, Final, cast

import anyio

from dragoman.ingestion.errors import NoTextFoundError
from dragoman.ingestion.layout import lines_to_markdown
from dragoman.kit.pictures import UnreadablePictureError, as_png, frame_count, open_frames
from dragoman.kit.text.hidden_html import strip_hidden_html
from dragoman.kit.threads import run_by_length
from dragoman.ports.extractor import (
    ExtractedDocument,
    ExtractedImage,
    ExtractedPage,
    ExtractionError,
    Extractor,
    PageRenderer,
    ReadOptions,
    ReadProgress,
    UnsupportedFormatError,
)
from dragoman.ports.ocr import Ocr, OcrError, OcrLine

if TYPE_CHECKING:
    from PIL.Image import Image

__all__ = ["IMAGE_TYPES", "ReadOptions", "ReadProgress", "read_document"]

IMAGE_TYPES: Final = frozenset({"image/png", "image/jpeg", "image/webp", "image/tiff", "image/bmp", "image/gif"})

PAGE_PIXELS: Final = 2000  # longer side; A4 at 171 dpi, where print of 7 points is still read
PICTURE_PIXELS: Final = 4000
STRIP: Final = 2.5  # height to width from which a picture (a screenshot of a whole web page) is read in bands
STRIP_WIDTH: Final = 1500  # pixels that such a picture keeps however long it is
MOST_FRAMES: Final = 500
BLANK_CONTRAST: Final = 40  # of 255 between the lightest and the darkest pixel of an empty page
NO_TEXT_LETTERS: Final = 25  # a page with fewer is looked at as a picture
SCAN_LETTERS: Final = 150  # the same where a picture lies on the page: stamped headers and page numbers of scans
SCAN_PIXELS: Final = 900  # shorter side of a picture that may be the whole page
CLEARLY_MORE: Final = 1.5  # times the letters: then the recognised text replaces the text of the page
GARBLED_SHARE: Final = 0.25
POOR_CONFIDENCE: Final = 0.75
PICTURE_WIDTH: Final = 300
PICTURE_HEIGHT: Final = 100
PICTURE_WORDS: Final = 3
PICTURE_CONFIDENCE: Final = 0.7  # of a line in a picture: photographs hold many shapes like letters
KNOWN_SHARE: Final = 0.6  # of a picture's words that the page says already: a scan under its own text layer
MOST_PICTURES: Final = 60  # recognised in one document; one takes about 2 s

_MARK: Final = re.compile(r"!\[([^\]\n]*)\]\(image:(\d+)\)")
_GLYPH_NUMBER: Final = re.compile(r"\(cid:\d+\)")
_HOW_TO_SWITCH_ON: Final = (
    "To have scans and pictures read, choose an adapter with the setting DRAGOMAN_OCR, and leave the chatbot setting "
    "`ocr` on."
)


async def read_document(
    content: bytes,
    *,
    mime_type: str,
    file_name: str,
    extractors: Mapping[str, Extractor],
    ocr: Ocr | None,
    options: ReadOptions,
    progress: ReadProgress,
) -> ExtractedDocument:
    """Extracts the text of a file and recognises what is only a picture of text.

    Args:
        content: The file as uploaded.
        mime_type: Its true type.
        file_name: For messages.
        extractors: By type; not asked for the types in `IMAGE_TYPES`.
        ocr: None where none is installed or set.
        options: What is wanted.
        progress: Told `extracting` and then, per page or picture, `recognising`.

    Raises:
        NoTextFoundError: a picture or a scan, and it cannot be recognised here or nothing is written in it.
        ExtractionError, EncryptedDocumentError, UnsupportedFormatError: of the extractor.
    """
    if mime_type == "text/html":
        content = await run_by_length(len(content), strip_hidden_html, content)
    reader = None if ocr is None or not options.ocr else _Reader(ocr, options.ocr_languages, progress)
    await progress("extracting", 0.0)
    if mime_type in IMAGE_TYPES:
        if reader is None:
            raise NoTextFoundError(f"{file_name} is a picture, and pictures are not read here. {_HOW_TO_SWITCH_ON}")
        return await _read_picture(content, file_name, reader)
    extractor = extractors.get(mime_type)
    if extractor is None:
        raise UnsupportedFormatError(f"Documents of the type {mime_type} cannot be read here.", file_name=file_name)
    wants_pictures = options.with_images or reader is not None
    document = await extractor.extract(content, mime_type=mime_type, file_name=file_name, with_images=wants_pictures)
    await progress("extracting", 1.0)
    renderer = _as_renderer(extractor)
    if renderer is not None:
        document = await _with_pages_recognised(document, content, mime_type, renderer, reader)
    if reader is not None and options.ocr_images and document.images:
        document = await _with_pictures_recognised(document, reader, is_pdf=renderer is not None)
    _require_text(document, file_name, reader)
    return document if options.with_images else _without_pictures(document)


def _as_renderer(extractor: Extractor) -> PageRenderer | None:
    """The extractor, if it shows pages; asked once of each kind, for looking at a protocol takes longer than a small file."""
    return cast("PageRenderer", extractor) if _shows_pages(type(extractor)) else None


@lru_cache(maxsize=64)
def _shows_pages(kind: type) -> bool:
    return issubclass(kind, PageRenderer)


# --- recognising one picture -----------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class _Recognised:
    """`markdown` may be empty; `confidence` 0 to 1, weighted by letters, None where nothing was found."""

    markdown: str
    confidence: float | None
    lines: Sequence[OcrLine]


@dataclass(frozen=True, slots=True)
class _Reader:
    ocr: Ocr
    languages: tuple[str, ...]
    progress: ReadProgress

    async def recognise(self, picture: Image) -> _Recognised:
        """Raises OcrError."""
        found: list[_Recognised] = []
        for band in _bands(picture):
            if await anyio.to_thread.run_sync(_is_blank, band):
                continue
            png = await anyio.to_thread.run_sync(as_png, band)
            lines = (await self.ocr.recognise(png, languages=self.languages)).lines
            found.append(_Recognised(lines_to_markdown(lines), _confidence(lines), lines))
        lines = [line for part in found for line in part.lines]
        return _Recognised("\n\n".join(filter(None, (part.markdown for part in found))), _confidence(lines), lines)


def _confidence(lines: Sequence[OcrLine]) -> float | None:
    letters = sum(len(line.text) for line in lines)
    return round(sum(line.confidence * len(line.text) for line in lines) / letters, 3) if letters else None


def _bands(picture: Image) -> Iterator[Image]:
    """The picture; a very long one in pieces, cut where the least is drawn."""
    width, height = picture.size
    if height <= max(PAGE_PIXELS, STRIP * width):
        yield picture
        return
    tall = min(PAGE_PIXELS, max(width, PAGE_PIXELS // 2))
    top = 0
    while height - top > tall:
        bottom = _quiet_row(picture, top + tall * 3 // 4, top + tall)
        yield picture.crop((0, top, width, bottom))
        top = bottom
    yield picture.crop((0, top, width, height))


def _quiet_row(picture: Image, first: int, last: int) -> int:
    """The row of pixels with the least contrast, the lowest where several have it."""
    grey = picture.crop((0, first, picture.width, last)).convert("L")
    contrasts = []
    for row in range(grey.height):
        low, high = _extrema(grey.crop((0, row, grey.width, row + 1)))
        contrasts.append(high - low)
    least = min(contrasts)
    return first + max(row for row, contrast in enumerate(contrasts) if contrast == least)


def _is_blank(picture: Image) -> bool:
    low, high = _extrema(picture.convert("L"))
    return high - low < BLANK_CONTRAST


def _extrema(grey: Image) -> tuple[int, int]:
    low, high = cast("tuple[int, int]", grey.getextrema())  # one band of whole numbers
    return low, high


# --- pictures as documents -------------------------------------------------------------------------------------------


async def _read_picture(content: bytes, file_name: str, reader: _Reader) -> ExtractedDocument:
    """A page per frame of a TIFF; of all other pictures, one page."""
    count = min(await anyio.to_thread.run_sync(frame_count, content), MOST_FRAMES)
    pages: list[ExtractedPage] = []
    warnings: list[str] = []
    frames = open_frames(content, longest_side=PICTURE_PIXELS, keep_width=STRIP_WIDTH, most=MOST_FRAMES)
    numbered = count > 1
    try:
        while (frame := await anyio.to_thread.run_sync(_next, frames)) is not None:
            number = len(pages) + 1
            await reader.progress("recognising", len(pages) / max(count, 1))
            found = await reader.recognise(frame)
            pages.append(
                ExtractedPage(
                    number=number if numbered else None, markdown=found.markdown, ocr=True, confidence=found.confidence
                )
            )
    except (UnreadablePictureError, OcrError) as error:
        if not any(page.markdown for page in pages):
            raise ExtractionError(f"{file_name} cannot be read as a picture. {error}", file_name=file_name) from error
        warnings.append(f"The pages after page {len(pages)} are damaged and were left out.")
    await reader.progress("recognising", 1.0)
    document = ExtractedDocument(pages=pages, warnings=[*warnings, *_poor_pages(pages)])
    if not any(page.markdown for page in pages):
        raise NoTextFoundError(f"Nothing written was recognised in the picture {file_name}. Check that it shows text.")
    return document


def _next(frames: Iterator[Image]) -> Image | None:
    return next(frames, None)


# --- pages without usable text ---------------------------------------------------------------------------------------


async def _with_pages_recognised(
    document: ExtractedDocument, content: bytes, mime_type: str, renderer: PageRenderer, reader: _Reader | None
) -> ExtractedDocument:
    waiting = [at for at, page in enumerate(document.pages) if _needs_recognition(page, document.images)]
    if not waiting:
        return document
    if reader is None:
        empty = [document.pages[at].number or at + 1 for at in waiting if not _letters(document.pages[at].markdown)]
        note = f"{_named(empty)} without text: a picture or empty. {_HOW_TO_SWITCH_ON}" if empty else ""
        return replace(document, warnings=[*document.warnings, *filter(None, [note])])
    pages = list(document.pages)
    failed: list[int] = []
    for done, at in enumerate(waiting):
        await reader.progress("recognising", done / len(waiting))
        number = pages[at].number or at + 1
        try:
            shown = await renderer.render_page(content, mime_type=mime_type, number=number, longest_side=PAGE_PIXELS)
            picture = await anyio.to_thread.run_sync(_first_frame, shown)
            found = await reader.recognise(picture)
        except (ExtractionError, OcrError, UnreadablePictureError):
            failed.append(number)
            continue
        pages[at] = _better(pages[at], found)
    await reader.progress("recognising", 1.0)
    notes = [f"{_named(failed)} could not be shown or recognised and were left as they are."] if failed else []
    return replace(document, pages=pages, warnings=[*document.warnings, *notes, *_poor_pages(pages)])


def _first_frame(data: bytes) -> Image:
    return next(open_frames(data, longest_side=PICTURE_PIXELS))


def _needs_recognition(page: ExtractedPage, images: Sequence[ExtractedImage]) -> bool:
    letters = _letters(page.markdown)
    if letters < NO_TEXT_LETTERS or _is_garbled(page.markdown):
        return True
    return letters < SCAN_LETTERS and any(
        image.page == page.number and min(image.width, image.height) >= SCAN_PIXELS for image in images
    )


def _letters(markdown: str) -> int:
    return sum(map(str.isalnum, _MARK.sub("", markdown)))


def _is_garbled(markdown: str) -> bool:
    """Whether a good part of the text is no text: glyphs without a meaning, as fonts without a map of letters give."""
    shown = [letter for letter in markdown if not letter.isspace()]
    senseless = sum(_is_senseless(letter) for letter in shown)
    numbered = sum(len(found) for found in _GLYPH_NUMBER.findall(markdown))
    return senseless + numbered > GARBLED_SHARE * len(shown)


def _is_senseless(letter: str) -> bool:
    return letter == "\ufffd" or unicodedata.category(letter) in {"Co", "Cc", "Cn"}


def _better(page: ExtractedPage, found: _Recognised) -> ExtractedPage:
    """The page with what was recognised, unless its own text says as much."""
    is_more = _letters(found.markdown) >= max(1, CLEARLY_MORE * _letters(page.markdown))
    if not found.markdown or not (is_more or _is_garbled(page.markdown)):
        return page
    marks = [mark[0] for mark in _MARK.finditer(page.markdown)]
    markdown = "\n\n".join([found.markdown, *marks])
    return replace(page, markdown=markdown, ocr=True, confidence=found.confidence)


def _poor_pages(pages: Sequence[ExtractedPage]) -> list[str]:
    poor = [
        page.number or at + 1
        for at, page in enumerate(pages)
        if page.confidence is not None and page.confidence < POOR_CONFIDENCE
    ]
    if not poor:
        return []
    return [f"{_named(poor)} recognised with low confidence: compare the text, or scan again at 300 dpi."]


def _named(numbers: Sequence[int]) -> str:
    """As `Page 3` or `Pages 3, 5 and 12 more`."""
    if len(numbers) == 1:
        return f"Page {numbers[0]}"
    shown = ", ".join(str(number) for number in numbers[:10])
    return f"Pages {shown}" + (f" and {len(numbers) - 10} more" if len(numbers) > 10 else "")


# --- pictures inside documents ---------------------------------------------------------------------------------------


async def _with_pictures_recognised(document: ExtractedDocument, reader: _Reader, *, is_pdf: bool) -> ExtractedDocument:
    chosen = [at for at, image in enumerate(document.images) if _may_hold_text(image, document, is_pdf=is_pdf)]
    texts: dict[int, str] = {}
    failed = 0
    repeated: set[tuple[int, int]] = set()  # sizes of pictures whose text their page has already
    for done, at in enumerate(chosen[:MOST_PICTURES]):
        image = document.images[at]
        size = (image.width // 50, image.height // 50)
        if size in repeated:
            continue
        await reader.progress("recognising", done / min(len(chosen), MOST_PICTURES))
        try:
            found = await reader.recognise(await anyio.to_thread.run_sync(_first_frame, image.data))
        except (UnreadablePictureError, OcrError):
            failed += 1
            continue
        sure = [line for line in found.lines if line.confidence >= PICTURE_CONFIDENCE]
        if sum(_word_count(line.text) for line in sure) < PICTURE_WORDS:
            continue
        if is_pdf and _says_already(_page_text(document, image.page), sure):
            repeated.add(size)
            continue
        texts[at] = lines_to_markdown(sure)
    await reader.progress("recognising", 1.0)
    notes = [f"{failed} pictures are damaged; their text was left out."] if failed else []
    if len(chosen) > MOST_PICTURES:
        notes.append(f"Text was looked for in the first {MOST_PICTURES} of {len(chosen)} pictures.")
    pages = [replace(page, markdown=_with_texts(page.markdown, texts)) for page in document.pages] if texts else None
    return replace(document, pages=pages or document.pages, warnings=[*document.warnings, *notes])


def _may_hold_text(image: ExtractedImage, document: ExtractedDocument, *, is_pdf: bool) -> bool:
    if image.width < PICTURE_WIDTH or image.height < PICTURE_HEIGHT:
        return False
    return not (is_pdf and any(page.ocr for page in document.pages if page.number == image.page))


def _page_text(document: ExtractedDocument, number: int | None) -> str:
    return "\n".join(page.markdown for page in document.pages if page.number == number)


def _word_count(text: str) -> int:
    """Words of at least two letters or digits; of Chinese and Japanese, two characters count as a word."""
    words = sum(len(word) > 1 for word in re.findall(r"[^\W_]+", text))
    east_asian = sum(unicodedata.east_asian_width(letter) == "W" for letter in text)
    return max(words, east_asian // 2)


def _says_already(text: str, lines: Sequence[OcrLine]) -> bool:
    said = set(re.findall(r"\w{3,}", text.casefold()))
    words = [word for line in lines for word in re.findall(r"\w{3,}", line.text.casefold())]
    return bool(words) and sum(word in said for word in words) >= KNOWN_SHARE * len(words)


def _with_texts(markdown: str, texts: Mapping[int, str]) -> str:
    """Puts each text below the mark of its picture; below the whole page where the mark stands in a table."""
    lines: list[str] = []
    below: list[str] = []
    for line in markdown.split("\n"):
        lines.append(line)
        found = [texts[int(mark[2])] for mark in _MARK.finditer(line) if int(mark[2]) in texts]
        if line.lstrip().startswith("|"):
            below += found
        else:
            lines += [part for text in found for part in ("", text, "")]
    return "\n".join([*lines, *(part for text in below for part in ("", text))])


def _without_pictures(document: ExtractedDocument) -> ExtractedDocument:
    """Leaves what pictures are described as, and the text recognised in them."""
    if not document.images:
        return document
    pages = [
        replace(page, markdown=re.sub(r"\n{3,}", "\n\n", _MARK.sub(r"\1", page.markdown))) for page in document.pages
    ]
    return replace(document, pages=pages, images=())


def _require_text(document: ExtractedDocument, file_name: str, reader: _Reader | None) -> None:
    """Refuses what has no text at all, and says whether OCR could have helped."""
    if any(_MARK.sub("", page.markdown).strip() for page in document.pages):
        return
    if reader is None:
        message = f"{file_name} has no text: it is a scan, or holds pictures only. {_HOW_TO_SWITCH_ON}"
        raise NoTextFoundError(message, pages=len(document.pages))
    if any(page.ocr for page in document.pages) or document.images or document.pages:
        message = f"No text was found in {file_name}, nor recognised in its pictures. Check that it shows text."
        raise NoTextFoundError(message, pages=len(document.pages))
