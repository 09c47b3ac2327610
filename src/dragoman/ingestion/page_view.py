"""Shows a page of a file and finds text on it. Runs in the sandboxed process (see `sandbox.py`)."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Final

import anyio

from dragoman.ingestion.reading import IMAGE_TYPES, MOST_FRAMES
from dragoman.kit.pictures import UnreadablePictureError, as_png, open_frames
from dragoman.ports.extractor import ExtractionError, Extractor, PagePlace, PageViewer, UnsupportedFormatError

_LONGEST_SIDE: Final = 8000  # pixels of a picture that is shown: a screenshot of a long web page


async def show_page(
    content: bytes, *, mime_type: str, number: int, width: int, extractors: Mapping[str, Extractor]
) -> bytes:
    """See `PageViewer`. A picture is not made larger than it is. Raises UnsupportedFormatError, ExtractionError."""
    if mime_type in IMAGE_TYPES:
        return await anyio.to_thread.run_sync(_shown_picture, content, number, width)
    viewer = _viewer(mime_type, extractors)
    return await viewer.show_page(content, mime_type=mime_type, number=number, width=width)


async def find_on_page(
    content: bytes, *, mime_type: str, number: int, text: str, near: int | None, extractors: Mapping[str, Extractor]
) -> Sequence[PagePlace]:
    """See `PageViewer`. Raises UnsupportedFormatError, ExtractionError."""
    if mime_type in IMAGE_TYPES:
        return ()
    viewer = _viewer(mime_type, extractors)
    return await viewer.find_on_page(content, mime_type=mime_type, number=number, text=text, near=near)


def _viewer(mime_type: str, extractors: Mapping[str, Extractor]) -> PageViewer:
    viewer = extractors.get(mime_type)
    if viewer is None or not isinstance(viewer, PageViewer):
        raise UnsupportedFormatError(f"Pages of documents of the type {mime_type} cannot be shown as pictures.")
    return viewer


def _shown_picture(content: bytes, number: int, width: int) -> bytes:
    try:
        for at, frame in enumerate(open_frames(content, longest_side=_LONGEST_SIDE, most=min(number, MOST_FRAMES))):
            if at == number - 1:
                frame.thumbnail((width, _LONGEST_SIDE))
                return as_png(frame)
    except UnreadablePictureError as error:
        raise ExtractionError(f"The picture cannot be shown. {error}") from error
    raise ExtractionError(f"The picture has no page {number}.", page=number)
