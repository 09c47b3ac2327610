"""Pictures found inside documents: which are kept, in which format, and the marks that stand for them in the text."""

from __future__ import annotations

import hashlib
import io
import re
import warnings
from collections.abc import Callable
from typing import Final

from dragoman.ports.extractor import ExtractedImage

SMALLEST_SIDE: Final = 64  # pixels; smaller ones are icons and bullets
SMALLEST_BYTES: Final = 2_048
MOST_PICTURES: Final = 200
MOST_BYTES: Final = 64 * 1024 * 1024
MOST_PIXELS: Final = 60_000_000  # a larger one is no illustration; decoding it takes 240 MB

_KEPT: Final = {"PNG": "image/png", "JPEG": "image/jpeg", "GIF": "image/gif", "WEBP": "image/webp"}
_MARK: Final = re.compile(r"!\[([^\]\n]*)\]\(((?:[^()\s]|\([^()]*\))*)(?:\s+\"[^\"\n]*\")?\)")

_FILE_NAME: Final = re.compile(r"(?:image|picture|img)[ _-]?\d*\.\w{3,4}", re.IGNORECASE)  # says nothing
_LINKED: Final = re.compile(r"\[\s*(!\[[^\]\n]*\]\([^()\s]*\))\s*\]\([^()\s]*\)")


class Gallery:
    """Takes pictures in the order of the document. `images` are those kept, `left_out` counts those beyond the bounds."""

    def __init__(self) -> None:
        self.images: list[ExtractedImage] = []
        self.left_out = 0
        self._bytes = 0
        self._seen: set[bytes] = set()

    def add(self, data: bytes, *, page: int | None = None, description: str = "") -> int | None:
        """The index of the picture; None where it is too small, no picture, there already, or one too many."""
        digest = hashlib.sha256(data).digest()
        if len(data) < SMALLEST_BYTES or digest in self._seen:
            return None
        self._seen.add(digest)
        kept = _kept(data)
        if kept is None:
            return None
        shown, mime_type, width, height = kept
        if len(self.images) >= MOST_PICTURES or self._bytes + len(shown) > MOST_BYTES:
            self.left_out += 1
            return None
        self._bytes += len(shown)
        self.images.append(
            ExtractedImage(
                data=shown, mime_type=mime_type, width=width, height=height, page=page, description=_plain(description)
            )
        )
        return len(self.images) - 1

    @property
    def warnings(self) -> list[str]:
        if not self.left_out:
            return []
        return [
            f"{self.left_out} pictures were left out: a document keeps {MOST_PICTURES} pictures and 64 MiB of them."
        ]


def _kept(data: bytes) -> tuple[bytes, str, int, int] | None:
    """The picture in a format that browsers show, its type, width and height; None where it is none worth keeping."""
    from PIL import Image  # noqa: PLC0415 -- only where pictures are asked for

    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # about sizes, which are bounded here, and odd metadata
            with Image.open(io.BytesIO(data)) as picture:
                width, height = picture.size
                if min(width, height) < SMALLEST_SIDE or width * height > MOST_PIXELS:
                    return None
                if picture.format in _KEPT and picture.mode != "CMYK":
                    return data, _KEPT[picture.format], width, height
                file = io.BytesIO()
                mode = picture.mode if picture.mode in {"1", "L", "LA", "P", "RGB", "RGBA"} else "RGB"
                picture.convert(mode).save(file, "PNG")
    except Exception:  # noqa: BLE001 - Pillow raises almost anything on damaged pictures, and one picture is not the text
        return None
    return file.getvalue(), "image/png", width, height


def mark(index: int, description: str = "") -> str:
    return f"![{_plain(description)}](image:{index})"


def _plain(description: str) -> str:
    text = " ".join(re.sub(r"[\[\]()!\\]", " ", description).split())[:300]
    return "" if _FILE_NAME.fullmatch(text) else text


def marked(markdown: str, put: Callable[[str, str], int | None]) -> str:
    """Replaces each Markdown picture by the mark of a kept one, on a line of its own, or by its description.

    Args:
        put: takes the target and the description of a picture, gives its index in the gallery or None.
    """

    def shown(found: re.Match[str]) -> str:
        index = put(found[2], found[1])
        return _plain(found[1]) if index is None else f"\n\n{mark(index, found[1])}\n\n"

    lines = []
    for line in _LINKED.sub(r"\1", markdown).split("\n"):
        if line.lstrip().startswith("|"):  # a table row stays one line: its pictures follow the row's text
            lines.append(_MARK.sub(lambda found: shown(found).strip().replace("\n", " "), line))
        else:
            lines.append(_MARK.sub(shown, line))
    return re.sub(r"\n{3,}", "\n\n", "\n".join(lines))
