"""Errors of conversations."""

from __future__ import annotations

from dragoman.kit.errors import NotFoundError


class SessionNotFoundError(NotFoundError):
    """There is no session with this id. `GET /api/chatbot/sessions/` lists yours."""

    code = "chat.session_not_found"
