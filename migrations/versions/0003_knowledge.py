"""Knowledge that a company trusts: approval, origin, pages, pictures, near-duplicates, audit events.

Revision: 0003.
"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

revision = "0003"
down_revision = "0002"
branch_labels = None
depends_on = None

_CURRENT_TENANT = "nullif(current_setting('dragoman.tenant_id', true), '')::uuid"
_EMPTY_JSON = sa.text("'{}'::jsonb")


def _isolate(table: str, rights: str = "select, insert, update, delete") -> None:
    """Forced row-level security, as migration 0001 sets it up."""
    op.execute(f"alter table {table} enable row level security")
    op.execute(f"alter table {table} force row level security")
    op.execute(
        f"create policy tenant_isolation on {table} to dragoman_app "
        f"using (tenant_id = {_CURRENT_TENANT}) with check (tenant_id = {_CURRENT_TENANT})"
    )
    op.execute(f"grant {rights} on {table} to dragoman_app")


def _of_version(table: str) -> sa.ForeignKeyConstraint:
    return sa.ForeignKeyConstraint(
        ["tenant_id", "version_id"],
        ["document_versions.tenant_id", "document_versions.id"],
        name=f"fk_{table}_tenant_id_version_id",
        ondelete="CASCADE",
    )


def upgrade() -> None:
    op.add_column("documents", sa.Column("source", sa.Text(), server_default="upload", nullable=False))
    op.add_column("documents", sa.Column("source_url", sa.Text()))
    op.add_column("documents", sa.Column("connector_id", sa.Uuid()))
    op.create_index(
        "ix_documents_connector",
        "documents",
        ["tenant_id", "connector_id"],
        postgresql_where=sa.text("connector_id is not null"),
    )
    for column in (
        sa.Column("uploaded_by", sa.Text(), server_default="", nullable=False),
        sa.Column("approval", sa.Text(), server_default="approved", nullable=False),
        sa.Column("approval_reason", sa.Text()),
        sa.Column("decided_by", sa.Text()),
        sa.Column("decided_at", sa.DateTime(timezone=True)),
        sa.Column("made_from", sa.Uuid()),
        sa.Column("reuse_vectors", sa.Boolean(), server_default=sa.text("true"), nullable=False),
        sa.Column("reused_chunks", sa.Integer(), server_default=sa.text("0"), nullable=False),
        sa.Column("quality_score", sa.Double()),
        sa.Column("pii", postgresql.JSONB(), server_default=_EMPTY_JSON, nullable=False),
        sa.Column("signature", sa.LargeBinary()),
    ):
        op.add_column("document_versions", column)
    op.create_index("ix_document_versions_uploaded_by", "document_versions", ["tenant_id", "uploaded_by", "created_at"])
    op.create_index("ix_document_versions_blob_key", "document_versions", ["tenant_id", "blob_key"])
    op.add_column(
        "chunks",
        sa.Column("image_ids", postgresql.ARRAY(sa.Uuid()), server_default=sa.text("'{}'::uuid[]"), nullable=False),
    )
    op.add_column("chunks", sa.Column("provenance", postgresql.JSONB(), server_default=_EMPTY_JSON, nullable=False))
    _create_tables()
    for table in ("document_pages", "document_images", "document_bands"):
        _isolate(table)
    _isolate("audit_events", "select, insert")


def _create_tables() -> None:
    op.create_table(
        "document_pages",
        sa.Column("tenant_id", sa.Uuid(), nullable=False),
        sa.Column("version_id", sa.Uuid(), nullable=False),
        sa.Column("ordinal", sa.Integer(), nullable=False),
        sa.Column("number", sa.Integer()),
        sa.Column("text", sa.Text(), nullable=False),
        sa.Column("start_offset", sa.Integer(), nullable=False),
        sa.Column("ocr", sa.Boolean(), server_default=sa.text("false"), nullable=False),
        sa.Column("confidence", sa.Double()),
        sa.PrimaryKeyConstraint("tenant_id", "version_id", "ordinal", name="pk_document_pages"),
        _of_version("document_pages"),
    )
    op.create_table(
        "document_images",
        sa.Column("tenant_id", sa.Uuid(), nullable=False),
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("chatbot_id", sa.Uuid(), nullable=False),
        sa.Column("document_id", sa.Uuid(), nullable=False),
        sa.Column("version_id", sa.Uuid(), nullable=False),
        sa.Column("ordinal", sa.Integer(), nullable=False),
        sa.Column("page", sa.Integer()),
        sa.Column("blob_key", sa.Text(), nullable=False),
        sa.Column("mime_type", sa.Text(), nullable=False),
        sa.Column("width", sa.Integer(), nullable=False),
        sa.Column("height", sa.Integer(), nullable=False),
        sa.Column("size_bytes", sa.BigInteger(), nullable=False),
        sa.Column("description", sa.Text(), server_default="", nullable=False),
        sa.PrimaryKeyConstraint("tenant_id", "id", name="pk_document_images"),
        _of_version("document_images"),
    )
    op.create_index("ix_document_images_version", "document_images", ["tenant_id", "version_id", "ordinal"])
    op.create_index("ix_document_images_blob_key", "document_images", ["tenant_id", "blob_key"])
    op.create_table(
        "document_bands",
        sa.Column("tenant_id", sa.Uuid(), nullable=False),
        sa.Column("chatbot_id", sa.Uuid(), nullable=False),
        sa.Column("band", sa.BigInteger(), nullable=False),
        sa.Column("version_id", sa.Uuid(), nullable=False),
        sa.PrimaryKeyConstraint("tenant_id", "chatbot_id", "band", "version_id", name="pk_document_bands"),
        _of_version("document_bands"),
    )
    op.create_index("ix_document_bands_version", "document_bands", ["tenant_id", "version_id"])
    op.create_table(
        "audit_events",
        sa.Column("tenant_id", sa.Uuid(), nullable=False),
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("actor", sa.Text(), nullable=False),
        sa.Column("action", sa.Text(), nullable=False),
        sa.Column("subject_type", sa.Text(), nullable=False),
        sa.Column("subject_id", sa.Uuid()),
        sa.Column("details", postgresql.JSONB(), server_default=_EMPTY_JSON, nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), server_default=sa.text("now()"), nullable=False),
        sa.ForeignKeyConstraint(["tenant_id"], ["tenants.id"], name="fk_audit_events_tenant_id", ondelete="CASCADE"),
        sa.PrimaryKeyConstraint("tenant_id", "id", name="pk_audit_events"),
    )
    op.create_index("ix_audit_events_subject", "audit_events", ["tenant_id", "subject_id", "id"])


def downgrade() -> None:
    for table in ("audit_events", "document_bands", "document_images", "document_pages"):
        op.drop_table(table)
    op.drop_column("chunks", "provenance")
    op.drop_column("chunks", "image_ids")
    op.drop_index("ix_document_versions_blob_key", "document_versions")
    op.drop_index("ix_document_versions_uploaded_by", "document_versions")
    for name in (
        "signature",
        "pii",
        "quality_score",
        "reused_chunks",
        "reuse_vectors",
        "made_from",
        "decided_at",
        "decided_by",
        "approval_reason",
        "approval",
        "uploaded_by",
    ):
        op.drop_column("document_versions", name)
    op.drop_index("ix_documents_connector", "documents")
    for name in ("connector_id", "source_url", "source"):
        op.drop_column("documents", name)
