"""Feedback on an answer, what is summed up of it, and improvement reports."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date, datetime
from enum import StrEnum
from typing import Any
from uuid import UUID

from dragoman.feedback.satisfaction import Satisfaction


class Rating(StrEnum):
    UP = "up"
    DOWN = "down"


class Reason(StrEnum):
    """What is wrong with an answer."""

    INCORRECT = "incorrect"
    INCOMPLETE = "incomplete"
    OUTDATED = "outdated"
    OFF_TOPIC = "off_topic"
    BAD_CITATION = "bad_citation"
    NOT_ANSWERED = "not_answered"
    HARMFUL = "harmful"
    WRONG_LANGUAGE = "wrong_language"
    HARD_TO_UNDERSTAND = "hard_to_understand"
    TOO_LONG = "too_long"
    OTHER = "other"


class CorrectionState(StrEnum):
    OPEN = "open"
    ACCEPTED = "accepted"
    REJECTED = "rejected"


@dataclass(frozen=True, slots=True, kw_only=True)
class Given:
    """What an asker says of an answer."""

    rating: Rating
    reason: Reason | None = None
    comment: str = ""
    correction: str = ""
    metadata: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, slots=True, kw_only=True)
class RatedAnswer:
    """An answer, as far as its feedback depends on it.

    Attributes:
        asker: whose conversation it is in.
        remembered_as: names its text in the answer cache; empty where it is not kept there.
    """

    id: UUID
    session_id: UUID
    chatbot_id: UUID
    role: str
    asker: str
    language: str
    model: str
    prompt_version: str
    answered: bool
    documents: tuple[UUID, ...]
    remembered_as: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Feedback:
    """Attributes:
    is_review: given by somebody else than the asker of the conversation.
    documents: that the answer cites.
    """

    id: UUID
    session_id: UUID
    answer_id: UUID
    chatbot_id: UUID
    asker: str
    is_review: bool
    given: Given
    language: str
    model: str
    prompt_version: str
    answered: bool
    documents: tuple[UUID, ...]
    correction_state: CorrectionState | None
    correction_document_id: UUID | None
    correction_note: str
    decided_by: str | None
    decided_at: datetime | None
    created_at: datetime
    updated_at: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class Earlier:
    """What a feedback said from `given_at` until `replaced_at`."""

    rating: Rating
    reason: Reason | None
    comment: str
    correction: str
    given_at: datetime
    replaced_at: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class Listed:
    """A feedback in a list, with question and answer as far as the chatbot keeps the text of questions."""

    feedback: Feedback
    question: str | None
    answer: str | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Example:
    """All that is known of a rated answer: what a dataset is made of (seed A's tuple).

    Attributes:
        prompt: the messages given to the model, with passages as references; None: no model was asked.
        retrieved: `chunk_id`, `rank`, `score`, `cited`, and `text` where the chunk still exists.
    """

    feedback: Feedback
    question: str
    standalone_question: str | None
    answer: str
    citations: Sequence[Mapping[str, Any]]
    prompt: Sequence[Mapping[str, Any]] | None
    retrieved: Sequence[Mapping[str, Any]]


@dataclass(frozen=True, slots=True, kw_only=True)
class FeedbackFilter:
    """Which feedback; None does not restrict. `first` and `last` are days (UTC), both included."""

    chatbot_id: UUID | None = None
    first: date | None = None
    last: date | None = None
    rating: Rating | None = None
    reason: Reason | None = None
    language: str | None = None
    model: str | None = None
    prompt_version: str | None = None
    document_id: UUID | None = None
    correction: CorrectionState | None = None
    has_text: bool | None = None
    is_review: bool | None = None
    feedback_id: UUID | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Line:
    """The ratings of one day, language, reason, model, prompt version, document or chatbot."""

    key: str
    satisfaction: Satisfaction
    title: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class FeedbackReport:
    """What askers think of the answers of a period.

    Attributes:
        reviews: of people other than the askers, who are not in the other figures.
        by_document: the answers that cite a document, the most rated down first.
    """

    first: date
    last: date
    total: Satisfaction
    reviews: Satisfaction
    comments: int
    corrections: Mapping[str, int]
    by_day: Sequence[Line]
    by_language: Sequence[Line]
    by_reason: Mapping[str, int]
    by_model: Sequence[Line]
    by_prompt_version: Sequence[Line]
    by_chatbot: Sequence[Line]
    by_document: Sequence[Line]


class ReportState(StrEnum):
    QUEUED = "queued"
    READY = "ready"
    FAILED = "failed"


@dataclass(frozen=True, slots=True, kw_only=True)
class ImprovementReport:
    """`content` as `improvement.report` writes it: ids and figures, no text."""

    id: UUID
    tenant_id: UUID
    chatbot_id: UUID
    first_day: date
    last_day: date
    state: ReportState
    is_scheduled: bool
    requested_by: str
    job_id: UUID | None
    error: str | None
    content: Mapping[str, Any]
    created_at: datetime
    finished_at: datetime | None


@dataclass(frozen=True, slots=True, kw_only=True)
class AskedTurn:
    """A question of a report's period and what became of it.

    Attributes:
        text: as it can be understood alone, where that is known.
        up, down: ratings of asker and reviewers.
        citations: as the message keeps them: `document_id`, `chunk_id`.
    """

    question_id: UUID
    text: str
    language: str
    answered: bool
    up: int
    down: int
    reasons: tuple[str, ...]
    citations: Sequence[Mapping[str, Any]]
