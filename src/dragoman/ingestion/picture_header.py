"""How many pixels a picture has, from its header alone: a few bytes may unpack to gigabytes.

Sources: PNG 3rd edition 11.2.1, JPEG ITU T.81 B.2.2, GIF89a 18, BMP (BITMAPINFOHEADER), TIFF 6.0 section 2,
WebP container specification (RFC 9649) 2.5 to 2.7.
"""

from __future__ import annotations

import struct
from typing import IO, Final

_LARGEST_TIFF_DIRECTORY: Final = 4096  # fields
_JPEG_FRAMES: Final = frozenset(range(0xC0, 0xD0)) - {0xC4, 0xC8, 0xCC}
_JPEG_WITHOUT_LENGTH: Final = frozenset({0x01, *range(0xD0, 0xD8)})


class BrokenPictureError(Exception):
    """The header of the picture is damaged."""


def picture_size(file: IO[bytes], mime_type: str) -> tuple[int, int]:
    """Width and height in pixels of a PNG, JPEG, GIF, WEBP, TIFF (its first page) or BMP.

    Raises:
        BrokenPictureError
    """
    file.seek(0)
    try:
        width, height = _READERS[mime_type](file)
    except (struct.error, IndexError) as error:
        raise BrokenPictureError from error
    if width < 1 or height < 1:
        raise BrokenPictureError
    return width, height


def _png(file: IO[bytes]) -> tuple[int, int]:
    width, height = struct.unpack(">II", file.read(24)[16:24])
    return width, height


def _gif(file: IO[bytes]) -> tuple[int, int]:
    width, height = struct.unpack("<HH", file.read(10)[6:10])
    return width, height


def _bmp(file: IO[bytes]) -> tuple[int, int]:
    head = file.read(26)
    if struct.unpack("<I", head[14:18])[0] == 12:  # the header of OS/2
        width, height = struct.unpack("<HH", head[18:22])
    else:
        width, height = struct.unpack("<ii", head[18:26])
    return width, abs(height)  # negative: the first row is the top one


def _webp(file: IO[bytes]) -> tuple[int, int]:
    head = file.read(30)
    if head[12:16] == b"VP8X":
        return 1 + int.from_bytes(head[24:27], "little"), 1 + int.from_bytes(head[27:30], "little")
    if head[12:16] == b"VP8L":
        bits = struct.unpack("<I", head[21:25])[0]
        return 1 + (bits & 0x3FFF), 1 + (bits >> 14 & 0x3FFF)
    width, height = struct.unpack("<HH", head[26:30])
    return width & 0x3FFF, height & 0x3FFF


def _jpeg(file: IO[bytes]) -> tuple[int, int]:
    file.seek(2)
    while True:
        marker = file.read(2)
        if marker[0] != 0xFF:
            raise BrokenPictureError
        kind = marker[1]
        while kind == 0xFF:  # fill bytes
            kind = file.read(1)[0]
        if kind in _JPEG_WITHOUT_LENGTH:
            continue
        length = struct.unpack(">H", file.read(2))[0]
        if kind in _JPEG_FRAMES:
            height, width = struct.unpack(">xHH", file.read(5))
            return width, height
        if length < 2 or kind == 0xDA:
            raise BrokenPictureError
        file.seek(length - 2, 1)


def _tiff(file: IO[bytes]) -> tuple[int, int]:
    order = "<" if file.read(4)[:2] == b"II" else ">"
    file.seek(struct.unpack(f"{order}I", file.read(4))[0])
    fields = struct.unpack(f"{order}H", file.read(2))[0]
    found = {}
    for _ in range(min(fields, _LARGEST_TIFF_DIRECTORY)):
        field = file.read(12)
        tag, kind = struct.unpack(f"{order}HH", field[:4])
        if tag in {256, 257}:
            found[tag] = (
                struct.unpack(f"{order}H", field[8:10])[0] if kind == 3 else struct.unpack(f"{order}I", field[8:])[0]
            )
    return found.get(256, 0), found.get(257, 0)


_READERS: Final = {
    "image/png": _png,
    "image/jpeg": _jpeg,
    "image/gif": _gif,
    "image/webp": _webp,
    "image/tiff": _tiff,
    "image/bmp": _bmp,
}
