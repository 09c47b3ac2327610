"""Jobs by turns: queues, groups, subjects. A message no longer names a job, so `sent_at` goes.

Revision: 0002.
"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0002"
down_revision = "0001"
branch_labels = None
depends_on = None

_CURRENT_TENANT = "nullif(current_setting('dragoman.tenant_id', true), '')::uuid"


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
    _create_groups()
    _create_queues()
    op.drop_column("jobs", "sent_at")
    op.add_column("jobs", sa.Column("group_id", sa.Uuid()))
    op.add_column("jobs", sa.Column("subject_id", sa.Uuid()))
    _fill_subjects()
    op.create_foreign_key(
        "fk_jobs_tenant_id_group_id",
        "jobs",
        "job_groups",
        ["tenant_id", "group_id"],
        ["tenant_id", "id"],
        ondelete="SET NULL (group_id)",
    )
    op.drop_index("ix_jobs_unfinished", "jobs")
    for name, columns, condition in (
        ("ix_jobs_waiting", ["priority", "tenant_id", "run_after", "id"], "state = 'queued'"),
        ("ix_jobs_running", ["tenant_id"], "state = 'running'"),
        ("ix_jobs_unfinished", ["tenant_id", "id"], "state in ('queued', 'paused', 'running')"),
        ("ix_jobs_failed", ["tenant_id", "id"], "state = 'failed'"),
        ("ix_jobs_group", ["tenant_id", "group_id", "state"], "group_id is not null"),
        ("ix_jobs_subject", ["tenant_id", "subject_id"], "subject_id is not null"),
    ):
        op.create_index(name, "jobs", columns, postgresql_where=sa.text(condition))
    # Rows change their state three times and their heartbeat often: leave room on the page, and clean up soon.
    op.execute("alter table jobs set (fillfactor = 80, autovacuum_vacuum_scale_factor = 0.02)")
    op.execute("alter table job_queues set (fillfactor = 50)")


def _create_groups() -> None:
    op.create_table(
        "job_groups",
        sa.Column("tenant_id", sa.Uuid(), nullable=False),
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("chatbot_id", sa.Uuid(), nullable=False),
        sa.Column("name", sa.Text(), nullable=False),
        sa.Column("state", sa.Text(), server_default="running", nullable=False),
        sa.Column("expected_jobs", sa.Integer()),
        sa.Column("requested_by", sa.Text(), server_default="", nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), server_default=sa.text("now()"), nullable=False),
        sa.Column("updated_at", sa.DateTime(timezone=True), server_default=sa.text("now()"), nullable=False),
        sa.Column("finished_at", sa.DateTime(timezone=True)),
        sa.ForeignKeyConstraint(["tenant_id"], ["tenants.id"], name="fk_job_groups_tenant_id", ondelete="CASCADE"),
        sa.ForeignKeyConstraint(
            ["tenant_id", "chatbot_id"],
            ["chatbots.tenant_id", "chatbots.id"],
            name="fk_job_groups_tenant_id_chatbot_id",
            ondelete="CASCADE",
        ),
        sa.PrimaryKeyConstraint("tenant_id", "id", name="pk_job_groups"),
    )
    op.create_index(
        "ix_job_groups_running", "job_groups", ["tenant_id", "id"], postgresql_where=sa.text("state = 'running'")
    )
    _isolate("job_groups")
    op.execute("create policy system_runs on job_groups to dragoman_system using (true) with check (true)")
    op.execute("grant select, update, delete on job_groups to dragoman_system")


def _create_queues() -> None:
    op.create_table(
        "job_queues",
        sa.Column("tenant_id", sa.Uuid(), nullable=False),
        sa.Column("priority", sa.Integer(), nullable=False),
        sa.Column("served_at", sa.DateTime(timezone=True), nullable=False),
        sa.ForeignKeyConstraint(["tenant_id"], ["tenants.id"], name="fk_job_queues_tenant_id", ondelete="CASCADE"),
        sa.PrimaryKeyConstraint("tenant_id", "priority", name="pk_job_queues"),
    )
    _isolate("job_queues")
    op.execute("create policy system_runs on job_queues to dragoman_system using (true) with check (true)")
    op.execute("grant select, insert, update, delete on job_queues to dragoman_system")


def _fill_subjects() -> None:
    """The owner is bound by the policies too, unless they are not forced; without this it would change no row."""
    op.execute("alter table jobs no force row level security")
    op.execute("update jobs set subject_id = (payload ->> 'document_id')::uuid where payload ? 'document_id'")
    op.execute("alter table jobs force row level security")


def downgrade() -> None:
    op.execute("alter table jobs reset (fillfactor, autovacuum_vacuum_scale_factor)")
    for name in ("subject", "group", "failed", "unfinished", "running", "waiting"):
        op.drop_index(f"ix_jobs_{name}", "jobs")
    op.create_index(
        "ix_jobs_unfinished",
        "jobs",
        ["state", "run_after"],
        postgresql_where=sa.text("state in ('queued', 'running')"),
    )
    op.drop_constraint("fk_jobs_tenant_id_group_id", "jobs")
    op.drop_column("jobs", "subject_id")
    op.drop_column("jobs", "group_id")
    op.add_column("jobs", sa.Column("sent_at", sa.DateTime(timezone=True)))
    op.drop_table("job_queues")
    op.drop_table("job_groups")
