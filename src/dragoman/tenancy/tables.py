"""Tables of tenants, chatbots and their members, users, service accounts, keys and audit events."""

from __future__ import annotations

from sqlalchemy import (
    BigInteger,
    Boolean,
    CheckConstraint,
    Column,
    DateTime,
    ForeignKeyConstraint,
    Index,
    Integer,
    LargeBinary,
    PrimaryKeyConstraint,
    Table,
    Text,
    UniqueConstraint,
    Uuid,
    func,
    text,
)
from sqlalchemy.dialects.postgresql import ARRAY, JSONB

from dragoman.kit.database import metadata

tenants = Table(
    "tenants",
    metadata,
    Column("id", Uuid, primary_key=True),
    Column("name", Text, nullable=False),
    Column("default_chatbot_id", Uuid),
    Column("limits", JSONB, nullable=False, server_default=text("'{}'::jsonb")),
    Column("created_at", DateTime(timezone=True), nullable=False, server_default=func.now()),
)

chatbots = Table(
    "chatbots",
    metadata,
    Column("tenant_id", Uuid, nullable=False),
    Column("id", Uuid, nullable=False),
    Column("name", Text, nullable=False),
    Column("description", Text, nullable=False, server_default=""),
    Column("settings", JSONB, nullable=False, server_default=text("'{}'::jsonb")),
    Column("active_embedding_version", Integer, nullable=False),
    Column("knowledge_revision", BigInteger, nullable=False, server_default=text("0")),
    Column("created_at", DateTime(timezone=True), nullable=False, server_default=func.now()),
    Column("updated_at", DateTime(timezone=True), nullable=False, server_default=func.now()),
    Column("access", Text, nullable=False, server_default="tenant"),
    PrimaryKeyConstraint("tenant_id", "id"),
    ForeignKeyConstraint(["tenant_id"], ["tenants.id"], ondelete="CASCADE"),
    ForeignKeyConstraint(["active_embedding_version"], ["embedding_versions.id"]),
)

users = Table(
    "users",
    metadata,
    Column("tenant_id", Uuid, nullable=False),
    Column("id", Uuid, nullable=False),
    Column("email", Text, nullable=False),
    Column("display_name", Text, nullable=False, server_default=""),
    Column("role", Text, nullable=False),
    Column("created_at", DateTime(timezone=True), nullable=False, server_default=func.now()),
    Column("deactivated_at", DateTime(timezone=True)),
    Column("last_sign_in_at", DateTime(timezone=True)),
    PrimaryKeyConstraint("tenant_id", "id"),
    UniqueConstraint("tenant_id", "email"),
    ForeignKeyConstraint(["tenant_id"], ["tenants.id"], ondelete="CASCADE"),
    Index("ix_users_email", "email"),
)

service_accounts = Table(
    "service_accounts",
    metadata,
    Column("tenant_id", Uuid, nullable=False),
    Column("id", Uuid, nullable=False),
    Column("name", Text, nullable=False),
    Column("description", Text, nullable=False, server_default=""),
    Column("role", Text, nullable=False),
    Column("is_active", Boolean, nullable=False, server_default=text("true")),
    Column("created_by", Text, nullable=False),
    Column("created_at", DateTime(timezone=True), nullable=False, server_default=func.now()),
    PrimaryKeyConstraint("tenant_id", "id"),
    UniqueConstraint("tenant_id", "name"),
    ForeignKeyConstraint(["tenant_id"], ["tenants.id"], ondelete="CASCADE"),
)

# `member_id` is that of the user or the service account, whichever of the two columns is set.
chatbot_members = Table(
    "chatbot_members",
    metadata,
    Column("tenant_id", Uuid, nullable=False),
    Column("chatbot_id", Uuid, nullable=False),
    Column("member_id", Uuid, nullable=False),
    Column("user_id", Uuid),
    Column("service_account_id", Uuid),
    Column("role", Text, nullable=False),
    Column("created_at", DateTime(timezone=True), nullable=False, server_default=func.now()),
    PrimaryKeyConstraint("tenant_id", "chatbot_id", "member_id"),
    ForeignKeyConstraint(["tenant_id", "chatbot_id"], ["chatbots.tenant_id", "chatbots.id"], ondelete="CASCADE"),
    ForeignKeyConstraint(["tenant_id", "user_id"], ["users.tenant_id", "users.id"], ondelete="CASCADE"),
    ForeignKeyConstraint(
        ["tenant_id", "service_account_id"], ["service_accounts.tenant_id", "service_accounts.id"], ondelete="CASCADE"
    ),
    Index("ix_chatbot_members_member", "tenant_id", "member_id"),
)

# Read before the tenant is known, as `api_keys` are.
widget_keys = Table(
    "widget_keys",
    metadata,
    Column("tenant_id", Uuid, nullable=False),
    Column("id", Uuid, nullable=False),
    Column("chatbot_id", Uuid, nullable=False),
    Column("name", Text, nullable=False),
    Column("public_key", Text, nullable=False),
    Column("origins", ARRAY(Text), nullable=False),
    Column("allows_no_origin", Boolean, nullable=False, server_default=text("false")),
    Column("created_by", Text, nullable=False),
    Column("created_at", DateTime(timezone=True), nullable=False, server_default=func.now()),
    Column("revoked_at", DateTime(timezone=True)),
    Column("last_used_at", DateTime(timezone=True)),
    PrimaryKeyConstraint("tenant_id", "id"),
    UniqueConstraint("tenant_id", "public_key"),
    ForeignKeyConstraint(["tenant_id", "chatbot_id"], ["chatbots.tenant_id", "chatbots.id"], ondelete="CASCADE"),
    Index("ix_widget_keys_public_key", "public_key"),
    Index("ix_widget_keys_id", "id"),
)

