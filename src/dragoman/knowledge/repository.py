"""SQL of documents, their versions, pages, pictures and chunks; all in a transaction scoped to the tenant."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping, Sequence
from datetime import datetime
from functools import cache
from typing import Any
from uuid import UUID

from sqlalchemy import (
    ARRAY,
    JSON,
    ColumnElement,
    Integer,
    Row,
    Select,
    Table,
    Text,
    Uuid,
    and_,
    any_,
    bindparam,
    cast,
    column,
    func,
    insert,
    literal,
    null,
    or_,
    select,
    text,
    union,
    update,
)
from sqlalchemy.ext.asyncio import AsyncConnection

from dragoman.kit.clock import now
from dragoman.kit.database import insert_rows, recordset, rows_as_json
from dragoman.kit.reading import Reader
from dragoman.knowledge.entities import (
    Approval,
    Chunk,
    ChunkInDocument,
    Document,
    DocumentFilter,
    DocumentImage,
    DocumentSort,
    DocumentState,
    DocumentVersion,
    LiveDocument,
    NewDocument,
    NewVersion,
    SimilarVersion,
    Source,
    StoredPage,
    VersionState,
    Visibility,
)
from dragoman.knowledge.tables import (
    chunks,
    document_bands,
    document_images,
    document_pages,
    document_versions,
    documents,
)

# ---- documents


async def insert_documents(connection: AsyncConnection, new: Sequence[NewVersion], *, tenant_id: UUID) -> None:
    """Write the documents of first versions."""
    rows = [
        {
            "tenant_id": tenant_id,
            "id": first.document_id,
            "chatbot_id": first.of.chatbot_id,
            "title": first.of.title,
            "file_name": first.of.file_name,
            "external_id": first.of.external_id,
            "content_type": first.of.content_type,
            "category": first.of.category,
            "tags": list(first.of.tags),
            "visibility": first.of.visibility.value,
            "owner": first.of.owner,
            "state": DocumentState.QUEUED.value,
            "metadata": first.of.metadata,
            "source": first.of.source.value,
            "source_url": first.of.source_url,
            "connector_id": first.of.connector_id,
            "created_at": first.created_at,
            "updated_at": first.created_at,
        }
        for first in new
    ]
    await insert_rows(connection, documents, rows)


async def insert_versions(connection: AsyncConnection, new: Sequence[NewVersion], *, tenant_id: UUID) -> None:
    rows = [
        {
            "tenant_id": tenant_id,
            "id": each.id,
            "chatbot_id": each.of.chatbot_id,
            "document_id": each.document_id,
            "number": each.number,
            "state": VersionState.STORED.value,
            "job_id": each.job_id,
            "mime_type": each.of.mime_type,
            "size_bytes": each.of.size_bytes,
            "content_hash": each.of.content_hash,
            "blob_key": each.of.blob_key,
            "described_as": each.of.description,
            "uploaded_by": each.of.uploaded_by,
            "approval": each.of.approval.value,
            "quality": each.of.quality,
            "created_at": each.created_at,
        }
        for each in new
    ]
    await insert_rows(connection, document_versions, rows)


async def insert_version_made_from(
    connection: AsyncConnection,
    source: DocumentVersion,
    *,
    tenant_id: UUID,
    chatbot_id: UUID,
    version_id: UUID,
    number: int,
    job_id: UUID,
    described_as: dict[str, Any],
    uploaded_by: str,
    approval: Approval,
    reuse_vectors: bool,
) -> None:
    """A new version of the same file; the blob is shared with `source`."""
    await connection.execute(
        insert(document_versions).values(
            tenant_id=tenant_id,
            id=version_id,
            chatbot_id=chatbot_id,
            document_id=source.document_id,
            number=number,
            state=VersionState.STORED.value,
            job_id=job_id,
            mime_type=source.mime_type,
            size_bytes=source.size_bytes,
            content_hash=source.content_hash,
            blob_key=source.blob_key,
            described_as=described_as,
            uploaded_by=uploaded_by,
            approval=approval.value,
            made_from=source.id,
            reuse_vectors=reuse_vectors,
        )
    )


async def count_uploads(
    connection: AsyncConnection, *, tenant_id: UUID, uploaded_by: str | None, since: datetime
) -> tuple[int, datetime | None]:
    """How many files somebody uploaded since then, deleted ones too, and when the first of them.

    Without `uploaded_by` all of the tenant, but those of connectors. Locks out others' counting of the same.
    """
    await connection.execute(
        text("select pg_advisory_xact_lock(hashtextextended(:who, 0))"),
        {"who": f"uploads {tenant_id} {uploaded_by or ''}"},
    )
    query = select(func.count(), func.min(document_versions.c.created_at)).where(
        document_versions.c.tenant_id == tenant_id,
        document_versions.c.created_at > since,
        document_versions.c.made_from.is_(None),
    )
    if uploaded_by is not None:
        query = query.where(document_versions.c.uploaded_by == uploaded_by)
    else:
        same = (documents.c.tenant_id == document_versions.c.tenant_id) & (
            documents.c.id == document_versions.c.document_id
        )
        query = query.join(documents, same).where(documents.c.source != Source.CONNECTOR.value)
    count, first = (await connection.execute(query)).one()
    return count, first


async def find_document(connection: AsyncConnection, *, tenant_id: UUID, document_id: UUID) -> Document | None:
    """The document unless it is deleted. Locks nothing."""
    query = _with_newest_version().where(
        documents.c.tenant_id == tenant_id, documents.c.id == document_id, documents.c.deleted_at.is_(None)
    )
    row = (await connection.execute(query)).one_or_none()
    return None if row is None else _document(row)


async def list_documents_by_id(
    connection: AsyncConnection, *, tenant_id: UUID, document_ids: Collection[UUID]
) -> dict[UUID, Document]:
    """Those of the documents that are not deleted."""
    rows = await connection.execute(_DOCUMENTS_BY_ID, {"tenant_id": tenant_id, "ids": list(document_ids)})
    return {row.id: _document(row) for row in rows}


async def list_documents_of_versions(
    connection: AsyncConnection, *, tenant_id: UUID, version_ids: Sequence[UUID]
) -> list[tuple[Document, DocumentVersion]]:
    """These versions with their documents, without those that are deleted. `newest` is the newest version all the same."""
    wanted = {"tenant_id": tenant_id, "ids": list(version_ids)}
    found = {row.id: _document(row) for row in await connection.execute(_DOCUMENTS_OF_VERSIONS, wanted)}
    of_versions = {document.newest.id: (document, document.newest) for document in found.values()}
    older = [version_id for version_id in version_ids if version_id not in of_versions]
    if older:
        for row in await connection.execute(_VERSIONS_BY_ID, {"tenant_id": tenant_id, "ids": older}):
            if row.document_id in found:
                of_versions[row.id] = (found[row.document_id], _version(row))
    return [of_versions[version_id] for version_id in version_ids if version_id in of_versions]


async def find_same_contents(
    connection: AsyncConnection, new: Sequence[NewDocument], *, tenant_id: UUID
) -> list[Document | None]:
    """For each a document of the same content and external id, shared or of the same owner.

    Only where its newest version has not failed and was neither cancelled nor rejected.
    """
    wanted = _wanted(
        [
            {
                "place": place,
                "chatbot_id": str(each.chatbot_id),
                "content_hash": each.content_hash,
                "visibility": each.visibility.value,
                "owner": each.owner,
                "external_id": each.external_id,
            }
            for place, each in enumerate(new)
        ]
    )
    query = (
        _with_newest_version()
        .add_columns(wanted.c.place)
        .join(
            wanted,
            and_(
                documents.c.chatbot_id == wanted.c.chatbot_id,
                documents.c.visibility == wanted.c.visibility,
                documents.c.external_id.is_not_distinct_from(wanted.c.external_id),
                document_versions.c.chatbot_id == wanted.c.chatbot_id,
                document_versions.c.content_hash == wanted.c.content_hash,
                or_(documents.c.visibility == Visibility.SHARED.value, documents.c.owner == wanted.c.owner),
            ),
        )
        .where(
            documents.c.tenant_id == tenant_id,
            _among(documents.c.id, _documents_with_contents(new, tenant_id)),
            document_versions.c.tenant_id == tenant_id,
            documents.c.deleted_at.is_(None),
            document_versions.c.state.not_in([VersionState.FAILED.value, VersionState.CANCELLED.value]),
            document_versions.c.approval != Approval.REJECTED.value,
        )
    )
    found = {row.place: _document(row) for row in await connection.execute(query)}
    return [found.get(place) for place in range(len(new))]


def _documents_with_contents(new: Sequence[NewDocument], tenant_id: UUID) -> ColumnElement[Any]:
    """Looked up first, by their index: joined to all documents, each new one would be compared with each of them."""
    found = select(document_versions.c.document_id).where(
        document_versions.c.tenant_id == tenant_id,
        _among(document_versions.c.chatbot_id, {each.chatbot_id for each in new}),
        document_versions.c.content_hash == any_(literal([each.content_hash for each in new], ARRAY(Text))),
    )
    return func.array(found.scalar_subquery())


async def find_by_external_ids(
    connection: AsyncConnection, *, tenant_id: UUID, chatbot_id: UUID, external_ids: Collection[str]
) -> dict[str, Document]:
    query = _with_newest_version().where(
        documents.c.tenant_id == tenant_id,
        documents.c.chatbot_id == chatbot_id,
        documents.c.external_id == any_(literal(list(external_ids), ARRAY(Text))),
        documents.c.deleted_at.is_(None),
    )
    return {row.external_id: _document(row) for row in await connection.execute(query)}


async def list_documents(
    connection: AsyncConnection, *, tenant_id: UUID, wanted: DocumentFilter, limit: int, offset: int
) -> tuple[list[Document], int]:
    conditions = [documents.c.tenant_id == tenant_id, *_conditions(wanted)]
    query = _with_newest_version().where(*conditions)
    asks_version = (wanted.approval, wanted.language, wanted.min_quality) != (None, None, None)
    counted = query if asks_version else select(documents.c.id).where(*conditions)
    total = (await connection.execute(select(func.count()).select_from(counted.subquery()))).scalar_one()
    page = query.order_by(*_order(wanted.sort)).limit(limit).offset(offset)
    return [_document(row) for row in await connection.execute(page)], total


def _conditions(wanted: DocumentFilter) -> list[ColumnElement[bool]]:
    newest = document_versions.c
    conditions: list[ColumnElement[bool]] = [
        documents.c.chatbot_id == wanted.chatbot_id,
        documents.c.deleted_at.is_(None),
        or_(documents.c.visibility == Visibility.SHARED.value, documents.c.owner == wanted.asker),
    ]
    if not wanted.sees_unapproved:
        unapproved = [DocumentState.PENDING.value, DocumentState.REJECTED.value]
        conditions.append(or_(documents.c.state.not_in(unapproved), documents.c.owner == wanted.asker))
    exact = (
        (documents.c.state, wanted.state),
        (newest.approval, wanted.approval),
        (documents.c.content_type, wanted.content_type),
        (documents.c.category, wanted.category),
        (documents.c.visibility, wanted.visibility),
        (documents.c.source, wanted.source),
        (documents.c.connector_id, wanted.connector_id),
        (documents.c.external_id, wanted.external_id),
    )
    conditions += [column == value for column, value in exact if value is not None]
    for word in (wanted.words or "").lower().split():
        haystack = func.lower(
            documents.c.title + " " + documents.c.file_name + " " + func.array_to_string(documents.c.tags, " ")
        )
        conditions.append(func.strpos(haystack, word) > 0)
    if wanted.tag is not None:
        conditions.append(documents.c.tags.any_() == wanted.tag)
    if wanted.language is not None:
        conditions.append(newest.languages.any_() == wanted.language)
    if wanted.min_quality is not None:
        conditions.append(newest.quality_score >= wanted.min_quality)
    if wanted.uploaded_after is not None:
        conditions.append(documents.c.created_at >= wanted.uploaded_after)
    if wanted.uploaded_before is not None:
        conditions.append(documents.c.created_at < wanted.uploaded_before)
    return conditions


def _order(sort: DocumentSort) -> list[ColumnElement[Any]]:
    """Ties by id, so that pages neither repeat nor skip a document."""
    first: dict[DocumentSort, list[ColumnElement[Any]]] = {
        DocumentSort.NEWEST: [],
        DocumentSort.OLDEST: [documents.c.id.asc()],
        DocumentSort.TITLE: [func.lower(documents.c.title)],
        DocumentSort.SIZE: [document_versions.c.size_bytes.desc()],
        DocumentSort.QUALITY: [document_versions.c.quality_score.asc().nulls_last()],
    }
    return [*first[sort], documents.c.id.desc()]


async def list_document_ids(connection: AsyncConnection, *, tenant_id: UUID, chatbot_id: UUID) -> list[UUID]:
    """All documents of a chatbot that are not deleted, oldest first."""
    query = (
        select(documents.c.id)
        .where(
            documents.c.tenant_id == tenant_id, documents.c.chatbot_id == chatbot_id, documents.c.deleted_at.is_(None)
        )
        .order_by(documents.c.id)
    )
    return list((await connection.execute(query)).scalars())


async def count_by_state(
    connection: AsyncConnection, *, tenant_id: UUID, chatbot_id: UUID, asker: str
) -> dict[str, int]:
    """How many documents are in which state: the shared ones and the asker's own."""
    query = (
        select(documents.c.state, func.count().label("number"))
        .where(
            documents.c.tenant_id == tenant_id,
            documents.c.chatbot_id == chatbot_id,
            documents.c.deleted_at.is_(None),
            or_(documents.c.visibility == Visibility.SHARED.value, documents.c.owner == asker),
        )
        .group_by(documents.c.state)
    )
    return {row.state: row.number for row in await connection.execute(query)}


