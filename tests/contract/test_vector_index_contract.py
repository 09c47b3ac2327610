"""What `ports/vector_index.py` promises, on every adapter."""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from dataclasses import replace
from typing import Any
from uuid import UUID

import numpy as np
import pytest
from uuid_utils.compat import uuid7

from dragoman.kit import registry
from dragoman.kit.database import Database
from dragoman.ports.search_scope import SearchScope
from dragoman.ports.vector_index import ChunkVectors, DenseHit, VectorIndex
from tests.contract.conftest import VECTOR_DIMENSIONS, open_adapter

DIMENSIONS = VECTOR_DIMENSIONS


@pytest.fixture(scope="module", params=registry.list_adapters("vector_index"))
async def index(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[VectorIndex]:
    async with open_adapter("vector_index", request.param, tmp_path_factory.mktemp("index")) as adapter:
        yield adapter


@pytest.fixture
def random() -> np.random.Generator:
    return np.random.default_rng(20_26)


def unit(*shape: int, random: np.random.Generator) -> np.ndarray:
    """Vectors of length 1 whose numbers half precision holds exactly, so that brute force agrees to the last place."""
    vectors = random.standard_normal((*shape, DIMENSIONS)).astype(np.float32)
    vectors /= np.linalg.norm(vectors, axis=-1, keepdims=True)
    return vectors.astype(np.float16).astype(np.float32)


def scope_of(tenant: Any, **narrowed: Any) -> SearchScope:
    return SearchScope(tenant_id=tenant.tenant_id, chatbot_id=tenant.chatbot_id, **narrowed)


class Shelf:
    """Documents with vectors, and the same vectors in memory for brute force."""

    def __init__(self, database: Database, index: VectorIndex, tenant: Any, make_document: Any) -> None:
        self.database, self.index, self.tenant, self._make = database, index, tenant, make_document
        self.vectors: dict[UUID, ChunkVectors] = {}

    async def put(self, chunks: np.ndarray, sentences: Sequence[np.ndarray] | None = None, **columns: Any) -> Any:
        document = await self._make(self.tenant, [f"Text {n}" for n in range(len(chunks))], **columns)
        rows = sentences if sentences is not None else [np.zeros((0, DIMENSIONS), np.float32)] * len(chunks)
        vectors = [
            ChunkVectors(
                document_id=document.document_id,
                version_id=document.version_id,
                chunk_id=chunk_id,
                chunk=chunk,
                sentences=own,
                sentence_spans=[(10 * n, 10 * n + 9) for n in range(len(own))],
            )
            for chunk_id, chunk, own in zip(document.chunk_ids, chunks, rows, strict=True)
        ]
        await self.store(vectors)
        return document

    async def store(self, vectors: Sequence[ChunkVectors]) -> None:
        async with self.database.transaction(self.tenant.tenant_id) as connection:
            await self.index.add(
                connection,
                tenant_id=self.tenant.tenant_id,
                chatbot_id=self.tenant.chatbot_id,
                embedding_version=self.tenant.embedding_version,
                vectors=vectors,
            )
        self.vectors |= {item.chunk_id: item for item in vectors}

    async def search(
        self, query: np.ndarray, limit: int = 10, *, scope: SearchScope | None = None, as_tenant: UUID | None = None
    ) -> list[DenseHit]:
        async with self.database.transaction(as_tenant or self.tenant.tenant_id) as connection:
            return await self.index.search(
                connection,
                scope=scope or scope_of(self.tenant),
                embedding_version=self.tenant.embedding_version,
                query=query,
                limit=limit,
            )

    async def found(self, query: np.ndarray, **options: Any) -> set[UUID]:
        return {hit.chunk_id for hit in await self.search(query, **options)}

    def brute_force(self, query: np.ndarray) -> tuple[dict[UUID, float], dict[UUID, float]]:
        chunk = {key: float(item.chunk @ query) for key, item in self.vectors.items()}
        sentence = {
            key: float((item.sentences @ query).max()) for key, item in self.vectors.items() if len(item.sentences)
        }
        return chunk, sentence


@pytest.fixture
def shelf(database: Database, index: VectorIndex, tenant: Any, make_document: Any) -> Shelf:
    return Shelf(database, index, tenant, make_document)


async def test_search_finds_what_brute_force_finds_with_the_same_cosines(
    shelf: Shelf, random: np.random.Generator
) -> None:
    for _ in range(20):
        await shelf.put(unit(10, random=random), [unit(n % 5, random=random) for n in range(10)])
    for query in unit(10, random=random):
        hits = await shelf.search(query, 10)
        chunk, sentence = shelf.brute_force(query)
        nearest = {key for cosines in (chunk, sentence) for key in sorted(cosines, key=lambda k: -cosines[k])[:10]}
        assert {hit.chunk_id for hit in hits} == nearest
        for hit in hits:
            assert hit.cosine == pytest.approx(chunk[hit.chunk_id], abs=2e-3)
            assert hit.best_sentence_cosine == pytest.approx(sentence.get(hit.chunk_id), abs=2e-3)


async def test_hits_come_by_the_better_of_both_ranks(shelf: Shelf, random: np.random.Generator) -> None:
    query, other, third = np.eye(3, DIMENSIONS, dtype=np.float32)
    near = (query + other) / np.sqrt(2)
    document = await shelf.put(np.stack([near, other, third]), [third[None], query[None], third[None]])
    by_chunk, by_sentence, neither = document.chunk_ids
    assert [hit.chunk_id for hit in await shelf.search(query)] == [by_chunk, by_sentence, neither]


async def test_equal_chunks_come_in_the_order_of_their_ids(shelf: Shelf, random: np.random.Generator) -> None:
    query = unit(random=random)
    documents = [await shelf.put(np.stack([query] * 3)) for _ in range(3)]
    everything = sorted(chunk_id for document in documents for chunk_id in document.chunk_ids)
    assert [hit.chunk_id for hit in await shelf.search(query, 5)] == everything[:5]


async def test_a_chunk_without_sentences_has_no_sentence_cosine(shelf: Shelf, random: np.random.Generator) -> None:
    await shelf.put(unit(1, random=random))
    assert [hit.best_sentence_cosine for hit in await shelf.search(unit(random=random))] == [None]


async def test_an_empty_chatbot_and_a_limit_of_none_find_nothing(shelf: Shelf, random: np.random.Generator) -> None:
    assert await shelf.search(unit(random=random)) == []
    await shelf.put(unit(2, random=random))
    assert await shelf.search(unit(random=random), 0) == []


async def test_the_same_chunk_again_replaces_its_vectors(shelf: Shelf, random: np.random.Generator) -> None:
    document = await shelf.put(unit(1, random=random), [unit(4, random=random)])
    new = unit(random=random)
    before = shelf.vectors[document.chunk_ids[0]]
    await shelf.store([replace(before, chunk=new, sentences=new[None], sentence_spans=[(3, 8)])])
    [hit] = await shelf.search(new)
    assert (hit.cosine, hit.best_sentence_cosine) == (pytest.approx(1, abs=2e-3), pytest.approx(1, abs=2e-3))
    async with shelf.database.transaction(shelf.tenant.tenant_id) as connection:
        sentences = await shelf.index.score_sentences(
            connection,
            scope=scope_of(shelf.tenant),
            embedding_version=shelf.tenant.embedding_version,
            query=new,
            chunk_ids=document.chunk_ids,
        )
    assert [(sentence.start, sentence.end) for sentence in sentences] == [(3, 8)]


async def test_a_deleted_document_is_gone_from_the_next_search(
    shelf: Shelf, random: np.random.Generator, delete_document: Any
) -> None:
    kept, deleted = await shelf.put(unit(2, random=random)), await shelf.put(unit(2, random=random))
    await delete_document(shelf.tenant, deleted)
    assert await shelf.found(unit(random=random)) == set(kept.chunk_ids)


async def test_only_the_live_version_is_found(shelf: Shelf, random: np.random.Generator) -> None:
    query = unit(random=random)
    old = await shelf.put(unit(2, random=random))
    waiting = await shelf.put(unit(2, random=random), document_id=old.document_id, live=False)
    assert await shelf.found(query) == set(old.chunk_ids)
    new = await shelf.put(unit(2, random=random), document_id=old.document_id)
    assert await shelf.found(query) == set(new.chunk_ids)
    assert not await shelf.found(query) & set(waiting.chunk_ids)


async def test_a_document_that_never_went_live_is_not_found(shelf: Shelf, random: np.random.Generator) -> None:
    await shelf.put(unit(2, random=random), live=False)
    assert await shelf.search(unit(random=random)) == []


async def test_a_private_document_is_found_by_its_owner_only(shelf: Shelf, random: np.random.Generator) -> None:
    query = unit(random=random)
    shared = await shelf.put(unit(1, random=random), owner="user:bob")
    private = await shelf.put(unit(1, random=random), visibility="private", owner="user:ada")
    everything = {*shared.chunk_ids, *private.chunk_ids}
    assert await shelf.found(query, scope=scope_of(shelf.tenant, owner="user:ada")) == everything
    for owner in (None, "user:bob", ""):
        assert await shelf.found(query, scope=scope_of(shelf.tenant, owner=owner)) == set(shared.chunk_ids)


async def test_another_chatbot_of_the_tenant_finds_nothing(
    shelf: Shelf, random: np.random.Generator, make_chatbot: Callable[[Any], Awaitable[Any]]
) -> None:
    document = await shelf.put(unit(2, random=random))
    second = await make_chatbot(shelf.tenant)
    assert await shelf.search(unit(random=random), scope=scope_of(second)) == []
    narrowed = scope_of(second, document_ids=[document.document_id])
    assert await shelf.search(unit(random=random), scope=narrowed) == []


async def test_another_tenant_finds_nothing_even_with_the_right_ids(
    shelf: Shelf, random: np.random.Generator, make_tenant: Callable[[], Awaitable[Any]]
) -> None:
    document = await shelf.put(unit(2, random=random), [unit(2, random=random)] * 2)
    stranger, query = await make_tenant(), unit(random=random)
    for scope in (scope_of(shelf.tenant), replace(scope_of(shelf.tenant), tenant_id=stranger.tenant_id)):
        options = {"scope": scope, "embedding_version": shelf.tenant.embedding_version, "query": query}
        async with shelf.database.transaction(stranger.tenant_id) as connection:
            assert await shelf.index.search(connection, limit=10, **options) == []
            assert await shelf.index.score(connection, chunk_ids=document.chunk_ids, **options) == []
            assert await shelf.index.score_sentences(connection, chunk_ids=document.chunk_ids, **options) == []
            del options["query"]
            assert await shelf.index.vectors(connection, chunk_ids=document.chunk_ids, **options) == {}


async def test_filters_keep_only_what_they_name(shelf: Shelf, random: np.random.Generator) -> None:
    query = unit(random=random)
    first = await shelf.put(unit(2, random=random), languages=["en", "de"], category="prices", content_type="faq")
    second = await shelf.put(unit(1, random=random), languages=["th"])
    english, german = first.chunk_ids
    [thai] = second.chunk_ids
    for narrowed, expected in (
        ({"document_ids": [second.document_id]}, {thai}),
        ({"languages": ["de", "th"]}, {german, thai}),
        ({"content_types": ["faq"]}, {english, german}),
        ({"categories": ["prices"], "languages": ["en"]}, {english}),
        ({"categories": ["nothing"]}, set()),
        ({"document_ids": []}, set()),
        ({"languages": []}, set()),
    ):
        assert await shelf.found(query, scope=scope_of(shelf.tenant, **narrowed)) == expected, narrowed


async def test_vectors_are_those_of_given_chunks_in_scope(shelf: Shelf, random: np.random.Generator) -> None:
    shown = await shelf.put(unit(3, random=random), [unit(2, random=random)] * 3)
    hidden = await shelf.put(unit(1, random=random), visibility="private", owner="user:ada")
    asked = [*shown.chunk_ids[:2], *hidden.chunk_ids, uuid7()]
    options = {"scope": scope_of(shelf.tenant), "embedding_version": shelf.tenant.embedding_version}
    async with shelf.database.transaction(shelf.tenant.tenant_id) as connection:
        found = await shelf.index.vectors(connection, chunk_ids=asked, **options)
        assert await shelf.index.vectors(connection, chunk_ids=[], **options) == {}
    assert set(found) == set(shown.chunk_ids[:2])
    for chunk_id, vector in found.items():
        assert vector == pytest.approx(shelf.vectors[chunk_id].chunk, abs=1e-3)
        assert vector.dtype == np.float32


async def test_score_gives_the_scores_of_given_chunks_in_scope(shelf: Shelf, random: np.random.Generator) -> None:
    query = unit(random=random)
    shown = await shelf.put(unit(3, random=random), [unit(2, random=random)] * 3)
    hidden = await shelf.put(unit(1, random=random), visibility="private", owner="user:ada")
    async with shelf.database.transaction(shelf.tenant.tenant_id) as connection:
        options = {
            "scope": scope_of(shelf.tenant),
            "embedding_version": shelf.tenant.embedding_version,
            "query": query,
        }
        asked = [*shown.chunk_ids[:2], *hidden.chunk_ids, uuid7()]
        hits = await shelf.index.score(connection, chunk_ids=asked, **options)
        sentences = await shelf.index.score_sentences(connection, chunk_ids=asked, **options)
        assert await shelf.index.score(connection, chunk_ids=[], **options) == []
        assert await shelf.index.score_sentences(connection, chunk_ids=[], **options) == []
    chunk, sentence = shelf.brute_force(query)
    assert {hit.chunk_id for hit in hits} == set(shown.chunk_ids[:2])
    assert [hit.cosine for hit in hits] == sorted((hit.cosine for hit in hits), reverse=True)
    assert all(hit.cosine == pytest.approx(chunk[hit.chunk_id], abs=2e-3) for hit in hits)
    for chunk_id in shown.chunk_ids[:2]:
        own = [item for item in sentences if item.chunk_id == chunk_id]
        assert [(item.start, item.end) for item in own] == [(0, 9), (10, 19)]
        assert max(item.cosine for item in own) == pytest.approx(sentence[chunk_id], abs=2e-3)
    assert {item.chunk_id for item in sentences} == set(shown.chunk_ids[:2])


async def test_a_removed_version_has_no_vectors_left(shelf: Shelf, random: np.random.Generator) -> None:
    kept = await shelf.put(unit(1, random=random))
    removed = await shelf.put(unit(2, random=random), [unit(2, random=random)] * 2)
    async with shelf.database.transaction(shelf.tenant.tenant_id) as connection:
        await shelf.index.remove_version(connection, tenant_id=shelf.tenant.tenant_id, version_id=removed.version_id)
    assert await shelf.found(unit(random=random)) == set(kept.chunk_ids)


async def test_a_change_is_seen_in_its_own_transaction_and_undone_with_it(
    shelf: Shelf, random: np.random.Generator
) -> None:
    document = await shelf.put(unit(1, random=random))
    options = {
        "scope": scope_of(shelf.tenant),
        "embedding_version": shelf.tenant.embedding_version,
        "query": unit(random=random),
        "limit": 5,
    }
    async with shelf.database.transaction(shelf.tenant.tenant_id) as connection:
        await shelf.index.remove_version(connection, tenant_id=shelf.tenant.tenant_id, version_id=document.version_id)
        assert await shelf.index.search(connection, **options) == []
        await connection.rollback()
    assert await shelf.found(options["query"]) == set(document.chunk_ids)
