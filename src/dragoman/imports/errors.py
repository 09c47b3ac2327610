"""Errors of imports."""

from __future__ import annotations

from dragoman.kit.errors import InvalidRequestError


class InvalidEventIdError(InvalidRequestError):
    """`Last-Event-ID` is none of ours. Send the `id` of the last event you received, or leave it out."""

    code = "imports.invalid_event_id"
