"""SQL of requests about personal data: their rows, and the rows they are about, by the register in `holdings`.

Everything runs in a transaction scoped to the tenant; deletions take a batch at a time.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import Any
from uuid import UUID

from sqlalchemy import Column, LargeBinary, Row, Table, Text, cast, delete, func, insert, or_, select, tuple_, update
from sqlalchemy.ext.asyncio import AsyncConnection

from dragoman.chat.tables import messages, sessions
from dragoman.jobs.tables import jobs, outbox_events
from dragoman.knowledge.tables import document_images, document_versions, documents
from dragoman.privacy.entities import PrivacyRequest, RequestKind, RequestState, Subject, SubjectKind
from dragoman.privacy.holdings import SECRET_COLUMNS, Holding
from dragoman.privacy.tables import privacy_requests
from dragoman.search.tables import search_queries, searches
from dragoman.tenancy.entities import Role, User
from dragoman.tenancy.tables import api_keys, users

_r = privacy_requests.c

# ---- requests


async def insert_request(connection: AsyncConnection, request: PrivacyRequest) -> None:
    await connection.execute(
        insert(privacy_requests).values(
            tenant_id=request.tenant_id,
            id=request.id,
            kind=request.kind.value,
            subject_kind=request.subject_kind.value,
            subject_id=request.subject_id,
            state=request.state.value,
            requested_by=request.requested_by,
            created_at=request.created_at,
        )
    )


async def find_request(connection: AsyncConnection, *, tenant_id: UUID, request_id: UUID) -> PrivacyRequest | None:
    query = select(privacy_requests).where(_r.tenant_id == tenant_id, _r.id == request_id)
    row = (await connection.execute(query)).one_or_none()
    return None if row is None else _request(row)


async def list_requests(
    connection: AsyncConnection, *, tenant_id: UUID, limit: int, offset: int
) -> tuple[list[PrivacyRequest], int]:
    """Newest first."""
    scoped = select(privacy_requests).where(_r.tenant_id == tenant_id)
    total = (await connection.execute(select(func.count()).select_from(scoped.subquery()))).scalar_one()
    rows = await connection.execute(scoped.order_by(_r.id.desc()).limit(limit).offset(offset))
    return [_request(row) for row in rows], total


async def update_request(
    connection: AsyncConnection, *, tenant_id: UUID, request_id: UUID, values: dict[str, Any]
) -> None:
    await connection.execute(
        update(privacy_requests).where(_r.tenant_id == tenant_id, _r.id == request_id).values(**values)
    )


async def list_archives_of(connection: AsyncConnection, subject: Subject) -> list[PrivacyRequest]:
    """Exports about this person that were made before."""
    query = select(privacy_requests).where(
        _r.tenant_id == subject.tenant_id,
        _r.kind == RequestKind.EXPORT.value,
        _r.subject_kind == subject.kind.value,
        _r.subject_id == subject.id,
    )
    return [_request(row) for row in await connection.execute(query)]


async def list_expired(connection: AsyncConnection, *, tenant_id: UUID, at: datetime) -> list[PrivacyRequest]:
    query = select(privacy_requests).where(_r.tenant_id == tenant_id, _r.expires_at < at, _r.blob_key.is_not(None))
    return [_request(row) for row in await connection.execute(query)]


async def forget_subject(connection: AsyncConnection, subject: Subject, *, pseudonym: str) -> None:
    """In all requests about this person."""
    await connection.execute(
        update(privacy_requests)
        .where(_r.tenant_id == subject.tenant_id, _r.subject_kind == subject.kind.value, _r.subject_id == subject.id)
        .values(subject_id=pseudonym)
    )


def _request(row: Row[Any]) -> PrivacyRequest:
    return PrivacyRequest(
        id=row.id,
        tenant_id=row.tenant_id,
        kind=RequestKind(row.kind),
        subject_kind=SubjectKind(row.subject_kind),
        subject_id=row.subject_id,
        state=RequestState(row.state),
        step=row.step,
        counts=row.counts,
        blob_key=row.blob_key,
        size_bytes=row.size_bytes,
        error_message=row.error_message,
        requested_by=row.requested_by,
        created_at=row.created_at,
        finished_at=row.finished_at,
        expires_at=row.expires_at,
    )


# ---- people


async def find_user(connection: AsyncConnection, *, tenant_id: UUID, user_id: UUID) -> User | None:
    row = (
        await connection.execute(select(users).where(users.c.tenant_id == tenant_id, users.c.id == user_id))
    ).one_or_none()
    if row is None:
        return None
    return User(id=row.id, tenant_id=row.tenant_id, email=row.email, display_name=row.display_name, role=Role(row.role))


async def count_other_owners(connection: AsyncConnection, *, tenant_id: UUID, user_id: UUID) -> int:
    query = (
        select(func.count())
        .select_from(users)
        .where(users.c.tenant_id == tenant_id, users.c.role == Role.OWNER.value, users.c.id != user_id)
    )
    counted: int = (await connection.execute(query)).scalar_one()
    return counted


async def list_key_ids(connection: AsyncConnection, *, tenant_id: UUID, user_id: UUID) -> list[UUID]:
    query = select(api_keys.c.id).where(api_keys.c.tenant_id == tenant_id, api_keys.c.user_id == user_id)
    return list((await connection.execute(query)).scalars())


# ---- rows by the register


def _shown(table: Table) -> list[Column[Any]]:
    """Columns that a person is given: no secrets, no hashes, no vectors."""
    return [
        column
        for column in table.columns
        if column.name not in SECRET_COLUMNS and not isinstance(column.type, LargeBinary)
    ]


async def list_rows(
    connection: AsyncConnection, holding: Holding, subject: Subject, *, after: Sequence[Any] | None, limit: int
) -> tuple[list[dict[str, Any]], Sequence[Any] | None]:
    """A page of a person's rows by their key, and the key to go on after; None at the end."""
    table = holding.table
    key = list(table.primary_key.columns)
    conditions = [table.c.tenant_id == subject.tenant_id, holding.of(subject)]
    if after is not None:
        conditions.append(tuple_(*key) > tuple_(*after))
    query = select(*_shown(table)).add_columns(*(column.label(f"_key_{column.name}") for column in key))
    rows = (await connection.execute(query.where(*conditions).order_by(*key).limit(limit))).all()
    shown = [{name: value for name, value in row._mapping.items() if not name.startswith("_key_")} for row in rows]
    following = [getattr(rows[-1], f"_key_{column.name}") for column in key] if len(rows) == limit else None
    return shown, following


