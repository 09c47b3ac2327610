"""The job that brings a chatbot's documents up to date with where they come from: START HERE for syncs.

    run_sync -> for each item: fetch if it changed -> upload, committed one by one -> delete what has vanished -> report

A killed job goes on where it stood: an item knows the sync that met it last. A long sync runs in slices, each a job of
its own, so that it does not keep a worker from others. Nothing is deleted unless the whole list was seen, and never
more than half of it at once unless a person says so.
"""

from __future__ import annotations

import tempfile
from collections.abc import Mapping, Sequence
from contextlib import aclosing
from dataclasses import dataclass, field, replace
from datetime import timedelta
from pathlib import Path
from typing import Any
from uuid import UUID

import structlog
from sqlalchemy.ext.asyncio import AsyncConnection

from dragoman.connectors import repository, service
from dragoman.connectors.entities import (
    Connector,
    ItemRecord,
    ItemState,
    KnownItem,
    OnVanished,
    Outcome,
    Sync,
    SyncEntry,
    SyncState,
    SyncTrigger,
)
from dragoman.deps import Deps
from dragoman.ingestion import service as ingestion
from dragoman.ingestion.errors import DocumentTooLargeError, EmptyDocumentError, UnsupportedDocumentTypeError
from dragoman.ingestion.service import Upload
from dragoman.jobs import service as jobs
from dragoman.jobs.entities import Job, Priority, Progress
from dragoman.kit.clock import Stopwatch, now
from dragoman.kit.errors import DragomanError
from dragoman.knowledge.entities import Source
from dragoman.ports.connector import (
    ConnectorRefusedError,
    ConnectorUnavailableError,
    Fetched,
    Item,
    ItemGoneError,
    ItemSkippedError,
    OpenConnector,
    Remembered,
    Unchanged,
)
from dragoman.tenancy import repository as tenancy_repository
from dragoman.tenancy import service as tenancy
from dragoman.tenancy.entities import Caller

_log = structlog.get_logger(__name__)

_SLICE_S = 300.0
_MAX_KEY_BYTES = 1024
_REPORTED = 1000  # entries of a report
_SEEN_AT_ONCE = 200
_FAILURES_IN_A_ROW = 10  # then it is the origin that fails, not its items
_DELETED_AT_ONCE = 200
_SOON = timedelta(seconds=5)
_NOT_OURS = (UnsupportedDocumentTypeError, EmptyDocumentError)  # other files lie beside documents: no failure


async def run_sync(deps: Deps, job: Job, progress: Progress, *, slice_s: float = _SLICE_S) -> None:
    """The job: one slice of a sync. Does nothing for a sync that has ended or a connector that was removed or paused.

    Raises:
        ConnectorRefusedError, InvalidConnectorSettingsError: the settings are at fault; not tried again.
        ConnectorUnavailableError, DatabaseUnavailableError, BlobStoreUnavailableError: tried again later.
    """
    run = await _begin(deps, job, progress)
    if run is None:
        return
    try:
        async with service.opened_connector(deps, run.connector).open(deps.premises) as opened:
            is_done = await _walk(run, opened, slice_s)
            if not is_done:
                await _continue_later(run)
                return
            await _delete_lost(run, opened)
            await _finish(run, opened)
    except _ConnectorSleepsError:
        await _stop(run)


class _ConnectorSleepsError(Exception):
    """The connector was paused or removed while its sync ran."""


@dataclass(slots=True, kw_only=True)
class _Run:
    """One slice of a sync at work."""

    deps: Deps
    connector: Connector
    sync: Sync
    caller: Caller
    max_bytes: int
    progress: Progress
    known: dict[str, KnownItem]
    listed: int = 0
    too_long: int = 0
    reported: int = 0
    failures_in_a_row: int = 0
    seen: list[str] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)

    @property
    def place(self) -> dict[str, UUID]:
        return {"tenant_id": self.connector.tenant_id, "connector_id": self.connector.id}


# ---- beginning


