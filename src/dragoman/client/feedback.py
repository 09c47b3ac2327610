"""Feedback on answers, what is summed up of it, corrections, and improvement reports."""

from __future__ import annotations

from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from datetime import date
from typing import Any, Literal
from uuid import UUID

import httpx

from dragoman.client.models import (
    AcceptedCorrection,
    Feedback,
    FeedbackAnalytics,
    FeedbackItem,
    ImprovementReport,
    ReportSummary,
)
from dragoman.client.paging import pages
from dragoman.client.transport import Transport

_FEEDBACK = "/api/chatbot/feedback/"
_REPORTS = "/api/chatbot/reports/"


class FeedbackOnAnswers:
    """`user_id`: your own name for the asker, for keys that may act for users."""

    def __init__(self, transport: Transport) -> None:
        self._transport = transport

    # ---- the asker's

    async def give(
        self,
        message_id: UUID | str,
        rating: Literal["up", "down"],
        *,
        reason: str | None = None,
        comment: str = "",
        correction: str = "",
        metadata: Mapping[str, Any] | None = None,
        user_id: str | None = None,
    ) -> Feedback:
        """Rate an answer; again: replaces what was said of it. `correction`: the right answer."""
        body = {
            "rating": rating,
            "reason": reason,
            "comment": comment,
            "correction": correction,
            "metadata": dict(metadata or {}),
        }
        given = await self._transport.request("POST", _of(message_id), json=body, params={"user_id": user_id})
        return Feedback.model_validate(given)

    async def get(self, message_id: UUID | str, *, user_id: str | None = None) -> Feedback:
        """What was said of an answer, and before. Raises ApiError 404: nothing was."""
        found = await self._transport.request("GET", _of(message_id), params={"user_id": user_id})
        return Feedback.model_validate(found)

    async def change(
        self,
        message_id: UUID | str,
        *,
        rating: Literal["up", "down"] | None = None,
        reason: str | None = None,
        comment: str | None = None,
        correction: str | None = None,
        metadata: Mapping[str, Any] | None = None,
        user_id: str | None = None,
    ) -> Feedback:
        """Change what is not None."""
        given = {
            "rating": rating,
            "reason": reason,
            "comment": comment,
            "correction": correction,
            "metadata": None if metadata is None else dict(metadata),
        }
        body = {name: value for name, value in given.items() if value is not None}
        changed = await self._transport.request("PATCH", _of(message_id), json=body, params={"user_id": user_id})
        return Feedback.model_validate(changed)

    async def withdraw(self, message_id: UUID | str, *, user_id: str | None = None) -> None:
        await self._transport.request("DELETE", _of(message_id), params={"user_id": user_id})

    # ---- for those who look after the chatbot

    async def list(
        self,
        *,
        chatbot_id: UUID | str | None = None,
        first: date | None = None,
        last: date | None = None,
        rating: Literal["up", "down"] | None = None,
        reason: str | None = None,
        language: str | None = None,
        model: str | None = None,
        prompt_version: str | None = None,
        document_id: UUID | str | None = None,
        correction: Literal["open", "accepted", "rejected"] | None = None,
        has_text: bool | None = None,
        is_review: bool | None = None,
    ) -> AsyncIterator[FeedbackItem]:
        """With question and answer, the latest first, fetched page by page. `first` and `last` are days (UTC)."""
        wanted = {
            **_period(chatbot_id, first, last),
            "rating": rating,
            "reason": reason,
            "language": language,
            "model": model,
            "prompt_version": prompt_version,
            "document_id": document_id and str(document_id),
            "correction": correction,
            "has_text": has_text,
            "is_review": is_review,
        }
        async for item in pages(self._transport, _FEEDBACK, "feedback", wanted):
            yield FeedbackItem.model_validate(item)

    @asynccontextmanager
    async def open_export(
        self,
        *,
        format: Literal["csv", "jsonl"] = "csv",  # noqa: A002 - as the API says
        chatbot_id: UUID | str | None = None,
        first: date | None = None,
        last: date | None = None,
        rating: Literal["up", "down"] | None = None,
    ) -> AsyncIterator[httpx.Response]:
        """The file, to be read piece by piece with `aiter_bytes` while the context is open."""
        params = {**_period(chatbot_id, first, last), "format": format, "rating": rating}
        async with self._transport.open_content(f"{_FEEDBACK}export/", params=params) as response:
            yield response

    async def analytics(
        self, *, chatbot_id: UUID | str | None = None, first: date | None = None, last: date | None = None
    ) -> FeedbackAnalytics:
        """What askers think of the answers, by default of the last 30 days."""
        params = _period(chatbot_id, first, last)
        found = await self._transport.request("GET", "/api/chatbot/analytics/feedback/", params=params)
        return FeedbackAnalytics.model_validate(found)

    async def accept_correction(
        self, feedback_id: UUID | str, *, question: str | None = None, answer: str | None = None
    ) -> AcceptedCorrection:
        """Make a correction a document; `question` and `answer` take the place of the asker's."""
        given = {"question": question, "answer": answer}
        body = {name: value for name, value in given.items() if value is not None}
        accepted = await self._transport.request("POST", f"{_FEEDBACK}{feedback_id}/accept-correction/", json=body)
        return AcceptedCorrection.model_validate(accepted)

    async def reject_correction(self, feedback_id: UUID | str, *, note: str = "") -> Feedback:
        path = f"{_FEEDBACK}{feedback_id}/reject-correction/"
        return Feedback.model_validate(await self._transport.request("POST", path, json={"note": note}))

    # ---- improvement reports

    async def request_report(
        self, *, chatbot_id: UUID | str | None = None, first: date | None = None, last: date | None = None
    ) -> ReportSummary:
        """Have a report written in the background, by default of the last seven days."""
        given = {
            "chatbot_id": chatbot_id and str(chatbot_id),
            "first_day": first and first.isoformat(),
            "last_day": last and last.isoformat(),
        }
        body = {name: value for name, value in given.items() if value is not None}
        asked = await self._transport.request("POST", f"{_REPORTS}improvement/", json=body)
        return ReportSummary.model_validate(asked)

    async def list_reports(self, *, chatbot_id: UUID | str | None = None) -> AsyncIterator[ReportSummary]:
        """The latest first, fetched page by page."""
        async for item in pages(self._transport, _REPORTS, "reports", {"chatbot_id": chatbot_id and str(chatbot_id)}):
            yield ReportSummary.model_validate(item)

    async def get_report(self, report_id: UUID | str) -> ImprovementReport:
        """Its `state` is `queued` until it is written."""
        return ImprovementReport.model_validate(await self._transport.request("GET", f"{_REPORTS}{report_id}/"))

    async def get_report_as_markdown(self, report_id: UUID | str) -> str:
        path = f"{_REPORTS}{report_id}/"
        async with self._transport.open_content(path, params={"format": "markdown"}) as response:
            content = b""
            async for piece in response.aiter_bytes():
                content += piece
        return content.decode()


def _of(message_id: UUID | str) -> str:
    return f"/api/chatbot/messages/{message_id}/feedback/"


def _period(chatbot_id: UUID | str | None, first: date | None, last: date | None) -> dict[str, Any]:
    return {
        "chatbot_id": chatbot_id and str(chatbot_id),
        "from": first and first.isoformat(),
        "to": last and last.isoformat(),
    }
