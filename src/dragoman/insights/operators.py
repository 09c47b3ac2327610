"""Who may see figures of the whole installation, which tell of all tenants at once.

The operator's tenant, which DRAGOMAN_OPERATOR_TENANT names. Where none is named and there is one tenant only, that one: all
figures are its own then, and with a second tenant they are closed to both. The command line, which reaches the database
itself, may always.
"""

from __future__ import annotations

from collections.abc import Sequence
from uuid import UUID

from dragoman.kit.database import Database
from dragoman.tenancy import service as tenancy


async def is_operator(database: Database, tenant_id: UUID, named: UUID | None) -> bool:
    """Whether this is the operator's tenant; `named`: the setting. Raises DatabaseUnavailableError."""
    if named is not None:
        return tenant_id == named
    return operator_of([tenant.id for tenant in await tenancy.list_tenants(database)], None) == tenant_id


def operator_of(tenants: Sequence[UUID], named: UUID | None) -> UUID | None:
    """The operator's tenant among these; None: nobody is."""
    if named is not None:
        return named if named in tenants else None
    return tenants[0] if len(tenants) == 1 else None
