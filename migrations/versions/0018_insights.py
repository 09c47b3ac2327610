"""What happened and its counts: facts written by triggers, roll-ups, and alerts.

Revision: 0018.
"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

revision = "0018"
down_revision = "0017"
branch_labels = None
depends_on = None

_CURRENT_TENANT = "nullif(current_setting('dragoman.tenant_id', true), '')::uuid"
_ZERO = sa.text("0")
_TABLES = (
    "insight_facts",
    "insight_counts",
    "insight_documents",
    "alert_rules",
    "alert_channels",
    "alerts",
    "alert_silences",
)
_COUNTED = (
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
_SPENT = ("answer_cost_usd", "saved_usd", "cost_usd")


def _isolate(table: str) -> None:
    """Forced row-level security, as migration 0001 sets it up."""
    op.execute(f"alter table {table} enable row level security")
    op.execute(f"alter table {table} force row level security")
    op.execute(
        f"create policy tenant_isolation on {table} to dragoman_app "
        f"using (tenant_id = {_CURRENT_TENANT}) with check (tenant_id = {_CURRENT_TENANT})"
    )
    op.execute(f"grant select, insert, update, delete on {table} to dragoman_app")


# Workers finish jobs as `system`: it may add facts, and see whose wait to be counted, but read none.
_SYSTEM_ACCESS = (
    "create policy system_adds on insight_facts for insert to dragoman_system with check (true)",
    "create policy system_looks on insight_facts for select to dragoman_system using (true)",
    "grant insert, select (tenant_id) on insight_facts to dragoman_system",
)

_FUNCTIONS = {
    "insight_of_turn": """
create function insight_of_turn() returns trigger language plpgsql set search_path = public, pg_temp as $$
begin
    insert into insight_facts (tenant_id, chatbot_id, kind, at, facts)
    values (new.tenant_id, new.chatbot_id, 'turn', new.created_at, jsonb_build_object(
        'language', new.language, 'answerer', new.provider_model, 'answered', new.answered, 'degraded', new.degraded,
        'timings', new.timings, 'usage', new.usage, 'answer_id', new.answer_id));
    return null;
end $$
""",
    "insight_of_calls": """
create function insight_of_calls() returns trigger language plpgsql set search_path = public, pg_temp as $$
begin
    insert into insight_facts (tenant_id, chatbot_id, kind, at, facts)
    select tenant_id, chatbot_id, 'calls', date_trunc('minute', created_at), jsonb_build_object(
        'model', model, 'calls', sum(calls), 'failed', count(error_code), 'input_tokens', sum(input_tokens),
        'output_tokens', sum(output_tokens), 'cost_usd', sum(cost_usd),
        'errors', coalesce(jsonb_agg(error_code) filter (where error_code is not null), '[]'))
    from made group by tenant_id, chatbot_id, date_trunc('minute', created_at), model;
    return null;
end $$
""",
    "insight_of_job": """
create function insight_of_job() returns trigger language plpgsql set search_path = public, pg_temp as $$
begin
    insert into insight_facts (tenant_id, chatbot_id, kind, at, facts)
    values (new.tenant_id, (new.payload ->> 'chatbot_id')::uuid, 'job', coalesce(new.finished_at, now()),
        jsonb_build_object('job', new.kind, 'failed', new.state = 'failed', 'error', new.error_code,
            'wait_ms', extract(epoch from new.started_at - new.created_at) * 1000,
            'run_ms', extract(epoch from new.finished_at - new.started_at) * 1000));
    return null;
end $$
""",
    # Searches are counted by day already, behind the request: what an update adds is what happened.
    "insight_of_searches": """
create function insight_of_searches() returns trigger language plpgsql set search_path = public, pg_temp as $$
declare
    before search_days%rowtype;
    buckets integer[];
begin
    if tg_op = 'UPDATE' then
        before := old;
    end if;
    select array_agg(coalesce(a, 0) - coalesce(b, 0) order by place) into buckets
    from unnest(new.latencies[1:64], before.latencies[1:64]) with ordinality as both_arrays (a, b, place);
    insert into insight_facts (tenant_id, chatbot_id, kind, at, facts)
    values (new.tenant_id, new.chatbot_id, 'searches', now(), jsonb_build_object(
        'searches', new.searches - coalesce(before.searches, 0),
        'zero_results', new.zero_results - coalesce(before.zero_results, 0),
        'low_confidence', new.low_confidence - coalesce(before.low_confidence, 0),
        'searches_cached', new.cached - coalesce(before.cached, 0),
        'searches_degraded', new.degraded - coalesce(before.degraded, 0),
        'latencies', coalesce(to_jsonb(buckets), '[]')));
    return null;
