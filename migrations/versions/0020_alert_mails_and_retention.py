"""Alerts are told by mail too: a channel may be a user. Refresh tokens are found by their sign-in, with which they go.

Questions without an answer are found by their language too.

Revision: 0020.
"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0020"
down_revision = "0019"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.add_column("alert_channels", sa.Column("user_id", sa.Uuid()))
    op.create_foreign_key(
        "fk_alert_channels_tenant_id_user_id_users",
        "alert_channels",
        "users",
        ["tenant_id", "user_id"],
        ["tenant_id", "id"],
        ondelete="CASCADE",
    )
    op.create_index(
        "uq_alert_channels_user",
        "alert_channels",
        ["tenant_id", "user_id"],
        unique=True,
        postgresql_where=sa.text("user_id is not null"),
    )
    op.create_index("ix_refresh_tokens_sign_in_id", "refresh_tokens", ["tenant_id", "sign_in_id"])
    op.create_index(
        "ix_turns_unanswered_language",
        "turns",
        ["tenant_id", "chatbot_id", "language", "created_at"],
        postgresql_where=sa.text("not answered"),
    )


def downgrade() -> None:
    op.drop_index("ix_turns_unanswered_language", "turns")
    op.drop_index("ix_refresh_tokens_sign_in_id", "refresh_tokens")
    op.execute("delete from alert_channels where kind = 'mail'")
    op.drop_index("uq_alert_channels_user", "alert_channels")
    op.drop_constraint("fk_alert_channels_tenant_id_user_id_users", "alert_channels", type_="foreignkey")
    op.drop_column("alert_channels", "user_id")
