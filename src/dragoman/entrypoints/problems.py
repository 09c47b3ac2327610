"""Every error that leaves the API is a problem document (RFC 9457) with a stable code, and never a stack trace.

Below `/v1/` it has the shape that OpenAI's clients read.
"""

from __future__ import annotations

import math
import re
from collections.abc import Callable, Mapping
from typing import Final

import structlog
from fastapi import FastAPI, Request
from fastapi.exceptions import RequestValidationError
from fastapi.responses import JSONResponse
from sqlalchemy.exc import DataError, IntegrityError
from starlette.exceptions import HTTPException

from dragoman.entrypoints.request_spans import route_of
from dragoman.kit.errors import ConflictError, DragomanError, InvalidRequestError
from dragoman.openai_api.errors import PREFIX, error_in_openai, param_in_openai, status_in_openai
from dragoman.tenancy import audit
from dragoman.tenancy.entities import Caller

_log = structlog.get_logger(__name__)
MEDIA_TYPE = "application/problem+json"
_CODES = {404: "not_found", 405: "method_not_allowed", 408: "body_stalled", 413: "too_large"}
_DETAILS = {
    404: "There is nothing at this address. The documentation at /docs lists all that exist.",
    408: "The body of the request came too slowly, and was given up. Send it again over a better connection.",
    413: "The body of the request is larger than this service accepts here. Files go to the operations for uploads.",
    405: "This address does not know this method. The documentation at /docs lists those it knows.",
}


def install_problem_handlers(app: FastAPI) -> None:
    for error_type, handler in _HANDLERS.items():
        app.add_exception_handler(error_type, handler)
    app.add_exception_handler(Exception, _on_unforeseen)


def problem_of(request: Request, error: Exception) -> JSONResponse | None:
    """The problem document of an error, for endpoints that are served outside of FastAPI; None: it is unforeseen."""
    for error_type in type(error).__mro__:
        if error_type in _HANDLERS:
            return _HANDLERS[error_type](request, error)
    return None


def problem(
    request: Request,
    *,
    status: int,
    code: str,
    title: str,
    detail: str,
    headers: dict[str, str] | None = None,
    param: str | None = None,
    **more: object,
) -> JSONResponse:
    """`param` names what is wrong in the request, where the error has OpenAI's shape."""
    if request.url.path.startswith(PREFIX):
        status = status_in_openai(status)
        told = error_in_openai(status=status, code=code, message=detail, param=param)
        return JSONResponse(told, status_code=status, headers=headers)
    body = {
        "type": f"/docs/errors#{code}",
        "title": title,
        "status": status,
        "detail": detail,
        "code": code,
        "request_id": getattr(request.state, "request_id", ""),
        "instance": request.url.path,
        **more,
    }
    return JSONResponse(body, status_code=status, media_type=MEDIA_TYPE, headers=headers)


def _on_dragoman_error(request: Request, error: Exception) -> JSONResponse:
    assert isinstance(error, DragomanError)
    headers = {}
    if error.retry_after_s is not None:
        headers["Retry-After"] = str(max(1, math.ceil(error.retry_after_s)))
    if error.status == 401:
        headers["WWW-Authenticate"] = "Bearer"
    if error.status == 403:
        _record_refusal(request, error)
    if error.status >= 500:
        _log.error("api.error", code=error.code, reason=error.message, exc_info=error)
    return problem(
        request,
        status=error.status,
        code=error.code,
        title=_title(type(error).__name__),
        detail=error.message,
        headers=headers,
        param=error.details.get("param"),
    )


def _record_refusal(request: Request, error: DragomanError) -> None:
    """A caller who is known and may not do this stands in the audit log of their tenant."""
    caller: Caller | None = getattr(request.state, "caller", None)
    if caller is None:
        return
    route = request.scope.get("route")
    audit.record_refusal(
        request.app.state.database,
        "request.forbidden",
        tenant_id=caller.tenant_id,
        actor=caller.asker,
        method=request.method,
        route=getattr(route, "path", ""),
        error=error.code,
    )


def _on_validation_error(request: Request, error: Exception) -> JSONResponse:
    assert isinstance(error, RequestValidationError)
    problems = [
        {"where": ".".join(str(part) for part in item["loc"]), "message": item["msg"]} for item in error.errors()[:20]
    ]
    is_json = any(item["type"] == "json_invalid" for item in error.errors())
    code = "invalid_json" if is_json else "invalid_request"
    first = problems[0]
    detail = (
        f"The body is not valid JSON: {first['message']}."
        if is_json
        else f"The request does not fit: {first['where']}: {first['message']}."
    )
    return problem(
        request,
        status=400 if is_json else 422,
        code=code,
        title="Invalid JSON" if is_json else "Invalid request",
        detail=f"{detail} Compare it with the documentation at /docs.",
        param=param_in_openai(first["where"]),
        errors=problems,
    )


def _on_http_exception(request: Request, error: Exception) -> JSONResponse:
    assert isinstance(error, HTTPException)
    status = error.status_code
    return problem(
        request,
        status=status,
        code=_CODES.get(status, "http_error"),
        title=str(error.detail),
        detail=_DETAILS.get(status, str(error.detail)),
        headers=dict(error.headers) if error.headers else None,
    )


def _on_unforeseen(request: Request, error: Exception) -> JSONResponse:
    _log.error("api.unforeseen_error", route=route_of(request.scope), exc_info=error)
    headers = {"X-Request-ID": getattr(request.state, "request_id", "")}  # answered outside the middleware that adds it
    return problem(
        request,
        status=500,
        code=DragomanError.code,
        title="Internal error",
        detail=DragomanError().message,
        headers=headers,
    )


def _on_unstorable(request: Request, error: Exception) -> JSONResponse:
    """A value that passed validation and that PostgreSQL cannot hold: a NUL character in a form field, above all."""
    _log.warning("api.unstorable_value", route=route_of(request.scope), exc_info=error)
    return problem(
        request,
        status=422,
        code=InvalidRequestError.code,
        title="Invalid request",
        detail="A value in the request cannot be stored. Remove NUL characters and numbers out of all range.",
    )


def _on_overtaken(request: Request, error: Exception) -> JSONResponse:
    """What this request checked before it wrote was no longer so: another one wrote the same thing in between."""
    _log.warning("api.overtaken", route=route_of(request.scope), exc_info=error)
    return problem(
        request,
        status=409,
        code=ConflictError.code,
        title="Conflict",
        detail="Another request changed the same thing at the same moment. Send this one again.",
        headers={"Retry-After": "1"},
    )


_HANDLERS: Final[Mapping[type[Exception], Callable[[Request, Exception], JSONResponse]]] = {
    DragomanError: _on_dragoman_error,
    RequestValidationError: _on_validation_error,
    HTTPException: _on_http_exception,
    DataError: _on_unstorable,
    IntegrityError: _on_overtaken,
}


def _title(class_name: str) -> str:
    words = re.sub(r"(?<!^)(?=[A-Z])", " ", class_name.removesuffix("Error")).lower()
    return words[:1].upper() + words[1:]
