"""Errors of conversations."""

from __future__ import annotations

from dragoman.kit.errors import ConflictError, DragomanError, InvalidRequestError, NotFoundError, UnavailableError


class SessionNotFoundError(NotFoundError):
    """There is no session with this id. `GET /api/chatbot/sessions/` lists yours."""

    code = "chat.session_not_found"


class SessionClosedError(ConflictError):
    """This session is closed. Open it again with `is_active: true`, or start a new one."""

    code = "chat.session_closed"


class TooManyMessagesError(DragomanError):
    """You have sent too many messages within a minute. Wait as long as `Retry-After` says before the next one."""

    code, status = "chat.too_many_messages", 429


class MessageNotFoundError(NotFoundError):
    """There is no message with this id in this session. `GET …/messages/` lists them."""

    code = "chat.message_not_found"


class NotAnAnswerError(InvalidRequestError):
    """Only an answer of the chatbot can be written again: name a message whose role is `assistant`."""

    code = "chat.not_an_answer"


class NotAQuestionError(InvalidRequestError):
    """Only a question can be asked anew: name a message whose role is `user`."""

    code = "chat.not_a_question"


class InvalidEventIdError(InvalidRequestError):
    """`Last-Event-ID` must be the `id` of an event of this answer. Leave it out to get the answer from its beginning."""

    code = "chat.invalid_event_id"


class AnswerNotFoundError(MessageNotFoundError):
    """There is no answer with this id in this session, neither stored nor being written."""

    code = "chat.answer_not_found"


class AnswerOutOfReachError(UnavailableError):
    """Another process may be writing this answer, and Valkey, which would tell, does not answer. Try again in a moment."""

    code = "chat.answer_out_of_reach"


class AnswerStoppedError(DragomanError):
    """The answer was stopped before anything was said."""

    code, status = "chat.answer_stopped", 409


class AnswerLostError(DragomanError):
    """The process that wrote this answer has ended. The question is kept: ask it again."""

    code, status = "chat.answer_lost", 503
