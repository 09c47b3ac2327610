"""Feedback and improvement reports as the HTTP API shows them."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from datetime import date, datetime
from typing import Any, Literal
from uuid import UUID

from pydantic import BaseModel, Field, field_validator

from dragoman.feedback.entities import (
    Earlier,
    Feedback,
    FeedbackReport,
    Given,
    ImprovementReport,
    Line,
    Listed,
    Rating,
    Reason,
)
from dragoman.feedback.improvement.shown import ShownDocument, ShownReport, ShownTopic
from dragoman.feedback.satisfaction import Satisfaction
from dragoman.tenancy.http import RequestBody

_MOST_METADATA_CHARACTERS = 4096
_WORDS: Mapping[str, Rating] = {
    "up": Rating.UP,
    "useful": Rating.UP,
    "down": Rating.DOWN,
    "incorrect": Rating.DOWN,
}

RatingWord = Literal["up", "down", "useful", "incorrect"]
_REASON = Field(None, description="What is wrong with the answer.")
_COMMENT = Field("", max_length=4000, description="Anything else.")
_CORRECTION = Field("", max_length=8000, description="The right answer.")
_METADATA: Any = Field(default_factory=dict, description="Values of your own, 4,096 characters of JSON at most.")


def _bounded(metadata: dict[str, Any] | None) -> dict[str, Any] | None:
    if metadata is not None and len(json.dumps(metadata, ensure_ascii=False)) > _MOST_METADATA_CHARACTERS:
        raise ValueError(f"metadata must not be longer than {_MOST_METADATA_CHARACTERS} characters of JSON")
    return metadata


class FeedbackIn(RequestBody):
    rating: RatingWord = Field(description="`up` or `useful`; `down`, or `incorrect`, which is `down` for that reason.")
    reason: Reason | None = _REASON
    comment: str = _COMMENT
    correction: str = _CORRECTION
    metadata: dict[str, Any] = _METADATA

    _metadata = field_validator("metadata")(_bounded)

    def given(self) -> Given:
        return Given(
            rating=_WORDS[self.rating],
            reason=self.reason or (Reason.INCORRECT if self.rating == "incorrect" else None),
            comment=self.comment.strip(),
            correction=self.correction.strip(),
            metadata=self.metadata,
        )


class FeedbackPatch(RequestBody):
    """What is left out stays as it is."""

    rating: RatingWord | None = None
    reason: Reason | None = Field(None, description="What is wrong with the answer; null takes it back.")
    comment: str | None = Field(None, max_length=4000)
    correction: str | None = Field(None, max_length=8000)
    metadata: dict[str, Any] | None = None

    _metadata = field_validator("metadata")(_bounded)

    def values(self) -> dict[str, Any]:
        """Fields of `Given`."""
        sent = self.model_fields_set
        values: dict[str, Any] = {"reason": self.reason} if "reason" in sent else {}
        if self.rating is not None:
            values["rating"] = _WORDS[self.rating]
            if self.rating == "incorrect" and "reason" not in sent:
                values["reason"] = Reason.INCORRECT
        for name in ("comment", "correction"):
            if (text := getattr(self, name)) is not None:
                values[name] = text.strip()
        if self.metadata is not None:
            values["metadata"] = self.metadata
        return values


class EarlierOut(BaseModel):
    rating: Rating
    reason: Reason | None
    comment: str
    correction: str
    given_at: datetime
    replaced_at: datetime


class FeedbackOut(BaseModel):
    id: UUID
    message_id: UUID
    session_id: UUID
    chatbot_id: UUID
    is_review: bool = Field(description="Given by somebody else than the asker.")
    rating: Rating
    reason: Reason | None
    comment: str
    correction: str
    metadata: dict[str, Any]
    correction_state: str | None = Field(description="`open`, `accepted`, `rejected`; null without a correction.")
    created_at: datetime
    updated_at: datetime
    history: list[EarlierOut] = Field(default_factory=list, description="What it said before, the latest first.")

    @classmethod
    def of(cls, feedback: Feedback, history: Sequence[Earlier] = ()) -> FeedbackOut:
        return cls(**_facts(feedback), history=[EarlierOut(**_earlier(each)) for each in history])


def _facts(feedback: Feedback) -> dict[str, Any]:
    given = feedback.given
    return {
        "id": feedback.id,
        "message_id": feedback.answer_id,
        "session_id": feedback.session_id,
        "chatbot_id": feedback.chatbot_id,
        "is_review": feedback.is_review,
        "rating": given.rating,
        "reason": given.reason,
        "comment": given.comment,
        "correction": given.correction,
        "metadata": dict(given.metadata),
        "correction_state": feedback.correction_state,
        "created_at": feedback.created_at,
        "updated_at": feedback.updated_at,
    }


def _earlier(each: Earlier) -> dict[str, Any]:
    return {name: getattr(each, name) for name in EarlierOut.model_fields}


# ---- for those who look after the chatbot


class FeedbackItem(FeedbackOut):
    question: str | None = Field(description="Null where the chatbot keeps no text of questions (`query_log`).")
    answer: str | None
    language: str
    model: str
    prompt_version: str
    answered: bool
    document_ids: list[UUID] = Field(description="Cited in the answer.")
    correction_document_id: UUID | None = Field(description="What the correction became.")
    correction_note: str
    decided_at: datetime | None

    @classmethod
    def of_listed(cls, item: Listed) -> FeedbackItem:
        feedback = item.feedback
        return cls(
            **_facts(feedback),
            question=item.question,
            answer=item.answer,
            language=feedback.language,
            model=feedback.model,
            prompt_version=feedback.prompt_version,
            answered=feedback.answered,
            document_ids=list(feedback.documents),
            correction_document_id=feedback.correction_document_id,
            correction_note=feedback.correction_note,
            decided_at=feedback.decided_at,
        )


class FeedbackList(BaseModel):
    feedback: list[FeedbackItem]
    total: int
    limit: int
    offset: int


class AcceptIn(RequestBody):
    question: str | None = Field(
        None, min_length=1, max_length=2000, description="In place of the one that was asked, as it stands alone."
    )
    answer: str | None = Field(None, min_length=1, max_length=8000, description="In place of the asker's correction.")


class AcceptedOut(BaseModel):
    feedback: FeedbackOut
    document_id: UUID
    document_state: str = Field(description="`queued`: it is being read, and searched from then on.")
    waits_for_approval: bool = Field(description="The chatbot wants each document approved (`moderation`).")


class RejectIn(RequestBody):
    note: str = Field("", max_length=2000, description="Why; for those who look after the chatbot.")


# ---- sums


class SatisfactionOut(BaseModel):
    up: int
    down: int
    total: int
    satisfaction_rate: float | None = Field(description="Share of thumbs up, 0 to 1; null where nobody has rated.")
    satisfaction_low: float | None = Field(description="With 95 % confidence it is at least so much (Wilson).")
    satisfaction_high: float | None = Field(description="And at most so much.")


class LineOut(SatisfactionOut):
    key: str
    title: str | None = Field(None, description="Of a document; null where it was deleted.")


def _sums(satisfaction: Satisfaction) -> dict[str, Any]:
    low, high = satisfaction.interval or (None, None)
    return {
        "up": satisfaction.up,
        "down": satisfaction.down,
        "total": satisfaction.total,
        "satisfaction_rate": _rounded(satisfaction.rate),
        "satisfaction_low": _rounded(low),
        "satisfaction_high": _rounded(high),
    }


def _rounded(share: float | None) -> float | None:
    return None if share is None else round(share, 4)


def _lines(lines: Sequence[Line]) -> list[LineOut]:
    return [LineOut(key=line.key, title=line.title, **_sums(line.satisfaction)) for line in lines]


class FeedbackAnalyticsOut(SatisfactionOut):
    """The askers' ratings; those of reviewers stand under `reviews`."""

    first_day: date
    last_day: date
    reviews: SatisfactionOut
    comments: int
    corrections: dict[str, int] = Field(description="By state: `open`, `accepted`, `rejected`.")
    by_day: list[LineOut]
    by_language: list[LineOut]
    by_reason: dict[str, int]
    by_model: list[LineOut]
    by_prompt_version: list[LineOut]
    by_chatbot: list[LineOut]
    by_document: list[LineOut] = Field(description="Of answers that cite the document; the most rated down first.")
    recent: list[FeedbackItem] = Field(description="The latest with a comment or a correction.")

    @classmethod
    def of(cls, report: FeedbackReport, recent: Sequence[Listed]) -> FeedbackAnalyticsOut:
        return cls(
            **_sums(report.total),
            first_day=report.first,
            last_day=report.last,
            reviews=SatisfactionOut(**_sums(report.reviews)),
            comments=report.comments,
            corrections=dict(report.corrections),
            by_day=_lines(report.by_day),
            by_language=_lines(report.by_language),
            by_reason=dict(report.by_reason),
            by_model=_lines(report.by_model),
            by_prompt_version=_lines(report.by_prompt_version),
            by_chatbot=_lines(report.by_chatbot),
            by_document=_lines(report.by_document),
            recent=[FeedbackItem.of_listed(item) for item in recent],
        )


