"""The `api` role: the HTTP application with all groups of endpoints, or with chosen ones."""

from __future__ import annotations

import importlib
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from functools import cache

import structlog
import uvicorn
from fastapi import APIRouter, FastAPI, Request, Response
from fastapi.middleware.cors import CORSMiddleware
from fastapi.responses import HTMLResponse, JSONResponse
from fastapi.routing import APIRoute
from fastapi_offline import FastAPIOffline
from prometheus_client import CONTENT_TYPE_LATEST, Counter, Gauge, Histogram, generate_latest
from sqlalchemy import text
from starlette.datastructures import State
from starlette.types import ASGIApp, Message, Receive, Scope, Send

import dragoman
from dragoman.chat.running import RunningAnswers
from dragoman.deps.http import LeanEndpoint, is_lean
from dragoman.entrypoints import request_spans
from dragoman.entrypoints.adapter_catalogue import AdapterCatalogue
from dragoman.entrypoints.doors import Doors
from dragoman.entrypoints.edge import Edge
from dragoman.entrypoints.home import InstanceHome
from dragoman.entrypoints.http_protocol import bounded_protocol
from dragoman.entrypoints.mcp_door import close_mcp, mount_mcp
from dragoman.entrypoints.openapi import declare_errors
from dragoman.entrypoints.problems import install_problem_handlers, problem, problem_of
from dragoman.entrypoints.reference import error_page
from dragoman.entrypoints.request_bounds import RequestBounds, RequestTimedOutError
from dragoman.entrypoints.scraping import serve_metrics
from dragoman.entrypoints.settings import Settings
from dragoman.entrypoints.shared_metrics import of_all_processes
from dragoman.entrypoints.shared_port import SharingServer, shared_socket
from dragoman.entrypoints.telemetry import start_tracing
from dragoman.entrypoints.visitor_cors import VisitorCors
from dragoman.entrypoints.web import web_router
from dragoman.entrypoints.widget_script import router as widget_script
from dragoman.entrypoints.wiring import running_deps
from dragoman.insights.metrics.processes import reported
from dragoman.kit import event_loop, rate_limit, request_origin, tracing
from dragoman.kit.addresses import TrustedProxies
from dragoman.kit.clock import Stopwatch, new_id
from dragoman.kit.errors import DragomanError, InvalidSettingError
from dragoman.kit.request_origin import RequestOrigin
from dragoman.kit.telemetry import configure_logging, log_event
from dragoman.openai_api.errors import PREFIX
from dragoman.tenancy.cookies import CookiePolicy
from dragoman.tenancy.http import Problem
from dragoman.tenancy.limits import Limiter

GROUPS: dict[str, tuple[str, ...]] = {
    "chat": ("dragoman.chat.endpoints", "dragoman.feedback.suggestions.endpoints"),
    # Paths with words of their own (`events/`, `batch/`) come before those with an id in the same place.
    "documents": (
        "dragoman.imports.endpoints",
        "dragoman.connectors.endpoints",
        "dragoman.ingestion.endpoints",
        "dragoman.ingestion.pages.endpoints",
        "dragoman.knowledge.endpoints",
    ),
    "search": ("dragoman.search.endpoints",),
    "feedback": ("dragoman.feedback.endpoints",),
    "openai": ("dragoman.openai_api.endpoints",),
    "accounts": (
        "dragoman.accounts.endpoints",
        "dragoman.accounts.pages.endpoints",
        "dragoman.accounts.users.endpoints",
        "dragoman.accounts.single_sign_on.endpoints",
    ),
    "tenancy": (
        "dragoman.tenancy.endpoints",
        "dragoman.generation.endpoints",
        "dragoman.entrypoints.adapter_endpoints",
    ),
    "usage": ("dragoman.metering.endpoints",),
    "insights": (
        "dragoman.insights.endpoints",
        "dragoman.insights.metrics.endpoints",
        "dragoman.insights.alerts.endpoints",
    ),
    "privacy": ("dragoman.privacy.endpoints",),
    "audit": ("dragoman.tenancy.audit_log.endpoints",),
}
"""The groups of endpoints for `dragoman api --only GROUP…`."""

