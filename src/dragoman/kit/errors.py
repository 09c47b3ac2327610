"""The root of all errors that Dragoman raises on purpose.

An error class states a stable `code`, an HTTP `status` and, in its docstring, the message a user reads.
Subclasses live in the `errors.py` of their domain or beside their port. The API turns them into
RFC 9457 problem documents, the CLI into one red line and an exit code.
"""

from __future__ import annotations

import inspect
from typing import Any, ClassVar


class DragomanError(Exception):
    """Something went wrong inside Dragoman. Look at the server log under the request id of this answer."""

    code: ClassVar[str] = "internal"
    status: ClassVar[int] = 500
    retryable: ClassVar[bool] = False
    is_outage: ClassVar[bool] = False
    """A part of the installation itself is away: a job that meets this waits, and does not use up its attempts."""

    def __init__(self, message: str | None = None, *, retry_after_s: float | None = None, **details: Any) -> None:
        self.message = message or inspect.cleandoc(type(self).__doc__ or "").replace("\n", " ")
        self.retry_after_s = retry_after_s
        self.details = details
        super().__init__(self.message)


class NotFoundError(DragomanError):
    """Nothing with this id exists here. Check the id, and that your API key belongs to the right tenant."""

    code, status = "not_found", 404


class InvalidRequestError(DragomanError):
    """The request cannot be understood. Compare it with the documentation at /docs."""

    code, status = "invalid_request", 422


class ConflictError(DragomanError):
    """The request contradicts the present state. Read the resource again, then decide."""

    code, status = "conflict", 409


class UnavailableError(DragomanError):
    """A part that Dragoman needs does not answer now. Try again in a moment; `dragoman doctor` tells which part."""

    code, status, retryable = "unavailable", 503, True


class InvalidSettingError(DragomanError):
    """A setting has a value that cannot work. Correct it; `dragoman doctor` lists all settings with their values."""

    code, status = "settings.invalid", 500
