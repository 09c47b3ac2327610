"""Vectors in memory (`adapters/vector_index/_parts/remembered.py`) say what PostgreSQL says, at one revision."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from typing import Any
from uuid import UUID

import numpy as np
import pytest

from dragoman.adapters.vector_index._parts import remembered as remembering
from dragoman.adapters.vector_index.pgvector import Adapter, Settings
from dragoman.embeddings.remember import remembering as keep_remembering
from dragoman.kit.database import Database
from dragoman.ports.external_index import IndexPlace
from dragoman.ports.search_scope import Condition, SearchScope
from dragoman.ports.vector_index import ChunkVectors, DenseHit

DIMENSIONS = 32


@pytest.fixture
def random() -> np.random.Generator:
    return np.random.default_rng(2026)


def unit(*shape: int, random: np.random.Generator) -> np.ndarray:
    vectors = random.standard_normal((*shape, DIMENSIONS)).astype(np.float32)
    return (vectors / np.linalg.norm(vectors, axis=-1, keepdims=True)).astype(np.float32)


class Library:
    """A chatbot's documents, searched in memory and in PostgreSQL."""

    def __init__(self, database: Database, tenant: Any, make: Any, random: np.random.Generator) -> None:
        self.database, self.tenant, self._make, self._random = database, tenant, make, random
        self.adapter = Adapter(Settings())

    async def put(self, chunks: int, sentences: Sequence[int] = (), **columns: Any) -> Any:
        """A document; `sentences` are how many each chunk has. Raises the revision, as whatever changes knowledge does."""
        document = await self._make(self.tenant, [f"Text {n}" for n in range(chunks)], **columns)
        await self.embed(document, sentences)
        await self.raise_revision()
        return document

    async def embed(self, document: Any, sentences: Sequence[int] = ()) -> None:
        counts = [*sentences, *[0] * (len(document.chunk_ids) - len(sentences))]
        vectors = [
            ChunkVectors(
                document_id=document.document_id,
                version_id=document.version_id,
                chunk_id=chunk_id,
                chunk=unit(random=self._random),
                sentences=unit(count, random=self._random),
                sentence_spans=[(10 * n, 10 * n + 9) for n in range(count)],
            )
            for chunk_id, count in zip(document.chunk_ids, counts, strict=True)
        ]
        async with self.database.transaction(self.tenant.tenant_id) as connection:
            await self.adapter.add(
                connection,
                tenant_id=self.tenant.tenant_id,
                chatbot_id=self.tenant.chatbot_id,
                embedding_version=self.tenant.embedding_version,
                vectors=vectors,
            )

    async def raise_revision(self) -> None:
        async with self.database.transaction(self.tenant.tenant_id) as connection:
            await connection.exec_driver_sql(
                "update chatbots set knowledge_revision = knowledge_revision + 1 where id = %(id)s",
                {"id": self.tenant.chatbot_id},
            )

    @property
    def place(self) -> IndexPlace:
        return IndexPlace(
            tenant_id=self.tenant.tenant_id,
            chatbot_id=self.tenant.chatbot_id,
            embedding_version=self.tenant.embedding_version,
        )

    async def remember(self, adapter: Adapter | None = None) -> None:
        async with self.database.reading(self.tenant.tenant_id) as connection:
            await (adapter or self.adapter).remember(connection, self.place)

    async def scope(self, **narrowed: Any) -> SearchScope:
        """Of the present revision."""
        async with self.database.reading(self.tenant.tenant_id) as connection:
            rows = await connection.exec_driver_sql(
                "select knowledge_revision from chatbots where id = %(id)s", {"id": self.tenant.chatbot_id}
            )
        options: dict[str, Any] = {"knowledge_revision": rows.scalar_one()}
        return SearchScope(
            tenant_id=self.tenant.tenant_id, chatbot_id=self.tenant.chatbot_id, **{**options, **narrowed}
        )

    def is_remembered(self, scope: SearchScope) -> bool:
        return self.adapter._remembered.find(scope, self.tenant.embedding_version) is not None

    async def search(self, query: np.ndarray, scope: SearchScope, limit: int = 5) -> list[DenseHit]:
        async with self.database.reading(self.tenant.tenant_id) as connection:
            return await self.adapter.search(
                connection,
                scope=scope,
                embedding_version=self.tenant.embedding_version,
                query=query,
                limit=limit,
            )

    async def assert_same(self, *, limit: int = 5, **narrowed: Any) -> list[DenseHit]:
        """Search, scores and sentences are those of PostgreSQL; of the last question, the hits."""
        scope, plain = await self.scope(**narrowed), await self.scope(**{**narrowed, "knowledge_revision": None})
        assert self.is_remembered(scope)
        hits: list[DenseHit] = []
        for query in unit(8, random=self._random):
            hits, expected = await self.search(query, scope, limit), await self.search(query, plain, limit)
            assert [hit.chunk_id for hit in hits] == [hit.chunk_id for hit in expected]
            _assert_close(hits, expected)
            options: dict[str, Any] = {
                "embedding_version": self.tenant.embedding_version,
                "query": query,
                "chunk_ids": [*[hit.chunk_id for hit in expected], UUID(int=7)],
            }
            async with self.database.reading(self.tenant.tenant_id) as connection:
                scores = await self.adapter.score(connection, scope=scope, **options)
                sentences = await self.adapter.score_sentences(connection, scope=scope, **options)
                stored = await self.adapter.score(connection, scope=plain, **options)
                stored_sentences = await self.adapter.score_sentences(connection, scope=plain, **options)
                del options["query"]
                vectors = await self.adapter.vectors(connection, scope=scope, **options)
                stored_vectors = await self.adapter.vectors(connection, scope=plain, **options)
            assert vectors.keys() == stored_vectors.keys()
            assert all(vector == pytest.approx(stored_vectors[chunk_id]) for chunk_id, vector in vectors.items())
            assert [hit.chunk_id for hit in scores] == [hit.chunk_id for hit in stored]
            _assert_close(scores, stored)
            assert [(s.chunk_id, s.start, s.end) for s in sentences] == [
                (s.chunk_id, s.start, s.end) for s in stored_sentences
            ]
            assert [s.cosine for s in sentences] == pytest.approx([s.cosine for s in stored_sentences], abs=1e-6)
        return hits


