"""Finds personal data in text."""

from __future__ import annotations

import bisect
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from typing import Protocol


@dataclass(frozen=True, slots=True, kw_only=True)
class PiiSpan:
    """Personal data at `text[start:end]`: its type (`EMAIL_ADDRESS`, `PHONE_NUMBER`, `PERSON` …) and a score 0 to 1."""

    start: int
    end: int
    type: str
    score: float


class PiiDetector(Protocol):
    """Finds personal data. Models load on first use and leave when idle. No network is used."""

    @property
    def types(self) -> frozenset[str]:
        """The types it can find."""
        ...

    async def detect(self, texts: Sequence[str], *, language: str) -> list[list[PiiSpan]]:
        """For each text its spans: in order, not overlapping. `language`: ISO 639-1 of all of them, or `und`."""
        ...


def settle_overlaps(spans: Iterable[PiiSpan]) -> list[PiiSpan]:
    """In order and without overlaps: the surer span stays whole (of equally sure ones the longer), others are cut.

    What sticks out of a cut span is kept under its own type, so that nothing that was found is lost.
    """
    settled: list[PiiSpan] = []
    for span in sorted(spans, key=lambda s: (-s.score, s.start - s.end, s.start, s.type)):
        start = span.start
        at = bisect.bisect_right(settled, start, key=lambda s: s.end)
        while start < span.end:
            end = min(span.end, settled[at].start) if at < len(settled) else span.end
            if start < end:
                settled.insert(at, replace(span, start=start, end=end))
                at += 1
            start = settled[at].end if at < len(settled) else span.end
            at += 1
    return settled
