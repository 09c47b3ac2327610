"""SQL of users' accounts: passwords, refresh tokens, one-time links, single sign-on."""

from __future__ import annotations

from datetime import datetime
from typing import Any
from uuid import UUID

from sqlalchemy import Row, Select, delete, func, insert, or_, select, update
from sqlalchemy.dialects.postgresql import insert as upsert
from sqlalchemy.ext.asyncio import AsyncConnection

from dragoman.accounts.entities import Credentials, LinkKind, OneTimeLink, Person, RefreshToken
from dragoman.accounts.tables import one_time_links, refresh_tokens, user_passwords
from dragoman.tenancy.entities import Role
from dragoman.tenancy.tables import api_keys, tenants, users
from dragoman.tenancy.tokens.tables import sign_ins

# ---- users

_PERSON = select(users, user_passwords.c.password_hash, tenants.c.name.label("tenant_name")).select_from(
    users.join(tenants, tenants.c.id == users.c.tenant_id).outerjoin(
        user_passwords,
        (user_passwords.c.tenant_id == users.c.tenant_id) & (user_passwords.c.user_id == users.c.id),
    )
)


async def list_users_with_email(connection: AsyncConnection, *, email: str, limit: int) -> list[tuple[UUID, UUID]]:
    """Tenant and id of the users with this address in any tenant. Read as `system`: the tenant is not known yet."""
    query = select(users.c.tenant_id, users.c.id).where(users.c.email == email).order_by(users.c.id).limit(limit)
    return [(row.tenant_id, row.id) for row in await connection.execute(query)]


def address_of_user(*, tenant_id: UUID, user_id: UUID) -> Select[tuple[str]]:
    """A user's address, for a condition on what was sent to it."""
    return select(users.c.email).where(users.c.tenant_id == tenant_id, users.c.id == user_id)


async def find_credentials(connection: AsyncConnection, *, tenant_id: UUID, user_id: UUID) -> Credentials | None:
    query = _PERSON.where(users.c.tenant_id == tenant_id, users.c.id == user_id)
    row = (await connection.execute(query)).one_or_none()
    if row is None:
        return None
    return Credentials(person=_person(row), tenant_name=row.tenant_name, password_hash=row.password_hash)


async def find_person(connection: AsyncConnection, *, tenant_id: UUID, user_id: UUID) -> Person | None:
    found = await find_credentials(connection, tenant_id=tenant_id, user_id=user_id)
    return None if found is None else found.person


async def find_person_by_email(connection: AsyncConnection, *, tenant_id: UUID, email: str) -> Person | None:
    query = _PERSON.where(users.c.tenant_id == tenant_id, users.c.email == email)
    row = (await connection.execute(query)).one_or_none()
    return None if row is None else _person(row)


async def list_people(
    connection: AsyncConnection, *, tenant_id: UUID, limit: int, offset: int
) -> tuple[list[Person], int]:
    mine = users.c.tenant_id == tenant_id
    total = (await connection.execute(select(func.count()).select_from(users).where(mine))).scalar_one()
    rows = await connection.execute(_PERSON.where(mine).order_by(users.c.id).limit(limit).offset(offset))
    return [_person(row) for row in rows], total


async def insert_person(
    connection: AsyncConnection, *, tenant_id: UUID, user_id: UUID, email: str, display_name: str, role: Role
) -> None:
    await connection.execute(
        insert(users).values(tenant_id=tenant_id, id=user_id, email=email, display_name=display_name, role=role.value)
    )


async def update_person(connection: AsyncConnection, *, tenant_id: UUID, user_id: UUID, values: dict[str, Any]) -> None:
    if values:
        await connection.execute(
            update(users).where(users.c.tenant_id == tenant_id, users.c.id == user_id).values(**values)
        )


async def delete_person(connection: AsyncConnection, *, tenant_id: UUID, user_id: UUID) -> None:
    await connection.execute(delete(users).where(users.c.tenant_id == tenant_id, users.c.id == user_id))