async def erase_rows(connection: AsyncConnection, holding: Holding, subject: Subject, *, limit: int) -> int:
    """Delete or blank some of a person's rows; how many. 0: none is left."""
    table = holding.table
    key = list(table.primary_key.columns)
    some = select(*key).where(table.c.tenant_id == subject.tenant_id, holding.of(subject)).limit(limit)
    if holding.is_deleted:
        done = await connection.execute(delete(table).where(tuple_(*key).in_(some)))
        return done.rowcount
    if holding.blanked:
        done = await connection.execute(update(table).where(tuple_(*key).in_(some)).values(**holding.blanked))
        return done.rowcount
    return 0


async def delete_rows(connection: AsyncConnection, holding: Holding, subject: Subject) -> int:
    """Delete all of a person's rows of this kind; how many."""
    table = holding.table
    done = await connection.execute(delete(table).where(table.c.tenant_id == subject.tenant_id, holding.of(subject)))
    return done.rowcount


async def replace_name(connection: AsyncConnection, column: Column[Any], subject: Subject, *, pseudonym: str) -> int:
    """Write the pseudonym where this column names the person."""
    done = await connection.execute(
        update(column.table)
        .where(column.table.c.tenant_id == subject.tenant_id, column == subject.asker)
        .values({column.name: pseudonym})
    )
    return done.rowcount


# ---- what needs more than a register


async def list_session_answers(
    connection: AsyncConnection, subject: Subject, *, limit: int
) -> list[tuple[UUID, list[UUID]]]:
    """Some of a person's sessions, each with the ids of its messages."""
    query = (
        select(sessions.c.id, func.array_agg(messages.c.id).label("message_ids"))
        .outerjoin(messages, (messages.c.tenant_id == sessions.c.tenant_id) & (messages.c.session_id == sessions.c.id))
        .where(sessions.c.tenant_id == subject.tenant_id, sessions.c.asker == subject.asker)
        .group_by(sessions.c.id)
        .limit(limit)
    )
    return [(row.id, [each for each in row.message_ids if each]) for row in await connection.execute(query)]


