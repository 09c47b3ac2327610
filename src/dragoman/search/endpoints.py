"""HTTP: search, what became of its results, and analytics."""

from __future__ import annotations

from collections import Counter
from dataclasses import replace
from datetime import date, timedelta
from typing import Annotated, Any
from uuid import UUID

from fastapi import APIRouter, Query, Response
from fastapi.exceptions import RequestValidationError
from pydantic import ValidationError

from dragoman.deps import Deps
from dragoman.deps.http import DepsDep, lean
from dragoman.kit.clock import now
from dragoman.kit.errors import DragomanError
from dragoman.knowledge.entities import ContentType
from dragoman.search import across, analytics, service
from dragoman.search.across import Arrangement
from dragoman.search.analytics_schemas import AnalyticsOut
from dragoman.search.entities import Period
from dragoman.search.schemas import (
    BatchIn,
    BatchOut,
    ClickIn,
    HybridOut,
    RatingIn,
    RerankerList,
    SearchIn,
    SearchOut,
    batch_json,
    hybrid_json,
    search_json,
)
from dragoman.search.service import SearchRequest
from dragoman.tenancy import service as tenancy
from dragoman.tenancy.access import asker_of, require
from dragoman.tenancy.entities import Caller, Permission
from dragoman.tenancy.http import CallerWhoExplains, CallerWhoManagesDocuments, CallerWhoSearches

router = APIRouter(tags=["search"])
_DEFAULT_PERIOD = timedelta(days=29)


@router.post("/api/search", response_model=SearchOut)
@lean
async def search(body: SearchIn, caller: CallerWhoSearches, deps: DepsDep) -> Response:
    """Find the passages of a chatbot's knowledge that are nearest to a question, in any language."""
    asking = _asking(deps, body, caller)
    await deps.limiter.take_searches(caller, asking.asker, body.chatbot_id)
    return _json(search_json(body, await service.search(deps, asking, body.request())))


@router.post("/api/search/batch", response_model=BatchOut)
@lean
async def search_batch(body: BatchIn, caller: CallerWhoSearches, deps: DepsDep) -> Response:
    """Search up to 50 queries. Each has its own result or error; the answer is 200 in any case."""
    items = body.items()
    prepared = [_prepared(deps, item, caller) for item in items]
    wanted = [each for each in prepared if not isinstance(each, DragomanError)]
    counts = Counter((asking.asker, request.chatbot_id) for asking, request in wanted)
    for (asker, chatbot_id), count in counts.items():
        await deps.limiter.take_searches(caller, asker, chatbot_id, count=count)
    found = iter(await service.search_many(deps, wanted))
    results = [each if isinstance(each, DragomanError) else next(found) for each in prepared]
    return _json(batch_json(items, results))


@router.get("/api/search/hybrid/{chatbot_id}", response_model=HybridOut)
async def search_hybrid(
    chatbot_id: UUID,
    caller: CallerWhoSearches,
    deps: DepsDep,
    q: Annotated[str, Query(min_length=1, max_length=8000, description="What to look for, in any language.")],
    max_results: Annotated[
        int, Query(ge=1, le=100, description="Results in all; arranged as `grouped`, of each content type.")
    ] = 10,
    similarity_threshold: Annotated[float, Query(ge=0.0, le=1.0)] = 0.0,
    content_types: Annotated[list[ContentType] | None, Query(description="May be repeated; all without it.")] = None,
    arrangement: Annotated[
        Arrangement,
        Query(
            description="`balanced`: each content type has its share. `ranked`: by score. `grouped`: a list of each."
        ),
    ] = "balanced",
    filter: Annotated[str | None, Query(description="As in `POST /api/search`.")] = None,  # noqa: A002 - as the API says
    language: Annotated[str | None, Query(min_length=2, max_length=8, description="Of the query.")] = None,
    user_id: Annotated[str | None, Query(max_length=200, description="Your own name for the asker.")] = None,
    explain: Annotated[bool, Query(description="Show the raw scores of each arm.")] = False,
) -> Response:
    """Find passages by vectors and keywords across content types, so that one type does not crowd out the others."""
    body = _checked(
        query=q,
        chatbot_id=chatbot_id,
        user_id=user_id,
        max_results=max_results,
        similarity_threshold=similarity_threshold,
        mode="hybrid",
        language=language,
        filter=filter,
        explain=explain,
    )
    asking = _asking(deps, body, caller)
    await deps.limiter.take_searches(caller, asking.asker, chatbot_id)
    found = await across.search_across(
        deps,
        asking,
        body.request("hybrid"),
        content_types=[kind.value for kind in content_types or ContentType],
        arrangement=arrangement,
    )
    return _json(hybrid_json(body, found, arrangement))


