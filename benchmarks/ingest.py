"""Bulk ingestion of 2,000 Markdown files, side by side with other libraries on the same texts and the same embedder."""

from __future__ import annotations

import json
import os
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from pathlib import Path

import httpx

from benchmarks.instance import Instance, running

FILES = 2000
ROUNDS = 5
_FILES_PER_REQUEST = 200
_CONNECTIONS = 2
_LIMIT_S = 3600.0
_PEERS = ("langchain", "llamaindex")
_SLOW_PEER = "haystack"  # it takes minutes: once, at the end
_PLAIN = "dragoman"
_KINDS = {
    _PLAIN: {},
    "dragoman with two workers": {"DRAGOMAN_WORKER_PROCESSES": "2", "DRAGOMAN_WORKER_CONCURRENCY": "1"},
}
_SOURCE = Path(__file__).resolve().parents[1] / "src"


def write_files(data: Path, folder: Path, count: int = FILES) -> int:
    """Markdown files from partner-center-a: its raw pages, then sections of all six languages; the bytes written."""
    raw = sorted((data / "raw").rglob("*.md"))
    sections = []
    for corpus in sorted(data.glob("*/corpus.jsonl")):
        sections += [json.loads(line) for line in corpus.read_text(encoding="utf-8").splitlines()]
    written = 0
    for number in range(count):
        if number < len(raw):
            text = raw[number].read_text(encoding="utf-8", errors="replace")
        else:
            section = sections[number - len(raw)]
            text = f"# {section.get('title') or section.get('heading') or number}\n\n{section['text']}\n"
        path = folder / f"{number:05}.md"
        path.write_text(text, encoding="utf-8")
        written += path.stat().st_size
    return written


def ingest_with_dragoman(instance: Instance, folder: Path, **settings: object) -> tuple[float, int]:
    """Seconds from the first upload until the last document is searchable, and the number of chunks."""
    files = sorted(folder.glob("*.md"))
    with instance.http() as http:
        made = http.post("/api/chatbots/", json={"name": f"bulk {time.time()}", "settings": settings})
        chatbot_id = made.json()["id"]
        started = time.perf_counter()
        upload_all(instance, chatbot_id, files)
        uploaded_s = time.perf_counter() - started
        while (found := counts(http, chatbot_id))["ready"] < found["total"]:
            elapsed_s = time.perf_counter() - started
            if elapsed_s > _LIMIT_S or found["failed"]:
                sys.exit(f"The bulk import did not end: {found}")
            left_s = (found["total"] - found["ready"]) * elapsed_s / max(1, found["ready"])
            # Looked at more often towards the end, where it counts: each look costs 10 ms of processor time.
            time.sleep(min(max(0.5, elapsed_s / 100), max(0.03, left_s / 2)))
        elapsed_s = time.perf_counter() - started
        chunks = _count_chunks(http, chatbot_id)
    print(f"  uploaded after {uploaded_s:.1f} s, {found['total']} documents, {chunks} chunks", flush=True)
    return elapsed_s, chunks


def upload_all(instance: Instance, chatbot_id: str, files: Sequence[Path]) -> None:
    parts = [files[first : first + _FILES_PER_REQUEST] for first in range(0, len(files), _FILES_PER_REQUEST)]
    with instance.http() as http, ThreadPoolExecutor(_CONNECTIONS) as pool:
        list(pool.map(lambda part: _upload(http, chatbot_id, part), parts))


def _upload(http: httpx.Client, chatbot_id: str, files: Sequence[Path]) -> None:
    parts = [("files", (path.name, path.read_bytes(), "text/markdown")) for path in files]
    # The name of each file makes it a document of its own even where two have the same text.
    form = {"chatbot_id": chatbot_id, "external_ids": json.dumps([path.name for path in files])}
    answer = http.post("/api/chatbot/documents/batch/", files=parts, data=form, timeout=300)
    answer.raise_for_status()
    assert answer.json()["refused"] == 0, answer.json()