def _assert_close(found: Sequence[DenseHit], expected: Sequence[DenseHit]) -> None:
    assert [hit.cosine for hit in found] == pytest.approx([hit.cosine for hit in expected], abs=1e-6)
    for hit, other in zip(found, expected, strict=True):
        assert hit.best_sentence_cosine == pytest.approx(other.best_sentence_cosine, abs=1e-6)


@pytest.fixture
def library(database: Database, tenant: Any, make_document: Any, random: np.random.Generator) -> Library:
    return Library(database, tenant, make_document, random)


async def test_memory_says_what_postgresql_says(library: Library) -> None:
    for number in range(6):
        await library.put(7, [number, 0, 3, 1])
    await library.remember()
    await library.assert_same()


async def test_above_two_hundred_chunks_sentences_of_the_best_are_compared_in_both(library: Library) -> None:
    for _ in range(9):
        await library.put(30, [2] * 30)
    await library.remember()
    await library.assert_same(limit=20)


async def test_chunks_without_sentences(library: Library) -> None:
    await library.put(40)
    await library.remember()
    hits = await library.assert_same(limit=10)
    assert [hit.best_sentence_cosine for hit in hits] == [None] * 10


async def test_an_empty_chatbot_is_remembered_as_empty(library: Library, random: np.random.Generator) -> None:
    await library.remember()
    assert await library.assert_same() == []


async def test_a_private_document_is_its_owners(library: Library) -> None:
    await library.put(5, [1] * 5)
    private = await library.put(5, [2] * 5, visibility="private", owner="user:ada")
    await library.remember()
    for owner, sees in (("user:ada", True), ("user:bob", False), (None, False), ("", False)):
        hits = await library.assert_same(limit=20, owner=owner)
        assert {hit.chunk_id for hit in hits}.issuperset(private.chunk_ids) is sees, owner
        assert len(hits) == (10 if sees else 5)


