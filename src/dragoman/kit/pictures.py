"""Opens pictures of any origin safely: bounded in pixels before they are decoded, upright, in plain RGB."""

from __future__ import annotations

import io
from collections.abc import Iterator
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from PIL.Image import Image

MOST_PIXELS: Final = 100_000_000  # of one frame; 300 MB once decoded


class UnreadablePictureError(ValueError):
    """The bytes are no picture, a damaged one, or one too large to be opened. The text says which."""


def open_frames(data: bytes, *, longest_side: int, keep_width: int = 0, most: int = 1) -> Iterator[Image]:
    """The pages of a TIFF, or the one picture of any other kind: only the first of an animation.

    Args:
        data: PNG, JPEG, WEBP, TIFF, BMP or GIF.
        longest_side: pixels; a larger frame is scaled down,
        keep_width: but not so far that its shorter side has fewer pixels: a screenshot of a whole web page.
        most: frames at most.

    Yields:
        RGB pictures, turned as their EXIF data says, transparent parts white.

    Raises:
        UnreadablePictureError
    """
    from PIL import Image, ImageSequence  # noqa: PLC0415 - only where pictures are read

    try:
        with Image.open(io.BytesIO(data), formats=("PNG", "JPEG", "WEBP", "TIFF", "BMP", "GIF")) as picture:
            pages = most if picture.format == "TIFF" else 1
            for number, frame in enumerate(ImageSequence.Iterator(picture)):
                if number >= pages:
                    return
                yield _plain(frame, _longest_side(frame.size, longest_side, keep_width))
    except UnreadablePictureError:
        raise
    except (Image.DecompressionBombError, Image.DecompressionBombWarning) as error:
        raise UnreadablePictureError(f"It has more than {MOST_PIXELS:,} pixels.") from error
    except (OSError, ValueError, SyntaxError, EOFError, KeyError, TypeError, IndexError, OverflowError) as error:
        raise UnreadablePictureError(str(error)[:200]) from error  # what Pillow raises on damaged files


def frame_count(data: bytes) -> int:
    """How many pages a TIFF has; 1 for any other picture, 0 for what is none."""
    from PIL import Image  # noqa: PLC0415

    try:
        with Image.open(io.BytesIO(data)) as picture:
            return int(getattr(picture, "n_frames", 1)) if picture.format == "TIFF" else 1
    except (OSError, ValueError, SyntaxError, EOFError, Image.DecompressionBombError, Image.DecompressionBombWarning):
        return 0


def as_png(picture: Image) -> bytes:
    """Compressed lightly: it is only handed on."""
    file = io.BytesIO()
    picture.save(file, "PNG", compress_level=1)
    return file.getvalue()


def _longest_side(size: tuple[int, int], longest_side: int, keep_width: int) -> int:
    shorter, longer = sorted(size)
    return max(longest_side, round(longer * min(1.0, keep_width / max(shorter, 1))))


def _plain(frame: Image, longest_side: int) -> Image:
    from PIL import Image, ImageOps  # noqa: PLC0415

    if frame.width * frame.height > MOST_PIXELS:
        raise UnreadablePictureError(f"It has {frame.width} x {frame.height} pixels; at most {MOST_PIXELS:,} are read.")
    if frame.mode.startswith(("I", "F")):  # 16 bits a pixel: Pillow would cut off what is above 255
        low, high = (float(value) for value in frame.getextrema())  # type: ignore[arg-type]
        scale = 255 / (high - low) if high > low else 1.0
        frame = frame.point(lambda value: value * scale - low * scale).convert("L")
    if max(frame.size) > longest_side and frame.mode not in {"1", "P"}:
        frame = frame.copy() if frame.format != "JPEG" else frame
        frame.thumbnail((longest_side, longest_side), Image.Resampling.LANCZOS)
    upright = ImageOps.exif_transpose(frame)
    if "A" in upright.getbands() or "transparency" in upright.info:
        clear = upright.convert("RGBA")
        upright = Image.alpha_composite(Image.new("RGBA", clear.size, "white"), clear)
    shown = upright.convert("RGB")
    shown.thumbnail((longest_side, longest_side), Image.Resampling.LANCZOS)
    return shown
