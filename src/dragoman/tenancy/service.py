"""Making and changing tenants, chatbots and API keys."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID

from pydantic import ValidationError
from sqlalchemy.ext.asyncio import AsyncConnection

from dragoman.kit.clock import new_id, now
from dragoman.kit.database import Database
from dragoman.kit.errors import InvalidRequestError
from dragoman.kit.pagination import Page, PageRequest
from dragoman.kit.reading import Along, ReadConnection, Reader
from dragoman.tenancy import access, repository
from dragoman.tenancy.entities import ApiKey, Caller, Chatbot, Role, Tenant, User
from dragoman.tenancy.errors import (
    ChatbotNotFoundError,
    DefaultChatbotError,
    ForbiddenError,
    InvalidChatbotSettingError,
    KeyNotFoundError,
)
from dragoman.tenancy.settings import ChatbotSettings

_RANK = {role: rank for rank, role in enumerate((Role.MEMBER, Role.AGENT, Role.EDITOR, Role.ADMIN, Role.OWNER))}


@dataclass(frozen=True, slots=True, kw_only=True)
class CreatedKey:
    """A new key with its secret, which is shown this once."""

    key: ApiKey
    secret: str


@dataclass(frozen=True, slots=True, kw_only=True)
class CreatedTenant:
    tenant_id: UUID
    chatbot: Chatbot
    owner: User
    key: CreatedKey


# ---- tenants


async def create_tenant(
    database: Database, *, name: str, owner_email: str, embedding_version: int, chatbot_name: str = "Knowledge"
) -> CreatedTenant:
    """A tenant with its default chatbot, its first user (an owner) and that user's key."""
    tenant_id = new_id()
    owner = User(id=new_id(), tenant_id=tenant_id, email=owner_email, display_name="", role=Role.OWNER)
    async with database.transaction(tenant_id) as connection:
        await repository.insert_tenant(connection, tenant_id=tenant_id, name=name)
        chatbot = await _insert_chatbot(connection, tenant_id, chatbot_name, "", {}, embedding_version)
        await repository.set_default_chatbot(connection, tenant_id=tenant_id, chatbot_id=chatbot.id)
        await repository.insert_user(connection, owner)
        key = await _insert_key(connection, tenant_id, name="first key", role=Role.OWNER, user_id=owner.id)
    return CreatedTenant(tenant_id=tenant_id, chatbot=chatbot, owner=owner, key=key)


async def list_tenants(database: Database) -> list[Tenant]:
    async with database.system_transaction() as connection:
        return await repository.list_tenants(connection)


# ---- chatbots


async def create_chatbot(
    database: Database, caller: Caller, *, name: str, description: str, settings: dict[str, Any], embedding_version: int
) -> Chatbot:
    """Raises InvalidChatbotSettingError."""
    checked = validated_settings(settings)
    async with database.transaction(caller.tenant_id) as connection:
        return await _insert_chatbot(connection, caller.tenant_id, name, description, checked, embedding_version)


async def get_chatbot(connection: Reader, caller: Caller, chatbot_id: UUID | None) -> Chatbot:
    """The chatbot of this id; without an id the key's, or else the tenant's default.

    Raises:
        ChatbotNotFoundError: there is none in the caller's tenant.
    """
    chatbot = await find_chatbot(connection, caller, chatbot_id)
    if chatbot is None:
        raise ChatbotNotFoundError
    return chatbot


async def find_chatbot(connection: Reader, caller: Caller, chatbot_id: UUID | None) -> Chatbot | None:
    """As `get_chatbot`; None where there is none."""
    wanted = chatbot_id or caller.chatbot_id
    if wanted is None:
        return await repository.find_default_chatbot(connection, tenant_id=caller.tenant_id)
    return await repository.find_chatbot(connection, tenant_id=caller.tenant_id, chatbot_id=wanted)


def send_find_chatbot(connection: ReadConnection, caller: Caller, chatbot_id: UUID | None) -> Along:
    """`find_chatbot` beside the next statement of the connection; `chatbot_of` its rows is what it finds."""
    return repository.send_find_chatbot(
        connection, tenant_id=caller.tenant_id, chatbot_id=chatbot_id or caller.chatbot_id
    )


