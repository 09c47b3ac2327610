"""What askers think of the answers of a period, summed up."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from datetime import timedelta
from typing import Any, Final
from uuid import UUID

from dragoman.deps import Deps
from dragoman.feedback import service
from dragoman.feedback.days import repository
from dragoman.feedback.entities import CorrectionState, FeedbackFilter, FeedbackReport, Line
from dragoman.feedback.errors import InvalidFeedbackPeriodError
from dragoman.feedback.satisfaction import Satisfaction
from dragoman.tenancy.entities import Caller

LONGEST_PERIOD_DAYS: Final = 400


async def read_report(deps: Deps, caller: Caller, wanted: FeedbackFilter, *, limit: int) -> FeedbackReport:
    """Of `wanted` the chatbot and the days; `limit` bounds the list of documents.

    Raises:
        ChatbotNotFoundError, InvalidFeedbackPeriodError.
    """
    first, last = wanted.first, wanted.last
    if first is None or last is None or not timedelta() <= last - first <= timedelta(days=LONGEST_PERIOD_DAYS):
        raise InvalidFeedbackPeriodError
    async with deps.database.reading(
        caller.tenant_id
    ) as connection:  # one state: no day is missing, and none counts twice
        wanted = await service.of_caller(connection, caller, wanted)
        place: dict[str, Any] = {
            "tenant_id": caller.tenant_id,
            "chatbot_id": wanted.chatbot_id,
            "first": first,
            "last": last,
        }
        sums = await repository.sum_cells(connection, **place)
        documents = await repository.sum_documents(connection, **place, limit=limit)
    cells = [each for each in sums if not each.is_day]
    of_askers = [cell for cell in cells if not cell.is_review]
    reasons: Counter[str] = Counter()
    for cell in of_askers:
        if cell.reason:
            reasons[cell.reason] += cell.up + cell.down
    return FeedbackReport(
        first=first,
        last=last,
        total=_sum(of_askers),
        reviews=_sum(cell for cell in cells if cell.is_review),
        comments=sum(cell.comments for cell in cells),
        corrections={state: sum(getattr(cell, state) for cell in cells) for state in CorrectionState},
        by_day=[
            Line(key=each.day.isoformat(), satisfaction=_sum([each]))
            for each in sums
            if each.is_day and not each.is_review
        ],
        by_language=_lines(of_askers, lambda cell: cell.language),
        by_reason=dict(reasons.most_common()),
        by_model=_lines(of_askers, lambda cell: cell.model),
        by_prompt_version=_lines(of_askers, lambda cell: cell.prompt_version),
        by_chatbot=_lines(of_askers, lambda cell: str(cell.chatbot_id)),
        by_document=[_of_document(each) for each in documents],
    )


def _of_document(row: Any) -> Line:
    document_id: UUID = row.document_id
    return Line(key=str(document_id), title=row.title, satisfaction=_sum([row]))


def _sum(rows: Iterable[Any]) -> Satisfaction:
    up = down = 0
    for row in rows:
        up, down = up + row.up, down + row.down
    return Satisfaction(up=up, down=down)


def _lines(cells: Sequence[Any], key_of: Callable[[Any], str]) -> list[Line]:
    """The most rated first."""
    sums: dict[str, Satisfaction] = {}
    for cell in cells:
        key = key_of(cell)
        sums[key] = sums.get(key, Satisfaction()) + Satisfaction(up=cell.up, down=cell.down)
    return [
        Line(key=key, satisfaction=each)
        for key, each in sorted(sums.items(), key=lambda item: (-item[1].total, item[0]))
    ]
