"""What happens to the documents of a chatbot, told as it happens to one who may see them.

First a `Snapshot` of what is in work, then `ProgressMade` and `DocumentChanged` in any order; None after 15 s of silence.
Progress may be lost. Changes are not: they come through the feed of Valkey and, whenever something may have been
missed there, from PostgreSQL, which is read every two seconds while Valkey is away. A change may come twice after a
reconnection. No database connection is held between two reads.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, Iterable
from typing import Any
from uuid import UUID

import structlog

from dragoman.deps import Deps
from dragoman.imports import repository
from dragoman.imports.entities import DocumentChanged, DocumentInWork, ProgressMade, Snapshot, WatchEvent
from dragoman.imports.errors import InvalidEventIdError
from dragoman.imports.repository import Viewer
from dragoman.imports.service import viewer_of
from dragoman.jobs import repository as jobs_repository
from dragoman.jobs.entities import JobState
from dragoman.jobs.live import POLL_S, Heard, JobSignal, LiveEvent
from dragoman.kit.clock import Stopwatch, new_id
from dragoman.kit.errors import DragomanError
from dragoman.knowledge.entities import Visibility
from dragoman.tenancy.entities import Caller

_log = structlog.get_logger(__name__)

SILENCE_S = 15.0
LONGEST_S = 1800.0  # then the client comes again, and shows its key again
_MOST_IN_SNAPSHOT = 500
_MOST_REMEMBERED = 5_000
_PAGE_EVENTS = 500
_OVERLAP_MS = 5_000  # ids are made before the commit: an event may appear after another with a later id
_UNAPPROVED = ("pending", "rejected")
_OVER = frozenset({"ready", "failed", "deleted", "replaced", "cancelled", "pending", "rejected"})


async def watch_documents(
    deps: Deps, caller: Caller, *, chatbot_id: UUID, last_event_id: UUID | None
) -> AsyncGenerator[WatchEvent | None, None]:
    """The events, for half an hour at most. After `last_event_id` (kept for a week), where it is given.

    The caller must be allowed to read the chatbot's documents.
    """
    watcher = _Watcher(deps, viewer_of(caller), chatbot_id, last_event_id)
    since_start, since_told = Stopwatch(), Stopwatch()
    async with deps.live.listen(caller.tenant_id) as listener:
        yield await watcher.take_snapshot()
        while since_start.elapsed_ms < LONGEST_S * 1000:
            heard = await listener.wait(max(0.0, SILENCE_S - since_told.elapsed_ms / 1000))
            events: list[WatchEvent | None] = []
            try:
                events += await watcher.notice(heard)
            except DragomanError as error:  # PostgreSQL is away
                _log.warning("imports.watch_waits", reason=str(error))
                await asyncio.sleep(POLL_S)
                listener.read_again()
            if not events and since_told.elapsed_ms >= SILENCE_S * 1000:
                events.append(None)
            for event in events:
                yield event
                since_told = Stopwatch()


def parse_event_id(text: str | None) -> UUID | None:
    """Raises InvalidEventIdError."""
    if not text:
        return None
    try:
        return UUID(text)
    except ValueError as error:
        raise InvalidEventIdError from error


class _Watcher:
    """What one watcher may see, has seen, and was told."""

    def __init__(self, deps: Deps, viewer: Viewer, chatbot_id: UUID, last_event_id: UUID | None) -> None:
        self._deps, self._viewer, self._chatbot_id = deps, viewer, chatbot_id
        self._is_new = last_event_id is None
        self._cursor = last_event_id or new_id()
        self._told_events: dict[UUID, None] = {} if last_event_id is None else {last_event_id: None}
        self._told_progress: dict[UUID, tuple[JobState, str, float]] = {}
        self._visibility: dict[UUID, bool] = {}

    async def take_snapshot(self) -> Snapshot:
        async with self._deps.database.transaction(self._viewer.tenant_id) as connection:
            if self._is_new:  # what is over already is no news
                known = await jobs_repository.list_events(
                    connection, tenant_id=self._viewer.tenant_id, after=self._read_after(), limit=_MOST_REMEMBERED
                )
                self._told_events = {row.id: None for row in known}
            found = await repository.list_in_work(
                connection, self._viewer, chatbot_id=self._chatbot_id, limit=_MOST_IN_SNAPSHOT + 1
            )
        documents = found[:_MOST_IN_SNAPSHOT]
        self._remember(documents)
        return Snapshot(event_id=self._cursor, documents=documents, is_complete=len(found) <= _MOST_IN_SNAPSHOT)

    async def notice(self, heard: Heard) -> list[WatchEvent]:
        """What of it this watcher is told. Raises DatabaseUnavailableError."""
        await self._look_up(heard)
        changes = [change for event in heard.events if (change := self._change(event))]
        progress = [made for signal in heard.signals if (made := self._progress(signal))]
        if heard.missed:
            changes += await self._missed_changes()
            progress += await self._missed_progress()
        over = {change.document_id for change in changes if change.what in _OVER}
        return [*(made for made in progress if made.document_id not in over), *changes]

    async def _missed_changes(self) -> list[DocumentChanged]:
        changes: list[DocumentChanged] = []
        after = self._read_after()
        while True:
            async with self._deps.database.transaction(self._viewer.tenant_id) as connection:
                rows = await jobs_repository.list_events(
                    connection, tenant_id=self._viewer.tenant_id, after=after, limit=_PAGE_EVENTS
                )
            events = [LiveEvent(id=row.id, topic=row.topic, payload=row.payload) for row in rows]
            await self._look_up(Heard(signals=(), events=tuple(events), missed=False))
            changes += [change for event in events if (change := self._change(event))]
            if len(rows) < _PAGE_EVENTS:
                return changes
            after = rows[-1].id

    async def _missed_progress(self) -> list[ProgressMade]:
        async with self._deps.database.transaction(self._viewer.tenant_id) as connection:
            found = await repository.list_in_work(
                connection, self._viewer, chatbot_id=self._chatbot_id, limit=_MOST_IN_SNAPSHOT
            )
        news = [each for each in found if self._told_progress.get(each.document_id) != _position(each)]
        self._remember(found)
        return [
            ProgressMade(
                document_id=each.document_id,
                state=each.state,
                step=each.step,
                progress=each.progress,
                error_code=each.error_code,
                error=each.error,
            )
            for each in news
        ]

    def _change(self, event: LiveEvent) -> DocumentChanged | None:
        area, _, what = event.topic.partition(".")
        if area != "document" or event.id in self._told_events:
            return None
        self._told_events[event.id] = None
        _forget_oldest(self._told_events)
        self._cursor = max(self._cursor, event.id)
        payload, document_id = event.payload, UUID(event.payload["document_id"])
        if not self._may_hear(document_id, what, payload):
            self._visibility[document_id] = False  # it may have been shared until now
            return None
        self._told_progress.pop(document_id, None)
        self._visibility[document_id] = True
        return DocumentChanged(
            event_id=event.id,
            document_id=document_id,
            what=what,
            state=payload.get("state"),
            error_code=payload.get("code"),
            error=payload.get("error"),
        )

    def _may_hear(self, document_id: UUID, what: str, payload: dict[str, str]) -> bool:
        if "owner" not in payload:
            return self._visibility.get(document_id, False)
        is_own = payload["owner"] == self._viewer.asker
        is_hidden = what in _UNAPPROVED or payload.get("state") in _UNAPPROVED
        return payload["chatbot_id"] == str(self._chatbot_id) and (
            is_own
            or (payload["visibility"] == Visibility.SHARED.value and (self._viewer.sees_unapproved or not is_hidden))
        )

    def _progress(self, signal: JobSignal) -> ProgressMade | None:
        if signal.subject_id is None or not self._visibility.get(signal.subject_id, False):
            return None
        position = (signal.state, signal.step, signal.progress)
        if self._told_progress.get(signal.subject_id) == position:
            return None
        self._told_progress[signal.subject_id] = position
        _forget_oldest(self._told_progress)
        return ProgressMade(
            document_id=signal.subject_id,
            state=signal.state,
            step=signal.step,
            progress=signal.progress,
            error_code=signal.error_code,
            error=signal.error,
        )

    async def _look_up(self, heard: Heard) -> None:
        """Ask PostgreSQL which documents never heard of before may be seen."""
        wanted = {
            signal.subject_id
            for signal in heard.signals
            if signal.subject_id is not None and signal.chatbot_id in (None, self._chatbot_id)
        }
        wanted |= {
            UUID(event.payload["document_id"])
            for event in heard.events
            if event.topic.startswith("document.") and "owner" not in event.payload
        }
        unknown = wanted - self._visibility.keys()
        if not unknown:
            return
        async with self._deps.database.transaction(self._viewer.tenant_id) as connection:
            visible = await repository.list_visible(
                connection, self._viewer, chatbot_id=self._chatbot_id, document_ids=unknown
            )
        self._visibility |= {document_id: document_id in visible for document_id in unknown}
        _forget_oldest(self._visibility)

    def _remember(self, documents: Iterable[DocumentInWork]) -> None:
        for each in documents:
            self._visibility[each.document_id] = True
            self._told_progress[each.document_id] = _position(each)

    def _read_after(self) -> UUID:
        """An id some seconds before the cursor: UUIDv7 begin with their time in milliseconds."""
        milliseconds = max((self._cursor.int >> 80) - _OVERLAP_MS, 0)
        return UUID(int=milliseconds << 80)


def _position(document: DocumentInWork) -> tuple[JobState, str, float]:
    return document.state, document.step, document.progress


def _forget_oldest(remembered: dict[UUID, Any]) -> None:
    while len(remembered) > _MOST_REMEMBERED:
        del remembered[next(iter(remembered))]
