"""Service accounts, roles on single chatbots, widget keys; scopes, rotation and last use of API keys.

Revision: 0014.
"""

from __future__ import annotations

from typing import Any

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

revision = "0014"
down_revision = "0013"
branch_labels = None
depends_on = None

_CURRENT_TENANT = "nullif(current_setting('dragoman.tenant_id', true), '')::uuid"
_TABLES = ("service_accounts", "chatbot_members", "widget_keys")


def _key_columns() -> tuple[sa.Column[Any], ...]:
    """Made anew each time: a column belongs to one table, and migrations may run more than once in a process."""
    return (
        sa.Column("description", sa.Text(), server_default="", nullable=False),
        sa.Column("scopes", postgresql.ARRAY(sa.Text())),
        sa.Column("service_account_id", sa.Uuid()),
        sa.Column("confined", sa.Boolean(), server_default=sa.text("false"), nullable=False),
        sa.Column("rotated_at", sa.DateTime(timezone=True)),
        sa.Column("previous_hash", sa.LargeBinary()),
        sa.Column("previous_until", sa.DateTime(timezone=True)),
        sa.Column("last_used_address", sa.Text()),
    )


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
    op.add_column("chatbots", sa.Column("access", sa.Text(), server_default="tenant", nullable=False))
    op.create_table(
        "service_accounts",
        sa.Column("tenant_id", sa.Uuid(), nullable=False),
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("name", sa.Text(), nullable=False),
        sa.Column("description", sa.Text(), server_default="", nullable=False),
        sa.Column("role", sa.Text(), nullable=False),
        sa.Column("is_active", sa.Boolean(), server_default=sa.text("true"), nullable=False),
        sa.Column("created_by", sa.Text(), nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), server_default=sa.text("now()"), nullable=False),
        sa.PrimaryKeyConstraint("tenant_id", "id", name="pk_service_accounts"),
        sa.UniqueConstraint("tenant_id", "name", name="uq_service_accounts_tenant_id_name"),
        sa.ForeignKeyConstraint(
            ["tenant_id"], ["tenants.id"], name="fk_service_accounts_tenant_id", ondelete="CASCADE"
        ),
    )
    op.create_table(
        "chatbot_members",
        sa.Column("tenant_id", sa.Uuid(), nullable=False),
        sa.Column("chatbot_id", sa.Uuid(), nullable=False),
        sa.Column("member_id", sa.Uuid(), nullable=False),
        sa.Column("user_id", sa.Uuid()),
        sa.Column("service_account_id", sa.Uuid()),
        sa.Column("role", sa.Text(), nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), server_default=sa.text("now()"), nullable=False),
        sa.PrimaryKeyConstraint("tenant_id", "chatbot_id", "member_id", name="pk_chatbot_members"),
        _reference("chatbot_members", "chatbot_id", "chatbots"),
        _reference("chatbot_members", "user_id", "users"),
        _reference("chatbot_members", "service_account_id", "service_accounts"),
    )
    op.create_index("ix_chatbot_members_member", "chatbot_members", ["tenant_id", "member_id"])
    op.create_table(
        "widget_keys",
        sa.Column("tenant_id", sa.Uuid(), nullable=False),
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("chatbot_id", sa.Uuid(), nullable=False),
        sa.Column("name", sa.Text(), nullable=False),
        sa.Column("public_key", sa.Text(), nullable=False),
        sa.Column("origins", postgresql.ARRAY(sa.Text()), nullable=False),
        sa.Column("allows_no_origin", sa.Boolean(), server_default=sa.text("false"), nullable=False),
        sa.Column("created_by", sa.Text(), nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), server_default=sa.text("now()"), nullable=False),
        sa.Column("revoked_at", sa.DateTime(timezone=True)),
        sa.Column("last_used_at", sa.DateTime(timezone=True)),
        sa.PrimaryKeyConstraint("tenant_id", "id", name="pk_widget_keys"),
        sa.UniqueConstraint("tenant_id", "public_key", name="uq_widget_keys_tenant_id_public_key"),
        _reference("widget_keys", "chatbot_id", "chatbots"),
    )
    op.create_index("ix_widget_keys_public_key", "widget_keys", ["public_key"])
    op.create_index("ix_widget_keys_id", "widget_keys", ["id"])
    for table in _TABLES:
        _isolate(table)
    op.execute("create policy system_reads on widget_keys for select to dragoman_system using (true)")
    op.execute("grant select on widget_keys to dragoman_system")
    for column in _key_columns():
        op.add_column("api_keys", column)
    op.create_foreign_key(
        "fk_api_keys_tenant_id_service_account_id",
        "api_keys",
        "service_accounts",
        ["tenant_id", "service_account_id"],
        ["tenant_id", "id"],
        ondelete="CASCADE",
    )
    op.create_index("ix_api_keys_previous_hash", "api_keys", ["previous_hash"])
    op.execute("grant update (last_used_address) on api_keys to dragoman_system")


def _reference(table: str, column: str, target: str) -> sa.ForeignKeyConstraint:
    return sa.ForeignKeyConstraint(
        ["tenant_id", column],
        [f"{target}.tenant_id", f"{target}.id"],
        name=f"fk_{table}_tenant_id_{column}",
        ondelete="CASCADE",
    )


def downgrade() -> None:
    op.drop_index("ix_api_keys_previous_hash", "api_keys")
    op.drop_constraint("fk_api_keys_tenant_id_service_account_id", "api_keys")
    for column in reversed(_key_columns()):
        op.drop_column("api_keys", column.name)
    for table in reversed(_TABLES):
        op.drop_table(table)
    op.drop_column("chatbots", "access")
