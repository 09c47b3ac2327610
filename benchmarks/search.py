"""Searches over HTTP: throughput, latency, recall and where the processor time goes, side by side with other engines."""

from __future__ import annotations

import asyncio
import json
import os
import statistics
import subprocess
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from benchmarks.figures import Show
from benchmarks.instance import Instance, command_of, running
from benchmarks.synthetic import DIMENSIONS, SyntheticTenant, embed, fill, found_in, nearest, request_of

TENANTS = int(os.environ.get("DRAGOMAN_BENCH_TENANTS", "50"))
CHUNKS = int(os.environ.get("DRAGOMAN_BENCH_CHUNKS", "100000"))
_QUERIES_PER_TENANT = 40
_CONNECTIONS = 32
_SECONDS = 15.0
_RECALL_QUERIES = 400
_REPOSITORY = Path(__file__).resolve().parents[1]


def drive(
    port: int,
    requests: Sequence[dict[str, Any]],
    *,
    seconds: float = _SECONDS,
    connections: int = _CONNECTIONS,
    kept: int = 0,
    once: bool = False,
    per_second: float | None = None,
) -> dict[str, Any]:
    """One run of the load generator (see `load.py`)."""
    with tempfile.TemporaryDirectory(prefix="dragoman-load-") as folder:
        plan, result = Path(folder) / "plan.json", Path(folder) / "result.json"
        plan.write_text(
            json.dumps(
                {
                    "port": port,
                    "connections": connections,
                    "seconds": seconds,
                    "kept": kept,
                    "once": once,
                    "per_second": per_second,
                    "requests": list(requests),
                }
            )
        )
        subprocess.run(
            [sys.executable, "-m", "benchmarks.load", str(plan), str(result)], check=True, cwd=_REPOSITORY, timeout=600
        )
        answer: dict[str, Any] = json.loads(result.read_text())
        return answer


