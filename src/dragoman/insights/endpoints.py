"""HTTP: how well a chatbot serves."""

from __future__ import annotations

from datetime import date, timedelta
from typing import Annotated, Final, Literal
from uuid import UUID

from fastapi import APIRouter, Query, Response

from dragoman.deps.http import DepsDep
from dragoman.insights import service
from dragoman.insights.entities import Period
from dragoman.insights.export import as_csv
from dragoman.insights.schemas import AnalyticsReportOut
from dragoman.kit.clock import now
from dragoman.tenancy.http import CallerWhoReadsAnalytics

router = APIRouter(tags=["insights"])
_USUAL_SPAN: Final = timedelta(days=29)


@router.get(
    "/api/analytics/{chatbot_id}",
    response_model=AnalyticsReportOut,
    responses={200: {"content": {"text/csv": {"schema": {"type": "string"}}}}},
)
async def read_analytics(
    chatbot_id: UUID,
    caller: CallerWhoReadsAnalytics,
    deps: DepsDep,
    first: Annotated[
        date | None, Query(alias="from", description="First day (UTC); without it 29 days before the last.")
    ] = None,
    last: Annotated[date | None, Query(alias="to", description="Last day, included; today at the latest.")] = None,
    by: Annotated[Literal["day", "hour"], Query(description="What a bar is. Hours are kept for three months.")] = "day",
    language: Annotated[str | None, Query(min_length=2, max_length=8, description="Only questions in this.")] = None,
    limit: Annotated[int, Query(ge=1, le=100, description="Documents and questions in each list.")] = 20,
    format: Annotated[  # noqa: A002 - as the API says
        Literal["json", "csv"], Query(description="`csv`: the bars as a table.")
    ] = "json",
) -> AnalyticsReportOut | Response:
    """Tell how well a chatbot serves: questions, answers, refusals, satisfaction, cost, latency, errors, documents."""
    until = min(last or date.max, now().date())
    period = Period(first=first or max(date.min + _USUAL_SPAN, until) - _USUAL_SPAN, last=until, language=language)
    report = AnalyticsReportOut.of(await service.read_report(deps, caller, chatbot_id, period, by=by, limit=limit))
    if format == "csv":
        name = f"analytics-{period.first}-{period.last}.csv"
        return Response(
            as_csv(report),
            media_type="text/csv; charset=utf-8",
            headers={"Content-Disposition": f'attachment; filename="{name}"'},
        )
    return report
