"""What was learned of names: finds by chunk, and which document versions were read for them.

Revision: 0006.
"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0006"
down_revision = "0005"
branch_labels = None
depends_on = None

_CURRENT_TENANT = "nullif(current_setting('dragoman.tenant_id', true), '')::uuid"
_TABLES = ("expansion_finds", "expansion_scans")


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
    _create_finds()
    _create_scans()
    for table in _TABLES:
        _isolate(table)


def _create_finds() -> None:
    names = ("kind", "short", "long", "language")
    op.create_table(
        "expansion_finds",
        sa.Column("tenant_id", sa.Uuid(), nullable=False),
        sa.Column("chatbot_id", sa.Uuid(), nullable=False),
        sa.Column("chunk_id", sa.Uuid(), nullable=False),
        *(sa.Column(name, sa.Text(), nullable=False) for name in names),
        sa.PrimaryKeyConstraint(
            "tenant_id", "chatbot_id", "chunk_id", "kind", "short", "long", name="pk_expansion_finds"
        ),
        sa.ForeignKeyConstraint(
            ["tenant_id", "chatbot_id", "chunk_id"],
            ["chunks.tenant_id", "chunks.chatbot_id", "chunks.id"],
            name="fk_expansion_finds_tenant_id_chatbot_id_chunk_id",
            ondelete="CASCADE",
        ),
    )


def _create_scans() -> None:
    op.create_table(
        "expansion_scans",
        sa.Column("tenant_id", sa.Uuid(), nullable=False),
        sa.Column("chatbot_id", sa.Uuid(), nullable=False),
        sa.Column("version_id", sa.Uuid(), nullable=False),
        sa.Column("rules", sa.Integer(), nullable=False),
        sa.Column("scanned_at", sa.DateTime(timezone=True), server_default=sa.text("now()"), nullable=False),
        sa.PrimaryKeyConstraint("tenant_id", "version_id", name="pk_expansion_scans"),
        sa.ForeignKeyConstraint(
            ["tenant_id", "version_id"],
            ["document_versions.tenant_id", "document_versions.id"],
            name="fk_expansion_scans_tenant_id_version_id",
            ondelete="CASCADE",
        ),
    )
    op.create_index("ix_expansion_scans_chatbot", "expansion_scans", ["tenant_id", "chatbot_id"])


def downgrade() -> None:
    for table in _TABLES:
        op.drop_table(table)
