"""How the time of a search grows with its chatbot: dense among synthetic vectors, by keyword among real texts, over HTTP.

Each size is one chatbot, asked over one connection with distinct questions; results are not cached.

Dense: vectors of the embedder `shaped`, written beneath the service, searched by the chatbot's own index. By keyword: each
text is three or six sentences of an English pack that follow each other, beginning at any of its sentences, so that texts
overlap; a chatbot holds some of all these by chance. The questions are those of the same packs.
"""

from __future__ import annotations

import asyncio
import json
import os
import random
import statistics
import tempfile
import time
from collections.abc import Sequence
from dataclasses import replace
from itertools import pairwise
from pathlib import Path
from typing import Any
from uuid import UUID

import numpy as np

from benchmarks import shaped_embedder
from benchmarks.figures import Show, p50_p95, percentile
from benchmarks.instance import Instance, embedder_of, running
from benchmarks.search import drive
from benchmarks.search_latency import QUESTIONS_OF, english_questions
from benchmarks.synthetic import Filler, Language
from dragoman.embeddings.indexes import repository as vector_indexes
from dragoman.embeddings.indexes import service as index_service
from dragoman.embeddings.indexes.entities import Chatbot, IndexPolicy, VectorIndexRow, VectorPlace
from dragoman.evaluation import datasets
from dragoman.kit.text.sentences import split_sentences
from dragoman.ports.embedder import Vectors
from dragoman.tenancy.service import CreatedTenant

_SENTENCES = (3, 6)
_FEWEST_WORDS = 8
_WARM, _MEASURED = 200, 800
_LIMIT_S = 120.0
_VECTORS_AT_ONCE = 50_000
_BYTES_TO_BUILD = 2000  # a chunk, so that a graph of 1,000,000 is built in memory
_TABLES = {
    "dense": ("chunk_embeddings",),
    "keyword": ("keyword_segments", "keyword_postings", "keyword_versions"),
}


def _sizes(variable: str, default: str) -> list[int]:
    return sorted(int(size) for size in os.environ.get(variable, default).split(",") if size)


def growth(data: Path, show: Show) -> None:
    with tempfile.TemporaryDirectory(prefix="dragoman-bench-") as name:
        environment = embedder_of(shaped_embedder.__name__, Path(name) / "named")
        environment |= {"DRAGOMAN_SEARCH_CACHE_S": "0"}
        with running(Path(name) / "home", "--no-sample", **environment) as instance:
            asyncio.run(_keyword(instance, data, _sizes("DRAGOMAN_BENCH_GROWTH_TEXTS", "1000,100000"), show))
            asyncio.run(_dense(instance, _sizes("DRAGOMAN_BENCH_GROWTH_VECTORS", "10000,100000"), show))


# ---- dense


async def _dense(instance: Instance, sizes: Sequence[int], show: Show) -> None:
    profile = shaped_embedder.Adapter(shaped_embedder.Settings()).profile
    questions = [f"question {number}" for number in range(_WARM + _MEASURED)]
    found: dict[int, list[float]] = {}
    for number, size in enumerate(sizes):
        async with Filler.opened(instance, adapter="shaped", profile=profile) as filler:
            account = await filler.create_tenant(f"dense{size}")
            place = VectorPlace(
                tenant_id=account.tenant_id, chatbot_id=account.chatbot.id, embedding_version=filler.version.id
            )
            await _leave_to_us(filler, place)
            before = _bytes(filler, "dense")
            ids, vectors = await _write_vectors(filler, account, size, seed=number)
            started = time.perf_counter()
            row = await _build(filler, place, size)
            show(
                f"dense, {size} chunks, own index", f"{_described(row)}, built in {time.perf_counter() - started:.0f} s"
            )
            show(f"dense, {size} chunks", f"{(_bytes(filler, 'dense') - before) / size:.0f} bytes a chunk with indexes")
        waited, answers = _ask(instance, account, questions, "dense")
        truth = _nearest(vectors, ids, shaped_embedder.vectors_of(questions[_WARM:]))
        found[size] = _show_times(show, f"dense, {size} chunks", waited, answers)
        recall = [
            len({hit["chunk_id"] for hit in answer["results"]} & right) / len(right)
            for answer, right in zip(answers, truth, strict=True)
        ]
        show(f"dense, {size} chunks, recall@10", f"{statistics.fmean(recall):.4f}")
    _show_growth(show, "dense", found)


async def _leave_to_us(filler: Filler, place: VectorPlace) -> None:
    """So that no worker builds the index as well."""
    async with filler.database.transaction(place.tenant_id) as connection:
        [chatbot] = await vector_indexes.list_chatbots(connection, tenant_id=place.tenant_id)
        await vector_indexes.write_row(connection, place, wanted="hnsw", seen_revision=chatbot.revision)


async def _write_vectors(
    filler: Filler, account: CreatedTenant, size: int, *, seed: int
) -> tuple[Sequence[UUID], Vectors]:
    language, ids, parts = Language(seed), [], []
    for first in range(0, size, _VECTORS_AT_ONCE):
        count = min(_VECTORS_AT_ONCE, size - first)
        vectors = shaped_embedder.many(count, seed=seed + 1000 * first)
        ids += await filler.write(account, list(language.chunks(count)), vectors=vectors, postings=False)
        parts.append(vectors)
    return ids, np.concatenate(parts)


async def _build(filler: Filler, place: VectorPlace, size: int) -> VectorIndexRow:
    chatbot = Chatbot(place=place, name="measured", revision=0)
    usual = IndexPolicy()
    policy = replace(usual, memory_mib=max(usual.memory_mib, size * _BYTES_TO_BUILD >> 20))
    return await index_service.build(filler.database, chatbot, policy, _tell_nobody)


