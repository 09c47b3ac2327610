# Made from client/privacy.py by `python -m dragoman.client.twin`. Change that one.
"""What is held about a person: exported, erased."""

from __future__ import annotations

import time
from collections.abc import Iterator
from uuid import UUID

from dragoman.client.privacy import PrivacyRequest
from dragoman.client.sync.paging import pages
from dragoman.client.sync.transport import Transport

_PATH = "/api/privacy/requests/"
_ASK_EVERY_S = 0.5


class Privacy:
    def __init__(self, transport: Transport) -> None:
        self._transport = transport

    def export(self, subject_kind: str, subject_id: str) -> PrivacyRequest:
        """Have everything about a `user`, `external` user or `visitor` put into an archive, by a job."""
        return self._create("export", subject_kind, subject_id)

    def erase(self, subject_kind: str, subject_id: str) -> PrivacyRequest:
        """Have a person erased everywhere, by a job. It cannot be taken back."""
        return self._create("erase", subject_kind, subject_id)

    def _create(self, kind: str, subject_kind: str, subject_id: str) -> PrivacyRequest:
        body = {"kind": kind, "subject_kind": subject_kind, "subject_id": subject_id}
        return PrivacyRequest.model_validate(self._transport.request("POST", _PATH, json=body))

    def get(self, request_id: UUID | str) -> PrivacyRequest:
        return PrivacyRequest.model_validate(self._transport.request("GET", f"{_PATH}{request_id}/"))

    def list(self) -> Iterator[PrivacyRequest]:
        """Requests, newest first, fetched page by page."""
        for item in pages(self._transport, _PATH, "requests", {}):
            yield PrivacyRequest.model_validate(item)

    def wait(self, request_id: UUID | str, *, timeout_s: float = 3600.0) -> PrivacyRequest:
        """The request once it is done or has failed, or as it is after `timeout_s`."""
        waited_s = 0.0
        while True:
            request = self.get(request_id)
            if request.state not in ("waiting", "running") or waited_s >= timeout_s:
                return request
            time.sleep(_ASK_EVERY_S)
            waited_s += _ASK_EVERY_S

    def read_archive(self, request_id: UUID | str) -> Iterator[bytes]:
        """The archive of an export (ZIP), piece by piece."""
        with self._transport.open_content(f"{_PATH}{request_id}/archive/") as response:
            for piece in response.iter_bytes():
                yield piece

    def delete_archive(self, request_id: UUID | str) -> None:
        """Remove it before it expires."""
        self._transport.request("DELETE", f"{_PATH}{request_id}/archive/")
