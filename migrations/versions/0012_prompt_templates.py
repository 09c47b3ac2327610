"""Prompt templates: versions of the system message that a chatbot's owner writes.

Revision: 0012.
"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0012"
down_revision = "0011"
branch_labels = None
depends_on = None

_CURRENT_TENANT = "nullif(current_setting('dragoman.tenant_id', true), '')::uuid"


def upgrade() -> None:
    op.create_table(
        "prompt_templates",
        sa.Column("tenant_id", sa.Uuid(), nullable=False),
        sa.Column("chatbot_id", sa.Uuid(), nullable=False),
        sa.Column("version", sa.Integer(), nullable=False),
        sa.Column("text", sa.Text(), nullable=False),
        sa.Column("note", sa.Text(), server_default=sa.text("''"), nullable=False),
        sa.Column("created_by", sa.Text(), nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), server_default=sa.text("now()"), nullable=False),
        sa.PrimaryKeyConstraint("tenant_id", "chatbot_id", "version", name="pk_prompt_templates"),
        sa.ForeignKeyConstraint(
            ["tenant_id", "chatbot_id"],
            ["chatbots.tenant_id", "chatbots.id"],
            name="fk_prompt_templates_tenant_id_chatbot_id",
            ondelete="CASCADE",
        ),
    )
    op.execute("alter table prompt_templates enable row level security")
    op.execute("alter table prompt_templates force row level security")
    op.execute(
        "create policy tenant_isolation on prompt_templates to dragoman_app "
        f"using (tenant_id = {_CURRENT_TENANT}) with check (tenant_id = {_CURRENT_TENANT})"
    )
    op.execute("grant select, insert, update, delete on prompt_templates to dragoman_app")


def downgrade() -> None:
    op.drop_table("prompt_templates")
