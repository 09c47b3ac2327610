"""Feedback by day, how long the steps of a job take, and since when what happens is counted.

Revision: 0019.
"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

revision = "0019"
down_revision = "0018"
branch_labels = None
depends_on = None

_CURRENT_TENANT = "nullif(current_setting('dragoman.tenant_id', true), '')::uuid"
_TABLES = ("feedback_changes", "feedback_days", "feedback_document_days", "insight_backfills")
_ZERO = sa.text("0")


def _isolate(table: str) -> None:
    """Forced row-level security, as migration 0001 sets it up."""
    op.execute(f"alter table {table} enable row level security")
    op.execute(f"alter table {table} force row level security")
    op.execute(
        f"create policy tenant_isolation on {table} to dragoman_app "
        f"using (tenant_id = {_CURRENT_TENANT}) with check (tenant_id = {_CURRENT_TENANT})"
    )
    op.execute(f"grant select, insert, update, delete on {table} to dragoman_app")


# What a foreign key deletes is deleted as the owner, and PostgreSQL 18 runs the triggers of it as the owner too.
_ACCESS = (
    "create policy owner_adds on feedback_changes for insert to dragoman_owner with check (true)",
    "create policy system_looks on feedback_changes for select to dragoman_system using (true)",
    "grant select (tenant_id) on feedback_changes to dragoman_system",
)

# Always a new row, never one that is there already: what waits is then visible exactly when the change is.
_FUNCTION = """
create function mark_feedback_days() returns trigger language plpgsql set search_path = public, pg_temp as $$
begin
    insert into feedback_changes (tenant_id, chatbot_id, day)
    select distinct tenant_id, chatbot_id, (created_at at time zone 'UTC')::date from changed;
    return null;
end $$
"""
_TRIGGERS = (
    (
        "create trigger mark_days_of_new after insert on feedback referencing new table as changed "
        "for each statement execute function mark_feedback_days()"
    ),
    (
        "create trigger mark_days_of_changed after update on feedback referencing new table as changed "
        "for each statement execute function mark_feedback_days()"
    ),
    (
        "create trigger mark_days_of_deleted after delete on feedback referencing old table as changed "
        "for each statement execute function mark_feedback_days()"
    ),
)

_FACT_OF_JOB = """
create or replace function insight_of_job() returns trigger language plpgsql set search_path = public, pg_temp as $$
begin
    insert into insight_facts (tenant_id, chatbot_id, kind, at, facts)
    values (new.tenant_id, (new.payload ->> 'chatbot_id')::uuid, 'job', coalesce(new.finished_at, now()),
        jsonb_build_object('job', new.kind, 'failed', new.state = 'failed', 'error', new.error_code{more},
            'wait_ms', extract(epoch from new.started_at - new.created_at) * 1000,
            'run_ms', extract(epoch from new.finished_at - new.started_at) * 1000));
    return null;
end $$
"""

# What came before was not counted. Of an installation that counts already: since the first hour that it has counted, or the
# first fact that waits.
_COUNTED_SINCE = """
insert into insight_backfills (tenant_id, counted_since)
select id, least(now(),
    (select min(starts_at) from insight_counts c where c.tenant_id = tenants.id and grain = 'hour'),
    (select min(starts_at) from insight_counts c where c.tenant_id = tenants.id and grain = 'day' and starts_at < (
        select date_trunc('day', min(starts_at), 'UTC') from insight_counts h where h.tenant_id = tenants.id and grain = 'hour')),
    (select min(at) from insight_facts f where f.tenant_id = tenants.id))
