"""Lets pages on the web sites of widget keys read what visitors are answered: CORS (Fetch standard, section 3.2).

Origins of `DRAGOMAN_CORS_ORIGINS` are not our business: they may call everything, and are served before. An origin of a
widget key may call everything too as far as its browser goes; what it may do is up to the visitor's token.
No credentials are allowed: cookies of this origin never travel with such requests.
"""

from __future__ import annotations

from typing import Final

from starlette.requests import Request
from starlette.responses import Response
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from dragoman.kit.errors import DragomanError
from dragoman.tenancy import widgets

_PREFLIGHT: Final = {
    "Access-Control-Allow-Methods": "GET, POST, PATCH, DELETE",
    "Access-Control-Allow-Headers": "Authorization, Content-Type, Last-Event-ID, X-Request-ID",
    "Access-Control-Max-Age": "600",
    "Vary": "Origin",
}
_EXPOSED: Final = b"X-Request-ID, Retry-After, RateLimit, RateLimit-Policy"


class VisitorCors:
    """Answers preflights from origins of widget keys, and allows those pages to read answers to their visitors."""

    def __init__(self, app: ASGIApp, also: tuple[str, ...] = ()) -> None:
        """Args: also: the origins of `DRAGOMAN_CORS_ORIGINS`, which another middleware serves."""
        self._app, self._also = app, frozenset(also)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        origin = next((value for name, value in scope["headers"] if name == b"origin"), None)
        if origin is None or "*" in self._also or origin.decode("latin-1") in self._also:
            await self._app(scope, receive, send)
            return
        if scope["method"] == "OPTIONS" and await _is_preflight(scope, origin.decode("latin-1")):
            answer = Response(
                status_code=204, headers={"Access-Control-Allow-Origin": origin.decode("latin-1"), **_PREFLIGHT}
            )
            await answer(scope, receive, send)
            return
        state = scope.setdefault("state", {})

        async def send_readable(message: Message) -> None:
            if message["type"] == "http.response.start" and (
                state.get("visitor_origin") == origin.decode("latin-1").lower()
                # Who asks too often is refused before anybody looks at the token, and should learn when to come again.
                or (message["status"] == 429 and await _allows(scope, origin.decode("latin-1")))
            ):
                allowed = [
                    (b"access-control-allow-origin", origin),
                    (b"access-control-expose-headers", _EXPOSED),
                    (b"vary", b"Origin"),
                ]
                message["headers"] = [*message["headers"], *allowed]
            await send(message)

        await self._app(scope, receive, send_readable)


async def _is_preflight(scope: Scope, origin: str) -> bool:
    """Whether a page on one of the web sites wants to know what it may ask."""
    is_preflight = any(name == b"access-control-request-method" for name, _ in scope["headers"])
    return is_preflight and await _allows(scope, origin)


async def _allows(scope: Scope, origin: str) -> bool:
    """Whether some widget key does. While the database is away none does."""
    try:
        return await widgets.is_known_origin(Request(scope).app.state.database, origin)
    except DragomanError:
        return False
