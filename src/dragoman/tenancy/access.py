"""Turns what a request shows (an API key, a visitor's token) into a caller, and says what each role may do."""

from __future__ import annotations

import asyncio
import hashlib
import secrets
import time
from collections import OrderedDict
from collections.abc import Awaitable, Callable
from contextlib import suppress
from dataclasses import replace
from datetime import datetime, timedelta
from typing import Final
from uuid import UUID
from weakref import WeakKeyDictionary

from dragoman.kit import request_origin
from dragoman.kit.cache import SingleFlight
from dragoman.kit.clock import now
from dragoman.kit.database import Database
from dragoman.kit.encryption import Keyring
from dragoman.kit.errors import DragomanError
from dragoman.kit.reading import ReadConnection
from dragoman.tenancy import audit, repository, visitor_tokens
from dragoman.tenancy.entities import ApiKey, Caller, CallerKind, Permission, Reach, Role, ServiceAccount, User
from dragoman.tenancy.errors import (
    ExpiredKeyError,
    ForbiddenError,
    InactiveServiceAccountError,
    InvalidKeyError,
    InvalidVisitorTokenError,
    MissingKeyError,
    OriginNotAllowedError,
    RevokedKeyError,
)
from dragoman.tenancy.origins import is_allowed
from dragoman.tenancy.tokens import access_tokens
from dragoman.tenancy.visitor_tokens import VisitorToken

KEY_PREFIX = "dgm_"
_VISIBLE_CHARACTERS = len(KEY_PREFIX) + 8
LAST_USED_RESOLUTION = timedelta(minutes=1)  # spares a write per request

# ---- the table of permissions

_MEMBER = {
    Permission.ASK,
    Permission.SEARCH,
    Permission.READ_DOCUMENTS,
    Permission.CONTRIBUTE_DOCUMENTS,
    Permission.READ_CHATBOTS,
    Permission.GIVE_FEEDBACK,
}
_INSIGHT = {Permission.READ_FEEDBACK, Permission.READ_ANALYTICS}
PERMISSIONS: dict[Role, frozenset[Permission]] = {
    Role.OWNER: frozenset(Permission),
    Role.ADMIN: frozenset(Permission),
    Role.EDITOR: frozenset(_MEMBER | _INSIGHT | {Permission.MANAGE_DOCUMENTS, Permission.EXPLAIN}),
    Role.AGENT: frozenset(_MEMBER | _INSIGHT | {Permission.READ_ALL_SESSIONS}),
    Role.MEMBER: frozenset(_MEMBER),
}
"""What each role may do in its tenant."""

CHATBOT_PERMISSIONS: Final = frozenset(
    _MEMBER
    | _INSIGHT
    | {
        Permission.MANAGE_DOCUMENTS,
        Permission.EXPLAIN,
        Permission.READ_ALL_SESSIONS,
        Permission.MANAGE_CHATBOTS,
    }
)
"""Of these, a role on a single chatbot gives what the role has. All others are about the tenant as a whole."""

VISITOR_PERMISSIONS: Final = frozenset({Permission.ASK, Permission.SEARCH, Permission.GIVE_FEEDBACK})
"""What visitors may do, on the chatbot of their widget."""

_BY_RANK: Final = (Role.MEMBER, Role.AGENT, Role.EDITOR, Role.ADMIN, Role.OWNER)
RANK: Final = {role: rank for rank, role in enumerate(_BY_RANK)}
"""Nobody gives a role above his own."""


def lesser(one: Role, other: Role) -> Role:
    return one if RANK[one] <= RANK[other] else other


# ---- keys


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
_REFRESHED_BEFORE_S: Final = 0.5  # a key in use is looked up again meanwhile: else 5 % of the requests would wait
_MOST_REMEMBERED: Final = 10_000


async def authenticate(
    database: Database, secret: str | None, *, origin: str | None = None, keyring: Keyring | None = None
) -> Caller:
    """The caller that shows this key or token; keys are remembered for `REMEMBERED_S`.

    Args:
        origin: the header of this name: of the web site whose page makes the request; None where there is none.
        keyring: what tokens of visitors are signed with; without it there are none.

    Raises:
        MissingKeyError, InvalidKeyError, RevokedKeyError, ExpiredKeyError, InactiveServiceAccountError.
        InvalidVisitorTokenError, ExpiredVisitorTokenError, OriginNotAllowedError; those of `access_tokens.authenticate`.
    """
    if not secret:
        raise MissingKeyError
    if access_tokens.is_token(secret):
        return await access_tokens.authenticate(database, secret, of_user=caller_of_user, of_key=caller_of)
    if not secret.isascii():
        raise InvalidKeyError
    if secret.startswith(KEY_PREFIX):
        key_hash = secret_hash(secret)
        return await _memory_of(database).caller(key_hash, lambda known: _caller_by_key(database, key_hash, known))
    if secret.startswith(visitor_tokens.PREFIX) and keyring is not None:
        return await _visitor(database, keyring, secret, origin)
    raise InvalidKeyError


