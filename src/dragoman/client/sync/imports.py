# Made from client/imports.py by `python -m dragoman.client.twin`. Change that one.
"""Bulk imports: open one, name it in uploads, follow and steer it."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any
from uuid import UUID

from dragoman.client.imports import Import, ImportDetails
from dragoman.client.jobs import Job
from dragoman.client.sync.paging import pages
from dragoman.client.sync.transport import Transport

_PATH = "/api/chatbot/imports/"


class Imports:
    def __init__(self, transport: Transport) -> None:
        self._transport = transport

    def create(
        self, name: str, *, chatbot_id: UUID | str | None = None, expected_documents: int | None = None
    ) -> Import:
        """Open an import; its id goes with each upload."""
        body: dict[str, Any] = {"name": name}
        if chatbot_id is not None:
            body["chatbot_id"] = str(chatbot_id)
        if expected_documents is not None:
            body["expected_documents"] = expected_documents
        return Import.model_validate(self._transport.request("POST", _PATH, json=body))

    def get(self, import_id: UUID | str) -> ImportDetails:
        params = {"limit": 1}
        return ImportDetails.model_validate(self._transport.request("GET", f"{_PATH}{import_id}/", params=params))

    def list(self, *, chatbot_id: UUID | str | None = None, state: str | None = None) -> Iterator[Import]:
        """Imports, newest first, fetched page by page."""
        wanted = {"chatbot_id": chatbot_id and str(chatbot_id), "state": state}
        for item in pages(self._transport, _PATH, "imports", wanted):
            yield Import.model_validate(item)

    def failures(self, import_id: UUID | str) -> Iterator[Job]:
        """What failed, newest first, with its reason."""
        wanted = {"import_id": str(import_id), "state": "failed"}
        for item in pages(self._transport, "/api/jobs/", "jobs", wanted):
            yield Job.model_validate(item)

    def pause(self, import_id: UUID | str) -> Import:
        return self._act(import_id, "pause")

    def resume(self, import_id: UUID | str) -> Import:
        return self._act(import_id, "resume")

    def cancel(self, import_id: UUID | str) -> Import:
        """Cancel what is not yet read; what is ready stays."""
        return self._act(import_id, "cancel")

    def retry_failed(self, import_id: UUID | str) -> Import:
        return self._act(import_id, "retry-failed")

    def _act(self, import_id: UUID | str, action: str) -> Import:
        return Import.model_validate(self._transport.request("POST", f"{_PATH}{import_id}/{action}/"))
