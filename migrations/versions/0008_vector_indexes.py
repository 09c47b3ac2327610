"""Own vector indexes of chatbots, and the functions that search with one statement.

Revision: 0008.
"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0008"
down_revision = "0007"
branch_labels = None
depends_on = None

_CURRENT_TENANT = "nullif(current_setting('dragoman.tenant_id', true), '')::uuid"
_NOW = sa.text("now()")

# What a search may see: repeated where PostgreSQL would lose its plan in a function or a view.
_VISIBLE = """
            select d.live_version_id as version_id from documents d
            where d.tenant_id = tenant and d.chatbot_id = chatbot and d.deleted_at is null
                and d.live_version_id is not null and (d.visibility = 'shared' or d.owner = asker)"""

# As the caller, so that row-level security holds. Generic plans: planning a query among 50 own indexes costs 0.6 ms,
# more than the search itself. Such a plan does not know whose rows are few, and would read all tenants' sentences to find
# that a chatbot has none (4 ms at 20,000): hence no sequential scans. The own index, where one is ready, is asked through
# its own function, which holds the ids as literals (see embeddings/indexes/repository.py); when it yields less than was
# asked for, everything is compared. `is true` keeps the test of visibility from becoming a join, and the sub-selects with
# LIMIT stay index look-ups.
_SEARCH_CHUNKS = f"""
create function search_chunks(
    tenant uuid, chatbot uuid, version integer, query halfvec, wanted integer, depth integer, asker text,
    scan_sentences_up_to integer
) returns table (chunk_id uuid, distance double precision, sentence_distance double precision)
language plpgsql rows 20 set plan_cache_mode = force_generic_plan set enable_seqscan = off
set search_path = public, pg_temp as $$
#variable_conflict use_column
declare
    own text;
    nearest uuid[];
    distances double precision[];
    by_sentence uuid[];
    has_sentences boolean := exists (
        select from sentence_embeddings s
        where s.tenant_id = tenant and s.chatbot_id = chatbot and s.embedding_version = version
    );
