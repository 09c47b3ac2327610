"""The migrated database: models == migrations, forced row-level security everywhere, roles without power."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable
from typing import Any
from uuid import uuid4

import psycopg
import pytest
from alembic import command
from alembic.config import Config
from pgvector import HalfVector
from psycopg import errors
from sqlalchemy import create_engine, text
from sqlalchemy.pool import NullPool

from dragoman.entrypoints import schema
from dragoman.entrypoints.resources import resource_path
from dragoman.kit.database import (
    APP_ROLE,
    OWNER_ROLE,
    SYSTEM_ROLE,
    Database,
    DatabaseUnavailableError,
    DatabaseUrls,
    driver_url,
)

_UPGRADE_LOCK = 7_203_944_001


@pytest.fixture
async def admin(admin_url: str) -> AsyncIterator[psycopg.AsyncConnection[Any]]:
    """A connection as the administrator, to look at the catalogue; nothing it does is kept."""
    async with await psycopg.AsyncConnection.connect(admin_url) as connection:
        yield connection
        await connection.rollback()


def test_the_models_are_what_the_migrations_make(admin_url: str) -> None:
    assert schema.pending_differences(admin_url) == []


async def test_every_table_has_forced_row_level_security(
    admin: psycopg.AsyncConnection[Any], embedding_version: int
) -> None:
    rows = await (
        await admin.execute(
            "select relname, relrowsecurity and relforcerowsecurity from pg_class "
            "where relnamespace = 'public'::regnamespace and relkind in ('r', 'p')"
        )
    ).fetchall()
    protected = dict(rows)
    assert not protected.pop("alembic_version")
    assert {name for name, is_protected in protected.items() if not is_protected} == set()
    partitions = {f"{parent}_v{embedding_version}" for parent in ("chunk_embeddings", "sentence_embeddings")}
    assert partitions | set(schema.metadata.tables) == set(protected)


async def test_the_roles_of_the_application_cannot_go_around_it(admin: psycopg.AsyncConnection[Any]) -> None:
    rows = await (
        await admin.execute(
            "select rolname, rolcanlogin from pg_roles where rolname = any(%s) "
            "and not (rolsuper or rolbypassrls or rolcreatedb or rolcreaterole or rolreplication)",
            [[APP_ROLE, SYSTEM_ROLE, OWNER_ROLE]],
        )
    ).fetchall()
    assert dict(rows) == {APP_ROLE: True, SYSTEM_ROLE: True, OWNER_ROLE: False}
    members = await (
        await admin.execute(
            "select count(*) from pg_auth_members m join pg_roles r on r.oid = m.member where r.rolname = any(%s)",
            [[APP_ROLE, SYSTEM_ROLE]],
        )
    ).fetchone()
    assert members == (0,)


@pytest.mark.parametrize("role", ["app", "system"])
@pytest.mark.parametrize(
    "statement",
    [
        "create table loot (id int)",
        "alter table documents no force row level security",
        "drop policy tenant_isolation on documents",
        "truncate documents",
        f"set role {OWNER_ROLE}",
        "update embedding_versions set name = name",
        "delete from embedding_versions",
    ],
)
async def test_the_roles_of_the_application_cannot_change_the_schema(
    database: Database, role: str, statement: str
) -> None:
    url: str = getattr(database.urls, role)
    async with await psycopg.AsyncConnection.connect(url) as connection:
        with pytest.raises(errors.InsufficientPrivilege):
            await connection.execute(statement)


def test_an_upgrade_of_a_current_database_changes_nothing(admin_url: str) -> None:
    assert schema.upgrade(admin_url) is False
    assert schema.revision_of(admin_url) == schema.head_revision()


async def test_a_database_can_be_downgraded_and_upgraded_again(empty_database: Callable[[], Any]) -> None:
    async with empty_database() as url:
        assert await asyncio.to_thread(schema.upgrade, url) is True
        await _ensure_version(url, "first", 8)
        await asyncio.to_thread(_downgrade, url)
        async with await psycopg.AsyncConnection.connect(url) as connection:
            left = await connection.execute(
                "select relname from pg_class "
                "where relnamespace = 'public'::regnamespace and relkind in ('r', 'p', 'S') "
                "union all select proname from pg_proc where proowner = %s::regrole",
                [OWNER_ROLE],
            )
            assert await left.fetchall() == [("alembic_version",)]
        assert await asyncio.to_thread(schema.upgrade, url) is True
        assert await asyncio.to_thread(schema.pending_differences, url) == []


def _downgrade(url: str) -> None:
    config = Config()
    config.set_main_option("script_location", str(resource_path("migrations")))
    with create_engine(driver_url(url), poolclass=NullPool).connect() as connection:
        connection.execute(text(f"set role {OWNER_ROLE}"))
        connection.commit()
        config.attributes["connection"] = connection
        command.downgrade(config, "base")
        connection.commit()


async def test_two_upgrades_at_once_take_turns(empty_database: Callable[[], Any]) -> None:
    async with empty_database() as url, await psycopg.AsyncConnection.connect(url, autocommit=True) as holder:
        await holder.execute("select pg_advisory_lock(%s)", [_UPGRADE_LOCK])
        upgrades = [asyncio.create_task(asyncio.to_thread(schema.upgrade, url)) for _ in range(2)]
        async with asyncio.timeout(20):
            while await _waiting(holder) < 2:
                await asyncio.sleep(0.05)
        assert not any(upgrade.done() for upgrade in upgrades)
        await holder.execute("select pg_advisory_unlock(%s)", [_UPGRADE_LOCK])
        assert sorted(await asyncio.gather(*upgrades)) == [False, True]
        assert await asyncio.to_thread(schema.pending_differences, url) == []


async def _waiting(connection: psycopg.AsyncConnection[Any]) -> int:
    cursor = await connection.execute(
        "select count(*) from pg_locks where locktype = 'advisory' and not granted "
        "and database = (select oid from pg_database where datname = current_database())"
    )
    row = await cursor.fetchone()
    return int(row[0]) if row else 0


async def test_an_unreachable_database_is_reported_as_such(admin_url: str) -> None:
    with pytest.raises(DatabaseUnavailableError):
        await asyncio.to_thread(schema.upgrade, f"postgresql://nobody@/nothing?host=/nowhere/{uuid4().hex}")


# --- embedding versions ----------------------------------------------------------------------------------------------


async def _ensure_version(admin_url: str, name: str, dimensions: int) -> int:
    async with await psycopg.AsyncConnection.connect(DatabaseUrls.derive(admin_url).system) as connection:
        cursor = await connection.execute(
            "select ensure_embedding_version(%s, 'hashing', 'hashing', %s, 512, '{}', '{}')", [name, dimensions]
        )
        row = await cursor.fetchone()
        assert row is not None
        return int(row[0])


async def test_an_embedding_version_is_made_once(admin_url: str, embedding_version: int) -> None:
    made = await asyncio.gather(*(_ensure_version(admin_url, "made at once", 16) for _ in range(4)))
    assert len(set(made)) == 1
    assert made[0] != embedding_version


async def test_only_the_system_role_makes_embedding_versions(database: Database) -> None:
    async with await psycopg.AsyncConnection.connect(database.urls.app) as connection:
        with pytest.raises(errors.InsufficientPrivilege):
            await connection.execute("select ensure_embedding_version('x', 'x', 'x', 8, 8, '{}', '{}')")


async def test_a_version_refuses_vectors_of_another_length(database: Database, tenant: Any) -> None:
    values = [tenant.tenant_id, tenant.chatbot_id, tenant.embedding_version, *(uuid4() for _ in range(3))]
    async with await psycopg.AsyncConnection.connect(database.urls.app) as connection:
        await connection.execute("select set_config('dragoman.tenant_id', %s, true)", [str(tenant.tenant_id)])
        with pytest.raises(errors.CheckViolation):
            await connection.execute(
                "insert into chunk_embeddings (tenant_id, chatbot_id, embedding_version, chunk_id, document_id, "
                "version_id, embedding) values (%s, %s, %s, %s, %s, %s, %s::halfvec)",
                [*values, HalfVector([0.5, 0.5]).to_text()],
            )


async def test_partitions_are_reached_through_their_parent_only(database: Database, embedding_version: int) -> None:
    for parent in ("chunk_embeddings", "sentence_embeddings"):
        async with await psycopg.AsyncConnection.connect(database.urls.app) as connection:
            with pytest.raises(errors.InsufficientPrivilege):
                await connection.execute(f"select 1 from {parent}_v{embedding_version}")


# --- indexes under row-level security --------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("statement", "condition"),
    [
        (
            (
                "select content from keyword_postings where tenant_id = %(tenant_id)s and chatbot_id = %(chatbot_id)s "
                "and segment_id = %(id)s and number = 7"
            ),
            "(number = 7)",
        ),
        (
            "select segment_id from keyword_versions where tenant_id = %(tenant_id)s and version_id = %(id)s",
            "(version_id = ",
        ),
        (
            (
                "select id from documents where tenant_id = %(tenant_id)s and chatbot_id = %(chatbot_id)s "
                "and visibility = 'private' and owner = 'user:ada'"
            ),
            "(owner = ",
        ),
        (
            (
                "select embedding from chunk_embeddings where tenant_id = %(tenant_id)s and version_id = %(id)s "
                "and embedding_version = 1"
            ),
            "(version_id = ",
        ),
        ("select text from chunks where tenant_id = %(tenant_id)s and version_id = %(id)s", "(version_id = "),
    ],
)
async def test_row_level_security_leaves_the_indexes_of_search_usable(
    database: Database, tenant: Any, statement: str, condition: str
) -> None:
    parameters = {"tenant_id": tenant.tenant_id, "chatbot_id": tenant.chatbot_id, "id": uuid4()}
    async with database.transaction(tenant.tenant_id) as connection:
        await connection.exec_driver_sql("set local enable_seqscan = off")
        plan = (await connection.exec_driver_sql(f"explain {statement}", parameters)).scalars().all()
    assert any("Index Cond:" in line and condition in line for line in plan), plan
