"""Errors of knowledge."""

from __future__ import annotations

from dragoman.kit.errors import NotFoundError


class DocumentNotFoundError(NotFoundError):
    """There is no document with this id. `GET /api/chatbot/documents/` lists yours."""

    code = "knowledge.document_not_found"
