"""Errors of feedback and of improvement reports."""

from __future__ import annotations

from dragoman.kit.errors import ConflictError, InvalidRequestError, NotFoundError


class RatedMessageNotFoundError(NotFoundError):
    """There is no message with this id in your conversations. `GET /api/chatbot/sessions/{id}/messages/` lists them."""

    code = "feedback.message_not_found"


class FeedbackNotFoundError(NotFoundError):
    """There is no such feedback. Of a message you have given none, or it was withdrawn."""

    code = "feedback.not_found"


class NotRateableError(InvalidRequestError):
    """Only answers of the chatbot can be rated: name a message whose role is `assistant`."""

    code = "feedback.not_an_answer"


class NoCorrectionError(InvalidRequestError):
    """This feedback holds no correction. Send the right answer as `answer`."""

    code = "feedback.no_correction"


class CorrectionDecidedError(ConflictError):
    """This correction was accepted or rejected before. Change the document it became, or wait for a new correction."""

    code = "feedback.correction_decided"


class InvalidFeedbackPeriodError(InvalidRequestError):
    """These days are no period. `from` comes before `to`, and at most 400 days lie between them."""

    code = "feedback.invalid_period"


class ReportNotFoundError(NotFoundError):
    """There is no report with this id. `GET /api/chatbot/reports/` lists them."""

    code = "feedback.report_not_found"