async def lock_owners(connection: AsyncConnection, *, tenant_id: UUID) -> list[UUID]:
    """The owners who may sign in, each held until the transaction ends: so that two cannot lower each other."""
    query = (
        select(users.c.id)
        .where(users.c.tenant_id == tenant_id, users.c.role == Role.OWNER.value, users.c.deactivated_at.is_(None))
        .order_by(users.c.id)
        .with_for_update()
    )
    return list((await connection.execute(query)).scalars())


async def revoke_keys_of(connection: AsyncConnection, *, tenant_id: UUID, user_id: UUID, at: datetime) -> list[UUID]:
    """Revoke the API keys that are bound to a user; their ids."""
    c = api_keys.c
    revoked = await connection.execute(
        update(api_keys)
        .where(c.tenant_id == tenant_id, c.user_id == user_id, c.revoked_at.is_(None))
        .values(revoked_at=at)
        .returning(c.id)
    )
    return list(revoked.scalars())


async def tenant_name(connection: AsyncConnection, *, tenant_id: UUID) -> str:
    name: str = (await connection.execute(select(tenants.c.name).where(tenants.c.id == tenant_id))).scalar_one()
    return name


def _person(row: Row[Any]) -> Person:
    return Person(
        id=row.id,
        tenant_id=row.tenant_id,
        email=row.email,
        display_name=row.display_name,
        role=Role(row.role),
        has_password=row.password_hash is not None,
        created_at=row.created_at,
        deactivated_at=row.deactivated_at,
        last_sign_in_at=row.last_sign_in_at,
    )


# ---- passwords


async def set_password(
    connection: AsyncConnection, *, tenant_id: UUID, user_id: UUID, password_hash: str, at: datetime
) -> None:
    statement = upsert(user_passwords).values(
        tenant_id=tenant_id, user_id=user_id, password_hash=password_hash, changed_at=at
    )
    await connection.execute(
        statement.on_conflict_do_update(
            index_elements=["tenant_id", "user_id"], set_={"password_hash": password_hash, "changed_at": at}
        )
    )


async def replace_hash(
    connection: AsyncConnection, *, tenant_id: UUID, user_id: UUID, old_hash: str, new_hash: str
) -> None:
    """The same password hashed anew, unless it was changed meanwhile."""
    c = user_passwords.c
    await connection.execute(
        update(user_passwords)
        .where(c.tenant_id == tenant_id, c.user_id == user_id, c.password_hash == old_hash)
        .values(password_hash=new_hash)
    )


# ---- refresh tokens


async def insert_refresh_token(
    connection: AsyncConnection, *, tenant_id: UUID, sign_in_id: UUID, token_hash: bytes, expires_at: datetime
) -> None:
    await connection.execute(
        insert(refresh_tokens).values(
            tenant_id=tenant_id, sign_in_id=sign_in_id, token_hash=token_hash, expires_at=expires_at
        )
    )


async def find_refresh_token(connection: AsyncConnection, *, tenant_id: UUID, token_hash: bytes) -> RefreshToken | None:
    """Held until the transaction ends: of two uses at once one comes second."""
    c = refresh_tokens.c
    query = select(refresh_tokens).where(c.tenant_id == tenant_id, c.token_hash == token_hash).with_for_update()
    row = (await connection.execute(query)).one_or_none()
    if row is None:
        return None
    return RefreshToken(
        token_hash=row.token_hash,
        sign_in_id=row.sign_in_id,
        expires_at=row.expires_at,
        used_at=row.used_at,
        sealed_successor=row.sealed_successor,
    )


async def mark_refresh_token_used(
    connection: AsyncConnection, *, tenant_id: UUID, token_hash: bytes, at: datetime, sealed_successor: bytes
) -> None:
    c = refresh_tokens.c
    await connection.execute(
        update(refresh_tokens)
        .where(c.tenant_id == tenant_id, c.token_hash == token_hash)
        .values(used_at=at, sealed_successor=sealed_successor)
    )


