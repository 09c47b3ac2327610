"""Tables of embedding versions and of vectors, partitioned by version."""

from __future__ import annotations

from pgvector.sqlalchemy import HALFVEC
from sqlalchemy import (
    BigInteger,
    Column,
    DateTime,
    Identity,
    Index,
    Integer,
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

# Global: a version describes a model, holds no tenant's data, and may serve many tenants.
embedding_versions = Table(
    "embedding_versions",
    metadata,
    Column("id", Integer, Identity(always=True), primary_key=True),
    Column("name", Text, nullable=False),
    Column("adapter", Text, nullable=False),
    Column("model", Text, nullable=False),
    Column("dimensions", Integer, nullable=False),
    Column("max_tokens", Integer, nullable=False),
    Column("calibration", JSONB, nullable=False),
    Column("confidence", JSONB, nullable=False),
    Column("state", Text, nullable=False, server_default="live"),
    Column("settings", JSONB, nullable=False, server_default=text("'{}'::jsonb")),
    Column("created_at", DateTime(timezone=True), nullable=False, server_default=func.now()),
    UniqueConstraint("name"),
)

chunk_embeddings = Table(
    "chunk_embeddings",
    metadata,
    Column("tenant_id", Uuid, nullable=False),
    Column("chatbot_id", Uuid, nullable=False),
    Column("embedding_version", Integer, nullable=False),
    Column("chunk_id", Uuid, nullable=False),
    Column("document_id", Uuid, nullable=False),
    Column("version_id", Uuid, nullable=False),
    Column("embedding", HALFVEC, nullable=False),
    PrimaryKeyConstraint("tenant_id", "chatbot_id", "embedding_version", "chunk_id"),
    Index("ix_chunk_embeddings_version_id", "tenant_id", "version_id"),
    postgresql_partition_by="LIST (embedding_version)",
)

sentence_embeddings = Table(
    "sentence_embeddings",
    metadata,
    Column("tenant_id", Uuid, nullable=False),
    Column("chatbot_id", Uuid, nullable=False),
    Column("embedding_version", Integer, nullable=False),
    Column("chunk_id", Uuid, nullable=False),
    Column("start_offset", Integer, nullable=False),
    Column("end_offset", Integer, nullable=False),
    Column("document_id", Uuid, nullable=False),
    Column("version_id", Uuid, nullable=False),
    Column("embedding", HALFVEC, nullable=False),
    PrimaryKeyConstraint("tenant_id", "chatbot_id", "embedding_version", "chunk_id", "start_offset"),
    Index("ix_sentence_embeddings_version_id", "tenant_id", "version_id"),
    postgresql_partition_by="LIST (embedding_version)",
)

# Written by the default keyword index (adapters/keyword_index/postgres.py): one row per term and document version,
# with the chunks that hold the term. Equality on (tenant, chatbot, term) is a b-tree look-up that row-level security
# does not block; a version's rows go with the version. A posting is one bigint: ordinal << 32 | frequency << 20 | length
# of the chunk in terms. Row and index entries take 203 bytes (303 with three arrays and the document's id).
keyword_postings = Table(
    "keyword_postings",
    metadata,
    Column("tenant_id", Uuid, nullable=False),
    Column("chatbot_id", Uuid, nullable=False),
    Column("term", Text, nullable=False),
    Column("version_id", Uuid, nullable=False),
    Column("postings", ARRAY(BigInteger), nullable=False),
    PrimaryKeyConstraint("tenant_id", "chatbot_id", "term", "version_id"),
    Index("ix_keyword_postings_version_id", "tenant_id", "version_id"),
)
