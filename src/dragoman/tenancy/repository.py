"""SQL of tenants, chatbots and their members, users, service accounts, keys and audit events."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, fields
from datetime import datetime
from operator import attrgetter
from typing import Any
from uuid import UUID

from sqlalchemy import (
    ColumnElement,
    Row,
    Uuid,
    and_,
    bindparam,
    case,
    delete,
    func,
    insert,
    or_,
    select,
    update,
)
from sqlalchemy.dialects import postgresql
from sqlalchemy.dialects.postgresql import insert as upsert
from sqlalchemy.ext.asyncio import AsyncConnection

from dragoman.kit.clock import now
from dragoman.kit.database import insert_rows
from dragoman.kit.reading import Along, ReadConnection, Reader
from dragoman.tenancy.entities import (
    ApiKey,
    AuditEvent,
    CallerKind,
    Chatbot,
    ChatbotAccess,
    ChatbotMember,
    Permission,
    Role,
    ServiceAccount,
    Tenant,
    User,
    WidgetKey,
)
from dragoman.tenancy.tables import (
    api_keys,
    audit_events,
    audit_pseudonyms,
    chatbot_members,
    chatbots,
    service_accounts,
    tenants,
    users,
    widget_keys,
)

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


_FIND_LIMITS = (
    select(tenants.c.limits, chatbots.c.settings)
    .select_from(
        tenants.outerjoin(
            chatbots,
            (chatbots.c.tenant_id == tenants.c.id)
            & (chatbots.c.id == func.coalesce(bindparam("chatbot_id", type_=Uuid), tenants.c.default_chatbot_id)),
        )
    )
    .where(tenants.c.id == bindparam("tenant_id"))
)


async def find_limits(
    connection: Reader, *, tenant_id: UUID, chatbot_id: UUID | None
) -> tuple[dict[str, Any], dict[str, Any]]:
    """The limits that the tenant has set, and the settings of the chatbot (None: the default one)."""
    found = await connection.execute(_FIND_LIMITS, {"tenant_id": tenant_id, "chatbot_id": chatbot_id})
    rows = found.all()
    return (rows[0].limits, rows[0].settings or {}) if rows else ({}, {})


async def update_limits(connection: AsyncConnection, *, tenant_id: UUID, limits: dict[str, Any]) -> None:
    await connection.execute(update(tenants).where(tenants.c.id == tenant_id).values(limits=limits))


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
    access: ChatbotAccess = ChatbotAccess.TENANT,
    embedding_version: int,
) -> None:
    await connection.execute(
        insert(chatbots).values(
            tenant_id=tenant_id,
            id=chatbot_id,
            name=name,
            description=description,
            access=access.value,
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
    connection: AsyncConnection,
    *,
    tenant_id: UUID,
    only: UUID | None = None,
    hidden: Collection[UUID] = (),
    limit: int,
    offset: int,
) -> tuple[list[Chatbot], int]:
    """All but the hidden ones; `only`: this one."""
    wanted: list[ColumnElement[bool]] = [chatbots.c.tenant_id == tenant_id]
    if hidden:
        wanted.append(chatbots.c.id.not_in(hidden))
    if only is not None:
        wanted.append(chatbots.c.id == only)
    scoped = _CHATBOT.where(*wanted)
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
        access=ChatbotAccess(row.access),
    )


# ---- which chatbot something belongs to

# By the names under which requests give ids: a table that has `tenant_id`, `id` and `chatbot_id`. They are tables of
# rooms above this one; whose permission is asked for has to be known before a request gets there.
_OWNED: Mapping[str, str] = {
    "document_id": "documents",
    "session_id": "sessions",
    "import_id": "job_groups",
    "connector_id": "connectors",
    "search_id": "searches",
    "widget_key_id": "widget_keys",
    "report_id": "improvement_reports",
}
_OF_OWNED = "select distinct chatbot_id from {owner} where tenant_id = %(tenant_id)s and id = any(%(ids)s)"
LOCATABLE = frozenset({*_OWNED, "message_id", "job_id", "feedback_id"})
"""Names of ids whose chatbot `list_chatbots_of` finds."""
_OF_MESSAGES = """
select distinct s.chatbot_id from messages m join sessions s on s.tenant_id = m.tenant_id and s.id = m.session_id
where m.tenant_id = %(tenant_id)s and m.id = any(%(ids)s)"""
_OF_FEEDBACK = """
select distinct s.chatbot_id from feedback f join sessions s on s.tenant_id = f.tenant_id and s.id = f.session_id
where f.tenant_id = %(tenant_id)s and f.id = any(%(ids)s)"""
_OF_JOBS = """
select distinct coalesce((j.payload ->> 'chatbot_id')::uuid, g.chatbot_id) from jobs j
left join job_groups g on g.tenant_id = j.tenant_id and g.id = j.group_id
where j.tenant_id = %(tenant_id)s and j.id = any(%(ids)s)"""


async def list_chatbots_of(connection: Reader, *, tenant_id: UUID, name: str, ids: Sequence[UUID]) -> list[UUID]:
    """The chatbots that these things belong to; fewer than ids where some do not exist. `name` is in `LOCATABLE`."""
    if name in _OWNED:
        statement = _OF_OWNED.format(owner=_OWNED[name])
    else:
        statement = {"message_id": _OF_MESSAGES, "feedback_id": _OF_FEEDBACK, "job_id": _OF_JOBS}[name]
    found = await connection.exec_driver_sql(statement, {"tenant_id": tenant_id, "ids": list(ids)})
    return [row[0] for row in found.all() if row[0] is not None]


# ---- chatbots that are not the same for everybody


@dataclass(frozen=True, slots=True, kw_only=True)
class SpecialChatbot:
    """A chatbot with a list, or on which somebody has a role of his own."""

    chatbot_id: UUID
    is_listed: bool
    role: Role | None


@dataclass(frozen=True, slots=True, kw_only=True)
class SpecialChatbots:
    default_chatbot_id: UUID | None
    chatbots: Sequence[SpecialChatbot]


_SPECIAL = (
    select(
        tenants.c.default_chatbot_id,
        chatbots.c.id,
        (chatbots.c.access == ChatbotAccess.LISTED.value).label("is_listed"),
        chatbot_members.c.role,
    )
    .select_from(tenants)
    .outerjoin(
        chatbots.outerjoin(
            chatbot_members,
            and_(
                chatbot_members.c.tenant_id == chatbots.c.tenant_id,
                chatbot_members.c.chatbot_id == chatbots.c.id,
                chatbot_members.c.member_id == bindparam("member_id", type_=Uuid),
            ),
        ),
        and_(
            chatbots.c.tenant_id == tenants.c.id,
            or_(chatbots.c.access == ChatbotAccess.LISTED.value, chatbot_members.c.role.is_not(None)),
        ),
    )
    .where(tenants.c.id == bindparam("tenant_id"))
)


async def list_special_chatbots(connection: Reader, *, tenant_id: UUID, member_id: UUID | None) -> SpecialChatbots:
    """Those with a list, and those on which this user or service account has a role."""
    values = {"tenant_id": tenant_id, "member_id": member_id}
    rows = (await connection.execute(_SPECIAL, values)).all()
    found = [
        SpecialChatbot(chatbot_id=row.id, is_listed=row.is_listed, role=None if row.role is None else Role(row.role))
        for row in rows
        if row.id is not None
    ]
    return SpecialChatbots(default_chatbot_id=rows[0].default_chatbot_id if rows else None, chatbots=found)


async def set_member(
    connection: AsyncConnection, *, tenant_id: UUID, chatbot_id: UUID, member_id: UUID, kind: CallerKind, role: Role
) -> None:
    owner = "user_id" if kind is CallerKind.USER else "service_account_id"
    values = {"tenant_id": tenant_id, "chatbot_id": chatbot_id, "member_id": member_id, owner: member_id}
    await connection.execute(
        upsert(chatbot_members)
        .values(**values, role=role.value)
        .on_conflict_do_update(index_elements=["tenant_id", "chatbot_id", "member_id"], set_={"role": role.value})
    )


async def delete_member(connection: AsyncConnection, *, tenant_id: UUID, chatbot_id: UUID, member_id: UUID) -> None:
    await connection.execute(
        delete(chatbot_members).where(
            chatbot_members.c.tenant_id == tenant_id,
            chatbot_members.c.chatbot_id == chatbot_id,
            chatbot_members.c.member_id == member_id,
        )
    )


_MEMBERS = (
    select(
        chatbot_members.c.tenant_id,
        chatbot_members.c.chatbot_id,
        chatbot_members.c.member_id,
        chatbot_members.c.user_id,
        chatbot_members.c.role,
        chatbot_members.c.created_at,
        case((chatbot_members.c.user_id.is_not(None), users.c.email), else_=service_accounts.c.name).label("name"),
    )
    .select_from(chatbot_members)
    .outerjoin(users, and_(users.c.tenant_id == chatbot_members.c.tenant_id, users.c.id == chatbot_members.c.user_id))
    .outerjoin(
        service_accounts,
        and_(
            service_accounts.c.tenant_id == chatbot_members.c.tenant_id,
            service_accounts.c.id == chatbot_members.c.service_account_id,
        ),
    )
)


async def list_members(
    connection: AsyncConnection, *, tenant_id: UUID, chatbot_id: UUID, limit: int, offset: int
) -> tuple[list[ChatbotMember], int]:
    of_chatbot = (chatbot_members.c.tenant_id == tenant_id, chatbot_members.c.chatbot_id == chatbot_id)
    counted = select(func.count()).select_from(chatbot_members).where(*of_chatbot)
    total = (await connection.execute(counted)).scalar_one()
    query = _MEMBERS.where(*of_chatbot).order_by(chatbot_members.c.created_at, chatbot_members.c.member_id)
    return [_member(row) for row in await connection.execute(query.limit(limit).offset(offset))], total


async def find_member(
    connection: AsyncConnection, *, tenant_id: UUID, chatbot_id: UUID, member_id: UUID
) -> ChatbotMember | None:
    query = _MEMBERS.where(
        chatbot_members.c.tenant_id == tenant_id,
        chatbot_members.c.chatbot_id == chatbot_id,
        chatbot_members.c.member_id == member_id,
    )
    row = (await connection.execute(query)).one_or_none()
    return None if row is None else _member(row)


def _member(row: Any) -> ChatbotMember:
    kind = CallerKind.SERVICE_ACCOUNT if row.user_id is None else CallerKind.USER
    return ChatbotMember(id=row.member_id, kind=kind, name=row.name, role=Role(row.role), created_at=row.created_at)


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
    return None if row is None else _user(row)


_FIND_USER = select(users).where(users.c.tenant_id == bindparam("tenant_id"), users.c.id == bindparam("user_id"))


async def find_user(connection: Reader, *, tenant_id: UUID, user_id: UUID) -> User | None:
    row = (await connection.execute(_FIND_USER, {"tenant_id": tenant_id, "user_id": user_id})).one_or_none()
    return None if row is None else _user(row)


def _user(row: Row[Any]) -> User:
    return User(id=row.id, tenant_id=row.tenant_id, email=row.email, display_name=row.display_name, role=Role(row.role))


# ---- service accounts


async def insert_service_account(connection: AsyncConnection, account: ServiceAccount) -> None:
    await connection.execute(
        insert(service_accounts).values(
            tenant_id=account.tenant_id,
            id=account.id,
            name=account.name,
            description=account.description,
            role=account.role.value,
            is_active=account.is_active,
            created_by=account.created_by,
            created_at=account.created_at,
        )
    )


_FIND_SERVICE_ACCOUNT = select(service_accounts).where(
    service_accounts.c.tenant_id == bindparam("tenant_id"), service_accounts.c.id == bindparam("account_id")
)


async def find_service_account(connection: Reader, *, tenant_id: UUID, account_id: UUID) -> ServiceAccount | None:
    values = {"tenant_id": tenant_id, "account_id": account_id}
    row = (await connection.execute(_FIND_SERVICE_ACCOUNT, values)).one_or_none()
    return None if row is None else _service_account(row)


async def list_service_accounts(
    connection: AsyncConnection, *, tenant_id: UUID, limit: int, offset: int
) -> tuple[list[ServiceAccount], int]:
    of_tenant = service_accounts.c.tenant_id == tenant_id
    total = (await connection.execute(select(func.count()).select_from(service_accounts).where(of_tenant))).scalar_one()
    query = select(service_accounts).where(of_tenant).order_by(service_accounts.c.id).limit(limit).offset(offset)
    return [_service_account(row) for row in await connection.execute(query)], total


async def update_service_account(
    connection: AsyncConnection, *, tenant_id: UUID, account_id: UUID, values: Mapping[str, Any]
) -> None:
    of_account = (service_accounts.c.tenant_id == tenant_id, service_accounts.c.id == account_id)
    await connection.execute(update(service_accounts).where(*of_account).values(**values))


async def delete_service_account(connection: AsyncConnection, *, tenant_id: UUID, account_id: UUID) -> None:
    """With its keys and its roles on chatbots."""
    await connection.execute(
        delete(service_accounts).where(service_accounts.c.tenant_id == tenant_id, service_accounts.c.id == account_id)
    )


def _service_account(row: Row[Any]) -> ServiceAccount:
    return ServiceAccount(
        id=row.id,
        tenant_id=row.tenant_id,
        name=row.name,
        description=row.description,
        role=Role(row.role),
        is_active=row.is_active,
        created_by=row.created_by,
        created_at=row.created_at,
    )


# ---- widget keys


async def insert_widget_key(connection: AsyncConnection, key: WidgetKey) -> None:
    await connection.execute(
        insert(widget_keys).values(
            tenant_id=key.tenant_id,
            id=key.id,
            chatbot_id=key.chatbot_id,
            name=key.name,
            public_key=key.public_key,
            origins=list(key.origins),
            allows_no_origin=key.allows_no_origin,
            created_by=key.created_by,
            created_at=key.created_at,
        )
    )


_FIND_WIDGET_KEY = select(widget_keys).where(widget_keys.c.public_key == bindparam("public_key"))
_FIND_WIDGET_KEY_BY_ID = select(widget_keys).where(widget_keys.c.id == bindparam("widget_key_id"))
_LIST_ORIGINS = select(func.unnest(widget_keys.c.origins)).where(widget_keys.c.revoked_at.is_(None)).distinct()


async def list_open_widget_keys(connection: AsyncConnection) -> list[WidgetKey]:
    """Those of all tenants that are not revoked. Read as `system`."""
    query = select(widget_keys).where(widget_keys.c.revoked_at.is_(None)).order_by(widget_keys.c.id)
    return [_widget_key(row) for row in await connection.execute(query)]


async def find_widget_key_by_public_key(connection: Reader, public_key: str) -> WidgetKey | None:
    """Read as `system`: the tenant is not known yet."""
    row = (await connection.execute(_FIND_WIDGET_KEY, {"public_key": public_key})).one_or_none()
    return None if row is None else _widget_key(row)


async def find_widget_key_by_id(connection: Reader, widget_key_id: UUID) -> WidgetKey | None:
    """Read as `system`: the tenant is not known yet."""
    row = (await connection.execute(_FIND_WIDGET_KEY_BY_ID, {"widget_key_id": widget_key_id})).one_or_none()
    return None if row is None else _widget_key(row)


async def list_origins(connection: Reader) -> list[str]:
    """Of all widget keys of all tenants that are not revoked. Read as `system`."""
    return [row[0] for row in (await connection.execute(_LIST_ORIGINS)).all()]


async def find_widget_key(
    connection: AsyncConnection, *, tenant_id: UUID, chatbot_id: UUID, widget_key_id: UUID
) -> WidgetKey | None:
    query = select(widget_keys).where(
        widget_keys.c.tenant_id == tenant_id,
        widget_keys.c.chatbot_id == chatbot_id,
        widget_keys.c.id == widget_key_id,
    )
    row = (await connection.execute(query)).one_or_none()
    return None if row is None else _widget_key(row)


async def list_widget_keys(
    connection: AsyncConnection, *, tenant_id: UUID, chatbot_id: UUID, limit: int, offset: int
) -> tuple[list[WidgetKey], int]:
    of_chatbot = (widget_keys.c.tenant_id == tenant_id, widget_keys.c.chatbot_id == chatbot_id)
    total = (await connection.execute(select(func.count()).select_from(widget_keys).where(*of_chatbot))).scalar_one()
    query = select(widget_keys).where(*of_chatbot).order_by(widget_keys.c.id).limit(limit).offset(offset)
    return [_widget_key(row) for row in await connection.execute(query)], total


async def update_widget_key(
    connection: AsyncConnection, *, tenant_id: UUID, widget_key_id: UUID, values: Mapping[str, Any]
) -> None:
    of_key = (widget_keys.c.tenant_id == tenant_id, widget_keys.c.id == widget_key_id)
    await connection.execute(update(widget_keys).where(*of_key).values(**values))


def _widget_key(row: Row[Any]) -> WidgetKey:
    return WidgetKey(
        id=row.id,
        tenant_id=row.tenant_id,
        chatbot_id=row.chatbot_id,
        name=row.name,
        public_key=row.public_key,
        origins=tuple(row.origins),
        allows_no_origin=row.allows_no_origin,
        created_by=row.created_by,
        created_at=row.created_at,
        revoked_at=row.revoked_at,
        last_used_at=row.last_used_at,
    )


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
            description=key.description,
            scopes=None if key.scopes is None else [scope.value for scope in key.scopes],
            service_account_id=key.service_account_id,
            confined=key.confined,
        )
    )


_FIND_KEY = select(api_keys, (api_keys.c.secret_hash != bindparam("secret_hash")).label("is_previous")).where(
    or_(api_keys.c.secret_hash == bindparam("secret_hash"), api_keys.c.previous_hash == bindparam("secret_hash"))
)


async def find_key_by_hash(connection: Reader, secret_hash: bytes) -> tuple[ApiKey, bool] | None:
    """The key with this secret, and whether that is the one before its last rotation.

    Read as `system`: the tenant is not known yet.
    """
    row = (await connection.execute(_FIND_KEY, {"secret_hash": secret_hash})).one_or_none()
    return None if row is None else (_key(row), bool(row.is_previous))


def prefetch_key(connection: ReadConnection, secret_hash: bytes) -> None:
    """Let what `find_key_by_hash` asks travel with the next statement. Read as `app`, it finds keys of the tenant."""
    connection.prefetch_statement(_FIND_KEY, {"secret_hash": secret_hash})


def prefetch_holder(
    connection: ReadConnection, *, tenant_id: UUID, user_id: UUID | None, account_id: UUID | None
) -> None:
    """The same for `find_user` or `find_service_account`, and `list_special_chatbots`, of the one who holds a key."""
    if user_id is not None:
        connection.prefetch_statement(_FIND_USER, {"tenant_id": tenant_id, "user_id": user_id})
    if account_id is not None:
        connection.prefetch_statement(_FIND_SERVICE_ACCOUNT, {"tenant_id": tenant_id, "account_id": account_id})
    connection.prefetch_statement(_SPECIAL, {"tenant_id": tenant_id, "member_id": user_id or account_id})


async def mark_key_used(connection: AsyncConnection, key: ApiKey, *, address: str | None) -> None:
    await connection.execute(
        update(api_keys)
        .where(api_keys.c.tenant_id == key.tenant_id, api_keys.c.id == key.id)
        .values(last_used_at=now(), last_used_address=address)
    )


async def update_key(connection: AsyncConnection, *, tenant_id: UUID, key_id: UUID, values: Mapping[str, Any]) -> None:
    await connection.execute(
        update(api_keys).where(api_keys.c.tenant_id == tenant_id, api_keys.c.id == key_id).values(**values)
    )


async def rotate_key(
    connection: AsyncConnection, *, tenant_id: UUID, key_id: UUID, secret_hash: bytes, values: Mapping[str, Any]
) -> None:
    """Give the key a new secret; the present one becomes the one before."""
    await connection.execute(
        update(api_keys)
        .where(api_keys.c.tenant_id == tenant_id, api_keys.c.id == key_id)
        .values(previous_hash=api_keys.c.secret_hash, secret_hash=secret_hash, **values)
    )


async def list_keys(
    connection: AsyncConnection, *, tenant_id: UUID, service_account_id: UUID | None, limit: int, offset: int
) -> tuple[list[ApiKey], int]:
    """`service_account_id`: its keys only."""
    scoped = select(api_keys).where(api_keys.c.tenant_id == tenant_id)
    if service_account_id is not None:
        scoped = scoped.where(api_keys.c.service_account_id == service_account_id)
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
        description=row.description,
        scopes=None if row.scopes is None else tuple(map(Permission, row.scopes)),
        service_account_id=row.service_account_id,
        confined=row.confined,
        rotated_at=row.rotated_at,
        previous_until=row.previous_until,
        last_used_address=row.last_used_address,
    )


# ---- what uploads may be


async def list_max_sizes(connection: AsyncConnection, *, tenant_id: UUID) -> list[int | None]:
    """The setting `max_size_mib` of each chatbot; None where it has the default."""
    query = select(chatbots.c.settings["max_size_mib"].astext).where(chatbots.c.tenant_id == tenant_id)
    return [None if value is None else int(value) for value in (await connection.execute(query)).scalars()]


# ---- audit events (reading them whole, and their chain: `audit_log/repository.py`)


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
            "actor_name": event.actor_name,
            "address": event.address,
            "user_agent": event.user_agent,
            "request_id": event.request_id,
            "salt": event.salt,
            "content_hash": event.content_hash,
            "seal": event.seal,
            "key_id": event.key_id,
        }
        for event in events
    ]
    await insert_rows(connection, audit_events, rows)


_NAMED = {
    "user": select(users.c.email).where(users.c.tenant_id == bindparam("tenant_id"), users.c.id == bindparam("id")),
    "key": select(api_keys.c.name).where(
        api_keys.c.tenant_id == bindparam("tenant_id"), api_keys.c.id == bindparam("id")
    ),
}


async def find_actor_name(connection: AsyncConnection, *, tenant_id: UUID, kind: str, actor_id: UUID) -> str:
    """What a user or key is called; empty where nobody is known by this id."""
    if kind not in _NAMED:
        return ""
    found = await connection.execute(_NAMED[kind], {"tenant_id": tenant_id, "id": actor_id})
    return found.scalar_one_or_none() or ""


async def pseudonym_of(connection: AsyncConnection, *, tenant_id: UUID, reference: str, pseudonym: str) -> str:
    """The pseudonym of somebody whom another system named; this new one where there is none yet."""
    await connection.execute(
        postgresql.insert(audit_pseudonyms)
        .values(tenant_id=tenant_id, reference=reference, pseudonym=pseudonym)
        .on_conflict_do_nothing()
    )
    found: str = (
        await connection.execute(
            select(audit_pseudonyms.c.pseudonym).where(
                audit_pseudonyms.c.tenant_id == tenant_id, audit_pseudonyms.c.reference == reference
            )
        )
    ).scalar_one()
    return found


async def list_audit_events(
    connection: AsyncConnection, *, tenant_id: UUID, subject_id: UUID, without: str, limit: int, offset: int
) -> tuple[list[AuditEvent], int]:
    """What was done to one thing, newest first; `without` this action."""
    about = (
        audit_events.c.tenant_id == tenant_id,
        audit_events.c.subject_id == subject_id,
        audit_events.c.action != without,
    )
    total = (await connection.execute(select(func.count()).select_from(audit_events).where(*about))).scalar_one()
    query = select(audit_events).where(*about).order_by(audit_events.c.id.desc()).limit(limit).offset(offset)
    return [audit_event(row) for row in await connection.execute(query)], total


_AUDIT_FIELDS = tuple(field.name for field in fields(AuditEvent))
_audit_values = attrgetter(*_AUDIT_FIELDS)


def audit_event(row: Row[Any]) -> AuditEvent:
    return AuditEvent(**dict(zip(_AUDIT_FIELDS, _audit_values(row), strict=True)))
