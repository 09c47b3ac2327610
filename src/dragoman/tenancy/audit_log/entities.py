"""Heads of chains, what a verification finds, and which events are wanted."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum
from typing import Any
from uuid import UUID


@dataclass(frozen=True, slots=True, kw_only=True)
class Head:
    """The end of a tenant's chain at a moment, signed with the audit key: whoever keeps it can prove what came before."""

    tenant_id: UUID
    sequence: int
    hash: bytes
    at: datetime
    key_id: str
    seal: bytes


class Fault(StrEnum):
    """What is wrong with a chain."""

    CHANGED = "changed"
    REMOVED = "removed"
    REORDERED = "reordered"
    INSERTED = "inserted"
    CUT_OFF = "cut_off"
    CONTENTS_REMOVED = "contents_removed"
    UNKNOWN_KEY = "unknown_key"


@dataclass(frozen=True, slots=True, kw_only=True)
class Problem:
    fault: Fault
    sequence: int | None
    event_id: UUID | None
    message: str


@dataclass(slots=True, kw_only=True)
class Verification:
    """What was verified.

    Attributes:
        events: how many are in the chain.
        waiting: how many have no place yet; they get one within seconds.
        unsealed: how many are from before events were sealed, at the beginning.
        erased: how many had their contents erased, and say so.
        first_sequence, head: the ends of the chain; None where it is empty.
        anchored: whether a head kept outside the database was compared.
        problems: the first of them; `problem_count` counts all.
    """

    events: int = 0
    waiting: int = 0
    unsealed: int = 0
    erased: int = 0
    first_sequence: int | None = None
    head: Head | None = None
    anchored: bool = False
    problem_count: int = 0
    problems: list[Problem] = field(default_factory=list)

    @property
    def is_whole(self) -> bool:
        return self.problem_count == 0


@dataclass(frozen=True, slots=True, kw_only=True)
class EventFilter:
    """Which events are wanted; None does not restrict.

    Attributes:
        actor: an actor as the log names it, or a part of what they were called.
        action: whole, or its beginning with a dot at the end: `document.`.
        text: said in the details, in any case of its letters.
        after, before: `after` is included, `before` is not.
    """

    actor: str | None = None
    action: str | None = None
    subject_type: str | None = None
    subject_id: UUID | None = None
    address: str | None = None
    request_id: str | None = None
    text: str | None = None
    after: datetime | None = None
    before: datetime | None = None


def head_as_json(head: Head) -> dict[str, Any]:
    """The head as it is exported and kept."""
    return {
        "tenant_id": str(head.tenant_id),
        "sequence": head.sequence,
        "hash": head.hash.hex(),
        "at": head.at.isoformat(),
        "key_id": head.key_id,
        "seal": head.seal.hex(),
    }


def head_from_json(written: dict[str, Any]) -> Head:
    """Raises KeyError, ValueError, TypeError: it is no head."""
    return Head(
        tenant_id=UUID(written["tenant_id"]),
        sequence=int(written["sequence"]),
        hash=bytes.fromhex(written["hash"]),
        at=datetime.fromisoformat(written["at"]),
        key_id=str(written["key_id"]),
        seal=bytes.fromhex(written["seal"]),
    )
