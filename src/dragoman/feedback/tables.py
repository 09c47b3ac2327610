"""Tables of feedback on answers, of its counts by day, of what it was before it was changed, and of improvement reports."""

from __future__ import annotations

from sqlalchemy import (
    BigInteger,
    Boolean,
    Column,
    Date,
    DateTime,
    ForeignKeyConstraint,
    Identity,
    Index,
    Integer,
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

_EMPTY_OBJECT = text("'{}'::jsonb")

# One of each asker (or reviewer) and answer. What is counted by (`chatbot_id` to `documents`) is copied from the turn,
# so that a year of feedback is summed up without reading turns; question, prompt and retrieved passages stay there.
feedback = Table(
    "feedback",
    metadata,
    Column("tenant_id", Uuid, nullable=False),
    Column("id", Uuid, nullable=False),
    Column("session_id", Uuid, nullable=False),
    Column("answer_id", Uuid, nullable=False),
    Column("asker", Text, nullable=False),
    Column("is_review", Boolean, nullable=False, server_default=text("false")),
    Column("rating", Text, nullable=False),
    Column("reason", Text),
    Column("comment", Text, nullable=False, server_default=""),
    Column("correction", Text, nullable=False, server_default=""),
    Column("metadata", JSONB, nullable=False, server_default=_EMPTY_OBJECT),
    Column("chatbot_id", Uuid, nullable=False),
    Column("language", Text, nullable=False, server_default="und"),
    Column("model", Text, nullable=False, server_default=""),
    Column("prompt_version", Text, nullable=False, server_default=""),
    Column("answered", Boolean, nullable=False, server_default=text("true")),
    Column("documents", ARRAY(Uuid), nullable=False, server_default=text("'{}'::uuid[]")),
    # What became of the correction: open, accepted or rejected; empty without one.
    Column("correction_state", Text),
    Column("correction_document_id", Uuid),
    Column("correction_note", Text, nullable=False, server_default=""),
    Column("decided_by", Text),
    Column("decided_at", DateTime(timezone=True)),
    Column("created_at", DateTime(timezone=True), nullable=False, server_default=func.now()),
    Column("updated_at", DateTime(timezone=True), nullable=False, server_default=func.now()),
    PrimaryKeyConstraint("tenant_id", "id"),
    UniqueConstraint("tenant_id", "answer_id", "asker", name="uq_feedback_tenant_id_answer_id_asker"),
    ForeignKeyConstraint(
        ["tenant_id", "session_id"],
        ["sessions.tenant_id", "sessions.id"],
        name="fk_feedback_tenant_id_session_id",
        ondelete="CASCADE",
    ),
    Index("ix_feedback_session", "tenant_id", "session_id"),
    Index("ix_feedback_asker", "tenant_id", "asker"),
    Index(
        "ix_feedback_created_at",
        "tenant_id",
        "created_at",
        postgresql_include=["chatbot_id", "is_review", "rating", "reason", "language", "model", "prompt_version"],
    ),
    Index(
        "ix_feedback_text",
        *("tenant_id", "created_at", "id"),
        postgresql_where=text("comment <> '' or correction <> ''"),
    ),
)

# Days of a chatbot whose feedback has changed since they were counted; written by triggers in the transaction of the change
# (migration 0019), taken by `rollup.py`.
feedback_changes = Table(
    "feedback_changes",
    metadata,
    Column("tenant_id", Uuid, nullable=False),
    Column("id", BigInteger, Identity(always=True), nullable=False),
    Column("chatbot_id", Uuid, nullable=False),
    Column("day", Date, nullable=False),
    PrimaryKeyConstraint("tenant_id", "id"),
)

# Of each day (UTC) that is counted. `reason` is empty without one; `open`, `accepted` and `rejected` count corrections.
feedback_days = Table(
    "feedback_days",
    metadata,
    Column("tenant_id", Uuid, nullable=False),
    Column("chatbot_id", Uuid, nullable=False),
    Column("day", Date, nullable=False),
    Column("is_review", Boolean, nullable=False),
    Column("language", Text, nullable=False),
    Column("reason", Text, nullable=False),
    Column("model", Text, nullable=False),
    Column("prompt_version", Text, nullable=False),
    *(
        Column(name, Integer, nullable=False, server_default=text("0"))
        for name in ("up", "down", "comments", "open", "accepted", "rejected")
    ),
    PrimaryKeyConstraint(
        *("tenant_id", "chatbot_id", "day", "is_review", "language", "reason", "model", "prompt_version")
    ),
    ForeignKeyConstraint(["tenant_id"], ["tenants.id"], ondelete="CASCADE"),
)

# Ratings by askers of answers that cite a document.
feedback_document_days = Table(
    "feedback_document_days",
    metadata,
    Column("tenant_id", Uuid, nullable=False),
    Column("chatbot_id", Uuid, nullable=False),
    Column("day", Date, nullable=False),
    Column("document_id", Uuid, nullable=False),
    Column("up", Integer, nullable=False, server_default=text("0")),
    Column("down", Integer, nullable=False, server_default=text("0")),
    PrimaryKeyConstraint("tenant_id", "chatbot_id", "day", "document_id"),
    ForeignKeyConstraint(["tenant_id"], ["tenants.id"], ondelete="CASCADE"),
)

# What a feedback said until `replaced_at`. It goes with the feedback.
feedback_history = Table(
    "feedback_history",
    metadata,
    Column("tenant_id", Uuid, nullable=False),
    Column("feedback_id", Uuid, nullable=False),
    Column("number", Integer, nullable=False),
    Column("rating", Text, nullable=False),
    Column("reason", Text),
    Column("comment", Text, nullable=False),
    Column("correction", Text, nullable=False),
    Column("given_at", DateTime(timezone=True), nullable=False),
    Column("replaced_at", DateTime(timezone=True), nullable=False),
    PrimaryKeyConstraint("tenant_id", "feedback_id", "number"),
    ForeignKeyConstraint(
        ["tenant_id", "feedback_id"],
        ["feedback.tenant_id", "feedback.id"],
        name="fk_feedback_history_tenant_id_feedback_id",
        ondelete="CASCADE",
    ),
)

# `content` names questions and documents by their ids: a deleted conversation leaves no text in a report.
improvement_reports = Table(
    "improvement_reports",
    metadata,
    Column("tenant_id", Uuid, nullable=False),
    Column("id", Uuid, nullable=False),
    Column("chatbot_id", Uuid, nullable=False),
    Column("first_day", Date, nullable=False),
    Column("last_day", Date, nullable=False),
    Column("state", Text, nullable=False, server_default="queued"),
    Column("is_scheduled", Boolean, nullable=False, server_default=text("false")),
    Column("requested_by", Text, nullable=False),
    Column("job_id", Uuid),
    Column("error", Text),
    Column("content", JSONB, nullable=False, server_default=_EMPTY_OBJECT),
    Column("created_at", DateTime(timezone=True), nullable=False, server_default=func.now()),
    Column("finished_at", DateTime(timezone=True)),
    PrimaryKeyConstraint("tenant_id", "id"),
    ForeignKeyConstraint(
        ["tenant_id", "chatbot_id"],
        ["chatbots.tenant_id", "chatbots.id"],
        name="fk_improvement_reports_tenant_id_chatbot_id",
        ondelete="CASCADE",
    ),
    Index("ix_improvement_reports_chatbot", "tenant_id", "chatbot_id", "created_at"),
    Index(
        "uq_improvement_reports_schedule",
        "tenant_id",
        "chatbot_id",
        "last_day",
        unique=True,
        postgresql_where=text("is_scheduled"),
    ),
)
