"""How much of a bulk import is not the embedding model: Markdown files imported, then their batches embedded and no more."""

from __future__ import annotations

import asyncio
import os
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path

from benchmarks import ingest as bulk
from benchmarks import recording_embedder
from benchmarks.figures import Show
from benchmarks.instance import Instance, embedder_of, running
from dragoman.kit import registry

FILES = int(os.environ.get("DRAGOMAN_BENCH_FILES", str(bulk.FILES)))
_AT_ONCE = 4  # as many as a worker keeps waiting at the embedder (adapters/embedder/socket.py)


def pipeline(data: Path, show: Show) -> None:
    with tempfile.TemporaryDirectory(prefix="dragoman-bench-") as name:
        files, record = Path(name) / "files", Path(name) / "batches.jsonl"
        files.mkdir()
        show("Markdown files", f"{FILES}, {bulk.write_files(data, files, FILES)} bytes")
        environment = embedder_of(recording_embedder.__name__, Path(name) / "named")
        environment |= {"DRAGOMAN_EMBEDDER_RECORDING_FILE": str(record)}
        with running(Path(name) / "home", "--no-sample", **environment) as instance:
            asyncio.run(_embed(instance, [["So that the model is loaded."]]))
            record.write_text("")
            before = instance.cpu_by_role()
            whole_s, _ = bulk.ingest_with_dragoman(instance, files)
            between = instance.cpu_by_role()
            batches = recording_embedder.recorded(record)
            alone_s = asyncio.run(_embed(instance, batches))
            after = instance.cpu_by_role()
    show("texts embedded (chunks and sentences), batches", f"{sum(map(len, batches))}, {len(batches)}")
    show("bulk import, seconds", f"{whole_s:.1f}")
    show("embedding the same batches alone, seconds", f"{alone_s:.1f}")
    show("share of the pipeline beyond the embedding", f"{(whole_s - alone_s) / whole_s:.1%}")
    spent = {role: between[role] - before.get(role, 0.0) for role in between}
    alone_cpu_s = after["embedder"] - between["embedder"]
    listed = ", ".join(f"{role} {seconds:.1f}" for role, seconds in spent.items() if seconds >= 0.5)
    show(
        "processor seconds of the import", f"{sum(spent.values()):.1f}: {listed}; the embedder alone {alone_cpu_s:.1f}"
    )
    share = (sum(spent.values()) - alone_cpu_s) / sum(spent.values())
    show("share of the pipeline beyond the embedding, by processor time", f"{share:.1%}")


async def _embed(instance: Instance, batches: Sequence[list[str]]) -> float:
    """Seconds that the instance's embedder process takes for these batches, asked for a few at a time."""
    embedder = registry.create("embedder", "socket", {"path": instance.variable("DRAGOMAN_EMBEDDER_SOCKET")})
    waiting = list(reversed(batches))

    async def work() -> None:
        while waiting:
            await embedder.embed_passages(waiting.pop())

    started = time.monotonic()
    await asyncio.gather(*(work() for _ in range(_AT_ONCE)))
    elapsed_s = time.monotonic() - started
    await embedder.close()
    return elapsed_s
