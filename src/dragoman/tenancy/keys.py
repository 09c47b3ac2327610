"""API keys: making, listing, changing, rotating and revoking them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

from sqlalchemy.ext.asyncio import AsyncConnection

from dragoman.kit.clock import new_id, now
from dragoman.kit.database import Database
from dragoman.kit.errors import InvalidRequestError
from dragoman.kit.pagination import Page, PageRequest
from dragoman.tenancy import access, audit, repository
from dragoman.tenancy.access import RANK
from dragoman.tenancy.entities import ApiKey, Caller, Permission, Role, User
from dragoman.tenancy.errors import (
    ChatbotNotFoundError,
    ForbiddenError,
    KeyNotFoundError,
    KeyNotRotatableError,
    ServiceAccountNotFoundError,
)


@dataclass(frozen=True, slots=True, kw_only=True)
class CreatedKey:
    """A new key with its secret, which is shown this once."""

    key: ApiKey
    secret: str


@dataclass(frozen=True, slots=True, kw_only=True)
class NewKey:
    """What a new key shall be.

    Attributes:
        scopes: None: all permissions of the role.
        user_email: of the user that it stands for, who is made if new; or
        service_account_id: of the machine.
        confined: nothing but `chatbot_id` exists for it.
    """

    name: str
    role: Role
    description: str = ""
    scopes: Sequence[Permission] | None = None
    user_email: str | None = None
    service_account_id: UUID | None = None
    chatbot_id: UUID | None = None
    confined: bool = False
    may_act_for_users: bool = False
    expires_at: datetime | None = None


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
    """A plain key; `make_key` makes the others too, and says what is raised."""
    wanted = NewKey(
        name=name,
        role=role,
        user_email=user_email,
        chatbot_id=chatbot_id,
        may_act_for_users=may_act_for_users,
        expires_at=expires_at,
    )
    return await make_key(database, caller, wanted)


async def make_key(database: Database, caller: Caller, wanted: NewKey) -> CreatedKey:
    """A new key that may do nothing its maker may not.

    Raises:
        ForbiddenError: its role is above the caller's, or it may do more than the caller.
        ChatbotNotFoundError, ServiceAccountNotFoundError.
        InvalidRequestError: the expiry lies in the past, a scope is none of the role's, it stands for two, or it is
            confined to no chatbot.
    """
    _check(wanted)
    if RANK[wanted.role] > RANK[caller.role]:
        raise ForbiddenError(f"A key with the role {caller.role.value!r} cannot make one with {wanted.role.value!r}.")
    _require_no_more(caller, wanted.role, wanted.scopes)
    async with database.transaction(caller.tenant_id) as connection:
        if wanted.chatbot_id is not None:
            await _require_chatbot(connection, caller, wanted.chatbot_id)
        user_id = None
        if wanted.user_email is not None:
            user_id = await _user_id(connection, caller, wanted.user_email, wanted.role)
        if wanted.service_account_id is not None:
            await _require_service_account(connection, caller, wanted)
        created = await insert_key(connection, caller.tenant_id, wanted, user_id=user_id)
        await _record(connection, caller, "key.created", created.key, **_told_of(created.key))
    return created


def _check(wanted: NewKey) -> None:
    if wanted.expires_at is not None and wanted.expires_at <= now():
        raise InvalidRequestError("The expiry lies in the past. Give a moment to come.")
    if wanted.user_email is not None and wanted.service_account_id is not None:
        raise InvalidRequestError("A key stands for a user or for a service account, not for both.")
    if wanted.confined and wanted.chatbot_id is None:
        raise InvalidRequestError("A confined key needs the `chatbot_id` that it is confined to.")
    if unknown := set(wanted.scopes or ()) - access.PERMISSIONS[wanted.role]:
        names = ", ".join(sorted(unknown))
        raise InvalidRequestError(f"The role {wanted.role.value!r} does not have: {names}. Leave it out of the scopes.")


def _require_no_more(caller: Caller, role: Role, scopes: Sequence[Permission] | None) -> None:
    """Raises ForbiddenError: the caller, whose key has scopes, does not have all that the key would have."""
    would_have = access.PERMISSIONS[role] if scopes is None else frozenset(scopes)
    if missing := would_have - caller.permissions:
        names = ", ".join(sorted(missing))
        raise ForbiddenError(f"A key may not do more than the one that makes or rotates it, which lacks: {names}.")


async def _require_chatbot(connection: AsyncConnection, caller: Caller, chatbot_id: UUID) -> None:
    chatbot = await repository.find_chatbot(connection, tenant_id=caller.tenant_id, chatbot_id=chatbot_id)
    if chatbot is None or not caller.sees(chatbot_id):
        raise ChatbotNotFoundError


async def _require_service_account(connection: AsyncConnection, caller: Caller, wanted: NewKey) -> None:
    assert wanted.service_account_id is not None
    account = await repository.find_service_account(
        connection, tenant_id=caller.tenant_id, account_id=wanted.service_account_id
    )
    if account is None:
        raise ServiceAccountNotFoundError
    if RANK[wanted.role] > RANK[account.role]:
        raise InvalidRequestError(
            f"The service account is {account.role.value!r}: its keys cannot be {wanted.role.value!r}."
        )


async def _user_id(connection: AsyncConnection, caller: Caller, email: str, role: Role) -> UUID:
    email = email.strip().lower()
    user = await repository.find_user_by_email(connection, tenant_id=caller.tenant_id, email=email)
    if user is None:
        user = User(id=new_id(), tenant_id=caller.tenant_id, email=email, display_name="", role=role)
        await repository.insert_user(connection, user)
        await audit.record(
            connection, caller, "user.created", subject_type="user", subject_id=user.id, email=email, role=role.value
        )
    elif RANK[user.role] > RANK[caller.role]:
        raise ForbiddenError(
            f"A key with the role {caller.role.value!r} cannot make one for a user who is {user.role.value!r}."
        )
    return user.id


async def insert_key(
    connection: AsyncConnection, tenant_id: UUID, wanted: NewKey, *, user_id: UUID | None = None
) -> CreatedKey:
    """The key as it is wanted; nothing is checked here."""
    secret = access.new_secret()
    key = ApiKey(
        id=new_id(),
        tenant_id=tenant_id,
        name=wanted.name,
        description=wanted.description,
        prefix=access.visible_prefix(secret),
        role=wanted.role,
        scopes=None if wanted.scopes is None else tuple(sorted(set(wanted.scopes))),
        user_id=user_id,
        service_account_id=wanted.service_account_id,
        chatbot_id=wanted.chatbot_id,
        confined=wanted.confined,
        may_act_for_users=wanted.may_act_for_users,
        created_at=now(),
        expires_at=wanted.expires_at,
        revoked_at=None,
        last_used_at=None,
    )
    await repository.insert_key(connection, key, secret_hash=access.secret_hash(secret))
    return CreatedKey(key=key, secret=secret)


async def list_keys(
    database: Database, caller: Caller, page: PageRequest, *, service_account_id: UUID | None = None
) -> Page[ApiKey]:
    """Those of the tenant, or of one service account."""
    async with database.transaction(caller.tenant_id) as connection:
        items, total = await repository.list_keys(
            connection,
            tenant_id=caller.tenant_id,
            service_account_id=service_account_id,
            limit=page.limit,
            offset=page.offset,
        )
    return Page(items=items, total=total, limit=page.limit, offset=page.offset)


async def update_key(
    database: Database, caller: Caller, key_id: UUID, *, name: str | None, description: str | None
) -> ApiKey:
    """Change how a key is called. What it may do is settled when it is made: make another one for that.

    Raises:
        KeyNotFoundError, ForbiddenError: its role is above the caller's.
    """
    given = {"name": name, "description": description}
    values = {column: value for column, value in given.items() if value is not None}
    async with database.transaction(caller.tenant_id) as connection:
        before = await _get(connection, caller, key_id, "change")
        if values:
            await repository.update_key(connection, tenant_id=caller.tenant_id, key_id=key_id, values=values)
        after = await _get(connection, caller, key_id, "change")
        await _record(connection, caller, "key.changed", after, before=_names_of(before), after=_names_of(after))
    return after


async def rotate_key(
    database: Database, caller: Caller, key_id: UUID, *, grace: timedelta, expires_at: datetime | None
) -> CreatedKey:
    """Give a key a new secret. The present one works for `grace` more; one from a rotation before no longer.

    Args:
        expires_at: a new expiry; None: it stays as it is.

    Raises:
        KeyNotFoundError, KeyNotRotatableError, InvalidRequestError: the expiry lies in the past.
        ForbiddenError: the key may do more than the caller, who will know its secret.
    """
    if expires_at is not None and expires_at <= now():
        raise InvalidRequestError("The expiry lies in the past. Give a moment to come.")
    secret, moment = access.new_secret(), now()
    values: dict[str, Any] = {
        "prefix": access.visible_prefix(secret),
        "rotated_at": moment,
        "previous_until": moment + grace,
        **({} if expires_at is None else {"expires_at": expires_at}),
    }
    async with database.transaction(caller.tenant_id) as connection:
        found = await _get(connection, caller, key_id, "rotate")
        _require_no_more(caller, found.role, found.scopes)
        await _require_identity(connection, caller, found)
        if found.revoked_at is not None or (found.expires_at is not None and found.expires_at <= moment):
            raise KeyNotRotatableError
        await repository.rotate_key(
            connection,
            tenant_id=caller.tenant_id,
            key_id=key_id,
            secret_hash=access.secret_hash(secret),
            values=values,
        )
        key = await _get(connection, caller, key_id, "rotate")
        await _record(connection, caller, "key.rotated", key, previous_until=(moment + grace).isoformat())
    access.forget_key(database, key_id)
    return CreatedKey(key=key, secret=secret)


async def revoke_key(database: Database, caller: Caller, key_id: UUID) -> ApiKey:
    """From the commit on the key opens nothing here, and within `access.REMEMBERED_S` nowhere; twice changes nothing.

    Raises:
        KeyNotFoundError: no such key in the caller's tenant.
        ForbiddenError: its role is above the caller's.
    """
    async with database.transaction(caller.tenant_id) as connection:
        found = await _get(connection, caller, key_id, "revoke")
        await repository.revoke_key(connection, tenant_id=caller.tenant_id, key_id=key_id, at=now())
        if found.revoked_at is None:
            await _record(connection, caller, "key.revoked", found)
        key = await _get(connection, caller, key_id, "revoke")
    access.forget_key(database, key_id)
    return key


async def _get(connection: AsyncConnection, caller: Caller, key_id: UUID, deed: str) -> ApiKey:
    """Raises KeyNotFoundError, ForbiddenError."""
    found = await repository.find_key(connection, tenant_id=caller.tenant_id, key_id=key_id)
    if found is None:
        raise KeyNotFoundError
    if RANK[found.role] > RANK[caller.role]:
        raise ForbiddenError(f"A key with the role {caller.role.value!r} cannot {deed} one with {found.role.value!r}.")
    return found


async def _require_identity(connection: AsyncConnection, caller: Caller, key: ApiKey) -> None:
    """Raises ForbiddenError: who knows the secret of this key is a user with a role above the caller's."""
    if key.user_id is None:
        return
    user = await repository.find_user(connection, tenant_id=caller.tenant_id, user_id=key.user_id)
    if user is not None and RANK[user.role] > RANK[caller.role]:
        raise ForbiddenError(
            f"A key with the role {caller.role.value!r} cannot rotate one of a user who is {user.role.value!r}."
        )


def _names_of(key: ApiKey) -> dict[str, Any]:
    return {"name": key.name, "description": key.description}


def _told_of(key: ApiKey) -> dict[str, Any]:
    """What an audit event says of a key: all but its secret."""
    return {
        "name": key.name,
        "prefix": key.prefix,
        "role": key.role.value,
        "scopes": None if key.scopes is None else [scope.value for scope in key.scopes],
        "user_id": _text(key.user_id),
        "service_account_id": _text(key.service_account_id),
        "chatbot_id": _text(key.chatbot_id),
        "confined": key.confined,
        "may_act_for_users": key.may_act_for_users,
        "expires_at": None if key.expires_at is None else key.expires_at.isoformat(),
    }


def _text(value: UUID | None) -> str | None:
    return None if value is None else str(value)


async def _record(connection: AsyncConnection, caller: Caller, action: str, key: ApiKey, **details: Any) -> None:
    await audit.record(connection, caller, action, subject_type="key", subject_id=key.id, **details)
