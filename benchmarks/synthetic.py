"""Synthetic knowledge of many tenants, written beneath the service: texts of pseudo-words, vectors by `hashing`."""

from __future__ import annotations

import json
import random
from collections.abc import AsyncIterator, Iterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from itertools import accumulate, islice
from uuid import UUID

import numpy as np
import psycopg
from psycopg.types.json import Json

from benchmarks.instance import Instance
from dragoman.adapters.embedder.hashing import Adapter, Settings
from dragoman.adapters.keyword_index import postgres as keyword_postgres
from dragoman.embeddings import service as embeddings
from dragoman.embeddings.entities import EmbeddingVersion
from dragoman.entrypoints.settings import load_settings
from dragoman.entrypoints.wiring import database_urls
from dragoman.kit import registry
from dragoman.kit.clock import new_id
from dragoman.kit.database import Database
from dragoman.ports.embedder import EmbedderProfile, Vectors
from dragoman.ports.keyword_index import KeywordChunk
from dragoman.ports.vector_index import ChunkVectors, VectorIndex
from dragoman.tenancy import service as tenancy
from dragoman.tenancy.service import CreatedTenant

DIMENSIONS = 384
CHUNKS_PER_DOCUMENT = 20
_CHUNKS_AT_ONCE = 1_000
_WORDS, _TOPICS, _WORDS_PER_CHUNK, _WORDS_PER_QUERY = 20_000, 40, 60, 6
_SYLLABLES = [c + v for c in "bdfgklmnprstvz" for v in "aeiou"]


@dataclass(frozen=True, slots=True, kw_only=True)
class SyntheticTenant:
    """`vectors` has shape `(chunks, DIMENSIONS)`, in the order of `chunk_ids`."""

    tenant_id: UUID
    chatbot_id: UUID
    api_key: str
    chunk_ids: Sequence[UUID]
    vectors: Vectors
    queries: Sequence[str]


