"""The one door to PostgreSQL.

Tenant data is reached only through `Database.transaction(tenant_id)`: it connects as the `app` role and sets
`dragoman.tenant_id` for the length of the transaction, on which every row-level security policy depends.
What must be read before the tenant is known (keys, jobs, outbox, embedding versions) goes through
`Database.system_transaction()` as the `system` role, which has explicit policies on those tables only.
"""

from __future__ import annotations

import hashlib
import hmac
import select
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Any
from uuid import UUID

from prometheus_client import Counter, Gauge
from psycopg import adapters
from psycopg.adapt import Dumper
from psycopg.pq import Format
from psycopg.types.json import set_json_loads
from pydantic_core import from_json, to_json
from sqlalchemy import Engine, MetaData, Table, event, text
from sqlalchemy.dialects.postgresql.psycopg import AsyncAdapt_psycopg_connection
from sqlalchemy.engine import URL, make_url
from sqlalchemy.exc import DBAPIError, InvalidatePoolError, OperationalError
from sqlalchemy.exc import TimeoutError as PoolTimeoutError
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine, create_async_engine
from sqlalchemy.pool import NullPool

from dragoman.kit.errors import InvalidSettingError, UnavailableError
from dragoman.kit.reading import LostConnectionError, ReadConnection, ReadPool, Rows
from dragoman.kit.sql_spans import trace_engine

CONNECTIONS = Gauge(
    "dragoman_database_connections_in_use",
    "Connections to PostgreSQL that are in use, by pool.",
    ["pool"],
    multiprocess_mode="livesum",
)
CONNECTIONS_LIMIT = Gauge(
    "dragoman_database_connections_limit",
    "Connections to PostgreSQL that may be in use at once, by pool.",
    ["pool"],
    multiprocess_mode="livesum",
)
CONNECTIONS_REFUSED = Counter(
    "dragoman_database_connections_refused_total",
    "Transactions that got no connection: PostgreSQL is away, or all are in use.",
    ["reason"],
)

metadata = MetaData(
    naming_convention={
        "ix": "ix_%(table_name)s_%(column_0_N_name)s",
        "uq": "uq_%(table_name)s_%(column_0_N_name)s",
        "ck": "ck_%(table_name)s_%(constraint_name)s",
        "fk": "fk_%(table_name)s_%(column_0_N_name)s",
        "pk": "pk_%(table_name)s",
    }
)

APP_ROLE = "dragoman_app"
SYSTEM_ROLE = "dragoman_system"
OWNER_ROLE = "dragoman_owner"

_SET_TENANT = text("select set_config('dragoman.tenant_id', :tenant_id, true)")


class DatabaseUnavailableError(UnavailableError):
    """PostgreSQL does not answer. Check that it runs and that DRAGOMAN_DATABASE_URL points to it; then try again."""

    code = "database.unavailable"
    is_outage = True


class DatabaseBusyError(DatabaseUnavailableError):
    """All connections of this process to PostgreSQL are in use. Try again in a moment; DRAGOMAN_DATABASE_POOL_SIZE sets how many there are."""

    code = "database.busy"


class NoAdministratorError(InvalidSettingError):
    """The schema cannot be changed: this process knows the application's roles only. Run the command where DRAGOMAN_DATABASE_URL names the administrator's connection."""

    code = "database.no_administrator"


@dataclass(frozen=True, slots=True, kw_only=True)
class DatabaseUrls:
    """Connection strings of the three roles (`postgresql://…`), derived from the administrator's by `derive`."""

    admin: str
    app: str
    system: str

    @classmethod
    def derive(cls, admin: str, *, app: str | None = None, system: str | None = None) -> DatabaseUrls:
        """Fill in the `app` and `system` URLs from the administrator's.

        Their passwords are HMAC-SHA256(administrator's password, role name), so that one secret is enough to
        set up an instance, and a process that is given only the `app` and `system` URLs cannot go up to owner.
        """
        return cls(admin=admin, app=app or _role_url(admin, APP_ROLE), system=system or _role_url(admin, SYSTEM_ROLE))


def role_password(admin_url: str, role: str) -> str:
    """The password of `role`, derived from the password in the administrator's URL (may be empty: trust)."""
    secret = str(make_url(admin_url).password or "dragoman")
    return hmac.new(secret.encode(), role.encode(), hashlib.sha256).hexdigest()


def _role_url(admin_url: str, role: str) -> str:
    url = make_url(admin_url).set(username=role, password=role_password(admin_url, role))
    return url.render_as_string(hide_password=False)


def driver_url(url: str) -> URL:
    """The same database, through psycopg 3."""
    return make_url(url).set(drivername="postgresql+psycopg")