async def delete_ended_sign_ins(
    connection: AsyncConnection, *, tenant_id: UUID, before: datetime, unused_since: datetime
) -> int:
    """Delete sign-ins that were over before, or unused since, with their refresh tokens; how many."""
    c = sign_ins.c
    is_over = or_(c.revoked_at < before, c.expires_at < before, c.last_used_at < unused_since)
    return (await connection.execute(delete(sign_ins).where(c.tenant_id == tenant_id, is_over))).rowcount


# ---- one-time links


async def insert_link(connection: AsyncConnection, link: OneTimeLink, *, token_hash: bytes) -> None:
    await connection.execute(
        insert(one_time_links).values(
            tenant_id=link.tenant_id,
            id=link.id,
            kind=link.kind.value,
            email=link.email,
            role=None if link.role is None else link.role.value,
            user_id=link.user_id,
            token_hash=token_hash,
            created_by=link.created_by,
            created_at=link.created_at,
            expires_at=link.expires_at,
        )
    )


async def find_link(connection: AsyncConnection, *, tenant_id: UUID, token_hash: bytes) -> OneTimeLink | None:
    """Held until the transaction ends, so that it is used once."""
    c = one_time_links.c
    query = select(one_time_links).where(c.tenant_id == tenant_id, c.token_hash == token_hash).with_for_update()
    row = (await connection.execute(query)).one_or_none()
    return None if row is None else _link(row)


async def list_open_links(
    connection: AsyncConnection, *, tenant_id: UUID, kind: LinkKind, at: datetime, limit: int, offset: int
) -> tuple[list[OneTimeLink], int]:
    c = one_time_links.c
    wanted = (
        c.tenant_id == tenant_id,
        c.kind == kind.value,
        c.used_at.is_(None),
        c.revoked_at.is_(None),
        c.expires_at > at,
    )
    total = (await connection.execute(select(func.count()).select_from(one_time_links).where(*wanted))).scalar_one()
    rows = await connection.execute(
        select(one_time_links).where(*wanted).order_by(c.id.desc()).limit(limit).offset(offset)
    )
    return [_link(row) for row in rows], total


async def mark_link_used(connection: AsyncConnection, *, tenant_id: UUID, link_id: UUID, at: datetime) -> None:
    c = one_time_links.c
    await connection.execute(update(one_time_links).where(c.tenant_id == tenant_id, c.id == link_id).values(used_at=at))


async def revoke_links(
    connection: AsyncConnection,
    *,
    tenant_id: UUID,
    at: datetime,
    kind: LinkKind | None = None,
    email: str | None = None,
    link_id: UUID | None = None,
) -> int:
    """Revoke the open links that are meant; how many there were."""
    c = one_time_links.c
    wanted = [c.tenant_id == tenant_id, c.used_at.is_(None), c.revoked_at.is_(None), c.expires_at > at]
    if kind is not None:
        wanted.append(c.kind == kind.value)
    if email is not None:
        wanted.append(c.email == email)
    if link_id is not None:
        wanted.append(c.id == link_id)
    return (await connection.execute(update(one_time_links).where(*wanted).values(revoked_at=at))).rowcount


async def delete_ended_links(connection: AsyncConnection, *, tenant_id: UUID, before: datetime) -> int:
    """Delete links that were used, revoked or expired before; how many."""
    c = one_time_links.c
    is_over = or_(c.used_at < before, c.revoked_at < before, c.expires_at < before)
    return (await connection.execute(delete(one_time_links).where(c.tenant_id == tenant_id, is_over))).rowcount


def _link(row: Row[Any]) -> OneTimeLink:
    return OneTimeLink(
        id=row.id,
        tenant_id=row.tenant_id,
        kind=LinkKind(row.kind),
        email=row.email,
        role=None if row.role is None else Role(row.role),
        user_id=row.user_id,
        created_by=row.created_by,
        created_at=row.created_at,
        expires_at=row.expires_at,
        used_at=row.used_at,
        revoked_at=row.revoked_at,
    )
