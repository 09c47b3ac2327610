# Made from client/jobs.py by `python -m dragoman.client.twin`. Change that one.
"""Jobs: what waits, runs or died, and another try for it."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any
from uuid import UUID

from dragoman.client.jobs import Job
from dragoman.client.sync.paging import count, pages
from dragoman.client.sync.transport import Transport

_PATH = "/api/jobs/"


class Jobs:
    def __init__(self, transport: Transport) -> None:
        self._transport = transport

    def list(
        self,
        *,
        state: str | None = None,
        kind: str | None = None,
        reason: str | None = None,
        document_id: UUID | str | None = None,
        chatbot_id: UUID | str | None = None,
        import_id: UUID | str | None = None,
    ) -> Iterator[Job]:
        """Jobs, newest first, fetched page by page; `state="failed"` lists the dead ones."""
        wanted = _wanted(state, kind, reason, document_id, chatbot_id, import_id)
        for item in pages(self._transport, _PATH, "jobs", wanted):
            yield Job.model_validate(item)

    def count(
        self,
        *,
        state: str | None = None,
        kind: str | None = None,
        reason: str | None = None,
        document_id: UUID | str | None = None,
        chatbot_id: UUID | str | None = None,
        import_id: UUID | str | None = None,
    ) -> int:
        wanted = _wanted(state, kind, reason, document_id, chatbot_id, import_id)
        return count(self._transport, _PATH, wanted)

    def retry(self, job_id: UUID | str) -> Job:
        """Run a job that failed or was cancelled again."""
        return Job.model_validate(self._transport.request("POST", f"{_PATH}{job_id}/retry/"))

    def cancel(self, job_id: UUID | str) -> Job:
        return Job.model_validate(self._transport.request("POST", f"{_PATH}{job_id}/cancel/"))


def _wanted(
    state: str | None,
    kind: str | None,
    reason: str | None,
    document_id: UUID | str | None,
    chatbot_id: UUID | str | None,
    import_id: UUID | str | None,
) -> dict[str, Any]:
    ids = {"document_id": document_id, "chatbot_id": chatbot_id, "import_id": import_id}
    return {"state": state, "kind": kind, "reason": reason} | {name: each and str(each) for name, each in ids.items()}