class Database:
    """Connection pools of the `app` and `system` roles, and the two kinds of transaction."""

    def __init__(self, urls: DatabaseUrls, *, pool_size: int = 8, statement_timeout_s: float = 60.0) -> None:
        self.urls = urls
        options = f"-c statement_timeout={int(statement_timeout_s * 1000)} -c search_path=public -c jit=off"
        self._app = _create_engine("app", urls.app, pool_size=pool_size, options=options)
        self._system = _create_engine("system", urls.system, pool_size=max(2, pool_size // 4), options=options)
        self._reads = ReadPool(urls.app, size=pool_size, in_use=_counting("reads", pool_size), **_connect_args(options))
        self._system_reads = ReadPool(
            urls.system, size=1, in_use=_counting("system_reads", 1), **_connect_args(options)
        )

    @asynccontextmanager
    async def transaction(self, tenant_id: UUID) -> AsyncIterator[AsyncConnection]:
        """A transaction as `app` that sees and writes the rows of this tenant only; commits when the block ends.

        Raises:
            DatabaseUnavailableError: no connection can be had.
        """
        async with _begin(self._app) as connection:
            await connection.execute(_SET_TENANT, {"tenant_id": str(tenant_id)})
            yield connection

    @asynccontextmanager
    async def reading(self, tenant_id: UUID) -> AsyncIterator[ReadConnection]:
        """The same for statements that only read, and see one state of the database: a twelfth of the cost.

        Raises:
            DatabaseUnavailableError: no connection can be had, or it is lost.
        """
        try:
            async with self._reads.transaction(tenant_id) as connection:
                yield connection
        except LostConnectionError as error:
            raise DatabaseUnavailableError from error

    async def write(self, tenant_id: UUID, *statements: tuple[str, Mapping[str, Any]]) -> list[Rows]:
        """One transaction as `app` in one round trip: SQL with parameters `%(name)s`, none needing the rows of another.

        Raises:
            DatabaseUnavailableError: no connection can be had, or it was lost; then it may have been written all the same.
            sqlalchemy.exc.DBAPIError and its kinds: a statement was refused, and nothing is written.
        """
        try:
            async with self._reads.transaction(tenant_id) as connection:
                return await connection.write_all(statements)
        except LostConnectionError as error:
            raise DatabaseUnavailableError from error
        except OperationalError as error:
            if _has_gone(error):
                raise DatabaseUnavailableError from error
            raise

    @asynccontextmanager
    async def system_transaction(self) -> AsyncIterator[AsyncConnection]:
        """A transaction as `system`, which reaches keys, jobs, outbox and embedding versions of all tenants."""
        async with _begin(self._system) as connection:
            yield connection

    @asynccontextmanager
    async def system_reading(self) -> AsyncIterator[ReadConnection]:
        """The same for statements that only read.

        Raises:
            DatabaseUnavailableError: no connection can be had, or it is lost.
        """
        try:
            async with self._system_reads.transaction(None) as connection:
                yield connection
        except LostConnectionError as error:
            raise DatabaseUnavailableError from error

    async def size_bytes(self) -> int:
        """What the database takes on the disk of PostgreSQL. Raises DatabaseUnavailableError."""
        async with self.system_transaction() as connection:
            size = await connection.execute(text("select pg_database_size(current_database())"))
            return int(size.scalar_one())

    @property
    def app_engine(self) -> Engine:
        """What connections of `transaction` belong to (`connection.sync_engine`)."""
        return self._app.sync_engine

    @property
    def can_change_schema(self) -> bool:
        """Whether the administrator's connection is known here."""
        return bool(self.urls.admin)

    @asynccontextmanager
    async def as_owner(self) -> AsyncIterator[AsyncConnection]:
        """A connection of its own as the owner of the schema, outside any transaction, without a limit of time.

        For what PostgreSQL does in no transaction: indexes built beside running writes. The server looks every few
        seconds whether the caller still lives, and ends the work of one that is gone.

        Raises:
            NoAdministratorError: the administrator's connection is not known here.
            DatabaseUnavailableError: no connection can be had.
        """
        if not self.can_change_schema:
            raise NoAdministratorError
        engine = create_async_engine(
            driver_url(self.urls.admin),
            poolclass=NullPool,
            isolation_level="AUTOCOMMIT",
            hide_parameters=True,
            connect_args=_connect_args(
                f"-c role={OWNER_ROLE} -c search_path=public -c client_connection_check_interval=5s"
            ),
        )
        try:
            async with _begin(engine) as connection:
                yield connection
        finally:
            await engine.dispose()

    async def close(self) -> None:
        await self._reads.close()
        await self._system_reads.close()
        await self._app.dispose()
        await self._system.dispose()


def _counting(pool: str, limit: int) -> Gauge:
    CONNECTIONS_LIMIT.labels(pool).set(limit)
    return CONNECTIONS.labels(pool)


def _create_engine(name: str, url: str, *, pool_size: int, options: str) -> AsyncEngine:
    engine = create_async_engine(
        driver_url(url),
        pool_size=pool_size,
        max_overflow=pool_size,
        pool_timeout=10,
        hide_parameters=True,  # texts of users must not stand in messages of errors, which are logged
        connect_args=_connect_args(options),
    )
    event.listen(engine.sync_engine, "checkout", _require_open)
    trace_engine(engine.sync_engine)
    in_use = _counting(name, 2 * pool_size)
    event.listen(engine.sync_engine, "checkout", lambda *_: in_use.inc())
    event.listen(engine.sync_engine, "checkin", lambda *_: in_use.dec())
    return engine


def _connect_args(options: str) -> dict[str, Any]:
    return {
        "options": options,
        "connect_timeout": 5,
        "application_name": "dragoman",
        "keepalives_idle": 30,  # seconds: so that the kernel notices when a server has gone without a word
        "keepalives_interval": 10,
        "keepalives_count": 3,
    }


def _require_open(connection: AsyncAdapt_psycopg_connection, _record: object, _proxy: object) -> None:
    """Let the pool replace an idle connection that the server, or the kernel, has closed.

    Whatever there is to read on an idle connection is its end. To look costs no round trip; to ask the server, as
    `pool_pre_ping` does, costs one for each transaction. In the moment in which a server stops, a transaction may still
    begin and fail, as those that are under way do.
    """
    waiting = select.poll()
    if not connection.closed:
        waiting.register(connection.driver_connection.pgconn.socket, select.POLLIN)
    if connection.closed or waiting.poll(0):
        raise InvalidatePoolError


@asynccontextmanager
async def _begin(engine: AsyncEngine) -> AsyncIterator[AsyncConnection]:
    try:
        connection = await engine.connect()
    except PoolTimeoutError as error:
        CONNECTIONS_REFUSED.labels("busy").inc()
        raise DatabaseBusyError from error
    except (OperationalError, TimeoutError) as error:
        CONNECTIONS_REFUSED.labels("unavailable").inc()
        raise DatabaseUnavailableError from error
    try:
        async with connection.begin():
            yield connection
    except DBAPIError as error:
        if error.connection_invalidated:  # the server stopped, or cut the connection, in the middle of the work
            raise DatabaseUnavailableError from error
        raise
    finally:
        await connection.close()


def _has_gone(error: OperationalError) -> bool:
    """The server is shutting down, or the connection broke (classes 57P and 08 of SQLSTATE)."""
    return (getattr(error.orig, "sqlstate", None) or "08").startswith(("57P", "08"))


# ---- values in PostgreSQL's own binary form


class BinaryValue(bytes):
    """A parameter that is written already as PostgreSQL receives its type; the statement says which: `%(name)s::halfvec`.

    For types whose text is slow to write and to read, such as vectors.
    """


class _BinaryValueDumper(Dumper):
    """Leaves the type open, so that its number need not be asked for on each connection."""

    format = Format.BINARY

    def dump(self, obj: BinaryValue) -> bytes:
        return bytes(obj)


# Before any engine is made: each copies what is registered.
adapters.register_dumper(BinaryValue, _BinaryValueDumper)
set_json_loads(from_json)  # half the time of `json.loads`


# ---- many rows in one statement

# Rows travel as one JSON parameter: 1,000 chunks take 0.036 s so, 0.056 s by `executemany`. COPY is no alternative:
# PostgreSQL refuses it under row-level security.


async def insert_rows(connection: AsyncConnection, table: Table, rows: Sequence[Mapping[str, Any]]) -> None:
    """Insert many rows by one statement. Each has the same columns; those that are not named get their defaults."""
    if rows:
        await connection.exec_driver_sql(*inserting_rows(table, rows))


def inserting_rows(table: Table, rows: Sequence[Mapping[str, Any]]) -> tuple[str, Mapping[str, Any]]:
    """The same as a statement with its parameters; at least one row."""
    names = ", ".join(f'"{name}"' for name in rows[0])
    statement = f'insert into "{table.name}" ({names}) select {names} from {recordset(table)}'  # noqa: S608 - own names
    return statement, {"rows": rows_as_json(rows)}


def recordset(table: Table) -> str:
    """The rows of the parameter `rows`, as `rows_as_json` writes them; columns that are not named are null."""
    return f'json_populate_recordset(null::"{table.name}", %(rows)s::json)'


def rows_as_json(rows: Sequence[Mapping[str, Any]]) -> str:
    """Values that JSON does not know are written as PostgreSQL reads them."""
    if any(value.__class__ is bytes for row in rows for value in row.values()):
        rows = [
            {name: f"\\x{value.hex()}" if isinstance(value, bytes) else value for name, value in row.items()}
            for row in rows
        ]
    return to_json(rows).decode()  # a third of the time of `json.dumps`
