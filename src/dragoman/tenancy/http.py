"""How endpoints state who may call them: a parameter typed `CallerWith…` is the permission check. How they stream."""

from __future__ import annotations

import asyncio
from collections.abc import (
    AsyncGenerator,
    AsyncIterator,
    Awaitable,
    Callable,
    Coroutine,
    Iterator,
    Mapping,
    MutableMapping,
)
from contextlib import aclosing, asynccontextmanager
from typing import Annotated, Any
from uuid import UUID

from fastapi import Depends, Query, Request
from fastapi.responses import StreamingResponse
from fastapi.security import APIKeyHeader, HTTPBearer
from fastapi.security.http import HTTPAuthorizationCredentials
from pydantic import BaseModel, ConfigDict, Field, model_validator
from pydantic_core import from_json
from starlette.types import Receive, Scope, Send

from dragoman.kit.database import Database
from dragoman.kit.pagination import MAX_LIMIT, PageRequest
from dragoman.kit.places import Place
from dragoman.tenancy import access, concerned
from dragoman.tenancy.cookies import CookiePolicy
from dragoman.tenancy.entities import Caller, Permission
from dragoman.tenancy.limits import Limiter

_header = APIKeyHeader(name="X-API-Key", auto_error=False, description="An API key (`dgm_…`).")
_bearer = HTTPBearer(auto_error=False, description="An API key, an access token, or the token of a visitor (`dgv_…`).")


async def _database(request: Request) -> Database:  # async, as all of them: FastAPI gives plain functions to threads
    database: Database = request.app.state.database
    return database


DatabaseDep = Annotated[Database, Depends(_database)]


async def _limiter(request: Request) -> Limiter:
    limiter: Limiter = request.app.state.limiter
    return limiter


LimiterDep = Annotated[Limiter, Depends(_limiter)]


async def _caller(
    request: Request,
    key: Annotated[str | None, Depends(_header)],
    bearer: Annotated[HTTPAuthorizationCredentials | None, Depends(_bearer)],
) -> Caller:
    return await authenticated(request, key or (bearer.credentials if bearer else None) or access_cookie_of(request))


def access_cookie_of(request: Request) -> str | None:
    """The token in the cookie of who has signed in with a browser. Raises CrossSiteRequestError."""
    policy: CookiePolicy = request.app.state.cookie_policy
    return policy.find(request.scope["headers"], "access", method=request.scope["method"])


async def authenticated(request: Request, secret: str | None) -> Caller:
    """The caller that shows this key or token. Raises the errors of `access.authenticate`."""
    app_state, state = request.app.state, request.state
    origin = next((value for name, value in request.scope["headers"] if name == b"origin"), None)
    caller = await access.authenticate(
        app_state.database,
        secret,
        origin=None if origin is None else origin.decode("latin-1"),
        keyring=app_state.deps.keyring,
    )
    state.tenant_id = caller.tenant_id
    state.caller = caller
    if caller.origin is not None:
        state.visitor_origin = caller.origin  # so that the page may read the answer: see entrypoints/visitor_cors.py
    return caller


def _with(permission: Permission) -> Callable[[Request, Caller], Coroutine[Any, Any, Caller]]:
    async def check(request: Request, caller: Annotated[Caller, Depends(_caller)]) -> Caller:
        if caller.reach is None:
            return access.require(caller, permission)
        return await on_its_chatbot(request, caller, permission, await _body_of(request))

    check.permission = permission  # type: ignore[attr-defined]  # for `deps.http.lean`
    return check


async def on_its_chatbot(request: Request, caller: Caller, permission: Permission, body: Any) -> Caller:
    """The caller as what it is on the chatbot that this request concerns, if it may do this there.

    Args:
        body: a JSON value, or the fields of a form.

    Raises:
        ForbiddenError, NotFoundError.
    """
    named: dict[str, set[str]] = {}
    queried = ((name, value) for name, value in request.query_params.multi_items() if name in _queries_of(request))
    for name, value in [*request.path_params.items(), *queried, *concerned.names_in(body)]:
        if name in concerned.LOCATED_BY:
            named.setdefault(name, set()).add(str(value))
    return await concerned.on_its_chatbot(
        request.app.state.database,
        caller,
        permission,
        operation=f"{request.method} {request.scope['route'].path.rstrip('/')}",
        named={name: frozenset(values) for name, values in named.items()},
    )


def _queries_of(request: Request) -> set[str]:
    """The parameters that the operation takes in its query. Others it does not look at, so they say nothing of it."""
    dependant = getattr(request.scope["route"], "dependant", None)
    return set() if dependant is None else set(_queries_in(dependant))


def _queries_in(dependant: Any) -> Iterator[str]:
    """Also those that its dependencies take, such as a filter."""
    yield from (field.alias for field in dependant.query_params)
    for inner in dependant.dependencies:
        yield from _queries_in(inner)


async def _body_of(request: Request) -> Any:
    """The body that FastAPI has read before it asks for permissions; None: there is none, or nobody will read it."""
    route = request.scope["route"]
    if route.body_field is None:
        return None
    kind = request.headers.get("content-type", "").partition(";")[0].strip().lower()
    if kind in ("multipart/form-data", "application/x-www-form-urlencoded"):
        form = await request.form()
        fields = {field.alias for field in route.dependant.body_params}
        return {name: form.getlist(name) for name in form.keys() & fields}
    try:
        return from_json(await request.body())
    except ValueError:
        return None


