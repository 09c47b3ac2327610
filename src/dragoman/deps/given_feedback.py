"""How the chat shows what an asker said of its answers: feedback lies above it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Protocol
from uuid import UUID

from dragoman.kit.reading import Reader


@dataclass(frozen=True, slots=True, kw_only=True)
class GivenFeedback:
    """`rating` is `up` or `down`; `reason` one of `feedback.entities.Reason`; texts are empty where there are none."""

    rating: str
    reason: str | None
    comment: str
    correction: str
    updated_at: datetime


class FeedbackReader(Protocol):
    """Reads what an asker said of messages."""

    async def __call__(
        self, connection: Reader, *, tenant_id: UUID, asker: str, message_ids: Sequence[UUID]
    ) -> Mapping[UUID, GivenFeedback]:
        """By message; those without feedback are absent."""
        ...