def forget_key(database: Database, key_id: UUID) -> None:
    """Let the next request with this key look it up: it has changed."""
    _memory_of(database).forget(lambda caller: key_id in (caller.api_key_id, caller.widget_key_id))
    access_tokens.forget_key(database, key_id)


def forget_tenant(database: Database, tenant_id: UUID) -> None:
    """Let the next request of each caller of the tenant look him up: roles, or who sees what, have changed."""
    _memory_of(database).forget(lambda caller: caller.tenant_id == tenant_id)
    access_tokens.forget_tenant(database, tenant_id)


Found = tuple[Caller, datetime | None]
"""A caller, and the moment from which what it showed opens nothing; None: that is not known before."""

LookUp = Callable[[Caller | None], Awaitable[Found]]
"""Finds a caller; what it was when it was looked up last says where to look, and nothing else."""


class _CallerMemory:
    """Callers of one database by the hash of their key. Only keys that open are remembered, never a refusal."""

    def __init__(self) -> None:
        self._callers: OrderedDict[bytes, tuple[float, Caller]] = OrderedDict()
        self._flights: SingleFlight[Caller] = SingleFlight()
        self._forgotten = 0
        self._refreshing: set[asyncio.Task[None]] = set()

    async def caller(self, key_hash: bytes, look_up: LookUp) -> Caller:
        """Raises whatever `look_up` raises."""
        known = self._callers.get(key_hash)
        left_s = 0.0 if known is None else known[0] - time.monotonic()
        if known is None or left_s <= 0:
            return await self._flights.run(key_hash, lambda: self._looked_up(key_hash, look_up, None))
        if left_s < _REFRESHED_BEFORE_S and not self._flights.is_running(key_hash):
            task = asyncio.create_task(self._refresh(key_hash, look_up, known[1]), name="refresh-caller")
            self._refreshing.add(task)
            task.add_done_callback(self._refreshing.discard)
        return known[1]

    async def _refresh(self, key_hash: bytes, look_up: LookUp, known: Caller) -> None:
        with suppress(DragomanError):  # the next request that has to look the key up tells it
            await self._flights.run(key_hash, lambda: self._looked_up(key_hash, look_up, known))

    async def _looked_up(self, key_hash: bytes, look_up: LookUp, known: Caller | None) -> Caller:
        begun, forgotten = time.monotonic(), self._forgotten
        try:
            caller, ends_at = await look_up(known)
        except DragomanError as error:
            if error.status < 500:  # else the database is away: that says nothing of the key
                self._callers.pop(key_hash, None)
            raise
        left_s = REMEMBERED_S if ends_at is None else (ends_at - now()).total_seconds()
        if forgotten == self._forgotten:  # else a key was revoked meanwhile, perhaps this one
            self._callers[key_hash] = (begun + min(REMEMBERED_S, left_s), caller)
            self._callers.move_to_end(key_hash)
        if len(self._callers) > _MOST_REMEMBERED:
            self._callers.popitem(last=False)
        return caller

    def forget(self, is_meant: Callable[[Caller], bool]) -> None:
        self._forgotten += 1
        self._flights = SingleFlight()  # a look-up that has begun may still find the key as it was
        for key_hash in [held for held, (_, caller) in self._callers.items() if is_meant(caller)]:
            del self._callers[key_hash]


_memories: WeakKeyDictionary[Database, _CallerMemory] = WeakKeyDictionary()


def _memory_of(database: Database) -> _CallerMemory:
    memory = _memories.get(database)
    if memory is None:
        memory = _memories[database] = _CallerMemory()
    return memory


# ---- who holds a key


async def _caller_by_key(database: Database, key_hash: bytes, known: Caller | None) -> Found:
    """One that was known is found in one round trip, which other requests share; a new one in two.

    Raises:
        InvalidKeyError, RevokedKeyError, ExpiredKeyError, InactiveServiceAccountError.
    """
    if known is None:
        async with database.system_reading() as system:
            found = await repository.find_key_by_hash(system, key_hash)
        key, ends_at = await _opened(database, found)
        async with database.reading(key.tenant_id) as reading:
            repository.prefetch_holder(
                reading, tenant_id=key.tenant_id, user_id=key.user_id, account_id=key.service_account_id
            )
            return await caller_of(reading, key), ends_at
    async with database.reading(known.tenant_id) as reading:
        repository.prefetch_key(reading, key_hash)
        repository.prefetch_holder(
            reading, tenant_id=known.tenant_id, user_id=known.user_id, account_id=known.service_account_id
        )
        await reading.send_waiting()
        key, ends_at = await _opened(database, await repository.find_key_by_hash(reading, key_hash))
        return await caller_of(reading, key), ends_at


