"""Analytics of searches as the HTTP API shows them."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import date
from typing import Any
from uuid import UUID

from pydantic import BaseModel, Field

from dragoman.search.entities import Counts, QueryCounts, QueryLog, Report

_RATE = "Share of the searches, 0 to 1."


class CountsOut(BaseModel):
    searches: int = Field(description="First pages; later pages of the same results are not counted again.")
    average_results: float
    zero_results: int
    zero_result_rate: float = Field(description=_RATE)
    low_confidence: int = Field(description="Searches whose best result scores below 0.4.")
    low_confidence_rate: float = Field(description=_RATE)
    follow_ups: int = Field(description="Searches that were understood by the conversation before them.")
    cache_hits: int
    cache_hit_rate: float = Field(description=_RATE)
    degraded: int
    degraded_rate: float = Field(description=_RATE)
    clicks: int
    clicked_searches: int
    click_through_rate: float = Field(description=_RATE)
    mean_reciprocal_rank: float = Field(description="Of the first result opened, over the searches with a click.")
    ratings_up: int
    ratings_down: int
    satisfaction: float | None = Field(description="Share of the ratings that are up; null without ratings.")
    slowest_ms: float

    @classmethod
    def values(cls, counts: Counts) -> dict[str, Any]:
        rated = counts.ratings_up + counts.ratings_down
        clicked = counts.clicked_searches
        return {
            "searches": counts.searches,
            "average_results": counts.share(counts.results),
            "zero_results": counts.zero_results,
            "zero_result_rate": counts.share(counts.zero_results),
            "low_confidence": counts.low_confidence,
            "low_confidence_rate": counts.share(counts.low_confidence),
            "follow_ups": counts.follow_ups,
            "cache_hits": counts.cached,
            "cache_hit_rate": counts.share(counts.cached),
            "degraded": counts.degraded,
            "degraded_rate": counts.share(counts.degraded),
            "clicks": counts.clicks,
            "clicked_searches": clicked,
            "click_through_rate": counts.share(clicked),
            "mean_reciprocal_rank": round(counts.reciprocal_ranks / clicked, 4) if clicked else 0.0,
            "ratings_up": counts.ratings_up,
            "ratings_down": counts.ratings_down,
            "satisfaction": round(counts.ratings_up / rated, 4) if rated else None,
            "slowest_ms": round(counts.slowest_ms, 2),
        }


class Percentiles(BaseModel):
    """In milliseconds, at most 9 % off: they come from a histogram with fixed buckets."""

    p50: float
    p95: float
    p99: float


class LanguageOut(CountsOut):
    language: str
    latency_ms: Percentiles | None


class DayOut(CountsOut):
    day: date
    latency_ms: Percentiles | None


class QueryOut(BaseModel):
    query: str | None = Field(description="Null where the chatbot keeps no text.")
    query_id: str = Field(description="The same for the same query, but for case and spaces.")
    language: str
    searches: int
    zero_results: int
    low_confidence: int
    clicked_searches: int
    ratings_up: int
    ratings_down: int
    last_asked: date

    @classmethod
    def of(cls, query: QueryCounts) -> QueryOut:
        return cls(
            query=query.text,
            query_id=query.query.hex(),
            language=query.language,
            searches=query.searches,
            zero_results=query.zero_results,
            low_confidence=query.low_confidence,
            clicked_searches=query.clicked_searches,
            ratings_up=query.ratings_up,
            ratings_down=query.ratings_down,
            last_asked=query.last_day,
        )


class OpenedOut(BaseModel):
    document_id: UUID
    title: str
    clicks: int


class AnalyticsOut(BaseModel):
    chatbot_id: UUID
    first_day: date
    last_day: date
    language: str | None
    query_log: QueryLog = Field(description="What the chatbot keeps of searches.")
    query_log_days: int
    totals: CountsOut
    latency_ms: dict[str, Percentiles] = Field(description="By stage.")
    languages: list[LanguageOut] = Field(description="The most frequent first.")
    days: list[DayOut] = Field(description="Days with searches, in order (UTC).")
    popular_queries: list[QueryOut]
    failing_queries: list[QueryOut] = Field(description="Those that most often found nothing, or nothing sure.")
    opened_documents: list[OpenedOut] = Field(description="Shared documents whose passages were opened most.")

    @classmethod
    def of(cls, report: Report) -> AnalyticsOut:
        return cls(
            chatbot_id=report.chatbot_id,
            first_day=report.period.first,
            last_day=report.period.last,
            language=report.period.language,
            query_log=report.query_log,
            query_log_days=report.query_log_days,
            totals=CountsOut(**CountsOut.values(report.total)),
            latency_ms={stage: Percentiles(**values) for stage, values in report.latency_ms.items()},
            languages=[
                LanguageOut(language=language, latency_ms=_percentiles(latency), **CountsOut.values(counts))
                for language, counts, latency in report.languages
            ],
            days=[
                DayOut(day=day, latency_ms=_percentiles(latency), **CountsOut.values(counts))
                for day, counts, latency in report.days
            ],
            popular_queries=[QueryOut.of(query) for query in report.popular],
            failing_queries=[QueryOut.of(query) for query in report.failing],
            opened_documents=[
                OpenedOut(document_id=opened.document_id, title=opened.title, clicks=opened.clicks)
                for opened in report.opened
            ],
        )


def _percentiles(values: Mapping[str, float] | None) -> Percentiles | None:
    return None if values is None else Percentiles(**values)
