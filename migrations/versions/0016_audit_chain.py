"""The audit log as a chain: sealed events in an order of their own that no role of the application can change.

Revision: 0016.

An event is inserted without its place; one writer gives it sequence number, previous hash, hash and seal by
`chain_audit_events`. What of an event is personal (`details`, `address`, `user_agent`, `actor_name`) is bound to the chain
by `content_hash`, so that `erase_audit_contents` can empty it and the chain still verifies. `remove_audit_events` takes
off what is older than the tenant keeps. A trigger refuses every other change: of the application's roles, and of the owner.
"""

from __future__ import annotations

import hashlib
import json
import secrets
from typing import Any

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

revision = "0016"
down_revision = "0015"
branch_labels = None
depends_on = None

_CURRENT_TENANT = "nullif(current_setting('dragoman.tenant_id', true), '')::uuid"

# Only the three functions below come here as the owner in a session of `app`: `app` is no member of the owner's role, and
# an administrator who takes that role has another session user.
_GUARD = """
create function guard_audit_events() returns trigger language plpgsql set search_path = pg_catalog, public as $$
begin
    if current_user <> 'dragoman_owner' or session_user <> 'dragoman_app' or tg_op = 'TRUNCATE' then
        raise exception 'audit events are append-only' using errcode = 'insufficient_privilege';
    end if;
    if tg_op = 'DELETE' then
        return old;
    end if;
    if old.sequence is null and new.sequence is not null
        and to_jsonb(new) - array['sequence', 'previous_hash', 'hash', 'chain_seal', 'chain_key_id', 'chained_at']
          = to_jsonb(old) - array['sequence', 'previous_hash', 'hash', 'chain_seal', 'chain_key_id', 'chained_at'] then
        return new;
    end if;
    if new.salt is null and new.details = '{}' and new.address = '' and new.user_agent = '' and new.actor_name = ''
        and to_jsonb(new) - array['salt', 'details', 'address', 'user_agent', 'actor_name']
          = to_jsonb(old) - array['salt', 'details', 'address', 'user_agent', 'actor_name'] then
        return new;
    end if;
    raise exception 'audit events are append-only' using errcode = 'insufficient_privilege';
end
$$
"""

_NEW_EVENTS = """
create function place_audit_events() returns trigger language plpgsql set search_path = pg_catalog, public as $$
begin
    if new.sequence is not null or new.hash is not null then
        raise exception 'an audit event gets its place by the chain' using errcode = 'insufficient_privilege';
    end if;
    return new;
end
$$
"""

_CHAIN = f"""
create function chain_audit_events(places jsonb) returns integer
language plpgsql security definer set search_path = pg_catalog, public as $$
declare
    last record;
    place record;
    placed integer := 0;
begin
    select sequence, hash into last from audit_events
        where tenant_id = {_CURRENT_TENANT} and sequence is not null order by sequence desc limit 1;
    for place in select * from jsonb_to_recordset(places)
        as p(id uuid, sequence bigint, previous_hash text, hash text, chain_seal text, chain_key_id text) loop
        if place.sequence <> coalesce(last.sequence, 0) + 1
            or decode(place.previous_hash, 'hex') <> coalesce(last.hash, ''::bytea) then
            raise exception 'audit events are not in their order' using errcode = 'serialization_failure';
        end if;
        update audit_events set sequence = place.sequence, previous_hash = decode(place.previous_hash, 'hex'),
            hash = decode(place.hash, 'hex'), chain_seal = decode(place.chain_seal, 'hex'),
            chain_key_id = place.chain_key_id, chained_at = clock_timestamp()
            where tenant_id = {_CURRENT_TENANT} and id = place.id and audit_events.sequence is null
            returning audit_events.sequence, audit_events.hash into last;
        if not found then
            raise exception 'an audit event has its place' using errcode = 'serialization_failure';
        end if;
        placed := placed + 1;
    end loop;
    return placed;
end
$$
"""

_ERASE = f"""
create function erase_audit_contents(event_ids uuid[]) returns setof uuid
language sql security definer set search_path = pg_catalog, public as $$
    update audit_events set salt = null, details = '{{}}', address = '', user_agent = '', actor_name = ''
        where tenant_id = {_CURRENT_TENANT} and id = any(event_ids) and salt is not null
            and action not like 'audit.%'
        returning id
$$
"""

