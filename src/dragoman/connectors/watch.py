"""Watches the folders of connectors, in the scheduler: a change starts a sync about a second after the last write."""

from __future__ import annotations

import asyncio
from collections.abc import Collection, Sequence
from pathlib import Path

import structlog
from watchfiles import awatch

from dragoman.connectors import repository, service
from dragoman.connectors.entities import SyncTrigger
from dragoman.connectors.repository import ConnectorAddress
from dragoman.jobs.entities import JobSender
from dragoman.kit.clock import Stopwatch
from dragoman.kit.database import Database
from dragoman.kit.errors import DragomanError

_log = structlog.get_logger(__name__)

_LOOK_AGAIN_S = 10.0  # for connectors that came, went or changed
_QUIET_MS = 1_100  # a folder connector leaves files that were written less than a second ago
_LONGEST_WAIT_MS = 5_000  # while changes do not stop
_MAX_WATCHED = 1_000


async def watch_folders(database: Database, sender: JobSender, folders: Sequence[Path], stop: asyncio.Event) -> None:
    """Until `stop`: start a sync of each connector in whose folder something changes. Problems are logged and tried again.

    Args:
        folders: those that the operator allows connectors to read; nothing outside them is watched.
    """
    while not stop.is_set():
        try:
            watched = await _list_watched(database, folders)
            await _watch_for_a_while(database, sender, watched, stop)
        except (DragomanError, OSError) as error:  # no connection; or no more watches to be had from the system
            _log.warning("connectors.watch_failed", reason=str(error))
            await _wait(stop, _LOOK_AGAIN_S)


async def _list_watched(database: Database, folders: Sequence[Path]) -> dict[Path, list[ConnectorAddress]]:
    if not folders:
        return {}
    async with database.system_transaction() as connection:
        found = await repository.list_watched(connection, limit=_MAX_WATCHED)
    watched: dict[Path, list[ConnectorAddress]] = {}
    for address in found:
        path = Path(address.watched_folder or "")
        if any(path.is_relative_to(folder) for folder in folders) and await asyncio.to_thread(path.is_dir):
            watched.setdefault(path, []).append(address)
    return watched


async def _watch_for_a_while(
    database: Database, sender: JobSender, watched: dict[Path, list[ConnectorAddress]], stop: asyncio.Event
) -> None:
    """Until the connectors may have changed. Changes between two rounds are found by the next look at the folder."""
    if not watched:
        await _wait(stop, _LOOK_AGAIN_S)
        return
    since, ended = Stopwatch(), asyncio.Event()
    try:
        async for changes in awatch(
            *watched,
            watch_filter=None,
            debounce=_LONGEST_WAIT_MS,
            step=_QUIET_MS,
            stop_event=ended,
            rust_timeout=500,
            yield_on_timeout=True,
            ignore_permission_denied=True,
        ):
            for address in _concerned(watched, {path for _, path in changes}):
                await service.start_one(database, sender, address, SyncTrigger.CHANGE)
            is_due = since.elapsed_ms > _LOOK_AGAIN_S * 1000
            if stop.is_set() or (is_due and not changes and await _has_changed(database, watched)):
                return
            since = Stopwatch() if is_due else since
    finally:
        ended.set()


async def _has_changed(database: Database, watched: dict[Path, list[ConnectorAddress]]) -> bool:
    async with database.system_transaction() as connection:
        found = await repository.list_watched(connection, limit=_MAX_WATCHED)
    known = {address for addresses in watched.values() for address in addresses}
    return {address for address in found if Path(address.watched_folder or "").is_dir()} != known  # noqa: ASYNC240


def _concerned(watched: dict[Path, list[ConnectorAddress]], changed: Collection[str]) -> list[ConnectorAddress]:
    paths = [Path(path) for path in changed]
    return [
        address
        for folder, addresses in watched.items()
        if any(path.is_relative_to(folder) for path in paths)
        for address in addresses
    ]


async def _wait(stop: asyncio.Event, seconds: float) -> None:
    try:
        await asyncio.wait_for(stop.wait(), timeout=seconds)
    except TimeoutError:
        return
