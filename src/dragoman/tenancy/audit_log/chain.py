"""Puts audit events in an order: the one writer of each tenant's chain (see `canonical` for what is hashed).

Any number of schedulers may run it: an advisory lock lets one write the chain of a tenant at a time, and the database
refuses a place that does not follow the last one.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Final, NamedTuple
from uuid import UUID

import structlog
from prometheus_client import Counter

from dragoman.kit.clock import now
from dragoman.kit.database import Database
from dragoman.kit.encryption import Keyring
from dragoman.tenancy.audit_log import repository
from dragoman.tenancy.audit_log.anchors import Anchors
from dragoman.tenancy.audit_log.canonical import chain_seal_of, hash_of, head_seal_of
from dragoman.tenancy.audit_log.entities import Head, head_as_json
from dragoman.tenancy.entities import AuditEvent

_log = structlog.get_logger(__name__)
_BATCH: Final = 1000

CHAINS_BROKEN = Counter("dragoman_audit_chains_broken_total", "Audit chains that ended before where they had reached.")


async def chain_all(database: Database, keyring: Keyring, anchors: Anchors) -> int:
    """Give every waiting event its place; how many got one. Raises DatabaseUnavailableError, OSError."""
    async with database.system_transaction() as connection:
        tenants = await repository.list_tenants_waiting(connection)
    return sum([await chain_tenant(database, keyring, anchors, tenant_id) for tenant_id in tenants])


async def chain_tenant(database: Database, keyring: Keyring, anchors: Anchors, tenant_id: UUID) -> int:
    """The same for one tenant; 0 where another process is at it."""
    chained = 0
    while True:
        async with database.transaction(tenant_id) as connection:
            if not await repository.is_only_writer(connection, tenant_id=tenant_id):
                return chained
            waiting = await repository.list_waiting(connection, tenant_id=tenant_id, limit=_BATCH)
            if not waiting:
                return chained
            last = await repository.find_last(connection, tenant_id=tenant_id)
            _compare(anchors, tenant_id, last)
            placed = _placed(waiting, tenant_id, keyring, last)
            await repository.place_events(connection, [place.as_json(keyring.newest_id) for place in placed])
        chained += len(placed)
        anchors.keep(_head(placed[-1].sequence, placed[-1].hash, tenant_id, keyring))
        _log.debug("audit.chained", tenant_id=str(tenant_id), events=len(placed), sequence=placed[-1].sequence)


def _compare(anchors: Anchors, tenant_id: UUID, last: AuditEvent | None) -> None:
    """Notice a chain that lost its end before it grows over the place. `verify` tells of it from then on."""
    head = anchors.find(tenant_id)
    if head is None:
        return
    reached = 0 if last is None else last.sequence or 0
    if reached < head.sequence or (last is not None and reached == head.sequence and last.hash != head.hash):
        CHAINS_BROKEN.inc()
        _log.error("audit.chain_broken", tenant_id=str(tenant_id), reached=reached, expected=head.sequence)
        anchors.set_aside(tenant_id)


class _Place(NamedTuple):
    """Where an event stands in the chain."""

    id: UUID
    sequence: int
    previous_hash: bytes
    hash: bytes
    chain_seal: bytes

    def as_json(self, key_id: str) -> dict[str, str | int]:
        return {
            "id": str(self.id),
            "sequence": self.sequence,
            "previous_hash": self.previous_hash.hex(),
            "hash": self.hash.hex(),
            "chain_seal": self.chain_seal.hex(),
            "chain_key_id": key_id,
        }


def _placed(waiting: Sequence[AuditEvent], tenant_id: UUID, keyring: Keyring, last: AuditEvent | None) -> list[_Place]:
    key = keyring.key(keyring.newest_id)
    sequence, previous = (0, b"") if last is None else (last.sequence or 0, last.hash or b"")
    placed: list[_Place] = []
    for event in waiting:
        sequence += 1
        link = hash_of(event, tenant_id, sequence=sequence, previous_hash=previous)
        placed.append(_Place(event.id, sequence, previous, link, chain_seal_of(link, key)))
        previous = link
    return placed


def head_at(event: AuditEvent, tenant_id: UUID, keyring: Keyring) -> Head:
    """The head of a chain that ends with this event."""
    assert event.sequence is not None
    assert event.hash is not None
    return _head(event.sequence, event.hash, tenant_id, keyring)


def _head(sequence: int, last_hash: bytes, tenant_id: UUID, keyring: Keyring) -> Head:
    head = Head(tenant_id=tenant_id, sequence=sequence, hash=last_hash, at=now(), key_id=keyring.newest_id, seal=b"")
    return replace(head, seal=head_seal(head, keyring))


def head_seal(head: Head, keyring: Keyring) -> bytes:
    """The seal that a head should have. Raises UnknownKeyError."""
    written = {name: value for name, value in head_as_json(head).items() if name != "seal"}
    return head_seal_of(written, keyring.key(head.key_id))
