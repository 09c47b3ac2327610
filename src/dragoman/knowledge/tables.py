"""Tables of documents, their versions, pages, pictures and chunks."""

from __future__ import annotations

from sqlalchemy import (
    BigInteger,
    Boolean,
    Column,
    DateTime,
    Double,
    ForeignKeyConstraint,
    Index,
    Integer,
    LargeBinary,
    PrimaryKeyConstraint,
    Table,
    Text,
    UniqueConstraint,
    Uuid,
    func,
    text,
)
from sqlalchemy.dialects.postgresql import ARRAY, JSONB

from dragoman.kit.database import metadata

documents = Table(
    "documents",
    metadata,
    Column("tenant_id", Uuid, nullable=False),
    Column("id", Uuid, nullable=False),
    Column("chatbot_id", Uuid, nullable=False),
    Column("title", Text, nullable=False),
    Column("file_name", Text, nullable=False),
    Column("external_id", Text),
    Column("content_type", Text, nullable=False, server_default="document"),
    Column("category", Text, nullable=False, server_default=""),
    Column("tags", ARRAY(Text), nullable=False, server_default=text("'{}'::text[]")),
    Column("visibility", Text, nullable=False, server_default="shared"),
    Column("owner", Text, nullable=False),
    Column("state", Text, nullable=False),
    Column("live_version_id", Uuid),
    Column("source", Text, nullable=False, server_default="upload"),
    Column("source_url", Text),
    Column("connector_id", Uuid),
    Column("metadata", JSONB, nullable=False, server_default=text("'{}'::jsonb")),
    Column("created_at", DateTime(timezone=True), nullable=False, server_default=func.now()),
    Column("updated_at", DateTime(timezone=True), nullable=False, server_default=func.now()),
    Column("deleted_at", DateTime(timezone=True)),
    PrimaryKeyConstraint("tenant_id", "id"),
    ForeignKeyConstraint(["tenant_id", "chatbot_id"], ["chatbots.tenant_id", "chatbots.id"], ondelete="CASCADE"),
    Index("ix_documents_chatbot", "tenant_id", "chatbot_id", "id"),
    Index("ix_documents_private", "tenant_id", "chatbot_id", "owner", postgresql_where=text("visibility = 'private'")),
    Index("ix_documents_connector", "tenant_id", "connector_id", postgresql_where=text("connector_id is not null")),
    Index(
        "uq_documents_external_id",
        "tenant_id",
        "chatbot_id",
        "external_id",
        unique=True,
        postgresql_where=text("external_id is not null and deleted_at is null"),
    ),
)

document_versions = Table(
    "document_versions",
    metadata,
    Column("tenant_id", Uuid, nullable=False),
    Column("id", Uuid, nullable=False),
    Column("chatbot_id", Uuid, nullable=False),
    Column("document_id", Uuid, nullable=False),
    Column("number", Integer, nullable=False),
    Column("state", Text, nullable=False),
    Column("job_id", Uuid),
    Column("mime_type", Text, nullable=False),
    Column("size_bytes", BigInteger, nullable=False),
    Column("content_hash", Text, nullable=False),
    Column("blob_key", Text, nullable=False),
    # Title, file name and labels as this version has them; the document takes them over when the version goes live.
    Column("described_as", JSONB, nullable=False, server_default=text("'{}'::jsonb")),
    Column("language", Text),
    Column("languages", ARRAY(Text), nullable=False, server_default=text("'{}'::text[]")),
    Column("page_count", Integer),
    Column("chunk_count", Integer, nullable=False, server_default=text("0")),
    Column("token_count", Integer, nullable=False, server_default=text("0")),
    Column("quality", JSONB, nullable=False, server_default=text("'{}'::jsonb")),
    Column("error_code", Text),
    Column("error_message", Text),
    Column("created_at", DateTime(timezone=True), nullable=False, server_default=func.now()),
    Column("ready_at", DateTime(timezone=True)),
    Column("uploaded_by", Text, nullable=False, server_default=""),
    Column("approval", Text, nullable=False, server_default="approved"),
    Column("approval_reason", Text),
    Column("decided_by", Text),
    Column("decided_at", DateTime(timezone=True)),
    # A version made without an upload: from which one, and whether vectors of unchanged chunks may be taken over.
    Column("made_from", Uuid),
    Column("reuse_vectors", Boolean, nullable=False, server_default=text("true")),
    Column("reused_chunks", Integer, nullable=False, server_default=text("0")),
    Column("quality_score", Double),
    Column("pii", JSONB, nullable=False, server_default=text("'{}'::jsonb")),
    Column("signature", LargeBinary),
    PrimaryKeyConstraint("tenant_id", "id"),
    UniqueConstraint("tenant_id", "document_id", "number"),
    ForeignKeyConstraint(["tenant_id", "document_id"], ["documents.tenant_id", "documents.id"], ondelete="CASCADE"),
    Index("ix_document_versions_content_hash", "tenant_id", "chatbot_id", "content_hash"),
    Index("ix_document_versions_uploaded_by", "tenant_id", "uploaded_by", "created_at"),
    Index("ix_document_versions_blob_key", "tenant_id", "blob_key"),
)

