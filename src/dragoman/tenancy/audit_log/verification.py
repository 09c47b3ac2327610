"""Finds what was done to an audit log past the application: a row changed, removed, moved, added, or the end cut off.

The chain is read in pages, so that its length takes no memory; only the ids of events whose contents were erased are
held until the event that says so is met.
"""

from __future__ import annotations

import asyncio
import hmac
from collections.abc import Sequence
from typing import Final
from uuid import UUID

from dragoman.kit.database import Database
from dragoman.kit.encryption import Keyring, UnknownKeyError
from dragoman.tenancy.audit_log import repository
from dragoman.tenancy.audit_log.anchors import Anchors
from dragoman.tenancy.audit_log.canonical import chain_seal_of, content_hash, hash_of, seal_of
from dragoman.tenancy.audit_log.chain import head_at, head_seal
from dragoman.tenancy.audit_log.entities import Fault, Head, Problem, Verification
from dragoman.tenancy.entities import AuditEvent

ERASED: Final = "audit.contents_erased"
REMOVED: Final = "audit.events_removed"
_PAGE: Final = 1000
_MOST_PROBLEMS: Final = 100


async def verify(
    database: Database, keyring: Keyring, anchors: Anchors | None, tenant_id: UUID, *, heads: Sequence[Head] = ()
) -> Verification:
    """Verify a tenant's whole chain, and that it holds the heads which were kept outside the database.

    Args:
        anchors: where this installation keeps heads; None: they are not here.
        heads: that somebody exported earlier.

    Raises:
        DatabaseUnavailableError, UnreadableAnchorError.
    """
    known = [*([] if anchors is None else anchors.find_all(tenant_id)), *heads]
    check = _Check(tenant_id, keyring, known)
    after = -1
    while True:
        async with database.transaction(tenant_id) as connection:
            page = await repository.list_chain(connection, tenant_id=tenant_id, after=after, limit=_PAGE)
        await asyncio.to_thread(check.take_all, page)  # 0.1 s of a processor
        if len(page) < _PAGE:
            break
        after = page[-1].sequence or 0
    async with database.transaction(tenant_id) as connection:
        waiting = await repository.list_waiting(connection, tenant_id=tenant_id, limit=_PAGE)
        newest = await repository.list_chain(connection, tenant_id=tenant_id, after=check.sequence, limit=_PAGE)
    for event in newest:  # chained meanwhile
        check.take(event)
    for event in waiting:
        check.take_waiting(event)
    return check.finish()


