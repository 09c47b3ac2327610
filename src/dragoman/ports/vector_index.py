"""Finds chunks by the meaning of a question: nearest vectors within one chatbot."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import NamedTuple, Protocol, runtime_checkable
from uuid import UUID

from sqlalchemy.ext.asyncio import AsyncConnection

from dragoman.kit.reading import Reader
from dragoman.ports.embedder import Vectors
from dragoman.ports.external_index import IndexPlace
from dragoman.ports.search_scope import SearchScope


@dataclass(frozen=True, slots=True, kw_only=True)
class ChunkVectors:
    """The vectors of one chunk: `chunk` of shape `(d,)`; `sentences` of shape `(n, d)` with `n` spans into the chunk's text."""

    document_id: UUID
    version_id: UUID
    chunk_id: UUID
    chunk: Vectors
    sentences: Vectors
    sentence_spans: Sequence[tuple[int, int]]


class DenseHit(NamedTuple):
    """Cosine of the question with the chunk, and the best cosine with one of its sentences (None: it has none stored)."""

    chunk_id: UUID
    cosine: float
    best_sentence_cosine: float | None


@dataclass(frozen=True, slots=True, kw_only=True)
class SentenceHit:
    chunk_id: UUID
    start: int
    end: int
    cosine: float


class VectorIndex(Protocol):
    """Receives an open transaction scoped to the tenant and never opens its own.

    Only chunks of the current version of a live, approved document that the scope may see are ever returned, in the
    transaction that sees the change. `search` is exact unless an approximate index is chosen for the chatbot (then
    recall@10 >= 0.98). Hits come best first; ties by chunk id.

    An adapter that searches outside PostgreSQL (`ports/external_index.py`) takes from there only which chunks to look
    at, so its recall is that of the other index; cosines and visibility are PostgreSQL's. While its server is away
    PostgreSQL searches alone: `search` never fails because of it, `add` and `copy` raise an outage.
    """

    async def add(
        self,
        connection: AsyncConnection,
        *,
        tenant_id: UUID,
        chatbot_id: UUID,
        embedding_version: int,
        vectors: Sequence[ChunkVectors],
    ) -> None:
        """Store vectors of chunks, of any documents; the same chunk again replaces its vectors."""
        ...

    async def list_embedded(
        self,
        connection: AsyncConnection,
        *,
        tenant_id: UUID,
        chatbot_id: UUID,
        version_id: UUID,
        embedding_version: int,
    ) -> set[UUID]:
        """The chunks of a document version that have their vectors already (so that a killed job goes on where it stood)."""
        ...

    async def copy(
        self,
        connection: AsyncConnection,
        *,
        tenant_id: UUID,
        chatbot_id: UUID,
        document_id: UUID,
        version_id: UUID,
        embedding_version: int,
        pairs: Sequence[tuple[UUID, UUID]],
        with_sentences: bool,
    ) -> set[UUID]:
        """Give new chunks (of `version_id`) the vectors of old ones with the same text: `pairs` are (old, new).

        Returns the new chunks that now have their vectors: all whose old one had them, with sentences where wanted.
        """
        ...

    async def remove_version(self, connection: AsyncConnection, *, tenant_id: UUID, version_id: UUID) -> None:
        """Remove all vectors of a document version, of every embedding version."""
        ...

    async def search(
        self, connection: Reader, *, scope: SearchScope, embedding_version: int, query: Vectors, limit: int
    ) -> list[DenseHit]:
        """The `limit` chunks nearest to `query` (shape `(d,)`) by their own cosine, united with the `limit` nearest by their best sentence.

        Up to twice `limit` hits, each with both cosines, by the better of their two ranks.
        """
        ...

    async def score(
        self,
        connection: Reader,
        *,
        scope: SearchScope,
        embedding_version: int,
        query: Vectors,
        chunk_ids: Sequence[UUID],
    ) -> list[DenseHit]:
        """The scores of given chunks (those the keyword arm found); chunks outside the scope are left out."""
        ...

    async def score_sentences(
        self,
        connection: Reader,
        *,
        scope: SearchScope,
        embedding_version: int,
        query: Vectors,
        chunk_ids: Sequence[UUID],
    ) -> list[SentenceHit]:
        """Every stored sentence of these chunks with its cosine, in the order of the text."""
        ...

    async def vectors(
        self,
        connection: Reader,
        *,
        scope: SearchScope,
        embedding_version: int,
        chunk_ids: Sequence[UUID],
    ) -> dict[UUID, Vectors]:
        """The own vectors of these chunks (shape `(d,)`); chunks outside the scope and those without one are left out."""
        ...


@runtime_checkable
class RemembersVectors(Protocol):
    """A vector index that keeps vectors in this process; somebody must give it transactions to read them in."""

    async def next_to_remember(self) -> IndexPlace:
        """Waits until searches would be helped by the vectors of a chatbot."""
        ...

    async def remember(self, connection: Reader, place: IndexPlace) -> None:
        """Read them; the transaction must see one state of the database."""
        ...
