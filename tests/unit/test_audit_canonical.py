"""What audit events are hashed and sealed as, byte by byte: stored chains depend on it."""

from __future__ import annotations

import hashlib
import hmac
import json
from datetime import UTC, datetime
from typing import Any, cast
from uuid import UUID

import pytest

from dragoman.kit.encryption import Keyring
from dragoman.tenancy.audit_log import canonical
from dragoman.tenancy.entities import AuditEvent

TENANT = UUID(int=7)
KEY = b"k" * 32
ODD = 'a "quoted" \\ line\n\x01\x7f \u2028 \u20ac \u65e5\u672c \ud800 and a zero\0'


class _OneKey:
    """A key ring of one key."""

    def key(self, _key_id: str) -> bytes:
        return KEY


def _event(text: str, details: dict[str, Any], subject_id: UUID | None) -> AuditEvent:
    return AuditEvent(
        id=UUID(int=3),
        actor=f"user:{text}",
        action="document.uploaded",
        subject_type="document",
        subject_id=subject_id,
        details=details,
        created_at=datetime(2026, 1, 2, 3, 4, 5, 678, tzinfo=UTC),
        actor_name=text,
        address="192.0.2.1",
        user_agent=text,
        request_id=text,
        salt=b"s" * canonical.SALT_BYTES,
        content_hash=b"c" * 32,
        key_id="first",
        seal=b"seal",
    )


def _as_json(value: dict[str, Any]) -> bytes:
    """Canonical JSON by the slow way that is easy to check: names sorted, no spaces, UTF-8."""
    written = json.dumps(value, sort_keys=True, separators=(",", ":"), ensure_ascii=False, allow_nan=False)
    return written.encode("utf-8", "replace").replace(b"\\u0000", b"")


def _written(event: AuditEvent) -> bytes:
    return _as_json(
        {
            "tenant": str(TENANT),
            "id": str(event.id),
            "actor": event.actor,
            "action": event.action,
            "subject_type": event.subject_type,
            "subject_id": event.subject_id and str(event.subject_id),
            "request_id": event.request_id,
            "created_at": "2026-01-02T03:04:05.000678+00:00",
            "content": (event.content_hash or b"").hex(),
            "key": event.key_id,
        }
    )


@pytest.mark.parametrize("text", ["", "Ada", ODD])
@pytest.mark.parametrize(
    "details", [{}, {"version": 1, "source": "upload"}, {"b": [1, None, True, {"z": ODD}], "a": 2}]
)
@pytest.mark.parametrize("subject_id", [None, UUID(int=5)])
def test_hashes_and_seals_are_of_canonical_json(text: str, details: dict[str, Any], subject_id: UUID | None) -> None:
    event, keyring = _event(text, details, subject_id), cast("Keyring", _OneKey())
    contents = {"user_agent": text, "details": details, "address": event.address, "actor_name": text}
    assert canonical.content_hash(event) == hashlib.sha256((event.salt or b"") + _as_json(contents)).digest()
    seal = hmac.digest(KEY, b"dragoman audit event 1\0" + _written(event), "sha256")
    assert canonical.seal_of(event, TENANT, keyring) == seal
    link = {
        "tenant": str(TENANT),
        "sequence": 9,
        "seal": b"seal".hex(),
        "previous": b"before".hex(),
        "event": hashlib.sha256(_written(event)).hexdigest(),
    }
    expected = hashlib.sha256(b"dragoman audit link 1\0" + _as_json(link)).digest()
    assert canonical.hash_of(event, TENANT, sequence=9, previous_hash=b"before") == expected


def test_a_stored_event_keeps_its_hashes() -> None:
    event, keyring = _event("Ada", {"version": 1, "source": "upload"}, UUID(int=5)), cast("Keyring", _OneKey())
    assert canonical.content_hash(event).hex() == "431b0beddc1483e4ff0416e9e053c955dbaa7a2958d9b747a55962e80d571f16"
    assert (
        canonical.seal_of(event, TENANT, keyring).hex()
        == "9e3ea0e79df99a30ca348029a9f366ae5daa7ec657fa74b621e959d54a8afa73"
    )
    assert (
        canonical.hash_of(event, TENANT, sequence=9, previous_hash=b"before").hex()
        == "7d61d6847f1eab3aaa4689cb9309f664d8d8aa4cd02c50eb482d32f018115d4f"
    )