async def _tell_nobody(step: str, fraction: float) -> None:
    del step, fraction


def _described(row: VectorIndexRow) -> str:
    if not row.has_index:
        return f"none: {row.reason}"
    return f"m {row.m}, ef_construction {row.ef_construction}, ef_search {row.ef_search}"


def _nearest(vectors: Vectors, ids: Sequence[UUID], questions: Vectors) -> list[set[str]]:
    """The exact answers, by brute force in the precision that is stored."""
    best: list[list[tuple[float, str]]] = [[] for _ in questions]
    asked = questions.astype(np.float16).astype(np.float32)
    for first in range(0, len(vectors), _VECTORS_AT_ONCE):
        stored = vectors[first : first + _VECTORS_AT_ONCE].astype(np.float16).astype(np.float32)
        for place, question in enumerate(asked):
            scores = stored @ question
            near = np.argpartition(-scores, 10)[:10]
            own = [(float(scores[row]), str(ids[first + row])) for row in near]
            best[place] = sorted([*best[place], *own], reverse=True)[:10]
    return [{chunk_id for _, chunk_id in found} for found in best]


# ---- by keyword


async def _keyword(instance: Instance, data: Path, sizes: Sequence[int], show: Show) -> None:
    profile = shaped_embedder.Adapter(shaped_embedder.Settings()).profile
    texts = passages(data)
    random.Random(7).shuffle(texts)
    show("real texts", f"{len(texts)} different ones, {statistics.fmean(len(text) for text in texts):.0f} characters")
    questions = english_questions(data)
    random.Random(8).shuffle(questions)
    found: dict[int, list[float]] = {}
    for size in sizes:
        if size > len(texts):
            show(f"keyword, {size} chunks", f"not run: there are {len(texts)} texts")
            continue
        async with Filler.opened(instance, adapter="shaped", profile=profile) as filler:
            account = await filler.create_tenant(f"keyword{size}")
            before = _bytes(filler, "keyword")
            started = time.perf_counter()
            await filler.write(account, texts[:size], language="en")
            spent = f"{time.perf_counter() - started:.0f} s to write"
            show(
                f"keyword, {size} chunks",
                f"{(_bytes(filler, 'keyword') - before) / size:.0f} bytes a chunk with indexes, {spent}",
            )
        waited, answers = _ask(instance, account, questions, "keyword")
        found[size] = _show_times(show, f"keyword, {size} chunks", waited, answers)
    _show_growth(show, "keyword", found)


def passages(data: Path) -> list[str]:
    """All different texts of so many sentences from the English packs, none of fewer than eight words."""
    made: dict[str, None] = {}
    for name in QUESTIONS_OF:
        for document in datasets.read_corpus(data / name).documents:
            text = document.text.replace("\0", "")
            spans = split_sentences(text, "en")
            for length in _SENTENCES:
                for (start, _), (_, end) in zip(spans, spans[length - 1 :], strict=False):
                    if len(text[start:end].split()) >= _FEWEST_WORDS:
                        made[text[start:end].strip()] = None
    return list(made)


# ---- asking


def _ask(
    instance: Instance, account: CreatedTenant, questions: Sequence[str], mode: str
) -> tuple[list[float], list[dict[str, Any]]]:
    """What the asker of each question waits, in ms, and the answers: the first questions warm everything up."""
    requests = [
        {
            "path": "/api/search",
            "headers": {"X-API-Key": account.key.secret},
            "body": {"query": question, "mode": mode, "max_results": 10},
        }
        for question in questions
    ]
    drive(instance.port, requests[:_WARM], seconds=_LIMIT_S, connections=1, once=True)
    asked = requests[_WARM:]
    result = drive(instance.port, asked, seconds=_LIMIT_S, connections=1, kept=len(asked), once=True)
    assert not result["errors"], result["errors"]
    assert len(result["answers"]) == len(asked), f"not all were answered within {_LIMIT_S:.0f} s"
    answers = [json.loads(answer) for answer in result["answers"].values()]
    assert not any(answer["cached"] or answer["degraded"] for answer in answers)
    return list(result["kept_ms"].values()), answers


def _show_times(show: Show, kind: str, waited: list[float], answers: Sequence[dict[str, Any]]) -> list[float]:
    show(f"{kind}, POST /api/search", f"{p50_p95(waited)} ({len(waited)} questions)")
    show(f"{kind}, its step `arms`", p50_p95([answer["timings_ms"]["arms"] for answer in answers]))
    return waited


def _show_growth(show: Show, kind: str, found: dict[int, list[float]]) -> None:
    sizes = list(found)
    for smaller, larger in pairwise(sizes):
        times = percentile(found[larger], 0.95) / percentile(found[smaller], 0.95)
        show(f"{kind}, p95 from {smaller} to {larger} chunks", f"{times:.2f} times")
    if len(sizes) > 2:
        times = percentile(found[sizes[-1]], 0.95) / percentile(found[sizes[0]], 0.95)
        show(f"{kind}, p95 from {sizes[0]} to {sizes[-1]} chunks", f"{times:.2f} times")


def _bytes(filler: Filler, kind: str) -> int:
    """What the tables of this kind take on the disk, with partitions and indexes."""
    row = filler.admin.execute(
        "select sum(pg_total_relation_size(t.name::regclass) + (select coalesce(sum(pg_total_relation_size(p.relid)), 0) "
        "from pg_partition_tree(t.name::regclass) as p where p.relid <> t.name::regclass)) from unnest(%s::text[]) as t (name)",
        [list(_TABLES[kind])],
    ).fetchone()
    return int(row[0]) if row else 0
