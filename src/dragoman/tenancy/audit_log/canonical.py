"""What exactly is hashed and sealed of an audit event, byte by byte.

    content hash   SHA-256(salt + contents)            contents: what may be erased, as canonical JSON
    seal           HMAC-SHA256(audit key, event)       event: all the rest with the content hash
    hash           SHA-256(link)                       link: place, hash before it, event and seal
    chain seal     HMAC-SHA256(audit key, hash)        given by the one who puts events in order

Canonical JSON after RFC 8785: names sorted, no spaces, UTF-8, whole numbers without a point.
"""

from __future__ import annotations

import hashlib
import hmac
import json
import math
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any, Final
from uuid import UUID

from dragoman.kit.encryption import Keyring
from dragoman.tenancy.entities import AuditEvent

SALT_BYTES: Final = 16
_EVENT: Final = b"dragoman audit event 1\0"
_LINK: Final = b"dragoman audit link 1\0"
_HEAD: Final = b"dragoman audit head 1\0"


# Made once: `json.dumps` would make an encoder for each event, of which a bulk import writes thousands.
_encode: Final = json.JSONEncoder(sort_keys=True, separators=(",", ":"), ensure_ascii=False, allow_nan=False).encode
_quote: Final = json.encoder.encode_basestring


def canonical_json(value: Any) -> bytes:
    """Raises ValueError: a number that JSON does not know."""
    return _encode(plain(value)).encode()


def plain(value: Any) -> Any:
    """The value as it comes back from a `jsonb` column: nothing but JSON, numbers and text as PostgreSQL keeps them."""
    if value is None or isinstance(value, bool | int):
        return value
    if isinstance(value, float):
        if not math.isfinite(value):
            return str(value)
        return int(value) if value.is_integer() else value
    if isinstance(value, str):
        return _plain_text(value)
    if isinstance(value, Mapping):
        return {plain(str(name)): plain(item) for name, item in value.items()}
    if isinstance(value, list | tuple):
        return [plain(item) for item in value]
    if isinstance(value, set | frozenset):
        return sorted((plain(item) for item in value), key=str)
    return value.isoformat() if isinstance(value, datetime) else str(value)


def _plain_text(text: str) -> str:
    written = text if text.isascii() else text.encode("utf-8", "replace").decode()
    return written.replace("\0", "")


def content_hash(event: AuditEvent) -> bytes:
    """Of what may be erased."""
    assert event.salt is not None
    return content_hash_of(
        salt=event.salt,
        actor_name=event.actor_name,
        address=event.address,
        details=event.details,
        user_agent=event.user_agent,
    )


def content_hash_of(
    *, salt: bytes, actor_name: str, address: str, details: Mapping[str, Any], user_agent: str
) -> bytes:
    """The same of an event that is still to be made."""
    contents = _object(
        actor_name=_text(actor_name),
        address=_text(address),
        details=_encode(plain(details)),
        user_agent=_text(user_agent),
    )
    return hashlib.sha256(salt + contents).digest()


def seal_of(event: AuditEvent, tenant_id: UUID, keyring: Keyring) -> bytes:
    """By the key that the event names. Raises UnknownKeyError."""
    return hmac.digest(keyring.key(event.key_id), _EVENT + _written(event, tenant_id), "sha256")


def hash_of(event: AuditEvent, tenant_id: UUID, *, sequence: int, previous_hash: bytes) -> bytes:
    """The hash of an event in its place."""
    link = _object(
        event=f'"{hashlib.sha256(_written(event, tenant_id)).hexdigest()}"',
        previous=f'"{previous_hash.hex()}"',
        seal=f'"{(event.seal or b"").hex()}"',
        sequence=str(sequence),
        tenant=f'"{tenant_id}"',
    )
    return hashlib.sha256(_LINK + link).digest()


def chain_seal_of(event_hash: bytes, key: bytes) -> bytes:
    return hmac.digest(key, _LINK + event_hash, "sha256")


def head_seal_of(written: Mapping[str, Any], key: bytes) -> bytes:
    """Of a head without its seal."""
    return hmac.digest(key, _HEAD + canonical_json(written), "sha256")


def _written(event: AuditEvent, tenant_id: UUID) -> bytes:
    return _object(
        action=_text(event.action),
        actor=_text(event.actor),
        content=f'"{(event.content_hash or b"").hex()}"',
        created_at=f'"{event.created_at.astimezone(UTC).isoformat(timespec="microseconds")}"',
        id=f'"{event.id}"',
        key=_text(event.key_id),
        request_id=_text(event.request_id),
        subject_id="null" if event.subject_id is None else f'"{event.subject_id}"',
        subject_type=_text(event.subject_type),
        tenant=f'"{tenant_id}"',
    )


def _text(text: str) -> str:
    """A text as canonical JSON."""
    return _quote(_plain_text(text))


def _object(**values: str) -> bytes:
    """A JSON object of values that are JSON already, given in the order of their names."""
    return ("{" + ",".join([f'"{name}":{value}' for name, value in values.items()]) + "}").encode()
