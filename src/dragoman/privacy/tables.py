"""Table of requests about personal data."""

from __future__ import annotations

from sqlalchemy import (
    BigInteger,
    Column,
    DateTime,
    ForeignKeyConstraint,
    PrimaryKeyConstraint,
    Table,
    Text,
    Uuid,
    func,
    text,
)
from sqlalchemy.dialects.postgresql import JSONB

from dragoman.kit.database import metadata

# `subject_id` becomes a pseudonym when the person is erased: the fact stays, the person does not.
privacy_requests = Table(
    "privacy_requests",
    metadata,
    Column("tenant_id", Uuid, nullable=False),
    Column("id", Uuid, nullable=False),
    Column("kind", Text, nullable=False),
    Column("subject_kind", Text, nullable=False),
    Column("subject_id", Text, nullable=False),
    Column("state", Text, nullable=False),
    Column("step", Text, nullable=False, server_default=""),
    Column("counts", JSONB, nullable=False, server_default=text("'{}'::jsonb")),
    Column("blob_key", Text),
    Column("size_bytes", BigInteger),
    Column("error_message", Text),
    Column("requested_by", Text, nullable=False),
    Column("created_at", DateTime(timezone=True), nullable=False, server_default=func.now()),
    Column("finished_at", DateTime(timezone=True)),
    Column("expires_at", DateTime(timezone=True)),
    PrimaryKeyConstraint("tenant_id", "id"),
    ForeignKeyConstraint(["tenant_id"], ["tenants.id"], ondelete="CASCADE"),
)
