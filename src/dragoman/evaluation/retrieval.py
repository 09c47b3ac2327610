"""How well searches find: a BEIR corpus through the real pipeline, its queries through `POST /api/search`."""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from dragoman.client import Dragoman, Passage
from dragoman.evaluation import datasets, metrics, scratch
from dragoman.evaluation.datasets import EvaluationQuery, Qrels
from dragoman.evaluation.errors import DatasetError
from dragoman.evaluation.scratch import OnProgress, Scratch

_PASSAGES = 50  # of which several may come from one document
_DOCUMENTS = 10


@dataclass(frozen=True, slots=True, kw_only=True)
class RetrievalTask:
    """What to measure.

    Attributes:
        folder: with corpus.jsonl, queries.jsonl and qrels.tsv.
        queries, qrels: other files than those; queries of another language are the cross-lingual test.
        mode: `hybrid`, `dense`, `keyword`; None for the chatbot's setting.
        settings: settings of the scratch chatbot that differ from the defaults.
        limit: queries to run at most; None for all.
        fresh: ingest again what is there.
        drop: remove the scratch chatbot in the end.
    """

    folder: Path
    queries: Path | None = None
    qrels: Path | None = None
    mode: str | None = None
    settings: Mapping[str, Any] = field(default_factory=dict)
    limit: int | None = None
    fresh: bool = False
    drop: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class RetrievalReport:
    """The figures. Metrics are means over the queries, 0 to 1; latency is the client's, of one search at a time.

    `without_text`: documents that were left out since nothing is written in them; where one is judged relevant, it
    counts as not found.
    """

    mode: str
    queries: int
    metrics: Mapping[str, float]
    latency_p50_ms: float
    latency_p95_ms: float
    degraded: int
    scratch: Scratch
    without_text: Sequence[str] = ()

    def as_json(self) -> dict[str, Any]:
        indexed = self.scratch.indexed
        return {
            "mode": self.mode,
            "queries": self.queries,
            **{name: round(value, 4) for name, value in self.metrics.items()},
            "latency_p50_ms": round(self.latency_p50_ms, 1),
            "latency_p95_ms": round(self.latency_p95_ms, 1),
            "degraded_searches": self.degraded,
            "documents": indexed.documents,
            "documents_without_text": list(self.without_text),
            "chunks": indexed.chunks,
            "indexing_s": indexed.seconds,
            "documents_per_s": round(indexed.documents_per_s, 2),
            "chunks_per_s": round(indexed.chunks_per_s, 2),
            "chatbot": self.scratch.name,
            "chatbot_id": str(self.scratch.chatbot_id),
            "reused": self.scratch.was_reused,
        }


async def evaluate_retrieval(client: Dragoman, task: RetrievalTask, on_progress: OnProgress) -> RetrievalReport:
    """Ingest the corpus where it is not there yet, run all judged queries one after the other, and measure.

    Raises:
        DatasetError, MissingMetricsError, IngestionFailedError, IngestionStalledError.
    """
    metrics.require_metrics()
    corpus = datasets.read_corpus(task.folder)
    qrels = datasets.read_qrels(task.qrels or task.folder / "qrels.tsv")
    queries = _judged(datasets.read_queries(task.queries or task.folder / "queries.jsonl"), qrels, task.limit)
    prepared = await scratch.prepare(
        client,
        scratch.corpus_files(corpus.documents),
        settings=task.settings,
        fresh=task.fresh,
        on_progress=on_progress,
    )
    try:
        report = await _measure(client, task, prepared, queries, qrels, on_progress)
    finally:
        if task.drop:
            await client.chatbots.delete(prepared.chatbot_id)
    return replace(report, without_text=corpus.without_text)


def _judged(queries: Sequence[EvaluationQuery], qrels: Qrels, limit: int | None) -> list[EvaluationQuery]:
    judged = [query for query in queries if query.id in qrels]
    if not judged:
        raise DatasetError("None of the queries is judged in the qrels: their ids do not match.")
    return judged[:limit]


async def _measure(
    client: Dragoman,
    task: RetrievalTask,
    prepared: Scratch,
    queries: Sequence[EvaluationQuery],
    qrels: Qrels,
    on_progress: OnProgress,
) -> RetrievalReport:
    rankings: dict[str, list[str]] = {}
    latencies_ms: list[float] = []
    mode, degraded = task.mode or "", 0
    await client.search(queries[0].text, chatbot_id=prepared.chatbot_id)  # the first opens the connection
    for number, query in enumerate(queries, start=1):
        started = time.perf_counter()
        found = await client.search(query.text, chatbot_id=prepared.chatbot_id, max_results=_PASSAGES, mode=task.mode)
        latencies_ms.append((time.perf_counter() - started) * 1000)
        rankings[query.id] = documents_of(found.results)
        mode, degraded = found.mode, degraded + bool(found.degraded)
        on_progress(number, len(queries), "searching")
    return RetrievalReport(
        mode=mode,
        queries=len(queries),
        metrics=metrics.retrieval_metrics({query.id: qrels[query.id] for query in queries}, rankings),
        latency_p50_ms=metrics.percentile(latencies_ms, 0.5),
        latency_p95_ms=metrics.percentile(latencies_ms, 0.95),
        degraded=degraded,
        scratch=prepared,
    )


def documents_of(passages: Sequence[Passage]) -> list[str]:
    """The documents of ranked passages, each where its best passage stands, ten at most."""
    found = dict.fromkeys(passage.external_id or str(passage.document_id) for passage in passages)
    return list(found)[:_DOCUMENTS]