async def delete_sessions(connection: AsyncConnection, *, tenant_id: UUID, session_ids: Sequence[UUID]) -> None:
    await connection.execute(delete(sessions).where(sessions.c.tenant_id == tenant_id, sessions.c.id.in_(session_ids)))


async def list_own_documents(connection: AsyncConnection, subject: Subject, *, limit: int) -> list[tuple[UUID, UUID]]:
    """Some of a person's private documents with their chatbots, those among them that were deleted before."""
    query = (
        select(documents.c.id, documents.c.chatbot_id)
        .where(
            documents.c.tenant_id == subject.tenant_id,
            documents.c.owner == subject.asker,
            documents.c.visibility == "private",
        )
        .limit(limit)
    )
    return [(row.id, row.chatbot_id) for row in await connection.execute(query)]


async def list_originals(
    connection: AsyncConnection, *, tenant_id: UUID, document_id: UUID
) -> list[tuple[int, str, str, UUID]]:
    """Number, file name, blob and id of each version of a document, and those of its pictures under number 0."""
    versions = await connection.execute(
        select(document_versions)
        .where(document_versions.c.tenant_id == tenant_id, document_versions.c.document_id == document_id)
        .order_by(document_versions.c.number)
    )
    pictures = await connection.execute(
        select(document_images.c.id, document_images.c.blob_key).where(
            document_images.c.tenant_id == tenant_id, document_images.c.document_id == document_id
        )
    )
    return [
        *((row.number, (row.described_as or {}).get("file_name") or "file", row.blob_key, row.id) for row in versions),
        *((0, "picture", row.blob_key, row.id) for row in pictures),
    ]


async def delete_document_row(connection: AsyncConnection, *, tenant_id: UUID, document_id: UUID) -> None:
    await connection.execute(delete(documents).where(documents.c.tenant_id == tenant_id, documents.c.id == document_id))


async def erase_searches(connection: AsyncConnection, *, tenant_id: UUID, askers: Sequence[bytes], limit: int) -> int:
    """Delete some of a person's lines in the search log, and what they alone searched for from the counts of queries."""
    of_person = (searches.c.tenant_id == tenant_id, searches.c.asker.in_(askers))
    rows = (
        await connection.execute(
            select(searches.c.id, searches.c.chatbot_id, searches.c.query, searches.c.created_at)
            .where(*of_person)
            .limit(limit)
        )
    ).all()
    if not rows:
        return 0
    asked = {(row.chatbot_id, row.query) for row in rows}
    await connection.execute(
        delete(searches).where(searches.c.tenant_id == tenant_id, searches.c.id.in_([row.id for row in rows]))
    )
    for chatbot_id, query in asked:
        others = select(searches.c.id).where(
            searches.c.tenant_id == tenant_id, searches.c.chatbot_id == chatbot_id, searches.c.query == query
        )
        await connection.execute(
            delete(search_queries).where(
                search_queries.c.tenant_id == tenant_id,
                search_queries.c.chatbot_id == chatbot_id,
                search_queries.c.query == query,
                ~others.exists(),
            )
        )
    return len(rows)


async def list_searches(
    connection: AsyncConnection, *, tenant_id: UUID, askers: Sequence[bytes], after: UUID | None, limit: int
) -> list[dict[str, Any]]:
    """A person's lines in the search log."""
    shown = [column for column in searches.columns if not isinstance(column.type, LargeBinary)]
    conditions = [searches.c.tenant_id == tenant_id, searches.c.asker.in_(askers)]
    if after is not None:
        conditions.append(searches.c.id > after)
    rows = await connection.execute(select(*shown).where(*conditions).order_by(searches.c.id).limit(limit))
    return [dict(row._mapping) for row in rows]


async def erase_jobs(connection: AsyncConnection, subject: Subject, *, keep: UUID) -> int:
    """Delete jobs, and events not yet swept, that name the person; but for the job that does this."""
    erased = 0
    for table, column in ((jobs, jobs.c.payload), (outbox_events, outbox_events.c.payload)):
        named = [cast(column, Text).contains(word, autoescape=True) for word in subject.words]
        if table is jobs:
            named += [jobs.c.error_message.contains(word, autoescape=True) for word in subject.words]
        done = await connection.execute(
            delete(table).where(table.c.tenant_id == subject.tenant_id, table.c.id != keep, or_(*named))
        )
        erased += done.rowcount
    return erased