async def _begin(deps: Deps, job: Job, progress: Progress) -> _Run | None:
    connector_id, sync_id = UUID(job.payload["connector_id"]), UUID(job.payload["sync_id"])
    async with deps.database.transaction(job.tenant_id) as connection:
        place = {"tenant_id": job.tenant_id, "connector_id": connector_id}
        connector = await repository.find_connector(connection, **place)
        sync = await repository.find_sync(connection, **place, sync_id=sync_id)
        if connector is None or sync is None or not sync.is_active:
            return None
        if connector.is_paused:
            await _end(connection, connector, sync, SyncState.CANCELLED, notes=["The connector is paused."])
            return None
        values: dict[str, Any] = {"state": SyncState.RUNNING, "job_id": job.id}
        if sync.started_at is None:
            values["started_at"] = now()
        await repository.update_sync(connection, tenant_id=job.tenant_id, sync_id=sync_id, values=values)
        chatbot = await tenancy_repository.find_chatbot(
            connection, tenant_id=job.tenant_id, chatbot_id=connector.chatbot_id
        )
        if chatbot is None:
            return None
        known = await repository.load_known_items(connection, **place)
        _, reported = await repository.list_entries(
            connection, tenant_id=job.tenant_id, sync_id=sync_id, outcome=None, limit=1, offset=0
        )
    return _Run(
        deps=deps,
        connector=connector,
        sync=sync,
        caller=service.caller_of(connector),
        max_bytes=tenancy.settings_of(chatbot).max_size_mib * 1024 * 1024,
        progress=progress,
        known=known,
        reported=reported,
    )


# ---- the items


async def _walk(run: _Run, opened: OpenConnector, slice_s: float) -> bool:
    """Go through all items; False when the slice was over before the list."""

    async def known_keys() -> Sequence[str]:
        return list(run.known)

    watch = Stopwatch()
    async with aclosing(opened.list_items(known_keys)) as items:
        async for item in items:
            run.listed += 1
            is_news = await _take(run, opened, item)
            await run.progress("reading", 0.9 * run.listed / max(run.listed + 1, len(run.known)))
            if is_news and watch.elapsed_ms > slice_s * 1000:  # each slice gets further than the one before
                await _flush_seen(run)
                return False
    await _flush_seen(run)
    return True


async def _take(run: _Run, opened: OpenConnector, item: Item) -> bool:
    """Bring one item up to date; False for one that an earlier slice has dealt with."""
    known = run.known.get(item.key)
    if len(item.key.encode()) > _MAX_KEY_BYTES:
        run.too_long += 1
        return False
    if known is not None and known.last_sync_id == run.sync.id:
        if item.version is None:
            await _replay(run, opened, item, known)
        return False
    if known is None or item.version is None or known.version != item.version:
        await _fetch(run, opened, item, known)
    elif known.state is ItemState.SYNCED:
        await _see(run, item.key)
    elif run.sync.trigger is SyncTrigger.HAND:
        await _fetch(run, opened, item, replace(known, version=None))
    else:  # the same bytes that were refused before
        await _refuse_again(run, item, known)
    return True


async def _replay(run: _Run, opened: OpenConnector, item: Item, known: KnownItem) -> None:
    """Remind the connector of a page that an earlier slice has read: its links lead on."""
    remembered = await _remembered(run, item.key, known, is_fresh=True)
    with tempfile.TemporaryDirectory(dir=run.deps.upload_directory) as folder:
        await opened.fetch(item, Path(folder) / "item", max_bytes=run.max_bytes, remembered=remembered)


