"""SQL of identity providers and of who users are there."""

from __future__ import annotations

from uuid import UUID

from sqlalchemy import delete, select
from sqlalchemy.dialects.postgresql import insert as upsert
from sqlalchemy.ext.asyncio import AsyncConnection

from dragoman.accounts.single_sign_on.entities import Provider
from dragoman.accounts.tables import single_sign_on, user_identities
from dragoman.tenancy.entities import Role


async def find_provider(connection: AsyncConnection, *, tenant_id: UUID) -> Provider | None:
    query = select(single_sign_on).where(single_sign_on.c.tenant_id == tenant_id)
    row = (await connection.execute(query)).one_or_none()
    if row is None:
        return None
    return Provider(
        tenant_id=row.tenant_id,
        name=row.settings["name"],
        issuer=row.issuer,
        client_id=row.client_id,
        sealed_client_secret=row.sealed_client_secret,
        creates_users=row.settings["creates_users"],
        default_role=Role(row.settings["default_role"]),
        allowed_domains=tuple(row.settings["allowed_domains"]),
        updated_at=row.updated_at,
    )


async def find_only_tenant(connection: AsyncConnection) -> UUID | None:
    """The tenant with an identity provider where exactly one has any. Read as `system`: the tenant is not known yet."""
    found = (await connection.execute(select(single_sign_on.c.tenant_id).limit(2))).scalars().all()
    return found[0] if len(found) == 1 else None


async def set_provider(connection: AsyncConnection, provider: Provider) -> None:
    values = {
        "issuer": provider.issuer,
        "client_id": provider.client_id,
        "sealed_client_secret": provider.sealed_client_secret,
        "settings": {
            "name": provider.name,
            "creates_users": provider.creates_users,
            "default_role": provider.default_role.value,
            "allowed_domains": list(provider.allowed_domains),
        },
        "updated_at": provider.updated_at,
    }
    statement = upsert(single_sign_on).values(tenant_id=provider.tenant_id, **values)
    await connection.execute(statement.on_conflict_do_update(index_elements=["tenant_id"], set_=values))


async def delete_provider(connection: AsyncConnection, *, tenant_id: UUID) -> bool:
    deleted = await connection.execute(delete(single_sign_on).where(single_sign_on.c.tenant_id == tenant_id))
    return bool(deleted.rowcount)


async def find_user_of(connection: AsyncConnection, *, tenant_id: UUID, issuer: str, subject: str) -> UUID | None:
    c = user_identities.c
    query = select(c.user_id).where(c.tenant_id == tenant_id, c.issuer == issuer, c.subject == subject)
    return (await connection.execute(query)).scalar_one_or_none()


async def insert_identity(
    connection: AsyncConnection, *, tenant_id: UUID, issuer: str, subject: str, user_id: UUID
) -> None:
    await connection.execute(
        upsert(user_identities).values(tenant_id=tenant_id, issuer=issuer, subject=subject, user_id=user_id)
    )
