"""Postings packed in blocks: about a tenth of the rows and of the bytes.

The old rows do not tell enough to make the new ones of them. They are dropped; what the keyword index then lacks
(`list_missing`) is added again from the chunks, in the background.

Revision: 0009.
"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

revision = "0009"
down_revision = "0008"
branch_labels = None
depends_on = None

_CURRENT_TENANT = "nullif(current_setting('dragoman.tenant_id', true), '')::uuid"
_TABLES = ("keyword_segments", "keyword_postings", "keyword_versions")
_FORGET_CHATBOT = """
create or replace function forget_chatbot() returns trigger language plpgsql as $$
begin
    {tables}
    delete from chunk_embeddings where tenant_id = old.tenant_id and chatbot_id = old.id;
    delete from sentence_embeddings where tenant_id = old.tenant_id and chatbot_id = old.id;
    delete from document_bands where tenant_id = old.tenant_id and chatbot_id = old.id;
    return null;
end $$
"""


def _forget_chatbot(tables: tuple[str, ...]) -> str:
    deletes = (f"delete from {name} where tenant_id = old.tenant_id and chatbot_id = old.id;" for name in tables)
    return _FORGET_CHATBOT.format(tables="\n    ".join(deletes))


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
    op.drop_table("keyword_postings")
    op.drop_column("document_versions", "keyword_length")
    op.create_table(
        "keyword_segments",
        sa.Column("tenant_id", sa.Uuid(), nullable=False),
        sa.Column("chatbot_id", sa.Uuid(), nullable=False),
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("chunk_count", sa.Integer(), nullable=False),
        sa.Column("directory", sa.LargeBinary(), nullable=False),
        sa.PrimaryKeyConstraint("tenant_id", "chatbot_id", "id", name="pk_keyword_segments"),
    )
    op.create_table(
        "keyword_postings",
        sa.Column("tenant_id", sa.Uuid(), nullable=False),
        sa.Column("chatbot_id", sa.Uuid(), nullable=False),
        sa.Column("segment_id", sa.Uuid(), nullable=False),
        sa.Column("number", sa.Integer(), nullable=False),
        sa.Column("content", sa.LargeBinary(), nullable=False),
        sa.PrimaryKeyConstraint("tenant_id", "chatbot_id", "segment_id", "number", name="pk_keyword_postings"),
    )
    op.create_table(
        "keyword_versions",
        sa.Column("tenant_id", sa.Uuid(), nullable=False),
        sa.Column("chatbot_id", sa.Uuid(), nullable=False),
        sa.Column("version_id", sa.Uuid(), nullable=False),
        sa.Column("segment_id", sa.Uuid(), nullable=False),
        sa.Column("number", sa.Integer(), nullable=False),
        sa.Column("chunk_count", sa.Integer(), nullable=False),
        sa.PrimaryKeyConstraint("tenant_id", "version_id", "segment_id", name="pk_keyword_versions"),
    )
    op.create_index(
        "ix_keyword_versions_segment_id", "keyword_versions", ["tenant_id", "chatbot_id", "segment_id"], unique=False
    )
    op.create_index(
        "ix_documents_private",
        "documents",
        ["tenant_id", "chatbot_id", "owner"],
        postgresql_where=sa.text("visibility = 'private'"),
    )
    for table, column in (("keyword_segments", "directory"), ("keyword_postings", "content")):
        op.execute(f"alter table {table} alter column {column} set storage external")  # it is packed already
    for table in _TABLES:
        _isolate(table)
    op.execute(_forget_chatbot(_TABLES))


def downgrade() -> None:
    op.drop_index("ix_documents_private", "documents")
    for table in _TABLES:
        op.drop_table(table)
    op.add_column(
        "document_versions",
        sa.Column("keyword_length", sa.BigInteger(), server_default=sa.text("0"), nullable=False),
    )
    op.create_table(
        "keyword_postings",
        sa.Column("tenant_id", sa.Uuid(), nullable=False),
        sa.Column("chatbot_id", sa.Uuid(), nullable=False),
        sa.Column("term", sa.Text(), nullable=False),
        sa.Column("version_id", sa.Uuid(), nullable=False),
        sa.Column("postings", postgresql.ARRAY(sa.BigInteger()), nullable=False),
        sa.PrimaryKeyConstraint("tenant_id", "chatbot_id", "term", "version_id", name="pk_keyword_postings"),
    )
    op.create_index("ix_keyword_postings_version_id", "keyword_postings", ["tenant_id", "version_id"], unique=False)
    _isolate("keyword_postings")
    op.execute(_forget_chatbot(("keyword_postings",)))