async def _fetch(run: _Run, opened: OpenConnector, item: Item, known: KnownItem | None) -> None:
    if item.size_bytes is not None and item.size_bytes > run.max_bytes:
        await _fail(run, item, known, DocumentTooLargeError(), version=item.version)
        return
    remembered = None
    if known is not None:
        forced = run.sync.trigger is SyncTrigger.HAND and known.state is not ItemState.SYNCED
        remembered = await _remembered(run, item.key, replace(known, version=None) if forced else known)
    with tempfile.TemporaryDirectory(dir=run.deps.upload_directory, prefix="connector-") as folder:
        target = Path(folder) / "item"
        try:
            found = await opened.fetch(item, target, max_bytes=run.max_bytes, remembered=remembered)
        except ItemGoneError:
            return  # not met, so it counts as vanished in the end
        except ItemSkippedError as skipped:
            await _skip(run, item, known, skipped)
            return
        except (ConnectorRefusedError, ConnectorUnavailableError):
            raise
        except DragomanError as error:
            await _fail(run, item, known, error, version=None)
            await _count_failure(run, error)
            return
        run.failures_in_a_row = 0
        if isinstance(found, Unchanged):
            await _stay(run, item, known, found)
        else:
            await _upload(run, item, known, found, target)


async def _count_failure(run: _Run, error: DragomanError) -> None:
    run.failures_in_a_row += error.retryable
    if run.failures_in_a_row >= _FAILURES_IN_A_ROW:
        await _flush_seen(run)
        raise ConnectorUnavailableError(
            f"{_FAILURES_IN_A_ROW} items one after the other could not be had; the last because: {error.message}"
        ) from error


async def _remembered(run: _Run, key: str, known: KnownItem, *, is_fresh: bool = False) -> Remembered:
    async with run.deps.database.transaction(run.connector.tenant_id) as connection:
        memo = await repository.find_memo(connection, **run.place, key=key)
    return Remembered(version=known.version, memo=memo, is_fresh=is_fresh)


async def _upload(run: _Run, item: Item, known: KnownItem | None, fetched: Fetched, target: Path) -> None:
    """What is at fault with the file is noted on the item; what is at fault with us is raised."""
    connector = run.connector
    upload = Upload(
        path=target,
        file_name=fetched.file_name,
        declared_mime_type=fetched.mime_type,
        title=fetched.title,
        chatbot_id=connector.chatbot_id,
        visibility=connector.visibility,
        content_type=connector.content_type,
        category=connector.category,
        tags=connector.tags,
        external_id=external_id(connector.id, item.key),
        metadata={"connector": connector.name, "path": item.key},
        priority=Priority.BULK,
        source=Source.CONNECTOR,
        source_url=item.url,
        connector_id=connector.id,
    )
    try:
        uploaded = await ingestion.upload_document(run.deps, run.caller, upload)
    except _NOT_OURS as error:
        await _skip(run, item, known, ItemSkippedError(error.message, memo=fetched.memo), version=fetched.version)
        return
    except DragomanError as error:
        if error.retryable:
            raise
        await _fail(run, item, known, error, version=fetched.version, memo=fetched.memo)
        return
    had_one = known is not None and known.document_id is not None
    outcome = Outcome.NEW if not had_one else Outcome.UNCHANGED if uploaded.is_duplicate else Outcome.CHANGED
    record = _record(item, ItemState.SYNCED, fetched.version, fetched.memo, uploaded.document.id)
    try:
        await _commit(run, record, outcome)
    except _ConnectorSleepsError:
        if run.connector.deleted_at is not None and not uploaded.is_duplicate:  # removed with its documents meanwhile
            await service.delete_document(run.deps, run.caller, uploaded.document.id)
        raise


def external_id(connector_id: UUID, key: str) -> str:
    """The name under which a document of a connector is found again."""
    return f"connector:{connector_id}:{key}"


async def _stay(run: _Run, item: Item, known: KnownItem | None, found: Unchanged) -> None:
    if known is None:  # its content is that of nothing we know: cannot be, but for an adapter at fault
        raise ConnectorRefusedError(f"{item.key} is said to be unchanged, but was never read.")
    if known.state is ItemState.SYNCED:
        record = _record(item, ItemState.SYNCED, found.version, found.memo, known.document_id)
        await _commit(run, record, Outcome.UNCHANGED)
    else:
        await _refuse_again(run, item, known, version=found.version, memo=found.memo)


