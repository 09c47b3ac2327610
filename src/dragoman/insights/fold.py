"""From facts to counts: the one place that says what of an event is counted where."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from datetime import UTC, datetime
from typing import Any, Final

from dragoman.insights import sketch
from dragoman.insights.entities import NO_CHATBOT, Counts, Dimension, Fact, Grain, Key
from dragoman.knowledge.service import INGEST_DOCUMENT
from dragoman.search import latency as search_latency

Rows = dict[Key, Counts]
_Parts = Iterable[tuple[Dimension, str]]

_LONGEST_VALUE: Final = 120


def fold(facts: Sequence[Fact]) -> Rows:
    """The counts of these facts, by minute (of all together), hour and day (of all, and of each part)."""
    rows: Rows = {}
    for fact in facts:
        count = _BY_KIND.get(fact.kind)
        if count is not None:
            count(rows, fact)
    return rows


def _add(rows: Rows, fact: Fact, counts: Counts, parts: _Parts = (), *, places: Sequence[int] = ()) -> None:
    """Add the counts of one fact to the rows of all together and of these parts. `places`: of its timings."""
    for grain in _GRAINS:
        _add_to(rows, fact, counts, grain, places=places)
    _add_parts(rows, fact, counts, parts, places=places)


def _add_parts(rows: Rows, fact: Fact, counts: Counts, parts: _Parts, *, places: Sequence[int] = ()) -> None:
    for dimension, value in parts:
        for grain in _GRAINS_OF_PARTS:
            _add_to(rows, fact, counts, grain, dimension, value[:_LONGEST_VALUE] or "?", places=places)


def _add_to(
    rows: Rows,
    fact: Fact,
    counts: Counts,
    grain: Grain,
    dimension: Dimension = Dimension.ALL,
    value: str = "",
    *,
    places: Sequence[int],
) -> None:
    key = Key(fact.chatbot_id or NO_CHATBOT, grain, dimension, start_of(fact.at, grain), value)
    row = rows.get(key)
    if row is None:
        row = rows[key] = Counts()
    row.add(counts)
    if places:
        row.sketch()[places] += 1


_GRAINS: Final[tuple[Grain, ...]] = ("minute", "hour", "day")
_GRAINS_OF_PARTS: Final[tuple[Grain, ...]] = ("hour", "day")


def start_of(at: datetime, grain: Grain) -> datetime:
    """When the minute, hour or day (UTC) of this moment began."""
    start = at.astimezone(UTC).replace(second=0, microsecond=0)
    if grain != "minute":
        start = start.replace(minute=0)
    return start.replace(hour=0) if grain == "day" else start


def _count_turn(rows: Rows, fact: Fact) -> None:
    told, usage = fact.facts, fact.facts["usage"]
    degraded: Sequence[str] = told["degraded"]
    is_interrupted = "interrupted" in degraded
    counts = Counts(
        turns=1,
        answered=int(told["answered"]),
        interrupted=int(is_interrupted and not told["answered"]),
        degraded=int(bool(degraded)),
        cached_exact=int(usage.get("cached") == "exact"),
        cached_similar=int(usage.get("cached") == "semantic"),
        input_tokens=usage.get("input_tokens", 0),
        output_tokens=usage.get("output_tokens", 0),
        answer_cost_usd=usage.get("cost_usd", 0.0),
        saved_usd=usage.get("saved_usd", 0.0),
    )
    parts = [(Dimension.LANGUAGE, told["language"])]
    if told["answerer"]:
        parts.append((Dimension.ANSWERER, told["answerer"]))
    places = sketch.places_of({name: took for name, took in told["timings"].items() if name in _OF_ANSWERS})
    _add(rows, fact, counts, parts, places=places)
    _add_parts(rows, fact, Counts(turns=1), [(Dimension.RUNG, rung) for rung in set(degraded)])


_OF_ANSWERS: Final = frozenset({"total", "load", "understand", "retrieve", "generate"})


def _count_calls(rows: Rows, fact: Fact) -> None:
    told = fact.facts
    counts = Counts(calls=told["calls"], failed_calls=told["failed"], cost_usd=float(told["cost_usd"]))
    _add(rows, fact, counts)
    of_model = Counts(
        calls=told["calls"],
        failed_calls=told["failed"],
        cost_usd=float(told["cost_usd"]),
        input_tokens=told["input_tokens"],
        output_tokens=told["output_tokens"],
    )
    _add_parts(rows, fact, of_model, [(Dimension.MODEL, told["model"])])
    for code in told["errors"]:
        _add_parts(rows, fact, Counts(failed_calls=1), [(Dimension.ERROR, code)])


def _count_job(rows: Rows, fact: Fact) -> None:
    told = fact.facts
    failed, is_document = int(told["failed"]), told["job"] == INGEST_DOCUMENT
    counts = Counts(jobs=1, failed_jobs=failed, documents=int(is_document), failed_documents=failed * is_document)
    took = {"wait": told["wait_ms"], "run": told["run_ms"]} if is_document else {}
    places = sketch.places_of({stage: ms for stage, ms in took.items() if ms is not None})
    _add(rows, fact, counts, places=places)
    _add_parts(rows, fact, counts, [(Dimension.JOB, told["job"])])
    if told["error"] and failed:
        _add_parts(rows, fact, Counts(failed_jobs=1), [(Dimension.ERROR, told["error"])])


def _count_searches(rows: Rows, fact: Fact) -> None:
    told = fact.facts
    counts = Counts(**{name: told[name] for name in _OF_SEARCHES})
    start = sketch.slice_of("search").start
    for number, amount in enumerate(told["latencies"]):
        if amount:  # a bucket of the search log is up to 9 % wide on either side, and lands in one of ours
            counts.sketch()[start + sketch.bucket_of(search_latency.middle_ms(number))] += amount
    _add(rows, fact, counts)


_OF_SEARCHES: Final = ("searches", "zero_results", "low_confidence", "searches_cached", "searches_degraded")


def _count_rating(rows: Rows, fact: Fact) -> None:
    """A rating that is changed takes the earlier one back: `up` and `down` may be below 0."""
    told: Mapping[str, Any] = fact.facts
    parts = [(Dimension.LANGUAGE, told["language"])] if told.get("language") else []
    _add(rows, fact, Counts(rated_up=told["up"], rated_down=told["down"]), parts)


_BY_KIND: Final[Mapping[str, Callable[[Rows, Fact], None]]] = {
    "turn": _count_turn,
    "calls": _count_calls,
    "job": _count_job,
    "searches": _count_searches,
    "rating": _count_rating,
}
