"""What a language model wrote and an asker rated down is told to nobody any more: the next who asks has it written anew.

A text is known by the name under which the answer cache remembers it (`Draft.remembered_as`). The database keeps when it
was rejected, so that every process knows at once; a text of the same name that was written later is told again.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import timedelta
from typing import Any, Final
from uuid import UUID

from sqlalchemy.ext.asyncio import AsyncConnection

from dragoman.deps import Deps
from dragoman.generation import repository
from dragoman.kit.database import Database
from dragoman.tenancy import service as tenancy

_KEPT: Final = timedelta(days=30)  # far longer than texts are remembered


async def reject(connection: AsyncConnection, *, tenant_id: UUID, name: str) -> None:
    """Let the remembered text of this name be told no more, from the commit on."""
    await repository.reject_text(connection, tenant_id=tenant_id, name=bytes.fromhex(name))


async def is_rejected(deps: Deps, tenant_id: UUID, kept: Mapping[str, Any]) -> bool:
    """Whether a remembered text (`name_of_text`, `written_at` in seconds) was rated down since it was written."""
    async with deps.database.reading(tenant_id) as connection:
        rejected_at = await repository.find_rejection(
            connection, tenant_id=tenant_id, name=bytes.fromhex(kept["name_of_text"])
        )
    return rejected_at is not None and rejected_at.timestamp() >= kept["written_at"]


async def purge(database: Database) -> int:
    """Forget rejections of texts that nobody remembers, of every tenant; how many. The scheduler calls it."""
    removed = 0
    for tenant in await tenancy.list_tenants(database):
        async with database.transaction(tenant.id) as connection:
            removed += await repository.forget_rejections(connection, tenant_id=tenant.id, older_than=_KEPT)
    return removed
