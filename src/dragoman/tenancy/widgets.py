"""Chatbots on web sites: public widget keys with their origins, and the tokens that visitors get for them."""

from __future__ import annotations

import secrets
import time
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Final
from uuid import UUID
from weakref import WeakKeyDictionary

from sqlalchemy.ext.asyncio import AsyncConnection

from dragoman.kit.clock import new_id, now
from dragoman.kit.database import Database
from dragoman.kit.encryption import Keyring
from dragoman.kit.pagination import Page, PageRequest
from dragoman.tenancy import access, audit, repository, visitor_tokens
from dragoman.tenancy.entities import Caller, CallerKind, Chatbot, Role, WidgetKey
from dragoman.tenancy.errors import (
    InvalidVisitorTokenError,
    OriginNotAllowedError,
    UnknownWidgetKeyError,
    WidgetKeyNotFoundError,
)
from dragoman.tenancy.origins import checked_origins, is_allowed
from dragoman.tenancy.service import get_chatbot
from dragoman.tenancy.visitor_tokens import VisitorToken

KEY_PREFIX: Final = "dgw_"
_ORIGINS_REMEMBERED_S: Final = 5.0


# ---- origins of all


class _Origins:
    """The origins of all widget keys of a database, as they were lately."""

    def __init__(self) -> None:
        self._read_at = -_ORIGINS_REMEMBERED_S
        self._origins: list[str] = []

    async def get(self, database: Database) -> list[str]:
        if time.monotonic() - self._read_at >= _ORIGINS_REMEMBERED_S:
            self._read_at = time.monotonic()
            async with database.system_reading() as reading:
                self._origins = await repository.list_origins(reading)
        return self._origins

    def forget(self) -> None:
        self._read_at = -_ORIGINS_REMEMBERED_S


_origins: WeakKeyDictionary[Database, _Origins] = WeakKeyDictionary()


def _origins_of(database: Database) -> _Origins:
    return _origins.setdefault(database, _Origins())


async def is_known_origin(database: Database, origin: str) -> bool:
    """Whether any widget key, of whichever tenant, allows this origin. Remembered for some seconds."""
    return is_allowed(origin, await _origins_of(database).get(database))


# ---- widget keys


async def create_widget_key(
    database: Database, caller: Caller, chatbot_id: UUID, *, name: str, origins: Sequence[str], allows_no_origin: bool
) -> WidgetKey:
    """Raises ChatbotNotFoundError, InvalidRequestError."""
    key = WidgetKey(
        id=new_id(),
        tenant_id=caller.tenant_id,
        chatbot_id=chatbot_id,
        name=name,
        public_key=KEY_PREFIX + secrets.token_urlsafe(18),
        origins=checked_origins(origins),
        allows_no_origin=allows_no_origin,
        created_by=caller.asker,
        created_at=now(),
        revoked_at=None,
        last_used_at=None,
    )
    async with database.transaction(caller.tenant_id) as connection:
        await get_chatbot(connection, caller, chatbot_id)
        await repository.insert_widget_key(connection, key)
        await _record(connection, caller, "widget_key.created", key, **_told_of(key))
    _origins_of(database).forget()
    return key


async def list_widget_keys(database: Database, caller: Caller, chatbot_id: UUID, page: PageRequest) -> Page[WidgetKey]:
    """Those of one chatbot, the revoked ones too. Raises ChatbotNotFoundError."""
    async with database.transaction(caller.tenant_id) as connection:
        await get_chatbot(connection, caller, chatbot_id)
        items, total = await repository.list_widget_keys(
            connection, tenant_id=caller.tenant_id, chatbot_id=chatbot_id, limit=page.limit, offset=page.offset
        )
    return Page(items=items, total=total, limit=page.limit, offset=page.offset)


async def update_widget_key(
    database: Database,
    caller: Caller,
    chatbot_id: UUID,
    widget_key_id: UUID,
    *,
    name: str | None,
    origins: Sequence[str] | None,
    allows_no_origin: bool | None,
) -> WidgetKey:
    """Change what is given. Tokens of an origin that is taken away open nothing any more.

    Raises:
        WidgetKeyNotFoundError, InvalidRequestError.
    """
    given: dict[str, Any] = {
        "name": name,
        "origins": None if origins is None else list(checked_origins(origins)),
        "allows_no_origin": allows_no_origin,
    }
    values = {column: value for column, value in given.items() if value is not None}
    async with database.transaction(caller.tenant_id) as connection:
        before = await _get(connection, caller, chatbot_id, widget_key_id)
        if values:
            await repository.update_widget_key(
                connection, tenant_id=caller.tenant_id, widget_key_id=widget_key_id, values=values
            )
        after = await _get(connection, caller, chatbot_id, widget_key_id)
        await _record(connection, caller, "widget_key.changed", after, before=_told_of(before), after=_told_of(after))
    _forget(database, widget_key_id)
    return after


