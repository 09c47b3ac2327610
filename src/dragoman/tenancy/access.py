"""Turns an API key into a caller, and says what each role may do."""

from __future__ import annotations

import hashlib
import secrets
import time
from collections import OrderedDict
from datetime import timedelta
from typing import Final
from uuid import UUID
from weakref import WeakKeyDictionary

from dragoman.kit.cache import SingleFlight
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


REMEMBERED_S: Final = 2.0
"""A key is looked up once in so many seconds. One that is revoked in another process opens no longer than that; where
it is revoked, it opens nothing from the commit on."""
_MOST_REMEMBERED: Final = 10_000


async def authenticate(database: Database, secret: str | None) -> Caller:
    """The caller that holds this key; remembered for `REMEMBERED_S`.

    Raises:
        MissingKeyError, InvalidKeyError, RevokedKeyError, ExpiredKeyError.
    """
    if not secret:
        raise MissingKeyError
    if not secret.startswith(KEY_PREFIX) or not secret.isascii():
        raise InvalidKeyError
    return await _memory_of(database).caller(database, secret_hash(secret))


def forget_key(database: Database, key_id: UUID) -> None:
    """Let the next request with this key look it up: it has changed."""
    _memory_of(database).forget(key_id)


class _CallerMemory:
    """Callers of one database by the hash of their key. Only keys that open are remembered, never a refusal."""

    def __init__(self) -> None:
        self._callers: OrderedDict[bytes, tuple[float, Caller]] = OrderedDict()
        self._flights: SingleFlight[Caller] = SingleFlight()
        self._forgotten = 0

    async def caller(self, database: Database, key_hash: bytes) -> Caller:
        known = self._callers.get(key_hash)
        if known is not None and time.monotonic() < known[0]:
            return known[1]
        return await self._flights.run(key_hash, lambda: self._looked_up(database, key_hash))

    async def _looked_up(self, database: Database, key_hash: bytes) -> Caller:
        begun, forgotten = time.monotonic(), self._forgotten
        key = await _look_up(database, key_hash)
        caller = caller_of(key)
        left_s = REMEMBERED_S if key.expires_at is None else (key.expires_at - now()).total_seconds()
        if forgotten == self._forgotten:  # else a key was revoked meanwhile, perhaps this one
            self._callers[key_hash] = (begun + min(REMEMBERED_S, left_s), caller)
            self._callers.move_to_end(key_hash)
        if len(self._callers) > _MOST_REMEMBERED:
            self._callers.popitem(last=False)
        return caller

    def forget(self, key_id: UUID) -> None:
        self._forgotten += 1
        self._flights = SingleFlight()  # a look-up that has begun may still find the key as it was
        for key_hash in [held for held, (_, caller) in self._callers.items() if caller.api_key_id == key_id]:
            del self._callers[key_hash]


_memories: WeakKeyDictionary[Database, _CallerMemory] = WeakKeyDictionary()


def _memory_of(database: Database) -> _CallerMemory:
    memory = _memories.get(database)
    if memory is None:
        memory = _memories[database] = _CallerMemory()
    return memory


async def _look_up(database: Database, key_hash: bytes) -> ApiKey:
    """Raises InvalidKeyError, RevokedKeyError, ExpiredKeyError."""
    async with database.system_reading() as reading:
        key = await repository.find_key_by_hash(reading, key_hash)
    if key is None:
        raise InvalidKeyError
    if key.revoked_at is not None:
        raise RevokedKeyError
    if key.expires_at is not None and key.expires_at <= now():
        raise ExpiredKeyError
    if key.last_used_at is None or now() - key.last_used_at > _LAST_USED_RESOLUTION:
        async with database.system_transaction() as connection:
            await repository.mark_key_used(connection, key)
    return key


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
