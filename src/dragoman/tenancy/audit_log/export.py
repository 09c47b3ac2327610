"""Audit events as lines of JSON or CSV, for other systems and for spreadsheets."""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Sequence
from typing import Any, Final

from dragoman.tenancy.entities import AuditEvent

COLUMNS: Final = (
    "sequence",
    "id",
    "created_at",
    "actor",
    "actor_name",
    "action",
    "subject_type",
    "subject_id",
    "address",
    "user_agent",
    "request_id",
    "details",
    "hash",
)
_FORMULA_STARTS: Final = ("=", "+", "-", "@", "\t", "\r", "\n", "＝", "＋", "－", "＠")


def as_json(event: AuditEvent) -> dict[str, Any]:
    """The event as it is shown: without the salt, which is nobody's business."""
    return {
        "sequence": event.sequence,
        "id": str(event.id),
        "created_at": event.created_at.isoformat(),
        "actor": event.actor,
        "actor_name": event.actor_name,
        "action": event.action,
        "subject_type": event.subject_type,
        "subject_id": None if event.subject_id is None else str(event.subject_id),
        "address": event.address,
        "user_agent": event.user_agent,
        "request_id": event.request_id,
        "details": event.details,
        "hash": None if event.hash is None else event.hash.hex(),
    }


def to_jsonl(events: Sequence[AuditEvent]) -> str:
    return "".join(f"{json.dumps(as_json(event), ensure_ascii=False)}\n" for event in events)


def to_csv(events: Sequence[AuditEvent], *, with_header: bool) -> str:
    """RFC 4180. No cell is a formula for a spreadsheet: one that would be begins with an apostrophe (OWASP)."""
    written = io.StringIO()
    writer = csv.writer(written)
    if with_header:
        writer.writerow(COLUMNS)
    for event in events:
        shown = as_json(event)
        shown["details"] = json.dumps(event.details, ensure_ascii=False, sort_keys=True)
        writer.writerow([_harmless(shown[name]) for name in COLUMNS])
    return written.getvalue()


def _harmless(value: Any) -> Any:
    if isinstance(value, str) and value.lstrip(" ").startswith(_FORMULA_STARTS):
        return f"'{value}"
    return value
