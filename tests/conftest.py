"""One PostgreSQL and one Valkey for the test run, a database for each test module, a tenant for each test.

`DRAGOMAN_TEST_DATABASE_URL` (an administrator's, over TCP for instance) and `DRAGOMAN_TEST_CACHE_URL` point the
tests at outside servers; otherwise the embedded ones start in a temporary home. The migrations run once, into a
template that each module's database is copied from. Tests reach it as the roles `app` and `system` only.
"""

from __future__ import annotations

import asyncio
import json
import os
import tempfile
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from uuid import UUID, uuid4

import psycopg
import pytest
from _pytest.runner import runtestprotocol
from psycopg import sql
from sqlalchemy import make_url, text
from uuid_utils.compat import uuid7

from dragoman.entrypoints import schema
from dragoman.entrypoints.embedded import EmbeddedPostgres, EmbeddedValkey
from dragoman.kit.database import Database, DatabaseUrls

EMBEDDING_DIMENSIONS = 32


@dataclass(frozen=True, slots=True, kw_only=True)
class Tenant:
    """A tenant with one empty chatbot."""

    tenant_id: UUID
    chatbot_id: UUID
    embedding_version: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Document:
    """A document with one version and its chunks; live unless it was made otherwise."""

    document_id: UUID
    version_id: UUID
    chunk_ids: Sequence[UUID]


MakeTenant = Callable[[], Awaitable[Tenant]]
MakeDocument = Callable[..., Awaitable[Document]]


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption(
        "--run-failed-once-more",
        action="store_true",
        help="what fails runs once more; what passes then is named in the summary as FAILED AT FIRST",
    )


@pytest.hookimpl(tryfirst=True)
def pytest_runtest_protocol(item: pytest.Item, nextitem: pytest.Item | None) -> bool | None:
    """A browser that shares two cores with other tests loses a click now and then: what fails there runs once more.

    So do all tests where `--run-failed-once-more` asks for it, as CI does: they start processes and watch them, on a
    machine that others use too. The first failure is told in the summary. What fails twice has failed.
    """
    if item.path.parent != Path(__file__).parent / "web" and not item.config.getoption("run_failed_once_more"):
        return None
    item.ihook.pytest_runtest_logstart(nodeid=item.nodeid, location=item.location)
    reports = runtestprotocol(item, nextitem=nextitem, log=False)
    failed = [report for report in reports if report.failed]
    if failed:
        reports = runtestprotocol(item, nextitem=nextitem, log=False)
        for report in filter(lambda report: report.failed, reports):
            report.sections.append(("Failed at first", failed[0].longreprtext))
        if not any(report.failed for report in reports):
            reports[-1].user_properties.append(("failed_at_first", _last_words(failed[0])))
    for report in reports:
        item.ihook.pytest_runtest_logreport(report=report)
    item.ihook.pytest_runtest_logfinish(nodeid=item.nodeid, location=item.location)
    return True


def _last_words(report: pytest.TestReport) -> str:
    crash = getattr(report.longrepr, "reprcrash", None)
    return crash.message.splitlines()[0] if crash else report.longreprtext.splitlines()[-1]


def pytest_terminal_summary(terminalreporter: Any) -> None:
    """Name what passed only when it ran again."""
    for reports in terminalreporter.stats.values():
        for report in reports:
            for name, value in getattr(report, "user_properties", ()):
                if name == "failed_at_first":
                    terminalreporter.write_line(f"FAILED AT FIRST {report.nodeid}: {value}")


def pytest_make_parametrize_id(config: pytest.Config, val: object, argname: str) -> str | None:
    """Bytes are named by their parameter: packed ones hold the time, and every process must collect the same names."""
    return argname if isinstance(val, bytes) else None


# --- servers ---------------------------------------------------------------------------------------------------------


@pytest.fixture(scope="session")
def service_home() -> Iterator[Path]:
    """Not under pytest's own folders: as root, PostgreSQL runs as a user who may not pass through them."""
    with tempfile.TemporaryDirectory(prefix="dragoman-test-", ignore_cleanup_errors=True) as home:
        yield Path(home)


