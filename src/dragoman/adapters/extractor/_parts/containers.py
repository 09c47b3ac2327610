"""Members of ZIP containers (office documents, e-books) and XML without declared entities."""

from __future__ import annotations

import re
import zipfile
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from io import BytesIO
from typing import Final
from xml.etree import ElementTree as ET

from dragoman.ports.extractor import EncryptedDocumentError, ExtractionError

LARGEST_MEMBER: Final = 256 * 1024 * 1024  # bytes unpacked; the whole was bounded before the document got here

_DECLARATION: Final = re.compile(rb"<!\s*(?:ENTITY|\[)", re.IGNORECASE)
_DAMAGED: Final = (zipfile.BadZipFile, zlib.error, NotImplementedError, RuntimeError, ValueError, OSError, EOFError)


@contextmanager
def opened_container(content: bytes, file_name: str) -> Iterator[zipfile.ZipFile]:
    """The ZIP in `content`. What goes wrong with it inside the block is an ExtractionError."""
    try:
        with zipfile.ZipFile(BytesIO(content)) as container:
            yield container
    except _DAMAGED as error:
        if "password" in str(error) or "encrypted" in str(error):
            raise EncryptedDocumentError(file_name=file_name) from error
        raise ExtractionError(file_name=file_name, reason=str(error)[:300]) from error


def read_member(container: zipfile.ZipFile, name: str) -> bytes | None:
    """The content of a member; None where there is none of this name, or it is larger than any document needs."""
    try:
        member = container.getinfo(name)
    except KeyError:
        return None
    if member.file_size > LARGEST_MEMBER:
        return None
    with container.open(member) as file:
        data = file.read(LARGEST_MEMBER + 1)
    return data if len(data) <= LARGEST_MEMBER else None


def parsed_xml(data: bytes, file_name: str) -> ET.Element:
    """The root element. Entities are refused: no document needs them, and they are how XML is made to explode or to read files."""
    head = data[:65_536]
    if head[:2] in {b"\xff\xfe", b"\xfe\xff"} or b"\x00" in head[:200]:
        head = head.replace(b"\x00", b"")
    if _DECLARATION.search(head) or _DECLARATION.search(data):
        raise ExtractionError(f"{file_name} declares XML entities, which are not read.", file_name=file_name)
    try:
        return ET.fromstring(data)  # noqa: S314 -- without a declaration of entities there is nothing to expand
    except (ET.ParseError, ValueError, LookupError) as error:
        raise ExtractionError(file_name=file_name, reason=str(error)[:300]) from error