async def _opened(database: Database, found: tuple[ApiKey, bool] | None) -> tuple[ApiKey, datetime | None]:
    """The key, and until when this secret of it works.

    Raises:
        InvalidKeyError, RevokedKeyError, ExpiredKeyError.
    """
    if found is None:
        raise InvalidKeyError
    key, is_previous = found
    ends_at = min((end for end in (key.expires_at, key.previous_until if is_previous else None) if end), default=None)
    if key.revoked_at is not None:
        _refuse(database, key, "revoked")
        raise RevokedKeyError
    if ends_at is not None and ends_at <= now():
        _refuse(database, key, "rotated" if is_previous else "expired")
        raise ExpiredKeyError
    if key.last_used_at is None or now() - key.last_used_at > LAST_USED_RESOLUTION:
        async with database.system_transaction() as connection:
            await repository.mark_key_used(connection, key, address=request_origin.current().address or None)
    return key, ends_at


def _refuse(database: Database, key: ApiKey, reason: str) -> None:
    audit.record_refusal(
        database,
        "key.refused",
        tenant_id=key.tenant_id,
        actor=f"key:{key.id}",
        subject_type="key",
        subject_id=key.id,
        reason=reason,
    )


async def caller_of(reading: ReadConnection, key: ApiKey) -> Caller:
    """Whom the key stands for. Its role is that of the key, and never above that of the user or service account.

    Raises:
        InactiveServiceAccountError.
    """
    user: User | None = None
    account: ServiceAccount | None = None
    if key.user_id is not None:
        user = await repository.find_user(reading, tenant_id=key.tenant_id, user_id=key.user_id)
    if key.service_account_id is not None:
        account = await repository.find_service_account(
            reading, tenant_id=key.tenant_id, account_id=key.service_account_id
        )
    holder = user or account
    if account is not None and not account.is_active:
        raise InactiveServiceAccountError
    role = key.role if holder is None else lesser(key.role, holder.role)
    scopes = None if key.scopes is None else frozenset(key.scopes)
    caller = Caller(
        tenant_id=key.tenant_id,
        role=role,
        asker=_asker(key),
        kind=_kind(key),
        permissions=PERMISSIONS[role] if scopes is None else PERMISSIONS[role] & scopes,
        user_id=key.user_id,
        api_key_id=key.id,
        service_account_id=key.service_account_id,
        chatbot_id=key.chatbot_id,
        may_act_for_users=key.may_act_for_users,
        scopes=scopes,
    )
    return await with_reach(
        reading,
        caller,
        member_id=key.user_id or key.service_account_id,
        listed_on=key.chatbot_id if holder is None else None,
        only=key.chatbot_id if key.confined else None,
    )


async def caller_of_user(reading: ReadConnection, user: User) -> Caller:
    """The user who has signed in, with his roles as they are now."""
    caller = Caller(
        tenant_id=user.tenant_id,
        role=user.role,
        asker=f"user:{user.id}",
        kind=CallerKind.USER,
        permissions=PERMISSIONS[user.role],
        user_id=user.id,
    )
    return await with_reach(reading, caller, member_id=user.id)


def _asker(key: ApiKey) -> str:
    if key.user_id is not None:
        return f"user:{key.user_id}"
    return f"key:{key.id}" if key.service_account_id is None else f"service_account:{key.service_account_id}"


def _kind(key: ApiKey) -> CallerKind:
    if key.user_id is not None:
        return CallerKind.USER
    return CallerKind.KEY if key.service_account_id is None else CallerKind.SERVICE_ACCOUNT


async def with_reach(
    reading: ReadConnection,
    caller: Caller,
    *,
    member_id: UUID | None,
    listed_on: UUID | None = None,
    only: UUID | None = None,
) -> Caller:
    """The caller with what it may do where that differs from chatbot to chatbot; unchanged where it does not.

    Args:
        member_id: the user or service account that may have roles on single chatbots.
        listed_on: a chatbot that the caller sees although its list does not name it: a key of nobody was made for it.
        only: nothing but this chatbot exists for the caller, and it has no permission beyond it.
    """
    special = await repository.list_special_chatbots(reading, tenant_id=caller.tenant_id, member_id=member_id)
    roles = {each.chatbot_id: each.role for each in special.chatbots if each.role is not None}
    sees_all = RANK[caller.role] >= RANK[Role.ADMIN]
    hidden = {each.chatbot_id for each in special.chatbots if each.is_listed and not sees_all} - {*roles, listed_on}
    if only is not None:
        roles = {chatbot_id: role for chatbot_id, role in roles.items() if chatbot_id == only}
        caller = replace(caller, permissions=caller.permissions & CHATBOT_PERMISSIONS)
    if not roles and not hidden and only is None:
        return caller
    reach = Reach(
        roles=roles,
        hidden=frozenset(hidden),
        only=only,
        default_chatbot_id=caller.chatbot_id or special.default_chatbot_id,
    )
    return replace(caller, reach=reach)


