"""HTTP: what model calls took, and the budgets that bound them."""

from __future__ import annotations

from datetime import date, timedelta
from typing import Annotated
from uuid import UUID

from fastapi import APIRouter, Query, Request, status

from dragoman.kit.clock import now
from dragoman.kit.errors import InvalidRequestError
from dragoman.metering import service
from dragoman.metering.budgets import Budgets
from dragoman.metering.entities import BudgetScope
from dragoman.metering.schemas import BudgetIn, BudgetList, BudgetOut, UsageBy, UsageLineOut, UsageList
from dragoman.tenancy import service as tenancy
from dragoman.tenancy.http import (
    CallerWhoManagesBudgets,
    CallerWhoReadsUsage,
    ChatbotIdQuery,
    DatabaseDep,
    PageDep,
)

router = APIRouter()
_USUAL_DAYS = 30
_MOST_DAYS = 400


@router.get("/api/usage/", tags=["usage"])
async def read_usage(
    caller: CallerWhoReadsUsage,
    database: DatabaseDep,
    page: PageDep,
    by: Annotated[UsageBy, Query(description="What a line sums up.")] = UsageBy.DAY,
    chatbot_id: ChatbotIdQuery = None,
    first_day: Annotated[date | None, Query(description="UTC; without it, 30 days are shown.")] = None,
    last_day: Annotated[date | None, Query(description="UTC; without it, today.")] = None,
) -> UsageList:
    """Sum up the model calls of your tenant: calls, tokens, cost and latency."""
    last = last_day or now().date()
    first = first_day or last - timedelta(days=_USUAL_DAYS - 1)
    if not timedelta(0) <= last - first < timedelta(days=_MOST_DAYS):
        raise InvalidRequestError(f"Choose a `first_day` before `last_day`, and {_MOST_DAYS} days at most.")
    found = await service.read_usage(
        database, caller.tenant_id, chatbot_id=chatbot_id, first_day=first, last_day=last, by=by.value, page=page
    )
    return UsageList(
        by=by,
        first_day=first,
        last_day=last,
        lines=[UsageLineOut.of(line) for line in found.items],
        total=found.total,
        limit=found.limit,
        offset=found.offset,
    )


@router.get("/api/budgets/", tags=["usage"])
async def list_budgets(caller: CallerWhoReadsUsage, request: Request) -> BudgetList:
    """List the budgets that bound paid model calls, with what is spent of them."""
    states = await _budgets(request).list_states(caller.tenant_id)
    return BudgetList(budgets=[BudgetOut.of(state) for state in states])


@router.put("/api/budgets/", tags=["usage"])
async def set_budget(
    body: BudgetIn, caller: CallerWhoManagesBudgets, database: DatabaseDep, request: Request
) -> BudgetOut:
    """Set a budget: a new one, or a new limit where scope, subject and period have one."""
    if body.scope is BudgetScope.CHATBOT and body.subject:
        async with database.transaction(caller.tenant_id) as connection:
            await tenancy.get_chatbot(connection, caller, UUID(body.subject))
    state = await _budgets(request).set_budget(
        caller, scope=body.scope, subject=body.subject, period=body.period, limit_usd=body.limit_usd
    )
    return BudgetOut.of(state)


@router.delete("/api/budgets/{budget_id}/", status_code=status.HTTP_204_NO_CONTENT, tags=["usage"])
async def delete_budget(budget_id: UUID, caller: CallerWhoManagesBudgets, request: Request) -> None:
    """Remove a budget."""
    await _budgets(request).delete_budget(caller, budget_id)


def _budgets(request: Request) -> Budgets:
    budgets: Budgets = request.app.state.budgets
    return budgets
