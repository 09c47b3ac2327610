"""SQL of metrics: jobs, what a tenant keeps, and what PostgreSQL's statistics views tell of the whole database."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Final
from uuid import UUID

from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncConnection

Row = Mapping[str, Any]

_JOBS: Final = (
    "select state, count(*) as jobs, coalesce(max(extract(epoch from now() - created_at)), 0)::float as oldest_s "
    "from jobs where state in ('queued', 'paused', 'running') {scope} group by state order by state"
)


async def count_jobs(connection: AsyncConnection, *, tenant_id: UUID | None) -> Sequence[Row]:
    """Unfinished jobs by state with the age of the oldest: of a tenant, or as `system` of all (None)."""
    if tenant_id is None:
        rows = await connection.execute(text(_JOBS.format(scope="")))
    else:
        rows = await connection.execute(text(_JOBS.format(scope="and tenant_id = :id")), {"id": tenant_id})
    return [dict(row._mapping) for row in rows]


async def count_holdings(connection: AsyncConnection, *, tenant_id: UUID) -> Row:
    """What a tenant keeps. Sums of stored counts, so that no table of chunks is read."""
    rows = await connection.execute(
        text(
            "select (select count(*) from chatbots where tenant_id = :id) as chatbots, "
            "(select count(*) from documents where tenant_id = :id and deleted_at is null) as documents, "
            "(select coalesce(sum(v.chunk_count), 0)::bigint from documents d join document_versions v on "
            "v.tenant_id = d.tenant_id and v.id = d.live_version_id where d.tenant_id = :id and d.deleted_at is null) "
            "as chunks, "
            "(select coalesce(sum(size_bytes), 0)::bigint from document_versions where tenant_id = :id) as original_bytes, "
            "(select count(*) from sessions where tenant_id = :id) as sessions"
        ),
        {"id": tenant_id},
    )
    return dict(rows.one()._mapping)


async def list_index_kinds(connection: AsyncConnection, *, tenant_id: UUID) -> Sequence[Row]:
    """How the vectors of each chatbot are searched; one without a row is searched exactly."""
    rows = await connection.execute(
        text(
            "select c.id as chatbot_id, c.name, coalesce(v.kind, 'exact') as kind, coalesce(v.state, 'ready') as state, "
            "v.recall, v.chunks_at_build as chunks from chatbots c left join vector_indexes v on v.tenant_id = c.tenant_id "
            "and v.chatbot_id = c.id and v.embedding_version = c.active_embedding_version where c.tenant_id = :id "
            "order by c.id"
        ),
        {"id": tenant_id},
    )
    return [dict(row._mapping) for row in rows]


# ---- the whole database, as `system`


async def read_database(connection: AsyncConnection) -> Row:
    """Size, cache hits, connections and age of the oldest transaction, as far as PostgreSQL tells this role."""
    rows = await connection.execute(
        text(
            "select current_setting('server_version') as version, pg_database_size(current_database()) as size_bytes, "
            "d.blks_hit::float / nullif(d.blks_hit + d.blks_read, 0) as cache_hit_ratio, d.xact_commit as commits, "
            "d.xact_rollback as rollbacks, d.deadlocks, d.temp_bytes, d.stats_reset, "
            "current_setting('max_connections')::int as max_connections, age(p.datfrozenxid) as transaction_id_age, "
            "extract(epoch from now() - pg_postmaster_start_time())::float as uptime_s "
            "from pg_stat_database d join pg_database p on p.oid = d.datid where d.datname = current_database()"
        )
    )
    return dict(rows.one()._mapping)


async def count_connections(connection: AsyncConnection) -> Sequence[Row]:
    """Connections to this database by role."""
    rows = await connection.execute(
        text(
            "select coalesce(usename, '') as role, count(*) as connections from pg_stat_activity "
            "where datname = current_database() group by usename order by 2 desc, 1"
        )
    )
    return [dict(row._mapping) for row in rows]


async def list_tables(connection: AsyncConnection, *, limit: int) -> Sequence[Row]:
    """The largest tables, with what vacuum left and when it came."""
    rows = await connection.execute(
        text(
            "select relname as name, pg_total_relation_size(relid) as total_bytes, pg_relation_size(relid) as table_bytes, "
            "pg_indexes_size(relid) as index_bytes, n_live_tup as live_rows, n_dead_tup as dead_rows, "
            "coalesce(seq_scan, 0) as sequential_scans, coalesce(idx_scan, 0) as index_scans, "
            "greatest(last_vacuum, last_autovacuum) as vacuumed_at, greatest(last_analyze, last_autoanalyze) as analyzed_at "
            "from pg_stat_user_tables where schemaname = 'public' order by 2 desc, 1 limit :limit"
        ),
        {"limit": limit},
    )
    return [dict(row._mapping) for row in rows]


async def list_indexes(connection: AsyncConnection, *, limit: int) -> Sequence[Row]:
    """The largest indexes, with how often they were used."""
    rows = await connection.execute(
        text(
            'select indexrelname as name, relname as "table", pg_relation_size(indexrelid) as bytes, '
            "coalesce(idx_scan, 0) as scans, last_idx_scan as used_at from pg_stat_user_indexes "
            "where schemaname = 'public' order by 3 desc, 1 limit :limit"
        ),
        {"limit": limit},
    )
    return [dict(row._mapping) for row in rows]


async def has_statements(connection: AsyncConnection) -> bool:
    """Whether `pg_stat_statements` is there and may be read."""
    rows = await connection.execute(
        text(
            "select exists (select from pg_extension where extname = 'pg_stat_statements') "
            "and to_regclass('pg_stat_statements') is not null "
            "and has_table_privilege(to_regclass('pg_stat_statements'), 'select')"
        )
    )
    return bool(rows.scalar_one())


async def list_slow_statements(connection: AsyncConnection, *, limit: int) -> Sequence[Row]:
    """Statements by the time that they took together. Their text holds no values: these are replaced by `$1`."""
    rows = await connection.execute(
        text(
            "select left(query, 300) as statement, calls, total_exec_time as total_ms, mean_exec_time as mean_ms, rows "
            "from pg_stat_statements s join pg_database d on d.oid = s.dbid where d.datname = current_database() "
            "order by total_exec_time desc limit :limit"
        ),
        {"limit": limit},
    )
    return [dict(row._mapping) for row in rows]