def permissions_on(caller: Caller, chatbot_id: UUID) -> frozenset[Permission]:
    """What the caller may do with one chatbot that it sees."""
    role = None if caller.reach is None else caller.reach.roles.get(chatbot_id)
    if role is None:
        return caller.permissions
    further = PERMISSIONS[role] & CHATBOT_PERMISSIONS
    return caller.permissions | (further if caller.scopes is None else further & caller.scopes)


def may_on(caller: Caller, chatbot_id: UUID, permission: Permission) -> bool:
    """Whether the caller sees this chatbot and may do this there: for what is found by an id of its own."""
    return caller.sees(chatbot_id) and permission in permissions_on(caller, chatbot_id)


def rank_on(caller: Caller, chatbot_id: UUID) -> int:
    """The higher of the ranks of the caller's roles in the tenant and on this chatbot."""
    role = None if caller.reach is None else caller.reach.roles.get(chatbot_id)
    return max(RANK[caller.role], -1 if role is None else RANK[role])


# ---- visitors


async def _visitor(database: Database, keyring: Keyring, token: str, origin: str | None) -> Caller:
    """Raises InvalidVisitorTokenError, ExpiredVisitorTokenError, OriginNotAllowedError."""
    shown = visitor_tokens.verified(token, keyring)
    remembered_by = shown.widget_key_id.bytes + shown.origin.encode()
    anybody = await _memory_of(database).caller(remembered_by, lambda _: _any_visitor(database, shown))
    caller = replace(anybody, asker=f"visitor:{shown.visitor_id}", origin=shown.origin or None)
    if origin is not None and origin.lower() != shown.origin:
        audit.record_refusal(
            database,
            "visitor.refused",
            tenant_id=caller.tenant_id,
            actor=caller.asker,
            subject_type="widget_key",
            subject_id=shown.widget_key_id,
            reason="origin",
            origin=origin[:300],
        )
        raise OriginNotAllowedError
    return caller


async def _any_visitor(database: Database, shown: VisitorToken) -> Found:
    """A caller who is any visitor of this widget on this web site. Raises InvalidVisitorTokenError."""
    async with database.system_reading() as reading:
        key = await repository.find_widget_key_by_id(reading, shown.widget_key_id)
    if key is None or key.revoked_at is not None:
        raise InvalidVisitorTokenError
    if not (is_allowed(shown.origin, key.origins) if shown.origin else key.allows_no_origin):
        raise InvalidVisitorTokenError("This web site may not have the chatbot any more.")
    caller = Caller(
        tenant_id=key.tenant_id,
        role=Role.MEMBER,
        asker="visitor",
        kind=CallerKind.VISITOR,
        permissions=VISITOR_PERMISSIONS,
        widget_key_id=key.id,
        chatbot_id=key.chatbot_id,
        scopes=VISITOR_PERMISSIONS,
        reach=Reach(only=key.chatbot_id, default_chatbot_id=key.chatbot_id),
    )
    return caller, None


# ---- checks


def require(caller: Caller, permission: Permission) -> Caller:
    """The caller, if its role has this permission.

    Raises:
        ForbiddenError: it has not.
    """
    if permission not in caller.permissions:
        raise ForbiddenError(f"{_who(caller)} may not do this; it needs the permission {permission.value!r}.")
    return caller


def require_in_tenant(caller: Caller, permission: Permission) -> Caller:
    """The same for what concerns more than one chatbot: a role on a chatbot does not give it.

    Raises:
        ForbiddenError.
    """
    of_role = PERMISSIONS[caller.role] if caller.scopes is None else PERMISSIONS[caller.role] & caller.scopes
    if permission not in of_role or caller.only_chatbot is not None:
        raise ForbiddenError(
            f"{_who(caller)} may not do this; it needs the permission {permission.value!r} in the whole tenant."
        )
    return caller


def _who(caller: Caller) -> str:
    if caller.kind is CallerKind.VISITOR:
        return "A visitor"
    if caller.scopes is not None:
        return f"A key with the scopes {', '.join(sorted(caller.scopes)) or 'none'}"
    return f"The role {caller.role.value!r}"


def asker_of(caller: Caller, external_user_id: str | None) -> str:
    """Whose session this is: the external user where the key may act for users, else the caller."""
    if external_user_id and caller.may_act_for_users:
        return f"external:{external_user_id}"
    return caller.asker


def tenant_of_system(tenant_id: UUID) -> Caller:
    """The platform itself working inside one tenant (the command line, the first start)."""
    return Caller(tenant_id=tenant_id, role=Role.OWNER, asker="system", permissions=PERMISSIONS[Role.OWNER])
