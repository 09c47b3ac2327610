"""Tables of jobs, their groups and queues, and outbox events."""

from __future__ import annotations

from sqlalchemy import (
    Column,
    DateTime,
    Double,
    ForeignKeyConstraint,
    Index,
    Integer,
    PrimaryKeyConstraint,
    Table,
    Text,
    Uuid,
    func,
    text,
)
from sqlalchemy.dialects.postgresql import JSONB

from dragoman.kit.database import metadata

job_groups = Table(
    "job_groups",
    metadata,
    Column("tenant_id", Uuid, nullable=False),
    Column("id", Uuid, nullable=False),
    Column("chatbot_id", Uuid, nullable=False),
    Column("name", Text, nullable=False),
    Column("state", Text, nullable=False, server_default="running"),
    Column("expected_jobs", Integer),
    Column("requested_by", Text, nullable=False, server_default=""),
    Column("created_at", DateTime(timezone=True), nullable=False, server_default=func.now()),
    Column("updated_at", DateTime(timezone=True), nullable=False, server_default=func.now()),
    Column("finished_at", DateTime(timezone=True)),
    PrimaryKeyConstraint("tenant_id", "id"),
    ForeignKeyConstraint(["tenant_id"], ["tenants.id"], ondelete="CASCADE"),
    ForeignKeyConstraint(["tenant_id", "chatbot_id"], ["chatbots.tenant_id", "chatbots.id"], ondelete="CASCADE"),
    Index("ix_job_groups_running", "tenant_id", "id", postgresql_where=text("state = 'running'")),
)

jobs = Table(
    "jobs",
    metadata,
    Column("tenant_id", Uuid, nullable=False),
    Column("id", Uuid, nullable=False),
    Column("kind", Text, nullable=False),
    Column("payload", JSONB, nullable=False),
    Column("state", Text, nullable=False),
    Column("priority", Integer, nullable=False, server_default=text("5")),
    Column("progress", Double, nullable=False, server_default=text("0")),
    Column("step", Text, nullable=False, server_default=""),
    Column("attempts", Integer, nullable=False, server_default=text("0")),
    Column("max_attempts", Integer, nullable=False, server_default=text("5")),
    Column("error_code", Text),
    Column("error_message", Text),
    Column("run_after", DateTime(timezone=True), nullable=False, server_default=func.now()),
    Column("heartbeat_at", DateTime(timezone=True)),
    Column("lease", Uuid),
    Column("group_id", Uuid),
    Column("subject_id", Uuid),
    Column("created_at", DateTime(timezone=True), nullable=False, server_default=func.now()),
    Column("started_at", DateTime(timezone=True)),
    Column("finished_at", DateTime(timezone=True)),
    # How long each step of the attempt that ended it took, in milliseconds.
    Column("step_ms", JSONB, nullable=False, server_default=text("'{}'::jsonb")),
    PrimaryKeyConstraint("tenant_id", "id"),
    ForeignKeyConstraint(["tenant_id"], ["tenants.id"], ondelete="CASCADE"),
    ForeignKeyConstraint(
        ["tenant_id", "group_id"], ["job_groups.tenant_id", "job_groups.id"], ondelete="SET NULL (group_id)"
    ),
    # The heads of the queues are read in this order, one index probe for each queue: see `repository.claim_best`.
    Index("ix_jobs_waiting", "priority", "tenant_id", "run_after", "id", postgresql_where=text("state = 'queued'")),
    Index("ix_jobs_running", "tenant_id", postgresql_where=text("state = 'running'")),
    Index("ix_jobs_unfinished", "tenant_id", "id", postgresql_where=text("state in ('queued', 'paused', 'running')")),
    Index("ix_jobs_failed", "tenant_id", "id", postgresql_where=text("state = 'failed'")),
    Index("ix_jobs_group", "tenant_id", "group_id", "state", postgresql_where=text("group_id is not null")),
    Index("ix_jobs_subject", "tenant_id", "subject_id", postgresql_where=text("subject_id is not null")),
)

# When a job of this tenant and priority was last started: decides whose turn it is, and how long a queue has waited.
job_queues = Table(
    "job_queues",
    metadata,
    Column("tenant_id", Uuid, nullable=False),
    Column("priority", Integer, nullable=False),
    Column("served_at", DateTime(timezone=True), nullable=False),
    PrimaryKeyConstraint("tenant_id", "priority"),
    ForeignKeyConstraint(["tenant_id"], ["tenants.id"], ondelete="CASCADE"),
)

outbox_events = Table(
    "outbox_events",
    metadata,
    Column("tenant_id", Uuid, nullable=False),
    Column("id", Uuid, nullable=False),
    Column("topic", Text, nullable=False),
    Column("payload", JSONB, nullable=False),
    Column("created_at", DateTime(timezone=True), nullable=False, server_default=func.now()),
    Column("published_at", DateTime(timezone=True)),
    PrimaryKeyConstraint("tenant_id", "id"),
    ForeignKeyConstraint(["tenant_id"], ["tenants.id"], ondelete="CASCADE"),
    Index("ix_outbox_events_unpublished", "id", postgresql_where=text("published_at is null")),
)
