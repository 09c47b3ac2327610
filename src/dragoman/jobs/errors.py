"""Errors of jobs and their groups."""

from __future__ import annotations

from dragoman.kit.errors import ConflictError, NotFoundError, UnavailableError


class JobNotFoundError(NotFoundError):
    """There is no job with this id."""

    code = "jobs.not_found"


class GroupNotFoundError(NotFoundError):
    """There is no import with this id."""

    code = "jobs.group_not_found"


class GroupCancelledError(ConflictError):
    """This import was cancelled and takes nothing more. Start another one, or retry its failed documents."""

    code = "jobs.group_cancelled"


class GroupOverError(ConflictError):
    """This import has ended already, so it can be neither paused nor resumed nor cancelled."""

    code = "jobs.group_over"


class JobNotCancellableError(ConflictError):
    """This job has ended already, so it cannot be cancelled."""

    code = "jobs.not_cancellable"


class JobNotRetryableError(ConflictError):
    """Only a job that failed or was cancelled can be retried."""

    code = "jobs.not_retryable"


class BrokerUnavailableError(UnavailableError):
    """The message broker does not answer. The job is kept and starts all the same, at the latest when the broker is back."""

    code = "jobs.broker_unavailable"
