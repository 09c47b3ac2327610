"""Errors of knowledge."""

from __future__ import annotations

from dragoman.kit.errors import ConflictError, NotFoundError


class DocumentNotFoundError(NotFoundError):
    """There is no document with this id. `GET /api/chatbot/documents/` lists yours."""

    code = "knowledge.document_not_found"


class ExternalIdTakenError(ConflictError):
    """Another document of this chatbot has this `external_id`, and it is not yours to replace. Choose another one."""

    code = "knowledge.external_id_taken"
