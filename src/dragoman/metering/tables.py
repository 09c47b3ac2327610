"""Table of usage records: one row per model call, written in batches."""

from __future__ import annotations

from sqlalchemy import (
    Column,
    DateTime,
    Double,
    ForeignKeyConstraint,
    Index,
    Integer,
    Numeric,
    PrimaryKeyConstraint,
    Table,
    Text,
    Uuid,
    func,
    text,
)

from dragoman.kit.database import metadata

usage_records = Table(
    "usage_records",
    metadata,
    Column("tenant_id", Uuid, nullable=False),
    Column("id", Uuid, nullable=False),
    Column("chatbot_id", Uuid),
    Column("purpose", Text, nullable=False),
    Column("adapter", Text, nullable=False),
    Column("model", Text, nullable=False),
    Column("calls", Integer, nullable=False, server_default=text("1")),
    Column("input_tokens", Integer, nullable=False, server_default=text("0")),
    Column("output_tokens", Integer, nullable=False, server_default=text("0")),
    Column("cost_usd", Numeric(18, 9), nullable=False, server_default=text("0")),
    Column("latency_ms", Double, nullable=False, server_default=text("0")),
    Column("error_code", Text),
    Column("created_at", DateTime(timezone=True), nullable=False, server_default=func.now()),
    PrimaryKeyConstraint("tenant_id", "id"),
    ForeignKeyConstraint(["tenant_id"], ["tenants.id"], ondelete="CASCADE"),
    Index("ix_usage_records_created_at", "tenant_id", "chatbot_id", "created_at"),
)