_DESCRIPTION = """Knowledge chatbots in every language: upload documents, ask, get cited answers.

Send your API key as `X-API-Key: dgm_…` or `Authorization: Bearer dgm_…`, or the access token of a sign-in. All paths work with and without a trailing
slash. Errors are problem documents (RFC 9457)."""
# FastAPI's own would stand beside ours, with addresses of askers, query strings and messages of exceptions.
_NO_OTHER_SPANS = {"tracing": False, "metrics": False, "logs": False, "operation_spans": False, "auto_configure": False}


class PrometheusText(Response):
    """The text format of Prometheus."""

    media_type = CONTENT_TYPE_LATEST


REQUESTS_RUNNING = Gauge(
    "dragoman_http_requests_running",
    "HTTP requests whose answer has not ended, streams among them.",
    multiprocess_mode="livesum",
)
REQUESTS = Counter("dragoman_http_requests_total", "HTTP requests.", ["method", "route", "status"])
REQUEST_SECONDS = Histogram(
    "dragoman_http_request_seconds",
    "Duration of HTTP requests until their last byte.",
    ["route"],
    buckets=(0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30),
)


def create_app(settings: Settings, *, only: Sequence[str] = ()) -> FastAPI:
    """The application. It opens its database and cache when it starts and closes them when it stops.

    Raises:
        InvalidSettingError: a group in `only` does not exist.
    """
    unknown = set(only) - set(GROUPS)
    if unknown:
        raise InvalidSettingError(f"No such group: {', '.join(sorted(unknown))}. Groups: {', '.join(GROUPS)}.")

    @asynccontextmanager
    async def lifespan(app: FastAPI) -> AsyncIterator[None]:
        async with running_deps(settings) as deps:
            app.state.deps = deps
            app.state.database = deps.database
            app.state.budgets = deps.budgets
            app.state.audit_log = deps.audit_log
            app.state.limiter = deps.limiter
            app.state.accounts = deps.accounts
            app.state.embedding_version_id = deps.embedding_version_id
            app.state.running_answers = RunningAnswers(deps.cache, grace_s=settings.stream_grace_s)
            app.state.running_answers.listen()
            try:
                async with reported(deps.cache, "api"):
                    yield
            finally:
                await close_mcp(app)
                await deps.accounts.finish()
                await app.state.running_answers.close()

    app = FastAPIOffline(  # /docs with its scripts from the package: no browser has to reach a CDN
        redoc_url=None,
        static_url="/docs/assets",
        title="Dragoman",
        version=dragoman.__version__,
        description=_DESCRIPTION,
        lifespan=lifespan,
        redirect_slashes=False,
        telemetry=_NO_OTHER_SPANS,
        generate_unique_id_function=lambda route: route.name,
    )
    app.state.cookie_policy = CookiePolicy.of(settings.url)
    app.state.adapters = AdapterCatalogue(settings)
    modules = [module for group in only or GROUPS for module in GROUPS[group]]
    lean: dict[tuple[str, str], _LeanRoute] = {}
    operations = (_operations, _metrics) if settings.metrics_on_api else (_operations,)
    if not only:  # before the groups: its page for `/set-password` goes before the plain form
        app.include_router(web_router())
    for router in (*(importlib.import_module(module).router for module in modules), *operations):
        app.include_router(router)
        _serve_other_spellings(app, router)
        lean |= _lean_routes(router)
    app.include_router(widget_script)
    if not only:  # its tools are requests to the other groups
        mount_mcp(app, origins=settings.cors_origins)
    install_problem_handlers(app)
    declare_errors(app)
    app.add_middleware(_RequestMiddleware, app_state=app.state, settings=settings, lean=lean)
    if settings.cors_origins:
        app.add_middleware(
            CORSMiddleware,
            allow_origins=settings.cors_origins,
            allow_methods=["GET", "POST", "PUT", "PATCH", "DELETE"],
            allow_headers=["*"],
            expose_headers=["X-Request-ID", "Retry-After", "RateLimit", "RateLimit-Policy"],
        )
    app.add_middleware(VisitorCors, also=tuple(settings.cors_origins))
    _surround(app, settings)
    return app


