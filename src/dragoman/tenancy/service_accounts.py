"""Service accounts: machines with a name, a role, keys, and documents and sessions of their own."""

from __future__ import annotations

from typing import Any
from uuid import UUID

from sqlalchemy.exc import IntegrityError
from sqlalchemy.ext.asyncio import AsyncConnection

from dragoman.kit.clock import new_id, now
from dragoman.kit.database import Database
from dragoman.kit.pagination import Page, PageRequest
from dragoman.tenancy import access, audit, repository
from dragoman.tenancy.access import RANK
from dragoman.tenancy.entities import Caller, Role, ServiceAccount
from dragoman.tenancy.errors import ForbiddenError, ServiceAccountExistsError, ServiceAccountNotFoundError


async def create_service_account(
    database: Database, caller: Caller, *, name: str, description: str, role: Role
) -> ServiceAccount:
    """Raises ForbiddenError: the role is above the caller's; ServiceAccountExistsError."""
    _require_rank(caller, role)
    account = ServiceAccount(
        id=new_id(),
        tenant_id=caller.tenant_id,
        name=name,
        description=description,
        role=role,
        is_active=True,
        created_by=caller.asker,
        created_at=now(),
    )
    try:
        async with database.transaction(caller.tenant_id) as connection:
            await repository.insert_service_account(connection, account)
            await _record(connection, caller, "service_account.created", account.id, **_told_of(account))
    except IntegrityError as error:
        raise ServiceAccountExistsError from error
    return account


async def list_service_accounts(database: Database, caller: Caller, page: PageRequest) -> Page[ServiceAccount]:
    async with database.transaction(caller.tenant_id) as connection:
        items, total = await repository.list_service_accounts(
            connection, tenant_id=caller.tenant_id, limit=page.limit, offset=page.offset
        )
    return Page(items=items, total=total, limit=page.limit, offset=page.offset)


async def get_service_account(connection: AsyncConnection, caller: Caller, account_id: UUID) -> ServiceAccount:
    """Raises ServiceAccountNotFoundError."""
    account = await repository.find_service_account(connection, tenant_id=caller.tenant_id, account_id=account_id)
    if account is None:
        raise ServiceAccountNotFoundError
    return account


async def update_service_account(
    database: Database,
    caller: Caller,
    account_id: UUID,
    *,
    name: str | None,
    description: str | None,
    role: Role | None,
    is_active: bool | None,
) -> ServiceAccount:
    """Change what is given. Its keys follow: with a lower role they may do less, and while it is inactive nothing.

    Raises:
        ServiceAccountNotFoundError, ServiceAccountExistsError.
        ForbiddenError: its role, or the one it shall have, is above the caller's.
    """
    given: dict[str, Any] = {"name": name, "description": description, "role": role, "is_active": is_active}
    values = {column: value for column, value in given.items() if value is not None}
    try:
        async with database.transaction(caller.tenant_id) as connection:
            before = await get_service_account(connection, caller, account_id)
            _require_rank(caller, before.role, *([role] if role else []))
            if values:
                await repository.update_service_account(
                    connection, tenant_id=caller.tenant_id, account_id=account_id, values=values
                )
            after = await get_service_account(connection, caller, account_id)
            told = {"before": _told_of(before), "after": _told_of(after)}
            await _record(connection, caller, "service_account.changed", account_id, **told)
    except IntegrityError as error:
        raise ServiceAccountExistsError from error
    access.forget_tenant(database, caller.tenant_id)
    return after


async def delete_service_account(database: Database, caller: Caller, account_id: UUID) -> None:
    """Delete a machine with its keys and its roles on chatbots. Its documents and sessions stay, and nobody's.

    Raises:
        ServiceAccountNotFoundError, ForbiddenError: its role is above the caller's.
    """
    async with database.transaction(caller.tenant_id) as connection:
        account = await get_service_account(connection, caller, account_id)
        _require_rank(caller, account.role)
        await repository.delete_service_account(connection, tenant_id=caller.tenant_id, account_id=account_id)
        await _record(connection, caller, "service_account.deleted", account_id, **_told_of(account))
    access.forget_tenant(database, caller.tenant_id)


def _require_rank(caller: Caller, *roles: Role) -> None:
    for role in roles:
        if RANK[role] > RANK[caller.role]:
            raise ForbiddenError(f"Your role is {caller.role.value!r}: {role.value!r} is above it.")


def _told_of(account: ServiceAccount) -> dict[str, Any]:
    """What an audit event says of it."""
    return {
        "name": account.name,
        "description": account.description,
        "role": account.role.value,
        "is_active": account.is_active,
    }


async def _record(connection: AsyncConnection, caller: Caller, action: str, account_id: UUID, **details: Any) -> None:
    await audit.record(connection, caller, action, subject_type="service_account", subject_id=account_id, **details)
