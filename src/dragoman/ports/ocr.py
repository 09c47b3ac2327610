"""Reads the text in a picture."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

from dragoman.kit.errors import DragomanError


class OcrError(DragomanError):
    """The picture cannot be read: it is damaged, or of a kind that the OCR does not know. Save it as PNG or JPEG."""

    code, status = "ocr.unreadable", 422


@dataclass(frozen=True, slots=True, kw_only=True)
class OcrLine:
    """One line as it stands in the picture.

    Attributes:
        text: without line breaks.
        confidence: 0 to 1.
        box: left, top, right, bottom in pixels of the upright picture.
    """

    text: str
    confidence: float
    box: tuple[float, float, float, float]


@dataclass(frozen=True, slots=True, kw_only=True)
class RecognisedText:
    """What a picture says, in reading order. `rotation`: degrees clockwise by which the picture was turned upright."""

    lines: Sequence[OcrLine]
    rotation: int = 0


class Ocr(Protocol):
    """Recognises text in one picture at a time. Models load on first use. No network is used.

    Raises:
        OcrError.
    """

    async def recognise(self, image: bytes, *, languages: Sequence[str] = ()) -> RecognisedText:
        """Read a PNG, JPEG, WEBP, TIFF, BMP or GIF. `languages`: ISO 639-1 codes expected, most likely first; none: any."""
        ...