async def update_visibility(
    connection: AsyncConnection, *, tenant_id: UUID, document_id: UUID, visibility: Visibility
) -> None:
    await connection.execute(
        update(documents)
        .where(documents.c.tenant_id == tenant_id, documents.c.id == document_id)
        .values(visibility=visibility.value, updated_at=now())
    )


async def update_labels(
    connection: AsyncConnection, *, tenant_id: UUID, document_id: UUID, values: dict[str, Any]
) -> None:
    """Change category, tags, content type or metadata, of the document and of its newest version alike."""
    await connection.execute(
        update(documents)
        .where(documents.c.tenant_id == tenant_id, documents.c.id == document_id)
        .values(**values, updated_at=now())
    )
    newest = (
        select(func.max(document_versions.c.number))
        .where(document_versions.c.tenant_id == tenant_id, document_versions.c.document_id == document_id)
        .scalar_subquery()
    )
    described = document_versions.c.described_as.op("||")(literal(values, document_versions.c.described_as.type))
    await connection.execute(
        update(document_versions)
        .where(
            document_versions.c.tenant_id == tenant_id,
            document_versions.c.document_id == document_id,
            document_versions.c.number == newest,
        )
        .values(described_as=described)
    )


async def set_document_state(
    connection: AsyncConnection, *, tenant_id: UUID, document_id: UUID, state: DocumentState
) -> None:
    await set_document_states(connection, tenant_id=tenant_id, document_ids=[document_id], state=state)


