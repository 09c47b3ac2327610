"""What stands before every endpoint: safe headers, the client's address, closed doors, and bounds of size and time."""

from __future__ import annotations

import asyncio
import re
import socket
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from typing import Any

import httpx
import pytest
import uvicorn
from fastapi.responses import StreamingResponse

from dragoman.entrypoints.api import create_app
from dragoman.entrypoints.http_protocol import MOST_HEADERS, bounded_protocol
from dragoman.kit import request_origin

SAFE = {
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "no-referrer",
    "X-Frame-Options": "DENY",
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cross-Origin-Resource-Policy": "same-origin",
}


def _client(app: Any, address: str = "127.0.0.1", base_url: str = "http://a.test", **headers: str) -> httpx.AsyncClient:
    transport = httpx.ASGITransport(app=app, client=(address, 1234), raise_app_exceptions=False)
    return httpx.AsyncClient(transport=transport, base_url=base_url, headers=headers)


# ---- headers


async def test_every_answer_has_safe_headers(service: Any, company: Any) -> None:
    await company.know()
    owner = company.api()
    answers = [
        await owner.get("/api/chatbots/"),
        await owner.post("/api/search", json={"query": "discount"}),
        await service.client().get("/api/chatbots/"),
        await service.client().get("/nowhere"),
        await service.client().get("/docs"),
        await service.client().get("/docs/errors"),
        await service.client().get("/metrics"),
        await owner.post("/v1/chat/completions", json={}),
    ]
    present = service.app.state.database
    service.app.state.database = None
    answers.append(await company.api("member").get("/api/chatbots/"))
    service.app.state.database = present
    assert [answer.status_code for answer in answers] == [200, 200, 401, 404, 200, 200, 200, 400, 500]
    for answer in answers:
        assert {name: answer.headers.get(name) for name in SAFE} == SAFE, answer.url
        assert "frame-ancestors 'none'" in answer.headers["Content-Security-Policy"]
        assert "server" not in answer.headers


async def test_the_documentation_runs_its_own_scripts_and_no_others(service: Any) -> None:
    page = await service.client().get("/docs")
    policy = page.headers["Content-Security-Policy"]
    scripts = re.search(r"script-src ([^;]*)", policy)
    assert scripts is not None
    assert "unsafe" not in scripts[1]
    inline = len(re.findall(r"<script(?![^>]*\ssrc=)[^>]*>", page.text))
    assert scripts[1].count("'sha256-") == inline >= 1
    assert len(page.headers.get_list("Content-Security-Policy")) == 1


async def test_https_is_strict_only_where_it_is_used(settings_for: Callable[..., Any]) -> None:
    app = create_app(settings_for(trusted_proxies=["10.0.0.1"]))
    cases = [
        (_client(app), False),
        (_client(app, base_url="https://a.test"), True),
        (_client(app, "10.0.0.1", **{"X-Forwarded-Proto": "https"}), True),
        (_client(app, "10.0.0.2", **{"X-Forwarded-Proto": "https"}), False),
    ]
    for client, is_strict in cases:
        assert ("Strict-Transport-Security" in (await client.get("/healthz")).headers) is is_strict
    public = create_app(settings_for(public_url="https://help.example.com"))
    assert "Strict-Transport-Security" in (await _client(public).get("/healthz")).headers


async def test_downloads_can_do_nothing_in_a_browser(company: Any) -> None:
    document = await company.know("<script>alert(1)</script> lamps", "page.html")
    sent = await company.api().get(f"/api/chatbot/documents/{document['id']}/content/")
    assert sent.headers["Content-Disposition"].startswith("attachment")
    assert sent.headers["X-Content-Type-Options"] == "nosniff"
    assert "sandbox" in sent.headers["Content-Security-Policy"]


# ---- addresses