def _surround(app: FastAPI, settings: Settings) -> None:
    """Put the edge around all of Starlette's own middleware too: answers to unforeseen errors are made there."""
    build = app.build_middleware_stack
    proxies = TrustedProxies.of(settings.trusted_proxies, settings.trusted_proxy_header)
    is_https = (settings.public_url or "").startswith("https://")

    def build_within_edge() -> ASGIApp:
        return Edge(build(), proxies, is_https=is_https)

    app.build_middleware_stack = build_within_edge  # type: ignore[method-assign]


def run(settings: Settings, *, only: Sequence[str] = ()) -> None:
    """Run the API until SIGINT or SIGTERM."""
    event_loop.run(_serve(settings, only))


async def _serve(settings: Settings, only: Sequence[str]) -> None:
    configure_logging(level=settings.log_level, style=settings.log_style)
    start_tracing("api", settings)
    serve_metrics("api", settings)
    listener = shared_socket(settings.host, settings.port) if settings.api_processes > 1 else None
    config = uvicorn.Config(
        create_app(settings, only=only),
        host=settings.host,
        port=settings.port,
        log_config=None,
        access_log=False,
        server_header=False,
        proxy_headers=False,  # `edge` reads them, from the proxies that the operator names
        http=bounded_protocol(settings.header_timeout_s),
        timeout_graceful_shutdown=8,
    )
    if listener is None:
        await uvicorn.Server(config).serve()
        return
    home = InstanceHome(settings.home)
    home.prepare()
    await SharingServer(config, listener, home.socket_dir / f"port-{settings.port}").serve()


def _serve_other_spellings(app: FastAPI, router: APIRouter) -> None:
    """Each path is served with and without its trailing slash; a redirect would lose the body of some clients' POST."""
    for route in router.routes:
        if isinstance(route, APIRoute):
            twin = _other_spelling(route.path)
            app.router.add_api_route(
                twin,
                route.endpoint,
                methods=sorted(route.methods or ()),
                include_in_schema=False,
                status_code=route.status_code,
                response_model=route.response_model,
                response_class=route.response_class,
                name=f"{route.name}_twin",
                route_class_override=type(route),
            )


def _other_spelling(path: str) -> str:
    return path.rstrip("/") if path.endswith("/") else f"{path}/"


def _lean_routes(router: APIRouter) -> dict[tuple[str, str], _LeanRoute]:
    """The lean endpoints of a router by method and path, in both spellings."""
    return {
        (method, path): _LeanRoute(path=path, endpoint=LeanEndpoint.of(route.endpoint))
        for route in router.routes
        if isinstance(route, APIRoute) and is_lean(route.endpoint)
        for method in route.methods or ()
        for path in (route.path, _other_spelling(route.path))
    }


@dataclass(frozen=True, slots=True, kw_only=True)
class _LeanRoute:
    path: str
    endpoint: LeanEndpoint


# ---- operations

_operations = APIRouter(tags=["operations"])


@_operations.get("/healthz")
async def healthz() -> dict[str, str]:
    """The process is alive. Asks nobody else."""
    return {"status": "ok", "version": dragoman.__version__}


@_operations.get("/readyz", responses={503: {"model": Problem, "description": "A part is missing."}})
async def readyz(request: Request) -> Response:
    """The process can answer: the database and the embedding model do. A missing cache makes it slower, not unready."""
    checks = {
        "database": await _check(request, _database_answers),
        "embedder": await _check(request, _embedder_answers),
        "cache": await _check(request, _cache_answers),
    }
    failed = [name for name in ("database", "embedder") if checks[name] != "ok"]
    if failed:
        return problem(
            request,
            status=503,
            code="not_ready",
            title="Not ready",
            detail=f"Not answering: {', '.join(failed)}. `dragoman doctor` tells more.",
            checks=checks,
        )
    version = request.app.state.deps.embedding_version_name
    return JSONResponse({"status": "ok", "checks": checks, "embedding_version": version})


