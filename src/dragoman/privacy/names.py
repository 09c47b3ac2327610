"""Under which names a person is known to the search log and the audit log."""

from __future__ import annotations

from sqlalchemy.ext.asyncio import AsyncConnection

from dragoman.kit.encryption import Keyring
from dragoman.privacy.entities import Subject
from dragoman.search.analytics import hash_asker
from dragoman.tenancy.audit_log import repository as audit_repository


def search_askers(keyring: Keyring, subject: Subject) -> list[bytes]:
    """The person's hashes in the search log, by each master key there is."""
    return [
        hash_asker(Keyring({key_id: key}), subject.tenant_id, subject.asker) for key_id, key in keyring.keys.items()
    ]


async def actors_of(connection: AsyncConnection, subject: Subject) -> list[str]:
    """The person as the audit log names them."""
    pseudonym = await audit_repository.find_pseudonym(connection, tenant_id=subject.tenant_id, reference=subject.asker)
    return [subject.asker, *([pseudonym] if pseudonym else [])]
