"""A job, its states, groups of jobs, and what a job's body receives."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Collection, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from enum import IntEnum, StrEnum
from typing import Any, Protocol
from uuid import UUID

from sqlalchemy.ext.asyncio import AsyncConnection


class JobState(StrEnum):
    """`queued` -> `running` -> `succeeded` | `failed`; an attempt that failed for a passing reason goes back to `queued`.

    `paused`: waits like `queued`, but its group is paused. `cancelled`: nobody wants it any more.
    """

    QUEUED = "queued"
    PAUSED = "paused"
    RUNNING = "running"
    SUCCEEDED = "succeeded"
    FAILED = "failed"
    CANCELLED = "cancelled"


class Priority(IntEnum):
    """Lower runs first. What has waited long moves up: see `service.AGEING_S`."""

    USER = 2
    NORMAL = 5
    BULK = 8


@dataclass(frozen=True, slots=True, kw_only=True)
class Job:
    """A job as its row tells it.

    Attributes:
        attempts: how often it was started.
        group_id: the bulk import that it is part of.
        subject_id: what it is about, for instance the document that is read.
        traceparent: the trace in which it was enqueued (W3C Trace Context); None: it was in none.
    """

    id: UUID
    tenant_id: UUID
    kind: str
    payload: dict[str, Any]
    state: JobState
    priority: int
    progress: float
    step: str
    attempts: int
    max_attempts: int
    error_code: str | None
    error_message: str | None
    run_after: datetime
    created_at: datetime
    started_at: datetime | None
    finished_at: datetime | None
    group_id: UUID | None = None
    subject_id: UUID | None = None
    traceparent: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class NewJob:
    """A job to be enqueued with others."""

    kind: str
    payload: dict[str, Any]
    priority: Priority = Priority.NORMAL
    max_attempts: int = 5
    group_id: UUID | None = None
    subject_id: UUID | None = None


class GroupState(StrEnum):
    """`running` <-> `paused`; `finished` when nothing of it waits any more; `cancelled` by a person. A retry reopens it."""

    RUNNING = "running"
    PAUSED = "paused"
    CANCELLED = "cancelled"
    FINISHED = "finished"


@dataclass(frozen=True, slots=True, kw_only=True)
class JobGroup:
    """Jobs that are followed, paused and cancelled together. `expected_jobs` None: nobody said how many will come."""

    id: UUID
    tenant_id: UUID
    chatbot_id: UUID
    name: str
    state: GroupState
    expected_jobs: int | None
    requested_by: str
    created_at: datetime
    updated_at: datetime
    finished_at: datetime | None


@dataclass(frozen=True, slots=True, kw_only=True)
class GroupProgress:
    """How far a group is.

    Attributes:
        counts: jobs by state; a state without jobs is absent.
        fraction: 0 to 1, of the jobs that are expected, or of those that came where nobody said how many.
        jobs_per_minute: finished in the last minute.
    """

    counts: Mapping[JobState, int] = field(default_factory=dict)
    fraction: float = 0.0
    jobs_per_minute: int = 0

    @property
    def total(self) -> int:
        return sum(self.counts.values())


@dataclass(frozen=True, slots=True, kw_only=True)
class JobFilter:
    """Which jobs a list shows; None does not restrict. `error_code` is the reason why a job failed or is tried again.

    Those of `hidden_chatbots` are left out.
    """

    state: JobState | None = None
    kind: str | None = None
    group_id: UUID | None = None
    chatbot_id: UUID | None = None
    subject_id: UUID | None = None
    error_code: str | None = None
    hidden_chatbots: frozenset[UUID] = frozenset()


class Progress(Protocol):
    """Tells how far a job is: `fraction` 0 to 1, `step` a word that a user reads."""

    async def __call__(self, step: str, fraction: float) -> None: ...


class BatchProgress(Protocol):
    """Tells how far the jobs of a batch are, all of them or those that are named."""

    async def __call__(self, step: str, fraction: float, job_ids: Collection[UUID] | None = None) -> None: ...

    @property
    def lost(self) -> Collection[UUID]:
        """Jobs that are no longer this worker's: cancelled, or taken over. What is done for them is in vain."""
        ...


JobBody = Callable[[Job, Progress], Awaitable[None]]
"""What runs for a kind of job. It may run again after a crash, so doing it twice must give the same as doing it once."""

BatchBody = Callable[[Sequence[Job], BatchProgress], Awaitable[Mapping[UUID, Exception]]]
"""What runs for several jobs at once. Returns the errors by job id; the others have succeeded.

If it raises, all of its jobs run again, one by one. As with `JobBody`, doing it twice must give the same as once.
"""

JobFailed = Callable[[Job, str, str], Awaitable[None]]
"""Told once when a job has failed for good, with the error's code and message."""

JobsChanged = Callable[[AsyncConnection, Sequence[Job]], Awaitable[None]]
"""Told of jobs that change by a person's wish, in the transaction of the change, which is scoped to their tenant."""


@dataclass(frozen=True, slots=True, kw_only=True)
class JobKind:
    """How jobs of one kind are run.

    Attributes:
        body: runs one job.
        batch_size: up to how many jobs `batch_body` takes at once: of one tenant, chatbot (`payload["chatbot_id"]`) and
            priority, none of which was tried before.
        small_batch: more than so many are taken only while three times as many wait, so that workers share the last ones;
            none: as many as `batch_size` always.
        on_failed: told of each job that failed for good.
        on_cancelled: told of jobs that were cancelled, at most 500 at once; the body of one that runs is stopped within
            a second after the commit.
        on_retried: told of jobs that failed or were cancelled and will run again.
    """

    name: str
    body: JobBody
    batch_size: int = 1
    small_batch: int | None = None
    batch_body: BatchBody | None = None
    on_failed: JobFailed | None = None
    on_cancelled: JobsChanged | None = None
    on_retried: JobsChanged | None = None

    @property
    def batch_sizes(self) -> tuple[int, int]:
        """How many jobs run at once at the most, and how many in any case."""
        return self.batch_size, self.batch_size if self.small_batch is None else self.small_batch


class JobSender(Protocol):
    """Tells some worker that a job waits. Losing a message is harmless: workers look for jobs by themselves too."""

    async def send(self, *, priority: int) -> None:
        """Raises UnavailableError when the broker does not answer."""
        ...
