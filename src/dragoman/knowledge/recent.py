"""What searches read of a chatbot's knowledge, remembered at its revision: every change of the knowledge raises that.

What is asked for by its id must have been found by a search of the same transaction: here nothing is said of what the
asker may see. A revision that was read before the transaction began is right too: what is remembered for it is never
older than it.
"""

from __future__ import annotations

from collections.abc import Hashable, Sequence
from typing import Final
from uuid import UUID

from dragoman.kit.cache import ProcessCache
from dragoman.kit.reading import Reader
from dragoman.knowledge import repository
from dragoman.knowledge.entities import ChunkInDocument

EXPIRES_AFTER_S: Final = 600.0
MAX_MIB: Final = 48  # about 20,000 chunks
_OBJECT_BYTES: Final = 1500  # of a chunk without its text: measured 1,390 with two headings and a short title


class RecentKnowledge:
    """Chunks and languages, for this process."""

    def __init__(self, *, max_mib: int = MAX_MIB) -> None:
        self._chunks: ProcessCache[Hashable, ChunkInDocument] = ProcessCache(
            "knowledge_chunks",
            max_bytes=max_mib * 1024 * 1024,
            expires_after_s=EXPIRES_AFTER_S,
            size_of=lambda _, found: _OBJECT_BYTES + len(found.chunk.text.encode()),
        )
        self._languages: ProcessCache[Hashable, Sequence[str]] = ProcessCache(
            "knowledge_languages",
            max_bytes=1024 * 1024,
            expires_after_s=EXPIRES_AFTER_S,
            size_of=lambda _, languages: 100 * len(languages),
        )

    async def live_chunks(
        self, connection: Reader, *, tenant_id: UUID, chatbot_id: UUID, revision: int, chunk_ids: Sequence[UUID]
    ) -> dict[UUID, ChunkInDocument]:
        """As `repository.list_live_chunks`."""
        # Of numbers, since a UUID computes its hash in Python each time.
        keys = [(chatbot_id.int, revision, chunk_id.int) for chunk_id in chunk_ids]
        known = self._chunks.find_all(keys)
        found = {one: chunk for one, chunk in zip(chunk_ids, known, strict=True) if chunk is not None}
        missing = [one for one, chunk in zip(chunk_ids, known, strict=True) if chunk is None]
        if missing:
            read = await repository.list_live_chunks(
                connection, tenant_id=tenant_id, chatbot_id=chatbot_id, chunk_ids=missing
            )
            for chunk_id, chunk in read.items():
                self._chunks.put((chatbot_id.int, revision, chunk_id.int), chunk)
            found |= read
        return found

    async def live_languages(
        self, connection: Reader, *, tenant_id: UUID, chatbot_id: UUID, revision: int
    ) -> Sequence[str]:
        """As `repository.list_live_languages`."""
        languages = self._languages.find((chatbot_id, revision))
        if languages is None:
            languages = await repository.list_live_languages(connection, tenant_id=tenant_id, chatbot_id=chatbot_id)
            self._languages.put((chatbot_id, revision), languages)
        return languages


recent_knowledge: Final = RecentKnowledge()
"""Of all chatbots that this process serves: their ids are unique."""
