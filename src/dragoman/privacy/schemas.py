"""Requests about personal data as the HTTP API shows them."""

from __future__ import annotations

from datetime import datetime
from uuid import UUID

from pydantic import BaseModel, Field

from dragoman.privacy.entities import PrivacyRequest, RequestKind, RequestState, SubjectKind
from dragoman.tenancy.http import RequestBody


class PrivacyRequestIn(RequestBody):
    kind: RequestKind
    subject_kind: SubjectKind
    subject_id: str = Field(
        min_length=1,
        max_length=200,
        description="Id of the user or visitor; of an external user the `user_id` that your system sends.",
    )


class PrivacyRequestOut(BaseModel):
    id: UUID
    kind: RequestKind
    subject_kind: SubjectKind
    subject_id: str = Field(description="A pseudonym once the person is erased.")
    state: RequestState
    step: str = Field(description="What is being done now.")
    counts: dict[str, int] = Field(description="What was found, by kind of thing.")
    size_bytes: int | None = Field(description="Of the archive; null without one.")
    error: str | None
    requested_by: str
    created_at: datetime
    finished_at: datetime | None
    expires_at: datetime | None = Field(description="When the archive is removed.")

    @classmethod
    def of(cls, request: PrivacyRequest) -> PrivacyRequestOut:
        return cls(
            id=request.id,
            kind=request.kind,
            subject_kind=request.subject_kind,
            subject_id=request.subject_id,
            state=request.state,
            step=request.step,
            counts=request.counts,
            size_bytes=request.size_bytes,
            error=request.error_message,
            requested_by=request.requested_by,
            created_at=request.created_at,
            finished_at=request.finished_at,
            expires_at=request.expires_at,
        )


class PrivacyRequestList(BaseModel):
    requests: list[PrivacyRequestOut]
    total: int
    limit: int
    offset: int
