"""A tenant sees and changes nothing of another one. Generated from the models, so that a new table is tested too."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

import psycopg
import pytest
from psycopg import errors
from sqlalchemy import Column, Table, func, select, types
from sqlalchemy.dialects.postgresql import ARRAY, JSONB
from sqlalchemy.exc import ProgrammingError
from uuid_utils.compat import uuid7

from dragoman.entrypoints.tables import metadata
from dragoman.kit.database import Database

_GLOBAL = {"embedding_versions", "signing_keys"}
_SYSTEM_READS = {
    "tenants",
    "api_keys",
    "widget_keys",
    "jobs",
    "job_groups",
    "job_queues",
    "outbox_events",
    "embedding_versions",
    "signing_keys",
}
_APPEND_ONLY = {"audit_events"}  # nobody may change or delete a row, one's own neither
TABLES = [table for table in metadata.sorted_tables if table.name not in _GLOBAL]

Row = dict[str, Any]
each_table = pytest.mark.parametrize("table", TABLES, ids=lambda table: table.name)


def _owner_column(table: Table) -> Column[Any]:
    return table.c.id if table.name == "tenants" else table.c.tenant_id


def _value(column: Column[Any], embedding_version: int, dimensions: int) -> Any:
    if column.name in {"embedding_version", "active_embedding_version"}:
        return embedding_version
    if column.name == "embedding":
        return [1.0] + [0.0] * (dimensions - 1)
    samples: list[tuple[type[types.TypeEngine[Any]], Any]] = [
        (types.Uuid, uuid7()),
        (types.Text, "x"),
        (types.Boolean, False),
        (types.Numeric, 1),
        (types.Float, 1.0),
        (types.Integer, 1),
        (types.DateTime, datetime.now(UTC)),
        (types.Date, datetime.now(UTC).date()),
        (types.LargeBinary, b"x"),
        (JSONB, {}),
        (ARRAY, []),
    ]
    return next(sample for kind, sample in samples if isinstance(column.type, kind))


def _row(table: Table, known: dict[str, Row], tenant: Any, dimensions: int) -> Row:
    """A valid row of the tenant: what has no default gets a sample, references point to the rows made before."""
    row = {
        column.name: _value(column, tenant.embedding_version, dimensions)
        for column in table.columns
        if not column.nullable and column.server_default is None and column.identity is None
    }
    for reference in table.foreign_keys:
        if reference.column.table.name in known and reference.parent.name in row:
            row[reference.parent.name] = known[reference.column.table.name][reference.column.name]
    row[_owner_column(table).name] = tenant.tenant_id
    return row


@pytest.fixture(scope="module")
async def owner(make_tenant: Any) -> Any:
    return await make_tenant()


@pytest.fixture(scope="module")
async def stranger(make_tenant: Any) -> Any:
    return await make_tenant()


@pytest.fixture(scope="module")
async def rows(database: Database, owner: Any) -> dict[str, Row]:
    """One row of the owner in every table."""
    known: dict[str, Row] = {
        "tenants": {"id": owner.tenant_id, "name": "Test"},
        "chatbots": {"tenant_id": owner.tenant_id, "id": owner.chatbot_id, "name": "Test"}
        | {"active_embedding_version": owner.embedding_version},
    }
    async with database.transaction(owner.tenant_id) as connection:
        for table in TABLES:
            if table.name not in known:
                known[table.name] = _row(table, known, owner, dimensions=32)
                await connection.execute(table.insert().values(known[table.name]))
        facts = metadata.tables["insight_facts"]  # triggers have written others, of the rows above
        await connection.execute(facts.delete().where(facts.c.kind != known["insight_facts"]["kind"]))
        marks = metadata.tables["feedback_changes"]
        await connection.execute(marks.delete().where(marks.c.id != select(func.min(marks.c.id)).scalar_subquery()))
    return known


async def _count(database: Database, table: Table, tenant_id: Any) -> int:
    async with database.transaction(tenant_id) as connection:
        owned = _owner_column(table) == tenant_id
        found: int = (await connection.execute(select(func.count()).select_from(table).where(owned))).scalar_one()
        everything: int = (await connection.execute(select(func.count()).select_from(table))).scalar_one()
        assert everything == found, "rows of another tenant are visible"
    return found


@each_table
async def test_a_stranger_sees_no_row(
    database: Database, rows: dict[str, Row], owner: Any, stranger: Any, table: Table
) -> None:
    assert await _count(database, table, owner.tenant_id) == 1
    async with database.transaction(stranger.tenant_id) as connection:
        theirs = select(func.count()).select_from(table).where(_owner_column(table) == owner.tenant_id)
        assert (await connection.execute(theirs)).scalar_one() == 0


@each_table
async def test_a_stranger_changes_and_deletes_no_row(
    database: Database, rows: dict[str, Row], owner: Any, stranger: Any, table: Table
) -> None:
    column = _owner_column(table)
    if table.name in _APPEND_ONLY:
        for tenant in (stranger, owner):
            for statement in (table.update().values({column.name: column}), table.delete()):
                with pytest.raises(ProgrammingError, match="permission denied"):
                    async with database.transaction(tenant.tenant_id) as connection:
                        await connection.execute(statement)
        return
    async with database.transaction(stranger.tenant_id) as connection:
        theirs = column == owner.tenant_id
        changed = await connection.execute(table.update().where(theirs).values({column.name: column}))
        deleted = await connection.execute(table.delete().where(theirs))
        assert (changed.rowcount, deleted.rowcount) == (0, 0)
    assert await _count(database, table, owner.tenant_id) == 1


@each_table
async def test_a_stranger_cannot_write_a_row_for_the_tenant(
    database: Database, rows: dict[str, Row], stranger: Any, table: Table
) -> None:
    with pytest.raises(ProgrammingError, match="row-level security"):
        async with database.transaction(stranger.tenant_id) as connection:
            await connection.execute(table.insert().values(rows[table.name]))


@each_table
async def test_a_row_cannot_be_given_to_another_tenant(
    database: Database, rows: dict[str, Row], owner: Any, stranger: Any, table: Table
) -> None:
    refusal = "permission denied" if table.name in _APPEND_ONLY else "row-level security"
    with pytest.raises(ProgrammingError, match=refusal):
        async with database.transaction(owner.tenant_id) as connection:
            await connection.execute(table.update().values({_owner_column(table).name: stranger.tenant_id}))


@each_table
async def test_without_a_tenant_nothing_is_visible_or_writable(
    database: Database, rows: dict[str, Row], table: Table
) -> None:
    column = _owner_column(table).name
    async with await psycopg.AsyncConnection.connect(database.urls.app) as connection:
        for setting in (None, ""):  # never set, and as a finished transaction leaves it
            if setting is not None:
                await connection.execute("select set_config('dragoman.tenant_id', %s, false)", [setting])
            seen = await (await connection.execute(f"select count(*) from {table.name}")).fetchone()
            assert seen == (0,)
            if table.name in _APPEND_ONLY:
                continue
            changed = await connection.execute(f"update {table.name} set {column} = {column}")
            assert changed.rowcount == 0


async def test_the_tenant_ends_with_its_transaction(database: Database, rows: dict[str, Row], owner: Any) -> None:
    async with database.transaction(owner.tenant_id) as connection:
        driver = (await connection.get_raw_connection()).driver_connection
        assert driver is not None
        await driver.commit()
        cursor = await driver.execute("select count(*), current_setting('dragoman.tenant_id') from documents")
        assert await cursor.fetchone() == (0, "")


@pytest.mark.parametrize("table", metadata.sorted_tables, ids=lambda table: table.name)
async def test_the_system_role_reads_only_what_precedes_the_tenant(
    database: Database, rows: dict[str, Row], table: Table
) -> None:
    async with await psycopg.AsyncConnection.connect(database.urls.system) as connection:
        if table.name in _SYSTEM_READS:
            await connection.execute(f"select * from {table.name}")
        else:
            with pytest.raises(errors.InsufficientPrivilege):
                await connection.execute(f"select * from {table.name}")


async def test_the_system_role_changes_of_a_key_only_when_it_was_used(database: Database, rows: dict[str, Row]) -> None:
    async with await psycopg.AsyncConnection.connect(database.urls.system) as connection:
        used = await connection.execute("update api_keys set last_used_at = now()")
        assert used.rowcount >= 1
        for statement in (
            "update api_keys set role = 'admin'",
            "delete from api_keys",
            "update tenants set name = 'x'",
        ):
            await connection.commit()
            with pytest.raises(errors.InsufficientPrivilege):
                await connection.execute(statement)
            await connection.rollback()
