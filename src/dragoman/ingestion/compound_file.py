"""The table of contents of the compound files ("OLE2") that Office wrote before 2007 and Outlook still writes.

Source: [MS-CFB], Compound File Binary File Format, sections 2.2 (header), 2.3 (FAT) and 2.6 (directory).
"""

from __future__ import annotations

import struct
from collections.abc import Iterator
from typing import IO, Final

MAGIC: Final = b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1"
MOST_ENTRIES: Final = 20_000

_ENTRY_BYTES: Final = 128
_LAST_REGULAR_SECTOR: Final = 0xFFFFFFFA
_HEADER_FAT_SECTORS: Final = 109  # as many of them are listed in the header; later ones describe sectors after 6.8 MB


class BrokenCompoundFileError(Exception):
    """The directory of a compound file cannot be read."""


def list_entries(file: IO[bytes]) -> set[str]:
    """The names of all storages and streams, of all levels.

    Raises:
        BrokenCompoundFileError
    """
    file.seek(0)
    header = file.read(512)
    if len(header) < 512 or not header.startswith(MAGIC):
        raise BrokenCompoundFileError
    sector_bytes = 1 << min(struct.unpack_from("<H", header, 30)[0], 16)
    if sector_bytes not in {512, 4096}:
        raise BrokenCompoundFileError
    names = set()
    for sector in _directory_sectors(file, header, sector_bytes):
        for at in range(0, len(sector) - _ENTRY_BYTES + 1, _ENTRY_BYTES):
            length = struct.unpack_from("<H", sector, at + 64)[0]
            if 2 <= length <= 64:
                names.add(sector[at : at + length - 2].decode("utf-16-le", errors="replace"))
    if "Root Entry" not in names:
        raise BrokenCompoundFileError
    return names


def _directory_sectors(file: IO[bytes], header: bytes, sector_bytes: int) -> Iterator[bytes]:
    fat = struct.unpack_from(f"<{_HEADER_FAT_SECTORS}I", header, 76)
    number = struct.unpack_from("<I", header, 48)[0]
    per_sector = sector_bytes // 4
    for _ in range(MOST_ENTRIES * _ENTRY_BYTES // sector_bytes):
        if number > _LAST_REGULAR_SECTOR:
            return
        yield _sector(file, number, sector_bytes)
        at, place = divmod(number, per_sector)
        if at >= len(fat) or fat[at] > _LAST_REGULAR_SECTOR:
            return
        number = struct.unpack_from("<I", _sector(file, fat[at], sector_bytes), place * 4)[0]
    raise BrokenCompoundFileError  # a chain that bites its own tail


def _sector(file: IO[bytes], number: int, sector_bytes: int) -> bytes:
    file.seek((number + 1) * sector_bytes)
    sector = file.read(sector_bytes)
    if len(sector) < sector_bytes:
        raise BrokenCompoundFileError
    return sector
