"""Errors of metering."""

from __future__ import annotations

from dragoman.kit.errors import DragomanError, NotFoundError


class BudgetExhaustedError(DragomanError):
    """The budget for paid models is used up. Raise it, wait until its period ends, or use a model that costs nothing."""

    code, status = "budget.exhausted", 402


class BudgetNotFoundError(NotFoundError):
    """There is no budget with this id. `GET /api/budgets/` lists those that you can change."""

    code = "budget.not_found"
