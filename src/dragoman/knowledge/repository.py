"""SQL of documents, document versions and chunks; every function runs in a transaction scoped to the tenant."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any
from uuid import UUID

from sqlalchemy import ColumnElement, Row, Select, and_, delete, func, insert, or_, select, update
from sqlalchemy.ext.asyncio import AsyncConnection

from dragoman.kit.clock import now
from dragoman.knowledge.entities import (
    Chunk,
    ChunkInDocument,
    Document,
    DocumentFilter,
    DocumentState,
    DocumentVersion,
    NewDocument,
    VersionState,
    Visibility,
)
from dragoman.knowledge.tables import chunks, document_versions, documents

# ---- documents


async def insert_document(connection: AsyncConnection, new: NewDocument, *, tenant_id: UUID, document_id: UUID) -> None:
    await connection.execute(
        insert(documents).values(
            tenant_id=tenant_id,
            id=document_id,
            chatbot_id=new.chatbot_id,
            title=new.title,
            file_name=new.file_name,
            external_id=new.external_id,
            content_type=new.content_type,
            category=new.category,
            tags=list(new.tags),
            visibility=new.visibility.value,
            owner=new.owner,
            state=DocumentState.QUEUED.value,
            metadata=new.metadata,
        )
    )


async def insert_version(
    connection: AsyncConnection,
    new: NewDocument,
    *,
    tenant_id: UUID,
    document_id: UUID,
    version_id: UUID,
    number: int,
    job_id: UUID,
) -> None:
    await connection.execute(
        insert(document_versions).values(
            tenant_id=tenant_id,
            id=version_id,
            chatbot_id=new.chatbot_id,
            document_id=document_id,
            number=number,
            state=VersionState.STORED.value,
            job_id=job_id,
            mime_type=new.mime_type,
            size_bytes=new.size_bytes,
            content_hash=new.content_hash,
            blob_key=new.blob_key,
            described_as=new.description,
        )
    )


async def find_document(connection: AsyncConnection, *, tenant_id: UUID, document_id: UUID) -> Document | None:
    """The document unless it is deleted. Locks nothing."""
    query = _with_newest_version().where(
        documents.c.tenant_id == tenant_id, documents.c.id == document_id, documents.c.deleted_at.is_(None)
    )
    row = (await connection.execute(query)).one_or_none()
    return None if row is None else _document(row)


async def find_same_content(
    connection: AsyncConnection,
    *,
    tenant_id: UUID,
    chatbot_id: UUID,
    content_hash: str,
    owner: str,
    visibility: Visibility,
    external_id: str | None,
) -> Document | None:
    """A document of the same content and external id whose newest version has not failed: shared, or of the same owner."""
    query = (
        _with_newest_version()
        .where(
            documents.c.tenant_id == tenant_id,
            documents.c.chatbot_id == chatbot_id,
            documents.c.deleted_at.is_(None),
            documents.c.visibility == visibility.value,
            documents.c.external_id.is_not_distinct_from(external_id),
            document_versions.c.content_hash == content_hash,
            document_versions.c.state != VersionState.FAILED.value,
        )
        .limit(1)
    )
    if visibility is Visibility.PRIVATE:
        query = query.where(documents.c.owner == owner)
    row = (await connection.execute(query)).one_or_none()
    return None if row is None else _document(row)


async def find_by_external_id(
    connection: AsyncConnection, *, tenant_id: UUID, chatbot_id: UUID, external_id: str
) -> Document | None:
    query = _with_newest_version().where(
        documents.c.tenant_id == tenant_id,
        documents.c.chatbot_id == chatbot_id,
        documents.c.external_id == external_id,
        documents.c.deleted_at.is_(None),
    )
    row = (await connection.execute(query)).one_or_none()
    return None if row is None else _document(row)


async def list_documents(
    connection: AsyncConnection, *, tenant_id: UUID, wanted: DocumentFilter, limit: int, offset: int
) -> tuple[list[Document], int]:
    conditions: list[ColumnElement[bool]] = [
        documents.c.tenant_id == tenant_id,
        documents.c.chatbot_id == wanted.chatbot_id,
        documents.c.deleted_at.is_(None),
        or_(documents.c.visibility == Visibility.SHARED.value, documents.c.owner == wanted.asker),
    ]
    if wanted.state is not None:
        conditions.append(documents.c.state == wanted.state.value)
    if wanted.title_contains:
        conditions.append(func.strpos(func.lower(documents.c.title), wanted.title_contains.lower()) > 0)
    total = (await connection.execute(select(func.count()).select_from(documents).where(*conditions))).scalar_one()
    query = _with_newest_version().where(*conditions).order_by(documents.c.id.desc()).limit(limit).offset(offset)
    return [_document(row) for row in await connection.execute(query)], total


async def set_document_state(
    connection: AsyncConnection, *, tenant_id: UUID, document_id: UUID, state: DocumentState
) -> None:
    await connection.execute(
        update(documents)
        .where(documents.c.tenant_id == tenant_id, documents.c.id == document_id, documents.c.deleted_at.is_(None))
        .values(state=state.value, updated_at=now())
    )


async def lock_document(connection: AsyncConnection, *, tenant_id: UUID, document_id: UUID) -> None:
    """Let no other transaction change which version is live until this one ends."""
    query = select(documents.c.id).where(documents.c.tenant_id == tenant_id, documents.c.id == document_id)
    await connection.execute(query.with_for_update())


async def make_live(connection: AsyncConnection, *, tenant_id: UUID, version: DocumentVersion) -> bool:
    """Let searches find this version instead of the one before; False when the document was deleted meanwhile."""
    changed = await connection.execute(
        update(documents)
        .where(
            documents.c.tenant_id == tenant_id,
            documents.c.id == version.document_id,
            documents.c.deleted_at.is_(None),
        )
        .values(
            **version.described_as,
            live_version_id=version.id,
            state=DocumentState.READY.value,
            updated_at=now(),
        )
    )
    return changed.rowcount == 1


async def mark_deleted(connection: AsyncConnection, *, tenant_id: UUID, document_id: UUID) -> None:
    """From the commit on no search finds any version of it; its rows and its file are purged by a job."""
    await connection.execute(
        update(documents)
        .where(documents.c.tenant_id == tenant_id, documents.c.id == document_id)
        .values(
            deleted_at=now(),
            live_version_id=None,
            state=DocumentState.DELETED.value,
            external_id=None,
            updated_at=now(),
        )
    )


# ---- versions


async def find_version(connection: AsyncConnection, *, tenant_id: UUID, version_id: UUID) -> DocumentVersion | None:
    query = select(document_versions).where(
        document_versions.c.tenant_id == tenant_id, document_versions.c.id == version_id
    )
    row = (await connection.execute(query)).one_or_none()
    return None if row is None else _version(row)


async def list_versions(connection: AsyncConnection, *, tenant_id: UUID, document_id: UUID) -> list[DocumentVersion]:
    query = (
        select(document_versions)
        .where(document_versions.c.tenant_id == tenant_id, document_versions.c.document_id == document_id)
        .order_by(document_versions.c.number)
    )
    return [_version(row) for row in await connection.execute(query)]


async def update_version(
    connection: AsyncConnection, *, tenant_id: UUID, version_id: UUID, values: dict[str, Any]
) -> None:
    await connection.execute(
        update(document_versions)
        .where(document_versions.c.tenant_id == tenant_id, document_versions.c.id == version_id)
        .values(**values)
    )


async def list_blob_keys(connection: AsyncConnection, *, tenant_id: UUID, chatbot_id: UUID) -> list[str]:
    """The keys of all files of a chatbot, those of deleted documents too."""
    query = select(document_versions.c.blob_key).where(
        document_versions.c.tenant_id == tenant_id, document_versions.c.chatbot_id == chatbot_id
    )
    return [row.blob_key for row in await connection.execute(query)]


async def list_live_languages(connection: AsyncConnection, *, tenant_id: UUID, chatbot_id: UUID) -> list[str]:
    """The languages of the chatbot's searchable knowledge, sorted."""
    language = func.unnest(document_versions.c.languages).label("language")
    query = (
        select(language)
        .join(
            documents,
            and_(
                documents.c.tenant_id == document_versions.c.tenant_id,
                documents.c.live_version_id == document_versions.c.id,
            ),
        )
        .where(document_versions.c.tenant_id == tenant_id, document_versions.c.chatbot_id == chatbot_id)
        .distinct()
    )
    return sorted(row.language for row in await connection.execute(query))


