"""Brings a database to the present schema: roles, extension, migrations, the embedding version that is set.

The administrator's connection is used here and nowhere else. It must be allowed to create roles and the `vector`
extension (a superuser, or the extension and the three roles were made beforehand).
"""

from __future__ import annotations

from alembic import command
from alembic.autogenerate import compare_metadata
from alembic.config import Config
from alembic.migration import MigrationContext
from alembic.script import ScriptDirectory
from sqlalchemy import Connection, Engine, create_engine, text
from sqlalchemy.exc import OperationalError
from sqlalchemy.pool import NullPool

from dragoman.entrypoints.resources import resource_path
from dragoman.entrypoints.tables import metadata
from dragoman.kit.database import (
    APP_ROLE,
    OWNER_ROLE,
    SYSTEM_ROLE,
    DatabaseUnavailableError,
    driver_url,
    role_password,
)

_UPGRADE_LOCK = 7_203_944_001  # any fixed number: two processes that upgrade at once take turns


def upgrade(admin_url: str) -> bool:
    """Create roles and extension where missing and run the migrations; True when something was migrated.

    Raises:
        DatabaseUnavailableError: the database cannot be reached.
    """
    with _connect(admin_url) as connection:
        connection.execute(text(f"select pg_advisory_lock({_UPGRADE_LOCK})"))
        _create_roles(connection, admin_url)  # always: their passwords follow the administrator's
        if current_revision(connection) == head_revision():
            return False
        connection.execute(text("create extension if not exists vector"))
        connection.execute(text(f"grant create, usage on schema public to {OWNER_ROLE}"))
        connection.execute(text(f"grant usage on schema public to {APP_ROLE}, {SYSTEM_ROLE}"))
        connection.execute(text(f"set role {OWNER_ROLE}"))
        connection.commit()
        config = _alembic_config()
        config.attributes["connection"] = connection
        command.upgrade(config, "head")
        connection.commit()
    return True


def pending_differences(admin_url: str) -> list[object]:
    """What the migrated database lacks or has beyond the tables in the code; empty when they agree."""
    with _connect(admin_url) as connection:
        options = {"compare_type": True, "include_name": _is_ours}
        return list(compare_metadata(MigrationContext.configure(connection, opts=options), metadata))


def current_revision(connection: Connection) -> str | None:
    exists = connection.execute(text("select to_regclass('public.alembic_version') is not null")).scalar_one()
    return connection.execute(text("select version_num from alembic_version")).scalar() if exists else None


def head_revision() -> str | None:
    return ScriptDirectory.from_config(_alembic_config()).get_current_head()


def revision_of(admin_url: str) -> str | None:
    """The revision of the database behind this URL, None when it was never migrated."""
    with _connect(admin_url) as connection:
        return current_revision(connection)


def _is_ours(name: str | None, kind: str, _parents: object) -> bool:
    """Partitions are made at run time, one per embedding version, and are not in the models."""
    return not (kind == "table" and name is not None and "_embeddings_v" in name)


def _connect(admin_url: str) -> Connection:
    engine: Engine = create_engine(driver_url(admin_url), poolclass=NullPool, connect_args={"connect_timeout": 10})
    try:
        return engine.connect()
    except OperationalError as error:
        raise DatabaseUnavailableError from error


def _create_roles(connection: Connection, admin_url: str) -> None:
    for role in (OWNER_ROLE, APP_ROLE, SYSTEM_ROLE):
        exists = connection.execute(text("select 1 from pg_roles where rolname = :role"), {"role": role}).scalar()
        if not exists:
            connection.execute(text(f"create role {role} nosuperuser nobypassrls nocreatedb nocreaterole"))
    for role in (APP_ROLE, SYSTEM_ROLE):
        connection.execute(text(f"alter role {role} login password '{role_password(admin_url, role)}'"))
    connection.execute(text(f"grant {OWNER_ROLE} to current_user"))
    connection.commit()


def _alembic_config() -> Config:
    config = Config()
    config.set_main_option("script_location", str(resource_path("migrations")))
    return config
