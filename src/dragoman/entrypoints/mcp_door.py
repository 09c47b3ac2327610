"""`/mcp`: the MCP server of `mcp_tools` over streamable HTTP, as a part of the API.

Nothing of it is loaded before the first request with a key. A call of a tool is a request to the API itself, within
the process and with the caller's own key. No session is kept, so that any API process can take any request.
"""

from __future__ import annotations

import asyncio
import importlib
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final
from urllib.parse import urlsplit

import httpx
from fastapi import FastAPI, Request
from starlette.routing import Route
from starlette.types import ASGIApp, Receive, Scope, Send

from dragoman.client import Dragoman
from dragoman.deps.http import authenticated
from dragoman.entrypoints.problems import problem_of
from dragoman.kit.errors import DragomanError
from dragoman.tenancy.errors import ForbiddenError

if TYPE_CHECKING:
    from mcp.server.streamable_http_manager import StreamableHTTPSessionManager

    from dragoman.entrypoints.mcp_tools import McpContext

PATH: Final = "/mcp"


def mount_mcp(app: FastAPI, *, origins: Sequence[str]) -> None:
    """Serve `/mcp` in the application. `origins`: web pages of other hosts that may call it."""
    app.state.mcp = McpDoor(app, origins=origins)
    for path in (PATH, f"{PATH}/"):
        app.router.routes.append(Route(path, app.state.mcp, methods=["POST"], include_in_schema=False))


async def close_mcp(app: FastAPI) -> None:
    """End what still runs of it."""
    door: McpDoor | None = getattr(app.state, "mcp", None)
    if door is not None:
        await door.close()


@dataclass(frozen=True, slots=True, kw_only=True)
class _Running:
    manager: StreamableHTTPSessionManager
    task: asyncio.Task[None]
    end: asyncio.Event


class McpDoor:
    """An ASGI application that checks the key, and then lets the SDK read the request."""

    def __init__(self, app: ASGIApp, *, origins: Sequence[str]) -> None:
        self._app, self._origins = app, origins
        self._starting = asyncio.Lock()
        self._running: _Running | None = None

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        request = Request(scope, receive)
        try:
            _check_origin(request, self._origins)
            await authenticated(request)
        except DragomanError as error:
            response = problem_of(request, error)
            assert response is not None  # every DragomanError has one
            await response(scope, receive, send)
            return
        running = await self._started()
        await running.manager.handle_request(scope, receive, send)

    async def close(self) -> None:
        """End the SDK's task, where it was started."""
        if self._running is not None:
            self._running.end.set()
            await self._running.task
            self._running = None

    async def _started(self) -> _Running:
        async with self._starting:
            if self._running is None:
                self._running = await self._start()
        return self._running

    async def _start(self) -> _Running:
        await asyncio.to_thread(importlib.import_module, "dragoman.entrypoints.mcp_tools")  # 0.6 s
        from mcp.server.transport_security import TransportSecuritySettings  # noqa: PLC0415

        from dragoman.entrypoints.mcp_tools import make_server  # noqa: PLC0415

        server = make_server(self._connect)
        server.streamable_http_app(
            streamable_http_path=PATH,
            stateless_http=True,
            # Its check knows fixed lists of hosts; `_check_origin` and the key do what it is for.
            transport_security=TransportSecuritySettings(enable_dns_rebinding_protection=False),
        )
        started, end = asyncio.Event(), asyncio.Event()
        task = asyncio.create_task(_run(server.session_manager, started, end))
        await started.wait()
        return _Running(manager=server.session_manager, task=task, end=end)

    @asynccontextmanager
    async def _connect(self, context: McpContext) -> AsyncIterator[Dragoman]:
        transport = httpx.ASGITransport(self._app, raise_app_exceptions=False)
        async with Dragoman("http://dragoman", _key_of(context), transport=transport, max_retries=0) as client:
            yield client


async def _run(manager: StreamableHTTPSessionManager, started: asyncio.Event, end: asyncio.Event) -> None:
    """The manager from its first request to its end, in one task, as its task group demands."""
    async with manager.run():
        started.set()
        await end.wait()


def _key_of(context: Any) -> str | None:
    headers = context.headers or {}
    scheme, _, token = headers.get("authorization", "").partition(" ")
    bearer = token.strip() if scheme.lower() == "bearer" else ""
    return headers.get("x-api-key") or bearer or None


def _check_origin(request: Request, origins: Sequence[str]) -> None:
    """As MCP demands against DNS rebinding. Raises ForbiddenError: a web page of another host calls."""
    origin = request.headers.get("origin")
    if origin is None or origin in origins or "*" in origins:
        return
    if urlsplit(origin).netloc != request.headers.get("host"):
        raise ForbiddenError("Web pages of this origin may not call this server: see DRAGOMAN_CORS_ORIGINS.")
