"""The real application over ASGI, against this module's database and the run's Valkey, with the embedder `hashing`."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from uuid import UUID

import httpx
import pytest
import structlog
from fastapi import FastAPI
from sqlalchemy import text

from dragoman.deps import Deps
from dragoman.entrypoints import web
from dragoman.entrypoints.api import create_app
from dragoman.entrypoints.settings import Settings
from dragoman.entrypoints.wiring import job_kinds
from dragoman.jobs import service as jobs
from dragoman.kit.database import Database
from dragoman.tenancy import service as tenancy
from dragoman.tenancy.access import tenant_of_system
from dragoman.tenancy.entities import Role

HANDBOOK = """# Returns

Goods may be returned within 42 days of delivery in their original packaging.

# Discounts

Gold partners receive a discount of 17 percent on every projector.

# Warranty

The warranty of the Aurora projector lasts five years and covers the lamp.
"""


@dataclass(frozen=True, kw_only=True)
class Service:
    """The running application."""

    app: FastAPI
    settings: Settings

    @property
    def deps(self) -> Deps:
        deps: Deps = self.app.state.deps
        return deps

    def client(self, secret: str | None = None, **headers: str) -> httpx.AsyncClient:
        """A client that sends this key. Errors of the application come back as responses, as they do over a socket."""
        if secret is not None:
            headers["X-API-Key"] = secret
        transport = httpx.ASGITransport(app=self.app, raise_app_exceptions=False)
        return httpx.AsyncClient(transport=transport, base_url="http://dragoman.test", headers=headers)

    async def run_jobs(self, *, kind: str | None = None) -> int:
        """Run the jobs that wait, as a worker would, until none waits; how many were run."""
        done = 0
        while waiting := await self._waiting(kind):
            for tenant_id, job_id in waiting:
                await self.run_job(tenant_id, job_id)
                done += 1
        return done

    async def run_job(self, tenant_id: UUID, job_id: UUID) -> None:
        kinds = job_kinds(self.deps)
        await jobs.execute(self.deps.database, kinds, tenant_id=tenant_id, job_id=job_id)

    async def _waiting(self, kind: str | None) -> list[tuple[UUID, UUID]]:
        query = "select tenant_id, id from jobs where state = 'queued' and run_after <= now() and (:kind = '' or kind = :kind)"
        async with self.deps.database.system_transaction() as connection:
            rows = await connection.execute(text(f"{query} order by priority, id"), {"kind": kind or ""})
            return [(row.tenant_id, row.id) for row in rows]


@dataclass(frozen=True, kw_only=True)
class Company:
    """A tenant with a key for each role, and `second_member`: another person with the role of a member."""

    service: Service
    tenant_id: UUID
    chatbot_id: UUID
    secrets: Mapping[str, str]
    key_ids: Mapping[str, UUID] = field(default_factory=dict)

    def api(self, who: str = "owner") -> httpx.AsyncClient:
        return self.service.client(self.secrets[who])

    async def upload(
        self, content: bytes | str = HANDBOOK, name: str = "handbook.md", *, who: str = "owner", **form: str
    ) -> httpx.Response:
        data = content.encode() if isinstance(content, str) else content
        return await self.api(who).post("/api/chatbot/documents/", files={"file": (name, data)}, data=form)

    async def know(
        self, content: bytes | str = HANDBOOK, name: str = "handbook.md", *, who: str = "owner", **form: str
    ) -> dict[str, Any]:
        """Upload a document and have it read; the document when it is ready."""
        uploaded = await self.upload(content, name, who=who, **form)
        assert uploaded.status_code == 202, uploaded.text
        await self.service.run_jobs()
        found = await self.api(who).get(f"/api/chatbot/documents/{uploaded.json()['id']}/")
        assert found.json()["state"] == "ready", found.text
        document: dict[str, Any] = found.json()
        return document

    async def open_session(self, who: str = "owner", **body: Any) -> str:
        opened = await self.api(who).post("/api/chatbot/sessions/", json=body)
        assert opened.status_code == 201, opened.text
        session_id: str = opened.json()["id"]
        return session_id

    async def ask(
        self, question: str, *, who: str = "owner", session_id: str | None = None, **body: Any
    ) -> dict[str, Any]:
        session_id = session_id or await self.open_session(who)
        answered = await self.api(who).post(
            f"/api/chatbot/sessions/{session_id}/messages/", json={"message": question, **body}
        )
        assert answered.status_code == 200, answered.text
        answer: dict[str, Any] = answered.json()
        return answer

    async def search(self, query: str, *, who: str = "owner", **body: Any) -> dict[str, Any]:
        found = await self.api(who).post("/api/search", json={"query": query, **body})
        assert found.status_code == 200, found.text
        result: dict[str, Any] = found.json()
        return result


@pytest.fixture(scope="session", autouse=True)
def _without_pages(tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    """The API is the same whether the web application was built on this machine or not."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(web, "FOLDER", tmp_path_factory.mktemp("no-web"))
        yield


