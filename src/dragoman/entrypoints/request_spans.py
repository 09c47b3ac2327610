"""The span of an HTTP request. It holds the route, never the path: addresses hold ids and whatever people type."""

from __future__ import annotations

import re

from opentelemetry.trace import Span
from starlette.types import Scope

from dragoman.kit import tracing

_UNWATCHED = frozenset({"/healthz", "/readyz", "/metrics"})


def start(scope: Scope, request_id: str, *, follows_callers: bool) -> Span:
    """`follows_callers`: the caller's `traceparent` is the parent; else a trace of our own is linked to it."""
    if not tracing.is_traced() or scope["path"] in _UNWATCHED:
        return tracing.start_nothing()
    headers = {
        name.decode("latin-1"): value.decode("latin-1")
        for name, value in scope["headers"]
        if name in (b"traceparent", b"tracestate")
    }
    sent = tracing.remote(headers)
    return tracing.start(
        "HTTP",
        kind=tracing.SERVER,
        parent=sent if follows_callers else tracing.new_trace(),
        links=[] if follows_callers else tracing.links_to([headers.get("traceparent")]),
        dragoman__request_id=request_id,
    )


def end(span: Span, scope: Scope, status: int) -> None:
    """An answer of 500 and above is an error of ours; one of 400 and above is one of the caller's."""
    if not span.is_recording():
        return
    route = route_of(scope)
    method = scope["method"] if scope["method"] in METHODS else "_OTHER"
    span.update_name(f"{method} {route}")
    span.set_attribute("http.request.method", method)
    span.set_attribute("http.route", route)
    span.set_attribute("http.response.status_code", status)
    if (tenant_id := scope["state"].get("tenant_id")) is not None:
        span.set_attribute("dragoman.tenant_id", str(tenant_id))
    tracing.finish(span, str(status) if status >= 500 else None)


def route_of(scope: Scope) -> str:
    """The address as the OpenAPI document writes it."""
    route: str = getattr(scope.get("route"), "path", "unmatched")
    return route


def shown_path(scope: Scope) -> str:
    """The address with its ids and numbers. What else stands in one was typed by somebody, and stays `{…}`."""
    path = route_of(scope)
    for name, value in scope.get("path_params", {}).items():
        if _ID.fullmatch(str(value)):
            path = path.replace(f"{{{name}}}", str(value))
    return path


_ID = re.compile(r"[0-9]{1,12}|[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}", re.IGNORECASE)
METHODS = frozenset({"GET", "POST", "PUT", "PATCH", "DELETE", "HEAD", "OPTIONS"})
