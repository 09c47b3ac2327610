# Made from client/audit.py by `python -m dragoman.client.twin`. Change that one.
"""The audit log: who changed and saw what, and whether nobody tampered with it."""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from datetime import datetime
from typing import Any

from dragoman.client.audit import AuditEvent, AuditFilter, AuditHead, AuditVerification
from dragoman.client.sync.transport import Transport

_PATH = "/api/audit/"
_PAGE_EVENTS = 200


class Audit:
    def __init__(self, transport: Transport) -> None:
        self._transport = transport

    def list(self, wanted: AuditFilter | None = None) -> Iterator[AuditEvent]:
        """Events, newest first, fetched page by page."""
        params: dict[str, Any] = {**_params(wanted), "limit": _PAGE_EVENTS}
        while True:
            page = self._transport.request("GET", _PATH, params=params)
            for item in page["events"]:
                yield AuditEvent.model_validate(item)
            if page["next_cursor"] is None:
                return
            params["cursor"] = page["next_cursor"]

    def export(self, wanted: AuditFilter | None = None, *, file_format: str = "jsonl") -> Iterator[bytes]:
        """All wanted events as `jsonl` or `csv`, piece by piece."""
        params = {**_params(wanted), "format": file_format}
        with self._transport.open_content(f"{_PATH}export/", params=params) as response:
            for piece in response.iter_bytes():
                yield piece

    def get_head(self) -> AuditHead | None:
        """The end of the chain, signed now; None where it is empty."""
        head = (self._transport.request("GET", f"{_PATH}head/"))["head"]
        return None if head is None else AuditHead.model_validate(head)

    def verify(self, heads: Sequence[AuditHead] = ()) -> AuditVerification:
        """Verify the whole chain, and that it holds these heads, which were kept elsewhere."""
        params = {"head": [json.dumps(head.model_dump(mode="json")) for head in heads]} if heads else None
        return AuditVerification.model_validate(self._transport.request("GET", f"{_PATH}verify/", params=params))

    def get_retention(self) -> int | None:
        """Days that events are kept; None: for ever."""
        days: int | None = (self._transport.request("GET", f"{_PATH}retention/"))["keep_days"]
        return days

    def set_retention(self, keep_days: int | None) -> None:
        """Keep events so many days, 90 at least; None: for ever."""
        self._transport.request("PUT", f"{_PATH}retention/", json={"keep_days": keep_days})


def _params(wanted: AuditFilter | None) -> dict[str, Any]:
    given: dict[str, Any] = {name: value for name, value in (wanted or {}).items() if value is not None}
    return {name: value.isoformat() if isinstance(value, datetime) else str(value) for name, value in given.items()}
