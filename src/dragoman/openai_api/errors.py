"""Errors of the OpenAI-compatible API, and the shape in which that API tells any error."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any, Final

from dragoman.kit.errors import InvalidRequestError, NotFoundError

PREFIX: Final = "/v1/"
"""Below it errors have OpenAI's shape."""

_TYPES: Final = {401: "authentication_error", 403: "permission_error", 429: "rate_limit_error"}
_CODES: Final = {
    "tenancy.invalid_key": "invalid_api_key",
    "openai.model_not_found": "model_not_found",
    "chat.too_many_messages": "rate_limit_exceeded",
    "limits.too_many_searches": "rate_limit_exceeded",
    "limits.too_many_requests": "rate_limit_exceeded",
    "limits.too_many_streams": "rate_limit_exceeded",
}
"""Codes that clients know by OpenAI's name; all others keep ours."""


class ModelNotFoundError(NotFoundError):
    """There is no such model. `GET /v1/models` lists those of your key; `dragoman` is your default chatbot."""

    code = "openai.model_not_found"


class UnsupportedParameterError(InvalidRequestError):
    """This parameter asks for something that a chatbot with cited answers does not do. Leave it out."""

    code = "openai.unsupported_parameter"


class InvalidParameterError(InvalidRequestError):
    """A parameter has a value that cannot work. The message says which and why."""

    code = "openai.invalid_parameter"


def status_in_openai(status: int) -> int:
    """OpenAI answers 400 to a request that does not fit; its clients raise `BadRequestError` for that alone."""
    return 400 if status == 422 else status


def error_in_openai(*, status: int, code: str, message: str, param: str | None = None) -> Mapping[str, Any]:
    """The body of an error as OpenAI's clients read it."""
    kind = _TYPES.get(status, "invalid_request_error" if status < 500 else "server_error")
    return {"error": {"message": message, "type": kind, "param": param, "code": _CODES.get(code, code)}}


def param_in_openai(where: str) -> str | None:
    """`body.messages.0.content` as OpenAI writes it: `messages[0].content`."""
    place = re.sub(r"\.(\d+)", r"[\1]", where.removeprefix("body").removeprefix("."))
    return place or None
