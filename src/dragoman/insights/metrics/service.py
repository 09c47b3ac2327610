"""What the installation, its database and its searches do now; of a tenant's own where others' must not be told."""

from __future__ import annotations

import asyncio
import os
import shutil
import socket
from datetime import timedelta
from pathlib import Path
from typing import Final
from uuid import UUID

import psutil
from redis.exceptions import RedisError

from dragoman.deps import Deps
from dragoman.insights import repository as counts_repository
from dragoman.insights import sketch
from dragoman.insights.alerts.repository import list_chatbot_ids, longest_transaction_s
from dragoman.insights.entities import NO_CHATBOT, Counts, Dimension
from dragoman.insights.fold import fold
from dragoman.insights.metrics import repository
from dragoman.insights.metrics.processes import list_processes
from dragoman.insights.metrics.schemas import (
    CacheServerOut,
    ChatbotIndexOut,
    ConnectionsOut,
    DatabaseMetricsOut,
    DatabaseServerOut,
    HoldingsOut,
    IndexOut,
    MachineOut,
    SearchMetricsOut,
    StatementOut,
    SystemMetricsOut,
    TableOut,
    WaitingJobsOut,
)
from dragoman.insights.operators import is_operator
from dragoman.insights.schemas import QuantilesOut
from dragoman.kit.cache import Cache
from dragoman.kit.clock import Stopwatch, now
from dragoman.kit.database import Database
from dragoman.tenancy import service as tenancy
from dragoman.tenancy.entities import Caller

_MIB: Final = 1024**2
_GIB: Final = 1024**3
_MOST_LISTED: Final = 20
_MOST_LIVE: Final = 20_000


# ---- system


async def read_system(deps: Deps, caller: Caller) -> SystemMetricsOut:
    """Processes, jobs, machine and Valkey. Raises DatabaseUnavailableError."""
    operator = await is_operator(deps.database, caller.tenant_id, deps.operator_tenant)
    is_reachable = await deps.cache.is_reachable()
    processes = await list_processes(deps.cache) if is_reachable else []
    return SystemMetricsOut(
        scope="installation" if operator else "tenant",
        jobs=await _jobs(deps.database, None if operator else caller.tenant_id),
        has_worker=any(process.role == "worker" for process in processes) if is_reachable else None,
        cache_is_reachable=is_reachable,
        processes=processes if operator else None,
        machine=await asyncio.to_thread(_machine, deps.home) if operator else None,
        cache=await _cache(deps.cache) if operator and is_reachable else None,
    )


async def _jobs(database: Database, tenant_id: UUID | None) -> list[WaitingJobsOut]:
    transaction = database.system_transaction() if tenant_id is None else database.transaction(tenant_id)
    async with transaction as connection:
        return [WaitingJobsOut(**row) for row in await repository.count_jobs(connection, tenant_id=tenant_id)]


def _machine(home: Path) -> MachineOut:
    memory, disk = psutil.virtual_memory(), shutil.disk_usage(home)
    return MachineOut(
        host=socket.gethostname(),
        processors=os.cpu_count() or 1,
        cpu_percent=psutil.cpu_percent(interval=0.1),
        load_1min=round(psutil.getloadavg()[0], 2),
        memory_total_mib=round(memory.total / _MIB),
        memory_available_mib=round(memory.available / _MIB),
        disk_total_gib=round(disk.total / _GIB, 2),
        disk_free_gib=round(disk.free / _GIB, 2),
    )


async def _cache(cache: Cache) -> CacheServerOut | None:
    try:
        told = await cache.client.info()
        keys = await cache.client.dbsize()
    except (RedisError, OSError) as error:
        cache.rest(error)
        return None
    asked = told["keyspace_hits"] + told["keyspace_misses"]
    return CacheServerOut(
        version=str(told.get("valkey_version") or told["redis_version"]),
        used_memory_mib=round(told["used_memory"] / _MIB, 1),
        connected_clients=told["connected_clients"],
        keys=keys,
        hit_ratio=round(told["keyspace_hits"] / asked, 4) if asked else None,
        evicted_keys=told["evicted_keys"],
        uptime_s=told["uptime_in_seconds"],
    )


# ---- database


