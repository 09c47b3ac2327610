"""The outermost part of the application: who the client is, and what every answer tells browsers about safety.

Edge (address and scheme, headers of every answer) -> CORS -> request middleware -> endpoints
"""

from __future__ import annotations

import base64
import hashlib
import re
from typing import Final

from starlette.types import ASGIApp, Message, Receive, Scope, Send

from dragoman.kit.addresses import TrustedProxies

# JSON, files and streams of events load nothing and are shown in no frame.
_NO_CONTENT: Final = b"default-src 'none'; frame-ancestors 'none'; base-uri 'none'; form-action 'none'"
_USUAL: Final = (
    (b"x-content-type-options", b"nosniff"),
    (b"referrer-policy", b"no-referrer"),
    (b"x-frame-options", b"DENY"),
    (b"content-security-policy", _NO_CONTENT),
    (b"permissions-policy", b"camera=(), display-capture=(), geolocation=(), microphone=(), payment=(), usb=()"),
    (b"cross-origin-opener-policy", b"same-origin"),
    (b"cross-origin-resource-policy", b"same-origin"),
)
_STRICT_TRANSPORT: Final = (b"strict-transport-security", b"max-age=31536000")
_INLINE_SCRIPT: Final = re.compile(rb"<script(?![^>]*\ssrc=)[^>]*>(.*?)</script>", re.DOTALL)


class Edge:
    """Pure ASGI, so that streams stay streams."""

    def __init__(self, app: ASGIApp, proxies: TrustedProxies, *, is_https: bool) -> None:
        """`is_https`: the address that is published is https, whatever reaches this process."""
        self._app, self._proxies, self._is_https = app, proxies, is_https

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        if self._proxies.networks:
            self._look_through_proxies(scope)
        added = (*_USUAL, _STRICT_TRANSPORT) if self._is_https or scope["scheme"] == "https" else _USUAL

        async def send_safe(message: Message) -> None:
            if message["type"] == "http.response.start":
                headers = message["headers"]
                present = {name for name, _ in headers}
                message["headers"] = [*headers, *(each for each in added if each[0] not in present)]
            await send(message)

        is_page = scope["path"].startswith("/docs")
        await self._app(scope, receive, _Page(send_safe).send if is_page else send_safe)

    def _look_through_proxies(self, scope: Scope) -> None:
        peer = scope["client"][0] if scope.get("client") else ""
        if not self._proxies.trust(peer):
            return
        wanted = self._proxies.header.encode()
        forwarded = [value.decode("latin-1") for name, value in scope["headers"] if name == wanted]
        scope.setdefault("state", {})["peer"] = peer
        scope["client"] = (self._proxies.client_of(peer, forwarded), 0)
        scheme = next((value for name, value in scope["headers"] if name == b"x-forwarded-proto"), b"")
        if scheme.strip().lower() in (b"http", b"https"):
            scope["scheme"] = scheme.strip().lower().decode()


class _Page:
    """Holds a page of the documentation back until it is whole, and allows the scripts that stand in it by their hashes."""

    def __init__(self, send: Send) -> None:
        self._send = send
        self._start: Message | None = None
        self._body = b""

    async def send(self, message: Message) -> None:
        if message["type"] == "http.response.start" and _is_html(message):
            self._start = message
        elif self._start is not None and message["type"] == "http.response.body":
            self._body += message.get("body", b"")
            if not message.get("more_body", False):
                policy = (b"content-security-policy", _page_policy(self._body))
                await self._send({**self._start, "headers": [*self._start["headers"], policy]})
                await self._send({**message, "body": self._body})
        else:
            await self._send(message)


def _is_html(message: Message) -> bool:
    return any(name == b"content-type" and value.startswith(b"text/html") for name, value in message["headers"])


def _page_policy(page: bytes) -> bytes:
    hashes = [base64.b64encode(hashlib.sha256(script).digest()) for script in _INLINE_SCRIPT.findall(page)]
    scripts = b" ".join([b"'self'", *(b"'sha256-" + each + b"'" for each in hashes)])
    return (
        b"default-src 'none'; script-src " + scripts + b"; style-src 'self' 'unsafe-inline'; img-src 'self' data:; "
        b"font-src 'self'; connect-src 'self'; frame-ancestors 'none'; base-uri 'none'; form-action 'none'"
    )