api_keys = Table(
    "api_keys",
    metadata,
    Column("tenant_id", Uuid, nullable=False),
    Column("id", Uuid, nullable=False),
    Column("name", Text, nullable=False),
    Column("prefix", Text, nullable=False),
    Column("secret_hash", LargeBinary, nullable=False),
    Column("role", Text, nullable=False),
    Column("user_id", Uuid),
    Column("chatbot_id", Uuid),
    Column("may_act_for_users", Boolean, nullable=False, server_default=text("false")),
    Column("created_at", DateTime(timezone=True), nullable=False, server_default=func.now()),
    Column("expires_at", DateTime(timezone=True)),
    Column("revoked_at", DateTime(timezone=True)),
    Column("last_used_at", DateTime(timezone=True)),
    Column("description", Text, nullable=False, server_default=""),
    Column("scopes", ARRAY(Text)),
    Column("service_account_id", Uuid),
    Column("confined", Boolean, nullable=False, server_default=text("false")),
    Column("rotated_at", DateTime(timezone=True)),
    Column("previous_hash", LargeBinary),
    Column("previous_until", DateTime(timezone=True)),
    Column("last_used_address", Text),
    PrimaryKeyConstraint("tenant_id", "id"),
    UniqueConstraint("tenant_id", "secret_hash"),
    ForeignKeyConstraint(["tenant_id"], ["tenants.id"], ondelete="CASCADE"),
    ForeignKeyConstraint(["tenant_id", "user_id"], ["users.tenant_id", "users.id"], ondelete="CASCADE"),
    ForeignKeyConstraint(["tenant_id", "chatbot_id"], ["chatbots.tenant_id", "chatbots.id"], ondelete="CASCADE"),
    ForeignKeyConstraint(
        ["tenant_id", "service_account_id"], ["service_accounts.tenant_id", "service_accounts.id"], ondelete="CASCADE"
    ),
    Index("ix_api_keys_secret_hash", "secret_hash"),
    Index("ix_api_keys_previous_hash", "previous_hash"),
)

# Append-only: the role of the application may insert and select, nothing else; a trigger refuses the owner too. An event
# gets its place (`sequence` and what follows it) once, by the chain. `details`, `address`, `user_agent` and `actor_name` can
# be erased with their `salt`; `content_hash` keeps the chain whole.
audit_events = Table(
    "audit_events",
    metadata,
    Column("tenant_id", Uuid, nullable=False),
    Column("id", Uuid, nullable=False),
    Column("actor", Text, nullable=False),
    Column("action", Text, nullable=False),
    Column("subject_type", Text, nullable=False),
    Column("subject_id", Uuid),
    Column("details", JSONB, nullable=False, server_default=text("'{}'::jsonb")),
    Column("created_at", DateTime(timezone=True), nullable=False, server_default=func.now()),
    Column("actor_name", Text, nullable=False, server_default=""),
    Column("address", Text, nullable=False, server_default=""),
    Column("user_agent", Text, nullable=False, server_default=""),
    Column("request_id", Text, nullable=False, server_default=""),
    Column("salt", LargeBinary),
    Column("content_hash", LargeBinary),
    Column("seal", LargeBinary),
    Column("key_id", Text, nullable=False, server_default=""),
    Column("sequence", BigInteger),
    Column("previous_hash", LargeBinary),
    Column("hash", LargeBinary),
    Column("chain_seal", LargeBinary),
    Column("chain_key_id", Text),
    Column("chained_at", DateTime(timezone=True)),
    PrimaryKeyConstraint("tenant_id", "id"),
    ForeignKeyConstraint(["tenant_id"], ["tenants.id"]),
    Index("ix_audit_events_subject", "tenant_id", "subject_id", "id"),
    Index("ix_audit_events_actor", "tenant_id", "actor", "id"),
    Index("ix_audit_events_action", "tenant_id", "action", "id"),
    Index(
        "ix_audit_events_sequence",
        "tenant_id",
        "sequence",
        unique=True,
        postgresql_where=text("sequence is not null"),
    ),
    Index("ix_audit_events_unchained", "tenant_id", "id", postgresql_where=text("sequence is null")),
)

# How long a tenant keeps its audit events; `keep_days` empty: for ever. Without a row: `audit_log.retention.USUAL_DAYS`.
audit_policies = Table(
    "audit_policies",
    metadata,
    Column("tenant_id", Uuid, nullable=False),
    Column("keep_days", Integer),
    Column("updated_at", DateTime(timezone=True), nullable=False, server_default=func.now()),
    PrimaryKeyConstraint("tenant_id"),
    ForeignKeyConstraint(["tenant_id"], ["tenants.id"], ondelete="CASCADE"),
    CheckConstraint("keep_days >= 90", name="keep_days"),
)

# Who stands behind an actor of the audit log whose own name would tell it; erased with the person.
audit_pseudonyms = Table(
    "audit_pseudonyms",
    metadata,
    Column("tenant_id", Uuid, nullable=False),
    Column("reference", Text, nullable=False),
    Column("pseudonym", Text, nullable=False),
    PrimaryKeyConstraint("tenant_id", "reference"),
    ForeignKeyConstraint(["tenant_id"], ["tenants.id"], ondelete="CASCADE"),
)
