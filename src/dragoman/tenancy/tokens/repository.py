"""SQL of signing keys and sign-ins."""

from __future__ import annotations

from datetime import datetime
from typing import Any
from uuid import UUID

from sqlalchemy import Row, bindparam, delete, func, insert, select, text, update
from sqlalchemy.ext.asyncio import AsyncConnection

from dragoman.kit.reading import Reader
from dragoman.tenancy.entities import Role
from dragoman.tenancy.tables import users
from dragoman.tenancy.tokens.entities import SignIn, SigningKey, SignInState
from dragoman.tenancy.tokens.tables import sign_ins, signing_keys

# ---- signing keys (as `system`)

_LIST_KEYS = select(signing_keys).order_by(signing_keys.c.created_at.desc(), signing_keys.c.id)
_LOCK = 5_318_008  # any number that no other advisory lock has


async def lock_signing_keys(connection: AsyncConnection) -> None:
    """Let nobody else make or retire keys until the transaction ends."""
    await connection.execute(text("select pg_advisory_xact_lock(:number)"), {"number": _LOCK})


async def list_signing_keys(connection: Reader) -> list[SigningKey]:
    """The newest first."""
    return [
        SigningKey(
            id=row.id,
            issuer=row.issuer,
            public_key=row.public_key,
            sealed_private_key=row.sealed_private_key,
            created_at=row.created_at,
            retired_at=row.retired_at,
        )
        for row in (await connection.execute(_LIST_KEYS, {})).all()
    ]


async def insert_signing_key(connection: AsyncConnection, key: SigningKey) -> None:
    await connection.execute(
        insert(signing_keys).values(
            id=key.id,
            issuer=key.issuer,
            public_key=key.public_key,
            sealed_private_key=key.sealed_private_key,
            created_at=key.created_at,
        )
    )


async def retire_signing_keys(connection: AsyncConnection, *, but: str, at: datetime) -> None:
    await connection.execute(
        update(signing_keys).where(signing_keys.c.id != but, signing_keys.c.retired_at.is_(None)).values(retired_at=at)
    )


async def delete_signing_keys(connection: AsyncConnection, *, retired_before: datetime) -> None:
    await connection.execute(delete(signing_keys).where(signing_keys.c.retired_at <= retired_before))


async def delete_signing_key(connection: AsyncConnection, key_id: str) -> bool:
    deleted = await connection.execute(delete(signing_keys).where(signing_keys.c.id == key_id))
    return bool(deleted.rowcount)


# ---- sign-ins

_FIND_STATE = (
    select(
        sign_ins.c.user_id,
        sign_ins.c.api_key_id,
        sign_ins.c.expires_at,
        sign_ins.c.revoked_at,
        users.c.role,
        users.c.deactivated_at,
    )
    .select_from(
        sign_ins.outerjoin(users, (users.c.tenant_id == sign_ins.c.tenant_id) & (users.c.id == sign_ins.c.user_id))
    )
    .where(sign_ins.c.tenant_id == bindparam("tenant_id"), sign_ins.c.id == bindparam("sign_in_id"))
)


async def find_sign_in_state(connection: Reader, *, tenant_id: UUID, sign_in_id: UUID) -> SignInState | None:
    found = await connection.execute(_FIND_STATE, {"tenant_id": tenant_id, "sign_in_id": sign_in_id})
    row = found.one_or_none()
    if row is None:
        return None
    return SignInState(
        user_id=row.user_id,
        api_key_id=row.api_key_id,
        role=None if row.role is None else Role(row.role),
        is_deactivated=row.deactivated_at is not None,
        expires_at=row.expires_at,
        revoked_at=row.revoked_at,
    )


async def insert_sign_in(connection: AsyncConnection, sign_in: SignIn) -> None:
    await connection.execute(
        insert(sign_ins).values(
            tenant_id=sign_in.tenant_id,
            id=sign_in.id,
            user_id=sign_in.user_id,
            api_key_id=sign_in.api_key_id,
            method=sign_in.method,
            is_cookie=sign_in.is_cookie,
            address=sign_in.address,
            user_agent=sign_in.user_agent,
            created_at=sign_in.created_at,
            last_used_at=sign_in.last_used_at,
            expires_at=sign_in.expires_at,
        )
    )


async def find_sign_in(connection: AsyncConnection, *, tenant_id: UUID, sign_in_id: UUID) -> SignIn | None:
    """Held until the transaction ends, so that two refreshes come one after the other."""
    query = select(sign_ins).where(sign_ins.c.tenant_id == tenant_id, sign_ins.c.id == sign_in_id).with_for_update()
    row = (await connection.execute(query)).one_or_none()
    return None if row is None else _sign_in(row)


async def list_sign_ins(
    connection: AsyncConnection, *, tenant_id: UUID, user_id: UUID, at: datetime, limit: int, offset: int
) -> tuple[list[SignIn], int]:
    """Those of a user that are open, newest first."""
    c = sign_ins.c
    mine = (c.tenant_id == tenant_id, c.user_id == user_id, c.revoked_at.is_(None), c.expires_at > at)
    total = (await connection.execute(select(func.count()).select_from(sign_ins).where(*mine))).scalar_one()
    rows = await connection.execute(select(sign_ins).where(*mine).order_by(c.id.desc()).limit(limit).offset(offset))
    return [_sign_in(row) for row in rows], total


async def knows_address(
    connection: AsyncConnection, *, tenant_id: UUID, user_id: UUID, address: str, since: datetime
) -> bool:
    """Whether the user has signed in from this address since then."""
    c = sign_ins.c
    query = select(c.id).where(
        c.tenant_id == tenant_id, c.user_id == user_id, c.address == address, c.created_at >= since
    )
    return (await connection.execute(query.limit(1))).first() is not None


async def mark_sign_in_used(connection: AsyncConnection, *, tenant_id: UUID, sign_in_id: UUID, at: datetime) -> None:
    await connection.execute(
        update(sign_ins).where(sign_ins.c.tenant_id == tenant_id, sign_ins.c.id == sign_in_id).values(last_used_at=at)
    )


async def revoke_sign_ins(
    connection: AsyncConnection,
    *,
    tenant_id: UUID,
    at: datetime,
    reason: str,
    sign_in_id: UUID | None = None,
    user_id: UUID | None = None,
    but: UUID | None = None,
) -> list[UUID]:
    """End one sign-in, or all of a user but one; the ids of those that were open."""
    c = sign_ins.c
    wanted = [c.tenant_id == tenant_id, c.revoked_at.is_(None)]
    if sign_in_id is not None:
        wanted.append(c.id == sign_in_id)
    if user_id is not None:
        wanted.append(c.user_id == user_id)
    if but is not None:
        wanted.append(c.id != but)
    ended = await connection.execute(
        update(sign_ins).where(*wanted).values(revoked_at=at, revoked_for=reason).returning(c.id)
    )
    return list(ended.scalars())


def _sign_in(row: Row[Any]) -> SignIn:
    return SignIn(
        id=row.id,
        tenant_id=row.tenant_id,
        user_id=row.user_id,
        api_key_id=row.api_key_id,
        method=row.method,
        is_cookie=row.is_cookie,
        address=row.address,
        user_agent=row.user_agent,
        created_at=row.created_at,
        last_used_at=row.last_used_at,
        expires_at=row.expires_at,
        revoked_at=row.revoked_at,
        revoked_for=row.revoked_for,
    )
