"""Budgets, what was spent of them, and whose conversation a model call belongs to.

Revision: 0011.
"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0011"
down_revision = "0010"
branch_labels = None
depends_on = None

_CURRENT_TENANT = "nullif(current_setting('dragoman.tenant_id', true), '')::uuid"
_TABLES = ("budgets", "budget_spending")


def _isolate(table: str) -> None:
    """Forced row-level security, as migration 0001 sets it up."""
    op.execute(f"alter table {table} enable row level security")
    op.execute(f"alter table {table} force row level security")
    op.execute(
        f"create policy tenant_isolation on {table} to dragoman_app "
        f"using (tenant_id = {_CURRENT_TENANT}) with check (tenant_id = {_CURRENT_TENANT})"
    )
    op.execute(f"grant select, insert, update, delete on {table} to dragoman_app")


def upgrade() -> None:
    op.add_column("usage_records", sa.Column("kind", sa.Text(), server_default=sa.text("'llm'"), nullable=False))
    op.add_column("usage_records", sa.Column("asker", sa.Text()))
    op.add_column("usage_records", sa.Column("session_id", sa.Uuid()))
    op.create_index("ix_usage_records_tenant_created_at", "usage_records", ["tenant_id", "created_at"])
    op.create_index(
        "ix_usage_records_session_id",
        "usage_records",
        ["tenant_id", "session_id"],
        postgresql_where=sa.text("session_id is not null"),
    )
    op.create_table(
        "budgets",
        sa.Column("tenant_id", sa.Uuid(), nullable=False),
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("scope", sa.Text(), nullable=False),
        sa.Column("subject", sa.Text(), server_default=sa.text("''"), nullable=False),
        sa.Column("period", sa.Text(), nullable=False),
        sa.Column("limit_usd", sa.Numeric(18, 6), nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), server_default=sa.text("now()"), nullable=False),
        sa.Column("updated_at", sa.DateTime(timezone=True), server_default=sa.text("now()"), nullable=False),
        sa.PrimaryKeyConstraint("tenant_id", "id", name="pk_budgets"),
        sa.UniqueConstraint(
            "tenant_id", "scope", "subject", "period", name="uq_budgets_tenant_id_scope_subject_period"
        ),
        sa.ForeignKeyConstraint(["tenant_id"], ["tenants.id"], name="fk_budgets_tenant_id", ondelete="CASCADE"),
        sa.CheckConstraint("limit_usd >= 0", name="ck_budgets_limit_usd"),
    )
    op.create_table(
        "budget_spending",
        sa.Column("tenant_id", sa.Uuid(), nullable=False),
        sa.Column("scope", sa.Text(), nullable=False),
        sa.Column("subject", sa.Text(), nullable=False),
        sa.Column("period", sa.Text(), nullable=False),
        sa.Column("starts_on", sa.Date(), nullable=False),
        sa.Column("spent_usd", sa.Numeric(18, 9), server_default=sa.text("0"), nullable=False),
        sa.Column("warned_at", sa.DateTime(timezone=True)),
        sa.Column("exhausted_at", sa.DateTime(timezone=True)),
        sa.PrimaryKeyConstraint("tenant_id", "scope", "subject", "period", "starts_on", name="pk_budget_spending"),
        sa.ForeignKeyConstraint(["tenant_id"], ["tenants.id"], name="fk_budget_spending_tenant_id", ondelete="CASCADE"),
    )
    for table in _TABLES:
        _isolate(table)


def downgrade() -> None:
    for table in reversed(_TABLES):
        op.drop_table(table)
    op.drop_index("ix_usage_records_session_id", "usage_records")
    op.drop_index("ix_usage_records_tenant_created_at", "usage_records")
    for column in ("session_id", "asker", "kind"):
        op.drop_column("usage_records", column)
