"""Tables of what was learned of names: finds by chunk, and which document versions were read for them."""

from __future__ import annotations

from sqlalchemy import (
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
)

from dragoman.kit.database import metadata

# A find belongs to its chunk and goes with it: nothing is known of a name that only deleted text told.
expansion_finds = Table(
    "expansion_finds",
    metadata,
    Column("tenant_id", Uuid, nullable=False),
    Column("chatbot_id", Uuid, nullable=False),
    Column("chunk_id", Uuid, nullable=False),
    Column("kind", Text, nullable=False),
    Column("short", Text, nullable=False),
    Column("long", Text, nullable=False),
    Column("language", Text, nullable=False),
    PrimaryKeyConstraint("tenant_id", "chatbot_id", "chunk_id", "kind", "short", "long"),
    ForeignKeyConstraint(
        ["tenant_id", "chatbot_id", "chunk_id"],
        ["chunks.tenant_id", "chunks.chatbot_id", "chunks.id"],
        ondelete="CASCADE",
    ),
)

expansion_scans = Table(
    "expansion_scans",
    metadata,
    Column("tenant_id", Uuid, nullable=False),
    Column("chatbot_id", Uuid, nullable=False),
    Column("version_id", Uuid, nullable=False),
    Column("rules", Integer, nullable=False),
    Column("scanned_at", DateTime(timezone=True), nullable=False, server_default=func.now()),
    PrimaryKeyConstraint("tenant_id", "version_id"),
    ForeignKeyConstraint(
        ["tenant_id", "version_id"], ["document_versions.tenant_id", "document_versions.id"], ondelete="CASCADE"
    ),
    Index("ix_expansion_scans_chatbot", "tenant_id", "chatbot_id"),
)
