"""Tables of what was searched: a line per search, what became of its results, and daily counts without text or ids."""

from __future__ import annotations

from sqlalchemy import (
    BigInteger,
    Boolean,
    Column,
    Date,
    DateTime,
    Double,
    ForeignKeyConstraint,
    Integer,
    LargeBinary,
    PrimaryKeyConstraint,
    SmallInteger,
    Table,
    Text,
    Uuid,
    func,
    text,
)
from sqlalchemy.dialects.postgresql import ARRAY, JSONB

from dragoman.kit.database import metadata

_ZERO = text("0")

# `asker` and `query` are keyed hashes; `text` is empty where the chatbot keeps none.
searches = Table(
    "searches",
    metadata,
    Column("tenant_id", Uuid, nullable=False),
    Column("id", Uuid, nullable=False),
    Column("chatbot_id", Uuid, nullable=False),
    Column("origin", Text, nullable=False),
    Column("asker", LargeBinary, nullable=False),
    Column("query", LargeBinary, nullable=False),
    Column("text", Text),
    Column("characters", Integer, nullable=False),
    Column("words", Integer, nullable=False),
    Column("language", Text, nullable=False),
    Column("mode", Text, nullable=False),
    Column("first_rank", Integer, nullable=False),
    Column("results", ARRAY(Uuid), nullable=False),
    Column("total_results", Integer, nullable=False),
    Column("top_score", Double),
    Column("is_follow_up", Boolean, nullable=False),
    Column("is_cached", Boolean, nullable=False),
    Column("degraded", ARRAY(Text), nullable=False),
    Column("timings_ms", JSONB, nullable=False),
    Column("created_at", DateTime(timezone=True), nullable=False),
    PrimaryKeyConstraint("tenant_id", "id"),
    ForeignKeyConstraint(["tenant_id", "chatbot_id"], ["chatbots.tenant_id", "chatbots.id"], ondelete="CASCADE"),
)

# A result that was opened (`clicks`) or rated, or with the search as a whole rated (`chunk_id` empty).
search_reactions = Table(
    "search_reactions",
    metadata,
    Column("tenant_id", Uuid, nullable=False),
    Column("search_id", Uuid, nullable=False),
    Column("id", Uuid, nullable=False),
    Column("chunk_id", Uuid),
    Column("document_id", Uuid),
    Column("rank", Integer),
    Column("clicks", Integer, nullable=False, server_default=_ZERO),
    Column("rating", SmallInteger),
    Column("created_at", DateTime(timezone=True), nullable=False, server_default=func.now()),
    PrimaryKeyConstraint("tenant_id", "search_id", "id"),
    ForeignKeyConstraint(["tenant_id", "search_id"], ["searches.tenant_id", "searches.id"], ondelete="CASCADE"),
)

# `language` is empty for all languages together; `latencies` as `latency.py` lays it out.
search_days = Table(
    "search_days",
    metadata,
    Column("tenant_id", Uuid, nullable=False),
    Column("chatbot_id", Uuid, nullable=False),
    Column("day", Date, nullable=False),
    Column("language", Text, nullable=False),
    Column("searches", Integer, nullable=False, server_default=_ZERO),
    Column("results", BigInteger, nullable=False, server_default=_ZERO),
    Column("zero_results", Integer, nullable=False, server_default=_ZERO),
    Column("low_confidence", Integer, nullable=False, server_default=_ZERO),
    Column("follow_ups", Integer, nullable=False, server_default=_ZERO),
    Column("cached", Integer, nullable=False, server_default=_ZERO),
    Column("degraded", Integer, nullable=False, server_default=_ZERO),
    Column("clicked_searches", Integer, nullable=False, server_default=_ZERO),
    Column("clicks", Integer, nullable=False, server_default=_ZERO),
    Column("reciprocal_ranks", Double, nullable=False, server_default=_ZERO),
    Column("ratings_up", Integer, nullable=False, server_default=_ZERO),
    Column("ratings_down", Integer, nullable=False, server_default=_ZERO),
    Column("slowest_ms", Double, nullable=False, server_default=_ZERO),
    Column("latencies", ARRAY(Integer), nullable=False, server_default=text("'{}'::integer[]")),
    PrimaryKeyConstraint("tenant_id", "chatbot_id", "day", "language"),
    ForeignKeyConstraint(["tenant_id", "chatbot_id"], ["chatbots.tenant_id", "chatbots.id"], ondelete="CASCADE"),
)

search_queries = Table(
    "search_queries",
    metadata,
    Column("tenant_id", Uuid, nullable=False),
    Column("chatbot_id", Uuid, nullable=False),
    Column("day", Date, nullable=False),
    Column("query", LargeBinary, nullable=False),
    Column("text", Text),
    Column("language", Text, nullable=False),
    Column("searches", Integer, nullable=False, server_default=_ZERO),
    Column("zero_results", Integer, nullable=False, server_default=_ZERO),
    Column("low_confidence", Integer, nullable=False, server_default=_ZERO),
    Column("clicked_searches", Integer, nullable=False, server_default=_ZERO),
    Column("ratings_up", Integer, nullable=False, server_default=_ZERO),
    Column("ratings_down", Integer, nullable=False, server_default=_ZERO),
    PrimaryKeyConstraint("tenant_id", "chatbot_id", "day", "query"),
    ForeignKeyConstraint(["tenant_id", "chatbot_id"], ["chatbots.tenant_id", "chatbots.id"], ondelete="CASCADE"),
)
