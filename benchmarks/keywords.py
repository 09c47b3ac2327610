"""Keyword searches in one chatbot of many chunks, beside PostgreSQL's own `tsvector`, GIN index and `ts_rank`.

Both run in the same PostgreSQL, one after the other, on the same texts and questions: ours under row-level security,
PostgreSQL's own under the same and without it. The texts are those of the evaluation packs, repeated with a quarter of
the words exchanged, or pseudo-words where the packs are not there.
"""

from __future__ import annotations

import asyncio
import json
import os
import random
import re
import time
from collections.abc import Awaitable, Callable, Sequence
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any
from uuid import UUID

import psutil
import psycopg
from sqlalchemy import make_url

from benchmarks.figures import Show
from benchmarks.synthetic import Language, insert_rows
from dragoman.adapters.keyword_index.postgres import Adapter, Settings
from dragoman.entrypoints import schema
from dragoman.entrypoints.embedded import EmbeddedPostgres
from dragoman.kit.clock import new_id
from dragoman.kit.database import Database, DatabaseUrls
from dragoman.ports.keyword_index import KeywordChunk
from dragoman.ports.search_scope import SearchScope

SIZES = [int(size) for size in os.environ.get("DRAGOMAN_BENCH_KEYWORD_CHUNKS", "1000,100000").split(",")]
_QUERIES, _LIMIT, _DOCUMENTS_AT_ONCE, _LONGEST, _EXCHANGED = 188, 50, 64, 250, 0.25
_TEXTS_AT_ONCE = 10_000
_PACKS = ("mtrag-cloud/corpus.jsonl", "partner-center-a/en/corpus.jsonl")
_Ask = Callable[[str], Awaitable[object]]


def keywords(data: Path, show: Show) -> None:
    for size in SIZES:
        asyncio.run(_measure(data, size, show))


def _texts(data: Path, count: int) -> tuple[list[str], list[str]]:
    """Texts and questions."""
    chooser = random.Random(7)
    if not all((data / pack).is_file() for pack in _PACKS):
        language = Language(0)
        return list(language.chunks(count)), language.queries(_QUERIES)
    rows = [json.loads(line) for pack in _PACKS for line in (data / pack).open()]
    given = [" ".join(f"{row.get('title') or ''} {row['text']}".split()[:_LONGEST]) for row in rows]
    words = [word for text in chooser.sample(given, 1500) for word in text.split()]
    made = [
        " ".join(chooser.choice(words) if chooser.random() < _EXCHANGED else word for word in text.split())
        for text in chooser.choices(given, k=max(0, count - len(given)))
    ]
    everything = [text.replace("\0", "") for text in (*given, *made)]
    chooser.shuffle(everything)
    queries = [json.loads(line)["text"] for line in (data / "mtrag-cloud/queries.jsonl").open()]
    return everything[:count], queries[:_QUERIES]


async def _measure(data: Path, size: int, show: Show) -> None:
    texts, queries = _texts(data, size)
    with TemporaryDirectory(prefix="dragoman-bench-") as home:
        postgres = EmbeddedPostgres(Path(home))
        await postgres.start()
        try:
            with psycopg.connect(postgres.admin_url, autocommit=True) as connection:
                connection.execute("create database measured")
            url = make_url(postgres.admin_url).set(database="measured").render_as_string(hide_password=False)
            schema.upgrade(url)
            await _Comparison(url, texts, queries, show).run()
        finally:
            await postgres.stop()


