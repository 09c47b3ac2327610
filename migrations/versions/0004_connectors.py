"""Connectors: where documents are synced from, what is known of each item, and a report of each sync.

Revision: 0004.
"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

revision = "0004"
down_revision = "0003"
branch_labels = None
depends_on = None

_CURRENT_TENANT = "nullif(current_setting('dragoman.tenant_id', true), '')::uuid"
_EMPTY_OBJECT = sa.text("'{}'::jsonb")
_NOW = sa.text("now()")


def _isolate(table: str) -> None:
    """Forced row-level security, as migration 0001 sets it up."""
    op.execute(f"alter table {table} enable row level security")
    op.execute(f"alter table {table} force row level security")
    op.execute(
        f"create policy tenant_isolation on {table} to dragoman_app "
        f"using (tenant_id = {_CURRENT_TENANT}) with check (tenant_id = {_CURRENT_TENANT})"
    )
    op.execute(f"grant select, insert, update, delete on {table} to dragoman_app")


def upgrade() -> None:
    _create_connectors()
    _create_items()
    _create_syncs()
    _create_entries()
    for table in ("connectors", "connector_items", "connector_syncs", "connector_sync_entries"):
        _isolate(table)
    # The scheduler asks, before it knows a tenant, which connectors are due and which folders are watched; no more.
    op.execute("create policy system_reads on connectors for select to dragoman_system using (true)")
    op.execute(
        "grant select (tenant_id, id, next_sync_at, is_paused, watched_folder, deleted_at) on connectors "
        "to dragoman_system"
    )


def _create_connectors() -> None:
    op.create_table(
        "connectors",
        sa.Column("tenant_id", sa.Uuid(), nullable=False),
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("chatbot_id", sa.Uuid(), nullable=False),
        sa.Column("name", sa.Text(), nullable=False),
        sa.Column("kind", sa.Text(), nullable=False),
        sa.Column("settings", postgresql.JSONB(), server_default=_EMPTY_OBJECT, nullable=False),
        sa.Column("sealed_secrets", sa.Text()),
        sa.Column("visibility", sa.Text(), server_default="shared", nullable=False),
        sa.Column("content_type", sa.Text(), server_default="document", nullable=False),
        sa.Column("category", sa.Text(), server_default="", nullable=False),
        sa.Column("tags", postgresql.ARRAY(sa.Text()), server_default=sa.text("'{}'::text[]"), nullable=False),
        sa.Column("interval_s", sa.Integer()),
        sa.Column("on_vanished", sa.Text(), server_default="delete", nullable=False),
        sa.Column("is_paused", sa.Boolean(), server_default=sa.text("false"), nullable=False),
        sa.Column("watched_folder", sa.Text()),
        sa.Column("created_by", sa.Text(), nullable=False),
        sa.Column("role", sa.Text(), nullable=False),
        sa.Column("next_sync_at", sa.DateTime(timezone=True)),
        sa.Column("created_at", sa.DateTime(timezone=True), server_default=_NOW, nullable=False),
        sa.Column("updated_at", sa.DateTime(timezone=True), server_default=_NOW, nullable=False),
        sa.Column("deleted_at", sa.DateTime(timezone=True)),
        sa.PrimaryKeyConstraint("tenant_id", "id", name="pk_connectors"),
        sa.ForeignKeyConstraint(
            ["tenant_id", "chatbot_id"],
            ["chatbots.tenant_id", "chatbots.id"],
            name="fk_connectors_tenant_id_chatbot_id",
            ondelete="CASCADE",
        ),
    )
    op.create_index("ix_connectors_chatbot", "connectors", ["tenant_id", "chatbot_id", "id"])
    op.create_index(
        "ix_connectors_due",
        "connectors",
        ["next_sync_at"],
        postgresql_where=sa.text("not is_paused and deleted_at is null"),
    )


def _of_connector(table: str) -> sa.ForeignKeyConstraint:
    return sa.ForeignKeyConstraint(
        ["tenant_id", "connector_id"],
        ["connectors.tenant_id", "connectors.id"],
        name=f"fk_{table}_tenant_id_connector_id",
        ondelete="CASCADE",
    )


def _create_items() -> None:
    op.create_table(
        "connector_items",
        sa.Column("tenant_id", sa.Uuid(), nullable=False),
        sa.Column("connector_id", sa.Uuid(), nullable=False),
        sa.Column("key", sa.Text(), nullable=False),
        sa.Column("name", sa.Text(), nullable=False),
        sa.Column("url", sa.Text()),
        sa.Column("state", sa.Text(), nullable=False),
        sa.Column("version", sa.Text()),
        sa.Column("memo", postgresql.JSONB(), server_default=_EMPTY_OBJECT, nullable=False),
        sa.Column("document_id", sa.Uuid()),
        sa.Column("size_bytes", sa.BigInteger()),
        sa.Column("reason_code", sa.Text()),
        sa.Column("reason", sa.Text()),
        sa.Column("last_sync_id", sa.Uuid(), nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), server_default=_NOW, nullable=False),
        sa.Column("updated_at", sa.DateTime(timezone=True), server_default=_NOW, nullable=False),
        sa.PrimaryKeyConstraint("tenant_id", "connector_id", "key", name="pk_connector_items"),
        _of_connector("connector_items"),
    )


def _create_syncs() -> None:
    counts = ("new", "changed", "unchanged", "vanished", "kept", "failed", "skipped")
    op.create_table(
        "connector_syncs",
        sa.Column("tenant_id", sa.Uuid(), nullable=False),
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("connector_id", sa.Uuid(), nullable=False),
        sa.Column("state", sa.Text(), nullable=False),
        sa.Column("trigger", sa.Text(), nullable=False),
        sa.Column("allow_mass_deletion", sa.Boolean(), server_default=sa.text("false"), nullable=False),
        sa.Column("job_id", sa.Uuid()),
        *(sa.Column(f"{name}_items", sa.Integer(), server_default=sa.text("0"), nullable=False) for name in counts),
        sa.Column("notes", postgresql.JSONB(), server_default=sa.text("'[]'::jsonb"), nullable=False),
        sa.Column("error_code", sa.Text()),
        sa.Column("error_message", sa.Text()),
        sa.Column("created_at", sa.DateTime(timezone=True), server_default=_NOW, nullable=False),
        sa.Column("started_at", sa.DateTime(timezone=True)),
        sa.Column("finished_at", sa.DateTime(timezone=True)),
        sa.PrimaryKeyConstraint("tenant_id", "id", name="pk_connector_syncs"),
        _of_connector("connector_syncs"),
    )
    op.create_index("ix_connector_syncs_connector", "connector_syncs", ["tenant_id", "connector_id", "id"])
    op.create_index(
        "uq_connector_syncs_active",
        "connector_syncs",
        ["tenant_id", "connector_id"],
        unique=True,
        postgresql_where=sa.text("state in ('queued', 'running')"),
    )


def _create_entries() -> None:
    op.create_table(
        "connector_sync_entries",
        sa.Column("tenant_id", sa.Uuid(), nullable=False),
        sa.Column("sync_id", sa.Uuid(), nullable=False),
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("key", sa.Text(), nullable=False),
        sa.Column("outcome", sa.Text(), nullable=False),
        sa.Column("reason_code", sa.Text()),
        sa.Column("reason", sa.Text()),
        sa.Column("document_id", sa.Uuid()),
        sa.PrimaryKeyConstraint("tenant_id", "sync_id", "id", name="pk_connector_sync_entries"),
        sa.ForeignKeyConstraint(
            ["tenant_id", "sync_id"],
            ["connector_syncs.tenant_id", "connector_syncs.id"],
            name="fk_connector_sync_entries_tenant_id_sync_id",
            ondelete="CASCADE",
        ),
    )


def downgrade() -> None:
    for table in ("connector_sync_entries", "connector_syncs", "connector_items", "connectors"):
        op.drop_table(table)
