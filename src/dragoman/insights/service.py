"""The analytics of a chatbot: counts of the past, what happened just now, and what goes with them."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import replace
from datetime import UTC, datetime, time, timedelta
from typing import Final, TypedDict
from uuid import UUID

import structlog

from dragoman.deps import Deps
from dragoman.ingestion.pii import PiiChoice, Placeholders, mask_line
from dragoman.insights import repository, sketch
from dragoman.insights.entities import Bar, Counts, Dimension, Grain, Key, Period, Report, Unanswered
from dragoman.insights.errors import InvalidReportPeriodError
from dragoman.insights.fold import fold
from dragoman.kit.clock import now
from dragoman.kit.errors import DragomanError
from dragoman.kit.reading import Reader
from dragoman.tenancy import service as tenancy
from dragoman.tenancy.entities import Caller, Chatbot

_log = structlog.get_logger(__name__)

LONGEST_PERIOD_DAYS: Final = 400
LONGEST_BY_HOUR_DAYS: Final = 31
_FIRST_YEAR: Final = 2000
_MOST_LIVE: Final = 20_000  # facts that are counted while somebody reads; more wait only while no scheduler runs
_PARTS: Final = (
    Dimension.LANGUAGE,
    Dimension.ANSWERER,
    Dimension.MODEL,
    Dimension.RUNG,
    Dimension.ERROR,
    Dimension.JOB,
    Dimension.STEP,
)


class _Place(TypedDict):
    tenant_id: UUID
    chatbots: Sequence[UUID]


async def read_report(deps: Deps, caller: Caller, chatbot_id: UUID, period: Period, *, by: Grain, limit: int) -> Report:
    """How well a chatbot served; `limit` bounds the lists of documents and questions.

    Raises:
        ChatbotNotFoundError, InvalidReportPeriodError.
    """
    _require_readable(deps, period, by)
    async with deps.database.reading(caller.tenant_id) as connection:  # one state: nothing is counted twice
        chatbot = await tenancy.get_chatbot(connection, caller, chatbot_id)
        place: _Place = {"tenant_id": caller.tenant_id, "chatbots": [chatbot.id]}
        live = fold(await repository.list_facts(connection, **place, limit=_MOST_LIVE)).items()
        total = await _total(connection, place, period, live)
        report = Report(
            chatbot_id=chatbot.id,
            period=period,
            by=by,
            total=total,
            before=await _total(connection, place, period.before, live),
            bars=await _bars(connection, place, period, by, live),
            parts={part: await _parts(connection, place, period, part, live) for part in _parts_of(period)},
            documents=await repository.list_cited_documents(
                connection,
                tenant_id=caller.tenant_id,
                chatbot_id=chatbot.id,
                first=period.first,
                last=period.last,
                limit=limit,
            ),
            unanswered=await _unanswered(connection, chatbot, period, limit),
            query_log=tenancy.settings_of(chatbot).query_log,
        )
    return replace(report, unanswered=await _as_may_be_shown(deps, chatbot, report.unanswered))


def _require_readable(deps: Deps, period: Period, by: Grain) -> None:
    longest = LONGEST_BY_HOUR_DAYS if by == "hour" else LONGEST_PERIOD_DAYS
    if not 1 <= period.days <= longest or period.first.year < _FIRST_YEAR:
        raise InvalidReportPeriodError
    if by == "hour" and period.begin < now() - deps.counts_by_hour_kept:
        raise InvalidReportPeriodError


def _parts_of(period: Period) -> Sequence[Dimension]:
    """Counts of one language are not kept apart by anything else."""
    return (Dimension.LANGUAGE,) if period.language else _PARTS


def _chosen(period: Period) -> tuple[Dimension, str]:
    return (Dimension.LANGUAGE, period.language) if period.language else (Dimension.ALL, "")


async def _total(connection: Reader, place: _Place, period: Period, live: Iterable[tuple[Key, Counts]]) -> Counts:
    dimension, value = _chosen(period)
    total = await repository.sum_counts(
        connection, **place, grain="day", begin=period.begin, end=period.end, dimension=dimension, value=value
    )
    for key, counts in live:
        if _is_in(key, period, "day", dimension) and key.value == value:
            total.add(counts)
    return total


def _is_in(key: Key, period: Period, grain: Grain, dimension: Dimension) -> bool:
    return key.grain == grain and key.dimension is dimension and period.begin <= key.starts_at < period.end


async def _bars(
    connection: Reader, place: _Place, period: Period, by: Grain, live: Iterable[tuple[Key, Counts]]
) -> list[Bar]:
    """Hours or days in which something happened, in order."""
    dimension, value = _chosen(period)
    found = await repository.list_bars(
        connection, **place, grain=by, begin=period.begin, end=period.end, dimension=dimension, value=value
    )
    for key, counts in live:
        if _is_in(key, period, by, dimension) and key.value == value:
            found.setdefault(key.starts_at, Counts()).add(counts)
    return [
        Bar(starts_at=at.astimezone(UTC), counts=found[at], latency_ms=total_latency_ms(found[at]))
        for at in sorted(found)
    ]


def total_latency_ms(counts: Counts) -> dict[str, float] | None:
    """Quantiles of whole answers."""
    return None if counts.latencies is None else sketch.quantiles(counts.latencies[sketch.slice_of("total")])


async def _parts(
    connection: Reader,
    place: _Place,
    period: Period,
    dimension: Dimension,
    live: Iterable[tuple[Key, Counts]],
) -> list[tuple[str, Counts]]:
    """By how much happened, the most first."""
    found = await repository.list_parts(
        connection, **place, grain="day", begin=period.begin, end=period.end, dimension=dimension
    )
    for key, counts in live:
        if _is_in(key, period, "day", dimension):
            found.setdefault(key.value, Counts()).add(counts)
    if dimension is Dimension.LANGUAGE and period.language:
        found = {value: counts for value, counts in found.items() if value == period.language}
    return sorted(found.items(), key=lambda item: (-_weight(item[1]), item[0]))


def _weight(counts: Counts) -> int:
    return counts.turns + counts.calls + counts.jobs + counts.failed_calls + counts.failed_jobs


# ---- questions without an answer


async def _unanswered(connection: Reader, chatbot: Chatbot, period: Period, limit: int) -> list[Unanswered]:
    settings = tenancy.settings_of(chatbot)
    if settings.query_log == "off":
        return []
    first_kept = datetime.combine(now().date() - timedelta(days=settings.query_log_days), time(), tzinfo=UTC)
    return await repository.list_unanswered(
        connection,
        tenant_id=chatbot.tenant_id,
        chatbot_id=chatbot.id,
        begin=max(period.begin, first_kept),
        end=period.end,
        language=period.language,
        limit=limit,
    )


async def _as_may_be_shown(deps: Deps, chatbot: Chatbot, unanswered: Sequence[Unanswered]) -> list[Unanswered]:
    """The questions as the chatbot's query log keeps searches: with their text, masked, or without."""
    log = tenancy.settings_of(chatbot).query_log
    return [replace(each, question=await _shown(deps, each, log)) for each in unanswered]


async def _shown(deps: Deps, unanswered: Unanswered, log: str) -> str | None:
    if log == "full" or unanswered.question is None:
        return unanswered.question
    if log != "masked":
        return None
    try:
        return await mask_line(
            deps.pii_detectors,
            unanswered.question,
            language=unanswered.language,
            choice=PiiChoice(mode="mask"),
            placeholders=Placeholders(),
        )
    except DragomanError as error:
        _log.warning("insights.question_not_masked", reason=error.message)
        return None