# ---- improvement reports


class ReportIn(RequestBody):
    chatbot_id: UUID | None = Field(None, description="Without it the key's or the tenant's default.")
    first_day: date | None = Field(None, description="UTC; without it, six days before the last.")
    last_day: date | None = Field(None, description="UTC; today at the latest.")


class ReportSummary(BaseModel):
    id: UUID
    kind: Literal["improvement"] = "improvement"
    chatbot_id: UUID
    first_day: date
    last_day: date
    state: str = Field(description="`queued`, `ready` or `failed`.")
    is_scheduled: bool
    job_id: UUID | None
    error: str | None
    created_at: datetime
    finished_at: datetime | None

    @classmethod
    def facts(cls, report: ImprovementReport) -> dict[str, Any]:
        return {name: getattr(report, name) for name in ReportSummary.model_fields if name != "kind"}

    @classmethod
    def of_report(cls, report: ImprovementReport) -> ReportSummary:
        return ReportSummary(**cls.facts(report))


class ReportList(BaseModel):
    reports: list[ReportSummary]
    total: int
    limit: int
    offset: int


class ReportDocumentOut(BaseModel):
    document_id: UUID
    title: str | None = Field(description="Null: it was deleted.")
    cited: int | None = Field(description="Answers of the topic that cite it.")
    rated: int | None = Field(description="Rated answers that cite it.")
    down: int = Field(description="How many of them were rated down.")
    expected: float | None = Field(description="How many would be, by the rate of all answers.")
    chance: float | None = Field(description="How likely as many or more are by chance (Fisher's exact test).")
    pages: list[int] = Field(description="Cited in answers that were rated down, the most cited first.")

    @classmethod
    def of(cls, document: ShownDocument) -> ReportDocumentOut:
        values = {name: getattr(document, name) for name in cls.model_fields}
        return cls(**values | {"pages": list(document.pages)})