async def set_document_states(
    connection: AsyncConnection, *, tenant_id: UUID, document_ids: Collection[UUID], state: DocumentState
) -> None:
    await connection.execute(
        update(documents)
        .where(
            documents.c.tenant_id == tenant_id, _among(documents.c.id, document_ids), documents.c.deleted_at.is_(None)
        )
        .values(state=state.value, updated_at=now())
    )


async def mark_processing(connection: AsyncConnection, *, tenant_id: UUID, document_ids: Sequence[UUID]) -> None:
    """Documents that nobody can find yet are now being read."""
    await connection.execute(
        update(documents)
        .where(
            documents.c.tenant_id == tenant_id,
            _among(documents.c.id, document_ids),
            documents.c.deleted_at.is_(None),
            documents.c.live_version_id.is_(None),
            documents.c.state == DocumentState.QUEUED.value,
        )
        .values(state=DocumentState.PROCESSING.value, updated_at=now())
    )


async def lock_document(connection: AsyncConnection, *, tenant_id: UUID, document_id: UUID) -> None:
    """Let no other transaction change which version is live until this one ends."""
    await lock_documents(connection, tenant_id=tenant_id, document_ids=[document_id])


async def lock_documents(connection: AsyncConnection, *, tenant_id: UUID, document_ids: Collection[UUID]) -> None:
    """The same for many, always in the order of their ids, so that no two transactions wait for each other."""
    await connection.execute(_LOCK_DOCUMENTS, {"tenant_id": tenant_id, "ids": list(document_ids)})