async def _refuse_again(
    run: _Run, item: Item, known: KnownItem, *, version: str | None = None, memo: Mapping[str, Any] | None = None
) -> None:
    record = _record(item, known.state, version or known.version, memo or {}, known.document_id)
    record = replace(record, reason_code=known.reason_code, reason=known.reason)
    await _commit(run, record, Outcome.FAILED if known.state is ItemState.FAILED else Outcome.SKIPPED)


async def _skip(
    run: _Run, item: Item, known: KnownItem | None, skipped: ItemSkippedError, *, version: str | None = None
) -> None:
    document_id = known.document_id if known else None
    state = ItemState.WITHDRAWN if skipped.withdraw else ItemState.SKIPPED
    settled = version or (item.version if skipped.withdraw else None)
    record = _record(item, state, settled, skipped.memo, document_id)
    await _commit(run, replace(record, reason_code=skipped.code, reason=skipped.message), Outcome.SKIPPED)


async def _fail(
    run: _Run,
    item: Item,
    known: KnownItem | None,
    error: DragomanError,
    *,
    version: str | None,
    memo: Mapping[str, Any] | None = None,
) -> None:
    """`version`: of the bytes that are at fault; None lets the next sync try again."""
    if memo is None and known is not None:
        memo = (await _remembered(run, item.key, known)).memo
    record = _record(item, ItemState.FAILED, version, memo or {}, known.document_id if known else None)
    await _commit(run, replace(record, reason_code=error.code, reason=error.message), Outcome.FAILED)


def _record(
    item: Item, state: ItemState, version: str | None, memo: Mapping[str, Any], document_id: UUID | None
) -> ItemRecord:
    return ItemRecord(
        key=item.key,
        name=item.name[:500],
        url=item.url,
        size_bytes=item.size_bytes,
        state=state,
        version=version,
        memo=memo,
        document_id=document_id,
    )


# ---- writing it down


async def _commit(run: _Run, record: ItemRecord, outcome: Outcome) -> None:
    """The item, the count and the entry of the report in one transaction. Raises _ConnectorSleepsError."""
    entry = SyncEntry(
        key=record.key,
        outcome=outcome,
        reason_code=record.reason_code,
        reason=record.reason,
        document_id=record.document_id,
    )
    async with run.deps.database.transaction(run.connector.tenant_id) as connection:
        await _require_awake(run, connection)
        await repository.put_item(connection, record, **run.place, sync_id=run.sync.id)
        await _count(run, connection, entry)


async def _count(run: _Run, connection: AsyncConnection, entry: SyncEntry) -> None:
    tenant_id, sync_id = run.connector.tenant_id, run.sync.id
    await repository.count_outcomes(connection, tenant_id=tenant_id, sync_id=sync_id, outcome=entry.outcome)
    if entry.outcome is not Outcome.UNCHANGED and run.reported < _REPORTED:
        run.reported += 1
        await repository.insert_entry(connection, entry, tenant_id=tenant_id, sync_id=sync_id)


async def _see(run: _Run, key: str) -> None:
    """Note an item that did not change; many are written at once."""
    run.seen.append(key)
    if len(run.seen) >= _SEEN_AT_ONCE:
        await _flush_seen(run)


async def _flush_seen(run: _Run) -> None:
    if not run.seen:
        return
    async with run.deps.database.transaction(run.connector.tenant_id) as connection:
        await _require_awake(run, connection)
        await repository.mark_seen(connection, **run.place, sync_id=run.sync.id, keys=run.seen)
        await repository.count_outcomes(
            connection,
            tenant_id=run.connector.tenant_id,
            sync_id=run.sync.id,
            outcome=Outcome.UNCHANGED,
            count=len(run.seen),
        )
    run.seen.clear()


async def _require_awake(run: _Run, connection: AsyncConnection) -> None:
    """Raises _ConnectorSleepsError; after it `run.connector` tells why."""
    present = await repository.lock_connector(connection, **run.place)
    if present is None:
        raise _ConnectorSleepsError
    if present.is_paused or present.deleted_at is not None:
        run.connector = present
        raise _ConnectorSleepsError


