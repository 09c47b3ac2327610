"""Tables of usage records (one row per model call), of budgets, and of what was spent of them."""

from __future__ import annotations

from sqlalchemy import (
    CheckConstraint,
    Column,
    Date,
    DateTime,
    Double,
    ForeignKeyConstraint,
    Index,
    Integer,
    Numeric,
    PrimaryKeyConstraint,
    Table,
    Text,
    UniqueConstraint,
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
    Column("kind", Text, nullable=False, server_default=text("'llm'")),
    Column("asker", Text),
    Column("session_id", Uuid),
    PrimaryKeyConstraint("tenant_id", "id"),
    ForeignKeyConstraint(["tenant_id"], ["tenants.id"], ondelete="CASCADE"),
    Index("ix_usage_records_created_at", "tenant_id", "chatbot_id", "created_at"),
    Index("ix_usage_records_tenant_created_at", "tenant_id", "created_at"),
    Index("ix_usage_records_session_id", "tenant_id", "session_id", postgresql_where=text("session_id is not null")),
)

budgets = Table(
    "budgets",
    metadata,
    Column("tenant_id", Uuid, nullable=False),
    Column("id", Uuid, nullable=False),
    Column("scope", Text, nullable=False),
    Column("subject", Text, nullable=False, server_default=text("''")),
    Column("period", Text, nullable=False),
    Column("limit_usd", Numeric(18, 6), nullable=False),
    Column("created_at", DateTime(timezone=True), nullable=False, server_default=func.now()),
    Column("updated_at", DateTime(timezone=True), nullable=False, server_default=func.now()),
    PrimaryKeyConstraint("tenant_id", "id"),
    UniqueConstraint("tenant_id", "scope", "subject", "period", name="uq_budgets_tenant_id_scope_subject_period"),
    ForeignKeyConstraint(["tenant_id"], ["tenants.id"], ondelete="CASCADE"),
    CheckConstraint("limit_usd >= 0", name="limit_usd"),
)

budget_spending = Table(
    "budget_spending",
    metadata,
    Column("tenant_id", Uuid, nullable=False),
    Column("scope", Text, nullable=False),
    Column("subject", Text, nullable=False),
    Column("period", Text, nullable=False),
    Column("starts_on", Date, nullable=False),
    Column("spent_usd", Numeric(18, 9), nullable=False, server_default=text("0")),
    Column("warned_at", DateTime(timezone=True)),
    Column("exhausted_at", DateTime(timezone=True)),
    PrimaryKeyConstraint("tenant_id", "scope", "subject", "period", "starts_on"),
    ForeignKeyConstraint(["tenant_id"], ["tenants.id"], ondelete="CASCADE"),
)