def _checked(**parameters: Any) -> SearchIn:
    """The parameters of an address under the rules of a body. Raises RequestValidationError."""
    try:
        return SearchIn(**parameters)
    except ValidationError as error:
        wrong = [{**each, "loc": ("query", *each["loc"])} for each in error.errors()]
        raise RequestValidationError(wrong) from error


@router.get("/api/search/rerankers")
async def list_rerankers(
    caller: CallerWhoExplains,
    deps: DepsDep,
    chatbot_id: Annotated[UUID | None, Query(description="As what you may do on this chatbot.")] = None,
) -> RerankerList:
    """List the re-rankers that can be asked here: those of the installation that are set up."""
    if chatbot_id is not None:
        async with deps.database.reading(caller.tenant_id) as connection:
            await tenancy.get_chatbot(connection, caller, chatbot_id)
    return RerankerList(rerankers=deps.rerankers.list_set_up())


@router.get("/api/search/analytics/{chatbot_id}")
async def search_analytics(
    chatbot_id: UUID,
    caller: CallerWhoManagesDocuments,
    deps: DepsDep,
    first: Annotated[
        date | None, Query(alias="from", description="First day (UTC); without it 29 days before the last.")
    ] = None,
    last: Annotated[date | None, Query(alias="to", description="Last day, included; today at the latest.")] = None,
    language: Annotated[str | None, Query(min_length=2, max_length=8, description="Only queries in this.")] = None,
    limit: Annotated[int, Query(ge=1, le=100, description="Queries and documents in each list.")] = 20,
) -> AnalyticsOut:
    """What is searched, what is not found, what is opened and how long it takes, by day and language."""
    last = min(last or date.max, now().date())
    period = Period(first=first or _days_before(last), last=last, language=language)
    return AnalyticsOut.of(await analytics.read_report(deps, caller, chatbot_id, period, limit=limit))


@router.post("/api/search/{search_id}/click", status_code=204)
async def click_result(search_id: UUID, body: ClickIn, caller: CallerWhoSearches, deps: DepsDep) -> None:
    """Tell that a result of your search was opened."""
    asking = replace(caller, asker=asker_of(caller, body.user_id))
    await analytics.record_click(deps, asking, search_id, rank=body.rank, chunk_id=body.chunk_id)


@router.post("/api/search/{search_id}/rating", status_code=204)
async def rate_search(search_id: UUID, body: RatingIn, caller: CallerWhoSearches, deps: DepsDep) -> None:
    """Tell whether your search, or one of its results, was helpful. A later rating replaces an earlier one."""
    asking = replace(caller, asker=asker_of(caller, body.user_id))
    await analytics.record_rating(deps, asking, search_id, body.rating, rank=body.rank, chunk_id=body.chunk_id)


def _asking(deps: Deps, body: SearchIn, caller: Caller) -> Caller:
    """The caller as the asker.

    Raises:
        ForbiddenError: it may neither see explanations nor choose a re-ranker. RerankerNotSetUpError.
    """
    if body.explain or body.reranker is not None:
        require(caller, Permission.EXPLAIN)
    if body.reranker is not None:
        deps.rerankers.require_set_up(body.reranker)
    return replace(caller, asker=asker_of(caller, body.user_id))


def _prepared(
    deps: Deps, item: SearchIn | DragomanError, caller: Caller
) -> tuple[Caller, SearchRequest] | DragomanError:
    if isinstance(item, DragomanError):
        return item
    try:
        return _asking(deps, item, caller), item.request("batch")
    except DragomanError as error:
        return error


def _days_before(last: date) -> date:
    return last - _DEFAULT_PERIOD if last.toordinal() > _DEFAULT_PERIOD.days else last


def _json(content: bytes) -> Response:
    return Response(content, media_type="application/json")