@_operations.get("/docs/errors", response_class=HTMLResponse, include_in_schema=False)
async def errors() -> HTMLResponse:
    """Where the `type` of every problem document leads."""
    return HTMLResponse(error_page())


_metrics = APIRouter(tags=["operations"])


@_metrics.get("/metrics", response_class=PrometheusText)
async def metrics() -> Response:
    """Metrics for Prometheus, of all API processes on this port."""
    return PrometheusText(generate_latest(of_all_processes()))


async def _check(request: Request, check: Callable[[Request], Awaitable[bool]]) -> str:
    try:
        return "ok" if await check(request) else "unreachable"
    except DragomanError as error:
        return error.code


async def _database_answers(request: Request) -> bool:
    async with request.app.state.database.system_transaction() as connection:
        return bool((await connection.execute(text("select 1"))).scalar_one())


async def _embedder_answers(request: Request) -> bool:
    deps = request.app.state.deps
    return bool(await deps.inference.count_tokens(deps.embedding_version_name, ["ready?"]))


async def _cache_answers(request: Request) -> bool:
    return bool(await request.app.state.deps.cache.is_reachable())


# ---- middleware


class _RequestMiddleware:
    """Gives each request an id, bounds its body and its time, and logs and counts its end. Pure ASGI, so that streams stay streams.

    Lean endpoints are served from here.
    """

    def __init__(
        self, app: ASGIApp, *, app_state: State, settings: Settings, lean: Mapping[tuple[str, str], _LeanRoute]
    ) -> None:
        self._app, self._lean, self._state = app, lean, app_state
        self._doors, self._bounds = Doors(settings), RequestBounds.of(settings)
        self._follows_callers = settings.trace_callers == "parent"

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        request_id = _given_id(scope) or new_id().hex
        scope.setdefault("state", {})["request_id"] = request_id
        origin = _origin_of(scope, request_id)
        request_origin.begin(origin)
        span = request_spans.start(scope, request_id, follows_callers=self._follows_callers)
        told = rate_limit.begin_telling()
        watch = Stopwatch()
        status = 500
        bounded = self._bounds.begin(scope, receive)

        async def send_with_id(message: Message) -> None:
            nonlocal status
            if message["type"] == "http.response.start":
                bounded.answer_has_begun()
                status = message["status"]
                headers = [*message["headers"], (b"x-request-id", request_id.encode())]
                if told:
                    headers += rate_limit.headers_of(told)
                    if scope["path"].startswith(PREFIX):
                        headers += rate_limit.openai_headers(told)
                message["headers"] = headers
            await send(message)

        REQUESTS_RUNNING.inc()
        structlog.contextvars.clear_contextvars()
        with tracing.under(span), structlog.contextvars.bound_contextvars(request_id=request_id):
            try:
                refusal = await self._refusal(scope, origin.address)
                if refusal is not None:
                    await refusal(scope, receive, send_with_id)
                    return
                lean = self._lean.get((scope["method"], scope["path"]))
                async with bounded.in_time():
                    if lean is None or not _is_small_json(scope):
                        await self._app(scope, bounded.receive, send_with_id)
                    else:
                        await self._serve_lean(lean, scope, bounded.receive, send_with_id)
            except RequestTimedOutError as error:
                if bounded.has_begun:
                    raise
                await _problem_of(scope, error)(scope, receive, send_with_id)
            finally:
                REQUESTS_RUNNING.dec()
                request_spans.end(span, scope, status)
                _count_and_log(scope, request_id, status, watch.elapsed_ms)

    async def _refusal(self, scope: Scope, address: str) -> Response | None:
        """What stands before any endpoint: closed pages, and the requests that one address may make."""
        try:
            self._doors.require_open(scope)
            limiter: Limiter | None = getattr(self._state, "limiter", None)  # none: what is served needs no wiring
            if limiter is not None and scope["path"] not in _UNCOUNTED:
                await limiter.take_request(address)
        except DragomanError as error:
            return _problem_of(scope, error)
        return None

    async def _serve_lean(self, lean: _LeanRoute, scope: Scope, receive: Receive, send: Send) -> None:
        request = Request(scope)
        scope["route"] = lean
        try:
            content = await _body(receive)
            if content is None:
                return
            arguments = await lean.endpoint.prepare(request, content)
            if arguments is None:
                await self._app(scope, _replay(content, receive), send)
                return
            response = await lean.endpoint.call(**arguments)
        except Exception as error:
            answer = problem_of(request, error)
            if answer is None:
                raise
            response = answer
        await response(scope, receive, send)


