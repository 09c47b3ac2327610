"""What the indexes hold of a chatbot goes with it, though no foreign key ties it there."""

from __future__ import annotations

from collections.abc import Awaitable, Callable

from sqlalchemy import text
from tests.conftest import EMBEDDING_DIMENSIONS, MakeTenant, Tenant

from dragoman.kit.database import Database

_VALUES = {
    "keyword_segments": {"id": "gen_random_uuid()", "chunk_count": "1", "directory": "''"},
    "keyword_postings": {"segment_id": "gen_random_uuid()", "number": "0", "content": "''"},
    "keyword_versions": {
        "version_id": "gen_random_uuid()",
        "segment_id": "gen_random_uuid()",
        "number": "0",
        "chunk_count": "1",
    },
    "chunk_embeddings": {
        "embedding_version": ":v",
        "chunk_id": "gen_random_uuid()",
        "document_id": "gen_random_uuid()",
        "version_id": "gen_random_uuid()",
        "embedding": "cast(:vector as halfvec)",
    },
    "document_bands": {"band": "1", "version_id": "gen_random_uuid()"},
}
_VALUES["sentence_embeddings"] = {**_VALUES["chunk_embeddings"], "start_offset": "0", "end_offset": "1"}


async def _write(database: Database, tenant: Tenant) -> None:
    values = {
        "t": tenant.tenant_id,
        "b": tenant.chatbot_id,
        "v": tenant.embedding_version,
        "vector": str([0.5] * EMBEDDING_DIMENSIONS),
    }
    async with database.transaction(tenant.tenant_id) as connection:
        for table, columns in _VALUES.items():
            statement = (
                f"insert into {table} (tenant_id, chatbot_id, {', '.join(columns)}) "
                f"values (:t, :b, {', '.join(columns.values())})"
            )
            named = {name: value for name, value in values.items() if f":{name}" in statement}
            await connection.execute(text(statement), named)


async def _count(database: Database, tenant: Tenant) -> list[int]:
    async with database.transaction(tenant.tenant_id) as connection:
        return [
            (
                await connection.execute(
                    text(f"select count(*) from {table} where chatbot_id = :b"),
                    {"b": tenant.chatbot_id},
                )
            ).scalar_one()
            for table in _VALUES
        ]


async def test_a_chatbot_takes_its_index_rows_along_and_no_others(
    database: Database, make_tenant: MakeTenant, make_chatbot: Callable[[Tenant], Awaitable[Tenant]]
) -> None:
    gone, stranger = await make_tenant(), await make_tenant()
    sister = await make_chatbot(gone)
    for each in (gone, sister, stranger):
        await _write(database, each)
    async with database.transaction(gone.tenant_id) as connection:
        await connection.execute(text("delete from chatbots where id = :b"), {"b": gone.chatbot_id})
    assert await _count(database, gone) == [0] * len(_VALUES)
    assert await _count(database, sister) == [1] * len(_VALUES)
    assert await _count(database, stranger) == [1] * len(_VALUES)
