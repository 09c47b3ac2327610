"""Who may do what: isolation of tenants, generated from the OpenAPI document; members; roles; keys.

A new operation needs a row in `EXPECTED`, a new path parameter an entry in `FOREIGN`: the tests say so.
"""

from __future__ import annotations

import asyncio
import re
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from dataclasses import MISSING, dataclass, fields, replace
from datetime import timedelta
from pathlib import Path
from typing import Any
from uuid import UUID, uuid4

import pytest
from sqlalchemy import text
from tests.api.conftest import Service

from dragoman.entrypoints import reference
from dragoman.entrypoints.api import create_app
from dragoman.insights.alerts import repository as alerts_repository
from dragoman.insights.alerts.entities import Alert, AlertState, Severity, Signal
from dragoman.kit.clock import new_id, now
from dragoman.tenancy import access
from dragoman.tenancy.entities import Permission, Role

ABSENT = "019a0000-0000-7000-8000-000000000000"
SITE = "https://www.example.com"


@dataclass(frozen=True, kw_only=True)
class Foreign:
    """Ids of one tenant, for the path parameters of the API."""

    chatbot_id: str
    document_id: str
    session_id: str
    message_id: str
    key_id: str
    import_id: str
    job_id: str
    connector_id: str
    sync_id: str
    search_id: str
    budget_id: str
    rule_id: str
    channel_id: str
    alert_id: str
    feedback_id: str = ABSENT
    report_id: str = ABSENT
    privacy_request_id: str
    service_account_id: str
    member_id: str
    widget_key_id: str
    user_id: str
    invitation_id: str
    sign_in_id: str
    tenant_id: str
    version: str = "1"
    page_number: str = "1"
    prompt_version: str = "1"
    image_id: str = ABSENT

    @property
    def model(self) -> str:
        """The chatbot as a model of the OpenAI API."""
        return f"dragoman-{self.chatbot_id}"


NOTHING = Foreign(**{field.name: ABSENT for field in fields(Foreign) if field.default is MISSING})
"""Ids of nothing, to be replaced by those of what a request is about."""