def _problem_of(scope: Scope, error: DragomanError) -> Response:
    response = problem_of(Request(scope), error)
    assert response is not None  # each of our own errors has one
    return response


_USER_AGENT_CHARACTERS = 200


def _origin_of(scope: Scope, request_id: str) -> RequestOrigin:
    client = scope.get("client")
    agent = next((value for name, value in scope["headers"] if name == b"user-agent"), b"")
    shown = agent[:_USER_AGENT_CHARACTERS].decode("latin-1")
    return RequestOrigin(request_id=request_id, address=client[0] if client else "", user_agent=shown)


_LEAN_BODY_BYTES = 256 * 1024


def _is_small_json(scope: Scope) -> bool:
    is_json = is_small = False
    for name, value in scope["headers"]:
        if name == b"content-type":
            is_json = value in (b"application/json", b"application/json; charset=utf-8")
        elif name == b"content-length":
            is_small = value.isdigit() and int(value) <= _LEAN_BODY_BYTES
    return is_json and is_small


async def _body(receive: Receive) -> bytes | None:
    """The whole body; None when the client has gone."""
    parts: list[bytes] = []
    while True:
        message = await receive()
        if message["type"] == "http.disconnect":
            return None
        parts.append(message.get("body", b""))
        if not message.get("more_body", False):
            return b"".join(parts)


def _replay(content: bytes, receive: Receive) -> Receive:
    """The body once more, then whatever comes after it."""
    given = False

    async def replay() -> Message:
        nonlocal given
        if given:
            return await receive()
        given = True
        return {"type": "http.request", "body": content, "more_body": False}

    return replay


def _count_and_log(scope: Scope, request_id: str, status: int, duration_ms: float) -> None:
    route = request_spans.route_of(scope)
    method = scope["method"] if scope["method"] in request_spans.METHODS else "other"
    _requests(method, route, status).inc()
    _request_seconds(route).observe(duration_ms / 1000)
    if route not in _UNCOUNTED:
        tenant_id = scope["state"].get("tenant_id")
        log_event(
            "api.request",
            __name__,
            request_id,
            method=method,
            path=request_spans.shown_path(scope),
            status=status,
            duration_ms=round(duration_ms, 1),
            tenant_id=None if tenant_id is None else str(tenant_id),
        )


_UNCOUNTED = frozenset({"/healthz", "/readyz", "/metrics"})


@cache  # all three are from short lists
def _requests(method: str, route: str, status: int) -> Counter:
    return REQUESTS.labels(method, route, status)


@cache
def _request_seconds(route: str) -> Histogram:
    return REQUEST_SECONDS.labels(route)


def _given_id(scope: Scope) -> str | None:
    for name, value in scope["headers"]:
        if name == b"x-request-id":
            given: str = value.decode("latin-1")
            is_fit = 0 < len(given) <= 64 and given.isascii() and given.replace("-", "").isalnum()
            return given if is_fit else None
    return None
