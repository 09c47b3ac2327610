"""Periods, counts, and the report of a chatbot."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, fields
from datetime import UTC, date, datetime, time, timedelta
from enum import StrEnum
from typing import Any, Literal
from uuid import UUID

import numpy as np

from dragoman.insights.sketch import LENGTH, Sketch

NO_CHATBOT = UUID(int=0)
"""Under which what belongs to no chatbot is counted."""

Grain = Literal["minute", "hour", "day"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Retention:
    """How long counts are kept. Those of minutes are there for alerts, which look back a day."""

    minutes: timedelta = timedelta(hours=26)
    hours: timedelta = timedelta(days=93)
    days: timedelta = timedelta(days=5 * 366)

    def of(self, grain: Grain) -> timedelta:
        return {"minute": self.minutes, "hour": self.hours, "day": self.days}[grain]


class Dimension(StrEnum):
    """Of what a row of counts tells. `ALL` has no value. `STEP`: of reading a document; its time stands under `total`."""

    ALL = "all"
    LANGUAGE = "language"
    MODEL = "model"
    ANSWERER = "answerer"
    RUNG = "rung"
    ERROR = "error"
    JOB = "job"
    STEP = "step"


@dataclass(slots=True, kw_only=True)
class Counts:
    """What happened in a span of time. `latencies` as `sketch.py` lays it out; None where nothing was timed.

    Of facts that are counted just now, `places` says how often each place of that sketch was met, in place of `latencies`.

    Attributes:
        turns: questions that were asked; each is answered, refused ("I don't know") or interrupted.
        degraded: turns whose answer missed something, and went a rung down.
        cached_exact, cached_similar: turns that were given what was written before, for the same or a similar question.
        input_tokens, output_tokens: of language models, for answers; in rows of a model, of its calls.
        calls, failed_calls: of all models for all purposes, as `cost_usd`.
        jobs, failed_jobs: that ended; `documents`, `failed_documents`: those of them that read a document.
    """

    turns: int = 0
    answered: int = 0
    interrupted: int = 0
    degraded: int = 0
    cached_exact: int = 0
    cached_similar: int = 0
    input_tokens: int = 0
    output_tokens: int = 0
    calls: int = 0
    failed_calls: int = 0
    searches: int = 0
    zero_results: int = 0
    low_confidence: int = 0
    searches_cached: int = 0
    searches_degraded: int = 0
    jobs: int = 0
    failed_jobs: int = 0
    documents: int = 0
    failed_documents: int = 0
    rated_up: int = 0
    rated_down: int = 0
    answer_cost_usd: float = 0.0
    saved_usd: float = 0.0
    cost_usd: float = 0.0
    latencies: Sketch | None = field(default=None, repr=False, compare=False)
    places: Mapping[int, int] = field(default_factory=dict, repr=False, compare=False)

    @property
    def refused(self) -> int:
        return self.turns - self.answered - self.interrupted

    @property
    def rated(self) -> int:
        return self.rated_up + self.rated_down

    def add(self, other: Counts) -> None:
        for name in NUMBERS:
            if amount := getattr(other, name):
                setattr(self, name, getattr(self, name) + amount)
        if other.latencies is not None:
            self.sketch()[:] += other.latencies
        if other.places:
            self.sketch()[list(other.places)] += list(other.places.values())

    def sketch(self) -> Sketch:
        """The latencies, to count in."""
        if self.latencies is None:
            self.latencies = np.zeros(LENGTH, dtype=np.float32)
        return self.latencies


NUMBERS = tuple(each.name for each in fields(Counts) if each.name not in ("latencies", "places"))


@dataclass(frozen=True, slots=True, kw_only=True)
class Fact:
    """Something that happened and is not counted yet."""

    id: int
    chatbot_id: UUID | None
    kind: str
    at: datetime
    facts: Mapping[str, Any]


@dataclass(frozen=True, slots=True, order=True)
class Key:
    """Which row of counts."""

    chatbot_id: UUID
    grain: Grain
    dimension: Dimension
    starts_at: datetime
    value: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Period:
    """Days of the calendar in UTC, both included; one language, or None for all."""

    first: date
    last: date
    language: str | None = None

    @property
    def begin(self) -> datetime:
        return datetime.combine(self.first, time(), tzinfo=UTC)

    @property
    def end(self) -> datetime:
        """The first moment that is no longer in it."""
        return datetime.combine(self.last + timedelta(days=1), time(), tzinfo=UTC)

    @property
    def days(self) -> int:
        return (self.last - self.first).days + 1

    @property
    def before(self) -> Period:
        """The days just before, as many."""
        span = timedelta(days=self.days)
        return Period(first=self.first - span, last=self.last - span, language=self.language)


@dataclass(frozen=True, slots=True, kw_only=True)
class Bar:
    """An hour or a day of the report."""

    starts_at: datetime
    counts: Counts
    latency_ms: Mapping[str, float] | None


@dataclass(frozen=True, slots=True, kw_only=True)
class CitedDocument:
    """A shared document that answers cite. Its title is read when it is asked for, never stored."""

    document_id: UUID
    title: str
    cited: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Unanswered:
    """A question that got "I don't know". `question` is None where the chatbot keeps no text."""

    message_id: UUID
    question: str | None
    language: str
    asked_at: datetime
    degraded: Sequence[str]


@dataclass(frozen=True, slots=True, kw_only=True)
class Report:
    """How well a chatbot served."""

    chatbot_id: UUID
    period: Period
    by: Grain
    total: Counts
    before: Counts
    bars: Sequence[Bar]
    parts: Mapping[Dimension, Sequence[tuple[str, Counts]]]
    documents: Sequence[CitedDocument]
    unanswered: Sequence[Unanswered]
    query_log: str