chatbot_of = repository.chatbot_of


async def list_chatbots(database: Database, caller: Caller, page: PageRequest) -> Page[Chatbot]:
    async with database.transaction(caller.tenant_id) as connection:
        items, total = await repository.list_chatbots(
            connection, tenant_id=caller.tenant_id, limit=page.limit, offset=page.offset
        )
    return Page(items=items, total=total, limit=page.limit, offset=page.offset)


async def update_chatbot(
    database: Database,
    caller: Caller,
    chatbot_id: UUID,
    *,
    name: str | None,
    description: str | None,
    settings: dict[str, Any] | None,
    is_default: bool | None,
) -> Chatbot:
    """Change what is given; `settings` are merged into the present ones, a None value restores the default.

    Raises:
        ChatbotNotFoundError, InvalidChatbotSettingError, DefaultChatbotError: `is_default` cannot be taken away.
    """
    async with database.transaction(caller.tenant_id) as connection:
        chatbot = await get_chatbot(connection, caller, chatbot_id)
        values: dict[str, Any] = {}
        if name is not None:
            values["name"] = name
        if description is not None:
            values["description"] = description
        if settings is not None:
            values["settings"] = validated_settings({**chatbot.settings, **settings})
        await repository.update_chatbot(connection, tenant_id=caller.tenant_id, chatbot_id=chatbot_id, values=values)
        if settings is not None:
            await repository.raise_knowledge_revision(connection, tenant_id=caller.tenant_id, chatbot_id=chatbot_id)
        if is_default:
            await repository.set_default_chatbot(connection, tenant_id=caller.tenant_id, chatbot_id=chatbot_id)
        elif is_default is False and chatbot.is_default:
            raise DefaultChatbotError("A tenant always has a default chatbot. Make another one the default instead.")
        return await get_chatbot(connection, caller, chatbot_id)


def settings_of(chatbot: Chatbot) -> ChatbotSettings:
    return chatbot.whole_settings


def answerer_of(chatbot: Chatbot, default: str) -> str:
    """The answerer that the chatbot names, or that of the installation."""
    return settings_of(chatbot).answerer if "answerer" in chatbot.settings else default


async def largest_document_mib(database: Database, caller: Caller) -> int:
    """The largest document in MiB that any chatbot of the caller's tenant accepts."""
    default = ChatbotSettings().max_size_mib
    async with database.transaction(caller.tenant_id) as connection:
        sizes = await repository.list_max_sizes(connection, tenant_id=caller.tenant_id)
    return max((size or default for size in sizes), default=default)


def validated_settings(settings: dict[str, Any]) -> dict[str, Any]:
    """The settings without those that are None, checked.

    Raises:
        InvalidChatbotSettingError: naming the setting and what is wrong.
    """
    given = {name: value for name, value in settings.items() if value is not None}
    try:
        ChatbotSettings.model_validate(given)
    except ValidationError as error:
        first = error.errors()[0]
        name = ".".join(str(part) for part in first["loc"])
        raise InvalidChatbotSettingError(f"The chatbot setting {name!r} is wrong: {first['msg']}.") from error
    return given


async def _insert_chatbot(
    connection: AsyncConnection,
    tenant_id: UUID,
    name: str,
    description: str,
    settings: dict[str, Any],
    embedding_version: int,
) -> Chatbot:
    chatbot_id = new_id()
    await repository.insert_chatbot(
        connection,
        tenant_id=tenant_id,
        chatbot_id=chatbot_id,
        name=name,
        description=description,
        settings=settings,
        embedding_version=embedding_version,
    )
    chatbot = await repository.find_chatbot(connection, tenant_id=tenant_id, chatbot_id=chatbot_id)
    assert chatbot is not None  # inserted above, in this transaction
    return chatbot


# ---- API keys


