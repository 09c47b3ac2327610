"""The rows of the keyword index: few, gone with what they were made of, and whole whatever happens at once."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from typing import Any
from uuid import UUID

import pytest
from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncConnection

from dragoman.adapters.keyword_index.postgres import Adapter, Settings
from dragoman.kit.database import Database
from dragoman.kit.reading import ReadConnection
from dragoman.ports.keyword_index import KeywordChunk, StoredKeywordIndex
from dragoman.ports.search_scope import SearchScope


@pytest.fixture
def index() -> Adapter:
    return Adapter(Settings())


async def _add(index: Adapter, connection: AsyncConnection, tenant: Any, documents: Sequence[Any], words: str) -> None:
    await index.add(
        connection,
        tenant_id=tenant.tenant_id,
        chatbot_id=tenant.chatbot_id,
        versions={
            document.version_id: [
                KeywordChunk(chunk_id=chunk_id, ordinal=ordinal, text=words, language="en")
                for ordinal, chunk_id in enumerate(document.chunk_ids)
            ]
            for document in documents
        },
    )
    await _raise_revision(connection, tenant)


async def _raise_revision(connection: AsyncConnection, tenant: Any) -> None:
    await connection.execute(
        text("update chatbots set knowledge_revision = knowledge_revision + 1 where id = :b"), {"b": tenant.chatbot_id}
    )


async def _found(index: Adapter, database: Database, tenant: Any, query: str, **narrowed: Any) -> set[UUID]:
    scope = SearchScope(tenant_id=tenant.tenant_id, chatbot_id=tenant.chatbot_id, **narrowed)
    async with database.reading(tenant.tenant_id) as connection:
        found = await index.search(connection, scope=scope, query=query, languages=["en"], limit=1000)
    return {hit.chunk_id for hit in found.hits}


async def _count(database: Database, tenant: Any, table: str) -> int:
    async with database.transaction(tenant.tenant_id) as connection:
        counted = await connection.execute(
            text(f"select count(*) from {table} where chatbot_id = :b"), {"b": tenant.chatbot_id}
        )
        return int(counted.scalar_one())


async def test_many_additions_leave_few_segments(
    database: Database, tenant: Any, make_document: Any, index: Adapter
) -> None:
    documents = [await make_document(tenant, ["router"]) for _ in range(120)]
    for document in documents:
        async with database.transaction(tenant.tenant_id) as connection:
            await _add(index, connection, tenant, [document], "router")
    assert await _count(database, tenant, "keyword_segments") < 30
    assert await _found(index, database, tenant, "router") == {one for each in documents for one in each.chunk_ids}


async def test_what_is_removed_leaves_no_rows(
    database: Database, tenant: Any, make_document: Any, index: Adapter
) -> None:
    documents = [await make_document(tenant, ["router", "mast"]) for _ in range(15)]
    async with database.transaction(tenant.tenant_id) as connection:
        await _add(index, connection, tenant, documents, "router mast")
    for document in documents:
        async with database.transaction(tenant.tenant_id) as connection:
            await index.remove_version(connection, tenant_id=tenant.tenant_id, version_id=document.version_id)
    for table in ("keyword_segments", "keyword_postings", "keyword_versions"):
        assert await _count(database, tenant, table) == 0, table


async def test_upkeep_removes_the_words_of_what_is_forgotten(
    database: Database, tenant: Any, make_document: Any, index: Adapter
) -> None:
    kept, forgotten = [await make_document(tenant, ["router"]) for _ in range(20)], await make_document(tenant, ["x"])
    async with database.transaction(tenant.tenant_id) as connection:
        await _add(index, connection, tenant, kept, "router")
    async with database.transaction(tenant.tenant_id) as connection:
        await index.add(
            connection,
            tenant_id=tenant.tenant_id,
            chatbot_id=tenant.chatbot_id,
            versions={
                forgotten.version_id: [
                    KeywordChunk(chunk_id=forgotten.chunk_ids[0], ordinal=0, text="nightingale", language="en")
                ]
            },
        )
        await index.remove_version(connection, tenant_id=tenant.tenant_id, version_id=forgotten.version_id)
        await index.remove_version(connection, tenant_id=tenant.tenant_id, version_id=kept[0].version_id)
    async with database.transaction(tenant.tenant_id) as connection:
        place = {"tenant_id": tenant.tenant_id, "chatbot_id": tenant.chatbot_id}
        assert not await index.tidy(connection, **place)
        chunks = (await connection.execute(text("select sum(chunk_count) from keyword_segments"))).scalar_one()
    assert chunks == 19


async def test_additions_removals_and_upkeep_at_once_lose_nothing(
    database: Database, tenant: Any, make_document: Any, index: Adapter
) -> None:
    documents = [await make_document(tenant, ["router"]) for _ in range(60)]
    gone = documents[::5]

    async def add(document: Any) -> None:
        async with database.transaction(tenant.tenant_id) as connection:
            await _add(index, connection, tenant, [document], "router")
        if document in gone:
            async with database.transaction(tenant.tenant_id) as connection:
                await index.remove_version(connection, tenant_id=tenant.tenant_id, version_id=document.version_id)
                await _raise_revision(connection, tenant)

    async def tidy() -> None:
        for _ in range(8):
            async with database.transaction(tenant.tenant_id) as connection:
                await index.tidy(connection, tenant_id=tenant.tenant_id, chatbot_id=tenant.chatbot_id)
            await asyncio.sleep(0.02)

    async def search() -> None:
        for _ in range(20):
            await _found(index, database, tenant, "router")

    everything = [asyncio.create_task(each) for each in (*map(add, documents), tidy(), search())]
    async with asyncio.timeout(60):
        await asyncio.gather(*everything)
    expected = {one for each in documents if each not in gone for one in each.chunk_ids}
    assert await _found(index, database, tenant, "router") == expected
    assert await _found(Adapter(Settings(cache_mib=0)), database, tenant, "router") == expected


async def _while_written_anew(
    database: Database, tenant: Any, index: Adapter, documents: Sequence[Any], change: Callable[[Any], Awaitable[None]]
) -> None:
    """Change the index while another transaction merges the segments of these documents."""
    for document in documents:
        async with database.transaction(tenant.tenant_id) as connection:
            await _add(index, connection, tenant, [document], "router")

    async def changed() -> None:
        async with database.transaction(tenant.tenant_id) as connection:
            await change(connection)
            await _raise_revision(connection, tenant)

    async with database.transaction(tenant.tenant_id) as connection:
        await index.tidy(connection, tenant_id=tenant.tenant_id, chatbot_id=tenant.chatbot_id)
        changing = asyncio.create_task(changed())
        await asyncio.sleep(0.5)
        assert not changing.done()  # it waits for this transaction
    await changing


async def test_what_is_removed_while_its_segment_is_written_anew_is_gone(
    database: Database, tenant: Any, make_document: Any, index: Adapter
) -> None:
    kept, gone = [await make_document(tenant, ["router"]) for _ in range(2)]

    async def remove(connection: Any) -> None:
        await index.remove_version(connection, tenant_id=tenant.tenant_id, version_id=gone.version_id)

    await _while_written_anew(database, tenant, index, [kept, gone], remove)
    assert await _found(index, database, tenant, "router") == set(kept.chunk_ids)


async def test_what_is_added_again_while_its_segment_is_written_anew_is_there_once(
    database: Database, tenant: Any, make_document: Any, index: Adapter
) -> None:
    kept, again = [await make_document(tenant, ["router"]) for _ in range(2)]

    async def add_again(connection: Any) -> None:
        await _add(index, connection, tenant, [again], "switch")

    await _while_written_anew(database, tenant, index, [kept, again], add_again)
    assert await _found(index, database, tenant, "router") == set(kept.chunk_ids)
    assert await _found(index, database, tenant, "switch") == set(again.chunk_ids)


async def test_live_versions_that_the_index_lacks_are_named(
    database: Database, tenant: Any, make_document: Any, index: Adapter
) -> None:
    held, lacking, waiting = [await make_document(tenant, ["router"], live=number < 2) for number in range(3)]
    async with database.transaction(tenant.tenant_id) as connection:
        await _add(index, connection, tenant, [held], "router")
        place = {"tenant_id": tenant.tenant_id, "chatbot_id": tenant.chatbot_id}
        assert isinstance(index, StoredKeywordIndex)
        assert await index.list_missing(connection, **place, limit=5) == [lacking.version_id]
        await _add(index, connection, tenant, [lacking, waiting], "router")
        assert await index.list_missing(connection, **place, limit=5) == []
    assert await _found(index, database, tenant, "router") == {*held.chunk_ids, *lacking.chunk_ids}


async def test_a_search_that_names_the_revision_asks_for_nothing_that_is_at_hand(
    database: Database,
    tenant: Any,
    make_document: Any,
    delete_document: Any,
    index: Adapter,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Nor does it miss what was merged, deleted, or is the asker's own."""
    shared = [await make_document(tenant, ["router"]) for _ in range(2)]
    private = await make_document(tenant, ["router"], visibility="private", owner="user:ada")
    for document in (*shared, private):
        async with database.transaction(tenant.tenant_id) as connection:
            await _add(index, connection, tenant, [document], "router mast")
    statements: list[str] = []
    run = ReadConnection._run

    async def noted(self: ReadConnection, given: Any, **how: Any) -> Any:
        statements.extend(sql for sql, _ in given)
        return await run(self, given, **how)

    async def revision() -> int:
        async with database.transaction(tenant.tenant_id) as connection:
            return int((await connection.execute(text("select max(knowledge_revision) from chatbots"))).scalar_one())

    monkeypatch.setattr(ReadConnection, "_run", noted)
    everyone = {one for each in shared for one in each.chunk_ids}
    for owner, expected in (
        (None, everyone),
        ("user:bob", everyone),
        ("user:ada", everyone | set(private.chunk_ids)),
    ):
        named: dict[str, Any] = {"owner": owner, "knowledge_revision": await revision()}
        assert await _found(index, database, tenant, "router", **named) == expected
        statements.clear()
        assert await _found(index, database, tenant, "router", **named) == expected
        assert statements == [], owner
    named = {"owner": "user:ada", "knowledge_revision": await revision()}
    async with database.transaction(tenant.tenant_id) as connection:
        assert await index.tidy(connection, tenant_id=tenant.tenant_id, chatbot_id=tenant.chatbot_id)
    for key in [key for key in index._cache._kept if key[0] == "block"]:
        del index._cache._kept[key]
    assert await _found(index, database, tenant, "mast", **named) == everyone | set(private.chunk_ids)
    await delete_document(tenant, shared[0])
    async with database.transaction(tenant.tenant_id) as connection:
        await _raise_revision(connection, tenant)
    named["knowledge_revision"] = await revision()
    left = (everyone | set(private.chunk_ids)) - set(shared[0].chunk_ids)
    assert await _found(index, database, tenant, "router", **named) == left