begin
    if not has_sentences then
        depth := wanted;
    end if;
    select i.search_function into own from vector_indexes i
    where i.tenant_id = tenant and i.chatbot_id = chatbot and i.embedding_version = version and i.state = 'ready';
    if own is not null then
        execute format('select array_agg(chunk_id), array_agg(distance) from %I($1, $2, $3)', own)
            into nearest, distances using query, depth, asker;
    end if;
    if coalesce(cardinality(nearest), 0) < depth then
        own := null;
        with visible as materialized ({_VISIBLE}
        ), found as (
            select e.chunk_id, e.embedding <#> query as distance from chunk_embeddings e
            where e.tenant_id = tenant and e.chatbot_id = chatbot and e.embedding_version = version
                and (e.version_id in (select version_id from visible)) is true
            order by distance, chunk_id limit depth
        )
        select array_agg(chunk_id order by distance, chunk_id), array_agg(distance order by distance, chunk_id)
        into nearest, distances from found;
    end if;
    if nearest is null then
        return;
    end if;
    if not has_sentences then
        return query select n.id, n.distance, null::double precision
            from unnest(nearest[1:wanted], distances[1:wanted]) as n (id, distance);
        return;
    end if;
    if own is not null or (
        select count(*) from (
            select from chunk_embeddings e
            where e.tenant_id = tenant and e.chatbot_id = chatbot and e.embedding_version = version
            limit scan_sentences_up_to + 1
        ) as counted
    ) > scan_sentences_up_to then
        return query
            with scored as materialized (
                select n.id, n.distance, n.place, (
                    select min(s.embedding <#> query) from sentence_embeddings s
                    where s.tenant_id = tenant and s.chatbot_id = chatbot and s.embedding_version = version
                        and s.chunk_id = n.id) as sentence_distance
                from unnest(nearest, distances) with ordinality as n (id, distance, place)
            ), ranked as (select *, row_number() over (order by sentence_distance, id) as sentence_place from scored)
            select id, distance, sentence_distance from ranked
            where place <= wanted or (sentence_place <= wanted and sentence_distance is not null);
        return;
    end if;
    with visible as materialized ({_VISIBLE}
    ), scored as materialized (
        select s.chunk_id, s.embedding <#> query as distance from sentence_embeddings s
        where s.tenant_id = tenant and s.chatbot_id = chatbot and s.embedding_version = version
            and (s.version_id in (select version_id from visible)) is true
    ), best as (
        select chunk_id from scored group by chunk_id order by min(distance), chunk_id limit wanted
    )
    select array_agg(chunk_id) into by_sentence from best;
    return query
        select e.chunk_id, e.embedding <#> query, (
            select min(s.embedding <#> query) from sentence_embeddings s
            where s.tenant_id = tenant and s.chatbot_id = chatbot and s.embedding_version = version
                and s.chunk_id = e.chunk_id)
        from chunk_embeddings e
        where e.tenant_id = tenant and e.chatbot_id = chatbot and e.embedding_version = version
            and e.chunk_id = any(nearest[1:wanted] || by_sentence);
end $$
"""

_ARGUMENTS = "(uuid, uuid, integer, halfvec, integer, integer, text, integer)"


def upgrade() -> None:
    op.create_table(
        "vector_indexes",
        sa.Column("tenant_id", sa.Uuid(), nullable=False),
        sa.Column("chatbot_id", sa.Uuid(), nullable=False),
        sa.Column("embedding_version", sa.Integer(), nullable=False),
        sa.Column("kind", sa.Text(), server_default="exact", nullable=False),
        sa.Column("state", sa.Text(), server_default="ready", nullable=False),
        sa.Column("wanted", sa.Text(), server_default="auto", nullable=False),
        sa.Column("search_function", sa.Text()),
        sa.Column("index_name", sa.Text()),
        sa.Column("m", sa.Integer()),
        sa.Column("ef_construction", sa.Integer()),
        sa.Column("ef_search", sa.Integer()),
        sa.Column("chunks_at_build", sa.Integer()),
        sa.Column("chunks_at_check", sa.Integer()),
        sa.Column("recall", sa.Double()),
        sa.Column("reason", sa.Text(), server_default="", nullable=False),
        sa.Column("seen_revision", sa.BigInteger()),
        sa.Column("built_at", sa.DateTime(timezone=True)),
        sa.Column("checked_at", sa.DateTime(timezone=True)),
        sa.Column("updated_at", sa.DateTime(timezone=True), server_default=_NOW, nullable=False),
        sa.PrimaryKeyConstraint("tenant_id", "chatbot_id", "embedding_version", name="pk_vector_indexes"),
        sa.ForeignKeyConstraint(
            ["tenant_id", "chatbot_id"],
            ["chatbots.tenant_id", "chatbots.id"],
            name="fk_vector_indexes_tenant_id_chatbot_id",
            ondelete="CASCADE",
        ),
    )
    op.execute("alter table vector_indexes enable row level security")
    op.execute("alter table vector_indexes force row level security")
    op.execute(
        "create policy tenant_isolation on vector_indexes to dragoman_app "
        f"using (tenant_id = {_CURRENT_TENANT}) with check (tenant_id = {_CURRENT_TENANT})"
    )
    op.execute("grant select, insert, update, delete on vector_indexes to dragoman_app")
    op.execute(_SEARCH_CHUNKS)
    op.execute(f"revoke execute on function search_chunks{_ARGUMENTS} from public")
    op.execute(f"grant execute on function search_chunks{_ARGUMENTS} to dragoman_app")


def downgrade() -> None:
    op.execute(f"drop function search_chunks{_ARGUMENTS}")
    op.execute(_DROP_OWN)
    op.drop_table("vector_indexes")


_DROP_OWN = """
do $$
declare
    made text;
begin
    for made in
        select format('drop index %I', c.relname) from pg_class c
        where c.relnamespace = 'public'::regnamespace and c.relkind = 'i' and c.relname ~ '^own_[0-9a-f]{32}_v'
        union all
        select format('drop function %s', p.oid::regprocedure) from pg_proc p
        where p.pronamespace = 'public'::regnamespace and p.proname ~ '^nearest_[0-9a-f]{32}_v'
    loop
        execute made;
    end loop;
end $$
"""
