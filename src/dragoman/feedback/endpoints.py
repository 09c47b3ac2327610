"""HTTP: feedback on answers, what is summed up of it, corrections, and improvement reports."""

from __future__ import annotations

from datetime import date, timedelta
from typing import Annotated, Literal
from uuid import UUID

from fastapi import APIRouter, Body, Depends, Query, Response, status
from fastapi.responses import StreamingResponse

from dragoman.deps.http import DepsDep
from dragoman.feedback import analytics, corrections, service
from dragoman.feedback.entities import CorrectionState, FeedbackFilter, Rating, Reason
from dragoman.feedback.export import as_csv, as_json_lines
from dragoman.feedback.improvement import service as reports
from dragoman.feedback.improvement.shown import as_markdown
from dragoman.feedback.schemas import (
    AcceptedOut,
    AcceptIn,
    FeedbackAnalyticsOut,
    FeedbackIn,
    FeedbackItem,
    FeedbackList,
    FeedbackOut,
    FeedbackPatch,
    RejectIn,
    ReportIn,
    ReportList,
    ReportOut,
    ReportSummary,
)
from dragoman.kit.clock import now
from dragoman.knowledge.entities import Approval
from dragoman.tenancy.access import asker_of
from dragoman.tenancy.http import (
    CallerWhoGivesFeedback,
    CallerWhoManagesDocuments,
    CallerWhoReadsFeedback,
    PageDep,
)

router = APIRouter()

_USUAL_PERIOD = timedelta(days=29)
_RECENT = 10
UserIdQuery = Annotated[
    str | None, Query(max_length=200, description="Your own name for the asker, for keys that may act for users.")
]
AllChatbotsQuery = Annotated[UUID | None, Query(description="The chatbot; without it the key's, else all of them.")]
FirstDay = Annotated[date | None, Query(alias="from", description="First day (UTC).")]
LastDay = Annotated[date | None, Query(alias="to", description="Last day, included; today at the latest.")]


# ---- the asker's


@router.post(
    "/api/chatbot/messages/{message_id}/feedback/",
    status_code=status.HTTP_201_CREATED,
    tags=["feedback"],
    responses={200: {"model": FeedbackOut, "description": "It replaces what you said of the answer before."}},
)
async def give_feedback(
    message_id: UUID,
    body: FeedbackIn,
    response: Response,
    caller: CallerWhoGivesFeedback,
    deps: DepsDep,
    user_id: UserIdQuery = None,
) -> FeedbackOut:
    """Rate an answer, with a reason, a comment, and the right answer if you know it. Again: replaces what you said.

    A rating of somebody who may read all conversations, on an answer to another asker, is kept beside theirs as a review.
    """
    given, is_new = await service.give(
        deps, caller, asker=asker_of(caller, user_id), message_id=message_id, given=body.given()
    )
    response.status_code = status.HTTP_201_CREATED if is_new else status.HTTP_200_OK
    return FeedbackOut.of(given)


@router.get("/api/chatbot/messages/{message_id}/feedback/", tags=["feedback"])
async def get_feedback(
    message_id: UUID, caller: CallerWhoGivesFeedback, deps: DepsDep, user_id: UserIdQuery = None
) -> FeedbackOut:
    """Show what you said of an answer, and what you said before."""
    found, history = await service.get_own(deps, caller, asker=asker_of(caller, user_id), message_id=message_id)
    return FeedbackOut.of(found, history)


@router.patch("/api/chatbot/messages/{message_id}/feedback/", tags=["feedback"])
async def change_feedback(
    message_id: UUID,
    body: FeedbackPatch,
    caller: CallerWhoGivesFeedback,
    deps: DepsDep,
    user_id: UserIdQuery = None,
) -> FeedbackOut:
    """Change parts of what you said of an answer."""
    changed = await service.change(
        deps, caller, asker=asker_of(caller, user_id), message_id=message_id, values=body.values()
    )
    return FeedbackOut.of(changed)