# ---- what is no longer there


async def _delete_lost(run: _Run, opened: OpenConnector) -> None:
    async with run.deps.database.transaction(run.connector.tenant_id) as connection:
        total, lost = await repository.count_documents(connection, **run.place, sync_id=run.sync.id)
    if not opened.is_whole:
        run.notes.append("Not everything was seen, so nothing was taken as vanished.")
        return
    if lost and (run.listed == 0 or lost * 2 > total) and not run.sync.allow_mass_deletion:
        run.notes.append(
            f"{lost} of {total} documents have vanished at once, which is suspicious: none was deleted. If it is "
            "right, start a sync with `allow_mass_deletion`."
        )
        return
    done = 0
    while True:
        async with run.deps.database.transaction(run.connector.tenant_id) as connection:
            waiting = await repository.list_lost(connection, **run.place, sync_id=run.sync.id, limit=_DELETED_AT_ONCE)
        if not waiting:
            return
        for item in waiting:
            await _lose(run, item)
            done += 1
            await run.progress("deleting", 0.9 + 0.1 * min(1.0, done / max(lost, 1)))


async def _lose(run: _Run, item: repository.LostItem) -> None:
    is_deleted = item.document_id is not None and run.connector.on_vanished is OnVanished.DELETE
    if item.document_id is not None and is_deleted:
        await service.delete_document(run.deps, run.caller, item.document_id)
    outcome = Outcome.VANISHED if is_deleted else Outcome.KEPT
    async with run.deps.database.transaction(run.connector.tenant_id) as connection:
        await _require_awake(run, connection)
        forget = repository.forget_document if item.is_withdrawn else repository.forget_item
        was_known = await forget(connection, **run.place, key=item.key)
        if was_known and item.document_id is not None:
            entry = SyncEntry(key=item.key, outcome=outcome, document_id=item.document_id)
            await _count(run, connection, entry)


# ---- ending


async def _continue_later(run: _Run) -> None:
    """Leave the rest to another job, so that others' jobs get their turn."""
    async with run.deps.database.transaction(run.connector.tenant_id) as connection:
        await _require_awake(run, connection)
        job = await service.enqueue_sync_job(connection, run.connector, run.sync.id)
        await repository.update_sync(
            connection, tenant_id=run.connector.tenant_id, sync_id=run.sync.id, values={"job_id": job.id}
        )
    await jobs.announce_many(run.deps.sender, [job])


async def _finish(run: _Run, opened: OpenConnector) -> None:
    notes = [*run.notes, *opened.notes]
    if run.too_long:
        notes.append(f"{run.too_long} items have names of more than {_MAX_KEY_BYTES} bytes, and are left out.")
    async with run.deps.database.transaction(run.connector.tenant_id) as connection:
        await _require_awake(run, connection)
        await _end(connection, run.connector, run.sync, SyncState.SUCCEEDED, notes=notes)
        if opened.wants_another_round:
            await repository.set_next_sync(connection, **run.place, at=now() + _SOON, sooner_only=True)
    _log.info("connectors.synced", connector_id=str(run.connector.id), items=run.listed, notes=notes)


async def _stop(run: _Run) -> None:
    async with run.deps.database.transaction(run.connector.tenant_id) as connection:
        notes = ["The connector was paused, and the sync stopped."]
        await _end(connection, run.connector, run.sync, SyncState.CANCELLED, notes=notes)


async def _end(
    connection: AsyncConnection, connector: Connector, sync: Sync, state: SyncState, *, notes: Sequence[str]
) -> None:
    values = {"state": state, "finished_at": now(), "notes": list(notes)}
    if await repository.update_sync(connection, tenant_id=connector.tenant_id, sync_id=sync.id, values=values):
        await jobs.emit(
            connection,
            tenant_id=connector.tenant_id,
            topic="connector.sync_ended",
            payload={"connector_id": str(connector.id), "sync_id": str(sync.id), "state": state.value},
        )