async def lock_present(connection: AsyncConnection, *, tenant_id: UUID, document_ids: Collection[UUID]) -> set[UUID]:
    """Which of these are not deleted, and none of them will be until this transaction ends.

    So what the transaction writes of them is there when the job comes that purges them.
    """
    rows = await connection.execute(_LOCK_PRESENT, {"tenant_id": tenant_id, "ids": list(document_ids)})
    return set(rows.scalars())


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


async def finish_first_versions(
    connection: AsyncConnection, values: Mapping[UUID, Mapping[str, Any]], *, tenant_id: UUID
) -> list[LiveDocument]:
    """Update first versions, by their ids, and let searches find those that are approved and not deleted: these.

    The same columns of each. One statement, so that each row is written once: `state` becomes that of a live version.
    """
    if not values:
        return []
    rows = [{"tenant_id": tenant_id, "id": version_id, **row} for version_id, row in values.items()]
    parameters = {"tenant_id": tenant_id, "ids": list(values), "moment": now(), "rows": rows_as_json(rows)}
    found = await connection.exec_driver_sql(_finish_first_versions(tuple(rows[0])), parameters)
    return [
        LiveDocument(id=row.id, version_id=row.version_id, visibility=Visibility(row.visibility), owner=row.owner)
        for row in found
    ]


@cache
def _finish_first_versions(columns: tuple[str, ...]) -> str:
    """Documents and versions are looked up by their ids, and not joined: see `_FIND_SIMILAR`.

    Versions are looked up by nothing else: with `number = 1` beside it the planner reads all versions of the tenant.
    """
    own = ("tenant_id", "id", "state")
    kept = ", ".join(f'"{name}" = new."{name}"' for name in columns if name not in own)
    return f"""
with new as materialized (
    select *, state = 'chunked' as is_read from {recordset(document_versions)}
), old as materialized (
    select id, document_id, number = 1 and approval = 'approved' as is_approved from document_versions
    where tenant_id = %(tenant_id)s and id = any(%(ids)s::uuid[])
), approved as materialized (
    select old.id, old.document_id, new.described_as from old join new on new.id = old.id
    where old.is_approved and new.is_read
), live as (
    update documents set live_version_id = approved.id, title = approved.described_as ->> 'title',
        file_name = approved.described_as ->> 'file_name', metadata = approved.described_as -> 'metadata',
        state = 'ready', updated_at = %(moment)s
    from approved
    where documents.tenant_id = %(tenant_id)s and documents.id = any(array(select document_id from approved))
      and documents.id = approved.document_id
      and documents.deleted_at is null and documents.live_version_id is null
    returning documents.id, approved.id as version_id, documents.visibility, documents.owner
), written as (
    update document_versions old set {kept},
        state = case when live.id is null then new.state else 'ready' end,
        ready_at = case when live.id is null then old.ready_at else %(moment)s end,
        error_code = case when live.id is null then old.error_code end,
        error_message = case when live.id is null then old.error_message end
    from new left join live on live.version_id = new.id
    where old.tenant_id = %(tenant_id)s and old.id = any(%(ids)s::uuid[]) and old.id = new.id
)
select * from live"""  # noqa: S608 - names of this package's columns; every value is a parameter


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


def ids_of_private_documents_of(*, tenant_id: UUID, owner: str) -> Select[tuple[UUID]]:
    """The ids of somebody's private documents, deleted ones among them, for a condition on what belongs to them."""
    return select(documents.c.id).where(
        documents.c.tenant_id == tenant_id, documents.c.owner == owner, documents.c.visibility == "private"
    )


