"""SQL over jobs and documents together: what is in work, as far as somebody may see it. In the tenant's transaction."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass
from typing import Any
from uuid import UUID

from sqlalchemy import ARRAY, ColumnElement, Row, Uuid, any_, case, func, literal, or_, select
from sqlalchemy.ext.asyncio import AsyncConnection

from dragoman.imports.entities import DocumentInWork
from dragoman.jobs.entities import JobState
from dragoman.jobs.tables import jobs
from dragoman.knowledge.entities import DocumentState, Visibility
from dragoman.knowledge.tables import documents

_UNFINISHED = (JobState.QUEUED.value, JobState.PAUSED.value, JobState.RUNNING.value)


@dataclass(frozen=True, slots=True, kw_only=True)
class Viewer:
    """Who looks. `sees_unapproved`: documents of others too that wait for approval or were rejected."""

    tenant_id: UUID
    asker: str
    sees_unapproved: bool


async def list_in_work(
    connection: AsyncConnection, viewer: Viewer, *, chatbot_id: UUID, limit: int
) -> list[DocumentInWork]:
    """Documents of which a job waits or runs, those that run first."""
    query = (
        select(jobs, documents.c.title, documents.c.file_name)
        .join(documents, (documents.c.tenant_id == jobs.c.tenant_id) & (documents.c.id == jobs.c.subject_id))
        .where(
            jobs.c.tenant_id == viewer.tenant_id,
            jobs.c.state.in_(_UNFINISHED),
            documents.c.chatbot_id == chatbot_id,
            documents.c.deleted_at.is_(None),
            *_visible(viewer),
        )
        .order_by(case((jobs.c.state == JobState.RUNNING.value, 0), else_=1), jobs.c.id)
        .limit(limit)
    )
    return [_in_work(row) for row in await connection.execute(query)]


async def list_visible(
    connection: AsyncConnection, viewer: Viewer, *, chatbot_id: UUID, document_ids: Collection[UUID]
) -> set[UUID]:
    """Those of the documents that belong to the chatbot and may be seen; deleted ones too."""
    query = select(documents.c.id).where(
        documents.c.tenant_id == viewer.tenant_id,
        documents.c.chatbot_id == chatbot_id,
        _among(documents.c.id, document_ids),
        *_visible(viewer),
    )
    return set((await connection.execute(query)).scalars())


async def find_names(
    connection: AsyncConnection, viewer: Viewer, *, document_ids: Collection[UUID]
) -> dict[UUID, tuple[str, str]]:
    """Title and file name of those documents that may be seen."""
    query = select(documents.c.id, documents.c.title, documents.c.file_name).where(
        documents.c.tenant_id == viewer.tenant_id,
        documents.c.deleted_at.is_(None),
        _among(documents.c.id, document_ids),
        *_visible(viewer),
    )
    return {row.id: (row.title, row.file_name) for row in await connection.execute(query)}


async def count_reasons(connection: AsyncConnection, *, tenant_id: UUID, group_id: UUID) -> dict[str, int]:
    """How many jobs of a group failed for each reason, the most frequent first; 20 reasons at most."""
    query = (
        select(func.coalesce(jobs.c.error_code, "unknown"), func.count())
        .where(jobs.c.tenant_id == tenant_id, jobs.c.group_id == group_id, jobs.c.state == JobState.FAILED.value)
        .group_by(jobs.c.error_code)
        .order_by(func.count().desc(), jobs.c.error_code)
        .limit(20)
    )
    return {row[0]: row[1] for row in await connection.execute(query)}


def _visible(viewer: Viewer) -> list[ColumnElement[bool]]:
    own = documents.c.owner == viewer.asker
    conditions: list[ColumnElement[bool]] = [or_(documents.c.visibility == Visibility.SHARED.value, own)]
    if not viewer.sees_unapproved:
        conditions.append(or_(documents.c.state.not_in([state.value for state in _UNAPPROVED]), own))
    return conditions


_UNAPPROVED = (DocumentState.PENDING, DocumentState.REJECTED)


def _among(column: ColumnElement[UUID], ids: Collection[UUID]) -> ColumnElement[bool]:
    return column == any_(literal(list(ids), ARRAY(Uuid)))


def _in_work(row: Row[Any]) -> DocumentInWork:
    return DocumentInWork(
        document_id=row.subject_id,
        title=row.title,
        file_name=row.file_name,
        state=JobState(row.state),
        step=row.step or "waiting",
        progress=row.progress,
        error_code=row.error_code,
        error=row.error_message,
        import_id=row.group_id,
    )