class _Check:
    """Walks along one chain."""

    def __init__(self, tenant_id: UUID, keyring: Keyring, heads: Sequence[Head]) -> None:
        self._tenant_id, self._keyring = tenant_id, keyring
        self._found = Verification(anchored=bool(heads))
        self._last: AuditEvent | None = None
        self._sealed = False
        self._erased: set[UUID] = set()
        self._beginning: tuple[int, bytes] | None = None
        self._removals: list[tuple[int, str]] = []
        self._heads: dict[int, list[Head]] = {}
        for head in heads:
            self._add_head(head)

    @property
    def sequence(self) -> int:
        return -1 if self._last is None else self._last.sequence or 0

    def take_all(self, events: Sequence[AuditEvent]) -> None:
        """The next events of the chain."""
        for event in events:
            self.take(event)

    def take(self, event: AuditEvent) -> None:
        """The next event of the chain."""
        self._found.events += 1
        self._check_place(event)
        self._check_event(event)
        for head in self._heads.pop(event.sequence or 0, []):
            if head.hash != event.hash:
                self._tell(Fault.CHANGED, event, "is not what its head, kept outside the database, says")
        self._last = event

    def take_waiting(self, event: AuditEvent) -> None:
        """An event that has no place yet."""
        self._found.waiting += 1
        self._check_event(event)

    def finish(self) -> Verification:
        for sequence, heads in self._heads.items():
            if sequence > self.sequence:
                self._tell_of_cut(sequence, heads[0])
        if self._beginning is not None:
            before, previous = self._beginning
            if (before, previous.hex()) not in self._removals:
                self._problem(Fault.REMOVED, before, None, f"Events up to {before} are missing, and no event says why.")
        for event_id in list(self._erased)[:_MOST_PROBLEMS]:
            self._problem(
                Fault.CONTENTS_REMOVED,
                None,
                event_id,
                f"The contents of event {event_id} are gone, and no event says why.",
            )
        if self._last is not None:
            self._found.head = head_at(self._last, self._tenant_id, self._keyring)
        return self._found

    # ---- places

    def _check_place(self, event: AuditEvent) -> None:
        sequence, previous = event.sequence or 0, event.previous_hash or b""
        if self._last is None:
            self._found.first_sequence = sequence
            if sequence > 1:
                self._beginning = (sequence - 1, previous)
            elif previous:
                self._tell(Fault.CHANGED, event, "names an event before the first")
        else:
            expected = (self._last.sequence or 0) + 1
            if sequence != expected:
                gap = f"{expected}" if sequence == expected + 1 else f"{expected} to {sequence - 1}"
                self._problem(Fault.REMOVED, expected, None, f"Of the chain, {gap} is missing.")
            elif previous != self._last.hash:
                self._tell(Fault.REORDERED, event, "does not follow the event before it")
        self._check_link(event, sequence, previous)

    def _check_link(self, event: AuditEvent, sequence: int, previous: bytes) -> None:
        link = hash_of(event, self._tenant_id, sequence=sequence, previous_hash=previous)
        if link != event.hash:
            self._tell(Fault.CHANGED, event, "does not have the hash it was given")
        try:
            key = self._keyring.key(event.chain_key_id or "")
        except UnknownKeyError as error:
            self._tell(Fault.UNKNOWN_KEY, event, error.message)
            return
        if not hmac.compare_digest(chain_seal_of(event.hash or b"", key), event.chain_seal or b""):
            self._tell(Fault.REORDERED, event, "was not put in its place by this installation")

    # ---- events

    def _check_event(self, event: AuditEvent) -> None:
        self._check_seal(event)
        if event.salt is None:
            self._found.erased += 1
            self._erased.add(event.id)
        elif content_hash(event) != event.content_hash:
            self._tell(Fault.CHANGED, event, "has other details than it was written with")
            return
        if event.action == ERASED:
            self._erased.difference_update(UUID(each) for each in event.details.get("events", []))
        elif event.action == REMOVED:
            self._removals.append((event.details.get("through", 0), event.details.get("last_hash", "")))

    def _check_seal(self, event: AuditEvent) -> None:
        if not event.key_id:
            self._found.unsealed += 1
            if self._sealed:
                self._tell(Fault.INSERTED, event, "is not sealed, and others before it are")
            return
        self._sealed = True
        try:
            expected = seal_of(event, self._tenant_id, self._keyring)
        except UnknownKeyError as error:
            self._tell(Fault.UNKNOWN_KEY, event, error.message)
            return
        if not hmac.compare_digest(expected, event.seal or b""):
            self._tell(Fault.INSERTED, event, "was not written, or not so, by this installation")

    # ---- heads

    def _add_head(self, head: Head) -> None:
        try:
            is_ours = hmac.compare_digest(head_seal(head, self._keyring), head.seal)
        except UnknownKeyError:
            is_ours = False
        if head.tenant_id != self._tenant_id or not is_ours:
            message = f"The head at {head.sequence} was not signed by this installation for this tenant."
            self._problem(Fault.CHANGED, head.sequence, None, message)
            return
        self._heads.setdefault(head.sequence, []).append(head)

    def _tell_of_cut(self, sequence: int, head: Head) -> None:
        end = max(self.sequence, 0)
        self._problem(
            Fault.CUT_OFF,
            sequence,
            None,
            f"The chain ends at {end}; at {head.at:%Y-%m-%d %H:%M} UTC it reached {sequence}.",
        )

    # ---- telling

    def _tell(self, fault: Fault, event: AuditEvent, what: str) -> None:
        place = "that waits for its place" if event.sequence is None else f"at {event.sequence}"
        self._problem(fault, event.sequence, event.id, f"The event {place} {what}.")

    def _problem(self, fault: Fault, sequence: int | None, event_id: UUID | None, message: str) -> None:
        self._found.problem_count += 1
        if len(self._found.problems) < _MOST_PROBLEMS:
            self._found.problems.append(Problem(fault=fault, sequence=sequence, event_id=event_id, message=message))
