"""Indexes outside PostgreSQL: what they may not do however they err, and how they are compared with it and mended."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any
from uuid import UUID

import numpy as np
import pytest
from prometheus_client import REGISTRY
from tests.contract.chroma_server import find_chroma, run_chroma_double, run_real_chroma
from tests.contract.elasticsearch_server import ElasticsearchServer, run_elasticsearch
from tests.contract.json_server import JsonDouble
from tests.contract.pinecone_server import API_KEY, run_pinecone
from uuid_utils.compat import uuid7

from dragoman.adapters.vector_index._parts.candidates import StoredRows, entry_id
from dragoman.entrypoints.commands import index_sync
from dragoman.ingestion import external_indexes
from dragoman.ingestion.external_indexes import Drift, External, compare, sync_tenant
from dragoman.kit import registry
from dragoman.kit.database import Database
from dragoman.kit.json_service import ServiceAwayError, ServiceRefusedError
from dragoman.ports.external_index import Digest, IndexPlace
from dragoman.ports.keyword_index import KeywordChunk
from dragoman.ports.search_scope import SearchScope
from dragoman.ports.vector_index import ChunkVectors, DenseHit

DIMENSIONS = 32


class Bench:
    """A double with its adapter, a tenant, and documents in both."""

    def __init__(self, database: Database, make_document: Any, tenant: Any, server: Any, index: Any) -> None:
        self.database, self._make, self.tenant = database, make_document, tenant
        self.server, self.index = server, index
        self.random = np.random.default_rng(7)
        self.query = self.unit()

    def unit(self, *shape: int) -> Any:
        vectors = self.random.standard_normal((*shape, DIMENSIONS)).astype(np.float32)
        return vectors / np.linalg.norm(vectors, axis=-1, keepdims=True)

    @property
    def place(self) -> IndexPlace:
        return IndexPlace(
            tenant_id=self.tenant.tenant_id,
            chatbot_id=self.tenant.chatbot_id,
            embedding_version=self.tenant.embedding_version,
        )

    def of(self, tenant: Any) -> Bench:
        return Bench(self.database, self._make, tenant, self.server, self.index)

    async def put(self, chunks: int = 3, **columns: Any) -> Any:
        document = await self._make(self.tenant, [f"Text {n}" for n in range(chunks)], **columns)
        await self.store(document)
        return document

    async def store(self, document: Any) -> None:
        vectors = [
            ChunkVectors(
                document_id=document.document_id,
                version_id=document.version_id,
                chunk_id=chunk_id,
                chunk=self.unit(),
                sentences=np.zeros((0, DIMENSIONS), np.float32),
                sentence_spans=(),
            )
            for chunk_id in document.chunk_ids
        ]
        async with self.database.transaction(self.tenant.tenant_id) as connection:
            await self.index.add(
                connection,
                tenant_id=self.tenant.tenant_id,
                chatbot_id=self.tenant.chatbot_id,
                embedding_version=self.tenant.embedding_version,
                vectors=vectors,
            )

    async def remove(self, document: Any) -> None:
        async with self.database.transaction(self.tenant.tenant_id) as connection:
            await self.index.remove_version(connection, tenant_id=self.tenant.tenant_id, version_id=document.version_id)

    async def search(self, limit: int = 10, index: Any = None, **narrowed: Any) -> list[DenseHit]:
        scope = SearchScope(tenant_id=self.tenant.tenant_id, chatbot_id=self.tenant.chatbot_id, **narrowed)
        async with self.database.reading(self.tenant.tenant_id) as connection:
            found: list[DenseHit] = await (index or self.index).search(
                connection,
                scope=scope,
                embedding_version=self.tenant.embedding_version,
                query=self.query,
                limit=limit,
            )
        return found

    async def found(self, limit: int = 10, **narrowed: Any) -> set[UUID]:
        return {hit.chunk_id for hit in await self.search(limit, **narrowed)}

    async def sync(self, **options: Any) -> list[Any]:
        external = External.of(self.index, registry.create("keyword_index", "postgres"))
        settings: dict[str, Any] = {"mend": True, "settle_s": 0.0, **options}
        return await sync_tenant(self.database, external, self.tenant.tenant_id, **settings)


def fallbacks(adapter: str, reason: str, port: str = "vector_index") -> float:
    labels = {"adapter": adapter, "reason": reason}
    return REGISTRY.get_sample_value(f"dragoman_{port}_fallbacks_total", labels) or 0.0


@pytest.fixture(params=["chroma", "pinecone"])
async def bench(
    request: pytest.FixtureRequest, database: Database, make_document: Any, tenant: Any
) -> AsyncIterator[Bench]:
    if request.param == "chroma":
        with run_chroma_double() as chroma:
            index = registry.create("vector_index", "chroma", {"url": chroma.url, "search_timeout_s": 0.5})
            yield Bench(database, make_document, tenant, chroma, index)
            await index.close()
        return
    with run_pinecone(DIMENSIONS) as pinecone:
        settings = {"host": pinecone.url, "api_key": API_KEY, "search_timeout_s": 0.5}
        index = registry.create("vector_index", "pinecone", settings)
        yield Bench(database, make_document, tenant, pinecone, index)
        await index.close()


# --- lies ------------------------------------------------------------------------------------------------------------


async def test_whatever_the_server_names_only_what_the_scope_sees_is_found(
    bench: Bench, make_tenant: Callable[[], Awaitable[Any]], make_chatbot: Any, delete_document: Any
) -> None:
    seen = await bench.put()
    private = await bench.put(visibility="private", owner="user:bob")
    deleted = await bench.put()
    await delete_document(bench.tenant, deleted)
    replaced = await bench.put()
    newer = await bench.put(document_id=replaced.document_id)
    foreign = await bench.of(await make_tenant()).put()
    neighbour = await bench.of(await make_chatbot(bench.tenant)).put()
    hidden = (private, deleted, replaced, foreign, neighbour)
    named = [entry_id(each.version_id, chunk_id) for each in hidden for chunk_id in each.chunk_ids]
    nonsense: list[Any] = ["", "x" * 65, "no.id", "ß" * 65, f"{'0' * 32}.{'g' * 32}", entry_id(uuid7(), uuid7())]
    bench.server.named = [*nonsense, None, 7, {"id": 3}, *named, *named]
    expected = {*seen.chunk_ids, *newer.chunk_ids}
    assert await bench.found() == expected
    assert await bench.found(1) <= expected
    bench.server.named = [*named, *(entry_id(seen.version_id, chunk_id) for chunk_id in seen.chunk_ids)]
    assert await bench.found(3) == set(seen.chunk_ids)


async def test_scores_are_those_of_postgresql_whatever_the_server_says(bench: Bench) -> None:
    document = await bench.put(12)
    exact = registry.create("vector_index", "pgvector")
    assert await bench.search(4) == await bench.search(4, exact)
    bench.server.named = [entry_id(document.version_id, chunk_id) for chunk_id in reversed(document.chunk_ids)]
    assert await bench.search(4) == await bench.search(4, exact)


async def test_private_documents_of_others_do_not_crowd_out_what_may_be_found(bench: Bench) -> None:
    crowd = await bench.put(300, visibility="private", owner="user:bob")
    seen = await bench.put(5)
    named = [(crowd.version_id, chunk_id) for chunk_id in crowd.chunk_ids]
    bench.server.named = [entry_id(*each) for each in named]
    assert await bench.found(5) == set(seen.chunk_ids)


@pytest.mark.parametrize(
    "text", ["", "[]", "null", "7", '{"ids": 3, "matches": {}}', '{"ids": [7], "matches": [7]}', "<html>"]
)
async def test_an_answer_that_makes_no_sense_is_no_answer(bench: Bench, text: str) -> None:
    document = await bench.put()
    await bench.search()
    bench.server.faults.text = text
    assert await bench.found() == set(document.chunk_ids)


# --- outages ---------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("status", [429, 500, 503])
async def test_a_search_goes_on_without_the_server_and_leaves_it_alone_for_a_while(bench: Bench, status: int) -> None:
    document = await bench.put()
    before = fallbacks(bench.index.name, "away")
    bench.server.faults.status = status
    assert await bench.found() == set(document.chunk_ids)
    asked = len(bench.server.requests)
    assert await bench.found() == set(document.chunk_ids)
    assert len(bench.server.requests) == asked
    assert fallbacks(bench.index.name, "away") == before + 2


async def test_a_server_that_hangs_costs_one_time_out(bench: Bench) -> None:
    document = await bench.put()
    bench.server.faults.hang_s = 2.0
    assert await bench.found() == set(document.chunk_ids)
    bench.server.faults.hang_s = 0.0
    assert await bench.found() == set(document.chunk_ids)
    assert fallbacks(bench.index.name, "away") >= 2


async def test_a_wrong_key_fails_writing_but_not_searching(bench: Bench) -> None:
    document = await bench.put()
    bench.server.faults.status = 401
    assert await bench.found() == set(document.chunk_ids)
    with pytest.raises(ServiceRefusedError):
        await bench.put()


async def test_vectors_that_the_server_does_not_take_are_not_stored_either(bench: Bench) -> None:
    bench.server.faults.status, bench.server.faults.headers = 503, {"Retry-After": "60"}
    with pytest.raises(ServiceAwayError) as caught:
        await bench.put()
    assert caught.value.is_outage
    assert caught.value.retryable
    bench.server.faults.status = 200
    assert await bench.found() == set()


async def test_a_write_is_tried_again_when_the_server_says_so(bench: Bench) -> None:
    faults = bench.server.faults
    faults.status, faults.times, faults.headers = 429, 2, {"Retry-After": "0.01"}
    document = await bench.put()
    digests = await bench.index.digest_outside(bench.place)
    assert digests[document.version_id].entries == 3


async def test_a_removal_never_fails_and_what_is_left_is_not_found_and_removed_by_a_check(bench: Bench) -> None:
    kept, removed = await bench.put(), await bench.put()
    bench.server.faults.status, bench.server.faults.times = 500, 1
    await bench.remove(removed)
    bench.index._service._away_until = 0.0
    assert removed.version_id in await bench.index.digest_outside(bench.place)
    assert await bench.found() == set(kept.chunk_ids)
    [comparison] = await bench.sync()
    assert comparison.drift.unknown == (removed.version_id,)
    assert set(await bench.index.digest_outside(bench.place)) == {kept.version_id}


# --- upkeep ----------------------------------------------------------------------------------------------------------


async def test_what_a_roll_back_leaves_is_a_drift_in_both_directions(bench: Bench) -> None:
    kept = await bench.put()
    with pytest.raises(ZeroDivisionError):
        async with bench.database.transaction(bench.tenant.tenant_id) as connection:
            await bench.index.remove_version(connection, tenant_id=bench.tenant.tenant_id, version_id=kept.version_id)
            raise ZeroDivisionError
    assert await bench.found() == set(kept.chunk_ids)
    [comparison] = await bench.sync(mend=False)
    assert comparison.drift == Drift(stored=3, outside=0, missing=(kept.version_id,))
    [comparison] = await bench.sync()
    assert (comparison.sent, comparison.removed) == (3, 0)
    assert [each.drift.is_none for each in await bench.sync(mend=False)] == [True]


async def test_an_empty_index_is_filled_and_what_is_there_is_not_sent_again(bench: Bench) -> None:
    documents = [await bench.put(4) for _ in range(3)]
    await bench.index.drop_place(bench.place)
    async with bench.database.transaction(bench.tenant.tenant_id) as connection:
        assert await bench.index.send_versions(connection, bench.place, [documents[0].version_id]) == 4
    [comparison] = await bench.sync()
    assert (comparison.drift.outside, comparison.sent) == (4, 8)
    [comparison] = await bench.sync(rebuild=True)
    assert comparison.sent == 12
    exact = registry.create("vector_index", "pgvector")
    assert await bench.search(5) == await bench.search(5, exact)


async def test_entries_that_differ_within_a_version_are_found_and_mended(bench: Bench) -> None:
    document = await bench.put(3)
    stranger = StoredRows(version_ids=[document.version_id], chunk_ids=[uuid7()], vectors=bench.unit(1))
    await bench.index.remove(bench.place, document.version_id, document.chunk_ids[:1])
    await bench.index.send(bench.place, stranger)
    [comparison] = await bench.sync()
    assert comparison.drift == Drift(stored=3, outside=3, different=(document.version_id,))
    assert [each.drift.is_none for each in await bench.sync()] == [True]


async def test_what_is_left_of_a_deleted_chatbot_is_removed_and_other_tenants_stay(
    bench: Bench, make_tenant: Callable[[], Awaitable[Any]]
) -> None:
    await bench.put()
    other = bench.of(await make_tenant())
    await other.put()
    lost = replace(bench.place, chatbot_id=uuid7())
    await bench.index.send(lost, StoredRows(version_ids=[uuid7()], chunk_ids=[uuid7()], vectors=bench.unit(1)))
    found = await bench.sync()
    assert [each.place for each in found if not each.drift.is_none] == [lost]
    assert await bench.index.digest_outside(lost) == {}
    assert await bench.index.list_outside_places(tenant_id=bench.tenant.tenant_id) == [bench.place]
    assert len(await bench.index.digest_outside(other.place)) == 1


async def test_copied_vectors_reach_the_server(bench: Bench, make_document: Any) -> None:
    old = await bench.put(2)
    new = await make_document(bench.tenant, ["Text 0", "Text 1"], document_id=old.document_id, live=False)
    async with bench.database.transaction(bench.tenant.tenant_id) as connection:
        copied = await bench.index.copy(
            connection,
            tenant_id=bench.tenant.tenant_id,
            chatbot_id=bench.tenant.chatbot_id,
            document_id=new.document_id,
            version_id=new.version_id,
            embedding_version=bench.tenant.embedding_version,
            pairs=list(zip(old.chunk_ids, new.chunk_ids, strict=True)),
            with_sentences=False,
        )
    assert copied == set(new.chunk_ids)
    assert [each.drift.is_none for each in await bench.sync(mend=False)] == [True]


def test_a_comparison_tells_what_is_missing_different_and_unknown() -> None:
    same, missing, different, unknown = sorted(uuid7() for _ in range(4))
    one, other = Digest(entries=2, mark=5), Digest(entries=2, mark=6)
    drift = compare({same: one, missing: one, different: one}, {same: one, different: other, unknown: other})
    assert drift == Drift(stored=6, outside=6, missing=(missing,), different=(different,), unknown=(unknown,))
    assert not drift.is_none
    assert compare({same: one}, {same: one}).is_none


async def test_a_check_is_enqueued_once_a_day_for_each_tenant(database: Database, tenant: Any) -> None:
    class Sender:
        def __init__(self) -> None:
            self.sent: list[int] = []

        async def send(self, *, priority: int) -> None:
            self.sent.append(priority)

    sender = Sender()
    assert await external_indexes.enqueue_checks(database, sender) >= 1
    assert await external_indexes.enqueue_checks(database, sender) == 0
    assert len(sender.sent) == 1


async def test_the_command_compares_and_fills_what_is_set(
    words: Words,
    make_document: Any,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    tmp_path: Path,
) -> None:
    await make_document(words.tenant, ["router", "antenna"])
    for name, value in {
        "DATABASE_APP_URL": words.database.urls.app,
        "DATABASE_SYSTEM_URL": words.database.urls.system,
        "KEYWORD_INDEX": "elasticsearch",
        "KEYWORD_INDEX_ELASTICSEARCH_URL": words.server.url,
    }.items():
        monkeypatch.setenv(f"DRAGOMAN_{name}", value)

    async def run(**options: Any) -> tuple[int, Any]:
        chosen = {"chatbot": words.tenant.chatbot_id, "settle": 0.0, "home": tmp_path, "as_json": True, **options}
        code = await asyncio.to_thread(index_sync.sync, **chosen)
        return int(code), json.loads(capsys.readouterr().out)

    code, told = await run(check_only=True)
    assert (code, told["ok"], len(told["places"][0]["missing"])) == (1, False, 1)
    code, told = await run()
    assert (code, told["places"][0]["sent"]) == (0, 2)
    code, told = await run(check_only=True)
    assert (code, told["ok"]) == (0, True)
    monkeypatch.setenv("DRAGOMAN_KEYWORD_INDEX", "postgres")
    assert await run() == (0, {"ok": True, "places": []})


# --- the servers' own limits -----------------------------------------------------------------------------------------


async def test_pinecone_gets_batches_that_it_takes() -> None:
    with run_pinecone(1536) as server:
        index = registry.create("vector_index", "pinecone", {"host": server.url, "api_key": API_KEY})
        place = IndexPlace(tenant_id=uuid7(), chatbot_id=uuid7(), embedding_version=1)
        vectors = np.random.default_rng(1).standard_normal((300, 1536)).astype(np.float32)
        version = uuid7()
        rows = StoredRows(version_ids=[version] * 300, chunk_ids=[uuid7() for _ in range(300)], vectors=vectors)
        await index.send(place, rows)
        assert len(server.requests) > 1
        assert (await index.digest_outside(place))[version].entries == 300
        await index.forget_versions(place, [version])
        assert await index.digest_outside(place) == {}
        await index.close()


async def test_what_pinecone_does_not_show_yet_is_found_by_postgresql(
    database: Database, make_document: Any, tenant: Any
) -> None:
    with run_pinecone(DIMENSIONS) as server:
        index = registry.create("vector_index", "pinecone", {"host": server.url, "api_key": API_KEY})
        bench = Bench(database, make_document, tenant, server, index)
        server.lag = True
        document = await bench.put()
        assert await bench.found() == set(document.chunk_ids)
        server.catch_up()
        assert await bench.found(3) == set(document.chunk_ids)
        await index.close()


async def test_a_chroma_collection_that_another_process_made_anew_is_found_again(
    database: Database, make_document: Any, tenant: Any
) -> None:
    with run_chroma_double() as server:
        one, other = (registry.create("vector_index", "chroma", {"url": server.url}) for _ in range(2))
        bench = Bench(database, make_document, tenant, server, one)
        first = await bench.put(2)
        await other.drop_place(bench.place)
        assert await one.digest_outside(bench.place) == {}
        second = await bench.put(2)
        assert set(await other.digest_outside(bench.place)) == {second.version_id}
        assert await bench.found() == {*first.chunk_ids, *second.chunk_ids}
        await one.close()
        await other.close()


@pytest.mark.skipif(find_chroma() is None, reason="needs the program `chroma`, of the package chromadb")
async def test_the_upkeep_works_with_the_real_chroma_server(
    tmp_path: Path, database: Database, make_document: Any, tenant: Any
) -> None:
    with run_real_chroma(str(find_chroma()), tmp_path) as url:
        index = registry.create("vector_index", "chroma", {"url": url})
        bench = Bench(database, make_document, tenant, None, index)
        kept, removed = await bench.put(1200), await bench.put(2)
        assert [each.drift.is_none for each in await bench.sync(mend=False)] == [True]
        await index.forget_versions(bench.place, [kept.version_id])
        assert set(await index.digest_outside(bench.place)) == {removed.version_id}
        [comparison] = await bench.sync()
        assert comparison.sent == 1200
        await index.remove(bench.place, removed.version_id, removed.chunk_ids)
        assert set(await index.digest_outside(bench.place)) == {kept.version_id}
        assert await index.list_outside_places(tenant_id=tenant.tenant_id) == [bench.place]
        exact = registry.create("vector_index", "pgvector")
        assert await bench.search(5) == await bench.search(5, exact)
        await index.drop_place(bench.place)
        assert await index.list_outside_places(tenant_id=tenant.tenant_id) == []
        await index.close()


# --- in memory -------------------------------------------------------------------------------------------------------


@pytest.fixture
def in_memory(database: Database, make_document: Any, tenant: Any) -> Callable[..., Bench]:
    pytest.importorskip("faiss", reason="needs the extra `faiss`")

    def make(**settings: Any) -> Bench:
        return Bench(database, make_document, tenant, None, registry.create("vector_index", "faiss", settings))

    return make


async def publish(bench: Bench) -> None:
    async with bench.database.transaction(bench.tenant.tenant_id) as connection:
        await connection.exec_driver_sql(
            "update chatbots set knowledge_revision = knowledge_revision + 1 where id = %(id)s",
            {"id": bench.tenant.chatbot_id},
        )


async def test_an_index_in_memory_keeps_up_with_what_other_processes_publish(in_memory: Callable[..., Bench]) -> None:
    here, worker = in_memory(), in_memory()
    first = await worker.put(5)
    assert await here.found(5) == set(first.chunk_ids)
    for _ in range(12):  # more segments than are kept apart
        await worker.put(5)
        await publish(worker)
        exact = registry.create("vector_index", "pgvector")
        here.query = here.unit()
        assert await here.search(5) == await here.search(5, exact)
    [shelf] = here.index._shelves.values()
    assert len(shelf.segments) <= 9  # small ones
    before = fallbacks("faiss", "too_few")
    await here.search(5)
    assert fallbacks("faiss", "too_few") == before


async def test_rows_of_what_is_gone_leave_the_memory(in_memory: Callable[..., Bench], delete_document: Any) -> None:
    bench = in_memory()
    documents = [await bench.put(10) for _ in range(4)]
    await bench.search(5)
    for document in documents[:3]:
        await delete_document(bench.tenant, document)
    await publish(bench)
    assert await bench.found(20) == set(documents[3].chunk_ids)
    [shelf] = bench.index._shelves.values()
    assert sum(segment.rows for segment in shelf.segments) == 10


async def test_a_large_segment_gets_a_graph_that_finds_nearly_the_same(in_memory: Callable[..., Bench]) -> None:
    bench = in_memory(graph_from=500)
    await bench.put(1000)
    exact = registry.create("vector_index", "pgvector")
    await bench.search(10)
    for task in list(bench.index._tasks):
        await task
    [shelf] = bench.index._shelves.values()
    assert [segment.has_graph for segment in shelf.segments] == [True]
    recall = []
    for _ in range(20):
        bench.query = bench.unit()
        wanted = {hit.chunk_id for hit in await bench.search(10, exact)}
        recall.append(len(wanted & await bench.found(10)) / 10)
    assert np.mean(recall) >= 0.98
    await bench.index.close()


async def test_memory_is_bounded_and_what_does_not_fit_is_searched_in_postgresql(
    in_memory: Callable[..., Bench], make_chatbot: Any
) -> None:
    bench = in_memory()
    bench.index._settings = bench.index._settings.model_copy(update={"max_mib": 0.1})
    document = await bench.put(1500)
    assert len(await bench.found(5)) == 5
    [shelf] = bench.index._shelves.values()
    assert shelf.bytes == 0
    assert fallbacks("faiss", "too_big") >= 1
    chatbots = [bench.of(await make_chatbot(bench.tenant)) for _ in range(5)]
    for each in chatbots:
        each.index = bench.index
        await each.put(500)
        assert len(await each.found(5)) == 5
    total = sum(shelf.bytes for shelf in bench.index._shelves.values())
    assert 0 < total <= 0.1 * 1024 * 1024
    assert document.chunk_ids


# --- words -----------------------------------------------------------------------------------------------------------


class Words:
    """Elasticsearch's double with its adapter, a tenant, and documents in both."""

    def __init__(self, database: Database, make_document: Any, tenant: Any, server: ElasticsearchServer) -> None:
        self.database, self._make, self.tenant, self.server = database, make_document, tenant, server
        self.index = registry.create(
            "keyword_index", "elasticsearch", {"url": server.url, "search_timeout_s": 0.5, "write_tries": 2}
        )

    async def put(self, *texts: str, **columns: Any) -> Any:
        document = await self._make(self.tenant, texts, **columns)
        chunks = [
            KeywordChunk(chunk_id=chunk_id, ordinal=ordinal, text=text, language="en")
            for ordinal, (chunk_id, text) in enumerate(zip(document.chunk_ids, texts, strict=True))
        ]
        async with self.database.transaction(self.tenant.tenant_id) as connection:
            await connection.exec_driver_sql(
                """update document_versions set described_as = '{"title": ""}' where id = %(id)s""",
                {"id": document.version_id},
            )
            await self.index.add(
                connection,
                tenant_id=self.tenant.tenant_id,
                chatbot_id=self.tenant.chatbot_id,
                versions={document.version_id: chunks},
            )
        return document

    async def search(self, query: str, limit: int = 10, **options: Any) -> list[Any]:
        scope = SearchScope(tenant_id=self.tenant.tenant_id, chatbot_id=self.tenant.chatbot_id)
        async with self.database.reading(self.tenant.tenant_id) as connection:
            found = await self.index.search(
                connection, scope=scope, query=query, languages=["en"], limit=limit, **options
            )
        return list(found.hits)

    async def found(self, query: str, limit: int = 10, **options: Any) -> set[UUID]:
        return {hit.chunk_id for hit in await self.search(query, limit, **options)}

    @property
    def place(self) -> IndexPlace:
        return IndexPlace(tenant_id=self.tenant.tenant_id, chatbot_id=self.tenant.chatbot_id)

    async def sync(self, **options: Any) -> list[Any]:
        external = External.of(registry.create("vector_index", "pgvector"), self.index)
        settings: dict[str, Any] = {"mend": True, "settle_s": 0.0, **options}
        return await sync_tenant(self.database, external, self.tenant.tenant_id, **settings)


