"""Requests of data subjects."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from typing import Any
from uuid import UUID


class RequestKind(StrEnum):
    """`export`: an archive of all that is held; `erase`: none of it is held any more."""

    EXPORT = "export"
    ERASE = "erase"


class SubjectKind(StrEnum):
    """Who somebody is: a user of the tenant, whom another system names (`user_id` in requests), or a visitor."""

    USER = "user"
    EXTERNAL = "external"
    VISITOR = "visitor"


class RequestState(StrEnum):
    """`waiting` -> `running` -> `done` | `failed`; an archive that is kept no longer is `expired`."""

    WAITING = "waiting"
    RUNNING = "running"
    DONE = "done"
    FAILED = "failed"
    EXPIRED = "expired"


@dataclass(frozen=True, slots=True, kw_only=True)
class Subject:
    """Whom a request is about.

    Attributes:
        id: a user's or visitor's id, or the name that another system gave.
        email: of a user; empty for others.
    """

    tenant_id: UUID
    kind: SubjectKind
    id: str
    email: str = ""

    @property
    def asker(self) -> str:
        """As sessions and documents name them."""
        return f"{self.kind.value}:{self.id}"

    @property
    def user_id(self) -> UUID | None:
        return UUID(self.id) if self.kind is SubjectKind.USER else None

    @property
    def words(self) -> tuple[str, ...]:
        """What names them in text. A name from elsewhere only as a whole JSON string: `ada` is in many words."""
        of_kind = {SubjectKind.EXTERNAL: (f'"{self.id}"',)}.get(self.kind, (self.id,))
        return (self.asker, *of_kind, *((self.email,) if self.email else ()))


@dataclass(frozen=True, slots=True, kw_only=True)
class PrivacyRequest:
    """A request and how far it is.

    Attributes:
        subject_id: a pseudonym once the person is erased.
        counts: what was found, by kind of thing.
        blob_key: of the archive; None without one.
        expires_at: when the archive is removed.
    """

    id: UUID
    tenant_id: UUID
    kind: RequestKind
    subject_kind: SubjectKind
    subject_id: str
    state: RequestState
    step: str
    counts: dict[str, Any]
    blob_key: str | None
    size_bytes: int | None
    error_message: str | None
    requested_by: str
    created_at: datetime
    finished_at: datetime | None
    expires_at: datetime | None
