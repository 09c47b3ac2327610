"""SQL of tenants, chatbots, users, API keys and audit events."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import Any
from uuid import UUID

from sqlalchemy import Row, bindparam, delete, func, insert, select, update
from sqlalchemy.ext.asyncio import AsyncConnection

from dragoman.kit.clock import now
from dragoman.kit.database import insert_rows
from dragoman.kit.reading import Along, ReadConnection, Reader
from dragoman.tenancy.entities import ApiKey, AuditEvent, Chatbot, Role, Tenant, User
from dragoman.tenancy.tables import api_keys, audit_events, chatbots, tenants, users

# ---- tenants


async def insert_tenant(connection: AsyncConnection, *, tenant_id: UUID, name: str) -> None:
    await connection.execute(insert(tenants).values(id=tenant_id, name=name))


async def set_default_chatbot(connection: AsyncConnection, *, tenant_id: UUID, chatbot_id: UUID) -> None:
    await connection.execute(update(tenants).where(tenants.c.id == tenant_id).values(default_chatbot_id=chatbot_id))


async def list_tenants(connection: AsyncConnection) -> list[Tenant]:
    rows = await connection.execute(select(tenants).order_by(tenants.c.id))
    return [
        Tenant(id=r.id, name=r.name, default_chatbot_id=r.default_chatbot_id, created_at=r.created_at) for r in rows
    ]


# ---- chatbots

_CHATBOT = select(chatbots, (tenants.c.default_chatbot_id == chatbots.c.id).label("is_default")).join(
    tenants, tenants.c.id == chatbots.c.tenant_id
)


async def insert_chatbot(
    connection: AsyncConnection,
    *,
    tenant_id: UUID,
    chatbot_id: UUID,
    name: str,
    description: str,
    settings: dict[str, Any],
    embedding_version: int,
) -> None:
    await connection.execute(
        insert(chatbots).values(
            tenant_id=tenant_id,
            id=chatbot_id,
            name=name,
            description=description,
            settings=settings,
            active_embedding_version=embedding_version,
        )
    )


_FIND_CHATBOT = _CHATBOT.where(chatbots.c.tenant_id == bindparam("tenant_id"), chatbots.c.id == bindparam("chatbot_id"))
_FIND_DEFAULT_CHATBOT = _CHATBOT.where(
    chatbots.c.tenant_id == bindparam("tenant_id"), tenants.c.default_chatbot_id == chatbots.c.id
)


async def find_chatbot(connection: Reader, *, tenant_id: UUID, chatbot_id: UUID) -> Chatbot | None:
    found = await connection.execute(_FIND_CHATBOT, {"tenant_id": tenant_id, "chatbot_id": chatbot_id})
    return chatbot_of(found.all())


async def find_default_chatbot(connection: Reader, *, tenant_id: UUID) -> Chatbot | None:
    return chatbot_of((await connection.execute(_FIND_DEFAULT_CHATBOT, {"tenant_id": tenant_id})).all())


def send_find_chatbot(connection: ReadConnection, *, tenant_id: UUID, chatbot_id: UUID | None) -> Along:
    """Find a chatbot, or without an id the default one, beside the next statement."""
    if chatbot_id is None:
        return connection.send_along(_FIND_DEFAULT_CHATBOT, {"tenant_id": tenant_id})
    return connection.send_along(_FIND_CHATBOT, {"tenant_id": tenant_id, "chatbot_id": chatbot_id})


def chatbot_of(rows: Sequence[Row[Any]]) -> Chatbot | None:
    """The chatbot of what is found by its id: one row or none."""
    return _chatbot(rows[0]) if rows else None


async def list_chatbots(
    connection: AsyncConnection, *, tenant_id: UUID, limit: int, offset: int
) -> tuple[list[Chatbot], int]:
    scoped = _CHATBOT.where(chatbots.c.tenant_id == tenant_id)
    total = (await connection.execute(select(func.count()).select_from(scoped.subquery()))).scalar_one()
    rows = await connection.execute(scoped.order_by(chatbots.c.id).limit(limit).offset(offset))
    return [_chatbot(row) for row in rows], total


async def update_chatbot(
    connection: AsyncConnection, *, tenant_id: UUID, chatbot_id: UUID, values: dict[str, Any]
) -> None:
    await connection.execute(
        update(chatbots)
        .where(chatbots.c.tenant_id == tenant_id, chatbots.c.id == chatbot_id)
        .values(**values, updated_at=now())
    )


async def list_chatbot_ids(connection: AsyncConnection, *, tenant_id: UUID) -> list[UUID]:
    query = select(chatbots.c.id).where(chatbots.c.tenant_id == tenant_id)
    return list((await connection.execute(query)).scalars())


async def raise_knowledge_revision(connection: AsyncConnection, *, tenant_id: UUID, chatbot_id: UUID) -> None:
    """Makes every cache entry of the chatbot stale, from the commit of this transaction."""
    await connection.execute(
        update(chatbots)
        .where(chatbots.c.tenant_id == tenant_id, chatbots.c.id == chatbot_id)
        .values(knowledge_revision=chatbots.c.knowledge_revision + 1)
    )


async def delete_chatbot(connection: AsyncConnection, *, tenant_id: UUID, chatbot_id: UUID) -> None:
    await connection.execute(delete(chatbots).where(chatbots.c.tenant_id == tenant_id, chatbots.c.id == chatbot_id))


def _chatbot(row: Row[Any]) -> Chatbot:
    return Chatbot(
        id=row.id,
        tenant_id=row.tenant_id,
        name=row.name,
        description=row.description,
        settings=row.settings,
        active_embedding_version=row.active_embedding_version,
        knowledge_revision=row.knowledge_revision,
        created_at=row.created_at,
        updated_at=row.updated_at,
        is_default=bool(row.is_default),
    )


# ---- users


async def insert_user(connection: AsyncConnection, user: User) -> None:
    await connection.execute(
        insert(users).values(
            tenant_id=user.tenant_id, id=user.id, email=user.email, display_name=user.display_name, role=user.role.value
        )
    )


async def find_user_by_email(connection: AsyncConnection, *, tenant_id: UUID, email: str) -> User | None:
    query = select(users).where(users.c.tenant_id == tenant_id, users.c.email == email)
    row = (await connection.execute(query)).one_or_none()
    if row is None:
        return None
    return User(id=row.id, tenant_id=row.tenant_id, email=row.email, display_name=row.display_name, role=Role(row.role))


# ---- API keys


async def insert_key(connection: AsyncConnection, key: ApiKey, *, secret_hash: bytes) -> None:
    await connection.execute(
        insert(api_keys).values(
            tenant_id=key.tenant_id,
            id=key.id,
            name=key.name,
            prefix=key.prefix,
            secret_hash=secret_hash,
            role=key.role.value,
            user_id=key.user_id,
            chatbot_id=key.chatbot_id,
            may_act_for_users=key.may_act_for_users,
            created_at=key.created_at,
            expires_at=key.expires_at,
        )
    )


_FIND_KEY = select(api_keys).where(api_keys.c.secret_hash == bindparam("secret_hash"))


async def find_key_by_hash(connection: Reader, secret_hash: bytes) -> ApiKey | None:
    """Read as `system`: the tenant is not known yet."""
    row = (await connection.execute(_FIND_KEY, {"secret_hash": secret_hash})).one_or_none()
    return None if row is None else _key(row)


async def mark_key_used(connection: AsyncConnection, key: ApiKey) -> None:
    await connection.execute(
        update(api_keys)
        .where(api_keys.c.tenant_id == key.tenant_id, api_keys.c.id == key.id)
        .values(last_used_at=now())
    )


async def list_keys(
    connection: AsyncConnection, *, tenant_id: UUID, limit: int, offset: int
) -> tuple[list[ApiKey], int]:
    scoped = select(api_keys).where(api_keys.c.tenant_id == tenant_id)
    total = (await connection.execute(select(func.count()).select_from(scoped.subquery()))).scalar_one()
    rows = await connection.execute(scoped.order_by(api_keys.c.id).limit(limit).offset(offset))
    return [_key(row) for row in rows], total


async def find_key(connection: AsyncConnection, *, tenant_id: UUID, key_id: UUID) -> ApiKey | None:
    query = select(api_keys).where(api_keys.c.tenant_id == tenant_id, api_keys.c.id == key_id)
    row = (await connection.execute(query)).one_or_none()
    return None if row is None else _key(row)


async def revoke_key(connection: AsyncConnection, *, tenant_id: UUID, key_id: UUID, at: datetime) -> None:
    await connection.execute(
        update(api_keys)
        .where(api_keys.c.tenant_id == tenant_id, api_keys.c.id == key_id, api_keys.c.revoked_at.is_(None))
        .values(revoked_at=at)
    )


def _key(row: Row[Any]) -> ApiKey:
    return ApiKey(
        id=row.id,
        tenant_id=row.tenant_id,
        name=row.name,
        prefix=row.prefix,
        role=Role(row.role),
        user_id=row.user_id,
        chatbot_id=row.chatbot_id,
        may_act_for_users=row.may_act_for_users,
        created_at=row.created_at,
        expires_at=row.expires_at,
        revoked_at=row.revoked_at,
        last_used_at=row.last_used_at,
    )


# ---- what uploads may be


async def list_max_sizes(connection: AsyncConnection, *, tenant_id: UUID) -> list[int | None]:
    """The setting `max_size_mib` of each chatbot; None where it has the default."""
    query = select(chatbots.c.settings["max_size_mib"].astext).where(chatbots.c.tenant_id == tenant_id)
    return [None if value is None else int(value) for value in (await connection.execute(query)).scalars()]


# ---- audit events


async def insert_audit_events(connection: AsyncConnection, events: Sequence[AuditEvent], *, tenant_id: UUID) -> None:
    rows = [
        {
            "tenant_id": tenant_id,
            "id": event.id,
            "actor": event.actor,
            "action": event.action,
            "subject_type": event.subject_type,
            "subject_id": event.subject_id,
            "details": event.details,
            "created_at": event.created_at,
        }
        for event in events
    ]
    await insert_rows(connection, audit_events, rows)


async def list_audit_events(
    connection: AsyncConnection, *, tenant_id: UUID, subject_id: UUID, limit: int, offset: int
) -> tuple[list[AuditEvent], int]:
    """What was done to one thing, newest first."""
    about = (audit_events.c.tenant_id == tenant_id, audit_events.c.subject_id == subject_id)
    total = (await connection.execute(select(func.count()).select_from(audit_events).where(*about))).scalar_one()
    query = select(audit_events).where(*about).order_by(audit_events.c.id.desc()).limit(limit).offset(offset)
    return [
        AuditEvent(
            id=row.id,
            actor=row.actor,
            action=row.action,
            subject_type=row.subject_type,
            subject_id=row.subject_id,
            details=row.details,
            created_at=row.created_at,
        )
        for row in await connection.execute(query)
    ], total
