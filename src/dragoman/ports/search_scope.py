"""Where a search may look: the access of the asker, and the filters of the request."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Literal
from uuid import UUID

FilterField = Literal["language", "document", "content_type", "category", "tag", "heading"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Condition:
    """One condition of a filter: the field has one of the values, or with `is_negated` none of them.

    `language` is that of the chunk, `document` an id or external id, `heading` any heading above the chunk, compared
    without regard to case.
    """

    field: FilterField
    values: tuple[str, ...]
    is_negated: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class SearchScope:
    """Where a search may look. Ids come from the access check, never from a request body.

    Attributes:
        owner: private documents of this asker are found too; None finds shared documents only.
        document_ids: only these documents; None for all.
        languages, content_types, categories: only chunks or documents with one of these values; None for all.
        conditions: all of them must hold as well.
        dated_from, dated_before: only documents whose live version was uploaded in this time; the end is not included.
        knowledge_revision: of the chatbot, where the request checks in the transaction that it is the present one; an
            adapter may then answer from what it remembers of it. None: only the database knows what may be seen.
    """

    tenant_id: UUID
    chatbot_id: UUID
    owner: str | None = None
    document_ids: Sequence[UUID] | None = None
    languages: Sequence[str] | None = None
    content_types: Sequence[str] | None = None
    categories: Sequence[str] | None = None
    conditions: Sequence[Condition] = ()
    dated_from: datetime | None = None
    dated_before: datetime | None = None
    knowledge_revision: int | None = None

    @property
    def filters_chunks(self) -> bool:
        """Whether chunks of a visible document may be out of scope."""
        return self.languages is not None or any(item.field in ("language", "heading") for item in self.conditions)