def search(show: Show) -> None:
    """Dense and hybrid searches over HTTP among many tenants, beside other engines on the same vectors."""
    with tempfile.TemporaryDirectory(prefix="dragoman-bench-") as name:
        home = Path(name) / "home"
        environment = {
            "DRAGOMAN_EMBEDDER": "hashing",
            "DRAGOMAN_EMBEDDER_HASHING_DIMENSIONS": str(DIMENSIONS),
            "DRAGOMAN_SEARCH_CACHE_S": "0",  # each request searches; vectors of questions are remembered
        }
        by_postgresql = {"DRAGOMAN_VECTOR_INDEX_PGVECTOR_REMEMBERED_MIB": "0"}
        with running(home, "--no-sample", **environment, **by_postgresql) as instance:
            tenants = asyncio.run(
                fill(instance, tenants=TENANTS, chunks_per_tenant=CHUNKS // TENANTS, queries=_QUERIES_PER_TENANT)
            )
            asked = [(tenant, query) for queries in zip(*(t.queries for t in tenants), strict=True) for tenant, query in zip(tenants, queries, strict=True)]  # fmt: skip
            truth = [nearest(tenant, query) for tenant, query in asked[:_RECALL_QUERIES]]
            best = _measured(show, instance, "dense, PostgreSQL, exact scan", asked, truth, mode="dense")
            _build_indexes(instance)
            best = max(best, _measured(show, instance, "dense, PostgreSQL, own index", asked, truth, mode="dense"))
            _bytes_per_chunk(show, instance)
        for processes in ("1", "2"):  # as users start it, and with an API process for each of two cores
            with running(home, "--no-sample", **environment, DRAGOMAN_API_PROCESSES=processes) as instance:
                kind = f"in memory, API processes: {processes}"
                best = max(best, _measured(show, instance, f"dense, {kind}", asked, truth, mode="dense"))
                _measured(show, instance, f"hybrid, {kind}", asked, None, mode="hybrid")
        _peers(show, name, tenants, asked, truth, best)


def _build_indexes(instance: Instance) -> None:
    command = [sys.executable, "-m", "dragoman", "index", "build", "--all", "--home", str(instance.home)]
    subprocess.run(command, check=True, timeout=1800)


def _measured(
    show: Show,
    instance: Instance,
    kind: str,
    asked: Sequence[tuple[SyntheticTenant, str]],
    truth: Sequence[set[str]] | None,
    **body: object,
) -> float:
    """Requests per second, after a run that fills what is remembered."""
    port = int(instance.url.rsplit(":", 1)[1])
    requests = [request_of(tenant, query, **body) for tenant, query in asked]
    drive(port, requests, seconds=2 * _SECONDS)
    before = instance.cpu_by_role()
    result = drive(port, requests, kept=len(truth or ()))
    after = instance.cpu_by_role()
    rate = _show_run(show, kind, result)
    count = len(result["latencies_ms"])
    spent = {role: (after[role] - before.get(role, 0.0)) * 1000 / count for role in after}
    apis = [process for process in instance.processes() if command_of(process)[-1:] == ["api"]]
    show(f"{kind}, memory of the API", f"{sum(each.memory_info().rss for each in apis) / 2**20:.0f} MiB")
    spent["load generator"] = result["cpu_s"] * 1000 / count
    show(f"{kind}, CPU ms per request", ", ".join(f"{role} {ms:.2f}" for role, ms in spent.items() if ms >= 0.01))
    if truth:
        shares = [
            len(found_in(answer) & truth[int(number)]) / max(1, len(truth[int(number)]))
            for number, answer in result["answers"].items()
        ]
        show(f"{kind}, recall@10", f"{statistics.fmean(shares):.4f} on {len(shares)} queries")
    return rate


def _show_run(show: Show, kind: str, result: dict[str, Any]) -> float:
    latencies = sorted(result["latencies_ms"])
    rate = len(latencies) / result["seconds"]
    p50, p95, p99 = (latencies[min(len(latencies) - 1, int(len(latencies) * share))] for share in (0.5, 0.95, 0.99))
    errors = f", errors {result['errors']}" if result["errors"] else ", no error"
    show(kind, f"{rate:.0f} requests/s, p50 {p50:.1f} ms, p95 {p95:.1f} ms, p99 {p99:.1f} ms{errors}")
    return rate


def _bytes_per_chunk(show: Show, instance: Instance) -> None:
    import psycopg

    tables = ("chunks", "keyword_segments", "keyword_postings", "keyword_versions", "chunk_embeddings")
    with psycopg.connect(instance.roles()["api"].environ()["DRAGOMAN_DATABASE_URL"]) as connection:
        for table in tables:
            row = connection.execute(
                "select sum(pg_total_relation_size(inhrelid)) from pg_inherits where inhparent = %(t)s::regclass "
                "union all select pg_total_relation_size(%(t)s::regclass) order by 1 desc nulls last limit 1",
                {"t": table},
            ).fetchone()
            show(f"{table}, bytes per chunk with indexes", round(int(row[0] if row else 0) / CHUNKS))


def _peers(
    show: Show,
    folder: str,
    tenants: Sequence[SyntheticTenant],
    asked: Sequence[tuple[SyntheticTenant, str]],
    truth: Sequence[set[str]],
    ours: float,
) -> None:
    python = os.environ.get("DRAGOMAN_BENCH_PEERS_PYTHON")
    if not python:
        show(
            "others", "not run: set DRAGOMAN_BENCH_PEERS_PYTHON to a Python that has them (benchmarks/search_peers.py)"
        )
        return
    numbers = {tenant.tenant_id: number for number, tenant in enumerate(tenants)}
    data = Path(folder) / "vectors.npz"
    np.savez(
        data,
        vectors=np.concatenate([tenant.vectors for tenant in tenants]),
        ids=np.array([str(chunk_id) for tenant in tenants for chunk_id in tenant.chunk_ids]),
        tenants=np.repeat(np.arange(len(tenants)), [len(tenant.chunk_ids) for tenant in tenants]),
        queries=embed([query for _, query in asked]),
        query_tenants=np.array([numbers[tenant.tenant_id] for tenant, _ in asked]),
    )
    truth_file = Path(folder) / "truth.json"
    truth_file.write_text(json.dumps([sorted(ids) for ids in truth]))
    for peer in ("chroma", "lancedb", "faiss", "pgvector"):
        command = [
            python,
            str(Path(__file__).parent / "search_peers.py"),
            peer,
            str(data),
            str(truth_file),
            str(_SECONDS),
        ]
        done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=1800, cwd=_REPOSITORY)
        if done.returncode:
            show(peer, f"failed: {done.stderr.strip()[-300:]}")
            continue
        for line in done.stdout.strip().splitlines():
            if line.startswith("{"):
                result = json.loads(line)
                rate = _show_run(show, f"{peer}, {result['kind']}", result)
                show(
                    f"{peer}, {result['kind']}, recall@10 and memory",
                    f"{result['recall']:.4f}; {result['memory_mib']:.0f} MiB; ratio to dragoman {rate / ours:.2f}",
                )
