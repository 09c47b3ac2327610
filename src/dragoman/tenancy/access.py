"""Turns an API key into a caller, and says what each role may do."""

from __future__ import annotations

import hashlib
import secrets
from datetime import timedelta
from uuid import UUID

from dragoman.kit.clock import now
from dragoman.kit.database import Database
from dragoman.tenancy import repository
from dragoman.tenancy.entities import ApiKey, Caller, Permission, Role
from dragoman.tenancy.errors import (
    ExpiredKeyError,
    ForbiddenError,
    InvalidKeyError,
    MissingKeyError,
    RevokedKeyError,
)

KEY_PREFIX = "dgm_"
_VISIBLE_CHARACTERS = len(KEY_PREFIX) + 8
_LAST_USED_RESOLUTION = timedelta(minutes=1)  # spares a write per request

_MEMBER = {
    Permission.ASK,
    Permission.SEARCH,
    Permission.READ_DOCUMENTS,
    Permission.CONTRIBUTE_DOCUMENTS,
    Permission.READ_CHATBOTS,
}
PERMISSIONS: dict[Role, frozenset[Permission]] = {
    Role.OWNER: frozenset(Permission),
    Role.ADMIN: frozenset(Permission),
    Role.EDITOR: frozenset(_MEMBER | {Permission.MANAGE_DOCUMENTS, Permission.EXPLAIN}),
    Role.AGENT: frozenset(_MEMBER | {Permission.READ_ALL_SESSIONS}),
    Role.MEMBER: frozenset(_MEMBER),
}


def new_secret() -> str:
    """A fresh API key: `dgm_` and 32 random bytes. It is shown once and kept only as its hash."""
    return KEY_PREFIX + secrets.token_urlsafe(32)


def secret_hash(secret: str) -> bytes:
    """SHA-256 of the key; a slow hash adds nothing to 256 random bits."""
    return hashlib.sha256(secret.encode()).digest()


def visible_prefix(secret: str) -> str:
    return secret[:_VISIBLE_CHARACTERS]


async def authenticate(database: Database, secret: str | None) -> Caller:
    """The caller that holds this key.

    Raises:
        MissingKeyError, InvalidKeyError, RevokedKeyError, ExpiredKeyError.
    """
    if not secret:
        raise MissingKeyError
    if not secret.startswith(KEY_PREFIX) or not secret.isascii():
        raise InvalidKeyError
    async with database.system_transaction() as connection:
        key = await repository.find_key_by_hash(connection, secret_hash(secret))
        if key is None:
            raise InvalidKeyError
        if key.revoked_at is not None:
            raise RevokedKeyError
        if key.expires_at is not None and key.expires_at <= now():
            raise ExpiredKeyError
        if key.last_used_at is None or now() - key.last_used_at > _LAST_USED_RESOLUTION:
            await repository.mark_key_used(connection, key)
    return caller_of(key)


def caller_of(key: ApiKey) -> Caller:
    return Caller(
        tenant_id=key.tenant_id,
        role=key.role,
        asker=f"user:{key.user_id}" if key.user_id else f"key:{key.id}",
        permissions=PERMISSIONS[key.role],
        user_id=key.user_id,
        api_key_id=key.id,
        chatbot_id=key.chatbot_id,
        may_act_for_users=key.may_act_for_users,
    )


def require(caller: Caller, permission: Permission) -> Caller:
    """The caller, if its role has this permission.

    Raises:
        ForbiddenError: it has not.
    """
    if permission not in caller.permissions:
        raise ForbiddenError(
            f"The role {caller.role.value!r} may not do this; it needs the permission {permission.value!r}."
        )
    return caller


def asker_of(caller: Caller, external_user_id: str | None) -> str:
    """Whose session this is: the external user where the key may act for users, else the caller."""
    if external_user_id and caller.may_act_for_users:
        return f"external:{external_user_id}"
    return caller.asker


def tenant_of_system(tenant_id: UUID) -> Caller:
    """The platform itself working inside one tenant (the command line, the first start)."""
    return Caller(tenant_id=tenant_id, role=Role.OWNER, asker="system", permissions=PERMISSIONS[Role.OWNER])
