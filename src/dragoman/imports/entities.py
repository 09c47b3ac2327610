"""Imports with their progress, and what a watcher of documents is told."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from uuid import UUID

from dragoman.jobs.entities import GroupProgress, Job, JobGroup, JobState
from dragoman.kit.pagination import Page


@dataclass(frozen=True, slots=True, kw_only=True)
class JobView:
    """A job with the title of its document, which is None where there is none or the caller may not see it."""

    job: Job
    title: str | None
    file_name: str | None


@dataclass(frozen=True, slots=True, kw_only=True)
class ImportView:
    group: JobGroup
    progress: GroupProgress


@dataclass(frozen=True, slots=True, kw_only=True)
class ImportDetails:
    """An import with a page of its failures and how often each reason (error code) occurs."""

    view: ImportView
    failures: Page[JobView]
    reasons: Mapping[str, int]


# ---- what a watcher is told


@dataclass(frozen=True, slots=True, kw_only=True)
class DocumentInWork:
    """A document that waits or is being read. `state` is that of its job, `progress` 0 to 1."""

    document_id: UUID
    title: str
    file_name: str
    state: JobState
    step: str
    progress: float
    error_code: str | None
    error: str | None
    import_id: UUID | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Snapshot:
    """All documents in work, at most 500. `event_id`: what happens later has later ids."""

    event_id: UUID
    documents: Sequence[DocumentInWork]
    is_complete: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class ProgressMade:
    """How far a document is now. Some of these are lost when much happens."""

    document_id: UUID
    state: JobState
    step: str
    progress: float
    error_code: str | None
    error: str | None


@dataclass(frozen=True, slots=True, kw_only=True)
class DocumentChanged:
    """Something that lasts happened to a document: `what` is ready, failed, deleted, replaced, approved and so on."""

    event_id: UUID
    document_id: UUID
    what: str
    state: str | None
    error_code: str | None
    error: str | None


WatchEvent = Snapshot | ProgressMade | DocumentChanged