end $$
""",
}
_TRIGGERS = {
    "turns": ("create trigger insight_of_turn after insert on turns for each row execute function insight_of_turn()",),
    "usage_records": (
        (
            "create trigger insight_of_calls after insert on usage_records referencing new table as made "
            "for each statement execute function insight_of_calls()"
        ),
    ),
    "jobs": (
        (
            "create trigger insight_of_job after update of state on jobs for each row when (old.state is distinct from "
            "new.state and new.state in ('succeeded', 'failed')) execute function insight_of_job()"
        ),
    ),
    "search_days": (
        (
            "create trigger insight_of_new_searches after insert on search_days for each row when (new.language = '') "
            "execute function insight_of_searches()"
        ),
        (
            "create trigger insight_of_searches after update on search_days for each row when (new.language = '' and "
            "(old.searches, old.latencies) is distinct from (new.searches, new.latencies)) "
            "execute function insight_of_searches()"
        ),
    ),
}

# A changed rating takes the earlier one back; a deleted one stays counted, as its turn does. Reviews are not counted.
_FEEDBACK = (
    """
create function insight_of_feedback() returns trigger language plpgsql set search_path = public, pg_temp as $$
declare
    was text := '';
begin
    if tg_op = 'UPDATE' then
        was := old.rating;
    end if;
    insert into insight_facts (tenant_id, chatbot_id, kind, at, facts)
    values (new.tenant_id, new.chatbot_id, 'rating', new.created_at, jsonb_build_object('language', new.language,
        'up', (new.rating = 'up')::int - (was = 'up')::int, 'down', (new.rating = 'down')::int - (was = 'down')::int));
    return null;