async def forget_deleted(connection: AsyncConnection, *, tenant_id: UUID, document_id: UUID) -> None:
    """Empty what still says something of a deleted document: its title, names, labels and reports."""
    await connection.execute(
        update(documents)
        .where(documents.c.tenant_id == tenant_id, documents.c.id == document_id, documents.c.deleted_at.is_not(None))
        .values(title="", file_name="", category="", tags=[], metadata={}, source_url=None)
    )
    await connection.execute(
        update(document_versions)
        .where(document_versions.c.tenant_id == tenant_id, document_versions.c.document_id == document_id)
        .values(described_as={}, quality={}, pii={}, signature=None, error_message=None, approval_reason=None)
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


async def find_version_number(
    connection: AsyncConnection, *, tenant_id: UUID, document_id: UUID, number: int
) -> DocumentVersion | None:
    query = select(document_versions).where(
        document_versions.c.tenant_id == tenant_id,
        document_versions.c.document_id == document_id,
        document_versions.c.number == number,
    )
    row = (await connection.execute(query)).one_or_none()
    return None if row is None else _version(row)


async def list_blob_keys(connection: AsyncConnection, *, tenant_id: UUID, chatbot_id: UUID) -> list[str]:
    """The keys of all files and pictures of a chatbot, those of deleted documents too."""
    files = select(document_versions.c.blob_key).where(
        document_versions.c.tenant_id == tenant_id, document_versions.c.chatbot_id == chatbot_id
    )
    pictures = select(document_images.c.blob_key).where(
        document_images.c.tenant_id == tenant_id, document_images.c.chatbot_id == chatbot_id
    )
    return sorted((await connection.execute(files.union(pictures))).scalars())


_LIVE_LANGUAGES = """
    select distinct unnest(v.languages) as language from document_versions v join documents d
        on d.tenant_id = v.tenant_id and d.live_version_id = v.id
    where v.tenant_id = %(tenant_id)s and v.chatbot_id = %(chatbot_id)s"""


async def find_chatbot_of_version(connection: AsyncConnection, *, tenant_id: UUID, version_id: UUID) -> UUID | None:
    query = select(document_versions.c.chatbot_id).where(
        document_versions.c.tenant_id == tenant_id, document_versions.c.id == version_id
    )
    found: UUID | None = (await connection.execute(query)).scalar_one_or_none()
    return found


async def list_live_languages(connection: Reader, *, tenant_id: UUID, chatbot_id: UUID) -> list[str]:
    """The languages of the chatbot's searchable knowledge, sorted."""
    rows = await connection.exec_driver_sql(_LIVE_LANGUAGES, {"tenant_id": tenant_id, "chatbot_id": chatbot_id})
    return sorted(row.language for row in rows)


# ---- chunks


async def replace_chunks(
    connection: AsyncConnection,
    new: Sequence[Chunk],
    *,
    tenant_id: UUID,
    chatbot_id: UUID,
    version_ids: Collection[UUID],
) -> None:
    """Write the chunks of these versions, in place of what they had."""
    await delete_chunks(connection, tenant_id=tenant_id, version_ids=version_ids)
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
            "image_ids": list(chunk.image_ids),
            "provenance": chunk.provenance,
        }
        for chunk in new
    ]
    for start in range(0, len(rows), 500):
        await insert_rows(connection, chunks, rows[start : start + 500])


async def list_chunks(connection: AsyncConnection, *, tenant_id: UUID, version_id: UUID) -> list[Chunk]:
    query = (
        select(chunks)
        .where(chunks.c.tenant_id == tenant_id, chunks.c.version_id == version_id)
        .order_by(chunks.c.ordinal)
    )
    return [_chunk(row) for row in await connection.execute(query)]


async def page_of_chunks(
    connection: AsyncConnection, *, tenant_id: UUID, version_id: UUID, limit: int, offset: int
) -> tuple[list[Chunk], int]:
    of_version = (chunks.c.tenant_id == tenant_id, chunks.c.version_id == version_id)
    total = (await connection.execute(select(func.count()).select_from(chunks).where(*of_version))).scalar_one()
    query = select(chunks).where(*of_version).order_by(chunks.c.ordinal).limit(limit).offset(offset)
    return [_chunk(row) for row in await connection.execute(query)], total


async def delete_chunks(connection: AsyncConnection, *, tenant_id: UUID, version_ids: Collection[UUID]) -> None:
    await _delete_of_versions(connection, chunks, tenant_id, version_ids)


async def _delete_of_versions(
    connection: AsyncConnection, table: Table, tenant_id: UUID, version_ids: Collection[UUID]
) -> None:
    await connection.exec_driver_sql(
        f'delete from "{table.name}" where tenant_id = %(tenant_id)s and version_id = any(%(version_ids)s::uuid[])',  # noqa: S608 - own name
        {"tenant_id": tenant_id, "version_ids": list(version_ids)},
    )


_CHUNK_LANGUAGES = (
    "select id, language from chunks where tenant_id = %(tenant_id)s and chatbot_id = %(chatbot_id)s "
    "and id = any(%(chunk_ids)s::uuid[])"
)


async def list_chunk_languages(
    connection: Reader, *, tenant_id: UUID, chatbot_id: UUID, chunk_ids: Sequence[UUID]
) -> dict[UUID, str]:
    parameters = {"tenant_id": tenant_id, "chatbot_id": chatbot_id, "chunk_ids": list(chunk_ids)}
    return {row.id: row.language for row in await connection.exec_driver_sql(_CHUNK_LANGUAGES, parameters)}