async def create_key(
    database: Database,
    caller: Caller,
    *,
    name: str,
    role: Role,
    user_email: str | None = None,
    chatbot_id: UUID | None = None,
    may_act_for_users: bool = False,
    expires_at: datetime | None = None,
) -> CreatedKey:
    """A new key with at most the caller's own role. `user_email` binds it to that user, who is made if new.

    Raises:
        ForbiddenError: the role is above the caller's.
        ChatbotNotFoundError, InvalidRequestError: the expiry lies in the past.
    """
    if _RANK[role] > _RANK[caller.role]:
        raise ForbiddenError(f"A key with the role {caller.role.value!r} cannot make one with {role.value!r}.")
    if expires_at is not None and expires_at <= now():
        raise InvalidRequestError("The expiry lies in the past. Give a moment to come.")
    async with database.transaction(caller.tenant_id) as connection:
        if chatbot_id is not None:
            await get_chatbot(connection, caller, chatbot_id)
        user_id = None if user_email is None else await _user_id(connection, caller, user_email, role)
        return await _insert_key(
            connection,
            caller.tenant_id,
            name=name,
            role=role,
            user_id=user_id,
            chatbot_id=chatbot_id,
            may_act_for_users=may_act_for_users,
            expires_at=expires_at,
        )


async def list_keys(database: Database, caller: Caller, page: PageRequest) -> Page[ApiKey]:
    async with database.transaction(caller.tenant_id) as connection:
        items, total = await repository.list_keys(
            connection, tenant_id=caller.tenant_id, limit=page.limit, offset=page.offset
        )
    return Page(items=items, total=total, limit=page.limit, offset=page.offset)


async def revoke_key(database: Database, caller: Caller, key_id: UUID) -> ApiKey:
    """From the commit on the key opens nothing here, and within `access.REMEMBERED_S` nowhere; twice changes nothing.

    Raises:
        KeyNotFoundError: no such key in the caller's tenant.
        ForbiddenError: its role is above the caller's.
    """
    async with database.transaction(caller.tenant_id) as connection:
        found = await repository.find_key(connection, tenant_id=caller.tenant_id, key_id=key_id)
        if found is not None and _RANK[found.role] > _RANK[caller.role]:
            raise ForbiddenError(
                f"A key with the role {caller.role.value!r} cannot revoke one with {found.role.value!r}."
            )
        await repository.revoke_key(connection, tenant_id=caller.tenant_id, key_id=key_id, at=now())
        key = await repository.find_key(connection, tenant_id=caller.tenant_id, key_id=key_id)
    if key is None:
        raise KeyNotFoundError
    access.forget_key(database, key_id)
    return key


async def _user_id(connection: AsyncConnection, caller: Caller, email: str, role: Role) -> UUID:
    user = await repository.find_user_by_email(connection, tenant_id=caller.tenant_id, email=email)
    if user is None:
        user = User(id=new_id(), tenant_id=caller.tenant_id, email=email, display_name="", role=role)
        await repository.insert_user(connection, user)
    elif _RANK[user.role] > _RANK[caller.role]:
        raise ForbiddenError(
            f"A key with the role {caller.role.value!r} cannot make one for a user who is {user.role.value!r}."
        )
    return user.id


async def _insert_key(
    connection: AsyncConnection,
    tenant_id: UUID,
    *,
    name: str,
    role: Role,
    user_id: UUID | None = None,
    chatbot_id: UUID | None = None,
    may_act_for_users: bool = False,
    expires_at: datetime | None = None,
) -> CreatedKey:
    secret = access.new_secret()
    key = ApiKey(
        id=new_id(),
        tenant_id=tenant_id,
        name=name,
        prefix=access.visible_prefix(secret),
        role=role,
        user_id=user_id,
        chatbot_id=chatbot_id,
        may_act_for_users=may_act_for_users,
        created_at=now(),
        expires_at=expires_at,
        revoked_at=None,
        last_used_at=None,
    )
    await repository.insert_key(connection, key, secret_hash=access.secret_hash(secret))
    return CreatedKey(key=key, secret=secret)
