"""Metrics as the HTTP API shows them. What tells of all tenants is null for all but the operator's."""

from __future__ import annotations

from datetime import datetime
from typing import Literal
from uuid import UUID

from pydantic import BaseModel, Field

from dragoman.insights.metrics.processes import ProcessReport
from dragoman.insights.schemas import QuantilesOut

Scope = Literal["installation", "tenant"]
_SCOPE = Field(description="`installation` for the operator's tenant; `tenant`: only what is your own is told.")


class WaitingJobsOut(BaseModel):
    state: str
    jobs: int
    oldest_s: float = Field(description="Seconds since the oldest was made.")


class MachineOut(BaseModel):
    """The machine that answers."""

    host: str
    processors: int
    cpu_percent: float
    load_1min: float
    memory_total_mib: float
    memory_available_mib: float
    disk_total_gib: float = Field(description="Of the disk with the home.")
    disk_free_gib: float


class CacheServerOut(BaseModel):
    """Valkey."""

    version: str
    used_memory_mib: float
    connected_clients: int
    keys: int
    hit_ratio: float | None
    evicted_keys: int
    uptime_s: int


class SystemMetricsOut(BaseModel):
    scope: Scope = _SCOPE
    jobs: list[WaitingJobsOut] = Field(description="Of your tenant; for the operator of all.")
    has_worker: bool | None = Field(description="Whether any worker lives; null while Valkey does not answer.")
    cache_is_reachable: bool
    processes: list[ProcessReport] | None
    machine: MachineOut | None
    cache: CacheServerOut | None


class HoldingsOut(BaseModel):
    """What a tenant keeps."""

    chatbots: int
    documents: int
    chunks: int = Field(description="Of live versions.")
    original_bytes: int = Field(description="Of original files, all versions.")
    sessions: int


class ConnectionsOut(BaseModel):
    role: str
    connections: int


class TableOut(BaseModel):
    name: str
    total_bytes: int
    table_bytes: int
    index_bytes: int
    live_rows: int = Field(description="As PostgreSQL estimates.")
    dead_rows: int
    sequential_scans: int
    index_scans: int
    vacuumed_at: datetime | None
    analyzed_at: datetime | None


class IndexOut(BaseModel):
    name: str
    table: str
    bytes: int
    scans: int
    used_at: datetime | None


class StatementOut(BaseModel):
    statement: str
    calls: int
    total_ms: float
    mean_ms: float
    rows: int


class DatabaseServerOut(BaseModel):
    version: str
    size_bytes: int
    cache_hit_ratio: float | None
    commits: int
    rollbacks: int
    deadlocks: int
    temp_bytes: int
    stats_reset: datetime | None
    max_connections: int
    transaction_id_age: int = Field(description="Vacuum has to keep it below 2 billion.")
    uptime_s: float
    longest_transaction_s: float = Field(description="Of the application's own.")
    connections: list[ConnectionsOut]
    tables: list[TableOut] = Field(description="The largest.")
    indexes: list[IndexOut] = Field(description="The largest.")
    slow_statements: list[StatementOut] | None = Field(description="Null without the extension `pg_stat_statements`.")


class DatabaseMetricsOut(BaseModel):
    scope: Scope = _SCOPE
    round_trip_ms: float = Field(description="Of a statement that reads nothing.")
    holdings: HoldingsOut
    server: DatabaseServerOut | None


class ChatbotIndexOut(BaseModel):
    chatbot_id: UUID
    name: str
    kind: str = Field(description="`exact` or the kind of its own index.")
    state: str
    recall: float | None
    chunks: int | None = Field(description="When the index was built.")


class SearchMetricsOut(BaseModel):
    minutes: int
    searches: int
    searches_per_minute: float
    latency_ms: QuantilesOut | None
    zero_results: int
    zero_result_rate: float | None
    low_confidence: int
    cached: int
    cache_hit_rate: float | None
    degraded: int
    questions: int
    retrieval_ms: QuantilesOut | None = Field(description="Of the searches that questions caused.")
    indexes: list[ChatbotIndexOut]
