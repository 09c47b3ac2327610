"""Tables of what happened (facts, until they are counted), of the counts, and of the documents that answers cite."""

from __future__ import annotations

from sqlalchemy import (
    REAL,
    BigInteger,
    Column,
    Date,
    DateTime,
    Double,
    ForeignKeyConstraint,
    Identity,
    Integer,
    PrimaryKeyConstraint,
    Table,
    Text,
    Uuid,
    text,
)
from sqlalchemy.dialects.postgresql import ARRAY, JSONB

from dragoman.kit.database import metadata

# Written by triggers in the transaction of what they tell of (migration 0018), taken by `rollup.py`: no row stays long.
insight_facts = Table(
    "insight_facts",
    metadata,
    Column("tenant_id", Uuid, nullable=False),
    Column("id", BigInteger, Identity(always=True), nullable=False),
    Column("chatbot_id", Uuid),
    Column("kind", Text, nullable=False),
    Column("at", DateTime(timezone=True), nullable=False),
    Column("facts", JSONB, nullable=False),
    PrimaryKeyConstraint("tenant_id", "id"),
    ForeignKeyConstraint(["tenant_id"], ["tenants.id"], ondelete="CASCADE"),
)

COUNTED = (
    "turns",
    "answered",
    "interrupted",
    "degraded",
    "cached_exact",
    "cached_similar",
    "input_tokens",
    "output_tokens",
    "calls",
    "failed_calls",
    "searches",
    "zero_results",
    "low_confidence",
    "searches_cached",
    "searches_degraded",
    "jobs",
    "failed_jobs",
    "documents",
    "failed_documents",
    "rated_up",
    "rated_down",
)
"""Whole numbers that are added up."""
SPENT = ("answer_cost_usd", "saved_usd", "cost_usd")
"""US dollars that are added up."""

# `chatbot_id` is the nil UUID for what belongs to none. A grain is `minute`, `hour` or `day` (UTC); `dimension` and `value`
# say of what: `all` and an empty value, `language` and its code, `model`, `answerer`, `rung`, `error`, `job`, `step`.
insight_counts = Table(
    "insight_counts",
    metadata,
    Column("tenant_id", Uuid, nullable=False),
    Column("chatbot_id", Uuid, nullable=False),
    Column("grain", Text, nullable=False),
    Column("dimension", Text, nullable=False),
    Column("starts_at", DateTime(timezone=True), nullable=False),
    Column("value", Text, nullable=False),
    *(Column(name, BigInteger, nullable=False, server_default=text("0")) for name in COUNTED),
    *(Column(name, Double, nullable=False, server_default=text("0")) for name in SPENT),
    Column("latencies", ARRAY(REAL)),  # as `sketch.py` lays it out; null where nothing was timed
    PrimaryKeyConstraint("tenant_id", "chatbot_id", "grain", "dimension", "starts_at", "value"),
    ForeignKeyConstraint(["tenant_id"], ["tenants.id"], ondelete="CASCADE"),
)

insight_documents = Table(
    "insight_documents",
    metadata,
    Column("tenant_id", Uuid, nullable=False),
    Column("chatbot_id", Uuid, nullable=False),
    Column("day", Date, nullable=False),
    Column("document_id", Uuid, nullable=False),
    Column("cited", Integer, nullable=False, server_default=text("0")),
    PrimaryKeyConstraint("tenant_id", "chatbot_id", "day", "document_id"),
    ForeignKeyConstraint(["tenant_id"], ["tenants.id"], ondelete="CASCADE"),
)

# Of tenants that asked before anything was counted: since when it is, and how far `backfill.py` has come with what was before.
insight_backfills = Table(
    "insight_backfills",
    metadata,
    Column("tenant_id", Uuid, nullable=False),
    Column("counted_since", DateTime(timezone=True), nullable=False),
    Column("next_day", Date),
    Column("finished_at", DateTime(timezone=True)),
    PrimaryKeyConstraint("tenant_id"),
    ForeignKeyConstraint(["tenant_id"], ["tenants.id"], ondelete="CASCADE"),
)
