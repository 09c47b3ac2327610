"""Finds chunks by the words of a question."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from types import MappingProxyType
from typing import Final, NamedTuple, Protocol, runtime_checkable
from uuid import UUID

from sqlalchemy.ext.asyncio import AsyncConnection

from dragoman.kit.reading import ReadConnection, Reader
from dragoman.ports.search_scope import SearchScope

NO_SYNONYMS: Final[Mapping[str, Sequence[str]]] = MappingProxyType({})


@dataclass(frozen=True, slots=True, kw_only=True)
class KeywordChunk:
    """A chunk to index: its id, its place in the document version, its text (with title and headings) and language."""

    chunk_id: UUID
    ordinal: int
    text: str
    language: str


class KeywordHit(NamedTuple):
    """`score` is BM25 (Robertson and Zaragoza 2009), above 0; `matched_weight` is the share (0 to 1) of the question's IDF mass that the chunk matches."""

    chunk_id: UUID
    score: float
    matched_weight: float


@dataclass(frozen=True, slots=True, kw_only=True)
class KeywordTerm:
    """One token of the question: the forms it is looked for in, and its IDF in what the scope sees (greatest where no chunk holds it).

    `corrected_from` is the token as it was typed where no chunk in scope holds it and the forms are those of words that
    are spelled nearly alike; "" otherwise.
    """

    alternatives: tuple[str, ...]
    weight: float
    corrected_from: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class KeywordFound:
    """The chunks, and the terms of the question with their weights."""

    hits: Sequence[KeywordHit]
    terms: Sequence[KeywordTerm]


class KeywordIndex(Protocol):
    """Receives an open transaction scoped to the tenant and never opens its own. Visibility as in `VectorIndex`.

    Whoever changes what can be seen of a chatbot (makes a version live, deletes, changes labels, visibility or the
    index itself) raises the chatbot's `knowledge_revision` in the same transaction: an adapter may keep what it learned
    at one revision.

    Text is analysed by the language of the chunk; a question by every language in `languages` (those of the
    knowledge). Languages without spaces between words (Chinese, Japanese, Thai …) are searchable. Any text is a
    valid question; one without terms finds nothing. Hits come best first; ties by chunk id. The `limit` best are exact:
    no shortcut may change them.

    An adapter whose index lies outside PostgreSQL (`ports/external_index.py`) may name candidates in an order that is
    nearly that of the scores, and near words from among those its server thinks near. Scores count what the scope sees
    of what PostgreSQL knows to be indexed, and visibility is decided by PostgreSQL. While its server is away it answers
    from the texts, as well as it can; searching never fails because of it, adding raises an outage.
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

    async def remove_version(self, connection: AsyncConnection, *, tenant_id: UUID, version_id: UUID) -> None:
        """Forget a version: with the commit it is not found. Its words may stay in the store until `tidy`."""
        ...

    async def tidy(self, connection: AsyncConnection, *, tenant_id: UUID, chatbot_id: UUID) -> bool:
        """One bounded step of upkeep (merging, removing what is forgotten); whether there is more to do."""
        ...

    def prefetch(self, connection: ReadConnection, *, scope: SearchScope) -> None:
        """Announce what a search in this scope will read, where that is known before: it then costs no round trip."""
        ...

    async def search(
        self,
        connection: Reader,
        *,
        scope: SearchScope,
        query: str,
        languages: Sequence[str],
        limit: int,
        also: Sequence[UUID] = (),
        question_language: str = "",
        synonyms: Mapping[str, Sequence[str]] = NO_SYNONYMS,
        operators: bool = False,
    ) -> KeywordFound:
        """The `limit` best chunks, and those of `also` that match at all (so that every candidate of the dense arm has its keyword score).

        A word (without digits) that no chunk in scope holds is looked for as the words spelled most like it, at a
        lower weight, unless the question is in a language that the knowledge is not written in, or the word is an
        everyday one of the question's language (`kit/text/everyday_words.py`).

        Args:
            question_language: Its stop words are left out too: in text of another language they are rare and would
                weigh much. "" where it is not known.
            synonyms: Other words, best first, for words of the question as they stand there (one word or several). A
                chunk that holds all words of a synonym counts as one that holds the words of the question, at a lower
                weight; one that holds both counts once.
            operators: Read `"exact phrase"`, `prefix*`, `+required` and `-forbidden` as such (`kit/text/query_syntax.py`).
                Off, they are mere punctuation, as people write it to people. Of the chunks that hold the words of a phrase
                an adapter may look through the best only, at least 2,000.
        """
        ...


@runtime_checkable
class StoredKeywordIndex(Protocol):
    """A keyword index inside PostgreSQL, which can tell what it lacks (after a change of its layout, for instance)."""

    async def list_missing(
        self, connection: AsyncConnection, *, tenant_id: UUID, chatbot_id: UUID, limit: int
    ) -> list[UUID]:
        """Live versions that have chunks and of which the index has nothing, oldest first: to be added again."""
        ...
