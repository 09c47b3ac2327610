"""Tables of a tenant's own and changed rules, of channels, of alerts (one row an episode), and of silences."""

from __future__ import annotations

from sqlalchemy import (
    Boolean,
    Column,
    DateTime,
    Double,
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

from dragoman.kit.database import metadata

# `builtin`: the built-in rule that this row changes.
alert_rules = Table(
    "alert_rules",
    metadata,
    Column("tenant_id", Uuid, nullable=False),
    Column("id", Uuid, nullable=False),
    Column("builtin", Text),
    Column("name", Text, nullable=False),
    Column("signal", Text, nullable=False),
    Column("chatbot_id", Uuid),
    Column("threshold", Double, nullable=False),
    Column("clears_at", Double, nullable=False),
    Column("window_s", Integer, nullable=False),
    Column("for_s", Integer, nullable=False),
    Column("min_samples", Integer, nullable=False),
    Column("severity", Text, nullable=False),
    Column("is_enabled", Boolean, nullable=False, server_default=text("true")),
    Column("created_at", DateTime(timezone=True), nullable=False, server_default=func.now()),
    Column("updated_at", DateTime(timezone=True), nullable=False, server_default=func.now()),
    PrimaryKeyConstraint("tenant_id", "id"),
    ForeignKeyConstraint(["tenant_id"], ["tenants.id"], ondelete="CASCADE"),
)

# `user_id`: who is mailed. The channel goes with the user.
alert_channels = Table(
    "alert_channels",
    metadata,
    Column("tenant_id", Uuid, nullable=False),
    Column("id", Uuid, nullable=False),
    Column("kind", Text, nullable=False),
    Column("target", Text, nullable=False),
    Column("sealed_secret", Text),
    Column("least_severity", Text, nullable=False),
    Column("last_error", Text),
    Column("last_delivered_at", DateTime(timezone=True)),
    Column("created_at", DateTime(timezone=True), nullable=False, server_default=func.now()),
    Column("user_id", Uuid),
    PrimaryKeyConstraint("tenant_id", "id"),
    ForeignKeyConstraint(["tenant_id"], ["tenants.id"], ondelete="CASCADE"),
    ForeignKeyConstraint(["tenant_id", "user_id"], ["users.tenant_id", "users.id"], ondelete="CASCADE"),
    Index("uq_alert_channels_user", "tenant_id", "user_id", unique=True, postgresql_where=text("user_id is not null")),
)

alerts = Table(
    "alerts",
    metadata,
    Column("tenant_id", Uuid, nullable=False),
    Column("id", Uuid, nullable=False),
    Column("rule_id", Uuid, nullable=False),
    Column("rule_name", Text, nullable=False),
    Column("signal", Text, nullable=False),
    Column("severity", Text, nullable=False),
    Column("chatbot_id", Uuid),
    Column("state", Text, nullable=False),
    Column("value", Double, nullable=False),
    Column("worst", Double, nullable=False),
    Column("threshold", Double, nullable=False),
    Column("samples", Integer, nullable=False),
    Column("started_at", DateTime(timezone=True), nullable=False),
    Column("fired_at", DateTime(timezone=True)),
    Column("better_since", DateTime(timezone=True)),
    Column("resolved_at", DateTime(timezone=True)),
    Column("resolved_because", Text),
    Column("notified_at", DateTime(timezone=True)),
    Column("acknowledged_at", DateTime(timezone=True)),
    Column("acknowledged_by", Text),
    PrimaryKeyConstraint("tenant_id", "id"),
    ForeignKeyConstraint(["tenant_id"], ["tenants.id"], ondelete="CASCADE"),
    Index("uq_alerts_active", "tenant_id", "rule_id", unique=True, postgresql_where=text("resolved_at is null")),
)

alert_silences = Table(
    "alert_silences",
    metadata,
    Column("tenant_id", Uuid, nullable=False),
    Column("rule_id", Uuid, nullable=False),
    Column("until", DateTime(timezone=True), nullable=False),
    Column("by", Text, nullable=False),
    Column("comment", Text, nullable=False, server_default=text("''")),
    Column("created_at", DateTime(timezone=True), nullable=False, server_default=func.now()),
    PrimaryKeyConstraint("tenant_id", "rule_id"),
    ForeignKeyConstraint(["tenant_id"], ["tenants.id"], ondelete="CASCADE"),
)
