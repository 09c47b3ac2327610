"""Conversations: archived ones, and branches of one.

Revision: 0010.
"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0010"
down_revision = "0009"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.add_column("sessions", sa.Column("archived_at", sa.DateTime(timezone=True)))
    op.add_column("sessions", sa.Column("leaf_id", sa.Uuid()))


def downgrade() -> None:
    op.drop_column("sessions", "leaf_id")
    op.drop_column("sessions", "archived_at")