class TopicOut(BaseModel):
    kind: str = Field(description="`missing`: mostly not answered; `bad`: answers were rated down; `fine`: neither.")
    label: str | None = Field(
        description="Its most central question; null where the chatbot keeps no text of questions."
    )
    examples: list[str]
    asked: int
    unanswered: int
    up: int
    down: int
    languages: dict[str, int]
    reasons: dict[str, int]
    documents: list[ReportDocumentOut]
    suggestion: str = Field(description="What to do about it; empty where it is answered well.")

    @classmethod
    def of(cls, topic: ShownTopic) -> TopicOut:
        values = {name: getattr(topic, name) for name in cls.model_fields}
        return cls(**values | {"documents": [ReportDocumentOut.of(each) for each in topic.documents]})


class ReportOut(ReportSummary):
    asked: int = Field(0, description="Questions of the period.")
    unanswered: int = 0
    looked_at: int = Field(0, description="How many of them are in the topics: those rated down first, 2,000 at most.")
    up: int = 0
    down: int = 0
    topics_found: int = 0
    topics: list[TopicOut] = Field(default_factory=list, description="Questions about the same thing, the worst first.")
    misleading: list[ReportDocumentOut] = Field(
        default_factory=list, description="Documents whose answers are rated down more often than chance explains."
    )

    @classmethod
    def of(cls, shown: ShownReport) -> ReportOut:
        return cls(
            **cls.facts(shown.report),
            **shown.figures,
            topics=[TopicOut.of(topic) for topic in shown.topics],
            misleading=[ReportDocumentOut.of(each) for each in shown.misleading],
        )