# ---- chunks


async def replace_chunks(
    connection: AsyncConnection, new: Sequence[Chunk], *, tenant_id: UUID, chatbot_id: UUID, version_id: UUID
) -> None:
    await connection.execute(delete(chunks).where(chunks.c.tenant_id == tenant_id, chunks.c.version_id == version_id))
    rows = [
        {
            "tenant_id": tenant_id,
            "chatbot_id": chatbot_id,
            "id": chunk.id,
            "document_id": chunk.document_id,
            "version_id": chunk.version_id,
            "ordinal": chunk.ordinal,
            "text": chunk.text,
            "language": chunk.language,
            "kind": chunk.kind,
            "heading_path": list(chunk.heading_path),
            "page": chunk.page,
            "start_offset": chunk.start_offset,
            "end_offset": chunk.end_offset,
            "token_count": chunk.token_count,
            "content_hash": chunk.content_hash,
        }
        for chunk in new
    ]
    for start in range(0, len(rows), 500):
        await connection.execute(insert(chunks), rows[start : start + 500])


async def list_chunks(connection: AsyncConnection, *, tenant_id: UUID, version_id: UUID) -> list[Chunk]:
    query = (
        select(chunks)
        .where(chunks.c.tenant_id == tenant_id, chunks.c.version_id == version_id)
        .order_by(chunks.c.ordinal)
    )
    return [_chunk(row) for row in await connection.execute(query)]