@pytest.fixture
async def words(database: Database, make_document: Any, tenant: Any) -> AsyncIterator[Words]:
    with run_elasticsearch() as server:
        bench = Words(database, make_document, tenant, server)
        yield bench
        await bench.index.close()


async def test_whatever_elasticsearch_names_only_what_the_scope_sees_is_found(
    words: Words, make_document: Any, make_tenant: Callable[[], Awaitable[Any]], delete_document: Any
) -> None:
    seen = await words.put("router", "antenna")
    private = await words.put("router", visibility="private", owner="user:bob")
    deleted = await words.put("router")
    await delete_document(words.tenant, deleted)
    foreign = await make_document(await make_tenant(), ["router"])
    hidden = [chunk_id.hex for each in (private, deleted, foreign) for chunk_id in each.chunk_ids]
    words.server.named = ["", "nonsense", uuid7().hex, *hidden, *hidden, seen.chunk_ids[0].hex]
    assert await words.found("router", also=[*private.chunk_ids, *foreign.chunk_ids]) == {seen.chunk_ids[0]}


@pytest.mark.parametrize(
    "text", ["", "[]", "null", '{"hits": 3}', '{"hits": {"hits": 7}, "aggregations": []}', "<html>"]
)
async def test_words_are_found_though_elasticsearch_makes_no_sense(words: Words, text: str) -> None:
    document = await words.put("router", "antenna")
    words.server.faults.text = text
    assert await words.found("routers") == {document.chunk_ids[0]}