async def test_what_is_deleted_or_replaced_is_gone_and_what_is_new_is_read_beside_what_is_known(
    library: Library, delete_document: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    kept, deleted, old = [await library.put(4, [1, 2]) for _ in range(3)]
    await library.remember()
    before = await library.scope()
    await delete_document(library.tenant, deleted)
    new = await library.put(3, [2], document_id=old.document_id)
    assert not library.is_remembered(await library.scope())  # PostgreSQL answers until it is read
    read: list[UUID] = []
    read_parts = remembering._read_parts

    def noted(connection: Any, place: Any, version_ids: Sequence[UUID]) -> Any:
        read.extend(version_ids)
        return read_parts(connection, place, version_ids)

    monkeypatch.setattr(remembering, "_read_parts", noted)
    await library.remember()
    hits = await library.assert_same(limit=20)
    assert {hit.chunk_id for hit in hits} == {*kept.chunk_ids, *new.chunk_ids}
    assert read == [new.version_id]
    assert not library.is_remembered(before)


async def test_without_a_revision_and_with_a_filter_postgresql_is_asked(library: Library) -> None:
    document = await library.put(3)
    await library.remember()
    present = (await library.scope()).knowledge_revision or 0
    for revision in (None, present - 1, present + 1):
        assert not library.is_remembered(await library.scope(knowledge_revision=revision)), revision
    query = unit(random=np.random.default_rng(1))
    for filters in (
        {"languages": ["de"]},
        {"categories": ["none"]},
        {"conditions": [Condition(field="tag", values=("none",))]},
        {"document_ids": []},
    ):
        assert await library.search(query, await library.scope(**filters)) == [], filters
    assert len(await library.search(query, await library.scope(document_ids=[document.document_id]))) == 3


async def test_vectors_that_are_still_being_made_keep_a_chatbot_from_being_remembered(
    library: Library, make_document: Any
) -> None:
    await library.put(3)
    await make_document(library.tenant, ["Not embedded yet"])
    await library.raise_revision()
    await library.remember()
    assert not library.is_remembered(await library.scope())


async def test_a_chatbot_above_the_limit_is_left_to_postgresql(library: Library) -> None:
    await library.put(5)
    library.adapter._remembered.largest_bytes = 5 * 4 * DIMENSIONS
    await library.remember()
    assert library.is_remembered(await library.scope())
    await library.put(1)
    await library.remember()
    assert not library.is_remembered(await library.scope())


async def test_memory_is_bounded_and_a_chatbot_in_use_keeps_its_place(
    library: Library, make_chatbot: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(remembering, "_CHUNK_BYTES", 50_000)
    memory = library.adapter._remembered
    memory.max_bytes = 1_000_000  # for one of the two
    await library.put(12)
    await library.remember()
    first, library.tenant = library.tenant, await make_chatbot(library.tenant)
    await library.put(12)
    await library.remember()
    assert not library.is_remembered(await library.scope())  # the first was used just now
    monkeypatch.setattr(remembering, "_BUSY_S", 0.0)
    await library.remember()
    assert library.is_remembered(await library.scope())
    library.tenant = first
    assert not library.is_remembered(await library.scope())
    assert 0 < memory._bytes <= memory.max_bytes


async def test_a_chatbot_is_read_in_beside_its_searches_after_the_third(library: Library) -> None:
    await library.put(3)
    scope, query = await library.scope(), unit(random=np.random.default_rng(3))
    async with keep_remembering(library.database, library.adapter):
        for searches in range(1, 4):
            await asyncio.sleep(0.05)
            assert not library.is_remembered(scope), searches
            await library.search(query, scope)
        async with asyncio.timeout(10):
            while not library.is_remembered(scope):
                await asyncio.sleep(0.01)
    assert [hit.cosine for hit in await library.search(query, scope)]


async def test_nothing_is_kept_where_the_setting_says_so(library: Library) -> None:
    library.adapter = Adapter(Settings(remembered_mib=0))
    await library.put(3)
    scope = await library.scope()
    for _ in range(5):
        await library.search(unit(random=np.random.default_rng(4)), scope)
    assert not library.adapter._remembered._wanted


async def test_unused_memory_is_given_back(library: Library, monkeypatch: pytest.MonkeyPatch) -> None:
    await library.put(3)
    await library.remember()
    monkeypatch.setattr(remembering, "_UNUSED_S", 0.05)
    waiting = asyncio.create_task(library.adapter.next_to_remember())
    async with asyncio.timeout(10):
        while library.adapter._remembered._bytes:
            await asyncio.sleep(0.01)
    waiting.cancel()


async def test_another_tenant_cannot_reach_what_is_remembered(library: Library, make_tenant: Any) -> None:
    await library.put(3)
    await library.remember()
    scope = await library.scope()
    stranger = await make_tenant()
    theirs = SearchScope(
        tenant_id=stranger.tenant_id, chatbot_id=scope.chatbot_id, knowledge_revision=scope.knowledge_revision
    )
    assert not library.is_remembered(theirs)


def test_half_precision_is_widened_exactly() -> None:
    every = np.arange(65536, dtype=np.uint16)
    numbers = every.view(np.float16).astype(np.float32)
    finite = np.isfinite(numbers)
    assert np.array_equal(remembering._widened(every)[finite], numbers[finite])
