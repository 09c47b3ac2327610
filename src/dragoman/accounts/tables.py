"""Tables of passwords, refresh tokens, one-time links and single sign-on."""

from __future__ import annotations

from sqlalchemy import (
    Column,
    DateTime,
    ForeignKeyConstraint,
    Index,
    LargeBinary,
    PrimaryKeyConstraint,
    Table,
    Text,
    UniqueConstraint,
    Uuid,
    func,
    text,
)
from sqlalchemy.dialects.postgresql import JSONB

from dragoman.kit.database import metadata

# Apart from `users`, so that what lists or exports users cannot show a hash.
user_passwords = Table(
    "user_passwords",
    metadata,
    Column("tenant_id", Uuid, nullable=False),
    Column("user_id", Uuid, nullable=False),
    Column("password_hash", Text, nullable=False),
    Column("changed_at", DateTime(timezone=True), nullable=False, server_default=func.now()),
    PrimaryKeyConstraint("tenant_id", "user_id"),
    ForeignKeyConstraint(["tenant_id", "user_id"], ["users.tenant_id", "users.id"], ondelete="CASCADE"),
)

# The tokens of a sign-in are one family: the newest opens, one that is used again ends them all.
refresh_tokens = Table(
    "refresh_tokens",
    metadata,
    Column("tenant_id", Uuid, nullable=False),
    Column("token_hash", LargeBinary, nullable=False),
    Column("sign_in_id", Uuid, nullable=False),
    Column("created_at", DateTime(timezone=True), nullable=False, server_default=func.now()),
    Column("expires_at", DateTime(timezone=True), nullable=False),
    Column("used_at", DateTime(timezone=True)),
    Column("sealed_successor", LargeBinary),
    PrimaryKeyConstraint("tenant_id", "token_hash"),
    ForeignKeyConstraint(["tenant_id", "sign_in_id"], ["sign_ins.tenant_id", "sign_ins.id"], ondelete="CASCADE"),
    Index("ix_refresh_tokens_sign_in_id", "tenant_id", "sign_in_id"),
)

# Links by which a password is set once: an invitation (nobody yet, or a user without one) or a reset (of a user).
one_time_links = Table(
    "one_time_links",
    metadata,
    Column("tenant_id", Uuid, nullable=False),
    Column("id", Uuid, nullable=False),
    Column("kind", Text, nullable=False),
    Column("email", Text, nullable=False),
    Column("role", Text),
    Column("user_id", Uuid),
    Column("token_hash", LargeBinary, nullable=False),
    Column("created_by", Text, nullable=False),
    Column("created_at", DateTime(timezone=True), nullable=False, server_default=func.now()),
    Column("expires_at", DateTime(timezone=True), nullable=False),
    Column("used_at", DateTime(timezone=True)),
    Column("revoked_at", DateTime(timezone=True)),
    PrimaryKeyConstraint("tenant_id", "id"),
    UniqueConstraint("tenant_id", "token_hash"),
    ForeignKeyConstraint(["tenant_id"], ["tenants.id"], ondelete="CASCADE"),
    ForeignKeyConstraint(["tenant_id", "user_id"], ["users.tenant_id", "users.id"], ondelete="CASCADE"),
)

# The identity provider of a tenant: one.
single_sign_on = Table(
    "single_sign_on",
    metadata,
    Column("tenant_id", Uuid, primary_key=True),
    Column("issuer", Text, nullable=False),
    Column("client_id", Text, nullable=False),
    Column("sealed_client_secret", Text),
    Column("settings", JSONB, nullable=False, server_default=text("'{}'::jsonb")),
    Column("updated_at", DateTime(timezone=True), nullable=False, server_default=func.now()),
    ForeignKeyConstraint(["tenant_id"], ["tenants.id"], ondelete="CASCADE"),
)

# Who a user is at the identity provider: issuer and subject never change, an address may.
user_identities = Table(
    "user_identities",
    metadata,
    Column("tenant_id", Uuid, nullable=False),
    Column("issuer", Text, nullable=False),
    Column("subject", Text, nullable=False),
    Column("user_id", Uuid, nullable=False),
    Column("created_at", DateTime(timezone=True), nullable=False, server_default=func.now()),
    PrimaryKeyConstraint("tenant_id", "issuer", "subject"),
    ForeignKeyConstraint(["tenant_id", "user_id"], ["users.tenant_id", "users.id"], ondelete="CASCADE"),
)