end $$
""",
    (
        "create trigger insight_of_new_feedback after insert on feedback for each row when (not new.is_review) "
        "execute function insight_of_feedback()"
    ),
    (
        "create trigger insight_of_feedback after update of rating on feedback for each row "
        "when (not new.is_review and old.rating is distinct from new.rating) execute function insight_of_feedback()"
    ),
)


def upgrade() -> None:
    _create_facts()
    _create_counts()
    _create_alerts()
    for table in _TABLES:
        _isolate(table)
    for statement in _SYSTEM_ACCESS:
        op.execute(statement)
    for function in _FUNCTIONS.values():
        op.execute(function)
    for triggers in _TRIGGERS.values():
        for trigger in triggers:
            op.execute(trigger)
    for statement in _FEEDBACK:
        op.execute(statement)
    op.create_index(
        "ix_turns_unanswered",
        "turns",
        ["tenant_id", "chatbot_id", "created_at"],
        postgresql_where=sa.text("not answered"),
    )


def _of_tenant(table: str) -> sa.ForeignKeyConstraint:
    return sa.ForeignKeyConstraint(["tenant_id"], ["tenants.id"], name=f"fk_{table}_tenant_id", ondelete="CASCADE")


def _create_facts() -> None:
    op.create_table(
        "insight_facts",
        sa.Column("tenant_id", sa.Uuid(), nullable=False),
        sa.Column("id", sa.BigInteger(), sa.Identity(always=True), nullable=False),
        sa.Column("chatbot_id", sa.Uuid()),
        sa.Column("kind", sa.Text(), nullable=False),
        sa.Column("at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("facts", postgresql.JSONB(), nullable=False),
        sa.PrimaryKeyConstraint("tenant_id", "id", name="pk_insight_facts"),
        _of_tenant("insight_facts"),
    )


def _create_counts() -> None:
    op.create_table(
        "insight_counts",
        sa.Column("tenant_id", sa.Uuid(), nullable=False),
        sa.Column("chatbot_id", sa.Uuid(), nullable=False),
        sa.Column("grain", sa.Text(), nullable=False),
        sa.Column("dimension", sa.Text(), nullable=False),
        sa.Column("starts_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("value", sa.Text(), nullable=False),
        *(sa.Column(name, sa.BigInteger(), server_default=_ZERO, nullable=False) for name in _COUNTED),
        *(sa.Column(name, sa.Double(), server_default=_ZERO, nullable=False) for name in _SPENT),
        sa.Column("latencies", postgresql.ARRAY(sa.REAL())),
        sa.PrimaryKeyConstraint(
            "tenant_id", "chatbot_id", "grain", "dimension", "starts_at", "value", name="pk_insight_counts"
        ),
        _of_tenant("insight_counts"),
    )
    op.create_table(
        "insight_documents",
        sa.Column("tenant_id", sa.Uuid(), nullable=False),
        sa.Column("chatbot_id", sa.Uuid(), nullable=False),
        sa.Column("day", sa.Date(), nullable=False),
        sa.Column("document_id", sa.Uuid(), nullable=False),
        sa.Column("cited", sa.Integer(), server_default=_ZERO, nullable=False),
        sa.PrimaryKeyConstraint("tenant_id", "chatbot_id", "day", "document_id", name="pk_insight_documents"),
        _of_tenant("insight_documents"),
    )


def _create_alerts() -> None:
    op.create_table(
        "alert_rules",
        sa.Column("tenant_id", sa.Uuid(), nullable=False),
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("builtin", sa.Text()),
        sa.Column("name", sa.Text(), nullable=False),
        sa.Column("signal", sa.Text(), nullable=False),
        sa.Column("chatbot_id", sa.Uuid()),
        sa.Column("threshold", sa.Double(), nullable=False),
        sa.Column("clears_at", sa.Double(), nullable=False),
        sa.Column("window_s", sa.Integer(), nullable=False),
        sa.Column("for_s", sa.Integer(), nullable=False),
        sa.Column("min_samples", sa.Integer(), nullable=False),
        sa.Column("severity", sa.Text(), nullable=False),
        sa.Column("is_enabled", sa.Boolean(), server_default=sa.text("true"), nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), server_default=sa.text("now()"), nullable=False),
        sa.Column("updated_at", sa.DateTime(timezone=True), server_default=sa.text("now()"), nullable=False),
        sa.PrimaryKeyConstraint("tenant_id", "id", name="pk_alert_rules"),
        _of_tenant("alert_rules"),
    )
    op.create_table(
        "alert_channels",
        sa.Column("tenant_id", sa.Uuid(), nullable=False),
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("kind", sa.Text(), nullable=False),
        sa.Column("target", sa.Text(), nullable=False),
        sa.Column("sealed_secret", sa.Text()),
        sa.Column("least_severity", sa.Text(), nullable=False),
        sa.Column("last_error", sa.Text()),
        sa.Column("last_delivered_at", sa.DateTime(timezone=True)),
        sa.Column("created_at", sa.DateTime(timezone=True), server_default=sa.text("now()"), nullable=False),
        sa.PrimaryKeyConstraint("tenant_id", "id", name="pk_alert_channels"),
        _of_tenant("alert_channels"),
    )
    op.create_table(
        "alerts",
        sa.Column("tenant_id", sa.Uuid(), nullable=False),
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("rule_id", sa.Uuid(), nullable=False),
        sa.Column("rule_name", sa.Text(), nullable=False),
        sa.Column("signal", sa.Text(), nullable=False),
        sa.Column("severity", sa.Text(), nullable=False),
        sa.Column("chatbot_id", sa.Uuid()),
        sa.Column("state", sa.Text(), nullable=False),
        sa.Column("value", sa.Double(), nullable=False),
        sa.Column("worst", sa.Double(), nullable=False),
        sa.Column("threshold", sa.Double(), nullable=False),
        sa.Column("samples", sa.Integer(), nullable=False),
        sa.Column("started_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("fired_at", sa.DateTime(timezone=True)),
        sa.Column("better_since", sa.DateTime(timezone=True)),
        sa.Column("resolved_at", sa.DateTime(timezone=True)),
        sa.Column("resolved_because", sa.Text()),
        sa.Column("notified_at", sa.DateTime(timezone=True)),
        sa.Column("acknowledged_at", sa.DateTime(timezone=True)),
        sa.Column("acknowledged_by", sa.Text()),
        sa.PrimaryKeyConstraint("tenant_id", "id", name="pk_alerts"),
        _of_tenant("alerts"),
    )
    op.create_index(
        "uq_alerts_active",
        "alerts",
        ["tenant_id", "rule_id"],
        unique=True,
        postgresql_where=sa.text("resolved_at is null"),
    )
    op.create_table(
        "alert_silences",
        sa.Column("tenant_id", sa.Uuid(), nullable=False),
        sa.Column("rule_id", sa.Uuid(), nullable=False),
        sa.Column("until", sa.DateTime(timezone=True), nullable=False),
        sa.Column("by", sa.Text(), nullable=False),
        sa.Column("comment", sa.Text(), server_default=sa.text("''"), nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), server_default=sa.text("now()"), nullable=False),
        sa.PrimaryKeyConstraint("tenant_id", "rule_id", name="pk_alert_silences"),
        _of_tenant("alert_silences"),
    )


def downgrade() -> None:
    op.drop_index("ix_turns_unanswered", "turns")
    op.execute("drop trigger insight_of_turn on turns")
    op.execute("drop trigger insight_of_calls on usage_records")
    op.execute("drop trigger insight_of_job on jobs")
    op.execute("drop trigger insight_of_new_searches on search_days")
    op.execute("drop trigger insight_of_searches on search_days")
    op.execute("drop trigger insight_of_feedback on feedback")
    op.execute("drop trigger insight_of_new_feedback on feedback")
    op.execute("drop function insight_of_feedback()")
    for name in _FUNCTIONS:
        op.execute(f"drop function {name}()")
    for table in reversed(_TABLES):
        op.drop_table(table)