_LIVE_CHUNKS = """
    select k.id, k.document_id, k.version_id, k.ordinal, k.text, k.language, k.kind, k.heading_path, k.page,
        k.start_offset, k.end_offset, k.token_count, k.content_hash, k.image_ids, k.provenance,
        d.title, d.file_name, d.external_id, d.content_type, d.category
    from chunks k join documents d
        on d.tenant_id = k.tenant_id and d.id = k.document_id and d.live_version_id = k.version_id
    where k.tenant_id = %(tenant_id)s and k.chatbot_id = %(chatbot_id)s and k.id = any(%(chunk_ids)s::uuid[])
        and (%(reader)s::text is null or d.visibility = 'shared' or d.owner = %(reader)s::text)"""


_ANY_PRIVATE = """
    select 1 from documents
    where tenant_id = %(tenant_id)s and id = any(%(document_ids)s::uuid[]) and visibility <> 'shared' limit 1
"""


async def list_live_chunks(
    connection: Reader, *, tenant_id: UUID, chatbot_id: UUID, chunk_ids: Sequence[UUID], reader: str | None = None
) -> dict[UUID, ChunkInDocument]:
    """Those of the chunks that still belong to the live version of a document, by id.

    Args:
        reader: only of documents that this asker may read; None: of all.
    """
    parameters = {"tenant_id": tenant_id, "chatbot_id": chatbot_id, "chunk_ids": list(chunk_ids), "reader": reader}
    return {
        row.id: ChunkInDocument(
            chunk=_chunk(row),
            title=row.title,
            file_name=row.file_name,
            external_id=row.external_id,
            content_type=row.content_type,
            category=row.category,
        )
        for row in await connection.exec_driver_sql(_LIVE_CHUNKS, parameters)
    }


async def are_all_shared(connection: Reader, *, tenant_id: UUID, document_ids: Iterable[UUID]) -> bool:
    """Whether all who may ask the chatbot may read these documents."""
    parameters = {"tenant_id": tenant_id, "document_ids": list(document_ids)}
    rows = await connection.exec_driver_sql(_ANY_PRIVATE, parameters)
    return not list(rows)


# ---- pages and pictures


async def replace_pages(
    connection: AsyncConnection, new: Mapping[UUID, Sequence[StoredPage]], *, tenant_id: UUID
) -> None:
    """Write the pages of versions, by the ids of these, in place of what they had."""
    await delete_pages(connection, tenant_id=tenant_id, version_ids=new)
    rows = [
        {
            "tenant_id": tenant_id,
            "version_id": version_id,
            "ordinal": page.ordinal,
            "number": page.number,
            "text": page.text,
            "start_offset": page.start_offset,
            "ocr": page.ocr,
            "confidence": page.confidence,
        }
        for version_id, pages in new.items()
        for page in pages
    ]
    for start in range(0, len(rows), 200):
        await insert_rows(connection, document_pages, rows[start : start + 200])


async def list_pages(connection: AsyncConnection, *, tenant_id: UUID, version_id: UUID) -> list[StoredPage]:
    query = (
        select(document_pages)
        .where(document_pages.c.tenant_id == tenant_id, document_pages.c.version_id == version_id)
        .order_by(document_pages.c.ordinal)
    )
    return [_page(row) for row in await connection.execute(query)]


async def find_page(
    connection: AsyncConnection, *, tenant_id: UUID, version_id: UUID, number: int
) -> StoredPage | None:
    """Page `number`, from 1; in a format without pages the parts are counted."""
    query = (
        select(document_pages)
        .where(
            document_pages.c.tenant_id == tenant_id,
            document_pages.c.version_id == version_id,
            func.coalesce(document_pages.c.number, document_pages.c.ordinal + 1) == number,
        )
        .limit(1)
    )
    row = (await connection.execute(query)).one_or_none()
    return None if row is None else _page(row)


async def delete_pages(connection: AsyncConnection, *, tenant_id: UUID, version_ids: Collection[UUID]) -> None:
    await _delete_of_versions(connection, document_pages, tenant_id, version_ids)


async def insert_images(
    connection: AsyncConnection, new: Sequence[DocumentImage], *, tenant_id: UUID, chatbot_id: UUID
) -> None:
    rows = [
        {
            "tenant_id": tenant_id,
            "chatbot_id": chatbot_id,
            "id": image.id,
            "document_id": image.document_id,
            "version_id": image.version_id,
            "ordinal": image.ordinal,
            "page": image.page,
            "blob_key": image.blob_key,
            "mime_type": image.mime_type,
            "width": image.width,
            "height": image.height,
            "size_bytes": image.size_bytes,
            "description": image.description,
        }
        for image in new
    ]
    if rows:
        await connection.execute(insert(document_images), rows)


async def list_images(connection: AsyncConnection, *, tenant_id: UUID, version_id: UUID) -> list[DocumentImage]:
    query = (
        select(document_images)
        .where(document_images.c.tenant_id == tenant_id, document_images.c.version_id == version_id)
        .order_by(document_images.c.ordinal)
    )
    return [_image(row) for row in await connection.execute(query)]


