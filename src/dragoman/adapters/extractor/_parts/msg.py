"""Reads MSG, the mail format of Outlook: properties in streams of an OLE container.

Source: [MS-OXMSG] Outlook Item (.msg) File Format, [MS-OXPROPS] for the numbers of the properties.
"""

from __future__ import annotations

import datetime as dt
import struct
from io import BytesIO
from typing import Any, Final

from dragoman.adapters.extractor._parts.messages import DEEPEST, MOST_PARTS, Attachment, Message
from dragoman.kit.text.decoding import BinaryContentError, decode_text
from dragoman.ports.extractor import ExtractionError

_SUBJECT, _FROM_NAME, _FROM_ADDRESS, _FROM_SMTP, _TO, _CC = "0037", "0C1A", "0C1F", "5D01", "0E04", "0E03"
_PLAIN, _PAGE, _SENT = "1000", "1013", 0x00390040
_DATA, _LONG_NAME, _SHORT_NAME, _TYPE, _CONTENT_ID = "3701", "3707", "3704", "370E", "3712"
_EPOCH: Final = dt.datetime(1601, 1, 1, tzinfo=dt.UTC)


def read_msg(content: bytes, file_name: str) -> Message:
    """The mail in `content`. Raises ExtractionError."""
    import olefile  # noqa: PLC0415 -- not for other formats

    try:
        with olefile.OleFileIO(BytesIO(content)) as ole:
            if not ole.exists("__properties_version1.0"):
                raise ExtractionError(f"{file_name} is no Outlook mail.", file_name=file_name)
            return _message(ole, "", 0)
    except (OSError, ValueError, IndexError, KeyError, struct.error) as error:
        raise ExtractionError(file_name=file_name, reason=str(error)[:300]) from error


def _message(ole: Any, folder: str, depth: int) -> Message:
    name, address = _text(ole, folder, _FROM_NAME), _text(ole, folder, _FROM_SMTP) or _text(ole, folder, _FROM_ADDRESS)
    sender = f"{name} <{address}>" if name and "@" in address and name != address else name or address
    fields = {"From": sender, "To": _text(ole, folder, _TO), "Cc": _text(ole, folder, _CC), "Date": _sent(ole, folder)}
    attachments: list[Attachment] = []
    forwarded: list[Message] = []
    for entry in _attachment_folders(ole, folder):
        if ole.exists(f"{entry}/__substg1.0_{_DATA}000D"):
            if depth < DEEPEST:
                forwarded.append(_message(ole, f"{entry}/__substg1.0_{_DATA}000D", depth + 1))
        else:
            attachments.append(_attachment(ole, entry))
    page = _stream(ole, folder, _PAGE, "0102")
    return Message(
        subject=_text(ole, folder, _SUBJECT),
        fields=[(name, " ".join(value.split())) for name, value in fields.items() if value],
        plain=_text(ole, folder, _PLAIN).replace("\r\n", "\n").replace("\r", "\n"),
        page=_decoded(page) if page else _text(ole, folder, _PAGE),
        attachments=attachments,
        forwarded=forwarded,
    )


def _attachment_folders(ole: Any, folder: str) -> list[str]:
    depth = len(folder.split("/")) if folder else 0
    inside = {
        "/".join(path[: depth + 1])
        for path in ole.listdir(streams=True, storages=True)
        if len(path) > depth and path[depth].startswith("__attach_version1.0_") and "/".join(path[:depth]) == folder
    }
    return sorted(inside)[:MOST_PARTS]


def _attachment(ole: Any, folder: str) -> Attachment:
    name = _text(ole, folder, _LONG_NAME) or _text(ole, folder, _SHORT_NAME) or "attachment"
    return Attachment(
        name=" ".join(name.split()),
        mime_type=_text(ole, folder, _TYPE) or "application/octet-stream",
        data=_stream(ole, folder, _DATA, "0102"),
        content_id=_text(ole, folder, _CONTENT_ID),
    )


def _stream(ole: Any, folder: str, number: str, kind: str) -> bytes:
    path = f"{folder}/__substg1.0_{number}{kind}".removeprefix("/")
    return bytes(ole.openstream(path).read()) if ole.exists(path) else b""


def _text(ole: Any, folder: str, number: str) -> str:
    wide = _stream(ole, folder, number, "001F")
    if wide:
        return wide.decode("utf-16-le", errors="replace").rstrip("\x00").strip()
    return _decoded(_stream(ole, folder, number, "001E")).rstrip("\x00").strip()


def _decoded(data: bytes) -> str:
    try:
        return decode_text(data.rstrip(b"\x00")).text
    except BinaryContentError:
        return data.decode("cp1252", errors="replace")


def _sent(ole: Any, folder: str) -> str:
    """When it was sent, from the properties of fixed size: entries of 16 bytes behind a head of 32 or 24 bytes."""
    path = f"{folder}/__properties_version1.0".removeprefix("/")
    data = ole.openstream(path).read() if ole.exists(path) else b""
    for at in range(24 if folder else 32, len(data) - 15, 16):
        tag, _, value = struct.unpack_from("<IIQ", data, at)
        if tag == _SENT and 0 < value < 1 << 60:
            return (_EPOCH + dt.timedelta(microseconds=value // 10)).isoformat(sep=" ", timespec="minutes")
    return ""