async def revoke_widget_key(database: Database, caller: Caller, chatbot_id: UUID, widget_key_id: UUID) -> WidgetKey:
    """The key gives no tokens from now on, and those it gave open nothing. Raises WidgetKeyNotFoundError."""
    async with database.transaction(caller.tenant_id) as connection:
        found = await _get(connection, caller, chatbot_id, widget_key_id)
        if found.revoked_at is None:
            await repository.update_widget_key(
                connection, tenant_id=caller.tenant_id, widget_key_id=widget_key_id, values={"revoked_at": now()}
            )
            await _record(connection, caller, "widget_key.revoked", found)
        revoked = await _get(connection, caller, chatbot_id, widget_key_id)
    _forget(database, widget_key_id)
    return revoked


def _forget(database: Database, widget_key_id: UUID) -> None:
    access.forget_key(database, widget_key_id)
    _origins_of(database).forget()


async def _get(connection: AsyncConnection, caller: Caller, chatbot_id: UUID, widget_key_id: UUID) -> WidgetKey:
    key = await repository.find_widget_key(
        connection, tenant_id=caller.tenant_id, chatbot_id=chatbot_id, widget_key_id=widget_key_id
    )
    if key is None or not caller.sees(chatbot_id):
        raise WidgetKeyNotFoundError
    return key


def _told_of(key: WidgetKey) -> dict[str, Any]:
    """What an audit event says of it."""
    return {"name": key.name, "origins": list(key.origins), "allows_no_origin": key.allows_no_origin}


async def _record(connection: AsyncConnection, caller: Caller, action: str, key: WidgetKey, **details: Any) -> None:
    details = {**details, "chatbot_id": str(key.chatbot_id)}
    await audit.record(connection, caller, action, subject_type="widget_key", subject_id=key.id, **details)


# ---- tokens


@dataclass(frozen=True, slots=True, kw_only=True)
class Admitted:
    """A visitor who may ask. `text` is the token itself."""

    text: str
    token: VisitorToken
    chatbot: Chatbot


async def admit_visitor(
    database: Database, keyring: Keyring, *, public_key: str, earlier: str | None, origin: str | None
) -> Admitted:
    """A token for a visitor of a web site: for a new one, or for the one whom an earlier token proves.

    Args:
        earlier: a token that this widget key gave on this origin, which may have expired; another one is refused.

    Raises:
        UnknownWidgetKeyError, OriginNotAllowedError, InvalidVisitorTokenError, ExpiredVisitorTokenError.
    """
    key = await _get_open_key(database, public_key, origin)
    async with database.transaction(key.tenant_id) as connection:
        chatbot = await get_chatbot(connection, _anybody(key), key.chatbot_id)
        if key.last_used_at is None or now() - key.last_used_at > access.LAST_USED_RESOLUTION:
            await repository.update_widget_key(
                connection, tenant_id=key.tenant_id, widget_key_id=key.id, values={"last_used_at": now()}
            )
    shown = "" if origin is None else origin.lower()
    visitor_id = new_id() if earlier is None else _visitor_of(earlier, keyring, key, shown)
    token = VisitorToken(
        widget_key_id=key.id,
        visitor_id=visitor_id,
        origin=shown,
        expires_at=now().replace(microsecond=0) + visitor_tokens.LIFETIME,
    )
    return Admitted(text=visitor_tokens.sign(token, keyring), token=token, chatbot=chatbot)


async def get_widget_chatbot(database: Database, *, public_key: str, origin: str | None) -> Chatbot:
    """The chatbot that a page of this origin shows. Raises UnknownWidgetKeyError, OriginNotAllowedError."""
    key = await _get_open_key(database, public_key, origin)
    async with database.transaction(key.tenant_id) as connection:
        return await get_chatbot(connection, _anybody(key), key.chatbot_id)


async def _get_open_key(database: Database, public_key: str, origin: str | None) -> WidgetKey:
    """A key that lives, for a page that it allows. Raises UnknownWidgetKeyError, OriginNotAllowedError."""
    async with database.system_reading() as reading:
        key = await repository.find_widget_key_by_public_key(reading, public_key)
    if key is None:
        raise UnknownWidgetKeyError
    if key.revoked_at is not None:
        _refuse(database, key, "revoked", origin)
        raise UnknownWidgetKeyError
    if not (key.allows_no_origin if origin is None else is_allowed(origin, key.origins)):
        _refuse(database, key, "origin", origin)
        raise OriginNotAllowedError
    return key


def _anybody(key: WidgetKey) -> Caller:
    return Caller(tenant_id=key.tenant_id, role=Role.MEMBER, asker="visitor", kind=CallerKind.VISITOR)


def _visitor_of(earlier: str, keyring: Keyring, key: WidgetKey, origin: str) -> UUID:
    token = visitor_tokens.verified(earlier, keyring, for_renewal=True)
    if token.widget_key_id != key.id or token.origin != origin:
        raise InvalidVisitorTokenError("This token is of another widget or web site. Leave it out to begin anew.")
    return token.visitor_id


def _refuse(database: Database, key: WidgetKey, reason: str, origin: str | None) -> None:
    audit.record_refusal(
        database,
        "visitor.refused",
        tenant_id=key.tenant_id,
        actor=f"widget_key:{key.id}",
        subject_type="widget_key",
        subject_id=key.id,
        reason=reason,
        origin="" if origin is None else origin[:300],
    )
