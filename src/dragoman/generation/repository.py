"""SQL of prompt templates, and of remembered texts that were rated down."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

from sqlalchemy import bindparam, delete, func, insert, select
from sqlalchemy.dialects.postgresql import insert as upsert
from sqlalchemy.ext.asyncio import AsyncConnection

from dragoman.generation.entities import PromptTemplate
from dragoman.generation.tables import prompt_templates, rejected_texts
from dragoman.kit.clock import now
from dragoman.kit.reading import Reader


async def insert_template(
    connection: AsyncConnection, *, tenant_id: UUID, chatbot_id: UUID, text: str, note: str, created_by: str
) -> PromptTemplate:
    """The next version. Hold the chatbot's lock, so that two do not take the same number."""
    c = prompt_templates.c
    latest = select(func.coalesce(func.max(c.version), 0)).where(c.tenant_id == tenant_id, c.chatbot_id == chatbot_id)
    version = (await connection.execute(latest)).scalar_one() + 1
    row = (
        await connection.execute(
            insert(prompt_templates)
            .values(
                tenant_id=tenant_id,
                chatbot_id=chatbot_id,
                version=version,
                text=text,
                note=note,
                created_by=created_by,
            )
            .returning(prompt_templates)
        )
    ).one()
    return _template(row)


async def lock_chatbot(connection: AsyncConnection, *, chatbot_id: UUID) -> None:
    """Until the transaction ends, nobody else adds a version to this chatbot."""
    await connection.execute(select(func.pg_advisory_xact_lock(func.hashtextextended(f"prompts:{chatbot_id}", 0))))


_FIND_TEMPLATE = select(prompt_templates).where(
    prompt_templates.c.tenant_id == bindparam("tenant_id"),
    prompt_templates.c.chatbot_id == bindparam("chatbot_id"),
    prompt_templates.c.version == bindparam("version"),
)


async def find_template(
    connection: Reader, *, tenant_id: UUID, chatbot_id: UUID, version: int
) -> PromptTemplate | None:
    values = {"tenant_id": tenant_id, "chatbot_id": chatbot_id, "version": version}
    row = (await connection.execute(_FIND_TEMPLATE, values)).one_or_none()
    return None if row is None else _template(row)


async def list_templates(
    connection: AsyncConnection, *, tenant_id: UUID, chatbot_id: UUID, limit: int, offset: int
) -> tuple[list[PromptTemplate], int]:
    """The latest first, with the number of all."""
    c = prompt_templates.c
    mine = (c.tenant_id == tenant_id, c.chatbot_id == chatbot_id)
    rows = await connection.execute(
        select(prompt_templates).where(*mine).order_by(c.version.desc()).limit(limit).offset(offset)
    )
    total = (await connection.execute(select(func.count()).select_from(prompt_templates).where(*mine))).scalar_one()
    return [_template(row) for row in rows], total


# ---- remembered texts that were rated down


async def reject_text(connection: AsyncConnection, *, tenant_id: UUID, name: bytes) -> None:
    statement = upsert(rejected_texts).values(tenant_id=tenant_id, name=name, rejected_at=now())
    await connection.execute(
        statement.on_conflict_do_update(
            index_elements=["tenant_id", "name"], set_={"rejected_at": statement.excluded.rejected_at}
        )
    )


_FIND_REJECTION = select(rejected_texts.c.rejected_at).where(
    rejected_texts.c.tenant_id == bindparam("tenant_id"), rejected_texts.c.name == bindparam("name")
)


async def find_rejection(connection: Reader, *, tenant_id: UUID, name: bytes) -> datetime | None:
    """When a text of this name was rejected last; None: never."""
    row = (await connection.execute(_FIND_REJECTION, {"tenant_id": tenant_id, "name": name})).one_or_none()
    return None if row is None else row.rejected_at


async def forget_rejections(connection: AsyncConnection, *, tenant_id: UUID, older_than: timedelta) -> int:
    """Remove what no remembered text can be as old as."""
    c = rejected_texts.c
    gone = await connection.execute(
        delete(rejected_texts).where(c.tenant_id == tenant_id, c.rejected_at < now() - older_than)
    )
    return gone.rowcount


def _template(row: Any) -> PromptTemplate:
    return PromptTemplate(
        chatbot_id=row.chatbot_id,
        version=row.version,
        text=row.text,
        note=row.note,
        created_by=row.created_by,
        created_at=row.created_at,
    )
