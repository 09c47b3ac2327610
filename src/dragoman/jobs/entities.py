"""A job, its states, and what a job's body receives."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from datetime import datetime
from enum import IntEnum, StrEnum
from typing import Any, Protocol
from uuid import UUID


class JobState(StrEnum):
    """`queued` -> `running` -> `succeeded` | `failed`; an attempt that failed for a passing reason goes back to `queued`."""

    QUEUED = "queued"
    RUNNING = "running"
    SUCCEEDED = "succeeded"
    FAILED = "failed"
    CANCELLED = "cancelled"


class Priority(IntEnum):
    """Lower runs first."""

    USER = 2
    NORMAL = 5
    BULK = 8


@dataclass(frozen=True, slots=True, kw_only=True)
class Job:
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


class Progress(Protocol):
    """Tells how far a job is: `fraction` 0 to 1, `step` a word that a user reads."""

    async def __call__(self, step: str, fraction: float) -> None: ...


JobBody = Callable[[Job, Progress], Awaitable[None]]
"""What runs for a kind of job. It may run again after a crash, so doing it twice must give the same as doing it once."""

JobFailed = Callable[[Job, str, str], Awaitable[None]]
"""Told once when a job has failed for good, with the error's code and message."""


@dataclass(frozen=True, slots=True, kw_only=True)
class JobKind:
    """How jobs of one kind are run."""

    name: str
    body: JobBody
    on_failed: JobFailed | None = None


class JobSender(Protocol):
    """Tells some worker that a job waits. Losing a message is harmless: the reaper sends it again."""

    async def send(self, *, tenant_id: UUID, job_id: UUID, priority: int, delay_s: float = 0.0) -> None:
        """Raises UnavailableError when the broker does not answer."""
        ...
