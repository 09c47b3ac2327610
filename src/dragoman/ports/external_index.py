"""An index outside PostgreSQL: how it is compared with PostgreSQL, which is the truth, and mended.

An adapter of `vector_index` or `keyword_index` that keeps entries on a server of its own promises this besides its
port. A write goes to PostgreSQL and to the server before the commit. So after a roll-back, a crash or an outage the
server may hold entries that PostgreSQL does not know, or lack some; neither is seen in an answer, because whatever the
server finds is looked up in PostgreSQL in the transaction of the search. The comparison finds such drifts.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Protocol, runtime_checkable
from uuid import UUID

from sqlalchemy.ext.asyncio import AsyncConnection


@dataclass(frozen=True, slots=True, kw_only=True)
class IndexPlace:
    """What an index keeps apart from all else: a chatbot, and in a vector index an embedding version (else None)."""

    tenant_id: UUID
    chatbot_id: UUID
    embedding_version: int | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Digest:
    """The entries of one document version: how many, and the exclusive or of 64 bits of each one's id."""

    entries: int = 0
    mark: int = 0

    def with_entry(self, mark: int) -> Digest:
        return Digest(entries=self.entries + 1, mark=self.mark ^ mark)


Digests = Mapping[UUID, Digest]
"""By document version."""


@runtime_checkable
class ExternalIndex(Protocol):
    """What an index outside PostgreSQL offers for its upkeep.

    All of it may raise ServiceAwayError and ServiceRefusedError (`kit/json_service.py`).
    """

    async def list_places(self, connection: AsyncConnection, *, tenant_id: UUID) -> list[IndexPlace]:
        """The places of a tenant's chatbots, whether or not anything is in them."""
        ...

    async def list_outside_places(self, *, tenant_id: UUID) -> list[IndexPlace]:
        """The places of this tenant that the server has something in, those of deleted chatbots too."""
        ...

    async def digest_stored(self, connection: AsyncConnection, place: IndexPlace) -> Digests:
        """What should be there, by PostgreSQL."""
        ...

    async def digest_outside(self, place: IndexPlace) -> Digests:
        """What is there."""
        ...

    async def forget_versions(self, place: IndexPlace, version_ids: Sequence[UUID]) -> None:
        """Remove all entries of these document versions from the server."""
        ...

    async def drop_place(self, place: IndexPlace) -> None:
        """Remove all entries of the place from the server."""
        ...


@runtime_checkable
class ExternalVectorIndex(ExternalIndex, Protocol):
    """A vector index outside PostgreSQL: it is filled from the vectors that PostgreSQL holds."""

    async def send_versions(self, connection: AsyncConnection, place: IndexPlace, version_ids: Sequence[UUID]) -> int:
        """Write the entries of these document versions to the server, from PostgreSQL; how many."""
        ...
