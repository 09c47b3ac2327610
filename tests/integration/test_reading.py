"""Reading transactions: the same rows and the same walls as `Database.transaction`, and what happens when one breaks."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from typing import Any
from uuid import UUID, uuid4

import psycopg
import pytest
from sqlalchemy import bindparam, select, text
from sqlalchemy.exc import DataError, DBAPIError, IntegrityError, MultipleResultsFound, NoResultFound, ProgrammingError
from tests.conftest import MakeDocument, MakeTenant, Tenant

from dragoman.kit import reading
from dragoman.kit.database import Database, DatabaseBusyError, DatabaseUnavailableError, DatabaseUrls
from dragoman.kit.reading import Rows
from dragoman.tenancy.tables import chatbots

FIND = select(chatbots).where(chatbots.c.tenant_id == bindparam("tenant_id"), chatbots.c.id == bindparam("chatbot_id"))
OPEN_TRANSACTIONS = (
    "select count(*) from pg_stat_activity where usename = 'dragoman_app' and state like 'idle in transaction%'"
)


@pytest.fixture
async def lone(admin_url: str) -> AsyncIterator[Database]:
    """A database with a single connection for reading, so that one transaction follows another on it."""
    database = Database(DatabaseUrls.derive(admin_url), pool_size=1)
    yield database
    await database.close()


async def see(database: Database, tenant_id: UUID) -> set[UUID]:
    """The chatbots that a reading transaction of this tenant sees when it asks for all."""
    async with database.reading(tenant_id) as connection:
        return set((await connection.exec_driver_sql("select id from chatbots")).scalars())


async def test_a_row_reads_the_same_as_through_a_transaction(database: Database, tenant: Tenant) -> None:
    ids = {"tenant_id": tenant.tenant_id, "chatbot_id": tenant.chatbot_id}
    async with database.transaction(tenant.tenant_id) as connection:
        expected = (await connection.execute(FIND, ids)).one()
    async with database.reading(tenant.tenant_id) as connection:
        row = (await connection.execute(FIND, ids)).one()
    assert row._asdict() == expected._asdict()
    assert row.settings == {}


async def test_values_of_all_kinds_go_there_and_back(database: Database, tenant: Tenant) -> None:
    given = {
        "id": uuid4(),
        "ids": [uuid4(), uuid4()],
        "words": ["größe", "it's", "100%", ""],
        "none": None,
        "number": 2**40,
        "share": 0.25,
        "flag": True,
    }
    sql = (
        "select %(id)s::uuid as id, %(ids)s::uuid[] as ids, %(words)s::text[] as words, %(none)s::text[] as none, "
        "%(number)s::bigint as number, %(share)s::float8 as share, %(flag)s::bool as flag, 7 %% 4 as rest, %(id)s::uuid as again"
    )
    async with database.reading(tenant.tenant_id) as connection:
        for _ in range(2):  # the second time from the prepared statement
            row = (await connection.exec_driver_sql(sql, given)).one()
            assert row._asdict() == {**given, "rest": 3, "again": given["id"]}


async def test_a_transaction_sees_its_tenant_only_also_on_the_connection_of_another(
    lone: Database, make_tenant: MakeTenant
) -> None:
    first, second = await make_tenant(), await make_tenant()
    for _ in range(3):
        assert await see(lone, first.tenant_id) == {first.chatbot_id}
        assert await see(lone, second.tenant_id) == {second.chatbot_id}
    await asyncio.sleep(reading._LINGER_S * 3)
    assert await see(lone, second.tenant_id) == {second.chatbot_id}


async def test_without_a_tenant_a_connection_sees_nothing(lone: Database, tenant: Tenant) -> None:
    await see(lone, tenant.tenant_id)
    await asyncio.sleep(reading._LINGER_S * 3)
    [connection] = lone._reads._idle
    connection._is_begun = True  # as if a statement were sent without `begin` before it
    assert (await connection.transact([("select id from chatbots", {})]))[0] == []


async def test_nothing_can_be_written(database: Database, tenant: Tenant) -> None:
    with pytest.raises(DBAPIError, match="read-only"):
        async with database.reading(tenant.tenant_id) as connection:
            await connection.exec_driver_sql("update chatbots set name = 'x'")


async def test_all_statements_of_a_transaction_see_one_state(
    database: Database, tenant: Tenant, make_document: MakeDocument
) -> None:
    count = "select count(*) from documents"
    async with database.reading(tenant.tenant_id) as connection:
        before = (await connection.exec_driver_sql(count)).scalar_one()
        await make_document(tenant, ["text"])
        assert (await connection.exec_driver_sql(count)).scalar_one() == before
    async with database.reading(tenant.tenant_id) as connection:
        assert (await connection.exec_driver_sql(count)).scalar_one() == before + 1


async def test_what_is_committed_is_seen_by_the_next_transaction_at_once(
    lone: Database, database: Database, tenant: Tenant
) -> None:
    """Also when the one before still waits for its `commit`."""
    for number in range(20):
        async with database.transaction(tenant.tenant_id) as connection:
            await connection.execute(
                text("update chatbots set knowledge_revision = :n where id = :b"), {"n": number, "b": tenant.chatbot_id}
            )
        async with lone.reading(tenant.tenant_id) as reader:
            seen = await reader.exec_driver_sql("select knowledge_revision from chatbots")
            assert seen.scalar_one() == number


async def test_statements_that_need_nothing_of_each_other_travel_together(database: Database, tenant: Tenant) -> None:
    async with database.reading(tenant.tenant_id) as connection:
        sets = await connection.run_all(
            [("select %(n)s::int as n", {"n": number}) for number in range(5)] + [("select id from chatbots", {})]
        )
    assert [rows.scalar_one() for rows in sets] == [0, 1, 2, 3, 4, tenant.chatbot_id]


async def test_an_idle_connection_holds_no_transaction_open(lone: Database, tenant: Tenant, admin_url: str) -> None:
    await see(lone, tenant.tenant_id)
    await asyncio.sleep(reading._LINGER_S * 5)
    async with await psycopg.AsyncConnection.connect(admin_url) as admin:
        cursor = await admin.execute(f"{OPEN_TRANSACTIONS} and datname = current_database()")
        assert await cursor.fetchone() == (0,)


async def test_many_at_once_share_few_connections(admin_url: str, make_tenant: MakeTenant) -> None:
    database = Database(DatabaseUrls.derive(admin_url), pool_size=3)
    tenants = [await make_tenant() for _ in range(4)]
    seen = await asyncio.gather(*(see(database, tenants[number % 4].tenant_id) for number in range(100)))
    assert seen == [{tenants[number % 4].chatbot_id} for number in range(100)]
    assert database._reads._made == 3
    await database.close()


async def test_an_error_leaves_the_next_transaction_untouched(lone: Database, tenant: Tenant) -> None:
    for broken, kind in (
        ("select nothing_of_this_name", ProgrammingError),
        ("select 1 / 0", DataError),
        ("selec", ProgrammingError),
    ):
        with pytest.raises(kind):
            async with lone.reading(tenant.tenant_id) as connection:
                await connection.exec_driver_sql(broken)
        assert await see(lone, tenant.tenant_id) == {tenant.chatbot_id}


async def test_a_value_that_postgresql_cannot_hold_is_a_data_error(lone: Database, tenant: Tenant) -> None:
    with pytest.raises(DataError):
        async with lone.reading(tenant.tenant_id) as connection:
            await connection.exec_driver_sql("select %(word)s::text", {"word": "a\0b"})
    assert await see(lone, tenant.tenant_id) == {tenant.chatbot_id}


async def test_who_leaves_in_the_middle_stops_the_query_and_harms_nobody(
    lone: Database, tenant: Tenant, admin_url: str
) -> None:
    async def slow() -> None:
        async with lone.reading(tenant.tenant_id) as connection:
            await connection.exec_driver_sql("select pg_sleep(30)")

    task = asyncio.create_task(slow())
    await asyncio.sleep(0.2)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    assert await asyncio.wait_for(see(lone, tenant.tenant_id), 5) == {tenant.chatbot_id}
    await asyncio.sleep(0.3)
    async with await psycopg.AsyncConnection.connect(admin_url) as admin:
        cursor = await admin.execute(
            "select count(*) from pg_stat_activity where query like '%pg_sleep(30)%' and pid <> pg_backend_pid() and state = 'active'"
        )
        assert await cursor.fetchone() == (0,)


async def test_a_connection_that_the_server_cut_is_an_outage_now_and_replaced_then(
    lone: Database, tenant: Tenant, admin_url: str
) -> None:
    async def cut() -> None:
        async with await psycopg.AsyncConnection.connect(admin_url, autocommit=True) as admin:
            await admin.execute(
                "select pg_terminate_backend(pid) from pg_stat_activity "
                "where usename = 'dragoman_app' and datname = current_database()"
            )

    with pytest.raises((DatabaseUnavailableError, DBAPIError)):
        async with lone.reading(tenant.tenant_id) as connection:
            await connection.exec_driver_sql("select 1")
            await cut()
            await asyncio.sleep(0.05)
            await connection.exec_driver_sql("select 1")
    assert await see(lone, tenant.tenant_id) == {tenant.chatbot_id}
    await cut()  # while it is idle
    await asyncio.sleep(0.05)
    assert await see(lone, tenant.tenant_id) == {tenant.chatbot_id}


async def test_no_server_is_an_outage(tenant: Tenant) -> None:
    nowhere = Database(DatabaseUrls.derive("postgresql://x@127.0.0.1:1/x"), pool_size=1)
    for _ in range(2):
        with pytest.raises(DatabaseUnavailableError):
            await see(nowhere, tenant.tenant_id)
    await nowhere.close()


async def test_when_no_connection_becomes_free_in_time_it_is_an_outage(
    lone: Database, tenant: Tenant, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(reading, "_POOL_TIMEOUT_S", 0.1)
    async with lone.reading(tenant.tenant_id) as connection:
        await connection.exec_driver_sql("select 1")  # it takes a connection with its first statement
        with pytest.raises(DatabaseUnavailableError):
            await see(lone, tenant.tenant_id)
    assert await see(lone, tenant.tenant_id) == {tenant.chatbot_id}


async def test_when_no_connection_for_writing_becomes_free_in_time_that_is_said(
    lone: Database, tenant: Tenant, monkeypatch: pytest.MonkeyPatch
) -> None:
    pool = lone._app.sync_engine.pool
    monkeypatch.setattr(pool, "_timeout", 0.05)
    monkeypatch.setattr(pool, "_max_overflow", 0)
    async with lone.transaction(tenant.tenant_id):
        with pytest.raises(DatabaseBusyError):
            async with lone.transaction(tenant.tenant_id):
                pass
    async with lone.transaction(tenant.tenant_id) as connection:
        assert (await connection.execute(text("select 1"))).scalar_one() == 1


async def test_a_connection_keeps_a_bounded_number_of_statements(
    lone: Database, tenant: Tenant, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(reading, "_MOST_PREPARED", 8)
    for _ in range(2):
        for number in range(30):
            async with lone.reading(tenant.tenant_id) as connection:
                assert (await connection.exec_driver_sql(f"select {number}")).scalar_one() == number
    async with lone.reading(tenant.tenant_id) as connection:
        held = (await connection.exec_driver_sql("select count(*) from pg_prepared_statements")).scalar_one()
    assert held <= 8


def test_rows_say_when_there_are_none_or_too_many() -> None:
    assert Rows([]).one_or_none() is None
    assert Rows([]).scalar_one_or_none() is None
    with pytest.raises(NoResultFound):
        Rows([]).one()
    with pytest.raises(MultipleResultsFound):
        Rows([(1,), (2,)]).one()


# ---- statements that travel with another


async def test_a_statement_travels_along_with_the_next_one(lone: Database, tenant: Tenant) -> None:
    ids = {"tenant_id": tenant.tenant_id, "chatbot_id": tenant.chatbot_id}
    async with lone.reading(tenant.tenant_id) as connection:
        along = connection.send_along(FIND, ids)
        assert along.rows is None
        [number] = (await connection.exec_driver_sql("select 7")).scalars()
        assert (number, [row.id for row in along.rows or ()]) == (7, [tenant.chatbot_id])
        assert (await connection.exec_driver_sql("select 8")).scalars() == [8]


async def test_what_waits_for_a_next_statement_can_be_sent_alone(lone: Database, tenant: Tenant) -> None:
    ids = {"tenant_id": tenant.tenant_id, "chatbot_id": tenant.chatbot_id}
    async with lone.reading(tenant.tenant_id) as connection:
        along = connection.send_along(FIND, ids)
        await connection.send_waiting()
        assert [row.id for row in along.rows or ()] == [tenant.chatbot_id]
        await connection.send_waiting()  # nothing waits


async def test_a_statement_that_nothing_follows_is_not_sent_in_the_next_transaction(
    lone: Database, tenant: Tenant
) -> None:
    async with lone.reading(tenant.tenant_id) as connection:
        along = connection.send_along(text("select 1 / 0"), {})
    async with lone.reading(tenant.tenant_id) as connection:
        assert (await connection.exec_driver_sql("select 7")).scalars() == [7]
    assert along.rows is None


async def test_an_error_of_the_statement_beside_is_an_error_of_both(lone: Database, tenant: Tenant) -> None:
    async with lone.reading(tenant.tenant_id) as connection:
        along = connection.send_along(text("select 1 / 0"), {})
        with pytest.raises(DBAPIError, match="division by zero"):
            await connection.exec_driver_sql("select 7")
    assert along.rows is None
    assert await see(lone, tenant.tenant_id) == {tenant.chatbot_id}


async def test_what_was_announced_is_there_without_a_round_trip_of_its_own(
    lone: Database, tenant: Tenant, monkeypatch: pytest.MonkeyPatch
) -> None:
    trips: list[int] = []
    run = reading.ReadConnection._run

    async def counted(self: reading.ReadConnection, statements: Any, **how: Any) -> Any:
        trips.append(len(statements))
        return await run(self, statements, **how)

    monkeypatch.setattr(reading.ReadConnection, "_run", counted)
    async with lone.reading(tenant.tenant_id) as connection:
        connection.prefetch("select %(number)s::int", {"number": 7})
        assert (await connection.exec_driver_sql("select 8")).scalars() == [8]
        assert (await connection.exec_driver_sql("select %(number)s::int", {"number": 7})).scalars() == [7]
        assert (await connection.exec_driver_sql("select %(number)s::int", {"number": 9})).scalars() == [9]
        assert trips == [2, 1]
    async with lone.reading(tenant.tenant_id) as connection:
        assert (await connection.exec_driver_sql("select %(number)s::int", {"number": 7})).scalars() == [7]
        assert trips == [2, 1, 1]  # another transaction, which may see another state


# ---- whole transactions of several requests, in one round trip


async def ask_alone(database: Database, tenant_id: UUID | str, statement: str = "select id from chatbots") -> Any:
    """What a transaction finds that has no other statement."""
    async with database.reading(tenant_id) as connection:  # type: ignore[arg-type]  # one that PostgreSQL refuses
        along = connection.send_along(text(statement), {})
        await connection.send_waiting()
        return None if along.rows is None else along.rows.scalars()


@pytest.fixture
def trips(monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """How many transactions went together, for each round trip of such."""
    counts: list[int] = []
    transact_together = reading._Wire.transact_together

    async def counted(self: Any, wholes: Any) -> Any:
        counts.append(len(wholes))
        return await transact_together(self, wholes)

    monkeypatch.setattr(reading._Wire, "transact_together", counted)
    return counts


async def test_transactions_of_many_tenants_travel_together_and_each_sees_its_own(
    lone: Database, make_tenant: MakeTenant, trips: list[int]
) -> None:
    tenants = [await make_tenant() for _ in range(6)]
    assert await ask_alone(lone, tenants[0].tenant_id) == [tenants[0].chatbot_id]
    found = await asyncio.gather(*(ask_alone(lone, each.tenant_id) for each in tenants * 3))
    assert found == [[each.chatbot_id] for each in tenants * 3]
    assert trips == [1, 18]
    assert await ask_alone(lone, uuid4()) == []  # and the next on that connection none of theirs
    assert lone._reads._made == 0  # none of the connections for longer transactions was needed


async def test_the_error_of_one_is_its_own_and_the_others_have_their_rows(
    lone: Database, make_tenant: MakeTenant, trips: list[int]
) -> None:
    tenants = [await make_tenant() for _ in range(4)]
    failing = ask_alone(lone, tenants[0].tenant_id, "select 1 / 0")
    found = await asyncio.gather(
        *(ask_alone(lone, each.tenant_id) for each in tenants), failing, return_exceptions=True
    )
    assert found[:4] == [[each.chatbot_id] for each in tenants]
    assert isinstance(found[4], DBAPIError)
    assert "division by zero" in str(found[4])
    assert trips == [5]  # all of them once more, alone
    assert await ask_alone(lone, tenants[1].tenant_id) == [tenants[1].chatbot_id]
    assert trips == [5, 1]  # on a new connection


async def test_a_value_that_cannot_be_sent_harms_only_its_transaction(lone: Database, tenant: Tenant) -> None:
    async def ask_for_nul() -> Any:
        async with lone.reading(tenant.tenant_id) as connection:
            connection.send_along(text("select cast(:name as text)"), {"name": "a\0b"})
            await connection.send_waiting()

    found = await asyncio.gather(ask_for_nul(), ask_alone(lone, tenant.tenant_id), return_exceptions=True)
    assert isinstance(found[0], DataError)
    assert found[1] == [tenant.chatbot_id]


async def test_a_lost_connection_is_made_anew_without_an_error(
    lone: Database, tenant: Tenant, admin_url: str, trips: list[int]
) -> None:
    assert await ask_alone(lone, tenant.tenant_id) == [tenant.chatbot_id]
    async with await psycopg.AsyncConnection.connect(admin_url, autocommit=True) as admin:
        await admin.execute(
            "select pg_terminate_backend(pid) from pg_stat_activity where usename = 'dragoman_app' "
            "and datname = current_database()"
        )
    assert await ask_alone(lone, tenant.tenant_id) == [tenant.chatbot_id]
    assert await ask_alone(lone, tenant.tenant_id) == [tenant.chatbot_id]


async def test_one_who_leaves_takes_nothing_from_those_who_travel_along(
    lone: Database, make_tenant: MakeTenant
) -> None:
    tenants = [await make_tenant() for _ in range(3)]
    asking = [asyncio.create_task(ask_alone(lone, each.tenant_id)) for each in tenants]
    await asyncio.sleep(0)
    asking[0].cancel()
    assert await asyncio.gather(*asking[1:]) == [[each.chatbot_id] for each in tenants[1:]]


# ---- transactions that write, in one round trip

RENAME = "update chatbots set name = %(name)s where id = %(id)s"
NAME = "select name from chatbots where id = %(id)s"


async def _name_of(database: Database, tenant: Tenant) -> str:
    async with database.reading(tenant.tenant_id) as connection:
        name: str = (await connection.exec_driver_sql(NAME, {"id": tenant.chatbot_id})).scalar_one()
        return name


async def test_what_was_written_is_committed_when_its_rows_are_here(
    lone: Database, database: Database, tenant: Tenant
) -> None:
    await see(lone, tenant.tenant_id)  # a reading transaction lingers on the connection
    for name in ("one", "two"):
        values = {"id": tenant.chatbot_id, "name": name}
        changed, seen = await lone.write(tenant.tenant_id, (f"{RENAME} returning name", values), (NAME, values))
        assert (changed.scalar_one(), seen.scalar_one()) == (name, name)
        assert await _name_of(database, tenant) == name, "another connection sees it"
    async with lone.reading(tenant.tenant_id) as connection:
        with pytest.raises(DBAPIError, match="read-only"):
            await connection.exec_driver_sql(RENAME, {"id": tenant.chatbot_id, "name": "three"})


async def test_all_is_written_or_nothing(lone: Database, tenant: Tenant) -> None:
    before = await _name_of(lone, tenant)
    values = {"id": tenant.chatbot_id, "name": "half"}
    again = (
        "insert into chatbots (tenant_id, id, name) values (%(tenant_id)s, %(id)s, 'twin')",
        {"tenant_id": tenant.tenant_id, "id": tenant.chatbot_id},
    )
    with pytest.raises(IntegrityError):
        await lone.write(tenant.tenant_id, (RENAME, values), again)
    assert await _name_of(lone, tenant) == before


async def test_a_tenant_writes_its_own_rows_only(lone: Database, make_tenant: MakeTenant) -> None:
    mine, other = await make_tenant(), await make_tenant()
    [changed] = await lone.write(
        mine.tenant_id, (f"{RENAME} returning id", {"id": other.chatbot_id, "name": "not mine"})
    )
    assert changed == []
    assert await _name_of(lone, other) != "not mine"


async def test_writing_without_a_server_is_an_outage(lone: Database, tenant: Tenant, admin_url: str) -> None:
    nowhere = Database(DatabaseUrls.derive("postgresql://x@127.0.0.1:1/x"), pool_size=1)
    values = {"id": tenant.chatbot_id, "name": "x"}
    with pytest.raises(DatabaseUnavailableError):
        await nowhere.write(tenant.tenant_id, (RENAME, values))
    await nowhere.close()

    writing = asyncio.create_task(lone.write(tenant.tenant_id, (RENAME, values), ("select pg_sleep(20)", {})))
    find = "select pid from pg_stat_activity where query like '%pg_sleep%' and pid <> pg_backend_pid()"
    async with await psycopg.AsyncConnection.connect(admin_url, autocommit=True) as admin:
        while not (found := await (await admin.execute(find)).fetchall()):
            await asyncio.sleep(0.02)
        await admin.execute("select pg_terminate_backend(%s)", found[0])
    with pytest.raises(DatabaseUnavailableError):
        await writing
    assert await _name_of(lone, tenant) != "x"
