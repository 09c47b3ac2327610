"""Who may read what is meant for operators: `/metrics`, and the documentation where it is not for all."""

from __future__ import annotations

import hmac
from typing import Final

from starlette.types import Scope

from dragoman.entrypoints.settings import Settings
from dragoman.kit.addresses import is_private
from dragoman.kit.errors import DragomanError, NotFoundError

_FORWARDING: Final = frozenset((b"x-forwarded-for", b"forwarded", b"x-real-ip", b"via"))
_DOCS: Final = ("/docs", "/openapi.json")
_ALWAYS_OPEN: Final = "/docs/errors"


class ClosedDoorError(NotFoundError):
    """This page is closed in this installation. The operator may open it: DRAGOMAN_METRICS_ACCESS, DRAGOMAN_DOCS_ACCESS."""

    code = "operations.closed"


class OnlyFromInsideError(DragomanError):
    """This page is for those in the operator's own network, or with DRAGOMAN_METRICS_TOKEN as a bearer token."""

    code, status = "operations.only_from_inside", 403


class Doors:
    def __init__(self, settings: Settings) -> None:
        self._metrics, self._docs = settings.metrics_access, settings.docs_access
        token = settings.metrics_token
        self._token = None if token is None else token.get_secret_value().encode()

    def require_open(self, scope: Scope) -> None:
        """Raises ClosedDoorError, OnlyFromInsideError."""
        path: str = scope["path"]
        if path.rstrip("/") == "/metrics":
            if self._metrics == "off":
                raise ClosedDoorError
            if self._metrics == "private" and not (_is_inside(scope) or self._has_token(scope)):
                raise OnlyFromInsideError
        elif self._docs != "open" and path.startswith(_DOCS) and not path.startswith(_ALWAYS_OPEN):
            if self._docs == "off":
                raise ClosedDoorError
            if not _is_inside(scope):
                raise OnlyFromInsideError

    def _has_token(self, scope: Scope) -> bool:
        if self._token is None:
            return False
        given = next((value for name, value in scope["headers"] if name == b"authorization"), b"")
        scheme, _, token = given.partition(b" ")
        return scheme.lower() == b"bearer" and hmac.compare_digest(token.strip(), self._token)


def _is_inside(scope: Scope) -> bool:
    """Whether the client is in a private network. Whoever comes through a proxy that is not trusted may be anywhere."""
    if not is_private(scope["client"][0] if scope.get("client") else ""):
        return False
    is_forwarded = any(name in _FORWARDING for name, _ in scope["headers"])
    return not is_forwarded or "peer" in scope.get("state", {})
