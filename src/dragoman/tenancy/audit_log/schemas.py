"""The audit log as the HTTP API shows it."""

from __future__ import annotations

from datetime import datetime
from enum import StrEnum
from typing import Any
from uuid import UUID

from pydantic import BaseModel, Field

from dragoman.tenancy.audit_log.entities import Fault, Head, Problem, Verification
from dragoman.tenancy.audit_log.retention import LEAST_DAYS
from dragoman.tenancy.entities import AuditEvent
from dragoman.tenancy.http import RequestBody


class AuditFormat(StrEnum):
    JSONL = "jsonl"
    CSV = "csv"


class AuditEventOut(BaseModel):
    id: UUID
    sequence: int | None = Field(description="Its place in the chain; null for a few seconds.")
    created_at: datetime
    actor: str = Field(description="`user:<id>`, `key:<id>`, `system`, or a pseudonym.")
    actor_name: str = Field(description="What the actor was called then; empty where that was erased.")
    action: str
    subject_type: str
    subject_id: UUID | None
    address: str
    user_agent: str
    request_id: str
    details: dict[str, Any] = Field(description="`before` and `after` of a change, without secrets.")
    hash: str | None = Field(description="SHA-256 over the event, its place and the hash before it, in hex.")

    @classmethod
    def of(cls, event: AuditEvent) -> AuditEventOut:
        return cls(
            id=event.id,
            sequence=event.sequence,
            created_at=event.created_at,
            actor=event.actor,
            actor_name=event.actor_name,
            action=event.action,
            subject_type=event.subject_type,
            subject_id=event.subject_id,
            address=event.address,
            user_agent=event.user_agent,
            request_id=event.request_id,
            details=event.details,
            hash=None if event.hash is None else event.hash.hex(),
        )


class AuditEventList(BaseModel):
    events: list[AuditEventOut]
    next_cursor: str | None = Field(description="For the page after this one; null on the last.")


class HeadOut(BaseModel):
    """The end of a chain, signed: keep it where nobody who can change the database can change it."""

    tenant_id: UUID
    sequence: int
    hash: str
    at: datetime
    key_id: str
    seal: str

    @classmethod
    def of(cls, head: Head) -> HeadOut:
        return cls(
            tenant_id=head.tenant_id,
            sequence=head.sequence,
            hash=head.hash.hex(),
            at=head.at,
            key_id=head.key_id,
            seal=head.seal.hex(),
        )


class HeadAnswer(BaseModel):
    head: HeadOut | None = Field(description="Null where the chain is empty.")


class ProblemOut(BaseModel):
    fault: Fault
    sequence: int | None
    event_id: UUID | None
    message: str

    @classmethod
    def of(cls, problem: Problem) -> ProblemOut:
        return cls.model_validate(problem, from_attributes=True)


class VerificationOut(BaseModel):
    is_whole: bool
    events: int = Field(description="Events in the chain.")
    waiting: int = Field(description="Events that get their place within seconds.")
    unsealed: int = Field(description="Events from before events were sealed, at the beginning.")
    erased: int = Field(description="Events whose contents were erased, and that say so.")
    first_sequence: int | None
    head: HeadOut | None
    anchored: bool = Field(description="Whether a head kept outside the database was compared.")
    problem_count: int
    problems: list[ProblemOut] = Field(description="The first hundred.")

    @classmethod
    def of(cls, found: Verification) -> VerificationOut:
        return cls(
            is_whole=found.is_whole,
            events=found.events,
            waiting=found.waiting,
            unsealed=found.unsealed,
            erased=found.erased,
            first_sequence=found.first_sequence,
            head=None if found.head is None else HeadOut.of(found.head),
            anchored=found.anchored,
            problem_count=found.problem_count,
            problems=[ProblemOut.of(problem) for problem in found.problems],
        )


class RetentionOut(BaseModel):
    keep_days: int | None = Field(description="Null: for ever.")


class RetentionIn(RequestBody):
    keep_days: int | None = Field(ge=LEAST_DAYS, le=36500, description="Null: for ever.", examples=[730])