AnyCaller = Annotated[Caller, Depends(_caller)]
CallerWhoAsks = Annotated[Caller, Depends(_with(Permission.ASK))]
CallerWhoSearches = Annotated[Caller, Depends(_with(Permission.SEARCH))]
CallerWhoExplains = Annotated[Caller, Depends(_with(Permission.EXPLAIN))]
CallerWhoReadsDocuments = Annotated[Caller, Depends(_with(Permission.READ_DOCUMENTS))]
CallerWhoContributes = Annotated[Caller, Depends(_with(Permission.CONTRIBUTE_DOCUMENTS))]
CallerWhoManagesDocuments = Annotated[Caller, Depends(_with(Permission.MANAGE_DOCUMENTS))]
CallerWhoReadsChatbots = Annotated[Caller, Depends(_with(Permission.READ_CHATBOTS))]
CallerWhoManagesChatbots = Annotated[Caller, Depends(_with(Permission.MANAGE_CHATBOTS))]
CallerWhoManagesKeys = Annotated[Caller, Depends(_with(Permission.MANAGE_KEYS))]
CallerWhoReadsUsage = Annotated[Caller, Depends(_with(Permission.READ_USAGE))]
CallerWhoManagesBudgets = Annotated[Caller, Depends(_with(Permission.MANAGE_BUDGETS))]
CallerWhoManagesUsers = Annotated[Caller, Depends(_with(Permission.MANAGE_USERS))]
CallerWhoManagesTenant = Annotated[Caller, Depends(_with(Permission.MANAGE_TENANT))]
CallerWhoReadsAudit = Annotated[Caller, Depends(_with(Permission.READ_AUDIT))]
CallerWhoManagesPersonalData = Annotated[Caller, Depends(_with(Permission.MANAGE_PERSONAL_DATA))]
CallerWhoGivesFeedback = Annotated[Caller, Depends(_with(Permission.GIVE_FEEDBACK))]
CallerWhoReadsFeedback = Annotated[Caller, Depends(_with(Permission.READ_FEEDBACK))]
CallerWhoReadsAnalytics = Annotated[Caller, Depends(_with(Permission.READ_ANALYTICS))]
CallerWhoReadsMetrics = Annotated[Caller, Depends(_with(Permission.READ_METRICS))]
CallerWhoManagesAlerts = Annotated[Caller, Depends(_with(Permission.MANAGE_ALERTS))]


_MAX_OFFSET = 2**31 - 1


async def _page(
    limit: Annotated[int, Query(ge=1, le=MAX_LIMIT, description="Items on a page.")] = 50,
    offset: Annotated[int, Query(ge=0, le=_MAX_OFFSET, description="Items to skip.")] = 0,
) -> PageRequest:
    return PageRequest(limit=limit, offset=offset)


PageDep = Annotated[PageRequest, Depends(_page)]


class RequestBody(BaseModel):
    """A JSON body: unknown fields are refused, and so are NUL characters, which PostgreSQL keeps in no text."""

    model_config = ConfigDict(extra="forbid")

    @model_validator(mode="before")
    @classmethod
    def _has_no_nul(cls, value: Any) -> Any:
        if _holds_nul(value):
            raise ValueError("text must not hold NUL characters")
        return value


def _holds_nul(value: Any) -> bool:
    if isinstance(value, str):
        return "\0" in value
    if isinstance(value, Mapping):
        return any(_holds_nul(key) or _holds_nul(item) for key, item in value.items())
    return isinstance(value, list) and any(map(_holds_nul, value))


class Problem(BaseModel):
    """An error as RFC 9457 problem JSON."""

    type: str = Field(description="A page about this kind of error.")
    title: str = Field(description="The kind of error in words.")
    status: int
    detail: str = Field(description="What happened and what to do.")
    code: str = Field(description="The kind of error as a stable word.")
    request_id: str
    instance: str | None = None


ChatbotIdQuery = Annotated[UUID | None, Query(description="The chatbot; without it the key's or the tenant's default.")]

# ---- streams of events

_SSE_HEADERS = {"Cache-Control": "no-cache", "X-Accel-Buffering": "no"}


class StreamPlace:
    """One of the streams that an asker may have at the same time."""

    def __init__(self, limiter: Limiter, place: Place | None) -> None:
        self._limiter, self._place = limiter, place

    @classmethod
    @asynccontextmanager
    async def taken(cls, limiter: Limiter, caller: Caller, asker: str) -> AsyncIterator[StreamPlace]:
        """Take a place; it is given back where the block, which begins the stream, fails.

        Raises:
            TooManyStreamsError.
        """
        held = cls(limiter, await limiter.take_stream(caller, asker))
        try:
            yield held
        except BaseException:
            await asyncio.shield(held.give_back())
            raise

    async def give_back(self) -> None:
        await self._limiter.give_back(self._place)


class ClosingStream(StreamingResponse):
    """Closes its events whatever happens, so that what nobody hears ends at once.

    Starlette leaves that to the garbage collector when the client is gone while a piece is being sent.
    """

    def __init__(self, events: AsyncGenerator[bytes, None], held: StreamPlace | None = None) -> None:
        """`held` is given back when the stream is over."""
        super().__init__(events, media_type="text/event-stream", headers=_SSE_HEADERS)
        self._events, self._held = events, held

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        try:
            await super().__call__(scope, receive, send)
        finally:
            if self._held is not None:
                await asyncio.shield(self._held.give_back())

    async def stream_response(self, send: Callable[[MutableMapping[str, Any]], Awaitable[None]]) -> None:
        async with aclosing(self._events):
            await super().stream_response(send)
