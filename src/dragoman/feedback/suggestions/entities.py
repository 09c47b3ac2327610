"""A question that is suggested to askers."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from uuid import UUID


class SuggestionSource(StrEnum):
    """Where a suggested question comes from, the preferred first."""

    OWNER = "owner"
    ASKED = "asked"
    FAQ = "faq"
    HEADING = "heading"
    TOPIC = "topic"


@dataclass(frozen=True, slots=True, kw_only=True)
class Suggestion:
    """A question. `document_id`: of a document that answers it; None for what the owner wrote."""

    text: str
    language: str
    source: SuggestionSource
    document_id: UUID | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class FoundText:
    """Where questions may stand: the beginning of a question-answer pair, or headings, one a line."""

    kind: str
    language: str
    document_id: UUID
    heading: str | None
    text: str
