"""What operators and browsers need: health, readiness, metrics, documentation, CORS, request ids, both spellings of paths."""

from __future__ import annotations

import re
from collections.abc import AsyncIterator, Callable
from contextlib import AsyncExitStack
from typing import Any

import httpx
import pytest

from dragoman.entrypoints.api import create_app
from dragoman.kit.database import Database, DatabaseUrls
from dragoman.kit.errors import InvalidSettingError
from dragoman.ports.embedder import EmbedderUnavailableError


async def test_the_documentation_and_its_source_are_served(service: Any) -> None:
    page = await service.client().get("/docs")
    assert (page.status_code, "text/html" in page.headers["content-type"]) == (200, True)
    document = (await service.client().get("/openapi.json")).json()
    assert document["info"]["title"] == "Dragoman"
    assert "/api/search" in document["paths"]


async def test_an_instance_that_can_answer_is_healthy_and_ready(service: Any) -> None:
    assert (await service.client().get("/healthz")).json()["status"] == "ok"
    ready = await service.client().get("/readyz")
    assert ready.status_code == 200
    assert ready.json()["checks"] == {"database": "ok", "embedder": "ok", "cache": "ok"}


@pytest.fixture
async def absent_database(service: Any) -> AsyncIterator[None]:
    """Nobody listens at the database's address for the length of a test."""
    present = service.app.state.database
    absent = Database(DatabaseUrls.derive("postgresql://nobody@127.0.0.1:9/nothing"), pool_size=2)
    service.app.state.database = absent
    yield
    service.app.state.database = present
    await absent.close()


async def test_an_instance_without_its_database_is_healthy_but_not_ready(
    service: Any, company: Any, absent_database: None
) -> None:
    refused = await service.client().get("/readyz")
    assert refused.status_code == 503
    assert refused.headers["content-type"] == "application/problem+json"
    problem = refused.json()
    assert (problem["status"], problem["code"]) == (503, "not_ready")
    assert problem["checks"]["database"] == "database.unavailable"
    assert "database" in problem["detail"]
    assert (await service.client().get("/healthz")).status_code == 200
    call = await company.api().get("/api/chatbots/")
    assert (call.status_code, call.json()["code"]) == (503, "database.unavailable")