@pytest.fixture(scope="module")
def files_to_sync(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder that connectors of this module may read."""
    folder = tmp_path_factory.mktemp("synced")
    (folder / "note.md").write_text("# Note\n\nA note about lamps that a connector brings.\n")
    return folder


@pytest.fixture(scope="module")
async def service(settings_for: Callable[..., Any], files_to_sync: Path) -> AsyncIterator[Any]:
    settings = settings_for(connector_folders=[files_to_sync], private_networks=["127.0.0.1"])
    app = create_app(settings)
    async with app.router.lifespan_context(app):
        yield Service(app=app, settings=settings)


@pytest.fixture(autouse=True)
def _short_streams(monkeypatch: pytest.MonkeyPatch) -> None:
    """The stream of document events ends after its first event instead of half an hour."""
    monkeypatch.setattr("dragoman.imports.watch.LONGEST_S", 0.0)


async def _connector(company: Any, folder: Path, *, who: str = "owner") -> tuple[str, str]:
    """A connector of the kind `folder`, and the id of its first sync."""
    body = {"kind": "folder", "name": "Archive", "settings": {"path": str(folder)}}
    made = await company.api(who).post("/api/chatbot/connectors/", json=body)
    assert made.status_code == 201, made.text
    syncs = await company.api(who).get(f"/api/chatbot/connectors/{made.json()['id']}/syncs/")
    return made.json()["id"], syncs.json()["syncs"][0]["id"]


async def _import(company: Any) -> str:
    made = await company.api().post("/api/chatbot/imports/", json={"name": "Archive"})
    import_id: str = made.json()["id"]
    return import_id


async def _budget(company: Any) -> str:
    body = {"scope": "tenant", "period": "month", "limit_usd": 50}
    set_to = await company.api().put("/api/budgets/", json=body)
    budget_id: str = set_to.json()["id"]
    return budget_id


async def _alert_rule(company: Any) -> str:
    body = {"name": "Costly", "signal": "spent_usd", "threshold": 5}
    made = await company.api().post("/api/alerts/rules/", json=body)
    rule_id: str = made.json()["id"]
    return rule_id


async def _alert_channel(company: Any) -> str:
    made = await company.api().post("/api/alerts/channels/", json={"url": "http://127.0.0.1:9/"})
    channel_id: str = made.json()["id"]
    return channel_id


async def _alert(company: Any, rule_id: str) -> str:
    """An alert of this rule, as the scheduler writes one."""
    alert = Alert(
        id=new_id(),
        rule_id=UUID(rule_id),
        rule_name="Costly",
        signal=Signal.SPENT_USD,
        severity=Severity.WARNING,
        chatbot_id=None,
        state=AlertState.FIRING,
        value=6,
        worst=6,
        threshold=5,
        samples=1,
        started_at=now(),
    )
    async with company.service.deps.database.transaction(company.tenant_id) as connection:
        await alerts_repository.save_alert(connection, alert, tenant_id=company.tenant_id)
    return str(alert.id)


async def _feedback(company: Any, message_id: str, *, who: str = "owner") -> str:
    """The id of what was said of an answer, with a correction that waits for a decision."""
    body = {"rating": "down", "correction": "18 percent."}
    given = await company.api(who).post(f"/api/chatbot/messages/{message_id}/feedback/", json=body)
    feedback_id: str = given.json()["id"]
    return feedback_id


async def _report(company: Any) -> str:
    asked = await company.api().post("/api/chatbot/reports/improvement/", json={})
    report_id: str = asked.json()["id"]
    return report_id


async def _export(company: Any, *, who: str = "owner") -> str:
    """A request for personal data whose archive is there."""
    body = {"kind": "export", "subject_kind": "external", "subject_id": "nobody"}
    made = await company.api(who).post("/api/privacy/requests/", json=body)
    await company.service.run_jobs(kind="privacy.request")
    privacy_request_id: str = made.json()["id"]
    return privacy_request_id


async def _search(company: Any, *, who: str = "owner") -> str:
    """The id of a search that is written and has a result."""
    found = await company.search("discount", who=who)
    await company.service.deps.search_log.flush()
    search_id: str = found["search_id"]
    return search_id


async def _machine(company: Any, name: str) -> str:
    made = await company.api().post("/api/service-accounts/", json={"name": name})
    assert made.status_code == 201, made.text
    account_id: str = made.json()["id"]
    return account_id


async def _member(company: Any, chatbot_id: str, member_id: str, role: str = "member") -> str:
    """A service account with a role on a chatbot."""
    path = f"/api/chatbots/{chatbot_id}/members/{member_id}/"
    assert (await company.api().put(path, json={"role": role})).status_code == 200
    return member_id


async def _widget_key(company: Any, chatbot_id: str) -> dict[str, Any]:
    body = {"name": "site", "origins": [SITE]}
    made = await company.api().post(f"/api/chatbots/{chatbot_id}/widget-keys/", json=body)
    assert made.status_code == 201, made.text
    key: dict[str, Any] = made.json()
    return key


async def _user(company: Any) -> str:
    """A user whom nobody signs in as."""
    made = await company.api().post("/api/users/", json={"email": f"{new_id().hex}@example.com"})
    user_id: str = made.json()["id"]
    return user_id


async def _invitation(company: Any) -> str:
    body = {"email": f"{new_id().hex}@example.com"}
    invitation_id: str = (await company.api().post("/api/users/invitations/", json=body)).json()["id"]
    return invitation_id


async def _sign_in(company: Any, *, who: str = "owner") -> str:
    """A sign-in of the user whose key this is."""
    me = (await company.api(who).get("/api/auth/me/")).json()
    sign_in_id = str(new_id())
    async with company.service.deps.database.transaction(company.tenant_id) as connection:
        await connection.execute(
            text(
                "insert into sign_ins (tenant_id, id, user_id, method, expires_at) "
                "values (:tenant, :id, :user, 'password', now() + interval '1 day')"
            ),
            {"tenant": company.tenant_id, "id": sign_in_id, "user": me["user_id"]},
        )
    return sign_in_id


@pytest.fixture
async def foreign(company: Any, files_to_sync: Path) -> Foreign:
    """One of each thing that has an id, all of them in use."""
    document = await company.know()
    connector_id, sync_id = await _connector(company, files_to_sync)
    status = (await company.api().get(f"/api/chatbot/documents/{document['id']}/status/")).json()
    session_id = await company.open_session()
    answer = await company.ask("What discount do gold partners receive?", session_id=session_id)
    rule_id = await _alert_rule(company)
    return Foreign(
        chatbot_id=str(company.chatbot_id),
        document_id=document["id"],
        session_id=session_id,
        message_id=answer["id"],
        key_id=str(company.key_ids["member"]),
        import_id=await _import(company),
        job_id=status["job_id"],
        connector_id=connector_id,
        sync_id=sync_id,
        search_id=await _search(company),
        budget_id=await _budget(company),
        rule_id=rule_id,
        channel_id=await _alert_channel(company),
        alert_id=await _alert(company, rule_id),
        feedback_id=await _feedback(company, answer["id"]),
        report_id=await _report(company),
        privacy_request_id=await _export(company),
        service_account_id=await _machine(company, "foreign"),
        member_id=await _member(company, str(company.chatbot_id), await _machine(company, "member")),
        widget_key_id=(await _widget_key(company, str(company.chatbot_id)))["id"],
        user_id=await _user(company),
        invitation_id=await _invitation(company),
        sign_in_id=await _sign_in(company),
        tenant_id=str(company.tenant_id),
    )


@dataclass(frozen=True, kw_only=True)
class Operation:
    method: str
    path: str
    parameters: tuple[str, ...]

    @property
    def name(self) -> str:
        return f"{self.method} {self.path}"

    def address(self, ids: Foreign) -> str:
        for parameter in self.parameters:
            assert hasattr(ids, parameter), (
                f"{self.name} has the new path parameter {parameter!r}. Give it an id of the other tenant in `Foreign`."
            )
        return self.path.format(**{parameter: getattr(ids, parameter) for parameter in self.parameters})


def _operations(service: Any) -> list[Operation]:
    return [
        Operation(method=method.upper(), path=path, parameters=tuple(re.findall(r"{(\w+)}", path)))
        for path, methods in service.app.openapi()["paths"].items()
        for method in methods
    ]


# A body that is right in form for each operation that takes one.
BODIES: dict[str, dict[str, Any]] = {
    "POST /api/chatbot/sessions/": {"json": {}},
    "PATCH /api/chatbot/sessions/{session_id}/": {"json": {"title": "Changed"}},
    "POST /api/chatbot/sessions/{session_id}/messages/": {"json": {"message": "What?"}},
    "POST /api/chatbot/sessions/{session_id}/messages/stream/": {"json": {"message": "What?"}},
    "POST /api/chatbot/documents/": {"files": {"file": ("note.txt", b"A note about lamps.")}},
    "POST /api/chatbot/documents/batch/": {"files": {"files": ("note.txt", b"A note about many lamps.")}},
    "POST /api/upload-training-data": {"files": {"file": ("note.txt", b"A note about other lamps.")}},
    "PUT /api/chatbot/documents/{document_id}/": {"files": {"file": ("note.txt", b"A note about new lamps.")}},
    "PATCH /api/chatbot/documents/{document_id}/": {"json": {"category": "changed"}},
    "POST /api/chatbot/documents/{document_id}/reprocess/": {"json": {}},
    "POST /api/chatbot/documents/{document_id}/reject/": {"json": {"reason": "No."}},
    "POST /api/chatbot/documents/urls/": {"json": {"urls": ["https://example.com/"]}},
    "POST /api/chatbot/imports/": {"json": {"name": "Archive"}},
    "POST /api/chatbot/connectors/": {"json": {"name": "None", "kind": "nonsense", "settings": {}}},
    "PATCH /api/chatbot/connectors/{connector_id}/": {"json": {"name": "Changed"}},
    "POST /api/chatbot/connectors/{connector_id}/sync/": {"json": {}},
    "GET /api/chatbot/documents/{document_id}/pages/{page_number}/places/": {"params": {"text": "discount"}},
    "POST /api/search": {"json": {"query": "discount"}},
    "POST /api/search/batch": {"json": {"queries": [{"query": "discount"}]}},
    "GET /api/search/hybrid/{chatbot_id}": {"params": {"q": "discount"}},
    "POST /api/search/{search_id}/click": {"json": {"rank": 1}},
    "POST /api/search/{search_id}/rating": {"json": {"rating": "up"}},
    "POST /api/chatbot/messages/{message_id}/feedback/": {"json": {"rating": "up"}},
    "PATCH /api/chatbot/messages/{message_id}/feedback/": {"json": {"comment": "Changed"}},
    "POST /api/chatbot/feedback/{feedback_id}/accept-correction/": {"json": {"answer": "19 percent."}},
    "POST /api/chatbot/reports/improvement/": {"json": {}},
    "POST /api/chatbots/": {"json": {"name": "Another"}},
    "PATCH /api/chatbots/{chatbot_id}/": {"json": {"name": "Changed"}},
    "POST /api/keys/": {"json": {"name": "another"}},
    "PATCH /api/keys/{key_id}/": {"json": {"name": "changed"}},
    "POST /api/keys/{key_id}/rotate/": {"json": {"grace_hours": 1}},
    "POST /api/service-accounts/": {"json": {"name": "another"}},
    "PATCH /api/service-accounts/{service_account_id}/": {"json": {"description": "Changed."}},
    "PUT /api/chatbots/{chatbot_id}/members/{member_id}/": {"json": {"role": "agent"}},
    "POST /api/chatbots/{chatbot_id}/widget-keys/": {"json": {"name": "shop", "origins": [SITE]}},
    "PATCH /api/chatbots/{chatbot_id}/widget-keys/{widget_key_id}/": {"json": {"name": "changed"}},
    "POST /api/widget/tokens/": {"json": {"key": "dgw_nobodys"}},
    "GET /api/widget/settings/": {"params": {"key": "dgw_nobodys"}},
    "POST /api/chatbots/{chatbot_id}/prompts/": {"json": {"text": "Say {{ unknown }}"}},
    "PUT /api/chatbots/{chatbot_id}/prompts/used/": {"json": {"version": 0}},
    "POST /api/chatbots/{chatbot_id}/prompts/preview/": {"json": {"text": "Say {{ unknown }}"}},
    "POST /v1/chat/completions": {"json": {"model": "dragoman", "messages": [{"role": "user", "content": "What?"}]}},
    "POST /v1/embeddings": {"json": {"model": "dragoman", "input": "lamps"}},
    "POST /api/alerts/rules/": {"json": {"name": "Another", "signal": "spent_usd", "threshold": 9}},
    "PATCH /api/alerts/rules/{rule_id}/": {"json": {"threshold": 9, "clears_at": 8}},
    "PUT /api/alerts/rules/{rule_id}/silence/": {"json": {"minutes": 5}},
    "POST /api/alerts/channels/": {"json": {"url": "http://127.0.0.1:9/other"}},
    "POST /api/privacy/requests/": {"json": {"kind": "export", "subject_kind": "external", "subject_id": "nobody"}},
    "PUT /api/audit/retention/": {"json": {"keep_days": 365}},
    "PUT /api/limits/": {"json": {"messages_per_minute": 30}},
    "PUT /api/budgets/": {"json": {"scope": "tenant", "period": "day", "limit_usd": 5}},
    "POST /api/auth/sign-in/": {"json": {"email": "nobody@example.com", "password": "x", "cookie": False}},
    "POST /api/auth/refresh/": {"json": {"refresh_token": "dgr_nonsense"}},
    "POST /api/auth/sign-out/": {"json": {"refresh_token": "dgr_nonsense"}},
    "POST /api/auth/set-password/": {"json": {"token": "dgl_nonsense", "password": "violet anchors drift"}},
    "POST /api/auth/password-reset/": {"json": {"email": "nobody@example.com"}},
    "POST /api/auth/password/": {"json": {"current_password": "x", "new_password": "violet anchors drift"}},
    "PATCH /api/auth/me/": {"json": {"display_name": "Ada"}},
    "PUT /api/single-sign-on/": {"json": {"issuer": "http://localhost:9/", "client_id": "dragoman"}},
    "POST /api/users/": {"json": {"email": "somebody@example.com"}},
    "PATCH /api/users/{user_id}/": {"json": {"display_name": "Changed"}},
    "POST /api/users/invitations/": {"json": {"email": "somebody.else@example.com"}},
}

# For each operation what each role gets: owner, admin, editor, agent, member.
_ALL_200, _ALL_201 = (200,) * 5, (201,) * 5
_READERS_200 = (200, 200, 200, 200, 403)  # those who may read feedback
_ADMINS_200, _ADMINS_201, _ADMINS_204 = ((status, status, 403, 403, 403) for status in (200, 201, 204))


def _managers(status: int) -> tuple[int, ...]:
    """For what needs the permission to manage documents."""
    return (status, status, status, 403, 403)


EXPECTED: dict[str, tuple[int, ...]] = {
    "POST /api/chatbot/sessions/": _ALL_201,
    "GET /api/chatbot/sessions/": _ALL_200,
    "GET /api/chatbot/sessions/{session_id}/": _ALL_200,
    "PATCH /api/chatbot/sessions/{session_id}/": _ALL_200,
    "DELETE /api/chatbot/sessions/{session_id}/": (204,) * 5,
    "GET /api/chatbot/sessions/{session_id}/messages/": _ALL_200,
    "POST /api/chatbot/sessions/{session_id}/messages/": _ALL_200,
    "POST /api/chatbot/sessions/{session_id}/messages/stream/": _ALL_200,
    "POST /api/chatbot/sessions/{session_id}/messages/{message_id}/select/": _ALL_200,
    "POST /api/chatbot/sessions/{session_id}/messages/{message_id}/regenerate/": _ALL_200,
    "POST /api/chatbot/sessions/{session_id}/messages/{message_id}/regenerate/stream/": _ALL_200,
    "GET /api/chatbot/sessions/{session_id}/messages/{message_id}/stream/": _ALL_200,
    "POST /api/chatbot/sessions/{session_id}/messages/{message_id}/cancel/": _ALL_200,
    "GET /api/chatbot/sessions/{session_id}/export/": _ALL_200,
    "GET /api/chatbot/documents/": _ALL_200,
    "GET /api/chatbot/documents/{document_id}/": _ALL_200,
    "GET /api/chatbot/documents/{document_id}/status/": _ALL_200,
    "POST /api/chatbot/documents/": (202, 202, 202, 403, 403),
    "DELETE /api/chatbot/documents/{document_id}/": _managers(204),
    "GET /api/chatbot/documents/events/": _ALL_200,
    "POST /api/chatbot/documents/batch/": _managers(202),
    "POST /api/chatbot/documents/urls/": _managers(202),
    "POST /api/upload-training-data": _managers(202),
    "GET /api/training-data/{chatbot_id}": _ALL_200,
    "PUT /api/chatbot/documents/{document_id}/": _managers(202),
    "PATCH /api/chatbot/documents/{document_id}/": _managers(200),
    "GET /api/chatbot/documents/{document_id}/content/": _ALL_200,
    "GET /api/chatbot/documents/{document_id}/versions/": _ALL_200,
    "POST /api/chatbot/documents/{document_id}/versions/{version}/restore/": _managers(202),
    "POST /api/chatbot/documents/{document_id}/reprocess/": _managers(202),
    # The document is ready: there is nothing to cancel, to try again or to decide.
    "POST /api/chatbot/documents/{document_id}/cancel/": _managers(409),
    "POST /api/chatbot/documents/{document_id}/retry/": _managers(409),
    "POST /api/chatbot/documents/{document_id}/approve/": _managers(409),
    "POST /api/chatbot/documents/{document_id}/reject/": _managers(409),
    "GET /api/chatbot/documents/{document_id}/quality/": _ALL_200,
    "GET /api/chatbot/documents/{document_id}/chunks/": _ALL_200,
    "GET /api/chatbot/documents/{document_id}/pages/{page_number}/": _ALL_200,
    "GET /api/chatbot/documents/{document_id}/pages/{page_number}/image/": (404,) * 5,  # it is no PDF
    "GET /api/chatbot/documents/{document_id}/pages/{page_number}/places/": (404,) * 5,
    "GET /api/chatbot/documents/{document_id}/images/{image_id}/": (404,) * 5,  # it has none
    "GET /api/chatbot/documents/{document_id}/history/": _managers(200),
    "POST /api/chatbot/imports/": _managers(201),
    "GET /api/chatbot/imports/": _managers(200),
    "GET /api/chatbot/imports/{import_id}/": _managers(200),
    "POST /api/chatbot/imports/{import_id}/pause/": _managers(200),
    "POST /api/chatbot/imports/{import_id}/resume/": _managers(200),
    "POST /api/chatbot/imports/{import_id}/cancel/": _managers(200),
    "POST /api/chatbot/imports/{import_id}/retry-failed/": _managers(200),
    "GET /api/jobs/": _managers(200),
    "POST /api/jobs/{job_id}/retry/": _managers(409),
    "POST /api/jobs/{job_id}/cancel/": _managers(409),
    "GET /api/chatbot/connectors/": _managers(200),
    "POST /api/chatbot/connectors/": _managers(422),  # there is no such kind
    "GET /api/chatbot/connectors/{connector_id}/": _managers(200),
    "PATCH /api/chatbot/connectors/{connector_id}/": _managers(200),
    "DELETE /api/chatbot/connectors/{connector_id}/": _managers(204),
    "POST /api/chatbot/connectors/{connector_id}/sync/": _managers(202),
    "GET /api/chatbot/connectors/{connector_id}/syncs/": _managers(200),
    "GET /api/chatbot/connectors/{connector_id}/syncs/{sync_id}/": _managers(200),
    "GET /api/chatbot/connectors/{connector_id}/items/": _managers(200),
    "POST /api/search": _ALL_200,
    "POST /api/search/batch": _ALL_200,
    "GET /api/search/hybrid/{chatbot_id}": _ALL_200,
    "GET /api/search/analytics/{chatbot_id}": _managers(200),
    "GET /api/search/rerankers": _managers(200),
    "POST /api/search/{search_id}/click": (204,) * 5,
    "POST /api/search/{search_id}/rating": (204,) * 5,
    "POST /api/chatbot/messages/{message_id}/feedback/": _ALL_200,  # it replaces one
    "GET /api/chatbot/messages/{message_id}/feedback/": _ALL_200,
    "PATCH /api/chatbot/messages/{message_id}/feedback/": _ALL_200,
    "DELETE /api/chatbot/messages/{message_id}/feedback/": (204,) * 5,
    "GET /api/chatbot/feedback/": _READERS_200,
    "GET /api/chatbot/feedback/export/": _READERS_200,
    "GET /api/chatbot/analytics/feedback/": _READERS_200,
    "POST /api/chatbot/feedback/{feedback_id}/accept-correction/": _managers(202),
    "POST /api/chatbot/feedback/{feedback_id}/reject-correction/": _managers(200),
    "POST /api/chatbot/reports/improvement/": (202, 202, 202, 202, 403),
    "GET /api/chatbot/reports/": _READERS_200,
    "GET /api/chatbot/reports/{report_id}/": _READERS_200,
    "GET /api/chatbots/": _ALL_200,
    "GET /api/chatbots/{chatbot_id}/": _ALL_200,
    "POST /api/chatbots/": _ADMINS_201,
    "PATCH /api/chatbots/{chatbot_id}/": _ADMINS_200,
    "DELETE /api/chatbots/{chatbot_id}/": _ADMINS_204,
    "GET /api/chatbots/{chatbot_id}/suggestions/": _ALL_200,
    "GET /api/chatbots/{chatbot_id}/prompts/": _ADMINS_200,
    "POST /api/chatbots/{chatbot_id}/prompts/": _ADMINS_201,
    "PUT /api/chatbots/{chatbot_id}/prompts/used/": _ADMINS_204,
    "POST /api/chatbots/{chatbot_id}/prompts/preview/": _ADMINS_200,
    "GET /api/chatbots/{chatbot_id}/prompts/{prompt_version}/": (404, 404, 403, 403, 403),  # it has none
    "GET /api/adapters/": _managers(200),
    "GET /api/keys/": _ADMINS_200,
    "POST /api/keys/": _ADMINS_201,
    "PATCH /api/keys/{key_id}/": _ADMINS_200,
    "POST /api/keys/{key_id}/rotate/": _ADMINS_200,
    "DELETE /api/keys/{key_id}/": _ADMINS_200,
    "GET /api/analytics/{chatbot_id}": (200, 200, 200, 200, 403),
    "GET /api/metrics/system": _ADMINS_200,
    "GET /api/metrics/database": _ADMINS_200,
    "GET /api/metrics/search": _ADMINS_200,
    "GET /api/alerts": _ADMINS_200,
    "GET /api/alerts/history/": _ADMINS_200,
    "POST /api/alerts/{alert_id}/acknowledge/": _ADMINS_200,
    "GET /api/alerts/rules/": _ADMINS_200,
    "POST /api/alerts/rules/": _ADMINS_201,
    "PATCH /api/alerts/rules/{rule_id}/": _ADMINS_200,
    "DELETE /api/alerts/rules/{rule_id}/": _ADMINS_204,
    "PUT /api/alerts/rules/{rule_id}/silence/": _ADMINS_200,
    "DELETE /api/alerts/rules/{rule_id}/silence/": _ADMINS_204,
    "GET /api/alerts/channels/": _ADMINS_200,
    "POST /api/alerts/channels/": _ADMINS_201,
    "DELETE /api/alerts/channels/{channel_id}/": _ADMINS_204,
    "POST /api/alerts/channels/{channel_id}/test/": (202, 202, 403, 403, 403),
    "GET /api/limits/": _ADMINS_200,
    "PUT /api/limits/": _ADMINS_200,
    "GET /api/service-accounts/": _ADMINS_200,
    "POST /api/service-accounts/": _ADMINS_201,
    "GET /api/service-accounts/{service_account_id}/": _ADMINS_200,
    "PATCH /api/service-accounts/{service_account_id}/": _ADMINS_200,
    "DELETE /api/service-accounts/{service_account_id}/": _ADMINS_204,
    "GET /api/chatbots/{chatbot_id}/members/": _ADMINS_200,
    "PUT /api/chatbots/{chatbot_id}/members/{member_id}/": _ADMINS_200,
    "DELETE /api/chatbots/{chatbot_id}/members/{member_id}/": _ADMINS_204,
    "GET /api/chatbots/{chatbot_id}/widget-keys/": _ADMINS_200,
    "POST /api/chatbots/{chatbot_id}/widget-keys/": _ADMINS_201,
    "PATCH /api/chatbots/{chatbot_id}/widget-keys/{widget_key_id}/": _ADMINS_200,
    "DELETE /api/chatbots/{chatbot_id}/widget-keys/{widget_key_id}/": _ADMINS_200,
    "POST /api/widget/tokens/": (401,) * 5,  # the widget's key is its own permission, and this one nobody made
    "GET /api/widget/settings/": (401,) * 5,
    "GET /api/usage/": _ADMINS_200,
    "GET /api/budgets/": _ADMINS_200,
    "PUT /api/budgets/": _ADMINS_200,
    "DELETE /api/budgets/{budget_id}/": _ADMINS_204,
    "POST /v1/chat/completions": _ALL_200,
    "POST /v1/embeddings": _ALL_200,
    "GET /v1/models": _ALL_200,
    "GET /v1/models/{model}": _ALL_200,
    "POST /api/privacy/requests/": (202, 202, 403, 403, 403),
    "GET /api/privacy/requests/": _ADMINS_200,
    "GET /api/privacy/requests/{privacy_request_id}/": _ADMINS_200,
    "GET /api/privacy/requests/{privacy_request_id}/archive/": _ADMINS_200,
    "DELETE /api/privacy/requests/{privacy_request_id}/archive/": _ADMINS_204,
    "GET /api/audit/": _ADMINS_200,
    "GET /api/audit/export/": _ADMINS_200,
    "GET /api/audit/head/": _ADMINS_200,
    "GET /api/audit/verify/": _ADMINS_200,
    "GET /api/audit/retention/": _ADMINS_200,
    "PUT /api/audit/retention/": _ADMINS_200,
    "POST /api/auth/sign-in/": (401,) * 5,  # nobody has this address
    "POST /api/auth/refresh/": (401,) * 5,  # there is no such token
    "POST /api/auth/sign-out/": (401,) * 5,
    "POST /api/auth/set-password/": (410,) * 5,  # there is no such link
    "POST /api/auth/password-reset/": (202,) * 5,
    "POST /api/auth/password/": (401,) * 5,  # that is not the present password
    "GET /api/auth/me/": _ALL_200,
    "PATCH /api/auth/me/": _ALL_200,
    "GET /api/auth/sign-ins/": _ALL_200,
    "DELETE /api/auth/sign-ins/{sign_in_id}/": (204,) * 5,
    "GET /.well-known/jwks.json": _ALL_200,
    "GET /api/single-sign-on/": (404, 404, 403, 403, 403),  # none is set up yet
    "PUT /api/single-sign-on/": _ADMINS_200,
    "DELETE /api/single-sign-on/": _ADMINS_204,
    # Owner and admin have set one up by then, which is in a private network.
    "GET /api/auth/single-sign-on/{tenant_id}/start/": (502, 502, 404, 404, 404),  # owners have set up one that is away
    "GET /api/auth/single-sign-on/callback/": (403,) * 5,  # nobody has begun
    "GET /api/auth/single-sign-on/": _ALL_200,
    "POST /api/users/": _ADMINS_201,
    "GET /api/users/": _ADMINS_200,
    "GET /api/users/{user_id}/": _ADMINS_200,
    "PATCH /api/users/{user_id}/": _ADMINS_200,
    "DELETE /api/users/{user_id}/": _ADMINS_204,
    "POST /api/users/invitations/": _ADMINS_201,
    "GET /api/users/invitations/": _ADMINS_200,
    "DELETE /api/users/invitations/{invitation_id}/": _ADMINS_204,
    "GET /healthz": _ALL_200,
    "GET /readyz": _ALL_200,
    "GET /metrics": _ALL_200,
}
OPEN_BY_THEIR_BODY = {
    "POST /api/widget/tokens/": "tenancy.unknown_widget_key",
    "GET /api/widget/settings/": "tenancy.unknown_widget_key",
}
"""Who calls these shows in the body or the query what it may: with the error for what nobody made."""
FOR_ANY_CALLER = {
    "GET /api/auth/me/",
    "PATCH /api/auth/me/",
    "GET /api/auth/sign-ins/",
    "DELETE /api/auth/sign-ins/{sign_in_id}/",
    "POST /api/auth/password/",
}
"""These take `AnyCaller`: whoever shows who he is may do them, for himself."""
STRICTER = {
    "POST /api/chatbot/documents/",
    "DELETE /api/chatbot/documents/{document_id}/",
    "POST /api/chatbot/documents/batch/",
    "POST /api/chatbot/documents/urls/",
    "POST /api/upload-training-data",
    "PUT /api/chatbot/documents/{document_id}/",
    "PATCH /api/chatbot/documents/{document_id}/",
    "POST /api/chatbot/documents/{document_id}/versions/{version}/restore/",
    "POST /api/chatbot/documents/{document_id}/reprocess/",
    "POST /api/chatbot/documents/{document_id}/cancel/",
    "POST /api/chatbot/documents/{document_id}/retry/",
    "GET /api/chatbot/documents/{document_id}/history/",
}
"""These also ask whose document it is: a shared one is for those who manage documents."""
FOR_USERS = {
    "GET /api/auth/sign-ins/": 403,
    "DELETE /api/auth/sign-ins/{sign_in_id}/": 404,
    "POST /api/auth/password/": 403,
    "PATCH /api/auth/me/": 403,
}
"""Of these, those that mean nothing to who is no user (a machine, a visitor, a key of nobody), and what they say."""
OF_THE_TENANT = {
    "GET /api/adapters/",
    "GET /api/search/rerankers",
    "GET /api/chatbot/imports/",
    "GET /api/jobs/",
    "GET /api/chatbot/connectors/",
    "POST /api/chatbots/",
    "GET /api/chatbot/feedback/",
    "GET /api/chatbot/feedback/export/",
    "GET /api/chatbot/analytics/feedback/",
    "GET /api/chatbot/reports/",
    "POST /api/chatbot/reports/improvement/",
}
"""These need a permission that a role on a chatbot gives, and are about no chatbot as long as the request names none."""
OPEN_TO_ALL = {
    "GET /healthz",
    "GET /readyz",
    "GET /metrics",
    "GET /.well-known/jwks.json",
    "GET /api/auth/single-sign-on/",
}
# Whoever has no key yet proves something else here: a password, a token, a link. What they get without it.
OPEN_TO_PROOF = {
    "POST /api/auth/sign-in/": (401, "accounts.wrong_credentials"),
    "POST /api/auth/refresh/": (401, "accounts.invalid_refresh_token"),
    "POST /api/auth/sign-out/": (401, "accounts.invalid_refresh_token"),
    "POST /api/auth/set-password/": (410, "accounts.invalid_link"),
    "POST /api/auth/password-reset/": (202, ""),
    "GET /api/auth/single-sign-on/{tenant_id}/start/": (404, "accounts.single_sign_on_not_found"),
    "GET /api/auth/single-sign-on/callback/": (403, "accounts.single_sign_on_refused"),
}
ROLES = ("owner", "admin", "editor", "agent", "member")
OTHERS = ("visitor", "key with one scope", "editor elsewhere", "editor here", "confined key")
"""Callers whose rights follow from the table: see `_expected`. The last three are members of the tenant."""
SCOPE = Permission.READ_DOCUMENTS


def _declared(service: Any) -> dict[str, Permission]:
    """What the signature of each operation asks for."""
    declared = reference.permissions_by_operation()
    names = {operation.name: (operation.method, operation.path) for operation in _operations(service)}
    return {name: Permission(declared[place]) for name, place in names.items() if place in declared}


def _expected(operation: Operation, who: str, needed: Permission | None) -> int:
    """The status that this caller gets, when the ids are of what it sees."""
    row = dict(zip(ROLES, EXPECTED[operation.name], strict=True))
    if who in OTHERS and operation.name in FOR_USERS:
        return FOR_USERS[operation.name]
    if who in row or needed is None:
        return row.get(who, row["member"])
    if who == "visitor":
        return row["member"] if needed in access.VISITOR_PERMISSIONS else 403
    if who == "key with one scope":
        return row["owner"] if needed is SCOPE else 403
    if who == "editor here" and needed in access.CHATBOT_PERMISSIONS and operation.name not in OF_THE_TENANT:
        return row["editor"]
    return row["member"] if who != "confined key" or needed in access.CHATBOT_PERMISSIONS else 403


def _body_of(operation: Operation) -> dict[str, Any]:
    """As in the table; who signs in is somebody else each time, for only so many may try one address."""
    body = BODIES.get(operation.name, {})
    if operation.name == "POST /api/auth/sign-in/":
        return {"json": {**body["json"], "email": f"{uuid4().hex}@example.com"}}
    return body


def _code(answer: Any) -> str:
    """The code of an error, in our shape or in OpenAI's."""
    body = answer.json()
    code: str = body["error"]["code"] if "error" in body else body["code"]
    return code


def test_each_operation_has_a_row_in_the_table_of_roles(service: Any) -> None:
    names = {operation.name for operation in _operations(service)}
    assert names == set(EXPECTED), "Add new operations to EXPECTED (and to BODIES, where they take one)."


async def test_another_tenant_gets_404_on_every_id_and_changes_nothing(
    service: Any, company: Any, other_company: Any, foreign: Foreign
) -> None:
    before = await _everything(service, company)
    asked = 0
    for operation in _operations(service):
        if not operation.parameters:
            continue
        answer = await other_company.api().request(
            operation.method, operation.address(foreign), **BODIES.get(operation.name, {})
        )
        assert answer.status_code == 404, f"{operation.name}: {answer.status_code} {answer.text}"
        assert _code(answer).endswith("not_found")
        asked += 1
    assert asked >= 40
    assert await _everything(service, company) == before


async def test_another_tenant_gets_404_for_ids_in_bodies_and_queries(other_company: Any, foreign: Foreign) -> None:
    api = other_company.api()
    note = {"file": ("note.txt", b"A note.")}
    question = BODIES["POST /v1/chat/completions"]["json"]
    requests: dict[str, Awaitable[Any]] = {
        "session of a chatbot": api.post("/api/chatbot/sessions/", json={"chatbot_id": foreign.chatbot_id}),
        "session over documents": api.post("/api/chatbot/sessions/", json={"document_ids": [foreign.document_id]}),
        "search a chatbot": api.post("/api/search", json={"query": "discount", "chatbot_id": foreign.chatbot_id}),
        "upload": api.post("/api/chatbot/documents/", files=note, data={"chatbot_id": foreign.chatbot_id}),
        "documents": api.get("/api/chatbot/documents/", params={"chatbot_id": foreign.chatbot_id}),
        "key": api.post("/api/keys/", json={"name": "k", "chatbot_id": foreign.chatbot_id}),
        "completion": api.post("/v1/chat/completions", json={**question, "model": foreign.model}),
        "completion in a session": api.post(
            "/v1/chat/completions", json={**question, "dragoman": {"session_id": foreign.session_id}}
        ),
        "completion over documents": api.post(
            "/v1/chat/completions", json={**question, "dragoman": {"document_ids": [foreign.document_id]}}
        ),
        "embedding": api.post("/v1/embeddings", json={"model": foreign.model, "input": "lamps"}),
    }
    for name, request in requests.items():
        assert (await request).status_code == 404, name
    found = await api.post("/api/search", json={"query": "discount", "document_ids": [foreign.document_id]})
    assert (found.status_code, found.json()["results"]) == (200, [])
    batch = await api.post(
        "/api/search/batch", json={"queries": [{"query": "discount", "chatbot_id": foreign.chatbot_id}]}
    )
    assert batch.json()["results"][0]["error"]["status"] == 404
    in_session = {"query": "discount", "session_id": foreign.session_id}
    assert (await api.post("/api/search", json=in_session)).status_code == 404
    sessions = await api.get("/api/chatbot/sessions/", params={"chatbot_id": foreign.chatbot_id})
    assert sessions.json()["total"] == 0


async def test_lists_searches_and_answers_show_nothing_of_another_tenant(other_company: Any, foreign: Foreign) -> None:
    for path, name in (
        ("/api/chatbot/documents/", "documents"),
        ("/api/chatbot/sessions/", "sessions"),
        ("/api/chatbots/", "chatbots"),
        ("/api/keys/", "keys"),
    ):
        listed = (await other_company.api().get(path)).json()
        ids = {item["id"] for item in listed[name]}
        assert not ids & set(vars(foreign).values()), name
    assert (await other_company.search("discount for gold partners"))["results"] == []
    assert not (await other_company.ask("What discount do gold partners receive?"))["answered"]


def test_each_operation_declares_in_its_signature_what_it_needs(service: Any) -> None:
    declared = _declared(service)
    assert set(declared) == set(EXPECTED) - OPEN_TO_ALL - {*OPEN_BY_THEIR_BODY, *OPEN_TO_PROOF} - FOR_ANY_CALLER, (
        "An operation takes its caller as `CallerWho…`, or stands in the list of those that are open."
    )
    for name, permission in declared.items():
        for role, status in zip(ROLES, EXPECTED[name], strict=True):
            has_it = permission in access.PERMISSIONS[Role(role)]
            assert status == 403 or has_it, f"{role} may do {name} without {permission.value}"
            assert status != 403 or not has_it or name in STRICTER, f"{role} may not do {name} with {permission.value}"


async def _with_others(service: Any, company: Any) -> Any:
    """The company with a key, or token, for each of `OTHERS`; they are about its default chatbot."""
    api, chatbot_id = company.api(), str(company.chatbot_id)
    secrets = dict(company.secrets)
    elsewhere = (await api.post("/api/chatbots/", json={"name": "Elsewhere"})).json()["id"]
    for who, place in (("editor elsewhere", elsewhere), ("editor here", chatbot_id)):
        account = await _member(company, place, await _machine(company, who), "editor")
        made = await api.post("/api/keys/", json={"name": who, "service_account_id": account})
        secrets[who] = made.json()["api_key"]
    scoped = {"name": "scoped", "role": "owner", "scopes": [SCOPE.value]}
    secrets["key with one scope"] = (await api.post("/api/keys/", json=scoped)).json()["api_key"]
    confined = {"name": "confined", "chatbot_id": chatbot_id, "confined": True}
    secrets["confined key"] = (await api.post("/api/keys/", json=confined)).json()["api_key"]
    widget = {"key": (await _widget_key(company, chatbot_id))["public_key"]}
    token = await service.client(Origin=SITE).post("/api/widget/tokens/", json=widget)
    secrets["visitor"] = token.json()["token"]
    return replace(company, secrets=secrets)


async def _spare(company: Any, named: set[str], chatbot_id: str, *, who: str) -> dict[str, str]:
    """A new one of each thing that an operation's path names and that the operation may use up, by its parameter.

    Args:
        named: the parameters of the path. What none of them is about is not made: there are hundreds of operations.
        chatbot_id: where members and keys of widgets belong.
        who: opens sessions, asks and judges.
    """
    made: dict[str, str] = {}
    if named & {"session_id", "message_id", "feedback_id"}:
        made["session_id"] = await company.open_session(who)
    if named & {"message_id", "feedback_id"}:
        made["message_id"] = (await company.ask("What?", who=who, session_id=made["session_id"]))["id"]
        made["feedback_id"] = await _feedback(company, made["message_id"], who=who)
    if named & {"rule_id", "alert_id"}:
        made["rule_id"] = await _alert_rule(company)
    if "alert_id" in named:
        made["alert_id"] = await _alert(company, made["rule_id"])
    if named & {"service_account_id", "member_id"}:
        made["service_account_id"] = await _machine(company, f"spare {new_id().hex}")
    if "member_id" in named:
        made["member_id"] = await _member(company, chatbot_id, made["service_account_id"])
    if "key_id" in named:
        made["key_id"] = (await company.api().post("/api/keys/", json={"name": "spare"})).json()["id"]
    if "widget_key_id" in named:
        made["widget_key_id"] = (await _widget_key(company, chatbot_id))["id"]
    makers = {
        "import_id": _import,
        "budget_id": _budget,
        "channel_id": _alert_channel,
        "report_id": _report,
        "user_id": _user,
        "invitation_id": _invitation,
    }
    return made | {parameter: await make(company) for parameter, make in makers.items() if parameter in named}


@pytest.mark.parametrize("role", [*ROLES, *OTHERS])
async def test_each_caller_may_do_what_the_table_says(
    service: Any, company: Any, files_to_sync: Path, role: str
) -> None:
    declared = _declared(service)
    if role in OTHERS:
        company = await _with_others(service, company)
    asker = "owner" if role == "key with one scope" else role
    document = await company.know()
    status = (await company.api().get(f"/api/chatbot/documents/{document['id']}/status/")).json()
    connector_id, sync_id = await _connector(company, files_to_sync)
    await service.run_jobs(kind="connectors.sync")
    api = company.api(role)
    lasting = replace(
        NOTHING,
        document_id=document["id"],
        job_id=status["job_id"],
        connector_id=connector_id,
        sync_id=sync_id,
        search_id=await _search(company, who=asker),
        tenant_id=str(company.tenant_id),
        privacy_request_id=await _export(company),
    )
    for operation in sorted(_operations(service), key=lambda operation: operation.method == "DELETE"):
        named = {*operation.parameters}
        chatbot_id = str(company.chatbot_id)  # nobody among the others may delete or change it
        if role in ROLES and "chatbot_id" in named:
            chatbot_id = (await company.api().post("/api/chatbots/", json={"name": "Spare"})).json()["id"]
        ids = replace(lasting, chatbot_id=chatbot_id, **await _spare(company, named, chatbot_id, who=asker))
        if role in ROLES and "sign_in_id" in named:
            ids = replace(ids, sign_in_id=await _sign_in(company, who=role))
        answer = await api.request(operation.method, operation.address(ids), **_body_of(operation))
        await service.run_jobs(kind="ingestion.ingest_document")
        expected = _expected(operation, role, declared.get(operation.name))
        assert answer.status_code == expected, f"{operation.name}: {answer.text}"


async def test_without_a_key_every_operation_but_those_of_the_operator_is_401(service: Any, foreign: Foreign) -> None:
    api = service.client()
    for operation in _operations(service):
        answer = await api.request(operation.method, operation.address(foreign), **_body_of(operation))
        if operation.name in OPEN_TO_PROOF:
            code = _code(answer) if answer.status_code >= 400 else ""
            assert (answer.status_code, code) == OPEN_TO_PROOF[operation.name], f"{operation.name}: {answer.text}"
            continue
        expected = 200 if operation.name in OPEN_TO_ALL else 401
        assert answer.status_code == expected, f"{operation.name}: {answer.text}"
        if expected == 401:
            assert _code(answer) == OPEN_BY_THEIR_BODY.get(operation.name, "tenancy.missing_key")
            assert answer.headers["www-authenticate"] == "Bearer"


# ---- people of one tenant


async def test_a_member_gets_404_on_another_members_session(company: Any) -> None:
    session_id = await company.open_session("member")
    answer = await company.ask("Is this private?", who="member", session_id=session_id)
    stranger = company.api("second_member")
    for method, path, body in (
        ("GET", "", None),
        ("PATCH", "", {"title": "Mine"}),
        ("DELETE", "", None),
        ("GET", "messages/", None),
        ("POST", "messages/", {"message": "What?"}),
        ("POST", "messages/stream/", {"message": "What?"}),
        ("GET", "export/", None),
        ("POST", f"messages/{answer['id']}/select/", None),
        ("POST", f"messages/{answer['id']}/regenerate/", None),
        ("POST", f"messages/{answer['id']}/regenerate/stream/", None),
        ("GET", f"messages/{answer['id']}/stream/", None),
        ("POST", f"messages/{answer['id']}/cancel/", None),
    ):
        answer = await stranger.request(method, f"/api/chatbot/sessions/{session_id}/{path}", json=body)
        assert (answer.status_code, answer.json()["code"]) == (404, "chat.session_not_found"), f"{method} {path}"
    assert (await stranger.get("/api/chatbot/sessions/")).json()["total"] == 0
    assert (await company.api("member").get("/api/chatbot/sessions/")).json()["total"] == 1


@pytest.mark.parametrize(("role", "status"), [("owner", 200), ("admin", 200), ("agent", 200), ("editor", 404)])
async def test_only_roles_that_read_all_sessions_see_those_of_others(company: Any, role: str, status: int) -> None:
    session_id = await company.open_session("member")
    assert (await company.api(role).get(f"/api/chatbot/sessions/{session_id}/messages/")).status_code == status


async def test_a_private_document_cannot_be_chosen_for_a_session_by_others(company: Any) -> None:
    document = await company.know(who="member", visibility="private")
    body = {"document_ids": [document["id"]]}
    assert (await company.api("second_member").post("/api/chatbot/sessions/", json=body)).status_code == 404
    assert (await company.api("member").post("/api/chatbot/sessions/", json=body)).status_code == 201


# ---- keys


async def test_both_headers_open_the_door(service: Any, company: Any) -> None:
    for headers in (
        {"X-API-Key": company.secrets["member"]},
        {"Authorization": f"Bearer {company.secrets['member']}"},
        {"Authorization": f"bearer {company.secrets['member']}"},
    ):
        assert (await service.client().get("/api/chatbots/", headers=headers)).status_code == 200


@pytest.mark.parametrize("secret", ["nonsense", "dgm_unknown", "dgm_üñï", "dgm_", "' or 1=1 --"])
async def test_a_key_that_nobody_made_is_401(service: Any, secret: str) -> None:
    answer = await service.client().get("/api/chatbots/", headers={"X-API-Key": secret.encode()})
    assert (answer.status_code, answer.json()["code"]) == (401, "tenancy.invalid_key")


async def test_a_new_key_is_shown_once_works_at_once_and_a_revoked_one_no_more(service: Any, company: Any) -> None:
    made = (await company.api().post("/api/keys/", json={"name": "shop"})).json()
    assert made["api_key"].startswith(made["prefix"])
    listed = (await company.api().get("/api/keys/")).text
    assert made["api_key"] not in listed
    assert made["prefix"] in listed
    client = service.client(made["api_key"])
    assert (await client.get("/api/chatbots/")).status_code == 200
    revoked = await company.api().delete(f"/api/keys/{made['id']}/")
    assert revoked.json()["revoked_at"] is not None
    refused = await client.get("/api/chatbots/")
    assert (refused.status_code, refused.json()["code"]) == (401, "tenancy.revoked_key")
    again = await company.api().delete(f"/api/keys/{made['id']}/")
    assert again.json()["revoked_at"] == revoked.json()["revoked_at"]


async def test_an_expired_key_is_401(service: Any, company: Any) -> None:
    expires_at = now() + timedelta(seconds=1)
    body = {"name": "short", "expires_at": expires_at.isoformat()}
    client = service.client((await company.api().post("/api/keys/", json=body)).json()["api_key"])
    assert (await client.get("/api/chatbots/")).status_code == 200
    await asyncio.sleep((expires_at - now()).total_seconds() + 0.05)
    refused = await client.get("/api/chatbots/")
    assert (refused.status_code, refused.json()["code"]) == (401, "tenancy.expired_key")


async def test_a_key_that_another_process_revoked_opens_nothing_after_two_seconds(service: Any, company: Any) -> None:
    made = (await company.api().post("/api/keys/", json={"name": "lost"})).json()
    client = service.client(made["api_key"])
    assert (await client.get("/api/chatbots/")).status_code == 200
    async with service.deps.database.transaction(company.tenant_id) as connection:
        await connection.execute(text("update api_keys set revoked_at = now() where id = :id"), {"id": made["id"]})
    revoked = time.monotonic()
    while (await client.get("/api/chatbots/")).status_code == 200:
        assert time.monotonic() - revoked < 2.5
        await asyncio.sleep(0.05)
    refused = await client.post("/api/search", json={"query": "anything"})
    assert (refused.status_code, refused.json()["code"]) == (401, "tenancy.revoked_key")


async def test_a_key_in_use_is_looked_up_again_while_no_request_waits_for_that(
    service: Any, company: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    looked_up: list[float] = []
    look_up = access._caller_by_key

    async def slowly(*looked_for: Any) -> Any:
        looked_up.append(time.monotonic())
        if len(looked_up) > 1:
            await asyncio.sleep(0.2)
        return await look_up(*looked_for)

    monkeypatch.setattr(access, "_caller_by_key", slowly)
    secret = (await company.api().post("/api/keys/", json={"name": "busy"})).json()["api_key"]
    looked_up.clear()
    waited_s: list[float] = []
    while len(looked_up) < 3:
        begun = time.monotonic()
        await access.authenticate(service.deps.database, secret)
        waited_s.append(time.monotonic() - begun)
        await asyncio.sleep(0.02)
    assert looked_up[1] - looked_up[0] > 1.4
    assert max(waited_s[1:]) < 0.15  # the second and the third look-up took 0.2 s


async def test_a_key_that_is_found_revoked_meanwhile_opens_nothing_from_then_on(
    service: Any, company: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(access, "_REFRESHED_BEFORE_S", access.REMEMBERED_S - 0.1)
    made = (await company.api().post("/api/keys/", json={"name": "lost"})).json()
    await access.authenticate(service.deps.database, made["api_key"])
    async with service.deps.database.transaction(company.tenant_id) as connection:
        await connection.execute(text("update api_keys set revoked_at = now() where id = :id"), {"id": made["id"]})
    await asyncio.sleep(0.15)
    await access.authenticate(service.deps.database, made["api_key"])  # still remembered; looked up meanwhile
    await asyncio.sleep(0.2)
    with pytest.raises(access.RevokedKeyError):
        await access.authenticate(service.deps.database, made["api_key"])


async def test_a_key_that_was_refused_opens_as_soon_as_it_exists(service: Any, company: Any) -> None:
    """A refusal is not remembered."""
    secret = access.new_secret()
    assert (await service.client(secret).get("/api/chatbots/")).status_code == 401
    key_id = company.key_ids["member"]
    async with service.deps.database.transaction(company.tenant_id) as connection:
        values = {"id": key_id, "hash": access.secret_hash(secret)}
        await connection.execute(text("update api_keys set secret_hash = :hash where id = :id"), values)
    assert (await service.client(secret).get("/api/chatbots/")).status_code == 200


async def test_a_key_is_never_stored_in_the_clear(service: Any, company: Any) -> None:
    async with service.deps.database.transaction(company.tenant_id) as connection:
        rows = (await connection.execute(text("select api_keys::text from api_keys"))).scalars().all()
    assert rows
    assert not [secret for secret in company.secrets.values() if any(secret in row for row in rows)]


async def test_nobody_makes_a_key_above_his_own_role(company: Any) -> None:
    refused = await company.api("admin").post("/api/keys/", json={"name": "up", "role": "owner"})
    assert (refused.status_code, refused.json()["code"]) == (403, "tenancy.forbidden")
    assert (await company.api("admin").post("/api/keys/", json={"name": "even", "role": "admin"})).status_code == 201


@pytest.mark.parametrize("expires_at", ["2001-01-01T00:00:00Z", "2001-01-01T00:00:00", "2091-01-01T00:00:00"])
async def test_an_expiry_in_the_past_or_without_a_time_zone_is_refused(company: Any, expires_at: str) -> None:
    refused = await company.api().post("/api/keys/", json={"name": "late", "expires_at": expires_at})
    assert (refused.status_code, refused.json()["code"]) == (422, "invalid_request")


async def test_a_key_bound_to_a_chatbot_asks_that_chatbot(service: Any, company: Any) -> None:
    second = (await company.api().post("/api/chatbots/", json={"name": "Second"})).json()
    await company.know(chatbot_id=second["id"])
    made = (await company.api().post("/api/keys/", json={"name": "k", "chatbot_id": second["id"]})).json()
    found = await service.client(made["api_key"]).post("/api/search", json={"query": "discount for gold partners"})
    assert found.json()["chatbot_id"] == second["id"]
    assert found.json()["results"]


# ---- acting for users

MakeKey = Callable[..., Awaitable[str]]


@pytest.fixture
def make_key(company: Any) -> MakeKey:
    async def make(**body: Any) -> str:
        made = await company.api().post("/api/keys/", json={"name": "shop", "role": "member", **body})
        secret: str = made.json()["api_key"]
        return secret

    return make


async def test_a_user_id_is_an_identity_for_keys_that_may_act_for_users(service: Any, make_key: MakeKey) -> None:
    shop = service.client(await make_key(may_act_for_users=True))
    session_id = (await shop.post("/api/chatbot/sessions/", json={"user_id": "ada"})).json()["id"]
    path = f"/api/chatbot/sessions/{session_id}/"
    assert (await shop.get(path, params={"user_id": "ada"})).status_code == 200
    assert (await shop.get(path, params={"user_id": "bob"})).status_code == 404
    assert (await shop.get(path)).status_code == 404
    listed = [
        (await shop.get("/api/chatbot/sessions/", params={"user_id": name})).json()["total"] for name in ("ada", "bob")
    ]
    assert listed == [1, 0]
    asked = await shop.post(f"{path}messages/", json={"message": "What?"}, params={"user_id": "bob"})
    assert asked.status_code == 404


async def test_a_user_id_means_nothing_for_other_keys(service: Any, make_key: MakeKey) -> None:
    shop = service.client(await make_key(may_act_for_users=True))
    adas = (await shop.post("/api/chatbot/sessions/", json={"user_id": "ada"})).json()["id"]
    ordinary = service.client(await make_key())
    assert (await ordinary.get(f"/api/chatbot/sessions/{adas}/", params={"user_id": "ada"})).status_code == 404
    own = (await ordinary.post("/api/chatbot/sessions/", json={"user_id": "ada"})).json()["id"]
    assert (await ordinary.get(f"/api/chatbot/sessions/{own}/")).status_code == 200


async def _everything(service: Any, company: Any) -> dict[str, Any]:
    """What a tenant's tables hold, but for the moment a key was last used."""
    tables = ("chatbots", "documents", "document_versions", "chunks", "sessions", "messages", "turns", "jobs")
    tables += ("service_accounts", "chatbot_members", "widget_keys")
    tables += ("searches", "search_reactions", "search_days", "search_queries")
    tenant_id: UUID = company.tenant_id
    async with service.deps.database.transaction(tenant_id) as connection:
        rows = {
            table: (await connection.execute(text(f"select t::text from {table} t order by 1"))).scalars().all()
            for table in tables
        }
        keys = await connection.execute(text("select id, revoked_at from api_keys order by id"))
        return {**rows, "keys": [tuple(row) for row in keys]}


async def test_an_admin_reaches_neither_the_owners_keys_nor_the_owners_identity(company: Any) -> None:
    admin = company.api("admin")
    assert (await admin.delete(f"/api/keys/{company.key_ids['owner']}/")).status_code == 403
    owner_email = {"name": "sly", "role": "member", "user_email": "ada@example.com"}
    assert (await admin.post("/api/keys/", json=owner_email)).status_code == 403
    assert (await company.api().get("/api/chatbots/")).status_code == 200
