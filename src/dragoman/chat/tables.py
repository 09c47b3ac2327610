"""Tables of sessions, messages and turns."""

from __future__ import annotations

from sqlalchemy import (
    BigInteger,
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
from sqlalchemy.dialects.postgresql import ARRAY, JSONB

from dragoman.kit.database import metadata

_EMPTY_OBJECT = text("'{}'::jsonb")
_EMPTY_LIST = text("'[]'::jsonb")

sessions = Table(
    "sessions",
    metadata,
    Column("tenant_id", Uuid, nullable=False),
    Column("id", Uuid, nullable=False),
    Column("chatbot_id", Uuid, nullable=False),
    Column("asker", Text, nullable=False),
    Column("title", Text, nullable=False, server_default=""),
    Column("state", Text, nullable=False, server_default="bot"),
    Column("is_active", Boolean, nullable=False, server_default=text("true")),
    Column("settings", JSONB, nullable=False, server_default=_EMPTY_OBJECT),
    Column("document_ids", ARRAY(Uuid)),
    Column("archived_at", DateTime(timezone=True)),
    Column("leaf_id", Uuid),
    Column("created_at", DateTime(timezone=True), nullable=False, server_default=func.now()),
    Column("updated_at", DateTime(timezone=True), nullable=False, server_default=func.now()),
    PrimaryKeyConstraint("tenant_id", "id"),
    ForeignKeyConstraint(["tenant_id", "chatbot_id"], ["chatbots.tenant_id", "chatbots.id"], ondelete="CASCADE"),
    Index("ix_sessions_asker", "tenant_id", "asker", "updated_at"),
)

messages = Table(
    "messages",
    metadata,
    Column("tenant_id", Uuid, nullable=False),
    Column("id", Uuid, nullable=False),
    Column("session_id", Uuid, nullable=False),
    Column("parent_id", Uuid),
    Column("role", Text, nullable=False),
    Column("state", Text, nullable=False, server_default="complete"),
    Column("content", Text, nullable=False),
    Column("language", Text),
    Column("citations", JSONB, nullable=False, server_default=_EMPTY_LIST),
    Column("tokens_used", Integer, nullable=False, server_default=text("0")),
    Column("response_time_ms", Double),
    Column("created_at", DateTime(timezone=True), nullable=False, server_default=func.now()),
    PrimaryKeyConstraint("tenant_id", "id"),
    ForeignKeyConstraint(["tenant_id", "session_id"], ["sessions.tenant_id", "sessions.id"], ondelete="CASCADE"),
    Index("ix_messages_session", "tenant_id", "session_id", "id"),
)

turns = Table(
    "turns",
    metadata,
    Column("tenant_id", Uuid, nullable=False),
    Column("id", Uuid, nullable=False),
    Column("chatbot_id", Uuid, nullable=False),
    Column("session_id", Uuid, nullable=False),
    Column("question_id", Uuid, nullable=False),
    Column("answer_id", Uuid, nullable=False),
    Column("asker", Text, nullable=False),
    Column("language", Text, nullable=False),
    Column("rewritten_question", Text),
    Column("prompt_version", Text),
    Column("rendered_prompt", JSONB),
    Column("retrieved", JSONB, nullable=False, server_default=_EMPTY_LIST),
    Column("provider_model", Text, nullable=False),
    Column("embedding_version", Integer, nullable=False),
    Column("variants", JSONB, nullable=False, server_default=_EMPTY_OBJECT),
    Column("knowledge_revision", BigInteger, nullable=False),
    Column("answered", Boolean, nullable=False),
    Column("confidence", Double),
    Column("timings", JSONB, nullable=False, server_default=_EMPTY_OBJECT),
    Column("usage", JSONB, nullable=False, server_default=_EMPTY_OBJECT),
    Column("grounding", JSONB, nullable=False, server_default=_EMPTY_OBJECT),
    Column("degraded", JSONB, nullable=False, server_default=_EMPTY_LIST),
    Column("created_at", DateTime(timezone=True), nullable=False, server_default=func.now()),
    PrimaryKeyConstraint("tenant_id", "id"),
    ForeignKeyConstraint(["tenant_id", "session_id"], ["sessions.tenant_id", "sessions.id"], ondelete="CASCADE"),
    Index("ix_turns_chatbot", "tenant_id", "chatbot_id", "created_at"),
    Index("ix_turns_answer", "tenant_id", "answer_id"),
    Index("ix_turns_unanswered", "tenant_id", "chatbot_id", "created_at", postgresql_where=text("not answered")),
    Index(
        "ix_turns_unanswered_language",
        "tenant_id",
        "chatbot_id",
        "language",
        "created_at",
        postgresql_where=text("not answered"),
    ),
)
