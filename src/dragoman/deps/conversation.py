"""How search reads a conversation of the chat, which lies above it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol
from uuid import UUID

from dragoman.tenancy.entities import Caller


@dataclass(frozen=True, slots=True, kw_only=True)
class Conversation:
    """What was said in a session so far.

    Attributes:
        document_ids: the session is narrowed to these; None for all.
        said: role (`user` or `assistant`) and text of its latest messages, oldest first.
        language: of the last message whose language is known.
    """

    chatbot_id: UUID
    document_ids: Sequence[UUID] | None
    said: Sequence[tuple[str, str]]
    language: str | None


class ConversationReader(Protocol):
    """Reads a session that the caller may read."""

    async def __call__(self, caller: Caller, session_id: UUID) -> Conversation:
        """Raises SessionNotFoundError: there is none, or it is somebody else's."""
