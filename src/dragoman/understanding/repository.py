"""SQL of what was learned of names, and of the language of the knowledge. All runs in the tenant's transaction."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any
from uuid import UUID

from sqlalchemy import ColumnElement, Select, and_, delete, exists, func, literal, select, tuple_
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.ext.asyncio import AsyncConnection

from dragoman.kit.clock import now
from dragoman.knowledge.tables import chunks, document_versions, documents
from dragoman.understanding.expansion_patterns import RULES
from dragoman.understanding.expansion_table import Told
from dragoman.understanding.tables import expansion_finds, expansion_scans

_AT_ONCE = 1000


def _shared_and_live(tenant_id: UUID, chatbot_id: UUID) -> ColumnElement[bool]:
    """What everybody may see: others must not learn from a private document, nor anybody from a deleted one."""
    return and_(
        documents.c.tenant_id == tenant_id,
        documents.c.chatbot_id == chatbot_id,
        documents.c.deleted_at.is_(None),
        documents.c.live_version_id.is_not(None),
        documents.c.visibility == "shared",
    )


async def find_main_language(connection: AsyncConnection, *, tenant_id: UUID, chatbot_id: UUID) -> str | None:
    """The language of the documents that have most chunks together; None where none is known."""
    version, size = document_versions.c, func.sum(document_versions.c.chunk_count)
    query = (
        select(version.language)
        .join(documents, and_(documents.c.tenant_id == version.tenant_id, documents.c.live_version_id == version.id))
        .where(_shared_and_live(tenant_id, chatbot_id), version.language.is_not(None), version.language != "und")
        .group_by(version.language)
        .order_by(size.desc(), version.language)
        .limit(1)
    )
    language: str | None = (await connection.execute(query)).scalar_one_or_none()
    return language


async def list_told(connection: AsyncConnection, *, tenant_id: UUID, chatbot_id: UUID, limit: int) -> list[Told]:
    """Finds of live shared documents, those that most chunks tell first."""
    find, told = expansion_finds.c, func.count()
    query = (
        select(find.kind, find.short, find.long, find.language, told.label("chunks"))
        .join(
            chunks,
            and_(
                chunks.c.tenant_id == find.tenant_id,
                chunks.c.chatbot_id == find.chatbot_id,
                chunks.c.id == find.chunk_id,
            ),
        )
        .join(
            documents,
            and_(
                documents.c.tenant_id == chunks.c.tenant_id,
                documents.c.id == chunks.c.document_id,
                documents.c.live_version_id == chunks.c.version_id,
            ),
        )
        .where(find.tenant_id == tenant_id, find.chatbot_id == chatbot_id, _shared_and_live(tenant_id, chatbot_id))
        .group_by(find.kind, find.short, find.long, find.language)
        .order_by(told.desc(), find.kind, find.short, find.long, find.language)
        .limit(limit)
    )
    return [
        Told(kind=row.kind, short=row.short, long=row.long, language=row.language, chunks=row.chunks)
        for row in await connection.execute(query)
    ]


def _unscanned(tenant_id: UUID, chatbot_id: UUID) -> Select[Any]:
    scanned = exists().where(
        expansion_scans.c.tenant_id == tenant_id,
        expansion_scans.c.version_id == documents.c.live_version_id,
        expansion_scans.c.rules == RULES,
    )
    return select(documents.c.live_version_id).where(_shared_and_live(tenant_id, chatbot_id), ~scanned)


async def list_unscanned(connection: AsyncConnection, *, tenant_id: UUID, chatbot_id: UUID, limit: int) -> list[UUID]:
    """Live versions of shared documents that were not read for names by these rules."""
    query = _unscanned(tenant_id, chatbot_id).order_by(documents.c.live_version_id).limit(limit)
    return list((await connection.execute(query)).scalars())


async def has_unscanned(connection: AsyncConnection, *, tenant_id: UUID, chatbot_id: UUID) -> bool:
    return bool((await connection.execute(select(_unscanned(tenant_id, chatbot_id).exists()))).scalar_one())


@dataclass(frozen=True, slots=True, kw_only=True)
class ChunkText:
    """A chunk as it is read for names; `place` sorts chunks by version and ordinal."""

    id: UUID
    place: tuple[UUID, int]
    text: str
    language: str


async def page_of_texts(
    connection: AsyncConnection, *, tenant_id: UUID, version_ids: Sequence[UUID], after: tuple[UUID, int] | None
) -> list[ChunkText]:
    """Up to 1,000 chunks of these versions, from behind this place on."""
    place = tuple_(chunks.c.version_id, chunks.c.ordinal)
    query = (
        select(chunks.c.id, chunks.c.version_id, chunks.c.ordinal, chunks.c.text, chunks.c.language)
        .where(chunks.c.tenant_id == tenant_id, chunks.c.version_id.in_(version_ids))
        .order_by(chunks.c.version_id, chunks.c.ordinal)
        .limit(_AT_ONCE)
    )
    if after is not None:
        query = query.where(place > tuple_(literal(after[0]), literal(after[1])))
    return [
        ChunkText(id=row.id, place=(row.version_id, row.ordinal), text=row.text, language=row.language)
        for row in await connection.execute(query)
    ]


async def replace_finds(
    connection: AsyncConnection,
    *,
    tenant_id: UUID,
    chatbot_id: UUID,
    chunk_ids: Sequence[UUID],
    finds: Sequence[tuple[UUID, Told]],
) -> None:
    """What these chunks tell, in place of what they told by former rules. Chunks deleted meanwhile tell nothing."""
    await connection.execute(
        delete(expansion_finds).where(
            expansion_finds.c.tenant_id == tenant_id,
            expansion_finds.c.chatbot_id == chatbot_id,
            expansion_finds.c.chunk_id.in_(chunk_ids),
        )
    )
    still_there = (
        select(chunks.c.id)
        .where(
            chunks.c.tenant_id == tenant_id,
            chunks.c.chatbot_id == chatbot_id,
            chunks.c.id.in_({chunk_id for chunk_id, _ in finds}),
        )
        .order_by(chunks.c.id)
        .with_for_update(read=True, key_share=True)
    )
    present = set((await connection.execute(still_there)).scalars()) if finds else set()
    rows = [
        {"tenant_id": tenant_id, "chatbot_id": chatbot_id, "chunk_id": chunk_id}
        | {"kind": told.kind, "short": told.short, "long": told.long, "language": told.language}
        for chunk_id, told in finds
        if chunk_id in present
    ]
    for start in range(0, len(rows), _AT_ONCE):
        await connection.execute(
            insert(expansion_finds).values(rows[start : start + _AT_ONCE]).on_conflict_do_nothing()
        )


async def mark_scanned(
    connection: AsyncConnection, *, tenant_id: UUID, chatbot_id: UUID, version_ids: Sequence[UUID]
) -> None:
    read = {"rules": RULES, "scanned_at": now()}
    place = {"tenant_id": tenant_id, "chatbot_id": chatbot_id}
    statement = insert(expansion_scans).values([{**place, "version_id": id_, **read} for id_ in version_ids])
    await connection.execute(statement.on_conflict_do_update(index_elements=["tenant_id", "version_id"], set_=read))
