"""Tokens of visitors: who asks, through which widget, on which web site, until when. Signed, and kept nowhere.

dgv_ base64url( payload, MAC )
payload, big-endian: 1 byte format, 16 bytes widget key, 16 bytes visitor, 4 bytes seconds of its end, then the origin
MAC: HMAC-SHA256 (RFC 2104) of the payload under a key that is made for the widget key from a master key
"""

from __future__ import annotations

import base64
import binascii
import hmac
import struct
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Final
from uuid import UUID

from dragoman.kit.clock import now
from dragoman.kit.encryption import Keyring
from dragoman.tenancy.errors import ExpiredVisitorTokenError, InvalidVisitorTokenError

PREFIX: Final = "dgv_"
LIFETIME: Final = timedelta(minutes=30)
RENEWABLE_FOR: Final = timedelta(days=30)
"""So long after its end a token still proves who the visitor is, for a new token and nothing else."""

_FORMAT: Final = 1
_PAYLOAD: Final = struct.Struct(">B16s16sI")
_MAC_BYTES: Final = 32
_MOST_CHARACTERS: Final = 700


@dataclass(frozen=True, slots=True, kw_only=True)
class VisitorToken:
    """What a token says. `origin` is empty for programs that send none."""

    widget_key_id: UUID
    visitor_id: UUID
    origin: str
    expires_at: datetime


def sign(token: VisitorToken, keyring: Keyring) -> str:
    payload = _PAYLOAD.pack(
        _FORMAT, token.widget_key_id.bytes, token.visitor_id.bytes, int(token.expires_at.timestamp())
    )
    payload += token.origin.encode()
    mac = _mac(keyring.keys[keyring.newest_id], token.widget_key_id, payload)
    return PREFIX + base64.urlsafe_b64encode(payload + mac).decode().rstrip("=")


def verified(text: str, keyring: Keyring, *, for_renewal: bool = False) -> VisitorToken:
    """What a token says that one of the keyring's master keys has signed.

    Args:
        for_renewal: one that ended within `RENEWABLE_FOR` will do.

    Raises:
        InvalidVisitorTokenError, ExpiredVisitorTokenError.
    """
    content = _decoded(text)
    payload, mac = content[:-_MAC_BYTES], content[-_MAC_BYTES:]
    if len(payload) < _PAYLOAD.size or payload[0] != _FORMAT:
        raise InvalidVisitorTokenError
    _, widget_key, visitor, expires = _PAYLOAD.unpack_from(payload)
    widget_key_id = UUID(bytes=widget_key)
    macs = [_mac(master, widget_key_id, payload) for master in keyring.keys.values()]
    if not any(hmac.compare_digest(mac, right) for right in macs):
        raise InvalidVisitorTokenError
    token = VisitorToken(
        widget_key_id=widget_key_id,
        visitor_id=UUID(bytes=visitor),
        origin=payload[_PAYLOAD.size :].decode(),
        expires_at=datetime.fromtimestamp(expires, UTC),
    )
    if token.expires_at + (RENEWABLE_FOR if for_renewal else timedelta()) <= now():
        raise ExpiredVisitorTokenError
    return token


def _decoded(text: str) -> bytes:
    encoded = text.removeprefix(PREFIX)
    if not text.startswith(PREFIX) or len(encoded) > _MOST_CHARACTERS:
        raise InvalidVisitorTokenError
    try:
        content = base64.b64decode(encoded + "=" * (-len(encoded) % 4), altchars=b"-_", validate=True)
    except (ValueError, binascii.Error) as error:
        raise InvalidVisitorTokenError from error
    if base64.urlsafe_b64encode(content).decode().rstrip("=") != encoded:  # bits that say nothing: not what was given
        raise InvalidVisitorTokenError
    return content


def _mac(master: bytes, widget_key_id: UUID, payload: bytes) -> bytes:
    key = hmac.digest(master, b"visitor tokens\0" + widget_key_id.bytes, "sha256")
    return hmac.digest(key, payload, "sha256")
