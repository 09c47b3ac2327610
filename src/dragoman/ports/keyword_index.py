"""Finds chunks by the words of a question."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Protocol
from uuid import UUID

from sqlalchemy.ext.asyncio import AsyncConnection

from dragoman.ports.search_scope import SearchScope


@dataclass(frozen=True, slots=True, kw_only=True)
class KeywordChunk:
    """A chunk to index: its place in the document version, its text (with title and headings) and its language."""

    ordinal: int
    text: str
    language: str


@dataclass(frozen=True, slots=True, kw_only=True)
class KeywordHit:
    """`score` is BM25 (Robertson and Zaragoza 2009), above 0; `matched_weight` is the share (0 to 1) of the question's IDF mass that the chunk matches."""

    chunk_id: UUID
    score: float
    matched_weight: float


@dataclass(frozen=True, slots=True, kw_only=True)
class KeywordTerm:
    """One token of the question: the forms it is looked for in, and its IDF in what the scope sees (greatest where no chunk holds it)."""

    alternatives: tuple[str, ...]
    weight: float


@dataclass(frozen=True, slots=True, kw_only=True)
class KeywordFound:
    """The chunks, and the terms of the question with their weights."""

    hits: Sequence[KeywordHit]
    terms: Sequence[KeywordTerm]


class KeywordIndex(Protocol):
    """Receives an open transaction scoped to the tenant and never opens its own. Visibility as in `VectorIndex`.

    Text is analysed by the language of the chunk; a question by every language in `languages` (those of the
    knowledge). Languages without spaces between words (Chinese, Japanese, Thai …) are searchable. Any text is a
    valid question; one without terms finds nothing. Hits come best first; ties by chunk id.
    """

    async def add(
        self,
        connection: AsyncConnection,
        *,
        tenant_id: UUID,
        chatbot_id: UUID,
        versions: Mapping[UUID, Sequence[KeywordChunk]],
    ) -> None:
        """Index the chunks of versions, by the ids of these; the same version again replaces what was there."""
        ...

    async def remove_version(self, connection: AsyncConnection, *, tenant_id: UUID, version_id: UUID) -> None: ...

    async def search(
        self,
        connection: AsyncConnection,
        *,
        scope: SearchScope,
        query: str,
        languages: Sequence[str],
        limit: int,
        also: Sequence[UUID] = (),
        question_language: str = "",
    ) -> KeywordFound:
        """The `limit` best chunks, and those of `also` that match at all (so that every candidate of the dense arm has its keyword score).

        Where `question_language` is known, its stop words are left out too: in text of another language they are rare
        and would weigh much.
        """
        ...