async def find_live_image(
    connection: AsyncConnection, *, tenant_id: UUID, document_id: UUID, image_id: UUID
) -> DocumentImage | None:
    """A picture of the version that searches find; pictures of replaced and deleted versions are gone."""
    query = (
        select(document_images)
        .join(
            documents,
            and_(
                documents.c.tenant_id == document_images.c.tenant_id,
                documents.c.id == document_images.c.document_id,
                documents.c.live_version_id == document_images.c.version_id,
            ),
        )
        .where(
            document_images.c.tenant_id == tenant_id,
            document_images.c.document_id == document_id,
            document_images.c.id == image_id,
        )
    )
    row = (await connection.execute(query)).one_or_none()
    return None if row is None else _image(row)


async def delete_images(connection: AsyncConnection, *, tenant_id: UUID, version_ids: Collection[UUID]) -> None:
    await _delete_of_versions(connection, document_images, tenant_id, version_ids)


# ---- blobs


async def list_kept_blobs(
    connection: AsyncConnection, *, tenant_id: UUID, after: str, limit: int
) -> list[tuple[str, str | None]]:
    """Keys of the files and pictures of documents that are not deleted, the next ones after `after` in their order.

    With the SHA-256 of a file's content as in its row; None for a picture.
    """
    files = _of_kept_documents(document_versions, document_versions.c.content_hash, tenant_id=tenant_id)
    pictures = _of_kept_documents(document_images, cast(null(), Text), tenant_id=tenant_id)
    both = union(files, pictures).subquery()
    query = select(both).where(both.c.blob_key > after).order_by(both.c.blob_key).limit(limit)
    return [(row.blob_key, row.content_hash) for row in await connection.execute(query)]


async def is_blob_kept(connection: AsyncConnection, *, tenant_id: UUID, blob_key: str) -> bool:
    """Whether a document that is not deleted has this file or picture."""
    nothing = cast(null(), Text)
    found = (
        _of_kept_documents(table, nothing, tenant_id=tenant_id).where(table.c.blob_key == blob_key)
        for table in (document_versions, document_images)
    )
    return (await connection.execute(union(*found).limit(1))).first() is not None


def _of_kept_documents(table: Table, content_hash: ColumnElement[Any], *, tenant_id: UUID) -> Select[Any]:
    return (
        select(table.c.blob_key, content_hash.label("content_hash"))
        .join(documents, and_(documents.c.tenant_id == table.c.tenant_id, documents.c.id == table.c.document_id))
        .where(table.c.tenant_id == tenant_id, documents.c.deleted_at.is_(None))
    )


# ---- near-duplicates


async def replace_bands(
    connection: AsyncConnection, new: Mapping[UUID, Collection[int]], *, tenant_id: UUID, chatbot_id: UUID
) -> None:
    """Write the bands of versions, by the ids of these, in place of what they had."""
    await connection.execute(_DELETE_EARLIER_BANDS, {"tenant_id": tenant_id, "version_ids": list(new)})
    await connection.execute(_INSERT_BANDS, {"tenant_id": tenant_id, "chatbot_id": chatbot_id, **_band_pairs(new)})


def _band_pairs(of_versions: Mapping[UUID, Collection[int]]) -> dict[str, Any]:
    """Bands and their versions, as parameters. Arrays of numbers as one text: the driver writes lists item by item."""
    pairs = [(band, number) for number, bands in enumerate(of_versions.values(), start=1) for band in set(bands)]
    return {
        "bands": f"{{{','.join([str(band) for band, _ in pairs])}}}",
        "numbers": f"{{{','.join([str(number) for _, number in pairs])}}}",
        "version_ids": list(of_versions),
    }


# Bands are made from the signature: a version that has none has no bands, and nothing need be searched for.
_DELETE_EARLIER_BANDS = text("""
delete from document_bands where tenant_id = :tenant_id and version_id = any(array(
    select id from document_versions
    where tenant_id = :tenant_id and id = any(cast(:version_ids as uuid[])) and signature is not null
))
""")
_INSERT_BANDS = text("""
insert into document_bands (tenant_id, chatbot_id, band, version_id)
select :tenant_id, :chatbot_id, band, (cast(:version_ids as uuid[]))[number]
from unnest(cast(:bands as bigint[]), cast(:numbers as integer[])) as row (band, number)
""")


async def delete_bands(connection: AsyncConnection, *, tenant_id: UUID, version_ids: Collection[UUID]) -> None:
    await _delete_of_versions(connection, document_bands, tenant_id, version_ids)


async def find_similar(
    connection: AsyncConnection,
    bands: Mapping[UUID, Collection[int]],
    *,
    tenant_id: UUID,
    chatbot_id: UUID,
    limit: int,
) -> dict[UUID, list[SimilarVersion]]:
    """For each version, given with its bands: what else is live and shares a band, the most shared bands first.

    Shared documents, and for a private one those of the same owner. Of versions that share a band, `limit` are looked at for each.
    """
    rows = await connection.execute(
        _FIND_SIMILAR, {"tenant_id": tenant_id, "chatbot_id": chatbot_id, "limit": limit, **_band_pairs(bands)}
    )
    similar: dict[UUID, list[SimilarVersion]] = {}
    for row in rows:
        alike = SimilarVersion(document_id=row.id, title=row.title, signature=row.signature)
        similar.setdefault(row.version_id, []).append(alike)
    return similar


