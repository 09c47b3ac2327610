"""Feedback on answers, remembered texts that were rated down, improvement reports.

Revision: 0017.
"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects.postgresql import ARRAY, JSONB

revision = "0017"
down_revision = "0016"
branch_labels = None
depends_on = None

_CURRENT_TENANT = "nullif(current_setting('dragoman.tenant_id', true), '')::uuid"
_TABLES = ("rejected_texts", "feedback", "feedback_history", "improvement_reports")
_NOW = sa.text("now()")
_EMPTY_OBJECT = sa.text("'{}'::jsonb")


def _isolate(table: str) -> None:
    """Forced row-level security, as migration 0001 sets it up."""
    op.execute(f"alter table {table} enable row level security")
    op.execute(f"alter table {table} force row level security")
    op.execute(
        f"create policy tenant_isolation on {table} to dragoman_app "
        f"using (tenant_id = {_CURRENT_TENANT}) with check (tenant_id = {_CURRENT_TENANT})"
    )
    op.execute(f"grant select, insert, update, delete on {table} to dragoman_app")


def _moment(name: str, *, nullable: bool = False, default: sa.TextClause | None = None) -> sa.Column[sa.DateTime]:
    return sa.Column(name, sa.DateTime(timezone=True), nullable=nullable, server_default=default)


def upgrade() -> None:
    op.create_table(
        "rejected_texts",
        sa.Column("tenant_id", sa.Uuid(), nullable=False),
        sa.Column("name", sa.LargeBinary(), nullable=False),
        _moment("rejected_at", default=_NOW),
        sa.PrimaryKeyConstraint("tenant_id", "name", name="pk_rejected_texts"),
        sa.ForeignKeyConstraint(["tenant_id"], ["tenants.id"], name="fk_rejected_texts_tenant_id", ondelete="CASCADE"),
    )
    _create_feedback()
    op.create_table(
        "feedback_history",
        sa.Column("tenant_id", sa.Uuid(), nullable=False),
        sa.Column("feedback_id", sa.Uuid(), nullable=False),
        sa.Column("number", sa.Integer(), nullable=False),
        sa.Column("rating", sa.Text(), nullable=False),
        sa.Column("reason", sa.Text()),
        sa.Column("comment", sa.Text(), nullable=False),
        sa.Column("correction", sa.Text(), nullable=False),
        _moment("given_at"),
        _moment("replaced_at"),
        sa.PrimaryKeyConstraint("tenant_id", "feedback_id", "number", name="pk_feedback_history"),
        sa.ForeignKeyConstraint(
            ["tenant_id", "feedback_id"],
            ["feedback.tenant_id", "feedback.id"],
            name="fk_feedback_history_tenant_id_feedback_id",
            ondelete="CASCADE",
        ),
    )
    _create_reports()
    for table in _TABLES:
        _isolate(table)


def _create_feedback() -> None:
    op.create_table(
        "feedback",
        sa.Column("tenant_id", sa.Uuid(), nullable=False),
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("session_id", sa.Uuid(), nullable=False),
        sa.Column("answer_id", sa.Uuid(), nullable=False),
        sa.Column("asker", sa.Text(), nullable=False),
        sa.Column("is_review", sa.Boolean(), server_default=sa.text("false"), nullable=False),
        sa.Column("rating", sa.Text(), nullable=False),
        sa.Column("reason", sa.Text()),
        sa.Column("comment", sa.Text(), server_default="", nullable=False),
        sa.Column("correction", sa.Text(), server_default="", nullable=False),
        sa.Column("metadata", JSONB(), server_default=_EMPTY_OBJECT, nullable=False),
        sa.Column("chatbot_id", sa.Uuid(), nullable=False),
        sa.Column("language", sa.Text(), server_default="und", nullable=False),
        sa.Column("model", sa.Text(), server_default="", nullable=False),
        sa.Column("prompt_version", sa.Text(), server_default="", nullable=False),
        sa.Column("answered", sa.Boolean(), server_default=sa.text("true"), nullable=False),
        sa.Column("documents", ARRAY(sa.Uuid()), server_default=sa.text("'{}'::uuid[]"), nullable=False),
        sa.Column("correction_state", sa.Text()),
        sa.Column("correction_document_id", sa.Uuid()),
        sa.Column("correction_note", sa.Text(), server_default="", nullable=False),
        sa.Column("decided_by", sa.Text()),
        _moment("decided_at", nullable=True),
        _moment("created_at", default=_NOW),
        _moment("updated_at", default=_NOW),
        sa.PrimaryKeyConstraint("tenant_id", "id", name="pk_feedback"),
        sa.UniqueConstraint("tenant_id", "answer_id", "asker", name="uq_feedback_tenant_id_answer_id_asker"),
        sa.ForeignKeyConstraint(
            ["tenant_id", "session_id"],
            ["sessions.tenant_id", "sessions.id"],
            name="fk_feedback_tenant_id_session_id",
            ondelete="CASCADE",
        ),
    )
    op.create_index("ix_feedback_session", "feedback", ["tenant_id", "session_id"])
    op.create_index("ix_feedback_asker", "feedback", ["tenant_id", "asker"])
    op.create_index(
        "ix_feedback_created_at",
        "feedback",
        ["tenant_id", "created_at"],
        postgresql_include=["chatbot_id", "is_review", "rating", "reason", "language", "model", "prompt_version"],
    )


def _create_reports() -> None:
    op.create_table(
        "improvement_reports",
        sa.Column("tenant_id", sa.Uuid(), nullable=False),
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("chatbot_id", sa.Uuid(), nullable=False),
        sa.Column("first_day", sa.Date(), nullable=False),
        sa.Column("last_day", sa.Date(), nullable=False),
        sa.Column("state", sa.Text(), server_default="queued", nullable=False),
        sa.Column("is_scheduled", sa.Boolean(), server_default=sa.text("false"), nullable=False),
        sa.Column("requested_by", sa.Text(), nullable=False),
        sa.Column("job_id", sa.Uuid()),
        sa.Column("error", sa.Text()),
        sa.Column("content", JSONB(), server_default=_EMPTY_OBJECT, nullable=False),
        _moment("created_at", default=_NOW),
        _moment("finished_at", nullable=True),
        sa.PrimaryKeyConstraint("tenant_id", "id", name="pk_improvement_reports"),
        sa.ForeignKeyConstraint(
            ["tenant_id", "chatbot_id"],
            ["chatbots.tenant_id", "chatbots.id"],
            name="fk_improvement_reports_tenant_id_chatbot_id",
            ondelete="CASCADE",
        ),
    )
    op.create_index("ix_improvement_reports_chatbot", "improvement_reports", ["tenant_id", "chatbot_id", "created_at"])
    op.create_index(
        "uq_improvement_reports_schedule",
        "improvement_reports",
        ["tenant_id", "chatbot_id", "last_day"],
        unique=True,
        postgresql_where=sa.text("is_scheduled"),
    )


def downgrade() -> None:
    for table in reversed(_TABLES):
        op.drop_table(table)
