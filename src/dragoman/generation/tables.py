"""Tables of prompt templates (each version of a chatbot's system message), and of remembered texts that were rated down."""

from __future__ import annotations

from sqlalchemy import (
    Column,
    DateTime,
    ForeignKeyConstraint,
    Integer,
    LargeBinary,
    PrimaryKeyConstraint,
    Table,
    Text,
    Uuid,
    func,
    text,
)

from dragoman.kit.database import metadata

prompt_templates = Table(
    "prompt_templates",
    metadata,
    Column("tenant_id", Uuid, nullable=False),
    Column("chatbot_id", Uuid, nullable=False),
    Column("version", Integer, nullable=False),
    Column("text", Text, nullable=False),
    Column("note", Text, nullable=False, server_default=text("''")),
    Column("created_by", Text, nullable=False),
    Column("created_at", DateTime(timezone=True), nullable=False, server_default=func.now()),
    PrimaryKeyConstraint("tenant_id", "chatbot_id", "version"),
    ForeignKeyConstraint(
        ["tenant_id", "chatbot_id"],
        ["chatbots.tenant_id", "chatbots.id"],
        name="fk_prompt_templates_tenant_id_chatbot_id",
        ondelete="CASCADE",
    ),
)

# `name`: the key under which the answer cache remembers the text. What is older than `rejected_at` is not told again.
rejected_texts = Table(
    "rejected_texts",
    metadata,
    Column("tenant_id", Uuid, nullable=False),
    Column("name", LargeBinary, nullable=False),
    Column("rejected_at", DateTime(timezone=True), nullable=False, server_default=func.now()),
    PrimaryKeyConstraint("tenant_id", "name"),
    ForeignKeyConstraint(["tenant_id"], ["tenants.id"], name="fk_rejected_texts_tenant_id", ondelete="CASCADE"),
)