class _Comparison:
    """One size: both indexes are filled, then asked."""

    def __init__(self, url: str, texts: Sequence[str], queries: Sequence[str], show: Show) -> None:
        self._texts, self._queries, self._show = texts, queries, show
        self._admin = psycopg.connect(url, autocommit=True)
        self._database = Database(DatabaseUrls.derive(url), pool_size=2)
        self._tenant_id, self._chatbot_id = new_id(), new_id()
        self._place = {"tenant_id": self._tenant_id, "chatbot_id": self._chatbot_id}
        self._index = Adapter(Settings())

    async def run(self) -> None:
        ids, documents = self._insert()
        await self._timed("written by dragoman", self._fill(ids, documents))
        await self._timed("written as tsvector with GIN", self._fill_tsvector())
        self._admin.execute("vacuum analyze")
        await self._ask("dragoman, first round", self._search)
        await self._ask("dragoman", self._search)
        await self._ask("ts_rank under row-level security", self._search_isolated)
        await self._ask("ts_rank as superuser, without row-level security", self._search_freely)
        self._show_bytes()
        await self._database.close()
        self._admin.close()

    def _insert(self) -> tuple[list[UUID], dict[tuple[UUID, UUID], list[int]]]:
        self._admin.execute(_TENANT, self._place)
        self._admin.execute(_CHATBOT, self._place)
        ids: list[UUID] = []
        documents: dict[tuple[UUID, UUID], list[int]] = {}
        for start in range(0, len(self._texts), _TEXTS_AT_ONCE):
            part = self._texts[start : start + _TEXTS_AT_ONCE]
            own_ids, own = insert_rows(self._admin, self._tenant_id, self._chatbot_id, part)
            ids += own_ids
            documents |= {document: [start + row for row in rows] for document, rows in own.items()}
        return ids, documents

    async def _fill(self, ids: Sequence[UUID], documents: dict[tuple[UUID, UUID], list[int]]) -> None:
        everything = list(documents.items())
        for start in range(0, len(everything), _DOCUMENTS_AT_ONCE):
            versions = {
                version_id: [
                    KeywordChunk(chunk_id=ids[row], ordinal=ordinal, text=self._texts[row], language="en")
                    for ordinal, row in enumerate(rows)
                ]
                for (_, version_id), rows in everything[start : start + _DOCUMENTS_AT_ONCE]
            }
            async with self._database.transaction(self._tenant_id) as connection:
                await self._index.add(connection, **self._place, versions=versions)

    async def _fill_tsvector(self) -> None:
        for statement in _TSVECTOR:
            self._admin.execute(statement)

    async def _search(self, query: str) -> object:
        scope = SearchScope(**self._place)
        async with self._database.reading(self._tenant_id) as connection:
            return await self._index.search(connection, scope=scope, query=query, languages=["en"], limit=_LIMIT)

    async def _search_isolated(self, query: str) -> object:
        async with self._database.transaction(self._tenant_id) as connection:
            return (await connection.exec_driver_sql(_TS_RANK, self._parameters(query))).all()

    async def _search_freely(self, query: str) -> object:
        return self._admin.execute(_TS_RANK, self._parameters(query)).fetchall()

    def _parameters(self, query: str) -> dict[str, Any]:
        return {**self._place, "query": " | ".join(re.findall(r"\w+", query)), "limit": _LIMIT}

    # --- figures

    async def _ask(self, name: str, ask: _Ask) -> None:
        before = _spent()
        waited = []
        for query in self._queries:
            began = time.perf_counter()
            await ask(query)
            waited.append((time.perf_counter() - began) * 1000)
        waited.sort()
        p50, p95 = (waited[int(len(waited) * share)] for share in (0.5, 0.95))
        spent = (_spent() - before) * 1000 / len(waited)
        self._show(f"{name}, {len(self._texts)} chunks", f"p50 {p50:.2f} ms, p95 {p95:.2f} ms, CPU {spent:.2f} ms")

    async def _timed(self, name: str, work: Awaitable[None]) -> None:
        before = _spent()
        await work
        spent = (_spent() - before) * 1e6 / len(self._texts)
        self._show(f"{name}, {len(self._texts)} chunks", f"{spent:.0f} ms CPU for 1,000 chunks")

    def _show_bytes(self) -> None:
        for name, tables in {
            "dragoman": ("keyword_segments", "keyword_postings", "keyword_versions"),
            "tsvector": ("measured",),
        }.items():
            row = self._admin.execute(
                "select sum(pg_total_relation_size(name::regclass)) from unnest(%s::text[]) as name", [list(tables)]
            ).fetchone()
            size = int(row[0]) / len(self._texts) if row else 0.0
            self._show(f"{name}, {len(self._texts)} chunks", f"{size:.0f} bytes a chunk with indexes")


def _spent() -> float:
    """Processor seconds of this process and of all that it started, so of PostgreSQL too."""
    total = 0.0
    for process in (psutil.Process(), *psutil.Process().children(recursive=True)):
        try:
            times = process.cpu_times()
        except psutil.NoSuchProcess:
            continue
        total += times.user + times.system
    return total


_TENANT = "insert into tenants (id, name, default_chatbot_id) values (%(tenant_id)s, 'Measured', %(chatbot_id)s)"
_CHATBOT = """
    insert into chatbots (tenant_id, id, name, active_embedding_version) select %(tenant_id)s, %(chatbot_id)s, 'Measured',
        ensure_embedding_version('measured', 'hashing', 'hashing', 32, 512, '{}', '{}')"""
_TSVECTOR = (
    "create table measured as select tenant_id, chatbot_id, id, to_tsvector('english', text) as words from chunks",
    "create index on measured using gin (words)",
    "alter table measured enable row level security",
    "alter table measured force row level security",
    """create policy isolation on measured to dragoman_app
        using (tenant_id = nullif(current_setting('dragoman.tenant_id', true), '')::uuid)""",
    "grant select on measured to dragoman_app",
)
_TS_RANK = """
    select id, ts_rank(words, query) as rank from measured, to_tsquery('english', %(query)s) as query
    where words @@ query and tenant_id = %(tenant_id)s and chatbot_id = %(chatbot_id)s
    order by rank desc limit %(limit)s"""
