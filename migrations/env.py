"""Runs the migrations over the connection that `dragoman.entrypoints.schema` hands over."""

from __future__ import annotations

from alembic import context

from dragoman.entrypoints.tables import metadata

connection = context.config.attributes["connection"]
context.configure(connection=connection, target_metadata=metadata, transaction_per_migration=True)
with context.begin_transaction():
    context.run_migrations()