async def read_database(deps: Deps, caller: Caller) -> DatabaseMetricsOut:
    """What the tenant keeps; for the operator the server too. Raises DatabaseUnavailableError."""
    operator = await is_operator(deps.database, caller.tenant_id, deps.operator_tenant)
    async with deps.database.transaction(caller.tenant_id) as connection:
        watch = Stopwatch()
        await tenancy.find_chatbot(connection, caller, NO_CHATBOT)
        round_trip_ms = watch.elapsed_ms
        holdings = HoldingsOut(**await repository.count_holdings(connection, tenant_id=caller.tenant_id))
        longest = await longest_transaction_s(connection)
    return DatabaseMetricsOut(
        scope="installation" if operator else "tenant",
        round_trip_ms=round(round_trip_ms, 2),
        holdings=holdings,
        server=await read_server(deps.database, longest_s=longest) if operator else None,
    )


async def read_server(database: Database, *, longest_s: float) -> DatabaseServerOut:
    """What PostgreSQL tells of the whole database. Raises DatabaseUnavailableError."""
    async with database.system_transaction() as connection:
        told = await repository.read_database(connection)
        slow = None
        if await repository.has_statements(connection):
            rows = await repository.list_slow_statements(connection, limit=_MOST_LISTED)
            slow = [StatementOut(**row) for row in rows]
        return DatabaseServerOut(
            **told,
            longest_transaction_s=longest_s,
            connections=[ConnectionsOut(**row) for row in await repository.count_connections(connection)],
            tables=[TableOut(**row) for row in await repository.list_tables(connection, limit=_MOST_LISTED)],
            indexes=[IndexOut(**row) for row in await repository.list_indexes(connection, limit=_MOST_LISTED)],
            slow_statements=slow,
        )


# ---- searches


async def read_search(deps: Deps, caller: Caller, chatbot_id: UUID | None, *, minutes: int) -> SearchMetricsOut:
    """Searches of the last minutes, of one chatbot or of all of the tenant. Raises ChatbotNotFoundError."""
    end = now()
    begin = end.replace(second=0, microsecond=0) - timedelta(minutes=minutes - 1)
    async with deps.database.transaction(caller.tenant_id) as connection:
        if chatbot_id is not None:
            await tenancy.get_chatbot(connection, caller, chatbot_id)
        wanted = [chatbot_id] if chatbot_id else list(await list_chatbot_ids(connection, tenant_id=caller.tenant_id))
        kinds = await repository.list_index_kinds(connection, tenant_id=caller.tenant_id)
    async with deps.database.reading(caller.tenant_id) as reading:  # one state: nothing is counted twice
        counts = await counts_repository.sum_counts(
            reading, tenant_id=caller.tenant_id, chatbots=wanted, grain="minute", begin=begin, end=end
        )
        live = await counts_repository.list_facts(
            reading, tenant_id=caller.tenant_id, chatbots=wanted, limit=_MOST_LIVE
        )
    for key, more in fold(live).items():
        if key.grain == "minute" and key.dimension is Dimension.ALL and begin <= key.starts_at <= end:
            counts.add(more)
    return _search_out(counts, minutes, [ChatbotIndexOut(**row) for row in kinds if row["chatbot_id"] in wanted])


def _search_out(counts: Counts, minutes: int, indexes: list[ChatbotIndexOut]) -> SearchMetricsOut:
    return SearchMetricsOut(
        minutes=minutes,
        searches=counts.searches,
        searches_per_minute=round(counts.searches / minutes, 2),
        latency_ms=_quantiles(counts, "search"),
        zero_results=counts.zero_results,
        zero_result_rate=_rate(counts.zero_results, counts.searches),
        low_confidence=counts.low_confidence,
        cached=counts.searches_cached,
        cache_hit_rate=_rate(counts.searches_cached, counts.searches),
        degraded=counts.searches_degraded,
        questions=counts.turns,
        retrieval_ms=_quantiles(counts, "retrieve"),
        indexes=indexes,
    )


def _rate(part: int, whole: int) -> float | None:
    return round(part / whole, 4) if whole else None


def _quantiles(counts: Counts, stage: str) -> QuantilesOut | None:
    found = None if counts.latencies is None else sketch.quantiles(counts.latencies[sketch.slice_of(stage)])
    return None if found is None else QuantilesOut(**found)
