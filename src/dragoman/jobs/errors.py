"""Errors of jobs."""

from __future__ import annotations

from dragoman.kit.errors import NotFoundError, UnavailableError


class JobNotFoundError(NotFoundError):
    """There is no job with this id."""

    code = "jobs.not_found"


class BrokerUnavailableError(UnavailableError):
    """The message broker does not answer. The job is kept and starts as soon as the broker is back."""

    code = "jobs.broker_unavailable"