@pytest.fixture(scope="session", autouse=True)
def _plain_logs() -> Iterator[None]:
    """As `kit.telemetry` sets them, on stdout where pytest shows those of a failed test."""
    renderer = structlog.dev.ConsoleRenderer(colors=False, exception_formatter=structlog.dev.plain_traceback)
    structlog.configure(
        processors=[structlog.contextvars.merge_contextvars, structlog.processors.add_log_level, renderer]
    )
    yield
    structlog.reset_defaults()


@pytest.fixture(scope="session", autouse=True)
def _patience_with_valkey() -> Iterator[None]:
    """A machine that is busy with tests is no Valkey that is away: processes would count limits each for itself."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("dragoman.kit.cache._ANSWERS_WITHIN_S", 30.0)
        yield


MakeCompany = Callable[[], Awaitable[Company]]


@pytest.fixture(scope="session")
def handbook() -> str:
    """A document whose facts the tests ask for."""
    return HANDBOOK


@pytest.fixture(scope="session")
def events_of() -> Callable[[httpx.Response], list[dict[str, Any]]]:
    """The events of a stream, without its comments."""

    def parse(response: httpx.Response) -> list[dict[str, Any]]:
        assert response.headers["content-type"].startswith("text/event-stream"), response.text
        lines = [line for line in response.text.split("\n") if line.startswith("data: ")]
        return [json.loads(line.removeprefix("data: ")) for line in lines]

    return parse


@pytest.fixture(scope="module")
def settings_for(admin_url: str, cache_url: str, tmp_path_factory: pytest.TempPathFactory) -> Callable[..., Settings]:
    """Settings of an application of this module; what is given overrides them."""

    def make(**overrides: Any) -> Settings:
        home: Path = tmp_path_factory.mktemp("home")
        values: dict[str, Any] = {
            "home": home,
            "database_url": admin_url,
            "cache_url": cache_url,
            "database_pool_size": 4,
            "embedder": "hashing",
        }
        return Settings(**{**values, **overrides})

    return make


@pytest.fixture(scope="module")
async def service(settings_for: Callable[..., Settings]) -> AsyncIterator[Service]:
    settings = settings_for()
    app = create_app(settings)
    async with app.router.lifespan_context(app):
        yield Service(app=app, settings=settings)


@pytest.fixture(scope="module")
def make_company(service: Service, database: Database) -> MakeCompany:
    async def make() -> Company:
        made = await tenancy.create_tenant(
            database, name="Test", owner_email="ada@example.com", embedding_version=service.deps.embedding_version_id
        )
        system = tenant_of_system(made.tenant_id)
        secrets, key_ids = {"owner": made.key.secret}, {"owner": made.key.key.id}
        people = [(role.value, role) for role in Role if role is not Role.OWNER] + [("second_member", Role.MEMBER)]
        for name, role in people:
            key = await tenancy.create_key(
                database, system, name=name, role=role, user_email=f"{name}@example.com", chatbot_id=None
            )
            secrets[name], key_ids[name] = key.secret, key.key.id
        return Company(
            service=service,
            tenant_id=made.tenant_id,
            chatbot_id=made.chatbot.id,
            secrets=secrets,
            key_ids=key_ids,
        )

    return make


@pytest.fixture
async def company(make_company: MakeCompany) -> Company:
    """A tenant of this test's own."""
    return await make_company()


@pytest.fixture
async def other_company(make_company: MakeCompany) -> Company:
    """A second tenant, which must never learn anything of the first."""
    return await make_company()


@pytest.fixture
def script(service: Service, monkeypatch: pytest.MonkeyPatch) -> Callable[..., None]:
    """Gives the language model `scripted` its lines, through the settings that an installation would use."""

    def set_lines(**settings: Any) -> None:
        for name, value in settings.items():
            monkeypatch.setenv(
                f"DRAGOMAN_LLM_SCRIPTED_{name.upper()}", value if isinstance(value, str) else json.dumps(value)
            )
        service.deps.inference._llms.pop("scripted", None)
        service.deps.inference._breakers.clear()

    return set_lines
