"""Mails as parsed from EML and MSG, before they become text."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Final

MOST_PARTS: Final = 500
DEEPEST: Final = 3  # messages within messages


@dataclass(frozen=True, slots=True, kw_only=True)
class Attachment:
    """A file that travels with a mail.

    Attributes:
        name: empty for a picture of the HTML body that has none.
        content_id: under which the HTML body shows it, empty where it does not.
    """

    name: str
    mime_type: str
    data: bytes
    content_id: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Message:
    """One mail.

    Attributes:
        fields: From, To, Cc and Date as name and value, without those missing.
        plain, page: the body as plain text and as HTML source; empty where missing.
        forwarded: messages inside this one.
    """

    subject: str = ""
    fields: Sequence[tuple[str, str]] = ()
    plain: str = ""
    page: str = ""
    attachments: Sequence[Attachment] = ()
    forwarded: Sequence[Message] = field(default=())