@pytest.fixture(scope="session")
async def server_url(service_home: Path) -> AsyncIterator[str]:
    """The administrator's connection string of the PostgreSQL server of this run."""
    outside = os.environ.get("DRAGOMAN_TEST_DATABASE_URL")
    if outside:
        yield outside
        return
    postgres = EmbeddedPostgres(service_home)
    await postgres.start()
    try:
        yield postgres.admin_url
    finally:
        await postgres.stop()


@pytest.fixture(scope="session")
async def cache_url(service_home: Path) -> AsyncIterator[str]:
    """The connection string of the Valkey of this run."""
    outside = os.environ.get("DRAGOMAN_TEST_CACHE_URL")
    if outside:
        yield outside
        return
    valkey = EmbeddedValkey(service_home)
    await valkey.start()
    try:
        yield valkey.cache_url
    finally:
        await valkey.stop()


# --- databases -------------------------------------------------------------------------------------------------------


@asynccontextmanager
async def scratch_database(server_url: str, template: str = "template1") -> AsyncIterator[str]:
    """The administrator's connection string of a new database, dropped at the end."""
    name = f"dragoman_test_{uuid4().hex}"
    async with await psycopg.AsyncConnection.connect(server_url, autocommit=True) as connection:
        await connection.execute(
            sql.SQL("create database {} template {}").format(sql.Identifier(name), sql.Identifier(template))
        )
    try:
        yield make_url(server_url).set(database=name).render_as_string(hide_password=False)
    finally:
        async with await psycopg.AsyncConnection.connect(server_url, autocommit=True) as connection:
            await connection.execute(sql.SQL("drop database {} with (force)").format(sql.Identifier(name)))


@pytest.fixture(scope="session")
async def template_database(server_url: str) -> AsyncIterator[str]:
    """The name of a migrated database."""
    async with scratch_database(server_url) as url:
        await asyncio.to_thread(schema.upgrade, url)
        yield str(make_url(url).database)


@pytest.fixture(scope="session")
def empty_database(server_url: str) -> Callable[[], Any]:
    """Opens a database that was never migrated: `async with empty_database() as admin_url`."""
    return lambda: scratch_database(server_url)


@pytest.fixture(scope="module")
async def admin_url(server_url: str, template_database: str) -> AsyncIterator[str]:
    """The administrator's connection string of this module's migrated, empty database."""
    async with scratch_database(server_url, template_database) as url:
        yield url


@pytest.fixture(scope="module")
async def database(admin_url: str) -> AsyncIterator[Database]:
    """The module's database as the application reaches it."""
    database = Database(DatabaseUrls.derive(admin_url), pool_size=4)
    yield database
    await database.close()


# --- tenants and documents -------------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
async def embedding_version(database: Database) -> int:
    """The id of a version of the adapter `hashing` with `EMBEDDING_DIMENSIONS` dimensions."""
    async with database.system_transaction() as connection:
        found: int = (
            await connection.execute(
                text("select ensure_embedding_version('test', 'hashing', 'hashing', :dimensions, 512, '{}', '{}')"),
                {"dimensions": EMBEDDING_DIMENSIONS},
            )
        ).scalar_one()
    return found


@pytest.fixture(scope="module")
def make_tenant(database: Database, embedding_version: int) -> MakeTenant:
    async def make() -> Tenant:
        made = Tenant(tenant_id=uuid7(), chatbot_id=uuid7(), embedding_version=embedding_version)
        async with database.transaction(made.tenant_id) as connection:
            await connection.execute(
                text("insert into tenants (id, name, default_chatbot_id) values (:id, 'Test', :chatbot_id)"),
                {"id": made.tenant_id, "chatbot_id": made.chatbot_id},
            )
        await insert_chatbot(database, made)
        return made

    return make


async def insert_chatbot(database: Database, tenant: Tenant) -> None:
    async with database.transaction(tenant.tenant_id) as connection:
        await connection.execute(
            text("insert into chatbots (tenant_id, id, name, active_embedding_version) values (:t, :b, 'Test', :v)"),
            {"t": tenant.tenant_id, "b": tenant.chatbot_id, "v": tenant.embedding_version},
        )


