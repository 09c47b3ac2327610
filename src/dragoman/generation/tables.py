"""Table of prompt templates: each version of a chatbot's system message."""

from __future__ import annotations

from sqlalchemy import (
    Column,
    DateTime,
    ForeignKeyConstraint,
    Integer,
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
