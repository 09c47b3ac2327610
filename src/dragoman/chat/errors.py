"""Errors of conversations."""

from __future__ import annotations

from dragoman.kit.errors import ConflictError, NotFoundError


class SessionNotFoundError(NotFoundError):
    """There is no session with this id. `GET /api/chatbot/sessions/` lists yours."""

    code = "chat.session_not_found"


class SessionClosedError(ConflictError):
    """This session is closed. Open it again with `is_active: true`, or start a new one."""

    code = "chat.session_closed"
