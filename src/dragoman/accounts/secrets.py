"""Opaque tokens that name their tenant, so that row-level security holds from the first look-up on."""

from __future__ import annotations

import base64
import binascii
import hashlib
import secrets
from typing import Final
from uuid import UUID

REFRESH: Final = "dgr_"
LINK: Final = "dgl_"

_SECRET_BYTES: Final = 32
_TENANT_BYTES: Final = 16
_CHARACTERS: Final = 64  # 48 bytes in base64


def new_token(prefix: str, tenant_id: UUID) -> str:
    """The prefix, the tenant and 256 random bits."""
    content = tenant_id.bytes + secrets.token_bytes(_SECRET_BYTES)
    return prefix + base64.urlsafe_b64encode(content).decode()


def tenant_of(token: str, prefix: str) -> UUID | None:
    """The tenant that a token names; None: it has not the form of one."""
    encoded = token.removeprefix(prefix)
    if not token.startswith(prefix) or len(encoded) != _CHARACTERS or not encoded.isascii():
        return None
    try:
        content = base64.b64decode(encoded, altchars=b"-_", validate=True)
    except (binascii.Error, ValueError):
        return None
    return UUID(bytes=content[:_TENANT_BYTES])


def hash_of(token: str) -> bytes:
    """SHA-256; a slow hash adds nothing to 256 random bits."""
    return hashlib.sha256(token.encode()).digest()