async def delete_chunks(connection: AsyncConnection, *, tenant_id: UUID, version_id: UUID) -> None:
    await connection.execute(delete(chunks).where(chunks.c.tenant_id == tenant_id, chunks.c.version_id == version_id))


async def list_chunk_languages(
    connection: AsyncConnection, *, tenant_id: UUID, chatbot_id: UUID, chunk_ids: Sequence[UUID]
) -> dict[UUID, str]:
    query = select(chunks.c.id, chunks.c.language).where(
        chunks.c.tenant_id == tenant_id, chunks.c.chatbot_id == chatbot_id, chunks.c.id.in_(chunk_ids)
    )
    return {row.id: row.language for row in await connection.execute(query)}


async def list_live_chunks(
    connection: AsyncConnection, *, tenant_id: UUID, chatbot_id: UUID, chunk_ids: Sequence[UUID]
) -> dict[UUID, ChunkInDocument]:
    """Those of the chunks that still belong to the live version of a document, by id."""
    query = (
        select(
            chunks,
            documents.c.title,
            documents.c.file_name,
            documents.c.external_id,
            documents.c.content_type,
            documents.c.category,
        )
        .join(
            documents,
            and_(
                documents.c.tenant_id == chunks.c.tenant_id,
                documents.c.id == chunks.c.document_id,
                documents.c.live_version_id == chunks.c.version_id,
            ),
        )
        .where(chunks.c.tenant_id == tenant_id, chunks.c.chatbot_id == chatbot_id, chunks.c.id.in_(chunk_ids))
    )
    return {
        row.id: ChunkInDocument(
            chunk=_chunk(row),
            title=row.title,
            file_name=row.file_name,
            external_id=row.external_id,
            content_type=row.content_type,
            category=row.category,
        )
        for row in await connection.execute(query)
    }


# ---- rows to entities


def _with_newest_version() -> Select[Any]:
    newest = (
        select(func.max(document_versions.c.number))
        .where(
            document_versions.c.tenant_id == documents.c.tenant_id,
            document_versions.c.document_id == documents.c.id,
        )
        .correlate(documents)
        .scalar_subquery()
    )
    version_columns = [column.label(f"version_{column.name}") for column in document_versions.c]
    return select(documents, *version_columns).join(
        document_versions,
        and_(
            document_versions.c.tenant_id == documents.c.tenant_id,
            document_versions.c.document_id == documents.c.id,
            document_versions.c.number == newest,
        ),
    )


def _document(row: Row[Any]) -> Document:
    return Document(
        id=row.id,
        tenant_id=row.tenant_id,
        chatbot_id=row.chatbot_id,
        title=row.title,
        file_name=row.file_name,
        external_id=row.external_id,
        content_type=row.content_type,
        category=row.category,
        tags=tuple(row.tags),
        visibility=Visibility(row.visibility),
        owner=row.owner,
        state=DocumentState(row.state),
        live_version_id=row.live_version_id,
        metadata=row.metadata,
        created_at=row.created_at,
        updated_at=row.updated_at,
        newest=_version(row, prefix="version_"),
    )


def _version(row: Row[Any], *, prefix: str = "") -> DocumentVersion:
    values = row._mapping
    return DocumentVersion(
        id=values[f"{prefix}id"],
        document_id=values[f"{prefix}document_id"],
        number=values[f"{prefix}number"],
        state=VersionState(values[f"{prefix}state"]),
        job_id=values[f"{prefix}job_id"],
        mime_type=values[f"{prefix}mime_type"],
        size_bytes=values[f"{prefix}size_bytes"],
        content_hash=values[f"{prefix}content_hash"],
        blob_key=values[f"{prefix}blob_key"],
        described_as=values[f"{prefix}described_as"],
        language=values[f"{prefix}language"],
        languages=tuple(values[f"{prefix}languages"]),
        page_count=values[f"{prefix}page_count"],
        chunk_count=values[f"{prefix}chunk_count"],
        token_count=values[f"{prefix}token_count"],
        quality=values[f"{prefix}quality"],
        error_code=values[f"{prefix}error_code"],
        error_message=values[f"{prefix}error_message"],
        created_at=values[f"{prefix}created_at"],
        ready_at=values[f"{prefix}ready_at"],
    )


def _chunk(row: Row[Any]) -> Chunk:
    return Chunk(
        id=row.id,
        document_id=row.document_id,
        version_id=row.version_id,
        ordinal=row.ordinal,
        text=row.text,
        language=row.language,
        kind=row.kind,
        heading_path=tuple(row.heading_path),
        page=row.page,
        start_offset=row.start_offset,
        end_offset=row.end_offset,
        token_count=row.token_count,
        content_hash=row.content_hash,
    )
