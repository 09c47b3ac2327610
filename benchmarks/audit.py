"""How long it takes to verify an audit log, and how much memory: chains of 10,000 and of 100,000 events.

Each chain is verified in a process of its own, so that its memory is that of verifying alone. Processor time, since other work
on the machine changes it little.
"""

from __future__ import annotations

import asyncio
import multiprocessing
import os
import tempfile
import time
from multiprocessing.connection import Connection
from pathlib import Path
from uuid import UUID, uuid4

from benchmarks.figures import Show
from dragoman.embeddings import service as embeddings
from dragoman.entrypoints import schema
from dragoman.entrypoints.embedded import EmbeddedPostgres
from dragoman.kit import registry
from dragoman.kit.database import Database, DatabaseUrls
from dragoman.kit.encryption import Keyring
from dragoman.kit.telemetry import configure_logging
from dragoman.tenancy import audit
from dragoman.tenancy import service as tenancy
from dragoman.tenancy.access import tenant_of_system
from dragoman.tenancy.audit_log import chain
from dragoman.tenancy.audit_log.anchors import Anchors
from dragoman.tenancy.audit_log.verification import verify

_EVENTS = int(os.environ.get("DRAGOMAN_BENCH_EVENTS", "100000"))
_AT_ONCE = 1_000


def audit_log(show: Show) -> None:
    """Write, chain and verify."""
    configure_logging(level="ERROR", style="json")
    asyncio.run(_measure(show))


async def _measure(show: Show) -> None:
    with tempfile.TemporaryDirectory(prefix="dragoman-bench-", ignore_cleanup_errors=True) as folder:
        postgres = EmbeddedPostgres(Path(folder))
        await postgres.start()
        try:
            await asyncio.to_thread(schema.upgrade, postgres.admin_url)
            for events in (_EVENTS // 10, _EVENTS):
                await _show_chain(postgres.admin_url, Path(folder), events, show)
        finally:
            await postgres.stop()


async def _show_chain(url: str, folder: Path, events: int, show: Show) -> None:
    database = Database(DatabaseUrls.derive(url), pool_size=2)
    keyring, anchors = Keyring.load_or_create(folder / "audit.key"), Anchors(folder / "audit")
    audit.seal_with(database, keyring)
    try:
        hashing = registry.create("embedder", "hashing", {})
        version = await embeddings.ensure_version(database, adapter="hashing", profile=hashing.profile)
        made = await tenancy.create_tenant(database, name="T", owner_email="a@b.c", embedding_version=version.id)
        caller = tenant_of_system(made.tenant_id)
        written = time.process_time()
        for _ in range(events // _AT_ONCE):
            subjects = [
                (uuid4(), {"before": {"title": "Old"}, "after": {"title": "A new title"}}) for _ in range(_AT_ONCE)
            ]
            async with database.transaction(made.tenant_id) as connection:
                await audit.record_many(
                    connection, caller, "document.changed", subject_type="document", subjects=subjects
                )
        chained = time.process_time()
        await chain.chain_tenant(database, keyring, anchors, made.tenant_id)
        ended = time.process_time()
    finally:
        await database.close()
    show(
        f"{events} events, processor time each",
        f"{(chained - written) / events * 1e6:.0f} µs to write, {(ended - chained) / events * 1e6:.0f} µs to chain",
    )
    show(f"{events} events verified", await asyncio.to_thread(_verified_apart, url, folder, made.tenant_id))


def _verified_apart(url: str, folder: Path, tenant_id: UUID) -> str:
    context = multiprocessing.get_context("spawn")
    ours, theirs = context.Pipe()
    process = context.Process(target=_verify, args=(url, str(folder), tenant_id, theirs))
    process.start()
    theirs.close()
    told: str = ours.recv()
    process.join()
    return told


def _verify(url: str, folder: str, tenant_id: UUID, answer: Connection) -> None:
    """In a process of its own."""

    async def body() -> str:
        database = Database(DatabaseUrls.derive(url), pool_size=2)
        keyring, anchors = Keyring.load_or_create(Path(folder) / "audit.key"), Anchors(Path(folder) / "audit")
        Path("/proc/self/clear_refs").write_text("5")  # forget the peak until now
        before_kib = _peak_kib()
        at, own = time.perf_counter(), time.process_time()
        found = await verify(database, keyring, anchors, tenant_id)
        wall_s, own_s = time.perf_counter() - at, time.process_time() - own
        grown_mib = (_peak_kib() - before_kib) / 1024
        await database.close()
        assert found.is_whole, found.problems
        return (
            f"{wall_s:.1f} s, {own_s:.1f} s of processor time ({own_s / found.events * 1e6:.0f} µs an event); "
            f"memory grew by {grown_mib:.1f} MiB at most"
        )

    answer.send(asyncio.run(body()))
    answer.close()


def _peak_kib() -> int:
    """The most memory that this process has had, resident."""
    [line] = [line for line in Path("/proc/self/status").read_text().splitlines() if line.startswith("VmHWM:")]
    return int(line.split()[1])
