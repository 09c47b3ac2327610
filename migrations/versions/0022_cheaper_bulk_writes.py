"""Many rows at once cost less: the audit chain takes its events in one statement, and updates find room on their page.

Revision: 0022.
"""

from __future__ import annotations

from alembic import context, op

revision = "0022"
down_revision = "0021"
branch_labels = None
depends_on = None

_CURRENT_TENANT = "nullif(current_setting('dragoman.tenant_id', true), '')::uuid"

# As in 0016, but what may change is compared as rows, byte for byte (`*=`), not as JSON made of them.
_GUARD = """
create or replace function guard_audit_events() returns trigger language plpgsql set search_path = pg_catalog, public as $$
declare
    allowed public.audit_events%rowtype;
begin
    if current_user <> 'dragoman_owner' or session_user <> 'dragoman_app' or tg_op = 'TRUNCATE' then
        raise exception 'audit events are append-only' using errcode = 'insufficient_privilege';
    end if;
    if tg_op = 'DELETE' then
        return old;
    end if;
    allowed := old;
    if old.sequence is null and new.sequence is not null then
        allowed.sequence := new.sequence;
        allowed.previous_hash := new.previous_hash;
        allowed.hash := new.hash;
        allowed.chain_seal := new.chain_seal;
        allowed.chain_key_id := new.chain_key_id;
        allowed.chained_at := new.chained_at;
    elsif new.salt is null and new.details = '{}' and new.address = '' and new.user_agent = '' and new.actor_name = '' then
        allowed.salt := new.salt;
        allowed.details := new.details;
        allowed.address := new.address;
        allowed.user_agent := new.user_agent;
        allowed.actor_name := new.actor_name;
    else
        raise exception 'audit events are append-only' using errcode = 'insufficient_privilege';
    end if;
    if new *= allowed then
        return new;
    end if;
    raise exception 'audit events are append-only' using errcode = 'insufficient_privilege';
end
$$
"""

# As in 0016, but all at once: each event must follow the one before it, and none may have its place already.
_CHAIN = f"""
create or replace function chain_audit_events(places jsonb) returns integer
language plpgsql security definer set search_path = pg_catalog, public as $$
declare
    last record;
    placed integer;
begin
    select sequence, hash into last from audit_events
        where tenant_id = {_CURRENT_TENANT} and sequence is not null order by sequence desc limit 1;
    if exists (
        select from (
            select sequence, previous_hash,
                row_number() over (order by sequence) + coalesce(last.sequence, 0) as next_sequence,
                lag(hash, 1, coalesce(encode(last.hash, 'hex'), '')) over (order by sequence) as last_hash
            from jsonb_to_recordset(places) as p (sequence bigint, previous_hash text, hash text)
        ) as followed
        where sequence is distinct from next_sequence or decode(previous_hash, 'hex') is distinct from decode(last_hash, 'hex')
    ) then
        raise exception 'audit events are not in their order' using errcode = 'serialization_failure';
    end if;
    update audit_events set sequence = place.sequence, previous_hash = decode(place.previous_hash, 'hex'),
        hash = decode(place.hash, 'hex'), chain_seal = decode(place.chain_seal, 'hex'),
        chain_key_id = place.chain_key_id, chained_at = clock_timestamp()
        from jsonb_to_recordset(places)
            as place (id uuid, sequence bigint, previous_hash text, hash text, chain_seal text, chain_key_id text)
        where tenant_id = {_CURRENT_TENANT} and audit_events.id = place.id and audit_events.sequence is null;
    get diagnostics placed = row_count;
    if placed <> jsonb_array_length(places) then
        raise exception 'an audit event has its place' using errcode = 'serialization_failure';
    end if;
    return placed;
end
$$
"""


def upgrade() -> None:
    op.execute(_GUARD)
    op.execute(_CHAIN)
    # A new version is written small and grows once, when it was read; a document changes its state twice.
    op.execute("alter table document_versions set (fillfactor = 25)")
    op.execute("alter table documents set (fillfactor = 40)")


def downgrade() -> None:
    op.execute("alter table documents reset (fillfactor)")
    op.execute("alter table document_versions reset (fillfactor)")
    before = context.script.get_revision("0016").module
    for function in (before._GUARD, before._CHAIN):
        op.execute(function.replace("create function", "create or replace function"))
