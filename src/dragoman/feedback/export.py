"""Feedback as a file: a line each, as CSV for spreadsheets or as JSON for programs."""

from __future__ import annotations

import csv
import io
import json
from collections.abc import AsyncIterator, Mapping
from typing import Any, Final

from dragoman.feedback.entities import Listed
from dragoman.feedback.schemas import FeedbackItem

COLUMNS: Final = tuple(name for name in FeedbackItem.model_fields if name != "history")
_FORMULA: Final = ("=", "+", "-", "@", "\t", "\r")


async def as_json_lines(items: AsyncIterator[Listed]) -> AsyncIterator[str]:
    async for item in items:
        yield FeedbackItem.of_listed(item).model_dump_json(exclude={"history"}) + "\n"


async def as_csv(items: AsyncIterator[Listed]) -> AsyncIterator[str]:
    """RFC 4180, with a header."""
    yield _csv_line({name: name for name in COLUMNS})
    async for item in items:
        yield _csv_line(FeedbackItem.of_listed(item).model_dump(mode="json", exclude={"history"}))


def _csv_line(values: Mapping[str, Any]) -> str:
    written = io.StringIO()
    csv.writer(written, lineterminator="\r\n").writerow([_cell(values[name]) for name in COLUMNS])
    return written.getvalue()


def _cell(value: Any) -> str:
    """A text that a spreadsheet would run as a formula gets an apostrophe in front (OWASP, CSV injection)."""
    if value is None:
        return ""
    if isinstance(value, list | dict):
        return json.dumps(value, ensure_ascii=False) if value else ""
    text = str(value)
    return f"'{text}" if isinstance(value, str) and text.startswith(_FORMULA) else text
