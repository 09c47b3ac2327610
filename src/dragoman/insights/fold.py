"""From facts to counts: the one place that says what of an event is counted where."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from datetime import UTC, datetime
from typing import Any, Final
from uuid import UUID

from dragoman.insights import sketch
from dragoman.insights.entities import NO_CHATBOT, Counts, Dimension, Fact, Grain, Key
from dragoman.knowledge.service import INGEST_DOCUMENT
from dragoman.search import latency as search_latency

Rows = dict[Key, Counts]
_Amounts = Mapping[str | int, float]
"""What is added to a row: numbers by their name, and timings by their place in the sketch."""
_Finest = tuple[UUID, Dimension, datetime, str]
_Tallies = dict[_Finest, dict[str | int, float]]
_Parts = Iterable[tuple[Dimension, str]]

_LONGEST_VALUE: Final = 120


def fold(facts: Iterable[Fact]) -> Rows:
    """The counts of these facts, by minute (of all together), hour and day (of all, and of each part).

    Each fact is added where spans are shortest; longer spans are summed up from those. 20 µs a turn.
    """
    tallies: _Tallies = {}
    for fact in facts:
        count = _BY_KIND.get(fact.kind)
        if count is not None:
            count(tallies, fact)
    rows: dict[Key, dict[str | int, float]] = {}
    for (chatbot_id, dimension, at, value), amounts in tallies.items():
        for grain in _GRAINS if dimension is Dimension.ALL else _GRAINS_OF_PARTS:
            key = Key(chatbot_id, grain, dimension, start_of(at, grain), value)
            if (row := rows.get(key)) is None:
                rows[key] = dict(amounts)
            else:
                _add_amounts(row, amounts)
    return {key: _counts(amounts) for key, amounts in rows.items()}


_GRAINS: Final[tuple[Grain, ...]] = ("minute", "hour", "day")
_GRAINS_OF_PARTS: Final[tuple[Grain, ...]] = ("hour", "day")


def start_of(at: datetime, grain: Grain) -> datetime:
    """When the minute, hour or day (UTC) of this moment began."""
    start = at.astimezone(UTC)
    if grain == "minute":
        return start.replace(second=0, microsecond=0)
    return start.replace(hour=0 if grain == "day" else start.hour, minute=0, second=0, microsecond=0)


def _counts(amounts: _Amounts) -> Counts:
    numbers: dict[str, Any] = {name: amount for name, amount in amounts.items() if isinstance(name, str)}
    places = {place: int(amount) for place, amount in amounts.items() if isinstance(place, int)}
    return Counts(**numbers, places=places)


def _add(tallies: _Tallies, fact: Fact, amounts: _Amounts, parts: _Parts = ()) -> None:
    """Add the amounts of one fact to what tells of all together and of these parts."""
    _add_to(tallies, (fact.chatbot_id or NO_CHATBOT, Dimension.ALL, start_of(fact.at, "minute"), ""), amounts)
    _add_parts(tallies, fact, amounts, parts)


def _add_parts(tallies: _Tallies, fact: Fact, amounts: _Amounts, parts: _Parts) -> None:
    hour = start_of(fact.at, "hour")
    for dimension, value in parts:
        _add_to(tallies, (fact.chatbot_id or NO_CHATBOT, dimension, hour, value[:_LONGEST_VALUE] or "?"), amounts)


def _add_to(tallies: _Tallies, key: _Finest, amounts: _Amounts) -> None:
    if (row := tallies.get(key)) is None:
        tallies[key] = dict(amounts)
    else:
        _add_amounts(row, amounts)


def _add_amounts(row: dict[str | int, float], amounts: _Amounts) -> None:
    for name, amount in amounts.items():
        row[name] = row.get(name, 0) + amount


def _timed(timings_ms: Mapping[str, float]) -> dict[str | int, float]:
    return dict.fromkeys(sketch.places_of(timings_ms), 1)


def _count_turn(tallies: _Tallies, fact: Fact) -> None:
    told, usage = fact.facts, fact.facts["usage"]
    degraded: Sequence[str] = told["degraded"]
    amounts = _timed({name: took for name, took in told["timings"].items() if name in _OF_ANSWERS})
    amounts["turns"] = 1
    if told["answered"]:
        amounts["answered"] = 1
    elif "interrupted" in degraded:
        amounts["interrupted"] = 1
    if degraded:
        amounts["degraded"] = 1
    if cached := _CACHED.get(usage.get("cached")):
        amounts[cached] = 1
    for name, kept in _OF_USAGE.items():
        if amount := usage.get(name):
            amounts[kept] = amount
    parts = [(Dimension.LANGUAGE, told["language"])]
    if told["answerer"]:
        parts.append((Dimension.ANSWERER, told["answerer"]))
    _add(tallies, fact, amounts, parts)
    _add_parts(tallies, fact, {"turns": 1}, [(Dimension.RUNG, rung) for rung in set(degraded)])


_OF_ANSWERS: Final = frozenset({"total", "load", "understand", "retrieve", "generate"})
_CACHED: Final = {"exact": "cached_exact", "semantic": "cached_similar"}
_OF_USAGE: Final = {
    "input_tokens": "input_tokens",
    "output_tokens": "output_tokens",
    "cost_usd": "answer_cost_usd",
    "saved_usd": "saved_usd",
}


def _count_calls(tallies: _Tallies, fact: Fact) -> None:
    told = fact.facts
    amounts: dict[str | int, float] = {
        "calls": told["calls"],
        "failed_calls": told["failed"],
        "cost_usd": float(told["cost_usd"]),
    }
    _add(tallies, fact, amounts)
    of_model = amounts | {"input_tokens": told["input_tokens"], "output_tokens": told["output_tokens"]}
    _add_parts(tallies, fact, of_model, [(Dimension.MODEL, told["model"])])
    for code in told["errors"]:
        _add_parts(tallies, fact, {"failed_calls": 1}, [(Dimension.ERROR, code)])


def _count_job(tallies: _Tallies, fact: Fact) -> None:
    told = fact.facts
    failed, is_document = int(told["failed"]), told["job"] == INGEST_DOCUMENT
    took = {"wait": told["wait_ms"], "run": told["run_ms"]} if is_document else {}
    amounts = _timed({stage: ms for stage, ms in took.items() if ms is not None})
    amounts |= {"jobs": 1, "failed_jobs": failed}
    if is_document:
        amounts |= {"documents": 1, "failed_documents": failed}
    _add(tallies, fact, amounts, [(Dimension.JOB, told["job"])])
    if told["error"] and failed:
        of_error: dict[str | int, float] = {"failed_jobs": 1, "failed_documents": int(is_document)}
        _add_parts(tallies, fact, of_error, [(Dimension.ERROR, told["error"])])
    if is_document and not failed:  # the last step of one that failed was cut short
        for step, took_ms in told.get("steps", {}).items():
            _add_parts(tallies, fact, _timed({"total": took_ms}) | {"documents": 1}, [(Dimension.STEP, step)])


def _count_searches(tallies: _Tallies, fact: Fact) -> None:
    told = fact.facts
    amounts: dict[str | int, float] = {name: told[name] for name in _OF_SEARCHES}
    start = sketch.slice_of("search").start
    for number, amount in enumerate(told["latencies"]):
        if amount:  # a bucket of the search log is up to 9 % wide on either side, and lands in one of ours
            _add_amounts(amounts, {start + sketch.bucket_of(search_latency.middle_ms(number)): amount})
    _add(tallies, fact, amounts)


_OF_SEARCHES: Final = ("searches", "zero_results", "low_confidence", "searches_cached", "searches_degraded")


def _count_rating(tallies: _Tallies, fact: Fact) -> None:
    """A rating that is changed takes the earlier one back: `up` and `down` may be below 0."""
    told: Mapping[str, Any] = fact.facts
    parts = [(Dimension.LANGUAGE, told["language"])] if told.get("language") else []
    _add(tallies, fact, {"rated_up": told["up"], "rated_down": told["down"]}, parts)


_BY_KIND: Final[Mapping[str, Callable[[_Tallies, Fact], None]]] = {
    "turn": _count_turn,
    "calls": _count_calls,
    "job": _count_job,
    "searches": _count_searches,
    "rating": _count_rating,
}