@router.delete(
    "/api/chatbot/messages/{message_id}/feedback/", status_code=status.HTTP_204_NO_CONTENT, tags=["feedback"]
)
async def withdraw_feedback(
    message_id: UUID, caller: CallerWhoGivesFeedback, deps: DepsDep, user_id: UserIdQuery = None
) -> None:
    """Take back what you said of an answer, with all that it was before."""
    await service.withdraw(deps, caller, asker=asker_of(caller, user_id), message_id=message_id)


# ---- reading it


async def _filter(
    chatbot_id: AllChatbotsQuery = None,
    first: FirstDay = None,
    last: LastDay = None,
    rating: Annotated[Rating | None, Query()] = None,
    reason: Annotated[Reason | None, Query()] = None,
    language: Annotated[str | None, Query(max_length=8, description="Of the question.")] = None,
    model: Annotated[str | None, Query(max_length=200)] = None,
    prompt_version: Annotated[str | None, Query(max_length=200)] = None,
    document_id: Annotated[UUID | None, Query(description="Only on answers that cite it.")] = None,
    correction: Annotated[CorrectionState | None, Query(description="Only with a correction in this state.")] = None,
    has_text: Annotated[bool | None, Query(description="Only with a comment or a correction, or without.")] = None,
    is_review: Annotated[bool | None, Query(description="Only of reviewers, or only of askers.")] = None,
) -> FeedbackFilter:
    return FeedbackFilter(
        chatbot_id=chatbot_id,
        first=first,
        last=last,
        rating=rating,
        reason=reason,
        language=language,
        model=model,
        prompt_version=prompt_version,
        document_id=document_id,
        correction=correction,
        has_text=has_text,
        is_review=is_review,
    )


FilterDep = Annotated[FeedbackFilter, Depends(_filter)]


@router.get("/api/chatbot/feedback/", tags=["feedback"])
async def list_feedback(
    caller: CallerWhoReadsFeedback, deps: DepsDep, page: PageDep, wanted: FilterDep
) -> FeedbackList:
    """List feedback with its questions and answers, the latest first."""
    found = await service.list_feedback(deps, caller, wanted, page)
    items = [FeedbackItem.of_listed(item) for item in found.items]
    return FeedbackList(feedback=items, total=found.total, limit=found.limit, offset=found.offset)


@router.get(
    "/api/chatbot/feedback/export/",
    tags=["feedback"],
    response_class=StreamingResponse,
    responses={200: {"content": {"text/csv": {}, "application/x-ndjson": {}}, "description": "The file."}},
)
async def export_feedback(
    caller: CallerWhoReadsFeedback,
    deps: DepsDep,
    wanted: FilterDep,
    format: Annotated[Literal["csv", "jsonl"], Query(description="One line each.")] = "csv",  # noqa: A002
) -> StreamingResponse:
    """Download feedback with its questions and answers, the oldest first."""
    items = await service.export(deps, caller, wanted)
    return StreamingResponse(
        as_csv(items) if format == "csv" else as_json_lines(items),
        media_type="text/csv; charset=utf-8" if format == "csv" else "application/x-ndjson",
        headers={"Content-Disposition": f'attachment; filename="feedback.{format}"'},
    )


@router.get("/api/chatbot/analytics/feedback/", tags=["feedback"])
async def feedback_analytics(
    caller: CallerWhoReadsFeedback,
    deps: DepsDep,
    chatbot_id: AllChatbotsQuery = None,
    first: FirstDay = None,
    last: LastDay = None,
    limit: Annotated[int, Query(ge=1, le=100, description="Documents in their list.")] = 20,
) -> FeedbackAnalyticsOut:
    """Sum up what askers think of the answers, of 30 days without other wishes."""
    last = min(last or date.max, now().date())
    first = first or (last - _USUAL_PERIOD if last.toordinal() > _USUAL_PERIOD.days else last)
    wanted = FeedbackFilter(chatbot_id=chatbot_id, first=first, last=last)
    report = await analytics.read_report(deps, caller, wanted, limit=limit)
    with_text = FeedbackFilter(chatbot_id=chatbot_id, first=first, last=last, has_text=True)
    return FeedbackAnalyticsOut.of(report, await service.list_latest(deps, caller, with_text, limit=_RECENT))


