"""What is kept of a search, and what analytics tell of many."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime
from typing import Any, Literal
from uuid import UUID

Origin = Literal["search", "hybrid", "batch"]
QueryLog = Literal["full", "masked", "anonymised", "off"]
Rating = Literal["up", "down"]


@dataclass(frozen=True, slots=True, kw_only=True)
class SearchEntry:
    """One search as it leaves the hot path; what of it is stored is decided when it is written.

    Attributes:
        text: as the asker wrote it. It stays in memory for a second at most where the chatbot keeps no text.
        query_log: what the chatbot keeps.
        first_rank: 1, or more for a later page of the same results.
        results: the chunks that were shown, in order.
        top_score: `similarity_score` of the best result; None without results.
    """

    id: UUID
    tenant_id: UUID
    chatbot_id: UUID
    asker: str
    origin: Origin
    text: str
    query_log: QueryLog
    language: str
    mode: str
    first_rank: int
    results: tuple[UUID, ...]
    total_results: int
    top_score: float | None
    is_follow_up: bool
    is_cached: bool
    degraded: tuple[str, ...]
    timings_ms: Mapping[str, float]
    created_at: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class LoggedSearch:
    """A search that may be reacted to. `asker` and `query` are keyed hashes."""

    id: UUID
    chatbot_id: UUID
    asker: bytes
    query: bytes
    language: str
    first_rank: int
    results: Sequence[UUID]
    created_at: datetime

    @property
    def day(self) -> date:
        return self.created_at.date()


@dataclass(frozen=True, slots=True, kw_only=True)
class Reaction:
    """What became of one result of a search, or (`chunk_id` None) of the search as a whole."""

    id: UUID
    chunk_id: UUID | None
    clicks: int
    rating: int | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Counts:
    """Numbers of a span of time; rates are shares of `searches`, 0 to 1."""

    searches: int = 0
    results: int = 0
    zero_results: int = 0
    low_confidence: int = 0
    follow_ups: int = 0
    cached: int = 0
    degraded: int = 0
    clicked_searches: int = 0
    clicks: int = 0
    reciprocal_ranks: float = 0.0
    ratings_up: int = 0
    ratings_down: int = 0
    slowest_ms: float = 0.0

    def share(self, count: float) -> float:
        return round(count / self.searches, 4) if self.searches else 0.0


@dataclass(frozen=True, slots=True, kw_only=True)
class QueryCounts:
    """A query that was asked; `text` is None where the chatbot keeps none."""

    query: bytes
    text: str | None
    language: str
    searches: int
    zero_results: int
    low_confidence: int
    clicked_searches: int
    ratings_up: int
    ratings_down: int
    last_day: date


@dataclass(frozen=True, slots=True, kw_only=True)
class OpenedDocument:
    """A document whose passages were opened from results. Its title is read when it is asked for, never stored."""

    document_id: UUID
    title: str
    clicks: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Period:
    """Days of the calendar in UTC, both included; one language, or None for all."""

    first: date
    last: date
    language: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Report:
    """What was searched in a period; latencies as `latency.by_stage` and `latency.percentiles` give them."""

    chatbot_id: UUID
    period: Period
    query_log: QueryLog
    query_log_days: int
    total: Counts
    latency_ms: Mapping[str, Mapping[str, float]]
    languages: Sequence[tuple[str, Counts, Mapping[str, float] | None]]
    days: Sequence[tuple[date, Counts, Mapping[str, float] | None]]
    popular: Sequence[QueryCounts]
    failing: Sequence[QueryCounts]
    opened: Sequence[OpenedDocument]


Row = Mapping[str, Any]
"""A row of a table, as it is written."""