_REMOVE = f"""
create function remove_audit_events(before timestamptz) returns table (through bigint, last_hash bytea, removed bigint)
language plpgsql security definer set search_path = pg_catalog, public as $$
declare
    days integer;
begin
    select keep_days into days from audit_policies where tenant_id = {_CURRENT_TENANT};
    if not found then
        days := 730;
    end if;
    if days is null or before > now() - make_interval(days => greatest(days, 90)) then
        raise exception 'these audit events are kept' using errcode = 'insufficient_privilege';
    end if;
    select e.sequence, e.hash into through, last_hash from audit_events e
        where e.tenant_id = {_CURRENT_TENANT} and e.sequence < (
            select coalesce(min(kept.sequence) filter (where kept.chained_at >= before), max(kept.sequence))
            from audit_events kept where kept.tenant_id = {_CURRENT_TENANT} and kept.sequence is not null
        ) order by e.sequence desc limit 1;
    if through is null then
        return;
    end if;
    delete from audit_events e where e.tenant_id = {_CURRENT_TENANT} and e.sequence <= through;
    get diagnostics removed = row_count;
    return next;
end
$$
"""

_WAITING = """
create function tenants_with_unchained_audit_events() returns setof uuid
language sql stable security definer set search_path = pg_catalog, public as $$
    select distinct tenant_id from audit_events where sequence is null
$$
"""

_APP_FUNCTIONS = (
    "chain_audit_events(jsonb)",
    "erase_audit_contents(uuid[])",
    "remove_audit_events(timestamptz)",
)


def _columns() -> tuple[sa.Column[Any], ...]:
    return (
        sa.Column("actor_name", sa.Text(), server_default="", nullable=False),
        sa.Column("address", sa.Text(), server_default="", nullable=False),
        sa.Column("user_agent", sa.Text(), server_default="", nullable=False),
        sa.Column("request_id", sa.Text(), server_default="", nullable=False),
        sa.Column("salt", sa.LargeBinary()),
        sa.Column("content_hash", sa.LargeBinary()),
        sa.Column("seal", sa.LargeBinary()),
        sa.Column("key_id", sa.Text(), server_default="", nullable=False),
        sa.Column("sequence", sa.BigInteger()),
        sa.Column("previous_hash", sa.LargeBinary()),
        sa.Column("hash", sa.LargeBinary()),
        sa.Column("chain_seal", sa.LargeBinary()),
        sa.Column("chain_key_id", sa.Text()),
        sa.Column("chained_at", sa.DateTime(timezone=True)),
    )


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
    for column in _columns():
        op.add_column("audit_events", column)
    _bind_contents()
    # A tenant that has a history cannot be deleted over its audit log.
    op.drop_constraint("fk_audit_events_tenant_id", "audit_events")
    op.create_foreign_key("fk_audit_events_tenant_id", "audit_events", "tenants", ["tenant_id"], ["id"])
    op.create_index(
        "ix_audit_events_sequence",
        "audit_events",
        ["tenant_id", "sequence"],
        unique=True,
        postgresql_where=sa.text("sequence is not null"),
    )
    op.create_index(
        "ix_audit_events_unchained", "audit_events", ["tenant_id", "id"], postgresql_where=sa.text("sequence is null")
    )
    op.create_index("ix_audit_events_actor", "audit_events", ["tenant_id", "actor", "id"])
    op.create_index("ix_audit_events_action", "audit_events", ["tenant_id", "action", "id"])
    _create_tables()
    _guard()


def _bind_contents() -> None:
    """Give the events that exist what binds their contents to the chain. They stay without a seal: nobody could vouch."""
    connection = op.get_bind()
    op.execute("alter table audit_events no force row level security")
    after: tuple[object, object] | None = None
    while True:
        rows = connection.execute(
            sa.text(
                "select tenant_id, id, details from audit_events "
                "where cast(:tenant_id as uuid) is null or (tenant_id, id) > (:tenant_id, :id) "
                "order by tenant_id, id limit 2000"
            ),
            {"tenant_id": None if after is None else after[0], "id": None if after is None else after[1]},
        ).all()
        if not rows:
            break
        for row in rows:
            salt = secrets.token_bytes(16)
            connection.execute(
                sa.text("update audit_events set salt = :salt, content_hash = :hash where tenant_id = :t and id = :id"),
                {"salt": salt, "hash": _content_hash(salt, row.details), "t": row.tenant_id, "id": row.id},
            )
        after = (rows[-1].tenant_id, rows[-1].id)
    op.execute("alter table audit_events force row level security")


def _content_hash(salt: bytes, details: dict[str, object]) -> bytes:
    """As `tenancy/audit_log/canonical.py` has it at this revision."""
    contents = {"actor_name": "", "address": "", "details": _whole(details), "user_agent": ""}
    written = json.dumps(contents, sort_keys=True, separators=(",", ":"), ensure_ascii=False, allow_nan=False)
    return hashlib.sha256(salt + written.encode()).digest()


def _whole(value: object) -> object:
    if isinstance(value, float) and value.is_integer():
        return int(value)
    if isinstance(value, dict):
        return {name: _whole(item) for name, item in value.items()}
    return [_whole(item) for item in value] if isinstance(value, list) else value