# ---- corrections

_AS_GIVEN, _WITHOUT_NOTE = AcceptIn(), RejectIn()


@router.post(
    "/api/chatbot/feedback/{feedback_id}/accept-correction/", status_code=status.HTTP_202_ACCEPTED, tags=["feedback"]
)
async def accept_correction(
    feedback_id: UUID,
    caller: CallerWhoManagesDocuments,
    deps: DepsDep,
    body: Annotated[AcceptIn, Body()] = _AS_GIVEN,
) -> AcceptedOut:
    """Make a correction knowledge: a document with the question and its right answer, searched as soon as it is read."""
    accepted = await corrections.accept(deps, caller, feedback_id, question=body.question, answer=body.answer)
    return AcceptedOut(
        feedback=FeedbackOut.of(accepted.feedback),
        document_id=accepted.document.id,
        document_state=accepted.document.state,
        waits_for_approval=accepted.document.newest.approval is Approval.PENDING,
    )


@router.post("/api/chatbot/feedback/{feedback_id}/reject-correction/", tags=["feedback"])
async def reject_correction(
    feedback_id: UUID,
    caller: CallerWhoManagesDocuments,
    deps: DepsDep,
    body: Annotated[RejectIn, Body()] = _WITHOUT_NOTE,
) -> FeedbackOut:
    """Decide that a correction becomes no knowledge."""
    return FeedbackOut.of(await corrections.reject(deps, caller, feedback_id, note=body.note))


# ---- improvement reports


_USUAL_REPORT = ReportIn()


@router.post("/api/chatbot/reports/improvement/", status_code=status.HTTP_202_ACCEPTED, tags=["feedback"])
async def request_improvement_report(
    caller: CallerWhoReadsFeedback, deps: DepsDep, body: Annotated[ReportIn, Body()] = _USUAL_REPORT
) -> ReportSummary:
    """Have a report written: what is badly answered, which documents mislead, which knowledge is missing."""
    report = await reports.request_report(
        deps, caller, chatbot_id=body.chatbot_id, first=body.first_day, last=body.last_day
    )
    return ReportSummary.of_report(report)


@router.get("/api/chatbot/reports/", tags=["feedback"])
async def list_reports(
    caller: CallerWhoReadsFeedback, deps: DepsDep, page: PageDep, chatbot_id: AllChatbotsQuery = None
) -> ReportList:
    """List improvement reports, the latest first."""
    found = await reports.list_reports(deps, caller, chatbot_id=chatbot_id, page=page)
    items = [ReportSummary.of_report(report) for report in found.items]
    return ReportList(reports=items, total=found.total, limit=found.limit, offset=found.offset)


@router.get(
    "/api/chatbot/reports/{report_id}/",
    tags=["feedback"],
    response_model=ReportOut,
    responses={200: {"content": {"text/markdown": {}}, "description": "The report."}},
)
async def get_report(
    report_id: UUID,
    caller: CallerWhoReadsFeedback,
    deps: DepsDep,
    format: Annotated[  # noqa: A002 - the name of the parameter in the API
        Literal["json", "markdown"], Query(description="JSON for programs, Markdown for people.")
    ] = "json",
) -> ReportOut | Response:
    """Show an improvement report, with questions and titles as they are now."""
    shown = await reports.get_report(deps, caller, report_id)
    if format == "markdown":
        return Response(as_markdown(shown), media_type="text/markdown; charset=utf-8")
    return ReportOut.of(shown)
