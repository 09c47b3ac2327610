"""The query log: a line per search, reactions to its results, and counts by day and by query.

Revision: 0007.
"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

revision = "0007"
down_revision = "0006"
branch_labels = None
depends_on = None

_CURRENT_TENANT = "nullif(current_setting('dragoman.tenant_id', true), '')::uuid"
_ZERO = sa.text("0")
_TABLES = ("searches", "search_reactions", "search_days", "search_queries")


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
    _create_searches()
    _create_reactions()
    _create_days()
    _create_queries()
    for table in _TABLES:
        _isolate(table)


def _of_chatbot(table: str) -> sa.ForeignKeyConstraint:
    return sa.ForeignKeyConstraint(
        ["tenant_id", "chatbot_id"],
        ["chatbots.tenant_id", "chatbots.id"],
        name=f"fk_{table}_tenant_id_chatbot_id",
        ondelete="CASCADE",
    )


def _counts(*names: str) -> list[sa.Column[int]]:
    return [sa.Column(name, sa.Integer(), server_default=_ZERO, nullable=False) for name in names]


def _create_searches() -> None:
    op.create_table(
        "searches",
        sa.Column("tenant_id", sa.Uuid(), nullable=False),
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("chatbot_id", sa.Uuid(), nullable=False),
        sa.Column("origin", sa.Text(), nullable=False),
        sa.Column("asker", sa.LargeBinary(), nullable=False),
        sa.Column("query", sa.LargeBinary(), nullable=False),
        sa.Column("text", sa.Text()),
        sa.Column("characters", sa.Integer(), nullable=False),
        sa.Column("words", sa.Integer(), nullable=False),
        sa.Column("language", sa.Text(), nullable=False),
        sa.Column("mode", sa.Text(), nullable=False),
        sa.Column("first_rank", sa.Integer(), nullable=False),
        sa.Column("results", postgresql.ARRAY(sa.Uuid()), nullable=False),
        sa.Column("total_results", sa.Integer(), nullable=False),
        sa.Column("top_score", sa.Double()),
        sa.Column("is_follow_up", sa.Boolean(), nullable=False),
        sa.Column("is_cached", sa.Boolean(), nullable=False),
        sa.Column("degraded", postgresql.ARRAY(sa.Text()), nullable=False),
        sa.Column("timings_ms", postgresql.JSONB(), nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.PrimaryKeyConstraint("tenant_id", "id", name="pk_searches"),
        _of_chatbot("searches"),
    )


def _create_reactions() -> None:
    op.create_table(
        "search_reactions",
        sa.Column("tenant_id", sa.Uuid(), nullable=False),
        sa.Column("search_id", sa.Uuid(), nullable=False),
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("chunk_id", sa.Uuid()),
        sa.Column("document_id", sa.Uuid()),
        sa.Column("rank", sa.Integer()),
        sa.Column("clicks", sa.Integer(), server_default=_ZERO, nullable=False),
        sa.Column("rating", sa.SmallInteger()),
        sa.Column("created_at", sa.DateTime(timezone=True), server_default=sa.text("now()"), nullable=False),
        sa.PrimaryKeyConstraint("tenant_id", "search_id", "id", name="pk_search_reactions"),
        sa.ForeignKeyConstraint(
            ["tenant_id", "search_id"],
            ["searches.tenant_id", "searches.id"],
            name="fk_search_reactions_tenant_id_search_id",
            ondelete="CASCADE",
        ),
    )


def _create_days() -> None:
    op.create_table(
        "search_days",
        sa.Column("tenant_id", sa.Uuid(), nullable=False),
        sa.Column("chatbot_id", sa.Uuid(), nullable=False),
        sa.Column("day", sa.Date(), nullable=False),
        sa.Column("language", sa.Text(), nullable=False),
        *_counts("searches"),
        sa.Column("results", sa.BigInteger(), server_default=_ZERO, nullable=False),
        *_counts("zero_results", "low_confidence", "follow_ups", "cached", "degraded", "clicked_searches", "clicks"),
        sa.Column("reciprocal_ranks", sa.Double(), server_default=_ZERO, nullable=False),
        *_counts("ratings_up", "ratings_down"),
        sa.Column("slowest_ms", sa.Double(), server_default=_ZERO, nullable=False),
        sa.Column(
            "latencies", postgresql.ARRAY(sa.Integer()), server_default=sa.text("'{}'::integer[]"), nullable=False
        ),
        sa.PrimaryKeyConstraint("tenant_id", "chatbot_id", "day", "language", name="pk_search_days"),
        _of_chatbot("search_days"),
    )


def _create_queries() -> None:
    op.create_table(
        "search_queries",
        sa.Column("tenant_id", sa.Uuid(), nullable=False),
        sa.Column("chatbot_id", sa.Uuid(), nullable=False),
        sa.Column("day", sa.Date(), nullable=False),
        sa.Column("query", sa.LargeBinary(), nullable=False),
        sa.Column("text", sa.Text()),
        sa.Column("language", sa.Text(), nullable=False),
        *_counts("searches", "zero_results", "low_confidence", "clicked_searches", "ratings_up", "ratings_down"),
        sa.PrimaryKeyConstraint("tenant_id", "chatbot_id", "day", "query", name="pk_search_queries"),
        _of_chatbot("search_queries"),
    )


def downgrade() -> None:
    for table in ("search_queries", "search_days", "search_reactions", "searches"):
        op.drop_table(table)
