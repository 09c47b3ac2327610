"""Tables of connectors, of the items they follow, and of their syncs with what happened in each."""

from __future__ import annotations

from sqlalchemy import (
    BigInteger,
    Boolean,
    Column,
    DateTime,
    ForeignKeyConstraint,
    Index,
    Integer,
    PrimaryKeyConstraint,
    Table,
    Text,
    Uuid,
    func,
    text,
)
from sqlalchemy.dialects.postgresql import ARRAY, JSONB

from dragoman.kit.database import metadata

_EMPTY_OBJECT = text("'{}'::jsonb")

connectors = Table(
    "connectors",
    metadata,
    Column("tenant_id", Uuid, nullable=False),
    Column("id", Uuid, nullable=False),
    Column("chatbot_id", Uuid, nullable=False),
    Column("name", Text, nullable=False),
    Column("kind", Text, nullable=False),
    Column("settings", JSONB, nullable=False, server_default=_EMPTY_OBJECT),
    Column("sealed_secrets", Text),
    Column("visibility", Text, nullable=False, server_default="shared"),
    Column("content_type", Text, nullable=False, server_default="document"),
    Column("category", Text, nullable=False, server_default=""),
    Column("tags", ARRAY(Text), nullable=False, server_default=text("'{}'::text[]")),
    Column("interval_s", Integer),
    Column("on_vanished", Text, nullable=False, server_default="delete"),
    Column("is_paused", Boolean, nullable=False, server_default=text("false")),
    Column("watched_folder", Text),
    Column("created_by", Text, nullable=False),
    Column("role", Text, nullable=False),
    Column("next_sync_at", DateTime(timezone=True)),
    Column("created_at", DateTime(timezone=True), nullable=False, server_default=func.now()),
    Column("updated_at", DateTime(timezone=True), nullable=False, server_default=func.now()),
    Column("deleted_at", DateTime(timezone=True)),
    PrimaryKeyConstraint("tenant_id", "id"),
    ForeignKeyConstraint(["tenant_id", "chatbot_id"], ["chatbots.tenant_id", "chatbots.id"], ondelete="CASCADE"),
    Index("ix_connectors_chatbot", "tenant_id", "chatbot_id", "id"),
    Index("ix_connectors_due", "next_sync_at", postgresql_where=text("not is_paused and deleted_at is null")),
)

# What a connector knows of a file, page or object. `key` has at most 1,024 bytes.
connector_items = Table(
    "connector_items",
    metadata,
    Column("tenant_id", Uuid, nullable=False),
    Column("connector_id", Uuid, nullable=False),
    Column("key", Text, nullable=False),
    Column("name", Text, nullable=False),
    Column("url", Text),
    Column("state", Text, nullable=False),
    Column("version", Text),
    Column("memo", JSONB, nullable=False, server_default=_EMPTY_OBJECT),
    Column("document_id", Uuid),
    Column("size_bytes", BigInteger),
    Column("reason_code", Text),
    Column("reason", Text),
    Column("last_sync_id", Uuid, nullable=False),
    Column("created_at", DateTime(timezone=True), nullable=False, server_default=func.now()),
    Column("updated_at", DateTime(timezone=True), nullable=False, server_default=func.now()),
    PrimaryKeyConstraint("tenant_id", "connector_id", "key"),
    ForeignKeyConstraint(["tenant_id", "connector_id"], ["connectors.tenant_id", "connectors.id"], ondelete="CASCADE"),
)

connector_syncs = Table(
    "connector_syncs",
    metadata,
    Column("tenant_id", Uuid, nullable=False),
    Column("id", Uuid, nullable=False),
    Column("connector_id", Uuid, nullable=False),
    Column("state", Text, nullable=False),
    Column("trigger", Text, nullable=False),
    Column("allow_mass_deletion", Boolean, nullable=False, server_default=text("false")),
    Column("job_id", Uuid),
    Column("new_items", Integer, nullable=False, server_default=text("0")),
    Column("changed_items", Integer, nullable=False, server_default=text("0")),
    Column("unchanged_items", Integer, nullable=False, server_default=text("0")),
    Column("vanished_items", Integer, nullable=False, server_default=text("0")),
    Column("kept_items", Integer, nullable=False, server_default=text("0")),
    Column("failed_items", Integer, nullable=False, server_default=text("0")),
    Column("skipped_items", Integer, nullable=False, server_default=text("0")),
    Column("notes", JSONB, nullable=False, server_default=text("'[]'::jsonb")),
    Column("error_code", Text),
    Column("error_message", Text),
    Column("created_at", DateTime(timezone=True), nullable=False, server_default=func.now()),
    Column("started_at", DateTime(timezone=True)),
    Column("finished_at", DateTime(timezone=True)),
    PrimaryKeyConstraint("tenant_id", "id"),
    ForeignKeyConstraint(["tenant_id", "connector_id"], ["connectors.tenant_id", "connectors.id"], ondelete="CASCADE"),
    Index("ix_connector_syncs_connector", "tenant_id", "connector_id", "id"),
    # One sync at a time.
    Index(
        "uq_connector_syncs_active",
        "tenant_id",
        "connector_id",
        unique=True,
        postgresql_where=text("state in ('queued', 'running')"),
    ),
)

# What happened to items that are not simply unchanged; the first 1,000 of a sync.
connector_sync_entries = Table(
    "connector_sync_entries",
    metadata,
    Column("tenant_id", Uuid, nullable=False),
    Column("sync_id", Uuid, nullable=False),
    Column("id", Uuid, nullable=False),
    Column("key", Text, nullable=False),
    Column("outcome", Text, nullable=False),
    Column("reason_code", Text),
    Column("reason", Text),
    Column("document_id", Uuid),
    PrimaryKeyConstraint("tenant_id", "sync_id", "id"),
    ForeignKeyConstraint(
        ["tenant_id", "sync_id"], ["connector_syncs.tenant_id", "connector_syncs.id"], ondelete="CASCADE"
    ),
)
