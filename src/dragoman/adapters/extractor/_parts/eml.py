"""Reads EML: MIME parts in any encoding, also those that state a wrong one or none."""

from __future__ import annotations

import email
import re
from email.header import decode_header
from email.message import Message as Part
from email.policy import compat32
from typing import Final

from dragoman.adapters.extractor._parts.messages import DEEPEST, MOST_PARTS, Attachment, Message
from dragoman.kit.text.decoding import BinaryContentError, decode_text
from dragoman.ports.extractor import EncryptedDocumentError, ExtractionError

_FIELDS: Final = ("From", "To", "Cc", "Date")
_MAILBOX_LINE: Final = re.compile(rb"\AFrom \S[^\n]*\n")
_HEADER: Final = re.compile(rb"^[A-Za-z][A-Za-z0-9-]*:", re.MULTILINE)
_PGP: Final = "-----BEGIN PGP MESSAGE-----"


def read_eml(content: bytes, file_name: str) -> Message:
    """The mail in `content`. Raises EncryptedDocumentError, ExtractionError."""
    if b"\x00" in content[:4096] or content.startswith((b"\xff\xfe", b"\xfe\xff", b"\xef\xbb\xbf")):
        content = _as_utf8(content, file_name)
    content = _MAILBOX_LINE.sub(b"", content, count=1)
    if not _HEADER.search(content[:65_536]):
        raise ExtractionError(f"{file_name} is no mail: it has no header.", file_name=file_name)
    part = email.message_from_bytes(content, policy=compat32)
    if part.get_content_type() in {"multipart/encrypted", "application/pkcs7-mime", "application/x-pkcs7-mime"}:
        raise EncryptedDocumentError(f"{file_name} is encrypted. Decrypt the mail and upload it again.")
    message = _message(part, 0)
    if message.plain.lstrip().startswith(_PGP):
        raise EncryptedDocumentError(f"{file_name} is encrypted. Decrypt the mail and upload it again.")
    return message


def _as_utf8(content: bytes, file_name: str) -> bytes:
    try:
        return decode_text(content).text.encode("utf-8", errors="replace")
    except BinaryContentError as error:
        raise ExtractionError(f"{file_name} holds binary data, not a mail.", file_name=file_name) from error


def _message(part: Part, depth: int) -> Message:
    plain: list[str] = []
    pages: list[str] = []
    attachments: list[Attachment] = []
    forwarded: list[Message] = []
    for leaf in _leaves(part):
        name, kind = _file_name(leaf), leaf.get_content_type()
        if kind == "message/rfc822" and leaf.is_multipart():
            if depth < DEEPEST:
                forwarded += [_message(inner, depth + 1) for inner in leaf.get_payload() if isinstance(inner, Part)]
        elif not name and leaf.get_content_disposition() != "attachment" and kind in {"text/plain", "text/html"}:
            (pages if kind == "text/html" else plain).append(_text(leaf))
        elif (data := _payload(leaf)) or name:
            content_id = str(leaf.get("Content-ID") or "").strip().strip("<>")
            shown = name or ("" if content_id else f"{leaf.get_content_maintype()} part")
            attachments.append(Attachment(name=shown, mime_type=kind, data=data, content_id=content_id))
    fields = [(name, value) for name in _FIELDS if (value := _field(part, name))]
    return Message(
        subject=_field(part, "Subject"),
        fields=fields,
        plain="\n\n".join(text for text in plain if text.strip()),
        page="\n".join(pages),
        attachments=attachments,
        forwarded=forwarded,
    )


def _leaves(part: Part) -> list[Part]:
    """The parts that hold something, in order; of a forwarded message the whole."""
    leaves: list[Part] = []
    waiting = [part]
    while waiting and len(leaves) < MOST_PARTS:
        one = waiting.pop(0)
        payload = one.get_payload()
        if one.is_multipart() and one.get_content_type() != "message/rfc822" and isinstance(payload, list):
            waiting = [inner for inner in payload if isinstance(inner, Part)] + waiting
        else:
            leaves.append(one)
    return leaves


def _payload(part: Part) -> bytes:
    data = part.get_payload(decode=True)
    return data if isinstance(data, bytes) else b""


def _text(part: Part) -> str:
    return _decoded(_payload(part), _charset(part)).replace("\r\n", "\n").replace("\r", "\n")


def _charset(part: Part) -> str | None:
    stated = part.get_content_charset()
    return re.sub(r"[^\w-].*|content-.*", "", stated) or None if stated else None


def _decoded(data: bytes, charset: str | None) -> str:
    try:
        return decode_text(data, declared=charset).text
    except BinaryContentError:
        return data.decode("latin-1").translate({code: None for code in range(32) if code not in {9, 10, 13}})


def _field(part: Part, name: str) -> str:
    raw = next((str(value) for key, value in part.raw_items() if key.lower() == name.lower()), "")
    return " ".join(_unfolded(raw).split())


def _unfolded(raw: str) -> str:
    """A header with its encoded words and its raw bytes decoded."""
    if not raw.isascii():
        raw = _decoded(raw.encode("ascii", errors="surrogateescape") if _is_escaped(raw) else raw.encode(), None)
    try:
        pieces = decode_header(raw)
    except (ValueError, email.errors.HeaderParseError):
        return raw
    return "".join(text if isinstance(text, str) else _decoded(text, charset) for text, charset in pieces)


def _is_escaped(text: str) -> bool:
    return all(character < "\x80" or "\udc80" <= character <= "\udcff" for character in text)


def _file_name(part: Part) -> str:
    name = part.get_filename()
    return " ".join(_unfolded(str(name)).split()) if name else ""