async def test_the_address_is_the_proxys_word_only_where_it_is_trusted(
    settings_for: Callable[..., Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    seen: list[str] = []
    begin = request_origin.begin
    monkeypatch.setattr(request_origin, "begin", lambda origin: (seen.append(origin.address), begin(origin))[1])
    app = create_app(settings_for(trusted_proxies=["10.0.0.0/8"]))
    forged = {"X-Forwarded-For": "198.51.100.1", "Forwarded": "for=6.6.6.6"}
    for address in ("10.0.0.1", "203.0.113.5"):
        await _client(app, address, **forged).get("/healthz")
    await _client(create_app(settings_for()), "127.0.0.1", **forged).get("/healthz")
    assert seen == ["198.51.100.1", "203.0.113.5", "127.0.0.1"]


# ---- closed doors


@pytest.mark.parametrize(
    ("address", "headers", "status"),
    [
        ("127.0.0.1", {}, 200),
        ("10.1.2.3", {}, 200),
        ("8.8.8.8", {}, 403),
        ("127.0.0.1", {"X-Forwarded-For": "10.0.0.9"}, 403),  # a proxy that nobody trusts: from anywhere
        ("8.8.8.8", {"Authorization": "Bearer let-me-read-the-metrics"}, 200),
        ("8.8.8.8", {"Authorization": "Bearer let-me-read-the-metricz"}, 403),
        ("8.8.8.8", {"Authorization": "let-me-read-the-metrics"}, 403),
    ],
)
async def test_metrics_are_for_private_networks_and_the_token(
    settings_for: Callable[..., Any], address: str, headers: dict[str, str], status: int
) -> None:
    app = create_app(settings_for(metrics_token="let-me-read-the-metrics"))
    for path in ("/metrics", "/metrics/"):
        assert (await _client(app, address, **headers).get(path)).status_code == status


async def test_metrics_and_documentation_can_be_closed(settings_for: Callable[..., Any]) -> None:
    app = create_app(settings_for(metrics_access="off", docs_access="off"))
    for path in ("/metrics", "/docs", "/docs/", "/openapi.json", "/docs/assets/swagger-ui.css"):
        refused = await _client(app).get(path)
        assert (refused.status_code, refused.json()["code"]) == (404, "operations.closed"), path
    assert (await _client(app).get("/docs/errors")).status_code == 200, "where the `type` of each problem leads"


# ---- size and time


async def test_a_body_that_is_no_upload_is_bounded(settings_for: Callable[..., Any], company: Any) -> None:
    app = create_app(settings_for(max_json_mib=0.01))
    async with app.router.lifespan_context(app):
        client = _client(app, **{"X-API-Key": company.secrets["owner"]})
        large = {"query": "lamp " * 1500, "filter": "x" * 8000}
        for path in ("/api/search", "/api/chatbots/", "/v1/embeddings"):
            refused = await client.post(path, json=large)
            assert refused.status_code == 413, path
        chunked = await client.post("/api/chatbots/", content=_chunks(b'{"name": "', 30), headers=_JSON)
        assert chunked.status_code == 413
        files = {"file": ("long.txt", b"A note about lamps. " * 2000)}
        assert (await client.post("/api/chatbot/documents/", files=files)).status_code == 202


_JSON = {"Content-Type": "application/json"}


async def _chunks(first: bytes, count: int) -> AsyncIterator[bytes]:
    yield first
    for _ in range(count):
        yield b"x" * 1000


async def test_a_body_that_stalls_is_given_up(settings_for: Callable[..., Any], company: Any) -> None:
    app = create_app(settings_for(body_stall_s=0.05))

    async def stalling() -> AsyncIterator[bytes]:
        yield b'{"name": '
        await asyncio.sleep(3)  # httpx reads no answer before its body has ended

    key = {"X-API-Key": company.secrets["owner"]}
    async with app.router.lifespan_context(app), _listening(app) as url, httpx.AsyncClient(headers=key) as client:
        refused = await client.post(f"{url}/api/chatbots/", content=stalling(), headers=_JSON)
    assert (refused.status_code, refused.json()["code"]) == (408, "body_stalled")


async def test_an_answer_that_does_not_begin_in_time_is_given_up(
    settings_for: Callable[..., Any], company: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    app = create_app(settings_for(request_timeout_s=0.2))
    cancelled = asyncio.Event()

    async def never(*_: Any, **__: Any) -> None:
        try:
            await asyncio.sleep(30)
        finally:
            cancelled.set()

    monkeypatch.setattr("dragoman.search.service.search", never)
    monkeypatch.setattr("dragoman.search.across.search_across", never)
    async with app.router.lifespan_context(app):
        client = _client(app, **{"X-API-Key": company.secrets["owner"]})
        lean = await client.post("/api/search", json={"query": "lamp"})
        usual = await client.get(f"/api/search/hybrid/{company.chatbot_id}", params={"q": "lamp"})
    for answer in (lean, usual):
        assert (answer.status_code, answer.json()["code"]) == (504, "operations.timed_out")
        assert answer.headers["X-Request-ID"]
    assert cancelled.is_set()


async def test_a_stream_may_take_longer_than_a_request(settings_for: Callable[..., Any]) -> None:
    app = create_app(settings_for(request_timeout_s=0.2))

    async def pieces() -> AsyncIterator[bytes]:
        yield b"begun, "
        await asyncio.sleep(0.5)
        yield b"ended"

    async def stream() -> StreamingResponse:
        return StreamingResponse(pieces())

    app.add_api_route("/slow", stream)
    assert (await _client(app).get("/slow")).text == "begun, ended"


@asynccontextmanager
async def _listening(app: Any, header_timeout_s: float = 15.0) -> AsyncIterator[str]:
    with socket.socket() as listening:
        listening.bind(("127.0.0.1", 0))
        listening.listen()
        config = uvicorn.Config(
            app, lifespan="off", log_config=None, access_log=False, http=bounded_protocol(header_timeout_s)
        )
        server = uvicorn.Server(config)
        running = asyncio.create_task(server.serve([listening]))
        try:
            yield f"http://127.0.0.1:{listening.getsockname()[1]}"
        finally:
            server.should_exit = True
            await running


@asynccontextmanager
async def _connection(app: Any, **options: Any) -> AsyncIterator[tuple[asyncio.StreamReader, asyncio.StreamWriter]]:
    async with _listening(app, **options) as url:
        reader, writer = await asyncio.open_connection("127.0.0.1", int(url.rpartition(":")[2]))
        yield reader, writer
        writer.close()


@pytest.mark.parametrize("begun", [b"", b"GET /healthz HT", b"GET /healthz HTTP/1.1\r\nHost: a.test\r\nX-Slow: "])
async def test_a_head_that_does_not_come_is_given_up(service: Any, begun: bytes) -> None:
    async with _connection(service.app, header_timeout_s=0.1) as (reader, writer):
        writer.write(begun)
        assert (await asyncio.wait_for(reader.read(), 20)).startswith(b"HTTP/1.1 408 ")


async def test_a_second_head_on_a_connection_is_bounded_too(service: Any) -> None:
    async with _connection(service.app, header_timeout_s=0.3) as (reader, writer):
        writer.write(b"GET /healthz HTTP/1.1\r\nHost: a.test\r\n\r\n")
        assert (await reader.readuntil(b"\r\n")).startswith(b"HTTP/1.1 200 ")
        await reader.readuntil(b"}")
        writer.write(b"GET /healthz HTTP/1.1\r\nHost: ")
        assert (await asyncio.wait_for(reader.read(), 20)).startswith(b"HTTP/1.1 408 ")


@pytest.mark.parametrize(
    "head",
    [
        b"GET /healthz HTTP/1.1\r\n" + b"X-Many: 1\r\n" * (MOST_HEADERS + 1) + b"\r\n",
        b"GET /healthz HTTP/1.1\r\nX-Long: " + b"x" * 40_000 + b"\r\n\r\n",
        b"GET /" + b"x" * 40_000 + b" HTTP/1.1\r\n\r\n",
        b"GET /healthz HTTP/1.1\r\nX-Endless: " + b"x" * 400_000,
    ],
)
async def test_a_head_that_is_too_large_is_refused(service: Any, head: bytes) -> None:
    async with _connection(service.app) as (reader, writer):
        writer.write(head)
        assert (await asyncio.wait_for(reader.readline(), 20)).startswith(b"HTTP/1.1 431 ")


async def test_a_large_body_behind_a_small_head_passes(service: Any, company: Any) -> None:
    key = {"X-API-Key": company.secrets["owner"]}
    files = {"file": ("long.txt", b"A note about lamps. " * 20_000)}
    async with _listening(service.app) as url, httpx.AsyncClient(headers=key, timeout=30) as client:
        assert (await client.post(f"{url}/api/chatbot/documents/", files=files)).status_code == 202
