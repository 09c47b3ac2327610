"""Time and identifiers."""

from __future__ import annotations

import time
from datetime import UTC, datetime
from uuid import UUID

from uuid_utils.compat import uuid7


def now() -> datetime:
    """The present moment, with time zone UTC."""
    return datetime.now(UTC)


def new_id() -> UUID:
    """A new UUIDv7 (RFC 9562): sorts by its time of creation, to the millisecond."""
    return uuid7()


class Stopwatch:
    """Measures elapsed milliseconds from its creation."""

    __slots__ = ("_start",)

    def __init__(self) -> None:
        self._start = time.perf_counter()

    @property
    def elapsed_ms(self) -> float:
        return (time.perf_counter() - self._start) * 1000.0
