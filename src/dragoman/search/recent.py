"""Chatbots as this process's searches last read them, so that a search need not read its chatbot first.

A search begins with what is remembered, and the transaction that it searches in reads the chatbot beside: when that has
changed, whatever was found is thrown away and the search begins anew. So a result is never of a knowledge or of settings
older than its request, and the search costs one round trip less.
"""

from __future__ import annotations

from collections.abc import Hashable
from dataclasses import dataclass
from typing import Final
from uuid import UUID

from dragoman.embeddings.entities import EmbeddingVersion
from dragoman.kit.cache import ProcessCache
from dragoman.kit.database import Database
from dragoman.kit.reading import Along, ReadConnection
from dragoman.tenancy import service as tenancy
from dragoman.tenancy.entities import Caller, Chatbot

EXPIRES_AFTER_S: Final = 60.0  # the row of an embedding version, which hardly ever changes, is not read again before
_MAX_BYTES: Final = 16 * 1024 * 1024
_OBJECT_BYTES: Final = 4000  # of a chatbot without its settings, and of its version


@dataclass(frozen=True, slots=True)
class RecentChatbot:
    chatbot: Chatbot
    version: EmbeddingVersion


class RecentChatbots:
    """By tenant and by the id that was asked for; None is the default one, whichever that is."""

    def __init__(self) -> None:
        self._cache: ProcessCache[Hashable, RecentChatbot] = ProcessCache(
            "recent_chatbots",
            max_bytes=_MAX_BYTES,
            expires_after_s=EXPIRES_AFTER_S,
            size_of=lambda _, recent: _OBJECT_BYTES + len(repr(recent.chatbot.settings)),
        )

    def find(self, caller: Caller, chatbot_id: UUID | None) -> RecentChatbot | None:
        found = self._cache.find((caller.tenant_id, chatbot_id or caller.chatbot_id))
        return found if found is not None and caller.sees(found.chatbot.id) else None

    def keep(
        self, caller: Caller, chatbot_id: UUID | None, chatbot: Chatbot, version: EmbeddingVersion
    ) -> RecentChatbot:
        recent = RecentChatbot(chatbot, version)
        self._cache.put((caller.tenant_id, chatbot_id or caller.chatbot_id), recent)
        return recent


recent_chatbots: Final = RecentChatbots()
"""Of all tenants that this process serves: their ids are unique."""


class Check:
    """Whether a chatbot is still as it is remembered, for one request."""

    def __init__(self, recent: RecentChatbot, caller: Caller, chatbot_id: UUID | None) -> None:
        self._recent, self._caller, self._chatbot_id = recent, caller, chatbot_id
        self._along: Along | None = None

    def begin(self, connection: ReadConnection) -> None:
        """Read the chatbot in this transaction, beside its first statement."""
        self._along = tenancy.send_find_chatbot(connection, self._caller, self._chatbot_id)

    async def holds(self, database: Database) -> bool:
        """Asks now where no transaction was begun: what was found is remembered, or another request has found it.

        Raises:
            DatabaseUnavailableError.
        """
        if self._along is None or self._along.rows is None:
            async with database.reading(self._caller.tenant_id) as connection:
                present = await tenancy.find_chatbot(connection, self._caller, self._chatbot_id)
        else:
            present = tenancy.chatbot_of(self._along.rows)
        return present == self._recent.chatbot