@pytest.fixture(scope="module")
def make_chatbot(database: Database) -> Callable[[Tenant], Awaitable[Tenant]]:
    """Gives a tenant a second chatbot: returns the same tenant with the new chatbot's id."""

    async def make(tenant: Tenant) -> Tenant:
        second = Tenant(tenant_id=tenant.tenant_id, chatbot_id=uuid7(), embedding_version=tenant.embedding_version)
        await insert_chatbot(database, second)
        return second

    return make


@pytest.fixture
async def tenant(make_tenant: MakeTenant) -> Tenant:
    """A tenant of this test's own, with an empty chatbot."""
    return await make_tenant()


@pytest.fixture(scope="module")
def make_document(database: Database) -> MakeDocument:
    """Writes a document with one chunk for each text, as ingestion would leave it (without vectors and keywords)."""

    async def make(
        tenant: Tenant,
        texts: Sequence[str],
        *,
        languages: Sequence[str] | None = None,
        live: bool = True,
        document_id: UUID | None = None,
        **columns: Any,
    ) -> Document:
        made = Document(document_id=document_id or uuid7(), version_id=uuid7(), chunk_ids=[uuid7() for _ in texts])
        await _insert_document(database, tenant, made, new=document_id is None, live=live, columns=columns)
        await _insert_chunks(database, tenant, made, texts, languages or ["en"] * len(texts))
        return made

    return make


async def _insert_document(
    database: Database, tenant: Tenant, made: Document, *, new: bool, live: bool, columns: Mapping[str, Any]
) -> None:
    place = {"t": tenant.tenant_id, "b": tenant.chatbot_id, "d": made.document_id, "v": made.version_id}
    async with database.transaction(tenant.tenant_id) as connection:
        if new:
            await connection.execute(
                text(
                    "insert into documents (tenant_id, id, chatbot_id, title, file_name, owner, state, "
                    "visibility, content_type, category) values (:t, :d, :b, 'A document', 'a.md', :owner, 'ready', "
                    ":visibility, :content_type, :category)"
                ),
                place
                | {"owner": "user:ada", "visibility": "shared", "content_type": "document", "category": ""}
                | columns,
            )
        await connection.execute(
            text(
                "insert into document_versions (tenant_id, id, chatbot_id, document_id, number, state, mime_type, "
                "size_bytes, content_hash, blob_key, chunk_count) values (:t, :v, :b, :d, "
                "(select count(*) + 1 from document_versions where tenant_id = :t and document_id = :d), "
                "'ready', 'text/markdown', 1, 'hash', 'key', :chunk_count)"
            ),
            place | {"chunk_count": len(made.chunk_ids)},
        )
        if live:
            await connection.execute(
                text("update documents set live_version_id = :v where tenant_id = :t and id = :d"), place
            )


async def _insert_chunks(
    database: Database, tenant: Tenant, made: Document, texts: Sequence[str], languages: Sequence[str]
) -> None:
    rows = [
        {"id": str(chunk_id), "ordinal": ordinal, "text": content, "language": language}
        for ordinal, (chunk_id, content, language) in enumerate(zip(made.chunk_ids, texts, languages, strict=True))
    ]
    async with database.transaction(tenant.tenant_id) as connection:
        await connection.execute(
            text(
                "insert into chunks (tenant_id, chatbot_id, id, document_id, version_id, ordinal, text, language, "
                "start_offset, end_offset, token_count, content_hash) "
                "select :t, :b, id, :d, :v, ordinal, text, language, 0, length(text), 1, 'hash' from "
                "jsonb_to_recordset(cast(:rows as jsonb)) as row (id uuid, ordinal int, text text, language text)"
            ),
            {"t": tenant.tenant_id, "b": tenant.chatbot_id, "d": made.document_id, "v": made.version_id}
            | {"rows": json.dumps(rows)},
        )


@pytest.fixture(scope="module")
def delete_document(database: Database) -> Callable[[Tenant, Document], Awaitable[None]]:
    """Marks a document as deleted, as the first step of a deletion does; the rest goes later."""

    async def delete(tenant: Tenant, document: Document) -> None:
        async with database.transaction(tenant.tenant_id) as connection:
            await connection.execute(
                text("update documents set deleted_at = now() where tenant_id = :t and id = :d"),
                {"t": tenant.tenant_id, "d": document.document_id},
            )

    return delete
