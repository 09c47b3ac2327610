"""Synthetic knowledge of many tenants, written beneath the service: texts of pseudo-words, vectors by `hashing`."""

from __future__ import annotations

import json
import random
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import islice
from uuid import UUID

import numpy as np
import psycopg
from psycopg.types.json import Json

from benchmarks.instance import Instance
from dragoman.adapters.embedder.hashing import Adapter, Settings
from dragoman.adapters.keyword_index import postgres as keyword_postgres
from dragoman.embeddings import service as embeddings
from dragoman.entrypoints.settings import load_settings
from dragoman.entrypoints.wiring import database_urls
from dragoman.kit import registry
from dragoman.kit.clock import new_id
from dragoman.kit.database import Database
from dragoman.ports.embedder import Vectors
from dragoman.ports.keyword_index import KeywordChunk
from dragoman.ports.vector_index import ChunkVectors
from dragoman.tenancy import service as tenancy

DIMENSIONS = 384
CHUNKS_PER_DOCUMENT = 20
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
        self._weights = [1 / (rank + 10) for rank in range(_WORDS)]
        self._topics = [self._random.sample(self._words[200:], 60) for _ in range(_TOPICS)]

    def text(self, words: int, topic: int) -> str:
        own = self._random.choices(self._topics[topic], k=words // 2)
        common = self._random.choices(self._words, self._weights, k=words - words // 2)
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
    environment = instance.roles()["api"].environ()
    admin = environment["DRAGOMAN_DATABASE_URL"]
    database = Database(database_urls(load_settings(database_url=admin)), pool_size=2)
    vector_index = registry.create("vector_index", "pgvector", registry.settings_type("vector_index", "pgvector")())
    keyword_index = keyword_postgres.Adapter(keyword_postgres.Settings())
    profile = Adapter(Settings(dimensions=DIMENSIONS)).profile
    made = []
    try:
        version = await embeddings.ensure_version(database, adapter="hashing", profile=profile)
        with psycopg.connect(admin, autocommit=True) as connection:
            for number in range(tenants):
                account = await tenancy.create_tenant(
                    database, name=f"t{number}", owner_email=f"o{number}@example.org", embedding_version=version.id
                )
                language = Language(number)
                texts = list(language.chunks(chunks_per_tenant))
                vectors = embed(texts)
                ids, documents = insert_rows(connection, account.tenant_id, account.chatbot.id, texts)
                async with database.transaction(account.tenant_id) as scoped:
                    for document, chunk_rows in documents.items():
                        await vector_index.add(
                            scoped,
                            tenant_id=account.tenant_id,
                            chatbot_id=account.chatbot.id,
                            embedding_version=version.id,
                            vectors=[
                                ChunkVectors(
                                    document_id=document[0],
                                    version_id=document[1],
                                    chunk_id=ids[row],
                                    chunk=vectors[row],
                                    sentences=np.empty((0, DIMENSIONS), np.float32),
                                    sentence_spans=(),
                                )
                                for row in chunk_rows
                            ],
                        )
                    if postings:
                        await keyword_index.add(
                            scoped,
                            tenant_id=account.tenant_id,
                            chatbot_id=account.chatbot.id,
                            versions={
                                document[1]: [
                                    KeywordChunk(chunk_id=ids[row], ordinal=place, text=texts[row], language="und")
                                    for place, row in enumerate(rows)
                                ]
                                for document, rows in documents.items()
                            },
                        )
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
            connection.execute("analyze")
    finally:
        await database.close()
    return made


def insert_rows(
    connection: psycopg.Connection, tenant_id: UUID, chatbot_id: UUID, texts: Sequence[str]
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
    place = {"tenant": tenant_id, "chatbot": chatbot_id}
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
    select %(tenant)s, %(chatbot)s, v, d, 1, 'ready', 'text/plain', 0, v::text, v::text, 'und', '{und}', n, now()
    from json_to_recordset(%(rows)s) as row (d uuid, v uuid, n int)"""
_CHUNKS = """
    insert into chunks (tenant_id, chatbot_id, id, document_id, version_id, ordinal, text, language, start_offset,
        end_offset, token_count, content_hash)
    select %(tenant)s, %(chatbot)s, i, d, v, o, t, 'und', 0, length(t), 60, h
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
