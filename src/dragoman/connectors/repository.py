"""SQL of connectors. All runs in the tenant's transaction, but for what the scheduler asks as `system`."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID

from sqlalchemy import Row, and_, delete, func, insert, or_, select, update
from sqlalchemy.dialects.postgresql import insert as upsert
from sqlalchemy.ext.asyncio import AsyncConnection

from dragoman.connectors.entities import (
    Connector,
    ConnectorItem,
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
from dragoman.connectors.tables import connector_items, connector_sync_entries, connector_syncs, connectors
from dragoman.kit.clock import new_id
from dragoman.knowledge.entities import Visibility
from dragoman.tenancy.entities import Role

_ACTIVE = [SyncState.QUEUED.value, SyncState.RUNNING.value]

# ---- connectors


async def insert_connector(connection: AsyncConnection, connector: Connector) -> None:
    values = {column.name: getattr(connector, column.name) for column in connectors.columns}
    await connection.execute(insert(connectors).values(**_plain(values)))


async def find_connector(connection: AsyncConnection, *, tenant_id: UUID, connector_id: UUID) -> Connector | None:
    """One that is not being removed."""
    query = select(connectors).where(_is(tenant_id, connector_id), connectors.c.deleted_at.is_(None))
    row = (await connection.execute(query)).one_or_none()
    return None if row is None else _connector(row)


async def lock_connector(connection: AsyncConnection, *, tenant_id: UUID, connector_id: UUID) -> Connector | None:
    """The same, locked until the transaction ends; also one that is being removed."""
    row = (
        await connection.execute(select(connectors).where(_is(tenant_id, connector_id)).with_for_update())
    ).one_or_none()
    return None if row is None else _connector(row)


async def list_connectors(
    connection: AsyncConnection,
    *,
    tenant_id: UUID,
    chatbot_id: UUID | None,
    hidden_chatbots: Collection[UUID],
    limit: int,
    offset: int,
) -> tuple[list[Connector], int]:
    wanted = [connectors.c.tenant_id == tenant_id, connectors.c.deleted_at.is_(None)]
    if chatbot_id is not None:
        wanted.append(connectors.c.chatbot_id == chatbot_id)
    if hidden_chatbots:
        wanted.append(connectors.c.chatbot_id.not_in(hidden_chatbots))
    total = (await connection.execute(select(func.count()).select_from(connectors).where(*wanted))).scalar_one()
    query = select(connectors).where(*wanted).order_by(connectors.c.id.desc()).limit(limit).offset(offset)
    return [_connector(row) for row in await connection.execute(query)], total


async def update_connector(
    connection: AsyncConnection, *, tenant_id: UUID, connector_id: UUID, values: Mapping[str, Any]
) -> None:
    await connection.execute(
        update(connectors).where(_is(tenant_id, connector_id)).values(**_plain(values), updated_at=func.now())
    )


async def delete_connector(connection: AsyncConnection, *, tenant_id: UUID, connector_id: UUID) -> None:
    await connection.execute(delete(connectors).where(_is(tenant_id, connector_id)))


async def set_next_sync(
    connection: AsyncConnection, *, tenant_id: UUID, connector_id: UUID, at: datetime | None, sooner_only: bool = False
) -> None:
    """`sooner_only`: leave an earlier moment that is set already."""
    value: Any = func.least(connectors.c.next_sync_at, at) if sooner_only else at
    await connection.execute(update(connectors).where(_is(tenant_id, connector_id)).values(next_sync_at=value))


@dataclass(frozen=True, slots=True, kw_only=True)
class ConnectorAddress:
    """Which connector of which tenant; all that the scheduler learns of it."""

    tenant_id: UUID
    connector_id: UUID
    watched_folder: str | None


async def list_due(connection: AsyncConnection, *, limit: int) -> list[ConnectorAddress]:
    """As `system`: connectors whose time has come, the longest overdue first."""
    query = (
        select(connectors.c.tenant_id, connectors.c.id, connectors.c.watched_folder)
        .where(connectors.c.next_sync_at <= func.now(), *_awake())
        .order_by(connectors.c.next_sync_at)
        .limit(limit)
    )
    return [_address(row) for row in await connection.execute(query)]


async def list_watched(connection: AsyncConnection, *, limit: int) -> list[ConnectorAddress]:
    """As `system`: connectors whose folders are watched."""
    query = (
        select(connectors.c.tenant_id, connectors.c.id, connectors.c.watched_folder)
        .where(connectors.c.watched_folder.is_not(None), *_awake())
        .order_by(connectors.c.id)
        .limit(limit)
    )
    return [_address(row) for row in await connection.execute(query)]


def _awake() -> list[Any]:
    return [connectors.c.is_paused.is_(False), connectors.c.deleted_at.is_(None)]


def _is(tenant_id: UUID, connector_id: UUID) -> Any:
    return and_(connectors.c.tenant_id == tenant_id, connectors.c.id == connector_id)


# ---- syncs


async def insert_sync(
    connection: AsyncConnection,
    *,
    tenant_id: UUID,
    connector_id: UUID,
    sync_id: UUID,
    trigger: SyncTrigger,
    allow_mass_deletion: bool,
    job_id: UUID,
) -> bool:
    """Whether it was written: not while another sync of the connector is active."""
    written = await connection.execute(
        upsert(connector_syncs)
        .values(
            tenant_id=tenant_id,
            id=sync_id,
            connector_id=connector_id,
            state=SyncState.QUEUED.value,
            trigger=trigger.value,
            allow_mass_deletion=allow_mass_deletion,
            job_id=job_id,
        )
        .on_conflict_do_nothing()
        .returning(connector_syncs.c.id)
    )
    return written.scalar_one_or_none() is not None


async def find_sync(connection: AsyncConnection, *, tenant_id: UUID, connector_id: UUID, sync_id: UUID) -> Sync | None:
    query = select(connector_syncs).where(
        connector_syncs.c.tenant_id == tenant_id,
        connector_syncs.c.id == sync_id,
        connector_syncs.c.connector_id == connector_id,
    )
    row = (await connection.execute(query)).one_or_none()
    return None if row is None else _sync(row)


async def find_active_sync(connection: AsyncConnection, *, tenant_id: UUID, connector_id: UUID) -> Sync | None:
    query = select(connector_syncs).where(
        connector_syncs.c.tenant_id == tenant_id,
        connector_syncs.c.connector_id == connector_id,
        connector_syncs.c.state.in_(_ACTIVE),
    )
    row = (await connection.execute(query)).one_or_none()
    return None if row is None else _sync(row)


async def list_syncs(
    connection: AsyncConnection, *, tenant_id: UUID, connector_id: UUID, limit: int, offset: int
) -> tuple[list[Sync], int]:
    """Newest first."""
    of_connector = (connector_syncs.c.tenant_id == tenant_id, connector_syncs.c.connector_id == connector_id)
    counted = select(func.count()).select_from(connector_syncs).where(*of_connector)
    total = (await connection.execute(counted)).scalar_one()
    query = (
        select(connector_syncs).where(*of_connector).order_by(connector_syncs.c.id.desc()).limit(limit).offset(offset)
    )
    return [_sync(row) for row in await connection.execute(query)], total


async def newest_syncs(
    connection: AsyncConnection, *, tenant_id: UUID, connector_ids: Collection[UUID]
) -> dict[UUID, Sync]:
    """The newest sync of each connector that had one."""
    age = func.row_number().over(partition_by=connector_syncs.c.connector_id, order_by=connector_syncs.c.id.desc())
    ranked = (
        select(connector_syncs.c.id, age.label("age"))
        .where(connector_syncs.c.tenant_id == tenant_id, connector_syncs.c.connector_id.in_(list(connector_ids)))
        .subquery()
    )
    newest = select(ranked.c.id).where(ranked.c.age == 1)
    query = select(connector_syncs).where(connector_syncs.c.tenant_id == tenant_id, connector_syncs.c.id.in_(newest))
    return {row.connector_id: _sync(row) for row in await connection.execute(query)}


async def update_sync(
    connection: AsyncConnection, *, tenant_id: UUID, sync_id: UUID, values: Mapping[str, Any], active_only: bool = True
) -> bool:
    """Whether it was changed; `active_only`: not one that has ended."""
    wanted = [connector_syncs.c.tenant_id == tenant_id, connector_syncs.c.id == sync_id]
    if active_only:
        wanted.append(connector_syncs.c.state.in_(_ACTIVE))
    changed = await connection.execute(update(connector_syncs).where(*wanted).values(**_plain(values)))
    return changed.rowcount == 1


async def count_outcomes(
    connection: AsyncConnection, *, tenant_id: UUID, sync_id: UUID, outcome: Outcome, count: int = 1
) -> None:
    column = connector_syncs.c[f"{outcome.value}_items"]
    await connection.execute(
        update(connector_syncs)
        .where(connector_syncs.c.tenant_id == tenant_id, connector_syncs.c.id == sync_id)
        .values({column: column + count})
    )


async def insert_entry(connection: AsyncConnection, entry: SyncEntry, *, tenant_id: UUID, sync_id: UUID) -> None:
    await connection.execute(
        insert(connector_sync_entries).values(
            tenant_id=tenant_id,
            sync_id=sync_id,
            id=new_id(),
            key=entry.key,
            outcome=entry.outcome.value,
            reason_code=entry.reason_code,
            reason=entry.reason,
            document_id=entry.document_id,
        )
    )


async def list_entries(
    connection: AsyncConnection,
    *,
    tenant_id: UUID,
    sync_id: UUID,
    outcome: Outcome | None,
    limit: int,
    offset: int,
) -> tuple[list[SyncEntry], int]:
    """In the order in which it happened."""
    wanted = [connector_sync_entries.c.tenant_id == tenant_id, connector_sync_entries.c.sync_id == sync_id]
    if outcome is not None:
        wanted.append(connector_sync_entries.c.outcome == outcome.value)
    counted = select(func.count()).select_from(connector_sync_entries).where(*wanted)
    total = (await connection.execute(counted)).scalar_one()
    query = (
        select(connector_sync_entries).where(*wanted).order_by(connector_sync_entries.c.id).limit(limit).offset(offset)
    )
    entries = [
        SyncEntry(
            key=row.key,
            outcome=Outcome(row.outcome),
            reason_code=row.reason_code,
            reason=row.reason,
            document_id=row.document_id,
        )
        for row in await connection.execute(query)
    ]
    return entries, total


async def delete_old_syncs(connection: AsyncConnection, *, tenant_id: UUID, connector_id: UUID, keep: int) -> None:
    """Forget all but the newest `keep` syncs of a connector."""
    of_connector = (connector_syncs.c.tenant_id == tenant_id, connector_syncs.c.connector_id == connector_id)
    newest = select(connector_syncs.c.id).where(*of_connector).order_by(connector_syncs.c.id.desc()).limit(keep)
    await connection.execute(delete(connector_syncs).where(*of_connector, connector_syncs.c.id.not_in(newest)))


# ---- items


async def load_known_items(connection: AsyncConnection, *, tenant_id: UUID, connector_id: UUID) -> dict[str, KnownItem]:
    columns = (
        connector_items.c.key,
        connector_items.c.version,
        connector_items.c.state,
        connector_items.c.document_id,
        connector_items.c.reason_code,
        connector_items.c.reason,
        connector_items.c.last_sync_id,
    )
    query = select(*columns).where(_of(tenant_id, connector_id))
    return {
        row.key: KnownItem(
            version=row.version,
            state=ItemState(row.state),
            document_id=row.document_id,
            reason_code=row.reason_code,
            reason=row.reason,
            last_sync_id=row.last_sync_id,
        )
        for row in await connection.execute(query)
    }


async def find_memo(connection: AsyncConnection, *, tenant_id: UUID, connector_id: UUID, key: str) -> dict[str, Any]:
    query = select(connector_items.c.memo).where(_of(tenant_id, connector_id), connector_items.c.key == key)
    return (await connection.execute(query)).scalar_one_or_none() or {}


async def put_item(
    connection: AsyncConnection, record: ItemRecord, *, tenant_id: UUID, connector_id: UUID, sync_id: UUID
) -> None:
    values = {
        "name": record.name,
        "url": record.url,
        "state": record.state.value,
        "version": record.version,
        "memo": dict(record.memo),
        "document_id": record.document_id,
        "size_bytes": record.size_bytes,
        "reason_code": record.reason_code,
        "reason": record.reason,
        "last_sync_id": sync_id,
        "updated_at": func.now(),
    }
    statement = upsert(connector_items).values(tenant_id=tenant_id, connector_id=connector_id, key=record.key, **values)
    await connection.execute(
        statement.on_conflict_do_update(index_elements=["tenant_id", "connector_id", "key"], set_=values)
    )


async def mark_seen(
    connection: AsyncConnection, *, tenant_id: UUID, connector_id: UUID, sync_id: UUID, keys: Sequence[str]
) -> None:
    await connection.execute(
        update(connector_items)
        .where(_of(tenant_id, connector_id), connector_items.c.key.in_(list(keys)))
        .values(last_sync_id=sync_id)
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class LostItem:
    key: str
    document_id: UUID | None
    is_withdrawn: bool


async def list_lost(
    connection: AsyncConnection, *, tenant_id: UUID, connector_id: UUID, sync_id: UUID, limit: int
) -> list[LostItem]:
    """Items that this sync has not met, and withdrawn ones that still have a document."""
    query = (
        select(connector_items.c.key, connector_items.c.document_id, connector_items.c.state)
        .where(_of(tenant_id, connector_id), _is_lost(sync_id))
        .order_by(connector_items.c.key)
        .limit(limit)
    )
    return [
        LostItem(key=row.key, document_id=row.document_id, is_withdrawn=row.state == ItemState.WITHDRAWN.value)
        for row in await connection.execute(query)
    ]


async def count_documents(
    connection: AsyncConnection, *, tenant_id: UUID, connector_id: UUID, sync_id: UUID
) -> tuple[int, int]:
    """How many items have a document, and how many of those are lost."""
    has_document = connector_items.c.document_id.is_not(None)
    query = select(func.count(), func.count().filter(_is_lost(sync_id))).where(
        _of(tenant_id, connector_id), has_document
    )
    total, lost = (await connection.execute(query)).one()
    return total, lost


def _is_lost(sync_id: UUID) -> Any:
    withdrawn = and_(connector_items.c.state == ItemState.WITHDRAWN.value, connector_items.c.document_id.is_not(None))
    return or_(connector_items.c.last_sync_id != sync_id, withdrawn)


async def forget_item(connection: AsyncConnection, *, tenant_id: UUID, connector_id: UUID, key: str) -> bool:
    """Whether it was known."""
    gone = await connection.execute(
        delete(connector_items).where(_of(tenant_id, connector_id), connector_items.c.key == key)
    )
    return gone.rowcount == 1


async def forget_document(connection: AsyncConnection, *, tenant_id: UUID, connector_id: UUID, key: str) -> bool:
    """Whether it had one."""
    changed = await connection.execute(
        update(connector_items)
        .where(_of(tenant_id, connector_id), connector_items.c.key == key, connector_items.c.document_id.is_not(None))
        .values(document_id=None)
    )
    return changed.rowcount == 1


async def forget_versions(connection: AsyncConnection, *, tenant_id: UUID, connector_id: UUID) -> None:
    """Let the next sync fetch everything anew: what is read depends on the settings."""
    await connection.execute(update(connector_items).where(_of(tenant_id, connector_id)).values(version=None, memo={}))


async def list_items(
    connection: AsyncConnection,
    *,
    tenant_id: UUID,
    connector_id: UUID,
    state: ItemState | None,
    limit: int,
    offset: int,
) -> tuple[list[ConnectorItem], int]:
    wanted = [_of(tenant_id, connector_id)]
    if state is not None:
        wanted.append(connector_items.c.state == state.value)
    total = (await connection.execute(select(func.count()).select_from(connector_items).where(*wanted))).scalar_one()
    query = select(connector_items).where(*wanted).order_by(connector_items.c.key).limit(limit).offset(offset)
    items = [
        ConnectorItem(
            key=row.key,
            name=row.name,
            url=row.url,
            state=ItemState(row.state),
            document_id=row.document_id,
            size_bytes=row.size_bytes,
            reason_code=row.reason_code,
            reason=row.reason,
            last_sync_id=row.last_sync_id,
            updated_at=row.updated_at,
        )
        for row in await connection.execute(query)
    ]
    return items, total


async def list_documents_of_items(
    connection: AsyncConnection, *, tenant_id: UUID, connector_id: UUID, limit: int
) -> list[tuple[str, UUID | None]]:
    query = (
        select(connector_items.c.key, connector_items.c.document_id).where(_of(tenant_id, connector_id)).limit(limit)
    )
    return [(row.key, row.document_id) for row in await connection.execute(query)]


def _of(tenant_id: UUID, connector_id: UUID) -> Any:
    return and_(connector_items.c.tenant_id == tenant_id, connector_items.c.connector_id == connector_id)


# ---- rows


def _plain(values: Mapping[str, Any]) -> dict[str, Any]:
    """Values as PostgreSQL keeps them."""
    return {
        name: value.value
        if isinstance(value, Visibility | OnVanished | Role | SyncState | SyncTrigger)
        else list(value)
        if isinstance(value, tuple)
        else value
        for name, value in values.items()
    }


def _address(row: Any) -> ConnectorAddress:
    return ConnectorAddress(tenant_id=row.tenant_id, connector_id=row.id, watched_folder=row.watched_folder)


def _connector(row: Row[Any]) -> Connector:
    values = row._asdict()
    values |= {
        "visibility": Visibility(row.visibility),
        "on_vanished": OnVanished(row.on_vanished),
        "role": Role(row.role),
        "tags": tuple(row.tags),
    }
    return Connector(**values)


def _sync(row: Row[Any]) -> Sync:
    return Sync(
        id=row.id,
        connector_id=row.connector_id,
        state=SyncState(row.state),
        trigger=SyncTrigger(row.trigger),
        allow_mass_deletion=row.allow_mass_deletion,
        job_id=row.job_id,
        counts={outcome: getattr(row, f"{outcome.value}_items") for outcome in Outcome},
        notes=tuple(row.notes),
        error_code=row.error_code,
        error_message=row.error_message,
        created_at=row.created_at,
        started_at=row.started_at,
        finished_at=row.finished_at,
    )