def _create_tables() -> None:
    op.create_table(
        "audit_policies",
        sa.Column("tenant_id", sa.Uuid(), nullable=False),
        sa.Column("keep_days", sa.Integer()),
        sa.Column("updated_at", sa.DateTime(timezone=True), server_default=sa.text("now()"), nullable=False),
        sa.PrimaryKeyConstraint("tenant_id", name="pk_audit_policies"),
        sa.ForeignKeyConstraint(["tenant_id"], ["tenants.id"], name="fk_audit_policies_tenant_id", ondelete="CASCADE"),
        sa.CheckConstraint("keep_days >= 90", name="ck_audit_policies_keep_days"),
    )
    op.create_table(
        "audit_pseudonyms",
        sa.Column("tenant_id", sa.Uuid(), nullable=False),
        sa.Column("reference", sa.Text(), nullable=False),
        sa.Column("pseudonym", sa.Text(), nullable=False),
        sa.PrimaryKeyConstraint("tenant_id", "reference", name="pk_audit_pseudonyms"),
        sa.ForeignKeyConstraint(
            ["tenant_id"], ["tenants.id"], name="fk_audit_pseudonyms_tenant_id", ondelete="CASCADE"
        ),
    )
    op.create_table(
        "privacy_requests",
        sa.Column("tenant_id", sa.Uuid(), nullable=False),
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("kind", sa.Text(), nullable=False),
        sa.Column("subject_kind", sa.Text(), nullable=False),
        sa.Column("subject_id", sa.Text(), nullable=False),
        sa.Column("state", sa.Text(), nullable=False),
        sa.Column("step", sa.Text(), server_default="", nullable=False),
        sa.Column("counts", postgresql.JSONB(), server_default=sa.text("'{}'::jsonb"), nullable=False),
        sa.Column("blob_key", sa.Text()),
        sa.Column("size_bytes", sa.BigInteger()),
        sa.Column("error_message", sa.Text()),
        sa.Column("requested_by", sa.Text(), nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), server_default=sa.text("now()"), nullable=False),
        sa.Column("finished_at", sa.DateTime(timezone=True)),
        sa.Column("expires_at", sa.DateTime(timezone=True)),
        sa.PrimaryKeyConstraint("tenant_id", "id", name="pk_privacy_requests"),
        sa.ForeignKeyConstraint(
            ["tenant_id"], ["tenants.id"], name="fk_privacy_requests_tenant_id", ondelete="CASCADE"
        ),
    )
    for table in ("audit_policies", "audit_pseudonyms", "privacy_requests"):
        _isolate(table)
    op.execute("create policy owned on audit_policies for select to dragoman_owner using (true)")


def _guard() -> None:
    op.execute("create policy owned on audit_events to dragoman_owner using (true) with check (true)")
    for function in (_GUARD, _NEW_EVENTS, _CHAIN, _ERASE, _REMOVE, _WAITING):
        op.execute(function)
    op.execute(
        "create trigger guard_rows before update or delete on audit_events "
        "for each row execute function guard_audit_events()"
    )
    op.execute(
        "create trigger guard_table before truncate on audit_events "
        "for each statement execute function guard_audit_events()"
    )
    op.execute(
        "create trigger place_rows before insert on audit_events for each row execute function place_audit_events()"
    )
    for function in (*_APP_FUNCTIONS, "tenants_with_unchained_audit_events()"):
        op.execute(f"revoke execute on function {function} from public")
    for function in _APP_FUNCTIONS:
        op.execute(f"grant execute on function {function} to dragoman_app")
    op.execute("grant execute on function tenants_with_unchained_audit_events() to dragoman_system")


def downgrade() -> None:
    for trigger in ("guard_rows", "guard_table", "place_rows"):
        op.execute(f"drop trigger {trigger} on audit_events")
    for function in (*_APP_FUNCTIONS, "tenants_with_unchained_audit_events()", "guard_audit_events()"):
        op.execute(f"drop function {function}")
    op.execute("drop function place_audit_events()")
    op.execute("drop policy owned on audit_events")
    op.drop_table("privacy_requests")
    op.drop_table("audit_pseudonyms")
    op.drop_table("audit_policies")
    for index in ("action", "actor", "unchained", "sequence"):
        op.drop_index(f"ix_audit_events_{index}", "audit_events")
    op.drop_constraint("fk_audit_events_tenant_id", "audit_events")
    op.create_foreign_key(
        "fk_audit_events_tenant_id", "audit_events", "tenants", ["tenant_id"], ["id"], ondelete="CASCADE"
    )
    for column in reversed(_columns()):
        op.drop_column("audit_events", column.name)
