"""Alerts over HTTP: rules, silences, what fires, and how webhooks are told."""

from __future__ import annotations

import asyncio
import hashlib
import hmac
import json
from collections.abc import AsyncIterator
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any

import pytest
from sqlalchemy import text
from tests.api.conftest import Service

from dragoman.entrypoints.api import create_app
from dragoman.entrypoints.wiring import load_budgets
from dragoman.insights import rollup
from dragoman.insights.alerts.deliver import DELIVER_ALERT
from dragoman.insights.alerts.evaluate import Evaluator
from dragoman.kit.clock import now


@dataclass
class Receiver:
    """A webhook's end: what came, and what it answers."""

    port: int = 0
    status: int = 204
    got: list[tuple[dict[str, str], bytes]] = field(default_factory=list)

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}/hook"

    @property
    def bodies(self) -> list[dict[str, Any]]:
        return [json.loads(body) for _, body in self.got]

    async def answer(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        head = (await reader.readuntil(b"\r\n\r\n")).decode().split("\r\n")[1:]
        headers = {
            name.lower(): value.strip() for name, _, value in (line.partition(":") for line in head) if name.strip()
        }
        self.got.append((headers, await reader.readexactly(int(headers["content-length"]))))
        writer.write(f"HTTP/1.1 {self.status} X\r\nContent-Length: 0\r\nConnection: close\r\n\r\n".encode())
        await writer.drain()
        writer.close()


@pytest.fixture
async def receiver() -> AsyncIterator[Receiver]:
    made = Receiver()
    server = await asyncio.start_server(made.answer, "127.0.0.1", 0)
    made.port = server.sockets[0].getsockname()[1]
    async with server:
        yield made


@pytest.fixture(scope="module")
async def service(settings_for: Any) -> AsyncIterator[Any]:
    settings = settings_for(private_networks=["127.0.0.0/8"])
    app = create_app(settings)
    async with app.router.lifespan_context(app):
        yield Service(app=app, settings=settings)


async def _evaluate(company: Any, at: datetime | None = None, **changes: Any) -> None:
    deps, settings = company.service.deps, company.service.settings
    values = {
        "database": deps.database,
        "cache": deps.cache,
        "sender": deps.sender,
        "budgets": load_budgets(settings, deps.database),
        "home": settings.home,
        "operator_tenant": None,
    }
    await Evaluator(**{**values, **changes}).evaluate(at)


async def _refuse(company: Any, *, refused: int, answered: int) -> None:
    """Turns of this moment, as the chatbot would leave them."""
    await company.ask("Anything?")
    copied = (
        "insert into turns select (jsonb_populate_record(t, jsonb_build_object('id', gen_random_uuid(), 'answered', "
        "n > :refused, 'created_at', now()))).* from turns t, generate_series(1, :all) n"
    )
    async with company.service.deps.database.transaction(company.tenant_id) as connection:
        await connection.execute(text(copied), {"refused": refused, "all": refused + answered})
    await rollup.roll_up(company.service.deps.database)


async def _own_rule(company: Any, **changes: Any) -> str:
    body = {"name": "Refusals", "signal": "refusal_share", "threshold": 0.5, "for_s": 0, "min_samples": 20, **changes}
    made = await company.api().post("/api/alerts/rules/", json=body)
    assert made.status_code == 201, made.text
    rule_id: str = made.json()["id"]
    return rule_id


async def _alerts(company: Any, **params: str) -> list[dict[str, Any]]:
    found = await company.api().get("/api/alerts", params=params)
    assert found.status_code == 200, found.text
    alerts: list[dict[str, Any]] = found.json()["alerts"]
    return alerts


async def _channel(company: Any, url: str) -> dict[str, Any]:
    made = await company.api().post("/api/alerts/channels/", json={"url": url, "least_severity": "info"})
    assert made.status_code == 201, made.text
    channel: dict[str, Any] = made.json()
    return channel


async def test_an_own_rule_fires_is_told_acknowledged_and_resolved(company: Any, receiver: Receiver) -> None:
    channel = await _channel(company, receiver.url)
    rule_id = await _own_rule(company)
    await _refuse(company, refused=40, answered=10)
    await _evaluate(company)
    [alert] = await _alerts(company)
    assert (alert["rule_id"], alert["state"], alert["samples"]) == (rule_id, "firing", 51)
    assert alert["value"] == pytest.approx(41 / 51, abs=0.01)
    await company.service.run_jobs(kind=DELIVER_ALERT)
    [(headers, body)] = receiver.got
    assert json.loads(body)["type"] == "alert.firing"
    at, signature = (part.partition("=")[2] for part in headers["x-dragoman-signature"].split(","))
    expected = hmac.new(channel["secret"].encode(), f"{at}.".encode() + body, hashlib.sha256).hexdigest()
    assert hmac.compare_digest(signature, expected)

    acknowledged = await company.api().post(f"/api/alerts/{alert['id']}/acknowledge/")
    assert acknowledged.json()["acknowledged_by"].startswith("user:")
    for minutes in (20, 22):  # the window is empty by then
        await _evaluate(company, now() + timedelta(minutes=minutes))
    assert await _alerts(company) == []
    history = (await company.api().get("/api/alerts/history/")).json()
    assert history["total"] == 1
    [past] = history["alerts"]
    assert (past["state"], past["resolved_because"]) == ("resolved", "no_data")
    assert past["acknowledged_by"] == acknowledged.json()["acknowledged_by"]
    await company.service.run_jobs(kind=DELIVER_ALERT)
    assert [body["type"] for body in receiver.bodies] == ["alert.firing", "alert.resolved"]
    shown = (await company.api().get("/api/alerts/channels/")).json()["channels"]
    assert (shown[0]["last_error"], "secret" in shown[0]) == (None, False)


async def test_evaluating_twice_tells_once(company: Any, receiver: Receiver) -> None:
    await _channel(company, receiver.url)
    await _own_rule(company)
    await _refuse(company, refused=40, answered=10)
    await asyncio.gather(*(_evaluate(company) for _ in range(3)))
    await _evaluate(company)
    await company.service.run_jobs(kind=DELIVER_ALERT)
    assert len(receiver.got) == 1
    assert len(await _alerts(company)) == 1


async def test_few_bad_answers_do_not_fire(company: Any) -> None:
    await _own_rule(company)
    await _refuse(company, refused=10, answered=0)
    await _evaluate(company)
    assert await _alerts(company, state="active") == []


async def test_a_silenced_rule_is_told_when_the_silence_ends(company: Any, receiver: Receiver) -> None:
    await _channel(company, receiver.url)
    rule_id = await _own_rule(company)
    path = f"/api/alerts/rules/{rule_id}/silence/"
    silenced = await company.api().put(path, json={"minutes": 60, "comment": "moving house"})
    assert silenced.status_code == 200
    await _refuse(company, refused=40, answered=10)
    await _evaluate(company)
    [alert] = await _alerts(company)
    assert alert["silence"]["comment"] == "moving house"
    await company.service.run_jobs(kind=DELIVER_ALERT)
    assert receiver.got == []
    assert (await company.api().delete(path)).status_code == 204
    await _evaluate(company)
    await company.service.run_jobs(kind=DELIVER_ALERT)
    assert [body["type"] for body in receiver.bodies] == ["alert.firing"]


async def test_a_receiver_that_fails_is_asked_again_and_one_that_refuses_is_not(
    company: Any, receiver: Receiver
) -> None:
    channel = await _channel(company, receiver.url)
    states = []
    for status in (503, 410):
        receiver.status = status
        sent = await company.api().post(f"/api/alerts/channels/{channel['id']}/test/")
        assert sent.status_code == 202
        await company.service.run_jobs(kind=DELIVER_ALERT)
        async with company.service.deps.database.transaction(company.tenant_id) as connection:
            query = text("select state, attempts from jobs where kind = :kind order by id desc limit 1")
            states.append(tuple((await connection.execute(query, {"kind": DELIVER_ALERT})).one()))
    assert states == [("queued", 1), ("failed", 1)]
    [shown] = (await company.api().get("/api/alerts/channels/")).json()["channels"]
    assert "410" in shown["last_error"]


async def test_a_webhook_into_a_private_network_is_refused(company: Any) -> None:
    made = await company.api().post("/api/alerts/channels/", json={"url": "http://169.254.169.254/latest/"})
    assert (made.status_code, made.json()["code"]) == (422, "fetch.forbidden_address")


async def test_a_built_in_rule_is_changed_for_one_tenant_and_brought_back(company: Any, other_company: Any) -> None:
    async def slow_search(who: Any) -> dict[str, Any]:
        rules = (await who.api().get("/api/alerts/rules/")).json()["rules"]
        found: dict[str, Any] = next(rule for rule in rules if rule["name"] == "slow-search")
        return found

    before = await slow_search(company)
    path = f"/api/alerts/rules/{before['id']}/"
    changed = await company.api().patch(path, json={"threshold": 300, "clears_at": 200, "is_enabled": False})
    assert (changed.status_code, changed.json()["is_changed"]) == (200, True)
    assert (await slow_search(company))["threshold"] == 300
    assert await slow_search(other_company) == before
    assert (await company.api().delete(path)).status_code == 204
    assert await slow_search(company) == before


async def test_switching_a_rule_off_ends_its_alert(company: Any) -> None:
    rule_id = await _own_rule(company)
    await _refuse(company, refused=40, answered=10)
    await _evaluate(company)
    assert len(await _alerts(company)) == 1
    await company.api().patch(f"/api/alerts/rules/{rule_id}/", json={"is_enabled": False})
    await _evaluate(company)
    assert await _alerts(company) == []
    [past] = (await company.api().get("/api/alerts/history/")).json()["alerts"]
    assert past["resolved_because"] == "rule_changed"


async def test_alerts_of_the_installation_are_the_operators_only(company: Any, other_company: Any) -> None:
    async with company.service.deps.database.transaction(other_company.tenant_id) as connection:
        await connection.execute(
            text(
                "insert into jobs (tenant_id, id, kind, payload, state, run_after, created_at) values "
                "(:tenant, gen_random_uuid(), 'x', '{}', 'queued', now() - interval '1 hour', now() - interval '1 hour')"
            ),
            {"tenant": other_company.tenant_id},
        )
    for minutes in (0, 2):
        await _evaluate(company, now() + timedelta(minutes=minutes), operator_tenant=company.tenant_id)
    assert "no-worker" in {alert["rule"] for alert in await _alerts(company)}
    seen = {alert["signal"] for alert in await _alerts(other_company, state="active")}
    assert seen <= {"oldest_job_s"}  # its own job
    body = {"name": "Mine", "signal": "disk_free_gib", "threshold": 5}
    refused = await other_company.api().post("/api/alerts/rules/", json=body)
    assert (refused.status_code, refused.json()["code"]) == (422, "alerts.invalid_rule")
    async with company.service.deps.database.transaction(other_company.tenant_id) as connection:
        await connection.execute(text("delete from jobs where kind = 'x'"))


@pytest.mark.parametrize(
    "changes",
    [
        {"threshold": 0.5, "clears_at": 0.6},
        {"signal": "budget_share", "chatbot_id": "own"},
        {"window_s": 10},
        {"signal": "nonsense"},
        {"threshold": "NaN"},
    ],
)
async def test_a_rule_that_cannot_work_is_refused(company: Any, changes: dict[str, Any]) -> None:
    if changes.get("chatbot_id") == "own":
        changes = {**changes, "chatbot_id": str(company.chatbot_id)}
    body = {"name": "Wrong", "signal": "refusal_share", "threshold": 0.5, **changes}
    assert (await company.api().post("/api/alerts/rules/", json=body)).status_code == 422


async def test_changes_are_audited(company: Any) -> None:
    rule_id = await _own_rule(company)
    await company.api().put(f"/api/alerts/rules/{rule_id}/silence/", json={"minutes": 5})
    await company.api().delete(f"/api/alerts/rules/{rule_id}/")
    async with company.service.deps.database.transaction(company.tenant_id) as connection:
        query = text("select action from audit_events where subject_id = :id order by id")
        actions = (await connection.execute(query, {"id": rule_id})).scalars().all()
    assert actions == ["alert_rule.created", "alert_rule.silenced", "alert_rule.deleted"]
