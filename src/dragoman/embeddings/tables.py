"""Tables of embedding versions and of vectors, partitioned by version."""

from __future__ import annotations

from pgvector.sqlalchemy import HALFVEC
from sqlalchemy import (
    BigInteger,
    Column,
    DateTime,
    Double,
    ForeignKeyConstraint,
    Identity,
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
from sqlalchemy.dialects.postgresql import JSONB

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

# Written by the default keyword index (adapters/keyword_index/postgres.py, which tells what the bytes are). Equality of
# uuid and integer is a b-tree look-up that row-level security does not block. A segment holds the postings of what was
# written together, in numbered blocks; a version is part `number` of its segment (of several where it is very long).
keyword_segments = Table(
    "keyword_segments",
    metadata,
    Column("tenant_id", Uuid, nullable=False),
    Column("chatbot_id", Uuid, nullable=False),
    Column("id", Uuid, nullable=False),
    Column("chunk_count", Integer, nullable=False),
    Column("directory", LargeBinary, nullable=False),
    PrimaryKeyConstraint("tenant_id", "chatbot_id", "id"),
)

keyword_postings = Table(
    "keyword_postings",
    metadata,
    Column("tenant_id", Uuid, nullable=False),
    Column("chatbot_id", Uuid, nullable=False),
    Column("segment_id", Uuid, nullable=False),
    Column("number", Integer, nullable=False),
    Column("content", LargeBinary, nullable=False),
    PrimaryKeyConstraint("tenant_id", "chatbot_id", "segment_id", "number"),
)

keyword_versions = Table(
    "keyword_versions",
    metadata,
    Column("tenant_id", Uuid, nullable=False),
    Column("chatbot_id", Uuid, nullable=False),
    Column("version_id", Uuid, nullable=False),
    Column("segment_id", Uuid, nullable=False),
    Column("number", Integer, nullable=False),
    Column("chunk_count", Integer, nullable=False),
    PrimaryKeyConstraint("tenant_id", "version_id", "segment_id"),
    Index("ix_keyword_versions_segment_id", "tenant_id", "chatbot_id", "segment_id"),
)

# How the chunks of a chatbot are searched by vector, one row for each version of vectors that was looked at. `kind` is
# `exact` or `hnsw`; with `hnsw` and state `ready` searches call `search_function`. See `embeddings/indexes/entities.py`.
vector_indexes = Table(
    "vector_indexes",
    metadata,
    Column("tenant_id", Uuid, nullable=False),
    Column("chatbot_id", Uuid, nullable=False),
    Column("embedding_version", Integer, nullable=False),
    Column("kind", Text, nullable=False, server_default="exact"),
    Column("state", Text, nullable=False, server_default="ready"),
    Column("wanted", Text, nullable=False, server_default="auto"),
    Column("search_function", Text),
    Column("index_name", Text),
    Column("m", Integer),
    Column("ef_construction", Integer),
    Column("ef_search", Integer),
    Column("chunks_at_build", Integer),
    Column("chunks_at_check", Integer),
    Column("recall", Double),
    Column("reason", Text, nullable=False, server_default=""),
    Column("seen_revision", BigInteger),
    Column("built_at", DateTime(timezone=True)),
    Column("checked_at", DateTime(timezone=True)),
    Column("updated_at", DateTime(timezone=True), nullable=False, server_default=func.now()),
    PrimaryKeyConstraint("tenant_id", "chatbot_id", "embedding_version"),
    ForeignKeyConstraint(["tenant_id", "chatbot_id"], ["chatbots.tenant_id", "chatbots.id"], ondelete="CASCADE"),
)