@pytest.mark.parametrize("status", [401, 429, 500])
async def test_words_are_found_in_the_texts_while_elasticsearch_is_away(words: Words, status: int) -> None:
    document = await words.put("A router with an antenna", "Warranty of the antenna", "Über Öfen")
    private = await words.put("router", visibility="private", owner="user:bob")
    words.server.faults.status = status
    router, warranty, _ = document.chunk_ids
    hits = await words.search("warranty of antennas")
    assert [hit.chunk_id for hit in hits] == [warranty, router]
    assert await words.found("router", also=private.chunk_ids) == {router}
    assert await words.found('"with an antenna"', operators=True) == {router}
    assert await words.found("ant*", operators=True) == {router, warranty}
    assert await words.found("antenna -warranty", operators=True) == {router}
    assert await words.found("100%_\\") == set()


async def test_chunks_that_elasticsearch_does_not_take_are_an_outage_or_an_error(words: Words) -> None:
    words.server.items_fail = 429
    with pytest.raises(ServiceAwayError):
        await words.put("router")
    words.server.items_fail = 400
    with pytest.raises(ServiceRefusedError):
        await words.put("router")
    words.server.items_fail = None
    assert await words.found("router") == set()


async def test_what_elasticsearch_lost_is_found_in_the_texts_until_it_is_mended(words: Words) -> None:
    first, second = await words.put("router"), await words.put("router router")
    words.server.remove_documents(keep=1)
    everything = {*first.chunk_ids, *second.chunk_ids}
    before = fallbacks("elasticsearch", "incomplete", "keyword_index")
    assert await words.found("router") == everything
    assert fallbacks("elasticsearch", "incomplete", "keyword_index") == before + 1
    [comparison] = await words.sync()
    assert comparison.drift == Drift(stored=2, outside=1, missing=(second.version_id,))
    assert await words.found("router") == everything
    assert fallbacks("elasticsearch", "incomplete", "keyword_index") == before + 1
    assert [each.drift.is_none for each in await words.sync()] == [True]


