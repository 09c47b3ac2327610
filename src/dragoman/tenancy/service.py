"""Making and changing tenants and chatbots."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any
from uuid import UUID

from pydantic import ValidationError
from sqlalchemy.ext.asyncio import AsyncConnection

from dragoman.kit.clock import new_id
from dragoman.kit.database import Database
from dragoman.kit.pagination import Page, PageRequest
from dragoman.kit.reading import Along, ReadConnection, Reader
from dragoman.tenancy import access, audit, keys, limits, repository
from dragoman.tenancy.entities import Caller, Chatbot, ChatbotAccess, Permission, Role, Tenant, User
from dragoman.tenancy.errors import ChatbotNotFoundError, DefaultChatbotError, InvalidChatbotSettingError
from dragoman.tenancy.keys import CreatedKey
from dragoman.tenancy.settings import ChatbotSettings


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
    owner = User(id=new_id(), tenant_id=tenant_id, email=owner_email.strip().lower(), display_name="", role=Role.OWNER)
    async with database.transaction(tenant_id) as connection:
        await repository.insert_tenant(connection, tenant_id=tenant_id, name=name)
        chatbot = await _insert_chatbot(connection, tenant_id, chatbot_name, "", {}, embedding_version)
        await repository.set_default_chatbot(connection, tenant_id=tenant_id, chatbot_id=chatbot.id)
        await repository.insert_user(connection, owner)
        key = await keys.insert_key(
            connection, tenant_id, keys.NewKey(name="first key", role=Role.OWNER), user_id=owner.id
        )
        system = access.tenant_of_system(tenant_id)
        await audit.record(
            connection,
            system,
            "tenant.created",
            subject_type="tenant",
            subject_id=tenant_id,
            name=name,
            owner_id=str(owner.id),
            key_id=str(key.key.id),
        )
    return CreatedTenant(tenant_id=tenant_id, chatbot=chatbot, owner=owner, key=key)


async def list_tenants(database: Database) -> list[Tenant]:
    async with database.system_transaction() as connection:
        return await repository.list_tenants(connection)


# ---- chatbots


async def create_chatbot(
    database: Database,
    caller: Caller,
    *,
    name: str,
    description: str,
    settings: dict[str, Any],
    embedding_version: int,
    chatbot_access: ChatbotAccess = ChatbotAccess.TENANT,
) -> Chatbot:
    """Raises InvalidChatbotSettingError; ForbiddenError: the caller manages single chatbots only."""
    access.require_in_tenant(caller, Permission.MANAGE_CHATBOTS)
    checked = validated_settings(settings)
    async with database.transaction(caller.tenant_id) as connection:
        chatbot = await _insert_chatbot(
            connection, caller.tenant_id, name, description, checked, embedding_version, chatbot_access
        )
        await audit.record(
            connection,
            caller,
            "chatbot.created",
            subject_type="chatbot",
            subject_id=chatbot.id,
            name=name,
            settings=checked,
            access=chatbot_access.value,
        )
    access.forget_tenant(database, caller.tenant_id)
    return chatbot


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
        found = await repository.find_default_chatbot(connection, tenant_id=caller.tenant_id)
    else:
        found = await repository.find_chatbot(connection, tenant_id=caller.tenant_id, chatbot_id=wanted)
    return found if found is not None and caller.sees(found.id) else None


def send_find_chatbot(connection: ReadConnection, caller: Caller, chatbot_id: UUID | None) -> Along:
    """`find_chatbot` beside the next statement of the connection; `chatbot_of` its rows is what it finds."""
    return repository.send_find_chatbot(
        connection, tenant_id=caller.tenant_id, chatbot_id=chatbot_id or caller.chatbot_id
    )


chatbot_of = repository.chatbot_of


async def list_chatbots(database: Database, caller: Caller, page: PageRequest) -> Page[Chatbot]:
    async with database.transaction(caller.tenant_id) as connection:
        items, total = await repository.list_chatbots(
            connection,
            tenant_id=caller.tenant_id,
            only=caller.only_chatbot,
            hidden=caller.hidden_chatbots,
            limit=page.limit,
            offset=page.offset,
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
    chatbot_access: ChatbotAccess | None = None,
) -> Chatbot:
    """Change what is given; `settings` are merged into the present ones, a None value restores the default.

    Raises:
        ChatbotNotFoundError, InvalidChatbotSettingError, DefaultChatbotError: `is_default` cannot be taken away.
        ForbiddenError: which chatbot is the default is not for who manages this one only.
    """
    if is_default is not None:
        access.require_in_tenant(caller, Permission.MANAGE_CHATBOTS)
    async with database.transaction(caller.tenant_id) as connection:
        chatbot = await get_chatbot(connection, caller, chatbot_id)
        values: dict[str, Any] = {}
        if name is not None:
            values["name"] = name
        if description is not None:
            values["description"] = description
        if settings is not None:
            values["settings"] = validated_settings({**chatbot.settings, **settings})
        if chatbot_access is not None:
            values["access"] = chatbot_access.value
        await repository.update_chatbot(connection, tenant_id=caller.tenant_id, chatbot_id=chatbot_id, values=values)
        if settings is not None:
            await repository.raise_knowledge_revision(connection, tenant_id=caller.tenant_id, chatbot_id=chatbot_id)
        if is_default:
            await repository.set_default_chatbot(connection, tenant_id=caller.tenant_id, chatbot_id=chatbot_id)
        elif is_default is False and chatbot.is_default:
            raise DefaultChatbotError("A tenant always has a default chatbot. Make another one the default instead.")
        changed = await get_chatbot(connection, caller, chatbot_id)
        await audit.record(
            connection,
            caller,
            "chatbot.changed",
            subject_type="chatbot",
            subject_id=chatbot_id,
            **audit.changes(_told(chatbot), _told(changed)),
        )
    access.forget_tenant(database, caller.tenant_id)
    limits.forget_limits(database, caller.tenant_id)
    return changed


def _told(chatbot: Chatbot) -> dict[str, Any]:
    """What the audit log tells of a chatbot: each setting by itself, so that a change of one shows that one."""
    settings = {f"settings.{name}": value for name, value in chatbot.settings.items()}
    shown = {"name": chatbot.name, "description": chatbot.description, "is_default": chatbot.is_default}
    return {**shown, "access": chatbot.access.value, **settings}


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
    chatbot_access: ChatbotAccess = ChatbotAccess.TENANT,
) -> Chatbot:
    chatbot_id = new_id()
    await repository.insert_chatbot(
        connection,
        tenant_id=tenant_id,
        chatbot_id=chatbot_id,
        name=name,
        description=description,
        settings=settings,
        access=chatbot_access,
        embedding_version=embedding_version,
    )
    chatbot = await repository.find_chatbot(connection, tenant_id=tenant_id, chatbot_id=chatbot_id)
    assert chatbot is not None  # inserted above, in this transaction
    return chatbot


# ---- API keys: see `keys.py`

create_key = keys.create_key
list_keys = keys.list_keys
revoke_key = keys.revoke_key
