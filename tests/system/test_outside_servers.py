"""The suite's core against servers as in production: PostgreSQL reached over TCP with a password, Valkey with a password."""

from __future__ import annotations

import os
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import AsyncIterator, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import pytest
import redis.asyncio as redis
from redis.exceptions import AuthenticationError
from sqlalchemy import make_url

from dragoman.entrypoints import embedded
from dragoman.entrypoints.embedded import EmbeddedPostgres

_ACCESS = "tests/api/test_access.py::test_each_caller_may_do_what_the_table_says"
_CORE = (
    # PostgreSQL: migrations, the rights of roles, rows of tenants, whole reads, locks, transactions in many batches,
    # indexes that are built outside of transactions, commands with a connection string of their own.
    "tests/integration",
    "tests/contract/test_vector_index_contract.py",
    "tests/contract/test_keyword_index_contract.py",
    # Valkey: scripts, leases, pipelines, publications, streams, blocking reads.
    "tests/unit/test_cache.py",
    "tests/unit/test_places.py",
    "tests/unit/test_rate_limit.py",
    "tests/api/test_answer_streams.py::test_a_dropped_stream_goes_on_where_it_was_on_any_process",
    "tests/api/test_answer_streams.py::test_an_answer_is_stopped_by_a_request_to_any_process",
    "tests/api/test_document_events.py::test_a_watcher_sees_what_is_in_work_then_progress_and_then_that_it_is_ready",
    # All together: each operation of the API, once by somebody who may do everything and once by somebody confined.
    f"{_ACCESS}[owner]",
    f"{_ACCESS}[confined key]",
    "tests/api/test_access.py::test_another_tenant_gets_404_on_every_id_and_changes_nothing",
    "tests/api/test_documents.py::test_an_uploaded_document_waits_is_read_and_is_then_found",
    "tests/api/test_documents.py::test_a_replacement_serves_the_old_version_until_it_is_read_and_then_only_the_new",
    "tests/api/test_documents.py::test_a_deleted_document_is_gone_from_the_next_search_and_the_next_answer",
)
# What keeps vectors or words on a server of another kind, or in memory, connects to these two as the rest does.
_HERE = "not (chroma or pinecone or elasticsearch or faiss or external_indexes)"
_PASSWORD = "correct-horse-battery-staple"


@dataclass(frozen=True, slots=True, kw_only=True)
class Servers:
    database_url: str
    cache_url: str


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


@contextmanager
def _valkey_with_password() -> Iterator[str]:
    port = _free_port()
    options = ("--port", str(port), "--requirepass", _PASSWORD, "--save", "", "--bind", "127.0.0.1")
    with tempfile.TemporaryDirectory(prefix="dragoman-test-") as folder:
        server = subprocess.Popen([embedded._valkey_binary(), *options], cwd=folder, stdout=subprocess.DEVNULL)
        try:
            _wait_until_listening(port)
            yield f"redis://:{_PASSWORD}@127.0.0.1:{port}/0"
        finally:
            server.terminate()
            server.wait(timeout=10)


def _wait_until_listening(port: int) -> None:
    deadline = time.monotonic() + 20
    while time.monotonic() < deadline:
        with socket.socket() as probe:
            if probe.connect_ex(("127.0.0.1", port)) == 0:
                return
        time.sleep(0.05)
    pytest.fail(f"Nothing listens on port {port}.")


@pytest.fixture
async def servers(monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[Servers]:
    port = _free_port()
    monkeypatch.setitem(embedded._POSTGRES_SETTINGS, "listen_addresses", "127.0.0.1")
    monkeypatch.setitem(embedded._POSTGRES_SETTINGS, "port", str(port))
    monkeypatch.setenv("PGPORT", str(port))  # for the psql that makes the database
    with (
        tempfile.TemporaryDirectory(prefix="dragoman-test-", ignore_cleanup_errors=True) as home,
        _valkey_with_password() as cache_url,
    ):
        postgres = EmbeddedPostgres(Path(home))
        await postgres.start()
        try:
            password = make_url(postgres.admin_url).password
            yield Servers(
                database_url=f"postgresql://postgres:{password}@127.0.0.1:{port}/postgres", cache_url=cache_url
            )
        finally:
            await postgres.stop()


async def test_the_core_of_the_suite_passes_over_tcp_with_passwords(servers: Servers) -> None:
    """Every way in which Dragoman uses a connection, against servers that are reached as those of production are.

    What differs from the rest of the suite is how a connection is made: address, password, role. SQL and scripts are the
    same once it stands. So each of the two servers is used in every manner (see `_CORE`), the whole API runs over it,
    which is each repository, and what merely repeats one of these with other data or for other callers is left out.
    """
    environment = {
        **{name: value for name, value in os.environ.items() if not name.startswith("PYTEST_")},
        "DRAGOMAN_TEST_DATABASE_URL": servers.database_url,
        "DRAGOMAN_TEST_CACHE_URL": servers.cache_url,
    }
    result = subprocess.run(
        [sys.executable, "-m", "pytest", "-q", "-x", "-p", "no:cacheprovider", *_CORE, "-k", _HERE],
        env=environment,
        cwd=Path(__file__).parents[2],
        capture_output=True,
        text=True,
        check=False,
    )
    assert result.returncode == 0, result.stdout[-4000:] + result.stderr[-2000:]
    assert " passed" in result.stdout


async def test_a_wrong_password_is_refused(servers: Servers) -> None:
    client = redis.from_url(servers.cache_url.replace(_PASSWORD, "wrong"))
    with pytest.raises(AuthenticationError):
        await client.ping()
    await client.aclose()
