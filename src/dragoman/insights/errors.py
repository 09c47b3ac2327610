"""Errors of analytics and metrics."""

from __future__ import annotations

from dragoman.kit.errors import InvalidRequestError


class InvalidReportPeriodError(InvalidRequestError):
    """Choose a first day before the last, at most 400 days; by hour at most 31 days of the last three months."""

    code = "insights.invalid_period"