async def test_chunks_of_before_are_given_to_elasticsearch_by_a_rebuild(words: Words, make_document: Any) -> None:
    document = await make_document(words.tenant, ["router", "antenna"])
    await words.put("mast")
    [comparison] = await words.sync(rebuild=True)
    assert (comparison.drift.outside, comparison.sent) == (0, 3)
    assert await words.found("router") == {document.chunk_ids[0]}
    assert len(words.server.documents()) == 3


async def test_unknown_chunks_are_removed_from_elasticsearch(words: Words) -> None:
    kept = await words.put("router")
    lost = replace(words.place, chatbot_id=uuid7())
    for place in (words.place, lost):
        strangers = {uuid7(): [KeywordChunk(chunk_id=uuid7(), ordinal=0, text="router", language="en")]}
        with pytest.raises(ZeroDivisionError):
            async with words.database.transaction(words.tenant.tenant_id) as connection:
                await words.index.add(
                    connection, tenant_id=place.tenant_id, chatbot_id=place.chatbot_id, versions=strangers
                )
                raise ZeroDivisionError
    assert len(words.server.documents()) == 3
    drifts = {each.place: each.drift for each in await words.sync()}
    assert [len(drifts[place].unknown) for place in (words.place, lost)] == [1, 1]
    assert len(words.server.documents()) == 1
    assert await words.found("router") == set(kept.chunk_ids)


def _every(double: JsonDouble) -> Iterator[str]:
    return (request.path for request in double.requests)


async def test_a_removal_never_fails_though_elasticsearch_is_away(words: Words) -> None:
    kept, removed = await words.put("router"), await words.put("router")
    words.server.faults.status = 500
    async with words.database.transaction(words.tenant.tenant_id) as connection:
        await words.index.remove_version(connection, tenant_id=words.tenant.tenant_id, version_id=removed.version_id)
    words.server.faults.status = 200
    words.index._service._away_until = 0.0
    assert await words.found("router") == set(kept.chunk_ids)
    assert any(path.endswith("_delete_by_query") for path in _every(words.server))


def test_large_additions_go_in_batches(words: Words) -> None:
    from dragoman.adapters.keyword_index.elasticsearch import _batches

    lines: Sequence[bytes] = [b"x" * 1_500_000] * 5 + [b"y"] * 1200
    batches = _batches(lines)
    assert [line for batch in batches for line in batch] == list(lines)
    assert max(map(len, batches)) <= 500
    assert max(sum(map(len, batch)) for batch in batches) <= 4_000_000
