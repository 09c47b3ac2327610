"""A bulk import outlives its worker, its cache and broker, its database, and a full disk: nothing lost, nothing twice."""

from __future__ import annotations

import random
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest
import redis
from benchmarks.instance import Instance, running
from tests.system.bulk_import import (
    FILES,
    BulkImport,
    check_all_is_whole,
    environment_of,
    find_server,
    importing,
    note,
    until,
    until_ready,
    until_under_way,
)

_FAST = {"DRAGOMAN_EMBEDDER": "hashing"}  # these tests are about recovery, not about meaning


@pytest.fixture
def folder() -> Iterator[Path]:
    """Not under pytest's own folders: as root, PostgreSQL runs as a user who may not pass through them."""
    with tempfile.TemporaryDirectory(prefix="dragoman-test-", ignore_cleanup_errors=True) as name:
        yield Path(name)


@pytest.fixture
def instance(folder: Path) -> Iterator[Instance]:
    with running(folder / "home", "--no-sample", **_FAST) as running_instance:
        yield running_instance


def test_a_bulk_import_is_whole_after_its_worker_was_killed_again_and_again(instance: Instance) -> None:
    chance = random.Random(3)
    with instance.http() as http:
        with importing(instance) as bulk:
            for _ in range(4):
                until(lambda: "worker" in instance.roles() and _is_reading(http, bulk), "a worker reads")
                time.sleep(chance.uniform(0.0, 0.4))
                instance.roles()["worker"].send_signal(signal.SIGKILL)
                time.sleep(0.3)  # until the supervisor has seen it
        assert _most_attempts(http) > 1  # at least one kill fell into the middle of a job
        check_all_is_whole(bulk)


def test_a_bulk_import_is_whole_after_valkey_was_killed_and_emptied(instance: Instance) -> None:
    with instance.http() as http:
        with importing(instance) as bulk:
            until_under_way(bulk, http, read=20)
            valkey = find_server(instance, "valkey-server")
            valkey.send_signal(signal.SIGKILL)
            shutil.rmtree(instance.home / "valkey")
            assert len(bulk.acknowledged) < FILES  # it is not over
            with redis.from_url(environment_of(instance)["DRAGOMAN_CACHE_URL"]) as cache:
                until(lambda: _answers(cache), "Valkey answers again")
                cache.flushall()
        check_all_is_whole(bulk)


def test_a_bulk_import_is_whole_after_postgresql_was_restarted_and_killed(instance: Instance) -> None:
    with instance.http() as http:
        with importing(instance) as bulk:
            for read, how in ((20, signal.SIGINT), (60, signal.SIGKILL)):  # SIGINT: a fast shutdown
                until_under_way(bulk, http, read=read)
                assert bulk.status(http)["counts"]["succeeded"] < FILES
                postgres = find_server(instance, "postgres")
                postgres.send_signal(how)
                until_ready(http, postgres)
        check_all_is_whole(bulk)


# ---- a full disk

_DISK_BYTES = 8 * 1024 * 1024
_DISK_FILES = 600  # so many that some are still to come when the disk is filled


@pytest.fixture
def small_disk(folder: Path) -> Iterator[Path]:
    """A file system of 8 MiB."""
    disk = folder / "disk"
    disk.mkdir()
    if sys.platform != "linux":
        pytest.skip("A small file system is made as Linux does it.")
    mounted = subprocess.run(
        ["mount", "-t", "tmpfs", "-o", f"size={_DISK_BYTES}", "dragoman-test", str(disk)],
        capture_output=True,
        text=True,
        check=False,
    )
    if mounted.returncode:
        pytest.skip(f"Mounting a small file system is not permitted here: {mounted.stderr.strip()}")
    try:
        yield disk
    finally:
        subprocess.run(["umount", "--lazy", str(disk)], check=True)


def test_a_full_disk_refuses_uploads_and_loses_none_that_it_took(folder: Path, small_disk: Path) -> None:
    on_disk = {"DRAGOMAN_BLOB_STORE_FILE_ROOT": str(small_disk / "blobs"), "TMPDIR": str(small_disk / "tmp")}
    for name in ("uploads", "tmp"):
        (small_disk / name).mkdir()
    home = folder / "home"
    home.mkdir()
    (home / "uploads").symlink_to(small_disk / "uploads")
    with running(home, "--no-sample", **_FAST, **on_disk) as instance, instance.http() as http:
        with importing(instance, files=_DISK_FILES) as bulk:
            until(lambda: len(bulk.acknowledged) >= 20, "some notes are acknowledged")
            until(lambda: _is_full(small_disk) and bool(bulk.refusals), "an upload is refused")
            _check_that_it_says_so(http, bulk)
            assert http.get("/readyz").status_code == 200
            assert http.post("/api/search", json={"query": "code word", "mode": "keyword"}).status_code == 200
            (small_disk / "ballast").unlink()
        refused = http.post("/api/chatbot/documents/", files=_long_text(), data={"import_id": bulk.import_id})
        assert refused.status_code == 507, refused.text  # it would never fit
        check_all_is_whole(bulk, files=_DISK_FILES, **on_disk)
    assert [file.name for file in (small_disk / "uploads").iterdir()] == []


def _is_full(disk: Path) -> bool:
    """Fill what is free now; what was written meanwhile and is deleted later makes space again."""
    with (disk / "ballast").open("ab", buffering=0) as file:
        while free := shutil.disk_usage(disk).free:
            try:
                file.write(bytes(free))
            except OSError:  # somebody was faster
                break
    return True


def _check_that_it_says_so(http: httpx.Client, bulk: BulkImport) -> None:
    """In a request with many files, and of a single one."""
    assert {code for _, code, _ in bulk.refusals} == {"ingestion.storage_full"}
    assert {status for status, _, _ in bulk.refusals} <= {202, 507}  # one by one, or the whole request
    assert all("space" in detail for _, _, detail in bulk.refusals)
    answer = http.post("/api/chatbot/documents/", files=_long_text())
    assert answer.status_code == 507, answer.text
    assert answer.json()["code"] == "ingestion.storage_full"
    assert "space" in answer.json()["detail"]


def _long_text() -> dict[str, tuple[str, bytes, str]]:
    """More than the whole disk holds, and less than what is accepted."""
    return {"file": ("long.txt", note(0) * 9000, "text/plain")}


# ---- how far it is


def _is_reading(http: httpx.Client, bulk: BulkImport) -> bool:
    return bool(bulk.status(http)["counts"]["running"])


def _answers(cache: redis.Redis) -> bool:
    try:
        return bool(cache.ping())
    except redis.ConnectionError:
        return False


def _most_attempts(http: httpx.Client) -> int:
    jobs = []
    for offset in range(0, FILES, 100):
        jobs += http.get("/api/jobs/", params={"limit": 100, "offset": offset}).json()["jobs"]
    return max(int(job["attempts"]) for job in jobs)