document_pages = Table(
    "document_pages",
    metadata,
    Column("tenant_id", Uuid, nullable=False),
    Column("version_id", Uuid, nullable=False),
    Column("ordinal", Integer, nullable=False),
    Column("number", Integer),
    Column("text", Text, nullable=False),
    Column("start_offset", Integer, nullable=False),
    Column("ocr", Boolean, nullable=False, server_default=text("false")),
    Column("confidence", Double),
    PrimaryKeyConstraint("tenant_id", "version_id", "ordinal"),
    ForeignKeyConstraint(
        ["tenant_id", "version_id"], ["document_versions.tenant_id", "document_versions.id"], ondelete="CASCADE"
    ),
)

document_images = Table(
    "document_images",
    metadata,
    Column("tenant_id", Uuid, nullable=False),
    Column("id", Uuid, nullable=False),
    Column("chatbot_id", Uuid, nullable=False),
    Column("document_id", Uuid, nullable=False),
    Column("version_id", Uuid, nullable=False),
    Column("ordinal", Integer, nullable=False),
    Column("page", Integer),
    Column("blob_key", Text, nullable=False),
    Column("mime_type", Text, nullable=False),
    Column("width", Integer, nullable=False),
    Column("height", Integer, nullable=False),
    Column("size_bytes", BigInteger, nullable=False),
    Column("description", Text, nullable=False, server_default=""),
    PrimaryKeyConstraint("tenant_id", "id"),
    ForeignKeyConstraint(
        ["tenant_id", "version_id"], ["document_versions.tenant_id", "document_versions.id"], ondelete="CASCADE"
    ),
    Index("ix_document_images_version", "tenant_id", "version_id", "ordinal"),
    Index("ix_document_images_blob_key", "tenant_id", "blob_key"),
)

# Bands of MinHash signatures: two texts that share one are probably alike (locality-sensitive hashing). They go with
# their chatbot by a trigger, as index rows do (see `embeddings/tables.py`).
document_bands = Table(
    "document_bands",
    metadata,
    Column("tenant_id", Uuid, nullable=False),
    Column("chatbot_id", Uuid, nullable=False),
    Column("band", BigInteger, nullable=False),
    Column("version_id", Uuid, nullable=False),
    PrimaryKeyConstraint("tenant_id", "chatbot_id", "band", "version_id"),
    Index("ix_document_bands_version", "tenant_id", "version_id"),
)

chunks = Table(
    "chunks",
    metadata,
    Column("tenant_id", Uuid, nullable=False),
    Column("chatbot_id", Uuid, nullable=False),
    Column("id", Uuid, nullable=False),
    Column("document_id", Uuid, nullable=False),
    Column("version_id", Uuid, nullable=False),
    Column("ordinal", Integer, nullable=False),
    Column("text", Text, nullable=False),
    Column("language", Text, nullable=False),
    Column("kind", Text, nullable=False, server_default="text"),
    Column("heading_path", ARRAY(Text), nullable=False, server_default=text("'{}'::text[]")),
    Column("page", Integer),
    Column("start_offset", Integer, nullable=False),
    Column("end_offset", Integer, nullable=False),
    Column("token_count", Integer, nullable=False),
    Column("content_hash", Text, nullable=False),
    Column("image_ids", ARRAY(Uuid), nullable=False, server_default=text("'{}'::uuid[]")),
    Column("provenance", JSONB, nullable=False, server_default=text("'{}'::jsonb")),
    PrimaryKeyConstraint("tenant_id", "chatbot_id", "id"),
    UniqueConstraint("tenant_id", "version_id", "ordinal"),
    ForeignKeyConstraint(
        ["tenant_id", "version_id"], ["document_versions.tenant_id", "document_versions.id"], ondelete="CASCADE"
    ),
)