def counts(http: httpx.Client, chatbot_id: str) -> dict[str, int]:
    answer = http.get(f"/api/training-data/{chatbot_id}", params={"limit": 1}).json()
    return {name: answer[name] for name in ("total", "ready", "failed")}


def _count_chunks(http: httpx.Client, chatbot_id: str) -> int:
    chunks = 0
    for offset in range(0, FILES, 200):
        params = {"chatbot_id": chatbot_id, "limit": 200, "offset": offset}
        chunks += sum(
            item["total_chunks"] for item in http.get("/api/chatbot/documents/", params=params).json()["documents"]
        )
    return chunks


def ingest_with_peer(python: str, name: str, folder: Path) -> tuple[float, int]:
    """Seconds that the other library takes, from its loaded modules to its stored chunks, and their number."""
    command = [python, str(Path(__file__).parent / "ingest_peers.py"), name, str(folder)]
    environment = {
        **os.environ,
        "PYTHONPATH": str(_SOURCE),
        "ANONYMIZED_TELEMETRY": "False",
        "HAYSTACK_TELEMETRY_ENABLED": "False",
    }
    done = subprocess.run(command, capture_output=True, text=True, check=False, env=environment, timeout=_LIMIT_S)
    if done.returncode:
        sys.exit(f"{name} failed:\n{done.stderr[-3000:]}")
    result = json.loads(done.stdout.strip().splitlines()[-1])
    return result["seconds"], result["chunks"]


def _ingest_with(python: str, peer: str, folder: Path) -> float:
    elapsed_s, chunks = ingest_with_peer(python, peer, folder)
    print(f"  {peer}: {elapsed_s:.1f} s, {chunks} chunks", flush=True)
    return elapsed_s


def ingest(data: Path, show: object) -> None:
    """2,000 Markdown files with the embedder `hashing`: Dragoman over HTTP, durable, beside other libraries in process.

    All are measured with what they need loaded: the libraries from their imported modules on, Dragoman after an import.
    """
    python = os.environ.get("DRAGOMAN_BENCH_PEERS_PYTHON")
    assert callable(show)
    with tempfile.TemporaryDirectory(prefix="dragoman-bench-") as name:
        folder = Path(name) / "files"
        folder.mkdir()
        show("bytes of Markdown", write_files(data, folder))
        seconds: dict[str, list[float]] = {}
        with ExitStack() as stack:
            instances = {
                kind: stack.enter_context(
                    running(Path(name) / f"home-{number}", "--no-sample", DRAGOMAN_EMBEDDER="hashing", **environment)
                )
                for number, (kind, environment) in enumerate(_KINDS.items())
            }
            for kind, instance in instances.items():
                cold_s, _ = ingest_with_dragoman(instance, folder, sentence_vectors=False)
                show(f"{kind}, the first import after its start, which also starts what reads files", f"{cold_s:.1f} s")
            for _ in range(ROUNDS):
                for kind, instance in instances.items():
                    elapsed_s, _ = ingest_with_dragoman(instance, folder, sentence_vectors=False)
                    seconds.setdefault(kind, []).append(elapsed_s)
                elapsed_s, _ = ingest_with_dragoman(instances[_PLAIN], folder)
                seconds.setdefault(f"{_PLAIN} with sentence vectors", []).append(elapsed_s)
                for peer in _PEERS if python else ():
                    seconds.setdefault(peer, []).append(_ingest_with(python, peer, folder))
        if python:
            seconds[_SLOW_PEER] = [_ingest_with(python, _SLOW_PEER, folder)]
        for kind, values in seconds.items():
            median = statistics.median(values)
            listed = ", ".join(f"{value:.2f}" for value in values)
            ratios = ", ".join(f"{median / statistics.median(seconds[ours]):.2f} of {ours}" for ours in _KINDS)
            show(f"{kind}, seconds, median of {listed}", f"{median:.2f}: {ratios}")
        if not python:
            show(
                "others",
                "not run: set DRAGOMAN_BENCH_PEERS_PYTHON to a Python that has them (benchmarks/ingest_peers.py)",
            )
