"""HTTP: what the installation, its database and its searches do now."""

from __future__ import annotations

from typing import Annotated
from uuid import UUID

from fastapi import APIRouter, Query

from dragoman.deps.http import DepsDep
from dragoman.insights.metrics import service
from dragoman.insights.metrics.schemas import DatabaseMetricsOut, SearchMetricsOut, SystemMetricsOut
from dragoman.tenancy.http import CallerWhoReadsMetrics

router = APIRouter(tags=["insights"])


@router.get("/api/metrics/system")
async def read_system_metrics(caller: CallerWhoReadsMetrics, deps: DepsDep) -> SystemMetricsOut:
    """Tell of processes, waiting jobs, machine and Valkey; what tells of all tenants, to the operator only."""
    return await service.read_system(deps, caller)


@router.get("/api/metrics/database")
async def read_database_metrics(caller: CallerWhoReadsMetrics, deps: DepsDep) -> DatabaseMetricsOut:
    """Tell what your tenant keeps; to the operator also of the server: tables, indexes, connections, slow statements."""
    return await service.read_database(deps, caller)


@router.get("/api/metrics/search")
async def read_search_metrics(
    caller: CallerWhoReadsMetrics,
    deps: DepsDep,
    minutes: Annotated[int, Query(ge=1, le=1440, description="Up to now.")] = 60,
    chatbot_id: Annotated[UUID | None, Query(description="This one alone; without it all of your tenant.")] = None,
) -> SearchMetricsOut:
    """Tell of your tenant's searches in the last minutes: how many, how fast, how often in vain, by which indexes."""
    return await service.read_search(deps, caller, chatbot_id, minutes=minutes)
