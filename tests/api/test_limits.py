"""How often somebody may do what costs: exactly the limit, over all processes, told in headers, settable at each level."""

from __future__ import annotations

import asyncio
import json
import os
import socket
import subprocess
import sys
from collections import Counter
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from typing import Any

import httpx
import pytest
from tests.api.serving import serving

from dragoman.client import Dragoman
from dragoman.entrypoints.api import create_app
from dragoman.entrypoints.cli import main
from dragoman.kit.cache import Cache

QUESTION = "What discount do gold partners receive?"


@asynccontextmanager
async def api_process(settings: Any) -> AsyncIterator[str]:
    """An API of its own beside that of the module, on the same database and Valkey; its address."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    variables = {
        "DRAGOMAN_HOME": str(settings.home),
        "DRAGOMAN_DATABASE_URL": settings.database_url,
        "DRAGOMAN_CACHE_URL": settings.cache_url,
        "DRAGOMAN_EMBEDDER": "hashing",
        "DRAGOMAN_PORT": str(port),
        "DRAGOMAN_DATABASE_POOL_SIZE": "4",
    }
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-m", "dragoman", "api", env={**os.environ, **variables}, stdout=subprocess.DEVNULL
    )
    url = f"http://127.0.0.1:{port}"
    try:
        async with httpx.AsyncClient() as client:
            while True:
                assert process.returncode is None, "the API ended"
                try:
                    if (await client.get(f"{url}/readyz")).status_code == 200:
                        break
                except httpx.TransportError:
                    await asyncio.sleep(0.2)
        yield url
    finally:
        process.terminate()
        await process.wait()


@pytest.fixture(scope="module")
async def two_processes(service: Any) -> AsyncIterator[list[str]]:
    async with api_process(service.settings) as one, api_process(service.settings) as other:
        yield [one, other]


async def _statuses(urls: list[str], secret: str, count: int, path: str, body: dict[str, Any]) -> Counter[int]:
    """What so many requests at once get, dealt out over the processes."""
    async with httpx.AsyncClient(headers={"X-API-Key": secret}, timeout=120) as client:
        answers = await asyncio.gather(
            *(client.post(urls[number % len(urls)] + path, json=body) for number in range(count))
        )
    return Counter(answer.status_code for answer in answers)


async def test_of_100_messages_at_once_over_two_processes_exactly_the_limit_passes(
    company: Any, two_processes: list[str]
) -> None:
    session_id = await company.open_session("member")
    path = f"/api/chatbot/sessions/{session_id}/messages/"
    found = await _statuses(two_processes, company.secrets["member"], 100, path, {"message": QUESTION})
    assert found == {200: 30, 429: 70}


async def test_of_100_searches_at_once_over_two_processes_exactly_the_limit_passes(
    company: Any, two_processes: list[str]
) -> None:
    await company.api().put("/api/limits/", json={"searches_per_minute": 40})
    found = await _statuses(two_processes, company.secrets["member"], 100, "/api/search", {"query": "discount"})
    assert found == {200: 40, 429: 60}


# ---- headers


async def test_every_answer_to_a_message_tells_what_is_left(company: Any) -> None:
    session_id = await company.open_session("member")
    path = f"/api/chatbot/sessions/{session_id}/messages/"
    await company.api().put("/api/limits/", json={"messages_per_minute": 2, "messages_per_minute_tenant": 90})
    first = await company.api("member").post(path, json={"message": QUESTION})
    assert first.headers["RateLimit-Policy"] == '"messages";q=2;w=60, "messages-tenant";q=90;w=60'
    assert first.headers["RateLimit"].startswith('"messages";r=1;t=')
    assert (first.headers["RateLimit-Limit"], first.headers["RateLimit-Remaining"]) == ("2", "1")
    streamed = await company.api("member").post(f"{path}stream/", json={"message": QUESTION})
    assert (streamed.status_code, streamed.headers["RateLimit-Remaining"]) == (200, "0")
    refused = await company.api("member").post(path, json={"message": QUESTION})
    assert (refused.status_code, refused.headers["RateLimit-Remaining"]) == (429, "0")
    assert 0 < int(refused.headers["Retry-After"]) <= 60
    assert int(refused.headers["RateLimit-Reset"]) == int(refused.headers["Retry-After"])


async def test_openai_clients_are_told_as_openai_tells_them(company: Any) -> None:
    await company.api().put("/api/limits/", json={"messages_per_minute": 1, "searches_per_minute": 1})
    body = {"model": "dragoman", "messages": [{"role": "user", "content": QUESTION}]}
    answered = await company.api("member").post("/v1/chat/completions", json=body)
    assert answered.headers["x-ratelimit-limit-requests"] == "1"
    assert answered.headers["x-ratelimit-remaining-requests"] == "0"
    assert answered.headers["x-ratelimit-reset-requests"] in ("1m0s", "60s", "59s")
    refused = await company.api("member").post("/v1/chat/completions", json=body)
    assert refused.status_code == 429
    assert refused.json()["error"]["code"] == "rate_limit_exceeded"
    assert int(refused.headers["Retry-After"]) > 0
    for expected in (200, 429):
        embedded = await company.api("member").post("/v1/embeddings", json={"model": "dragoman", "input": "lamps"})
        assert embedded.status_code == expected


async def test_searches_are_refused_with_the_time_to_wait(company: Any) -> None:
    await company.api().put("/api/limits/", json={"searches_per_minute": 3})
    member = company.api("member")
    assert (await member.post("/api/search", json={"query": "discount"})).headers["RateLimit-Remaining"] == "2"
    batch = {"queries": [{"query": "discount"}, {"query": "warranty"}]}
    assert (await member.post("/api/search/batch", json=batch)).headers["RateLimit-Remaining"] == "0"
    hybrid = await member.get(f"/api/search/hybrid/{company.chatbot_id}", params={"q": "discount"})
    assert hybrid.status_code == 200, "a chatbot that is named has a count of its own"
    refused = await member.post("/api/search", json={"query": "discount"})
    assert (refused.status_code, refused.json()["code"]) == (429, "limits.too_many_searches")
    assert 0 < int(refused.headers["Retry-After"]) <= 60
    assert (await company.api().post("/api/search", json={"query": "discount"})).status_code == 200, "who manages"


# ---- who sets what


async def test_a_chatbot_goes_before_its_tenant_and_nought_is_no_limit(company: Any) -> None:
    await company.api().put("/api/limits/", json={"searches_per_minute": 1})
    for settings, expected in (({"searches_per_minute": 0}, 200), ({"searches_per_minute": None}, 429)):
        await company.api().patch(f"/api/chatbots/{company.chatbot_id}/", json={"settings": settings})
        for _ in range(3):
            answer = await company.api("member").post("/api/search", json={"query": "discount"})
        assert answer.status_code == expected


async def test_documents_can_be_without_limit(company: Any) -> None:
    await company.api().put("/api/limits/", json={"documents_per_day_managers": 1})
    assert (await company.upload("One", "one.txt")).status_code == 202
    refused = await company.upload("Two", "two.txt")
    assert (refused.status_code, refused.json()["code"]) == (429, "ingestion.daily_uploads_used_up")
    assert 86_000 < int(refused.headers["Retry-After"]) <= 86_400
    assert refused.headers["RateLimit-Policy"] == '"documents";q=1;w=86400'
    chatbot = f"/api/chatbots/{company.chatbot_id}/"
    await company.api().patch(chatbot, json={"settings": {"documents_per_day_managers": 0}})
    assert (await company.upload("Two", "two.txt")).status_code == 202
    await company.api().put("/api/limits/", json={"documents_per_day_tenant": 2})
    assert (await company.upload("Three", "three.txt")).status_code == 429, "all of the tenant"


async def test_limits_are_shown_replaced_and_audited(company: Any) -> None:
    shown = (await company.api().get("/api/limits/")).json()
    assert shown["own"]["messages_per_minute"] is None
    assert shown["effective"]["messages_per_minute"] == 30
    assert shown["effective"]["documents_per_day"] == 50
    await company.api().put("/api/limits/", json={"messages_per_minute": 5})
    changed = (await company.api().put("/api/limits/", json={"documents_per_day": 7})).json()
    assert changed["effective"]["documents_per_day"] == 7
    assert changed["effective"]["messages_per_minute"] == 30, "a PUT replaces all"
    async with company.service.deps.database.transaction(company.tenant_id) as connection:
        rows = await connection.exec_driver_sql("select details from audit_events where action = 'limits.changed'")
        details = sorted((row[0] for row in rows), key=str)
    assert {"before": {"messages_per_minute": 5}, "after": {"documents_per_day": 7}} in details
    wrong = await company.api().put("/api/limits/", json={"messages_per_minute": -1})
    assert wrong.status_code == 422
    assert (await company.api("editor").get("/api/limits/")).status_code == 403


async def test_a_tenant_cannot_raise_what_protects_the_others(settings_for: Callable[..., Any], company: Any) -> None:
    app = create_app(settings_for(limit_messages_per_minute_tenant=100))
    async with app.router.lifespan_context(app):
        transport = httpx.ASGITransport(app=app)
        key = {"X-API-Key": company.secrets["owner"]}
        async with httpx.AsyncClient(transport=transport, base_url="http://a.test", headers=key) as client:
            for wanted, holds in ((500, 100), (0, 100), (20, 20)):
                set_to = await client.put("/api/limits/", json={"messages_per_minute_tenant": wanted})
                assert set_to.json()["effective"]["messages_per_minute_tenant"] == holds


# ---- streams


async def test_an_asker_has_so_many_streams_at_once(company: Any, script: Callable[..., None]) -> None:
    await company.know()
    await company.api().put("/api/limits/", json={"streams": 1})
    limiter = company.service.deps.limiter
    session_id = await company.open_session("member")
    path = f"/api/chatbot/sessions/{session_id}/messages/stream/"
    for _ in range(3):  # each gives its place back
        assert (await company.api("member").post(path, json={"message": QUESTION})).status_code == 200
    caller = await _caller_of(company, "member")
    held = await limiter.take_stream(caller, caller.asker)
    refused = await company.api("member").post(path, json={"message": QUESTION})
    assert (refused.status_code, refused.json()["code"]) == (429, "limits.too_many_streams")
    body = {"model": "dragoman", "stream": True, "messages": [{"role": "user", "content": QUESTION}]}
    assert (await company.api("member").post("/v1/chat/completions", json=body)).status_code == 429
    assert (await company.api("second_member").post("/v1/chat/completions", json=body)).status_code == 200
    await limiter.give_back(held)
    assert (await company.api("member").post("/v1/chat/completions", json=body)).status_code == 200


async def _caller_of(company: Any, who: str) -> Any:
    from dragoman.tenancy import access

    return await access.authenticate(company.service.deps.database, company.secrets[who])


async def test_a_stream_that_cannot_begin_gives_its_place_back(company: Any) -> None:
    await company.api().put("/api/limits/", json={"streams": 1})
    absent = "019a0000-0000-7000-8000-000000000000"
    for _ in range(3):
        path = f"/api/chatbot/sessions/{absent}/messages/stream/"
        assert (await company.api("member").post(path, json={"message": QUESTION})).status_code == 404


# ---- addresses


async def test_an_address_has_so_many_requests_and_this_machine_as_many_as_it_wants(
    settings_for: Callable[..., Any], company: Any
) -> None:
    app = create_app(settings_for(limit_requests_per_minute_address=3))
    async with app.router.lifespan_context(app):

        async def statuses(address: str, count: int) -> Counter[int]:
            transport = httpx.ASGITransport(app=app, client=(address, 1234))
            async with httpx.AsyncClient(transport=transport, base_url="http://a.test") as client:
                return Counter([(await client.get("/api/chatbots/")).status_code for _ in range(count)])

        assert await statuses("127.0.0.1", 6) == {401: 6}
        assert await statuses("203.0.113.7", 5) == {401: 3, 429: 2}
        assert await statuses("2001:db8:9:9::1", 2) == {401: 2}
        assert await statuses("2001:db8:9:9:8::2", 2) == {401: 1, 429: 1}, "the same /64"


async def test_without_valkey_the_limit_holds_in_each_process(settings_for: Callable[..., Any], company: Any) -> None:
    app = create_app(settings_for(cache_url="redis://127.0.0.1:1/0", limit_searches_per_minute=3))
    async with app.router.lifespan_context(app):
        transport = httpx.ASGITransport(app=app)
        key = {"X-API-Key": company.secrets["member"]}
        async with httpx.AsyncClient(transport=transport, base_url="http://a.test", headers=key) as client:
            found = [(await client.post("/api/search", json={"query": "lamp"})).status_code for _ in range(5)]
            metrics = (await client.get("/metrics")).text
    assert found == [200, 200, 200, 429, 429]
    assert 'dragoman_rate_limits_alone_total{what="searches"}' in metrics


async def test_a_burst_of_commands_does_not_read_as_if_valkey_were_away(cache_url: str) -> None:
    cache = Cache(cache_url)
    await asyncio.gather(*(cache.find("test", str(number)) for number in range(500)))
    assert not cache.is_resting
    await cache.close()


async def test_the_client_and_the_command_read_and_set_limits(
    service: Any, company: Any, capsys: pytest.CaptureFixture[str]
) -> None:
    transport = httpx.ASGITransport(app=service.app)
    async with Dragoman("http://a.test", company.secrets["owner"], transport=transport) as client:
        assert (await client.limits.set({"messages_per_minute": 12})).effective["messages_per_minute"] == 12
        assert (await client.limits.read()).own["messages_per_minute"] == 12
    async with serving(service) as url:
        who = ["--url", url, "--api-key", company.secrets["owner"]]
        set_to = await asyncio.to_thread(main, ["limits", "set", "streams=3", *who, "--json"])
        told = json.loads(capsys.readouterr().out)
        shown = await asyncio.to_thread(main, ["limits", "show", *who])
    assert (set_to, told["own"]["streams"], told["own"]["messages_per_minute"]) == (0, 3, 12)
    assert shown == 0
    assert "your tenant" in capsys.readouterr().out