from tenants
"""


def upgrade() -> None:
    _create_feedback_days()
    op.add_column(
        "jobs",
        sa.Column("step_ms", postgresql.JSONB(), server_default=sa.text("'{}'::jsonb"), nullable=False),
    )
    op.execute(_FACT_OF_JOB.replace("{more}", ", 'steps', new.step_ms"))
    op.create_table(
        "insight_backfills",
        sa.Column("tenant_id", sa.Uuid(), nullable=False),
        sa.Column("counted_since", sa.DateTime(timezone=True), nullable=False),
        sa.Column("next_day", sa.Date()),
        sa.Column("finished_at", sa.DateTime(timezone=True)),
        sa.PrimaryKeyConstraint("tenant_id", name="pk_insight_backfills"),
        sa.ForeignKeyConstraint(
            ["tenant_id"], ["tenants.id"], name="fk_insight_backfills_tenant_id", ondelete="CASCADE"
        ),
    )
    read = ("tenants", "insight_counts", "insight_facts")
    for table in read:
        op.execute(f"alter table {table} no force row level security")
    op.execute(_COUNTED_SINCE)
    for table in read:
        op.execute(f"alter table {table} force row level security")
    for table in _TABLES:
        _isolate(table)
    for statement in (*_ACCESS, _FUNCTION, *_TRIGGERS):
        op.execute(statement)


def _create_feedback_days() -> None:
    # No foreign keys: a tenant or chatbot that is deleted leaves marks, by which its days are forgotten.
    op.create_table(
        "feedback_changes",
        sa.Column("tenant_id", sa.Uuid(), nullable=False),
        sa.Column("id", sa.BigInteger(), sa.Identity(always=True), nullable=False),
        sa.Column("chatbot_id", sa.Uuid(), nullable=False),
        sa.Column("day", sa.Date(), nullable=False),
        sa.PrimaryKeyConstraint("tenant_id", "id", name="pk_feedback_changes"),
    )
    op.create_table(
        "feedback_days",
        sa.Column("tenant_id", sa.Uuid(), nullable=False),
        sa.Column("chatbot_id", sa.Uuid(), nullable=False),
        sa.Column("day", sa.Date(), nullable=False),
        sa.Column("is_review", sa.Boolean(), nullable=False),
        sa.Column("language", sa.Text(), nullable=False),
        sa.Column("reason", sa.Text(), nullable=False),
        sa.Column("model", sa.Text(), nullable=False),
        sa.Column("prompt_version", sa.Text(), nullable=False),
        *(
            sa.Column(name, sa.Integer(), server_default=_ZERO, nullable=False)
            for name in ("up", "down", "comments", "open", "accepted", "rejected")
        ),
        sa.PrimaryKeyConstraint(
            *("tenant_id", "chatbot_id", "day", "is_review", "language", "reason", "model", "prompt_version"),
            name="pk_feedback_days",
        ),
        sa.ForeignKeyConstraint(["tenant_id"], ["tenants.id"], name="fk_feedback_days_tenant_id", ondelete="CASCADE"),
    )
    op.create_table(
        "feedback_document_days",
        sa.Column("tenant_id", sa.Uuid(), nullable=False),
        sa.Column("chatbot_id", sa.Uuid(), nullable=False),
        sa.Column("day", sa.Date(), nullable=False),
        sa.Column("document_id", sa.Uuid(), nullable=False),
        sa.Column("up", sa.Integer(), server_default=_ZERO, nullable=False),
        sa.Column("down", sa.Integer(), server_default=_ZERO, nullable=False),
        sa.PrimaryKeyConstraint("tenant_id", "chatbot_id", "day", "document_id", name="pk_feedback_document_days"),
        sa.ForeignKeyConstraint(
            ["tenant_id"], ["tenants.id"], name="fk_feedback_document_days_tenant_id", ondelete="CASCADE"
        ),
    )
    _mark_all_days()
    op.create_index(
        "ix_feedback_text",
        "feedback",
        ["tenant_id", "created_at", "id"],
        postgresql_where=sa.text("comment <> '' or correction <> ''"),
    )


def _mark_all_days() -> None:
    """The scheduler counts what there is already. The owner is bound by the policies too, unless they are not forced."""
    op.execute("alter table feedback no force row level security")
    op.execute(
        "insert into feedback_changes (tenant_id, chatbot_id, day) "
        "select distinct tenant_id, chatbot_id, (created_at at time zone 'UTC')::date from feedback"
    )
    op.execute("alter table feedback force row level security")


def downgrade() -> None:
    op.execute(_FACT_OF_JOB.replace("{more}", ""))
    op.drop_column("jobs", "step_ms")
    op.drop_index("ix_feedback_text", "feedback")
    for event in ("new", "changed", "deleted"):
        op.execute(f"drop trigger mark_days_of_{event} on feedback")
    op.execute("drop function mark_feedback_days()")
    for table in reversed(_TABLES):
        op.drop_table(table)
