"""Connectors as their owners handle them: make, change, pause, remove, start a sync. `sync.py` holds the sync itself."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any, get_args
from uuid import UUID

import structlog
from pydantic import BaseModel, SecretStr, ValidationError
from sqlalchemy.ext.asyncio import AsyncConnection

from dragoman.connectors import repository
from dragoman.connectors.entities import (
    Connector,
    ConnectorItem,
    ItemState,
    NewConnector,
    Outcome,
    Sync,
    SyncEntry,
    SyncState,
    SyncTrigger,
)
from dragoman.connectors.errors import (
    ConnectorNotFoundError,
    ConnectorPausedError,
    InvalidConnectorSettingsError,
    SecretsNeededError,
    SyncNotFoundError,
    SyncRunningError,
    UnknownConnectorKindError,
)
from dragoman.deps import Deps
from dragoman.jobs import service as jobs
from dragoman.jobs.entities import Job, JobSender, Priority, Progress
from dragoman.kit.clock import new_id, now
from dragoman.kit.database import Database
from dragoman.kit.errors import DragomanError
from dragoman.kit.pagination import Page, PageRequest
from dragoman.knowledge import service as knowledge
from dragoman.knowledge.errors import DocumentNotFoundError
from dragoman.ports import connector as port
from dragoman.tenancy import audit
from dragoman.tenancy import service as tenancy
from dragoman.tenancy.access import require, require_in_tenant
from dragoman.tenancy.entities import Caller, Permission

_log = structlog.get_logger(__name__)

SYNC = "connectors.sync"
REMOVE = "connectors.remove"

_CHECK_LIMIT_S = 45.0
_KEPT_SYNCS = 50
_DUE_AT_ONCE = 100
_REMOVED_AT_ONCE = 200
_HIDDEN = "********"


@dataclass(frozen=True, slots=True, kw_only=True)
class ConnectorView:
    """A connector as its owners see it: all settings with their defaults, secrets as stars."""

    connector: Connector
    settings: Mapping[str, Any]
    described: str
    last_sync: Sync | None


@dataclass(frozen=True, slots=True, kw_only=True)
class ConnectorChange:
    """What shall be different; what is not in `given` stays."""

    given: Mapping[str, Any]
    settings: Mapping[str, Any] | None = None


# ---- making and changing


async def create_connector(deps: Deps, caller: Caller, new: NewConnector) -> ConnectorView:
    """Check the settings by looking at the origin, write the connector, and start its first sync.

    Raises:
        UnknownConnectorKindError, InvalidConnectorSettingsError, ConnectorRefusedError, ConnectorUnavailableError.
        ForbiddenError: connectors that read this installation's own disks are for administrators.
        ChatbotNotFoundError.
    """
    kind = _kind(deps, new.kind)
    settings = _validated(kind, new.settings)
    adapter = _allowed(caller, kind.create(settings))
    async with deps.database.transaction(caller.tenant_id) as connection:
        chatbot = await tenancy.get_chatbot(connection, caller, new.chatbot_id)
    watched = await _check(deps, adapter)
    public, secret = _parted(settings)
    moment, connector_id = now(), new_id()
    connector = Connector(
        id=connector_id,
        tenant_id=caller.tenant_id,
        chatbot_id=chatbot.id,
        name=new.name,
        kind=new.kind,
        settings=public,
        sealed_secrets=_seal(deps, connector_id, secret),
        visibility=new.visibility,
        content_type=new.content_type,
        category=new.category,
        tags=new.tags,
        interval_s=new.interval_s,
        on_vanished=new.on_vanished,
        is_paused=False,
        watched_folder=str(watched) if watched else None,
        created_by=caller.asker,
        role=caller.role,
        next_sync_at=_next(new.interval_s),
        created_at=moment,
        updated_at=moment,
        deleted_at=None,
    )
    async with deps.database.transaction(caller.tenant_id) as connection:
        await repository.insert_connector(connection, connector)
        await audit.record(
            connection, caller, "connector.created", subject_type="connector", subject_id=connector_id, kind=new.kind
        )
        started = await _start(connection, connector, SyncTrigger.SETTINGS)
    await jobs.announce_many(deps.sender, [started.job] if started else [])
    return _view(deps, connector, started.sync if started else None)


async def update_connector(deps: Deps, caller: Caller, connector_id: UUID, change: ConnectorChange) -> ConnectorView:
    """Change what is given. New settings are merged into the present ones (None restores a default), checked as for a
    new connector, and everything is read anew.

    Raises:
        ConnectorNotFoundError, InvalidConnectorSettingsError, SecretsNeededError, ConnectorRefusedError,
        ConnectorUnavailableError, ForbiddenError.
    """
    async with deps.database.transaction(caller.tenant_id) as connection:
        connector = await get_connector(connection, caller, connector_id)
    values: dict[str, Any] = dict(change.given)
    if change.settings is not None:
        values |= await _changed_settings(deps, caller, connector, change.settings)
    if "interval_s" in values:
        values["next_sync_at"] = _next(values["interval_s"])
    async with deps.database.transaction(caller.tenant_id) as connection:
        await get_connector(connection, caller, connector_id)
        await repository.update_connector(
            connection, tenant_id=caller.tenant_id, connector_id=connector_id, values=values
        )
        if change.settings is not None:
            await repository.forget_versions(connection, tenant_id=caller.tenant_id, connector_id=connector_id)
        await audit.record(
            connection,
            caller,
            "connector.changed",
            subject_type="connector",
            subject_id=connector_id,
            changed=sorted({*change.given, *(["settings"] if change.settings is not None else [])}),
            **audit.changes(
                {name: getattr(connector, name) for name in change.given},
                dict(change.given),
            ),
            **({"settings": sorted(change.settings)} if change.settings is not None else {}),
        )
        changed = await get_connector(connection, caller, connector_id)
        wakes = change.settings is not None or values.get("is_paused") is False
        started = await _start(connection, changed, SyncTrigger.SETTINGS) if wakes and not changed.is_paused else None
    await jobs.announce_many(deps.sender, [started.job] if started else [])
    return await get_view(deps, caller, connector_id)


async def _changed_settings(
    deps: Deps, caller: Caller, connector: Connector, given: Mapping[str, Any]
) -> dict[str, Any]:
    """Columns of the connector for its new settings."""
    kind = _kind(deps, connector.kind)
    secrets = _open(deps, connector)
    if secrets and _moves(connector.settings, given) and not set(secrets) <= set(given):
        raise SecretsNeededError
    merged = {**connector.settings, **secrets, **given}
    settings = _validated(kind, {name: value for name, value in merged.items() if value not in (None, _HIDDEN)})
    watched = await _check(deps, _allowed(caller, kind.create(settings)))
    public, secret = _parted(settings)
    return {
        "settings": public,
        "sealed_secrets": _seal(deps, connector.id, secret),
        "watched_folder": str(watched) if watched else None,
    }


def _moves(present: Mapping[str, Any], given: Mapping[str, Any]) -> bool:
    """Whether an address changes to which the secrets would be sent."""
    addresses = {name for name in (*present, *given) if name.endswith(("_url", "_urls"))}
    return any(name in given and given[name] != present.get(name) for name in addresses)


async def delete_connector(deps: Deps, caller: Caller, connector_id: UUID, *, with_documents: bool) -> None:
    """Remove a connector; its documents stay, or go by a job.

    Raises:
        ConnectorNotFoundError.
    """
    removal: list[Job] = []
    async with deps.database.transaction(caller.tenant_id) as connection:
        connector = await get_connector(connection, caller, connector_id)
        if with_documents:
            values = {"deleted_at": now(), "next_sync_at": None}
            await repository.update_connector(
                connection, tenant_id=caller.tenant_id, connector_id=connector_id, values=values
            )
            removal.append(
                await jobs.enqueue(
                    connection,
                    tenant_id=caller.tenant_id,
                    kind=REMOVE,
                    payload={"connector_id": str(connector_id), "chatbot_id": str(connector.chatbot_id)},
                    subject_id=connector_id,
                )
            )
        else:
            await repository.delete_connector(connection, tenant_id=caller.tenant_id, connector_id=connector_id)
        await audit.record(
            connection,
            caller,
            "connector.deleted",
            subject_type="connector",
            subject_id=connector_id,
            with_documents=with_documents,
        )
    await jobs.announce_many(deps.sender, removal)


async def remove_documents(deps: Deps, job: Job, progress: Progress) -> None:
    """The job: delete the documents of a connector that is being removed, then the connector. Safe to run again."""
    connector_id = UUID(job.payload["connector_id"])
    async with deps.database.transaction(job.tenant_id) as connection:
        connector = await repository.lock_connector(connection, tenant_id=job.tenant_id, connector_id=connector_id)
    if connector is None:
        return
    caller, done = caller_of(connector), 0
    while True:
        async with deps.database.transaction(job.tenant_id) as connection:
            waiting = await repository.list_documents_of_items(
                connection, tenant_id=job.tenant_id, connector_id=connector_id, limit=_REMOVED_AT_ONCE
            )
        if not waiting:
            break
        for key, document_id in waiting:
            if document_id is not None:
                await delete_document(deps, caller, document_id)
            async with deps.database.transaction(job.tenant_id) as connection:
                await repository.forget_item(connection, tenant_id=job.tenant_id, connector_id=connector_id, key=key)
            done += 1
            await progress("deleting", done / (done + len(waiting)))
    async with deps.database.transaction(job.tenant_id) as connection:
        await repository.delete_connector(connection, tenant_id=job.tenant_id, connector_id=connector_id)


async def delete_document(deps: Deps, caller: Caller, document_id: UUID) -> None:
    """Delete a document of a connector, unless somebody did so already."""
    try:
        await knowledge.delete_document(deps, caller, document_id)
    except DocumentNotFoundError:
        return


# ---- reading


async def get_connector(connection: AsyncConnection, caller: Caller, connector_id: UUID) -> Connector:
    """Raises ConnectorNotFoundError."""
    found = await repository.find_connector(connection, tenant_id=caller.tenant_id, connector_id=connector_id)
    if found is None:
        raise ConnectorNotFoundError
    return found


async def get_view(deps: Deps, caller: Caller, connector_id: UUID) -> ConnectorView:
    """Raises ConnectorNotFoundError."""
    async with deps.database.transaction(caller.tenant_id) as connection:
        connector = await get_connector(connection, caller, connector_id)
        newest = await repository.newest_syncs(connection, tenant_id=caller.tenant_id, connector_ids=[connector_id])
    return _view(deps, connector, newest.get(connector_id))


async def list_views(deps: Deps, caller: Caller, *, chatbot_id: UUID | None, page: PageRequest) -> Page[ConnectorView]:
    async with deps.database.transaction(caller.tenant_id) as connection:
        items, total = await repository.list_connectors(
            connection,
            tenant_id=caller.tenant_id,
            chatbot_id=chatbot_id or caller.only_chatbot,
            hidden_chatbots=caller.hidden_chatbots,
            limit=page.limit,
            offset=page.offset,
        )
        ids = [connector.id for connector in items]
        newest = await repository.newest_syncs(connection, tenant_id=caller.tenant_id, connector_ids=ids)
    views = [_view(deps, connector, newest.get(connector.id)) for connector in items]
    return Page(items=views, total=total, limit=page.limit, offset=page.offset)


async def list_syncs(deps: Deps, caller: Caller, connector_id: UUID, page: PageRequest) -> Page[Sync]:
    """Raises ConnectorNotFoundError."""
    async with deps.database.transaction(caller.tenant_id) as connection:
        await get_connector(connection, caller, connector_id)
        items, total = await repository.list_syncs(
            connection, tenant_id=caller.tenant_id, connector_id=connector_id, limit=page.limit, offset=page.offset
        )
    return Page(items=items, total=total, limit=page.limit, offset=page.offset)


async def get_report(
    deps: Deps, caller: Caller, connector_id: UUID, sync_id: UUID, *, outcome: Outcome | None, page: PageRequest
) -> tuple[Sync, Page[SyncEntry]]:
    """A sync and what happened to the items that it did not find unchanged.

    Raises:
        ConnectorNotFoundError, SyncNotFoundError.
    """
    async with deps.database.transaction(caller.tenant_id) as connection:
        await get_connector(connection, caller, connector_id)
        sync = await repository.find_sync(
            connection, tenant_id=caller.tenant_id, connector_id=connector_id, sync_id=sync_id
        )
        if sync is None:
            raise SyncNotFoundError
        entries, total = await repository.list_entries(
            connection,
            tenant_id=caller.tenant_id,
            sync_id=sync_id,
            outcome=outcome,
            limit=page.limit,
            offset=page.offset,
        )
    return sync, Page(items=entries, total=total, limit=page.limit, offset=page.offset)


async def list_items(
    deps: Deps, caller: Caller, connector_id: UUID, *, state: ItemState | None, page: PageRequest
) -> Page[ConnectorItem]:
    """Raises ConnectorNotFoundError."""
    async with deps.database.transaction(caller.tenant_id) as connection:
        await get_connector(connection, caller, connector_id)
        items, total = await repository.list_items(
            connection,
            tenant_id=caller.tenant_id,
            connector_id=connector_id,
            state=state,
            limit=page.limit,
            offset=page.offset,
        )
    return Page(items=items, total=total, limit=page.limit, offset=page.offset)


# ---- starting syncs


@dataclass(frozen=True, slots=True, kw_only=True)
class Started:
    sync: Sync
    job: Job


async def request_sync(deps: Deps, caller: Caller, connector_id: UUID, *, allow_mass_deletion: bool) -> Sync:
    """Start a sync now; where one is active already, that one.

    Raises:
        ConnectorNotFoundError, ConnectorPausedError.
        SyncRunningError: one is active which may not delete as much as this one should.
    """
    started: Started | None = None
    async with deps.database.transaction(caller.tenant_id) as connection:
        connector = await get_connector(connection, caller, connector_id)
        if connector.is_paused:
            raise ConnectorPausedError
        active = await repository.find_active_sync(connection, tenant_id=caller.tenant_id, connector_id=connector_id)
        if active is None:
            started = await _start(connection, connector, SyncTrigger.HAND, allow_mass_deletion=allow_mass_deletion)
        await audit.record(
            connection,
            caller,
            "connector.sync_requested",
            subject_type="connector",
            subject_id=connector_id,
            allow_mass_deletion=allow_mass_deletion,
            is_new=active is None,
        )
    await jobs.announce_many(deps.sender, [started.job] if started else [])
    found = started.sync if started else active
    if found is None or (allow_mass_deletion and not found.allow_mass_deletion):
        raise SyncRunningError
    return found


async def enqueue_due(database: Database, sender: JobSender) -> int:
    """A round of the scheduler: start the syncs whose time has come; how many.

    Raises:
        DatabaseUnavailableError.
    """
    async with database.system_transaction() as connection:
        due = await repository.list_due(connection, limit=_DUE_AT_ONCE)
    started = [await start_one(database, sender, address, SyncTrigger.INTERVAL) for address in due]
    return sum(started)


async def start_one(
    database: Database, sender: JobSender, address: repository.ConnectorAddress, trigger: SyncTrigger
) -> bool:
    """Start a sync of one connector, unless one is active or it sleeps; sets when the next is due."""
    async with database.transaction(address.tenant_id) as connection:
        connector = await repository.lock_connector(
            connection, tenant_id=address.tenant_id, connector_id=address.connector_id
        )
        if connector is None or connector.is_paused or connector.deleted_at is not None:
            return False
        is_due = connector.next_sync_at is not None and connector.next_sync_at <= now()
        if trigger is SyncTrigger.INTERVAL and not is_due:  # another scheduler was faster
            return False
        started = await _start(connection, connector, trigger)
        if started is None and trigger is SyncTrigger.CHANGE:  # what changed may have been passed by the running sync
            await repository.set_next_sync(
                connection,
                tenant_id=connector.tenant_id,
                connector_id=connector.id,
                at=now() + timedelta(seconds=5),
                sooner_only=True,
            )
        elif is_due:
            await repository.set_next_sync(
                connection, tenant_id=connector.tenant_id, connector_id=connector.id, at=_next(connector.interval_s)
            )
    if started is not None:
        await jobs.announce_many(sender, [started.job])
    return started is not None


async def _start(
    connection: AsyncConnection, connector: Connector, trigger: SyncTrigger, *, allow_mass_deletion: bool = False
) -> Started | None:
    """Write a sync and its job; None where a sync is active."""
    active = await repository.find_active_sync(connection, tenant_id=connector.tenant_id, connector_id=connector.id)
    if active is not None:
        return None
    sync_id = new_id()
    job = await enqueue_sync_job(connection, connector, sync_id)
    written = await repository.insert_sync(
        connection,
        tenant_id=connector.tenant_id,
        connector_id=connector.id,
        sync_id=sync_id,
        trigger=trigger,
        allow_mass_deletion=allow_mass_deletion,
        job_id=job.id,
    )
    if not written:  # somebody else was faster; the job finds no sync of its own and does nothing
        return None
    await repository.delete_old_syncs(
        connection, tenant_id=connector.tenant_id, connector_id=connector.id, keep=_KEPT_SYNCS
    )
    sync = await repository.find_sync(
        connection, tenant_id=connector.tenant_id, connector_id=connector.id, sync_id=sync_id
    )
    assert sync is not None  # written above
    return Started(sync=sync, job=job)


async def enqueue_sync_job(connection: AsyncConnection, connector: Connector, sync_id: UUID) -> Job:
    payload = {
        "connector_id": str(connector.id),
        "sync_id": str(sync_id),
        "chatbot_id": str(connector.chatbot_id),
    }
    return await jobs.enqueue(
        connection,
        tenant_id=connector.tenant_id,
        kind=SYNC,
        payload=payload,
        priority=Priority.BULK,
        subject_id=connector.id,
    )


async def record_failure(deps: Deps, job: Job, code: str, message: str) -> None:
    """The job of a sync has failed for good: say so in its report."""
    async with deps.database.transaction(job.tenant_id) as connection:
        await _end_sync(connection, job, SyncState.FAILED, error_code=code, error_message=message)


async def record_cancellation(connection: AsyncConnection, cancelled: Sequence[Job]) -> None:
    """Jobs of syncs were cancelled by a person."""
    for job in cancelled:
        await _end_sync(connection, job, SyncState.CANCELLED)


async def record_retry(connection: AsyncConnection, retried: Sequence[Job]) -> None:
    """Jobs of syncs will run again: their syncs go on, where no newer one is active."""
    for job in retried:
        connector_id, sync_id = UUID(job.payload["connector_id"]), UUID(job.payload["sync_id"])
        active = await repository.find_active_sync(connection, tenant_id=job.tenant_id, connector_id=connector_id)
        if active is None:
            values = {"state": SyncState.QUEUED, "finished_at": None, "error_code": None, "error_message": None}
            await repository.update_sync(
                connection, tenant_id=job.tenant_id, sync_id=sync_id, values=values, active_only=False
            )


async def _end_sync(
    connection: AsyncConnection,
    job: Job,
    state: SyncState,
    *,
    error_code: str | None = None,
    error_message: str | None = None,
) -> None:
    ended = await repository.update_sync(
        connection,
        tenant_id=job.tenant_id,
        sync_id=UUID(job.payload["sync_id"]),
        values={
            "state": state,
            "finished_at": now(),
            "error_code": error_code,
            "error_message": error_message,
        },
    )
    if ended:
        await jobs.emit(
            connection,
            tenant_id=job.tenant_id,
            topic="connector.sync_ended",
            payload={
                "connector_id": job.payload["connector_id"],
                "sync_id": job.payload["sync_id"],
                "state": state.value,
            },
        )


def caller_of(connector: Connector) -> Caller:
    """As whom the connector works: it may manage documents and nothing else, by default those of its chatbot."""
    return Caller(
        tenant_id=connector.tenant_id,
        role=connector.role,
        asker=connector.created_by,
        permissions=frozenset(
            {Permission.READ_DOCUMENTS, Permission.CONTRIBUTE_DOCUMENTS, Permission.MANAGE_DOCUMENTS}
        ),
        chatbot_id=connector.chatbot_id,
    )


# ---- settings


def opened_connector(deps: Deps, connector: Connector) -> port.Connector:
    """The adapter with its settings, secrets included.

    Raises:
        UnknownConnectorKindError, InvalidConnectorSettingsError, TamperedError, UnknownKeyError.
    """
    kind = _kind(deps, connector.kind)
    return kind.create(_validated(kind, {**connector.settings, **_open(deps, connector)}))


def _kind(deps: Deps, name: str) -> port.ConnectorKind:
    if name not in deps.connectors:
        known = ", ".join(sorted(deps.connectors)) or "none"
        raise UnknownConnectorKindError(f"There is no connector of the kind {name!r} here. Kinds: {known}.")
    return deps.connectors[name]


def _allowed(caller: Caller, connector: port.Connector) -> port.Connector:
    """Raises ForbiddenError."""
    if connector.reads_this_machine:
        require_in_tenant(caller, Permission.MANAGE_CHATBOTS)
    require(caller, Permission.MANAGE_DOCUMENTS)
    return connector


def _validated(kind: port.ConnectorKind, given: Mapping[str, Any]) -> BaseModel:
    try:
        return kind.settings.model_validate(dict(given))
    except ValidationError as error:
        first = error.errors(include_input=False, include_url=False)[0]
        name = ".".join(str(part) for part in first["loc"])
        raise InvalidConnectorSettingsError(
            f"The connector {kind.name!r} cannot work so: {f'`{name}`: ' if name else ''}{first['msg']}."
        ) from error


async def _check(deps: Deps, connector: port.Connector) -> Path | None:
    """Look at the origin; returns the folder to watch, if any.

    Raises:
        ConnectorRefusedError, ConnectorUnavailableError.
    """
    watched = await asyncio.to_thread(connector.watched_folder, deps.premises)
    try:
        async with asyncio.timeout(_CHECK_LIMIT_S), connector.open(deps.premises) as opened:
            found = await opened.check()
    except TimeoutError as error:
        raise port.ConnectorUnavailableError(
            f"{connector.describe()} was not reached within {_CHECK_LIMIT_S:.0f} s. Nothing was changed; try again."
        ) from error
    except (port.ConnectorRefusedError, port.ConnectorUnavailableError):
        raise
    except DragomanError as error:
        refusal = port.ConnectorUnavailableError if error.retryable else port.ConnectorRefusedError
        raise refusal(error.message) from error
    _log.info("connectors.checked", found=found)
    return watched


def _secret_names(settings: type[BaseModel]) -> set[str]:
    return {
        name
        for name, info in settings.model_fields.items()
        if info.annotation is SecretStr or SecretStr in get_args(info.annotation)
    }


def _parted(settings: BaseModel) -> tuple[dict[str, Any], dict[str, str]]:
    """What was given, as JSON values: in the open, and secret."""
    names = _secret_names(type(settings))
    public = settings.model_dump(mode="json", exclude=names, exclude_unset=True)
    held = {name: getattr(settings, name) for name in names}
    return public, {name: value.get_secret_value() for name, value in held.items() if value is not None}


def _seal(deps: Deps, connector_id: UUID, secrets: Mapping[str, str]) -> str | None:
    return deps.keyring.seal(json.dumps(secrets), _place(connector_id)) if secrets else None


def _open(deps: Deps, connector: Connector) -> dict[str, str]:
    if connector.sealed_secrets is None:
        return {}
    secrets: dict[str, str] = json.loads(deps.keyring.open(connector.sealed_secrets, _place(connector.id)))
    return secrets


def _place(connector_id: UUID) -> str:
    return f"connector/{connector_id}"


def _view(deps: Deps, connector: Connector, last_sync: Sync | None) -> ConnectorView:
    """A connector whose adapter is not installed here any more is shown as it is stored."""
    kind = deps.connectors.get(connector.kind)
    if kind is None:
        return ConnectorView(connector=connector, settings=connector.settings, described="", last_sync=last_sync)
    names = _secret_names(kind.settings)
    stars = dict.fromkeys(names, _HIDDEN) if connector.sealed_secrets else {}
    try:
        settings = kind.settings.model_validate({**connector.settings, **stars})
    except ValidationError:  # stored by an older version, whose settings were others
        return ConnectorView(connector=connector, settings=connector.settings, described="", last_sync=last_sync)
    shown = {**settings.model_dump(mode="json", exclude=names), **stars}
    return ConnectorView(
        connector=connector, settings=shown, described=kind.create(settings).describe(), last_sync=last_sync
    )


def _next(interval_s: int | None) -> datetime | None:
    return None if interval_s is None else now() + timedelta(seconds=interval_s)