# Bands are looked up by the primary key: joined as a table, they would be searched by a plan made for an empty one
# while a first import runs.
_FIND_SIMILAR = text("""
with own as materialized (
    select (cast(:version_ids as uuid[]))[number] as version_id, band
    from unnest(cast(:bands as bigint[]), cast(:numbers as integer[])) as own (band, number)
), shared as materialized (
    select other.band, other.version_id from document_bands other
    where other.tenant_id = :tenant_id and other.chatbot_id = :chatbot_id and other.band = any(cast(:bands as bigint[]))
), ranked as materialized (
    select own.version_id, shared.version_id as other_id,
        row_number() over (partition by own.version_id order by count(*) desc, shared.version_id) as rank
    from own join shared using (band)
    where shared.version_id <> own.version_id
    group by own.version_id, shared.version_id
)
select ranked.version_id, other_document.id, other_document.title, other.signature
from ranked
join document_versions other on other.tenant_id = :tenant_id and other.id = ranked.other_id
join documents other_document on other_document.tenant_id = :tenant_id and other_document.id = other.document_id
    and other_document.live_version_id = other.id
join document_versions version on version.tenant_id = :tenant_id and version.id = ranked.version_id
join documents document on document.tenant_id = :tenant_id and document.id = version.document_id
where ranked.rank <= :limit and other_document.id <> document.id and other.signature is not null
    and (other_document.visibility = 'shared'
        or (document.visibility = 'private' and other_document.owner = document.owner))
order by ranked.version_id, ranked.rank
""")


# ---- rows to entities


def _among(column: ColumnElement[Any], values: ColumnElement[Any] | Collection[UUID]) -> ColumnElement[bool]:
    """One array, not a list of parameters: the statement stays the same for any number of values."""
    array = values if isinstance(values, ColumnElement) else literal(list(values), ARRAY(Uuid))
    return column == any_(array)


def _wanted(rows: Sequence[Mapping[str, Any]]) -> Any:
    """What is looked for, as a table: one parameter, however many rows there are."""
    columns = (
        column("place", Integer),
        column("chatbot_id", Uuid),
        column("content_hash", Text),
        column("visibility", Text),
        column("owner", Text),
        column("external_id", Text),
    )
    recordset = func.json_to_recordset(cast(list(rows), JSON))
    return recordset.table_valued(*columns, name="wanted").render_derived(with_types=True)


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
    version_columns = [
        column.label(f"version_{column.name}") for column in document_versions.c if column.name != "signature"
    ]
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
        source=Source(row.source),
        source_url=row.source_url,
        connector_id=row.connector_id,
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
        uploaded_by=values[f"{prefix}uploaded_by"],
        approval=Approval(values[f"{prefix}approval"]),
        approval_reason=values[f"{prefix}approval_reason"],
        decided_by=values[f"{prefix}decided_by"],
        decided_at=values[f"{prefix}decided_at"],
        made_from=values[f"{prefix}made_from"],
        reuse_vectors=values[f"{prefix}reuse_vectors"],
        reused_chunks=values[f"{prefix}reused_chunks"],
        quality_score=values[f"{prefix}quality_score"],
        pii=values[f"{prefix}pii"],
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
        image_ids=tuple(row.image_ids),
        provenance=row.provenance,
    )


def _page(row: Row[Any]) -> StoredPage:
    return StoredPage(
        ordinal=row.ordinal,
        number=row.number,
        text=row.text,
        start_offset=row.start_offset,
        ocr=row.ocr,
        confidence=row.confidence,
    )


def _image(row: Row[Any]) -> DocumentImage:
    return DocumentImage(
        id=row.id,
        document_id=row.document_id,
        version_id=row.version_id,
        ordinal=row.ordinal,
        page=row.page,
        blob_key=row.blob_key,
        mime_type=row.mime_type,
        width=row.width,
        height=row.height,
        size_bytes=row.size_bytes,
        description=row.description,
    )


# ---- statements that are asked again and again, built once


_TENANT, _IDS = bindparam("tenant_id", type_=Uuid), bindparam("ids", type_=ARRAY(Uuid))
_DOCUMENTS_BY_ID = _with_newest_version().where(
    documents.c.tenant_id == _TENANT, documents.c.id == any_(_IDS), documents.c.deleted_at.is_(None)
)
_VERSIONS_BY_ID = select(document_versions).where(
    document_versions.c.tenant_id == _TENANT, document_versions.c.id == any_(_IDS)
)
_DOCUMENTS_OF_VERSIONS = _with_newest_version().where(
    documents.c.tenant_id == _TENANT,
    documents.c.id
    == any_(func.array(_VERSIONS_BY_ID.with_only_columns(document_versions.c.document_id).scalar_subquery())),
    documents.c.deleted_at.is_(None),
)
_LOCK_DOCUMENTS = (
    select(documents.c.id)
    .where(documents.c.tenant_id == _TENANT, documents.c.id == any_(_IDS))
    .order_by(documents.c.id)
    .with_for_update()
)
_LOCK_PRESENT = (
    select(documents.c.id)
    .where(documents.c.tenant_id == _TENANT, documents.c.id == any_(_IDS), documents.c.deleted_at.is_(None))
    .order_by(documents.c.id)
    .with_for_update(key_share=True)
)