class Language:
    """Pseudo-words by a Zipf law; a topic prefers words of its own."""

    def __init__(self, seed: int) -> None:
        self._random = random.Random(seed)
        self._words = ["".join(self._random.choices(_SYLLABLES, k=self._random.randint(2, 4))) for _ in range(_WORDS)]
        self._up_to = list(accumulate(1 / (rank + 10) for rank in range(_WORDS)))
        self._topics = [self._random.sample(self._words[200:], 60) for _ in range(_TOPICS)]

    def text(self, words: int, topic: int) -> str:
        own = self._random.choices(self._topics[topic], k=words // 2)
        common = self._random.choices(self._words, cum_weights=self._up_to, k=words - words // 2)
        mixed = [word for pair in zip(own, common, strict=False) for word in pair]
        return " ".join(mixed).capitalize() + "."

    def queries(self, count: int) -> list[str]:
        return [self.text(_WORDS_PER_QUERY, self._random.randrange(_TOPICS)) for _ in range(count)]

    def chunks(self, count: int) -> Iterator[str]:
        for number in range(count):
            yield self.text(_WORDS_PER_CHUNK, number // CHUNKS_PER_DOCUMENT % _TOPICS)


def embed(texts: Sequence[str]) -> Vectors:
    return Adapter(Settings(dimensions=DIMENSIONS))._embed(texts)


async def fill(
    instance: Instance, *, tenants: int, chunks_per_tenant: int, queries: int, postings: bool = True
) -> list[SyntheticTenant]:
    """Tenants with their chunks, vectors and postings, and questions for each."""
    made = []
    profile = Adapter(Settings(dimensions=DIMENSIONS)).profile
    async with Filler.opened(instance, adapter="hashing", profile=profile) as filler:
        for number in range(tenants):
            account = await filler.create_tenant(f"t{number}")
            language = Language(number)
            texts = list(language.chunks(chunks_per_tenant))
            vectors = embed(texts)
            ids = await filler.write(account, texts, vectors=vectors, postings=postings)
            made.append(
                SyntheticTenant(
                    tenant_id=account.tenant_id,
                    chatbot_id=account.chatbot.id,
                    api_key=account.key.secret,
                    chunk_ids=ids,
                    vectors=vectors,
                    queries=language.queries(queries),
                )
            )
    return made


@dataclass(frozen=True, slots=True, kw_only=True)
class Filler:
    """Writes tenants and what they know into the database of an instance."""

    admin: psycopg.Connection
    database: Database
    version: EmbeddingVersion
    vector_index: VectorIndex
    keyword_index: keyword_postgres.Adapter

    @classmethod
    @asynccontextmanager
    async def opened(cls, instance: Instance, *, adapter: str, profile: EmbedderProfile) -> AsyncIterator[Filler]:
        """With the embedding version of this embedder. In the end PostgreSQL learns how much was written."""
        url = instance.variable("DRAGOMAN_DATABASE_URL")
        database = Database(database_urls(load_settings(database_url=url)), pool_size=2)
        try:
            with psycopg.connect(url, autocommit=True) as admin:
                yield cls(
                    admin=admin,
                    database=database,
                    version=await embeddings.ensure_version(database, adapter=adapter, profile=profile),
                    vector_index=registry.create("vector_index", "pgvector"),
                    keyword_index=keyword_postgres.Adapter(keyword_postgres.Settings()),
                )
                admin.execute("vacuum analyze")
        finally:
            await database.close()

    async def create_tenant(self, name: str) -> CreatedTenant:
        return await tenancy.create_tenant(
            self.database, name=name, owner_email=f"{name}@example.org", embedding_version=self.version.id
        )

    async def write(
        self,
        account: CreatedTenant,
        texts: Sequence[str],
        *,
        vectors: Vectors | None = None,
        postings: bool = True,
        language: str = "und",
    ) -> list[UUID]:
        """The ids of the chunks, in the order of the texts, each with its row of `vectors` if there are any."""
        place = {"tenant_id": account.tenant_id, "chatbot_id": account.chatbot.id}
        ids: list[UUID] = []
        for first in range(0, len(texts), _CHUNKS_AT_ONCE):
            part = texts[first : first + _CHUNKS_AT_ONCE]
            own, documents = insert_rows(self.admin, *place.values(), part, language=language)
            async with self.database.transaction(account.tenant_id) as scoped:
                if vectors is not None:
                    rows = [
                        _vectors_of(document, own[row], vectors[first + row])
                        for document, places in documents.items()
                        for row in places
                    ]
                    await self.vector_index.add(scoped, **place, embedding_version=self.version.id, vectors=rows)
                if postings:
                    versions = {
                        version: [
                            KeywordChunk(chunk_id=own[row], ordinal=ordinal, text=part[row], language=language)
                            for ordinal, row in enumerate(places)
                        ]
                        for (_, version), places in documents.items()
                    }
                    await self.keyword_index.add(scoped, **place, versions=versions)
            ids += own
        return ids


def _vectors_of(document: tuple[UUID, UUID], chunk_id: UUID, vector: Vectors) -> ChunkVectors:
    return ChunkVectors(
        document_id=document[0],
        version_id=document[1],
        chunk_id=chunk_id,
        chunk=vector,
        sentences=np.empty((0, DIMENSIONS), np.float32),
        sentence_spans=(),
    )


def insert_rows(
    connection: psycopg.Connection, tenant_id: UUID, chatbot_id: UUID, texts: Sequence[str], *, language: str = "und"
) -> tuple[list[UUID], dict[tuple[UUID, UUID], list[int]]]:
    """The chunk ids, and for each document (its id and its version's) the places of its chunks."""
    ids, documents, rows = [new_id() for _ in texts], {}, iter(range(len(texts)))
    documents_json, chunks_json = [], []
    while part := list(islice(rows, CHUNKS_PER_DOCUMENT)):
        document, version = new_id(), new_id()
        documents[document, version] = part
        documents_json.append({"d": str(document), "v": str(version), "n": len(part)})
        chunks_json += [
            {"i": str(ids[row]), "d": str(document), "v": str(version), "o": place, "t": texts[row], "h": str(ids[row])}
            for place, row in enumerate(part)
        ]
    place = {"tenant": tenant_id, "chatbot": chatbot_id, "language": language}
    connection.execute(_DOCUMENTS, {**place, "rows": Json(documents_json)})
    connection.execute(_VERSIONS, {**place, "rows": Json(documents_json)})
    connection.execute(_CHUNKS, {**place, "rows": Json(chunks_json)})
    return ids, documents


_DOCUMENTS = """
    insert into documents (tenant_id, chatbot_id, id, title, file_name, owner, state, live_version_id)
    select %(tenant)s, %(chatbot)s, d, 'Synthetic', 'synthetic.txt', 'bench', 'ready', v
    from json_to_recordset(%(rows)s) as row (d uuid, v uuid)"""
_VERSIONS = """
    insert into document_versions (tenant_id, chatbot_id, id, document_id, number, state, mime_type, size_bytes,
        content_hash, blob_key, language, languages, chunk_count, ready_at)
    select %(tenant)s, %(chatbot)s, v, d, 1, 'ready', 'text/plain', 0, v::text, v::text, %(language)s::text, array[%(language)s::text], n, now()
    from json_to_recordset(%(rows)s) as row (d uuid, v uuid, n int)"""
_CHUNKS = """
    insert into chunks (tenant_id, chatbot_id, id, document_id, version_id, ordinal, text, language, start_offset,
        end_offset, token_count, content_hash)
    select %(tenant)s, %(chatbot)s, i, d, v, o, t, %(language)s::text, 0, length(t), 60, h
    from json_to_recordset(%(rows)s) as row (i uuid, d uuid, v uuid, o int, t text, h text)"""


def nearest(tenant: SyntheticTenant, query: str, count: int = 10) -> set[str]:
    """The exact answer, by brute force in the precision that is stored."""
    [vector] = embed([query])
    scores = tenant.vectors.astype(np.float16).astype(np.float32) @ vector.astype(np.float16).astype(np.float32)
    return {str(tenant.chunk_ids[place]) for place in np.argsort(-scores, kind="stable")[:count]}


def request_of(tenant: SyntheticTenant, query: str, **body: object) -> dict[str, object]:
    return {
        "path": "/api/search",
        "headers": {"X-API-Key": tenant.api_key},
        "body": {"query": query, "max_results": 10, **body},
    }


def found_in(answer: str) -> set[str]:
    return {result["chunk_id"] for result in json.loads(answer)["results"]}
