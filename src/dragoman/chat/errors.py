"""Errors of conversations."""

from __future__ import annotations

from dragoman.kit.errors import ConflictError, InvalidRequestError, NotFoundError


class SessionNotFoundError(NotFoundError):
    """There is no session with this id. `GET /api/chatbot/sessions/` lists yours."""

    code = "chat.session_not_found"


class SessionClosedError(ConflictError):
    """This session is closed. Open it again with `is_active: true`, or start a new one."""

    code = "chat.session_closed"


class MessageNotFoundError(NotFoundError):
    """There is no message with this id in this session. `GET …/messages/` lists them."""

    code = "chat.message_not_found"


class NotAnAnswerError(InvalidRequestError):
    """Only an answer of the chatbot can be written again: name a message whose role is `assistant`."""

    code = "chat.not_an_answer"


class NotAQuestionError(InvalidRequestError):
    """Only a question can be asked anew: name a message whose role is `user`."""

    code = "chat.not_a_question"