async def test_a_missing_embedder_makes_it_unready_and_a_missing_cache_does_not(
    service: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def unreachable() -> bool:
        return False

    monkeypatch.setattr(service.deps.cache, "is_reachable", unreachable)
    ready = await service.client().get("/readyz")
    assert (ready.status_code, ready.json()["checks"]["cache"]) == (200, "unreachable")

    async def fail(*_args: Any) -> None:
        raise EmbedderUnavailableError

    monkeypatch.setattr(service.deps.inference, "count_tokens", fail)
    refused = await service.client().get("/readyz")
    assert (refused.status_code, refused.json()["checks"]["embedder"]) == (503, "embedder.unavailable")


async def test_connections_that_the_database_server_cut_are_replaced_unnoticed(service: Any, company: Any) -> None:
    """A server that was restarted: the pool tests a connection before it hands it out."""
    await company.api().get("/api/chatbots/")
    await _cut_connections(service)
    assert (await company.api().get("/api/chatbots/")).status_code == 200


async def test_a_pool_that_is_used_up_is_a_503_that_says_so(
    settings_for: Callable[..., Any], company: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As many connections as there are, and no more: the next request waits a while and is asked to come again."""
    app = create_app(settings_for(database_pool_size=1))
    async with app.router.lifespan_context(app), AsyncExitStack() as held:
        database: Database = app.state.database
        monkeypatch.setattr(database.app_engine.pool, "_timeout", 0.2)
        for _ in range(2):  # the one, and the one beyond it
            await held.enter_async_context(database.transaction(company.tenant_id))
        transport = httpx.ASGITransport(app=app)
        key = {"X-API-Key": company.secrets["owner"]}
        async with httpx.AsyncClient(transport=transport, base_url="http://a.test", headers=key) as client:
            refused = await client.post("/api/keys/", json={"name": "one more"})
            assert (refused.status_code, refused.json()["code"]) == (503, "database.busy")
            await held.aclose()
            assert (await client.post("/api/keys/", json={"name": "one more"})).status_code == 201


async def test_a_connection_lost_in_the_middle_of_a_request_is_a_503(
    service: Any, company: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    from dragoman.tenancy import repository

    real = repository.list_chatbots

    async def cut_first(*args: Any, **kwargs: Any) -> Any:
        await _cut_connections(service)
        return await real(*args, **kwargs)

    monkeypatch.setattr(repository, "list_chatbots", cut_first)
    lost = await company.api().get("/api/chatbots/")
    assert (lost.status_code, lost.json()["code"]) == (503, "database.unavailable")


async def _cut_connections(service: Any) -> None:
    import psycopg

    async with await psycopg.AsyncConnection.connect(service.settings.database_url, autocommit=True) as connection:
        await connection.execute(
            "select pg_terminate_backend(pid, 5000) from pg_stat_activity "
            "where datname = current_database() and usename like 'dragoman%' and pid <> pg_backend_pid()"
        )


async def test_metrics_count_requests_answers_and_model_calls(service: Any, company: Any) -> None:
    await company.know()
    await company.ask("What discount do gold partners receive?")
    metrics = await service.client().get("/metrics")
    assert metrics.headers["content-type"].startswith("text/plain")
    for line in (
        'dragoman_http_requests_total{method="POST",route="/api/chatbot/documents/",status="202"}',
        'dragoman_stage_seconds_count{path="answer",stage="retrieve"}',
        "dragoman_model_calls_total{adapter=",
        'dragoman_jobs_finished_total{kind="ingestion.ingest_document",outcome="succeeded"}',
    ):
        assert line in metrics.text, line


@pytest.mark.parametrize("path", ["/api/chatbots", "/api/chatbot/documents", "/api/chatbot/sessions", "/api/search"])
async def test_each_path_answers_with_and_without_its_trailing_slash(company: Any, path: str) -> None:
    for spelling in (path, f"{path}/"):
        body = {"json": {"query": "x"}} if path == "/api/search" else {}
        method = "POST" if path == "/api/search" else "GET"
        answer = await company.api().request(method, spelling, **body)
        assert answer.status_code == 200, spelling


async def test_the_twin_of_a_path_behaves_as_the_path_itself(service: Any, company: Any) -> None:
    """Status, events and deletion, not only lists."""
    await company.know()
    api = company.api()
    session = await api.post("/api/chatbot/sessions", json={"title": "No slash"})
    assert session.status_code == 201
    path = f"/api/chatbot/sessions/{session.json()['id']}"
    streamed = await api.post(f"{path}/messages/stream", json={"message": "What discount do gold partners receive?"})
    assert streamed.headers["content-type"].startswith("text/event-stream")
    assert '"type": "complete"' in streamed.text
    deleted = await api.delete(path)
    assert (deleted.status_code, deleted.content) == (204, b"")


async def test_a_request_id_is_made_or_taken_over_and_given_back(service: Any) -> None:
    made = (await service.client().get("/healthz")).headers["x-request-id"]
    assert len(made) >= 16
    given = await service.client(**{"X-Request-ID": "abc-123"}).get("/api/chatbots/")
    assert given.headers["x-request-id"] == given.json()["request_id"] == "abc-123"
    for wrong in ("x" * 65, "a b", "<script>"):
        answer = await service.client(**{"X-Request-ID": wrong}).get("/healthz")
        assert answer.headers["x-request-id"] != wrong


async def test_browsers_may_call_from_the_origins_that_are_set_and_from_no_other(
    service: Any, settings_for: Callable[..., Any]
) -> None:
    app = create_app(settings_for(cors_origins="https://shop.example, https://help.example"))
    app.state.database, app.state.deps = service.app.state.database, service.app.state.deps
    api = httpx.AsyncClient(transport=httpx.ASGITransport(app=app), base_url="http://dragoman.test")
    preflight = {"Access-Control-Request-Method": "POST", "Access-Control-Request-Headers": "x-api-key"}
    allowed = await api.options("/api/search", headers={"Origin": "https://help.example", **preflight})
    assert allowed.status_code == 200
    assert allowed.headers["access-control-allow-origin"] == "https://help.example"
    refused = await api.options("/api/search", headers={"Origin": "https://evil.example", **preflight})
    assert "access-control-allow-origin" not in refused.headers
    denied = await api.get("/api/chatbots/", headers={"Origin": "https://shop.example"})
    assert (denied.status_code, denied.headers["access-control-allow-origin"]) == (401, "https://shop.example")
    plain = await service.client().get("/healthz", headers={"Origin": "https://shop.example"})
    assert "access-control-allow-origin" not in plain.headers


async def test_a_process_may_serve_chosen_groups_only(settings_for: Callable[..., Any]) -> None:
    paths = create_app(settings_for(), only=["search"]).openapi()["paths"]
    assert {path for path in paths if not path.startswith("/api/search")} == {"/healthz", "/readyz", "/metrics"}
    assert "/api/search" in paths
    with pytest.raises(InvalidSettingError, match="nonsense"):
        create_app(settings_for(), only=["nonsense"])


async def test_the_type_of_a_problem_leads_to_a_page_that_explains_it(service: Any) -> None:
    refused = await service.client(None).get("/api/chatbots/")
    page, _, anchor = refused.json()["type"].partition("#")
    found = await service.client(None).get(page)
    assert found.headers["content-type"].startswith("text/html")
    assert f'id="{anchor}"' in found.text
    assert "X-API-Key" in found.text


async def test_the_documentation_page_needs_nothing_from_outside(service: Any) -> None:
    page = (await service.client(None).get("/docs")).text
    assets = re.findall(r'(?:src|href)="([^"]+)"', page)
    assert len(assets) >= 2
    for asset in assets:
        assert asset.startswith("/docs/assets/"), asset
        assert (await service.client(None).get(asset)).status_code == 200, asset
